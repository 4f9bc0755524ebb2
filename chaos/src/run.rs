//! One run from an empty folder to its verdict.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};

use crate::book::{Book, Commit};
use crate::cluster::Cluster;
use crate::director::{Director, Window};
use crate::fault::{Blow, Fault, Kind, Round, Rounds};
use crate::judge::{Figures, Verdict, judge};
use crate::load::Load;
use crate::network::Network;
use crate::world::World;
use crate::{note, report};

/// Lines of a panic shown from a log.
const PANIC_LINES: usize = 3;

/// What is to be done.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    pub(crate) nodes: u8,
    pub(crate) profile: String,
    pub(crate) kinds: Vec<Kind>,
    /// Exactly these instead of what the seed gives.
    pub(crate) rounds: Option<Vec<Round>>,
}

/// The programs under test.
pub(crate) struct Programs {
    pub(crate) holdfast: PathBuf,
    pub(crate) emulator: PathBuf,
    /// The next version, if there.
    pub(crate) next: Option<PathBuf>,
}

/// What is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) ok: bool,
    seed: u64,
    rounds: usize,
    #[serde(flatten)]
    figures: Figures,
    broken: Vec<String>,
    report: PathBuf,
}

/// All there is to know about a run: `run.json`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RunRecord {
    pub(crate) plan: Plan,
    /// Seconds the run took until everything was healed.
    pub(crate) length_s: f64,
    pub(crate) windows: Vec<Window>,
    pub(crate) commits: Vec<Commit>,
    pub(crate) verdict: Verdict,
}

impl Plan {
    /// What every change goes through: known rounds, so that the time is known, too.
    pub(crate) fn smoke() -> Self {
        let round = |blows: &[(Kind, &[u8], u64, u64)]| Round {
            calm_ms: 2_000,
            blows: blows
                .iter()
                .map(|(kind, sites, after_ms, for_ms)| Blow {
                    after_ms: *after_ms,
                    for_ms: *for_ms,
                    fault: Fault {
                        kind: *kind,
                        sites: sites.to_vec(),
                        amount: i64::from(*kind == Kind::ClockStep) * 3_600,
                    },
                })
                .collect(),
        };
        Self {
            seed: 7,
            minutes: 4.0,
            nodes: 3,
            profile: "wan".to_owned(),
            kinds: Kind::all(),
            rounds: Some(vec![
                round(&[
                    (Kind::Kill, &[1], 0, 4_000),
                    (Kind::ClockStep, &[2], 1_000, 8_000),
                ]),
                round(&[(Kind::Partition, &[3], 0, 8_000)]),
                round(&[(Kind::Freeze, &[2], 0, 8_000)]),
                round(&[
                    (Kind::FibreDown, &[1], 0, 6_000),
                    (Kind::ModemHang, &[3], 0, 6_000),
                ]),
                round(&[(Kind::PowerCut, &[1, 2, 3], 0, 1_000)]),
                round(&[(Kind::OneWay, &[1], 0, 6_000)]),
                round(&[(Kind::Upgrade, &[1, 2, 3], 0, 1_000)]),
            ]),
        }
    }

    /// The plan of an earlier run, by its `run.json` or its seed.
    pub(crate) fn again(run: &str) -> Result<Self> {
        if let Ok(seed) = run.parse() {
            return Ok(Self {
                seed,
                minutes: 5.0,
                nodes: 3,
                profile: "wan".to_owned(),
                kinds: Kind::all(),
                rounds: None,
            });
        }
        Ok(RunRecord::read(Path::new(run))?.plan)
    }
}

impl RunRecord {
    /// Reads a `run.json`.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let name = file.display();
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
        serde_json::from_slice(&bytes).with_context(|| format!("{name} is no record of a run"))
    }
}

