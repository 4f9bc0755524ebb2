//! CSV import: every line gets a verdict, good lines go in, and the exit code says whether all were good.

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
    let report = lonely
        .ask(&["person", "import", &repaired])
        .expect(0)
        .json();
    assert_eq!(
        (&report["added"], &report["changed"], &report["unchanged"]),
        (&1.into(), &1.into(), &1.into())
    );
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
