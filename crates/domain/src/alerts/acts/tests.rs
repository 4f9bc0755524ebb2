//! Transcripts of acts: what each does to a running alert, and what its room is told.

use expect_test::expect;

use super::{Act, Audience};
use crate::alerts::{Answer, Command as Alerts, IncidentRole, Severity, acts, roles};
use crate::conversations::{Command as Conversations, MarkKind, Say, Speaker, messages};
use crate::transcript::{World, accepted, raise};
use crate::{
    AlertId, Command, Outcome, Receipt, RecipientId, Refusal, RequestId, RoomId, apply_batch,
};

async fn done(world: &mut World, alert: AlertId, act: Act) -> Outcome {
    because(world, alert, act, "").await
}

async fn because(world: &mut World, alert: AlertId, act: Act, reason: &str) -> Outcome {
    let reason = reason.to_owned();
    let outcome = world
        .ask(Command::Alerts(Alerts::Act { alert, act, reason }))
        .await;
    world.act().await;
    outcome
}

async fn say(world: &mut World, alert: AlertId, who: &str, answer: Answer) {
    let recipient = RecipientId::of_key(who);
    world
        .ask(Command::Alerts(Alerts::Answer {
            alert,
            recipient,
            answer,
            eta_min: None,
        }))
        .await;
    world.act().await;
}

/// What the room was told, but for the raise itself.
async fn room(world: &mut World, alert: AlertId) -> String {
    let said = messages(&mut world.conn, RoomId::of_alert(alert), 1, 100);
    let said = said.await.unwrap();
    said.iter()
        .map(|m| format!("{}: {}\n", m.author, m.text))
        .collect()
}

fn add(keys: &[&str]) -> Act {
    Act::Add {
        named: keys.iter().map(|key| format!("person:{key}")).collect(),
        people: keys.iter().map(|key| RecipientId::of_key(key)).collect(),
    }
}

fn withdraw(key: &str) -> Act {
    Act::Withdraw {
        person: RecipientId::of_key(key),
    }
}

fn update(text: &str, to: Audience) -> Act {
    Act::Update {
        texts: vec![
            ("en".to_owned(), text.to_owned()),
            ("sv".to_owned(), format!("{text} (sv)")),
        ],
        to,
    }
}

#[tokio::test]
async fn people_added_are_called_at_once_and_again_with_every_round() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana"], &["bela"]])
        .await;
    let added = because(&mut world, alert, add(&["dora", "ana"]), "knows the pump").await;
    assert_eq!(added, Outcome::Applied(Receipt::None));
    assert_eq!(world.code(alert, "dora").await.len(), 4);
    world.pass(360);
    world.act().await;
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.0 email standby
        dora page +.0 sms pending
        dora page +.0 email standby
        ana page 1.1 sms pending
        ana page 1.1 email standby
        bela page 2.1 sms pending
        bela page 2.0 sms pending
        dora page +.1 sms pending
        dora page +.1 email standby
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    say(&mut world, alert, "dora", Answer::Coming).await;
    expect!["calling step 2/2 round 1 coming 1/1 next review +2160 s"]
        .assert_eq(&world.plan(alert).await);
    expect![[r#"
        operator:n1: Called in addition (person:dora, person:ana): DORA. Reason: knows the pump
        Holdfast: Step 2 called: 1 people.
    "#]]
    .assert_eq(&room(&mut world, alert).await);
    assert_eq!(
        done(&mut world, alert, add(&["dora"])).await,
        Outcome::Unchanged
    );
}

#[tokio::test]
async fn the_next_step_comes_when_somebody_says_so() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana"], &["bela"]])
        .await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    done(&mut world, alert, Act::NextStep).await;
    assert!(
        world
            .deliveries(alert)
            .await
            .contains("bela page 2.0 sms pending")
    );
    let Outcome::Refused(Refusal::Invalid(why)) = done(&mut world, alert, Act::NextStep).await
    else {
        panic!("there is no third step")
    };
    assert!(why.contains("add people by name"), "{why}");
}

