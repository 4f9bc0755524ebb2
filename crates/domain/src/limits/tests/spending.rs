//! What budgets let leave, and what is counted.

use proptest::prelude::*;

use super::super::{
    Amount, Budget, CLUSTER, Command as Limits, Left, check_budget, refusal, spend, spent,
    standings, used_up,
};
use crate::alerts::{self, Command as Alerts};
use crate::deliveries::{self, Assignment, Command as Deliveries};
use crate::envelope::Actor;
use crate::islands::{self, apply_on_island, enter};
use crate::limits::Weight;
use crate::nodes::Fork;
use crate::transcript::{World, accepted, raise, refused};
use crate::vocabulary::Severity;
use crate::{AlertId, Command, NodeId, Outcome, Receipt, RequestId, watch};

async fn with(budgets: &[(&str, u64, u8)]) -> World {
    let mut world = World::new().await;
    for (account, parts, reserve_percent) in budgets {
        let budget = Budget {
            account: (*account).to_owned(),
            day: Amount {
                parts: Some(*parts),
                micros: None,
            },
            reserve_percent: *reserve_percent,
            ..Budget::default()
        };
        let set = world.ask(Command::Limits(Limits::SetBudget(budget))).await;
        assert_eq!(set, Outcome::Applied(Receipt::None));
    }
    world
}

async fn raise_by(world: &mut World, key: &str, severity: Severity) -> Outcome {
    let by = Actor::ApiKey { id: key.to_owned() };
    let raise = Command::Alerts(Alerts::Raise(Box::new(raise(
        severity,
        0,
        &[&["ana", "bela"]],
    ))));
    let outcome = world.run_as(by, None, raise).await;
    world.act().await;
    outcome
}

async fn parts(world: &mut World, account: &str) -> u64 {
    spent(&mut world.conn, world.now, account).await.unwrap()[0].parts
}

