//! Transcripts of founding, joining and leaving.

use super::{
    Admit, Command as Nodes, Found, JournalRight, Left, Recover, SetAuthorities, authorities,
    channels, channels_of_the_gone, cluster, journal_right, levels, nodes, successions,
};
use crate::transcript::World;
use crate::{Command, NodeId, Outcome, Receipt, Refusal};

fn admit(token_hash: [u8; 32]) -> Command {
    let admit = Admit {
        token_hash,
        node_name: "gamma".to_owned(),
        pin: [3; 32],
        addresses: vec![],
    };
    Command::Nodes(Nodes::Admit(admit))
}

#[tokio::test]
async fn an_invitation_admits_one_node_within_its_time() {
    let mut world = World::new().await;
    let invite = |token_hash| {
        Command::Nodes(Nodes::IssueInvite {
            token_hash,
            expires_in_ms: 900_000,
        })
    };
    assert_eq!(
        world.run(admit([5; 32])).await,
        Outcome::Refused(Refusal::UnknownInvite)
    );
    world.run(invite([5; 32])).await;
    assert_eq!(
        world.run(admit([5; 32])).await,
        Outcome::Applied(Receipt::Node { id: NodeId(3) })
    );
    assert_eq!(
        world.run(admit([5; 32])).await,
        Outcome::Refused(Refusal::InviteUsed)
    );
    world.run(invite([6; 32])).await;
    world.pass(900);
    assert_eq!(
        world.run(admit([6; 32])).await,
        Outcome::Refused(Refusal::InviteExpired)
    );
}

