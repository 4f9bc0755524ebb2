//! Commands about the audit.

use crate::audit::{AuditFact, Command as Audit, Event, Seal, What};
use crate::islands::{self, Fact};
use crate::{Command, NodeId, RequestId, Timestamp};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let command = |name, command| (name, Command::Audit(command));
    let whats = [
        What::Denied,
        What::Started,
        What::Exported,
        What::BackedUp,
        What::Power,
        What::Disk,
        What::Channel,
    ];
    let event = |what| Event {
        at: Timestamp(7),
        actor: "key:k1".to_owned(),
        assurance: "key".to_owned(),
        what,
        object: "GET /v1/audit".to_owned(),
        count: 3,
        details: vec![("status".to_owned(), "403".to_owned())],
    };
    let fact = AuditFact {
        at: Timestamp(7),
        node: "island:n2".to_owned(),
        actor: "operator:n2".to_owned(),
        assurance: "local".to_owned(),
        action: "alert.raise".to_owned(),
        object: "alert:01".to_owned(),
        outcome: "applied".to_owned(),
        request: RequestId([9; 16]),
        commit: vec![1; 32],
        salt: vec![2; 16],
        details: "{}".to_owned(),
    };
    vec![
        command(
            "audit.note",
            Audit::Note {
                node: NodeId(2),
                events: whats.map(event).to_vec(),
            },
        ),
        command("audit.mark", Audit::Mark),
        command(
            "audit.seal",
            Audit::Seal(Seal {
                node: NodeId(2),
                epoch: 1,
                seq: 300,
                head: [5; 32],
                signature: vec![6; 64],
            }),
        ),
        command(
            "audit.set_key",
            Audit::SetKey {
                node: NodeId(2),
                key: [8; 32],
            },
        ),
        command(
            "audit.erase",
            Audit::Erase {
                seq: 12,
                reason: "asked for by the person".to_owned(),
            },
        ),
        (
            "islands.merge_audit",
            Command::Islands(islands::Command::Merge {
                origin: NodeId(2),
                facts: vec![Fact::Audit(Box::new(fact))],
            }),
        ),
    ]
}
