//! Does what was ordered, in the name of whoever ordered it.

use super::rows::{Act, OrderRow};
use super::{Desk, Said};
use crate::alerts::{self, AlertRow, Command as Alerts};
use crate::apply::Entry;
use crate::approvals;
use crate::conversations;
use crate::deliveries::{self, Lane, Update};
use crate::envelope::{Actor, Envelope};
use crate::escalation;
use crate::ids::{AlertId, RecipientId, RoomId, digest16};
use crate::inbound::desk::post_text;
use crate::nodes;
use crate::outcome::{Outcome, Refusal};
use crate::recipients::{self, ContactMethod, PersonRow};
use crate::sources::{self, Silence, SilenceKind};
use crate::texts::{self, Done, Language, Refused};
use crate::vocabulary::Severity;

/// Longest subject of a mail that carries a message.
const SUBJECT_UNITS_MAX: usize = 70;

/// What a silence by text gives as its reason.
const BY_TEXT: &str = "ordered by text";

impl Desk<'_> {
    /// Words for whoever ordered: what was done, with the alert it made or touched, or why a rule said no.
    pub(super) async fn carry_out(
        &mut self,
        act: &Act,
        row: &OrderRow,
        person: &PersonRow,
    ) -> Result<Result<(Said, Option<AlertId>), Said>, sqlx::Error> {
        let language = Language::parse(&person.language);
        let envelope = Envelope {
            actor: Actor::Person {
                key: person.key.clone(),
            },
            ..self.entry.envelope.clone()
        };
        let entry = Entry {
            envelope: &envelope,
            ..*self.entry
        };
        let at = self.civil.at(entry.at);
        let refused = |outcome: &Outcome| match outcome {
            Outcome::Applied(_) | Outcome::Unchanged => None,
            Outcome::Refused(refusal) => {
                let rule = refusal.to_string();
                Some(texts::order_refused(language, Refused::Rule(&rule)))
            }
            Outcome::Conflict | Outcome::Defect(_) => Some(texts::order_refused(
                language,
                Refused::Rule("it could not be applied"),
            )),
        };
        if let Act::Raise(raise) = act {
            let alert = AlertId::derive(&[envelope.request.as_bytes()]);
            let outcome = approvals::raise_as(self.conn, &entry, alert, raise).await?;
            if let Some(said) = refused(&outcome) {
                return Ok(Err(said));
            }
            let made = alerts::find(self.conn, alert).await?;
            let number = made.map_or_else(String::new, |made| made.label);
            let people = alerts::headcount(raise).unwrap_or(0);
            self.note(&entry, alert, row, person).await?;
            let done = Done::Raised {
                number: &number,
                people,
            };
            return Ok(Ok((texts::order_done(language, at, done), Some(alert))));
        }
        if let Act::Mute { source, minutes } = act {
            let until = entry.at + std::time::Duration::from_secs(u64::from(*minutes) * 60);
            let command = mute(&entry, source.as_deref(), *minutes);
            let alone = nodes::fork(self.conn).await?.filter(|_| source.is_some());
            if let Some(fork) = alone {
                return Ok(Err(texts::order_refused(
                    language,
                    Refused::Alone(&fork.site),
                )));
            }
            let outcome = sources::apply(self.conn, &entry, &command).await?;
            let done = Done::Muted {
                until: self.civil.at(until),
            };
            return Ok(match refused(&outcome) {
                Some(said) => Err(said),
                None => Ok((texts::order_done(language, at, done), None)),
            });
        }
        let Some(alert) = act.alert() else {
            return Ok(Err(texts::order_refused(
                language,
                Refused::UnknownAlert(""),
            )));
        };
        let Some(about) = alerts::find(self.conn, alert).await? else {
            return Ok(Err(texts::order_refused(
                language,
                Refused::UnknownAlert(""),
            )));
        };
        let number = about.label.as_str();
        self.note(&entry, alert, row, person).await?;
        let done = match act {
            Act::CallOff { reason, .. } => {
                let command = Alerts::CallOff {
                    alert,
                    reason: reason.clone(),
                };
                let outcome = alerts::apply(self.conn, &entry, &command).await?;
                refused(&outcome).map_or(Ok(Done::CalledOff { number }), Err)
            }
            Act::Take { .. } => {
                let command = Alerts::Acknowledge {
                    alert,
                    note: String::new(),
                };
                let outcome = alerts::apply(self.conn, &entry, &command).await?;
                refused(&outcome).map_or(Ok(Done::Taken { number }), Err)
            }
            Act::Tell { text, .. } => {
                let people = self.tell(&entry, &about, person, text).await?;
                Ok(Done::Told { number, people })
            }
            Act::Add { people, .. } => {
                let new = escalation::uncalled(self.conn, alert, people).await?.len();
                if new == 0 {
                    let rule = Refusal::NoRecipients.to_string();
                    return Ok(Err(texts::order_refused(language, Refused::Rule(&rule))));
                }
                let command = Alerts::Act {
                    alert,
                    act: alerts::Act::Add {
                        named: Vec::new(),
                        people: people.clone(),
                    },
                    reason: String::new(),
                };
                let outcome = alerts::apply(self.conn, &entry, &command).await?;
                refused(&outcome).map_or(
                    Ok(Done::Added {
                        number,
                        people: new,
                    }),
                    Err,
                )
            }
            Act::Raise(_) | Act::Mute { .. } => {
                Err(texts::order_refused(language, Refused::UnknownAlert("")))
            }
        };
        Ok(done.map(|done| (texts::order_done(language, at, done), Some(alert))))
    }

    /// Writes an order into its alert's room, as its sender wrote it.
    async fn note(
        &mut self,
        entry: &Entry<'_>,
        alert: AlertId,
        row: &OrderRow,
        person: &PersonRow,
    ) -> Result<(), sqlx::Error> {
        let room = RoomId::of_alert(alert);
        let words = post_text(&row.asked);
        conversations::post(self.conn, entry, room, &person.name, "sms", &words).await?;
        Ok(())
    }

    /// Texts everybody who was called, except those who cannot come. Returns how many that are.
    async fn tell(
        &mut self,
        entry: &Entry<'_>,
        alert: &AlertRow,
        from: &PersonRow,
        text: &str,
    ) -> Result<usize, sqlx::Error> {
        let listeners = self.listeners(alert).await?;
        let ids: Vec<RecipientId> = listeners.iter().map(|call| call.recipient).collect();
        let people = recipients::by_ids(self.conn, &ids).await?;
        let mut updates = Vec::with_capacity(people.len());
        for person in &people {
            let call = listeners.iter().find(|call| call.recipient == person.id);
            let (Some(call), Some(method)) = (call, person.methods.first()) else {
                continue;
            };
            let (kind, address) = match method {
                ContactMethod::Sms(number) => ("sms", number),
                ContactMethod::Email(address) => ("email", address),
            };
            let language = Language::parse(&person.language);
            let body = texts::message(language, &self.organisation, &alert.label, &from.name, text);
            updates.push(Update {
                alert: Some(alert.id),
                recipient: Some(person.id),
                kind,
                address: address.clone(),
                language: language.tag(),
                lane: Lane::Human,
                critical: alert.severity == Severity::Critical,
                code: call.code.clone(),
                subject: texts::clip(body.lines().next().unwrap_or_default(), SUBJECT_UNITS_MAX),
                body,
            });
        }
        deliveries::update(self.conn, entry, &updates).await?;
        Ok(updates.len())
    }
}

/// What holds back a source, or everything automatic.
fn mute(entry: &Entry<'_>, source: Option<&str>, minutes: u32) -> sources::Command {
    let for_ms = u64::from(minutes) * 60_000;
    match source {
        None => sources::Command::StopAll {
            reason: BY_TEXT.to_owned(),
            for_ms,
        },
        Some(source) => {
            let id = digest16("silence", &[entry.envelope.request.as_bytes()]);
            sources::Command::PutSilence(Silence {
                id: data_encoding::HEXLOWER.encode(&id),
                kind: SilenceKind::Silence,
                source: source.to_owned(),
                matchers: Vec::new(),
                from: entry.at,
                until: entry.at + std::time::Duration::from_millis(for_ms),
                reason: BY_TEXT.to_owned(),
            })
        }
    }
}
