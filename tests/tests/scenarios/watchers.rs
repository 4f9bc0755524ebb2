//! The independent checker: a scheduler that is stuck, a node that fell silent, and who is told of it.
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

use std::sync::Arc;

use delivery::Watcher;
use domain::alerts::{self, AlertRow, Severity};
use domain::nodes::Command as Nodes;
use domain::ports::{Channel, Freshness, Replica};
use domain::recipients::{Command as Recipients, Group, Rule};
use domain::watch::Board;
use domain::{Command, NodeId};
use tests::world::World;

use crate::stage::{ANA, BELA, DORA, ask, raise, seconds, three_nodes};

/// A watcher of one node and its board.
fn watcher(world: &World, id: u64) -> (Watcher, Board) {
    let (board, node) = (Board::default(), world.node(id));
    let duty = Some("duty".to_owned());
    let watcher = Watcher::new(
        node.replica(),
        node.channels()
            .map(|channel| -> Arc<dyn Channel> { channel.clone() })
            .to_vec(),
        node.clock(),
        duty,
        board.clone(),
    );
    (watcher, board)
}

/// Three nodes, with dora on duty.
async fn on_duty() -> World {
    let world = three_nodes().await;
    let group = Group {
        key: "duty".to_owned(),
        name: "On duty".to_owned(),
        members: vec!["dora".into()],
        rule: Rule::default(),
    };
    let groups = vec![group];
    ask(
        &world,
        Command::Recipients(Recipients::PutGroups { groups }),
    )
    .await;
    world
}

async fn alarms(world: &World, state: alerts::State) -> Vec<AlertRow> {
    let mut view = world
        .foremost()
        .replica()
        .read(Freshness::Local)
        .await
        .unwrap();
    let all = alerts::list(&mut view, Some(state), None, 100)
        .await
        .unwrap();
    let mut all: Vec<_> = all
        .into_iter()
        .filter(|row| row.dedup_key.starts_with("watch:"))
        .collect();
    all.reverse();
    all
}

fn kinds(board: &Board) -> Vec<&'static str> {
    board.read().iter().map(|f| f.trouble.kind()).collect()
}

#[tokio::test]
async fn a_silent_node_is_alarmed_once_by_another_and_the_alarm_ends_with_the_trouble() {
    let mut world = on_duty().await;
    let (mut second, board) = watcher(&world, 2);
    let (mut leader, _) = watcher(&world, 1);
    world.live(seconds(15)).await;
    let silent = |reachable| {
        Command::Nodes(Nodes::SetReachable {
            node: NodeId(3),
            reachable,
        })
    };
    world.kill(3);
    for _ in 0..30 {
        world.live(seconds(5)).await;
        second.step(world.foremost().replica().now()).await;
        leader.step(world.foremost().replica().now()).await;
    }
    assert_eq!(kinds(&board), ["node_silent"]);
    let open = alarms(&world, alerts::State::Open).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(board.read()[0].alert, Some(open[0].label.clone()));
    let texts = world.sent_to(DORA);
    assert!(texts[0].message.body.contains("gamma"), "{texts:?}");
    world.restart(3);
    ask(&world, silent(true)).await;
    for _ in 0..10 {
        world.live(seconds(5)).await;
        second.step(world.foremost().replica().now()).await;
    }
    assert!(kinds(&board).is_empty());
    assert!(alarms(&world, alerts::State::Open).await.is_empty());
    assert_eq!(alarms(&world, alerts::State::Resolved).await.len(), 1);
}

#[tokio::test]
async fn a_stuck_scheduler_is_found_by_another_node_and_people_are_told_past_it() {
    let mut world = on_duty().await;
    let (mut second, board) = watcher(&world, 2);
    world.live(seconds(15)).await;
    raise(&world, Severity::High, &[&["ana"], &["bela"]]).await;
    world.settle().await;
    // From here on no scheduler works, though leases are still granted.
    for node in &mut world.nodes {
        node.scheduler_hangs = true;
    }
    for _ in 0..60 {
        world.live(seconds(5)).await;
        second.step(world.foremost().replica().now()).await;
    }
    assert!(world.sent_to(BELA).is_empty());
    assert!(
        kinds(&board).contains(&"action_late"),
        "{:?}",
        kinds(&board)
    );
    // It was raised, but the alarm is stuck as well; so the second node's own modem told.
    assert!(!alarms(&world, alerts::State::Open).await.is_empty());
    let told = world.sent_to(DORA);
    assert!(!told.is_empty());
    assert!(told.iter().all(|sent| sent.from == NodeId(2)), "{told:?}");
    assert!(told[0].message.body.contains("stuck"), "{told:?}");
    assert!(board.read().iter().any(|f| f.told_directly));
    let count = told.len();
    for node in &mut world.nodes {
        node.scheduler_hangs = false;
    }
    // The same trouble is told once an hour, and a working scheduler ends it.
    for _ in 0..20 {
        world.live(seconds(5)).await;
        second.step(world.foremost().replica().now()).await;
    }
    assert_eq!(world.sent_to(BELA).len(), 1);
    assert!(!kinds(&board).contains(&"action_late"));
    assert!(alarms(&world, alerts::State::Open).await.is_empty());
    let direct = |sent: &&tests::world::Sent| sent.message.body.contains("stuck");
    assert!(world.sent_to(DORA).iter().filter(direct).count() <= count + 1);
    assert_eq!(world.sent_to(ANA).len(), 1);
}

#[tokio::test]
async fn a_lone_site_says_that_it_is_cut_off_and_coming_home_raises_no_false_alarm() {
    let mut world = on_duty().await;
    for node in &world.nodes {
        node.islander.enable();
    }
    let mut watchers: Vec<Watcher> = (1..=3).map(|id| watcher(&world, id).0).collect();
    world.live(seconds(15)).await;
    world.kill(3);
    for _ in 0..30 {
        world.live(seconds(5)).await;
        for watcher in &mut watchers[..2] {
            watcher.step(world.foremost().replica().now()).await;
        }
    }
    assert_eq!(alarms(&world, alerts::State::Open).await.len(), 1);
    world.kill(2);
    for _ in 0..40 {
        world.live(seconds(5)).await;
        watchers[0].step(world.node(1).replica().now()).await;
    }
    assert!(world.node(1).islander.is_alone());
    let texts = world.sent_to(DORA);
    assert!(texts.last().unwrap().message.body.contains("cut off"));

    // The others start anew: what their rows say of who is silent is old.
    for id in [2, 3] {
        world.restart(id);
        let at = usize::try_from(id).unwrap() - 1;
        watchers[at] = watcher(&world, id).0;
    }
    for _ in 0..40 {
        world.live(seconds(5)).await;
        for (id, watcher) in (1..).zip(&mut watchers) {
            watcher.step(world.node(id).replica().now()).await;
        }
    }
    assert!(world.node(1).islander.is_healed());
    let keys: Vec<_> = alarms(&world, alerts::State::Resolved)
        .await
        .into_iter()
        .map(|row| row.dedup_key)
        .collect();
    assert_eq!(keys, ["watch:node_silent:gamma", "watch:cut_off:site-n1"]);
    assert!(alarms(&world, alerts::State::Open).await.is_empty());
}