#[tokio::test]
async fn a_first_step_that_waits_begins_when_somebody_says_so_and_the_second_keeps_its_time() {
    let mut world = World::new().await;
    let mut new = raise(Severity::High, 300, &[&["ana"], &["bela"]]);
    new.steps[0].delay_ms = 100_000;
    let Outcome::Applied(Receipt::Alert { id: alert, .. }) = world
        .ask(Command::Alerts(Alerts::Raise(Box::new(new))))
        .await
    else {
        panic!("not raised")
    };
    world.act().await;
    assert_eq!(world.deliveries(alert).await, "");
    done(&mut world, alert, Act::NextStep).await;
    assert!(world.deliveries(alert).await.starts_with("ana page 1.0"));
    expect!["calling step 1/2 round 0 coming 0/1 next advance +300 s"]
        .assert_eq(&world.plan(alert).await);
}

#[tokio::test]
async fn a_paused_alert_goes_on_by_itself() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana"], &["bela"]])
        .await;
    world.pass(200);
    because(&mut world, alert, Act::Pause { for_ms: 600_000 }, "looking").await;
    expect!["calling step 1/2 round 0 coming 0/1 next advance +800 s"]
        .assert_eq(&world.plan(alert).await);
    expect![[r#"
        operator:n1: Paused until 03:13 UTC: no further step or round is called before, unless somebody asks for help. Reason: looking
    "#]]
    .assert_eq(&room(&mut world, alert).await);
    world.pass(600);
    world.act().await;
    assert!(world.deliveries(alert).await.contains("bela page 2.0"));
    let forever = Act::Pause { for_ms: u64::MAX };
    assert!(matches!(
        done(&mut world, alert, forever).await,
        Outcome::Refused(Refusal::Invalid(_))
    ));
}

#[tokio::test]
async fn a_pause_ends_early_when_somebody_says_so_or_asks_for_help() {
    let mut world = World::new().await;
    let steps: &[&[&str]] = &[&["ana"], &["bela"]];
    let alert = world.raise(Severity::High, 300, steps).await;
    done(&mut world, alert, Act::Pause { for_ms: 3_600_000 }).await;
    world.pass(400);
    assert_eq!(
        done(&mut world, alert, Act::Resume).await,
        Outcome::Applied(Receipt::None)
    );
    assert!(world.deliveries(alert).await.contains("bela page 2.0"));
    assert_eq!(
        done(&mut world, alert, Act::Resume).await,
        Outcome::Unchanged
    );

    let other = world.raise(Severity::High, 300, steps).await;
    done(&mut world, other, Act::Pause { for_ms: 3_600_000 }).await;
    say(&mut world, other, "ana", Answer::NeedHelp).await;
    assert!(world.deliveries(other).await.contains("bela page 2.0"));
}

#[tokio::test]
async fn what_becomes_critical_calls_the_silent_on_every_path_now_and_later() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["ana", "dora"]]).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    say(&mut world, alert, "dora", Answer::Cannot).await;
    let critical = Act::Severity {
        severity: Severity::Critical,
    };
    done(&mut world, alert, critical.clone()).await;
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.0 email pending
        dora page 1.0 sms cancelled (answered)
        dora page 1.0 email cancelled (answered)
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    let due = crate::deliveries::due(&mut world.conn, world.now, 10).await;
    assert!(due.unwrap().iter().all(|due| due.critical));
    world.pass(60);
    world.act().await;
    assert!(
        world
            .deliveries(alert)
            .await
            .contains("ana page 1.1 email pending")
    );
    let row = crate::alerts::find(&mut world.conn, alert).await.unwrap();
    assert_eq!(row.unwrap().severity, Severity::Critical);
    assert_eq!(done(&mut world, alert, critical).await, Outcome::Unchanged);
    let low = Act::Severity {
        severity: Severity::Low,
    };
    done(&mut world, alert, low).await;
    expect![[r#"
        operator:n1: Severity critical instead of high: those who are silent are called on every path at once.
        operator:n1: Severity low instead of critical.
    "#]]
    .assert_eq(&room(&mut world, alert).await);
}

#[tokio::test]
async fn an_update_reaches_those_it_is_meant_for_in_their_language() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::High, 300, &[&["ana", "bela", "dora"]])
        .await;
    world.send_all(1, accepted()).await;
    say(&mut world, alert, "bela", Answer::Coming).await;
    say(&mut world, alert, "dora", Answer::Cannot).await;
    done(&mut world, alert, update("Gate 5", Audience::Coming)).await;
    let (due, code) = (
        crate::deliveries::due(&mut world.conn, world.now, 10).await,
        world.code(alert, "bela").await,
    );
    let told: Vec<String> = due.unwrap().into_iter().map(|due| due.address).collect();
    assert_eq!(told, ["+46701000002"]);
    world.send_all(1, accepted()).await;
    let body: String = sqlx::query_scalar("select body from delivery where purpose = 'update'")
        .fetch_one(&mut world.conn)
        .await
        .unwrap();
    assert_eq!(
        crate::texts::finish(&body, &code, &crate::texts::Marks::default()),
        format!("{code} Aurora Energy 1: mer information: Gate 5 (sv)")
    );
    done(&mut world, alert, update("Gate 6", Audience::Called)).await;
    let told = world.deliveries(alert).await;
    assert_eq!(told.matches(" update ").count(), 3, "{told}");
    assert!(!told.contains("dora update"), "dora cannot come: {told}");
    say(&mut world, alert, "ana", Answer::Received).await;
    let Outcome::Refused(Refusal::Invalid(why)) =
        done(&mut world, alert, update("Hello?", Audience::Silent)).await
    else {
        panic!("nobody is silent")
    };
    assert!(why.contains("nobody is silent"), "{why}");
}

