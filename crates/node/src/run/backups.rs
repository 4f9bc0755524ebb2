//! Backups this node makes by itself, and its memory of them: `backups.json` in the data directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cluster::backup::{self, Made, Order};
use domain::Timestamp;
use domain::ports::{BackupStatus, Clock as _};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::clock::SystemClock;
use crate::config::Config;

const FILE: &str = "backups.json";

/// After a failure the next try comes sooner than the next backup.
const RETRY_AFTER: Duration = Duration::from_secs(600);

/// How often the clock is looked at: it may be set, and a record may be written by the command line.
const LOOK_PERIOD: Duration = Duration::from_secs(60);

/// A backup that takes longer hangs on its folder, such as a share that is gone.
const BACKUP_TIME: Duration = Duration::from_secs(3_600);

/// What is remembered of backups and drills. Times are this machine's wall clock in milliseconds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Records {
    pub(crate) made: Option<MadeRecord>,
    /// Why the last try failed; empty when it did not.
    #[serde(default)]
    pub(crate) problem: String,
    pub(crate) drill: Option<DrillRecord>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct MadeRecord {
    pub(crate) at_ms: i64,
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) epoch: u32,
    pub(crate) applied: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct DrillRecord {
    pub(crate) at_ms: i64,
    pub(crate) ok: bool,
    pub(crate) result: String,
}

impl Records {
    /// Reads the memory; a missing or damaged one is an empty one: it only informs.
    pub(crate) fn read(data_dir: &Path) -> Self {
        std::fs::read(data_dir.join(FILE))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Writes the memory, whole or not at all.
    pub(crate) fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        let partial = data_dir.join("backups.json.new");
        std::fs::write(&partial, text)?;
        std::fs::rename(partial, data_dir.join(FILE))
    }

    /// As the API shows it.
    pub(crate) fn status(&self, scheduled: bool) -> BackupStatus {
        BackupStatus {
            scheduled,
            made_at: self.made.as_ref().map(|made| Timestamp(made.at_ms)),
            problem: self.problem.clone(),
            drill: self
                .drill
                .as_ref()
                .map(|drill| (Timestamp(drill.at_ms), drill.ok, drill.result.clone())),
        }
    }
}

/// What to make, by the settings.
pub(crate) fn order(config: &Config, folder: &Path, one_is_enough: bool) -> Order {
    Order {
        data_dir: config.node.data_dir.clone(),
        folder: folder.to_owned(),
        recipients: config.backup.recipients.clone(),
        one_is_enough,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node_name: config.node.name.clone(),
        now: SystemClock.wall(),
    }
}

/// Notes how a try ended.
pub(crate) fn note(data_dir: &Path, made: Result<&Made, String>) {
    let mut records = Records::read(data_dir);
    match made {
        Ok(made) => {
            records.made = Some(MadeRecord {
                at_ms: made.manifest.made_at_ms,
                path: made.path.clone(),
                len: made.len,
                epoch: made.manifest.epoch,
                applied: made.manifest.applied,
            });
            records.problem.clear();
        }
        Err(problem) => records.problem = problem,
    }
    if let Err(error) = records.write(data_dir) {
        warn!(%error, "cannot remember the backup");
    }
}

/// Makes backups when they are due, until `stop`. Nothing to do without a folder.
pub(super) async fn run(config: Config, stop: CancellationToken) {
    let Some(folder) = config.backup.folder.clone() else {
        return stop.cancelled().await;
    };
    let every = Duration::from_secs(u64::from(config.backup.every_h) * 3_600);
    let mut tried: Option<Duration> = None;
    loop {
        let records = Records::read(&config.node.data_dir);
        let age = records
            .made
            .as_ref()
            .map(|made| SystemClock.wall().since(Timestamp(made.at_ms)));
        let rested = tried.is_none_or(|at| SystemClock.boot().saturating_sub(at) >= RETRY_AFTER);
        if age.is_none_or(|age| age >= every) && rested {
            tried = Some(SystemClock.boot());
            make(&config, &folder).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_PERIOD) => {}
        }
    }
}

async fn make(config: &Config, folder: &Path) {
    let order = order(config, folder, config.backup.recipients.len() == 1);
    let made = match timeout(BACKUP_TIME, backup::create(&order)).await {
        Ok(made) => made.map_err(|e| format!("{:#}", anyhow::Error::new(e))),
        Err(_) => Err(format!("{} did not take it in time", folder.display())),
    };
    match &made {
        Ok(made) => {
            info!(path = %made.path.display(), len = made.len, "backup made");
            prune(
                folder,
                &made.manifest.cluster,
                usize::try_from(config.backup.keep).unwrap_or(1),
            );
        }
        Err(problem) => error!(problem, "no backup could be made"),
    }
    note(&config.node.data_dir, made.as_ref().map_err(Clone::clone));
}

/// Removes this cluster's oldest backups beyond `keep`, with their seals. Names sort by age.
fn prune(folder: &Path, cluster: &str, keep: usize) {
    let ours = format!("holdfast-{}-", cluster.get(..8).unwrap_or(cluster));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&ours) && name.ends_with(".tar.age"))
        .collect();
    names.sort();
    let surplus = names.len().saturating_sub(keep);
    for name in &names[..surplus] {
        for path in [folder.join(name), folder.join(format!("{name}.sig"))] {
            if let Err(error) = std::fs::remove_file(&path) {
                warn!(%error, path = %path.display(), "cannot remove an old backup");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_backups_of_this_cluster_go_first_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let name = |epoch: u32, applied: u64| {
            format!("holdfast-0123abcd-e{epoch:03}-{applied:012}-n1.tar.age")
        };
        for made in [name(1, 900), name(2, 5), name(1, 1_000), name(2, 10)] {
            std::fs::write(dir.path().join(&made), "").unwrap();
            std::fs::write(dir.path().join(format!("{made}.sig")), "").unwrap();
        }
        std::fs::write(dir.path().join("holdfast-ffffffff-e001-1-n1.tar.age"), "").unwrap();
        prune(dir.path(), "0123abcd4567", 2);
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".age"))
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                name(2, 5),
                name(2, 10),
                "holdfast-ffffffff-e001-1-n1.tar.age".to_owned()
            ]
        );
    }

    #[test]
    fn a_damaged_memory_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let full = Records {
            made: None,
            problem: "disk full".to_owned(),
            drill: Some(DrillRecord {
                at_ms: 5,
                ok: true,
                result: "all there".to_owned(),
            }),
        };
        full.write(dir.path()).unwrap();
        assert_eq!(Records::read(dir.path()).problem, "disk full");
        let sound = std::fs::read(dir.path().join(FILE)).unwrap();
        for len in 0..sound.len() {
            std::fs::write(dir.path().join(FILE), &sound[..len]).unwrap();
            assert!(Records::read(dir.path()).problem.is_empty());
        }
    }
}
