//! Commands of sources as the log holds them.

use crate::vocabulary::{Severity, Status};
use crate::{AlertId, Command, Timestamp, oncall, recipients, reports, sources};

/// One command of each form.
pub(super) fn samples() -> Vec<(&'static str, Command)> {
    use sources::Command as Sources;
    let key = || "prom".to_owned();
    let text = || vec![("en".to_owned(), "down".to_owned())];
    let arrival = |what| sources::Arrival {
        source: key(),
        what,
    };
    let mut all: Vec<(&str, Sources)> = vec![
        ("sources.remove", Sources::Remove { key: key() }),
        (
            "sources.set_token",
            Sources::SetToken {
                key: key(),
                token_hash: [7; 32],
            },
        ),
        (
            "sources.take",
            Sources::Take {
                arrivals: vec![
                    arrival(sources::Arrived::Beat),
                    arrival(sources::Arrived::Word(sources::Word {
                        about: sources::About::Alert(AlertId([1; 16])),
                        text: key(),
                    })),
                    arrival(sources::Arrived::Word(sources::Word {
                        about: sources::About::Key(key()),
                        text: key(),
                    })),
                    arrival(sources::Arrived::Signal(sources::Signal {
                        key: "db1".to_owned(),
                        texts: text(),
                        severity: Severity::High,
                        status: Status::Actual,
                        labels: vec![("site".to_owned(), "north".to_owned())],
                        resolved: false,
                    })),
                ],
            },
        ),
        (
            "sources.follow_up",
            Sources::FollowUp {
                due: [
                    sources::DueWhat::Beat { source: key() },
                    sources::DueWhat::Bundle {
                        alert: AlertId([1; 16]),
                    },
                    sources::DueWhat::Settled {
                        source: key(),
                        key: key(),
                    },
                    sources::DueWhat::Silence { id: key() },
                    sources::DueWhat::Stop,
                ]
                .map(|what| sources::Due {
                    what,
                    at: Timestamp(9),
                })
                .to_vec(),
            },
        ),
        ("sources.end_silence", Sources::EndSilence { id: key() }),
        (
            "sources.stop_all",
            Sources::StopAll {
                reason: key(),
                for_ms: 60_000,
            },
        ),
        ("sources.resume", Sources::Resume),
        (
            "sources.set",
            Sources::Set(sources::Settings {
                person_alarms: 5,
                duty: vec![oncall::Called::OnCall(key())],
            }),
        ),
        (
            "sources.redirect",
            Sources::Redirect {
                source: key(),
                redirect: Some(sources::Redirect {
                    to: oncall::Called::OnCall(key()),
                    until: Some(Timestamp(9)),
                    reason: key(),
                }),
            },
        ),
        (
            "sources.redirect.back",
            Sources::Redirect {
                source: key(),
                redirect: None,
            },
        ),
    ];
    for (name, kind, test) in [
        (
            "sources.put_silence",
            sources::SilenceKind::Silence,
            sources::Test::Is,
        ),
        (
            "sources.put_silence.maintenance",
            sources::SilenceKind::Maintenance,
            sources::Test::Begins,
        ),
    ] {
        let matchers = [test, sources::Test::IsNot].map(|test| sources::Matcher {
            label: key(),
            test,
            value: key(),
        });
        let silence = sources::Silence {
            id: key(),
            kind,
            source: key(),
            matchers: matchers.to_vec(),
            from: Timestamp(1),
            until: Timestamp(2),
            reason: key(),
        };
        all.push((name, Sources::PutSilence(silence)));
    }
    for (name, kind) in [
        ("sources.put.webhook", sources::Kind::Webhook),
        ("sources.put.alertmanager", sources::Kind::Alertmanager),
        ("sources.put.grafana", sources::Kind::Grafana),
        ("sources.put.email", sources::Kind::Email),
        ("sources.put.heartbeat", sources::Kind::Heartbeat),
        ("sources.put.cap", sources::Kind::Cap),
        ("sources.put.snmp", sources::Kind::Snmp),
        ("sources.put.contact", sources::Kind::Contact),
    ] {
        let beats = kind == sources::Kind::Heartbeat;
        let source = sources::Source {
            key: key(),
            name: key(),
            kind,
            calls: vec![oncall::Called::Named(recipients::Named::Group(
                "duty".to_owned(),
            ))],
            severity: Severity::High,
            severities: vec![("page".to_owned(), Severity::Critical)],
            gather: String::new(),
            mapping: sources::Mapping {
                each: "/alerts".to_owned(),
                key: "{id}".to_owned(),
                texts: text(),
                severity: "{level}".to_owned(),
                resolved: "{status}".to_owned(),
                resolved_when: vec!["ok".to_owned()],
                labels: "/labels".to_owned(),
                status: String::new(),
            },
            on_resolve: match beats {
                true => sources::OnResolve::Note,
                false => sources::OnResolve::Close,
            },
            brake: sources::Brake::default(),
            beat: beats.then_some(sources::Beat {
                every_ms: 60_000,
                grace_ms: 30_000,
            }),
            enabled: true,
            answers: false,
        };
        let source = Box::new(source);
        all.push((name, Sources::Put { source }));
    }
    all.into_iter()
        .map(|(name, command)| (name, Command::Sources(command)))
        .chain(of_reports())
        .collect()
}

fn of_reports() -> Vec<(&'static str, Command)> {
    use reports::{Command as Reports, Decision};
    let text = || "smoke".to_owned();
    let take = Reports::Take(reports::Report {
        who: text(),
        contact: text(),
        language: text(),
        what: text(),
        via: text(),
    });
    let raise = Box::new(super::raise(Severity::High, Status::Actual));
    let decisions = [
        ("reports.decide.wait", Decision::Wait { for_ms: 60_000 }),
        ("reports.decide.convene", Decision::Convene { raise }),
        ("reports.decide.no_action", Decision::NoAction),
        ("reports.decide.over", Decision::Over),
    ];
    let decide = |decision| Reports::Decide {
        number: 7,
        decision,
        reason: text(),
    };
    let follow_up = Reports::FollowUp {
        due: vec![
            reports::Due::Waited {
                number: 7,
                at: Timestamp(9),
            },
            reports::Due::AlertClosed { number: 8 },
        ],
    };
    std::iter::once(("reports.take", take))
        .chain(decisions.map(|(name, decision)| (name, decide(decision))))
        .chain([("reports.follow_up", follow_up)])
        .map(|(name, command)| (name, Command::Reports(command)))
        .collect()
}
