//! What an answer comes to: recorded, confirmed in words that say what is now true, or asked for once more with its code.

use std::time::Duration;

use super::calls::Asked;
use super::desk::{Desk, Handled, about, reply_to};
use super::rules::{Eta, Given};
use super::{Taken, query};
use crate::access::accounts;
use crate::alerts::{self, AlertRow, Answered, State};
use crate::conversations::{self, Follow};
use crate::ids::RoomId;
use crate::texts::{self, Arrival, Ended, EndedHow, Language, LateAnswer};
use crate::vocabulary::Answer;
use crate::{escalation, sources};

/// Alerts answered with one `ALL`.
const ALL_MAX: usize = 200;

impl Desk<'_> {
    /// Records the answer and says what is now true. The last answer before the end counts.
    pub(super) async fn answer(
        &mut self,
        asked: &Asked,
        given: &Given,
        rest: &str,
    ) -> Result<Handled, sqlx::Error> {
        let (alert, recipient) = (asked.call.alert, asked.call.recipient);
        let from = self.sender.address.clone();
        let answer = given.answer;
        let eta_min = given.eta_min();
        let said = (answer, eta_min);
        let answered = alerts::answer(self.conn, self.entry, alert, recipient, said, &from).await?;
        let Some(answered) = answered else {
            return self.words().await;
        };
        let Some(effective) = alerts::find(self.conn, answered.effective).await? else {
            return self.words().await;
        };
        let mut body = if answered.late {
            self.note_late(asked, answer, &answered, &effective).await?
        } else {
            self.note_arrival(asked, eta_min, &effective).await?;
            self.confirmation(asked, given, &effective)
        };
        if !answered.late && self.offers_room(asked, answer, &effective).await? {
            let offer = texts::offer_room(asked.language, &effective.label);
            body = format!("{body} {offer}");
        }
        if given.all {
            body = format!("{body} {}", self.answer_bundle(asked, said).await?);
        }
        self.post(effective.id, rest).await?;
        let taken = if answered.late {
            Taken::LateAnswer
        } else {
            Taken::Answer
        };
        Ok(Handled {
            taken,
            reply: Some(reply_to(asked, body)),
            ..about(asked)
        })
    }

    /// Whether somebody who is coming may want to hear by text what is said: others talk already, and they neither follow nor
    /// are signed in anywhere.
    async fn offers_room(
        &mut self,
        asked: &Asked,
        answer: Answer,
        effective: &AlertRow,
    ) -> Result<bool, sqlx::Error> {
        let person = asked.call.recipient;
        let own = self.sender.people.iter().find(|own| own.id == person);
        let (Some(own), Answer::Coming, None) = (own, answer, &self.answers_to) else {
            return Ok(false);
        };
        let room = RoomId::of_alert(effective.id);
        let follows = conversations::member(self.conn, room, person)
            .await?
            .is_some_and(|member| member.follow != Follow::App);
        Ok(!follows
            && conversations::is_talked_in(self.conn, room, person).await?
            && !accounts::is_signed_in(self.conn, &own.key).await?)
    }

    /// "Noted", after word of a join if the alert has become another one.
    fn confirmation(&self, asked: &Asked, given: &Given, effective: &AlertRow) -> String {
        let arrival = match &given.eta {
            None => Arrival::Unsaid,
            Some(Eta::Minutes(minutes)) => Arrival::In {
                minutes: *minutes,
                at: self.civil.at(self.entry.at + minutes_long(*minutes)),
            },
            Some(Eta::Absurd(said)) => Arrival::Absurd(said),
        };
        let noted = texts::confirmation(
            self.about(effective, asked.language),
            self.civil.at(self.entry.at),
            &asked.name,
            given.answer,
            arrival,
        );
        match asked
            .alert
            .closed_at
            .filter(|_| effective.id != asked.alert.id)
        {
            Some(at) => {
                let ended = Ended {
                    how: EndedHow::Joined {
                        into: effective.label.clone(),
                    },
                    at: self.civil.at(at),
                };
                format!(
                    "{} {noted}",
                    texts::closed(self.about(&asked.alert, asked.language), &ended)
                )
            }
            None => noted,
        }
    }

    /// Those working on it read in the room when somebody will be there.
    async fn note_arrival(
        &mut self,
        asked: &Asked,
        eta_min: Option<u16>,
        effective: &AlertRow,
    ) -> Result<(), sqlx::Error> {
        let Some(minutes) = eta_min else {
            return Ok(());
        };
        let at = self
            .civil
            .at(self.entry.at + minutes_long(minutes))
            .to_hh_mm();
        let said = format!("{} is coming in {minutes} min ({at} UTC).", asked.name);
        let room = RoomId::of_alert(effective.id);
        conversations::post(
            self.conn,
            self.entry,
            room,
            self.sender.name(),
            "system",
            &said,
        )
        .await?;
        Ok(())
    }

    /// `4711 ALL`: the answer counts for everything the bundle behind the code gathers and this person was called to.
    async fn answer_bundle(
        &mut self,
        asked: &Asked,
        said: (Answer, Option<u16>),
    ) -> Result<String, sqlx::Error> {
        let bundle = &asked.alert.dedup_key;
        if sources::gathers(bundle, "").is_none() {
            return Ok(texts::answered_all(asked.language, None));
        }
        let from = self.sender.address.clone();
        let mut also = Vec::new();
        let open = escalation::open_calls_of(self.conn, asked.call.recipient).await?;
        for call in open.into_iter().take(ALL_MAX) {
            let Some(alert) = alerts::find(self.conn, call.alert).await? else {
                continue;
            };
            let gathered = sources::gathers(bundle, &alert.dedup_key) == Some(true);
            if alert.id == asked.alert.id || !gathered {
                continue;
            }
            let (id, person) = (alert.id, call.recipient);
            let answered = alerts::answer(self.conn, self.entry, id, person, said, &from).await?;
            also.extend(answered.filter(|a| !a.late).map(|_| alert.label));
        }
        Ok(texts::answered_all(asked.language, Some(&also)))
    }

    /// Writes a late answer into the room with both times, and says so.
    async fn note_late(
        &mut self,
        asked: &Asked,
        answer: Answer,
        answered: &Answered,
        effective: &AlertRow,
    ) -> Result<String, sqlx::Error> {
        let at = self.civil.at(self.entry.at);
        let how = match effective.state {
            State::CalledOff => EndedHow::CalledOff,
            State::Open | State::Resolved | State::Joined => EndedHow::Resolved,
        };
        let ended = Ended {
            how,
            at: self.civil.at(effective.closed_at.unwrap_or(self.entry.at)),
        };
        let late = LateAnswer {
            at,
            name: &asked.name,
            answer,
            ended,
            first_answer_at: answered.first_answer_at.map(|at| self.civil.at(at)),
        };
        let noted = texts::late(self.about(effective, Language::english()), &late);
        conversations::post(
            self.conn,
            self.entry,
            RoomId::of_alert(effective.id),
            self.sender.name(),
            "system",
            &noted,
        )
        .await?;
        Ok(texts::late(self.about(effective, asked.language), &late))
    }

    /// A critical alert wants more than a number (SECURITY D-2): the answer is shown, and the code asked for once.
    pub(super) async fn ask_back(
        &mut self,
        asked: &Asked,
        answer: Answer,
    ) -> Result<Handled, sqlx::Error> {
        let shown = format!(
            "{} (no code, not counted: {})",
            self.text.text.trim(),
            answer.name()
        );
        self.post(asked.alert.id, &shown).await?;
        if query::was_asked_back(self.conn, &self.sender.address, asked.alert.id).await? {
            let body =
                texts::room_posted(self.about(&asked.alert, asked.language), &asked.call.code);
            return Ok(Handled {
                taken: Taken::RoomPost,
                reply: Some(reply_to(asked, body)),
                ..about(asked)
            });
        }
        let body = texts::ask_back(
            self.about(&asked.alert, asked.language),
            &asked.call.code,
            answer,
        );
        Ok(Handled {
            taken: Taken::AskedBack,
            reply: Some(reply_to(asked, body)),
            ..about(asked)
        })
    }

    /// A right code from a number that guesses: shown, not counted.
    pub(super) async fn distrusted(
        &mut self,
        asked: &Asked,
        answer: Answer,
    ) -> Result<Handled, sqlx::Error> {
        let shown = format!(
            "{} (after wrong codes, not counted: {})",
            self.text.text.trim(),
            answer.name()
        );
        self.post(asked.alert.id, &shown).await?;
        let body = texts::not_counted(self.about(&asked.alert, asked.language));
        Ok(Handled {
            taken: Taken::Distrusted,
            reply: Some(reply_to(asked, body)),
            ..about(asked)
        })
    }
}

fn minutes_long(minutes: u16) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}
