//! The disk rules (DESIGN §4.6): what is taken at which free space, and a ballast that pays for results when nothing else
//! is left. Looks every second, so that the bounds are met before a write fails.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::nodes::Disk;
use domain::ports::DiskRoom;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::machine::HostMachine;

/// Below this, new alerts are refused unless critical.
pub(crate) const CRITICAL_ONLY_BELOW: u64 = 256 << 20;

/// Below this, all new ones are.
pub(crate) const RESULTS_ONLY_BELOW: u64 = 64 << 20;

/// What is kept to pay for results.
const BALLAST_BYTES: u64 = 64 << 20;

/// Below this the ballast is given up: SQLite needs some megabytes to go on.
const SPEND_BELOW: u64 = 16 << 20;

/// Space must return by this much more before a rule is lifted, so that it does not flutter.
const LIFT_MARGIN: u64 = 16 << 20;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What to do about the ballast.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ballast {
    Keep,
    Spend,
    Restore,
}

/// Decides from free bytes, whether the ballast lies there, and the rule in force.
fn decide(free: u64, ballast: bool, before: Disk) -> (DiskRoom, Ballast) {
    // Space that the ballast will take again is not free.
    let room = if ballast {
        free
    } else {
        free.saturating_sub(BALLAST_BYTES)
    };
    let below = |bound: u64, rule: Disk| {
        let lift = if before >= rule { LIFT_MARGIN } else { 0 };
        room < bound + lift
    };
    let disk = if below(RESULTS_ONLY_BELOW, Disk::ResultsOnly) {
        Disk::ResultsOnly
    } else if below(CRITICAL_ONLY_BELOW, Disk::CriticalOnly) {
        Disk::CriticalOnly
    } else {
        Disk::Ample
    };
    let act = match ballast {
        true if free < SPEND_BELOW => Ballast::Spend,
        false if room >= RESULTS_ONLY_BELOW + LIFT_MARGIN => Ballast::Restore,
        true | false => Ballast::Keep,
    };
    let room = DiskRoom {
        disk,
        free_bytes: room,
    };
    (room, act)
}

/// Watches the file system of the data directory.
pub(super) struct DiskWatch {
    dir: PathBuf,
    machine: HostMachine,
    last: Disk,
}

impl DiskWatch {
    /// Looks once, before anything is opened: after a full disk the ballast must make room for the start.
    pub(super) fn begin(dir: &Path, machine: HostMachine) -> Self {
        let mut watch = Self {
            dir: dir.to_owned(),
            machine,
            last: Disk::Unknown,
        };
        watch.look();
        watch
    }

    /// Looks every second until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
            }
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(watch) => self = watch,
                Err(error) => return error!(%error, "the disk watch failed"),
            }
        }
    }

    fn look(&mut self) {
        let path = self.dir.join("ballast");
        let free = match statvfs(&self.dir) {
            Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
            Err(error) => {
                return warn!(%error, dir = %self.dir.display(), "cannot see how full the disk is");
            }
        };
        let there = path
            .metadata()
            .is_ok_and(|meta| meta.len() >= BALLAST_BYTES);
        let (room, act) = decide(free, there, self.last);
        let acted = match act {
            Ballast::Keep => Ok(()),
            Ballast::Spend => {
                warn!(free_mb = free >> 20, "the ballast pays for results now");
                std::fs::remove_file(&path)
            }
            Ballast::Restore => restore(&path),
        };
        if let Err(error) = acted {
            warn!(%error, path = %path.display(), "cannot change the ballast");
        }
        if room.disk != self.last {
            let (free_mb, rule) = (room.free_bytes >> 20, room.disk.name());
            match room.disk {
                Disk::Unknown | Disk::Ample => info!(free_mb, rule, "disk"),
                Disk::CriticalOnly => warn!(free_mb, rule, "disk"),
                Disk::ResultsOnly => error!(free_mb, rule, "disk"),
            }
            self.last = room.disk;
        }
        self.machine.set_disk(room);
    }
}

/// Allocates the ballast for real: a sparse file would pay for nothing.
fn restore(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    let done = fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES);
    if done.is_err() {
        _ = std::fs::remove_file(path); // half a ballast would be taken for none
    }
    Ok(done?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn rule(free_mb: u64, ballast: bool, before: Disk) -> (Disk, Ballast) {
        let (room, act) = decide(free_mb * MB, ballast, before);
        (room.disk, act)
    }

    #[test]
    fn rules_tighten_at_their_bounds_and_lift_a_little_later() {
        use Ballast::Keep;
        use Disk::{Ample, CriticalOnly, ResultsOnly};
        assert_eq!(rule(256, true, Ample), (Ample, Keep));
        assert_eq!(rule(255, true, Ample), (CriticalOnly, Keep));
        assert_eq!(rule(271, true, CriticalOnly), (CriticalOnly, Keep));
        assert_eq!(rule(272, true, CriticalOnly), (Ample, Keep));
        assert_eq!(rule(63, true, CriticalOnly), (ResultsOnly, Keep));
        assert_eq!(rule(79, true, ResultsOnly), (ResultsOnly, Keep));
        assert_eq!(rule(80, true, ResultsOnly), (CriticalOnly, Keep));
    }

    #[test]
    fn the_ballast_is_spent_last_and_restored_before_anything_new_is_taken() {
        assert_eq!(rule(15, true, Disk::ResultsOnly).1, Ballast::Spend);
        // What it freed is owed to it: the rule does not change.
        assert_eq!(
            rule(79, false, Disk::ResultsOnly),
            (Disk::ResultsOnly, Ballast::Keep)
        );
        assert_eq!(
            rule(143, false, Disk::ResultsOnly),
            (Disk::ResultsOnly, Ballast::Keep)
        );
        assert_eq!(
            rule(144, false, Disk::ResultsOnly),
            (Disk::CriticalOnly, Ballast::Restore)
        );
        assert_eq!(
            rule(10_000, false, Disk::Unknown),
            (Disk::Ample, Ballast::Restore)
        );
    }
}
