//! How much memory each node holds, and how busy it is when nothing happens.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use crate::fleet::Fleet;
use crate::report::{Report, load, load_text};
use crate::usage::{processor_ms, status_kib};

/// What was asked of the nodes before must be over: checkpoints run after a second of quiet.
const REST: Duration = Duration::from_secs(3);

/// How long processor time is watched.
const WATCH: Duration = Duration::from_secs(5);

/// Measures every node. `moment` says at which point of the run.
pub(crate) async fn measure(fleet: &Fleet, moment: &str, report: &mut Report) -> Result<()> {
    fleet.settled().await?;
    sleep(REST).await;
    let before = load()?;
    for (id, pid) in fleet.processes() {
        let (started, spent) = (Instant::now(), processor_ms(pid)?);
        sleep(WATCH).await;
        let used = (processor_ms(pid)? - spent) / 1_000.0;
        let percent = 100.0 * used / started.elapsed().as_secs_f64();
        let (resident, peak) = (status_kib(pid, "VmRSS:")?, status_kib(pid, "VmHWM:")?);
        let after = load()?;
        let object = json!({
            "measure": "memory", "moment": moment, "node": id, "rss_kib": resident, "rss_peak_kib": peak,
            "processor_percent": (percent * 10.0).round() / 10.0, "load_before": before, "load_after": after,
        });
        let figures = format!(
            "{:.1} MiB resident, {:.1} MiB at most, {percent:.1} % of a core",
            mebibytes(resident),
            mebibytes(peak)
        );
        let row = [
            format!("memory {moment}, node {id}"),
            figures,
            load_text(before, after),
        ];
        report.put(&object, row)?;
    }
    Ok(())
}

fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1_024.0
}
