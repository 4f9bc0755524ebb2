//! Who did what, at the command line and from files.

use std::path::Path;

use super::{Lonely, holdfast, wait_until};

fn people(lonely: &Lonely) {
    let anna = [
        "person",
        "put",
        "anna",
        "--name",
        "Anna",
        "--sms",
        "+358401234567",
    ];
    lonely.ask(&anna).expect(0);
}

#[test]
fn what_was_done_is_listed_exported_and_verified_and_a_flipped_byte_is_named() {
    let lonely = Lonely::start();
    people(&lonely);
    let tail = lonely
        .ask(&["audit", "tail", "--action", "person"])
        .expect(0)
        .json();
    let entry = &tail["entries"][0];
    assert_eq!(
        (
            &entry["action"],
            &entry["object"],
            &entry["actor"],
            &entry["assurance"]
        ),
        (
            &"person.put".into(),
            &"person:anna".into(),
            &"operator:n1".into(),
            &"local".into()
        )
    );
    wait_until("the node has signed", || {
        lonely.ask(&["audit", "tail"]).json()["sealed"].as_u64() > Some(0)
    });
    let verified = lonely.ask(&["audit", "verify"]).expect(0).json();
    assert!(verified["sealed"].as_u64() > Some(0), "{verified}");

    let folder = lonely.path("export");
    lonely.ask(&["audit", "export", &folder]).expect(0);
    holdfast(&["audit", "verify", &folder]).expect(0);
    let file = Path::new(&folder).join("audit.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("audit.export"), "the export is in itself");
    std::fs::write(&file, text.replacen("node.start", "node.stop!", 1)).unwrap();
    let bad = holdfast(&["--json", "audit", "verify", &folder]).expect(7);
    let flaws = &bad.json()["flaws"];
    assert!(
        flaws[0]["what"].as_str().unwrap().contains("altered"),
        "{flaws}"
    );
    assert!(
        bad.stderr.contains("the audit does not hold: entry"),
        "{bad:?}"
    );
}

#[test]
fn requests_turned_away_are_in_the_audit_with_who_they_said_they_are() {
    let lonely = Lonely::start();
    let made = lonely
        .ask(&["key", "create", "wall", "--scope", "alert:read"])
        .expect(0)
        .json();
    super::write_private(
        &lonely.dir.path().join("weak"),
        made["key"].as_str().unwrap(),
    );
    let authority = lonely.path("data/cluster-ca.pem");
    let weak = lonely.path("weak");
    let remote = [
        "--node",
        &lonely.https,
        "--key-file",
        &weak,
        "--ca-file",
        &authority,
    ];
    holdfast(&[&remote[..], &["key", "list"]].concat()).expect(4);
    wait_until("the denial is in the audit", || {
        let tail = lonely
            .ask(&["audit", "tail", "--action", "access.denied"])
            .json();
        tail["entries"][0]["object"] == "GET /v1/keys" && tail["entries"][0]["assurance"] == "key"
    });
    holdfast(&[&remote[..], &["audit", "tail"]].concat()).expect(4);
}

#[test]
fn what_an_entry_says_of_people_can_be_erased_and_the_rest_holds() {
    let lonely = Lonely::start();
    people(&lonely);
    let tail = lonely
        .ask(&["audit", "tail", "--action", "person.put"])
        .json();
    let seq = tail["entries"][0]["seq"].to_string();
    assert!(tail["entries"][0]["details"].to_string().contains("Anna"));
    lonely
        .ask(&["audit", "erase", "99999", "--reason", "x", "--yes"])
        .expect(5);
    lonely
        .ask(&["audit", "erase", &seq, "--reason", "asked by Anna", "--yes"])
        .expect(0);
    let tail = lonely
        .ask(&["audit", "tail", "--action", "person.put"])
        .json();
    assert!(tail["entries"][0]["details"].is_null());
    let verified = lonely.ask(&["audit", "verify"]).expect(0).json();
    assert_eq!(verified["erased"], 1);
}
