//! The laws as properties: of each kind of fact by itself, and of whole histories of several islands.

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::tests::{Cluster, Island, PEOPLE};
use super::{ActFact, Fact, StandingFact, merge_digest, orphans, refused};
use crate::alerts::{
    Acknowledged, Act, AlertKind, Answer, Audience, Closed, Ending, JoinedInto, Severity,
};
use crate::deliveries::{AttemptEnd, AttemptFact, DeliveryFact, Owed, Report, Standing};
use crate::escalation::{Answered, CallFact, FirstCall, Progress, Word};
use crate::inbound::{InboundFact, ReceivedText, TakenAs};
use crate::transcript::{accepted, refused as refused_send, unknown};
use crate::{ActId, AlertId, DeliveryId, NodeId, RecipientId, Timestamp};

/// Joining in any grouping and order, and again, gives the same.
fn lawful<T: Clone + PartialEq + std::fmt::Debug>(
    [a, b, c]: [T; 3],
    join: impl Fn(T, T) -> T,
) -> Result<(), TestCaseError> {
    let both = join(a.clone(), b.clone());
    prop_assert_eq!(&both, &join(b.clone(), a.clone()), "order");
    prop_assert_eq!(&join(both.clone(), b.clone()), &both, "again");
    prop_assert_eq!(join(both, c.clone()), join(a, join(b, c)), "grouping");
    Ok(())
}

// Small domains, so that ties and equals are common.
fn time() -> impl Strategy<Value = Timestamp> {
    (0..3_i64).prop_map(Timestamp)
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "b"]).prop_map(str::to_owned)
}

fn standing() -> impl Strategy<Value = StandingFact> {
    let acknowledged = prop::option::of((time(), word()))
        .prop_map(|found| found.map(|(at, by)| Acknowledged { at, by }));
    let how = prop::sample::select(vec![Ending::CalledOff, Ending::Resolved]);
    let closed = prop::option::of((how, time(), word(), word()))
        .prop_map(|found| found.map(|(how, at, by, note)| Closed { how, at, by, note }));
    let joined = prop::option::of((time(), word(), 0..2_u8)).prop_map(|found| {
        found.map(|(at, by, into)| JoinedInto {
            at,
            by,
            into: AlertId([into; 16]),
        })
    });
    let progress = prop::option::of((0..3_u16, 0..3_u16, 0..3_u32, 0..3_u16)).prop_map(|found| {
        found.map(|(round, step, next_page, review)| Progress {
            round,
            step,
            next_page,
            review,
        })
    });
    (acknowledged, closed, joined, progress).prop_map(|(acknowledged, closed, joined, progress)| {
        StandingFact {
            alert: AlertId([9; 16]),
            acknowledged,
            closed,
            joined,
            progress,
        }
    })
}

fn call() -> impl Strategy<Value = CallFact> {
    let called = (time(), 0..3_u16, 0..3_u64).prop_map(|(at, step, position)| FirstCall {
        at,
        step,
        position,
    });
    let answer = prop::sample::select(Answer::ALL.to_vec());
    let stands = prop::sample::select(vec![
        Word::Given,
        Word::Asked,
        Word::Lapsed,
        Word::Confirmed,
    ]);
    let eta = prop::option::of(0..3_u16);
    let answered = prop::option::of((time(), word(), answer, stands, eta)).prop_map(|found| {
        found.map(|(at, from, answer, word, eta_min)| Answered {
            at,
            from,
            answer,
            word,
            eta_min,
        })
    });
    let codes = prop::collection::btree_set(prop::sample::select(vec!["1", "2", "3"]), 1..3);
    (called, answered, codes, 0..4_u16).prop_map(|(called, answered, codes, reminded)| CallFact {
        reminded,
        alert: AlertId([9; 16]),
        recipient: RecipientId([8; 16]),
        called,
        codes: codes.into_iter().map(str::to_owned).collect(),
        answered,
    })
}

fn delivery() -> impl Strategy<Value = DeliveryFact> {
    let owed =
        (time(), 0..3_i64, word(), word()).prop_map(|(created_at, validity_ms, code, body)| Owed {
            created_at,
            validity_ms,
            kind: "sms".to_owned(),
            address: String::new(),
            language: "en".to_owned(),
            lane: 2,
            critical: false,
            code,
            subject: String::new(),
            body,
            prefer: (NodeId(0), String::new()),
        });
    let standing = (0..10_u8, prop::option::of(time()), time(), time(), word()).prop_map(
        |(reach, ended_at, due_at, wanted_since, reason)| Standing {
            reach,
            ended_at,
            due_at,
            wanted_since,
            reason,
        },
    );
    (owed, time(), standing, any::<bool>(), any::<bool>()).prop_map(
        |(owed, expires_at, standing, possible_repeat, renumbered)| DeliveryFact {
            delivery: DeliveryId([7; 16]),
            alert: AlertId([9; 16]),
            recipient: RecipientId([8; 16]),
            purpose: "page".to_owned(),
            step: 0,
            round: 0,
            method: 0,
            owed,
            expires_at,
            standing,
            possible_repeat,
            renumbered,
        },
    )
}

