//! A node's disk: a file system in this process's memory, mounted through FUSE where the node keeps its files, that can
//! forget what was not synced, be full, be slow, and rot.

mod files;
mod store;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use fuser::{BackgroundSession, Config, MountOption};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use self::files::Files;
pub(crate) use self::store::Loss;
use self::store::Store;

/// What a disk holds when it is not full: room for everything a run writes.
const CAPACITY: u64 = 4 << 30;

/// One disk.
pub(crate) struct Disk {
    at: PathBuf,
    state: Arc<Mutex<State>>,
    mounted: Option<BackgroundSession>,
}

/// What the mounted file system and its owner share.
struct State {
    store: Store,
    /// How long each sync takes.
    sync_takes: Duration,
}

impl Disk {
    /// An empty disk, mounted.
    pub(crate) fn new(at: &Path) -> Result<Self> {
        std::fs::create_dir_all(at)?;
        let mut disk = Self {
            at: at.to_owned(),
            state: Arc::new(Mutex::new(State {
                store: Store::new(CAPACITY),
                sync_takes: Duration::ZERO,
            })),
            mounted: None,
        };
        disk.mount()?;
        Ok(disk)
    }

    /// The power goes while nobody has a file open any more; the disk comes back with what it kept. Gives how many pages
    /// and names it lost.
    pub(crate) fn cut(&mut self, loss: Loss, seed: u64) -> Result<usize> {
        self.unmount()?;
        let chance = &mut StdRng::seed_from_u64(seed);
        let lost = self.with(|state| state.store.cut(loss, chance));
        self.mount()?;
        Ok(lost)
    }

    /// One bit turns in a file whose name ends so, while nobody has it open. Gives where.
    pub(crate) fn flip(&mut self, ends: &str, seed: u64) -> Result<Option<(String, u64)>> {
        self.unmount()?;
        let chance = &mut StdRng::seed_from_u64(seed);
        let flipped = self.with(|state| state.store.flip(ends, chance));
        self.mount()?;
        Ok(flipped)
    }

    /// A new, empty disk in its place.
    pub(crate) fn replace(&mut self) -> Result<()> {
        self.unmount()?;
        self.with(|state| state.store = Store::new(CAPACITY));
        self.mount()
    }

    /// Leaves room for so many bytes only; `None` for enough.
    pub(crate) fn fill(&self, left: Option<u64>) {
        self.with(|state| {
            let used = state.store.used;
            state.store.capacity = left.map_or(CAPACITY, |left| used + left);
        });
    }

    /// How long each sync takes from now on.
    pub(crate) fn slow(&self, sync_takes: Duration) {
        self.with(|state| state.sync_takes = sync_takes);
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn mount(&mut self) -> Result<()> {
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("chaos".to_owned()),
            MountOption::NoAtime,
            MountOption::NoDev,
        ];
        let files = Files::new(Arc::clone(&self.state));
        let mounted = fuser::spawn_mount(files, &self.at, &config);
        let hint = || format!("cannot mount a disk at {}", self.at.display());
        self.mounted = Some(mounted.with_context(hint)?);
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        if let Some(mounted) = self.mounted.take() {
            mounted.umount_and_join().context("cannot unmount a disk")?;
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = self.unmount(); // the namespace goes with the run in any case
    }
}
