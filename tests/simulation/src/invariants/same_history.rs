//! **One history.** After everything is healed all nodes have applied the same entries, and every row of every table is
//! the same on all of them, whatever was lost, rebuilt or re-applied on the way (DESIGN A5, A9).

use super::{Invariant, Seen};

pub(super) struct SameHistory;

impl Invariant for SameHistory {
    fn name(&self) -> &'static str {
        "same_history"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let mut nodes = seen.digests.iter();
        let Some((first, tables)) = nodes.next() else {
            return Ok(());
        };
        for (node, others) in nodes {
            for (table, digest) in tables {
                if others.get(table) != Some(digest) {
                    return Err(format!("table {table} differs between {first} and {node}"));
                }
            }
        }
        Ok(())
    }
}
