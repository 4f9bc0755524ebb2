//! Commands about limits.

use serde::{Deserialize, Serialize};

use crate::oncall::Called;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// When a second person must agree before people are called, in place of what held before; `None`: never.
    SetSecondPerson(Option<SecondPerson>),
    /// What an account may spend on SMS, in place of what held before.
    SetBudget(Budget),
    /// Nothing of its own limits an account any more.
    RemoveBudget { account: String },
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
    pub ask: Vec<Called>,
}

/// What an account may spend on SMS in a civil day and in a civil month (UTC).
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Whose: `cluster`, `key:3fa9`, `operator:n1`, `phone:+358…` or `source:zabbix`; `keys` and `sources` are for each
    /// key and each source without one of its own.
    pub account: String,
    pub day: Amount,
    pub month: Amount,
    /// Percent of all of it that only critical alerts may use: 0 to 90.
    pub reserve_percent: u8,
}

/// How much; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    /// SMS parts.
    pub parts: Option<u64>,
    /// Millionths of the currency of the price per part. Counts only while there is a price.
    pub micros: Option<u64>,
}
