//! What limits an alert, at the command line: a second person, budgets, numbers no text goes to, readiness.

use super::Lonely;

fn with_anna() -> Lonely {
    let lonely = Lonely::start();
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
    lonely
}

#[test]
fn an_alert_waits_for_a_second_person_who_is_another_and_does_not_wait_once_that_is_off() {
    let lonely = with_anna();
    let set = [
        "limits",
        "second-person",
        "--people-over",
        "0",
        "--ask",
        "person:anna",
    ];
    lonely.ask(&set).expect(0);
    let raise = ["alert", "raise", "Fire", "--to", "person:anna"];
    let held = lonely.ask(&raise).expect(0).json();
    assert_eq!(held["held"]["state"], "awaiting_second_person");
    let act = |verb: &'static str| ["alert", verb, "1", "--name", "Kai", "--reason", "seen"];
    let same = lonely.ask(&act("approve")).expect(6);
    assert!(same.stderr.contains("give the code"), "{same:?}");
    let early = lonely.ask(&act("release")).expect(6);
    assert!(
        early.stderr.contains("it may be released alone in"),
        "{early:?}"
    );
    let listed = lonely.ask(&["alert", "held"]).expect(0).json();
    assert_eq!(listed["held"][0]["number"], 1);
    lonely.ask(&act("take-back")).expect(0);
    let reviews = lonely.ask(&["reviews"]).expect(0).json();
    assert!(reviews["held"].as_array().unwrap().is_empty());
    lonely.ask(&["limits", "second-person", "--off"]).expect(0);
    let raised = lonely.ask(&raise).expect(0).json();
    assert_eq!(raised["number"], "1");
}

#[test]
fn a_budget_is_set_shown_and_survives_a_restart() {
    let mut lonely = with_anna();
    let set = [
        "limits",
        "budget",
        "cluster",
        "--day",
        "10",
        "--reserve",
        "95",
    ];
    lonely.ask(&set).expect(1);
    let set = [
        "limits",
        "budget",
        "cluster",
        "--day",
        "10",
        "--reserve",
        "90",
    ];
    lonely.ask(&set).expect(0);
    lonely.node = None;
    lonely.run();
    let shown = lonely.ask(&["limits", "show"]).expect(0).json();
    assert_eq!(shown["standings"][0]["open"], "1");
    let limits = shown["limits"].as_array().unwrap();
    assert!(
        limits
            .iter()
            .any(|limit| limit["name"] == "passwords" && limit["turned_away"] == 0),
        "{shown}"
    );
    lonely
        .ask(&["limits", "budget", "cluster", "--remove"])
        .expect(0);
}

#[test]
fn numbers_no_text_goes_to_are_a_list_people_change() {
    let lonely = with_anna();
    let barred = [
        "directory",
        "barred",
        "--add",
        "+35840=test",
        "--remove",
        "+881",
    ];
    let list = lonely.ask(&barred).expect(0).json().to_string();
    assert!(list.contains("+35840") && !list.contains("+881"), "{list}");
    let ready = lonely.ask(&["readiness", "person:anna"]).expect(0).json();
    let first = &ready["scores"][0]["reasons"][0];
    assert_eq!(first["what"], "no way to reach them works");
}