fn words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(why) => why.to_string(),
        Outcome::Applied(_) | Outcome::Unchanged | Outcome::Conflict | Outcome::Defect(_) => {
            panic!("not refused: {outcome:?}")
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_words_and_critical_alerts_go_all_the_same() {
    let mut world = with(&[("key:aaaa", 5, 20)]).await;
    for _ in 0..2 {
        raise_by(&mut world, "aaaa", Severity::High).await;
        world.send_all(1, accepted()).await;
    }
    assert_eq!(parts(&mut world, "key:aaaa").await, 4);
    assert_eq!(parts(&mut world, CLUSTER).await, 4);
    assert_eq!(
        words(raise_by(&mut world, "aaaa", Severity::High).await),
        "the SMS budget does not allow it: the day's SMS parts of key:aaaa: 4 of 4 are used, the rest is for critical \
         alerts, and this takes 2 SMS parts. Critical alerts still go. Call fewer people, call them by mail, or have the \
         budget raised (`holdfast limits budget`)"
    );
    let other = raise_by(&mut world, "bbbb", Severity::High).await;
    assert!(
        matches!(other, Outcome::Applied(_)),
        "another key is not touched: {other:?}"
    );
    let critical = raise_by(&mut world, "aaaa", Severity::Critical).await;
    assert!(matches!(critical, Outcome::Applied(_)), "{critical:?}");
    world.send_all(1, accepted()).await;
    assert!(
        parts(&mut world, "key:aaaa").await >= 6,
        "critical texts leave and count"
    );
}

#[tokio::test]
async fn a_new_civil_day_begins_with_nothing_spent() {
    let mut world = with(&[("keys", 2, 0)]).await;
    raise_by(&mut world, "aaaa", Severity::High).await;
    world.send_all(1, accepted()).await;
    words(raise_by(&mut world, "aaaa", Severity::High).await);
    world.pass(21 * 3_600); // from 03:00 to midnight
    let outcome = raise_by(&mut world, "aaaa", Severity::High).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let [day, month] = spent(&mut world.conn, world.now, "key:aaaa").await.unwrap();
    assert_eq!((day.parts, month.parts), (0, 2));
}

#[tokio::test]
async fn later_rounds_of_a_running_alert_do_not_leave_beyond_the_budget_and_say_so() {
    let mut world = with(&[("keys", 2, 0)]).await;
    let Outcome::Applied(Receipt::Alert { id, .. }) =
        raise_by(&mut world, "aaaa", Severity::High).await
    else {
        panic!("not raised")
    };
    world.send_all(1, accepted()).await;
    world.pass(60);
    world.act().await;
    world.send_all(1, accepted()).await;
    let shown = world.deliveries(id).await;
    let said = "bela page 1.1 sms failed (the SMS budget is used up: the day's SMS parts of key:aaaa: 2 of 2 are used)";
    assert!(shown.contains(said), "{shown}");
    // Whoever has a mail address is told by mail instead.
    assert!(shown.contains("ana page 1.1 email pending"), "{shown}");
    let reason = "over".to_owned();
    world
        .ask(Command::Alerts(Alerts::CallOff { alert: id, reason }))
        .await;
    world.act().await;
    world.send_all(1, accepted()).await;
    assert_eq!(
        parts(&mut world, "key:aaaa").await,
        4,
        "call-offs always leave"
    );
}

#[tokio::test]
async fn people_are_told_when_a_budget_runs_out_and_when_it_has() {
    let mut world = with(&[("cluster", 5, 0)]).await;
    let kinds = async |world: &mut World| -> Vec<String> {
        let all = watch::look(&mut world.conn, world.now).await.unwrap();
        let keys = all.iter().map(watch::Trouble::key);
        keys.filter(|key| key.contains("budget")).collect()
    };
    assert!(kinds(&mut world).await.is_empty());
    for expected in [vec![], vec!["watch:budget_nearly_used:cluster"]] {
        raise_by(&mut world, "aaaa", Severity::High).await;
        world.send_all(1, accepted()).await;
        assert_eq!(kinds(&mut world).await, expected);
    }
    raise_by(&mut world, "aaaa", Severity::Critical).await;
    world.send_all(1, accepted()).await;
    assert_eq!(kinds(&mut world).await, ["watch:budget_used:cluster"]);
}

#[tokio::test]
async fn what_a_modem_refused_costs_nothing() {
    let mut world = with(&[("keys", 100, 0)]).await;
    raise_by(&mut world, "aaaa", Severity::High).await;
    world.send_all(1, refused(true)).await;
    assert_eq!(parts(&mut world, CLUSTER).await, 0);
}

#[tokio::test]
async fn an_island_spends_its_share_and_the_cluster_counts_every_try_once() {
    let mut island = with(&[("cluster", 10, 0)]).await;
    let mut cluster = with(&[("cluster", 10, 0)]).await;
    let fork = Fork {
        node: NodeId(2),
        site: "beta".to_owned(),
        entered_at: island.now,
        base: 1,
    };
    enter(&mut island.conn, &fork).await.unwrap();
    let open = standings(&mut island.conn, island.now).await.unwrap();
    assert_eq!((open[0].limit, open[0].open), (10, 5), "one of two members");
    let mut facts = Vec::new();
    let mut alone = async |island: &mut World, number: u8, actor: Actor, command: Command| {
        let request = RequestId([number; 16]);
        let mut entry = island.entry(request, [0; 32], actor, None, command);
        entry.envelope.issued_by = NodeId(2);
        let (outcome, made) = apply_on_island(&mut island.conn, &entry).await.unwrap();
        facts.extend(made);
        outcome
    };
    let person = || Actor::ApiKey {
        id: "aaaa".to_owned(),
    };
    let raised = raise(Severity::High, 0, &[&["ana", "bela"]]);
    alone(
        &mut island,
        1,
        person(),
        Command::Alerts(Alerts::Raise(Box::new(raised))),
    )
    .await;
    let due = crate::escalation::due(&mut island.conn, island.now, 9)
        .await
        .unwrap();
    for action in due {
        alone(
            &mut island,
            2,
            Actor::Loop,
            Command::Escalation(action.command),
        )
        .await;
    }
    let due = deliveries::due(&mut island.conn, island.now, 9)
        .await
        .unwrap();
    let assignments: Vec<Assignment> = due
        .iter()
        .map(|due| Assignment {
            attempt: due.attempt,
            node: NodeId(2),
            channel: "modem".to_owned(),
        })
        .collect();
    let results = due
        .iter()
        .map(|due| deliveries::AttemptResult {
            attempt: due.attempt,
            outcome: accepted(),
            parts: 2,
            text_hash: [0; 8],
            wall_ms: 0,
        })
        .collect();
    let node = NodeId(2);
    let assign = Command::Deliveries(Deliveries::Assign { assignments });
    alone(&mut island, 3, Actor::Loop, assign).await;
    let record = Command::Deliveries(Deliveries::RecordAttempts { node, results });
    alone(&mut island, 4, Actor::Loop, record).await;
    assert_eq!(parts(&mut island, CLUSTER).await, 4);
    let weight = Weight {
        sms_parts: 2,
        ..Weight::default()
    };
    let full = refusal(&mut island.conn, island.now, "key:aaaa", &weight).await;
    assert!(full.unwrap().is_some(), "6 of a share of 5");
    for _ in 0..2 {
        let merge = islands::Command::Merge {
            origin: node,
            facts: facts.clone(),
        };
        cluster.run(Command::Islands(merge)).await;
        assert_eq!(parts(&mut cluster, CLUSTER).await, 4);
        assert_eq!(parts(&mut cluster, "key:aaaa").await, 4);
    }
}

#[test]
fn a_budget_that_means_nothing_is_refused_in_words() {
    let day = Amount {
        parts: Some(5),
        micros: None,
    };
    let budget = |account: &str, day, reserve_percent| Budget {
        account: account.to_owned(),
        day,
        reserve_percent,
        ..Budget::default()
    };
    assert_eq!(check_budget(&budget("source:zabbix", day, 90)), Ok(()));
    for (budget, word) in [
        (budget("anna", day, 0), "nobody's budget"),
        (budget("key:", day, 0), "nobody's budget"),
        (budget("cluster", Amount::default(), 0), "limits nothing"),
        (budget("cluster", day, 91), "at most 90 percent"),
    ] {
        let why = check_budget(&budget).unwrap_err();
        assert!(why.contains(word), "{why}");
    }
}

/// What may happen to a budget.
#[derive(Clone, Debug)]
enum Event {
    Raise { key: u8, critical: bool },
    Send { parts: u16, ok: bool },
    Pass { seconds: i64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..2_u8, prop::bool::weighted(0.1))
            .prop_map(|(key, critical)| Event::Raise { key, critical }),
        (1..4_u16, prop::bool::weighted(0.8)).prop_map(|(parts, ok)| Event::Send { parts, ok }),
        (1..40_000_i64).prop_map(|seconds| Event::Pass { seconds }),
    ]
}

