//! How an alert treats silence and answers, as a raise and a template write it.

use domain::alerts::{AlertKind, Conduct};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is asked again of those called, beside steps and rounds. Nothing said: nothing is.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = FollowUp)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FollowUpBody {
    /// Whoever is coming is asked again after half of this time, and counts no more after all of it unless they said so
    /// once more: 120 to 86,400 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_800)]
    confirm_within_s: Option<u64>,
    /// Seconds before and between reminders to somebody silent: 60 to 86,400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 300)]
    remind_every_s: Option<u64>,
    /// How many reminders somebody silent gets at most, up to 10; without: one, when `remind_every_s` is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    reminders: Option<u16>,
}

impl FollowUpBody {
    /// Puts what is said in place of what held.
    pub(crate) fn apply(self, conduct: &mut Conduct) {
        let milliseconds = |seconds: u64| seconds.saturating_mul(1_000);
        if let Some(seconds) = self.confirm_within_s {
            conduct.confirm_ms = milliseconds(seconds);
        }
        if let Some(seconds) = self.remind_every_s {
            conduct.remind_every_ms = milliseconds(seconds);
            conduct.reminders = conduct.reminders.max(1);
        }
        if let Some(reminders) = self.reminders {
            conduct.reminders = reminders;
        }
    }

    /// Nothing is asked again.
    pub(crate) fn is_empty(&self) -> bool {
        self.confirm_within_s.is_none() && self.remind_every_s.is_none() && self.reminders.is_none()
    }
}

impl From<&Conduct> for FollowUpBody {
    fn from(conduct: &Conduct) -> Self {
        let reminds = conduct.reminders > 0;
        Self {
            confirm_within_s: (conduct.confirm_ms > 0).then_some(conduct.confirm_ms / 1_000),
            remind_every_s: reminds.then_some(conduct.remind_every_ms / 1_000),
            reminders: reminds.then_some(conduct.reminders),
        }
    }
}

/// The words for [`AlertKind`].
pub(crate) const KINDS: [&str; 2] = [AlertKind::Alert.name(), AlertKind::SafetyCheck.name()];
