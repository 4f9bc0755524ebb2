//! Transcripts of plans: pages, codes and the actions that keep an alert alive.

mod lapse;
mod quotas;
mod safety;

use std::collections::BTreeSet;

use expect_test::expect;

use super::{Among, Answer, Command, Quota, due};
use crate::recipients::Command as Recipients;
use crate::transcript::{World, person, raise, sms};
use crate::vocabulary::Severity;
use crate::{
    AlertId, Command as AnyCommand, Outcome, Receipt, RecipientId, Refusal, RoomId, alerts,
};

#[tokio::test]
async fn only_the_next_page_is_expanded() {
    let mut world = World::new().await;
    let people: Vec<_> = (0..4_500)
        .map(|n| person(&format!("p{n}"), "en", &[sms(&format!("+35840{n:07}"))]))
        .collect();
    world
        .run(AnyCommand::Recipients(Recipients::PutPeople { people }))
        .await;
    let keys: Vec<String> = (0..4_500).map(|n| format!("p{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let new = raise(Severity::Normal, 0, &[&keys]);
    let Outcome::Applied(Receipt::Alert { id: alert, .. }) = world
        .ask(AnyCommand::Alerts(alerts::Command::Raise(Box::new(new))))
        .await
    else {
        panic!("not raised");
    };
    let expand = |page| AnyCommand::Escalation(Command::ExpandPage { alert, page });
    assert_eq!(
        world.run(expand(1)).await,
        Outcome::Refused(Refusal::NotNextPage { asked: 1, next: 0 })
    );
    for page in 0..3 {
        assert_eq!(
            world.run(expand(page)).await,
            Outcome::Applied(Receipt::None)
        );
    }
    assert_eq!(world.run(expand(2)).await, Outcome::Unchanged);
    let counts = crate::deliveries::counts(&mut world.conn, Some(alert))
        .await
        .unwrap();
    assert_eq!(counts, [(crate::deliveries::State::Pending, 4_500)]);
}

#[tokio::test]
async fn a_person_has_another_code_for_every_alert() {
    let mut world = World::new().await;
    let mut codes = BTreeSet::new();
    for _ in 0..60 {
        let alert = world.raise(Severity::Normal, 300, &[&["ana"]]).await;
        let code = world.code(alert, "ana").await;
        assert_eq!(code.len(), 4);
        assert!(codes.insert(code), "a code in use was drawn again");
    }
}

#[tokio::test]
async fn every_open_alert_has_a_next_action_until_it_is_over() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Normal, 60, &[&["ana"], &["bela"]])
        .await;
    for _ in 0..40 {
        let plan = super::plan(&mut world.conn, alert).await.unwrap().unwrap();
        assert!(!plan.next_action.is_empty());
        let next = plan.next_due.unwrap();
        assert!(next > world.now, "what was due has been done");
        world.now = next;
        world.act().await;
    }
    world
        .ask(AnyCommand::Alerts(alerts::Command::Resolve {
            alert,
            note: String::new(),
        }))
        .await;
    world.pass(1_000_000);
    assert_eq!(due(&mut world.conn, world.now, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_late_or_repeated_action_changes_nothing() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Normal, 60, &[&["ana"], &["bela"]])
        .await;
    let advance = AnyCommand::Escalation(Command::Advance { alert, step: 1 });
    assert_eq!(
        world.run(advance.clone()).await,
        Outcome::Applied(Receipt::None)
    );
    assert_eq!(world.run(advance).await, Outcome::Unchanged);
    let ana = RecipientId::of_key("ana");
    let coming = alerts::Command::Answer {
        alert,
        recipient: ana,
        answer: Answer::Coming,
        eta_min: None,
    };
    world.ask(AnyCommand::Alerts(coming)).await;
    let repeat = AnyCommand::Escalation(Command::Repeat { alert, round: 1 });
    assert_eq!(
        world.run(repeat).await,
        Outcome::Unchanged,
        "enough people are coming"
    );
}

fn quota(count: u32, among: Among) -> Quota {
    Quota {
        what: String::new(),
        among,
        count,
    }
}

fn ids(keys: &[&str]) -> Vec<RecipientId> {
    keys.iter().map(|key| RecipientId::of_key(key)).collect()
}

/// Raises with quotas for each step and lets it begin.
async fn raised(world: &mut World, steps: &[&[&str]], enough: &[&[Quota]]) -> AlertId {
    let mut new = raise(Severity::High, 300, steps);
    for (step, quotas) in new.steps.iter_mut().zip(enough) {
        step.enough = quotas.to_vec();
    }
    begun(world, new).await
}

async fn begun(world: &mut World, new: alerts::Raise) -> AlertId {
    let outcome = world
        .ask(AnyCommand::Alerts(alerts::Command::Raise(Box::new(new))))
        .await;
    let Outcome::Applied(Receipt::Alert { id, .. }) = outcome else {
        panic!("not raised: {outcome:?}");
    };
    world.act().await;
    id
}

async fn say(world: &mut World, alert: AlertId, who: &str, answer: Answer) {
    let recipient = RecipientId::of_key(who);
    let answer = alerts::Command::Answer {
        alert,
        recipient,
        answer,
        eta_min: None,
    };
    world.ask(AnyCommand::Alerts(answer)).await;
    world.act().await;
}

async fn is_enough(world: &mut World, alert: AlertId) -> bool {
    let plan = super::plan(&mut world.conn, alert).await.unwrap();
    plan.unwrap().satisfied
}

async fn room(world: &mut World, alert: AlertId) -> String {
    let said = crate::conversations::messages(&mut world.conn, RoomId::of_alert(alert), 0, 100);
    let said = said.await.unwrap();
    said.iter().map(|m| format!("{}\n", m.text)).collect()
}

/// Texts of one purpose that an alert owes, oldest first, as they were frozen.
async fn texts_of(world: &mut World, alert: AlertId, purpose: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select body from delivery where alert_id = ? and purpose = ? order by created_at_ms, delivery_id",
    )
    .bind(alert.as_bytes())
    .bind(purpose)
    .fetch_all(&mut world.conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn all_of_a_step_wants_all_of_it() {
    let mut world = World::new().await;
    let all = [quota(u32::MAX, Among::Step)];
    let alert = raised(&mut world, &[&["ana", "bela"], &["dora"]], &[&all]).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    assert!(!is_enough(&mut world, alert).await);
    say(&mut world, alert, "bela", Answer::Coming).await;
    assert!(is_enough(&mut world, alert).await);
}

#[tokio::test]
async fn one_who_can_and_anybody_beside_are_two_conditions() {
    let mut world = World::new().await;
    let medic = quota(1, Among::Listed(ids(&["bela"])));
    let both = [quota(2, Among::Anyone), medic];
    let alert = raised(&mut world, &[&["ana", "bela", "dora"], &["carl"]], &[&both]).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    assert!(
        !is_enough(&mut world, alert).await,
        "two come, and no medic"
    );
    say(&mut world, alert, "bela", Answer::Coming).await;
    assert!(is_enough(&mut world, alert).await);
}

#[tokio::test]
async fn whoever_said_coming_and_then_cannot_wakes_the_plan_again() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana", "dora"], &["bela"]])
        .await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    expect!["calling step 1/2 round 0 coming 1/1 next review +1800 s"]
        .assert_eq(&world.plan(alert).await);
    world.pass(60);
    say(&mut world, alert, "ana", Answer::Cannot).await;
    expect!["calling step 1/2 round 0 coming 0/1 next advance +300 s"]
        .assert_eq(&world.plan(alert).await);
}

#[tokio::test]
async fn when_too_few_are_left_who_could_come_the_next_step_is_called_at_once() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana", "dora"], &["bela"]])
        .await;
    say(&mut world, alert, "ana", Answer::Cannot).await;
    expect!["calling step 1/2 round 0 coming 0/1 next advance +300 s"]
        .assert_eq(&world.plan(alert).await);
    say(&mut world, alert, "dora", Answer::Cannot).await;
    expect!["calling step 2/2 round 0 coming 0/1 next repeat +360 s"]
        .assert_eq(&world.plan(alert).await);
    assert!(world.deliveries(alert).await.contains("bela page 2.0"));
}

