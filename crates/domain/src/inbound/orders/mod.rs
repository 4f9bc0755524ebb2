//! Orders by text: whoever stands before a dead network with a phone in the hand starts and steers an alert (PRODUCT W-7).
//!
//! A sender's number is no identity (SECURITY D-2, PRODUCT L-11). What only tells is answered to the number that is on
//! record, where a forger does not see it. What changes something is first answered with what it would do and a code;
//! it is done, as it was shown, when that code comes back from the same number within [`rows::ORDER_GOOD`]. An order is its
//! own history's: one asked for on an island can be confirmed there only, or two histories would both do it.

mod carry_out;
mod commanders;
mod confirm;
mod prepare;
mod report;
mod rooms;
mod rows;
mod stands;
mod start;

pub use self::commanders::commanders;
pub(super) use self::commanders::set as set_commanders;
pub(super) use self::rows::of_number;
use self::rows::{Act, NewOrder};
pub use self::rows::{OrderRow, OrderState, orders, waiting};
use super::Taken;
use super::desk::{Desk, Handled, Reply};
use super::rules::Order;
use crate::ids::AlertId;
use crate::nodes;
use crate::recipients::{ContactMethod, Found, PersonRow};
use crate::texts::{self, Language, Refused, Unready, Verb};

/// Orders of one number within an hour.
const ORDERS_PER_HOUR_MAX: usize = 20;

/// The same text again within this time of being done is a second delivery, not a second order.
const SAME_AGAIN: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// Digits of a code for an order: more than a code of a person and alert has.
const CODE_DIGITS: u32 = 6;

/// What an order comes to, as it will be shown.
struct Prepared {
    act: Act,
    /// What would be done, in the language of whoever ordered.
    deed: String,
    alert: Option<AlertId>,
}

/// Words for whoever ordered, when an order cannot be.
type Said = String;

