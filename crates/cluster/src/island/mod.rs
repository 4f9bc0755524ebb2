//! A node that is cut off alerts by itself (DESIGN 4.4): it forks its last known state, works on the fork, journals every
//! fact that others must learn before it acts on it, and hands the journal over when a majority answers again.
//!
//! [`mode`] decides when; [`fork`] is the state copy and its one writer; [`keeper`] drives both; [`gossip`] exchanges
//! journals among nodes that are cut off together; [`IslandReplica`] is what everything else sees, fork or not. What a
//! fact means and how facts join is `domain::islands`' business alone ([`law`] is the only way there).

mod carry;
mod export;
mod fork;
mod gossip;
mod heal;
mod keeper;
mod law;
mod mode;
mod replica;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::NodeId;
use domain::ports::Replica as _;
use domain::topics::Topics;
use tokio::sync::watch;

pub use self::carry::{CarryError, export_stopped};
pub(crate) use self::carry::{export, import, journal, unexported_in};
pub use self::export::{ExportError, ImportError};
use self::fork::Fork;
pub(crate) use self::fork::folder;
pub(crate) use self::gossip::{answer, exchange};
pub(crate) use self::keeper::keep;
pub use self::replica::IslandReplica;
use crate::replica::{Core, LocalReplica};
use crate::store::log::LogStore;
use crate::store::node_db::NodeDb;

/// A fellow islander counts as heard for this long (DESIGN D4).
const HEARD_FOR: Duration = Duration::from_secs(3);

/// What commands and reads go to.
#[derive(Clone, Default)]
enum Mode {
    /// The common log.
    #[default]
    Member,
    Fork {
        fork: Arc<Fork>,
        /// A majority answers again: the fork's scheduler rests.
        healing: bool,
    },
}

/// What the parts of island mode share.
pub(crate) struct Ground {
    core: Arc<Core>,
    node_db: Arc<NodeDb>,
    log: LogStore,
    local: LocalReplica,
    /// Where the fork's file lives. Disposable.
    dir: PathBuf,
    after: Duration,
    mode: watch::Sender<Mode>,
    /// Boot clock in milliseconds of the last commit of this node that succeeded.
    succeeded_ms: Mutex<Option<Duration>>,
    fellows: Mutex<BTreeMap<NodeId, Heard>>,
    waiting: Mutex<u64>,
}

/// When a fellow islander was last heard, on the boot clock, and whether it heard this node as well.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Duration,
    mutual: bool,
}

impl Ground {
    pub(crate) fn new(
        core: Arc<Core>,
        node_db: Arc<NodeDb>,
        log: LogStore,
        local: LocalReplica,
        dir: PathBuf,
        after: Duration,
    ) -> Self {
        Self {
            core,
            node_db,
            log,
            local,
            dir,
            after,
            mode: watch::Sender::default(),
            succeeded_ms: Mutex::default(),
            fellows: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    fn now(&self) -> Duration {
        self.core.clock.boot()
    }

    fn mode(&self) -> Mode {
        self.mode.borrow().clone()
    }

    fn switch(&self, mode: Mode) {
        self.mode.send_replace(mode);
        self.core.state.feed().note(Topics::ALL);
        self.core.changes.send_modify(|count| *count += 1);
    }

    fn fork(&self) -> Option<Arc<Fork>> {
        match self.mode() {
            Mode::Member => None,
            Mode::Fork { fork, .. } => Some(fork),
        }
    }

    /// A command of this node was committed by the cluster: proof enough of a majority.
    fn note_success(&self) {
        *lock(&self.succeeded_ms) = Some(self.now());
    }

    fn last_success(&self) -> Option<Duration> {
        *lock(&self.succeeded_ms)
    }

    /// Islanders that heard this node and that it heard, each within [`HEARD_FOR`], with the age of their last word.
    fn fellows(&self) -> Vec<(NodeId, Duration)> {
        let now = self.now();
        lock(&self.fellows)
            .iter()
            .map(|(node, heard)| (*node, now.saturating_sub(heard.at), heard.mutual))
            .filter(|(_, age, mutual)| *mutual && *age <= HEARD_FOR)
            .map(|(node, age, _)| (node, age))
            .collect()
    }

    /// Nodes whose word reached this node within [`HEARD_FOR`].
    fn heard(&self) -> Vec<NodeId> {
        let now = self.now();
        lock(&self.fellows)
            .iter()
            .filter(|(_, heard)| now.saturating_sub(heard.at) <= HEARD_FOR)
            .map(|(node, _)| *node)
            .collect()
    }

    /// Counts what the cluster has yet to take, for display.
    async fn count_waiting(&self) {
        if let Ok(size) = self.node_db.journal_size(self.core.node).await {
            *lock(&self.waiting) = size.own;
        }
    }

    /// This node's name, as the membership knows it.
    fn site(&self) -> String {
        let peers = self.core.transport.pins().peers();
        peers
            .get(&self.local.node().0)
            .map(|peer| peer.name.clone())
            .unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
