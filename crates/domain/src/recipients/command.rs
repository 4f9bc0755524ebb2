//! Commands about people and groups.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds people or replaces them by key. All or nothing.
    PutPeople {
        people: Vec<Person>,
    },
    /// Removes a person; running alerts keep what was frozen.
    RemovePerson {
        key: String,
    },
    /// Adds groups or replaces them by key. All or nothing.
    PutGroups {
        groups: Vec<Group>,
    },
    RemoveGroup {
        key: String,
    },
}

/// A person who can be told something.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// Short stable name chosen by the organisation, such as a staff number: 1 to 64 characters.
    pub key: String,
    pub name: String,
    /// BCP 47 primary language: `fi`, `sv`, `en`. Others get English texts.
    pub language: String,
    /// In the order in which they are tried.
    pub methods: Vec<ContactMethod>,
}

/// One way to reach a person.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ContactMethod {
    /// E.164 number: `+358401234567`.
    Sms(String),
    /// RFC 5321 mailbox.
    Email(String),
}

impl ContactMethod {
    /// By which kind of channel it is reached: `sms` or `email`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sms(_) => "sms",
            Self::Email(_) => "email",
        }
    }

    /// The number or mailbox.
    pub fn address(&self) -> &str {
        match self {
            Self::Sms(address) | Self::Email(address) => address,
        }
    }
}

/// A named, ordered set of people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Short stable name: 1 to 64 characters.
    pub key: String,
    pub name: String,
    /// Keys of its people, in calling order.
    pub members: Vec<String>,
}