fn attempt() -> impl Strategy<Value = AttemptFact> {
    (
        0..6_u8,
        0..4_u8,
        prop::option::of(time()),
        prop::option::of(time()),
        word(),
        1..3_u64,
    )
        .prop_map(
            |(state, report, reported_at, ended_at, detail, node)| AttemptFact {
                delivery: DeliveryId([7; 16]),
                attempt: 1,
                end: AttemptEnd {
                    state,
                    report,
                    reported_at,
                    ended_at,
                    detail,
                    parts: 1,
                    text_hash: Vec::new(),
                    wall_ms: 0,
                },
                node: NodeId(node),
                channel: "modem".to_owned(),
                number: String::new(),
                assigned_at: Timestamp(0),
            },
        )
}

fn text() -> impl Strategy<Value = InboundFact> {
    (time(), word(), any::<bool>(), word(), any::<bool>()).prop_map(
        |(received_at, text, understood, taken, replied)| InboundFact {
            key: [6; 16],
            text: ReceivedText {
                received_at,
                node: NodeId(1),
                channel: "modem".to_owned(),
                sender: String::new(),
                text,
                sent_at_ms: None,
                wall_ms: 0,
                damaged: false,
            },
            taken: TakenAs {
                understood,
                taken,
                recipient: None,
                alert: None,
                replied,
            },
        },
    )
}

proptest! {
    #[test]
    fn what_became_of_an_alert_joins_lawfully(all in prop::array::uniform3(standing())) {
        lawful(all, StandingFact::join)?;
    }

    #[test]
    fn calls_join_lawfully(all in prop::array::uniform3(call())) {
        lawful(all, CallFact::join)?;
    }

    #[test]
    fn deliveries_join_lawfully(all in prop::array::uniform3(delivery())) {
        lawful(all, DeliveryFact::join)?;
    }

    #[test]
    fn attempts_join_lawfully(all in prop::array::uniform3(attempt())) {
        lawful(all, AttemptFact::join)?;
    }

    #[test]
    fn acts_join_lawfully(all in prop::array::uniform3(act_fact())) {
        lawful(all, ActFact::join)?;
    }

    #[test]
    fn texts_join_lawfully(all in prop::array::uniform3(text())) {
        lawful(all, InboundFact::join)?;
    }
}

