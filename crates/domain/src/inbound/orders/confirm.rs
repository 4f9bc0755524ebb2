//! The code that comes back: from the number that ordered, in its time, alone.

use super::rows::{self, OrderRow, OrderState, TRIES_MAX};
use super::{Desk, commanders, is_verified, of_number};
use crate::inbound::Taken;
use crate::inbound::desk::Handled;
use crate::inbound::rules::Given;
use crate::recipients::{self, PersonRow};
use crate::texts::{self, Language, Refused, Unready};
use crate::vocabulary::Answer;

impl Desk<'_> {
    /// The order of this number that has this code. What parts or damage may have made is no code.
    pub(in crate::inbound) async fn order_with(
        &mut self,
        code: &str,
    ) -> Result<Option<OrderRow>, sqlx::Error> {
        if self.text.damaged {
            return Ok(None);
        }
        let known = of_number(self.conn, &self.sender.address).await?;
        Ok(known.into_iter().find(|row| row.code == code))
    }

    pub(in crate::inbound) async fn confirm(
        &mut self,
        row: &OrderRow,
        given: Option<&Given>,
        rest: &str,
    ) -> Result<Handled, sqlx::Error> {
        let found = recipients::by_ids(self.conn, &[row.recipient]).await?;
        let Some(person) = found.into_iter().next() else {
            return self.words().await; // removed since
        };
        let language = Language::parse(&person.language);
        let now = self.entry.at;
        let unready = match row.state {
            OrderState::Done => Some(Unready::AlreadyDone {
                at: self.civil.at(row.ended_at.unwrap_or(row.asked_at)),
            }),
            OrderState::Dropped => Some(Unready::Dropped),
            OrderState::Void => Some(Unready::Void),
            OrderState::Waiting if row.expires_at <= now => Some(Unready::Expired {
                at: self.civil.at(row.expires_at),
            }),
            OrderState::Waiting => None,
        };
        if let Some(unready) = unready {
            let said = texts::order_unready(language, unready);
            return Ok(self.told(&person, Taken::OrderRefused, row.alert, said));
        }
        let plain = given.filter(|given| rest.is_empty() && given.eta.is_none() && !given.all);
        match plain.map(|given| given.answer) {
            Some(Answer::Coming) => self.do_it(row, &person).await,
            Some(Answer::Cannot) => {
                rows::end(self.conn, row, OrderState::Dropped, None, now).await?;
                let said = texts::order_unready(language, Unready::Dropped);
                Ok(self.told(&person, Taken::OrderDropped, row.alert, said))
            }
            Some(Answer::Received | Answer::NeedHelp | Answer::Safe | Answer::NotOnSite) | None => {
                let said = texts::order_unready(language, Unready::Unclear { code: &row.code });
                Ok(self.told(&person, Taken::OrderRefused, row.alert, said))
            }
        }
    }

    /// Does what was shown, unless the right to it was lost since.
    async fn do_it(&mut self, row: &OrderRow, person: &PersonRow) -> Result<Handled, sqlx::Error> {
        let language = Language::parse(&person.language);
        let (now, civil_now) = (self.entry.at, self.civil.at(self.entry.at));
        let may = commanders::may_order(self.conn, person.id, civil_now).await?;
        let takes_own = row.verb == super::verb_name(texts::Verb::Take)
            && row
                .alert
                .is_some_and(|alert| self.sender.open.iter().any(|call| call.alert == alert));
        let allowed = (may || takes_own) && is_verified(person, &self.sender.address);
        let done = match rows::act(row).filter(|_| allowed) {
            Some(act) => self.carry_out(&act, row, person).await?,
            None => Err(texts::order_refused(language, Refused::NotAllowed)),
        };
        Ok(match done {
            Ok((said, alert)) => {
                rows::end(self.conn, row, OrderState::Done, alert, now).await?;
                let number = &self.sender.address;
                recipients::note_answered(
                    self.conn,
                    self.entry,
                    person.id,
                    number,
                    "ordered by sms",
                )
                .await?;
                self.told(person, Taken::OrderDone, alert.or(row.alert), said)
            }
            Err(said) => {
                rows::end(self.conn, row, OrderState::Void, None, now).await?;
                self.told(person, Taken::OrderRefused, row.alert, said)
            }
        })
    }

    /// A code of an order's length that none has, while this number's orders wait: counted against them. `None`: nothing of
    /// this number waits.
    pub(in crate::inbound) async fn wrong_code(
        &mut self,
        code: &str,
    ) -> Result<Option<Handled>, sqlx::Error> {
        let now = self.entry.at;
        if code.len() != super::CODE_DIGITS as usize || self.text.damaged {
            return Ok(None);
        }
        let known = of_number(self.conn, &self.sender.address).await?;
        let waits = known
            .iter()
            .find(|row| row.state == OrderState::Waiting && row.expires_at > now);
        let Some(row) = waits else {
            return Ok(None);
        };
        let left = rows::count_wrong(self.conn, &self.sender.address, now).await?;
        let people = recipients::by_ids(self.conn, &[row.recipient]).await?;
        let language = people
            .first()
            .map_or(self.sender.language(), |p| Language::parse(&p.language));
        let unready = match left {
            0 => Unready::Void,
            left => Unready::Wrong {
                left: left.min(TRIES_MAX),
            },
        };
        let said = texts::order_unready(language, unready);
        Ok(people
            .first()
            .map(|person| self.told(person, Taken::OrderRefused, None, said)))
    }
}
