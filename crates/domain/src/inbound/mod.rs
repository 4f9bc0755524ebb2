//! Texts that came in: what they meant and what became of them.
//!
//! A sender's number is a hint, never an identity (SECURITY D-2): codes carry an answer, numbers alone do so only where
//! little hangs on it. Every text is kept once, whatever it was taken for; nothing is lost for being misunderstood.
//!
//! Orders such as START and CALLOFF are in [`orders`], answers by mail in [`mail`].

mod answers;
mod apply;
mod calls;
mod command;
mod desk;
mod facts;
mod mail;
mod orders;
mod query;
mod rules;
mod sender;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::calls::understood;
pub use self::command::{Command, Receive, ReceiveMail};
pub use self::facts::{InboundFact, ReceivedText, TakenAs};
pub(crate) use self::facts::{WATCH, changed, merge};
pub use self::orders::{OrderRow, OrderState, commanders, orders, waiting};
pub(crate) use self::query::{ANY_ELSEWHERE, fate};
pub use self::query::{InboundRow, latest, of_sender};
pub use self::rules::{Eta, Given, Meaning, Order, parse, parse_part};

/// The word of [`Taken::Elsewhere`]; the index of such rows knows it too.
const ELSEWHERE: &str = "code_elsewhere";

/// What a text was taken for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// An answer that counts.
    Answer,
    /// An answer to an alert that was over: on record, nothing changed.
    LateAnswer,
    /// One part of a longer text, with an answer that counts (or is late) already.
    AnswerInPart,
    /// One part of a longer text without one.
    Part,
    /// The longer text whose part was the answer.
    AnsweredByPart,
    /// A bare answer to a critical alert: shown in its room, the code asked for.
    AskedBack,
    /// A bare answer while several alerts are open: the codes were listed.
    Ambiguous,
    /// A code nobody has, or not this sender.
    UnknownCode,
    /// A right code after too many wrong ones: shown in the alert's room, not counted.
    Distrusted,
    /// Words in an alert's room.
    RoomPost,
    /// "Was that really you?"
    Question,
    /// Words for the person on duty.
    DutyInbox,
    /// The word of somebody who was asked to be the second person of an alert.
    SecondPerson,
    /// Wants something done: what that would be was said, and its code asked for.
    Ordered,
    /// The code of an order that was done with it.
    OrderDone,
    /// A no to an order that waited.
    OrderDropped,
    /// An order, or a code for one, by which nothing is done; the reply says why.
    OrderRefused,
    /// An order that only tells, answered.
    OrderTold,
    /// Something for those on duty to decide about.
    Report,
    /// A code this island does not know: kept, and looked at again once somebody who does is heard.
    Elsewhere,
    /// A call, which was turned down. Never an answer.
    Call,
    /// A text from one of our modems to another, which shows that both work.
    Trip,
    /// Whether a test woke somebody.
    WakeAnswer,
    /// By which somebody follows a room by text from now on, or no more.
    Follow,
}

impl Taken {
    const ALL: [Self; 24] = [
        Self::Answer,
        Self::LateAnswer,
        Self::AnswerInPart,
        Self::Part,
        Self::AnsweredByPart,
        Self::AskedBack,
        Self::Ambiguous,
        Self::UnknownCode,
        Self::Distrusted,
        Self::RoomPost,
        Self::Question,
        Self::DutyInbox,
        Self::SecondPerson,
        Self::Ordered,
        Self::OrderDone,
        Self::OrderDropped,
        Self::OrderRefused,
        Self::OrderTold,
        Self::Report,
        Self::Elsewhere,
        Self::Call,
        Self::Trip,
        Self::WakeAnswer,
        Self::Follow,
    ];

    /// The word in rows and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::LateAnswer => "late_answer",
            Self::AnswerInPart => "answer_in_part",
            Self::Part => "part",
            Self::AnsweredByPart => "answered_by_part",
            Self::AskedBack => "asked_back",
            Self::Ambiguous => "ambiguous",
            Self::UnknownCode => "unknown_code",
            Self::Distrusted => "distrusted",
            Self::RoomPost => "room_post",
            Self::Question => "question",
            Self::DutyInbox => "duty_inbox",
            Self::SecondPerson => "second_person",
            Self::Ordered => "ordered",
            Self::OrderDone => "order_done",
            Self::OrderDropped => "order_dropped",
            Self::OrderRefused => "order_refused",
            Self::OrderTold => "order_told",
            Self::Report => "report",
            Self::Elsewhere => ELSEWHERE,
            Self::Call => "call",
            Self::Trip => "trip",
            Self::WakeAnswer => "wake_answer",
            Self::Follow => "follow",
        }
    }

    /// Reads a row's word; `None` for one of a newer version.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|taken| taken.name() == name)
    }
}
