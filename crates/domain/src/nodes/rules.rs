//! Decisions about clocks, disks and power without SQL.

use super::{CivilRow, MachineRow, SetCivilOffset};

/// Wall clocks this close agree (DESIGN A10), milliseconds.
pub const CLOCK_AGREEMENT_MS: u64 = 2_000;

/// A larger correction of civil time is a jump and needs a reason or a person, milliseconds.
pub const JUMP_MAX_MS: u64 = 300_000;

/// A smaller difference is not worth an entry in the log, milliseconds.
const CORRECTION_MIN_MS: u64 = 1_000;

/// How much room a node's disk has (DESIGN §4.6).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Disk {
    /// Nobody looks.
    #[default]
    Unknown,
    /// Everything is taken.
    Ample,
    /// New alerts are refused unless critical.
    CriticalOnly,
    /// New alerts are refused; what becomes of the open ones is still written.
    ResultsOnly,
}

impl Disk {
    const ALL: [Self; 4] = [
        Self::Unknown,
        Self::Ample,
        Self::CriticalOnly,
        Self::ResultsOnly,
    ];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Ample => "ample",
            Self::CriticalOnly => "critical_only",
            Self::ResultsOnly => "results_only",
        }
    }

    /// The state of a row; a newer version's word says nothing here.
    pub fn parse(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|disk| disk.name() == name);
        known.unwrap_or_default()
    }
}

/// What a node runs on.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Power {
    /// Nobody looks.
    #[default]
    Unknown,
    Mains,
    /// On its battery, with time left.
    Battery,
    /// On its battery and soon to end: its work goes to others.
    Draining,
}

impl Power {
    const ALL: [Self; 4] = [Self::Unknown, Self::Mains, Self::Battery, Self::Draining];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Mains => "mains",
            Self::Battery => "battery",
            Self::Draining => "draining",
        }
    }

    /// The state of a row; a newer version's word says nothing here.
    pub fn parse(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|power| power.name() == name);
        known.unwrap_or_default()
    }
}

/// How far the members' wall clocks say the same.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Agreement {
    /// Civil time minus cluster time by those that agree, milliseconds; `None` when they are no majority.
    pub offset_ms: Option<i64>,
    /// The largest group of wall clocks within [`CLOCK_AGREEMENT_MS`].
    pub agreeing: u16,
    pub members: u16,
    /// Between the earliest and the latest of all, milliseconds.
    pub spread_ms: u64,
}

/// Compares wall clocks, given as offsets to cluster time, of a cluster of `members`.
pub fn agreement(offsets: impl IntoIterator<Item = i64>, members: usize) -> Agreement {
    let mut offsets: Vec<i64> = offsets.into_iter().collect();
    offsets.sort_unstable();
    let group_from = |start: usize| {
        let group = offsets[start..].iter();
        group
            .take_while(|offset| offset.abs_diff(offsets[start]) <= CLOCK_AGREEMENT_MS)
            .count()
    };
    // Of groups of the same size the first will do: two of them are no majority.
    let largest = (0..offsets.len())
        .map(|start| (group_from(start), start))
        .max_by_key(|(size, start)| (*size, std::cmp::Reverse(*start)));
    let (agreeing, start) = largest.unwrap_or((0, 0));
    let middle = offsets.get(start + agreeing.saturating_sub(1) / 2);
    Agreement {
        offset_ms: middle.copied().filter(|_| agreeing * 2 > members),
        agreeing: u16::try_from(agreeing).unwrap_or(u16::MAX),
        members: u16::try_from(members).unwrap_or(u16::MAX),
        spread_ms: match (offsets.first(), offsets.last()) {
            (Some(first), Some(last)) => last.abs_diff(*first),
            _ => 0,
        },
    }
}

/// What is to be done about civil time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CivilStep {
    /// It stands, or too few clocks agree to say otherwise.
    Keep,
    /// A majority agrees on this.
    Set(SetCivilOffset),
    /// A majority agrees on something so different that a person must say which is right. The offset it wants, in
    /// milliseconds.
    Ask(i64),
}

