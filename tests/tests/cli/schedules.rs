//! Schedules and time zones on the command line of a real node, which brings its own zones.

use std::time::{Duration, Instant};

use super::Lonely;

const SCHEDULE: &str = r#"
key = "network"
name = "Network"
zone = "Europe/Helsinki"

[[layers]]
name = "Week"
rotation = "weekly"
start = "2026-11-02T08:00"
turns = [["anna"], ["bo"]]
"#;

const PEOPLE: &str = "\
key,name,language,sms,email,groups
anna,Anna,fi,+358 40 123 4567,anna@example.org,
bo,Bo,sv,+358401234568,,
";

#[test]
fn a_node_installs_its_zones_and_schedules_are_kept_and_asked() {
    let lonely = Lonely::start();
    let began = Instant::now();
    while lonely.ask(&["zones", "list"]).json()["release"].is_null() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no zones were installed"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let again = lonely
        .ask(&["zones", "update", "--bundled"])
        .expect(0)
        .json();
    assert_eq!(again["changed"], false);
    let people = lonely.write("people.csv", PEOPLE);
    lonely.ask(&["person", "import", &people]).expect(0);
    let file = lonely.write("network.toml", SCHEDULE);
    lonely.ask(&["schedule", "put", &file]).expect(0);
    // What is shown can be put again.
    let shown = lonely.ask(&["schedule", "show", "network"]).expect(0);
    let file = lonely.write("network.json", &shown.stdout);
    lonely.ask(&["schedule", "put", &file]).expect(0);

    let who = |at: &str| {
        let answer = lonely
            .ask(&["schedule", "who", "network", "--at", at])
            .expect(0);
        answer.json()["on_call"][0]["person"]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(who("2026-11-10T00:00:00Z").as_deref(), Some("bo"));
    let order = [
        "schedule",
        "override",
        "add",
        "network",
        "--from",
        "2026-11-10T00:00",
        "--to",
        "2026-11-10T06:00",
        "--instead",
        "anna",
        "--of",
        "bo",
    ];
    lonely.ask(&order).expect(0);
    assert_eq!(who("2026-11-10T00:00:00Z").as_deref(), Some("anna"));
    let redirect = [
        "schedule",
        "redirect",
        "network",
        "--to",
        "person:bo",
        "--from",
        "2026-11-09T00:00",
    ];
    lonely.ask(&redirect).expect(0);
    assert_eq!(who("2026-11-10T00:00:00Z").as_deref(), Some("bo"));
    lonely
        .ask(&["schedule", "redirect", "network", "--back"])
        .expect(0);

    let exported = lonely
        .ask(&["schedule", "export", "network"])
        .expect(0)
        .json();
    let calendar = lonely.write("network.ics", exported["calendar"].as_str().unwrap());
    let dry = [
        "schedule",
        "import",
        "network",
        calendar.as_str(),
        "--dry-run",
    ];
    let report = lonely.ask(&dry).expect(0).json();
    assert!(report["taken"].as_u64().unwrap() > 10, "{report}");
    lonely
        .ask(&["schedule", "feed", "create", "person:anna"])
        .expect(0);
    let feeds = lonely.ask(&["schedule", "feed", "list"]).expect(0).json();
    assert_eq!(feeds["feeds"][0]["of"]["person"], "anna");
    lonely.ask(&["schedule", "show", "nothing"]).expect(5);
    lonely
        .ask(&[
            "schedule", "swap", "consent", "network", "1", "--person", "bo",
        ])
        .expect(5);
    lonely
        .ask(&["schedule", "remove", "network", "--yes"])
        .expect(0);
}
