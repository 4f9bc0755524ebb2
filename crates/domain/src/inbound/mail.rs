//! Answers by mail. The address a reply comes to was sealed for one mail of ours (SECURITY T-10): whoever has it has read that
//! mail, whatever name stands on the reply. It answers once; to say something else, people reply to our newest mail.
//!
//! A mailer that drops what follows the `+` leaves the code: from an address that is a called person's own, it counts like
//! the same code in a text. A sender alone proves nothing, and such a mail is kept for the person on duty. Orders are not
//! taken by mail. Not here: DKIM. Writes to `reply_used`.

use sqlx::SqliteConnection;

use super::calls::{Asked, CODES_REST};
use super::desk::{Desk, Handled, Reply, about, post_text, reply_to};
use super::rules::{self, Given, Meaning};
use super::sender::Sender;
use super::{Receive, ReceiveMail, Taken, query};
use crate::alerts;
use crate::apply::Entry;
use crate::bridge;
use crate::conversations::{self, Heard};
use crate::deliveries::{self, ReplyTo};
use crate::escalation;
use crate::ids::{AlertId, DeliveryId, RecipientId, RoomId};
use crate::nodes;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients;
use crate::texts;

/// The kind of contact method, and how rooms say that words came by mail.
pub(super) const KIND: &str = "email";

/// The channel of mails among texts that came in.
const CHANNEL: &str = "mail";

/// The longest mail kept, in UTF-16 units.
const TEXT_UNITS_MAX: usize = 4_000;

pub(super) async fn receive(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    mail: &ReceiveMail,
) -> Result<Outcome, sqlx::Error> {
    if query::is_kept(conn, mail.key).await? {
        return Ok(Outcome::Unchanged);
    }
    let secret = deliveries::reply_secret(conn).await?;
    let Some(to) = secret.and_then(|secret| secret.read(&mail.to)) else {
        let problem = "no mail of ours is answered at this address".to_owned();
        return Ok(Outcome::Refused(Refusal::NoSuch(problem)));
    };
    let words = match mail.text.trim() {
        "" => mail.subject.trim(),
        words => words,
    };
    let text = Receive {
        key: mail.key,
        node: mail.node,
        channel: CHANNEL.to_owned(),
        from: mail.from.clone(),
        text: texts::clip(&texts::neutral(words), TEXT_UNITS_MAX),
        sent_at_ms: None,
        wall_ms: mail.wall_ms,
        whole: true,
        damaged: false,
        call: false,
    };
    let from = texts::clean(&mail.from);
    let sender = Sender::with(conn, entry.at, from.clone(), KIND).await?;
    let organisation = nodes::organisation(conn).await?;
    let civil = nodes::civil(conn).await?;
    let mut desk = Desk {
        conn,
        entry,
        now: entry,
        text: &text,
        sender,
        organisation,
        civil,
        answers_to: Some(from),
    };
    let handled = match (mail.automatic, to) {
        (true, to) => desk.automatic(to, mail).await?,
        (false, ReplyTo::Delivery(delivery)) => desk.answer_to(delivery, mail).await?,
        (false, ReplyTo::Plain) => desk.with_code(mail).await?,
    };
    desk.finish(&handled).await?;
    Ok(Outcome::Applied(Receipt::None))
}