#[tokio::test]
async fn the_phone_of_somebody_withdrawn_does_not_ring_any_more() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Critical, 300, &[&["ana", "bela"]])
        .await;
    assert_eq!(
        world.wakes(alert).await,
        "ana wake 1.0 ring standby\nbela wake 1.0 ring standby\n"
    );
    done(&mut world, alert, withdraw("bela")).await;
    assert_eq!(
        world.wakes(alert).await,
        "ana wake 1.0 ring standby\nbela wake 1.0 ring cancelled (withdrawn)\n"
    );
}

#[tokio::test]
async fn somebody_withdrawn_is_told_and_not_called_any_more_until_they_answer_after_all() {
    let mut world = World::new().await;
    let mut new = raise(Severity::High, 300, &[&["ana", "bela"], &["dora"]]);
    new.needed = 2;
    let Outcome::Applied(Receipt::Alert { id: alert, .. }) = world
        .ask(Command::Alerts(Alerts::Raise(Box::new(new))))
        .await
    else {
        panic!("not raised")
    };
    world.act().await;
    say(&mut world, alert, "bela", Answer::Coming).await;
    done(&mut world, alert, withdraw("bela")).await;
    done(&mut world, alert, withdraw("dora")).await;
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.2 sms pending
        ana page 1.2 email pending
        ana page 1.0 email standby
        bela update 1.0 sms pending
        bela page 1.0 sms cancelled (answered)
        dora update 1.0 sms pending
        dora page 2.0 sms cancelled (withdrawn)
        dora page 2.0 email cancelled (withdrawn)
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    expect!["calling step 2/2 round 2 coming 0/2 next review +1800 s"]
        .assert_eq(&world.plan(alert).await);
    world.pass(10);
    say(&mut world, alert, "bela", Answer::Coming).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    expect!["calling step 2/2 round 2 coming 2/2 next review +1800 s"]
        .assert_eq(&world.plan(alert).await);
    done(&mut world, alert, add(&["dora"])).await;
    assert!(
        world
            .deliveries(alert)
            .await
            .contains("dora page +.2 sms pending")
    );
    let Outcome::Refused(Refusal::Invalid(why)) = done(&mut world, alert, withdraw("carl")).await
    else {
        panic!("carl has nothing to do with it")
    };
    assert!(why.contains("neither called"), "{why}");
}