/// Parts in flight at most: two modems with four each, and one text of three parts that began below.
const IN_FLIGHT_MAX: u64 = 2 * 4 * 3;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_but_critical_texts_goes_beyond_a_budget_and_what_is_in_flight(events in prop::collection::vec(event(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = with(&[("keys", 20, 25), ("cluster", 30, 0)]).await;
            let (mut critical, mut calm) = (0, 0);
            let mut day = 0;
            for event in events {
                match event {
                    Event::Raise { key, critical } => {
                        let severity = if critical { Severity::Critical } else { Severity::High };
                        raise_by(&mut world, &format!("k{key}"), severity).await;
                    }
                    Event::Pass { seconds } => {
                        world.pass(seconds);
                        world.act().await;
                    }
                    Event::Send { parts, ok } => {
                        let now = crate::nodes::civil(&mut world.conn).await.unwrap().at(world.now).day();
                        if now != day {
                            (critical, calm, day) = (0, 0, now);
                        }
                        let due = deliveries::due(&mut world.conn, world.now, 4).await.unwrap();
                        let due: Vec<_> = due.into_iter().filter(|due| due.kind == "sms").collect();
                        let assignments = due.iter().map(|due| Assignment {
                            attempt: due.attempt,
                            node: NodeId(1),
                            channel: "modem".to_owned(),
                        });
                        let assign = Deliveries::Assign { assignments: assignments.collect() };
                        world.run(Command::Deliveries(assign)).await;
                        let given = deliveries::under_way_on(&mut world.conn, NodeId(1)).await.unwrap();
                        for due in due.iter().filter(|due| given.contains(&due.attempt)) {
                            let outcome = if ok { accepted() } else { refused(true) };
                            let left = if ok { u64::from(parts) } else { 0 };
                            *(if due.critical { &mut critical } else { &mut calm }) += left;
                            let results = vec![deliveries::AttemptResult {
                                attempt: due.attempt,
                                outcome,
                                parts,
                                text_hash: [0; 8],
                                wall_ms: 0,
                            }];
                            let node = NodeId(1);
                            world.run(Command::Deliveries(Deliveries::RecordAttempts { node, results })).await;
                        }
                        let all = spent(&mut world.conn, world.now, CLUSTER).await.unwrap()[0].parts;
                        assert_eq!(all, critical + calm, "the counter is the sum of what left");
                        assert!(calm <= 30 + IN_FLIGHT_MAX, "{calm} calm parts left of 30");
                        for key in ["key:k0", "key:k1"] {
                            let one = spent(&mut world.conn, world.now, key).await.unwrap()[0].parts;
                            assert!(one <= 15 + IN_FLIGHT_MAX + critical, "{one} parts of {key}");
                        }
                    }
                }
            }
        });
    }

    #[test]
    fn counters_are_sums_in_any_order_and_never_negative(
        parts in prop::collection::vec(1..9_i64, 1..12),
        turn in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut one, mut other) = (World::new().await, World::new().await);
            let at = one.now;
            let left = |parts| Left { alert: AlertId([7; 16]), at, parts };
            for parts in &parts {
                spend(&mut one.conn, &[left(*parts)], false).await.unwrap();
            }
            let mut turned = parts.clone();
            turned.rotate_left(turn.index(parts.len()));
            for parts in turned {
                // Heard of twice, and taken back once.
                spend(&mut other.conn, &[left(parts), left(parts), left(-parts)], false).await.unwrap();
            }
            let sum: i64 = parts.iter().sum();
            for world in [&mut one, &mut other] {
                let counted = spent(&mut world.conn, at, CLUSTER).await.unwrap()[0].parts;
                assert_eq!(counted, sum.unsigned_abs());
            }
        });
    }
}

