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
