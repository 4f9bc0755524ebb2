//! A running alert changed, and a template's automations tried out, at the command line.

use super::{Lonely, wait_until};

const PUMP: &str = r#"
key = "pump"
name = "Pump"
severity = "high"

[texts]
en = "Pump down"

[[steps]]
to = ["person:anna"]

[[automations]]
when = { answered = { answer = "cannot" } }
then = [ { add = { to = ["person:bela"] } }, { post = { text = "Bela is called" } } ]

[[automations]]
when = { nobody = { after_s = 300 } }
then = [ { severity = "critical" } ]
"#;

fn people(lonely: &Lonely) {
    for (key, name, number) in [
        ("anna", "Anna", "+358401234567"),
        ("bela", "Bela", "+358401234568"),
    ] {
        lonely
            .ask(&["person", "put", key, "--name", name, "--sms", number])
            .expect(0);
    }
}

#[test]
fn a_running_alert_is_changed_word_by_word() {
    let lonely = Lonely::start();
    people(&lonely);
    lonely
        .ask(&[
            "alert",
            "raise",
            "Pump down",
            "--to",
            "person:anna",
            "--then",
            "2h=person:bela",
        ])
        .expect(0);
    for act in [
        &["alert", "pause", "1", "--for", "10m", "--reason", "looking"][..],
        &["alert", "resume", "1"],
        &["alert", "severity", "1", "critical"],
        &["alert", "hurry", "1"],
    ] {
        lonely.ask(act).expect(0);
    }
    wait_until("anna is called", || {
        let shown = lonely.ask(&["alert", "show", "1"]).expect(0).json();
        shown["called"][0]["person"].is_object()
    });
    for act in [
        &["alert", "update", "1", "Gate 5", "--text-in", "fi=Portti 5"][..],
        &["alert", "withdraw", "1", "anna"],
        &["alert", "add", "1", "person:anna"],
    ] {
        lonely.ask(act).expect(0);
    }
    let shown = lonely.ask(&["alert", "show", "1"]).expect(0).json();
    assert_eq!(shown["acts"].as_array().unwrap().len(), 7, "{shown}");
    assert_eq!(shown["acts"][0]["reason"], "looking");
    assert_eq!(shown["severity"], "critical");
    lonely
        .ask(&["alert", "pause", "1", "--for", "9h"])
        .expect(1);
    lonely.ask(&["alert", "add", "1", "anna"]).expect(2);
    lonely.ask(&["alert", "resolve", "1"]).expect(0);
    lonely.ask(&["alert", "hurry", "1"]).expect(6);
}

#[test]
fn a_template_says_in_sentences_what_follows_and_what_would_happen() {
    let lonely = Lonely::start();
    people(&lonely);
    let file = lonely.write("pump.toml", PUMP);
    lonely.ask(&["template", "put", &file]).expect(0);
    let config = lonely.config.clone();
    let shown = super::holdfast(&["--config", &config, "template", "show", "pump"]).expect(0);
    assert!(
        shown.stdout.contains(
            "automation 2: When nobody has answered 5 min after the raise: make it critical."
        ),
        "{}",
        shown.stdout
    );
    let tried = lonely
        .ask(&["template", "try", "pump", "--answer", "60s=anna:cannot"])
        .expect(0)
        .json();
    assert_eq!(tried["fires"][0]["after_s"], 60);
    assert_eq!(tried["silent"], serde_json::json!([2]));
    let exported = super::holdfast(&["--config", &config, "template", "export", "pump"]).expect(0);
    let copy = lonely.write("copy.toml", &exported.stdout);
    let again = lonely.ask(&["template", "put", &copy]).expect(0).json();
    assert_eq!(again["changed"], false, "{}", exported.stdout);
}
