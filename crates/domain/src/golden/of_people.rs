//! Commands about people and who may ask for what.

use crate::{Command, ImportId, Timestamp, access, recipients};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let person = recipients::Person {
        key: "ana".to_owned(),
        name: "Ana".to_owned(),
        language: "fi".to_owned(),
        methods: vec![
            recipients::ContactMethod::Sms("+358401000001".to_owned()),
            recipients::ContactMethod::Email("ana@example.org".to_owned()),
        ],
        details: details(),
    };
    let group = recipients::Group {
        key: "night".to_owned(),
        name: "Night".to_owned(),
        members: vec!["ana".into(), "group:day".into()],
        rule: recipients::Rule {
            all_of: vec![
                recipients::Criterion::Kind(recipients::PersonKind::Authority),
                recipients::Criterion::Site("Turku".to_owned()),
            ],
            any_of: vec![
                recipients::Criterion::Tag("pager".to_owned()),
                recipients::Criterion::Skill("fire".to_owned()),
            ],
        },
    };
    let import = recipients::Import {
        source: "staff.csv".to_owned(),
        people: vec![person.clone()],
        joins: vec![recipients::Join {
            group: "night".to_owned(),
            people: vec!["ana".to_owned()],
        }],
        absent: vec!["bela".to_owned()],
    };
    let verify = recipients::Verify {
        person: "ana".to_owned(),
        method: recipients::ContactMethod::Sms("+358401000001".to_owned()),
        found: recipients::Found::Failed,
        how: "called".to_owned(),
    };
    let key = access::CreateKey {
        id: "k1".to_owned(),
        name: "monitoring".to_owned(),
        secret_hash: [1; 32],
        scopes: vec!["alert:create".to_owned()],
        expires_at: Some(Timestamp(9)),
    };
    vec![
        (
            "access.create_key",
            Command::Access(access::Command::CreateKey(key)),
        ),
        (
            "access.revoke_key",
            Command::Access(access::Command::RevokeKey {
                id: "k1".to_owned(),
            }),
        ),
        (
            "recipients.put_people",
            Command::Recipients(recipients::Command::PutPeople {
                people: vec![person],
            }),
        ),
        (
            "recipients.remove_person",
            Command::Recipients(recipients::Command::RemovePerson {
                key: "ana".to_owned(),
            }),
        ),
        (
            "recipients.put_groups",
            Command::Recipients(recipients::Command::PutGroups {
                groups: vec![group],
            }),
        ),
        (
            "recipients.remove_group",
            Command::Recipients(recipients::Command::RemoveGroup {
                key: "night".to_owned(),
            }),
        ),
        (
            "recipients.verify",
            Command::Recipients(recipients::Command::Verify(verify)),
        ),
        (
            "recipients.import",
            Command::Recipients(recipients::Command::Import(import)),
        ),
        (
            "recipients.decide_import",
            Command::Recipients(recipients::Command::DecideImport {
                import: ImportId([4; 16]),
                approve: true,
            }),
        ),
        (
            "recipients.freeze_imports",
            Command::Recipients(recipients::Command::FreezeImports {
                reason: "merger".to_owned(),
            }),
        ),
        (
            "recipients.thaw_imports",
            Command::Recipients(recipients::Command::ThawImports),
        ),
        (
            "recipients.allow_prefixes",
            Command::Recipients(recipients::Command::AllowPrefixes {
                prefixes: vec!["+358".to_owned()],
            }),
        ),
        (
            "recipients.bar_prefixes",
            Command::Recipients(recipients::Command::BarPrefixes {
                barred: vec![recipients::Barred {
                    prefix: "+881".to_owned(),
                    what: "satellite".to_owned(),
                }],
            }),
        ),
    ]
}

fn details() -> recipients::Details {
    recipients::Details {
        kind: recipients::PersonKind::Supplier,
        duty: true,
        more_languages: vec!["sv".to_owned()],
        zone: "Europe/Helsinki".to_owned(),
        tags: vec!["pager".to_owned()],
        skills: vec!["fire".to_owned()],
        sites: vec!["Turku".to_owned()],
        hours: vec![recipients::Window {
            day: 6,
            from: 480,
            until: 960,
        }],
        wishes: recipients::Wishes {
            never_voice: true,
            wake_by: Some("bela".to_owned()),
            answer_minutes: Some(15),
        },
        note: "by the stairs".to_owned(),
    }
}
