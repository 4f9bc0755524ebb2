//! Seeds that must hold every promise, and planted bugs that must be caught.

use consensus::{Options, Plant, describe, plants, run, run_seeds};

/// Events of a failed run that are printed.
const EVENTS: usize = 60;

/// Seeds tried for each planted bug: without `tokio_unstable` chance differs a little from run to run.
const TRIES: u64 = 8;

/// Each planted bug, and the first seed that shows it.
const CAUGHT: &[(Plant, u64)] = &[
    (Plant::RequestsForgotten, 0),
    (Plant::ReadsWithoutIndex, 0),
    (Plant::NoPreVote, 3),
    (Plant::UnknownIsYes, 0),
];

#[test]
fn a_cluster_in_turmoil_keeps_its_promises() {
    let summary = run_seeds(1..4, 1, None, |ended| {
        assert!(ended.violation.is_none(), "{}", describe(ended, EVENTS));
    });
    println!("{summary}");
    assert!(summary.counts.written > 500, "too little done: {summary}");
}

#[test]
fn planted_bugs_are_caught() {
    for (plant, first) in CAUGHT {
        let known = plants::ALL.iter().find(|(known, _, _)| known == plant);
        let caught = (*first..first + TRIES).any(|seed| {
            let plant = Some(*plant);
            let broken = run(&Options { seed, plant }).violation;
            broken.is_some_and(|broken| {
                known.is_some_and(|(_, _, by)| by.contains(&broken.invariant))
            })
        });
        assert!(caught, "{} showed in no seed from {first}", plant.name());
    }
}

/// Needs `RUSTFLAGS="--cfg tokio_unstable"`: without it tokio draws chance of its own that nobody can seed (README).
#[cfg(tokio_unstable)]
#[test]
fn a_seed_replays_exactly() {
    for seed in [0, 3] {
        let options = Options { seed, plant: None };
        let (first, second) = (run(&options), run(&options));
        assert_eq!(first.trace, second.trace, "seed {seed}");
    }
}
