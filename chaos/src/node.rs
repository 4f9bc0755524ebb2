//! One node: its files, its process in its site's network, and the ways to ask it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::Door;
use crate::disk::Disk;
use crate::network::{Uplink, address, enter};
use crate::sandbox;
use crate::world::{MAIL_PORT, modem_number};

/// How long one command such as `init` or `join` may take.
const COMMAND_TIME: Duration = Duration::from_secs(60);

/// How long a node may take to stop when asked; then it is killed, as a service manager would.
const STOP_TIME: Duration = Duration::from_secs(20);

const CLUSTER_PORT: u16 = 7420;
const HTTPS_PORT: u16 = 7443;

/// One node.
pub(crate) struct Node {
    /// From 1.
    pub(crate) site: u8,
    /// Its id in the cluster; another one after it was replaced.
    pub(crate) id: u64,
    /// The program it is started as.
    pub(crate) program: PathBuf,
    /// Everything it keeps is here.
    pub(crate) disk: Disk,
    home: PathBuf,
    process: Option<Child>,
}

impl Node {
    /// Writes its settings. `port` is its modem's.
    pub(crate) fn write(
        dir: &Path,
        site: u8,
        program: &Path,
        profile: &str,
        port: &Path,
    ) -> Result<Self> {
        let home = dir.join(format!("site{site}"));
        std::fs::create_dir_all(&home)?;
        let data = home.join("data");
        let desk = address(Uplink::Desk, site);
        let advertise: Vec<String> = Uplink::BETWEEN_NODES
            .iter()
            .map(|uplink| format!("{}:{CLUSTER_PORT}", address(*uplink, site)))
            .collect();
        let text = format!(
            "[node]\nname = \"site{site}\"\ndata_dir = {data:?}\norganisation = \"Aurora Energy\"\n\n\
             [cluster]\nlisten = \"0.0.0.0:{CLUSTER_PORT}\"\nadvertise = {advertise:?}\nprofile = \"{profile}\"\n\n\
             [api]\nhttps = \"{desk}:{HTTPS_PORT}\"\nnames = [\"{desk}\"]\nsocket = {:?}\nraises_per_min = 6000\n\n\
             [[modem]]\nname = \"m1\"\ndevice = {port:?}\nnumber = \"{}\"\nrate_per_min = 600\n\n\
             [mail]\nfrom = \"Aurora Energy <alerts@aurora.example>\"\n\n\
             [[smarthost]]\nname = \"smarthost\"\nhost = \"127.0.0.1\"\nport = {MAIL_PORT}\ntls = \"none\"\n\n\
             [log]\nformat = \"human\"\n",
            home.join("socket"),
            modem_number(site),
        );
        std::fs::write(home.join("holdfast.toml"), text)?;
        std::fs::write(home.join("clock"), "+0\n")?;
        Ok(Self {
            site,
            id: u64::from(site),
            program: program.to_owned(),
            disk: Disk::new(&data)?,
            home,
            process: None,
        })
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// A way in for its operator.
    pub(crate) fn local(&self) -> Door {
        Door::socket(&self.home.join("socket"))
    }

    /// Where programs ask it.
    pub(crate) fn https(&self) -> SocketAddr {
        SocketAddr::from((address(Uplink::Desk, self.site), HTTPS_PORT))
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        let process = self
            .command()
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start a node")?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it the way a pulled plug does.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.start_kill()?;
            timeout(STOP_TIME, process.wait())
                .await
                .context("a killed node is still there")??;
        }
        Ok(())
    }

    /// Asks it to stop, as a service manager does; gives whether it did so by itself.
    pub(crate) async fn stop(&mut self) -> Result<bool> {
        self.signal(Signal::TERM)?;
        if let Some(process) = &mut self.process
            && timeout(STOP_TIME, process.wait()).await.is_err()
        {
            self.kill().await?;
            return Ok(false);
        }
        self.process = None;
        Ok(true)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.process.as_ref().and_then(Child::id);
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            kill_process(pid, signal).context("cannot signal a node")?;
        }
        Ok(())
    }

    /// How it ended, if it ended by itself: a node never does.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let ended = self.process.as_mut()?.try_wait().ok()??;
        self.process = None;
        Some(format!(
            "the node at site {} ended by itself: {ended}",
            self.site
        ))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Sets its wall clock off by so many seconds.
    pub(crate) fn step_clock(&self, seconds: i64) -> Result<()> {
        Ok(std::fs::write(
            self.home.join("clock"),
            format!("{seconds:+}\n"),
        )?)
    }

    /// Runs one command of the program with this node's settings and gives its JSON answer.
    pub(crate) async fn run(&self, arguments: &[&str], input: &str) -> Result<Value> {
        let mut child = self
            .command()
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        let done = timeout(COMMAND_TIME, child.wait_with_output()).await;
        let done = done.map_err(|_| anyhow!("holdfast {} did not end", arguments[0]))??;
        if !done.status.success() {
            let words = String::from_utf8_lossy(&done.stderr);
            bail!("holdfast {}: {}", arguments[0], words.trim());
        }
        serde_json::from_slice(&done.stdout).context("the program's answer is not JSON")
    }

    /// The program in the site's network, with a clock of its own; nothing else in the environment may change it.
    fn command(&self) -> Command {
        let [program, namespace, end] = enter(self.site);
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOLDFAST") {
                command.env_remove(name);
            }
        }
        if let Some(library) = sandbox::faketime() {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", self.home.join("clock"))
                .env("FAKETIME_CACHE_DURATION", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("NO_FAKE_STAT", "1");
        }
        command
            .args([namespace, end])
            .arg(&self.program)
            .arg("--config")
            .arg(self.home.join("holdfast.toml"))
            .kill_on_drop(true);
        command
    }
}
