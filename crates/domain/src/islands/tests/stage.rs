//! A cluster and its islands for tests: what happens on each, and what of it two histories must agree on.

use sqlx::{Row, SqliteConnection};

use super::super::{Command, Fact, Fork, apply_facts, apply_on_island, enter, safe};
use crate::alerts::{
    self, Act, AlertKind, Answer, Command as Alerts, Conduct, Raise, Severity, State,
};
use crate::deliveries::{
    self, Assignment, AttemptRef, AttemptReport, AttemptResult, Command as Deliveries, Due, Report,
    SendOutcome,
};
use crate::inbound::{self, Receive};
use crate::nodes::{Admit, Command as Nodes};
use crate::transcript::{World, accepted, raise};
use crate::{
    Actor, AlertId, Command as AnyCommand, MessageId, NodeId, Outcome, Receipt, RecipientId,
    RequestId, RoomId, conversations, escalation,
};

pub(in crate::islands) const PEOPLE: [(&str, &str); 4] = [
    ("ana", "+358401000001"),
    ("bela", "+46701000002"),
    ("carl", "+358401000003"),
    ("dora", "+441000000004"),
];

/// The cluster's own state, as it was when the islands left and as it became since.
pub(in crate::islands) struct Cluster {
    pub(in crate::islands) world: World,
    /// Raised before anybody left: one under way, one whose first page is not expanded.
    pub(in crate::islands) alerts: Vec<AlertId>,
}

/// One node's island.
pub(in crate::islands) struct Island {
    pub(in crate::islands) world: World,
    pub(in crate::islands) node: NodeId,
    pub(in crate::islands) alerts: Vec<AlertId>,
    /// Facts in the order in which they were made.
    pub(in crate::islands) journal: Vec<Fact>,
    pub(super) count: u64,
}

impl Cluster {
    /// Four nodes, four people, and two alerts; the same every time.
    pub(in crate::islands) async fn new() -> Self {
        let mut world = World::new().await;
        for (node, name) in [(3, "gamma"), (4, "delta")] {
            world
                .run(AnyCommand::Nodes(Nodes::IssueInvite {
                    token_hash: [node; 32],
                    expires_in_ms: 900_000,
                }))
                .await;
            let admit = Admit {
                token_hash: [node; 32],
                node_name: name.to_owned(),
                pin: [node; 32],
                addresses: vec![],
            };
            world.run(AnyCommand::Nodes(Nodes::Admit(admit))).await;
            world.channel(u64::from(node), true).await;
        }
        let mut first = raise(Severity::High, 300, &[&["ana", "bela"], &["dora"]]);
        first.needed = 2;
        let Outcome::Applied(Receipt::Alert { id, .. }) = world
            .ask(AnyCommand::Alerts(Alerts::Raise(Box::new(first))))
            .await
        else {
            panic!("not raised")
        };
        world.act().await;
        world.send_all(1, accepted()).await;
        let second = raise(Severity::Normal, 300, &[&["ana", "dora"]]);
        let Outcome::Applied(Receipt::Alert { id: second, .. }) = world
            .ask(AnyCommand::Alerts(Alerts::Raise(Box::new(second))))
            .await
        else {
            panic!("not raised")
        };
        Self {
            world,
            alerts: vec![id, second],
        }
    }

    pub(in crate::islands) async fn merge(&mut self, origin: NodeId, facts: Vec<Fact>) -> Outcome {
        let outcome = self
            .world
            .run(AnyCommand::Islands(Command::Merge { origin, facts }))
            .await;
        assert!(
            matches!(outcome, Outcome::Applied(_) | Outcome::Unchanged),
            "{outcome:?}"
        );
        assert_has_words(&mut self.world.conn).await;
        outcome
    }

    pub(in crate::islands) async fn shown(&mut self) -> String {
        shown(&mut self.world.conn).await
    }

