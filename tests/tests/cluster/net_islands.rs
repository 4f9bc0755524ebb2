//! Nodes without a majority: each works by itself on real files, and one history comes out when they meet again.

use std::time::{Duration, Instant};

use cluster::Tuning;
use domain::alerts::{self, AlertRow, Raise, Severity, Status, Step};
use domain::escalation::called;
use domain::ports::{Committed, Durability, Freshness, Proposal, ProposeError, Replica as _};
use domain::vocabulary::Answer;
use domain::{Actor, AlertId, Command, NodeId, Outcome, Refusal, RequestId, islands};
use tests::cluster::{Nodes, add_person, eventually, fresh_request, knows, put};

/// Short enough for a test, long enough for a change of leaders on a busy machine.
const ISLAND_AFTER: Duration = Duration::from_secs(6);

async fn start(count: u64) -> Nodes {
    let tuning = Tuning {
        island_after: Some(ISLAND_AFTER),
        ..Tuning::default()
    };
    let nodes = Nodes::with_tuning(count, tuning).await;
    put(&nodes[1], "ana").await.unwrap();
    nodes
}

fn raise(request: RequestId, text: &str) -> Proposal {
    let command = Command::Alerts(alerts::Command::Raise(Box::new(Raise {
        severity: Severity::High,
        status: Status::Actual,
        texts: vec![("und".to_owned(), text.to_owned())],
        gather: String::new(),
        gather_in: Vec::new(),
        steps: vec![Step {
            delay_ms: 0,
            recipients: vec![domain::RecipientId::of_key("ana")],
            enough: Vec::new(),
        }],
        notes: Vec::new(),
        needed: 1,
        repeats: 0,
        repeat_every_ms: 60_000,
        validity_ms: 3_600_000,
        fallback: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: alerts::Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        aware_at: None,
        dedup_key: None,
        source: "test".to_owned(),
        template: None,
    })));
    proposal(request, command)
}

fn proposal(request: RequestId, command: Command) -> Proposal {
    Proposal {
        request,
        body: [0; 32],
        actor: Actor::ApiKey {
            id: "test".to_owned(),
        },
        decided_under: None,
        command,
    }
}

/// Raises and names the alert that was made.
async fn raised(nodes: &Nodes, at: u64, text: &str) -> (AlertId, String, Durability) {
    let committed = nodes[at]
        .replica()
        .propose(raise(fresh_request(), text))
        .await
        .unwrap();
    named(&committed)
}

fn named(committed: &Committed) -> (AlertId, String, Durability) {
    let Outcome::Applied(receipt) = &committed.outcome else {
        panic!("{committed:?}")
    };
    let (id, label) = receipt.alert().unwrap();
    (id, label, committed.durability)
}

async fn find(nodes: &Nodes, at: u64, id: AlertId) -> Option<AlertRow> {
    let mut view = nodes[at].replica().read(Freshness::Local).await.ok()?;
    alerts::find(&mut view, id).await.unwrap()
}

async fn digest(nodes: &Nodes, at: u64) -> [u8; 32] {
    let mut view = nodes[at].replica().read(Freshness::Local).await.unwrap();
    islands::merge_digest(&mut view).await.unwrap()
}

async fn is_island(nodes: &Nodes, id: u64) {
    eventually("the node works by itself", || async {
        nodes[id]
            .replica()
            .island()
            .filter(|island| !island.healing)
            .map(drop)
    })
    .await;
}

