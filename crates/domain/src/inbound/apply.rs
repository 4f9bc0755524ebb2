//! Takes texts in: one transaction from the text to the answer it gave, the post it became and the reply it gets.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::desk::{Desk, Handled, Reply};
use super::sender::Sender;
use super::{Command, Receive, mail, orders, query};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Notice, Update};
use crate::nodes;
use crate::outcome::{Outcome, Receipt};
use crate::texts;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Receive(text) => receive(conn, entry, text).await,
        Command::ReceiveMail(mail) => mail::receive(conn, entry, mail).await,
        Command::Replay { keys } => replay(conn, entry, keys).await,
        Command::SetCommanders { whom } => {
            let now = nodes::civil(conn).await?.at(entry.at);
            orders::set_commanders(conn, whom, now).await
        }
    }
}

async fn receive(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    text: &Receive,
) -> Result<Outcome, sqlx::Error> {
    if query::is_kept(conn, text.key).await? {
        return Ok(Outcome::Unchanged);
    }
    take(conn, entry, entry, text).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Deals with texts an island kept for whoever knows their codes, as of when they came.
async fn replay(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    keys: &[[u8; 16]],
) -> Result<Outcome, sqlx::Error> {
    let mut replayed = 0;
    for key in keys {
        let Some((text, received_at)) = query::kept_for_elsewhere(conn, *key).await? else {
            continue;
        };
        let then = Entry {
            at: entry.at.min(received_at),
            ..*entry
        };
        take(conn, &then, entry, &text).await?;
        replayed += 1;
    }
    Ok(if replayed == 0 {
        Outcome::Unchanged
    } else {
        Outcome::Applied(Receipt::Count(replayed))
    })
}

/// Finds out what a text means, does it, and keeps the text. `entry` is when it counts from, `now` when a reply leaves.
async fn take(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    now: &Entry<'_>,
    text: &Receive,
) -> Result<(), sqlx::Error> {
    let sender = Sender::load(conn, entry.at, &text.from).await?;
    let organisation = nodes::organisation(conn).await?;
    let civil = nodes::civil(conn).await?;
    let mut desk = Desk {
        conn,
        entry,
        now,
        text,
        sender,
        organisation,
        civil,
        answers_to: None,
    };
    let handled = if text.whole {
        desk.whole().await?
    } else {
        desk.part().await?
    };
    desk.finish(&handled).await
}

/// How much of a reply its subject shows.
const SUBJECT_UNITS_MAX: usize = 70;

/// A number without business with us gets one reply in this time.
const STRANGER_PAUSE: Duration = Duration::from_secs(24 * 3_600);

impl Desk<'_> {
    /// Replies if that is wanted and allowed, and keeps the text.
    pub(super) async fn finish(&mut self, handled: &Handled) -> Result<(), sqlx::Error> {
        let replied = match (&handled.reply, self.answers_to.clone()) {
            (None, _) => false,
            (Some(reply), None) => self.reply(handled, reply).await?,
            (Some(reply), Some(address)) => self.reply_by_mail(handled, reply, address).await?,
        };
        self.keep(handled, replied).await
    }

    /// Queues the reply if the limits allow one (CHANNELS §1.9, SECURITY §2.4).
    async fn reply(&mut self, handled: &Handled, reply: &Reply) -> Result<bool, sqlx::Error> {
        let sender = &self.sender;
        if !sender.is_phone() || sender.is_exhausted() {
            return Ok(false);
        }
        let pause = self.entry.at - STRANGER_PAUSE;
        if reply.to_stranger && query::was_replied(self.conn, &sender.address, pause).await? {
            return Ok(false);
        }
        let notice = Notice {
            alert: handled.alert,
            recipient: handled.recipient,
            address: sender.address.clone(),
            language: reply.language.tag().to_owned(),
            body: reply.body.clone(),
            critical: reply.critical,
            node: self.text.node,
            channel: self.text.channel.clone(),
        };
        deliveries::notice(self.conn, self.now, &notice).await?;
        Ok(true)
    }

    /// Queues the reply to a mail, never to somebody without business with us.
    async fn reply_by_mail(
        &mut self,
        handled: &Handled,
        reply: &Reply,
        address: String,
    ) -> Result<bool, sqlx::Error> {
        if self.sender.is_exhausted() || reply.to_stranger {
            return Ok(false);
        }
        let update = Update {
            alert: handled.alert,
            recipient: handled.recipient,
            kind: mail::KIND,
            address,
            language: reply.language.tag(),
            lane: Lane::Reply,
            critical: reply.critical,
            code: String::new(),
            subject: texts::clip(&texts::clean(&reply.body), SUBJECT_UNITS_MAX),
            body: format!("{}\n", reply.body),
        };
        deliveries::update(self.conn, self.now, &[update]).await?;
        Ok(true)
    }

    async fn keep(&mut self, handled: &Handled, replied: bool) -> Result<(), sqlx::Error> {
        let text = self.text;
        sqlx::query(
            "insert into inbound_text (inbound_key, node_id, channel, sender, text, sent_at_ms, received_at_ms, wall_ms, \
             recipient_id, alert_id, taken, replied, damaged) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             on conflict (inbound_key) do update set recipient_id = excluded.recipient_id, \
             alert_id = excluded.alert_id, taken = excluded.taken, replied = excluded.replied",
        )
        .bind(text.key.as_slice())
        .bind(text.node.0.cast_signed())
        .bind(&text.channel)
        .bind(&self.sender.address)
        .bind(&text.text)
        .bind(text.sent_at_ms)
        .bind(self.entry.at.0)
        .bind(text.wall_ms)
        .bind(handled.recipient.map(|id| id.0.to_vec()))
        .bind(handled.alert.map(|id| id.0.to_vec()))
        .bind(handled.taken.name())
        .bind(replied)
        .bind(text.damaged)
        .execute(&mut *self.conn)
        .await?;
        Ok(())
    }
}
