//! The one engine: who is on call at a moment, who in a range of time, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::turns::{self, Turns};
use super::{Layer, OverrideRow, RedirectRow, Schedule, Target};
use crate::time::CivilTime;
use crate::zones::{WallTime, Zone};

/// Most changes of who is on call computed at once: a year of hourly handovers in two layers.
const CHANGES_MAX: usize = 40_000;

/// Everything that says who is on call in one schedule.
#[derive(Clone, Debug)]
pub struct Planned {
    pub schedule: Schedule,
    pub zone: Zone,
    /// In the order in which they were made; a later one acts on what the earlier ones left.
    pub overrides: Vec<OverrideRow>,
    pub redirect: Option<RedirectRow>,
}

/// Who is on call at a moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OnCall {
    /// In calling order, each person once. Empty: nobody is on call.
    pub duties: Vec<Duty>,
    /// Where the calls went, schedule by schedule.
    pub redirects: Vec<Hop>,
}

/// A person on call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Duty {
    pub person: String,
    /// What put the person there, first cause first. Empty when a redirect names the person.
    pub because: Vec<Because>,
}

/// What puts a person on call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Because {
    /// The person's turn in a layer: the layer's name, its place from the top, and the number of the shift.
    Turn {
        layer: String,
        place: usize,
        shift: i64,
    },
    /// A fixed shift, by its name in a calendar if it came from one.
    Fixed { uid: String },
    /// An override, for somebody or for everyone; `swap` when both agreed to exchange shifts.
    Override {
        number: u64,
        of: Option<String>,
        swap: Option<u64>,
        by: String,
        reason: String,
    },
}

/// In words for who asks why: `shift 3 of layer Week`.
impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn { layer, shift, .. } => write!(f, "shift {} of layer {layer}", shift + 1),
            Self::Fixed { .. } => f.write_str("a fixed shift"),
            Self::Override {
                number,
                of,
                swap,
                by,
                reason,
            } => {
                match (swap, of) {
                    (Some(swap), Some(of)) => write!(f, "swap {swap} with {of}")?,
                    (None, Some(of)) => write!(f, "override {number} instead of {of}")?,
                    (_, None) => write!(f, "override {number}")?,
                }
                write!(f, " by {by}")?;
                match reason.as_str() {
                    "" => Ok(()),
                    reason => write!(f, ": {reason}"),
                }
            }
        }
    }
}

impl Duty {
    /// Every cause in words.
    pub fn why(&self) -> String {
        let causes: Vec<String> = self.because.iter().map(Because::to_string).collect();
        causes.join("; ")
    }
}

/// A redirect that was followed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hop {
    /// The schedule whose calls went elsewhere.
    pub schedule: String,
    pub to: Target,
    pub by: String,
    pub reason: String,
}

/// A range of time in which the same people are on call for the same reasons.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    pub from: CivilTime,
    pub to: CivilTime,
    pub on_call: OnCall,
}

/// One person's uninterrupted time on call for one reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shift {
    pub from: CivilTime,
    pub to: CivilTime,
    pub duty: Duty,
    pub redirects: Vec<Hop>,
}

/// More shifts than are computed at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many shifts in that time; ask for a shorter one")]
pub struct TooMuch;

/// Schedules with the rules of their zones, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    schedules: BTreeMap<String, Prepared>,
}

/// A schedule whose written times are turned into moments once.
#[derive(Clone, Debug)]
struct Prepared {
    planned: Planned,
    layers: Vec<Option<Turns>>,
    fixed: Vec<Span>,
    overrides: Vec<Span>,
    redirect: Option<Span>,
}

/// From the first moment to before the second.
type Span = (CivilTime, CivilTime);

/// Never, as far as schedules go.
const NEVER: CivilTime = CivilTime(i64::MAX);

impl Plan {
    /// Takes schedules by key.
    pub fn new(planned: impl IntoIterator<Item = Planned>) -> Self {
        let schedules = planned.into_iter().map(|planned| {
            let key = planned.schedule.key.clone();
            (key, Prepared::new(planned))
        });
        Self {
            schedules: schedules.collect(),
        }
    }

    /// The schedules it knows, by key.
    pub fn schedules(&self) -> impl Iterator<Item = &Schedule> {
        self.schedules.values().map(|found| &found.planned.schedule)
    }

    /// A schedule as it was written, but for fixed shifts outside of the time the plan was read for.
    pub fn schedule(&self, key: &str) -> Option<&Schedule> {
        self.schedules.get(key).map(|found| &found.planned.schedule)
    }

    /// The zone of a schedule.
    pub fn zone(&self, key: &str) -> Option<&Zone> {
        self.schedules.get(key).map(|found| &found.planned.zone)
    }

    /// Whether anything in a schedule could put this person on call.
    pub fn mentions(&self, key: &str, person: &str) -> bool {
        self.schedules
            .get(key)
            .is_some_and(|found| found.people().any(|named| named == person))
    }

    /// Everybody whom a schedule names.
    pub fn people(&self, key: &str) -> BTreeSet<&str> {
        let found = self.schedules.get(key);
        found.into_iter().flat_map(Prepared::people).collect()
    }

