//! What an island tells of rooms, and the laws by which it is joined.

mod message;
mod rows;

use serde::{Deserialize, Serialize};

pub use self::message::MessageFact;
pub(crate) use self::message::{changed, merge};
pub(crate) use self::rows::changed as changed_talk;
pub(crate) use self::rows::{WATCH, merge as merge_talk};
pub(super) use self::rows::{
    member_of, merge_edit, merge_mark, merge_member, merge_more, merge_pin, merge_read, merge_room,
    pin_of, read_of, room_of,
};
use super::Mention;
use crate::ids::{MessageId, RecipientId, RoomId};
use crate::time::Timestamp;

/// One row of a room beside its messages.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum TalkFact {
    Room(RoomFact),
    Member(MemberFact),
    More(MoreFact),
    Edit(EditFact),
    Mark(MarkFact),
    Pin(PinFact),
    Read(ReadFact),
}

impl TalkFact {
    /// The word in lists.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Room(_) => "room",
            Self::Member(_) => "member",
            Self::More(_) => "message_more",
            Self::Edit(_) => "edit",
            Self::Mark(_) => "record",
            Self::Pin(_) => "pin",
            Self::Read(_) => "read",
        }
    }

    /// The id of the row it is an image of, for lists.
    pub fn about(&self) -> String {
        match self {
            Self::Room(fact) => fact.room.to_string(),
            Self::Member(fact) => format!("{}/{}", fact.room, fact.person),
            Self::More(fact) => fact.message.to_string(),
            Self::Edit(fact) => format!("{}/{}", fact.message, hex(&fact.id)),
            Self::Mark(fact) => format!("{}/{}", fact.message, hex(&fact.id)),
            Self::Pin(fact) => fact.message.to_string(),
            Self::Read(fact) => format!("{}/{}", fact.room, fact.person),
        }
    }

    /// The room or the message without which it cannot be joined; `None`: nothing.
    pub(crate) fn wants(&self) -> Option<[u8; 16]> {
        match self {
            Self::Room(_) => None,
            Self::Member(fact) => Some(fact.room.0),
            Self::More(fact) => Some(fact.message.0),
            Self::Edit(fact) => Some(fact.message.0),
            Self::Mark(fact) => Some(fact.message.0),
            Self::Pin(fact) => Some(fact.message.0),
            Self::Read(fact) => Some(fact.to.message.0),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// An everyday room.
///
/// Laws: opened: the earliest stands. Settings: the latest stand, whole.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RoomFact {
    pub room: RoomId,
    pub key: String,
    pub opened: Opened,
    pub settings: Settings,
}

impl RoomFact {
    /// The law: each register by itself.
    pub fn join(self, other: Self) -> Self {
        Self {
            room: self.room,
            key: self.key,
            opened: self.opened.min(other.opened),
            settings: self.settings.max(other.settings),
        }
    }
}

/// When a room was opened and by whom. The least one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Opened {
    pub at: Timestamp,
    pub by: String,
}

/// How a room is set up. The greatest stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Settings {
    pub at: Timestamp,
    pub name: String,
    pub restricted: bool,
    pub closed: bool,
    pub by: String,
}

/// Somebody added to a room by name, or taken out.
///
/// Law: the latest word stands, whole.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MemberFact {
    pub room: RoomId,
    pub person: RecipientId,
    pub standing: Standing,
}

/// Whether somebody is in a room and how they follow it. The greatest stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Standing {
    pub at: Timestamp,
    pub member: bool,
    pub follow: String,
    pub by: String,
}

/// What a message says beside its text.
///
/// Laws: restricted as soon as any history says so. The rest follows from the request, so the first one stays.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MoreFact {
    pub message: MessageId,
    pub room: RoomId,
    pub person: Option<RecipientId>,
    pub restricted: bool,
    pub mentions: Vec<Mention>,
}

/// A later wording of a message.
///
/// Law: all of them; of one that two histories took from the same request, the least stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct EditFact {
    pub id: [u8; 16],
    pub message: MessageId,
    pub at: Timestamp,
    pub by: String,
    pub text: String,
}

/// A message marked for the record.
///
/// Law: all of them; of one that two histories took from the same request, the least stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct MarkFact {
    pub id: [u8; 16],
    pub message: MessageId,
    pub kind: String,
    pub at: Timestamp,
    pub by: String,
    pub text: String,
    pub unknown: String,
    pub salt: [u8; 16],
}

/// A message pinned to its room, or taken down.
///
/// Law: the latest word stands, whole.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PinFact {
    pub message: MessageId,
    pub room: RoomId,
    pub pin: Pin,
}

/// Whether a message is pinned. The greatest stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Pin {
    pub at: Timestamp,
    pub pinned: bool,
    pub by: String,
}

/// How far somebody has read.
///
/// Law: the latest word stands, whole. What that leaves unread is each history's own: the messages that came to be known
/// after it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ReadFact {
    pub room: RoomId,
    pub person: RecipientId,
    pub to: ReadTo,
}

/// The greatest stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ReadTo {
    pub at: Timestamp,
    pub message: MessageId,
}
