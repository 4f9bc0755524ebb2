//! `holdfast demo`: three nodes, three modems and two mail servers on this machine. Everything shown is production code;
//! only the far ends, the mobile network and the mailboxes, are emulated.

mod hand;
mod nodes;
mod organisation;
mod report;
mod story;
mod world;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde_json::json;
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use self::nodes::Fleet;
use self::report::Report;
use self::world::Outside;
use crate::cli::Context;
use crate::cli::args::Demo;
use crate::output::{Done, Exit, Failure};

/// The whole story, however it goes.
const STORY_TIME: Duration = Duration::from_secs(170);

/// How often the demo looks whether a node has ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn demo(context: &Context, demo: Demo) -> Done {
    if let Some(command) = demo.command {
        return hand::hand(context, command).await;
    }
    let mut place = Place::new(demo.dir)?;
    let started = Instant::now();
    let mut stop = Stop::new()?;
    let outside = Outside::start(&place.dir.join("world")).await?;
    context.output.note("starting three nodes ...");
    let fleet = select! {
        fleet = Fleet::start(&place.dir, &outside) => fleet,
        () = stop.asked() => Err(anyhow!("interrupted")),
    };
    let mut fleet = match fleet {
        Ok(fleet) => fleet,
        Err(error) => {
            place.keep();
            outside.stop().await;
            let hint = format!(
                "the nodes did not start; their logs are in {}",
                place.dir.display()
            );
            return Err(error.context(hint).into());
        }
    };
    let done = if demo.once {
        once(context, &mut fleet, &outside, &mut stop, started).await
    } else {
        stay(context, &mut fleet, &outside, &mut stop).await
    };
    fleet.stop().await;
    outside.stop().await;
    if done
        .as_ref()
        .is_err_and(|failure| failure.exit != Exit::Interrupted)
    {
        place.keep();
        context.output.note(format!(
            "the nodes' logs and files are kept in {}",
            place.dir.display()
        ));
    }
    done
}

async fn once(
    context: &Context,
    fleet: &mut Fleet,
    outside: &Outside,
    stop: &mut Stop,
    started: Instant,
) -> Done {
    let report = select! {
        report = timeout(STORY_TIME, story::play(fleet, outside, context.output, started)) => report,
        () = stop.asked() => return Err(Failure::new(Exit::Interrupted, "interrupted")),
    };
    let broken = vec![format!(
        "the story did not end within {} s",
        STORY_TIME.as_secs()
    )];
    let report = report.unwrap_or_else(|_| Report {
        broken,
        ..Report::default()
    });
    let object = serde_json::to_value(&report).context("the report cannot be written")?;
    context
        .output
        .data(&object, || report.table(context.output));
    if report.ok {
        return Ok(());
    }
    Err(
        Failure::new(Exit::VerificationFailed, "not every promise held")
            .reported(context.output.json),
    )
}

/// Stays up and says how to try it by hand.
async fn stay(context: &Context, fleet: &mut Fleet, outside: &Outside, stop: &mut Stop) -> Done {
    let client = fleet.client(Duration::from_secs(20))?;
    organisation::set_up(&client).await?;
    let codes = organisation::invite(&client).await?;
    fleet.channels_up(Duration::from_secs(40)).await?;
    let nodes: Vec<_> = fleet
        .nodes
        .iter()
        .map(|n| json!({ "node": n.id, "https": n.url(), "pid": n.pid(), "config": n.config, "number": n.number }))
        .collect();
    let world = outside.control_socket();
    let object = json!({ "ok": true, "nodes": nodes, "key_file": fleet.key_file, "ca_file": fleet.ca_file, "world": world,
        "accounts": codes.iter().map(|(account, role, code)| json!({ "account": account, "role": role, "code": code })).collect::<Vec<_>>() });
    context
        .output
        .data(&object, || hand::how_to(fleet, &world, &codes));
    let mut noted = vec![false; fleet.nodes.len()];
    loop {
        select! {
            () = stop.asked() => return Ok(()),
            () = sleep(LOOK_EVERY) => {}
        }
        for (node, noted) in fleet.nodes.iter_mut().zip(&mut noted) {
            if node.has_ended() && !*noted {
                *noted = true;
                let program = hand::program();
                context.output.note(format!(
                    "node {} ended; start it again with: {program} --config {} run &",
                    node.id,
                    node.config.display()
                ));
            }
        }
    }
}

/// Where a demo's files are.
struct Place {
    dir: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn new(dir: Option<PathBuf>) -> Result<Self, anyhow::Error> {
        if let Some(dir) = dir {
            let dir = std::path::absolute(dir).context("the folder has no whole path")?;
            std::fs::create_dir_all(&dir)
                .with_context(|| format!("cannot make {}", dir.display()))?;
            if is_used(&dir) {
                return Err(anyhow!("{} is not empty; name a new folder", dir.display()));
            }
            return Ok(Self {
                dir,
                temporary: None,
            });
        }
        let temporary = tempfile::Builder::new()
            .prefix("holdfast-demo-")
            .tempdir()
            .context("cannot make a folder for the demo")?;
        Ok(Self {
            dir: temporary.path().to_owned(),
            temporary: Some(temporary),
        })
    }

    /// Leaves the files for somebody to look at.
    fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            self.dir = temporary.keep();
        }
    }
}

fn is_used(dir: &Path) -> bool {
    std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_some())
}

/// Ctrl-C and SIGTERM.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self, anyhow::Error> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
