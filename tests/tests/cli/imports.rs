//! Imports from the command line: every line gets a verdict, good lines go in, what is too much waits, and the exit code says
//! whether all were good.

use super::Lonely;

const PEOPLE: &str = "\
key,name,language,sms,email,groups
anna,Anna,fi,+358 40 123 4567,anna@example.org,duty
bo,Bo,sv,040123,,duty
carol,Carol,en,+358401234569,,duty;field
";

#[test]
fn good_lines_go_in_and_bad_ones_are_reported() {
    let lonely = Lonely::start();
    let file = lonely.write("people.csv", PEOPLE);

    let dry = lonely
        .ask(&["person", "import", &file, "--dry-run"])
        .expect(1)
        .json();
    assert_eq!(
        (&dry["applied"], &dry["added"], &dry["refused"]),
        (&false.into(), &2.into(), &1.into())
    );
    let whole = lonely
        .ask(&["person", "import", &file, "--all-or-nothing"])
        .expect(1)
        .json();
    assert_eq!(whole["applied"], false);
    assert_eq!(
        lonely.ask(&["person", "list"]).json()["people"]
            .as_array()
            .unwrap()
            .len(),
        0
    );

    let report = lonely.ask(&["person", "import", &file]).expect(1).json();
    assert_eq!(
        (&report["added"], &report["refused"]),
        (&2.into(), &1.into())
    );
    assert_eq!(report["lines"][1]["line"], 3);
    assert!(
        report["lines"][1]["reason"]
            .as_str()
            .unwrap()
            .contains("no country code"),
        "{report}"
    );
    let groups = lonely.ask(&["group", "list"]).json();
    assert_eq!(
        groups["groups"][0]["members"],
        serde_json::json!(["anna", "carol"])
    );

    let repaired = lonely.write(
        "people.csv",
        &PEOPLE
            .replace("040123,", "+358401234568,")
            .replace("Anna,fi", "Anna Virtanen,fi"),
    );
    // One of two people is more than 5 %: a person looks at it first.
    let report = lonely
        .ask(&["person", "import", &repaired])
        .expect(0)
        .json();
    assert_eq!(
        (&report["added"], &report["changed"], &report["unchanged"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(report["applied"], false);
    let id = report["import"].as_str().unwrap();
    let shown = lonely.ask(&["directory", "import", id]).expect(0).json();
    assert_eq!(shown["changes"][0]["fields"][0]["after"], "Anna Virtanen");
    lonely.ask(&["--yes", "directory", "approve", id]).expect(0);
    let again = lonely
        .ask(&["person", "import", &repaired])
        .expect(0)
        .json();
    assert_eq!(again["unchanged"], 3);
}

#[test]
fn groups_name_people_that_exist() {
    let lonely = Lonely::start();
    lonely
        .ask(&[
            "person",
            "import",
            &lonely.write("people.csv", &PEOPLE.replace("040123,", "+358401234568,")),
        ])
        .expect(0);
    let file = lonely.write(
        "groups.csv",
        "key,name,members\nduty,On duty,carol;anna\nops,Operations,nobody\n",
    );
    let report = lonely.ask(&["group", "import", &file]).expect(1).json();
    assert_eq!(
        (&report["changed"], &report["refused"]),
        (&1.into(), &1.into())
    );
    let groups = lonely.ask(&["group", "list"]).json();
    assert_eq!(
        groups["groups"][0]["members"],
        serde_json::json!(["carol", "anna"]),
        "calling order is the file's"
    );
    let bad = lonely
        .ask(&[
            "person",
            "import",
            &lonely.write("no.csv", "name,phone\nAnna,1\n"),
        ])
        .expect(1);
    assert!(bad.stderr.contains("unknown column \"phone\""), "{bad:?}");
}

#[test]
fn an_export_comes_back_unchanged_and_a_freeze_stops_imports() {
    let lonely = Lonely::start();
    lonely
        .ask(&[
            "person",
            "put",
            "anna",
            "--name",
            "Anna",
            "--sms",
            "+358401234567",
            "--skill",
            "network",
            "--hours",
            "Mon-Fri 8:00-16:00",
            "--note",
            "=1+1",
            "--never-voice",
        ])
        .expect(0);
    lonely
        .ask(&[
            "group",
            "put",
            "net",
            "--name",
            "Network",
            "--all-of",
            "skill:network",
        ])
        .expect(0);
    let members = lonely.ask(&["group", "members", "net"]).expect(0).json();
    assert_eq!(
        members["members"][0]["why"][0]["matches"][0],
        "skill:network"
    );
    lonely
        .ask(&[
            "person",
            "verify",
            "anna",
            "+358401234567",
            "verified",
            "--how",
            "told by phone",
        ])
        .expect(0);
    let anna = lonely.ask(&["person", "show", "anna"]).expect(0).json();
    assert_eq!(anna["methods"][0]["state"], "verified");
    for name in ["out.csv", "out.xlsx", "out.vcf"] {
        let file = lonely.write(name, "");
        lonely.ask(&["person", "export", &file]).expect(0);
        let report = lonely
            .ask(&["person", "import", &file, "--complete"])
            .expect(0)
            .json();
        assert_eq!(
            (&report["unchanged"], &report["refused"]),
            (&1.into(), &0.into()),
            "{name}: {report}"
        );
    }
    lonely
        .ask(&["directory", "freeze", "--reason", "HR moves house"])
        .expect(0);
    let file = lonely.write("more.csv", "key,name,sms\nbo,Bo,+358401234568\n");
    let refused = lonely.ask(&["person", "import", &file]).expect(6);
    assert!(refused.stderr.contains("HR moves house"), "{refused:?}");
    lonely.ask(&["directory", "thaw"]).expect(0);
    lonely.ask(&["directory", "prefixes", "+46"]).expect(0);
    let report = lonely.ask(&["person", "import", &file]).expect(0).json();
    assert!(
        report["lines"][0]["warnings"][0]
            .as_str()
            .unwrap()
            .contains("no text may go")
    );
    assert_eq!(lonely.ask(&["directory", "show"]).json()["people"], 2);
}
