//! Two of three nodes die; the third alerts by itself, hears the answer, and all of it is everybody's once they are back.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::{Process, Ran, command, first_line, holdfast, signal_pid, wait_until};

/// Anna, on duty.
const PHONE: &str = "+358401110001";

/// A running demo as its first line describes it.
struct Demo {
    process: Process,
    says: Value,
}

impl Demo {
    fn start() -> Self {
        let mut process = Process(command(&["demo", "--json", "--quiet"]).spawn().unwrap());
        let line = first_line(process.0.stdout.take().unwrap());
        let says = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("the demo did not start ({e}): {line}"));
        Self { process, says }
    }

    fn config(&self, node: usize) -> &str {
        self.says["nodes"][node]["config"].as_str().unwrap()
    }

    /// Runs a command at one node.
    fn at(&self, node: usize, arguments: &[&str]) -> Ran {
        let config = self.config(node);
        holdfast(
            &[
                &["--config", config, "--json", "--timeout", "50s"],
                arguments,
            ]
            .concat(),
        )
    }

    fn kill(&self, node: usize) {
        let pid = self.says["nodes"][node]["pid"].as_u64().unwrap();
        signal_pid(u32::try_from(pid).unwrap(), Signal::KILL);
    }

    fn run(&self, node: usize) -> Process {
        let mut run = command(&["--config", self.config(node), "run"]);
        Process(
            run.stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }

    fn world(&self, arguments: &[&str]) -> Ran {
        let world = self.says["world"].as_str().unwrap();
        let (verb, rest) = arguments.split_first().unwrap();
        holdfast(&[&["--json", "demo", *verb, "--world", world], rest].concat())
    }

    /// The texts on Anna's phone, oldest first, with their senders.
    fn texts(&self) -> Vec<(String, String)> {
        let phones = self.world(&["phones", PHONE]).expect(0).json();
        let inbox = phones["phones"][0]["inbox"].as_array().unwrap();
        let of = |m: &Value, key: &str| m[key].as_str().unwrap().to_owned();
        inbox
            .iter()
            .map(|m| (of(m, "from"), of(m, "text")))
            .collect()
    }

    /// Whether a node works by itself, and the digest of what it knows.
    fn island(&self, node: usize) -> Option<(Value, String)> {
        let ran = self.at(node, &["island", "status", "--history"]);
        let answer = (ran.code == 0).then(|| ran.json())?;
        let history = answer["history"].as_str()?.to_owned();
        Some((answer["island"].clone(), history))
    }
}

#[test]
fn a_node_whose_majority_died_alerts_alone_and_all_know_once_they_are_back() {
    let mut demo = Demo::start();
    demo.kill(1);
    demo.kill(2);
    let asked = Instant::now();
    let to = ["--to", "person:anna", "--severity", "critical"];
    let raised = demo.at(
        0,
        &[&["alert", "raise", "Pump 3 has tripped"], &to[..]].concat(),
    );
    let raised = raised.expect(0).json();
    assert_eq!(
        (&raised["durability"], &raised["number"]),
        (&"island".into(), &"A-1".into())
    );
    assert!(
        asked.elapsed() < Duration::from_secs(40),
        "{:?}",
        asked.elapsed()
    );

    let mut page = None;
    wait_until(
        "the page is on the phone and says that the site is alone",
        || {
            let texts = demo.texts();
            page = texts.into_iter().find(|(_, text)| text.contains("Pump 3"));
            page.is_some()
        },
    );
    let (number, page) = page.unwrap();
    assert_eq!(number, demo.says["nodes"][0]["number"].as_str().unwrap());
    assert!(page.to_lowercase().contains("yksin"), "{page}"); // Anna reads Finnish
    let code: String = page.chars().take_while(char::is_ascii_digit).collect();
    assert!(code.len() == 5 && code.starts_with('1'), "{page}");
    let status = demo.at(0, &["status"]);
    assert_eq!(status.code, 3, "{status:?}");
    assert!(status.stdout.contains("alerts by itself"), "{status:?}");

    demo.world(&["text", PHONE, &number, &format!("{code} 1")])
        .expect(0);
    let coming = |node: usize| {
        let shown = demo.at(node, &["alert", "show", "A-1"]);
        shown.code == 0 && shown.json()["called"][0]["answer"] == "coming"
    };
    wait_until("the answer counts on the island", || coming(0));

    let _restarted = [demo.run(1), demo.run(2)];
    wait_until("the island is one of the cluster again", || {
        demo.island(0).is_some_and(|(island, _)| island.is_null())
    });
    for node in [1, 2] {
        wait_until(
            "the others know the alert by its number, and the answer",
            || coming(node),
        );
    }
    wait_until("all three know the same", || {
        let all = [0, 1, 2].map(|node| demo.island(node).map(|(_, history)| history));
        all[0].is_some() && all[0] == all[1] && all[1] == all[2]
    });
    let after = demo.at(2, &[&["alert", "raise", "after"], &to[..]].concat());
    assert_eq!(after.expect(0).json()["durability"], "replicated");
    demo.process.signal(Signal::TERM);
    assert_eq!(demo.process.wait(), 0);
}
