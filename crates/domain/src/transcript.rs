//! Drives apply in tests: commands in, outcomes and rows out, on a migrated SQLite database in memory.

use sqlx::{Connection, SqliteConnection};

use crate::alerts::{self, Raise, Severity, Status, Step};
use crate::deliveries::{
    Assignment, AttemptRef, AttemptReport, AttemptResult, Command as Deliveries, Report,
    SendOutcome,
};
use crate::envelope::{Actor, Envelope, LeaderStamp, LogEntry};
use crate::nodes::{Admit, ChannelReport, Command as Nodes, Found};
use crate::recipients::{Command as Recipients, ContactMethod, Details, Group, Person, Rule};
use crate::{
    AlertId, Command, NodeId, Outcome, Receipt, RecipientId, RequestId, Timestamp, apply_batch,
    deliveries, escalation, migrate,
};

/// Tests start here: 2026-11-21 03:00:00 UTC.
pub(crate) const START: Timestamp = Timestamp(1_795_230_000_000);

/// One replica's state with a hand-moved clock.
pub(crate) struct World {
    pub(crate) conn: SqliteConnection,
    pub(crate) now: Timestamp,
    pub(crate) leader: LeaderStamp,
    index: u64,
}

impl World {
    pub(crate) async fn empty() -> Self {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut conn).await.unwrap();
        Self {
            conn,
            now: START,
            leader: LeaderStamp {
                term: 1,
                node: NodeId(1),
            },
            index: 0,
        }
    }

    /// Nodes 1 and 2 with a modem each, and ana (fi, SMS + mail), bela (sv, SMS), carl (en, mail), dora (en, SMS).
    pub(crate) async fn new() -> Self {
        let mut world = Self::empty().await;
        world
            .run(Command::Nodes(Nodes::Found(Found {
                cluster_id: [7; 16],
                organisation: "Aurora Energy".to_owned(),
                node_name: "alpha".to_owned(),
                pin: [1; 32],
                addresses: vec!["127.0.0.1:7001".to_owned()],
            })))
            .await;
        world
            .run(Command::Nodes(Nodes::IssueInvite {
                token_hash: [9; 32],
                expires_in_ms: 900_000,
            }))
            .await;
        let admit = Admit {
            token_hash: [9; 32],
            node_name: "beta".to_owned(),
            pin: [2; 32],
            addresses: vec![],
        };
        world.run(Command::Nodes(Nodes::Admit(admit))).await;
        for node in [1, 2] {
            world.channel(node, true).await;
        }
        let people = [
            person(
                "ana",
                "fi",
                &[sms("+358401000001"), mail("ana@example.org")],
            ),
            person("bela", "sv", &[sms("+46701000002")]),
            person("carl", "en", &[mail("carl@example.org")]),
            person(
                "dora",
                "en",
                &[sms("+441000000004"), mail("dora@example.org")],
            ),
        ];
        world
            .run(Command::Recipients(Recipients::PutPeople {
                people: people.to_vec(),
            }))
            .await;
        let group = Group {
            key: "night".to_owned(),
            name: "Night".to_owned(),
            members: vec!["ana".into(), "bela".into()],
            rule: Rule::default(),
        };
        world
            .run(Command::Recipients(Recipients::PutGroups {
                groups: vec![group],
            }))
            .await;
        world
    }

    /// Applies a command as a loop of the present leader would propose it.
    pub(crate) async fn run(&mut self, command: Command) -> Outcome {
        self.run_as(Actor::Loop, None, command).await
    }

    /// Applies a command of an operator, under a request id of its own.
    pub(crate) async fn ask(&mut self, command: Command) -> Outcome {
        self.run_as(Actor::Operator { node: NodeId(1) }, None, command)
            .await
    }

    pub(crate) async fn run_as(
        &mut self,
        actor: Actor,
        decided_under: Option<LeaderStamp>,
        command: Command,
    ) -> Outcome {
        let request = RequestId::derive(&[&(self.index + 1).to_be_bytes()]);
        let entry = self.entry(request, [0; 32], actor, decided_under, command);
        apply_batch(&mut self.conn, &[entry])
            .await
            .unwrap()
            .remove(0)
    }

    pub(crate) fn entry(
        &mut self,
        request: RequestId,
        body: [u8; 32],
        actor: Actor,
        decided_under: Option<LeaderStamp>,
        command: Command,
    ) -> LogEntry {
        self.index += 1;
        let envelope = Envelope {
            request,
            issued_at: self.now,
            issued_by: NodeId(1),
            seed: [u8::try_from(self.index % 251).unwrap(); 16],
            body,
            actor,
            decided_under,
            command,
        };
        LogEntry {
            index: self.index,
            leader: self.leader,
            envelope,
        }
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now.0 += seconds * 1_000;
    }

    /// Reports node `node`'s only modem as up or down.
    pub(crate) async fn channel(&mut self, node: u64, up: bool) {
        let channel = |name: &str, kind: &str| ChannelReport {
            name: name.to_owned(),
            kind: kind.to_owned(),
            up,
            reason: String::new(),
            operator: format!("operator-{node}"),
            number: if kind == "sms" {
                format!("+35850000000{node}")
            } else {
                String::new()
            },
            signal_dbm: None,
            rate_per_min: 10,
        };
        let channels = vec![channel("modem", "sms"), channel("mail", "email")];
        self.run(Command::Nodes(Nodes::ReportChannels {
            node: NodeId(node),
            channels,
        }))
        .await;
    }

    /// Raises an alert in steps of people, `delay_s` apart, and expands its first pages.
    pub(crate) async fn raise(
        &mut self,
        severity: Severity,
        delay_s: u64,
        steps: &[&[&str]],
    ) -> AlertId {
        let outcome = self
            .ask(Command::Alerts(alerts::Command::Raise(Box::new(raise(
                severity, delay_s, steps,
            )))))
            .await;
        let Outcome::Applied(Receipt::Alert { id, .. }) = outcome else {
            panic!("not raised: {outcome:?}")
        };
        self.act().await;
        id
    }

    /// Does what every alert's plan calls for now, as the scheduler would.
    pub(crate) async fn act(&mut self) {
        for _ in 0..50 {
            let due = escalation::due(&mut self.conn, self.now, 10).await.unwrap();
            if due.is_empty() {
                return;
            }
            for action in due {
                self.run(Command::Escalation(action.command)).await;
            }
        }
        panic!("the plan never comes to rest");
    }

    /// Gives every text and mail that is due to node `node` and records one outcome for all of it.
    pub(crate) async fn send_all(&mut self, node: u64, outcome: SendOutcome) -> usize {
        let mut due = deliveries::due(&mut self.conn, self.now, 1_000)
            .await
            .unwrap();
        due.retain(|due| due.kind != deliveries::RING);
        let assignments = due
            .iter()
            .map(|d| Assignment {
                attempt: d.attempt,
                node: NodeId(node),
                channel: if d.kind == "sms" { "modem" } else { "mail" }.to_owned(),
            })
            .collect();
        self.run(Command::Deliveries(Deliveries::Assign { assignments }))
            .await;
        let attempts: Vec<AttemptRef> = due.iter().map(|d| d.attempt).collect();
        self.record(node, &attempts, outcome).await;
        attempts.len()
    }

    pub(crate) async fn record(
        &mut self,
        node: u64,
        attempts: &[AttemptRef],
        outcome: SendOutcome,
    ) {
        let results = attempts
            .iter()
            .map(|attempt| AttemptResult {
                attempt: *attempt,
                outcome: outcome.clone(),
                parts: 1,
                text_hash: [0; 8],
                wall_ms: 0,
            })
            .collect();
        self.run(Command::Deliveries(Deliveries::RecordAttempts {
            node: NodeId(node),
            results,
        }))
        .await;
    }

    pub(crate) async fn report(&mut self, attempt: AttemptRef, report: Report) {
        let reports = vec![AttemptReport { attempt, report }];
        self.run(Command::Deliveries(Deliveries::RecordReports { reports }))
            .await;
    }

    /// One line per delivery of an alert but what wakes people: who, purpose, step/round, kind, state, marks, reason.
    pub(crate) async fn deliveries(&mut self, alert: AlertId) -> String {
        self.owed(alert, false).await
    }

    /// The same of what wakes people.
    pub(crate) async fn wakes(&mut self, alert: AlertId) -> String {
        self.owed(alert, true).await
    }

    async fn owed(&mut self, alert: AlertId, wakes: bool) -> String {
        let mut rows = deliveries::of_alert(&mut self.conn, alert, 0, 1_000)
            .await
            .unwrap();
        rows.retain(|row| (row.purpose == deliveries::Purpose::Wake) == wakes);
        let mut out = String::new();
        for row in rows {
            let marks = match (row.possible_repeat, row.renumbered) {
                (false, false) => "",
                (true, false) => " repeat?",
                (false, true) => " renumbered",
                (true, true) => " repeat? renumbered",
            };
            let reason = if row.reason.is_empty() {
                String::new()
            } else {
                format!(" ({})", row.reason)
            };
            let step = match row.step {
                escalation::BESIDE => "+".to_owned(),
                step => (step + 1).to_string(),
            };
            out.push_str(&format!(
                "{} {} {step}.{} {} {}{marks}{reason}\n",
                row.recipient_key,
                row.purpose.name(),
                row.round,
                row.kind,
                row.state.name(),
            ));
        }
        out
    }

    /// The plan of an alert in one line, times relative to the start.
    pub(crate) async fn plan(&mut self, alert: AlertId) -> String {
        let plan = escalation::plan(&mut self.conn, alert)
            .await
            .unwrap()
            .unwrap();
        let next = plan.next_due.map_or("never".to_owned(), |at| {
            format!("+{} s", at.since(START).as_secs())
        });
        format!(
            "{} step {}/{} round {} coming {}/{} next {} {next}",
            plan.phase.name(),
            plan.step,
            plan.steps,
            plan.round,
            plan.coming,
            plan.needed,
            if plan.next_action.is_empty() {
                "nothing"
            } else {
                &plan.next_action
            },
        )
    }

    pub(crate) async fn code(&mut self, alert: AlertId, key: &str) -> String {
        escalation::find_call(&mut self.conn, alert, RecipientId::of_key(key))
            .await
            .unwrap()
            .unwrap()
            .code
    }
}

