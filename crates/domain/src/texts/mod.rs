//! Every text Holdfast sends to people, in their language (DESIGN §4.5).
//!
//! Pure: no rows, no clock, no chance. The words themselves are data, in the catalogue that the app reads too (`words`,
//! keys that begin with `sms.`); here is which of them are said, and how long they may become. What people wrote
//! themselves is cleaned before it enters a text.
//!
//! A text about an alert is frozen once per language; the code of each person is left open as [`CODE_MARK`] and filled
//! in by [`finish`] when the text leaves. Codes are digits and nothing here contains a link.

mod automation;
mod clean;
mod digest;
mod language;
mod news;
mod order;
mod page;
mod pass;
mod phone;
mod remind;
mod reply;
mod report;
mod second;
mod source;
mod verbs;
mod watch;

pub use self::automation::{automation, requester};
pub(crate) use self::clean::steers;
pub use self::clean::{clean, clip, neutral};
pub use self::digest::{
    DIGEST_PARTS_MAX, Digest, DigestLine, Worded, digest, digest_mail, follows, follows_no_more,
    offer_room, reply_to_digest, which_room,
};
pub use self::language::Language;
pub use self::news::{AlertNews, Briefing, News, briefing, not_needed, role_briefing, update};
pub use self::order::{
    Deed, Done, Refused, Standing, Unready, answered_all, deed, echo, message, order_done,
    order_help, order_refused, order_unready, severity, standings, who_comes, who_on_call,
};
pub use self::page::{
    CallOffText, GatherText, Marks, PageText, call_off, call_off_mail, finish, gather, page,
    page_mail,
};
pub use self::pass::{glass_broken, guest, invitation, number_changed, sign_in_code};
pub use self::phone::{card_note, instructions};
pub use self::remind::{all_accounted_for, needs_help, reminder, still_coming, time_is_over};
pub use self::reply::{
    About, Arrival, Ended, EndedHow, LateAnswer, OpenCode, Sent, ambiguous, ask_back, backlog,
    closed, code_elsewhere, confirmation, duty_inbox_reply, genuine, late, mail_used, no_calls,
    not_counted, reply_by_mail, room_posted, unknown_code, wake, wake_noted, wake_question,
};
pub use self::report::{ReportNews, report, report_news};
pub use self::second::{
    AskedFor, second_person, second_person_noted, second_person_refused, second_person_said,
    to_review,
};
pub use self::source::{
    all_stopped, bundle, flapping, grown, left_out, nobody, over_budget, overflow, silent,
    unreadable,
};
pub use self::verbs::{Verb, verbs};
pub use self::watch::{going_dark, trouble};

/// Stands for the person's code in a frozen text. A control character, which no cleaned text can contain.
pub const CODE_MARK: char = '\u{1}';

/// Stands for a code that no row holds: it is worked out when the text leaves. A control character, as above.
pub const SECRET_MARK: char = '\u{2}';

/// No text of ours takes more SMS parts than this, marks and the longest code included.
pub const SMS_PARTS_MAX: usize = 6;

/// How many SMS parts a finished text takes.
pub fn parts(text: &str) -> u16 {
    u16::try_from(sms::segment::count_parts(text, true)).unwrap_or(u16::MAX)
}

/// How a finished text looks to a modem.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Measure {
    /// Whether every character has its place in GSM 7-bit; else the text is sent as UCS-2, which holds less than half.
    pub gsm7: bool,
    /// SMS parts.
    pub parts: u16,
    /// Septets or UTF-16 units that still fit without another part.
    pub left: u16,
    /// The characters that force UCS-2, each once.
    pub forcing: Vec<char>,
}

/// Measures a finished text with the functions that cut it when it is sent.
pub fn measure(text: &str) -> Measure {
    let found = sms::segment::measure(text, true);
    let forcing = sms::segment::forcing_ucs2(text, true);
    let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    Measure {
        gsm7: forcing.is_empty(),
        parts: small(found.parts),
        left: small(found.left),
        forcing,
    }
}

#[cfg(test)]
mod tests;
