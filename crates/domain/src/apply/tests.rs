//! Promises of apply itself: once per request, no poison, cluster time that never goes back, few statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span;

use super::*;
use crate::alerts::{Command as Alerts, Severity};
use crate::deliveries::{Assignment, AttemptRef, Command as Deliveries};
use crate::nodes::{ChannelReport, Command as Nodes};
use crate::transcript::{World, raise};
use crate::{AlertId, DeliveryId, NodeId, Receipt, RequestId};

fn raise_one() -> Command {
    Command::Alerts(Alerts::Raise(Box::new(raise(
        Severity::High,
        0,
        &[&["ana"]],
    ))))
}

#[tokio::test]
async fn a_repeated_request_applies_once_and_another_body_is_a_conflict() {
    let mut world = World::new().await;
    let operator = Actor::Operator { node: NodeId(1) };
    let mut outcomes = Vec::new();
    for body in [[1; 32], [1; 32], [2; 32]] {
        let entry = world.entry(
            RequestId([8; 16]),
            body,
            operator.clone(),
            None,
            raise_one(),
        );
        outcomes.extend(apply_batch(&mut world.conn, &[entry]).await.unwrap());
    }
    let first = Outcome::Applied(Receipt::Alert {
        id: AlertId::derive(&[&[8; 16]]),
        number: 1,
    });
    assert_eq!(outcomes, [first.clone(), first, Outcome::Conflict]);
}

#[tokio::test]
async fn cluster_time_never_goes_back() {
    let mut world = World::new().await;
    world.pass(60);
    world.ask(raise_one()).await;
    let high = stamp_of_last(&mut world.conn).await.unwrap();
    world.pass(-3_600);
    let Outcome::Applied(Receipt::Alert { id, .. }) = world.ask(raise_one()).await else {
        panic!("not raised")
    };
    assert_eq!(stamp_of_last(&mut world.conn).await.unwrap(), high);
    assert_eq!(
        alerts::find(&mut world.conn, id)
            .await
            .unwrap()
            .unwrap()
            .raised_at,
        high
    );
}

/// Tries to poison the log with every field that has no natural bound.
#[tokio::test]
async fn no_command_stops_the_log() {
    let mut world = World::new().await;
    let hostile = "\u{0}'; drop table alert; --\u{202e}\u{1f525}\u{1a}".repeat(400);
    let mut endless = raise(Severity::Critical, 0, &[&["ana"], &["bela"]]);
    endless.steps[1].delay_ms = u64::MAX;
    endless.repeat_every_ms = u64::MAX;
    endless.repeats = u16::MAX;
    endless.needed = u16::MAX;
    endless.texts = vec![(hostile.clone(), "x".to_owned())];
    let mut steady = raise(Severity::Low, 0, &[&["ana"]]);
    steady.repeat_every_ms = u64::MAX;
    steady.texts = vec![(hostile.clone(), "x".to_owned())];
    steady.dedup_key = Some(hostile.clone());
    steady.source.clone_from(&hostile);
    steady.aware_at = Some(Timestamp(i64::MIN));
    let channel = ChannelReport {
        name: hostile.clone(),
        kind: hostile.clone(),
        up: true,
        reason: hostile.clone(),
        operator: hostile.clone(),
        number: hostile.clone(),
        signal_dbm: Some(i16::MIN),
        rate_per_min: u32::MAX,
    };
    let nobody = AttemptRef {
        delivery: DeliveryId([0; 16]),
        attempt: u32::MAX,
    };
    let commands = vec![
        Command::Alerts(Alerts::Raise(Box::new(endless))),
        Command::Alerts(Alerts::Raise(Box::new(steady))),
        Command::Alerts(Alerts::Join {
            alert: AlertId([1; 16]),
            into: AlertId([1; 16]),
        }),
        Command::Nodes(Nodes::ReportChannels {
            node: NodeId(1),
            channels: vec![channel.clone(), channel],
        }),
        Command::Nodes(Nodes::Remove {
            node: NodeId(u64::MAX),
        }),
        Command::Nodes(Nodes::SetReachable {
            node: NodeId(u64::MAX),
            reachable: true,
        }),
        Command::Nodes(Nodes::IssueInvite {
            token_hash: [0; 32],
            expires_in_ms: u64::MAX,
        }),
        Command::Deliveries(Deliveries::Assign {
            assignments: vec![
                Assignment {
                    attempt: nobody,
                    node: NodeId(u64::MAX),
                    channel: hostile.clone()
                };
                3
            ],
        }),
        Command::Deliveries(Deliveries::Reclaim {
            attempts: vec![nobody; 3],
        }),
        Command::Deliveries(Deliveries::Resend {
            deliveries: vec![DeliveryId([0; 16]); 3],
        }),
        Command::Requests(requests::Command::Prune {
            before: Timestamp(i64::MIN),
        }),
        Command::Escalation(escalation::Command::ExpandPage {
            alert: AlertId([0; 16]),
            page: u32::MAX,
        }),
        Command::Inbound(inbound::Command::Receive(inbound::Receive {
            key: [0; 16],
            node: NodeId(u64::MAX),
            channel: hostile.clone(),
            from: hostile.clone(),
            text: hostile,
            sent_at_ms: Some(i64::MIN),
            wall_ms: i64::MAX,
            whole: true,
            damaged: true,
            call: false,
        })),
    ];
    for command in commands {
        let shown = format!("{command:.80?}");
        let operator = Actor::Operator { node: NodeId(1) };
        let outcome = world.run_as(operator, None, command).await;
        assert!(
            !matches!(outcome, Outcome::Defect(_)),
            "{shown}: {outcome:?}"
        );
        world.act().await;
    }
    assert!(
        matches!(world.ask(raise_one()).await, Outcome::Applied(_)),
        "life goes on"
    );
}