impl Desk<'_> {
    pub(super) async fn order(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        match order.verb {
            Verb::Report => self.report(order).await,
            Verb::Help => self.order_help().await,
            Verb::Status => self.standing(order).await,
            Verb::Who => self.who(order).await,
            Verb::Room => self.diary(order).await,
            Verb::Follow => self.follow(order).await,
            Verb::Unfollow => self.unfollow(order).await,
            Verb::Start | Verb::Add | Verb::Tell | Verb::Mute | Verb::CallOff | Verb::Take => {
                self.ask_for_code(order).await
            }
        }
    }

    /// Who of those behind this number may order anything, if somebody may.
    async fn commander(&mut self) -> Result<Option<PersonRow>, sqlx::Error> {
        let now = self.civil.at(self.entry.at);
        for person in &self.sender.people {
            if commanders::may_order(self.conn, person.id, now).await? {
                return Ok(Some(person.clone()));
            }
        }
        Ok(None)
    }

    /// Answers an order that changes something with what it would do, and the code that does it.
    async fn ask_for_code(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let Some(person) = self.who_orders(order).await? else {
            return self.not_allowed(order).await;
        };
        let language = Language::parse(&person.language);
        if !is_verified(&person, &self.sender.address) {
            return self
                .kept(texts::order_refused(language, Refused::NotVerified))
                .await;
        }
        let asked = |taken| matches!(taken, Taken::Ordered | Taken::OrderRefused);
        if self.sender.count_taken(asked) >= ORDERS_PER_HOUR_MAX {
            return self
                .kept(texts::order_refused(language, Refused::TooMany))
                .await;
        }
        if let Some(handled) = self.same_again(&person).await? {
            return Ok(handled);
        }
        let prepared = match self.prepare(order, &person).await? {
            Ok(prepared) => prepared,
            Err(said) if self.sender.open.is_empty() => {
                return Ok(self.told(&person, Taken::OrderRefused, None, said));
            }
            // Perhaps they were words for the room, with an order's word in front.
            Err(said) => return self.kept(said).await,
        };
        let code = self.draw_code(&person).await?;
        rows::insert(
            self.conn,
            &NewOrder {
                sender: &self.sender.address,
                code: &code,
                recipient: person.id,
                verb: verb_name(order.verb),
                asked: &self.text.text,
                act: &prepared.act,
                alert: prepared.alert,
                at: self.entry.at,
            },
        )
        .await?;
        let body = self.echo(language, &prepared.deed, &code);
        Ok(self.told(&person, Taken::Ordered, prepared.alert, body))
    }

    /// Who gives this order: a commander, or somebody who takes over what they were called to.
    async fn who_orders(&mut self, order: &Order) -> Result<Option<PersonRow>, sqlx::Error> {
        let commander = self.commander().await?;
        if commander.is_some() || order.verb != Verb::Take {
            return Ok(commander);
        }
        let Ok((alert, _)) = self.target(&order.args, self.sender.language()).await? else {
            return Ok(None);
        };
        let called = self.sender.open.iter().find(|call| call.alert == alert.id);
        let mut people = self.sender.people.iter();
        let person = called.and_then(|call| people.find(|person| person.id == call.recipient));
        Ok(person.cloned())
    }

    /// Somebody else's order: kept as words, and said to be no order when it could have been one.
    async fn not_allowed(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let Some(person) = self.sender.people.first().cloned() else {
            return self.words().await;
        };
        if self.prepare(order, &person).await?.is_err() {
            return self.words().await;
        }
        let language = Language::parse(&person.language);
        self.kept(texts::order_refused(language, Refused::NotAllowed))
            .await
    }

    /// Networks deliver a text twice, and people send it again when no answer comes: the same code, or that it is done.
    async fn same_again(&mut self, person: &PersonRow) -> Result<Option<Handled>, sqlx::Error> {
        let now = self.entry.at;
        let earlier = of_number(self.conn, &self.sender.address)
            .await?
            .into_iter()
            .find(|row| row.asked == self.text.text && row.recipient == person.id);
        let language = Language::parse(&person.language);
        Ok(match earlier {
            Some(row) if row.state == OrderState::Waiting && row.expires_at > now => {
                let act = rows::act(&row);
                let deed = match act {
                    Some(act) => self.deed_of(&act, language).await?,
                    None => return Ok(None),
                };
                let body = self.echo(language, &deed, &row.code);
                Some(self.told(person, Taken::Ordered, row.alert, body))
            }
            Some(row) if row.state == OrderState::Done => {
                let recent = row.ended_at.filter(|at| *at >= now - SAME_AGAIN);
                recent.map(|at| {
                    let at = self.civil.at(at);
                    let said = texts::order_unready(language, Unready::AlreadyDone { at });
                    self.told(person, Taken::OrderRefused, row.alert, said)
                })
            }
            Some(_) | None => None,
        })
    }

    fn echo(&self, language: Language, deed: &str, code: &str) -> String {
        let until = self.civil.at(self.entry.at + rows::ORDER_GOOD);
        texts::echo(language, &self.organisation, deed, code, until)
    }

    /// A code that no open alert of these people and no order of this number has.
    async fn draw_code(&mut self, person: &PersonRow) -> Result<String, sqlx::Error> {
        // An island's codes begin with its own digit, as those of people do.
        let slot = nodes::fork(self.conn)
            .await?
            .map_or_else(String::new, |fork| fork.slot().to_string());
        let mut used = self.sender.open_codes();
        let known = of_number(self.conn, &self.sender.address).await?;
        used.extend(known.into_iter().map(|row| row.code));
        let digits = (CODE_DIGITS as usize) - slot.len();
        let entry = self.entry;
        let code = (0_u32..)
            .map(|draw| {
                let chance = entry.chance(&[b"order", person.id.as_bytes(), &draw.to_be_bytes()]);
                let number = chance % 10_u64.pow(digits as u32);
                format!("{slot}{number:0digits$}")
            })
            .find(|code| !used.contains(code))
            .expect("one number has far fewer orders than there are codes");
        Ok(code)
    }

    /// Nothing is done, and the words are kept for people.
    async fn kept(&mut self, said: Said) -> Result<Handled, sqlx::Error> {
        let handled = self.words().await?;
        let language = self.sender.language();
        Ok(Handled {
            taken: Taken::OrderRefused,
            reply: Some(Reply {
                body: said,
                language,
                critical: true,
                to_stranger: self.sender.people.is_empty(),
            }),
            ..handled
        })
    }

    /// A reply to whoever ordered, that does not wait.
    fn told(
        &self,
        person: &PersonRow,
        taken: Taken,
        alert: Option<AlertId>,
        body: String,
    ) -> Handled {
        Handled {
            taken,
            alert,
            recipient: Some(person.id),
            reply: Some(Reply {
                body,
                language: Language::parse(&person.language),
                critical: true,
                to_stranger: false,
            }),
        }
    }
}

/// Whether texts to this number are known to reach the person.
fn is_verified(person: &PersonRow, number: &str) -> bool {
    let known = person.methods.iter().zip(&person.verification);
    known.into_iter().any(|(method, known)| {
        matches!(method, ContactMethod::Sms(own) if own == number) && known.found == Found::Verified
    })
}

/// The word in rows and lists.
fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "start",
        Verb::Status => "status",
        Verb::Who => "who",
        Verb::Add => "add",
        Verb::Tell => "tell",
        Verb::Room => "room",
        Verb::Follow => "follow",
        Verb::Unfollow => "unfollow",
        Verb::Mute => "mute",
        Verb::CallOff => "call_off",
        Verb::Take => "take",
        Verb::Help => "help",
        Verb::Report => "report",
    }
}
