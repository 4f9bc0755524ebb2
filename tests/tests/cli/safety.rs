//! A safety check from the command line: raised, marked, printed.

use super::Lonely;

#[test]
fn a_safety_check_is_raised_marked_and_printed_and_survives_a_restart() {
    let mut lonely = Lonely::start();
    for (key, name, number, site) in [
        ("anna", "Anna Virtanen", "+358401234567", "Turku"),
        ("bela", "Bela Berg", "+358401234568", "Espoo"),
    ] {
        lonely
            .ask(&[
                "person",
                "put",
                key,
                "--name",
                name,
                "--sms",
                number,
                "--site",
                site,
                "--skill",
                "first-aid",
            ])
            .expect(0);
    }
    let what = [
        "alert",
        "raise",
        "Evacuate building C",
        "--kind",
        "safety-check",
    ];
    let whom = ["--to", "person:anna,person:bela", "--lead", "person:anna"];
    lonely.ask(&[&what[..], &whom[..]].concat()).expect(0);
    super::wait_until("both are asked", || {
        let list = lonely.ask(&["alert", "missing", "1"]).expect(0).json();
        list["asked"] == 2
    });
    let mark = [
        "alert",
        "mark",
        "1",
        "bela",
        "safe",
        "--by",
        "Kalle, gate 3",
    ];
    lonely.ask(&mark).expect(0);
    lonely
        .ask(&["alert", "answer", "1", "anna", "need-help"])
        .expect(0);
    lonely
        .ask(&["alert", "answer", "1", "bela", "coming"])
        .expect(1);
    let config = lonely.config.clone();
    let paper = super::holdfast(&["--config", &config, "alert", "missing", "1"]).expect(0);
    assert!(paper.stdout.starts_with("SAFETY CHECK 1 "), "{paper:?}");
    assert!(paper.stdout.contains("[ ] Anna Virtanen"), "{paper:?}");
    assert!(!paper.stdout.contains("Bela"), "{paper:?}");
    let table = [
        "--config", &config, "alert", "missing", "1", "--all", "--csv",
    ];
    let table = super::holdfast(&table).expect(0);
    assert!(table.stdout.contains("Kalle, gate 3"), "{table:?}");

    lonely.node = None;
    lonely.run();
    let list = lonely
        .ask(&["alert", "missing", "1", "--all"])
        .expect(0)
        .json();
    assert_eq!(
        list["sites"][0]["people"][0]["marks"][0]["by"],
        "Kalle, gate 3"
    );
    assert_eq!((&list["need_help"], &list["safe"]), (&1.into(), &1.into()));
    lonely.ask(&["alert", "missing", "7"]).expect(5);

    let raise = ["alert", "raise", "Fire", "--to", "person:anna,person:bela"];
    let quota = ["--enough", "2=skill:first-aid", "--enough", "1=each-site"];
    let dry = [&raise[..], &quota[..], &["--dry-run"]].concat();
    let dry = lonely.ask(&dry).expect(0).json();
    assert_eq!(dry["steps"][0]["enough"][0]["what"], "first-aid");
    let diver = [&raise[..], &["--enough", "1=skill:diver"]].concat();
    let refused = lonely.ask(&diver).expect(1);
    assert!(
        refused.stderr.contains("nobody has the skill"),
        "{refused:?}"
    );
}
