//! A source's alarms go elsewhere for a while.

use super::*;
use crate::sources::{Redirect, redirect};

async fn send(world: &mut World, to: Called, until: Option<Timestamp>) -> Outcome {
    let redirect = Redirect {
        to,
        until,
        reason: "storm night".to_owned(),
    };
    let command = Sources::Redirect {
        source: "prom".to_owned(),
        redirect: Some(redirect),
    };
    world.ask(Command::Sources(command)).await
}

async fn back(world: &mut World) -> Outcome {
    let command = Sources::Redirect {
        source: "prom".to_owned(),
        redirect: None,
    };
    world.ask(Command::Sources(command)).await
}

fn dora() -> Called {
    Called::Named(Named::Person("dora".to_owned()))
}

/// Who is called to the newest alert, and what its room was told first.
async fn newest(world: &mut World) -> String {
    let alert = alerts::list(&mut world.conn, None, None, 1).await.unwrap()[0].id;
    let owed = world.deliveries(alert).await;
    let mut called: Vec<&str> = owed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    called.dedup();
    let called = called.join(" ");
    let said = messages(&mut world.conn, RoomId::of_alert(alert), 0, 100)
        .await
        .unwrap();
    let said: Vec<&str> = said.iter().map(|m| m.text.as_str()).collect();
    format!("{called}\n{}\n", said.join("\n"))
}

#[tokio::test]
async fn redirected_alarms_call_others_and_their_room_says_so() {
    let mut world = with(webhook("prom")).await;
    assert_eq!(
        send(&mut world, dora(), None).await,
        Outcome::Applied(Receipt::None)
    );
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    expect![[r#"
        dora
        db1 is down
        Monitor prom is redirected to person:dora (operator:n1: storm night).
    "#]]
    .assert_eq(&newest(&mut world).await);
    assert_eq!(back(&mut world).await, Outcome::Applied(Receipt::None));
    assert_eq!(back(&mut world).await, Outcome::Unchanged);
    pass(&mut world, 3_600).await;
    say(&mut world, "prom", &[signal("db2", Severity::High)]).await;
    assert!(newest(&mut world).await.starts_with("ana bela\n"));
}

#[tokio::test]
async fn a_redirect_ends_by_itself_and_one_made_for_the_past_is_refused() {
    let mut world = with(webhook("prom")).await;
    let past = Some(Timestamp(world.now.0 - 1));
    let Outcome::Refused(Refusal::Invalid(why)) = send(&mut world, dora(), past).await else {
        panic!("taken")
    };
    assert!(why.contains("ends after now"), "{why}");
    let until = Some(Timestamp(world.now.0 + 600_000));
    send(&mut world, dora(), until).await;
    pass(&mut world, 601).await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    assert!(newest(&mut world).await.starts_with("ana bela\n"));
    let row = redirect(&mut world.conn, "prom").await.unwrap().unwrap();
    assert!(!row.holds(world.now));
}

#[tokio::test]
async fn a_redirect_to_somebody_who_is_gone_calls_whom_the_source_names() {
    let mut world = with(webhook("prom")).await;
    send(&mut world, dora(), None).await;
    let remove = crate::recipients::Command::RemovePerson {
        key: "dora".to_owned(),
    };
    world.ask(Command::Recipients(remove)).await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    expect![[r#"
        ana bela
        db1 is down
        Monitor prom is redirected to person:dora (operator:n1: storm night), where there is nobody now; those it usually calls are called.
    "#]]
    .assert_eq(&newest(&mut world).await);
}

#[tokio::test]
async fn nobody_is_redirected_to_what_is_not_there() {
    let mut world = with(webhook("prom")).await;
    let gone = Called::Named(Named::Group("nobody".to_owned()));
    assert!(matches!(
        send(&mut world, gone, None).await,
        Outcome::Refused(_)
    ));
    let command = Sources::Redirect {
        source: "none".to_owned(),
        redirect: None,
    };
    assert_eq!(
        world.ask(Command::Sources(command)).await,
        Outcome::Refused(Refusal::UnknownSource)
    );
}
