//! Founding a new epoch from a backup (SECURITY D-13): a new node id, a new authority, nothing leaves until released.

use std::fs;
use std::path::Path;

use domain::{NodeId, nodes};
use sqlx::Connection as _;

use super::{BackupError, Opened, kept_files};
use crate::config::ClusterConfig;
use crate::identity::Identity;
use crate::recover::{Plan, RecoverError, Recovered, finish, own_peer, write_plan};
use crate::store::{files, state};
use crate::types::Peer;

/// Node ids left out, because the lost cluster may have given them out after the backup was made.
const IDS_SKIPPED: u64 = 10;

/// Where what the backup's maker had recorded alone is kept, for people; nothing replays it unasked.
const JOURNAL_ASIDE: &str = "restored-journal.db";

/// Where and as what to restore.
#[derive(Clone)]
pub struct RestoreTo {
    pub config: ClusterConfig,
    /// Host names and IP addresses of this node's HTTPS.
    pub https_names: Vec<String>,
    /// At least this epoch, if the lost cluster is known to have gone beyond the backup's.
    pub epoch_min: u32,
}

/// Fills an empty data directory from a backup. If it breaks off, empty the directory and begin again.
pub async fn restore(opened: &Opened, to: &RestoreTo) -> Result<Recovered, BackupError> {
    let dir = to.config.data_dir.clone();
    refuse_used(&dir)?;
    let prepare = |e: RecoverError| BackupError::Prepare(Box::new(e));
    let mut conn = opened.state().await?;
    let read = async {
        let position = state::read_position(&mut conn).await?;
        let cluster = nodes::cluster(&mut conn).await?;
        Ok((position, cluster))
    };
    let (position, cluster) = read
        .await
        .map_err(BackupError::database(opened.state_file()))?;
    conn.close()
        .await
        .map_err(BackupError::database(opened.state_file()))?;
    let cluster = cluster.ok_or_else(|| BackupError::Damaged {
        path: opened.state_file(),
        why: "it belongs to no founded cluster".to_owned(),
    })?;
    let node = cluster.next_node.0 + IDS_SKIPPED;
    let epoch = (cluster.epoch + 1).max(to.epoch_min);
    let at = position.applied;
    let mut plan = Plan {
        cluster: cluster.cluster_id,
        from: cluster.epoch,
        epoch,
        node,
        peer: Peer::default(),
        term: at.map_or(0, |id| id.leader_id.term) + 1,
        index: at.map_or(0, |id| id.index) + 1,
        identity: Vec::new(),
        statement: Vec::new(),
        outbox_paused: format!(
            "restored from a backup of {}; look at what waits, close what is over, then release",
            opened.manifest.as_of().to_rfc3339()
        ),
        restored: true,
        ready: false,
    };
    // First the plan: from here on the directory does not start until everything is in place.
    write_plan(&dir, &plan).map_err(prepare)?;
    let who = (NodeId(node), epoch);
    let identity = Identity::found_as(&dir, cluster.cluster_id, who, &to.https_names)?;
    plan.peer = own_peer(&to.config, identity.pin());
    place(opened, &dir).map_err(BackupError::io(&dir))?;
    finish(&dir, &plan).await.map_err(prepare)
}

fn place(opened: &Opened, dir: &Path) -> std::io::Result<()> {
    let states = dir.join("state");
    fs::create_dir_all(&states)?;
    let file = states.join("000001.db");
    let _ = fs::copy(opened.state_file(), &file)?;
    files::sync_file(&file)?;
    files::write_atomically(&states.join("CURRENT"), b"1\n")?;
    let aside = dir.join(JOURNAL_ASIDE);
    let _ = fs::copy(opened.journal_file(), &aside)?;
    files::sync_file(&aside)?;
    kept_files::place(opened.dir(), dir)?;
    files::sync_dir(dir)
}

fn refuse_used(dir: &Path) -> Result<(), BackupError> {
    let used = [
        "node-cert.pem",
        "raft.db",
        "state",
        "node.db",
        "recovery.bin",
    ];
    if used.iter().any(|name| dir.join(name).exists()) {
        return Err(BackupError::NotEmpty(dir.to_owned()));
    }
    Ok(())
}
