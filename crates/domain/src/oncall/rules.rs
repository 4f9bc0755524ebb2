//! What a schedule and what changes it must look like to be taken. Used by apply, and by whoever wants to say so earlier.

use std::collections::BTreeSet;

use super::{
    FixedShift, Layer, Override, Redirect, Rotation, Schedule, Swap, Target, Verdict, Window,
};
use crate::ids::RecipientId;
use crate::zones::WallTime;

const KEY_LEN_MAX: usize = 64;
const NAME_LEN_MAX: usize = 120;
const REASON_LEN_MAX: usize = 200;
const UID_LEN_MAX: usize = 255;
const LAYERS_MAX: usize = 16;
const TURNS_MAX: usize = 200;
const TURN_PEOPLE_MAX: usize = 20;
const WINDOWS_MAX: usize = 50;
const LENGTHS_MAX: usize = 100;
/// Fixed shifts of one schedule: twelve people's shifts of a year, one a day for half of them.
pub(super) const FIXED_MAX: usize = 2_000;
/// Overrides of one schedule that are not over yet.
pub(super) const OVERRIDES_MAX: usize = 500;
/// Swaps of one schedule that wait for an answer.
pub(super) const SWAPS_MAX: usize = 100;
pub(super) const SCHEDULES_MAX: u32 = 5_000;
/// Live calendar feeds.
pub(super) const FEEDS_MAX: u32 = 2_000;

const MINUTES_PER_DAY: u16 = 1_440;
const ROTATION_MIN_MAX: i64 = 366 * 1_440;

/// Where a swap stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SwapState {
    Proposed,
    Done,
    Declined,
}

