//! Sources at the command line: their alarms go elsewhere in one step, and back.

use std::time::{Duration, Instant};

use super::Lonely;

#[test]
fn a_source_is_redirected_in_one_step_and_back() {
    let lonely = Lonely::start();
    for (key, number) in [("anna", "+358401234567"), ("berit", "+358401234568")] {
        let put = ["person", "put", key, "--name", key, "--sms", number];
        lonely.ask(&put).expect(0);
    }
    let put = [
        "source",
        "put",
        "pump",
        "--kind",
        "contact",
        "--to",
        "person:anna",
    ];
    lonely.ask(&put).expect(0);
    let called = |matter: &str| {
        let trigger = ["source", "trigger", "pump", "--matter", matter];
        lonely.ask(&trigger).expect(0);
        let alerts = lonely.ask(&["alert", "list"]).expect(0).json();
        let number = alerts["alerts"][0]["number"].as_str().unwrap().to_owned();
        // The scheduler calls them a moment later.
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let alert = lonely.ask(&["alert", "show", &number]).expect(0).json();
            let called = alert["called"][0]["person"]["key"].as_str();
            if called.is_some() || Instant::now() > until {
                return called.map(str::to_owned);
            }
        }
    };
    let redirect = |more: &[&str]| {
        let mut words = vec!["source", "redirect", "pump"];
        words.extend(more);
        lonely.ask(&words)
    };
    redirect(&["--to", "person:nobody"]).expect(1);
    redirect(&[]).expect(2);
    redirect(&[
        "--to",
        "person:berit",
        "--for",
        "2h",
        "--reason",
        "storm night",
    ])
    .expect(0);
    let shown = lonely.ask(&["source", "show", "pump"]).expect(0).json();
    assert_eq!(shown["redirect"]["target"]["person"], "berit");
    assert_eq!(shown["redirect"]["over"], false);
    assert_eq!(called("first").as_deref(), Some("berit"));
    redirect(&["--back"]).expect(0);
    let listed = lonely.ask(&["source", "list"]).expect(0).json();
    assert!(listed["sources"][0]["redirect"].is_null(), "{listed}");
}
