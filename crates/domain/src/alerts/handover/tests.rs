//! Transcripts of a rota that changes while an alert runs: who is called besides, what they are told, who may go.

use expect_test::expect;

use crate::alerts::{Answer, Command as Alerts, Severity, acts, schedules_under_way, unsettled};
use crate::oncall::{self, Called, Command as Oncall, OnDuty, Redirect, Schedule, Target};
use crate::transcript::{World, raise};
use crate::zones::WallTime;
use crate::zones::tests::install;
use crate::{AlertId, Command, Outcome, Receipt, RecipientId, nodes};

/// A schedule of no turns; who is on call is said by redirecting it.
async fn world(first: &str) -> World {
    let mut world = World::new().await;
    world.ask(install("2026a", &["Europe/Helsinki"])).await;
    let night = Schedule {
        key: "night".to_owned(),
        name: "Night".to_owned(),
        zone: "Europe/Helsinki".to_owned(),
        layers: Vec::new(),
        fixed: Vec::new(),
    };
    world.ask(Command::Oncall(Oncall::Put(night))).await;
    if !first.is_empty() {
        on_duty(&mut world, first).await;
    }
    world
}

async fn on_duty(world: &mut World, who: &str) {
    let redirect = Oncall::Redirect {
        schedule: "night".to_owned(),
        redirect: Some(Redirect {
            from: WallTime::parse("1960-01-01T00:00").unwrap(),
            to: None,
            target: Target::Person(who.to_owned()),
            reason: String::new(),
        }),
    };
    let outcome = world.ask(Command::Oncall(redirect)).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

async fn resolved(world: &mut World) -> Vec<OnDuty> {
    let at = nodes::civil(&mut world.conn).await.unwrap().at(world.now);
    let called = [Called::OnCall("night".to_owned())];
    let found = oncall::resolve(&mut world.conn, &called, at).await;
    found.unwrap().unwrap().on_call
}

/// Raises an alert through the schedule; bela is called after five minutes.
async fn raised(world: &mut World) -> AlertId {
    let on_call = resolved(world).await;
    let mut raise = raise(Severity::High, 300, &[&[], &["bela"]]);
    raise.steps[0].recipients.clone_from(&on_call[0].people);
    raise.on_call = on_call;
    let outcome = world
        .ask(Command::Alerts(Alerts::Raise(Box::new(raise))))
        .await;
    let Outcome::Applied(Receipt::Alert { id, .. }) = outcome else {
        panic!("not raised: {outcome:?}")
    };
    world.act().await;
    id
}

/// Does what the scheduler would about duties; how many alerts it found.
async fn look(world: &mut World) -> usize {
    let mut now = Vec::new();
    if !schedules_under_way(&mut world.conn)
        .await
        .unwrap()
        .is_empty()
    {
        now = resolved(world).await;
    }
    let alerts = unsettled(&mut world.conn, &now, 10).await.unwrap();
    let found = alerts.len();
    if found > 0 {
        world
            .run(Command::Alerts(Alerts::HandOver { alerts }))
            .await;
        world.act().await;
    }
    found
}

/// Somebody says a little later that they are coming.
async fn coming(world: &mut World, alert: AlertId, who: &str) {
    world.pass(5);
    let answer = Alerts::Answer {
        alert,
        recipient: RecipientId::of_key(who),
        answer: Answer::Coming,
        eta_min: None,
    };
    world.ask(Command::Alerts(answer)).await;
    world.act().await;
}

/// The acts on an alert, a line each.
async fn done(world: &mut World, alert: AlertId) -> String {
    let acts = acts(&mut world.conn, alert).await.unwrap();
    acts.iter()
        .map(|act| format!("{}: {}: {}\n", act.by, act.act.name(), act.reason))
        .collect()
}

#[tokio::test]
async fn whoever_comes_on_duty_is_called_and_briefed_and_takes_over_by_answering() {
    let mut world = world("ana").await;
    let alert = raised(&mut world).await;
    assert_eq!(look(&mut world).await, 0);
    coming(&mut world, alert, "ana").await;
    world.pass(120);
    on_duty(&mut world, "dora").await;
    assert_eq!(look(&mut world).await, 1);
    expect![[r#"
        Holdfast: add: now on call in schedule night
    "#]]
    .assert_eq(&done(&mut world, alert).await);
    expect![[r#"
        ana page 1.0 sms cancelled (answered)
        ana page 1.0 email cancelled (answered)
        dora update 1.0 sms pending
        dora page +.0 sms pending
        dora page +.0 email standby
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    // Both count until the new one has answered.
    expect!["calling step 1/2 round 0 coming 1/1 next review +1805 s"]
        .assert_eq(&world.plan(alert).await);
    assert_eq!(look(&mut world).await, 0);
    coming(&mut world, alert, "dora").await;
    assert_eq!(look(&mut world).await, 1);
    assert_eq!(look(&mut world).await, 0);
    expect![[r#"
        Holdfast: add: now on call in schedule night
        Holdfast: withdraw: off duty in schedule night; DORA has taken over
    "#]]
    .assert_eq(&done(&mut world, alert).await);
    expect!["calling step 1/2 round 0 coming 1/1 next review +1805 s"]
        .assert_eq(&world.plan(alert).await);
}

#[tokio::test]
async fn a_duty_that_was_empty_is_filled_as_soon_as_somebody_comes() {
    let mut world = world("").await;
    let alert = raised(&mut world).await;
    assert_eq!(look(&mut world).await, 0);
    on_duty(&mut world, "dora").await;
    assert_eq!(look(&mut world).await, 1);
    assert_eq!(world.code(alert, "dora").await.len(), 4);
    coming(&mut world, alert, "dora").await;
    assert_eq!(look(&mut world).await, 0, "there is nobody to relieve");
}

#[tokio::test]
async fn a_duty_that_goes_back_and_forth_calls_nobody_twice_and_relieves_who_is_off() {
    let mut world = world("ana").await;
    let alert = raised(&mut world).await;
    on_duty(&mut world, "dora").await;
    look(&mut world).await;
    on_duty(&mut world, "ana").await;
    look(&mut world).await;
    coming(&mut world, alert, "ana").await;
    look(&mut world).await;
    // Ana never left: dora came, and stays called until somebody says otherwise.
    expect![[r#"
        Holdfast: add: now on call in schedule night
    "#]]
    .assert_eq(&done(&mut world, alert).await);
    on_duty(&mut world, "dora").await;
    look(&mut world).await;
    coming(&mut world, alert, "dora").await;
    look(&mut world).await;
    world.pass(60);
    on_duty(&mut world, "ana").await;
    look(&mut world).await;
    assert_eq!(
        look(&mut world).await,
        0,
        "what ana said before she was let go is no word"
    );
    expect![[r#"
        Holdfast: add: now on call in schedule night
        Holdfast: withdraw: off duty in schedule night; DORA has taken over
        Holdfast: add: now on call in schedule night
    "#]]
    .assert_eq(&done(&mut world, alert).await);
    // Her word is the same as before and tells nothing new: dora stays until a person lets her go.
    coming(&mut world, alert, "ana").await;
    assert_eq!(look(&mut world).await, 0);
}

#[tokio::test]
async fn an_alert_that_is_over_or_whose_step_has_not_come_is_left_alone() {
    let mut world = world("ana").await;
    let on_call = resolved(&mut world).await;
    let mut later = raise(Severity::High, 300, &[&["bela"], &["ana"]]);
    later.on_call = on_call;
    let raise = Command::Alerts(Alerts::Raise(Box::new(later)));
    let Outcome::Applied(Receipt::Alert { id, .. }) = world.ask(raise).await else {
        panic!("not raised")
    };
    world.act().await;
    on_duty(&mut world, "dora").await;
    look(&mut world).await;
    assert_eq!(done(&mut world, id).await, "");
    world.pass(301);
    world.act().await;
    look(&mut world).await;
    expect![[r#"
        Holdfast: add: now on call in schedule night
    "#]]
    .assert_eq(&done(&mut world, id).await);
    let resolve = Alerts::Resolve {
        alert: id,
        note: String::new(),
    };
    world.ask(Command::Alerts(resolve)).await;
    on_duty(&mut world, "carl").await;
    assert_eq!(look(&mut world).await, 0);
}
