//! Commands about units.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a unit, or changes its name and what it is part of.
    Put {
        key: String,
        name: String,
        /// Key of the unit it is part of.
        above: Option<String>,
    },
    /// Removes a unit that nobody belongs to, no account is limited to and no other is part of.
    Remove { key: String },
    /// Says which unit people belong to; `None`: none. Keys of people.
    Place {
        people: Vec<String>,
        unit: Option<String>,
    },
    /// Limits an account to a unit and those that are part of it; `None`: to none.
    Limit {
        account: String,
        unit: Option<String>,
    },
}
