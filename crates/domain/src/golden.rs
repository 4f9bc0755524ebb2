//! Bytes of every released command. A command in the log is read by every later version, so these never change: a
//! failing line means a released struct or the order of variants was touched. New forms add lines.
//! `HOLDFAST_BLESS=1` writes the file anew, for lines that are new.

mod templates;

use std::fmt::Write as _;

use crate::envelope::{Actor, Envelope, LeaderStamp};
use crate::oncall::OnDuty;
use crate::{
    AlertId, Command, DeliveryId, NodeId, RecipientId, RequestId, RoomId, Timestamp, alerts, codec,
    conversations, deliveries, escalation, inbound, islands, nodes, requests,
};

mod of_accounts;
mod of_acts;
mod of_audit;
mod of_documents;
mod of_files;
mod of_limits;
mod of_mail;
mod of_orders;
mod of_people;
mod of_permits;
mod of_rooms;
mod of_safety;
mod of_schedules;
mod of_setup;
mod of_sources;
mod of_units;
mod of_waking;

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

pub(crate) fn samples() -> Vec<(&'static str, Command)> {
    let mut all = vec![(
        "requests.prune",
        Command::Requests(requests::Command::Prune {
            before: Timestamp(7),
        }),
    )];
    all.extend(of_nodes());
    all.extend(of_people::samples());
    all.extend(of_waking::samples());
    all.extend(of_deliveries());
    all.extend(of_alerts());
    all.extend(of_islands());
    all.extend(of_safety::samples(raise(
        alerts::Severity::Critical,
        alerts::Status::Actual,
    )));
    all.extend(of_sources::samples());
    all.extend(of_schedules::samples());
    all.extend(templates::samples());
    all.extend(of_limits::samples());
    all.extend(of_acts::samples());
    all.extend(of_orders::samples());
    all.extend(of_rooms::samples());
    all.extend(of_mail::samples());
    all.extend(of_accounts::samples());
    all.extend(of_audit::samples());
    all.extend(of_files::samples());
    all.extend(of_documents::samples());
    all.extend(of_units::samples());
    all.extend(of_permits::samples());
    all.extend(of_setup::samples());
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
        command(
            "nodes.report_level",
            nodes::Command::ReportLevel {
                node: NodeId(2),
                level: 3,
            },
        ),
        command("nodes.raise_level", nodes::Command::RaiseLevel { level: 3 }),
        command(
            "nodes.set_authorities",
            nodes::Command::SetAuthorities(nodes::SetAuthorities {
                certificates: vec![vec![1, 2], vec![3]],
                issuing: 1,
            }),
        ),
        command("nodes.evict", nodes::Command::Evict { node: NodeId(2) }),
        command(
            "nodes.recover",
            nodes::Command::Recover(nodes::Recover {
                epoch: 2,
                node: NodeId(4),
                node_name: "alpha".to_owned(),
                pin: [2; 32],
                addresses: addresses(),
                statement: vec![5; 4],
                outbox_paused: "restored".to_owned(),
            }),
        ),
        command(
            "nodes.report_machine",
            nodes::Command::ReportMachine(nodes::MachineReport {
                node: NodeId(2),
                civil_offset_ms: -1_500,
                moved_ms: 7,
                resumed: true,
                clock_source: "ntp".to_owned(),
                synchronised: Some(true),
                disk: "ample".to_owned(),
                disk_free_mb: 10_000,
                power: "mains".to_owned(),
                runtime_s: Some(3_600),
                place: nodes::Place {
                    provider: "Elisa".to_owned(),
                    operator: "DNA".to_owned(),
                    feed: "feed A".to_owned(),
                    hypervisor: "host-3".to_owned(),
                },
            }),
        ),
        command(
            "nodes.set_civil_offset",
            nodes::Command::SetCivilOffset(nodes::SetCivilOffset {
                offset_ms: -1_500,
                since: Some(Timestamp(9)),
                agreeing: 2,
                members: 3,
                spread_ms: 40,
                explained: true,
            }),
        ),
        command("nodes.take_digest", nodes::Command::TakeDigest),
        command(
            "nodes.report_digest",
            nodes::Command::ReportDigest(nodes::DigestReport {
                node: NodeId(2),
                index: 300,
                schema: 2,
                digest: [9; 32],
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
        command(
            "deliveries.pause_outbox",
            Deliveries::PauseOutbox {
                reason: "restored".to_owned(),
            },
        ),
        command(
            "deliveries.release_outbox",
            Deliveries::ReleaseOutbox {
                stale_after_ms: 3_600_000,
                stale_after_critical_ms: 86_400_000,
            },
        ),
    ]
}

fn of_islands() -> Vec<(&'static str, Command)> {
    use alerts::{Acknowledged, AlertFact, Closed, Ending, JoinedInto, Label, StandingFact};
    use deliveries::{AttemptEnd, AttemptFact, DeliveryFact, Owed, Standing};
    use escalation::{Answered, CallFact, FirstCall, PlanFact, Progress};
    use islands::Fact;
    let alert = AlertId([1; 16]);
    let recipient = RecipientId([2; 16]);
    let delivery = DeliveryId([3; 16]);
    let word = |text: &str| text.to_owned();
    let plan = PlanFact {
        policy: "{}".to_owned(),
        critical: true,
        lane: 2,
        started: Timestamp(5),
        delays_ms: vec![0, 60_000],
        last_pages: vec![0, 1],
        repeats: 2,
        repeat_every_ms: 300_000,
        validity_ms: 3_600_000,
        content: word("{}"),
        needed: 1,
        pages: vec![(0, vec![recipient]), (1, vec![RecipientId([4; 16])])],
    };
    let raised = AlertFact {
        alert,
        severity: alerts::Severity::Critical,
        status: alerts::Status::Actual,
        kind: alerts::AlertKind::Alert,
        texts: vec![(word("en"), word("Fire"))],
        gather: word("Gate 2"),
        source: word("scada"),
        dedup_key: word("pump-4"),
        raised_by: word("key:k1"),
        raised_at: Timestamp(5),
        issued_by: NodeId(2),
        aware_at: Timestamp(4),
        people: 2,
        labels: vec![Label {
            origin: NodeId(2),
            counter: 7,
        }],
        on_call: vec![OnDuty {
            schedule: word("night"),
            people: vec![recipient],
        }],
        plan: Some(plan),
        template: Some(Box::new(templates::from_template())),
    };
    let standing = StandingFact {
        alert,
        acknowledged: Some(Acknowledged {
            at: Timestamp(6),
            by: word("operator:n2"),
        }),
        closed: Some(Closed {
            how: Ending::Resolved,
            at: Timestamp(7),
            by: word("operator:n2"),
            note: word("done"),
        }),
        joined: Some(JoinedInto {
            at: Timestamp(6),
            by: word("operator:n2"),
            into: AlertId([9; 16]),
        }),
        progress: Some(Progress {
            round: 1,
            step: 2,
            next_page: 3,
            review: 4,
        }),
    };
    let call = CallFact {
        alert,
        recipient,
        called: FirstCall {
            at: Timestamp(5),
            step: 0,
            position: 1,
        },
        codes: [word("4711"), word("20815")].into(),
        answered: Some(Answered {
            at: Timestamp(6),
            from: word("+358401000001"),
            answer: alerts::Answer::Coming,
            word: escalation::Word::Asked,
            eta_min: Some(20),
        }),
        reminded: 2,
    };
    let owed = DeliveryFact {
        delivery,
        alert,
        recipient,
        purpose: word("page"),
        step: 1,
        round: 1,
        method: 0,
        owed: Owed {
            created_at: Timestamp(5),
            validity_ms: 3_600_000,
            kind: word("sms"),
            address: word("+358401000001"),
            language: word("fi"),
            lane: 2,
            critical: true,
            code: word("20815"),
            subject: String::new(),
            body: String::new(),
            prefer: (NodeId(2), word("modem")),
        },
        expires_at: Timestamp(3_600_005),
        standing: Standing {
            reach: 6,
            ended_at: Some(Timestamp(8)),
            due_at: Timestamp(5),
            wanted_since: Timestamp(5),
            reason: word("none"),
        },
        possible_repeat: true,
        renumbered: false,
    };
    let attempt = AttemptFact {
        delivery,
        attempt: 2 * 65_536 + 1,
        end: AttemptEnd {
            state: 5,
            report: 3,
            reported_at: Some(Timestamp(9)),
            ended_at: Some(Timestamp(8)),
            detail: word("ok"),
            parts: 1,
            text_hash: vec![1; 8],
            wall_ms: 8,
        },
        node: NodeId(2),
        channel: word("modem"),
        number: word("+358500000002"),
        assigned_at: Timestamp(7),
    };
    let said = conversations::MessageFact {
        message: crate::MessageId([5; 16]),
        room: RoomId([1; 16]),
        author: word("Ana"),
        via: word("sms"),
        text: word("here"),
        at: Timestamp(6),
    };
    let came = inbound::InboundFact {
        key: [6; 16],
        text: inbound::ReceivedText {
            received_at: Timestamp(6),
            node: NodeId(2),
            channel: word("modem"),
            sender: word("+358401000001"),
            text: word("4711 1"),
            sent_at_ms: Some(5),
            wall_ms: 6,
            damaged: false,
        },
        taken: inbound::TakenAs {
            understood: true,
            taken: word("answer"),
            recipient: Some(recipient),
            alert: Some(alert),
            replied: true,
        },
    };
    let asked = requests::RequestFact {
        request: RequestId([7; 16]),
        body: [8; 32],
        outcome: crate::Outcome::Applied(crate::Receipt::IslandAlert {
            id: alert,
            label: word("B-7"),
        }),
        applied_at: Timestamp(5),
    };
    let merge = |fact| {
        Command::Islands(islands::Command::Merge {
            origin: NodeId(2),
            facts: vec![fact],
        })
    };
    let summary = deliveries::Summary {
        recipient,
        kind: word("sms"),
        address: word("+358401000001"),
        language: word("fi"),
        subject: String::new(),
        body: word("3"),
        deliveries: vec![delivery],
    };
    vec![
        ("islands.merge.alert", merge(Fact::Alert(Box::new(raised)))),
        ("islands.merge.standing", merge(Fact::Standing(standing))),
        ("islands.merge.call", merge(Fact::Call(call))),
        (
            "islands.merge.delivery",
            merge(Fact::Delivery(Box::new(owed))),
        ),
        (
            "islands.merge.attempt",
            merge(Fact::Attempt(Box::new(attempt))),
        ),
        ("islands.merge.message", merge(Fact::Message(said))),
        (
            "islands.merge.inbound",
            merge(Fact::Inbound(Box::new(came))),
        ),
        ("islands.merge.request", merge(Fact::Request(asked))),
        (
            "deliveries.supersede",
            Command::Deliveries(deliveries::Command::Supersede {
                deliveries: vec![delivery],
            }),
        ),
        (
            "deliveries.summarise",
            Command::Deliveries(deliveries::Command::Summarise(summary)),
        ),
        (
            "inbound.replay",
            Command::Inbound(inbound::Command::Replay {
                keys: vec![[1; 16]],
            }),
        ),
    ]
}

fn of_alerts() -> Vec<(&'static str, Command)> {
    use alerts::{Answer, Command as Alerts, Severity, Status};
    use escalation::Command as Escalation;
    let alert = AlertId([1; 16]);
    let recipient = RecipientId([2; 16]);
    let note = || "note".to_owned();
    let raised =
        |severity, status| Command::Alerts(Alerts::Raise(Box::new(raise(severity, status))));
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
        ("alerts.raise.low", raised(Severity::Low, Status::Test)),
        (
            "alerts.raise.normal",
            raised(Severity::Normal, Status::Exercise),
        ),
        ("alerts.raise.high", raised(Severity::High, Status::Actual)),
        (
            "alerts.raise.critical",
            raised(Severity::Critical, Status::Actual),
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
                eta_min: None,
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
        call: false,
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

/// An alert as it may be raised.
fn raise(severity: alerts::Severity, status: alerts::Status) -> alerts::Raise {
    alerts::Raise {
        severity,
        status,
        texts: vec![("en".to_owned(), "Fire".to_owned())],
        gather: "Gate 2".to_owned(),
        gather_in: vec![("fi".to_owned(), "Portti 2".to_owned())],
        aware_at: Some(Timestamp(8)),
        steps: vec![alerts::Step {
            delay_ms: 60_000,
            recipients: vec![RecipientId([2; 16])],
            enough: vec![escalation::Quota {
                what: "medic".to_owned(),
                among: escalation::Among::Listed(vec![RecipientId([2; 16])]),
                count: 1,
            }],
        }],
        notes: vec!["nobody is on call".to_owned()],
        needed: 1,
        repeat_every_ms: 300_000,
        repeats: 2,
        validity_ms: 3_600_000,
        fallback: vec![RecipientId([2; 16])],
        channels: vec!["sms".to_owned()],
        answers: vec![alerts::Answer::Coming, alerts::Answer::Cannot],
        conduct: alerts::Conduct {
            kind: alerts::AlertKind::Alert,
            quiet: true,
            confirm_ms: 1_800_000,
            remind_every_ms: 300_000,
            reminders: 2,
        },
        lead: vec![RecipientId([2; 16])],
        on_call: vec![OnDuty {
            schedule: "night".to_owned(),
            people: vec![RecipientId([3; 16])],
        }],
        dedup_key: Some("pump-4".to_owned()),
        source: "scada".to_owned(),
        template: Some(Box::new(templates::from_template())),
    }
}