    /// Open alerts have a next action; whoever answered is not paged again; who was told of a call-off is told.
    pub(in crate::islands) async fn check_promises(&mut self) {
        let conn = &mut self.world.conn;
        for row in alerts::list(conn, None, None, 100).await.unwrap() {
            let plan = escalation::plan(conn, row.id).await.unwrap().unwrap();
            if row.state == State::Open {
                assert!(!plan.next_action.is_empty(), "{} hangs", row.label);
            }
            let called = escalation::called(conn, row.id, 0, 100).await.unwrap();
            let owed = deliveries::of_alert(conn, row.id, 0, 1_000).await.unwrap();
            for call in called.iter().filter(|call| call.answer.is_some()) {
                let waits = owed.iter().any(|d| {
                    d.recipient == call.recipient
                        && d.purpose == deliveries::Purpose::Page
                        && matches!(
                            d.state,
                            deliveries::State::Pending
                                | deliveries::State::Assigned
                                | deliveries::State::Standby
                        )
                });
                assert!(
                    !waits,
                    "{} answered {} and is paged",
                    call.recipient, row.label
                );
            }
        }
        self.world.act().await;
        let conn = &mut self.world.conn;
        for row in alerts::list(conn, Some(State::CalledOff), None, 100)
            .await
            .unwrap()
        {
            let left = deliveries::not_called_off(conn, row.id).await.unwrap();
            assert!(left.is_empty(), "{} called off and not told", row.label);
        }
    }
}

impl Island {
    /// Not an island: the majority, where things happen meanwhile.
    pub(in crate::islands) async fn majority() -> Self {
        let Cluster { mut world, alerts } = Cluster::new().await;
        world.pass(10);
        Self {
            world,
            node: NodeId(1),
            alerts,
            journal: Vec::new(),
            count: 0,
        }
    }

    pub(in crate::islands) async fn new(node: u64) -> Self {
        let Cluster { mut world, alerts } = Cluster::new().await;
        world.pass(10);
        let fork = Fork {
            node: NodeId(node),
            site: format!("site-{node}"),
            entered_at: world.now,
            base: 1,
        };
        enter(&mut world.conn, &fork).await.unwrap();
        Self {
            world,
            node: NodeId(node),
            alerts,
            journal: Vec::new(),
            count: 0,
        }
    }

    pub(in crate::islands) async fn run(&mut self, actor: Actor, command: AnyCommand) -> Outcome {
        self.count += 1;
        let request = RequestId::derive(&[
            b"island",
            &self.node.0.to_be_bytes(),
            &self.count.to_be_bytes(),
        ]);
        self.run_as(request, actor, command).await
    }

    pub(super) async fn run_as(
        &mut self,
        request: RequestId,
        actor: Actor,
        command: AnyCommand,
    ) -> Outcome {
        safe(&command).unwrap();
        let mut entry = self.world.entry(request, [0; 32], actor, None, command);
        entry.envelope.issued_by = self.node;
        entry.envelope.seed = request.0;
        let (outcome, facts) = apply_on_island(&mut self.world.conn, &entry).await.unwrap();
        self.journal.extend(facts);
        outcome
    }

    async fn ask(&mut self, command: AnyCommand) -> Outcome {
        self.run(Actor::Operator { node: self.node }, command).await
    }

    pub(in crate::islands) async fn hear(&mut self, origin: NodeId, fact: &Fact) {
        apply_facts(
            &mut self.world.conn,
            self.world.now,
            origin,
            std::slice::from_ref(fact),
        )
        .await
        .unwrap();
        assert_has_words(&mut self.world.conn).await;
    }

    fn alert(&self, place: usize) -> AlertId {
        self.alerts[place % self.alerts.len()]
    }

    pub(in crate::islands) async fn raise(&mut self, severity: Severity, people: &[usize]) {
        let keys: Vec<&str> = people.iter().map(|place| PEOPLE[*place].0).collect();
        let mut new = raise(severity, 60, &[&keys[..1], &keys]);
        new.conduct = Conduct {
            confirm_ms: 240_000,
            remind_every_ms: 60_000,
            reminders: 2,
            ..Conduct::default()
        };
        self.ask_raise(new).await;
    }

    async fn ask_raise(&mut self, new: Raise) {
        let outcome = self
            .ask(AnyCommand::Alerts(Alerts::Raise(Box::new(new))))
            .await;
        let Outcome::Applied(receipt) = outcome else {
            panic!("not raised: {outcome:?}")
        };
        self.alerts.extend(receipt.alert().map(|(id, _)| id));
    }

