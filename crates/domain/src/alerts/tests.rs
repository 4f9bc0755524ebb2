//! Transcripts of alerts: raise, answers, ends and joins.

use expect_test::expect;

use super::{Answer, Command as Alerts, Severity, State, find};
use crate::conversations::messages;
use crate::transcript::{World, accepted, raise};
use crate::{AlertId, Command, Outcome, Receipt, RecipientId, Refusal, RoomId};

async fn say(world: &mut World, alert: AlertId, who: &str, answer: Answer) -> Outcome {
    let recipient = RecipientId::of_key(who);
    world
        .ask(Command::Alerts(Alerts::Answer {
            alert,
            recipient,
            answer,
            eta_min: None,
        }))
        .await
}

#[tokio::test]
async fn an_answer_stops_the_texts_of_that_person_only() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["ana", "bela"]]).await;
    world.send_all(1, accepted()).await;
    assert_eq!(
        say(&mut world, alert, "ana", Answer::Cannot).await,
        Outcome::Applied(Receipt::None)
    );
    world.pass(60);
    world.act().await;
    expect![[r#"
        ana page 1.0 sms acknowledged
        ana page 1.0 email cancelled (answered)
        bela page 1.0 sms sent
        bela page 1.1 sms pending
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    expect!["calling step 1/1 round 1 coming 0/1 next repeat +120 s"]
        .assert_eq(&world.plan(alert).await);
}

#[tokio::test]
async fn enough_people_coming_stop_the_next_step() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana"], &["bela"]])
        .await;
    expect!["calling step 1/2 round 0 coming 0/1 next advance +300 s"]
        .assert_eq(&world.plan(alert).await);
    say(&mut world, alert, "ana", Answer::Coming).await;
    expect!["calling step 1/2 round 0 coming 1/1 next review +1800 s"]
        .assert_eq(&world.plan(alert).await);
    assert_eq!(
        say(&mut world, alert, "ana", Answer::Coming).await,
        Outcome::Unchanged
    );
}

#[tokio::test]
async fn silence_brings_in_the_second_step() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana"], &["bela", "ana"]])
        .await;
    world.pass(300);
    world.act().await;
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.0 email standby
        bela page 2.0 sms pending
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn a_call_off_reaches_everyone_who_may_have_been_told_those_coming_first() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana", "bela", "dora"], &["carl"]])
        .await;
    world.send_all(1, accepted()).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    world.pass(1);
    world
        .ask(Command::Alerts(Alerts::CallOff {
            alert,
            reason: "false alarm".to_owned(),
        }))
        .await;
    world.act().await;
    expect![[r#"
        ana page 1.0 sms sent
        ana page 1.0 email cancelled (called off)
        bela page 1.0 sms sent
        dora page 1.0 sms acknowledged
        dora page 1.0 email cancelled (answered)
        ana call_off 1.0 sms pending
        bela call_off 1.0 sms pending
        dora call_off 1.0 sms pending
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    let due = crate::deliveries::due(&mut world.conn, world.now, 10)
        .await
        .unwrap();
    let numbers: Vec<&str> = due.iter().map(|d| d.address.as_str()).collect();
    assert_eq!(
        numbers,
        ["+441000000004", "+358401000001", "+46701000002"],
        "dora is coming, so she is first"
    );
    expect!["calling_off step 1/2 round 0 coming 1/1 next nothing never"]
        .assert_eq(&world.plan(alert).await);
    let again = world
        .ask(Command::Alerts(Alerts::CallOff {
            alert,
            reason: String::new(),
        }))
        .await;
    assert_eq!(again, Outcome::Unchanged);
}

#[tokio::test]
async fn a_late_answer_changes_nothing() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["ana"]]).await;
    world
        .ask(Command::Alerts(Alerts::Resolve {
            alert,
            note: String::new(),
        }))
        .await;
    assert_eq!(
        say(&mut world, alert, "ana", Answer::Coming).await,
        Outcome::Refused(Refusal::AlertClosed)
    );
    assert_eq!(
        find(&mut world.conn, alert).await.unwrap().unwrap().state,
        State::Resolved
    );
}

#[tokio::test]
async fn answers_carry_over_into_the_alert_joined_into() {
    let mut world = World::new().await;
    let first = world.raise(Severity::High, 300, &[&["ana"]]).await;
    let second = world.raise(Severity::High, 300, &[&["ana", "bela"]]).await;
    say(&mut world, first, "ana", Answer::Coming).await;
    let joined = world
        .ask(Command::Alerts(Alerts::Join {
            alert: first,
            into: second,
        }))
        .await;
    assert_eq!(joined, Outcome::Applied(Receipt::None));
    expect!["calling step 1/1 round 0 coming 1/1 next review +1800 s"]
        .assert_eq(&world.plan(second).await);
    // Her second thoughts, sent with the first alert's code, count in the second.
    assert_eq!(
        say(&mut world, first, "ana", Answer::Cannot).await,
        Outcome::Applied(Receipt::None)
    );
    expect!["calling step 1/1 round 0 coming 0/1 next repeat +60 s"]
        .assert_eq(&world.plan(second).await);
    let back = world
        .ask(Command::Alerts(Alerts::Join {
            alert: second,
            into: first,
        }))
        .await;
    assert_eq!(back, Outcome::Refused(Refusal::CannotJoin));
}

#[tokio::test]
async fn an_alert_opens_a_room_that_tells_its_story() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["ana"]]).await;
    world
        .ask(Command::Alerts(Alerts::Acknowledge {
            alert,
            note: "I have it".to_owned(),
        }))
        .await;
    world
        .ask(Command::Alerts(Alerts::Resolve {
            alert,
            note: "pump replaced".to_owned(),
        }))
        .await;
    let said: Vec<String> = messages(&mut world.conn, RoomId::of_alert(alert), 0, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|m| format!("{}: {}", m.author, m.text))
        .collect();
    assert_eq!(
        said,
        [
            "control room: Fire in hall 2",
            "operator:n1: Acknowledged: I have it",
            "operator:n1: Resolved: pump replaced"
        ]
    );
}

#[tokio::test]
async fn a_raise_without_people_or_text_is_refused_in_words() {
    let mut world = World::new().await;
    let nobody = raise(Severity::High, 0, &[&[]]);
    assert_eq!(
        world
            .ask(Command::Alerts(Alerts::Raise(Box::new(nobody))))
            .await,
        Outcome::Refused(Refusal::NoRecipients)
    );
    let mut endless = raise(Severity::High, 0, &[&["ana"]]);
    endless.texts[0].1 = "x".repeat(5_000);
    let Outcome::Refused(Refusal::Invalid(why)) = world
        .ask(Command::Alerts(Alerts::Raise(Box::new(endless))))
        .await
    else {
        panic!("a text of 5,000 characters was taken");
    };
    assert!(why.contains("2000"), "{why}");
}

#[tokio::test]
async fn somebody_without_contact_method_is_a_failure_that_can_be_seen() {
    let mut world = World::new().await;
    world
        .ask(Command::Recipients(
            crate::recipients::Command::RemovePerson {
                key: "bela".to_owned(),
            },
        ))
        .await;
    let alert = world.raise(Severity::High, 300, &[&["ana", "bela"]]).await;
    let shown = world.deliveries(alert).await;
    assert!(
        shown.contains("page 1.0 none failed (no contact method"),
        "{shown}"
    );
}
