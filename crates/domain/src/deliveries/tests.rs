//! Transcripts of deliveries: sends, retries, reports, silence and dark numbers.

mod rings;

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::islands::{self, Fact};
use crate::transcript::{World, accepted, refused, unknown};
use crate::vocabulary::Severity;
use crate::{Command as AnyCommand, LeaderStamp, NodeId, Outcome, Refusal, Timestamp};

async fn due_refs(world: &mut World) -> Vec<AttemptRef> {
    due(&mut world.conn, world.now, 100)
        .await
        .unwrap()
        .iter()
        .map(|d| d.attempt)
        .collect()
}

async fn assign_all(world: &mut World, node: u64) -> Vec<AttemptRef> {
    let attempts = due_refs(world).await;
    let assignments = attempts
        .iter()
        .map(|a| Assignment {
            attempt: *a,
            node: NodeId(node),
            channel: "modem".to_owned(),
        })
        .collect();
    world
        .run(AnyCommand::Deliveries(Command::Assign { assignments }))
        .await;
    attempts
}

#[tokio::test]
async fn critical_uses_all_contact_methods_at_once_and_others_one_after_the_other() {
    let mut world = World::new().await;
    let critical = world.raise(Severity::Critical, 300, &[&["ana"]]).await;
    let normal = world.raise(Severity::Normal, 300, &[&["ana"]]).await;
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.0 email pending
    "#]]
    .assert_eq(&world.deliveries(critical).await);
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.0 email standby
    "#]]
    .assert_eq(&world.deliveries(normal).await);
}

#[tokio::test]
async fn a_permanent_failure_starts_the_next_method() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["ana"]]).await;
    world.send_all(1, refused(true)).await;
    expect![[r#"
        ana page 1.0 sms failed (CMS 38)
        ana page 1.0 email pending
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn no_acceptance_for_two_minutes_starts_the_next_method() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 3_000, &[&["ana"]]).await;
    world.pass(119);
    let early = failed_predecessor(&mut world.conn, world.now - Duration::from_secs(120), 10)
        .await
        .unwrap();
    assert_eq!(early, []);
    world.pass(1);
    let late = failed_predecessor(&mut world.conn, world.now - Duration::from_secs(120), 10)
        .await
        .unwrap();
    world
        .run(AnyCommand::Deliveries(Command::Activate {
            deliveries: late,
        }))
        .await;
    let shown = world.deliveries(alert).await;
    assert!(shown.contains("email pending"), "{shown}");
}

