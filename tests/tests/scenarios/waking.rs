//! Whose phone rings, from which modem, and what shows that modems hear each other.
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

use domain::alerts::Severity;
use domain::deliveries::{self, DeliveryRow, Purpose};
use domain::ports::{Freshness, Replica};
use domain::waking::{self, Command as Waking, TripState};
use domain::{AlertId, Command, NodeId};
use tests::world::World;

use crate::stage::{ANA, ask, code, raise, seconds, three_nodes};

async fn rings(world: &World, alert: AlertId) -> Vec<DeliveryRow> {
    let replica = world.foremost().replica();
    let mut view = replica.read(Freshness::Local).await.unwrap();
    let mut rows = deliveries::of_alert(&mut view, alert, 0, 100)
        .await
        .unwrap();
    rows.retain(|row| row.purpose == Purpose::Wake);
    rows
}

fn places(row: &DeliveryRow) -> Vec<u64> {
    row.attempts
        .iter()
        .filter(|attempt| attempt.state == "accepted")
        .map(|attempt| attempt.node.0)
        .collect()
}

#[tokio::test]
async fn a_silent_phone_rings_twice_from_one_modem_and_one_that_answered_stays_quiet() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::Critical, &[&["ana", "bela"]]).await;
    world.settle().await;
    let code = code(&world, alert, "ana").await;
    world.node(2).modem.receive(ANA, &format!("{code} 1"));
    world.live(seconds(120)).await;
    let rows = rings(&world, alert).await;
    let [ana, bela] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!((ana.state.name(), ana.attempts.len()), ("cancelled", 0));
    assert_eq!(bela.state.name(), "handed_over");
    let from = places(bela);
    assert_eq!(from.len(), 2, "{bela:?}");
    assert_eq!(from[0], from[1], "phones count calls of one number only");
}

#[tokio::test]
async fn when_the_modem_of_the_first_ring_dies_both_start_anew_elsewhere() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::Critical, &[&["bela"]]).await;
    world.live(seconds(35)).await;
    let first = places(&rings(&world, alert).await[0])[0];
    world.node(first).modem.set_up(false);
    world.live(seconds(120)).await;
    let row = rings(&world, alert).await.remove(0);
    let from = places(&row);
    assert_eq!(row.state.name(), "handed_over", "{row:?}");
    assert_eq!(from.len(), 3, "{from:?}");
    assert!(from[1] == from[2] && from[1] != first, "{from:?}");
}

#[tokio::test]
async fn a_trip_between_modems_is_on_record_at_every_node() {
    let mut world = three_nodes().await;
    let node = Some(NodeId(1));
    ask(&world, Command::Waking(Waking::StartTrips { node })).await;
    world.settle().await;
    let sent = world.sent_to("+358500000002");
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].from, NodeId(1));
    let words = sent[0].message.body.clone();
    world.node(2).modem.receive("+358500000001", &words);
    world.settle().await;
    for id in 1..=3 {
        let replica = world.node(id).replica();
        let mut view = replica.read(Freshness::Local).await.unwrap();
        let trips = waking::trips(&mut view, replica.now()).await.unwrap();
        let last = trips[0].last.clone().unwrap();
        assert_eq!(last.state, TripState::Arrived, "node {id}");
    }
}
