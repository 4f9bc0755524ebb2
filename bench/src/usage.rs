//! What a process uses, as Linux counts it.

use anyhow::{Context as _, Result};

/// Ticks per second in which Linux counts processor time for programs (proc(5), USER_HZ).
const TICKS_PER_S: f64 = 100.0;

/// User and system time of a process so far, milliseconds.
pub(crate) fn processor_ms(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone"))?;
    // The name, in brackets, may hold anything; utime and stime are the 12th and 13th fields after it.
    let ticks = text.rsplit_once(") ").and_then(|(_, rest)| {
        let mut fields = rest.split(' ').skip(11).map(str::parse::<u64>);
        Some(fields.next()?.ok()? + fields.next()?.ok()?)
    });
    let ticks = ticks.with_context(|| format!("process {pid} shows no processor time"))?;
    Ok(ticks as f64 * 1_000.0 / TICKS_PER_S)
}

/// A field of proc(5)'s `status` that counts KiB, such as `VmRSS:`.
pub(crate) fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let value = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    value.with_context(|| format!("process {pid} shows no {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_has_memory_and_processor_time() {
        let pid = std::process::id();
        assert!(status_kib(pid, "VmRSS:").unwrap() > 0);
        assert!(processor_ms(pid).is_ok());
    }
}
