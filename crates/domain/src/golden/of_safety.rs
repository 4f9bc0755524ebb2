//! Bytes of what belongs to safety checks, reminders and quotas of the directory.

use crate::alerts::{AlertKind, Answer, Command as Alerts, Conduct, Raise};
use crate::escalation::{Command as Escalation, Mark, MarkFact};
use crate::islands::{Command as Islands, Fact};
use crate::{AlertId, Command, NodeId, RecipientId, Timestamp};

pub(super) fn samples(raise: Raise) -> Vec<(&'static str, Command)> {
    let (alert, recipient) = (AlertId([4; 16]), RecipientId([1; 16]));
    let mark = |mark| {
        Command::Alerts(Alerts::Mark {
            alert,
            recipient,
            by: "Kalle, gate 3".to_owned(),
            mark,
        })
    };
    let answer = |answer| {
        Command::Alerts(Alerts::Answer {
            alert,
            recipient,
            answer,
            eta_min: None,
        })
    };
    let check = Raise {
        answers: Vec::new(),
        conduct: Conduct {
            kind: AlertKind::SafetyCheck,
            ..Conduct::default()
        },
        template: None,
        ..raise
    };
    let seen = Fact::Mark(MarkFact {
        alert,
        recipient,
        by: "Kalle, gate 3".to_owned(),
        mark: Mark {
            at: Timestamp(7),
            answer: Answer::Safe,
            via: "key:k1".to_owned(),
        },
    });
    vec![
        (
            "alerts.raise.safety_check",
            Command::Alerts(Alerts::Raise(Box::new(check))),
        ),
        ("alerts.mark.need_help", mark(Answer::NeedHelp)),
        ("alerts.mark.not_on_site", mark(Answer::NotOnSite)),
        ("alerts.answer.safe", answer(Answer::Safe)),
        ("alerts.answer.not_on_site", answer(Answer::NotOnSite)),
        (
            "escalation.tend",
            Command::Escalation(Escalation::Tend { alert }),
        ),
        (
            "islands.merge.mark",
            Command::Islands(Islands::Merge {
                origin: NodeId(2),
                facts: vec![seen],
            }),
        ),
    ]
}