#[tokio::test]
async fn an_alert_that_is_over_takes_no_acts_and_a_repeated_request_is_done_once() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["ana"]]).await;
    let act = Command::Alerts(Alerts::Act {
        alert,
        act: update("Gate 5", Audience::Called),
        reason: String::new(),
    });
    for expected in [1, 1] {
        let actor = crate::Actor::Operator {
            node: crate::NodeId(1),
        };
        let entry = world.entry(RequestId([5; 16]), [1; 32], actor, None, act.clone());
        apply_batch(&mut world.conn, &[entry]).await.unwrap();
        let kept = acts(&mut world.conn, alert).await.unwrap();
        assert_eq!(kept.len(), expected);
        let told = world.deliveries(alert).await;
        assert_eq!(told.matches(" update ").count(), expected);
    }
    let note = String::new();
    world
        .ask(Command::Alerts(Alerts::Resolve { alert, note }))
        .await;
    assert_eq!(
        done(&mut world, alert, add(&["bela"])).await,
        Outcome::Refused(Refusal::AlertClosed)
    );
    assert_eq!(
        done(&mut world, AlertId([9; 16]), Act::NextStep).await,
        Outcome::Refused(Refusal::UnknownAlert)
    );
}

#[tokio::test]
async fn a_role_is_taken_handed_over_with_a_briefing_and_left() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["ana", "bela"]]).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    let role = |role, person: Option<&str>| Act::Role {
        role,
        person: person.map(RecipientId::of_key),
    };
    let lead = |person| role(IncidentRole::Leader, person);
    done(&mut world, alert, lead(Some("ana"))).await;
    done(&mut world, alert, role(IncidentRole::Scribe, Some("carl"))).await;
    let again = done(&mut world, alert, lead(Some("ana"))).await;
    assert_eq!(again, Outcome::Unchanged);
    world
        .ask(Command::Conversations(Conversations::Say(Say {
            room: RoomId::of_alert(alert),
            by: Speaker {
                name: "Ana".to_owned(),
                person: None,
            },
            text: "We close the line".to_owned(),
            mark: Some(MarkKind::Decision),
            unknown: String::new(),
            restricted: false,
        })))
        .await;
    world.pass(600);
    done(&mut world, alert, lead(Some("dora"))).await;
    let held: Vec<_> = roles(&mut world.conn, alert).await.unwrap();
    let held: Vec<_> = held.iter().map(|held| (held.role, held.person)).collect();
    assert_eq!(
        held,
        [
            (IncidentRole::Leader, RecipientId::of_key("dora")),
            (IncidentRole::Scribe, RecipientId::of_key("carl")),
        ]
    );
    let told: Vec<String> = sqlx::query_scalar(
        "select body from delivery where recipient_id = ? and purpose = 'update' order by created_at_ms, delivery_id",
    )
    .bind(RecipientId::of_key("dora").as_bytes())
    .fetch_all(&mut world.conn)
    .await
    .unwrap();
    expect![" Aurora Energy 1: You lead this incident now, after ANA. Running for 10 min: 1 coming, 1 silent. Last decision: We close the line"].assert_eq(&told.join("\n"));
    let unknown = done(&mut world, alert, lead(Some("nobody"))).await;
    assert!(matches!(unknown, Outcome::Refused(Refusal::Invalid(_))));
    done(&mut world, alert, lead(None)).await;
    let held = roles(&mut world.conn, alert).await.unwrap();
    assert_eq!(held.len(), 1, "nobody leads: {held:?}");
    expect![[r#"
        operator:n1: ANA leads now.
        operator:n1: CARL keeps the diary now.
        Ana: We close the line
        operator:n1: DORA leads now, after ANA.
        operator:n1: Nobody leads now; it was DORA.
    "#]]
    .assert_eq(&room(&mut world, alert).await);
}
