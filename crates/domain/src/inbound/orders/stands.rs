//! Orders that only tell: how alerts stand, who comes, which orders there are.

use super::Desk;
use crate::alerts::{self, AlertRow, Name, State};
use crate::escalation::{self, Called};
use crate::ids::{AlertId, RecipientId};
use crate::inbound::Taken;
use crate::inbound::desk::Handled;
use crate::inbound::rules::{Order, first_word, target_and_words};
use crate::oncall;
use crate::recipients::{self, PersonRow};
use crate::texts::{self, Language, Refused, Standing, Verb};
use crate::vocabulary::{Answer, IncidentRole};

/// Alerts that a status looks at.
const OPEN_MAX: u32 = 50;

/// People of one alert looked through for who answered what.
const CALLED_MAX: u32 = 2_000;

impl Desk<'_> {
    /// The order list, for whoever is known here.
    pub(super) async fn order_help(&mut self) -> Result<Handled, sqlx::Error> {
        let Some(person) = self.sender.people.first().cloned() else {
            return self.words().await;
        };
        let commands = self.commander().await?.is_some();
        let body = texts::order_help(Language::parse(&person.language), commands);
        Ok(self.told(&person, Taken::OrderTold, None, body))
    }

    /// What is open: for a commander all of it, for others what they were called to.
    pub(super) async fn standing(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let (number, words) = target_and_words(&order.args);
        let Some(person) = self
            .sender
            .people
            .first()
            .cloned()
            .filter(|_| words.is_empty())
        else {
            return self.words().await;
        };
        let commands = self.commander().await?.is_some();
        if !commands && self.sender.open.is_empty() {
            return self.words().await;
        }
        let language = Language::parse(&person.language);
        let shown = match number {
            Some(_) => match self.target(&order.args, language).await? {
                Ok((alert, _)) if commands || self.is_called_to(&alert) => vec![alert],
                Ok(_) => {
                    let said = texts::order_refused(language, Refused::NotAllowed);
                    return self.kept(said).await;
                }
                Err(said) => return Ok(self.told(&person, Taken::OrderRefused, None, said)),
            },
            None => {
                let open = alerts::list(self.conn, Some(State::Open), None, OPEN_MAX).await?;
                open.into_iter()
                    .filter(|alert| commands || self.is_called_to(alert))
                    .collect()
            }
        };
        let mut counts = Vec::with_capacity(shown.len());
        for alert in &shown {
            let count = self.count(alert).await?;
            counts.push((count, self.leader(alert.id).await?));
        }
        let standings: Vec<Standing<'_>> = shown
            .iter()
            .zip(&counts)
            .map(|(alert, (count, leader))| Standing {
                number: &alert.label,
                text: text_in(alert, language),
                raised_at: self.civil.at(alert.raised_at),
                coming: count.coming,
                needed: count.needed,
                cannot: count.cannot,
                help: count.help,
                silent: alert.people.saturating_sub(count.answered),
                leader,
            })
            .collect();
        let body = texts::standings(language, &self.organisation, &standings);
        Ok(self.told(&person, Taken::OrderTold, None, body))
    }

    /// The name of whoever leads an incident; empty: nobody.
    async fn leader(&mut self, alert: AlertId) -> Result<String, sqlx::Error> {
        let roles = alerts::roles(self.conn, alert).await?;
        let leads = roles
            .iter()
            .find(|held| held.role == IncidentRole::Leader)
            .map(|held| held.person);
        let leads: Vec<RecipientId> = leads.into_iter().collect();
        let people = recipients::by_ids(self.conn, &leads).await?;
        Ok(people
            .into_iter()
            .next()
            .map_or_else(String::new, |person| person.name))
    }

    /// Who comes to an alert, or who is on call in a schedule.
    pub(super) async fn who(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let (name, more) = first_word(&order.args);
        let Some(person) = self
            .sender
            .people
            .first()
            .cloned()
            .filter(|_| more.is_empty())
        else {
            return self.words().await;
        };
        let language = Language::parse(&person.language);
        let commands = self.commander().await?.is_some();
        let is_number = name.is_empty() || Name::parse(name.trim_start_matches('#')).is_some();
        if !is_number {
            if !commands {
                return self.words().await;
            }
            return match self.on_call(name, language).await? {
                Some(body) => Ok(self.told(&person, Taken::OrderTold, None, body)),
                None if self.sender.open.is_empty() => {
                    let said = texts::order_refused(language, Refused::Usage(Verb::Who));
                    Ok(self.told(&person, Taken::OrderRefused, None, said))
                }
                None => self.words().await,
            };
        }
        let alert = match self.sender.open.first() {
            Some(newest) if name.is_empty() => alerts::find(self.conn, newest.alert).await?,
            Some(_) | None => self
                .target(&order.args, language)
                .await?
                .ok()
                .map(|(alert, _)| alert),
        };
        let Some(alert) = alert.filter(|alert| commands || self.is_called_to(alert)) else {
            return self.words().await;
        };
        let called = escalation::called(self.conn, alert.id, 0, CALLED_MAX).await?;
        let mut answered: Vec<&Called> =
            called.iter().filter(|call| call.answer.is_some()).collect();
        // Those coming first, in the order in which they will be there.
        answered.sort_by_key(|call| {
            let coming = call.answer == Some(Answer::Coming);
            (
                !coming,
                call.expected_at().is_none(),
                call.expected_at(),
                call.answered_at,
            )
        });
        let ids: Vec<_> = answered.iter().map(|call| call.recipient).collect();
        let people = recipients::by_ids(self.conn, &ids).await?;
        let lines: Vec<(String, Answer, Option<crate::CivilTime>)> = answered
            .iter()
            .filter_map(|call| {
                let name = people.iter().find(|person| person.id == call.recipient)?;
                let eta = call.expected_at().map(|at| self.civil.at(at));
                Some((name.name.clone(), call.answer?, eta))
            })
            .collect();
        let silent = alert.people.saturating_sub(answered.len() as u64);
        let body = texts::who_comes(language, &alert.label, &lines, silent);
        Ok(self.told(&person, Taken::OrderTold, Some(alert.id), body))
    }

    async fn on_call(
        &mut self,
        name: &str,
        language: Language,
    ) -> Result<Option<String>, sqlx::Error> {
        let now = self.civil.at(self.entry.at);
        for key in [name.to_owned(), name.to_lowercase()] {
            let called = [oncall::Called::OnCall(key.clone())];
            if let Ok(found) = oncall::resolve(self.conn, &called, now).await? {
                let people = recipients::by_ids(self.conn, &found.people).await?;
                let names: Vec<String> = found
                    .people
                    .iter()
                    .filter_map(|id| people.iter().find(|person| person.id == *id))
                    .map(|person| person.name.clone())
                    .collect();
                return Ok(Some(texts::who_on_call(language, &key, &names)));
            }
        }
        Ok(None)
    }

    pub(super) fn is_called_to(&self, alert: &AlertRow) -> bool {
        self.sender.open.iter().any(|call| call.alert == alert.id)
    }

    async fn count(&mut self, alert: &AlertRow) -> Result<Count, sqlx::Error> {
        let mut count = Count::default();
        for call in escalation::called(self.conn, alert.id, 0, CALLED_MAX).await? {
            let Some(answer) = call.answer else { continue };
            count.answered += 1;
            match answer {
                Answer::Coming => count.coming += 1,
                Answer::Cannot => count.cannot += 1,
                Answer::NeedHelp => count.help += 1,
                Answer::Received | Answer::Safe | Answer::NotOnSite => {}
            }
        }
        let plan = escalation::plan(self.conn, alert.id).await?;
        count.needed = plan.map_or(0, |plan| u64::from(plan.needed));
        Ok(count)
    }

    /// The list of orders, behind words that were kept for people because nobody could tell what they wanted.
    pub(in crate::inbound) async fn help_for(
        &mut self,
        kept: Handled,
    ) -> Result<Handled, sqlx::Error> {
        let person: Option<PersonRow> = self.commander().await?;
        let Some(person) = person else {
            return Ok(kept);
        };
        let help = texts::order_help(Language::parse(&person.language), true);
        let mut told = self.told(&person, kept.taken, kept.alert, help);
        if let (Some(new), Some(old)) = (told.reply.as_mut(), kept.reply) {
            new.body = format!("{}\n{}", old.body, new.body);
        }
        Ok(told)
    }
}

/// How many answered what.
#[derive(Default)]
struct Count {
    answered: u64,
    coming: u64,
    needed: u64,
    cannot: u64,
    help: u64,
}

fn text_in(alert: &AlertRow, language: Language) -> &str {
    let own = alert.texts.iter().find(|(tag, _)| tag == language.tag());
    own.or(alert.texts.first()).map_or("", |(_, text)| text)
}
