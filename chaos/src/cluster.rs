//! The demo's three nodes, and their processes in our hands.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

/// How long one call of the program may take before it is given up.
const CALL_TIME: &str = "5s";

/// How long the nodes may take to come back after everything is healed.
const HEAL_TIME: Duration = Duration::from_secs(60);

/// Three running nodes.
pub(crate) struct Cluster {
    holdfast: PathBuf,
    demo: Child,
    nodes: Vec<Node>,
    access: Access,
}

/// How a program outside reaches the nodes: the same key at each of them, so that it is the same caller everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    holdfast: PathBuf,
    key_file: String,
    ca_file: String,
    urls: Vec<String>,
}

struct Node {
    config: String,
    /// The process at present: the demo's child at first, ours after the first kill.
    pid: Pid,
    /// Set once we started it ourselves.
    process: Option<Child>,
}

impl Cluster {
    /// Starts `holdfast demo` and takes its nodes over as they are killed.
    pub(crate) fn start(holdfast: PathBuf) -> Result<Self> {
        let mut demo = Command::new(&holdfast)
            .args(["demo", "--json", "--quiet"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {}; build it first", holdfast.display()))?;
        let stdout = demo.stdout.take().context("the demo has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let says: Value =
            serde_json::from_str(&line).context("the demo did not say where its nodes are")?;
        let text = |value: &Value| {
            value
                .as_str()
                .map(str::to_owned)
                .context("the demo left something out")
        };
        let mut nodes = Vec::new();
        let mut urls = Vec::new();
        for node in says["nodes"]
            .as_array()
            .context("the demo named no nodes")?
        {
            let pid = node["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
            urls.push(text(&node["https"])?);
            nodes.push(Node {
                config: text(&node["config"])?,
                pid: pid
                    .and_then(Pid::from_raw)
                    .context("a node has no process")?,
                process: None,
            });
        }
        let access = Access {
            holdfast: holdfast.clone(),
            key_file: text(&says["key_file"])?,
            ca_file: text(&says["ca_file"])?,
            urls,
        };
        Ok(Self {
            holdfast,
            demo,
            nodes,
            access,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn access(&self) -> Access {
        self.access.clone()
    }

    /// Sends a signal to a node's process.
    pub(crate) fn signal(&self, node: usize, signal: Signal) -> Result<()> {
        kill_process(self.nodes[node].pid, signal).context("cannot signal a node")
    }

    /// Kills a node the way a pulled plug does, and waits until it is gone.
    pub(crate) fn kill(&mut self, node: usize) -> Result<()> {
        self.signal(node, Signal::KILL)?;
        let node = &mut self.nodes[node];
        match &mut node.process {
            Some(process) => drop(process.wait()?),
            // The demo reaps it; until then the process is a zombie, which no signal can find alive for long.
            None => {
                let until = Instant::now() + Duration::from_secs(2);
                while test_kill_process(node.pid).is_ok() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
        node.process = None;
        Ok(())
    }

    /// Starts a killed node again.
    pub(crate) fn start_node(&mut self, node: usize) -> Result<()> {
        let process = Command::new(&self.holdfast)
            .args(["--config", &self.nodes[node].config, "run"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a node again")?;
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        self.nodes[node].pid = pid.context("a process without a number")?;
        self.nodes[node].process = Some(process);
        Ok(())
    }

    /// Waits until every node follows a leader and answers.
    pub(crate) fn heal(&mut self) -> Result<()> {
        let until = Instant::now() + HEAL_TIME;
        for node in 0..self.len() {
            while self.ask(node, &["cluster", "status"]).is_none() {
                if Instant::now() > until {
                    bail!("node {} does not come back", node + 1);
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        Ok(())
    }

    /// Asks a node through its own command line; `None` when it gives no good answer.
    pub(crate) fn ask(&self, node: usize, arguments: &[&str]) -> Option<Value> {
        call(
            &self.holdfast,
            &["--config", &self.nodes[node].config],
            arguments,
        )
    }
}

impl Access {
    /// Asks one of the nodes over HTTPS, counted round; `None` when it gives no good answer.
    pub(crate) fn ask(&self, turn: usize, arguments: &[&str]) -> Option<Value> {
        let url = &self.urls[turn % self.urls.len()];
        let place = [
            "--node",
            url,
            "--key-file",
            &self.key_file,
            "--ca-file",
            &self.ca_file,
        ];
        call(&self.holdfast, &place, arguments)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(process) = &mut node.process {
                _ = process.kill();
                _ = process.wait();
            }
        }
        if let Some(pid) = i32::try_from(self.demo.id()).ok().and_then(Pid::from_raw) {
            _ = kill_process(pid, Signal::TERM);
        }
        _ = self.demo.wait();
    }
}

/// Runs one command of the program and gives its JSON answer if it succeeded.
fn call(holdfast: &Path, place: &[&str], arguments: &[&str]) -> Option<Value> {
    let done = Command::new(holdfast)
        .args(["--json", "--timeout", CALL_TIME])
        .args(place)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    done.status
        .success()
        .then(|| serde_json::from_slice(&done.stdout).ok())?
}
