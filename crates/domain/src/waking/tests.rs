//! Transcripts of trips, cards and tests of phones.

use sqlx::Row;

use super::{Command as Waking, Due, PROOF_VALID_MS, Test, card, due, proofs, trips};
use crate::conversations::messages;
use crate::deliveries::{self, Assignment, Command as Deliveries, RING};
use crate::inbound::{Command as Inbound, Receive};
use crate::transcript::{World, accepted};
use crate::watch;
use crate::{Command, NodeId, Outcome, Receipt, RecipientId, RoomId};

const ANA: &str = "+358401000001";

/// Does what is due, as the scheduler would.
async fn follow_up(world: &mut World) -> usize {
    let found = due(&mut world.conn, world.now, 50).await.unwrap();
    let count = found.len();
    if count > 0 {
        world
            .run(Command::Waking(Waking::FollowUp { due: found }))
            .await;
    }
    count
}

async fn text(world: &mut World, node: u64, from: &str, text: &str) -> String {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&world.now.0.to_be_bytes());
    key[8] = u8::try_from(text.len()).unwrap();
    let receive = Receive {
        key,
        node: NodeId(node),
        channel: "modem".to_owned(),
        from: from.to_owned(),
        text: text.to_owned(),
        sent_at_ms: None,
        wall_ms: 0,
        whole: true,
        damaged: false,
        call: false,
    };
    world.run(Command::Inbound(Inbound::Receive(receive))).await;
    sqlx::query_scalar("select taken from inbound_text where inbound_key = ?")
        .bind(key.as_slice())
        .fetch_one(&mut world.conn)
        .await
        .unwrap()
}

async fn bodies(world: &mut World, purpose: &str) -> Vec<(String, String)> {
    sqlx::query_as("select address, body from delivery where purpose = ? and body <> '' order by address, body")
        .bind(purpose)
        .fetch_all(&mut world.conn)
        .await
        .unwrap()
}