#[tokio::test]
async fn retries_of_one_method_do_not_put_off_the_next() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 3_000, &[&["ana"]]).await;
    for _ in 0..12 {
        world.send_all(1, refused(false)).await;
        world.pass(10);
    }
    let waiting = failed_predecessor(&mut world.conn, world.now - Duration::from_secs(120), 10)
        .await
        .unwrap();
    world
        .run(AnyCommand::Deliveries(Command::Activate {
            deliveries: waiting,
        }))
        .await;
    let shown = world.deliveries(alert).await;
    assert!(shown.contains("email pending"), "{shown}");
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again_elsewhere_after_a_pause() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    world.send_all(1, refused(false)).await;
    assert_eq!(due_refs(&mut world).await, []);
    world.pass(1);
    let again = due(&mut world.conn, world.now, 10).await.unwrap();
    assert_eq!(again[0].attempt.attempt, 2);
    assert_eq!(again[0].avoid, Some((NodeId(1), "modem".to_owned())));
    expect!["bela page 1.0 sms pending (CMS 38)\n"].assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn an_unknown_end_goes_out_again_and_says_it_may_be_a_repeat() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    world.send_all(1, unknown()).await;
    let attempts = assign_all(&mut world, 2).await;
    let work = assigned(&mut world.conn, NodeId(2)).await.unwrap().work;
    assert_eq!(work.len(), 1);
    assert_eq!(work[0].attempt, attempts[0]);
    let code = world.code(alert, "bela").await;
    assert!(work[0].body.starts_with(&code), "{}", work[0].body);
    assert_ne!(work[0].body, "", "the text says that it may be a repeat");
    expect!["bela page 1.0 sms assigned repeat? (no answer)\n"]
        .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn work_of_a_silent_node_moves_and_its_late_result_still_counts() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    let attempts = assign_all(&mut world, 1).await;
    world
        .run(AnyCommand::Deliveries(Command::Reclaim {
            attempts: attempts.clone(),
        }))
        .await;
    expect!["bela page 1.0 sms pending repeat?\n"].assert_eq(&world.deliveries(alert).await);
    world.record(1, &attempts, accepted()).await;
    expect!["bela page 1.0 sms sent repeat?\n"].assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn a_result_is_recorded_once() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    let attempts = assign_all(&mut world, 1).await;
    world.record(1, &attempts, accepted()).await;
    world.record(1, &attempts, unknown()).await;
    expect!["bela page 1.0 sms sent\n"].assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn reports_end_a_delivery_and_a_failed_one_starts_the_next_method() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Normal, 300, &[&["ana", "bela"]])
        .await;
    let attempts = assign_all(&mut world, 1).await;
    world.record(1, &attempts, accepted()).await;
    for attempt in attempts {
        let to_ana = of_alert(&mut world.conn, alert, 0, 10).await.unwrap();
        let ana = to_ana
            .iter()
            .any(|d| d.id == attempt.delivery && d.recipient_key == "ana");
        let report = if ana {
            Report::Failed {
                detail: "absent subscriber".to_owned(),
            }
        } else {
            Report::Delivered {
                detail: String::new(),
            }
        };
        world.report(attempt, report).await;
    }
    expect![[r#"
        ana page 1.0 sms failed (absent subscriber)
        ana page 1.0 email pending
        bela page 1.0 sms delivered
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn an_unanswered_text_from_a_dark_number_goes_out_from_another_one() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Normal, 300, &[&["bela", "dora"]])
        .await;
    world.send_all(1, accepted()).await;
    let dora = crate::RecipientId::of_key("dora");
    let answer = crate::alerts::Command::Answer {
        alert,
        recipient: dora,
        answer: crate::vocabulary::Answer::Cannot,
        eta_min: None,
    };
    world.ask(AnyCommand::Alerts(answer)).await;
    let deliveries = stranded(&mut world.conn, NodeId(1), "modem", world.now, 10)
        .await
        .unwrap();
    assert_eq!(deliveries.len(), 1, "dora has answered");
    world
        .run(AnyCommand::Deliveries(Command::Resend { deliveries }))
        .await;
    let again = due(&mut world.conn, world.now, 10).await.unwrap();
    assert_eq!(again[0].avoid, Some((NodeId(1), "modem".to_owned())));
    assign_all(&mut world, 2).await;
    let body = assigned(&mut world.conn, NodeId(2))
        .await
        .unwrap()
        .work
        .remove(0)
        .body;
    let code = world.code(alert, "bela").await;
    assert!(
        body.starts_with(&code) && body.contains("DETTA nummer"),
        "{body}"
    );
    assert_eq!(
        stranded(&mut world.conn, NodeId(1), "modem", world.now, 10)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn sent_again_from_another_number_a_page_lives_as_long_as_at_first_and_no_longer() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    let mut left = Vec::new();
    for (node, passed) in [(1, 0), (2, 40), (1, 40), (2, 40)] {
        world.pass(passed);
        let page = of_alert(&mut world.conn, alert, 0, 10).await.unwrap()[0].clone();
        if passed > 0 {
            let deliveries = vec![page.id];
            world
                .run(AnyCommand::Deliveries(Command::Resend { deliveries }))
                .await;
        }
        let page = of_alert(&mut world.conn, alert, 0, 10).await.unwrap()[0].clone();
        left.push(page.expires_at.since(world.now).as_secs());
        world.send_all(node, accepted()).await;
    }
    assert_eq!(left, [3_600, 3_600, 3_600, 3_600]);
}

#[tokio::test]
async fn an_answer_before_the_send_starts_withdraws_it() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    let attempts = assign_all(&mut world, 1).await;
    let bela = crate::RecipientId::of_key("bela");
    let answer = crate::alerts::Command::Answer {
        alert,
        recipient: bela,
        answer: crate::vocabulary::Answer::Coming,
        eta_min: None,
    };
    world.ask(AnyCommand::Alerts(answer)).await;
    assert_eq!(assigned(&mut world.conn, NodeId(1)).await.unwrap().work, []);
    expect!["bela page 1.0 sms cancelled (answered)\n"].assert_eq(&world.deliveries(alert).await);
    // It had left already: the row says so.
    world.record(1, &attempts, accepted()).await;
    expect!["bela page 1.0 sms acknowledged (left before it could be stopped)\n"]
        .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn every_delivery_ends_when_its_time_is_over() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Normal, 30_000, &[&["ana", "bela"]])
        .await;
    let attempts = assign_all(&mut world, 1).await;
    world.record(1, &attempts[..1], accepted()).await;
    world.pass(3_600);
    let ids = expired(&mut world.conn, world.now, 10).await.unwrap();
    world
        .run(AnyCommand::Deliveries(Command::Expire { deliveries: ids }))
        .await;
    let rows = of_alert(&mut world.conn, alert, 0, 10).await.unwrap();
    let open: Vec<_> = rows
        .iter()
        .filter(|d| d.ended_at.is_none() && d.round == 0)
        .collect();
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn what_expires_with_a_node_frees_its_channel_and_counts_as_sent_if_it_left_after_all() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    let attempts = assign_all(&mut world, 1).await;
    world.pass(3_600);
    let ids = expired(&mut world.conn, world.now, 10).await.unwrap();
    world
        .run(AnyCommand::Deliveries(Command::Expire { deliveries: ids }))
        .await;
    expect!["bela page 1.0 sms expired (no channel took it in time)\n"]
        .assert_eq(&world.deliveries(alert).await);
    assert_eq!(under_way_on(&mut world.conn, NodeId(1)).await.unwrap(), []);
    world.record(1, &attempts, accepted()).await;
    expect!["bela page 1.0 sms handed_over (left before it could be stopped)\n"]
        .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn a_command_decided_under_an_earlier_leadership_is_refused() {
    let mut world = World::new().await;
    world.raise(Severity::Normal, 300, &[&["bela"]]).await;
    let attempts = due_refs(&mut world).await;
    let old = LeaderStamp {
        term: 1,
        node: NodeId(1),
    };
    world.leader = LeaderStamp {
        term: 2,
        node: NodeId(2),
    };
    let assignments = vec![Assignment {
        attempt: attempts[0],
        node: NodeId(1),
        channel: "modem".to_owned(),
    }];
    let command = AnyCommand::Deliveries(Command::Assign { assignments });
    let outcome = world.run_as(crate::Actor::Loop, Some(old), command).await;
    assert_eq!(outcome, Outcome::Refused(Refusal::StaleLeadership));
}