#[tokio::test]
async fn a_removed_node_keeps_its_number_for_ever_and_gets_no_work() {
    let mut world = World::new().await;
    world
        .run(Command::Nodes(Nodes::Remove { node: NodeId(2) }))
        .await;
    assert!(
        channels(&mut world.conn)
            .await
            .unwrap()
            .iter()
            .all(|c| c.node != NodeId(2))
    );
    world
        .run(Command::Nodes(Nodes::IssueInvite {
            token_hash: [5; 32],
            expires_in_ms: 900_000,
        }))
        .await;
    assert_eq!(
        world.run(admit([5; 32])).await,
        Outcome::Applied(Receipt::Node { id: NodeId(3) })
    );
    assert_eq!(nodes(&mut world.conn).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_cluster_is_founded_once() {
    let mut world = World::new().await;
    let again = Found {
        cluster_id: [8; 16],
        organisation: "Other".to_owned(),
        node_name: "x".to_owned(),
        pin: [0; 32],
        addresses: vec![],
    };
    assert_eq!(
        world.run(Command::Nodes(Nodes::Found(again))).await,
        Outcome::Refused(Refusal::AlreadyFounded)
    );
}

#[tokio::test]
async fn channels_are_usable_only_while_up_on_a_reachable_node() {
    let mut world = World::new().await;
    let usable = |rows: Vec<super::ChannelRow>| rows.iter().filter(|c| c.usable).count();
    assert_eq!(usable(channels(&mut world.conn).await.unwrap()), 4);
    world
        .run(Command::Nodes(Nodes::SetReachable {
            node: NodeId(1),
            reachable: false,
        }))
        .await;
    assert_eq!(usable(channels(&mut world.conn).await.unwrap()), 2);
    world.channel(2, false).await;
    assert_eq!(usable(channels(&mut world.conn).await.unwrap()), 0);
}

#[tokio::test]
async fn the_feature_level_rises_only_once_every_member_knows_it() {
    let mut world = World::new().await;
    let report = |node, level| {
        Command::Nodes(Nodes::ReportLevel {
            node: NodeId(node),
            level,
        })
    };
    let raise = |level| Command::Nodes(Nodes::RaiseLevel { level });
    assert_eq!(levels(&mut world.conn).await.unwrap().next(), None);
    world.run(report(1, 3)).await;
    assert_eq!(world.run(raise(2)).await, Outcome::Unchanged);
    world.run(report(2, 2)).await;
    assert_eq!(levels(&mut world.conn).await.unwrap().next(), Some(2));
    assert_eq!(world.run(raise(3)).await, Outcome::Unchanged);
    assert_eq!(world.run(raise(2)).await, Outcome::Applied(Receipt::None));
    let after = levels(&mut world.conn).await.unwrap();
    assert_eq!((after.used, after.next()), (2, None));
    // It never falls, whatever a program says later.
    world.run(report(2, 1)).await;
    assert_eq!(world.run(raise(1)).await, Outcome::Unchanged);
    assert_eq!(levels(&mut world.conn).await.unwrap().used, 2);
}

#[tokio::test]
async fn authorities_are_replaced_as_a_whole() {
    let mut world = World::new().await;
    assert_eq!(authorities(&mut world.conn).await.unwrap(), []);
    let set = |certificates: &[u8], issuing| {
        Command::Nodes(Nodes::SetAuthorities(SetAuthorities {
            certificates: certificates.iter().map(|byte| vec![*byte]).collect(),
            issuing,
        }))
    };
    for (wrong, issuing) in [(&[][..], 0), (&[1, 2, 3], 0), (&[1, 2], 2)] {
        let refused = world.run(set(wrong, issuing)).await;
        assert!(
            matches!(refused, Outcome::Refused(Refusal::Invalid(_))),
            "{refused:?}"
        );
    }
    for (certificates, issuing) in [(&[1, 2][..], 0), (&[1, 2], 1), (&[2], 0)] {
        let applied = world.run(set(certificates, issuing)).await;
        assert_eq!(applied, Outcome::Applied(Receipt::None));
        assert_eq!(
            world.run(set(certificates, issuing)).await,
            Outcome::Unchanged
        );
        let rows = authorities(&mut world.conn).await.unwrap();
        let found: Vec<u8> = rows.iter().map(|row| row.certificate[0]).collect();
        assert_eq!(found, certificates);
        assert_eq!(
            rows.iter().position(|row| row.issuing),
            Some(issuing as usize)
        );
    }
}

fn recover(epoch: u32, node: u64) -> Command {
    Command::Nodes(Nodes::Recover(Recover {
        epoch,
        node: NodeId(node),
        node_name: "alpha".to_owned(),
        pin: [1; 32],
        addresses: vec![],
        statement: vec![7],
        outbox_paused: String::new(),
    }))
}

#[tokio::test]
async fn a_recovery_fences_everybody_and_goes_on_with_one_new_node() {
    let mut world = World::new().await;
    world
        .run(Command::Nodes(Nodes::IssueInvite {
            token_hash: [5; 32],
            expires_in_ms: 900_000,
        }))
        .await;
    let applied = Outcome::Applied(Receipt::Node { id: NodeId(3) });
    assert_eq!(world.run(recover(2, 3)).await, applied);
    assert_eq!(world.run(recover(2, 3)).await, Outcome::Unchanged);
    for stale in [recover(2, 4), recover(1, 4), recover(3, 2)] {
        assert_eq!(
            world.run(stale).await,
            Outcome::Refused(Refusal::StaleEpoch)
        );
    }
    let cluster = cluster(&mut world.conn).await.unwrap().unwrap();
    assert_eq!((cluster.epoch, cluster.next_node), (2, NodeId(4)));
    let rows: Vec<_> = nodes(&mut world.conn).await.unwrap();
    let left: Vec<_> = rows.iter().map(|row| (row.epoch, row.left)).collect();
    assert_eq!(
        left,
        [(1, Some(Left::Fenced)), (1, Some(Left::Fenced)), (2, None)]
    );
    assert!(channels(&mut world.conn).await.unwrap().is_empty());
    assert_eq!(
        channels_of_the_gone(&mut world.conn).await.unwrap().len(),
        4
    );
    assert_eq!(successions(&mut world.conn, 1).await.unwrap(), [vec![7]]);
    assert!(successions(&mut world.conn, 2).await.unwrap().is_empty());
    // An invitation of the old epoch opens nothing.
    assert_eq!(
        world.run(admit([5; 32])).await,
        Outcome::Refused(Refusal::InviteExpired)
    );
}

#[tokio::test]
async fn who_left_in_order_may_hand_in_its_journal_for_a_month_and_the_evicted_never() {
    let mut world = World::new().await;
    let right = async |world: &mut World, node| {
        journal_right(&mut world.conn, NodeId(node), world.now)
            .await
            .unwrap()
    };
    assert_eq!(right(&mut world, 2).await, JournalRight::Granted);
    assert_eq!(right(&mut world, 9).await, JournalRight::Unknown);
    world
        .run(Command::Nodes(Nodes::Remove { node: NodeId(2) }))
        .await;
    assert_eq!(right(&mut world, 2).await, JournalRight::Granted);
    world.pass(31 * 24 * 3_600);
    assert_eq!(right(&mut world, 2).await, JournalRight::TooLate);
    let evict = |node| Command::Nodes(Nodes::Evict { node: NodeId(node) });
    for expected in [Outcome::Applied(Receipt::None), Outcome::Unchanged] {
        assert_eq!(world.run(evict(2)).await, expected, "also after removal");
    }
    assert_eq!(right(&mut world, 2).await, JournalRight::Evicted);
    assert_eq!(
        world.run(evict(9)).await,
        Outcome::Refused(Refusal::UnknownNode)
    );
}

#[tokio::test]
async fn an_evicted_key_never_comes_back() {
    let mut world = World::new().await;
    world
        .run(Command::Nodes(Nodes::Evict { node: NodeId(2) }))
        .await;
    world
        .run(Command::Nodes(Nodes::IssueInvite {
            token_hash: [5; 32],
            expires_in_ms: 900_000,
        }))
        .await;
    let admit = Command::Nodes(Nodes::Admit(Admit {
        token_hash: [5; 32],
        node_name: "beta".to_owned(),
        pin: [2; 32],
        addresses: vec![],
    }));
    assert_eq!(
        world.run(admit).await,
        Outcome::Refused(Refusal::EvictedKey)
    );
}

fn offset(offset_ms: i64, explained: bool) -> Command {
    Command::Nodes(Nodes::SetCivilOffset(super::SetCivilOffset {
        offset_ms,
        since: None,
        agreeing: 2,
        members: 2,
        spread_ms: 10,
        explained,
    }))
}

#[tokio::test]
async fn a_loop_moves_civil_time_by_minutes_and_an_operator_by_anything() {
    let mut world = World::new().await;
    let first = world.now;
    assert_eq!(
        world.run(offset(300_000, false)).await,
        Outcome::Applied(Receipt::None)
    );
    assert!(matches!(
        world.run(offset(900_000, false)).await,
        Outcome::Refused(Refusal::Invalid(_))
    ));
    world.pass(60);
    let later = world.now;
    world.ask(offset(3_600_000, true)).await;
    let civil = super::civil(&mut world.conn).await.unwrap();
    assert_eq!(civil.at(first).0, first.0 + 300_000);
    assert_eq!(civil.at(later).0, later.0 + 3_600_000);
    let row = super::civil_row(&mut world.conn).await.unwrap().unwrap();
    assert_eq!((row.offset_ms, row.set_at), (3_600_000, later));
}

#[tokio::test]
async fn replicas_are_compared_at_the_same_place_only() {
    let mut world = World::new().await;
    let report = |node, index, byte| {
        Command::Nodes(Nodes::ReportDigest(super::DigestReport {
            node: NodeId(node),
            index,
            schema: 2,
            digest: [byte; 32],
        }))
    };
    world.run(Command::Nodes(Nodes::TakeDigest)).await;
    let agenda = crate::agenda::agenda(&mut world.conn).await.unwrap();
    assert!(agenda.digested_at.is_some());
    world.run(report(1, 9, 1)).await;
    world.run(report(2, 8, 2)).await;
    let standing = async |world: &mut World| {
        let rows = super::digests(&mut world.conn).await.unwrap();
        rows.into_iter()
            .map(|row| row.standing.name())
            .collect::<Vec<_>>()
    };
    assert_eq!(standing(&mut world).await, ["alone", "alone"]);
    world.run(report(2, 9, 2)).await;
    assert_eq!(standing(&mut world).await, ["disputed", "disputed"]);
    assert_eq!(world.run(report(2, 8, 1)).await, Outcome::Unchanged);
    world.run(report(2, 10, 1)).await;
    world.run(report(1, 10, 1)).await;
    assert_eq!(standing(&mut world).await, ["same", "same"]);
}
