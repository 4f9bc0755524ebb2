//! Wall clocks that are wrong or jump: nothing that is due moves, and people read the right time (DESIGN A10).
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

use domain::alerts::Severity;
use domain::ports::{Freshness, Replica};
use domain::{Command, NodeId, nodes};
use tests::world::{START, World};

use crate::stage::{ANA, BELA, ask, code, raise, seconds, three_nodes};

const HOUR: i64 = 3_600_000;

/// Sets a node's wall clock, and only that, so far ahead of the truth.
fn set_wall(world: &World, id: u64, ahead_ms: i64) {
    let mut order = world.order();
    order.member_mut(NodeId(id)).machine.wall_offset_ms = ahead_ms;
}

async fn civil_offset(world: &World) -> i64 {
    let mut view = world
        .foremost()
        .replica()
        .read(Freshness::Local)
        .await
        .unwrap();
    nodes::civil(&mut view).await.unwrap().offset_ms()
}

/// Sends to ana at once and to bela a minute later, whatever the clocks of the three nodes do meanwhile.
async fn steps_keep_their_time(clocks: [[i64; 3]; 4]) {
    let mut world = three_nodes().await;
    raise(&world, Severity::High, &[&["ana"], &["bela"]]).await;
    for walls in clocks {
        for (id, wall) in (1..).zip(walls) {
            set_wall(&world, id, wall);
        }
        assert_eq!(world.sent_to(BELA).len(), 0, "no step is fired early");
        world.live(seconds(14)).await;
        assert_eq!(world.sent_to(ANA).len(), 1);
    }
    world.live(seconds(5)).await;
    assert_eq!(world.sent_to(BELA).len(), 1, "no step is skipped or late");
    assert_eq!(world.sent_to(ANA).len(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn one_wrong_clock_of_three_neither_fires_nor_delays_a_step() {
    steps_keep_their_time([[0, 0, HOUR], [0, 0, -HOUR], [0, 0, 24 * HOUR], [0, 0, 0]]).await;
}

#[tokio::test]
async fn clocks_that_all_jump_neither_fire_nor_delay_a_step() {
    steps_keep_their_time([[HOUR; 3], [-HOUR; 3], [0, HOUR, -HOUR], [24 * HOUR; 3]]).await;
}

#[tokio::test]
async fn civil_time_follows_a_majority_within_minutes_and_nobody_beyond() {
    let mut world = three_nodes().await;
    world.live(seconds(2)).await;
    assert_eq!(civil_offset(&world).await, 0);
    for (walls, expected) in [
        // One wrong clock says nothing.
        ([0, 0, HOUR], 0),
        // Two that agree are a majority.
        ([90_000, 90_500, 0], 90_000),
        ([90_000, 90_000, 90_000], 90_000),
        // A jump of all of them needs a person.
        ([HOUR, HOUR, HOUR], 90_000),
        ([0, HOUR, -HOUR], 90_000),
    ] {
        for (id, wall) in (1..).zip(walls) {
            set_wall(&world, id, wall);
        }
        world.live(seconds(3)).await;
        let offset = civil_offset(&world).await;
        assert!(offset.abs_diff(expected) <= 1_000, "{walls:?}: {offset}");
    }
    let set = nodes::SetCivilOffset {
        offset_ms: HOUR,
        since: None,
        agreeing: 0,
        members: 0,
        spread_ms: 0,
        explained: true,
    };
    ask(&world, Command::Nodes(nodes::Command::SetCivilOffset(set))).await;
    world.live(seconds(3)).await;
    assert_eq!(civil_offset(&world).await, HOUR);
}

#[tokio::test]
async fn two_wrong_clocks_of_five_change_nothing() {
    let mut world = World::new(5).await;
    let found = nodes::Found {
        cluster_id: [7; 16],
        organisation: "Aurora Energy".to_owned(),
        node_name: "n1".to_owned(),
        pin: [1; 32],
        addresses: vec![],
    };
    ask(&world, Command::Nodes(nodes::Command::Found(found))).await;
    for id in 2..=5 {
        let token_hash = [id; 32];
        let invite = nodes::Command::IssueInvite {
            token_hash,
            expires_in_ms: 900_000,
        };
        ask(&world, Command::Nodes(invite)).await;
        let admit = nodes::Admit {
            token_hash,
            node_name: format!("n{id}"),
            pin: token_hash,
            addresses: vec![],
        };
        ask(&world, Command::Nodes(nodes::Command::Admit(admit))).await;
    }
    world.settle().await;
    set_wall(&world, 2, 60_000);
    set_wall(&world, 4, 60_000);
    world.live(seconds(3)).await;
    assert_eq!(civil_offset(&world).await, 0);
    set_wall(&world, 5, 60_000);
    world.live(seconds(3)).await;
    assert_eq!(civil_offset(&world).await, 60_000);
}

#[tokio::test]
async fn people_read_civil_time_in_texts() {
    let mut world = three_nodes().await;
    world.live(seconds(2)).await;
    for id in 1..=3 {
        set_wall(&world, id, 240_000);
    }
    world.live(seconds(3)).await;
    let alert = raise(&world, Severity::High, &[&["ana"]]).await;
    world.settle().await;
    let code = code(&world, alert, "ana").await;
    world.node(1).modem.receive(ANA, &format!("{code} 1"));
    world.settle().await;
    let reply = world.sent_to(ANA).pop().unwrap().message.body;
    let minutes = world.foremost().replica().now().since(START).as_secs() / 60;
    let expected = format!("00:{:02}", minutes + 4);
    assert!(reply.contains(&expected), "{reply}, not {expected}");
}
