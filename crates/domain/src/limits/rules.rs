//! Decisions about limits without SQL.

use super::{Budget, SecondPerson};
use crate::oncall::Called;

/// Names of those who are asked.
const ASKED_MAX: usize = 20;

/// What an alert weighs: what its first round takes if nobody answers before all steps are called.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Weight {
    pub people: u64,
    pub sms_parts: u64,
    /// What those parts cost, in millionths of a currency; absent without a price.
    pub micros: Option<u64>,
}

/// Whether a budget lets more leave than the one before, or keeps less of it for what is critical.
pub(super) fn is_looser(before: &Budget, now: &Budget) -> bool {
    let more = |before: Option<u64>, now: Option<u64>| match (before, now) {
        (Some(before), Some(now)) => now > before,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let amounts = [(before.day, now.day), (before.month, now.month)];
    now.reserve_percent < before.reserve_percent
        || amounts
            .iter()
            .any(|(before, now)| more(before.parts, now.parts) || more(before.micros, now.micros))
}

/// Says what is wrong with a setting, in words for the one who wrote it.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_second_person(setting: &SecondPerson) -> Result<(), String> {
    let none = setting.people_over.is_none()
        && setting.parts_over.is_none()
        && setting.micros_over.is_none();
    if none {
        return Err(
            "no threshold is named; say above how many people, SMS parts or what cost a second person must agree"
                .to_owned(),
        );
    }
    if setting.ask.is_empty() || setting.ask.len() > ASKED_MAX {
        return Err(format!(
            "name 1 to {ASKED_MAX} people, groups or schedules who are asked to agree"
        ));
    }
    let long = |called: &Called| called.words().1.chars().count() > 64;
    if setting.ask.iter().any(long) {
        return Err("the key of a person, group or schedule has at most 64 characters".to_owned());
    }
    Ok(())
}

/// Why a second person must agree to something of this weight; empty: nobody must.
pub(crate) fn too_heavy(setting: &SecondPerson, weight: &Weight) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(most) = setting
        .people_over
        .filter(|most| weight.people > u64::from(*most))
    {
        why.push(format!(
            "it calls {} people, more than {most}",
            weight.people
        ));
    }
    if let Some(most) = setting
        .parts_over
        .filter(|most| weight.sms_parts > u64::from(*most))
    {
        why.push(format!(
            "it takes {} SMS parts, more than {most}",
            weight.sms_parts
        ));
    }
    if let (Some(most), Some(cost)) = (setting.micros_over, weight.micros)
        && cost > most
    {
        why.push(format!(
            "it costs {}, more than {}",
            amount(cost),
            amount(most)
        ));
    }
    why
}

/// Millionths as people write them, rounded up to hundredths: `12.35`.
fn amount(micros: u64) -> String {
    let hundredths = micros.div_ceil(10_000);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
