//! Seeds that must hold every promise, a seed run twice, and planted bugs that must be caught.
use std::ops::Range;

use simulation::{Options, Plant, describe, plants, run_seed, run_seeds};

/// Events of a failed run that are printed.
const EVENTS: usize = 60;

/// Each planted bug must show within so many seeds.
const SEEDS_PER_PLANT: u64 = 60;

fn hold(seeds: Range<u64>) {
    let summary = run_seeds(seeds, 1, |_| {});
    let failed: Vec<String> = summary
        .failures
        .iter()
        .map(|failure| describe(failure.shrunk.as_ref().unwrap_or(&failure.ended), EVENTS))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn seeds_0_to_49_hold_every_promise() {
    hold(0..50);
}

#[test]
fn seeds_50_to_99_hold_every_promise() {
    hold(50..100);
}

#[test]
fn seeds_100_to_149_hold_every_promise() {
    hold(100..150);
}

#[test]
fn seeds_150_to_199_hold_every_promise() {
    hold(150..200);
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 17, 42, 4_711] {
        let options = Options {
            seed,
            ..Options::default()
        };
        let (first, second) = (run_seed(&options), run_seed(&options));
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_eq!(first.events, second.events, "seed {seed}");
        assert!(first.events > 100, "seed {seed} did next to nothing");
    }
}

#[test]
fn every_planted_bug_is_caught() {
    let mut missed = Vec::new();
    for plant in plants::ALL {
        match catch(*plant) {
            Some((seed, invariant)) => {
                println!("| {} | {invariant} | {seed} |", plant.name);
                if seed != plant.shown_by {
                    println!("no longer in seed {}", plant.shown_by);
                }
                assert!(
                    plant.caught_by.contains(&invariant),
                    "{} was caught by {invariant} in seed {seed}",
                    plant.name
                );
            }
            None => missed.push(plant.name),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
    assert!(plants::ALL.len() >= 10);
}

/// A seed in which a planted bug breaks a promise, and which: the one that last showed it, else the first that does.
fn catch(plant: Plant) -> Option<(u64, &'static str)> {
    std::iter::once(plant.shown_by)
        .chain(0..SEEDS_PER_PLANT)
        .find_map(|seed| {
            let options = Options {
                seed,
                plant: Some(plant),
                ..Options::default()
            };
            let violation = run_seed(&options).violation?;
            Some((seed, violation.invariant))
        })
}

#[test]
fn names_of_planted_bugs_are_unique() {
    for plant in plants::ALL {
        assert_eq!(Plant::named(plant.name).unwrap(), *plant);
    }
}