pub(crate) fn raise(severity: Severity, delay_s: u64, steps: &[&[&str]]) -> Raise {
    Raise {
        severity,
        status: Status::Actual,
        texts: vec![("en".to_owned(), "Fire in hall 2".to_owned())],
        gather: String::new(),
        gather_in: Vec::new(),
        aware_at: None,
        steps: steps
            .iter()
            .zip(0..)
            .map(|(keys, step)| Step {
                delay_ms: step * delay_s * 1_000,
                recipients: keys.iter().map(|key| RecipientId::of_key(key)).collect(),
                enough: Vec::new(),
            })
            .collect(),
        notes: Vec::new(),
        needed: 1,
        repeat_every_ms: 60_000,
        repeats: 1,
        validity_ms: 3_600_000,
        fallback: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: crate::vocabulary::Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: None,
        source: "control room".to_owned(),
        template: None,
    }
}

pub(crate) fn accepted() -> SendOutcome {
    SendOutcome::Accepted {
        detail: String::new(),
    }
}

pub(crate) fn refused(permanent: bool) -> SendOutcome {
    SendOutcome::Refused {
        permanent,
        detail: "CMS 38".to_owned(),
    }
}

pub(crate) fn unknown() -> SendOutcome {
    SendOutcome::Unknown {
        detail: "no answer".to_owned(),
    }
}

pub(crate) fn person(key: &str, language: &str, methods: &[ContactMethod]) -> Person {
    Person {
        key: key.to_owned(),
        name: key.to_uppercase(),
        language: language.to_owned(),
        methods: methods.to_vec(),
        details: Details::default(),
    }
}

pub(crate) fn sms(number: &str) -> ContactMethod {
    ContactMethod::Sms(number.to_owned())
}

pub(crate) fn mail(address: &str) -> ContactMethod {
    ContactMethod::Email(address.to_owned())
}
