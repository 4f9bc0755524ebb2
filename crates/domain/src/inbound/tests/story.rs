//! Tells what comes of texts, with codes written as `{ana 1}`.

use std::collections::BTreeSet;

use expect_test::Expect;
use sqlx::Row;

use crate::alerts::{self, Command as Alerts, Severity};
use crate::conversations::messages;
use crate::inbound::{Command as Inbound, Receive, of_sender};
use crate::transcript::{START, World};
use crate::{AlertId, Command, NodeId, Outcome, Receipt, RecipientId, RoomId, escalation};

pub(super) const ANA: &str = "+358401000001";
pub(super) const BELA: &str = "+46701000002";
pub(super) const DORA: &str = "+441000000004";
pub(super) const STRANGER: &str = "+358409999999";

/// A world and everything that was texted in it. Codes are written as `{ana 1}`: ana's for alert 1.
pub(super) struct Story {
    pub(super) world: World,
    pub(super) alerts: Vec<AlertId>,
    texts: u32,
    pub(super) log: String,
    pub(super) seen_replies: BTreeSet<Vec<u8>>,
    seen_posts: BTreeSet<(RoomId, u64)>,
}

impl Story {
    pub(super) async fn new() -> Self {
        let world = World::new().await;
        let (seen_replies, seen_posts) = (BTreeSet::new(), BTreeSet::new());
        Self {
            world,
            alerts: Vec::new(),
            texts: 0,
            log: String::new(),
            seen_replies,
            seen_posts,
        }
    }

    pub(super) async fn raise(&mut self, severity: Severity, people: &[&str]) -> AlertId {
        let alert = self.world.raise(severity, 300, &[people]).await;
        self.alerts.push(alert);
        self.see().await;
        alert
    }

    pub(super) async fn do_to(&mut self, command: Alerts) {
        assert!(matches!(
            self.world.ask(Command::Alerts(command)).await,
            Outcome::Applied(_)
        ));
        self.see().await;
    }

    pub(super) async fn text(&mut self, from: &str, text: &str) {
        self.receive(from, text, true, false).await;
    }

    pub(super) async fn part(&mut self, from: &str, text: &str) {
        self.receive(from, text, false, false).await;
    }

    /// A call, which was turned down.
    pub(super) async fn call(&mut self, from: &str) {
        self.take(from, "", (true, false, true)).await;
    }

    pub(super) async fn receive(&mut self, from: &str, text: &str, whole: bool, damaged: bool) {
        self.take(from, text, (whole, damaged, false)).await;
    }

    /// What came, and whether it was whole, damaged, and a call.
    async fn take(&mut self, from: &str, text: &str, (whole, damaged, call): (bool, bool, bool)) {
        let mut sent = text.to_owned();
        for (placeholder, code) in self.codes().await {
            sent = sent.replace(&placeholder, &code);
        }
        self.texts += 1;
        let mut key = [0; 16];
        key[..4].copy_from_slice(&self.texts.to_be_bytes());
        let received = Receive {
            key,
            node: NodeId(2),
            channel: "modem".to_owned(),
            from: from.to_owned(),
            text: sent,
            sent_at_ms: None,
            wall_ms: 0,
            whole,
            damaged,
            call,
        };
        let command = Command::Inbound(Inbound::Receive(received));
        assert_eq!(
            self.world.run(command.clone()).await,
            Outcome::Applied(Receipt::None)
        );
        let kept = of_sender(&mut self.world.conn, from, self.world.now, 1_000)
            .await
            .unwrap();
        let taken = kept
            .iter()
            .find(|row| row.key == key)
            .unwrap()
            .taken
            .unwrap()
            .name();
        let shown = text.replace("\r\n", " / ");
        let part = if whole { "" } else { " (part)" };
        self.log.push_str(&format!(
            "+{} s {}{part}: {shown}\n  {taken}\n",
            self.elapsed(),
            name_of(from)
        ));
        self.see().await;
        let before = self.log.clone();
        assert_eq!(
            self.world.run(command).await,
            Outcome::Unchanged,
            "the same key again changes nothing"
        );
        self.see().await;
        assert_eq!(self.log, before);
    }