#[tokio::test]
async fn an_entry_that_cannot_be_applied_becomes_a_defect_and_its_neighbours_apply() {
    let mut world = World::new().await;
    // A table that refuses every row stands for a defect nobody foresaw.
    sqlx::raw_sql("create trigger t before insert on api_key begin select raise(abort, 'no'); end")
        .execute(&mut world.conn)
        .await
        .unwrap();
    let key = access::CreateKey {
        id: "k".to_owned(),
        name: "k".to_owned(),
        secret_hash: [0; 32],
        scopes: vec![],
        expires_at: None,
    };
    let operator = Actor::Operator { node: NodeId(1) };
    let entries = [
        world.entry(
            RequestId([1; 16]),
            [0; 32],
            operator.clone(),
            None,
            raise_one(),
        ),
        world.entry(
            RequestId([2; 16]),
            [0; 32],
            operator.clone(),
            None,
            Command::Access(access::Command::CreateKey(key)),
        ),
        world.entry(RequestId([3; 16]), [0; 32], operator, None, raise_one()),
    ];
    let outcomes = apply_batch(&mut world.conn, &entries).await.unwrap();
    assert!(
        matches!(
            outcomes[0],
            Outcome::Applied(Receipt::Alert { number: 1, .. })
        ),
        "{outcomes:?}"
    );
    assert!(matches!(outcomes[1], Outcome::Defect(_)), "{outcomes:?}");
    assert!(
        matches!(
            outcomes[2],
            Outcome::Applied(Receipt::Alert { number: 2, .. })
        ),
        "{outcomes:?}"
    );
    let alarms = defects(&mut world.conn).await.unwrap();
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0].0, entries[1].index);
}

/// A burst as it stands in a log: plain raises, a source that fires twice, a request seen before, one used with another
/// body, one that is refused, one of two steps, and clocks that disagree.
fn burst(world: &mut World) -> Vec<LogEntry> {
    let operator = Actor::Operator { node: NodeId(1) };
    let mut entries = Vec::new();
    for n in 0..75_u8 {
        world.pass(if n % 4 == 3 { -2 } else { 1 });
        let mut new = raise(Severity::High, 0, &[&["ana"]]);
        let mut request = n;
        let mut body = 0;
        match n {
            5 => new.texts.clear(),
            9 | 10 => new.dedup_key = Some("pump".to_owned()),
            20 => request = 19,
            41 => (request, body) = (40, 1),
            50 => new = raise(Severity::Critical, 0, &[&["ana"], &["bela", "carl"]]),
            _ => {}
        }
        entries.push(world.entry(
            RequestId([request; 16]),
            [body; 32],
            operator.clone(),
            None,
            Command::Alerts(Alerts::Raise(Box::new(new))),
        ));
    }
    entries
}

