//! openraft's own storage suite on the real files.
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

use cluster::store::fatal::Fatal;
use cluster::store::log::{LogOptions, LogStore};
use cluster::store::snapshot::Snapshots;
use cluster::store::state::{StateOptions, StateStore};
use cluster::types::TypeConfig;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Opens log and state side by side. The suite purges what no state ever applied, so purging does not wait for state
/// here; that it does in a [`cluster::store::Store`] has a test of its own.
struct Files;

impl StoreBuilder<TypeConfig, LogStore, StateStore, (TempDir, JoinSet<()>)> for Files {
    async fn build(
        &self,
    ) -> Result<((TempDir, JoinSet<()>), LogStore, StateStore), StorageError<TypeConfig>> {
        let dir = TempDir::new().unwrap();
        let mut tasks = JoinSet::new();
        let options = LogOptions {
            state_durable: watch::Sender::new(Some(u64::MAX)).subscribe(),
            fatal: Fatal::new(),
            unclean: false,
            snapshot: None,
        };
        let log = LogStore::open(&dir.path().join("raft.db"), options, &mut tasks)
            .await
            .unwrap();
        let snapshots = Snapshots::open(&dir.path().join("snapshots"))
            .await
            .unwrap();
        let options = StateOptions {
            purged: None,
            durable: watch::Sender::new(None),
            fatal: Fatal::new(),
            unclean: false,
        };
        let state = StateStore::open(&dir.path().join("state"), snapshots, options, &mut tasks)
            .await
            .unwrap();
        Ok(((dir, tasks), log, state))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engines_own_suite_passes_on_real_files() {
    Suite::test_all(Files).await.unwrap();
}
