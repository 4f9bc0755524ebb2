//! By text alone: with nothing but a phone somebody starts an alert, people say when they come, and it is called off; three
//! real nodes, their modems and an emulated network between.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use super::{Process, Ran, command, first_line, holdfast, wait_until};

/// Anna, who leads. She reads Finnish.
const ANNA: &str = "+358401110001";

struct Demo {
    process: Process,
    says: Value,
}

impl Demo {
    fn start() -> Self {
        let mut demo = command(&["demo", "--json", "--quiet"]);
        let mut process = Process(demo.stderr(Stdio::null()).spawn().unwrap());
        let line = first_line(process.0.stdout.take().unwrap());
        let says = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("the demo did not start ({e}): {line}"));
        Self { process, says }
    }

    fn at(&self, node: usize, arguments: &[&str]) -> Ran {
        let config = self.says["nodes"][node]["config"].as_str().unwrap();
        let global = ["--config", config, "--json", "--timeout", "50s"];
        holdfast(&[&global, arguments].concat())
    }

    fn number(&self, node: usize) -> &str {
        self.says["nodes"][node]["number"].as_str().unwrap()
    }

    fn world(&self, arguments: &[&str]) -> Ran {
        let world = self.says["world"].as_str().unwrap();
        let (verb, rest) = arguments.split_first().unwrap();
        holdfast(&[&["--json", "demo", *verb, "--world", world], rest].concat())
    }

    fn text(&self, from: &str, to: &str, text: &str) {
        self.world(&["text", from, to, text]).expect(0);
    }

    /// The newest text on a phone that holds these words, with its sender.
    fn received(&self, phone: &str, words: &str) -> Option<(String, String)> {
        let phones = self.world(&["phones", phone]).expect(0).json();
        let inbox = phones["phones"][0]["inbox"].as_array()?.clone();
        let of = |m: &Value, key: &str| m[key].as_str().unwrap_or_default().to_owned();
        let mut texts = inbox.iter().map(|m| (of(m, "from"), of(m, "text"))).rev();
        texts.find(|(_, text)| text.contains(words))
    }

    fn wait_for(&self, phone: &str, words: &str) -> (String, String) {
        let mut found = None;
        wait_until(&format!("{phone} has {words:?}"), || {
            found = self.received(phone, words);
            found.is_some()
        });
        found.unwrap()
    }
}

/// The first run of digits of this length.
fn digits(text: &str, len: usize) -> String {
    let runs = text.split(|c: char| !c.is_ascii_digit());
    let mut long = runs.filter(|run| run.len() == len);
    long.next()
        .unwrap_or_else(|| panic!("no {len} digits in {text:?}"))
        .to_owned()
}

#[test]
fn an_alert_is_started_answered_with_a_time_and_called_off_with_texts_only() {
    let mut demo = Demo::start();
    let who = demo
        .at(0, &["inbox", "commanders", "person:anna"])
        .expect(0);
    assert_eq!(who.json()["commanders"][0], "person:anna");
    let check = ["person", "verify", "anna", ANNA, "verified", "--how", "met"];
    demo.at(0, &check).expect(0);

    demo.text(ANNA, demo.number(1), "START person:anna test");
    demo.wait_for(ANNA, "Ei tehty");
    demo.text(
        ANNA,
        demo.number(1),
        "START anna kriittinen Pumppu 3 pysähtyi",
    );
    let (from, echo) = demo.wait_for(ANNA, "Vahvista");
    assert_eq!(from, demo.number(1), "{echo}");
    let waits = demo.at(2, &["inbox", "orders"]).expect(0).json();
    assert_eq!(
        (&waits["waiting"], &waits["orders"][0]["state"]),
        (&1.into(), &"waiting".into())
    );
    let code = digits(&echo, 6);
    assert!(!waits.to_string().contains(&code), "{waits}");
    let none = demo.at(0, &["alert", "list"]).expect(0).json();
    assert_eq!(none["alerts"].as_array().map(Vec::len), Some(0), "{none}");

    demo.text(ANNA, demo.number(1), &code);
    let (_, done) = demo.wait_for(ANNA, "Tehty");
    assert!(done.contains("hälytys 1 annettu"), "{done}");
    let (number, page) = demo.wait_for(ANNA, "Vastaa");
    assert!(page.contains("Pumppu 3"), "{page}");
    demo.text(ANNA, &number, &format!("{} 1 20", digits(&page, 4)));
    demo.wait_for(ANNA, "tulossa, 20 min");
    let shown = demo.at(2, &["alert", "show", "1"]).expect(0).json();
    assert_eq!(shown["called"][0]["eta_minutes"], 20);
    assert!(shown["called"][0]["expected_at"].is_string());

    demo.text(ANNA, demo.number(2), "peru 1 väärä hälytys");
    let (_, echo) = demo.wait_for(ANNA, "peruutus");
    demo.text(ANNA, demo.number(2), &digits(&echo, 6));
    demo.wait_for(ANNA, "peruttu");
    wait_until("every node knows that it is over", || {
        [0, 1, 2].iter().all(|node| {
            let shown = demo.at(*node, &["alert", "show", "1"]);
            shown.code == 0 && shown.json()["state"] == "called_off"
        })
    });
    let orders = demo.at(0, &["inbox", "orders"]).expect(0).json();
    assert_eq!(
        (&orders["waiting"], &orders["orders"][0]["state"]),
        (&0.into(), &"done".into())
    );
    let list = demo
        .at(0, &["inbox", "list", "--from", ANNA])
        .expect(0)
        .json();
    let taken: Vec<&str> = list["texts"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|t| t["taken"].as_str().unwrap())
        .collect();
    assert_eq!(
        taken,
        [
            "order_refused",
            "ordered",
            "order_done",
            "answer",
            "ordered",
            "order_done"
        ]
    );
    demo.process.signal(Signal::TERM);
    assert_eq!(demo.process.wait(), 0);
}
