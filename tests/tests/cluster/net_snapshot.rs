//! A snapshot over a link that breaks: it goes on where it stopped.

use std::time::Duration;

use cluster::Tuning;
use domain::ports::{Freshness, Proposal, Replica as _};
use domain::recipients::{self, ContactMethod, Details, Person};
use domain::{Command, NodeId};
use tests::cluster::{Nodes, add_person, eventually, fresh_request, knows};
use tests::relay::{Passes, Relay};

const BOTH: Passes = Passes {
    udp: true,
    tcp: true,
};

/// Many people in one command: about 400 kB of state.
fn crowd(batch: u32) -> Proposal {
    let person = |i: u32| Person {
        key: format!("crowd-{batch}-{i}"),
        name: format!(
            "{batch} {i} {}",
            "of the very long name ".repeat(4).trim_end()
        ),
        language: "en".to_owned(),
        methods: vec![ContactMethod::Email(format!(
            "crowd-{batch}-{i}@example.org"
        ))],
        details: Details::default(),
    };
    Proposal {
        command: Command::Recipients(recipients::Command::PutPeople {
            people: (0..1_000).map(person).collect(),
        }),
        ..add_person(fresh_request(), "crowd")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_goes_on_where_the_link_broke() {
    let tuning = Tuning {
        log_kept: 1,
        ..Tuning::default()
    };
    let mut nodes = Nodes::with_tuning(1, tuning).await;
    let (founder_dir, founder) = nodes.place_of(1);
    let to_founder = Relay::start(founder, 11, BOTH).await;
    nodes.advertise.insert(1, vec![to_founder.address()]);
    nodes.stop(1).await;
    nodes.restart(1).await;
    eventually("the founder is known at its relay", || async {
        let status = nodes[1].status().await;
        (status.members.first()?.addresses == [to_founder.address()]).then_some(())
    })
    .await;
    for batch in 0..12 {
        nodes[1].replica().propose(crowd(batch)).await.unwrap();
    }
    // Entries enough for a purge, so that the learner needs the snapshot.
    let few = |i: u32| {
        let replica = nodes[1].replica();
        async move {
            let person = add_person(fresh_request(), &format!("few-{i}"));
            replica.propose(person).await.unwrap();
        }
    };
    futures_util::future::join_all((0..600).map(few)).await;
    nodes[1].snapshot().await.unwrap();
    eventually("the log is purged", || async {
        nodes[1].status().await.snapshot
    })
    .await;
    let length = std::fs::read_dir(founder_dir.join("snapshots"))
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .max()
        .unwrap();
    assert!(length > 2_000_000, "only {length} bytes");

    let (dir, listen) = nodes.place();
    let to_learner = Relay::start(listen, 12, BOTH).await;
    // Two thirds of it arrive, by whichever way; then both are cut.
    for link in [&to_learner, &to_founder] {
        link.cut_after(length * 2 / 3);
    }
    let token = nodes[1].invite().await.unwrap().token;
    let before = to_founder.returned();
    let joined = nodes
        .join_at(&token, dir, listen, vec![to_learner.address()])
        .await
        .unwrap();
    let learner = joined.node.0;
    eventually("the link breaks", || async {
        (to_learner.is_cut() || to_founder.is_cut()).then_some(())
    })
    .await;
    to_learner.cut();
    to_founder.cut();
    eventually("both notice", || async {
        let up = |id: u64| nodes[id].paths().iter().any(|path| path.carrier.is_some());
        (!up(1) && !up(learner)).then_some(())
    })
    .await;
    let partial = std::fs::read_dir(nodes.place_of(learner).0.join("snapshots/incoming"))
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .max()
        .unwrap_or_default();
    assert!(
        partial > length / 3,
        "only {partial} of {length} bytes were kept"
    );

    to_founder.heal();
    to_learner.heal();
    eventually("the learner has the state", || async {
        knows(&nodes[learner], Freshness::Local, "crowd-11-999")
            .await
            .then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    // What came to the learner by either way: the snapshot once, and less than a third of it in other traffic and in
    // packets that were under way when the link broke.
    let sent = to_learner.forwarded() + to_founder.returned() - before;
    assert!(
        sent < length * 4 / 3,
        "{sent} bytes were sent for a snapshot of {length}"
    );
    nodes[1].promote(NodeId(learner)).await.unwrap();
}
