//! Commands about what takes two.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Somebody asks for something that takes two.
    Ask(Ask),
    /// Somebody else lets it.
    Let { number: u64 },
    /// It is not to be done: by whoever asked, or by whoever would have let it.
    Drop { number: u64 },
    /// Uses one up for a change that is no command of the log, such as of the membership.
    Use {
        /// Of the request it is for.
        digest: [u8; 32],
    },
}

/// What somebody wants to do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// `PUT`, `POST` or `DELETE`.
    pub method: String,
    /// As it will be asked for: `/v1/budgets/cluster`.
    pub path: String,
    /// The body, byte by byte; empty: none.
    pub body: String,
    /// As people should read who asks: 1 to 100 characters.
    pub name: String,
    /// Why, as people should read it: at most 500 characters.
    pub reason: String,
}
