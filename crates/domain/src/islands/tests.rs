//! Transcripts of islands: what a lone node may do, and what the cluster makes of it.

use expect_test::expect;

pub(super) use self::stage::{Cluster, Island, PEOPLE, shown};
use super::{Fact, apply_facts, merge_digest, orphans, refused, safe};
use crate::alerts::{self, Answer, Command as Alerts, Name, Severity, State};
use crate::automations;
use crate::deliveries::{self, Assignment, AttemptRef, Command as Deliveries, Purpose, Report};
use crate::inbound::{self, Taken};
use crate::nodes::Command as Nodes;
use crate::recipients::Command as Recipients;
use crate::requests::RequestFact;
use crate::templates;
use crate::texts::Language;
use crate::transcript::{World, accepted, raise};
use crate::vocabulary::{Automation, Effect, When};
use crate::{
    Actor, AlertId, Command as AnyCommand, NodeId, Outcome, Receipt, Refusal, RequestId, Timestamp,
    escalation,
};

mod safety;
mod stage;

async fn label_of(conn: &mut sqlx::SqliteConnection, alert: AlertId) -> String {
    alerts::find(conn, alert).await.unwrap().unwrap().label
}

#[tokio::test]
async fn an_island_numbers_codes_and_marks_what_it_raises() {
    let mut island = Island::new(3).await;
    island.raise(Severity::Critical, &[0]).await;
    island.act().await;
    let alert = island.alerts[2];
    assert_eq!(label_of(&mut island.world.conn, alert).await, "C-1");
    let code = island.world.code(alert, "ana").await;
    assert_eq!((code.len(), &code[..1]), (5, "3"));
    let due = deliveries::due(&mut island.world.conn, island.world.now, 10)
        .await
        .unwrap();
    assert_eq!(due[0].attempt.attempt, 3 * 65_536 + 1);
    let sms: Vec<_> = due
        .iter()
        .filter(|d| d.kind == "sms")
        .map(|d| Assignment {
            attempt: d.attempt,
            node: NodeId(3),
            channel: "modem".to_owned(),
        })
        .collect();
    island
        .run(
            Actor::Loop,
            AnyCommand::Deliveries(Deliveries::Assign { assignments: sms }),
        )
        .await;
    let work = deliveries::assigned(&mut island.world.conn, NodeId(3))
        .await
        .unwrap()
        .work;
    let body = work[0].body.replace(&code, "CODE");
    expect![[r#"
        CODE Aurora Energy C-1: Fire in hall 2
        Vastaa CODE 1=tulossa 2=en pääse 3=saatu 4=apua ?=aito? (site-3 yksin)"#]]
    .assert_eq(&body);
}

#[tokio::test]
async fn an_alert_raised_on_an_island_lives_on_in_the_cluster_under_its_number() {
    let mut island = Island::new(3).await;
    island.raise(Severity::High, &[1, 3]).await;
    island.act().await;
    island.send_all(accepted()).await;
    island.world.pass(20);
    let alert = island.alerts[2];
    let code = island.world.code(alert, "bela").await;
    island.receive("+46701000002", &format!("{code} 1")).await;

    let mut cluster = Cluster::new().await;
    cluster.world.pass(120);
    for batch in super::batches(island.journal.clone()) {
        cluster.merge(NodeId(3), batch).await;
    }
    let conn = &mut cluster.world.conn;
    let named = alerts::find_named(conn, &Name::parse("c-1").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((named.id, named.number), (alert, 0));
    expect![[r#"
        bela page 1.0 sms acknowledged
        bela reply 1.0 sms pending
    "#]]
    .assert_eq(&cluster.world.deliveries(alert).await);
    expect!["calling step 1/2 round 0 coming 1/1 next review +1920 s"]
        .assert_eq(&cluster.world.plan(alert).await);
    // The next alert of the cluster takes the cluster's next number, and lists have both.
    let next = cluster.world.raise(Severity::Low, 0, &[&["carl"]]).await;
    assert_eq!(label_of(&mut cluster.world.conn, next).await, "3");
    let listed: Vec<String> = alerts::list(&mut cluster.world.conn, None, None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.label)
        .collect();
    assert_eq!(listed, ["3", "C-1", "2", "1"]);
    // And the island's code answers at any node now.
    let calls = escalation::called_by_code(&mut cluster.world.conn, &code, Timestamp(0))
        .await
        .unwrap();
    assert_eq!(calls[0].alert, alert);
}

#[tokio::test]
async fn an_island_calls_more_people_by_itself_and_leaves_closing_to_the_cluster() {
    let mut island = Island::new(3).await;
    let mut template = templates::pack(&[Language::english()]).remove(0);
    let answered = |then: Effect| Automation {
        when: When::Answered {
            count: 1,
            answer: Some(Answer::Cannot),
            among: Vec::new(),
        },
        then: vec![then],
    };
    template.automations = vec![
        answered(Effect::Add {
            to: vec!["person:dora".to_owned()],
        }),
        answered(Effect::Close {
            note: "nobody can".to_owned(),
        }),
    ];
    let version = templates::Version {
        template,
        version: 1,
        author: String::new(),
        put_at: Timestamp(0),
        starter: false,
        used: false,
        archived_at: None,
    };
    let mut new = alerts::example_of(&version);
    new.steps = raise(Severity::High, 60, &[&["bela"], &["carl"]]).steps;
    let operator = || Actor::Operator { node: NodeId(3) };
    let raised = island
        .run(operator(), AnyCommand::Alerts(Alerts::Raise(Box::new(new))))
        .await;
    let Outcome::Applied(receipt) = raised else {
        panic!("not raised: {raised:?}")
    };
    let (alert, _) = receipt.alert().unwrap();
    island.act().await;
    let recipient = crate::RecipientId::of_key("bela");
    let answer = Answer::Cannot;
    let said = Alerts::Answer {
        alert,
        recipient,
        answer,
        eta_min: None,
    };
    island.run(operator(), AnyCommand::Alerts(said)).await;
    let is_fired =
        |row: &automations::AutomationRow| matches!(row.state, automations::State::Fired { .. });
    let rows = automations::of_alert(&mut island.world.conn, alert);
    let fired: Vec<bool> = rows.await.unwrap().iter().map(is_fired).collect();
    assert_eq!(fired, [true, false], "closing waits for the cluster");

    let mut cluster = Cluster::new().await;
    cluster.world.pass(120);
    for batch in super::batches(island.journal.clone()) {
        cluster.merge(NodeId(3), batch).await;
    }
    let (conn, now) = (&mut cluster.world.conn, cluster.world.now);
    let due = automations::due(conn, now, 10).await.unwrap();
    let alerts = due.into_iter().map(|due| due.alert).collect();
    cluster
        .world
        .run(AnyCommand::Automations(automations::Command::FollowUp {
            alerts,
        }))
        .await;
    let conn = &mut cluster.world.conn;
    let rows = automations::of_alert(conn, alert).await.unwrap();
    assert_eq!(rows.iter().map(is_fired).collect::<Vec<_>>(), [true, true]);
    let row = alerts::find(conn, alert).await.unwrap().unwrap();
    assert_eq!(row.state, State::Resolved);
    let called = escalation::called(conn, alert, 0, 10).await.unwrap();
    let dora = crate::RecipientId::of_key("dora");
    let times = called.iter().filter(|call| call.recipient == dora).count();
    assert_eq!(times, 1);
}

#[tokio::test]
async fn an_alert_raised_from_a_template_on_an_island_keeps_its_checklist_in_the_cluster() {
    let mut island = Island::new(3).await;
    island.raise(Severity::High, &[1]).await;
    let [kept] = &templates::pack(&[Language::english()])[..1] else {
        panic!("the starter pack is empty")
    };
    let version = templates::Version {
        template: kept.clone(),
        version: 4,
        author: String::new(),
        put_at: Timestamp(0),
        starter: true,
        used: false,
        archived_at: None,
    };
    let mut new = alerts::example_of(&version);
    new.steps = raise(Severity::High, 60, &[&["bela"]]).steps;
    let raised = island
        .run(
            Actor::Operator { node: NodeId(3) },
            AnyCommand::Alerts(Alerts::Raise(Box::new(new.clone()))),
        )
        .await;
    let Outcome::Applied(receipt) = raised else {
        panic!("not raised: {raised:?}")
    };
    let (alert, label) = receipt.alert().unwrap();
    assert_eq!(label, "C-2");
    let mut cluster = Cluster::new().await;
    for batch in super::batches(island.journal.clone()) {
        cluster.merge(NodeId(3), batch).await;
    }
    let found = alerts::template_of(&mut cluster.world.conn, alert)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), new.template.as_deref());
}

#[tokio::test]
async fn a_person_paged_on_both_sides_answers_with_either_code() {
    let mut island = Island::new(2).await;
    island.world.pass(400);
    island.act().await; // expands the second alert's first page, after holding back
    island.send_all(accepted()).await;
    let mut cluster = Cluster::new().await;
    cluster.world.act().await;
    let alert = cluster.alerts[1];
    let (ours, theirs) = (
        cluster.world.code(alert, "dora").await,
        island.world.code(alert, "dora").await,
    );
    assert!(theirs.starts_with('2') && theirs.len() == 5);
    cluster.merge(NodeId(2), island.journal.clone()).await;
    for code in [ours, theirs] {
        let calls = escalation::called_by_code(&mut cluster.world.conn, &code, Timestamp(0))
            .await
            .unwrap();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].alert, alert);
    }
    let dora = cluster.world.deliveries(alert).await;
    assert!(dora.contains("dora page 1.0 sms sent repeat?"), "{dora}");
}

#[tokio::test]
async fn what_one_island_expands_its_fellow_sends_with_words() {
    let (mut one, mut other) = (Island::new(2).await, Island::new(3).await);
    one.world.pass(400);
    other.world.pass(400);
    one.act().await;
    for fact in &one.journal {
        other.hear(NodeId(2), fact).await;
    }
    other.take_all().await;
    let second = other.alerts[1];
    let pages = words_for(&mut other, second, Purpose::Page).await;
    assert!(!pages.is_empty());
    for words in pages {
        assert!(words.contains("Fire in hall 2"), "{words:?}");
    }

    // Each island tells its own facts first, so whom it stands down may be heard of before that it is over.
    let told = one.journal.len();
    one.send_all(accepted()).await;
    one.call_off(1).await;
    one.act().await;
    let (owed, rest): (Vec<&Fact>, Vec<&Fact>) = one.journal[told..]
        .iter()
        .partition(|fact| matches!(fact, Fact::Delivery(_)));
    for fact in owed {
        other.hear(NodeId(2), fact).await;
    }
    other.take_all().await;
    let call_offs = words_for(&mut other, second, Purpose::CallOff).await;
    assert!(!call_offs.is_empty());
    for words in call_offs {
        assert!(words.contains("Aurora Energy 2: "), "{words:?}");
    }
    for fact in rest {
        other.hear(NodeId(2), fact).await;
    }
}

#[tokio::test]
async fn what_is_told_again_after_a_page_left_from_another_number_changes_nothing() {
    let (mut one, mut other) = (Island::new(2).await, Island::new(3).await);
    for island in [&mut one, &mut other] {
        island.world.pass(400);
        island.act().await; // the same pages, with other codes
    }
    for fact in &one.journal {
        other.hear(NodeId(2), fact).await;
    }
    other.send_all(accepted()).await;
    let alert = other.alerts[1];
    let owed = deliveries::of_alert(&mut other.world.conn, alert, 0, 1_000)
        .await
        .unwrap();
    let sent: Vec<_> = owed.iter().filter(|d| d.state.name() == "sent").collect();
    let expires_at = sent[0].expires_at;
    other.world.pass(120);
    let resend = Deliveries::Resend {
        deliveries: sent.iter().map(|d| d.id).collect(),
    };
    other.run(Actor::Loop, AnyCommand::Deliveries(resend)).await;
    let before = merge_digest(&mut other.world.conn).await.unwrap();
    for fact in &one.journal {
        other.hear(NodeId(2), fact).await;
    }
    let after = merge_digest(&mut other.world.conn).await.unwrap();
    assert_eq!(before, after);
    let again = deliveries::of_alert(&mut other.world.conn, alert, 0, 1_000)
        .await
        .unwrap();
    let first = again.iter().find(|d| d.id == sent[0].id).unwrap();
    assert!(first.expires_at > expires_at, "{first:?}");
}

/// The texts about an alert that this island's own channels were given, as they would leave.
async fn words_for(island: &mut Island, alert: AlertId, purpose: Purpose) -> Vec<String> {
    let conn = &mut island.world.conn;
    let owed = deliveries::of_alert(conn, alert, 0, 1_000).await.unwrap();
    let work = deliveries::assigned(conn, island.node).await.unwrap().work;
    let about = |id| owed.iter().any(|d| d.id == id && d.purpose == purpose);
    work.into_iter()
        .filter(|work| about(work.attempt.delivery))
        .map(|work| work.body)
        .collect()
}

#[tokio::test]
async fn whom_an_island_reached_needs_no_other_method_and_whom_it_did_not_gets_the_next() {
    let mut island = Island::new(2).await;
    island.world.pass(400);
    island.act().await;
    island.send_all(accepted()).await;
    let mut failed = Cluster::new().await;
    failed.world.act().await;
    let alert = failed.alerts[1];
    failed.merge(NodeId(2), island.journal.clone()).await;
    let mut reached = Cluster::new().await;
    reached.world.act().await;
    reached.merge(NodeId(2), island.journal.clone()).await;
    let already = island.journal.len();
    let mut other = island.journal.clone();
    let word = |detail: &str| detail.to_owned();
    island
        .report(1, Report::Delivered { detail: word("") })
        .await;
    reached
        .merge(NodeId(2), island.journal.split_off(already))
        .await;
    expect![[r#"
        ana page 1.0 sms delivered repeat?
        ana page 1.0 email cancelled repeat? (reached over another contact method)
        dora page 1.0 sms delivered repeat?
        dora page 1.0 email cancelled repeat? (reached over another contact method)
        ana page 1.1 sms delivered repeat?
        ana page 1.2 sms delivered repeat?
        ana page 1.1 email cancelled repeat? (reached over another contact method)
        ana page 1.2 email delivered repeat?
        dora page 1.1 sms delivered repeat?
        dora page 1.2 sms delivered repeat?
        dora page 1.1 email cancelled repeat? (reached over another contact method)
        dora page 1.2 email delivered repeat?
    "#]]
    .assert_eq(&reached.world.deliveries(alert).await);
    // The same try, given up by the network: the cluster works out by itself that the mail is wanted now.
    for fact in &mut other {
        if let Fact::Attempt(attempt) = fact
            && attempt.end.state == 5
        {
            attempt.end.report = 2;
            attempt.end.detail = word("absent subscriber");
        }
    }
    failed.merge(NodeId(2), other).await;
    expect![[r#"
        ana page 1.0 sms failed repeat? (absent subscriber)
        ana page 1.0 email pending repeat?
        dora page 1.0 sms failed repeat? (absent subscriber)
        dora page 1.0 email pending repeat?
        ana page 1.1 sms failed repeat? (absent subscriber)
        ana page 1.2 sms failed repeat? (absent subscriber)
        ana page 1.1 email pending repeat?
        ana page 1.2 email handed_over repeat?
        dora page 1.1 sms failed repeat? (absent subscriber)
        dora page 1.2 sms failed repeat? (absent subscriber)
        dora page 1.1 email pending repeat?
        dora page 1.2 email handed_over repeat?
    "#]]
    .assert_eq(&failed.world.deliveries(alert).await);
}

#[tokio::test]
async fn others_pending_work_waits_and_own_work_does_not() {
    let mut island = Island::new(2).await;
    let entered = island.world.now;
    let plan = escalation::plan(&mut island.world.conn, island.alerts[1])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        plan.next_due.unwrap().since(entered).as_secs(),
        300,
        "the cluster may still expand it"
    );
    // What it sent before from another number is left to the others for as long.
    let channel = |seconds: i64| Timestamp(entered.0 + seconds * 1_000);
    let conn = &mut island.world.conn;
    let early = deliveries::stranded(conn, NodeId(1), "modem", channel(299), 10)
        .await
        .unwrap();
    let late = deliveries::stranded(conn, NodeId(1), "modem", channel(300), 10)
        .await
        .unwrap();
    assert_eq!((early.len(), late.len()), (0, 2));
    island.raise(Severity::Low, &[1]).await;
    island.act().await;
    let due = deliveries::due(&mut island.world.conn, entered, 10)
        .await
        .unwrap();
    assert_eq!(due.len(), 1, "its own alert leaves at once");
}

#[tokio::test]
async fn who_was_told_by_an_island_of_an_alert_called_off_meanwhile_is_told_so() {
    let mut island = Island::new(3).await;
    island.world.pass(400);
    island.act().await;
    island.send_all(accepted()).await;
    let mut cluster = Cluster::new().await;
    let alert = cluster.alerts[1];
    cluster
        .world
        .ask(AnyCommand::Alerts(Alerts::CallOff {
            alert,
            reason: "false alarm".to_owned(),
        }))
        .await;
    cluster.world.act().await;
    assert_eq!(cluster.world.deliveries(alert).await, "", "nobody was told");
    cluster.merge(NodeId(3), island.journal.clone()).await;
    cluster.world.act().await;
    expect![[r#"
        ana call_off 1.0 sms pending
        ana call_off 1.0 email pending
        dora call_off 1.0 sms pending
        dora call_off 1.0 email pending
        ana page 1.1 sms sent repeat?
        ana page 1.0 sms sent repeat?
        ana page 1.2 sms sent repeat?
        ana page 1.0 email cancelled repeat? (called off)
        ana page 1.1 email cancelled repeat? (called off)
        ana page 1.2 email handed_over repeat?
        dora page 1.1 sms sent repeat?
        dora page 1.2 sms sent repeat?
        dora page 1.0 sms sent repeat?
        dora page 1.1 email cancelled repeat? (called off)
        dora page 1.0 email cancelled repeat? (called off)
        dora page 1.2 email handed_over repeat?
    "#]]
    .assert_eq(&cluster.world.deliveries(alert).await);
}

#[tokio::test]
async fn a_code_of_the_others_is_kept_answered_and_counts_once_they_hear_of_it() {
    let mut cluster = Cluster::new().await;
    let mut island = Island::new(3).await;
    cluster.world.act().await; // after the island left
    let code = cluster.world.code(cluster.alerts[1], "dora").await;
    island.receive("+441000000004", &format!("{code} 1")).await;
    let due = deliveries::due(&mut island.world.conn, island.world.now, 10)
        .await
        .unwrap();
    let reply = due.iter().find(|d| d.address == "+441000000004").unwrap();
    let body: String = sqlx::query_scalar("select body from delivery where delivery_id = ?")
        .bind(reply.attempt.delivery.as_bytes())
        .fetch_one(&mut island.world.conn)
        .await
        .unwrap();
    assert_eq!(
        body,
        "Noted. Site site-3 is cut off and the others do not know yet. \
         Also text +358500000001, +358500000002, +358500000004"
    );

    cluster.world.pass(600);
    cluster.merge(NodeId(3), island.journal.clone()).await;
    let now = cluster.world.now;
    let keys = inbound::understood(&mut cluster.world.conn, now, 10)
        .await
        .unwrap();
    assert_eq!(keys.len(), 1);
    let replay = AnyCommand::Inbound(inbound::Command::Replay { keys });
    assert_eq!(
        cluster.world.run(replay.clone()).await,
        Outcome::Applied(Receipt::Count(1))
    );
    assert_eq!(cluster.world.run(replay).await, Outcome::Unchanged);
    let kept = inbound::of_sender(&mut cluster.world.conn, "+441000000004", Timestamp(0), 10)
        .await
        .unwrap();
    assert_eq!(kept[0].taken, Some(Taken::Answer));
    let shown = cluster.world.deliveries(cluster.alerts[1]).await;
    assert!(shown.contains("dora reply 1.0 sms pending"), "{shown}");
    assert!(
        shown.contains("dora page 1.0 sms cancelled (answered)"),
        "{shown}"
    );
}

#[tokio::test]
async fn two_islands_that_joined_two_alerts_crosswise_leave_one_open() {
    let mut one = Island::new(2).await;
    let mut other = Island::new(3).await;
    one.join(0, 1).await;
    other.join(1, 0).await;
    let mut cluster = Cluster::new().await;
    cluster.merge(NodeId(2), one.journal.clone()).await;
    cluster.merge(NodeId(3), other.journal.clone()).await;
    cluster.check_promises().await;
    let open = alerts::list(&mut cluster.world.conn, Some(State::Open), None, 10)
        .await
        .unwrap();
    assert_eq!(open.len(), 1, "somebody must be called");
    let mut again = Cluster::new().await;
    again.merge(NodeId(3), other.journal.clone()).await;
    again.merge(NodeId(2), one.journal.clone()).await;
    assert_eq!(again.shown().await, cluster.shown().await);
}

#[tokio::test]
async fn a_request_answered_on_an_island_is_answered_the_same_in_the_cluster() {
    let mut island = Island::new(3).await;
    let request = RequestId([5; 16]);
    let command = AnyCommand::Alerts(Alerts::Raise(Box::new(raise(
        Severity::High,
        0,
        &[&["ana"]],
    ))));
    let actor = Actor::ApiKey { id: "k".to_owned() };
    let first = island.run_as(request, actor.clone(), command.clone()).await;
    let mut cluster = Cluster::new().await;
    cluster.merge(NodeId(3), island.journal.clone()).await;
    let entry = cluster.world.entry(request, [0; 32], actor, None, command);
    let again = crate::apply_batch(&mut cluster.world.conn, &[entry])
        .await
        .unwrap();
    assert_eq!(again, [first]);
}

#[tokio::test]
async fn what_nothing_can_be_made_of_is_shown_and_stops_nothing() {
    let mut island = Island::new(3).await;
    island.raise(Severity::High, &[1]).await;
    let request = RequestId([5; 16]);
    let other_body = Fact::Request(RequestFact {
        request,
        body: [9; 32],
        outcome: Outcome::Unchanged,
        applied_at: Timestamp(1),
    });
    let mut cluster = Cluster::new().await;
    let key = Actor::ApiKey { id: "k".to_owned() };
    let command = AnyCommand::Alerts(Alerts::Raise(Box::new(raise(
        Severity::High,
        0,
        &[&["ana"]],
    ))));
    let entry = cluster.world.entry(request, [0; 32], key, None, command);
    crate::apply_batch(&mut cluster.world.conn, &[entry])
        .await
        .unwrap();
    let mut facts = vec![other_body];
    facts.extend(island.journal.clone());
    cluster.merge(NodeId(3), facts).await;
    let shown = refused(&mut cluster.world.conn, 10).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (shown[0].origin, shown[0].kind.as_str()),
        (NodeId(3), "request")
    );
    let raised = alerts::find(&mut cluster.world.conn, island.alerts[2])
        .await
        .unwrap();
    assert!(raised.is_some(), "its neighbours were joined");
}

#[tokio::test]
async fn a_fact_waits_for_its_alert_and_for_its_delivery() {
    let mut island = Island::new(3).await;
    island.raise(Severity::High, &[1]).await;
    island.act().await;
    island.send_all(accepted()).await;
    let mut cluster = Cluster::new().await;
    let mut backwards = island.journal.clone();
    backwards.reverse();
    let last = backwards.pop().unwrap();
    for fact in backwards {
        cluster.merge(NodeId(3), vec![fact]).await;
    }
    assert!(orphans(&mut cluster.world.conn).await.unwrap() > 0);
    cluster.merge(NodeId(3), vec![last]).await;
    assert_eq!(orphans(&mut cluster.world.conn).await.unwrap(), 0);
    expect!["bela page 1.0 sms sent\n"]
        .assert_eq(&cluster.world.deliveries(island.alerts[2]).await);
}

#[tokio::test]
async fn an_island_rebuilt_from_its_journal_is_the_same() {
    let mut island = Island::new(2).await;
    island.raise(Severity::High, &[0, 1]).await;
    island.act().await;
    island.send_all(accepted()).await;
    island.answer(2, 0, Answer::Coming).await;
    island.call_off(0).await;
    let mut rebuilt = Island::new(2).await;
    let (at, node) = (island.world.now, island.node);
    apply_facts(&mut rebuilt.world.conn, at, node, &island.journal)
        .await
        .unwrap();
    assert_eq!(
        shown(&mut rebuilt.world.conn).await,
        shown(&mut island.world.conn).await
    );
    assert_eq!(
        merge_digest(&mut rebuilt.world.conn).await.unwrap(),
        merge_digest(&mut island.world.conn).await.unwrap()
    );
    for alert in island.alerts.clone() {
        assert_eq!(
            rebuilt.world.plan(alert).await,
            island.world.plan(alert).await
        );
        assert_eq!(
            rebuilt.world.deliveries(alert).await,
            island.world.deliveries(alert).await
        );
    }
    // Numbers go on where they stopped.
    rebuilt.count = island.count;
    rebuilt.raise(Severity::Low, &[1]).await;
    let next = *rebuilt.alerts.last().unwrap();
    assert_eq!(label_of(&mut rebuilt.world.conn, next).await, "B-2");
}

#[test]
fn what_a_lone_node_may_not_do_is_refused_with_what_to_do_instead() {
    let remove = AnyCommand::Nodes(Nodes::Remove { node: NodeId(1) });
    let people = AnyCommand::Recipients(Recipients::RemoveGroup {
        key: "night".to_owned(),
    });
    let template = AnyCommand::Templates(templates::Command::Archive {
        key: "mail".to_owned(),
    });
    for command in [remove, people, template] {
        let Err(Refusal::NotOnIsland(instead)) = safe(&command) else {
            panic!("a lone node may {command:?}");
        };
        assert!(
            instead.contains("at a node that hears the others"),
            "{instead}"
        );
    }
}

#[tokio::test]
async fn what_piled_up_is_told_in_one_text_and_the_newest_round_only() {
    let mut world = World::new().await;
    for node in [1, 2] {
        world.channel(node, false).await;
    }
    let mut alerts = Vec::new();
    for _ in 0..3 {
        world.pass(30);
        alerts.push(world.raise(Severity::Normal, 0, &[&["bela"]]).await);
    }
    let critical = world.raise(Severity::Critical, 0, &[&["bela"]]).await;
    world.pass(90);
    world.act().await; // a second round of each
    world.pass(20 * 60);
    let now = world.now;
    let nothing = super::backlog(&mut world.conn, now, 10, false)
        .await
        .unwrap();
    assert_eq!(nothing, [], "no channel could take a summary");
    world.channel(1, true).await;
    for _ in 0..3 {
        for command in super::backlog(&mut world.conn, now, 10, false)
            .await
            .unwrap()
        {
            world.run(AnyCommand::Deliveries(command)).await;
        }
    }
    let due = deliveries::due(&mut world.conn, world.now, 100)
        .await
        .unwrap();
    let refs: Vec<AttemptRef> = due.iter().map(|d| d.attempt).collect();
    assert_eq!(refs.len(), 2, "one summary, and the critical alert once");
    assert!(
        world
            .deliveries(critical)
            .await
            .contains("bela page 1.1 sms pending")
    );
    let shown = world.deliveries(alerts[0]).await;
    assert!(shown.contains("expired (told in a summary)"), "{shown}");
    let body: String = sqlx::query_scalar("select body from delivery where purpose = 'summary'")
        .fetch_one(&mut world.conn)
        .await
        .unwrap();
    let mut body = body;
    for alert in &alerts {
        let code = world.code(*alert, "bela").await;
        body = body.replace(&code, "CODE");
    }
    assert_eq!(
        body,
        "Aurora Energy: under avbrottet 3 larm, senast 3 Fire in hall 2. Öppna: 3 (CODE), 2 (CODE), 1 (CODE)"
    );
    // Whoever was told that way is told when it is over.
    let alert = alerts[0];
    world
        .ask(AnyCommand::Alerts(Alerts::CallOff {
            alert,
            reason: String::new(),
        }))
        .await;
    world.act().await;
    assert!(
        world
            .deliveries(alert)
            .await
            .contains("bela call_off 1.0 sms pending")
    );
}
