//! How much memory each node holds, and how busy it is when nothing happens.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::time::sleep;

use crate::fleet::Fleet;
use crate::report::{Report, load, load_text};

/// What was asked of the nodes before must be over: checkpoints run after a second of quiet.
const REST: Duration = Duration::from_secs(3);

/// How long processor time is watched.
const WATCH: Duration = Duration::from_secs(5);

/// Ticks per second in which Linux counts processor time for programs (proc(5), USER_HZ).
const TICKS_PER_S: f64 = 100.0;

/// Measures every node. `moment` says at which point of the run.
pub(crate) async fn measure(fleet: &Fleet, moment: &str, report: &mut Report) -> Result<()> {
    fleet.settled().await?;
    sleep(REST).await;
    let before = load()?;
    for (id, pid) in fleet.processes() {
        let (started, ticks) = (Instant::now(), processor_ticks(pid)?);
        sleep(WATCH).await;
        let used = processor_ticks(pid)?.saturating_sub(ticks) as f64 / TICKS_PER_S;
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

fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let value = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    value.with_context(|| format!("process {pid} shows no {field}"))
}

/// User and system time of a process so far.
fn processor_ticks(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone"))?;
    // The name, in brackets, may hold anything; utime and stime are the 12th and 13th fields after it.
    let ticks = text.rsplit_once(") ").and_then(|(_, rest)| {
        let mut fields = rest.split(' ').skip(11).map(str::parse::<u64>);
        Some(fields.next()?.ok()? + fields.next()?.ok()?)
    });
    ticks.with_context(|| format!("process {pid} shows no processor time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_has_memory_and_processor_time() {
        let pid = std::process::id();
        assert!(status_kib(pid, "VmRSS:").unwrap() > 0);
        assert!(processor_ticks(pid).is_ok());
    }
}
