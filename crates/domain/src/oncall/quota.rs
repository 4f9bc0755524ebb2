//! How many answers are enough, as people write it: before it is known whom it means.

use serde::{Deserialize, Serialize};

use super::Called;

/// Quotas of one step, at most, once they are resolved.
pub const QUOTAS_MAX: usize = 16;

/// Names in one quota.
const NAMES_MAX: usize = 100;

/// The longest name of a quota, of a skill or of a site, in characters.
const WHAT_LEN_MAX: usize = 60;

/// So many answers "coming" among some people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WantedQuota {
    /// What people call it; empty: by whom it is of.
    pub what: String,
    /// [`u32::MAX`] means all of them.
    pub count: u32,
    pub of: Of,
}

/// Whose answers count, by name or by what the directory knows of people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Of {
    /// Everyone called so far.
    Anyone,
    /// The people of the step.
    Step,
    Called(Vec<Called>),
    /// Those called who have this skill.
    Skill(String),
    /// Those called who belong to this site.
    Site(String),
    /// As many at each site that people called belong to.
    EachSite,
}

/// Says what is wrong with a quota as written.
pub fn check_quota(quota: &WantedQuota) -> Result<(), String> {
    check_what(&quota.what)?;
    if quota.count == 0 {
        return Err("a condition wants at least one answer".to_owned());
    }
    match &quota.of {
        Of::Anyone if quota.count == u32::MAX => {
            Err("a condition wants all of somebody; name them".to_owned())
        }
        Of::Called(names) if names.is_empty() || names.len() > NAMES_MAX => Err(format!(
            "a condition names 1 to {NAMES_MAX} people, groups or schedules"
        )),
        Of::Skill(label) | Of::Site(label) if label.trim().is_empty() => {
            Err("a condition names a skill or a site that is not empty".to_owned())
        }
        Of::Skill(label) | Of::Site(label) => check_what(label),
        Of::Anyone | Of::Step | Of::Called(_) | Of::EachSite => Ok(()),
    }
}

/// Says what is wrong with the name of a quota.
pub(crate) fn check_what(what: &str) -> Result<(), String> {
    if what.chars().count() > WHAT_LEN_MAX || what.chars().any(char::is_control) {
        return Err(format!(
            "the name of a condition has at most {WHAT_LEN_MAX} characters and no line breaks"
        ));
    }
    Ok(())
}
