//! English.

use super::catalogue::{RoomWords, Words};
use crate::vocabulary::{Answer, Severity};

pub(super) struct English;

impl Words for English {
    fn exercise(&self) -> &'static str {
        "EXERCISE"
    }

    fn test(&self) -> &'static str {
        "TEST"
    }

    fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Low => "low",
            Severity::Normal => "normal",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    fn answer(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Coming => "coming",
            Answer::Cannot => "cannot come",
            Answer::Received => "has received it",
            Answer::NeedHelp => "needs help",
            Answer::Safe => "safe",
            Answer::NotOnSite => "not on site",
        }
    }

    fn arriving(&self, minutes: u16, time: &str) -> String {
        format!("coming in {minutes} min ({time} UTC)")
    }

    fn alert(&self, number: &str, organisation: &str) -> String {
        format!("Alert {number} {organisation}")
    }

    fn gather(&self) -> &'static str {
        "Gather"
    }

    fn alternate(&self) -> &'static str {
        "alternate"
    }

    fn bridge(&self) -> &'static str {
        "bridge"
    }

    fn reply(&self) -> &'static str {
        "Reply"
    }

    fn hint(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Coming => "coming",
            Answer::Cannot => "cannot",
            Answer::Received => "received",
            Answer::NeedHelp => "need help",
            Answer::Safe => "safe",
            Answer::NotOnSite => "not on site",
        }
    }

    fn how_to_check(&self) -> &'static str {
        "?=real?"
    }

    fn answer_by_sms(&self) -> &'static str {
        "Answer by text message (SMS) to any of our alert numbers:"
    }

    fn possible_repeat(&self) -> &'static str {
        "(possible repeat)"
    }

    fn answer_to_this_number(&self) -> &'static str {
        "Answer to THIS number."
    }

    fn alone(&self, site: &str) -> String {
        format!("(site {site} alone)")
    }

    fn code_elsewhere(&self, site: &str, numbers: &str) -> String {
        let also = if numbers.is_empty() {
            String::new()
        } else {
            format!(" Also text {numbers}")
        };
        format!("Noted. Site {site} is cut off and the others do not know yet.{also}")
    }

    fn backlog(&self, organisation: &str, count: u64, newest: &str, open: &str) -> String {
        let open = if open.is_empty() {
            "None is open any more.".to_owned()
        } else {
            format!("Open: {open}")
        };
        let alerts = if count == 1 { "alert" } else { "alerts" };
        format!("{organisation}: during the outage {count} {alerts}, newest {newest}. {open}")
    }

    fn no_answer_yet(&self) -> &'static str {
        "No answer from you yet."
    }

    fn still_coming(&self, time: &str) -> String {
        format!(
            "You said you are coming. Still on your way? Say so by {time} UTC, or you are no longer counted."
        )
    }

    fn needs_help(&self, alert: &str, name: &str, site: &str, by: Option<&str>) -> String {
        let at = match site {
            "" => String::new(),
            site => format!(" ({site})"),
        };
        match by {
            None => format!("{alert}: {name} NEEDS HELP{at}."),
            Some(by) => format!("{alert}: {name} NEEDS HELP{at}, says {by}."),
        }
    }

    fn time_is_over(&self, alert: &str, missing: u64, asked: u64) -> String {
        format!("{alert}: time is over, {missing} of {asked} have not answered.")
    }

    fn all_accounted_for(&self, alert: &str, asked: u64) -> String {
        format!("{alert}: all {asked} have answered or were seen.")
    }

    fn called_off(&self) -> &'static str {
        "CALLED OFF."
    }

    fn stand_down(&self) -> &'static str {
        "Stand down. No need to come or to answer."
    }

    fn noted(&self, time: &str, name: &str, answer: &str, alert: &str) -> String {
        format!("Noted {time} UTC, {name}: {answer}. {alert}.")
    }

    fn recorded_late(&self, time: &str, name: &str, answer: &str) -> String {
        format!("Recorded late {time} UTC, {name}: {answer}. It stays closed.")
    }

    fn first_answer(&self, time: &str) -> String {
        format!("First answer {time} UTC.")
    }

    fn was_resolved(&self, alert: &str, time: &str) -> String {
        format!("{alert} was closed {time} UTC.")
    }

    fn was_called_off(&self, alert: &str, time: &str) -> String {
        format!("{alert} was called off {time} UTC.")
    }

    fn was_joined(&self, alert: &str, into: &str, time: &str) -> String {
        format!("{alert} became part of alert {into} {time} UTC.")
    }

    fn ask_back(&self, alert: &str, send: &str, answer: &str) -> String {
        format!("Not counted yet. {alert} is critical and needs your code. Send {send} ({answer})")
    }

    fn several_open(&self) -> &'static str {
        "Several alerts are open. Send one of:"
    }

    fn unknown_code(&self, code: &str) -> String {
        format!("Code {code} is not known or has expired. Send one of:")
    }

    fn open_code(&self, send: &str, number: &str) -> String {
        format!("{send} (alert {number})")
    }

    fn not_counted(&self, alert: &str) -> String {
        format!(
            "Too many wrong codes came from this number. Your answer is shown but not counted. {alert}."
        )
    }

    fn told(&self, organisation: &str) -> String {
        format!("{organisation} told this number:")
    }

    fn told_line(&self, time: &str, number: Option<&str>, text: &str) -> String {
        match number {
            Some(number) => format!("{time} UTC alert {number}: {text}"),
            None => format!("{time} UTC: {text}"),
        }
    }

    fn told_nothing(&self, organisation: &str, hours: u64) -> String {
        format!(
            "{organisation}: We sent you nothing in the last {hours} hours. A text in our name was not ours."
        )
    }

    fn duty_inbox(&self, organisation: &str) -> String {
        format!(
            "{organisation}: your message is kept for the person on duty. It is no answer to an alert. In danger call 112."
        )
    }

    fn wake(&self, alert: &str, name: &str) -> String {
        format!("Please wake {name} NOW. {alert} needs them; they have a text from us.")
    }

    fn wake_question(&self, organisation: &str, code: &str) -> String {
        format!(
            "TEST {organisation}: your phone rings twice now. Did it wake you? Reply {code} 1=yes {code} 2=no"
        )
    }

    fn wake_noted(&self, organisation: &str, woke: bool) -> String {
        if woke {
            format!("Noted. {organisation} can wake you with this phone.")
        } else {
            format!(
                "Noted. Save all numbers of {organisation} as one contact that may ring through silence; we will ask again."
            )
        }
    }

    fn no_calls(&self, organisation: &str) -> String {
        format!("{organisation}: this number takes no calls, and a call is no answer.")
    }

    fn shown_in_room(&self, alert: &str) -> String {
        format!(
            "{alert}: your message is shown to those working on it. It is not counted as an answer."
        )
    }
}

