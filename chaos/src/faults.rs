//! What can happen to the nodes. Each fault is over, or has been made good, when `inflict` returns.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use rand::RngExt as _;
use rustix::process::Signal;

use crate::cluster::Cluster;

/// One kind of trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Kill,
    Freeze,
    PowerCut,
    RollingRestart,
    Calm,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [
        Self::Kill,
        Self::Freeze,
        Self::PowerCut,
        Self::RollingRestart,
        Self::Calm,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::PowerCut => "power-cut",
            Self::RollingRestart => "rolling",
            Self::Calm => "calm",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Kill => "one node ends by kill -9 and starts again after a while",
            Self::Freeze => "one node stands still (SIGSTOP) for up to eight seconds",
            Self::PowerCut => "all nodes end by kill -9 at once and start again",
            Self::RollingRestart => "each node in turn is asked to stop and starts again",
            Self::Calm => "nothing happens for a moment",
        }
    }

    pub(crate) fn draw(chance: &mut impl Rng) -> Self {
        match chance.random_range(0..10) {
            0..=3 => Self::Kill,
            4..=5 => Self::Freeze,
            6 => Self::PowerCut,
            7 => Self::RollingRestart,
            _ => Self::Calm,
        }
    }

    pub(crate) fn inflict(self, cluster: &mut Cluster, chance: &mut impl Rng) -> Result<()> {
        let victim = chance.random_range(0..cluster.len());
        let pause = Duration::from_millis(chance.random_range(200..4_000));
        match self {
            Self::Kill => {
                cluster.kill(victim)?;
                sleep(pause);
                cluster.start_node(victim)?;
            }
            Self::Freeze => {
                cluster.signal(victim, Signal::STOP)?;
                sleep(pause * 2);
                cluster.signal(victim, Signal::CONT)?;
            }
            Self::PowerCut => {
                for node in 0..cluster.len() {
                    cluster.kill(node)?;
                }
                sleep(pause / 4);
                for node in 0..cluster.len() {
                    cluster.start_node(node)?;
                }
                cluster.heal()?;
            }
            Self::RollingRestart => {
                for node in 0..cluster.len() {
                    cluster.signal(node, Signal::TERM)?;
                    sleep(Duration::from_millis(700));
                    // A node that does not stop when asked is killed, as a service manager would.
                    _ = cluster.kill(node);
                    cluster.start_node(node)?;
                    cluster.heal()?;
                }
            }
            Self::Calm => sleep(pause),
        }
        Ok(())
    }
}
