//! Rooms and what is said in them. An alert opens a room that has the alert's id; everyday rooms are opened under a key;
//! texts about no alert go to the duty inbox ([`crate::RoomId::DUTY_INBOX`]).
//!
//! Invariants: what was said is never changed or removed, an edit stands beside it; every mark is an entry of its room's
//! chain ([`chain`]), written with it; the text of a message holds nothing that steers a screen.
//!
//! Members are those added by name. Whoever an alert called belongs to its room without that; this slice does not know
//! alerts.

mod apply;
mod chain;
mod command;
mod facts;
mod query;
mod record;
mod rooms;
mod rules;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use self::apply::{apply, open_all, post};
pub use self::chain::{Bad, Link, Verdict, chain, verify};
pub use self::command::{Command, Say, Speaker};
pub use self::facts::{
    EditFact, MarkFact, MemberFact, MessageFact, MoreFact, Opened, Pin, PinFact, ReadFact, ReadTo,
    RoomFact, Settings, Standing, TalkFact,
};
pub(crate) use self::facts::{WATCH, changed, changed_talk, merge, merge_talk};
pub use self::query::{
    Edit, Marked, MemberRow, MessageRow, Pinned, ReadRow, RoomRow, find_message, member, members,
    messages, newest, pinned, reads, room, room_by_key, rooms,
};
pub(crate) use self::query::{followed, is_talked_in, last_decision};
pub(crate) use self::record::{Heard, hear, put_in, silent};
pub(crate) use self::rooms::set_follow;
pub(crate) use self::rules::speaker;
pub use self::rules::{Mention, TEXT_LEN_MAX, check_key};

/// For what record a message was marked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum MarkKind {
    /// What happened, in the situation diary.
    Diary,
    /// What was decided, with what was not known then.
    Decision,
    /// What a meeting comes to.
    Minutes,
}

impl MarkKind {
    pub const ALL: [Self; 3] = [Self::Diary, Self::Decision, Self::Minutes];

    /// The word in rows, requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Diary => "diary",
            Self::Decision => "decision",
            Self::Minutes => "minutes",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How somebody follows a room.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Follow {
    /// In the app.
    App,
    /// By text, within a budget.
    Sms,
    /// By mail, within a budget.
    Email,
}

impl Follow {
    pub const ALL: [Self; 3] = [Self::App, Self::Sms, Self::Email];

    /// The word in rows, requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|follow| follow.name() == name)
    }
}
