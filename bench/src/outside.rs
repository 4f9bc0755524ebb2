//! Emulated modems for a fleet, one at each node, and when a text left through which.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use emulator::control::Client;
use emulator::event::Event;
use emulator::modem::{Between, ModemConfig};
use emulator::{World, WorldConfig};
use tokio::task::JoinSet;

use crate::fleet::{NODES, TemporaryDir};

/// What a GSM line takes for one part.
const SUBMIT_MS: Between = Between([2_500, 4_500]);

/// A modem of one node.
pub(crate) struct Sim {
    pub(crate) port: PathBuf,
    pub(crate) number: String,
}

/// A part that a modem handed to the network.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) modem: String,
    pub(crate) to: String,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
}

pub(crate) struct Outside {
    world: World,
    left: Arc<Mutex<Vec<Left>>>,
    _watching: JoinSet<()>,
    /// Dropped last: the ports are in it.
    _dir: TemporaryDir,
}

impl Outside {
    pub(crate) async fn start(disk: &Path) -> Result<Self> {
        let dir = TemporaryDir::new(disk)?;
        let mut config = WorldConfig::new(dir.path());
        for index in 0..NODES {
            let mut modem = ModemConfig::new(&format!("m{index}"), &number(index));
            modem.knobs.submit_ms = SUBMIT_MS;
            config.modems.push(modem);
        }
        let world = World::start(config).await;
        let world = world.context("the emulated network does not start")?;
        let control = Client::connect(world.control_socket()).await?;
        let mut events = control.subscribe().await?;
        let left = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&left);
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            while let Ok(event) = events.next().await {
                if let Event::Submitted {
                    modem, to, at_ms, ..
                } = event
                {
                    let left = Left { modem, to, at_ms };
                    log.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(left);
                }
            }
        });
        Ok(Self {
            world,
            left,
            _watching: watching,
            _dir: dir,
        })
    }

    /// The modems, in the nodes' order.
    pub(crate) fn sims(&self) -> Vec<Sim> {
        let sim = |index: usize| Sim {
            port: self.world.port(&format!("m{index}")),
            number: number(index),
        };
        (0..NODES).map(sim).collect()
    }

    /// Everything that left so far, in order.
    pub(crate) fn left(&self) -> MutexGuard<'_, Vec<Left>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn stop(self) {
        self.world.stop().await;
    }
}

fn number(index: usize) -> String {
    format!("+35850333000{index}")
}
