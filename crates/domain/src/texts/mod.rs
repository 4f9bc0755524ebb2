//! Every text Holdfast sends to people, in their language (DESIGN §4.5).
//!
//! Pure: no rows, no clock, no chance. The words live in one file per language behind [`catalogue::Words`], so that a
//! language with a missing text does not compile. What people wrote themselves is cleaned before it enters a text.
//!
//! A text about an alert is frozen once per language; the code of each person is left open as [`CODE_MARK`] and filled
//! in by [`finish`] when the text leaves. Codes are digits and nothing here contains a link.

mod catalogue;
mod clean;
mod en;
mod fi;
mod language;
mod page;
mod reply;
mod report;
mod source;
mod sv;
mod watch;

pub use self::clean::{clean, clip};
pub use self::language::Language;
pub use self::page::{
    CallOffText, Marks, PageText, call_off, call_off_mail, finish, page, page_mail,
};
pub use self::reply::{
    About, Ended, EndedHow, LateAnswer, OpenCode, Sent, ambiguous, ask_back, backlog, closed,
    code_elsewhere, confirmation, duty_inbox_reply, genuine, late, not_counted, room_posted,
    unknown_code,
};
pub use self::report::{ReportNews, report, report_news};
pub use self::source::{bundle, flapping, grown, nobody, overflow, silent, unreadable};
pub use self::watch::{going_dark, trouble};

/// Stands for the person's code in a frozen text. A control character, which no cleaned text can contain.
pub const CODE_MARK: char = '\u{1}';

/// No text of ours takes more SMS parts than this, marks and the longest code included.
pub const SMS_PARTS_MAX: usize = 6;

/// How many SMS parts a finished text takes.
pub fn parts(text: &str) -> u16 {
    u16::try_from(sms::segment::count_parts(text, true)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