#[tokio::test]
async fn a_call_for_help_brings_in_the_next_step_although_somebody_is_coming() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana", "dora"], &["bela"]])
        .await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    say(&mut world, alert, "dora", Answer::NeedHelp).await;
    expect!["calling step 2/2 round 0 coming 1/1 next review +1800 s"]
        .assert_eq(&world.plan(alert).await);
}

#[tokio::test]
async fn a_plan_that_ends_unanswered_gets_loud() {
    let mut world = World::new().await;
    let mut new = raise(Severity::High, 300, &[&["ana"], &["bela"]]);
    new.fallback = ids(&["dora", "ana"]);
    let alert = begun(&mut world, new).await;
    for _ in 0..3 {
        world.pass(300);
        world.act().await;
    }
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.0 email standby
        bela page 2.0 sms pending
        ana page 1.1 sms pending
        ana page 1.2 sms pending
        ana page 1.2 email pending
        ana page 1.1 email standby
        bela page 2.2 sms pending
        bela page 2.1 sms pending
        dora page 3.2 sms pending
        dora page 3.2 email pending
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    assert!(
        room(&mut world, alert)
            .await
            .contains("everyone is called once more, on every path")
    );
    let code = world.code(alert, "dora").await;
    assert_eq!(code.len(), 4);
}

#[tokio::test]
async fn nobody_left_to_wait_for_gets_loud_at_once() {
    let mut world = World::new().await;
    let mut new = raise(Severity::High, 300, &[&["ana"]]);
    new.fallback = ids(&["dora"]);
    let alert = begun(&mut world, new).await;
    say(&mut world, alert, "ana", Answer::Cannot).await;
    expect!["calling step 2/2 round 2 coming 0/1 next review +1800 s"]
        .assert_eq(&world.plan(alert).await);
    assert!(world.deliveries(alert).await.contains("dora page 2.2"));
    assert!(!world.deliveries(alert).await.contains("ana page 1.2"));
}

#[tokio::test]
async fn a_step_without_people_is_skipped_at_once_and_said_in_the_room() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&[], &["ana"], &["ana"], &["bela"]])
        .await;
    expect!["calling step 1/2 round 0 coming 0/1 next advance +300 s"]
        .assert_eq(&world.plan(alert).await);
    let said = room(&mut world, alert).await;
    for step in [1, 3] {
        let words = format!("Step {step} had nobody to call and was skipped.");
        assert!(said.contains(&words), "{said}");
    }
}
