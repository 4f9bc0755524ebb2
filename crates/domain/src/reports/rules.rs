//! Decisions about reports without SQL.

use super::{Decision, Report};
use crate::phone::{MailAddress, PhoneNumber};

/// The longest wait: 7 days.
pub const WAIT_MS_MAX: u64 = 7 * 24 * 3_600_000;
/// Reports that are over and kept.
pub(super) const KEPT: i64 = 5_000;
/// Most reports that nobody has brought to an end.
pub(super) const OPEN_MAX: i64 = 1_000;

const WHO_LEN_MAX: usize = 100;
const WHAT_LEN_MAX: usize = 2_000;
const REASON_LEN_MAX: usize = 500;

/// Where a report stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Duty was told, nobody has decided.
    New,
    /// Comes back.
    Waiting,
    /// It became an alert.
    Convened,
    /// It needed nothing.
    NoAction,
    Over,
}

impl State {
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::Waiting,
        Self::Convened,
        Self::NoAction,
        Self::Over,
    ];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Waiting => "waiting",
            Self::Convened => "convened",
            Self::NoAction => "no_action",
            Self::Over => "over",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a decision leads on from here.
    pub(super) fn takes(self, decision: &Decision) -> bool {
        match (self, decision) {
            (Self::New | Self::Waiting, Decision::Over) => false,
            (Self::New | Self::Waiting, _) | (Self::Convened, Decision::Over) => true,
            (Self::Convened | Self::NoAction | Self::Over, _) => false,
        }
    }
}

/// How a contact is reached: `sms`, `email` or not at all; or what is wrong with it.
pub(super) fn kind_of(contact: &str) -> Result<&'static str, String> {
    if contact.is_empty() {
        return Ok("");
    }
    if contact.contains('@') {
        return match MailAddress::parse(contact) {
            Ok(_) => Ok("email"),
            Err(error) => Err(error.to_string()),
        };
    }
    match PhoneNumber::parse(contact) {
        Ok(number) if number.as_str() == contact => Ok("sms"),
        Ok(number) => Err(format!("write {contact:?} as {number}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Says what is wrong with a report, in words for the one who wrote it.
pub fn check_report(report: &Report) -> Result<(), String> {
    let line = |what: &str, text: &str, max: usize| {
        let fits = text.chars().count() <= max;
        match text.trim().is_empty() || !fits {
            true => Err(format!("{what} has 1 to {max} characters")),
            false => Ok(()),
        }
    };
    line("who reports", &report.who, WHO_LEN_MAX)?;
    line("what is reported", &report.what, WHAT_LEN_MAX)?;
    line("how it came", &report.via, WHO_LEN_MAX)?;
    if report.language.len() > 8 {
        return Err(format!(
            "{:?} is not a language; write en, fi, sv, fr or ja",
            report.language
        ));
    }
    kind_of(&report.contact).map(|_| ())
}

/// Says what is wrong with a decision.
pub(super) fn check_decision(decision: &Decision, reason: &str) -> Result<(), String> {
    if reason.trim().is_empty() || reason.chars().count() > REASON_LEN_MAX {
        return Err(format!("the reason has 1 to {REASON_LEN_MAX} characters"));
    }
    match decision {
        Decision::Wait { for_ms } if !(60_000..=WAIT_MS_MAX).contains(for_ms) => {
            Err("a report waits for 1 minute to 7 days".to_owned())
        }
        Decision::Wait { .. } | Decision::Convene { .. } | Decision::NoAction | Decision::Over => {
            Ok(())
        }
    }
}
