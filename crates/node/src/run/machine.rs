//! The machine under this node as the cluster hears of it: clock source, disk, power. Each part is watched elsewhere and
//! left here; whoever asks gets the newest at once.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::nodes::Place;
use domain::ports::{Clock, ClockSource, DiskRoom, Freshness, Machine, PowerSupply, Replica};
use domain::{Timestamp, nodes};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::clock::SystemClock;

/// How often the kernel is asked where the wall clock comes from.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A real-time clock further from the wall clock than this is not what it was set from.
const RTC_DISTANCE_MAX_S: u64 = 5;

/// What was seen last.
#[derive(Clone, Debug, Default)]
struct Seen {
    clock: ClockSource,
    disk: DiskRoom,
    power: PowerSupply,
    civil_offset_ms: i64,
    place: Place,
}

/// See the module's documentation. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostMachine(Arc<Mutex<Seen>>);

impl HostMachine {
    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Follows the kernel's word on the wall clock, and the cluster's on civil time, until `stop`.
    pub(super) async fn watch_clock(self, replica: Arc<dyn Replica>, stop: CancellationToken) {
        loop {
            let source = tokio::task::spawn_blocking(clock_source).await;
            self.with(|seen| seen.clock = source.unwrap_or_default());
            if let Ok(mut view) = replica.read(Freshness::Local).await
                && let Ok(civil) = nodes::civil(&mut view).await
            {
                self.with(|seen| seen.civil_offset_ms = civil.offset_ms());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    pub(super) fn set_disk(&self, disk: DiskRoom) {
        self.with(|seen| seen.disk = disk);
    }

    pub(super) fn set_place(&self, place: Place) {
        self.with(|seen| seen.place = place);
    }

    pub(super) fn set_power(&self, power: PowerSupply) {
        self.with(|seen| seen.power = power);
    }
}

impl Machine for HostMachine {
    fn clock_source(&self) -> ClockSource {
        self.with(|seen| seen.clock.clone())
    }

    fn disk(&self) -> DiskRoom {
        self.with(|seen| seen.disk)
    }

    fn power(&self) -> PowerSupply {
        self.with(|seen| seen.power)
    }

    fn place(&self) -> Place {
        self.with(|seen| seen.place.clone())
    }
}

/// A clock whose wall is civil time as the cluster knows it, for what people read of this node.
pub(super) struct CivilClock {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) replica: Arc<dyn Replica>,
    pub(super) machine: HostMachine,
}

impl Clock for CivilClock {
    fn boot(&self) -> Duration {
        self.clock.boot()
    }

    fn wall(&self) -> Timestamp {
        let now = self.replica.now();
        // Before anything was applied there is no cluster time to go by.
        if now.0 <= 0 {
            return self.clock.wall();
        }
        Timestamp(now.0 + self.machine.with(|seen| seen.civil_offset_ms))
    }
}

/// Where the wall clock comes from. Read from files that time services and the kernel keep: asking the kernel itself
/// takes a system call that no safe interface offers.
fn clock_source() -> ClockSource {
    let served = Path::new("/run/systemd/timesync/synchronized").exists()
        || Path::new("/run/chrony/chronyd.pid").exists()
        || Path::new("/run/ntpd.pid").exists();
    let synced = Path::new("/run/systemd/timesync/synchronized").exists();
    let rtc_s = std::fs::read_to_string("/sys/class/rtc/rtc0/since_epoch");
    let rtc_s: Option<u64> = rtc_s.ok().and_then(|text| text.trim().parse().ok());
    let wall_s = u64::try_from(SystemClock.wall().0 / 1_000).unwrap_or(0);
    let (source, synchronised) = match rtc_s {
        _ if synced => ("ntp", Some(true)),
        // Such a service may still be looking for a server; only its own tools would say.
        _ if served => ("ntp", None),
        Some(rtc_s) if rtc_s.abs_diff(wall_s) <= RTC_DISTANCE_MAX_S => ("rtc", Some(false)),
        Some(_) | None => ("none", Some(false)),
    };
    ClockSource {
        source: source.to_owned(),
        synchronised,
    }
}
