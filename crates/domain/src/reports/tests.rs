//! Transcripts of reports.

use expect_test::expect;

use super::{Command as Reports, Decision, Report, State, due, report};
use crate::alerts::{self, Severity};
use crate::oncall::Called;
use crate::recipients::Named;
use crate::sources::{Command as Sources, Settings};
use crate::transcript::{World, raise};
use crate::{Command, Outcome, Receipt, Refusal};

fn smoke() -> Report {
    Report {
        who: "Matti, gatekeeper".to_owned(),
        contact: "+358409999999".to_owned(),
        language: "fi".to_owned(),
        what: "Smoke from the transformer".to_owned(),
        via: "call".to_owned(),
    }
}

async fn world() -> World {
    let mut world = World::new().await;
    let duty = vec![Called::Named(Named::Person("dora".to_owned()))];
    let settings = Settings {
        person_alarms: 5,
        duty,
    };
    world.ask(Command::Sources(Sources::Set(settings))).await;
    world
}

async fn decide(world: &mut World, decision: Decision, reason: &str) -> Outcome {
    world
        .ask(Command::Reports(Reports::Decide {
            number: 1,
            decision,
            reason: reason.to_owned(),
        }))
        .await
}

async fn follow(world: &mut World) {
    let due = due(&mut world.conn, world.now, 10).await.unwrap();
    world.run(Command::Reports(Reports::FollowUp { due })).await;
    world.act().await;
}

async fn told(world: &mut World) -> String {
    let bodies: Vec<String> = sqlx::query_scalar(
        "select body from delivery where address = '+358409999999' order by created_at_ms, body",
    )
    .fetch_all(&mut world.conn)
    .await
    .unwrap();
    bodies.join("\n")
}

#[tokio::test]
async fn a_report_waits_comes_back_is_convened_and_its_reporter_hears_of_it_to_the_end() {
    let mut world = world().await;
    let taken = world.ask(Command::Reports(Reports::Take(smoke()))).await;
    assert_eq!(taken, Outcome::Applied(Receipt::Number(1)));
    let duty = alerts::list(&mut world.conn, None, None, 1).await.unwrap();
    assert_eq!(
        duty[0].texts[0].1,
        "Report 1: Smoke from the transformer (from Matti, gatekeeper, +358409999999). Decide: holdfast report show 1"
    );
    world.pass(1);
    decide(
        &mut world,
        Decision::Wait { for_ms: 600_000 },
        "the guard looks",
    )
    .await;
    let row = alerts::find(&mut world.conn, duty[0].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.state, row.note.as_str()),
        (alerts::State::Resolved, "waiting: the guard looks")
    );
    world.pass(600);
    follow(&mut world).await;
    let again = alerts::list(&mut world.conn, Some(alerts::State::Open), None, 9)
        .await
        .unwrap();
    assert_eq!(again.len(), 1, "duty is told again");
    let raise = Box::new(raise(Severity::High, 0, &[&["ana"]]));
    world.pass(1);
    decide(&mut world, Decision::Convene { raise }, "it burns").await;
    let row = report(&mut world.conn, 1).await.unwrap().unwrap();
    assert_eq!((row.state, row.alert_number), (State::Convened, Some(3)));
    follow(&mut world).await;
    let alert = row.alert.unwrap();
    let note = "out".to_owned();
    world
        .ask(Command::Alerts(alerts::Command::Resolve { alert, note }))
        .await;
    world.pass(1);
    follow(&mut world).await;
    assert_eq!(
        report(&mut world.conn, 1).await.unwrap().unwrap().state,
        State::Over
    );
    expect![[r#"
        Aurora Energy: ilmoituksesi 1 välitettiin päivystykseen. Kuulet, mitä siitä seuraa.
        Aurora Energy: ilmoituksesi 1 on seurannassa.
        Aurora Energy: ilmoituksesi 1 on työn alla; väkeä kutsutaan koolle.
        Aurora Energy: ilmoituksesi 1 on hoidettu. Kiitos."#]]
    .assert_eq(&told(&mut world).await);
}

#[tokio::test]
async fn what_needs_nothing_is_closed_with_a_reason_and_stays_closed() {
    let mut world = world().await;
    world.ask(Command::Reports(Reports::Take(smoke()))).await;
    let refused = decide(&mut world, Decision::NoAction, " ").await;
    assert!(
        matches!(refused, Outcome::Refused(Refusal::Invalid(_))),
        "{refused:?}"
    );
    world.pass(1);
    decide(&mut world, Decision::NoAction, "steam").await;
    let refused = decide(&mut world, Decision::NoAction, "steam").await;
    let Outcome::Refused(Refusal::Invalid(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("no_action"), "{why}");
    assert!(told(&mut world).await.ends_with("se ei johda toimiin."));
}

#[tokio::test]
async fn without_anybody_on_duty_a_report_stands_in_the_inbox() {
    let mut world = World::new().await;
    let silent = Report {
        contact: String::new(),
        ..smoke()
    };
    world.ask(Command::Reports(Reports::Take(silent))).await;
    let said = crate::conversations::messages(&mut world.conn, crate::RoomId::DUTY_INBOX, 0, 9)
        .await
        .unwrap();
    assert!(
        said[0].text.contains("Smoke from the transformer"),
        "{}",
        said[0].text
    );
    assert_eq!(
        report(&mut world.conn, 1).await.unwrap().unwrap().state,
        State::New
    );
    let wrong = Report {
        contact: "0409999999".to_owned(),
        ..smoke()
    };
    let refused = world.ask(Command::Reports(Reports::Take(wrong))).await;
    assert!(
        matches!(refused, Outcome::Refused(Refusal::Invalid(_))),
        "{refused:?}"
    );
}