    /// Asks everyone named how they are; reminds them twice.
    pub(in crate::islands) async fn check_safety(&mut self, people: &[usize]) {
        let keys: Vec<&str> = people.iter().map(|place| PEOPLE[*place].0).collect();
        let mut new = raise(Severity::High, 60, &[&keys]);
        new.conduct = Conduct {
            kind: AlertKind::SafetyCheck,
            remind_every_ms: 60_000,
            reminders: 2,
            ..Conduct::default()
        };
        new.lead = vec![RecipientId::of_key(PEOPLE[3].0)];
        self.ask_raise(new).await;
    }

    pub(in crate::islands) async fn mark(&mut self, alert: usize, person: usize, mark: Answer) {
        let (alert, recipient) = (self.alert(alert), RecipientId::of_key(PEOPLE[person].0));
        // Two wardens on every island, some of them the same person.
        let by = format!("warden {}", (self.count + self.node.0) % 3);
        self.ask(AnyCommand::Alerts(Alerts::Mark {
            alert,
            recipient,
            by,
            mark,
        }))
        .await;
    }

    pub(in crate::islands) async fn act(&mut self) {
        for _ in 0..20 {
            let due = escalation::due(&mut self.world.conn, self.world.now, 10)
                .await
                .unwrap();
            if due.is_empty() {
                return;
            }
            for action in due {
                self.run(Actor::Loop, AnyCommand::Escalation(action.command))
                    .await;
            }
        }
    }

    /// Gives everything due to this node's own channels.
    pub(in crate::islands) async fn take_all(&mut self) -> Vec<Due> {
        let due = deliveries::due(&mut self.world.conn, self.world.now, 1_000)
            .await
            .unwrap();
        let assignments = due
            .iter()
            .map(|d| Assignment {
                attempt: d.attempt,
                node: self.node,
                channel: if d.kind == "sms" { "modem" } else { "mail" }.to_owned(),
            })
            .collect();
        self.run(
            Actor::Loop,
            AnyCommand::Deliveries(Deliveries::Assign { assignments }),
        )
        .await;
        due
    }

    pub(in crate::islands) async fn send_all(&mut self, outcome: SendOutcome) {
        let due = self.take_all().await;
        let results = due
            .iter()
            .map(|d| AttemptResult {
                attempt: d.attempt,
                outcome: outcome.clone(),
                parts: 1,
                text_hash: [0; 8],
                wall_ms: 0,
            })
            .collect();
        let node = self.node;
        self.run(
            Actor::Loop,
            AnyCommand::Deliveries(Deliveries::RecordAttempts { node, results }),
        )
        .await;
    }

    /// The network's later word on everything this node sent about an alert.
    pub(in crate::islands) async fn report(&mut self, alert: usize, report: Report) {
        let alert = self.alert(alert);
        let owed = deliveries::of_alert(&mut self.world.conn, alert, 0, 1_000)
            .await
            .unwrap();
        let mut reports = Vec::new();
        for delivery in owed {
            for attempt in delivery.attempts.iter().filter(|a| a.node == self.node) {
                reports.push(AttemptReport {
                    attempt: AttemptRef {
                        delivery: delivery.id,
                        attempt: attempt.attempt,
                    },
                    report: report.clone(),
                });
            }
        }
        self.run(
            Actor::Loop,
            AnyCommand::Deliveries(Deliveries::RecordReports { reports }),
        )
        .await;
    }

    pub(in crate::islands) async fn answer(&mut self, alert: usize, person: usize, answer: Answer) {
        let (alert, recipient) = (self.alert(alert), RecipientId::of_key(PEOPLE[person].0));
        self.ask(AnyCommand::Alerts(Alerts::Answer {
            alert,
            recipient,
            answer,
            eta_min: None,
        }))
        .await;
    }

    pub(in crate::islands) async fn acknowledge(&mut self, alert: usize) {
        let (alert, note) = (self.alert(alert), String::new());
        self.ask(AnyCommand::Alerts(Alerts::Acknowledge { alert, note }))
            .await;
    }

    pub(in crate::islands) async fn resolve(&mut self, alert: usize) {
        let (alert, note) = (self.alert(alert), String::new());
        self.ask(AnyCommand::Alerts(Alerts::Resolve { alert, note }))
            .await;
    }

    pub(in crate::islands) async fn call_off(&mut self, alert: usize) {
        let (alert, reason) = (self.alert(alert), "false alarm".to_owned());
        self.ask(AnyCommand::Alerts(Alerts::CallOff { alert, reason }))
            .await;
    }

