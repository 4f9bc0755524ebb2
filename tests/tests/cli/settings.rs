//! Settings: every mistake is named before anything starts, and nothing starts on somebody else's files.

use std::os::unix::fs::PermissionsExt as _;

use super::{Lonely, holdfast};

fn check(text: &str) -> super::Ran {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("holdfast.toml");
    std::fs::write(&file, text).unwrap();
    holdfast(&[
        "--config",
        file.to_str().unwrap(),
        "config",
        "check",
        "--json",
    ])
}

#[test]
fn config_check_names_every_problem_and_fails() {
    for (text, problems) in [
        ("[api]\nhtps = \"127.0.0.1:1\"", vec!["did you mean https?"]),
        (
            "[node]\nname = \"a b\"\n[api]\nadmin = \"0.0.0.0:7480\"",
            vec!["use 1 to 32 letters", "reachable from outside without TLS"],
        ),
        (
            "[[modem]]\nname = \"m\"\ndevice = \"/dev/null\"\nnumber = \"040123\"\nrate_per_min = 0",
            vec!["no country code", "0 is out of range"],
        ),
        (
            "[[smarthost]]\nname = \"s\"\nhost = \"mail.example.org\"\ntls = \"none\"",
            vec!["needs TLS", "missing; with a smarthost"],
        ),
        ("[node", vec!["not TOML"]),
    ] {
        let ran = check(text).expect(1);
        let found = ran.json();
        assert_eq!(found["ok"], false);
        assert_eq!(
            found["problems"].as_array().unwrap().len(),
            problems.len(),
            "{found}"
        );
        for problem in problems {
            assert!(
                ran.stdout.contains(problem) && ran.stderr.contains(problem),
                "{text}: {problem}\n{ran:?}"
            );
        }
    }
}

#[test]
fn without_settings_nothing_is_reachable_from_outside() {
    let shown = holdfast(&["config", "show", "--origin"]);
    if std::path::Path::new("/etc/holdfast/holdfast.toml").exists() {
        return; // this machine is a node; its settings are its own
    }
    let shown = shown.expect(0).stdout;
    for line in shown.lines().filter(|l| {
        l.starts_with("api.https") || l.starts_with("api.admin") || l.starts_with("cluster.listen")
    }) {
        assert!(
            line.contains("\"127.0.0.1:") && line.ends_with("# default"),
            "{line}"
        );
    }
    assert_eq!(
        shown.lines().filter(|l| l.contains("127.0.0.1:")).count(),
        3
    );
}

#[test]
fn a_settings_file_that_is_named_must_exist() {
    let ran = holdfast(&["--config", "/nonexistent/holdfast.toml", "run"]).expect(1);
    assert!(
        ran.stderr
            .contains("cannot read /nonexistent/holdfast.toml"),
        "{ran:?}"
    );
}

#[test]
fn a_node_refuses_files_that_others_can_read_and_a_second_process() {
    let mut lonely = Lonely::start();
    let second = lonely.ask(&["run"]).expect(1);
    assert!(second.stderr.contains("is in use by process"), "{second:?}");
    let again = lonely.ask(&["init"]).expect(1);
    assert!(again.stderr.contains("is in use by process"), "{again:?}");

    let mut node = lonely.node.take().unwrap();
    node.signal(rustix::process::Signal::TERM);
    assert_eq!(node.wait(), 0, "SIGTERM is a graceful end");
    let again = lonely.ask(&["init"]).expect(6);
    assert!(
        again.stderr.contains("already belongs to a cluster"),
        "{again:?}"
    );
    std::fs::set_permissions(lonely.path("data"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let open = lonely.ask(&["run"]).expect(1);
    assert!(open.stderr.contains("run chmod 700 on it"), "{open:?}");
}