    /// Who is on call at a moment, redirects followed; each schedule is passed once, so that a circle of redirects ends
    /// with the people of the last. `None`: there is no such schedule.
    pub fn who_at(&self, key: &str, at: CivilTime) -> Option<OnCall> {
        let mut found = self.schedules.get(key)?;
        let mut passed = BTreeSet::from([key]);
        let mut redirects = Vec::new();
        while let Some(row) = found.redirect_at(at) {
            let hop = Hop {
                schedule: found.planned.schedule.key.clone(),
                to: row.redirect.target.clone(),
                by: row.made_by.clone(),
                reason: row.redirect.reason.clone(),
            };
            match &row.redirect.target {
                Target::Person(_) | Target::Group(_) => {
                    redirects.push(hop);
                    let people = row.people.iter().map(|person| Duty {
                        person: person.clone(),
                        because: Vec::new(),
                    });
                    let duties = people.collect();
                    return Some(OnCall { duties, redirects });
                }
                Target::Schedule(next) => match self.schedules.get(next) {
                    Some(there) if passed.insert(next) => {
                        redirects.push(hop);
                        found = there;
                    }
                    Some(_) | None => break,
                },
            }
        }
        Some(OnCall {
            duties: found.own(at),
            redirects,
        })
    }

    /// Who is on call from one moment to before another, without holes: a segment may have nobody. Times outside of the
    /// years that are computed with are left out.
    pub fn segments(
        &self,
        key: &str,
        from: CivilTime,
        to: CivilTime,
    ) -> Result<Vec<Segment>, TooMuch> {
        let mut segments: Vec<Segment> = Vec::new();
        for (from, to) in self.pieces(key, from, to)? {
            let Some(on_call) = self.who_at(key, from) else {
                break;
            };
            match segments.last_mut() {
                Some(last) if last.on_call == on_call => last.to = to,
                Some(_) | None => segments.push(Segment { from, to, on_call }),
            }
        }
        Ok(segments)
    }

    /// Everyone's shifts in a range, cut at its ends, in order of their begin.
    pub fn shifts(&self, key: &str, from: CivilTime, to: CivilTime) -> Result<Vec<Shift>, TooMuch> {
        let mut shifts: Vec<Shift> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for segment in self.segments(key, from, to)? {
            let mut still = Vec::new();
            for duty in segment.on_call.duties {
                let going_on = open.iter().copied().find(|place| {
                    let shift = &shifts[*place];
                    shift.duty == duty && shift.redirects == segment.on_call.redirects
                });
                match going_on {
                    Some(place) => {
                        shifts[place].to = segment.to;
                        still.push(place);
                    }
                    None => {
                        still.push(shifts.len());
                        shifts.push(Shift {
                            from: segment.from,
                            to: segment.to,
                            duty,
                            redirects: segment.on_call.redirects.clone(),
                        });
                    }
                }
            }
            open = still;
        }
        Ok(shifts)
    }

    /// Whether a person is on call in a schedule's own right, redirects aside, through all of a range.
    pub fn covers(
        &self,
        key: &str,
        person: &str,
        from: CivilTime,
        to: CivilTime,
    ) -> Result<bool, TooMuch> {
        let Some(found) = self.schedules.get(key) else {
            return Ok(false);
        };
        let pieces = self.pieces(key, from, to)?;
        Ok(!pieces.is_empty()
            && pieces
                .iter()
                .all(|(from, _)| found.own(*from).iter().any(|duty| duty.person == person)))
    }

    /// A range cut wherever somebody may come or go, here or where calls may be redirected to.
    fn pieces(&self, key: &str, from: CivilTime, to: CivilTime) -> Result<Vec<Span>, TooMuch> {
        let mut reached = BTreeSet::new();
        let mut ahead = vec![key];
        let mut changes = vec![from, to];
        while let Some(found) = ahead.pop().and_then(|key| self.schedules.get(key)) {
            if !reached.insert(&found.planned.schedule.key) {
                continue;
            }
            let zone = &found.planned.zone;
            let to = to.min(zone.begin(WallTime::LAST));
            found.changes((from, to), &mut changes)?;
            if let Some(row) = &found.planned.redirect
                && let Target::Schedule(next) = &row.redirect.target
            {
                ahead.push(next);
            }
        }
        changes.retain(|at| (from..=to).contains(at));
        changes.sort_unstable();
        changes.dedup();
        Ok(changes.windows(2).map(|pair| (pair[0], pair[1])).collect())
    }
}

impl Prepared {
    fn new(planned: Planned) -> Self {
        let zone = &planned.zone;
        let span = |from: WallTime, to: WallTime| (zone.begin(from), zone.end(to));
        let schedule = &planned.schedule;
        let redirect = planned.redirect.as_ref().map(|row| {
            let to = row.redirect.to.map_or(NEVER, |to| zone.end(to));
            (zone.begin(row.redirect.from), to)
        });
        Self {
            layers: schedule.layers.iter().map(Turns::new).collect(),
            fixed: schedule.fixed.iter().map(|s| span(s.from, s.to)).collect(),
            overrides: planned
                .overrides
                .iter()
                .map(|row| span(row.order.from, row.order.to))
                .collect(),
            redirect,
            planned,
        }
    }

