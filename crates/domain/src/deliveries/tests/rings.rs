//! Transcripts of what wakes people: when phones ring, from where, how often, and what stops them.

use super::super::{
    Assignment, AttemptRef, Command as Deliveries, Due, RING, Report, SendOutcome, due,
};
use crate::alerts;
use crate::recipients::Command as Recipients;
use crate::transcript::{World, accepted, person, refused, sms};
use crate::vocabulary::{Answer, Severity};
use crate::{Command, NodeId, RecipientId};

/// What wakes people that is due now.
async fn due_rings(world: &mut World) -> Vec<Due> {
    let mut due = due(&mut world.conn, world.now, 100).await.unwrap();
    due.retain(|due| due.kind == RING);
    due
}

/// Gives every ring that is due to node `node` and records one outcome; how many rang.
async fn ring_all(world: &mut World, node: u64, outcome: SendOutcome) -> usize {
    let due = due_rings(world).await;
    let assignments = due
        .iter()
        .map(|due| Assignment {
            attempt: due.attempt,
            node: NodeId(node),
            channel: "modem".to_owned(),
        })
        .collect();
    world
        .run(Command::Deliveries(Deliveries::Assign { assignments }))
        .await;
    world.pass(25);
    let rung: Vec<AttemptRef> = due.iter().map(|due| due.attempt).collect();
    world.record(node, &rung, outcome).await;
    rung.len()
}

#[tokio::test]
async fn the_silent_are_rung_twice_from_one_number_after_their_text() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Critical, 300, &[&["ana", "bela", "carl"]])
        .await;
    assert_eq!(
        world.wakes(alert).await,
        "ana wake 1.0 ring standby\nbela wake 1.0 ring standby\n"
    );
    world.send_all(1, accepted()).await;
    assert_eq!(
        due_rings(&mut world).await.len(),
        0,
        "they get time to answer"
    );
    world.pass(31);
    assert_eq!(ring_all(&mut world, 1, accepted()).await, 2);
    assert_eq!(due_rings(&mut world).await.len(), 0, "a pause lies between");
    world.pass(16);
    let second = due_rings(&mut world).await;
    let place = Some((NodeId(1), "modem".to_owned()));
    assert!(second.iter().all(|due| due.pinned == place), "{second:?}");
    assert_eq!(ring_all(&mut world, 1, accepted()).await, 2);
    assert_eq!(
        world.wakes(alert).await,
        "ana wake 1.0 ring handed_over\nbela wake 1.0 ring handed_over\n"
    );
}

#[tokio::test]
async fn both_rings_start_anew_where_the_first_modem_died() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Critical, 300, &[&["bela"]]).await;
    world.send_all(1, accepted()).await;
    world.pass(31);
    ring_all(&mut world, 1, accepted()).await;
    world.pass(61);
    assert_eq!(
        due_rings(&mut world).await[0].pinned,
        None,
        "it is too late"
    );
    for state in ["pending", "handed_over"] {
        assert_eq!(ring_all(&mut world, 2, accepted()).await, 1);
        assert!(world.wakes(alert).await.contains(state));
        world.pass(16);
    }
    assert_eq!(due_rings(&mut world).await.len(), 0);
}

#[tokio::test]
async fn an_answer_or_the_end_stops_rings() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Critical, 300, &[&["ana", "bela"]])
        .await;
    world.send_all(1, accepted()).await;
    world.pass(31);
    let ana = RecipientId::of_key("ana");
    world
        .ask(Command::Alerts(alerts::Command::Answer {
            alert,
            recipient: ana,
            answer: Answer::Coming,
            eta_min: None,
        }))
        .await;
    assert_eq!(due_rings(&mut world).await.len(), 1);
    world
        .ask(Command::Alerts(alerts::Command::Resolve {
            alert,
            note: String::new(),
        }))
        .await;
    assert_eq!(
        world.wakes(alert).await,
        "ana wake 1.0 ring cancelled (answered)\nbela wake 1.0 ring cancelled (resolved)\n"
    );
}

#[tokio::test]
async fn a_call_that_is_taken_needs_no_second() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Critical, 300, &[&["bela"]]).await;
    world.send_all(1, accepted()).await;
    world.pass(31);
    let ring = due_rings(&mut world).await[0].attempt;
    ring_all(&mut world, 1, accepted()).await;
    let detail = "the call was taken".to_owned();
    world.report(ring, Report::Delivered { detail }).await;
    world.pass(60);
    assert_eq!(ring_all(&mut world, 1, accepted()).await, 0);
    assert!(world.wakes(alert).await.contains("delivered"));
}

#[tokio::test]
async fn a_phone_out_of_reach_is_given_up_in_time() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Critical, 300, &[&["bela"]]).await;
    world.send_all(1, accepted()).await;
    let mut tries = 0;
    for _ in 0..20 {
        world.pass(60);
        tries += ring_all(&mut world, 1, refused(false)).await;
    }
    assert_eq!(tries, 6);
    assert_eq!(
        world.wakes(alert).await,
        "bela wake 1.0 ring failed (CMS 38)\n"
    );
}

#[tokio::test]
async fn wishes_are_kept_and_a_second_person_is_asked() {
    let mut world = World::new().await;
    let mut bela = person("bela", "sv", &[sms("+46701000002")]);
    bela.details.wishes.never_voice = true;
    bela.details.wishes.wake_by = Some("dora".to_owned());
    world
        .run(Command::Recipients(Recipients::PutPeople {
            people: vec![bela],
        }))
        .await;
    let alert = world.raise(Severity::Critical, 300, &[&["bela"]]).await;
    assert_eq!(
        world.wakes(alert).await,
        "bela wake 1.0 ring cancelled (never by voice, as they wish)\n\
         bela wake 1.0 ring standby\n\
         dora wake 1.0 sms pending\n"
    );
    world.send_all(1, accepted()).await;
    world.pass(31);
    let rung = due_rings(&mut world).await;
    assert_eq!(rung.len(), 1);
    assert_eq!(rung[0].address, "+441000000004");
}

#[tokio::test]
async fn only_critical_alerts_ring_and_a_later_round_rings_anew() {
    let mut world = World::new().await;
    let quiet = world.raise(Severity::High, 300, &[&["bela"]]).await;
    assert_eq!(world.wakes(quiet).await, "");
    let alert = world.raise(Severity::Critical, 300, &[&["dora"]]).await;
    world.send_all(1, accepted()).await;
    world.pass(61);
    world.act().await;
    assert_eq!(
        world.wakes(alert).await,
        "dora wake 1.0 ring cancelled (a later round rings)\ndora wake 1.1 ring standby\n"
    );
}
