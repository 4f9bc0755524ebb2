//! A node's files, as production opens them, behind a door that stands still.
//!
//! SQLite answers from threads of its own, which a paused clock cannot see: while a task waits for one, the runtime thinks
//! that nothing is left to do and moves time on. So every statement runs on a runtime of the disk's own, and the
//! simulation's only thread waits for it at the door. In simulated time a statement takes nothing, and what disks take is
//! added by whoever asks ([`crate::log`]), from the seed.

use std::io;
use std::path::Path;
use std::sync::mpsc;

use cluster::store::Store;
use cluster::store::log::LogStore;
use cluster::store::state::StateStore;
use tokio::runtime::{Builder, Runtime};

/// The files of one life of a node. Dropping it is `kill -9`: nothing is closed cleanly.
pub(crate) struct Disk {
    store: Option<Store>,
    runtime: Option<Runtime>,
    log: LogStore,
    state: StateStore,
}

impl Disk {
    /// Opens what the last life left behind.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()?;
        let dir = dir.to_owned();
        let store =
            at(&runtime, async move { Store::open(&dir).await }).map_err(io::Error::other)?;
        Ok(Self {
            log: store.log.clone(),
            state: store.state.clone(),
            store: Some(store),
            runtime: Some(runtime),
        })
    }

    pub(crate) fn log(&self) -> LogStore {
        self.log.clone()
    }

    pub(crate) fn state(&self) -> StateStore {
        self.state.clone()
    }

    /// Runs `work` to its end while the simulation stands still.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        at(
            self.runtime.as_ref().expect("taken only when dropped"),
            work,
        )
    }
}

fn at<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    let (done, answer) = mpsc::sync_channel(1);
    runtime.spawn(async move { _ = done.send(work.await) });
    answer.recv().expect("disk work does not panic")
}

impl Drop for Disk {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        // The lock on the folder goes with the store: the next life finds it free.
        let entered = runtime.enter();
        drop(self.store.take());
        drop(entered);
        runtime.shutdown_background();
    }
}
