//! Real processes under faults from outside, judged by the promises to the customer.
//!
//! `chaos run --seed N --minutes M` starts the demo's three nodes, raises alerts at all of them without pause, and
//! meanwhile kills, freezes and power-cuts nodes as the seed says. Then everything is healed and every promise is
//! demanded: each accepted alert is there once on every node, all nodes tell the same story, and every open alert has a
//! next action. Exit code 0 only if all held.

mod cluster;
mod faults;
mod load;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::cluster::Cluster;
use crate::faults::Fault;
use crate::load::Load;

#[derive(Parser)]
#[command(about = "Breaks a running Holdfast cluster and judges what is left")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs faults under load and prints one JSON object.
    Run {
        /// The same seed gives the same faults in the same order. Without one, it is drawn and printed.
        #[arg(long)]
        seed: Option<u64>,
        /// How long faults go on.
        #[arg(long, default_value_t = 1.0)]
        minutes: f64,
        /// The program under test; by default the one built beside this one.
        #[arg(long)]
        holdfast: Option<PathBuf>,
    },
    /// Lists the faults there are.
    List,
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::List => {
            for fault in Fault::ALL {
                say(&format!("{:<10} {}", fault.name(), fault.about()));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Run {
            seed,
            minutes,
            holdfast,
        } => run(
            seed.unwrap_or_else(rand::random),
            Duration::from_secs_f64(minutes.clamp(0.05, 24.0 * 60.0) * 60.0),
            holdfast.map_or_else(beside, Ok)?,
        ),
    }
}

fn beside() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("holdfast"))
}

fn run(seed: u64, length: Duration, holdfast: PathBuf) -> Result<ExitCode> {
    note(&format!("seed {seed}"));
    let mut chance = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::start(holdfast).context("the cluster did not start")?;
    let load = Load::start(&cluster.access(), seed);
    let began = Instant::now();
    let mut faults = Vec::new();
    while began.elapsed() < length {
        let fault = Fault::draw(&mut chance);
        note(&format!(
            "{:>6.1} s  {}",
            began.elapsed().as_secs_f64(),
            fault.name()
        ));
        fault.inflict(&mut cluster, &mut chance)?;
        faults.push(fault.name());
    }
    cluster.heal()?;
    let accepted = load.stop();
    let verdict = verdict::judge(&cluster, &accepted);
    say(&serde_json::to_string(&serde_json::json!({
        "ok": verdict.is_empty(),
        "seed": seed,
        "faults": faults,
        "alerts_accepted": accepted.len(),
        "broken": verdict,
    }))?);
    Ok(if verdict.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stdout, reason = "the answer of a command-line program")]
fn say(line: &str) {
    println!("{line}");
}

fn note(line: &str) {
    eprintln!("{line}");
}
