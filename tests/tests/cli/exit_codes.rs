//! Exit codes and `--json` are a contract: scripts branch on them.

use super::{Lonely, holdfast, holdfast_reading, write_private};

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for arguments in [
        &["no-such-command"][..],
        &["alert", "raise"],
        &["alert", "raise", "text"],
        &["alert", "raise", "text", "--to", "duty"],
        &[
            "alert",
            "raise",
            "text",
            "--to",
            "group:duty",
            "--severity",
            "bad",
        ],
        &["--timeout", "5", "status"],
        &["--node", "https://127.0.0.1:1", "status"],
        &["cluster", "promote", "second"],
    ] {
        let ran = holdfast(arguments);
        // Whom to call is read only once there is somebody to ask.
        assert!(
            ran.code == 2 || arguments.contains(&"duty") || arguments.contains(&"second"),
            "{arguments:?} {ran:?}"
        );
    }
    assert_eq!(holdfast(&["--help"]).code, 0);
    assert_eq!(holdfast(&["--version"]).code, 0);
}

#[test]
fn no_node_to_ask_is_a_failure_that_says_what_to_look_at() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("holdfast.toml");
    std::fs::write(&config, format!("[node]\ndata_dir = {:?}", dir.path())).unwrap();
    let ran = holdfast(&[
        "--config",
        config.to_str().unwrap(),
        "alert",
        "list",
        "--json",
    ])
    .expect(1);
    assert!(ran.stderr.contains("is `holdfast run` running"), "{ran:?}");
    assert_eq!(
        (ran.json()["ok"].as_bool(), ran.json()["exit"].as_i64()),
        (Some(false), Some(1))
    );
}

#[test]
fn each_way_to_fail_has_its_own_exit_code() {
    let lonely = Lonely::start();
    lonely
        .ask(&[
            "person",
            "put",
            "anna",
            "--name",
            "Anna",
            "--language",
            "fi",
            "--sms",
            "+358401234567",
        ])
        .expect(0);
    let raise = |key: &str, text: &str| {
        lonely.ask(&[
            "alert",
            "raise",
            text,
            "--to",
            "person:anna",
            "--status",
            "test",
            "--idempotency-key",
            key,
        ])
    };

    let first = raise("k1", "pump").expect(0).json();
    assert_eq!(
        (first["number"].as_str(), first["durability"].as_str()),
        (Some("1"), Some("replicated"))
    );
    assert_eq!(
        raise("k1", "pump").expect(0).json()["id"],
        first["id"],
        "a repeat is the same alert"
    );
    raise("k1", "another text").expect(6);
    lonely.ask(&["alert", "show", "99"]).expect(5);
    lonely
        .ask(&["alert", "raise", "x", "--to", "person:nobody"])
        .expect(1);
    lonely
        .ask(&["alert", "raise", "x", "--to", "duty"])
        .expect(2);
    lonely.ask(&["cluster", "promote", "second"]).expect(2);
    lonely.ask(&["alert", "calloff", "1"]).expect(2); // asks back, and nobody is at the keyboard
    lonely.ask(&["alert", "calloff", "1", "--yes"]).expect(0);
    lonely.ask(&["alert", "ack", "1"]).expect(6);
    lonely.ask(&["status"]).expect(0);
    let doctor = lonely.ask(&["doctor"]).expect(1);
    assert!(
        doctor.stdout.contains("this node can reach nobody"),
        "{doctor:?}"
    );

    let (key, ca) = (lonely.path("key"), lonely.path("data/cluster-ca.pem"));
    let remote = |key: &str, arguments: &[&str]| {
        holdfast(
            &[
                &[
                    "--node",
                    "https://127.0.0.1:1",
                    "--node",
                    &lonely.https,
                    "--key-file",
                    key,
                    "--ca-file",
                    &ca,
                    "--json",
                ],
                arguments,
            ]
            .concat(),
        )
    };
    assert_eq!(
        remote(&key, &["alert", "show", "1"]).expect(0).json()["state"],
        "called_off",
        "the second address answers"
    );
    let made = lonely
        .ask(&["key", "create", "reader", "--scope", "alert:read"])
        .expect(0)
        .json();
    write_private(
        &lonely.dir.path().join("reader"),
        made["key"].as_str().unwrap(),
    );
    let reader = lonely.path("reader");
    remote(&reader, &["alert", "list"]).expect(0);
    remote(&reader, &["person", "list"]).expect(4);
    lonely
        .ask(&["key", "revoke", made["id"].as_str().unwrap(), "--yes"])
        .expect(0);
    super::wait_until("the key has ended", || {
        remote(&reader, &["alert", "list"]).code == 4
    });

    let piped = holdfast_reading(
        &[
            "--config",
            &lonely.config,
            "--json",
            "alert",
            "raise",
            "-",
            "--to",
            "person:anna",
        ],
        "from a pipe\n",
    );
    assert_eq!(piped.expect(0).json()["number"], "2");
    assert_eq!(
        lonely.ask(&["alert", "show", "2"]).json()["text"],
        "from a pipe"
    );
}

#[test]
fn a_cluster_that_cannot_decide_is_told_apart_from_one_that_says_no() {
    let lonely = Lonely::start();
    let invitation = lonely.ask(&["cluster", "invite"]).expect(0).json();
    assert!(invitation["token"].as_str().is_some_and(|t| t.len() > 40));
    // The only voter cannot leave: the cluster says no, and says why.
    let refused = lonely.ask(&["cluster", "remove", "n1", "--yes"]).expect(6);
    assert!(refused.stderr.contains("only voter"), "{refused:?}");
    let joined = holdfast_reading(
        &[
            "--config",
            &lonely.write("other.toml", &other(&lonely)),
            "join",
            "-",
        ],
        "not-a-token",
    );
    assert_ne!(joined.code, 0);
}

fn other(lonely: &Lonely) -> String {
    format!(
        "[node]\nname = \"other\"\ndata_dir = {:?}\n",
        lonely.path("other")
    )
}
