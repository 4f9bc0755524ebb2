//! `bench`: what three Holdfast nodes on this machine do per second, how long a dead leader is missed, and how much
//! memory they hold. Prints one JSON object per measurement on standard output and a table for people on standard error.
//!
//! The nodes are processes of the program itself; nothing of them runs in here. What a figure contains and leaves out
//! stands in README.md. Reading order: [`fleet`] (three nodes), [`client`] (one HTTPS connection), then the three
//! measurements.

mod apply;
mod apps;
mod beside;
mod client;
mod closed_loop;
mod commits;
mod failover;
mod fan_out;
mod fleet;
mod memory;
mod on_call;
mod others;
mod outside;
mod peers;
mod rejoin;
mod report;
mod sign_in;
mod storm;
mod transfer;
mod usage;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Parser, Subcommand};
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};

use crate::fleet::Fleet;
use crate::outside::{Outside, Sim};
use crate::report::Report;
use crate::storm::Storm;
use crate::workload::Paging;

/// Measures three Holdfast nodes on this machine.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct Place {
    /// The program to measure [default: holdfast beside this program]
    #[arg(long, global = true, value_name = "PATH")]
    holdfast: Option<PathBuf>,
    /// Where to make the temporary folder with the nodes' files; its disk is what is measured
    #[arg(long, global = true, value_name = "FOLDER")]
    disk: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Accepted alerts per second and their latency
    Commits(Commits),
    /// From the leader's kill to the next accepted alert
    Failover(Failover),
    /// Resident memory and processor time at rest, and memory after a load
    Memory(Memory),
    /// One alert to very many people, and others' alerts meanwhile
    FanOut {
        /// People in the one alert
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
        people: u32,
    },
    /// Planned hand-overs of leadership under a light load
    Transfer {
        /// How often leadership is handed over
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        times: u32,
    },
    /// The floor of the commit path: raises applied to one node's state, with nothing around it
    Apply {
        /// Length of the measurement at each size of batch
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
        seconds: u64,
    },
    /// Who is on call in many schedules, read from one node's state
    OnCall {
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=5_000))]
        schedules: u32,
        /// Length of the measurement
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
        seconds: u64,
    },
    /// Many programs that alarm at once, and a person who raises alerts meanwhile
    Storm {
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        webhooks: u32,
        /// How many sources they come from; each number is a storm of its own
        #[arg(long, value_delimiter = ',', default_value = "300,1", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        sources: Vec<u32>,
        /// Time over which they are sent
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
    /// Apps open on one node when an alert is raised at another
    Apps {
        /// How many; each number is measured by itself
        #[arg(long, value_delimiter = ',', default_value = "1000,5000", value_parser = clap::value_parser!(u32).range(1..=6_000))]
        apps: Vec<u32>,
        /// Alerts raised one after another
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
        alerts: u32,
    },
    /// Wrong passwords: whether the time tells which names exist, and alerts while all doors are crowded
    SignIn {
        /// Names that exist, and as many that do not
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        names: u32,
        /// Doors that are crowded; each number is measured by itself
        #[arg(long, value_delimiter = ',', default_value = "1,3", value_parser = clap::value_parser!(u16).range(1..=3))]
        doors: Vec<u16>,
        /// How long strangers crowd them
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=300))]
        seconds: u64,
    },
    /// A follower killed, entries written without it, started again: until it answers, until it has caught up
    Rejoin {
        /// Log entries it misses
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        entries: u32,
    },
    /// Accepted alerts beside puts into etcd and publishes into NATS JetStream, one after the other at each level
    Beside(Commits),
    /// Leader kills of Holdfast and etcd in turn
    FailoverBeside(Failover),
    /// Everything: memory and commits on one cluster, then failover on a fresh one
    All {
        #[command(flatten)]
        commits: Commits,
        #[command(flatten)]
        failover: Failover,
        #[command(flatten)]
        memory: People,
    },
}

#[derive(Args, Clone, Debug)]
struct Commits {
    /// Length of one measurement
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// Clients that each raise one alert after another
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256", value_parser = clap::value_parser!(u16).range(1..=480))]
    clients: Vec<u16>,
    /// Whether the person is to be told in a week or at once; both are measured in turn by default
    #[arg(long, value_enum, value_delimiter = ',', default_value = "later,now")]
    paging: Vec<Paging>,
}

#[derive(Args, Clone, Debug)]
struct Failover {
    /// How often the leader is killed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    kills: u32,
}

#[derive(Args, Clone, Debug)]
struct People {
    /// People the cluster knows
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    people: u32,
}

#[derive(Args, Clone, Debug)]
struct Memory {
    #[command(flatten)]
    people: People,
    /// Length of the load
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
}

/// People known in measurements that are not about memory: enough that nobody runs out of codes.
const PEOPLE: u32 = 10_000;

/// Clients of the load between the two memory measurements.
const MEMORY_CLIENTS: u16 = 64;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::note(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let holdfast = match cli.place.holdfast {
        Some(path) => path,
        None => beside_this_program()?,
    };
    let holdfast = std::fs::canonicalize(&holdfast).with_context(|| {
        format!(
            "there is no program {}; build it with `cargo build --release -p holdfast`, or say --holdfast PATH",
            holdfast.display()
        )
    })?;
    let disk = cli.place.disk.unwrap_or_else(std::env::temp_dir);
    // Nodes end with the thread that started them (prctl(2)): the main thread, which lives as long as this program.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let site = Site { holdfast, disk };
    runtime.block_on(async {
        let mut report = Report::default();
        let done = select! {
            done = Box::pin(measure(&cli.command, &site, &mut report)) => done,
            stopped = stopped() => stopped,
        };
        report.table();
        done
    })
}

