//! A node on a battery, told of it by a real upsd with NUT's dummy driver.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tests::require::{require_program, skip};

use super::{Lonely, Process, Ran, command, first_line, holdfast, signal_pid, wait_until};

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

/// A demo whose second node gets a battery.
struct Site {
    _demo: Process,
    says: Value,
    node: Process,
}

impl Site {
    fn start(nut: &Nut) -> Self {
        let mut demo = Process(command(&["demo", "--json", "--quiet"]).spawn().unwrap());
        let line = first_line(demo.0.stdout.take().unwrap());
        let says: Value = serde_json::from_str(&line).unwrap();
        let pid = says["nodes"][1]["pid"].as_u64().unwrap();
        signal_pid(u32::try_from(pid).unwrap(), Signal::TERM);
        let config = says["nodes"][1]["config"].as_str().unwrap();
        let settings = std::fs::read_to_string(config).unwrap();
        let power = format!(
            "[power]\nupsd = \"127.0.0.1:{}\"\nups = \"ups\"\n",
            nut.port
        );
        std::fs::write(config, format!("{settings}\n{power}")).unwrap();
        let at = |node: usize, arguments: &[&str]| at(&says, node, arguments);
        // Its parent has not asked yet how it ended, so it may stay as a zombie.
        wait_until("the second node has stopped", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        });
        let node = Process(
            command(&["--config", config, "run"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        wait_until("every node and channel is up", || {
            at(0, &["status"]).code == 0 && at(1, &["status"]).code == 0
        });
        wait_until("the second node leads", || {
            _ = at(0, &["cluster", "transfer", "n2"]);
            leader(&says) == 2
        });
        Self {
            _demo: demo,
            says,
            node,
        }
    }

    fn at(&self, node: usize, arguments: &[&str]) -> Ran {
        at(&self.says, node, arguments)
    }

    fn number(&self, node: usize) -> &str {
        self.says["nodes"][node]["number"].as_str().unwrap()
    }

    fn raise(&self, text: &str) -> String {
        let to = ["--to", "group:field", "--severity", "critical"];
        let raised = self.at(0, &[&["alert", "raise", text], &to[..]].concat());
        let raised = raised.expect(0).json();
        raised["number"].as_str().unwrap().to_owned()
    }

    /// Every text on every phone: to, from, words.
    fn texts(&self) -> Vec<(String, String, String)> {
        let world = self.says["world"].as_str().unwrap();
        let phones = holdfast(&["--json", "demo", "phones", "--world", world]);
        let phones = phones.expect(0).json();
        let mut texts = Vec::new();
        for phone in phones["phones"].as_array().unwrap() {
            for message in phone["inbox"].as_array().unwrap() {
                let of = |value: &Value| value.as_str().unwrap().to_owned();
                let (to, from) = (of(&phone["number"]), of(&message["from"]));
                texts.push((to, from, of(&message["text"])));
            }
        }
        texts
    }

    /// Phones that have a text from a number with certain words.
    fn told(&self, from: &str, words: &str) -> Vec<String> {
        let texts = self.texts().into_iter();
        texts
            .filter(|(_, by, text)| by == from && text.contains(words))
            .map(|(to, ..)| to)
            .collect()
    }
}

fn at(says: &Value, node: usize, arguments: &[&str]) -> Ran {
    let config = says["nodes"][node]["config"].as_str().unwrap();
    holdfast(&[&["--config", config, "--json"], arguments].concat())
}

fn leader(says: &Value) -> u64 {
    let status = at(says, 0, &["cluster", "status"]);
    let found: Value = serde_json::from_str(&status.stdout).unwrap_or_default();
    found["leader"].as_u64().unwrap_or_default()
}

#[test]
fn a_site_whose_battery_ends_hands_everything_over_and_says_farewell_once() {
    let Some(nut) = Nut::start() else { return };
    let mut site = Site::start(&nut);
    site.raise("Pump 3 has tripped");
    // Eight people are paged over three modems.
    wait_until("everybody in the field is paged", || {
        let texts = site.texts();
        texts.iter().filter(|(.., t)| t.contains("Pump 3")).count() >= 8
    });
    let own = site.number(1).to_owned();
    let owing = site.told(&own, "Pump 3");
    assert!(!owing.is_empty(), "the second modem sent some of them");

    nut.set("OB DISCHRG", 1_100);
    // It may have lost the lead before for another reason; the others then see the battery only a little later.
    wait_until("the others know, and one of them leads", || {
        let status = site.at(0, &["status"]);
        status.stdout.contains("runs on its battery") && leader(&site.says) != 2
    });
    site.raise("Fire in hall 2");
    wait_until("everybody in the field is paged again", || {
        let texts = site.texts();
        texts.iter().filter(|(.., t)| t.contains("hall 2")).count() >= 8
    });
    assert!(site.told(&own, "hall 2").is_empty(), "others sent them all");

    nut.set("OB DISCHRG LB", 120);
    assert_eq!(site.node.wait(), 0, "it stops in order");
    let others = [site.number(0), site.number(2)];
    for phone in &owing {
        let texts = site.texts().into_iter();
        let last: Vec<_> = texts
            .filter(|(to, from, text)| {
                to == phone && *from == own && others.iter().any(|n| text.contains(n))
            })
            .collect();
        assert_eq!(last.len(), 1, "{phone}: {last:?}");
        assert!(last[0].2.contains("n2") && last[0].2.contains("UTC"));
    }
}
