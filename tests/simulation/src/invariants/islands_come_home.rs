//! **What an island did reaches the cluster.** After healing the cluster's state contains every fact any island ever
//! journalled: joining all of them again, in another order, changes nothing; and none was refused (DESIGN D3, D6).

use super::{Invariant, Seen};

pub(super) struct IslandsComeHome;

impl Invariant for IslandsComeHome {
    fn name(&self) -> &'static str {
        "islands_come_home"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !seen.last {
            return Ok(());
        }
        if let Some(refused) = seen.picture.refused.first() {
            return Err(format!("a fact was refused: {refused}"));
        }
        if let Some(fact) = &seen.picture.new_fact {
            return Err(format!(
                "a fact told again changes the cluster's history: {fact}"
            ));
        }
        Ok(())
    }
}
