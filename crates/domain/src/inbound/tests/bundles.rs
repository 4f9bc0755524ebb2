//! "4711 ALL": one answer for everything a storm raised.

use expect_test::expect;

use super::story::{ANA, DORA, Story};
use crate::alerts::{Command as Alerts, Severity};
use crate::transcript::raise;
use crate::{AlertId, Command, Outcome, Receipt};

/// Raises an alert as a source does, under a key of its own.
async fn automatic(story: &mut Story, key: &str, people: &[&str]) -> AlertId {
    let mut new = raise(Severity::Critical, 300, &[people]);
    new.dedup_key = Some(key.to_owned());
    new.source = "control room".to_owned();
    let outcome = story
        .world
        .ask(Command::Alerts(Alerts::Raise(Box::new(new))))
        .await;
    let Outcome::Applied(Receipt::Alert { id, .. }) = outcome else {
        panic!("not raised: {outcome:?}");
    };
    story.alerts.push(id);
    story.world.act().await;
    id
}

#[tokio::test]
async fn all_with_a_bundles_code_answers_what_the_bundle_gathers_and_nothing_else() {
    let mut story = Story::new().await;
    let first = automatic(&mut story, "source:zabbix:pump-3", &["dora", "ana"]).await;
    let bundle = automatic(&mut story, "source:zabbix:", &["dora", "ana"]).await;
    let other = automatic(&mut story, "source:nagios:disk", &["dora"]).await;
    let human = story.raise(Severity::Critical, &["dora"]).await;
    story.log.clear();
    story.text(DORA, "{dora 2} 1 20 ALL").await;
    assert_eq!(story.answer_of(first, "dora").await, "coming dora");
    assert_eq!(story.answer_of(bundle, "dora").await, "coming dora");
    assert_eq!(story.answer_of(other, "dora").await, "silent ");
    assert_eq!(story.answer_of(human, "dora").await, "silent ");
    assert_eq!(story.answer_of(first, "ana").await, "silent ");
    story.text(DORA, "{dora 4} ALL").await;
    assert_eq!(story.answer_of(other, "dora").await, "silent ");
    story.text(ANA, "2 KAIKKI").await;
    story.check(expect![[r#"
        +0 s dora: {dora 2} 1 20 ALL
          answer
          room 2: DORA: DORA is coming in 20 min (03:20 UTC).
          to dora: Noted 03:00 UTC, DORA: coming in 20 min (03:20 UTC). Alert 2 Aurora Energy. Also counted for alerts 1.
        +0 s dora: {dora 4} ALL
          answer
          to dora: Noted 03:00 UTC, DORA: coming. Alert 4 Aurora Energy. ALL works with the code of a bundle; this alert is none, so only it is answered.
        +0 s ana: 2 KAIKKI
          ambiguous
          to ana: Useita hälytyksiä on auki. Lähetä jokin näistä: {ana 1} 2 (hälytys 1), {ana 2} 2 (hälytys 2)
    "#]]);
}

#[tokio::test]
async fn what_everybody_got_too_much_of_is_answered_across_sources() {
    let mut story = Story::new().await;
    let pump = automatic(&mut story, "source:zabbix:pump-3", &["dora"]).await;
    let disk = automatic(&mut story, "source:nagios:disk", &["dora"]).await;
    let scope = "source:people:00112233445566778899aabbccddeeff:";
    automatic(&mut story, scope, &["dora"]).await;
    story.log.clear();
    story.text(DORA, "{dora 3} all").await;
    for alert in [pump, disk] {
        assert_eq!(story.answer_of(alert, "dora").await, "coming dora");
    }
    story.check(expect![[r#"
        +0 s dora: {dora 3} all
          answer
          to dora: Noted 03:00 UTC, DORA: coming. Alert 3 Aurora Energy. Also counted for alerts 1, 2.
    "#]]);
}

#[tokio::test]
async fn a_time_is_kept_until_another_one_or_another_answer() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::Critical, &["dora"]).await;
    let mut seen = String::new();
    for (text, pause) in [
        ("{dora 1} 1 20", 60),
        ("{dora 1} 1", 60),
        ("{dora 1} 1 90 h", 60),
        ("{dora 1} ok 5 min", 60),
        ("{dora 1} 2", 60),
    ] {
        story.text(DORA, text).await;
        let call = crate::escalation::find_call(
            &mut story.world.conn,
            alert,
            crate::RecipientId::of_key("dora"),
        )
        .await
        .unwrap()
        .unwrap();
        let due = call
            .expected_at()
            .map(|at| at.since(crate::transcript::START).as_secs());
        seen.push_str(&format!("{text}: {:?} {due:?}\n", call.eta_min));
        story.world.pass(pause);
    }
    expect![[r#"
        {dora 1} 1 20: Some(20) Some(1200)
        {dora 1} 1: Some(20) Some(1200)
        {dora 1} 1 90 h: Some(20) Some(1200)
        {dora 1} ok 5 min: Some(5) Some(480)
        {dora 1} 2: None None
    "#]]
    .assert_eq(&seen);
    story.check(expect![[r#"
        +0 s dora: {dora 1} 1 20
          answer
          room 1: DORA: DORA is coming in 20 min (03:20 UTC).
          to dora: Noted 03:00 UTC, DORA: coming in 20 min (03:20 UTC). Alert 1 Aurora Energy.
        +60 s dora: {dora 1} 1
          answer
          to dora: Noted 03:01 UTC, DORA: coming. Alert 1 Aurora Energy.
        +120 s dora: {dora 1} 1 90 h
          answer
          to dora: Noted 03:02 UTC, DORA: coming. Alert 1 Aurora Energy. 90 h is no time until arrival (minutes, at most 12 h), so none is noted.
        +180 s dora: {dora 1} ok 5 min
          answer
          room 1: DORA: DORA is coming in 5 min (03:08 UTC).
          to dora: Noted 03:03 UTC, DORA: coming in 5 min (03:08 UTC). Alert 1 Aurora Energy.
        +240 s dora: {dora 1} 2
          answer
          to dora: Noted 03:04 UTC, DORA: cannot come. Alert 1 Aurora Energy.
    "#]]);
}
