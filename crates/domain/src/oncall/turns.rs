//! Whose turn it is in one layer: calendar arithmetic on the wall, then moments by the zone's rules.

use super::{Layer, Rotation, Window};
use crate::time::CivilTime;
use crate::zones::{WallTime, Zone};

const MINUTES_PER_DAY: i64 = 1_440;

/// Who is on call in a shift of a layer.
pub(super) fn people(layer: &Layer, shift: i64) -> &[String] {
    let turns = i64::try_from(layer.turns.len()).unwrap_or(i64::MAX).max(1);
    let turn = usize::try_from(shift.rem_euclid(turns)).unwrap_or(0);
    layer.turns.get(turn).map_or(&[], Vec::as_slice)
}

/// The shifts of a layer, numbered from 0 for the one that begins at its start.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    start: i64,
    /// Where each shift of one cycle ends, counted from the cycle's start; never empty, growing, the last above zero.
    ends: Vec<i64>,
    until: Option<WallTime>,
}

impl Turns {
    /// `None` when the layer's shifts have no length.
    pub(super) fn new(layer: &Layer) -> Option<Self> {
        let mut end = 0;
        let ends: Vec<i64> = lengths_min(&layer.rotation)
            .into_iter()
            .map(|length| {
                end += length;
                end
            })
            .collect();
        (end > 0).then_some(Self {
            start: layer.start.0,
            ends,
            until: layer.until,
        })
    }

    /// The shift whose wall times contain one; negative before the start.
    fn shift_at(&self, wall: WallTime) -> i64 {
        let cycle_len = self.ends.last().copied().unwrap_or(1);
        let since = wall.0 - self.start;
        let (cycle, within) = (since.div_euclid(cycle_len), since.rem_euclid(cycle_len));
        let place = self.ends.partition_point(|end| *end <= within);
        cycle * self.per_cycle() + i64::try_from(place).unwrap_or(0)
    }

    /// When a shift begins on the wall, and the one before it ends.
    fn boundary(&self, shift: i64) -> WallTime {
        let cycle_len = self.ends.last().copied().unwrap_or(1);
        let (cycle, place) = (
            shift.div_euclid(self.per_cycle()),
            shift.rem_euclid(self.per_cycle()),
        );
        let before = usize::try_from(place - 1)
            .ok()
            .and_then(|place| self.ends.get(place));
        WallTime(self.start + cycle * cycle_len + before.copied().unwrap_or(0))
    }

    fn per_cycle(&self) -> i64 {
        i64::try_from(self.ends.len()).unwrap_or(1).max(1)
    }

    /// When a shift begins: where the wall shows the handover twice, at the first.
    fn begin(&self, zone: &Zone, shift: i64) -> CivilTime {
        zone.begin(self.boundary(shift))
    }

    /// When a shift ends: where the wall shows the handover twice, at the second.
    fn end(&self, zone: &Zone, shift: i64) -> CivilTime {
        let end = self.boundary(shift + 1);
        zone.end(self.until.map_or(end, |until| end.min(until)))
    }

    /// The shifts that cover a moment: one, or both sides of a handover that overlaps.
    ///
    /// Begins and ends grow with the shift's number, so the shifts in question lie side by side around the one whose wall
    /// times contain what the wall shows.
    pub(super) fn at(&self, zone: &Zone, at: CivilTime) -> Vec<i64> {
        let wall = zone.wall(at);
        if wall >= WallTime::LAST {
            return Vec::new();
        }
        let middle = self.shift_at(wall).max(-1);
        let mut first = middle;
        while first > 0 && self.end(zone, first - 1) > at {
            first -= 1;
        }
        let mut last = middle;
        while self.begin(zone, last + 1) <= at {
            last += 1;
        }
        (first.max(0)..=last)
            .filter(|shift| self.begin(zone, *shift) <= at && at < self.end(zone, *shift))
            .collect()
    }

    /// Adds every moment from `from` on, before `to`, at which a shift begins or ends; at most `max` of them.
    pub(super) fn changes(
        &self,
        zone: &Zone,
        (from, to): (CivilTime, CivilTime),
        max: usize,
        found: &mut Vec<CivilTime>,
    ) {
        let mut shift = self.shift_at(zone.wall(from)).max(0);
        while shift > 0 && self.end(zone, shift - 1) >= from {
            shift -= 1;
        }
        let over = self.until.map(|until| zone.end(until));
        while found.len() <= max {
            let begin = self.begin(zone, shift);
            if begin >= to || over.is_some_and(|over| begin >= over) {
                return;
            }
            found.extend([begin, self.end(zone, shift)]);
            shift += 1;
        }
    }
}

/// Whether a layer's windows leave it in force at a moment. No windows: always.
pub(super) fn in_force(windows: &[Window], zone: &Zone, at: CivilTime) -> bool {
    let today = zone.wall(at).day();
    // A window that began yesterday may still last; one that comes twice may have begun tomorrow already.
    windows.is_empty()
        || windows.iter().any(|window| {
            (today - 2..=today + 1).any(|day| {
                occurrence(window, day)
                    .is_some_and(|(from, to)| zone.begin(from) <= at && at < zone.end(to))
            })
        })
}

/// Adds every moment in a range at which a window begins or ends; at most `max` of them.
pub(super) fn window_changes(
    windows: &[Window],
    zone: &Zone,
    (from, to): (CivilTime, CivilTime),
    max: usize,
    found: &mut Vec<CivilTime>,
) {
    let days = zone.wall(from).day() - 2..=zone.wall(to).day() + 1;
    for day in days {
        for (from, to) in windows.iter().filter_map(|window| occurrence(window, day)) {
            found.extend([zone.begin(from), zone.end(to)]);
        }
        if found.len() > max {
            return;
        }
    }
}

/// A window's wall times on a day, if it begins on that day.
fn occurrence(window: &Window, day: i64) -> Option<(WallTime, WallTime)> {
    if !window.days.contains(&WallTime::weekday_of(day)) {
        return None;
    }
    let midnight = day * MINUTES_PER_DAY;
    let over_night = if window.to <= window.from {
        MINUTES_PER_DAY
    } else {
        0
    };
    Some((
        WallTime(midnight + i64::from(window.from)),
        WallTime(midnight + over_night + i64::from(window.to)),
    ))
}

/// The lengths of the shifts of one cycle.
fn lengths_min(rotation: &Rotation) -> Vec<i64> {
    match rotation {
        Rotation::Hourly(hours) => vec![i64::from(*hours) * 60],
        Rotation::Daily(days) => vec![i64::from(*days) * MINUTES_PER_DAY],
        Rotation::Weekly(weeks) => vec![i64::from(*weeks) * 7 * MINUTES_PER_DAY],
        Rotation::Custom(lengths) => lengths.iter().map(|length| i64::from(*length)).collect(),
    }
}
