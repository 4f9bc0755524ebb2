//! Many seeds, each on a thread of its own; and a run in words.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::plants::Plant;
use crate::run::{Ended, Options, run};
use crate::witness::Counts;

/// What a number of seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    pub failed: u64,
    pub simulated: Duration,
    /// The longest that healing took.
    pub healed_in: Duration,
    pub counts: Counts,
    pub took: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (took, counts) = (self.took.as_secs_f64(), &self.counts);
        write!(
            f,
            "{} seeds in {took:.0} s ({:.1} a minute): {} failed; {:.2} h simulated, {} leaderships, {} entries settled, {} \
             writes acknowledged, {} unknown, {} repeats, {} reads, {} snapshots installed; healed within {:.2} s",
            self.seeds,
            self.seeds as f64 * 60.0 / took.max(0.001),
            self.failed,
            self.simulated.as_secs_f64() / 3_600.0,
            counts.leaderships,
            counts.settled,
            counts.written,
            counts.unknown,
            counts.repeats,
            counts.read,
            counts.installs,
            self.healed_in.as_secs_f64(),
        )
    }
}

/// Runs seeds on `threads` threads; `each` hears of every end.
pub fn run_seeds(
    seeds: Range<u64>,
    threads: usize,
    plant: Option<Plant>,
    each: impl Fn(&Ended) + Sync,
) -> Summary {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let ended = run(&Options { seed, plant });
                    each(&ended);
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    summary.add(&ended);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.took = began.elapsed();
    summary
}

impl Summary {
    fn add(&mut self, ended: &Ended) {
        self.seeds += 1;
        self.failed += u64::from(ended.violation.is_some());
        self.simulated += ended.simulated;
        self.healed_in = self.healed_in.max(ended.healed_in);
        let (all, one) = (&mut self.counts, &ended.counts);
        all.written += one.written;
        all.read += one.read;
        all.unknown += one.unknown;
        all.repeats += one.repeats;
        all.installs += one.installs;
        all.leaderships += one.leaderships;
        all.settled += one.settled;
    }
}

/// A run in words: the seed, what broke, what went wrong, the last events.
pub fn describe(ended: &Ended, events: usize) -> String {
    let mut text = format!(
        "seed {}, {} nodes (trace {}): ",
        ended.seed, ended.nodes, ended.digest
    );
    match &ended.violation {
        None => text.push_str(&format!(
            "all promises held, healed in {:.2} s; {:?}\n",
            ended.healed_in.as_secs_f64(),
            ended.counts
        )),
        Some(violation) => text.push_str(&format!(
            "{} broken at {:.3} s\n  {}\n",
            violation.invariant,
            violation.at.as_secs_f64(),
            violation.what
        )),
    }
    text.push_str("  faults:\n");
    for fault in &ended.faults {
        text.push_str(&format!("    {fault}\n"));
    }
    text.push_str("  last events:\n");
    let skip = ended.trace.len().saturating_sub(events);
    for line in ended.trace.iter().skip(skip) {
        text.push_str(&format!("    {line}\n"));
    }
    text.push_str(&format!(
        "  again: cargo run -p consensus -- --seed {}\n",
        ended.seed
    ));
    text
}