/// What is measured, and on which disk.
struct Site {
    holdfast: PathBuf,
    disk: PathBuf,
}

impl Site {
    async fn fleet(&self, people: u32) -> Result<Fleet> {
        self.fleet_with(people, &[]).await
    }

    async fn fleet_with(&self, people: u32, sims: &[Sim]) -> Result<Fleet> {
        report::note("starting three nodes ...");
        let fleet = Fleet::start(&self.holdfast, &self.disk, sims).await?;
        workload::import(&fleet, people).await?;
        Ok(fleet)
    }
}

async fn measure(command: &Command, site: &Site, report: &mut Report) -> Result<()> {
    report.machine()?;
    match command {
        Command::Commits(wanted) => {
            let fleet = site.fleet(PEOPLE).await?;
            let done = commit_levels(&fleet, wanted, PEOPLE, report).await;
            fleet.explained(done)
        }
        Command::Failover(wanted) => fail_over(site, wanted, report).await,
        Command::FanOut { people } => {
            let fleet = site.fleet(*people).await?;
            let done = fan_out::measure(&fleet, *people, report).await;
            fleet.explained(done)
        }
        Command::Transfer { times } => {
            let fleet = site.fleet(PEOPLE).await?;
            let done = transfer::measure(&fleet, *times, PEOPLE, report).await;
            fleet.explained(done)
        }
        Command::Apply { seconds } => {
            apply::measure(&site.disk, Duration::from_secs(*seconds), report).await
        }
        Command::OnCall { schedules, seconds } => {
            let time = Duration::from_secs(*seconds);
            on_call::measure(&site.disk, *schedules, time, report).await
        }
        Command::Storm {
            webhooks,
            sources,
            seconds,
        } => {
            let over = Duration::from_secs(*seconds);
            storms(site, *webhooks, sources, over, report).await
        }
        Command::Apps { apps, alerts } => {
            for apps in apps {
                let fleet = site.fleet(PEOPLE).await?;
                let done = apps::measure(&fleet, *apps, *alerts, report).await;
                fleet.explained(done)?;
            }
            Ok(())
        }
        Command::SignIn {
            names,
            doors,
            seconds,
        } => {
            let fleet = site.fleet(PEOPLE).await?;
            let time = Duration::from_secs(*seconds);
            let done = sign_in::measure(&fleet, *names, doors, time, report).await;
            fleet.explained(done)
        }
        Command::Rejoin { entries } => {
            let mut fleet = site.fleet(PEOPLE).await?;
            let done = rejoin::measure(&mut fleet, *entries, PEOPLE, report).await;
            fleet.explained(done)
        }
        Command::Beside(wanted) => beside::commits(site, wanted, report).await,
        Command::FailoverBeside(wanted) => beside::fail_over(site, wanted.kills, report).await,
        Command::Memory(wanted) => {
            let people = wanted.people.people;
            let fleet = site.fleet(people).await?;
            let load = Commits {
                seconds: wanted.seconds,
                clients: vec![MEMORY_CLIENTS],
                paging: vec![Paging::Later],
            };
            let done = around(&fleet, &load, people, report).await;
            fleet.explained(done)
        }
        Command::All {
            commits,
            failover,
            memory,
        } => {
            let fleet = site.fleet(memory.people).await?;
            let done = around(&fleet, commits, memory.people, report).await;
            fleet.explained(done)?;
            drop(fleet);
            fail_over(site, failover, report).await
        }
    }
}

/// Memory at rest, a load, memory after it.
async fn around(fleet: &Fleet, load: &Commits, people: u32, report: &mut Report) -> Result<()> {
    memory::measure(fleet, "at rest", report).await?;
    commit_levels(fleet, load, people, report).await?;
    memory::measure(fleet, "after load", report).await
}

async fn commit_levels(
    fleet: &Fleet,
    wanted: &Commits,
    people: u32,
    report: &mut Report,
) -> Result<()> {
    for paging in &wanted.paging {
        for clients in &wanted.clients {
            let seconds = Duration::from_secs(wanted.seconds);
            commits::measure(fleet, *clients, seconds, *paging, people, report).await?;
        }
    }
    Ok(())
}

/// One storm after the other, each on a cluster and a network of its own: nobody is quiet again within minutes.
async fn storms(
    site: &Site,
    webhooks: u32,
    sources: &[u32],
    over: Duration,
    report: &mut Report,
) -> Result<()> {
    for sources in sources.iter().copied() {
        let outside = Outside::start(&site.disk).await?;
        let fleet = site.fleet_with(PEOPLE, &outside.sims()).await?;
        let storm = Storm {
            sources,
            webhooks,
            over,
        };
        let done = storm::measure(&fleet, &outside, storm, report).await;
        fleet.explained(done)?;
        drop(fleet);
        outside.stop().await;
    }
    Ok(())
}

async fn fail_over(site: &Site, wanted: &Failover, report: &mut Report) -> Result<()> {
    let mut fleet = site.fleet(PEOPLE).await?;
    let done = failover::measure(&mut fleet, wanted.kills, PEOPLE, report).await;
    fleet.explained(done)
}

/// Waits for Ctrl-C or SIGTERM, so that the nodes are stopped and their files removed.
async fn stopped() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Err(anyhow!("stopped before the end"))
}

fn beside_this_program() -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(this.with_file_name("holdfast"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }
}