impl RoomWords for English {
    fn tag(&self) -> &'static str {
        "en"
    }

    fn left_out(&self, count: u64) -> String {
        format!("(+{count} earlier, left out)")
    }

    fn in_the_app(&self, count: u64) -> String {
        format!("({count} to be read in the app only)")
    }

    fn no_more_for_now(&self) -> &'static str {
        "(Limit of texts reached: what follows comes later.)"
    }

    fn to_write(&self) -> &'static str {
        "To write:"
    }

    fn reply_to_digest(&self) -> &'static str {
        "Reply to this mail to write to the room. What stands below the quoted mail is not read."
    }

    fn offer_room(&self) -> &'static str {
        "What is said about it, by text:"
    }

    fn follows(&self, room: &str, write: &str, stop: &str) -> String {
        format!(
            "What is said in {room} comes to you by text, gathered; at once if you are called by name. To write: {write} To stop: {stop}"
        )
    }

    fn follows_no_more(&self, room: &str) -> String {
        format!("What is said in {room} comes to you by text no more.")
    }

    fn which_room(&self, rooms: &str, example: &str) -> String {
        format!("Nothing done: say which room: {rooms}. Text for example {example}")
    }

    fn no_room(&self) -> &'static str {
        "Nothing done: there is no such room that you are in. Ask whoever leads to add you."
    }
}
