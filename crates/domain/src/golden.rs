//! Bytes of every released command. A command in the log is read by every later version, so these never change: a
//! failing line means a released struct or the order of variants was touched. New forms add lines.
//! `HOLDFAST_BLESS=1` writes the file anew, for lines that are new.

use std::fmt::Write as _;

use crate::envelope::{Actor, Envelope, LeaderStamp};
use crate::{
    AlertId, Command, DeliveryId, NodeId, RecipientId, RequestId, RoomId, Timestamp, access,
    alerts, codec, conversations, deliveries, escalation, inbound, nodes, recipients, requests,
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/commands.txt");

#[test]
fn released_commands_keep_their_bytes() {
    let mut now = String::new();
    for (name, command) in samples() {
        let bytes = codec::encode(&envelope(command.clone())).unwrap();
        let back: Envelope = codec::decode(&bytes).unwrap();
        assert_eq!(back.command, command, "{name}");
        writeln!(now, "{name} {}", data_encoding::HEXLOWER.encode(&bytes)).unwrap();
    }
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        std::fs::write(GOLDEN, &now).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (golden, now) in golden.lines().zip(now.lines()) {
        assert_eq!(golden, now);
    }
    assert_eq!(golden.lines().count(), now.lines().count());
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    for (_, command) in samples() {
        let bytes = codec::encode(&envelope(command)).unwrap();
        for length in 0..bytes.len() {
            assert!(codec::decode::<Envelope>(&bytes[..length]).is_err());
        }
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0xff;
            // Some flips give another valid command; none may panic or allocate without bound.
            drop(codec::decode::<Envelope>(&damaged));
        }
    }
}

fn envelope(command: Command) -> Envelope {
    Envelope {
        request: RequestId([1; 16]),
        issued_at: Timestamp(1_795_219_200_000),
        issued_by: NodeId(2),
        seed: [3; 16],
        body: [4; 32],
        actor: Actor::ApiKey {
            id: "k1".to_owned(),
        },
        decided_under: Some(LeaderStamp {
            term: 5,
            node: NodeId(6),
        }),
        command,
    }
}

fn samples() -> Vec<(&'static str, Command)> {
    let mut all = vec![(
        "requests.prune",
        Command::Requests(requests::Command::Prune {
            before: Timestamp(7),
        }),
    )];
    all.extend(of_nodes());
    all.extend(of_people());
    all.extend(of_deliveries());
    all.extend(of_alerts());
    all
}

fn of_nodes() -> Vec<(&'static str, Command)> {
    let addresses = || vec!["192.0.2.1:7400".to_owned()];
    let channel = nodes::ChannelReport {
        name: "modem".to_owned(),
        kind: "sms".to_owned(),
        up: true,
        reason: String::new(),
        operator: "24405".to_owned(),
        number: "+358500000001".to_owned(),
        signal_dbm: Some(-71),
        rate_per_min: 10,
    };
    let command = |name, command| (name, Command::Nodes(command));
    vec![
        command(
            "nodes.found",
            nodes::Command::Found(nodes::Found {
                cluster_id: [1; 16],
                organisation: "Aurora".to_owned(),
                node_name: "alpha".to_owned(),
                pin: [2; 32],
                addresses: addresses(),
            }),
        ),
        command(
            "nodes.issue_invite",
            nodes::Command::IssueInvite {
                token_hash: [1; 32],
                expires_in_ms: 900_000,
            },
        ),
        command(
            "nodes.admit",
            nodes::Command::Admit(nodes::Admit {
                token_hash: [1; 32],
                node_name: "beta".to_owned(),
                pin: [2; 32],
                addresses: addresses(),
            }),
        ),
        command("nodes.remove", nodes::Command::Remove { node: NodeId(2) }),
        command(
            "nodes.report_channels",
            nodes::Command::ReportChannels {
                node: NodeId(2),
                channels: vec![channel],
            },
        ),
        command(
            "nodes.set_reachable",
            nodes::Command::SetReachable {
                node: NodeId(2),
                reachable: false,
            },
        ),
        command(
            "nodes.set_identity",
            nodes::Command::SetIdentity {
                node: NodeId(2),
                pins: vec![[1; 32], [2; 32]],
                addresses: addresses(),
            },
        ),
    ]
}

fn of_people() -> Vec<(&'static str, Command)> {
    let person = recipients::Person {
        key: "ana".to_owned(),
        name: "Ana".to_owned(),
        language: "fi".to_owned(),
        methods: vec![
            recipients::ContactMethod::Sms("+358401000001".to_owned()),
            recipients::ContactMethod::Email("ana@example.org".to_owned()),
        ],
    };
    let group = recipients::Group {
        key: "night".to_owned(),
        name: "Night".to_owned(),
        members: vec!["ana".to_owned()],
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
    ]
}