    pub(in crate::islands) async fn join(&mut self, alert: usize, into: usize) {
        let (alert, into) = (self.alert(alert), self.alert(into));
        self.ask(AnyCommand::Alerts(Alerts::Join { alert, into }))
            .await;
    }

    pub(in crate::islands) async fn change(&mut self, alert: usize, act: Act) {
        let (alert, reason) = (self.alert(alert), String::new());
        self.ask(AnyCommand::Alerts(Alerts::Act { alert, act, reason }))
            .await;
    }

    pub(in crate::islands) async fn post(&mut self, alert: usize, words: &str) {
        let room = RoomId::of_alert(self.alert(alert));
        let post = conversations::Command::Post {
            room,
            author: "Ana".to_owned(),
            text: words.to_owned(),
        };
        self.ask(AnyCommand::Conversations(post)).await;
    }

    /// People talk in an alert's room, or in one of two everyday ones; `what` says how.
    pub(in crate::islands) async fn talk(&mut self, alert: usize, person: usize, what: u8) {
        use conversations::{Command, Follow, MarkKind, Say, Speaker};
        let key = format!("ops-{}", alert % 2);
        let room = match what % 2 {
            0 => RoomId::of_alert(self.alert(alert)),
            _ => RoomId::of_key(&key),
        };
        let (id, name) = (RecipientId::of_key(PEOPLE[person].0), PEOPLE[person].0);
        let by = Speaker {
            name: name.to_owned(),
            person: Some(id),
        };
        let said = conversations::messages(&mut self.world.conn, room, 0, 100);
        let last = said.await.unwrap().into_iter().next_back();
        let own = last.as_ref().and_then(|last| last.person);
        let message = last.map_or(MessageId([1; 16]), |last| last.id);
        let command = match what / 2 {
            0 => Command::PutRoom {
                key,
                name: format!("Ops {}", self.count % 3),
                restricted: self.count.is_multiple_of(2),
                closed: false,
                by,
            },
            1 | 2 => Command::Say(Say {
                room,
                text: format!("@{name} and @all, {}", self.count),
                mark: (what == 4).then_some(MarkKind::Decision),
                unknown: "how long it takes".to_owned(),
                restricted: false,
                by,
            }),
            3 => Command::Edit {
                message,
                text: format!("better {}", self.count % 3),
                by: Speaker { person: own, ..by },
            },
            4 => Command::Mark {
                message,
                kind: MarkKind::Diary,
                unknown: String::new(),
                by,
            },
            5 => Command::Pin {
                message,
                pinned: self.count.is_multiple_of(2),
                by,
            },
            6 => Command::Read {
                person: id,
                message,
            },
            _ => Command::PutMember {
                room,
                person: id,
                member: !self.count.is_multiple_of(3),
                follow: Follow::Sms,
                by,
            },
        };
        self.ask(AnyCommand::Conversations(command)).await;
    }

    pub(in crate::islands) async fn text(&mut self, alert: usize, person: usize, known: bool) {
        let (key, number) = PEOPLE[person];
        let alert = self.alert(alert);
        let recipient = RecipientId::of_key(key);
        let call = escalation::find_call(&mut self.world.conn, alert, recipient)
            .await
            .unwrap();
        let code = match call {
            Some(call) if known => call.code,
            Some(_) | None => format!("9{:04}", self.count),
        };
        self.receive(number, &format!("{code} 1")).await;
    }

    pub(in crate::islands) async fn receive(&mut self, from: &str, text: &str) -> Outcome {
        let key = RequestId::derive(&[
            &self.node.0.to_be_bytes(),
            &self.count.to_be_bytes(),
            text.as_bytes(),
        ]);
        let receive = Receive {
            key: key.0,
            node: self.node,
            channel: "modem".to_owned(),
            from: from.to_owned(),
            text: text.to_owned(),
            sent_at_ms: None,
            wall_ms: 0,
            whole: true,
            damaged: false,
            call: false,
        };
        self.run(
            Actor::Loop,
            AnyCommand::Inbound(inbound::Command::Receive(receive)),
        )
        .await
    }
}

