//! Commands about rooms.

use serde::{Deserialize, Serialize};

use super::{Follow, MarkKind};
use crate::ids::{MessageId, RecipientId, RoomId};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a message to a room.
    Post {
        room: RoomId,
        author: String,
        text: String,
    },
    /// Says something in a room, with all that belongs to it.
    Say(Say),
    /// Words a message anew; the original stays. Only whoever said it may.
    Edit {
        message: MessageId,
        text: String,
        by: Speaker,
    },
    /// Marks a message for the record, and chains it at once. The same mark of the same words again changes nothing.
    Mark {
        message: MessageId,
        kind: MarkKind,
        /// Of a decision: what was not known when it was taken.
        unknown: String,
        by: Speaker,
    },
    /// Pins a message to its room, or takes it down.
    Pin {
        message: MessageId,
        pinned: bool,
        by: Speaker,
    },
    /// Somebody has read everything up to and with this message. Never goes back.
    Read {
        person: RecipientId,
        message: MessageId,
    },
    /// Opens an everyday room, or changes it.
    PutRoom {
        key: String,
        name: String,
        /// Its words never leave by SMS or mail.
        restricted: bool,
        /// Nobody speaks there any more; what was said stays.
        closed: bool,
        by: Speaker,
    },
    /// Adds somebody to a room, changes how they follow it, or takes them out.
    PutMember {
        room: RoomId,
        person: RecipientId,
        member: bool,
        follow: Follow,
        by: Speaker,
    },
    /// Says how somebody follows a room from now on. Whoever follows it by text or mail is in it; back in the app they stay in
    /// it. Island-safe: the latest word stands, with that on being in the room.
    Follow {
        room: RoomId,
        person: RecipientId,
        follow: Follow,
        by: Speaker,
    },
}

/// Something to say.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Say {
    pub room: RoomId,
    pub by: Speaker,
    /// 1 to 4,000 characters. `@anna` mentions a person by key, `@all` everyone in the room, `@lead` whoever leads.
    pub text: String,
    /// Marked as it is said.
    pub mark: Option<MarkKind>,
    /// Of a decision: what was not known when it was taken.
    pub unknown: String,
    /// Its words never leave by SMS or mail.
    pub restricted: bool,
}

/// Who does something in a room.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Speaker {
    /// As people should read it: 1 to 100 characters.
    pub name: String,
    /// The person, if it is one of those known.
    pub person: Option<RecipientId>,
}
