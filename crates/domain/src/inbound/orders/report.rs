//! "REPORT water in the cellar", from anybody: it lands with those on duty, who decide, and its sender is told.

use std::time::Duration;

use super::Desk;
use crate::conversations;
use crate::ids::RoomId;
use crate::inbound::desk::{Handled, Reply, post_text};
use crate::inbound::rules::Order;
use crate::inbound::{Taken, query};
use crate::nodes;
use crate::outcome::{Outcome, Receipt};
use crate::phone::PhoneNumber;
use crate::reports::{self, Report};
use crate::texts::{self, Refused, Verb};

/// Reports of a number nobody here has, within a day.
const STRANGER_REPORTS_MAX: usize = 3;

/// Reports of a known number, within a day.
const KNOWN_REPORTS_MAX: usize = 20;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Texts of a day looked through for reports; all limits are below.
const LOOKED_AT_MAX: u32 = 1_000;

impl Desk<'_> {
    pub(super) async fn report(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let language = self.sender.language();
        if order.args.is_empty() {
            return Ok(
                self.to_reporter(texts::order_refused(language, Refused::Usage(Verb::Report)))
            );
        }
        if let Some(fork) = nodes::fork(self.conn).await? {
            // What is decided about one could not be joined; the duty inbox can.
            return self
                .kept(texts::order_refused(language, Refused::Alone(&fork.site)))
                .await;
        }
        if self.sender.sent_as(&self.text.text, Taken::Report) {
            return Ok(Handled {
                taken: Taken::Report,
                alert: None,
                recipient: self.only_person(),
                reply: None,
            });
        }
        let most = match self.sender.people.is_empty() {
            true => STRANGER_REPORTS_MAX,
            false => KNOWN_REPORTS_MAX,
        };
        let since = self.entry.at - DAY;
        let lately =
            query::of_sender(self.conn, &self.sender.address, since, LOOKED_AT_MAX).await?;
        let reported = lately
            .iter()
            .filter(|row| row.taken == Some(Taken::Report))
            .count();
        if reported >= most {
            return self
                .kept(texts::order_refused(language, Refused::TooMany))
                .await;
        }
        let number = PhoneNumber::parse(&self.sender.address).ok();
        let contact = number.filter(|_| self.sender.is_phone());
        let report = Report {
            who: texts::clip(&texts::clean(self.sender.name()), 100),
            contact: contact.map_or_else(String::new, |number| number.as_str().to_owned()),
            language: language.tag().to_owned(),
            what: texts::clip(&post_text(&order.args), 2_000),
            via: "sms".to_owned(),
        };
        let command = reports::Command::Take(report);
        match reports::apply(self.conn, self.entry, &command).await? {
            Outcome::Applied(receipt) => {
                self.note_report(&receipt, order).await?;
                // Reports tell their senders themselves, now and when it is over.
                Ok(Handled {
                    taken: Taken::Report,
                    alert: None,
                    recipient: self.only_person(),
                    reply: None,
                })
            }
            Outcome::Unchanged | Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_) => {
                self.duty_inbox(Taken::DutyInbox).await
            }
        }
    }

    /// Those working on the alert its sender was called to read it as well.
    async fn note_report(&mut self, receipt: &Receipt, order: &Order) -> Result<(), sqlx::Error> {
        let (Some(newest), Some(number)) = (self.sender.open.first(), receipt.number()) else {
            return Ok(());
        };
        let room = RoomId::of_alert(newest.alert);
        let said = format!("Report {number}: {}", post_text(&order.args));
        let author = self.sender.name();
        conversations::post(self.conn, self.entry, room, author, "sms", &said).await?;
        Ok(())
    }

    fn to_reporter(&self, body: String) -> Handled {
        Handled {
            taken: Taken::OrderRefused,
            alert: None,
            recipient: self.only_person(),
            reply: Some(Reply {
                body,
                language: self.sender.language(),
                critical: false,
                to_stranger: self.sender.people.is_empty(),
            }),
        }
    }
}
