//! Names of things: newtypes that cannot be mixed up. Ids derive from request ids or from stable keys, never from chance in apply.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A member of the cluster. Counted up in the log at admission and never reused.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl NodeId {
    /// Letters before the numbers of alerts raised on this node's island: A for node 1, Z for 26, AA for 27.
    pub fn letters(self) -> String {
        let mut rest = self.0.max(1);
        let mut letters = Vec::new();
        while rest > 0 {
            rest -= 1;
            letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
            rest /= 26;
        }
        letters.iter().rev().collect()
    }
}

/// Text that is not an id of the expected kind.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is not an id: expected {expected}")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The first 16 bytes of SHA-256 over length-prefixed `parts`, so that parts cannot run into each other.
            pub fn derive(parts: &[&[u8]]) -> Self {
                Self(digest16(stringify!($name), parts))
            }

            /// Reads the 32 hexadecimal digits that `Display` writes.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse16(text).map(Self)
            }

            /// The 16 bytes as stored in rows.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// The id held in a row's blob. A blob of another length means a damaged row, hence an error, not a panic.
            pub fn from_row(bytes: &[u8]) -> Result<Self, sqlx::Error> {
                <[u8; 16]>::try_from(bytes).map(Self).map_err(|e| sqlx::Error::Decode(e.into()))
            }

            /// As [`Self::from_row`], for the blobs of many rows.
            pub fn from_rows(found: &[Vec<u8>]) -> Result<Vec<Self>, sqlx::Error> {
                found.iter().map(|bytes| Self::from_row(bytes)).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), data_encoding::HEXLOWER.encode(&self.0))
            }
        }
    };
}

id16!(
    /// One asked-for change. A retry carries the same id and applies once.
    RequestId
);
id16!(
    /// An alert; derived from the request that raised it.
    AlertId
);
id16!(
    /// A person who can be told something; derived from the person's key.
    RecipientId
);
id16!(
    /// A named, ordered set of people; derived from the group's key.
    GroupId
);
id16!(
    /// One import of people; derived from the request that brought it.
    ImportId
);
id16!(
    /// One thing owed to one recipient over one contact method.
    DeliveryId
);
id16!(
    /// A conversation. An alert's room has the alert's bytes.
    RoomId
);
id16!(
    /// One post in a room, or one text received.
    MessageId
);
id16!(
    /// A file put into a room; derived from the request that announced it.
    FileId
);
id16!(
    /// A change to a running alert; derived from the request that asked for it, or from the rule that made it.
    ActId
);

impl RecipientId {
    /// The id of the person known to people as `key`.
    pub fn of_key(key: &str) -> Self {
        Self::derive(&[key.as_bytes()])
    }
}

impl GroupId {
    /// The id of the group known to people as `key`.
    pub fn of_key(key: &str) -> Self {
        Self::derive(&[key.as_bytes()])
    }
}

impl DeliveryId {
    /// The id of what is owed to `recipient` about `alert`, told apart from the rest of that by `parts`. It begins with four
    /// bytes of either, so that what one log entry owes to many people lies together in every table that orders by it.
    pub fn among(alert: &AlertId, recipient: &RecipientId, parts: &[&[u8]]) -> Self {
        let whole = [alert.as_bytes(), recipient.as_bytes()];
        let mut id = Self::derive(&[&whole, parts].concat()).0;
        id[..4].copy_from_slice(&alert.0[..4]);
        id[4..8].copy_from_slice(&recipient.0[..4]);
        Self(id)
    }
}

impl FileId {
    /// The file that a request announces.
    pub fn of_request(request: RequestId) -> Self {
        Self::derive(&[request.as_bytes()])
    }
}

impl RoomId {
    /// The room an alert opens.
    pub fn of_alert(alert: AlertId) -> Self {
        Self(alert.0)
    }

    /// The everyday room known to people as `key`.
    pub fn of_key(key: &str) -> Self {
        Self::derive(&[key.as_bytes()])
    }

    /// Where texts land that belong to no alert, for a person on duty to sort.
    pub const DUTY_INBOX: Self = Self([0; 16]);
}

/// The first 16 bytes of SHA-256 over a domain word and length-prefixed parts.
pub(crate) fn digest16(word: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(word.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let full: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

fn parse16(text: &str) -> Result<[u8; 16], IdError> {
    let bad = || IdError {
        text: text.chars().take(40).collect(),
        expected: "32 hexadecimal digits",
    };
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .map_err(|_| bad())?;
    <[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| bad())
}
