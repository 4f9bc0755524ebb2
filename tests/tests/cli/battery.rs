//! A node on a battery, told of it by a real upsd with NUT's dummy driver.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::require::{require_program, skip};

use super::{Lonely, Process, wait_until};

/// What NUT's programs need to run without a system installation; ended with the test.
struct Nut {
    dir: tempfile::TempDir,
    port: u16,
    _driver: Process,
    _server: Process,
}

impl Nut {
    fn start() -> Option<Self> {
        require_program("upsd", "nut-server")?;
        // Debian's upsd is a script that refuses until the system's own is set up; this is the program behind it.
        let server = Path::new("/lib/nut/upsd");
        let driver = Path::new("/lib/nut/dummy-ups");
        if !driver.is_file() || !server.is_file() {
            skip("upsd or dummy-ups is not installed; install Debian's nut-server");
            return None;
        }
        let user = if rustix::process::geteuid().is_root() {
            "root"
        } else {
            return skip_user();
        };
        let dir = tempfile::Builder::new()
            .prefix("hf-nut-")
            .tempdir()
            .unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let state = dir.path().join("ups.dev");
        let file = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        file(
            "ups.conf",
            format!(
                "pollinterval = 1\n[ups]\ndriver = dummy-ups\nport = {}\n",
                state.display()
            ),
        );
        file("upsd.conf", format!("LISTEN 127.0.0.1 {port}\nMAXAGE 15\n"));
        file("upsd.users", String::new());
        set_file(&state, "OL", 3_600);
        let start = |program: &Path, arguments: &[&str]| {
            let child = Command::new(program)
                .args(arguments)
                .env("NUT_CONFPATH", dir.path())
                .env("NUT_STATEPATH", dir.path())
                .env("NUT_ALTPIDPATH", dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            Process(child.unwrap())
        };
        let driver = start(driver, &["-a", "ups", "-u", user, "-F"]);
        let server = start(server, &["-F", "-u", user]);
        Some(Self {
            dir,
            port,
            _driver: driver,
            _server: server,
        })
    }

    fn set(&self, status: &str, runtime_s: u32) {
        set_file(&self.dir.path().join("ups.dev"), status, runtime_s);
    }
}

fn skip_user() -> Option<Nut> {
    skip("upsd gives up its rights at start, which needs root");
    None
}

fn set_file(path: &Path, status: &str, runtime_s: u32) {
    let text = format!(
        "ups.mfr: Test\nups.model: Dummy\nups.status: {status}\nbattery.charge: 50\nbattery.runtime: {runtime_s}\n"
    );
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_node_shows_its_battery_drains_and_stops_in_order_before_it_ends() {
    let Some(nut) = Nut::start() else { return };
    let mut node = Lonely::start();
    drop(node.node.take());
    let settings = std::fs::read_to_string(&node.config).unwrap();
    let power = format!(
        "[power]\nupsd = \"127.0.0.1:{}\"\nups = \"ups\"\n",
        nut.port
    );
    std::fs::write(&node.config, format!("{settings}{power}")).unwrap();
    node.run_whatever();
    let shows = |word: &str| {
        let status = node.ask(&["status"]);
        status.stdout.contains(&format!("\"power\":\"{word}\""))
    };
    wait_until("it shows mains", || shows("mains"));
    nut.set("OB DISCHRG", 3_000);
    wait_until("it shows the battery", || shows("battery"));
    nut.set("OB DISCHRG", 600);
    wait_until("it drains", || shows("draining"));
    nut.set("OL CHRG", 700);
    wait_until("mains bring it back", || shows("mains"));
    nut.set("OB LB", 60);
    let code = node.node.as_mut().unwrap().wait();
    assert_eq!(
        code,
        0,
        "{}",
        std::fs::read_to_string(node.path("log")).unwrap()
    );
    let log = std::fs::read_to_string(node.path("log")).unwrap();
    assert!(log.contains("stopped"), "{log}");
}