/// Node 1 is given a try, and an island of it another one. Both, the cluster's first.
async fn two_tries(world: &mut World) -> (AttemptRef, AttemptRef) {
    let first = assign_all(world, 1).await[0];
    let second = AttemptRef {
        attempt: 65_537,
        ..first
    };
    tell_of(world, second, "assigned").await;
    (first, second)
}

/// What an island of node 1 tells of a try of its own.
async fn tell_of(world: &mut World, attempt: AttemptRef, state: &str) {
    let place = facts::ATTEMPT_STATES.iter().position(|s| *s == state);
    let fact = AttemptFact {
        delivery: attempt.delivery,
        attempt: attempt.attempt,
        end: AttemptEnd {
            state: u8::try_from(place.unwrap()).unwrap(),
            report: 0,
            reported_at: None,
            ended_at: None,
            detail: String::new(),
            parts: 0,
            text_hash: Vec::new(),
            wall_ms: 0,
        },
        node: NodeId(1),
        channel: "modem".to_owned(),
        number: String::new(),
        assigned_at: Timestamp(world.now.0 + 20_000),
    };
    world
        .run(AnyCommand::Islands(islands::Command::Merge {
            origin: NodeId(1),
            facts: vec![Fact::Attempt(Box::new(fact))],
        }))
        .await;
}

#[tokio::test]
async fn of_two_tries_on_one_node_the_newest_is_wanted_and_the_node_tells_of_the_other() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["bela"]]).await;
    let (first, second) = two_tries(&mut world).await;
    let wanted = assigned(&mut world.conn, NodeId(1)).await.unwrap().work;
    let wanted: Vec<AttemptRef> = wanted.iter().map(|work| work.attempt).collect();
    assert_eq!(wanted, [second]);
    let unwanted =
        async |world: &mut World| assigned(&mut world.conn, NodeId(1)).await.unwrap().unwanted;
    assert_eq!(unwanted(&mut world).await, [first]);
    let never = AttemptRef {
        attempt: 7,
        ..first
    };
    let known = known_attempts(&mut world.conn, &[first, never]).await;
    assert_eq!(known.unwrap(), BTreeSet::from([first]));
    world.record(1, &[second], accepted()).await;
    assert_eq!(unwanted(&mut world).await, [first]);
    world.record(1, &[first], refused(false)).await;
    assert_eq!(unwanted(&mut world).await, []);
    expect![[r#"
        bela page 1.0 sms sent
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn where_the_newest_try_ended_unheard_the_last_to_end_moves_the_delivery() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 300, &[&["bela"]]).await;
    let (first, second) = two_tries(&mut world).await;
    tell_of(&mut world, second, "refused").await;
    expect![[r#"
        bela page 1.0 sms assigned
    "#]]
    .assert_eq(&world.deliveries(alert).await);
    world.record(1, &[first], refused(false)).await;
    expect![[r#"
        bela page 1.0 sms pending (CMS 38)
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}