/// Whatever may still leave has words to leave with.
async fn assert_has_words(conn: &mut SqliteConnection) {
    let alerts: Vec<Vec<u8>> = sqlx::query_scalar("select alert_id from alert order by alert_id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    for alert in AlertId::from_rows(&alerts).unwrap() {
        let without = deliveries::purposes_without_text(conn, alert)
            .await
            .unwrap();
        assert!(
            without.is_empty(),
            "{without:?} of {alert} would leave without words"
        );
    }
}

/// What a digest covers, in words, for tests that fail.
pub(in crate::islands) async fn shown(conn: &mut SqliteConnection) -> String {
    let mut out = String::new();
    let found = sqlx::query(
        "select hex(a.alert_id) as id, a.acknowledged_at_ms as acked, a.state || ' ' || a.severity, a.note, \
         case when state in ('called_off', 'resolved') then closed_at_ms end as ended, hex(a.joined_into) as joined_to, \
         a.joined_at_ms, (select group_concat(label) from (select label from alert_label l \
          where l.alert_id = a.alert_id order by label)) as labels from alert a order by raised_at_ms, alert_id",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    for row in &found {
        out.push_str(&format!(
            "alert {:.6} acked {:?} {} {:?} ended {:?} into {:.6} {:?}\n",
            row.get::<String, _>(0),
            row.get::<Option<i64>, _>(1),
            row.get::<String, _>(2),
            row.get::<Option<String>, _>(7),
            row.get::<Option<i64>, _>(4),
            row.get::<String, _>(5),
            row.get::<Option<i64>, _>(6),
        ));
    }
    let found = sqlx::query(
        "select hex(c.alert_id), hex(c.recipient_id), c.position, c.step, c.called_at_ms, c.answer, c.answered_at_ms, \
         c.answered_from, (select group_concat(code) from (select c.code as code union select x.code from call_code x \
          where x.alert_id = c.alert_id and x.recipient_id = c.recipient_id order by code)) \
         from called_person c order by c.alert_id, c.recipient_id",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    for row in &found {
        out.push_str(&format!(
            "call {:.6} {:.6} {}/{} at {} {} {:?} {} codes {}\n",
            row.get::<String, _>(0),
            row.get::<String, _>(1),
            row.get::<i64, _>(3),
            row.get::<i64, _>(2),
            row.get::<i64, _>(4),
            row.get::<String, _>(5),
            row.get::<Option<i64>, _>(6),
            row.get::<String, _>(7),
            row.get::<String, _>(8),
        ));
    }
    let found = sqlx::query(
        "select hex(d.delivery_id), hex(d.alert_id), hex(d.recipient_id), d.round, d.method, d.code, d.created_at_ms, \
         d.lane, d.critical, (select group_concat(attempt || ':' || node_id || ':' || state || ':' || report) from \
          (select * from attempt a where a.delivery_id = d.delivery_id order by a.attempt)) as tries \
         from delivery d where d.purpose = 'page' order by d.created_at_ms, d.delivery_id",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    for row in &found {
        out.push_str(&format!(
            "delivery {:.6} {:.6} {:.6} {}.{} {} at {} lane {}/{} tries {:?}\n",
            row.get::<String, _>(0),
            row.get::<String, _>(1),
            row.get::<String, _>(2),
            row.get::<i64, _>(3),
            row.get::<i64, _>(4),
            row.get::<String, _>(5),
            row.get::<i64, _>(6),
            row.get::<i64, _>(7),
            row.get::<i64, _>(8),
            row.get::<Option<String>, _>(9),
        ));
    }
    let found =
        sqlx::query("select hex(alert_id), at_ms, content from alert_act order by at_ms, act_id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    for row in &found {
        out.push_str(&format!(
            "act {:.6} at {} {}\n",
            row.get::<String, _>(0),
            row.get::<i64, _>(1),
            row.get::<String, _>(2),
        ));
    }
    let found = sqlx::query(
        "select hex(alert_id), hex(recipient_id) from left_out order by alert_id, recipient_id",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    for row in &found {
        out.push_str(&format!(
            "left out {:.6} {:.6}\n",
            row.get::<String, _>(0),
            row.get::<String, _>(1),
        ));
    }
    let found =
        sqlx::query("select author, via, text, at_ms from message order by at_ms, message_id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    for row in &found {
        out.push_str(&format!(
            "said {} {} {:?} at {}\n",
            row.get::<String, _>(0),
            row.get::<String, _>(1),
            row.get::<String, _>(2),
            row.get::<i64, _>(3),
        ));
    }
    out
}
