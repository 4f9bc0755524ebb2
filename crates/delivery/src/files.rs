//! A node's part in files: it fetches what it lacks from those that hold it, says what it holds and what it lost, and throws
//! away what no row names any more. It decides nothing; every reason to do something is a row.
//!
//! Fetching happens here, beside the loops that send texts, and waits for nobody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::files::{self, Command as Files, FileDigest, HOLD_MAX};
use domain::ports::{FileStore, Freshness, Proposal, ReadError, Replica};
use domain::{Command, RequestId};
use tokio::select;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

/// How often the rows are looked at when nothing changes.
const PERIOD: Duration = Duration::from_secs(5);

/// Changes are gathered for so long: most are not about files.
const REST: Duration = Duration::from_millis(500);

/// After a fetch that failed, the next one waits; each time longer.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How often the folder is compared with the rows.
const COMPARE_EVERY: Duration = Duration::from_secs(60);

/// How often what nothing names is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Files fetched before the rows are looked at again.
const FETCHES: u32 = 10;

/// See the module.
pub struct FileKeeper {
    replica: Arc<dyn Replica>,
    store: Arc<dyn FileStore>,
    proposals: u64,
    compared: Option<Instant>,
    swept: Option<Instant>,
    /// The pause after fetches that fail, and until when it lasts.
    pause: Duration,
    until: Option<Instant>,
}

impl FileKeeper {
    pub fn new(replica: Arc<dyn Replica>, store: Arc<dyn FileStore>) -> Self {
        Self {
            replica,
            store,
            proposals: 0,
            compared: None,
            swept: None,
            pause: PAUSE_MIN,
            until: None,
        }
    }

    /// Works until `stop`. What it was fetching then goes on after the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.replica.changes();
        loop {
            changes.mark_unchanged();
            select! {
                () = stop.cancelled() => return,
                () = self.step() => {}
            }
            select! {
                () = stop.cancelled() => return,
                () = sleep(REST) => {}
            }
            select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Does what the rows call for now.
    pub async fn step(&mut self) {
        // An island's rows are a copy; what it holds is told when it is back.
        if self.replica.island().is_some() {
            return;
        }
        let done = async {
            self.compare().await?;
            self.fetch().await?;
            self.sweep().await
        };
        if let Err(error) = done.await {
            self.replica.suspect(&error);
            warn!(
                error = &error as &dyn std::error::Error,
                "cannot read which files there are; trying again"
            );
        }
    }

    /// What the rows say is here and is not was lost.
    async fn compare(&mut self) -> Result<(), ReadError> {
        if !passed(self.compared, COMPARE_EVERY) {
            return Ok(());
        }
        self.compared = Some(Instant::now());
        let mut view = self.replica.read(Freshness::Local).await?;
        let held = files::held_by(&mut view, self.replica.node()).await?;
        drop(view);
        let mut lost = Vec::new();
        for (digest, size) in held {
            match self.store.has(digest, size).await {
                Ok(true) => {}
                Ok(false) => lost.push(digest),
                Err(error) => {
                    warn!(%error, "cannot look at this node's files");
                    return Ok(());
                }
            }
        }
        if !lost.is_empty() {
            error!(
                count = lost.len(),
                "files are gone from this node's disk; they are fetched anew"
            );
        }
        for lost in lost.chunks(HOLD_MAX) {
            self.tell(Vec::new(), lost.to_vec()).await;
        }
        Ok(())
    }

    /// Takes what is here already and fetches the rest.
    async fn fetch(&mut self) -> Result<(), ReadError> {
        if self.until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let mut view = self.replica.read(Freshness::Local).await?;
        let wanted = files::missing(&mut view, self.replica.node(), FETCHES).await?;
        drop(view);
        let (mut held, mut failed) = (Vec::new(), false);
        for wanted in wanted {
            let fetched = self
                .store
                .fetch(wanted.sha256, wanted.size, &wanted.from)
                .await;
            match fetched {
                Ok(()) => {
                    info!(digest = %wanted.sha256, size = wanted.size, "a file is on this node");
                    held.push(wanted.sha256);
                }
                Err(error) => {
                    failed = true;
                    debug!(digest = %wanted.sha256, %error, "a file could not be fetched yet");
                }
            }
        }
        if !held.is_empty() {
            self.tell(held, Vec::new()).await;
        }
        if failed {
            self.until = Some(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        } else {
            self.until = None;
            self.pause = PAUSE_MIN;
        }
        Ok(())
    }

    /// Throws away what nothing names.
    async fn sweep(&mut self) -> Result<(), ReadError> {
        if !passed(self.swept, SWEEP_EVERY) {
            return Ok(());
        }
        self.swept = Some(Instant::now());
        let mut view = self.replica.read(Freshness::Local).await?;
        let (digests, uploads): (BTreeSet<FileDigest>, _) = files::live(&mut view).await?;
        drop(view);
        match self.store.sweep(digests, uploads).await {
            Ok(0) => {}
            Ok(count) => info!(count, "files nothing names any more were thrown away"),
            Err(error) => warn!(%error, "cannot clear this node's folder for files"),
        }
        Ok(())
    }

    /// What is not told now is told with the next look: the rows still lack it.
    async fn tell(&mut self, held: Vec<FileDigest>, lost: Vec<FileDigest>) {
        self.proposals += 1;
        let node = self.replica.node();
        let request = RequestId::derive(&[
            b"files held",
            &node.0.to_be_bytes(),
            &self.replica.now().0.to_be_bytes(),
            &self.proposals.to_be_bytes(),
        ]);
        let command = Command::Files(Files::Hold { node, held, lost });
        let told = self.replica.propose(Proposal::by_loop(request, command));
        if let Err(error) = told.await {
            debug!(%error, "which files are here could not be told yet");
        }
    }
}

fn passed(since: Option<Instant>, time: Duration) -> bool {
    since.is_none_or(|since| since.elapsed() >= time)
}
