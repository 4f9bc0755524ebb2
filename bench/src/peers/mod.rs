//! What people would pick instead, from Debian: three processes of each on loopback, spoken to in their own protocol.

pub(crate) mod etcd;
pub(crate) mod nats;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long a peer's process may take to open its port.
const START_TIME: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const END_TIME: Duration = Duration::from_secs(10);

/// One process of a peer. It ends when this is dropped.
pub(super) struct Process {
    command: Vec<String>,
    log: PathBuf,
    pub(super) port: u16,
    child: Option<Child>,
}

impl Process {
    /// Starts a program whose clients connect to `port`.
    pub(super) async fn start(command: Vec<String>, log: PathBuf, port: u16) -> Result<Self> {
        let mut process = Self {
            command,
            log,
            port,
            child: None,
        };
        process.run().await?;
        Ok(process)
    }

    /// Starts it (again) and waits until it takes connections.
    pub(super) async fn run(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.command[0]))?;
        self.child = Some(child);
        let until = Instant::now() + START_TIME;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if Instant::now() >= until {
                let words = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("{} did not start: {words}", self.command[0]);
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Ends it the way a pulled plug does; gives the moment once it is gone.
    pub(super) async fn kill(&mut self) -> Result<Instant> {
        let mut child = self.child.take().context("the process does not run")?;
        child.start_kill().context("cannot kill a process")?;
        let killed = Instant::now();
        timeout(END_TIME, child.wait())
            .await
            .context("a process survived its kill")??;
        Ok(killed)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }
}

/// Where a program is, if it is installed.
pub(super) fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into()); // where Debian keeps servers, not always in the path
    folders
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// `count` loopback ports nobody uses now. All are held until the last is found, so that none is given out twice.
pub(super) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held = (0..count)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<std::io::Result<Vec<_>>>()?;
    held.iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

/// Makes a folder for one process.
pub(super) fn folder(below: &Path, name: &str) -> Result<PathBuf> {
    let path = below.join(name);
    std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}