impl Desk<'_> {
    /// The call that a mail of ours was about, while its code is good; replies go where that mail went, not to whoever wrote
    /// this one.
    async fn called_by(&mut self, delivery: DeliveryId) -> Result<Option<Asked>, sqlx::Error> {
        let Some((alert, person, address)) = deliveries::answers_to(self.conn, delivery).await?
        else {
            return Ok(None);
        };
        let Some(call) = escalation::find_call(self.conn, alert, person).await? else {
            return Ok(None);
        };
        let rests = self.entry.at - CODES_REST;
        if call.closed_at.is_some_and(|closed| closed < rests) {
            return Ok(None);
        }
        self.answers_to = Some(address);
        self.sender.asked(self.conn, call).await
    }

    async fn answer_to(
        &mut self,
        delivery: DeliveryId,
        mail: &ReceiveMail,
    ) -> Result<Handled, sqlx::Error> {
        if let Some((room, person)) = bridge::digest(self.conn, delivery).await? {
            return self.of_follower(room, person, mail).await;
        }
        let Some(asked) = self.called_by(delivery).await? else {
            return self.for_duty(Taken::DutyInbox).await;
        };
        let (given, rest) = said(&asked, &mail.text);
        let Some(given) = given else {
            return self.words_about(&asked, &mail.text).await;
        };
        if is_used(self.conn, delivery).await? {
            return self.used(&asked).await;
        }
        let handled = self.answer(&asked, &given, &rest).await?;
        if matches!(handled.taken, Taken::Answer | Taken::LateAnswer) {
            sqlx::query(
                "insert into reply_used (delivery_id, inbound_key, at_ms) values (?, ?, ?) on conflict (delivery_id) do nothing",
            )
            .bind(delivery.as_bytes())
            .bind(mail.key.as_slice())
            .bind(self.entry.at.0)
            .execute(&mut *self.conn)
            .await?;
        }
        Ok(handled)
    }

    /// Words of somebody who answers what they were told of a room: for that room, as long as they are in it. No answer to an
    /// alert, whatever stands in them, and not confirmed: two programs would write to each other.
    async fn of_follower(
        &mut self,
        room: RoomId,
        person: RecipientId,
        mail: &ReceiveMail,
    ) -> Result<Handled, sqlx::Error> {
        let alert = alerts::find(self.conn, AlertId(room.0)).await?;
        let inside = match &alert {
            Some(alert) => alerts::was_called(self.conn, alert.id, person).await?,
            None => false,
        };
        let member = conversations::member(self.conn, room, person).await?;
        let closed = conversations::room(self.conn, room)
            .await?
            .is_some_and(|room| room.closed);
        let people = recipients::by_ids(self.conn, &[person]).await?;
        let words = post_text(&mail.text);
        let known = people.first().filter(|_| inside || member.is_some());
        let Some(known) = known.filter(|_| !closed && !words.is_empty()) else {
            return self.for_duty(Taken::DutyInbox).await;
        };
        let heard = Heard {
            author: &known.name,
            person: Some(person),
            via: KIND,
            text: &words,
        };
        conversations::hear(self.conn, self.entry, room, &heard).await?;
        Ok(Handled {
            taken: Taken::RoomPost,
            alert: alert.map(|alert| alert.id),
            recipient: Some(person),
            reply: None,
        })
    }

    /// The code must stand in the subject or the first line, and the sender must be a person who has it.
    async fn with_code(&mut self, mail: &ReceiveMail) -> Result<Handled, sqlx::Error> {
        let open = self.sender.open_codes();
        let looked = format!("{}\n{}", mail.subject, first_line(&mail.text).0);
        let code = rules::code(&looked, &open);
        let asked = match &code {
            Some(code) => self.sender.find_call(self.conn, code).await?,
            None => None,
        };
        let own = asked.filter(|asked| self.sender.is(asked.call.recipient));
        let (Some(asked), Some(_)) = (own, &code) else {
            // Counts as a guess when it looks like one.
            let taken = match code.is_some() && !self.sender.people.is_empty() {
                true => Taken::UnknownCode,
                false => Taken::DutyInbox,
            };
            return self.for_duty(taken).await;
        };
        let (given, rest) = said(&asked, &mail.text);
        match given {
            None => self.words_about(&asked, &mail.text).await,
            Some(given) if self.sender.is_guessing() => self.distrusted(&asked, given.answer).await,
            Some(given) => self.answer(&asked, &given, &rest).await,
        }
    }

    /// A program answered: away, or out of order. Those working on the alert read it, nothing else follows.
    async fn automatic(&mut self, to: ReplyTo, mail: &ReceiveMail) -> Result<Handled, sqlx::Error> {
        // What answers a digest stays out of the room: followers would read it, and their programs answer it.
        let digest = match to {
            ReplyTo::Delivery(delivery) => bridge::digest(self.conn, delivery).await?,
            ReplyTo::Plain => None,
        };
        let asked = match to {
            ReplyTo::Delivery(_) if digest.is_some() => None,
            ReplyTo::Delivery(delivery) => self.called_by(delivery).await?,
            ReplyTo::Plain => None,
        };
        let Some(asked) = asked else {
            return self.for_duty(Taken::DutyInbox).await;
        };
        let shown = format!("(automatic reply, not counted) {}", mail.subject);
        self.post(asked.alert.id, &shown).await?;
        Ok(about(&asked))
    }

    /// Words for the room of the alert; without any, how to answer.
    async fn words_about(&mut self, asked: &Asked, text: &str) -> Result<Handled, sqlx::Error> {
        if text.trim().is_empty() {
            let about_alert = self.about(&asked.alert, asked.language);
            let body = texts::ask_back(about_alert, &asked.call.code, first_answer(asked));
            return Ok(Handled {
                taken: Taken::AskedBack,
                reply: Some(reply_to(asked, body)),
                ..about(asked)
            });
        }
        self.room_post(asked).await
    }

    /// This mail was answered before.
    async fn used(&mut self, asked: &Asked) -> Result<Handled, sqlx::Error> {
        let shown = format!(
            "{} (this mail was answered before, not counted)",
            self.text.text
        );
        self.post(asked.alert.id, &shown).await?;
        let body = texts::mail_used(self.about(&asked.alert, asked.language), &asked.call.code);
        Ok(Handled {
            taken: Taken::Distrusted,
            reply: Some(reply_to(asked, body)),
            ..about(asked)
        })
    }

    /// Kept for the person on duty; whoever wrote it gets no answer, for the name on a mail is anybody's.
    async fn for_duty(&mut self, taken: Taken) -> Result<Handled, sqlx::Error> {
        let handled = self.duty_inbox(taken).await?;
        Ok(Handled {
            reply: None::<Reply>,
            ..handled
        })
    }
}

/// What the first line answers, and the lines after it.
fn said(asked: &Asked, text: &str) -> (Option<Given>, String) {
    let (first, rest) = first_line(text);
    let open = [asked.call.code.clone()];
    let given = match rules::parse(first, &open, asked.alert.kind) {
        Meaning::Code { code, given, .. } if code == asked.call.code => given,
        Meaning::BareAnswer(given) => Some(given),
        Meaning::Code { .. } | Meaning::Question | Meaning::Order(_) | Meaning::Free => None,
    };
    (given, rest)
}

/// The first line that says something, and what follows it.
fn first_line(text: &str) -> (&str, String) {
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty());
    let first = lines.next().unwrap_or_default().trim();
    let rest: Vec<&str> = lines.collect();
    (first, rest.join("\n").trim().to_owned())
}

fn first_answer(asked: &Asked) -> crate::vocabulary::Answer {
    let answers = asked.alert.kind.answers();
    answers
        .first()
        .copied()
        .unwrap_or(crate::vocabulary::Answer::Coming)
}

async fn is_used(conn: &mut SqliteConnection, delivery: DeliveryId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from reply_used where delivery_id = ?)")
        .bind(delivery.as_bytes())
        .fetch_one(conn)
        .await
}
