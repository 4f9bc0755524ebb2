//! Bytes of commands about templates.

use std::collections::BTreeMap;

use crate::alerts::{Answer, Cause, Conduct, FromTemplate, Severity, Status};
use crate::oncall::{Of, WantedQuota};
use crate::templates::{
    Attachment, ByLanguage, Command as Templates, Document, Gather, Item, Placeholder, Policy,
    Price, Step, Template,
};
use crate::vocabulary::{Automation, Effect, When, Word};
use crate::{AlertId, Command, RecipientId};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let key = || "mail".to_owned();
    let command = |name, command| (name, Command::Templates(command));
    let policy = Policy {
        link_hosts: vec!["plans.example.org".to_owned()],
        price: Some(Price {
            micros: 45_000,
            currency: "EUR".to_owned(),
        }),
    };
    vec![
        command("templates.put", Templates::Put(Box::new(template()))),
        command("templates.archive", Templates::Archive { key: key() }),
        command(
            "templates.restore",
            Templates::Restore {
                key: key(),
                version: Some(3),
            },
        ),
        command(
            "templates.install_starter",
            Templates::InstallStarter {
                templates: vec![template()],
            },
        ),
        command("templates.set_policy", Templates::SetPolicy(policy)),
    ]
}

/// What a template gives an alert.
pub(super) fn from_template() -> FromTemplate {
    let template = template();
    FromTemplate {
        key: template.key,
        version: 3,
        name: template.name,
        values: words("what", "Mail"),
        gather: template.gather,
        checklist: template.checklist,
        documents: template.documents,
        attachments: template.attachments,
        automations: template.automations,
        requester: Some(RecipientId([5; 16])),
        cause: Some(Cause {
            alert: AlertId([6; 16]),
            automation: 1,
            depth: 2,
            above: vec!["power".to_owned()],
        }),
    }
}

/// One of each condition and effect.
fn automations() -> Vec<Automation> {
    let among = || vec!["group:duty".to_owned()];
    vec![
        Automation {
            when: When::Answered {
                count: 2,
                answer: Some(Answer::NeedHelp),
                among: among(),
            },
            then: vec![
                Effect::Raise {
                    template: "power".to_owned(),
                    values: words("what", "Mail"),
                },
                Effect::Add { to: among() },
                Effect::Post {
                    text: "Begin".to_owned(),
                },
            ],
        },
        Automation {
            when: When::Nobody {
                after_ms: 300_000,
                answer: None,
                among: Vec::new(),
            },
            then: vec![
                Effect::Severity {
                    severity: Severity::Critical,
                },
                Effect::Tell {
                    news: Word::NotReached,
                },
            ],
        },
        Automation {
            when: When::Complete,
            then: vec![Effect::Tell {
                news: Word::Complete,
            }],
        },
        Automation {
            when: When::Incomplete { after_ms: 600_000 },
            then: vec![Effect::Close {
                note: "over".to_owned(),
            }],
        },
    ]
}

fn words(key: &str, text: &str) -> ByLanguage {
    ByLanguage::from([(key.to_owned(), text.to_owned())])
}

fn template() -> Template {
    let gather = Gather {
        place: "Gate 2".to_owned(),
        alternate: "Gate 5".to_owned(),
        bridge: "+35891234".to_owned(),
        pin: "77".to_owned(),
    };
    Template {
        key: "mail".to_owned(),
        name: "Mail down".to_owned(),
        fallback: "en".to_owned(),
        texts: words("en", "{what} is down"),
        placeholders: vec![Placeholder {
            name: "what".to_owned(),
            required: false,
            example: words("en", "Mail"),
            default: words("en", "A system"),
        }],
        severity: Severity::Critical,
        status: Status::Exercise,
        steps: vec![Step {
            delay_ms: 60_000,
            to: vec!["group:duty".to_owned()],
            enough: vec![WantedQuota {
                what: String::new(),
                count: 1,
                of: Of::Skill("medic".to_owned()),
            }],
        }],
        needed: 2,
        repeats: 3,
        repeat_every_ms: 300_000,
        validity_ms: 3_600_000,
        channels: vec!["sms".to_owned(), "email".to_owned()],
        answers: vec![Answer::Coming, Answer::Cannot],
        conduct: Conduct {
            reminders: 2,
            remind_every_ms: 300_000,
            ..Conduct::default()
        },
        lead: vec!["group:duty".to_owned()],
        gather: BTreeMap::from([("en".to_owned(), gather)]),
        checklist: vec![Item {
            owner: words("en", "IT on duty"),
            text: words("en", "Check {what}"),
        }],
        documents: vec![Document {
            label: words("en", "Plan"),
            url: "https://plans.example.org/mail".to_owned(),
        }],
        attachments: vec![Attachment {
            name: "plan.pdf".to_owned(),
            bytes: 12_345,
            sha256: "ab".repeat(32),
        }],
        notes: "Call the provider first.".to_owned(),
        automations: automations(),
    }
}
