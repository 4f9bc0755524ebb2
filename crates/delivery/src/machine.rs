//! What a node tells the cluster of the machine under it, and when. Decides without asking anybody.

use std::time::Duration;

use domain::nodes::{MachineReport, Place};
use domain::ports::{ClockSource, DiskRoom, PowerSupply};
use domain::{NodeId, Timestamp};

/// A wall clock that moved by more than this against cluster time is told at once, milliseconds.
const OFFSET_CHANGE_MS: u64 = 1_000;

/// Cluster time that moved by more than this against the boot clock was moved by others, milliseconds.
const MOVED_MIN_MS: u64 = 60_000;

/// A report that changes nothing else is made at least this often.
const REPORT_EVERY: Duration = Duration::from_secs(600);

/// Below this, free space is told whenever it changed by a tenth.
const NEAR_FULL_BYTES: u64 = 1 << 30;

/// Remaining minutes on battery are told when they change by this much.
const RUNTIME_CHANGE: Duration = Duration::from_secs(60);

/// The machine at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) cluster: Timestamp,
    pub(crate) wall: Timestamp,
    pub(crate) boot: Duration,
    /// Cluster time goes on from the last stamp.
    pub(crate) resumed: bool,
    pub(crate) clock: ClockSource,
    pub(crate) disk: DiskRoom,
    pub(crate) power: PowerSupply,
    pub(crate) place: Place,
}

/// Remembers what the cluster was told last.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    last: Option<Told>,
}

#[derive(Debug)]
struct Told {
    report: MachineReport,
    at: Duration,
    /// Cluster time minus the boot clock, milliseconds.
    basis_ms: i64,
    /// It has to be made again.
    stale: bool,
}

impl Teller {
    /// The report that should be made now, if any.
    pub(crate) fn due(&self, node: NodeId, seen: &Seen) -> Option<MachineReport> {
        let moved_ms = self.last.as_ref().map_or(0, |told| {
            let moved = basis_ms(seen) - told.basis_ms;
            if moved.unsigned_abs() > MOVED_MIN_MS {
                moved
            } else {
                0
            }
        });
        let report = MachineReport {
            node,
            civil_offset_ms: seen.wall.0.saturating_sub(seen.cluster.0),
            moved_ms,
            resumed: seen.resumed && self.last.is_none(),
            clock_source: seen.clock.source.clone(),
            synchronised: seen.clock.synchronised,
            disk: seen.disk.disk.name().to_owned(),
            disk_free_mb: seen.disk.free_bytes >> 20,
            power: seen.power.power.name().to_owned(),
            runtime_s: seen.power.runtime.map(|left| left.as_secs()),
            place: seen.place.clone(),
        };
        let Some(told) = &self.last else {
            return Some(report);
        };
        let overdue = seen.boot.saturating_sub(told.at) >= REPORT_EVERY;
        (overdue || told.stale || moved_ms != 0 || changed(&told.report, &report)).then_some(report)
    }

    /// Whoever is told next knows nothing of what was told before.
    pub(crate) fn forget(&mut self) {
        if let Some(told) = &mut self.last {
            told.stale = true;
        }
    }

    /// The cluster has this report.
    pub(crate) fn accepted(&mut self, report: MachineReport, seen: &Seen) {
        self.last = Some(Told {
            report,
            at: seen.boot,
            basis_ms: basis_ms(seen),
            stale: false,
        });
    }
}

fn basis_ms(seen: &Seen) -> i64 {
    let boot_ms = i64::try_from(seen.boot.as_millis()).unwrap_or(i64::MAX);
    seen.cluster.0.saturating_sub(boot_ms)
}

fn changed(told: &MachineReport, now: &MachineReport) -> bool {
    let offset = told.civil_offset_ms.abs_diff(now.civil_offset_ms) > OFFSET_CHANGE_MS;
    let clock = told.clock_source != now.clock_source || told.synchronised != now.synchronised;
    let near_full = now.disk_free_mb < NEAR_FULL_BYTES >> 20;
    let disk = told.disk != now.disk
        || (near_full && told.disk_free_mb.abs_diff(now.disk_free_mb) * 10 > told.disk_free_mb);
    let runtime = match (told.runtime_s, now.runtime_s) {
        (Some(told), Some(now)) => told.abs_diff(now) >= RUNTIME_CHANGE.as_secs(),
        (told, now) => told != now,
    };
    // On mains a battery's estimate wanders and matters to nobody.
    let power = told.power != now.power || (runtime && now.power != "mains");
    offset || clock || disk || power || told.place != now.place
}

#[cfg(test)]
mod tests {
    use domain::nodes::{Disk, Power};

    use super::*;

    fn seen(boot_s: u64) -> Seen {
        let boot = Duration::from_secs(boot_s);
        Seen {
            cluster: Timestamp(1_000_000) + boot,
            wall: Timestamp(1_000_500) + boot,
            boot,
            resumed: true,
            clock: ClockSource::default(),
            disk: DiskRoom {
                disk: Disk::Ample,
                free_bytes: 5 << 30,
            },
            power: PowerSupply {
                power: Power::Mains,
                runtime: Some(Duration::from_secs(3_000)),
            },
            place: Place::default(),
        }
    }

    fn told() -> Teller {
        let mut teller = Teller::default();
        let first = seen(100);
        let report = teller.due(NodeId(1), &first).unwrap();
        assert!(report.resumed, "the first report says how time began");
        teller.accepted(report, &first);
        teller
    }

    #[test]
    fn nothing_is_told_while_nothing_changes_but_for_a_word_now_and_then() {
        let teller = told();
        assert_eq!(teller.due(NodeId(1), &seen(101)), None);
        let later = teller.due(NodeId(1), &seen(700)).unwrap();
        assert!(!later.resumed);
    }

    #[test]
    fn who_has_not_heard_is_told_again_though_nothing_changed() {
        let mut teller = told();
        teller.forget();
        let again = teller.due(NodeId(1), &seen(101)).unwrap();
        assert!(!again.resumed, "time did not begin again");
        teller.accepted(again, &seen(101));
        assert_eq!(teller.due(NodeId(1), &seen(102)), None);
    }

    #[test]
    fn a_wall_clock_that_jumps_is_told_at_once() {
        let mut jumped = seen(101);
        jumped.wall = jumped.wall + Duration::from_secs(3_600);
        let report = told().due(NodeId(1), &jumped).unwrap();
        assert_eq!((report.civil_offset_ms, report.moved_ms), (3_600_500, 0));
    }

    #[test]
    fn cluster_time_that_others_moved_is_told_as_such() {
        let mut moved = seen(101);
        moved.cluster = moved.cluster + Duration::from_secs(3_600);
        let report = told().due(NodeId(1), &moved).unwrap();
        assert_eq!(
            (report.civil_offset_ms, report.moved_ms),
            (-3_599_500, 3_600_000)
        );
    }

    #[test]
    fn power_and_disk_are_told_when_they_matter() {
        let teller = told();
        let mut charging = seen(101);
        charging.power.runtime = Some(Duration::from_secs(9_000));
        assert_eq!(teller.due(NodeId(1), &charging), None);
        charging.power.power = Power::Battery;
        assert!(teller.due(NodeId(1), &charging).is_some());
        let mut filling = seen(101);
        filling.disk.free_bytes = 4 << 30;
        assert_eq!(teller.due(NodeId(1), &filling), None);
        filling.disk.free_bytes = 300 << 20;
        assert!(teller.due(NodeId(1), &filling).is_some());
    }
}
