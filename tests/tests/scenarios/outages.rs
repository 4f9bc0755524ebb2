//! What people's phones show after nothing could leave for a while.

use domain::alerts::Severity;

use super::stage::{DORA, call_off, code, raise, seconds, states, three_nodes};

#[tokio::test]
async fn after_an_outage_people_get_one_summary_and_each_critical_alert_once() {
    let mut world = three_nodes().await;
    for id in 1..=3 {
        world.node(id).modem.set_up(false);
    }
    world.settle().await;
    let mut alerts = Vec::new();
    for _ in 0..3 {
        alerts.push(raise(&world, Severity::Normal, &[&["dora"]]).await);
        world.pass(seconds(1));
        world.settle().await;
    }
    let critical = raise(&world, Severity::Critical, &[&["dora"]]).await;
    for _ in 0..20 {
        world.pass(seconds(60)); // a second round of each comes due on the way
        world.settle().await;
    }
    assert_eq!(world.sent_to(DORA).len(), 0);
    for id in 1..=3 {
        world.node(id).modem.set_up(true);
    }
    world.live(seconds(20)).await;
    let texts: Vec<String> = world
        .sent_to(DORA)
        .into_iter()
        .map(|sent| sent.message.body)
        .collect();
    assert_eq!(texts.len(), 2, "{texts:#?}");
    let page = code(&world, critical, "dora").await;
    assert!(
        texts.iter().any(|text| text.starts_with(&page)),
        "{texts:?}"
    );
    let summary = texts.iter().find(|text| text.contains("3 alerts"));
    let summary = summary.expect("one text for the three others");
    for alert in &alerts {
        assert!(summary.contains(&code(&world, *alert, "dora").await));
    }
    assert!(
        states(&world, alerts[0])
            .await
            .iter()
            .all(|(_, s)| *s == "expired" || *s == "cancelled")
    );

    // Codes of a summary answer, and a call-off reaches whoever was told by one.
    let answered = code(&world, alerts[0], "dora").await;
    world.node(2).modem.receive(DORA, &format!("{answered} 1"));
    world.settle().await;
    call_off(&world, alerts[1]).await;
    world.live(seconds(5)).await;
    let later: Vec<String> = world
        .sent_to(DORA)
        .into_iter()
        .skip(2)
        .map(|sent| sent.message.body)
        .collect();
    assert!(
        later.iter().any(|text| text.starts_with("Noted")),
        "{later:?}"
    );
    assert!(
        later.iter().any(|text| text.contains("CALLED OFF")),
        "{later:?}"
    );
}

#[tokio::test]
async fn a_single_alert_that_waited_is_sent_by_itself() {
    let mut world = three_nodes().await;
    for id in 1..=3 {
        world.node(id).modem.set_up(false);
    }
    world.settle().await;
    let alert = raise(&world, Severity::Normal, &[&["dora"]]).await;
    for _ in 0..25 {
        world.pass(seconds(60));
        world.settle().await;
    }
    world.node(1).modem.set_up(true);
    world.live(seconds(20)).await;
    let texts = world.sent_to(DORA);
    assert_eq!(texts.len(), 1, "the last of its rounds only: {texts:#?}");
    let own = code(&world, alert, "dora").await;
    assert!(texts[0].message.body.starts_with(&own));
}