/// Runs a plan and writes its report to `out`.
pub(crate) async fn run(mut plan: Plan, programs: &Programs, out: &Path) -> Result<Summary> {
    note(&format!(
        "seed {}, {} nodes, {} min",
        plan.seed, plan.nodes, plan.minutes
    ));
    _ = std::fs::remove_dir_all(out); // of an earlier run of this seed, if any
    std::fs::create_dir_all(out)?;
    let out = &std::path::absolute(out)?;
    let dir = tempdir()?;
    let network = Network::start(plan.nodes, plan.seed).context("the sites' networks")?;
    let world = World::start(&programs.emulator, &dir, plan.nodes, plan.seed).await;
    let world = Arc::new(world.context("the emulated world")?);
    let holdfast = &programs.holdfast;
    let cluster = Cluster::start(&dir, plan.nodes, holdfast, &plan.profile, &world).await;
    let cluster = match cluster {
        Ok(cluster) => cluster,
        Err(error) => {
            copy_logs(&dir, out)?;
            _ = std::fs::remove_dir_all(&dir); // the error is what matters
            return Err(error.context(format!("the cluster did not start; see {}", out.display())));
        }
    };
    let began = Instant::now();
    let book = Arc::new(Book::new(began));
    let load = Load::start(&cluster, &world, &book, plan.seed);
    let mut director = Director {
        cluster,
        network,
        world: Arc::clone(&world),
        began,
        windows: Vec::new(),
        next: programs.next.clone(),
        failing: BTreeSet::new(),
        rotten: BTreeSet::new(),
        broken: Vec::new(),
    };
    let played = strike(&mut director, &mut plan).await;
    let healed = director.heal().await;
    load.stop().await;
    let length_s = began.elapsed().as_secs_f64();
    note(&format!("{length_s:>7.1} s  healed; judging"));
    let mut pages = std::mem::take(&mut *book.open());
    let mut verdict = judge(&director.cluster, &world, &pages, &director.windows).await;
    for error in [played, healed].into_iter().filter_map(Result::err) {
        verdict.broken.push(format!("{error:#}"));
    }
    verdict.add(std::mem::take(&mut director.broken));
    for node in &mut director.cluster.nodes {
        _ = node.stop().await; // after the verdict nothing depends on it
        verdict.add(panics(&node.log(), node.site));
    }
    copy_logs(&dir, out)?;
    drop(director.cluster); // its disks are mounted in the folder
    if let Err(error) = std::fs::remove_dir_all(&dir) {
        note(&format!("cannot delete {}: {error}", dir.display()));
    }
    let record = RunRecord {
        plan,
        length_s,
        windows: director.windows,
        commits: std::mem::take(&mut pages.commits),
        verdict,
    };
    std::fs::write(out.join("run.json"), serde_json::to_vec(&record)?)?;
    std::fs::write(
        out.join("history.json"),
        serde_json::to_vec(&pages.records)?,
    )?;
    std::fs::write(out.join("texts.json"), serde_json::to_vec(&world.texts(0))?)?;
    let page = out.join("report.html");
    std::fs::write(&page, report::html(&record))?;
    Ok(Summary {
        ok: record.verdict.broken.is_empty(),
        seed: record.plan.seed,
        rounds: record.plan.rounds.as_ref().map_or(0, Vec::len),
        figures: record.verdict.figures,
        broken: record.verdict.broken,
        report: page,
    })
}

/// Round after round until time is up; leaves those that were played in the plan.
async fn strike(director: &mut Director, plan: &mut Plan) -> Result<()> {
    let known = plan.rounds.take();
    let drawn = Rounds::new(plan.seed, plan.nodes, &plan.kinds);
    let limit = Duration::from_secs_f64(plan.minutes * 60.0);
    let mut rounds: Box<dyn Iterator<Item = Round> + Send> = match known {
        Some(known) => Box::new(known.into_iter()),
        None => Box::new(drawn),
    };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut played = Vec::new();
    let mut result = Ok(());
    while director.began.elapsed() < limit {
        let Some(round) = rounds.next() else { break };
        played.push(round.clone());
        select! {
            done = director.play(&round) => result = done,
            _ = interrupt.recv() => result = Err(anyhow::anyhow!("interrupted")),
            _ = terminate.recv() => result = Err(anyhow::anyhow!("interrupted")),
        }
        if result.is_err() {
            break;
        }
    }
    plan.rounds = Some(played);
    result
}

/// A node that panicked says so in its log.
fn panics(log: &Path, site: u8) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let is_panic = |line: &&&str| line.contains("panicked at");
    let count = lines.iter().filter(is_panic).count();
    if count == 0 {
        return Vec::new();
    }
    let first = lines.iter().position(|line| line.contains("panicked at"));
    let shown = lines[first.unwrap_or(0)..].iter().take(PANIC_LINES);
    let shown: Vec<&str> = shown.copied().collect();
    vec![format!(
        "site {site} panicked {count} times: {}",
        shown.join(" ")
    )]
}

/// A folder with a short name: sockets are in it.
fn tempdir() -> Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("hfc{:08x}", rand::random::<u32>()));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Keeps the nodes' logs.
fn copy_logs(dir: &Path, out: &Path) -> Result<()> {
    for site in 1..=5 {
        let log = dir.join(format!("site{site}/log"));
        if log.exists() {
            std::fs::copy(log, out.join(format!("site{site}.log")))?;
        }
    }
    Ok(())
}
