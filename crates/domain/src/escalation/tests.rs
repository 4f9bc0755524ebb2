//! Transcripts of plans: pages, codes and the actions that keep an alert alive.

use std::collections::BTreeSet;

use super::{Command, due};
use crate::recipients::Command as Recipients;
use crate::transcript::{World, person, raise, sms};
use crate::vocabulary::Severity;
use crate::{Command as AnyCommand, Outcome, Receipt, RecipientId, Refusal, alerts};

#[tokio::test]
async fn only_the_next_page_is_expanded() {
    let mut world = World::new().await;
    let people: Vec<_> = (0..4_500)
        .map(|n| person(&format!("p{n}"), "en", &[sms(&format!("+35840{n:07}"))]))
        .collect();
    world
        .run(AnyCommand::Recipients(Recipients::PutPeople { people }))
        .await;
    let keys: Vec<String> = (0..4_500).map(|n| format!("p{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let new = raise(Severity::Normal, 0, &[&keys]);
    let Outcome::Applied(Receipt::Alert { id: alert, .. }) = world
        .ask(AnyCommand::Alerts(alerts::Command::Raise(new)))
        .await
    else {
        panic!("not raised");
    };
    let expand = |page| AnyCommand::Escalation(Command::ExpandPage { alert, page });
    assert_eq!(
        world.run(expand(1)).await,
        Outcome::Refused(Refusal::NotNextPage { asked: 1, next: 0 })
    );
    for page in 0..3 {
        assert_eq!(
            world.run(expand(page)).await,
            Outcome::Applied(Receipt::None)
        );
    }
    assert_eq!(world.run(expand(2)).await, Outcome::Unchanged);
    let counts = crate::deliveries::counts(&mut world.conn, Some(alert))
        .await
        .unwrap();
    assert_eq!(counts, [(crate::deliveries::State::Pending, 4_500)]);
}

#[tokio::test]
async fn a_person_has_another_code_for_every_alert() {
    let mut world = World::new().await;
    let mut codes = BTreeSet::new();
    for _ in 0..60 {
        let alert = world.raise(Severity::Normal, 300, &[&["ana"]]).await;
        let code = world.code(alert, "ana").await;
        assert_eq!(code.len(), 4);
        assert!(codes.insert(code), "a code in use was drawn again");
    }
}

#[tokio::test]
async fn every_open_alert_has_a_next_action_until_it_is_over() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Normal, 60, &[&["ana"], &["bela"]])
        .await;
    for _ in 0..40 {
        let plan = super::plan(&mut world.conn, alert).await.unwrap().unwrap();
        assert!(!plan.next_action.is_empty());
        let next = plan.next_due.unwrap();
        assert!(next > world.now, "what was due has been done");
        world.now = next;
        world.act().await;
    }
    world
        .ask(AnyCommand::Alerts(alerts::Command::Resolve {
            alert,
            note: String::new(),
        }))
        .await;
    world.pass(1_000_000);
    assert_eq!(due(&mut world.conn, world.now, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_late_or_repeated_action_changes_nothing() {
    let mut world = World::new().await;
    let alert = world
        .raise(Severity::Normal, 60, &[&["ana"], &["bela"]])
        .await;
    let advance = AnyCommand::Escalation(Command::Advance { alert, step: 1 });
    assert_eq!(
        world.run(advance.clone()).await,
        Outcome::Applied(Receipt::None)
    );
    assert_eq!(world.run(advance).await, Outcome::Unchanged);
    let ana = RecipientId::of_key("ana");
    let coming = alerts::Command::Answer {
        alert,
        recipient: ana,
        answer: crate::vocabulary::Answer::Coming,
    };
    world.ask(AnyCommand::Alerts(coming)).await;
    let repeat = AnyCommand::Escalation(Command::Repeat { alert, round: 1 });
    assert_eq!(
        world.run(repeat).await,
        Outcome::Unchanged,
        "enough people are coming"
    );
}