fn of_deliveries() -> Vec<(&'static str, Command)> {
    use deliveries::{Command as Deliveries, Report, SendOutcome};
    let attempt = deliveries::AttemptRef {
        delivery: DeliveryId([1; 16]),
        attempt: 2,
    };
    let result = |outcome| deliveries::AttemptResult {
        attempt,
        outcome,
        parts: 1,
        text_hash: [5; 8],
        wall_ms: 6,
    };
    let report = |report| deliveries::AttemptReport { attempt, report };
    let detail = || "n1".to_owned();
    let command = |name, command| (name, Command::Deliveries(command));
    vec![
        command(
            "deliveries.assign",
            Deliveries::Assign {
                assignments: vec![deliveries::Assignment {
                    attempt,
                    node: NodeId(3),
                    channel: "modem".to_owned(),
                }],
            },
        ),
        command(
            "deliveries.record_attempts",
            Deliveries::RecordAttempts {
                node: NodeId(3),
                results: vec![
                    result(SendOutcome::Accepted { detail: detail() }),
                    result(SendOutcome::Refused {
                        permanent: true,
                        detail: detail(),
                    }),
                    result(SendOutcome::Unknown { detail: detail() }),
                ],
            },
        ),
        command(
            "deliveries.record_reports",
            Deliveries::RecordReports {
                reports: vec![
                    report(Report::Delivered { detail: detail() }),
                    report(Report::Delayed { detail: detail() }),
                    report(Report::Failed { detail: detail() }),
                ],
            },
        ),
        command(
            "deliveries.reclaim",
            Deliveries::Reclaim {
                attempts: vec![attempt],
            },
        ),
        command(
            "deliveries.resend",
            Deliveries::Resend {
                deliveries: vec![DeliveryId([1; 16])],
            },
        ),
        command(
            "deliveries.activate",
            Deliveries::Activate {
                deliveries: vec![DeliveryId([1; 16])],
            },
        ),
        command(
            "deliveries.expire",
            Deliveries::Expire {
                deliveries: vec![DeliveryId([1; 16])],
            },
        ),
    ]
}

fn of_alerts() -> Vec<(&'static str, Command)> {
    use alerts::{Answer, Command as Alerts, Severity, Status};
    use escalation::Command as Escalation;
    let alert = AlertId([1; 16]);
    let recipient = RecipientId([2; 16]);
    let raise = |severity, status| alerts::Raise {
        severity,
        status,
        texts: vec![("en".to_owned(), "Fire".to_owned())],
        gather: "Gate 2".to_owned(),
        aware_at: Some(Timestamp(8)),
        steps: vec![alerts::Step {
            delay_ms: 60_000,
            recipients: vec![recipient],
        }],
        needed: 1,
        repeat_every_ms: 300_000,
        repeats: 2,
        validity_ms: 3_600_000,
        dedup_key: Some("pump-4".to_owned()),
        source: "scada".to_owned(),
    };
    let note = || "note".to_owned();
    let mut all = vec![
        (
            "conversations.post",
            Command::Conversations(conversations::Command::Post {
                room: RoomId([1; 16]),
                author: "Ana".to_owned(),
                text: "here".to_owned(),
            }),
        ),
        (
            "escalation.expand_page",
            Command::Escalation(Escalation::ExpandPage { alert, page: 3 }),
        ),
        (
            "escalation.advance",
            Command::Escalation(Escalation::Advance { alert, step: 1 }),
        ),
        (
            "escalation.repeat",
            Command::Escalation(Escalation::Repeat { alert, round: 1 }),
        ),
        (
            "escalation.review",
            Command::Escalation(Escalation::Review { alert, round: 1 }),
        ),
        (
            "escalation.expand_call_off",
            Command::Escalation(Escalation::ExpandCallOff { alert, page: 3 }),
        ),
        (
            "alerts.raise.low",
            Command::Alerts(Alerts::Raise(raise(Severity::Low, Status::Test))),
        ),
        (
            "alerts.raise.normal",
            Command::Alerts(Alerts::Raise(raise(Severity::Normal, Status::Exercise))),
        ),
        (
            "alerts.raise.high",
            Command::Alerts(Alerts::Raise(raise(Severity::High, Status::Actual))),
        ),
        (
            "alerts.raise.critical",
            Command::Alerts(Alerts::Raise(raise(Severity::Critical, Status::Actual))),
        ),
    ];
    for (name, answer) in [
        ("alerts.answer.coming", Answer::Coming),
        ("alerts.answer.cannot", Answer::Cannot),
        ("alerts.answer.received", Answer::Received),
        ("alerts.answer.need_help", Answer::NeedHelp),
    ] {
        all.push((
            name,
            Command::Alerts(Alerts::Answer {
                alert,
                recipient,
                answer,
            }),
        ));
    }
    let receive = inbound::Receive {
        key: [1; 16],
        node: NodeId(2),
        channel: "modem".to_owned(),
        from: "+358401000001".to_owned(),
        text: "4711 1".to_owned(),
        sent_at_ms: Some(5),
        wall_ms: 6,
        whole: true,
        damaged: false,
    };
    all.extend([
        (
            "alerts.acknowledge",
            Command::Alerts(Alerts::Acknowledge {
                alert,
                note: note(),
            }),
        ),
        (
            "alerts.resolve",
            Command::Alerts(Alerts::Resolve {
                alert,
                note: note(),
            }),
        ),
        (
            "alerts.call_off",
            Command::Alerts(Alerts::CallOff {
                alert,
                reason: note(),
            }),
        ),
        (
            "alerts.join",
            Command::Alerts(Alerts::Join {
                alert,
                into: AlertId([9; 16]),
            }),
        ),
        (
            "inbound.receive",
            Command::Inbound(inbound::Command::Receive(receive)),
        ),
    ]);
    all
}
