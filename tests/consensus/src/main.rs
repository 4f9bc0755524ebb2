//! `cargo run -p consensus -- --seeds 0..100`: runs seeds and tells of promises broken.
#![expect(
    clippy::print_stdout,
    reason = "a program people run to read what it prints"
)]

use std::process::ExitCode;

use consensus::{Options, Plant, describe, plants, run, run_seeds};

const USAGE: &str = "usage: --seeds A..B [--threads N] [--plant NAME]   runs seeds A to B-1
       --seed N [--events M] [--plant NAME]   runs one, and prints its end
       --plants   names the bugs that can be planted";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|word| word == name)?;
        arguments.get(at + 1).cloned()
    };
    if arguments.iter().any(|word| word == "--plants") {
        for (_, name, caught_by) in plants::ALL {
            println!("{name}: caught by {}", caught_by.join(" or "));
        }
        return ExitCode::SUCCESS;
    }
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    let plant = value("--plant").as_deref().and_then(Plant::named);
    if let Some(seed) = number("--seed") {
        let ended = run(&Options { seed, plant });
        println!(
            "{}",
            describe(
                &ended,
                usize::try_from(number("--events").unwrap_or(40)).unwrap_or(40)
            )
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
    let threads = usize::try_from(number("--threads").unwrap_or(cores)).unwrap_or(1);
    let summary = run_seeds(from..to, threads, plant, |ended| {
        if ended.violation.is_some() {
            println!("{}", describe(ended, 25));
        }
    });
    println!("{summary}");
    code(summary.failed == 0)
}

fn code(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