async fn all_members_with_one_history(nodes: &Nodes) {
    eventually("all nodes are one cluster again", || async {
        let ids = nodes.ids();
        ids.iter()
            .all(|id| nodes[*id].replica().island().is_none())
            .then_some(())
    })
    .await;
    nodes.leader().await;
    eventually("all nodes hold the same history", || async {
        let first = digest(nodes, nodes.ids()[0]).await;
        for id in nodes.ids() {
            if digest(nodes, id).await != first {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_survivor_alerts_by_itself_and_everyone_knows_after_healing() {
    let mut nodes = start(3).await;
    let survivor = nodes.leader().await;
    let before = raised(&nodes, survivor, "before").await;
    assert_eq!(before.2, Durability::Replicated);
    let others: Vec<u64> = nodes
        .ids()
        .into_iter()
        .filter(|id| *id != survivor)
        .collect();
    for id in &others {
        nodes.kill(*id).await;
    }
    // Asked before the node knows that it is alone: it waits, then takes it by itself.
    let asked = Instant::now();
    let (id, label, durability) = raised(&nodes, survivor, "alone").await;
    assert_eq!(durability, Durability::Island);
    let letter = NodeId(survivor).letters();
    assert_eq!(label, format!("{letter}-1"));
    assert!(asked.elapsed() < ISLAND_AFTER * 4, "{:?}", asked.elapsed());
    let island = nodes[survivor].replica().island().unwrap();
    assert_eq!(
        (island.letter.as_str(), island.fellows),
        (letter.as_str(), vec![NodeId(survivor)])
    );
    // Its view has both, and the second alert takes no time any more.
    assert!(find(&nodes, survivor, before.0).await.is_some());
    assert_eq!(
        raised(&nodes, survivor, "alone too").await.1,
        format!("{letter}-2")
    );
    for id in &others {
        nodes.restart(*id).await;
    }
    all_members_with_one_history(&nodes).await;
    for node in nodes.ids() {
        let row = find(&nodes, node, id).await.unwrap();
        assert!(
            row.all_labels().contains(&label),
            "n{node}: {:?}",
            row.all_labels()
        );
    }
    assert_eq!(nodes[survivor].journal().await.unwrap(), Default::default());
    let after = raised(&nodes, survivor, "after").await;
    assert_eq!(after.2, Durability::Replicated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_repeated_at_another_node_after_healing_applies_once() {
    let mut nodes = start(3).await;
    nodes.kill(2).await;
    nodes.kill(3).await;
    let request = fresh_request();
    let on_island = nodes[1]
        .replica()
        .propose(raise(request, "fire"))
        .await
        .unwrap();
    nodes.restart(2).await;
    nodes.restart(3).await;
    all_members_with_one_history(&nodes).await;
    let again = nodes[3]
        .replica()
        .propose(raise(request, "fire"))
        .await
        .unwrap();
    assert_eq!(named(&again).0, named(&on_island).0);
    let mut view = nodes[3]
        .replica()
        .read(Freshness::Linearizable)
        .await
        .unwrap();
    assert_eq!(
        alerts::list(&mut view, None, None, 10).await.unwrap().len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_everyone_is_refused_at_once_with_what_to_do() {
    let mut nodes = start(3).await;
    nodes.kill(2).await;
    nodes.kill(3).await;
    is_island(&nodes, 1).await;
    let committed = nodes[1]
        .replica()
        .propose(add_person(fresh_request(), "bela"))
        .await
        .unwrap();
    assert!(
        matches!(
            &committed.outcome,
            Outcome::Refused(Refusal::NotOnIsland(_))
        ),
        "{committed:?}"
    );
    assert!(!knows(&nodes[1], Freshness::Local, "bela").await);
    let linearizable = nodes[1].replica().read(Freshness::Linearizable).await;
    assert!(linearizable.is_err());
    assert!(nodes[1].replica().lease().await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_island_that_crashes_remembers_and_goes_on() {
    let mut nodes = start(3).await;
    nodes.kill(2).await;
    nodes.kill(3).await;
    let (first, label, _) = raised(&nodes, 1, "one").await;
    nodes.kill(1).await;
    // Joining anew from its folder would be the end of what only this node knows.
    let (dir, listen) = nodes.place_of(1);
    let refused = nodes.ask_to_join("hfj_any", dir, listen).await.unwrap_err();
    assert!(
        matches!(refused, cluster::JoinError::Journal { facts } if facts > 0),
        "{refused}"
    );
    nodes.restart(1).await;
    is_island(&nodes, 1).await;
    let row = find(&nodes, 1, first)
        .await
        .expect("the alert outlives the crash");
    assert_eq!(row.label, label);
    assert_eq!(raised(&nodes, 1, "two").await.1, "A-2");
    nodes.restart(2).await;
    nodes.restart(3).await;
    all_members_with_one_history(&nodes).await;
    assert!(find(&nodes, 3, first).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_cut_off_together_share_what_they_know() {
    let mut nodes = start(5).await;
    for id in [3, 4, 5] {
        nodes.kill(id).await;
    }
    is_island(&nodes, 1).await;
    is_island(&nodes, 2).await;
    let (id, ..) = raised(&nodes, 1, "one").await;
    eventually("the other island hears of it", || find(&nodes, 2, id)).await;
    eventually("both share the work", || async {
        let fellows = |id| {
            nodes[id]
                .replica()
                .island()
                .map_or(0, |island| island.fellows.len())
        };
        (fellows(1) == 2 && fellows(2) == 2).then_some(())
    })
    .await;
    let acknowledge = Command::Alerts(alerts::Command::Acknowledge {
        alert: id,
        note: String::new(),
    });
    let done = nodes[2]
        .replica()
        .propose(proposal(fresh_request(), acknowledge))
        .await
        .unwrap();
    assert!(matches!(done.outcome, Outcome::Applied(_)), "{done:?}");
    eventually("the first island hears of the answer", || async {
        find(&nodes, 1, id).await?.acknowledged_at.map(drop)
    })
    .await;
    for id in [3, 4, 5] {
        nodes.restart(id).await;
    }
    all_members_with_one_history(&nodes).await;
    let row = find(&nodes, 5, id).await.unwrap();
    assert!(row.acknowledged_at.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_islands_that_never_met_end_in_one_history() {
    let mut nodes = start(3).await;
    let (shared, ..) = raised(&nodes, 1, "shared").await;
    // Each of two nodes is alone for a while; the third is down all along.
    nodes.kill(3).await;
    nodes.kill(2).await;
    let (one, ..) = raised(&nodes, 1, "at one").await;
    let resolve = Command::Alerts(alerts::Command::Resolve {
        alert: shared,
        note: "by one".to_owned(),
    });
    _ = nodes[1]
        .replica()
        .propose(proposal(fresh_request(), resolve))
        .await
        .unwrap();
    nodes.kill(1).await;
    nodes.restart(2).await;
    is_island(&nodes, 2).await;
    let (two, ..) = raised(&nodes, 2, "at two").await;
    let call_off = Command::Alerts(alerts::Command::CallOff {
        alert: shared,
        reason: "by two".to_owned(),
    });
    _ = nodes[2]
        .replica()
        .propose(proposal(fresh_request(), call_off))
        .await
        .unwrap();
    nodes.restart(1).await;
    nodes.restart(3).await;
    all_members_with_one_history(&nodes).await;
    for id in nodes.ids() {
        assert!(find(&nodes, id, one).await.is_some() && find(&nodes, id, two).await.is_some());
        let state = find(&nodes, id, shared).await.unwrap().state;
        assert_eq!(state, alerts::State::CalledOff, "a call-off beats the rest");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exported_journal_reaches_the_others_without_its_node() {
    let mut nodes = start(3).await;
    nodes.kill(2).await;
    nodes.kill(3).await;
    let (id, ..) = raised(&nodes, 1, "carried").await;
    assert!(nodes[1].journal().await.unwrap().unexported > 0);
    let file = nodes[1].export_journal().await.unwrap();
    assert_eq!(nodes[1].journal().await.unwrap().unexported, 0);
    nodes.kill(1).await;
    nodes.restart(2).await;
    nodes.restart(3).await;
    nodes.leader().await;
    for _ in 0..2 {
        let facts = nodes[2].import_journal(&file).await.unwrap();
        assert!(facts > 0);
    }
    eventually("both have it", || find(&nodes, 3, id)).await;
    let mut damaged = file.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let refused = nodes[2].import_journal(&damaged).await.unwrap_err();
    assert!(refused.to_string().contains("damaged"), "{refused}");
    // The node itself comes back and hands over the same facts once more.
    nodes.restart(1).await;
    all_members_with_one_history(&nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_process_does_not_make_an_island() {
    let nodes = start(3).await;
    // Every boot clock jumps, as after a suspension: nobody gives up on the others for that.
    nodes.advance(Duration::from_secs(120));
    tokio::time::sleep(ISLAND_AFTER).await;
    for id in nodes.ids() {
        assert_eq!(nodes[id].replica().island(), None, "n{id}");
    }
    assert_eq!(
        raised(&nodes, 2, "together").await.2,
        Durability::Replicated
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_called_on_an_island_is_known_as_called_everywhere() {
    let mut nodes = start(3).await;
    nodes.kill(2).await;
    nodes.kill(3).await;
    let (id, ..) = raised(&nodes, 1, "called").await;
    let stamp = nodes[1].replica().leadership().leading.unwrap();
    let expand = Proposal {
        actor: Actor::Loop,
        decided_under: Some(stamp),
        ..proposal(
            fresh_request(),
            Command::Escalation(domain::escalation::Command::ExpandPage { alert: id, page: 0 }),
        )
    };
    _ = nodes[1].replica().propose(expand).await.unwrap();
    let answer = Command::Alerts(alerts::Command::Answer {
        alert: id,
        recipient: domain::RecipientId::of_key("ana"),
        answer: Answer::Coming,
        eta_min: None,
    });
    _ = nodes[1]
        .replica()
        .propose(proposal(fresh_request(), answer))
        .await
        .unwrap();
    nodes.restart(2).await;
    nodes.restart(3).await;
    all_members_with_one_history(&nodes).await;
    for node in nodes.ids() {
        let mut view = nodes[node].replica().read(Freshness::Local).await.unwrap();
        let called = called(&mut view, id, 0, 10).await.unwrap();
        assert_eq!(called.len(), 1);
        assert_eq!(called[0].answer, Some(Answer::Coming), "n{node}");
    }
}

/// A proposal whose fate is not known is not one that was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_do_not_wait_for_the_island() {
    let mut nodes = start(3).await;
    nodes.kill(2).await;
    nodes.kill(3).await;
    let asked = Instant::now();
    let report = Proposal {
        actor: Actor::Loop,
        ..proposal(
            fresh_request(),
            Command::Nodes(domain::nodes::Command::ReportChannels {
                node: NodeId(1),
                channels: vec![],
            }),
        )
    };
    match nodes[1].replica().propose(report).await {
        Err(ProposeError::Unknown | ProposeError::Refused(_)) => {}
        Ok(committed) => assert_eq!(committed.durability, Durability::Island),
        Err(ProposeError::Overloaded) => panic!("overloaded"),
    }
    assert!(
        asked.elapsed() < Duration::from_secs(20),
        "{:?}",
        asked.elapsed()
    );
}
