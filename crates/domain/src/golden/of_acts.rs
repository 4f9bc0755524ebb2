//! Bytes of commands about a running alert's acts and automations.

use crate::alerts::{Act, ActFact, Audience, Command as Alerts, Severity};
use crate::automations::{self, FiredFact};
use crate::islands::{self, Fact};
use crate::{ActId, AlertId, Command, NodeId, RecipientId, Timestamp};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let alert = AlertId([1; 16]);
    let person = RecipientId([2; 16]);
    let act = |name, act| {
        let reason = "knows the pump".to_owned();
        (name, Command::Alerts(Alerts::Act { alert, act, reason }))
    };
    let fact = ActFact {
        alert,
        id: ActId([3; 16]),
        at: Timestamp(1_795_219_200_000),
        by: "operator:n1".to_owned(),
        act: Act::Resume,
        reason: String::new(),
    };
    let fired = FiredFact {
        alert,
        number: 2,
        at: Timestamp(1_795_219_200_000),
        cause: "the team is complete".to_owned(),
        did: vec!["wrote in the room".to_owned()],
    };
    vec![
        act(
            "alerts.act.add",
            Act::Add {
                named: vec!["group:duty".to_owned()],
                people: vec![person],
            },
        ),
        act("alerts.act.next_step", Act::NextStep),
        act("alerts.act.pause", Act::Pause { for_ms: 600_000 }),
        act("alerts.act.resume", Act::Resume),
        act(
            "alerts.act.severity",
            Act::Severity {
                severity: Severity::Critical,
            },
        ),
        act(
            "alerts.act.update",
            Act::Update {
                texts: vec![("en".to_owned(), "Gate 5".to_owned())],
                to: Audience::Silent,
            },
        ),
        act("alerts.act.withdraw", Act::Withdraw { person }),
        (
            "islands.merge.act",
            Command::Islands(islands::Command::Merge {
                origin: NodeId(3),
                facts: vec![Fact::Act(Box::new(fact)), Fact::Fired(fired)],
            }),
        ),
        (
            "automations.follow_up",
            Command::Automations(automations::Command::FollowUp {
                alerts: vec![alert],
            }),
        ),
    ]
}