    fn redirect_at(&self, at: CivilTime) -> Option<&RedirectRow> {
        let span = self.redirect?;
        self.planned.redirect.as_ref().filter(|_| within(span, at))
    }

    /// Who is on call by this schedule alone.
    fn own(&self, at: CivilTime) -> Vec<Duty> {
        let mut duties = self.fixed_at(at);
        let mut layers = self.planned.schedule.layers.iter().zip(&self.layers);
        let mut place = 0;
        while duties.is_empty()
            && let Some((layer, turns)) = layers.next()
        {
            duties = self.layer_at(place, layer, turns.as_ref(), at);
            place += 1;
        }
        self.overridden(duties, at)
    }

    fn fixed_at(&self, at: CivilTime) -> Vec<Duty> {
        let mut duties = Vec::new();
        for (shift, span) in self.planned.schedule.fixed.iter().zip(&self.fixed) {
            if within(*span, at) {
                let uid = shift.uid.clone();
                add(&mut duties, &shift.person, vec![Because::Fixed { uid }]);
            }
        }
        duties
    }

    fn layer_at(
        &self,
        place: usize,
        layer: &Layer,
        turns: Option<&Turns>,
        at: CivilTime,
    ) -> Vec<Duty> {
        let zone = &self.planned.zone;
        let mut duties = Vec::new();
        let Some(turns) = turns.filter(|_| turns::in_force(&layer.windows, zone, at)) else {
            return duties;
        };
        for shift in turns.at(zone, at) {
            for person in turns::people(layer, shift) {
                let turn = Because::Turn {
                    layer: layer.name.clone(),
                    place,
                    shift,
                };
                add(&mut duties, person, vec![turn]);
            }
        }
        duties
    }

    /// What overrides make of it, one after the other; the two of a swap together.
    fn overridden(&self, mut duties: Vec<Duty>, at: CivilTime) -> Vec<Duty> {
        let rows = self.planned.overrides.iter().zip(&self.overrides);
        let active: Vec<&OverrideRow> = rows
            .filter(|(_, span)| within(**span, at))
            .map(|(row, _)| row)
            .collect();
        for together in active.chunk_by(|one, other| one.swap.is_some() && one.swap == other.swap) {
            if let Some(row) = together.iter().find(|row| row.order.of.is_none()) {
                duties = Vec::new();
                for person in &row.order.instead {
                    add(&mut duties, person, vec![because(row)]);
                }
                continue;
            }
            let mut left = Vec::with_capacity(duties.len());
            for duty in duties {
                let of = Some(&duty.person);
                let Some(row) = together.iter().find(|row| row.order.of.as_ref() == of) else {
                    add(&mut left, &duty.person, duty.because);
                    continue;
                };
                for person in &row.order.instead {
                    let mut chain = duty.because.clone();
                    chain.push(because(row));
                    add(&mut left, person, chain);
                }
            }
            duties = left;
        }
        duties
    }

    fn changes(&self, range: Span, found: &mut Vec<CivilTime>) -> Result<(), TooMuch> {
        let zone = &self.planned.zone;
        let spans = self
            .fixed
            .iter()
            .chain(&self.overrides)
            .chain(&self.redirect);
        found.extend(spans.flat_map(|(from, to)| [*from, *to]));
        for (layer, turns) in self.planned.schedule.layers.iter().zip(&self.layers) {
            if let Some(turns) = turns {
                turns.changes(zone, range, CHANGES_MAX, found);
            }
            turns::window_changes(&layer.windows, zone, range, CHANGES_MAX, found);
        }
        if found.len() > CHANGES_MAX {
            return Err(TooMuch);
        }
        Ok(())
    }

    fn people(&self) -> impl Iterator<Item = &str> {
        let schedule = &self.planned.schedule;
        let turns = schedule.layers.iter().flat_map(|layer| &layer.turns);
        let fixed = schedule.fixed.iter().map(|shift| &shift.person);
        let overrides = self.planned.overrides.iter();
        let instead = overrides.flat_map(|row| &row.order.instead);
        let redirected = self.planned.redirect.iter().flat_map(|row| &row.people);
        turns
            .flatten()
            .chain(fixed)
            .chain(instead)
            .chain(redirected)
            .map(String::as_str)
    }
}

fn because(row: &OverrideRow) -> Because {
    Because::Override {
        number: row.number,
        of: row.order.of.clone(),
        swap: row.swap,
        by: row.made_by.clone(),
        reason: row.order.reason.clone(),
    }
}

/// Adds a person, or one more cause to a person who is there.
fn add(duties: &mut Vec<Duty>, person: &str, because: Vec<Because>) {
    match duties.iter_mut().find(|duty| duty.person == person) {
        Some(duty) => duty.because.extend(because),
        None => duties.push(Duty {
            person: person.to_owned(),
            because,
        }),
    }
}

fn within((from, to): Span, at: CivilTime) -> bool {
    from <= at && at < to
}