/// Decides from what the members heard now say of their clocks. `members` counts all of the cluster's.
///
/// Small differences are followed. A large one is followed when it is no jump of wall clocks: either cluster time itself
/// moved under a majority, or every member heard was started anew and cluster time stood still meanwhile.
pub fn next_civil(
    current: Option<&CivilRow>,
    machines: &[MachineRow],
    members: usize,
) -> CivilStep {
    let agreed = agreement(machines.iter().map(|m| m.civil_offset_ms), members);
    let Some(offset_ms) = agreed.offset_ms else {
        return CivilStep::Keep;
    };
    let held_ms = current.map_or(0, |row| row.offset_ms);
    let difference = offset_ms.abs_diff(held_ms);
    let unsettled = machines
        .iter()
        .any(|m| m.resumed_at.is_some() || m.moved_ms != 0);
    if current.is_some() && difference < CORRECTION_MIN_MS && !unsettled {
        return CivilStep::Keep;
    }
    let cold = machines.iter().all(|m| m.resumed_at.is_some()) && offset_ms > held_ms;
    let steady = machines.iter().filter(|m| {
        let before_ms = m.civil_offset_ms.saturating_add(m.moved_ms);
        m.resumed_at.is_none() && before_ms.abs_diff(held_ms) <= JUMP_MAX_MS
    });
    let moved = steady.count() * 2 > members;
    if difference > JUMP_MAX_MS && !cold && !moved {
        return CivilStep::Ask(offset_ms);
    }
    let resumed_at = machines.iter().filter_map(|m| m.resumed_at).min();
    CivilStep::Set(SetCivilOffset {
        offset_ms,
        since: resumed_at.filter(|_| cold && difference > JUMP_MAX_MS),
        agreeing: agreed.agreeing,
        members: agreed.members,
        spread_ms: agreed.spread_ms,
        explained: difference > JUMP_MAX_MS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;
    use crate::time::Timestamp;

    const HOUR: i64 = 3_600_000;

    fn machine(offset_ms: i64) -> MachineRow {
        MachineRow {
            node: NodeId(1),
            civil_offset_ms: offset_ms,
            moved_ms: 0,
            resumed_at: None,
            clock_source: String::new(),
            synchronised: None,
            clock_since: Timestamp(0),
            disk: Disk::Unknown,
            disk_free_mb: 0,
            power: Power::Unknown,
            runtime_s: None,
            power_since: Timestamp(0),
            place: crate::nodes::Place::default(),
            reported_at: Timestamp(0),
        }
    }

    fn resumed(offset_ms: i64) -> MachineRow {
        MachineRow {
            resumed_at: Some(Timestamp(77)),
            ..machine(offset_ms)
        }
    }

    fn held(offset_ms: i64) -> CivilRow {
        CivilRow {
            since: Timestamp(0),
            offset_ms,
            set_at: Timestamp(0),
            set_by: "loop".to_owned(),
            agreeing: 3,
            members: 3,
            spread_ms: 0,
        }
    }

    fn step(current: i64, machines: &[MachineRow], members: usize) -> String {
        match next_civil(Some(&held(current)), machines, members) {
            CivilStep::Keep => "keep".to_owned(),
            CivilStep::Ask(offset) => format!("ask {offset}"),
            CivilStep::Set(set) => match set.since {
                Some(since) => format!("set {} since {}", set.offset_ms, since.0),
                None => format!("set {}", set.offset_ms),
            },
        }
    }

    #[test]
    fn a_majority_within_two_seconds_agrees_and_one_wrong_clock_does_not_count() {
        let agreed = |offsets: &[i64], members| {
            let a = agreement(offsets.iter().copied(), members);
            (a.offset_ms, a.agreeing, a.spread_ms)
        };
        assert_eq!(agreed(&[10, 20, 30], 3), (Some(20), 3, 20));
        assert_eq!(agreed(&[10, 20, HOUR], 3), (Some(10), 2, 3_599_990));
        assert_eq!(agreed(&[-HOUR, 10, 20], 3), (Some(10), 2, 3_600_020));
        assert_eq!(agreed(&[0, 2_000, 9_000, HOUR, -HOUR], 5).0, None);
        assert_eq!(agreed(&[0, 2_000, 1_000, HOUR, -HOUR], 5).0, Some(1_000));
        // Heard from too few: two of five agree, but three are silent.
        assert_eq!(agreed(&[0, 1], 5), (None, 2, 1));
        assert_eq!(agreed(&[0, 3_000], 2).0, None);
        assert_eq!(agreed(&[5], 1).0, Some(5));
        assert_eq!(agreed(&[], 3), (None, 0, 0));
    }

    #[test]
    fn drift_is_followed_and_a_jump_needs_a_person() {
        assert_eq!(
            step(0, &[machine(900), machine(900), machine(900)], 3),
            "keep"
        );
        assert_eq!(
            step(0, &[machine(1_500), machine(1_600), machine(0)], 3),
            "set 1500"
        );
        let jumped = [machine(HOUR), machine(HOUR), machine(HOUR)];
        assert_eq!(step(0, &jumped, 3), format!("ask {HOUR}"));
        // One wrong clock of three or of five changes nothing.
        assert_eq!(step(0, &[machine(0), machine(0), machine(HOUR)], 3), "keep");
        let five = [0, 0, HOUR, 0, 0].map(machine);
        assert_eq!(step(0, &five, 5), "keep");
    }

    #[test]
    fn after_a_cold_start_the_clocks_are_believed_forward_only() {
        let cold = [resumed(HOUR), resumed(HOUR)];
        assert_eq!(step(0, &cold, 3), format!("set {HOUR} since 77"));
        assert_eq!(step(2 * HOUR, &cold, 3), format!("ask {HOUR}"));
        // A member that ran through carried the time on, so this is a jump.
        let warm = [resumed(HOUR), resumed(HOUR), machine(HOUR)];
        assert_eq!(step(0, &warm, 3), format!("ask {HOUR}"));
        // A restart of one machine needs a word, but nothing moves.
        assert_eq!(step(0, &[resumed(10), machine(0), machine(0)], 3), "set 0");
    }

    #[test]
    fn when_cluster_time_itself_moved_civil_time_stands_still() {
        let moved = |offset_ms, moved_ms| MachineRow {
            moved_ms,
            ..machine(offset_ms)
        };
        let two = [moved(0, HOUR), moved(5, HOUR)];
        assert_eq!(step(HOUR, &two, 3), "set 0");
        // One that says so does not speak for three.
        let one = [moved(0, HOUR), machine(0), machine(0)];
        assert_eq!(step(HOUR, &one, 3), "ask 0");
    }

    #[test]
    fn words_of_disk_and_power_read_back() {
        for disk in Disk::ALL {
            assert_eq!(Disk::parse(disk.name()), disk);
        }
        for power in Power::ALL {
            assert_eq!(Power::parse(power.name()), power);
        }
        assert_eq!(Disk::parse("of a newer version"), Disk::Unknown);
    }
}