impl SwapState {
    pub const ALL: [Self; 3] = [Self::Proposed, Self::Done, Self::Declined];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Done => "done",
            Self::Declined => "declined",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl Schedule {
    /// Whoever takes a turn or has a fixed shift, in no order; some twice.
    pub fn people(&self) -> Vec<RecipientId> {
        let turns = self.layers.iter().flat_map(|layer| layer.turns.iter());
        let fixed = self.fixed.iter().map(|shift| &shift.person);
        let keys = turns.flatten().chain(fixed);
        keys.map(|key| RecipientId::of_key(key)).collect()
    }
}

/// Says what is wrong with a schedule, in words for the one who wrote it. Whether its zone and people exist is not known
/// here.
pub fn check_schedule(schedule: &Schedule) -> Result<(), String> {
    check_key(&schedule.key)?;
    check_name("the name", &schedule.name)?;
    at_most("layers", schedule.layers.len(), LAYERS_MAX)?;
    for layer in &schedule.layers {
        check_layer(layer).map_err(|problem| format!("layer {:?}: {problem}", layer.name))?;
    }
    check_fixed(&schedule.fixed)
}

/// Says what is wrong with fixed shifts.
pub(super) fn check_fixed(shifts: &[FixedShift]) -> Result<(), String> {
    at_most("fixed shifts", shifts.len(), FIXED_MAX)?;
    let mut uids = BTreeSet::new();
    for shift in shifts {
        check_range(shift.from, shift.to)?;
        if shift.uid.chars().count() > UID_LEN_MAX {
            return Err(format!("a uid has at most {UID_LEN_MAX} characters"));
        }
        if !shift.uid.is_empty() && !uids.insert((&shift.uid, &shift.person)) {
            return Err(format!(
                "the uid {:?} stands twice for {}",
                shift.uid, shift.person
            ));
        }
    }
    Ok(())
}

/// Says what is wrong with an override.
pub fn check_override(order: &Override) -> Result<(), String> {
    check_range(order.from, order.to)?;
    check_people(&order.instead)?;
    check_reason(&order.reason)
}

pub(super) fn check_redirect(schedule: &str, redirect: &Redirect) -> Result<(), String> {
    if let Some(to) = redirect.to {
        check_range(redirect.from, to)?;
    } else {
        check_time(redirect.from)?;
    }
    if redirect.target == Target::Schedule(schedule.to_owned()) {
        return Err("a schedule cannot be redirected to itself".to_owned());
    }
    check_reason(&redirect.reason)
}

/// What a verdict makes of a swap, and who decided in words; or why it does not count.
pub(super) fn judge(swap: &Swap, verdict: &Verdict) -> Result<(SwapState, String), String> {
    let (asks, asked) = (&swap.give.person, &swap.take.person);
    match verdict {
        Verdict::Consent { person } if person == asked => Ok((SwapState::Done, person.clone())),
        Verdict::Consent { .. } => Err(format!("only {asked} can agree to this swap")),
        Verdict::Impose { reason } if reason.trim().is_empty() => {
            Err("deciding for both takes a reason".to_owned())
        }
        Verdict::Impose { reason } => {
            check_reason(reason)?;
            Ok((SwapState::Done, reason.clone()))
        }
        Verdict::Decline { person, reason } if person == asks || person == asked => {
            check_reason(reason)?;
            let by = match reason.as_str() {
                "" => person.clone(),
                reason => format!("{person}: {reason}"),
            };
            Ok((SwapState::Declined, by))
        }
        Verdict::Decline { .. } => Err(format!("only {asked} or {asks} can decline this swap")),
    }
}

pub(super) fn check_reason(reason: &str) -> Result<(), String> {
    if reason.chars().count() > REASON_LEN_MAX || reason.chars().any(char::is_control) {
        return Err(format!(
            "a reason has at most {REASON_LEN_MAX} characters and no line breaks"
        ));
    }
    Ok(())
}

fn check_layer(layer: &Layer) -> Result<(), String> {
    check_name("its name", &layer.name)?;
    check_rotation(&layer.rotation)?;
    check_time(layer.start)?;
    if let Some(until) = layer.until {
        check_range(layer.start, until)?;
    }
    if layer.turns.is_empty() {
        return Err("it has no turns; name who takes them, in order".to_owned());
    }
    at_most("turns", layer.turns.len(), TURNS_MAX)?;
    for turn in &layer.turns {
        check_people(turn)?;
    }
    at_most("windows", layer.windows.len(), WINDOWS_MAX)?;
    layer.windows.iter().try_for_each(check_window)
}

fn check_rotation(rotation: &Rotation) -> Result<(), String> {
    let lengths: Vec<i64> = match rotation {
        Rotation::Hourly(hours) => vec![i64::from(*hours) * 60],
        Rotation::Daily(days) => vec![i64::from(*days) * 1_440],
        Rotation::Weekly(weeks) => vec![i64::from(*weeks) * 7 * 1_440],
        Rotation::Custom(lengths) => lengths.iter().map(|length| i64::from(*length)).collect(),
    };
    if lengths.is_empty() || lengths.len() > LENGTHS_MAX {
        return Err(format!("a rotation has 1 to {LENGTHS_MAX} shift lengths"));
    }
    // Shorter ones could not be handed over by people, and would make a year of shifts endless.
    if lengths
        .iter()
        .any(|length| !(60..=ROTATION_MIN_MAX).contains(length))
    {
        return Err("a shift lasts from one hour to 366 days".to_owned());
    }
    Ok(())
}

fn check_window(window: &Window) -> Result<(), String> {
    if window.days.is_empty() || window.days.iter().any(|day| *day > 6) {
        return Err("a window names its days: mon, tue, wed, thu, fri, sat, sun".to_owned());
    }
    if window.from >= MINUTES_PER_DAY || window.to > MINUTES_PER_DAY {
        return Err("a window lasts from 00:00 to 24:00 at most".to_owned());
    }
    Ok(())
}

fn check_people(people: &[String]) -> Result<(), String> {
    if people.is_empty() {
        return Err("a turn without people is a gap; name somebody".to_owned());
    }
    at_most("people at once", people.len(), TURN_PEOPLE_MAX)
}

fn check_range(from: WallTime, to: WallTime) -> Result<(), String> {
    check_time(from)?;
    check_time(to)?;
    if from < to {
        return Ok(());
    }
    Err(format!("it ends at {to}, not after it begins at {from}"))
}

fn check_time(time: WallTime) -> Result<(), String> {
    if (WallTime::FIRST..WallTime::LAST).contains(&time) {
        return Ok(());
    }
    Err("a time lies in the years 1900 to 2199".to_owned())
}

fn check_key(key: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(plain) {
        return Ok(());
    }
    let shown: String = key.chars().take(KEY_LEN_MAX).collect();
    Err(format!(
        "{shown:?} is not a key; use 1 to {KEY_LEN_MAX} of a-z, A-Z, 0-9, dot, dash and underscore"
    ))
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err(format!("{what} is empty"));
    }
    if name.chars().count() > NAME_LEN_MAX || name.chars().any(char::is_control) {
        return Err(format!(
            "{what} has at most {NAME_LEN_MAX} characters and no line breaks"
        ));
    }
    Ok(())
}

fn at_most(what: &str, found: usize, max: usize) -> Result<(), String> {
    if found > max {
        return Err(format!("there are {found} {what}; at most {max} are taken"));
    }
    Ok(())
}
