//! Prepared alerts at the command line: files in and out, and a look before raising.

use super::Lonely;

const MAIL: &str = r#"
key = "mail"
name = "Mail down"
severity = "high"
answers = ["coming", "cannot"]
notes = """
Call the provider first.
Then Bo."""

[texts]
en = "{what} is down"
fi = "{what} ei toimi"

[[placeholders]]
name = "what"
required = true
example = { en = "Mail", fi = "Posti" }

[[steps]]
to = ["person:anna"]

[[checklist]]
owner = { en = "IT on duty" }
text = { en = "Restart {what}" }
"#;

fn add_anna(lonely: &Lonely) {
    let anna = "person put anna --name Anna --language sv --sms +358401234567";
    lonely.ask(&anna.split(' ').collect::<Vec<_>>()).expect(0);
}

#[test]
fn a_template_comes_out_as_the_file_it_was_put_from_and_survives_a_restart() {
    let mut lonely = Lonely::start();
    add_anna(&lonely);
    let file = lonely.write("mail.toml", MAIL);
    let dry = lonely
        .ask(&["template", "put", &file, "--dry-run"])
        .expect(0);
    assert_eq!(dry.json()["texts"][0]["channel"], "sms");
    lonely.ask(&["template", "show", "mail"]).expect(5);
    let put = lonely.ask(&["template", "put", &file]).expect(0);
    assert_eq!(put.json()["version"], 1);
    assert!(put.stderr.contains("/texts/sv"), "{put:?}");

    let config = lonely.config.clone();
    let exported = super::holdfast(&["--config", &config, "template", "export", "mail"]).expect(0);
    let copy = lonely.write("copy.toml", &exported.stdout);
    let again = lonely.ask(&["template", "put", &copy]).expect(0).json();
    assert_eq!(again["changed"], false, "{}", exported.stdout);
    let as_json = lonely.ask(&["template", "export", "mail"]).expect(0);
    let copy = lonely.write("copy.json", &as_json.stdout);
    let again = lonely.ask(&["template", "put", &copy]).expect(0).json();
    assert_eq!(again["changed"], false);

    let bad = lonely.write("bad.toml", &MAIL.replace("{what} ei", "{waht} ei \\u0007"));
    let refused = lonely.ask(&["template", "put", &bad]).expect(1);
    assert!(
        refused.stderr.contains("#/texts/fi: has {waht}"),
        "{refused:?}"
    );

    lonely.node = None;
    lonely.run();
    let shown = lonely.ask(&["template", "show", "mail"]).expect(0).json();
    assert_eq!(shown["template"]["texts"]["fi"], "{what} ei toimi");
    lonely.ask(&["template", "archive", "mail"]).expect(0);
    lonely.ask(&["template", "put", &file]).expect(6);
    lonely.ask(&["template", "restore", "mail"]).expect(0);
    let versions = lonely
        .ask(&["template", "versions", "mail"])
        .expect(0)
        .json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
}

#[test]
fn an_alert_is_looked_at_tried_on_one_person_and_raised_from_a_template() {
    let lonely = Lonely::start();
    add_anna(&lonely);
    let installed = lonely.ask(&["template", "starter"]).expect(0).json();
    assert_eq!(installed["installed"], 10);
    let price = lonely
        .ask(&["cluster", "texts", "--price", "0.05 EUR"])
        .expect(0);
    assert_eq!(price.json()["price_per_part"]["amount"], "0.05");

    let what = ["alert", "raise", "--template", "server-down"];
    let missing = lonely
        .ask(&[&what[..], &["--to", "person:anna"]].concat())
        .expect(1);
    assert!(
        missing.stderr.contains("#/placeholders/what: is missing"),
        "{missing:?}"
    );
    let set = ["--set", "what=the order system", "--to", "person:anna"];
    let dry = lonely
        .ask(&[&what[..], &set[..], &["--dry-run"]].concat())
        .expect(0);
    assert_eq!(dry.json()["cost"]["amount"], "0.05");
    assert!(dry.stderr.contains("no modem is up"), "{dry:?}");
    let none = lonely.ask(&["alert", "list", "--all"]).expect(0).json();
    assert_eq!(none["alerts"].as_array().unwrap().len(), 0);

    let only = ["--set", "what=x", "--only", "person:anna"];
    lonely.ask(&[&what[..], &only[..]].concat()).expect(0);
    lonely.ask(&[&what[..], &set[..]].concat()).expect(0);
    let test = lonely.ask(&["alert", "show", "1"]).expect(0).json();
    assert_eq!(test["status"], "test");
    let shown = super::holdfast(&["--config", &lonely.config, "alert", "show", "2"]).expect(0);
    assert!(
        shown.stdout.contains("template: server-down version 1"),
        "{shown:?}"
    );
    assert!(
        shown.stdout.contains("10. IT on duty: Afterwards check"),
        "{shown:?}"
    );
    lonely
        .ask(&["alert", "raise", "--to", "person:anna"])
        .expect(2);
}
