//! What a language must be able to say. A text that is missing in one of them does not compile.

use crate::vocabulary::{AlertKind, Answer, Severity};

/// What is said about rooms: worded by a person's tag, so that a language may say this before it says everything.
pub(super) trait RoomWords: Sync {
    /// The BCP 47 tag of the language.
    fn tag(&self) -> &'static str;
    /// How many messages before those shown have no place in a digest.
    fn left_out(&self, count: u64) -> String;
    /// How many messages keep their words in the app.
    fn in_the_app(&self, count: u64) -> String;
    /// The limit is reached: what follows comes later.
    fn no_more_for_now(&self) -> &'static str;
    /// Before what to text to write into the room.
    fn to_write(&self) -> &'static str;
    /// What a digest's mail says about answering it.
    fn reply_to_digest(&self) -> &'static str;
    /// Before what to text to follow the room of an alert.
    fn offer_room(&self) -> &'static str;
    /// `write` and `stop` are what to text.
    fn follows(&self, room: &str, write: &str, stop: &str) -> String;
    fn follows_no_more(&self, room: &str) -> String;
    /// Several rooms could be meant; `example` is what to text.
    fn which_room(&self, rooms: &str, example: &str) -> String;
    /// No room could be meant.
    fn no_room(&self) -> &'static str;
}

/// One language's words. Whole sentences, because word order differs; arguments are cleaned and clipped by the caller.
/// Times come as `HH:MM`, in UTC, and the sentences say so.
pub(super) trait Words: RoomWords {
    /// First word of every text about an exercise.
    fn exercise(&self) -> &'static str;
    /// First word of every text about a test.
    fn test(&self) -> &'static str;
    fn severity(&self, severity: Severity) -> &'static str;
    /// What is true of a person who gave this answer: "coming".
    fn answer(&self, answer: Answer) -> &'static str;
    /// What is true of a person who is coming and said in how many minutes; `time` is when that is.
    fn arriving(&self, minutes: u16, time: &str) -> String;
    /// `Alert 118 Aurora Energy`, at the start of a sentence.
    fn alert(&self, number: &str, organisation: &str) -> String;
    /// Label before the place to gather.
    fn gather(&self) -> &'static str;
    /// Label before the place to go to when the first one cannot be used.
    fn alternate(&self) -> &'static str;
    /// Label before the number of a telephone conference.
    fn bridge(&self) -> &'static str;
    /// Asks for an answer by SMS: `Reply`, before a code.
    fn reply(&self) -> &'static str;
    /// What a person types a digit for, as short as can be.
    fn hint(&self, answer: Answer) -> &'static str;
    /// The answers offered, behind `code`: `Reply 4711 1=coming …`.
    fn how_to_answer(&self, code: &str, kind: AlertKind, offered: &[Answer]) -> String {
        let mut text = format!("{} {code}", self.reply());
        for answer in offered {
            text.push_str(&format!(" {}={}", kind.digit(*answer), self.hint(*answer)));
        }
        text
    }
    /// How to ask whether a text is ours.
    fn how_to_check(&self) -> &'static str;
    /// Line of a mail that explains where answers go.
    fn answer_by_sms(&self) -> &'static str;
    fn possible_repeat(&self) -> &'static str;
    fn answer_to_this_number(&self) -> &'static str;

    /// Ends every text of a node that is cut off: `(site C alone)`.
    fn alone(&self, site: &str) -> String;
    /// A code came to a node that is cut off and does not know it. `numbers` are those of the other nodes; may be empty.
    fn code_elsewhere(&self, site: &str, numbers: &str) -> String;
    /// One text instead of all that waited too long. `newest` and `open` name alerts; `open` may be empty.
    fn backlog(&self, organisation: &str, count: u64, newest: &str, open: &str) -> String;

    /// Before how to answer, to somebody silent.
    fn no_answer_yet(&self) -> &'static str;
    /// Before how to answer, to somebody coming who has to say so again by a time.
    fn still_coming(&self, time: &str) -> String;
    /// To those who lead. `site` may be empty; `by` is who saw it, when the person did not say it.
    fn needs_help(&self, alert: &str, name: &str, site: &str, by: Option<&str>) -> String;
    /// To those who lead a safety check, as is the next.
    fn time_is_over(&self, alert: &str, missing: u64, asked: u64) -> String;
    fn all_accounted_for(&self, alert: &str, asked: u64) -> String;

    fn called_off(&self) -> &'static str;
    fn stand_down(&self) -> &'static str;

    /// The answer now stands.
    fn noted(&self, time: &str, name: &str, answer: &str, alert: &str) -> String;
    /// The answer is on record and changed nothing.
    fn recorded_late(&self, time: &str, name: &str, answer: &str) -> String;
    /// When the person's first answer came.
    fn first_answer(&self, time: &str) -> String;
    fn was_resolved(&self, alert: &str, time: &str) -> String;
    fn was_called_off(&self, alert: &str, time: &str) -> String;
    fn was_joined(&self, alert: &str, into: &str, time: &str) -> String;
    /// A critical alert wants the code. `send` is what to send: `4711 1`.
    fn ask_back(&self, alert: &str, send: &str, answer: &str) -> String;
    /// Before the list of open codes.
    fn several_open(&self) -> &'static str;
    fn unknown_code(&self, code: &str) -> String;
    /// One line of a list of open codes: `4711 1 (alert 118)`.
    fn open_code(&self, send: &str, number: &str) -> String;
    /// Wrong codes came from this number, so its right ones are shown but do not count.
    fn not_counted(&self, alert: &str) -> String;
    /// Before the list of what was sent.
    fn told(&self, organisation: &str) -> String;
    /// One line of that list.
    fn told_line(&self, time: &str, number: Option<&str>, text: &str) -> String;
    fn told_nothing(&self, organisation: &str, hours: u64) -> String;
    fn duty_inbox(&self, organisation: &str) -> String;
    /// Asks to wake somebody who is called to an alert.
    fn wake(&self, alert: &str, name: &str) -> String;
    /// Asks whether a test woke somebody; their phone rings next.
    fn wake_question(&self, organisation: &str, code: &str) -> String;
    /// What was noted of a test, and what to do when it did not wake.
    fn wake_noted(&self, organisation: &str, woke: bool) -> String;
    /// Calls are turned down, and why that matters.
    fn no_calls(&self, organisation: &str) -> String;
    fn shown_in_room(&self, alert: &str) -> String;
}
