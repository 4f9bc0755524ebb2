//! Who may sign in, at the command line.

use super::{Lonely, holdfast};

#[test]
fn an_account_is_added_given_roles_invited_and_disabled() {
    let lonely = Lonely::start();
    // The founding made one account, for the first admin, that opens by its setup code alone.
    let listed = lonely.ask(&["account", "list"]).expect(0).json();
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["accounts"][0]["account"], "admin");
    assert_eq!(listed["accounts"][0]["factors"]["password"], false);

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
    let add = [
        "account",
        "add",
        "anna",
        "--person",
        "anna",
        "--role",
        "responder",
    ];
    lonely.ask(&add).expect(0);
    let stranger = ["account", "add", "bela", "--person", "bela"];
    let refused = lonely.ask(&stranger).expect(1);
    assert!(refused.stderr.contains("nobody is known"), "{refused:?}");
    lonely.ask(&["account", "roles", "anna", "pope"]).expect(2);
    lonely
        .ask(&["account", "roles", "anna", "duty-officer", "responder"])
        .expect(0);
    let listed = lonely.ask(&["account", "list"]).expect(0).json();
    assert_eq!(listed["accounts"][1]["roles"][0], "duty-officer");
    assert_eq!(listed["accounts"][1]["name"], "Anna");

    // A script reads nothing but the code.
    let plain = holdfast(&["--config", &lonely.config, "account", "invite", "anna"]).expect(0);
    let code = plain.stdout.trim();
    assert_eq!(code.len(), 29, "{code}");
    let another = lonely.ask(&["account", "invite", "anna"]).expect(0).json();
    assert_ne!(another["code"], code);
    let sessions = lonely
        .ask(&["account", "sessions", "anna"])
        .expect(0)
        .json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 0);
    lonely
        .ask(&["--yes", "account", "end-sessions", "anna"])
        .expect(0);
    lonely
        .ask(&["--yes", "account", "disable", "anna"])
        .expect(0);
    let refused = lonely.ask(&["account", "invite", "anna"]).expect(6);
    assert!(refused.stderr.contains("disabled"), "{refused:?}");
    lonely.ask(&["account", "enable", "anna"]).expect(0);
    lonely.ask(&["account", "invite", "anna"]).expect(0);
    lonely.ask(&["account", "invite", "nobody"]).expect(5);
}

#[test]
fn a_sealed_card_is_made_at_a_node_confirmed_by_somebody_else_and_revoked() {
    let lonely = Lonely::start();
    let glass = |what: &[&str]| lonely.ask(&[&["--yes", "account", "glass"], what].concat());
    let made = glass(&["make", "helsinki"]).expect(0).json();
    assert_eq!(made["code"].as_str().unwrap().len(), 29);
    let card = made["card"]["card"].as_str().unwrap();
    let alone = glass(&["confirm", card]).expect(6);
    assert!(alone.stderr.contains("somebody else"), "{alone:?}");
    // Somebody else: whoever holds the first key.
    let (key, authority) = (lonely.path("key"), lonely.path("data/cluster-ca.pem"));
    let remote = ["--node", &lonely.https, "--key-file", &key];
    let confirm = ["--ca-file", &authority, "account", "glass", "confirm", card];
    holdfast(&[&remote[..], &confirm].concat()).expect(0);
    let listed = glass(&["list"]).expect(0).json();
    assert_eq!(listed["cards"][0]["state"], "ready");
    assert!(!listed.to_string().contains(made["code"].as_str().unwrap()));
    glass(&["revoke", card]).expect(0);
    let listed = glass(&["list"]).expect(0).json();
    assert_eq!(listed["cards"][0]["state"], "ended");
    glass(&["revoke", "nosuchcard"]).expect(5);
    // What is to be printed is all there is on standard output.
    let make = [
        "--config",
        &lonely.config,
        "account",
        "glass",
        "make",
        "turku",
    ];
    let printed = holdfast(&make).expect(0).stdout;
    assert!(
        printed.starts_with("BREAK-GLASS CARD   site turku"),
        "{printed}"
    );
}

#[test]
fn setup_says_what_a_new_cluster_needs_and_is_not_finished_without_it() {
    let lonely = Lonely::start();
    let shown = lonely.ask(&["setup"]).expect(0).json();
    let step = |name: &str| {
        let mut steps = shown["steps"].as_array().unwrap().iter();
        steps.find(|step| step["step"] == name).unwrap()
    };
    assert_eq!(shown["finished_at"], serde_json::Value::Null);
    assert_eq!(shown["can_finish"], false);
    // The founding's account waits for its setup code.
    assert_eq!(
        step("administrators")["missing"][0],
        "Administrator",
        "{shown}"
    );
    assert_eq!(step("nodes")["of"], 3);
    let plain = holdfast(&["--config", &lonely.config, "setup"]).expect(0);
    assert!(
        plain.stdout.contains("holdfast cluster invite")
            && plain.stdout.contains("is not finished"),
        "{plain:?}"
    );
    let refused = lonely.ask(&["setup", "finish"]).expect(6);
    assert!(refused.stderr.contains("administrators"), "{refused:?}");
}