async fn states(world: &mut World) -> String {
    let rows = trips(&mut world.conn, world.now).await.unwrap();
    let words = rows.iter().map(|row| match &row.last {
        Some(trip) => format!("{} -> {}: {}", row.name, trip.to, trip.state.name()),
        None => format!("{}: planned", row.name),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn every_modem_texts_the_next_one_once_a_day_and_what_came_is_on_record() {
    let mut world = World::new().await;
    follow_up(&mut world).await;
    assert_eq!(states(&mut world).await, "alpha: planned, beta: planned");
    world.pass(25 * 3_600);
    assert_eq!(follow_up(&mut world).await, 2);
    assert_eq!(
        states(&mut world).await,
        "alpha -> beta: under_way, beta -> alpha: under_way"
    );
    let sent = bodies(&mut world, "trip").await;
    assert_eq!(sent.len(), 2);
    let (to, words) = &sent[1];
    assert_eq!(to, "+358500000002");
    world.pass(7);
    assert_eq!(text(&mut world, 2, "+358500000001", words).await, "trip");
    assert_eq!(
        states(&mut world).await,
        "alpha -> beta: arrived, beta -> alpha: under_way"
    );
    let took = trips(&mut world.conn, world.now).await.unwrap()[0]
        .last
        .clone();
    assert_eq!(took.unwrap().took_ms, Some(7_000));
    // Nobody is answered, and nothing stands in the duty inbox.
    assert!(bodies(&mut world, "reply").await.is_empty());
    assert_eq!(follow_up(&mut world).await, 0);
    world.pass(26 * 3_600);
    assert_eq!(follow_up(&mut world).await, 2, "the next day's");
}

#[tokio::test]
async fn a_trip_that_does_not_come_is_trouble_until_the_next_one_does() {
    let mut world = World::new().await;
    let start = Command::Waking(Waking::StartTrips {
        node: Some(NodeId(1)),
    });
    assert_eq!(
        world.ask(start.clone()).await,
        Outcome::Applied(Receipt::Count(1))
    );
    let kinds = async |world: &mut World| -> Vec<String> {
        let found = watch::look(&mut world.conn, world.now).await.unwrap();
        found
            .iter()
            .filter(|trouble| trouble.kind() == "trip_missing")
            .map(watch::Trouble::key)
            .collect()
    };
    assert!(kinds(&mut world).await.is_empty());
    // From another number, or at another node, it proves nothing.
    let words = bodies(&mut world, "trip").await[0].1.clone();
    text(&mut world, 2, "+358409999999", &words).await;
    world.pass(1);
    text(&mut world, 1, "+358500000001", &words).await;
    world.pass(901);
    assert_eq!(kinds(&mut world).await, ["watch:trip_missing:alpha/beta"]);
    world.ask(start).await;
    assert!(kinds(&mut world).await.is_empty(), "it is tried anew");
}

#[tokio::test]
async fn a_lone_modem_says_so() {
    let mut world = World::new().await;
    sqlx::query("delete from channel where node_id = 2")
        .execute(&mut world.conn)
        .await
        .unwrap();
    world
        .ask(Command::Waking(Waking::StartTrips { node: None }))
        .await;
    assert_eq!(states(&mut world).await, "alpha -> : alone");
    assert!(bodies(&mut world, "trip").await.is_empty());
}

#[tokio::test]
async fn the_card_has_a_new_version_when_a_number_changes_and_those_on_duty_are_told() {
    let mut world = World::new().await;
    follow_up(&mut world).await;
    let first = card(&mut world.conn).await.unwrap().unwrap();
    assert_eq!((first.version, first.numbers.len()), (1, 2));
    // A modem that restarts tells no number for a while.
    sqlx::query("update channel set number = '' where node_id = 1")
        .execute(&mut world.conn)
        .await
        .unwrap();
    assert_eq!(follow_up(&mut world).await, 0);
    sqlx::query("update channel set number = '+358500000077' where node_id = 1 and kind = 'sms'")
        .execute(&mut world.conn)
        .await
        .unwrap();
    assert_eq!(
        due(&mut world.conn, world.now, 50).await.unwrap(),
        [Due::Card]
    );
    follow_up(&mut world).await;
    let numbers = vec!["+358 50 000 0088".to_owned()];
    world
        .ask(Command::Waking(Waking::SetSpares { numbers }))
        .await;
    let third = card(&mut world.conn).await.unwrap().unwrap();
    assert_eq!(third.version, 3);
    assert_eq!(third.numbers[0].0, "+358500000077");
    assert_eq!(third.spares, ["+358500000088"]);
    let notes = messages(&mut world.conn, RoomId::DUTY_INBOX, 0, 10)
        .await
        .unwrap();
    assert_eq!(notes.len(), 2);
    let three = vec![String::new(); 3];
    assert!(matches!(
        world
            .ask(Command::Waking(Waking::SetSpares { numbers: three }))
            .await,
        Outcome::Refused(_)
    ));
}

async fn tested(world: &mut World) -> (String, String) {
    let test = Test {
        people: vec![RecipientId::of_key("ana")],
        in_ms: 3_600_000,
        valid_ms: PROOF_VALID_MS,
    };
    assert_eq!(
        world.ask(Command::Waking(Waking::StartTest(test))).await,
        Outcome::Applied(Receipt::Number(1))
    );
    world.pass(3_600);
    follow_up(world).await;
    let body = bodies(world, "wake").await[0].1.clone();
    let code = sqlx::query("select code from wake_proof")
        .fetch_one(&mut world.conn)
        .await
        .unwrap()
        .get(0);
    (body, code)
}

async fn state(world: &mut World) -> &'static str {
    let all = proofs(&mut world.conn, "", 10).await.unwrap();
    all.iter()
        .find(|row| row.key == "ana")
        .unwrap()
        .state(world.now)
}

#[tokio::test]
async fn a_test_asks_and_rings_and_a_yes_counts_for_its_time() {
    let mut world = World::new().await;
    follow_up(&mut world).await;
    assert_eq!(state(&mut world).await, "never");
    let (body, code) = tested(&mut world).await;
    assert!(body.contains(&format!("{code} 1")), "{body}");
    assert_eq!(state(&mut world).await, "asked");
    world.send_all(1, accepted()).await;
    world.pass(31);
    let rings = deliveries::due(&mut world.conn, world.now, 10)
        .await
        .unwrap();
    assert_eq!(rings.iter().filter(|due| due.kind == RING).count(), 1);
    let assignments = vec![Assignment {
        attempt: rings[0].attempt,
        node: NodeId(1),
        channel: "modem".to_owned(),
    }];
    world
        .run(Command::Deliveries(Deliveries::Assign { assignments }))
        .await;
    // From another phone it says nothing of this one.
    let answer = format!("{code} 1");
    assert_ne!(
        text(&mut world, 1, "+358401999999", &answer).await,
        "wake_answer"
    );
    world.pass(1);
    assert_eq!(text(&mut world, 2, ANA, &answer).await, "wake_answer");
    assert_eq!(state(&mut world).await, "proven");
    world.pass(60);
    let rings = deliveries::due(&mut world.conn, world.now, 10)
        .await
        .unwrap();
    assert!(rings.iter().all(|due| due.kind != RING), "{rings:?}");
    world.pass(181 * 24 * 3_600);
    assert_eq!(state(&mut world).await, "expired");
}

#[tokio::test]
async fn a_no_takes_the_proof_away_and_a_bare_answer_will_do() {
    let mut world = World::new().await;
    tested(&mut world).await;
    assert_eq!(text(&mut world, 1, ANA, "2").await, "wake_answer");
    assert_eq!(state(&mut world).await, "no");
    world.pass(1);
    assert_ne!(text(&mut world, 1, ANA, "2 ").await, "wake_answer");
}

#[tokio::test]
async fn a_test_that_waits_can_be_called_off_and_bad_ones_are_refused() {
    let mut world = World::new().await;
    let test = |people: &[&str], in_ms| {
        Command::Waking(Waking::StartTest(Test {
            people: people.iter().map(|key| RecipientId::of_key(key)).collect(),
            in_ms,
            valid_ms: PROOF_VALID_MS,
        }))
    };
    for (people, in_ms) in [
        (&[][..], 0),
        (&["nobody"][..], 0),
        (&["ana", "ana"][..], 0),
        (&["ana"][..], u64::MAX),
    ] {
        let outcome = world.ask(test(people, in_ms)).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
    world.ask(test(&["ana"], 60_000)).await;
    let off = Command::Waking(Waking::CallOffTest { number: 1 });
    assert_eq!(
        world.ask(off.clone()).await,
        Outcome::Applied(Receipt::None)
    );
    assert!(matches!(world.ask(off).await, Outcome::Refused(_)));
    world.pass(61);
    follow_up(&mut world).await;
    assert!(bodies(&mut world, "wake").await.is_empty());
}
