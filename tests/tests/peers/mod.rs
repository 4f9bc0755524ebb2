//! Programs nobody here wrote use the emulated modem through its terminal, unchanged: gammu, gammu-smsd, smstools.

#![expect(
    clippy::unwrap_used,
    reason = "tests may, and so may what only tests call"
)]

mod gammu;
mod gammu_smsd;
mod handovers;
mod smstools;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use emulator::{World, WorldConfig, control::Client, modem::ModemConfig};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

const MODEM: &str = "+358401000001";
const PHONE: &str = "+358405550001";
/// The slowest of these programs pauses for seconds between commands; machines that build meanwhile are slower still.
const PATIENCE: Duration = Duration::from_secs(60);
const LOG_LINES_SHOWN: usize = 100;

/// One modem, one phone, and a directory for the peer's files; all gone at the end.
struct Bench {
    world: World,
    client: Client,
    directory: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = WorldConfig {
            modems: vec![ModemConfig::new("a", MODEM)],
            phones: vec![PHONE.to_owned()],
            ..WorldConfig::new(directory.path().join("world"))
        };
        let world = World::start(config).await.unwrap();
        let client = Client::connect(world.control_socket()).await.unwrap();
        Self {
            world,
            client,
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a directory for the peer and gives its path.
    fn make_directory(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        path.display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Waits until the phone holds so many messages; gives sender and text of each.
    async fn texts(&self, least: usize) -> Vec<(String, String)> {
        let inbox = self
            .client
            .wait_inbox(PHONE, least, PATIENCE)
            .await
            .unwrap();
        inbox
            .into_iter()
            .map(|message| (message.from, message.text))
            .collect()
    }

    /// Ends the peer and the world.
    async fn end(self, peer: Option<Peer>) {
        if let Some(peer) = peer {
            peer.end().await;
        }
        self.world.stop().await;
    }
}

/// A long-running peer in a process group of its own: some fork.
struct Peer {
    child: Child,
    group: Pid,
    /// What to show when the test fails.
    logs: [PathBuf; 2],
}

impl Peer {
    /// Starts it; what it says goes to `output`, what it logs by itself is in `log`.
    fn start(program: &Path, arguments: &[&str], bench: &Bench) -> Self {
        let logs = ["output", "log"].map(|name| bench.path(name));
        let output = std::fs::File::create(&logs[0]).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap();
        let group = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
        Self { child, group, logs }
    }

    /// Asks it to end; smstools takes its time, and then a harder word.
    async fn end(mut self) {
        let _ = kill_process_group(self.group, Signal::TERM);
        let _ = timeout(Duration::from_secs(5), self.child.wait()).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Also what it forked, also when the test failed.
        let _ = kill_process_group(self.group, Signal::KILL);
        if std::thread::panicking() {
            for log in &self.logs {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let tail = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
                eprintln!("end of {}:\n{}", log.display(), tail.join("\n"));
            }
        }
    }
}

/// Waits until `look` finds something.
async fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let found = timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

/// All files of a directory, as text, put together.
fn texts_in(directory: &str) -> String {
    let files = std::fs::read_dir(directory).unwrap();
    files
        .map(|file| {
            String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()
        })
        .collect()
}
