//! The program as people and scripts meet it: arguments in; output, exit code and files out.
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

mod accounts;
mod acts;
mod audit;
mod battery;
mod demo;
mod disasters;
mod exit_codes;
mod imports;
mod islands;
mod limits;
mod listeners;
mod orders;
mod safety;
mod schedules;
mod service;
mod settings;
mod site_dns;
mod sources;
mod templates;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one run of the program left behind.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Standard output as the one JSON object it must be.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not one JSON object ({e}): {self:?}"))
    }

    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// The program under test. It lies two folders above this test's own file, where one build puts both.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("a test lies in target/<profile>/deps");
    let program = profile.join("holdfast");
    assert!(
        program.is_file(),
        "{} is not built; run `cargo build -p holdfast` first",
        program.display()
    );
    program
}

/// The program with a clean environment.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn holdfast(arguments: &[&str]) -> Ran {
    finish(command(arguments))
}

fn holdfast_reading(arguments: &[&str], input: &str) -> Ran {
    let mut command = command(arguments);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    ran(child.wait_with_output().unwrap())
}

fn finish(mut command: Command) -> Ran {
    ran(command.output().unwrap())
}

fn ran(output: std::process::Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A process of ours, ended by its id when the test ends.
struct Process(Child);

impl Process {
    fn signal(&self, signal: Signal) {
        signal_pid(self.0.id(), signal);
    }

    fn wait(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(
                Instant::now() < until,
                "process {} does not end",
                self.0.id()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn signal_pid(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The first line of a program's output, once it is there.
fn first_line(stdout: ChildStdout) -> String {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    line
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One node with nothing attached, running.
struct Lonely {
    dir: TempDir,
    config: String,
    https: String,
    node: Option<Process>,
}

impl Lonely {
    fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("hf-cli-")
            .tempdir()
            .unwrap();
        let (udp, https, admin) = (
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            listener(),
            listener(),
        );
        let address = |l: &TcpListener| l.local_addr().unwrap();
        let text = format!(
            "[node]\nname = \"alone\"\ndata_dir = {:?}\norganisation = \"Aurora\"\n[cluster]\nlisten = \"{}\"\n[api]\nhttps = \"{}\"\nadmin = \"{}\"\n",
            dir.path().join("data"),
            udp.local_addr().unwrap(),
            address(&https),
            address(&admin),
        );
        let config = dir.path().join("holdfast.toml");
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap().to_owned();
        let url = format!("https://{}", address(&https));
        drop((udp, https, admin));
        let founded = holdfast(&["--config", &config, "--json", "init"])
            .expect(0)
            .json();
        write_private(&dir.path().join("key"), founded["key"].as_str().unwrap());
        let mut lonely = Self {
            dir,
            config,
            https: url,
            node: None,
        };
        lonely.run();
        lonely
    }

    fn run(&mut self) {
        self.run_whatever();
        wait_until("the node leads itself", || {
            self.run_again_if_a_port_was_taken();
            self.ask(&["status"]).code == 0
        });
    }

    /// Its ports were free when they were chosen, but nobody kept them.
    fn run_again_if_a_port_was_taken(&mut self) {
        let node = self.node.as_mut().expect("the node was started");
        if node.0.try_wait().unwrap().is_none() {
            return;
        }
        let log = std::fs::read_to_string(self.path("log")).unwrap();
        assert!(log.contains("in use"), "the node ended: {log}");
        self.run_whatever();
    }

    /// Starts it without asking how it is.
    fn run_whatever(&mut self) {
        let mut run = command(&["--config", &self.config, "run"]);
        let log = std::fs::File::create(self.path("log")).unwrap();
        self.node = Some(Process(
            run.stdout(Stdio::null()).stderr(log).spawn().unwrap(),
        ));
    }

    /// Runs a command against the node's own socket.
    fn ask(&self, arguments: &[&str]) -> Ran {
        holdfast(&[&["--config", &self.config, "--json"], arguments].concat())
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