/// Every row the raises made, as text.
async fn rows_of(world: &mut World) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [
        "alert",
        "escalation",
        "escalation_page",
        "message",
        "request",
        "stamp",
    ] {
        let columns: Vec<String> =
            sqlx::query_scalar("select name from pragma_table_info(?) order by cid")
                .bind(table)
                .fetch_all(&mut world.conn)
                .await
                .unwrap();
        let quoted: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
        let sql = format!(
            "select {} from {table} order by 1",
            quoted.join(" || ' ' || ")
        );
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut world.conn)
            .await
            .unwrap();
        rows.extend(found.into_iter().map(|row| format!("{table} {row}")));
    }
    rows
}

#[tokio::test]
async fn raises_applied_together_leave_what_raises_one_by_one_leave() {
    let (mut together, mut singly) = (World::new().await, World::new().await);
    let entries = burst(&mut together);
    let at_once = apply_batch(&mut together.conn, &entries).await.unwrap();
    let mut in_turn = Vec::new();
    for entry in &entries {
        let entry = std::slice::from_ref(entry);
        in_turn.extend(apply_batch(&mut singly.conn, entry).await.unwrap());
    }
    assert_eq!(at_once, in_turn);
    let applied = |o: &&Outcome| matches!(o, Outcome::Applied(_));
    assert_eq!(at_once.iter().filter(applied).count(), 73);
    assert_eq!(rows_of(&mut together).await, rows_of(&mut singly).await);
}

/// Counts the statements sqlx runs.
struct Statements(Arc<AtomicUsize>);

impl tracing::Subscriber for Statements {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(flavor = "current_thread")]
async fn a_raise_for_one_person_applies_in_six_statements() {
    let mut world = World::new().await;
    let entries: Vec<_> = (1..=2_u8)
        .map(|n| {
            let operator = Actor::Operator { node: NodeId(1) };
            world.entry(RequestId([n; 16]), [0; 32], operator, None, raise_one())
        })
        .collect();
    let count = Arc::new(AtomicUsize::new(0));
    // Global, because sqlx runs and reports statements on a thread of its own; nextest gives each test a process.
    tracing::subscriber::set_global_default(Statements(Arc::clone(&count))).unwrap();
    apply_batch(&mut world.conn, &entries[..1]).await.unwrap();
    let one = count.swap(0, Ordering::Relaxed);
    assert!(one > 0, "the counter sees statements");
    apply_batch(&mut world.conn, &entries[1..]).await.unwrap();
    // Two more belong to the batch, however many entries it has.
    assert!(one <= 6 + 2, "{one} statements");
}

#[tokio::test(flavor = "current_thread")]
async fn thirty_two_raises_take_no_more_hand_overs_than_one() {
    let mut world = World::new().await;
    let operator = Actor::Operator { node: NodeId(1) };
    let mut entries: Vec<_> = (1..=33_u8)
        .map(|n| {
            world.entry(
                RequestId([n; 16]),
                [0; 32],
                operator.clone(),
                None,
                raise_one(),
            )
        })
        .collect();
    let count = Arc::new(AtomicUsize::new(0));
    // Global, because sqlx runs and reports statements on a thread of its own; nextest gives each test a process.
    tracing::subscriber::set_global_default(Statements(Arc::clone(&count))).unwrap();
    apply_batch(&mut world.conn, &entries.split_off(32))
        .await
        .unwrap();
    let one = count.swap(0, Ordering::Relaxed);
    apply_batch(&mut world.conn, &entries).await.unwrap();
    let many = count.load(Ordering::Relaxed);
    assert!(one > 0 && many == one, "{one} for one, {many} for 32");
}