/// What people and channels do on an island.
#[derive(Clone, Debug)]
enum Deed {
    Raise(Severity, Vec<usize>),
    CheckSafety(Vec<usize>),
    /// Somebody saw a person.
    Mark(usize, usize, Answer),
    /// Whatever the plans call for.
    Act,
    /// Everything due is sent, with one end.
    Send(u8),
    Answer(usize, usize, Answer),
    Acknowledge(usize),
    Resolve(usize),
    CallOff(usize),
    /// The later one into the earlier one; circles have a test of their own.
    Join(usize, usize),
    Post(usize, String),
    /// Rooms, members, marks, edits, pins and how far people read.
    Talk(usize, usize, u8),
    Change(usize, Act),
    /// Somebody texts the code of an alert, or one nobody has.
    Text(usize, usize, bool),
    /// The network's later word: 0 delivered, 1 delayed, 2 failed.
    Report(usize, u8),
    Wait(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let person = || (0..4_usize).prop_map(|place| RecipientId::of_key(PEOPLE[place].0));
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let audience = prop::sample::select(Audience::ALL.to_vec());
    prop_oneof![
        vec(person(), 1..3).prop_map(|people| Act::Add {
            named: Vec::new(),
            people,
        }),
        Just(Act::NextStep),
        Just(Act::Pause { for_ms: 120_000 }),
        Just(Act::Resume),
        severity.prop_map(|severity| Act::Severity { severity }),
        audience.prop_map(|to| Act::Update {
            texts: vec![("en".to_owned(), "Gate 5".to_owned())],
            to,
        }),
        person().prop_map(|person| Act::Withdraw { person }),
    ]
}

fn act_fact() -> impl Strategy<Value = ActFact> {
    (time(), word(), act(), word()).prop_map(|(at, by, act, reason)| ActFact {
        alert: AlertId([9; 16]),
        id: ActId([5; 16]),
        at,
        by,
        act,
        reason,
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let answer = prop::sample::select(Answer::ALL.to_vec());
    let safety = prop::sample::select(AlertKind::SafetyCheck.answers().to_vec());
    prop_oneof![
        2 => (severity, vec(0..4_usize, 1..4)).prop_map(|(s, p)| Deed::Raise(s, p)),
        1 => vec(0..4_usize, 1..4).prop_map(Deed::CheckSafety),
        2 => (0..5_usize, 0..4_usize, safety).prop_map(|(a, p, m)| Deed::Mark(a, p, m)),
        3 => Just(Deed::Act),
        3 => (0..4_u8).prop_map(Deed::Send),
        3 => (0..5_usize, 0..4_usize, answer).prop_map(|(a, p, w)| Deed::Answer(a, p, w)),
        1 => (0..5_usize).prop_map(Deed::Acknowledge),
        1 => (0..5_usize).prop_map(Deed::Resolve),
        1 => (0..5_usize).prop_map(Deed::CallOff),
        1 => (0..5_usize, 0..5_usize).prop_map(|(a, b)| Deed::Join(a, b)),
        1 => (0..5_usize, word()).prop_map(|(a, w)| Deed::Post(a, w)),
        5 => (0..5_usize, 0..4_usize, 0..16_u8).prop_map(|(a, p, w)| Deed::Talk(a, p, w)),
        3 => (0..5_usize, act()).prop_map(|(a, c)| Deed::Change(a, c)),
        2 => (0..5_usize, 0..4_usize, any::<bool>()).prop_map(|(a, p, k)| Deed::Text(a, p, k)),
        2 => (0..5_usize, 0..3_u8).prop_map(|(a, r)| Deed::Report(a, r)),
        3 => (0..400_i64).prop_map(Deed::Wait),
    ]
}

async fn act_out(island: &mut Island, deeds: &[Deed]) {
    for deed in deeds {
        match deed {
            Deed::Raise(severity, people) => island.raise(*severity, people).await,
            Deed::CheckSafety(people) => island.check_safety(people).await,
            Deed::Mark(alert, person, mark) => island.mark(*alert, *person, *mark).await,
            Deed::Act => island.act().await,
            Deed::Send(0) => island.send_all(refused_send(false)).await,
            Deed::Send(1) => island.send_all(unknown()).await,
            Deed::Send(_) => island.send_all(accepted()).await,
            Deed::Answer(alert, person, answer) => island.answer(*alert, *person, *answer).await,
            Deed::Acknowledge(alert) => island.acknowledge(*alert).await,
            Deed::Resolve(alert) => island.resolve(*alert).await,
            Deed::CallOff(alert) => island.call_off(*alert).await,
            Deed::Join(one, other) if one > other => island.join(*one, *other).await,
            Deed::Join(..) => {}
            Deed::Post(alert, words) => island.post(*alert, words).await,
            Deed::Talk(alert, person, what) => island.talk(*alert, *person, *what).await,
            Deed::Change(alert, act) => island.change(*alert, act.clone()).await,
            Deed::Text(alert, person, known) => island.text(*alert, *person, *known).await,
            Deed::Report(alert, word) => {
                let detail = String::new();
                let report = match word {
                    0 => Report::Delivered { detail },
                    1 => Report::Delayed { detail },
                    _ => Report::Failed { detail },
                };
                island.report(*alert, report).await;
            }
            Deed::Wait(seconds) => island.world.pass(*seconds),
        }
    }
}

/// Facts in an order drawn from `order`: from several journals, each keeping its own order or not.
fn shuffled(facts: &[(NodeId, Fact)], order: &[u16]) -> Vec<(NodeId, Fact)> {
    let mut keyed: Vec<(u16, usize)> = (0..facts.len())
        .map(|place| {
            (
                order[place % order.len()].wrapping_mul(place as u16 | 1),
                place,
            )
        })
        .collect();
    keyed.sort();
    keyed
        .into_iter()
        .map(|(_, place)| facts[place].clone())
        .collect()
}

/// How many histories are tried: few in every run, as many as `PROPTEST_CASES` says when somebody wants to know.
fn histories() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|count| count.parse().ok()).unwrap_or(24)
}

/// The majority did `meanwhile`, then hears `facts`, a few at a time.
async fn heal(meanwhile: &[Deed], facts: &[(NodeId, Fact)], at_once: usize) -> (Cluster, [u8; 32]) {
    let mut majority = Island::majority().await;
    act_out(&mut majority, meanwhile).await;
    let Island {
        mut world, alerts, ..
    } = majority;
    world.pass(7_200);
    let mut cluster = Cluster { world, alerts };
    for of_one in facts.chunk_by(|a, b| a.0 == b.0) {
        for chunk in of_one.chunks(at_once) {
            let facts = chunk.iter().map(|(_, fact)| fact.clone()).collect();
            cluster.merge(of_one[0].0, facts).await;
        }
    }
    let digest = merge_digest(&mut cluster.world.conn).await.unwrap();
    (cluster, digest)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn histories_of_several_islands_become_one_in_any_order(
        deeds in vec(vec(deed(), 1..14), 2..4),
        meanwhile in vec(deed(), 0..14),
        order in vec(any::<u16>(), 7..23),
    ) {
        Runtime::new().unwrap().block_on(async {
            let mut islands = Vec::new();
            for (place, deeds) in deeds.iter().enumerate() {
                let mut island = Island::new(place as u64 + 2).await;
                act_out(&mut island, deeds).await;
                islands.push(island);
            }
            let journal: Vec<(NodeId, Fact)> = islands
                .iter()
                .flat_map(|island| island.journal.iter().map(|fact| (island.node, fact.clone())))
                .collect();
            let (mut cluster, digest) = heal(&[], &journal, 64).await;
            let broken = refused(&mut cluster.world.conn, 10).await.unwrap();
            prop_assert!(broken.is_empty(), "{broken:?}");
            prop_assert_eq!(orphans(&mut cluster.world.conn).await.unwrap(), 0);

            let mut twice = shuffled(&journal, &order);
            twice.extend(journal.iter().rev().cloned());
            let (mut other, other_digest) = heal(&[], &twice, 3).await;
            let (ours, theirs) = (cluster.shown().await, other.shown().await);
            prop_assert_eq!(&ours, &theirs);
            prop_assert_eq!(digest, other_digest);
            prop_assert_eq!(orphans(&mut other.world.conn).await.unwrap(), 0);

            // Nobody is left waiting: what is open goes on, what was answered is settled.
            cluster.check_promises().await;
            other.check_promises().await;

            // It makes no difference to the laws that the majority went on as well.
            let (mut busy, busy_digest) = heal(&meanwhile, &journal, 5).await;
            let (mut again, again_digest) = heal(&meanwhile, &twice, 2).await;
            prop_assert_eq!(busy.shown().await, again.shown().await);
            prop_assert_eq!(busy_digest, again_digest);
            busy.check_promises().await;
            again.check_promises().await;

            // Fellow islanders who told each other everything agree with the cluster.
            for island in &mut islands {
                for (origin, fact) in &journal {
                    if *origin != island.node {
                        island.hear(*origin, fact).await;
                    }
                }
                let heard = super::tests::shown(&mut island.world.conn).await;
                prop_assert_eq!(&ours, &heard, "island of {}", island.node);
                let heard = merge_digest(&mut island.world.conn).await.unwrap();
                prop_assert_eq!(digest, heard);
            }
            Ok(())
        })?;
    }
}

/// An island joined the alert elsewhere before the majority did; whichever word comes first, an answer given to it counts in
/// both, with the same source.
#[tokio::test]
async fn answers_count_wherever_any_history_joined_their_alert() {
    let deeds = [
        vec![
            Deed::Wait(135),
            Deed::Text(2, 0, true),
            Deed::Answer(2, 1, Answer::Coming),
        ],
        vec![Deed::Raise(Severity::Low, vec![0]), Deed::Join(3, 2)],
    ];
    let meanwhile = [
        Deed::Wait(135),
        Deed::Answer(4, 2, Answer::Cannot),
        Deed::Join(4, 3),
        Deed::Text(1, 1, true),
        Deed::CallOff(1),
        Deed::Wait(93),
    ];
    let order = [
        2739, 40285, 2395, 56705, 22558, 50544, 50896, 38414, 64595, 54867, 27769, 3955, 26459,
    ];
    let mut journal = Vec::new();
    for (place, deeds) in deeds.iter().enumerate() {
        let mut island = Island::new(place as u64 + 2).await;
        act_out(&mut island, deeds).await;
        let told = island.journal.iter().cloned();
        journal.extend(told.map(|fact| (island.node, fact)));
    }
    let mut twice = shuffled(&journal, &order);
    twice.extend(journal.iter().rev().cloned());
    let (mut one, digest) = heal(&meanwhile, &journal, 5).await;
    let (mut other, other_digest) = heal(&meanwhile, &twice, 2).await;
    assert_eq!(one.shown().await, other.shown().await);
    assert_eq!(digest, other_digest);
}
