//! Three processes, end to end: the story of `demo --once`, and the power cut that hits all nodes at once.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::{Process, command, first_line, holdfast, signal_pid, wait_until};

#[test]
fn the_story_of_the_demo_holds_every_promise() {
    let ran = holdfast(&["demo", "--once", "--json"]);
    let report = ran.json();
    assert_eq!(
        (ran.code, &report["ok"]),
        (0, &true.into()),
        "{report:#}\n{}",
        ran.stderr
    );
    for (figure, expected) in [
        ("nodes", 3),
        ("alerts_accepted", 2),
        ("alerts_lost", 0),
        ("people", 20),
    ] {
        assert_eq!(report[figure], expected, "{figure}");
    }
    assert_eq!(report["deliveries_total"], report["deliveries_ended"]);
    for figure in [
        "failover_ms",
        "rejoin_ms",
        "acks_by_sms",
        "duplicates_possible",
        "wall_s",
    ] {
        assert!(report[figure].is_number(), "{figure}");
    }
}

#[test]
fn a_power_cut_of_all_nodes_under_load_loses_no_accepted_alert() {
    let mut demo = Process(command(&["demo", "--json", "--quiet"]).spawn().unwrap());
    let line = first_line(demo.0.stdout.take().unwrap());
    let demo_says: Value = serde_json::from_str(&line)
        .unwrap_or_else(|e| panic!("the demo did not start ({e}): {line}"));
    let nodes = demo_says["nodes"].as_array().unwrap();
    let configs: Vec<&str> = nodes
        .iter()
        .map(|n| n["config"].as_str().unwrap())
        .collect();

    let accepted = under_load(&configs, || {
        std::thread::sleep(Duration::from_secs(3));
        for node in nodes {
            signal_pid(
                u32::try_from(node["pid"].as_u64().unwrap()).unwrap(),
                Signal::KILL,
            );
        }
    });
    assert!(
        accepted.len() > 10,
        "only {} alerts were accepted before the cut",
        accepted.len()
    );

    let _restarted: Vec<Process> = configs
        .iter()
        .map(|config| {
            Process(
                command(&["--config", config, "run"])
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .unwrap(),
            )
        })
        .collect();
    for config in configs {
        wait_until("every accepted alert is there", || {
            let list = holdfast(&["--config", config, "--json", "alert", "list", "--all"]);
            list.code == 0 && known(&list.json()).is_superset(&accepted)
        });
        wait_until("it takes new alerts", || raise(config, "after").is_some());
    }
    demo.signal(Signal::TERM);
    assert_eq!(demo.wait(), 0);
}

/// Raises alerts at every node until `cut` has happened, and gives those that were accepted.
fn under_load(configs: &[&str], cut: impl FnOnce()) -> BTreeSet<String> {
    let (accepted, over) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for config in configs {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    accepted.lock().unwrap().extend(raise(config, "load"));
                }
            });
        }
        cut();
        over.store(true, Ordering::Relaxed);
    });
    accepted.into_inner().unwrap()
}

/// The id of a raised alert, if it was accepted.
fn raise(config: &str, text: &str) -> Option<String> {
    let ran = holdfast(&[
        "--config",
        config,
        "--json",
        "--timeout",
        "5s",
        "alert",
        "raise",
        text,
        "--to",
        "person:anna",
        "--status",
        "test",
        "--severity",
        "low",
    ]);
    (ran.code == 0).then(|| ran.json()["id"].as_str().unwrap().to_owned())
}

fn known(list: &Value) -> BTreeSet<String> {
    list["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["id"].as_str().unwrap().to_owned())
        .collect()
}