#[tokio::test]
async fn a_source_whose_budget_is_used_up_is_gathered_and_never_dropped() {
    use crate::recipients::Named;
    use crate::sources::{self, Arrival, Arrived, Brake, Kind, Mapping, OnResolve, Signal, Source};
    let mut world = with(&[("source:zabbix", 2, 0)]).await;
    let source = Source {
        key: "zabbix".to_owned(),
        name: "Zabbix".to_owned(),
        kind: Kind::Webhook,
        calls: vec![crate::oncall::Called::Named(Named::Group(
            "night".to_owned(),
        ))],
        severity: Severity::High,
        severities: Vec::new(),
        gather: String::new(),
        mapping: Mapping::of(Kind::Webhook),
        on_resolve: OnResolve::Close,
        brake: Brake::default(),
        beat: None,
        answers: false,
        enabled: true,
    };
    let source = Box::new(source);
    world
        .ask(Command::Sources(sources::Command::Put { source }))
        .await;
    let say = async |world: &mut World, key: &str, severity: Severity| {
        let signal = Signal {
            key: key.to_owned(),
            texts: vec![("en".to_owned(), format!("{key} is down"))],
            severity,
            status: alerts::Status::Actual,
            labels: Vec::new(),
            resolved: false,
        };
        let arrivals = vec![Arrival {
            source: "zabbix".to_owned(),
            what: Arrived::Signal(signal),
        }];
        world
            .run(Command::Sources(sources::Command::Take { arrivals }))
            .await;
        world.act().await;
        world.send_all(1, accepted()).await;
        world.pass(7_200);
    };
    say(&mut world, "disk", Severity::High).await;
    assert!(
        used_up(&mut world.conn, world.now, "source:zabbix")
            .await
            .unwrap()
            .is_some()
    );
    for key in ["mail", "web", "dns"] {
        say(&mut world, key, Severity::High).await;
    }
    say(&mut world, "fire", Severity::Critical).await;
    let mut shown = alerts::list(&mut world.conn, None, None, 9).await.unwrap();
    shown.reverse();
    let said: Vec<&str> = shown.iter().map(|row| row.texts[0].1.as_str()).collect();
    assert_eq!(said.first(), Some(&"disk is down"));
    assert!(
        said[1].starts_with("The SMS budget of Zabbix is used up"),
        "{said:?}"
    );
    assert_eq!(
        said.last(),
        Some(&"fire is down"),
        "critical alarms are told alone"
    );
}
