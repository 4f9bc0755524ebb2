//! A cluster in which an alert to more than two people needs a second person; dora is asked.

use sqlx::SqliteConnection;

use super::super::{self as approvals, Command as Approvals, Decision, Said, Shown, State};
use crate::alerts::{self, AlertRow, Command as Alerts};
use crate::envelope::Actor;
use crate::ids::RoomId;
use crate::islands::{self, Fact, Fork, apply_on_island, enter};
use crate::limits::{Command as Limits, SecondPerson};
use crate::oncall::Called;
use crate::recipients::Named;
use crate::transcript::{World, raise};
use crate::vocabulary::Severity;
use crate::{Command, NodeId, Outcome, RequestId, inbound};

/// Kai's key, who asks, and Olga's.
pub(super) const KEY: &str = "aaaa";
pub(super) const OTHER: &str = "bbbb";

pub(super) struct Stage {
    pub(super) world: World,
    texts: u8,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let mut stage = Self {
            world: World::new().await,
            texts: 0,
        };
        stage.set(false).await;
        stage
    }

    pub(super) async fn set(&mut self, critical_at_once: bool) {
        let setting = SecondPerson {
            people_over: Some(2),
            critical_at_once,
            ask: vec![Called::Named(Named::Person("dora".to_owned()))],
            ..SecondPerson::default()
        };
        let set = Command::Limits(Limits::SetSecondPerson(Some(setting)));
        self.world.ask(set).await;
    }

    pub(super) async fn raise(&mut self, severity: Severity, people: &[&str]) -> Outcome {
        self.raise_by(KEY, severity, people).await
    }

    pub(super) async fn raise_by(
        &mut self,
        key: &str,
        severity: Severity,
        people: &[&str],
    ) -> Outcome {
        let raise = Command::Alerts(Alerts::Raise(Box::new(raise(severity, 0, &[people]))));
        self.world.run_as(by(key), None, raise).await
    }

    pub(super) async fn decide(
        &mut self,
        key: &str,
        decision: Decision,
        code: Option<&str>,
    ) -> Outcome {
        let command = Approvals::Decide {
            number: 1,
            decision,
            said: said(key, code),
        };
        self.world
            .run_as(by(key), None, Command::Approvals(command))
            .await
    }

    pub(super) async fn review(&mut self, key: &str) -> Outcome {
        let command = Approvals::Review {
            number: 1,
            said: said(key, None),
        };
        self.world
            .run_as(by(key), None, Command::Approvals(command))
            .await
    }

    /// Does what is due, as the scheduler would, and says how much that was.
    pub(super) async fn follow_up(&mut self) -> usize {
        let due = approvals::due(&mut self.world.conn, self.world.now, 10)
            .await
            .unwrap();
        let count = due.len();
        if count > 0 {
            self.world
                .run(Command::Approvals(Approvals::FollowUp { due }))
                .await;
        }
        count
    }

    pub(super) async fn text(&mut self, from: &str, text: &str) {
        self.texts += 1;
        let receive = inbound::Receive {
            key: [self.texts; 16],
            node: NodeId(1),
            channel: "modem".to_owned(),
            from: from.to_owned(),
            text: text.to_owned(),
            sent_at_ms: None,
            wall_ms: 0,
            whole: true,
            call: false,
            damaged: false,
        };
        self.world
            .run(Command::Inbound(inbound::Command::Receive(receive)))
            .await;
    }

    /// Raises an alert on a node that left with the same rows, and returns what it tells of that.
    pub(super) async fn raise_on_island(people: &[&str]) -> (Outcome, Vec<Fact>) {
        let mut island = Self::new().await;
        let fork = Fork {
            node: NodeId(2),
            site: "beta".to_owned(),
            entered_at: island.world.now,
            base: 1,
        };
        enter(&mut island.world.conn, &fork).await.unwrap();
        let raise = Command::Alerts(Alerts::Raise(Box::new(raise(Severity::High, 0, &[people]))));
        let request = RequestId([42; 16]);
        let entry = island.world.entry(request, [0; 32], by(KEY), None, raise);
        apply_on_island(&mut island.world.conn, &entry)
            .await
            .unwrap()
    }

    pub(super) async fn merge(&mut self, facts: &[Fact]) {
        let merge = islands::Command::Merge {
            origin: NodeId(2),
            facts: facts.to_vec(),
        };
        self.world.run(Command::Islands(merge)).await;
    }

    /// The code dora was sent about what waits as number 1.
    pub(super) async fn code(&mut self) -> String {
        approvals::query::codes(&mut self.world.conn, 1)
            .await
            .unwrap()
            .remove(0)
            .1
    }

    pub(super) async fn state(&mut self, number: u64) -> State {
        let row = approvals::approval(&mut self.world.conn, number).await;
        row.unwrap().unwrap().state
    }

    pub(super) async fn unreviewed(&mut self) -> Vec<u64> {
        let rows = approvals::list(&mut self.world.conn, Shown::ToReview, None, 10).await;
        rows.unwrap().into_iter().map(|row| row.number).collect()
    }

    pub(super) async fn alerts(&mut self) -> usize {
        let rows = alerts::list(&mut self.world.conn, None, None, 10).await;
        rows.unwrap().len()
    }

    pub(super) async fn only_alert(&mut self) -> AlertRow {
        let rows = alerts::list(&mut self.world.conn, None, None, 10).await;
        let mut rows = rows.unwrap();
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }

    /// What the duty inbox, dora and the alerts' rooms were told, codes left out.
    pub(super) async fn story(&mut self) -> String {
        let conn = &mut self.world.conn;
        let mut lines = room(conn, "inbox", RoomId::DUTY_INBOX).await;
        let told: Vec<(String, String, String)> = sqlx::query_as(
            "select purpose, kind, body from delivery where purpose in ('update', 'reply') \
             and recipient_id = (select recipient_id from person where key = 'dora') \
             order by created_at_ms, purpose desc, kind desc, body",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        for (purpose, kind, body) in told {
            let how = match purpose.as_str() {
                "update" => format!("by {kind}"),
                _ => purpose,
            };
            let body = body.replace(crate::texts::CODE_MARK, "{code}");
            lines.push(format!("dora {how}: {body}"));
        }
        let mut rows = alerts::list(conn, None, None, 10).await.unwrap();
        rows.reverse();
        for row in rows {
            let name = format!("alert {}", row.label);
            lines.extend(room(conn, &name, RoomId::of_alert(row.id)).await);
        }
        lines.join("\n") + "\n"
    }
}

async fn room(conn: &mut SqliteConnection, name: &str, room: RoomId) -> Vec<String> {
    let said = crate::conversations::messages(conn, room, 0, 50)
        .await
        .unwrap();
    said.into_iter()
        .map(|message| format!("{name}: {}", message.text))
        .collect()
}

fn by(key: &str) -> Actor {
    Actor::ApiKey { id: key.to_owned() }
}

fn said(key: &str, code: Option<&str>) -> Said {
    Said {
        name: if key == KEY { "Kai" } else { "Olga" }.to_owned(),
        reason: "it is real".to_owned(),
        code: code.map(str::to_owned),
    }
}

/// The words of a refusal.
pub(super) fn refusal(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(why) => why.to_string(),
        Outcome::Applied(_) | Outcome::Unchanged | Outcome::Conflict | Outcome::Defect(_) => {
            panic!("not refused: {outcome:?}")
        }
    }
}