    fn elapsed(&self) -> u64 {
        self.world.now.since(START).as_secs()
    }

    /// Notes posts and replies that were not there before.
    async fn see(&mut self) {
        let mut new = String::new();
        let raised = alerts::list(&mut self.world.conn, None, None, 50)
            .await
            .unwrap();
        for alert in raised.into_iter().rev().map(|alert| alert.id) {
            if !self.alerts.contains(&alert) {
                self.alerts.push(alert);
            }
        }
        let rooms = self
            .alerts
            .iter()
            .map(|alert| RoomId::of_alert(*alert))
            .chain([RoomId::DUTY_INBOX]);
        for (room, number) in rooms.zip(1..) {
            let name = if room == RoomId::DUTY_INBOX {
                "inbox".to_owned()
            } else {
                format!("room {number}")
            };
            for post in messages(&mut self.world.conn, room, 0, 1_000)
                .await
                .unwrap()
            {
                if self.seen_posts.insert((room, post.sequence))
                    && !post.author.starts_with("operator")
                {
                    let author = name_of(&post.author);
                    if author != "control room" {
                        new.push_str(&format!("  {name}: {author}: {}\n", post.text));
                    }
                }
            }
        }
        let replies = sqlx::query(
            "select delivery_id, address, body, code, purpose, prefer_node, prefer_channel from delivery \
             where purpose in ('reply', 'update') order by address, delivery_id",
        )
        .fetch_all(&mut self.world.conn)
        .await
        .unwrap();
        for row in replies {
            if self.seen_replies.insert(row.get("delivery_id")) {
                let from = match row.get("purpose") {
                    "reply" => (2, "modem"),
                    _ => (0, ""), // whichever modem is free
                };
                assert_eq!((row.get("prefer_node"), row.get("prefer_channel")), from);
                let body: String = row.get("body");
                let body = body.replace(crate::texts::CODE_MARK, row.get("code"));
                new.push_str(&format!(
                    "  to {}: {}\n",
                    name_of(row.get("address")),
                    body.replace('\n', " / ")
                ));
            }
        }
        for (placeholder, code) in self.codes().await {
            new = new.replace(&code, &placeholder);
        }
        self.log.push_str(&new);
    }

    async fn codes(&mut self) -> Vec<(String, String)> {
        let mut codes = Vec::new();
        for (alert, number) in self.alerts.clone().into_iter().zip(1..) {
            for key in ["ana", "bela", "dora", "eve"] {
                let id = RecipientId::of_key(key);
                if let Some(call) = escalation::find_call(&mut self.world.conn, alert, id)
                    .await
                    .unwrap()
                {
                    codes.push((format!("{{{key} {number}}}"), call.code));
                }
            }
        }
        let orders: Vec<String> =
            sqlx::query_scalar("select code from text_order order by asked_at_ms, sender, code")
                .fetch_all(&mut self.world.conn)
                .await
                .unwrap();
        for (code, number) in orders.into_iter().zip(1..) {
            codes.push((format!("{{order {number}}}"), code));
        }
        codes
    }

    pub(super) async fn answer_of(&mut self, alert: AlertId, key: &str) -> String {
        let call = escalation::find_call(&mut self.world.conn, alert, RecipientId::of_key(key))
            .await
            .unwrap()
            .unwrap();
        let answer = call.answer.map_or("silent", |answer| answer.name());
        format!("{answer} {}", name_of(&call.answered_from))
    }

    pub(super) fn check(&mut self, expected: Expect) {
        expected.assert_eq(&self.log);
        self.log.clear();
    }
}

fn name_of(address: &str) -> String {
    match address {
        ANA => "ana",
        BELA => "bela",
        DORA => "dora",
        STRANGER => "stranger",
        other => other,
    }
    .to_owned()
}
