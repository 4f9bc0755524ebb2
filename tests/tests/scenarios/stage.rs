//! A small organisation and the words scenarios are told in.
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

use std::time::Duration;

use domain::alerts::{self, Raise, Severity, Status, Step};
use domain::nodes::{Admit, Command as Nodes, Found};
use domain::ports::{Freshness, Proposal, Replica};
use domain::recipients::{Command as Recipients, ContactMethod, Details, Person};
use domain::{
    AlertId, Command, NodeId, Outcome, Receipt, RecipientId, RequestId, deliveries, escalation,
};
use tests::world::World;

pub(crate) const ANA: &str = "+358401000001";
pub(crate) const BELA: &str = "+46701000002";
pub(crate) const DORA: &str = "+441000000004";

/// Three nodes with a modem each; ana (fi), bela (sv) and dora (en), each with a number.
pub(crate) async fn three_nodes() -> World {
    let mut world = World::new(3).await;
    let found = Found {
        cluster_id: [7; 16],
        organisation: "Aurora Energy".to_owned(),
        node_name: "alpha".to_owned(),
        pin: [1; 32],
        addresses: vec![],
    };
    ask(&world, Command::Nodes(Nodes::Found(found))).await;
    for (name, token_hash) in [("beta", [2; 32]), ("gamma", [3; 32])] {
        let invite = Nodes::IssueInvite {
            token_hash,
            expires_in_ms: 900_000,
        };
        ask(&world, Command::Nodes(invite)).await;
        let admit = Admit {
            token_hash,
            node_name: name.to_owned(),
            pin: token_hash,
            addresses: vec![],
        };
        ask(&world, Command::Nodes(Nodes::Admit(admit))).await;
    }
    let person = |key: &str, language: &str, number: &str| Person {
        key: key.to_owned(),
        name: key.to_uppercase(),
        language: language.to_owned(),
        methods: vec![ContactMethod::Sms(number.to_owned())],
        details: Details::default(),
    };
    let people = vec![
        person("ana", "fi", ANA),
        person("bela", "sv", BELA),
        person("dora", "en", DORA),
    ];
    ask(
        &world,
        Command::Recipients(Recipients::PutPeople { people }),
    )
    .await;
    world.settle().await;
    world
}

/// Applies a command on an operator's behalf and expects it to be taken.
pub(crate) async fn ask(world: &World, command: Command) -> Outcome {
    let request = RequestId::derive(&[b"stage", &world.applied().to_be_bytes()]);
    let proposal = Proposal::by_operator(NodeId(1), request, command);
    let outcome = world
        .foremost()
        .replica()
        .propose(proposal)
        .await
        .unwrap()
        .outcome;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    outcome
}

/// Raises an alert for people in steps one minute apart.
pub(crate) async fn raise(world: &World, severity: Severity, steps: &[&[&str]]) -> AlertId {
    raise_this(world, like(severity, steps)).await
}

/// A raise for people in steps one minute apart.
pub(crate) fn like(severity: Severity, steps: &[&[&str]]) -> Raise {
    let steps = steps
        .iter()
        .zip(0..)
        .map(|(keys, step)| Step {
            delay_ms: step * 60_000,
            recipients: keys.iter().map(|key| RecipientId::of_key(key)).collect(),
            enough: Vec::new(),
        })
        .collect();
    Raise {
        severity,
        status: Status::Actual,
        texts: vec![("en".to_owned(), "Fire in hall 2".to_owned())],
        gather: String::new(),
        gather_in: Vec::new(),
        aware_at: None,
        steps,
        notes: Vec::new(),
        needed: 1,
        repeat_every_ms: 600_000,
        repeats: 1,
        validity_ms: 3_600_000,
        fallback: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: alerts::Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: None,
        source: "control room".to_owned(),
        template: None,
    }
}

pub(crate) async fn raise_this(world: &World, raise: Raise) -> AlertId {
    let outcome = ask(
        world,
        Command::Alerts(alerts::Command::Raise(Box::new(raise))),
    )
    .await;
    let Outcome::Applied(Receipt::Alert { id, .. }) = outcome else {
        panic!("not raised: {outcome:?}");
    };
    id
}

pub(crate) async fn call_off(world: &World, alert: AlertId) {
    let reason = "false alarm".to_owned();
    ask(
        world,
        Command::Alerts(alerts::Command::CallOff { alert, reason }),
    )
    .await;
}

/// The code a person has for an alert.
pub(crate) async fn code(world: &World, alert: AlertId, key: &str) -> String {
    let mut view = world
        .foremost()
        .replica()
        .read(Freshness::Local)
        .await
        .unwrap();
    let id = RecipientId::of_key(key);
    let called = escalation::called(&mut view, alert, 0, 100).await.unwrap();
    called
        .into_iter()
        .find(|call| call.recipient == id)
        .unwrap()
        .code
}

/// State of each page of an alert, with the person's key.
pub(crate) async fn states(world: &World, alert: AlertId) -> Vec<(String, &'static str)> {
    let mut view = world
        .foremost()
        .replica()
        .read(Freshness::Local)
        .await
        .unwrap();
    let rows = deliveries::of_alert(&mut view, alert, 0, 100)
        .await
        .unwrap();
    rows.into_iter()
        .filter(|row| row.purpose == deliveries::Purpose::Page)
        .map(|row| (row.recipient_key, row.state.name()))
        .collect()
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
