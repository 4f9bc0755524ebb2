//! Many seeds at once, each on a thread of its own; and what to make of one that fails.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::run::{Ended, Options, run};

/// A seed that broke a promise, with the fewest faults that still do.
#[derive(Debug)]
pub struct Failure {
    pub ended: Ended,
    pub shrunk: Option<Ended>,
}

/// What a number of seeds came to.
#[derive(Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    pub failures: Vec<Failure>,
    pub simulated: Duration,
    pub entries: u64,
    pub texts: u64,
    pub islands: u64,
    pub took: Duration,
}

/// Runs one seed on this thread.
pub fn run_seed(options: &Options) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(run(options))
}

/// Runs seeds on `threads` threads; `each` hears of every end.
pub fn run_seeds(seeds: Range<u64>, threads: usize, each: impl Fn(&Ended) + Sync) -> Summary {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Summary::default());
    let (seeds, each, next, all) = (&seeds, &each, &next, &summary);
    std::thread::scope(|scope| {
        let workers = threads.max(1);
        for worker in 0..workers {
            scope.spawn(move || {
                stay_on_one_core(worker, workers);
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let options = Options {
                        seed,
                        ..Options::default()
                    };
                    let ended = run_seed(&options);
                    each(&ended);
                    let shrunk = ended.violation.is_some().then(|| shrink(&options, &ended));
                    let mut summary = all.lock().unwrap_or_else(PoisonError::into_inner);
                    summary.seeds += 1;
                    summary.simulated += ended.simulated;
                    summary.entries += ended.entries;
                    summary.texts += ended.texts as u64;
                    summary.islands += ended.islands;
                    if ended.violation.is_some() {
                        summary.failures.push(Failure {
                            ended,
                            shrunk: shrunk.flatten(),
                        });
                    }
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.took = began.elapsed();
    summary
}

/// Keeps this thread, and those it starts for databases, on one of the cores it may use, if these workers have them all: a
/// run hands every statement to another thread and waits, and waking one on another core takes longer than the statement.
fn stay_on_one_core(worker: usize, workers: usize) {
    let Ok(mine) = sched_getaffinity(None) else {
        return;
    };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|core| mine.is_set(*core))
        .collect();
    if workers < cores.len() {
        return;
    }
    let mut one = CpuSet::new();
    if let Some(core) = cores.get(worker % cores.len().max(1)) {
        one.set(*core);
        _ = sched_setaffinity(None, &one); // it only takes longer otherwise
    }
}

/// Leaves out fault after fault as long as the same promise still breaks.
pub fn shrink(options: &Options, failed: &Ended) -> Option<Ended> {
    let broken = failed.violation.as_ref()?.invariant;
    let mut best: Option<Ended> = None;
    let mut without: BTreeSet<usize> = options.without.clone();
    for place in 0..failed.faults.len() {
        let mut fewer = without.clone();
        fewer.insert(place);
        let ended = run_seed(&Options {
            without: fewer.clone(),
            ..options.clone()
        });
        if ended
            .violation
            .as_ref()
            .is_some_and(|v| v.invariant == broken)
        {
            without = fewer;
            best = Some(ended);
        }
    }
    best
}

/// A failed run in words: the seed, what broke, what went wrong, and the last events.
pub fn describe(ended: &Ended, events: usize) -> String {
    let mut text = format!("seed {} (trace {}): ", ended.seed, ended.digest);
    let Some(violation) = &ended.violation else {
        text.push_str("all promises held");
        return text;
    };
    text.push_str(&format!(
        "{} broken at {:.3} s\n  {}\n  faults:\n",
        violation.invariant,
        violation.at.as_secs_f64(),
        violation.what
    ));
    for fault in &ended.faults {
        text.push_str(&format!("    {fault}\n"));
    }
    text.push_str("  last events:\n");
    let skip = violation.last.len().saturating_sub(events);
    for line in violation.last.iter().skip(skip) {
        text.push_str(&format!("    {line}\n"));
    }
    text.push_str(&format!(
        "  again: cargo run -p simulation -- simulate --seed {}\n",
        ended.seed
    ));
    text
}
