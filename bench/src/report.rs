//! Figures on their way out: JSON lines for programs as they come, one table for people at the end.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What was measured so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<[String; 3]>,
}

impl Report {
    /// Says on what is measured.
    pub(crate) fn machine(&mut self) -> Result<()> {
        let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let load = load()?;
        self.put(
            &json!({ "measure": "machine", "processors": processors, "load": load }),
            [
                "machine".to_owned(),
                format!("{processors} processors"),
                load_text(load, load),
            ],
        )
    }

    /// Prints one measurement and keeps its row: what was measured, the figures, the machine's load.
    pub(crate) fn put(&mut self, object: &Value, row: [String; 3]) -> Result<()> {
        writeln!(std::io::stdout().lock(), "{object}").context("cannot write a measurement")?;
        self.rows.push(row);
        Ok(())
    }

    /// Prints everything once more, for people.
    pub(crate) fn table(&self) {
        let width = |column: usize| self.rows.iter().map(|r| r[column].len()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        for [what, figures, load] in &self.rows {
            note(&format!("{what:first$}  {figures:second$}  {load}"));
        }
    }
}

/// A line for whoever watches.
pub(crate) fn note(text: &str) {
    _ = writeln!(std::io::stderr().lock(), "{text}"); // nobody may be watching
}

/// Load average over 1, 5 and 15 minutes (proc(5)).
pub(crate) fn load() -> Result<[f64; 3]> {
    let text = std::fs::read_to_string("/proc/loadavg").context("cannot read the load average")?;
    let mut figures = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || figures.next()?.ok();
    let found = (|| Some([next()?, next()?, next()?]))();
    found.context("the load average has no three figures")
}

/// How a table shows the load before and after.
pub(crate) fn load_text(before: [f64; 3], after: [f64; 3]) -> String {
    format!("load {:.2} -> {:.2}", before[0], after[0])
}

/// The smallest value that `percent` of `sorted` do not exceed (nearest rank); `None` without values.
pub(crate) fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Microseconds as milliseconds, in which people read latencies.
pub(crate) fn milliseconds(microseconds: Option<u64>) -> Option<f64> {
    microseconds.map(|us| us as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(
            [50, 99, 100].map(|p| percentile(&hundred, p)),
            [Some(50), Some(99), Some(100)]
        );
        assert_eq!([50, 99].map(|p| percentile(&[7], p)), [Some(7), Some(7)]);
        assert_eq!(percentile(&[], 50), None);
    }
}
