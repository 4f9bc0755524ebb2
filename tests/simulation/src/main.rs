//! `cargo run -p simulation -- simulate --seeds 0..1000`: runs seeds and tells of the first promises broken.
#![expect(
    clippy::print_stdout,
    reason = "a program people run to read what it prints"
)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use simulation::{Options, Plant, describe, plants, run_seed, run_seeds};

const USAGE: &str = "usage: simulate --seeds A..B [--threads N]   runs seeds A to B-1
       simulate --seed N [--events M] [--without I,J] [--plant NAME]   runs one, and prints its end
       simulate --plants   names the bugs that can be planted";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "simulate")
        .collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|word| word == name)?;
        arguments.get(at + 1).cloned()
    };
    if arguments.iter().any(|word| word == "--plants") {
        for plant in plants::ALL {
            println!("{}: caught by {}", plant.name, plant.caught_by.join(" or "));
        }
        return ExitCode::SUCCESS;
    }
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("--seed") {
        let without = value("--without").unwrap_or_default();
        let options = Options {
            seed,
            plant: value("--plant").as_deref().and_then(Plant::named),
            without: without
                .split(',')
                .filter_map(|place| place.parse().ok())
                .collect(),
        };
        let ended = run_seed(&options);
        let events = number("--events").unwrap_or(60);
        println!(
            "{}",
            describe(&ended, usize::try_from(events).unwrap_or(60))
        );
        return code(ended.violation.is_none());
    }
    let range = value("--seeds");
    let range = range.as_deref().and_then(|range| range.split_once(".."));
    let Some((Ok(from), Ok(to))) = range.map(|(from, to)| (from.parse(), to.parse())) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let threads = number("--threads").unwrap_or(cores);
    let done = AtomicU64::new(0);
    let summary = run_seeds(from..to, usize::try_from(threads).unwrap_or(1), |ended| {
        if ended.violation.is_some() {
            println!("{}", describe(ended, 0));
        }
        let done = done.fetch_add(1, Ordering::SeqCst) + 1;
        if done.is_multiple_of(100) {
            println!("{done} seeds");
        }
    });
    for failure in &summary.failures {
        println!(
            "{}",
            describe(failure.shrunk.as_ref().unwrap_or(&failure.ended), 25)
        );
    }
    println!(
        "{} seeds in {:.0} s ({:.0} a minute): {} failed; {:.1} h simulated, {} entries, {} texts left, {} islands",
        summary.seeds,
        summary.took.as_secs_f64(),
        summary.seeds as f64 / summary.took.as_secs_f64() * 60.0,
        summary.failures.len(),
        summary.simulated.as_secs_f64() / 3_600.0,
        summary.entries,
        summary.texts,
        summary.islands
    );
    code(summary.failures.is_empty())
}

fn code(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
