//! Commands about limits.

use serde::{Deserialize, Serialize};

use crate::recipients::Named;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// When a second person must agree before people are called, in place of what held before; `None`: never.
    SetSecondPerson(Option<SecondPerson>),
}

/// When a second person must agree, and who is asked. An alert that is above any of the thresholds waits.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct SecondPerson {
    /// An alert that calls more people than this.
    pub people_over: Option<u32>,
    /// An alert whose first round takes more SMS parts than this.
    pub parts_over: Option<u32>,
    /// An alert whose first round costs more than this, in millionths of the currency of the price per part.
    pub micros_over: Option<u64>,
    /// A critical alert goes at once and is reviewed after.
    pub critical_at_once: bool,
    /// Who is asked, by SMS and mail.
    pub ask: Vec<Named>,
}
