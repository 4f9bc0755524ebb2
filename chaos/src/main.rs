//! Real processes under faults from outside, judged by the promises to the customer.
//!
//! `chaos run --seed N --minutes M` makes a site per node, each with a network namespace of its own and several uplinks,
//! runs a cluster in them, and has clients raise, answer, acknowledge, resolve and read alerts while the seed's faults
//! strike. Then everything is healed and every promise is demanded. Exit code 0 only if all held.

mod book;
mod client;
mod cluster;
mod director;
mod disk;
mod fault;
mod history;
mod judge;
mod load;
mod network;
mod node;
mod report;
mod run;
mod sandbox;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use crate::fault::Kind;
use crate::run::{Plan, Programs, RunRecord};

#[derive(Parser)]
#[command(about = "Breaks a running Holdfast cluster and judges what is left")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lets faults strike under load, prints one JSON object and writes a report
    Run {
        #[command(flatten)]
        plan: PlanArguments,
        #[command(flatten)]
        place: Place,
    },
    /// Lists the faults there are
    List,
    /// The same faults once more, by the record of a run or by its seed
    Replay {
        /// run.json of an earlier run, or a seed
        run: String,
        #[command(flatten)]
        place: Place,
    },
    /// Writes report.html beside the record of a run once more
    Report {
        /// run.json of an earlier run
        run: PathBuf,
    },
    /// A short run for every change; where the machine lacks what it needs, says so and is skipped, except in CI
    Smoke {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
struct PlanArguments {
    /// The same seed gives the same faults in the same order. Without one, it is drawn and printed
    #[arg(long)]
    seed: Option<u64>,
    /// How long faults go on
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Nodes, each at a site of its own
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=5))]
    nodes: u8,
    /// Only these faults, separated by commas
    #[arg(long, value_delimiter = ',')]
    faults: Vec<Kind>,
    /// Timing profile of the cluster
    #[arg(long, default_value = "wan")]
    profile: String,
}

#[derive(Args)]
struct Place {
    /// Where report.html, run.json and the nodes' logs go [default: target/chaos/seed-N]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder with the programs under test, holdfast, emulator and, for upgrades, holdfast-next [default: beside this one]
    #[arg(long)]
    programs: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::List => {
            for kind in Kind::all() {
                say(&format!("{:<15} {}", kind.name(), kind.about()));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { plan, place } => start(plan.into(), place),
        Command::Replay { run, place } => start(Plan::again(&run)?, place),
        Command::Report { run } => {
            let record = RunRecord::read(&run)?;
            let page = run.with_file_name("report.html");
            std::fs::write(&page, report::html(&record))?;
            say(&page.display().to_string());
            Ok(ExitCode::SUCCESS)
        }
        Command::Smoke { place } => smoke(place),
    }
}

/// A few minutes with a bit of everything, the same in every run.
fn smoke(place: Place) -> Result<ExitCode> {
    let missing = sandbox::missing();
    if missing.is_empty() {
        return start(Plan::smoke(), place);
    }
    let words = missing.join("; ");
    if std::env::var_os("HOLDFAST_CI").is_some_and(|ci| ci == "1") {
        anyhow::bail!("this machine lacks: {words}");
    }
    note(&format!("chaos is skipped; this machine lacks: {words}"));
    Ok(ExitCode::SUCCESS)
}

fn start(plan: Plan, place: Place) -> Result<ExitCode> {
    sandbox::enter()?;
    let beside = std::env::current_exe()?;
    let beside = beside.parent().context("this program is nowhere")?;
    let programs = place.programs.unwrap_or_else(|| beside.to_owned());
    let out = place.out.unwrap_or_else(|| {
        let target = beside.parent().unwrap_or(beside);
        target.join("chaos").join(format!("seed-{}", plan.seed))
    });
    let programs = Programs {
        holdfast: programs.join("holdfast"),
        emulator: programs.join("emulator"),
        next: Some(programs.join("holdfast-next")).filter(|next| next.exists()),
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    let summary = runtime.block_on(run::run(plan, &programs, &out))?;
    say(&serde_json::to_string(&summary)?);
    Ok(if summary.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl From<PlanArguments> for Plan {
    fn from(arguments: PlanArguments) -> Self {
        Self {
            seed: arguments.seed.unwrap_or_else(rand::random),
            minutes: arguments.minutes.clamp(0.05, 24.0 * 60.0),
            nodes: arguments.nodes,
            profile: arguments.profile,
            kinds: if arguments.faults.is_empty() {
                Kind::all()
            } else {
                arguments.faults
            },
            rounds: None,
        }
    }
}

#[expect(clippy::print_stdout, reason = "the answer of a command-line program")]
fn say(line: &str) {
    println!("{line}");
}

pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}
