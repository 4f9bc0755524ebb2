//! Transcripts of the audit.

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sqlx::SqliteConnection;

use super::*;
use crate::agenda::agenda;
use crate::alerts::{self, Severity};
use crate::envelope::Actor;
use crate::islands::{self, Fact, Fork};
use crate::transcript::{START, World};
use crate::watch::Trouble;
use crate::{Command as AnyCommand, NodeId, Outcome, Receipt, access, apply_batch, nodes, watch};

/// What a node signs with, and its checkpoint of `seq` and `head`.
struct TestSigner(Ed25519KeyPair);

impl TestSigner {
    fn new(node: u64) -> Self {
        let seed = [u8::try_from(node).unwrap(); 32];
        Self(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap())
    }

    fn key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

fn seal(node: u64, epoch: u32, (seq, head): (u64, [u8; 32])) -> AnyCommand {
    let mut checkpoint = Checkpoint {
        cluster: hex(&[7; 16]),
        epoch,
        head: hex(&head),
        node: format!("n{node}"),
        seq,
        signature: String::new(),
    };
    let signature = TestSigner::new(node).sign(&checkpoint.message());
    checkpoint.signature = hex(&signature);
    AnyCommand::Audit(Command::Seal(Seal {
        node: NodeId(node),
        epoch,
        seq,
        head,
        signature,
    }))
}

fn set_key(node: u64) -> AnyCommand {
    AnyCommand::Audit(Command::SetKey {
        node: NodeId(node),
        key: TestSigner::new(node).key(),
    })
}

/// Everything written so far, as short lines.
async fn told(world: &mut World) -> Vec<String> {
    let all = lines(&mut world.conn, 0, 1_000).await.unwrap();
    all.into_iter()
        .map(|line| line.entry)
        .map(|e| {
            format!(
                "{} {} {} {} {}",
                e.node, e.actor, e.action, e.object, e.outcome
            )
        })
        .collect()
}

async fn export(conn: &mut SqliteConnection) -> (String, Vec<Checkpoint>, Keys) {
    let mut text = String::new();
    for line in lines(conn, 0, 10_000).await.unwrap() {
        text.push_str(&serde_json::to_string(&line).unwrap());
        text.push('\n');
    }
    (
        text,
        checkpoints(conn).await.unwrap(),
        keys(conn).await.unwrap(),
    )
}

async fn check(conn: &mut SqliteConnection) -> Verdict {
    let (text, checkpoints, keys) = export(conn).await;
    verify(&text, &checkpoints, &keys)
}

fn revoke(id: &str) -> AnyCommand {
    let id = id.to_owned();
    AnyCommand::Access(access::Command::RevokeKey { id })
}

#[tokio::test]
async fn what_people_ask_for_is_told_with_its_outcome_and_machinery_is_not() {
    let mut world = World::new().await;
    let before = told(&mut world).await;
    assert_eq!(
        before[..3],
        [
            "n1 loop cluster.found cluster applied",
            "n1 loop node.invite invite:0909090909090909 applied",
            "n1 loop node.admit node:n2 applied",
        ]
    );
    let alert = world.raise(Severity::High, 60, &[&["ana"]]).await;
    world.ask(revoke("none")).await;
    let note = "seen".to_owned();
    let acknowledge = alerts::Command::Acknowledge { alert, note };
    let by = Actor::ApiKey {
        id: "k1".to_owned(),
    };
    let acknowledge = AnyCommand::Alerts(acknowledge);
    world.run_as(by.clone(), None, acknowledge.clone()).await;
    world.run_as(by, None, acknowledge).await;
    let after = told(&mut world).await;
    assert_eq!(
        after[before.len()..],
        [
            format!("n1 operator:n1 alert.raise alert:{alert} applied"),
            "n1 operator:n1 key.revoke key:none refused".to_owned(),
            format!("n1 key:k1 alert.acknowledge alert:{alert} applied"),
            format!("n1 key:k1 alert.acknowledge alert:{alert} unchanged"),
        ]
    );
    let all = lines(&mut world.conn, before.len() as u64, 10)
        .await
        .unwrap();
    let details: Vec<_> = all
        .iter()
        .map(|line| line.details.clone().unwrap_or_default())
        .collect();
    assert!(
        details[0].contains(r#""number":1"#) && details[0].contains(r#""people":1"#),
        "{details:?}"
    );
    assert_eq!(details[1], r#"{"why":"there is no such API key"}"#);
    assert_eq!(details[2], r#"{"note":"seen"}"#);
    assert!(check(&mut world.conn).await.holds());
}

#[tokio::test]
async fn a_repeat_is_told_once_and_another_matter_under_its_id_as_a_conflict() {
    let mut world = World::new().await;
    let before = told(&mut world).await.len();
    let by = || Actor::Operator { node: NodeId(1) };
    let request = crate::RequestId([9; 16]);
    let run = async |world: &mut World, body: [u8; 32]| {
        let entry = world.entry(request, body, by(), None, revoke("x"));
        apply_batch(&mut world.conn, &[entry]).await.unwrap();
    };
    run(&mut world, [0; 32]).await;
    run(&mut world, [0; 32]).await;
    run(&mut world, [1; 32]).await;
    let after = told(&mut world).await;
    assert_eq!(
        after[before..],
        [
            "n1 operator:n1 key.revoke key:x refused",
            "n1 operator:n1 key.revoke key:x conflict"
        ]
    );
}

#[tokio::test]
async fn raises_applied_together_are_told_as_those_applied_one_by_one() {
    let (mut singly, mut together) = (World::new().await, World::new().await);
    let raises = |world: &mut World| -> Vec<_> {
        (0..5_u8)
            .map(|nth| {
                let raise = crate::transcript::raise(Severity::High, 60, &[&["ana"]]);
                let command = AnyCommand::Alerts(alerts::Command::Raise(Box::new(raise)));
                let by = Actor::Operator { node: NodeId(1) };
                world.entry(crate::RequestId([nth + 40; 16]), [0; 32], by, None, command)
            })
            .collect()
    };
    for entry in raises(&mut singly) {
        apply_batch(&mut singly.conn, &[entry]).await.unwrap();
    }
    let all = raises(&mut together);
    apply_batch(&mut together.conn, &all).await.unwrap();
    let (one, other) = (
        export(&mut singly.conn).await.0,
        export(&mut together.conn).await.0,
    );
    assert_eq!(one, other);
    assert!(one.matches("alert.raise").count() == 5);
}

#[tokio::test]
async fn erased_details_are_gone_and_the_chain_holds() {
    let mut world = World::new().await;
    let people = lines(&mut world.conn, 0, 100).await.unwrap();
    let line = people
        .iter()
        .find(|l| l.entry.action == "person.put")
        .unwrap();
    assert!(line.details.as_ref().unwrap().contains("ana"));
    let seq = line.entry.seq;
    let erase = |reason: &str| {
        let reason = reason.to_owned();
        AnyCommand::Audit(Command::Erase { seq, reason })
    };
    assert!(matches!(world.ask(erase(" ")).await, Outcome::Refused(_)));
    assert_eq!(
        world.ask(erase("asked for")).await,
        Outcome::Applied(Receipt::None)
    );
    let again = lines(&mut world.conn, seq - 1, 1).await.unwrap();
    assert_eq!((&again[0].details, &again[0].salt), (&None, &None));
    let verdict = check(&mut world.conn).await;
    assert!(verdict.holds() && verdict.erased == 1, "{verdict:?}");
    assert_eq!(
        told(&mut world).await.last().unwrap(),
        &format!("n1 operator:n1 audit.erase entry:{seq} applied")
    );
}

#[tokio::test]
async fn a_majority_seals_and_a_node_with_another_history_is_found_and_told() {
    let mut world = World::new().await;
    for node in [1, 2] {
        assert_eq!(
            world.run(set_key(node)).await,
            Outcome::Applied(Receipt::None)
        );
    }
    let foreign = AnyCommand::Audit(Command::SetKey {
        node: NodeId(1),
        key: [3; 32],
    });
    assert!(matches!(world.run(foreign).await, Outcome::Refused(_)));
    let due = agenda(&mut world.conn).await.unwrap().audit;
    assert!(due.by(world.now), "{due:?}");
    world.run(AnyCommand::Audit(Command::Mark)).await;
    let due = agenda(&mut world.conn).await.unwrap().audit;
    assert_eq!(due.next, None, "everything is marked");
    let owed = owed(&mut world.conn, NodeId(2), &TestSigner::new(2).key())
        .await
        .unwrap()
        .unwrap();
    let reached = walk(&mut world.conn, (0, GENESIS), owed.seq, 3)
        .await
        .unwrap();
    assert_eq!(reached.0, 3);
    let place = walk(&mut world.conn, reached, owed.seq, 1_000)
        .await
        .unwrap();
    world.run(seal(1, 1, place)).await;
    assert_eq!(sealing(&mut world.conn).await.unwrap().sealed, 0);
    // Signed by another: refused, and told.
    let AnyCommand::Audit(Command::Seal(mut forged)) = seal(1, 1, place) else {
        unreachable!()
    };
    forged.node = NodeId(2);
    let refused = world.run(AnyCommand::Audit(Command::Seal(forged))).await;
    assert!(matches!(refused, Outcome::Refused(_)));
    assert_eq!(
        told(&mut world).await.last().unwrap(),
        "n1 loop audit.checkpoint node:n2 refused"
    );
    world.run(seal(2, 1, (place.0, [9; 32]))).await;
    let troubles = watch::look(&mut world.conn, world.now).await.unwrap();
    assert!(troubles.contains(&Trouble::AuditsDiffer), "{troubles:?}");
    assert!(!check(&mut world.conn).await.holds());
    world.run(AnyCommand::Audit(Command::Mark)).await;
    let end = walk(&mut world.conn, place, u64::MAX, 1_000).await.unwrap();
    for node in [1, 2] {
        world.run(seal(node, 1, end)).await;
    }
    let standing = sealing(&mut world.conn).await.unwrap();
    assert_eq!((standing.sealed, standing.unsealed()), (end.0, 0));
    assert!(check(&mut world.conn).await.holds());
}

#[tokio::test]
async fn one_of_three_that_signs_another_history_is_named() {
    let signed = |heads: [u8; 3]| {
        let rows: Vec<_> = (1..)
            .zip(heads)
            .map(|(node, head)| (NodeId(node), 1, 9, [head; 32]))
            .collect();
        rules::compare(&rows, 3)
            .into_iter()
            .map(|(_, state)| state)
            .collect::<Vec<_>>()
    };
    use SealState::{Agrees, Differs, Disputed};
    assert_eq!(signed([1, 1, 1]), [Agrees; 3]);
    assert_eq!(signed([1, 2, 1]), [Agrees, Differs, Agrees]);
    assert_eq!(signed([1, 2, 3]), [Disputed; 3]);
}

#[tokio::test]
async fn a_byte_flipped_in_one_nodes_rows_is_named_by_verify_and_by_what_it_signs() {
    let mut world = World::new().await;
    let last = sealing(&mut world.conn).await.unwrap().last;
    let sound = walk(&mut world.conn, (0, GENESIS), last, 1_000)
        .await
        .unwrap();
    sqlx::query("update audit set actor = 'loop2' where seq = 2")
        .execute(&mut world.conn)
        .await
        .unwrap();
    let verdict = check(&mut world.conn).await;
    assert_eq!(verdict.flaws[0].seq, 2);
    assert_ne!(
        walk(&mut world.conn, (0, GENESIS), last, 1_000)
            .await
            .unwrap(),
        sound
    );
}

#[tokio::test]
async fn what_an_island_did_comes_home_once_under_its_name() {
    let (mut cluster, mut island) = (World::new().await, World::new().await);
    let fork = Fork {
        node: NodeId(2),
        site: "beta".to_owned(),
        entered_at: island.now,
        base: 1,
    };
    islands::enter(&mut island.conn, &fork).await.unwrap();
    let raise = crate::transcript::raise(Severity::High, 60, &[&["ana"]]);
    let command = AnyCommand::Alerts(alerts::Command::Raise(Box::new(raise)));
    let by = Actor::Operator { node: NodeId(2) };
    let entry = island.entry(crate::RequestId([77; 16]), [0; 32], by, None, command);
    let (_, facts) = islands::apply_on_island(&mut island.conn, &entry)
        .await
        .unwrap();
    assert_eq!(
        facts
            .iter()
            .filter(|fact| matches!(fact, Fact::Audit(_)))
            .count(),
        1
    );
    let before = told(&mut cluster).await.len();
    for _ in 0..2 {
        let merge = islands::Command::Merge {
            origin: NodeId(2),
            facts: facts.clone(),
        };
        cluster.run(AnyCommand::Islands(merge)).await;
    }
    let after = told(&mut cluster).await;
    let home: Vec<_> = after[before..]
        .iter()
        .map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        home,
        ["n1 loop island.merge", "island:n2 operator:n2 alert.raise"]
    );
    assert!(check(&mut cluster.conn).await.holds());
    // The island's own copy goes on from the cluster's chain, and holds as well.
    assert!(check(&mut island.conn).await.holds());
}

#[tokio::test]
async fn a_recovery_begins_its_epoch_with_its_own_entry() {
    let mut world = World::new().await;
    let recover = nodes::Recover {
        epoch: 2,
        node: NodeId(3),
        node_name: "gamma".to_owned(),
        pin: [3; 32],
        addresses: vec![],
        statement: vec![],
        outbox_paused: String::new(),
    };
    world
        .run(AnyCommand::Nodes(nodes::Command::Recover(recover)))
        .await;
    world.ask(revoke("x")).await;
    let all = lines(&mut world.conn, 0, 1_000).await.unwrap();
    let ends: Vec<_> = all
        .iter()
        .rev()
        .take(3)
        .map(|l| (l.entry.epoch, l.entry.action.as_str()))
        .collect();
    assert_eq!(ends[..2], [(2, "key.revoke"), (2, "cluster.recover")]);
    assert_eq!(ends[2].0, 1);
    assert!(check(&mut world.conn).await.holds());
}

#[tokio::test]
async fn what_nodes_note_is_told_one_by_one_and_too_much_is_refused() {
    let mut world = World::new().await;
    let event = |actor: &str| Event {
        at: START,
        actor: actor.to_owned(),
        assurance: Assurance::Key.name().to_owned(),
        what: What::Denied,
        object: "GET /v1/keys".to_owned(),
        count: 12,
        details: vec![],
    };
    let note = |events: Vec<Event>| {
        AnyCommand::Audit(Command::Note {
            node: NodeId(1),
            events,
        })
    };
    let before = told(&mut world).await.len();
    world.run(note(vec![event("key:a"), event("key:b")])).await;
    let much = note(vec![event(&"x".repeat(201))]);
    assert!(matches!(world.run(much).await, Outcome::Refused(_)));
    assert_eq!(
        told(&mut world).await[before..],
        [
            "n1 key:a access.denied GET /v1/keys denied",
            "n1 key:b access.denied GET /v1/keys denied",
            "n1 loop audit.note node:n1 refused",
        ]
    );
}

/// The bytes that are hashed are a promise to every program that verifies: this one never changes.
#[test]
fn the_canonical_form_and_its_hash_stay() {
    let record = Record {
        action: "alert.raise".to_owned(),
        actor: "operator:n1".to_owned(),
        assurance: "local".to_owned(),
        details_commit: hex(&commitment(b"salt", "{\"text\":\"Tulipalo \u{1f525}\"}")),
        epoch: 1,
        node: "n1".to_owned(),
        object: "alert:\"\\\n\u{7f}ä".to_owned(),
        outcome: "applied".to_owned(),
        prev: hex(&GENESIS),
        req_id: "00".repeat(16),
        seq: 1,
        ts: 1_795_230_000_000,
    };
    expect_test::expect![[r#"
        {"action":"alert.raise","actor":"operator:n1","assurance":"local","details_commit":"7c546716bb8efc0141ff01b6348a65ca2cd27b273e905ad7ca0063df26c4f7ce","epoch":1,"node":"n1","object":"alert:\"\\\nä","outcome":"applied","prev":"0000000000000000000000000000000000000000000000000000000000000000","req_id":"00000000000000000000000000000000","seq":1,"ts":1795230000000}
        cc9e2bbefa0d36c717614e1d0bf07b8623547b88f0f5ba8f256f71beb2b51aa3"#]].assert_eq(&format!(
        "{}\n{}",
        serde_json::to_string(&record).unwrap(),
        hex(&record.hash())
    ));
}
