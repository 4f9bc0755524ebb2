//! Where one text is dealt with: what it means decides what is recorded, posted and replied.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::calls::Asked;
use super::rules::{self, Given, Meaning};
use super::sender::Sender;
use super::{Receive, Taken, mail};
use crate::alerts::{self, AlertRow};
use crate::apply::Entry;
use crate::approvals;
use crate::conversations::{self, Heard};
use crate::deliveries::{self, Purpose};
use crate::ids::{AlertId, RecipientId, RoomId};
use crate::nodes::{self, Fork};
use crate::recipients;
use crate::texts::{self, About, Language, Sent};
use crate::time::Civil;
use crate::vocabulary::{AlertKind, Answer};
use crate::waking;

/// How far back `?` looks.
const TOLD_HOURS: u64 = 72;

/// The longest post made from a text, in UTF-16 units.
const POST_UNITS_MAX: usize = 4_000;

/// One text and everything needed to deal with it.
pub(super) struct Desk<'a> {
    pub(super) conn: &'a mut SqliteConnection,
    pub(super) entry: &'a Entry<'a>,
    /// The entry at hand; another than `entry` when an old text is looked at again.
    pub(super) now: &'a Entry<'a>,
    pub(super) text: &'a Receive,
    pub(super) sender: Sender,
    pub(super) organisation: String,
    /// What people's clocks say.
    pub(super) civil: Civil,
    /// Of a mail: the address that replies go to.
    pub(super) answers_to: Option<String>,
}

/// What became of a text.
pub(super) struct Handled {
    pub(super) taken: Taken,
    pub(super) alert: Option<AlertId>,
    pub(super) recipient: Option<RecipientId>,
    pub(super) reply: Option<Reply>,
}

/// Something to text back, if the limits allow it.
pub(super) struct Reply {
    pub(super) body: String,
    pub(super) language: Language,
    pub(super) critical: bool,
    /// To a number without business with us: one a day.
    pub(super) to_stranger: bool,
}

impl Desk<'_> {
    pub(super) async fn whole(&mut self) -> Result<Handled, sqlx::Error> {
        if self.text.call {
            return self.call().await;
        }
        if let Some(token) = waking::token_in(&self.text.text) {
            let (node, from) = (self.text.node, &self.sender.address);
            if waking::arrived(self.conn, self.entry, token, node, from).await? {
                return Ok(Handled {
                    taken: Taken::Trip,
                    alert: None,
                    recipient: None,
                    reply: None,
                });
            }
        }
        match self.meaning().await? {
            Meaning::Question => self.question().await,
            Meaning::Order(order) => self.order(&order).await,
            Meaning::Code { code, given, rest } => self.code(&code, given.as_ref(), &rest).await,
            Meaning::BareAnswer(given) => self.bare_answer(&given).await,
            Meaning::Free => self.words().await,
        }
    }

    /// Whether a test woke the sender: 1 is yes, 2 is no. `None` when this is about something else.
    async fn woke(
        &mut self,
        code: Option<&str>,
        answer: Option<Answer>,
    ) -> Result<Option<Handled>, sqlx::Error> {
        let woke = match answer {
            Some(Answer::Coming) => true,
            Some(Answer::Cannot) => false,
            Some(Answer::Received | Answer::NeedHelp | Answer::Safe | Answer::NotOnSite) | None => {
                return Ok(None);
            }
        };
        let address = self.sender.address.clone();
        let person = waking::answer(self.conn, self.entry, &address, code, woke).await?;
        Ok(person.map(|person| {
            let language = self.sender.language();
            let body = texts::wake_noted(language, &self.organisation, woke);
            Handled {
                recipient: Some(person),
                ..self.to_sender(Taken::WakeAnswer, body)
            }
        }))
    }

    /// Somebody called, most likely back: a phone that rang shows our number. Nothing is decided by it, for anybody can
    /// show any number; who has something to answer is told how.
    async fn call(&mut self) -> Result<Handled, sqlx::Error> {
        let open = self.sender.list_open(self.conn).await?;
        let language = self.sender.language();
        let again = self.sender.repeats_itself("");
        let alert = self.sender.open.first().map(|call| call.alert);
        if let Some(alert) = alert.filter(|_| !again) {
            self.post(alert, "(Called this number. A call is no answer.)")
                .await?;
        }
        let reply = Reply {
            body: texts::no_calls(language, &self.organisation, &open),
            language,
            critical: false,
            to_stranger: open.is_empty(),
        };
        Ok(Handled {
            taken: Taken::Call,
            alert,
            recipient: self.only_person(),
            reply: (!again).then_some(reply),
        })
    }

    /// What the text means; of a damaged one only what the damage cannot have made.
    async fn meaning(&mut self) -> Result<Meaning, sqlx::Error> {
        let (text, open) = (self.text.text.clone(), self.sender.open_codes());
        let kind = self.kind_asked(&text, &open).await?;
        let meaning = rules::parse(&text, &open, kind);
        if !self.text.damaged || meaning == Meaning::Question {
            return Ok(meaning);
        }
        Ok(match rules::parse_part(&text, &open, kind) {
            // People read all that is left of it.
            Some((code, given)) => Meaning::Code {
                code,
                given: Some(given),
                rest: text,
            },
            None => Meaning::Free,
        })
    }

    /// To what kind of alert a text would be an answer: that of its code, else that of the only open alert.
    async fn kind_asked(&mut self, text: &str, open: &[String]) -> Result<AlertKind, sqlx::Error> {
        let asked = match (rules::code(text, open), self.sender.open.as_slice()) {
            (Some(code), _) => self.sender.find_call(self.conn, &code).await?,
            (None, [only]) => self.sender.asked(self.conn, only.clone()).await?,
            (None, []) => self.sender.last_call(self.conn).await?,
            (None, [_, ..]) => None,
        };
        Ok(asked.map_or(AlertKind::Alert, |asked| asked.alert.kind))
    }

    /// A part of a longer text: an answer in it must not wait for the rest (CHANNELS §1.9).
    pub(super) async fn part(&mut self) -> Result<Handled, sqlx::Error> {
        let nothing = Handled {
            taken: Taken::Part,
            alert: None,
            recipient: None,
            reply: None,
        };
        if self.sender.sent_whole_of(&self.text.text) || self.sender.is_guessing() {
            return Ok(nothing);
        }
        let (text, open) = (self.text.text.clone(), self.sender.open_codes());
        let kind = self.kind_asked(&text, &open).await?;
        let Some((code, given)) = rules::parse_part(&text, &open, kind) else {
            return Ok(nothing);
        };
        let Some(asked) = self.sender.find_call(self.conn, &code).await? else {
            return Ok(nothing);
        };
        self.note_number(&asked).await?;
        let handled = self.answer(&asked, &given, "").await?;
        Ok(Handled {
            taken: Taken::AnswerInPart,
            ..handled
        })
    }

    async fn code(
        &mut self,
        code: &str,
        given: Option<&Given>,
        rest: &str,
    ) -> Result<Handled, sqlx::Error> {
        if let Some(order) = self.order_with(code).await? {
            return self.confirm(&order, given, rest).await;
        }
        let Some(asked) = self.sender.find_call(self.conn, code).await? else {
            let answer = given.map(|given| given.answer);
            if let Some(handled) = self.second_person(code, answer).await? {
                return Ok(handled);
            }
            if let Some(handled) = self.woke(Some(code), answer).await? {
                return Ok(handled);
            }
            // A longer text is a sentence with a number in it.
            let is_sentence = rest.split_whitespace().count() > rules::REST_WORDS_MAX;
            return if is_sentence {
                self.words().await
            } else if let Some(handled) = self.wrong_code(code).await? {
                Ok(handled)
            } else if let Some(fork) = nodes::fork(self.conn).await? {
                self.code_elsewhere(&fork).await
            } else {
                self.unknown_code(code, answer).await
            };
        };
        let own = self.sender.is(asked.call.recipient);
        match given {
            None if own && asked.call.closed_at.is_none() => self.room_post(&asked).await,
            None => self.words().await,
            Some(given) if self.sender.is_guessing() && (!own || asked.is_critical()) => {
                self.distrusted(&asked, given.answer).await
            }
            Some(given)
                if self.sender.answered_by_part_of(
                    &self.text.text,
                    code,
                    given,
                    asked.alert.kind,
                ) =>
            {
                self.post(asked.alert.joined_into.unwrap_or(asked.alert.id), rest)
                    .await?;
                Ok(Handled {
                    taken: Taken::AnsweredByPart,
                    reply: None,
                    ..about(&asked)
                })
            }
            Some(given) => {
                self.note_number(&asked).await?;
                self.answer(&asked, given, rest).await
            }
        }
    }

    /// The word of somebody who was asked whether an alert may go, with the code they were sent.
    async fn second_person(
        &mut self,
        code: &str,
        answer: Option<Answer>,
    ) -> Result<Option<Handled>, sqlx::Error> {
        let yes = match answer {
            Some(Answer::Coming) => true,
            Some(Answer::Cannot) => false,
            Some(Answer::Received | Answer::NeedHelp | Answer::Safe | Answer::NotOnSite) | None => {
                return Ok(None);
            }
        };
        // A number that guessed lately may have guessed this one. An island decides nothing that waits in the cluster.
        if self.sender.is_guessing() || nodes::fork(self.conn).await?.is_some() {
            return Ok(None);
        }
        for person in self.sender.people.clone() {
            let from = self.sender.address.clone();
            let word = approvals::Word {
                person: person.id,
                name: &person.name,
                from: &from,
                code,
                yes,
            };
            let Some(done) = approvals::by_text(self.conn, self.now, &word).await? else {
                continue;
            };
            let language = Language::parse(&person.language);
            let row = &done.row;
            let body = match (&done.refused, row.reviewed_at) {
                (Some(_), _) => {
                    texts::second_person_refused(language, &self.organisation, row.number)
                }
                (None, Some(_)) => {
                    texts::second_person_noted(language, &self.organisation, row.number)
                }
                (None, None) => texts::second_person_said(
                    language,
                    &self.organisation,
                    row.number,
                    row.label.as_deref(),
                    &row.decided_as,
                ),
            };
            return Ok(Some(Handled {
                taken: Taken::SecondPerson,
                alert: row.label.as_ref().map(|_| row.alert),
                recipient: Some(person.id),
                reply: Some(Reply {
                    body,
                    language,
                    critical: true,
                    to_stranger: false,
                }),
            }));
        }
        Ok(None)
    }

    /// A code that comes back from the person's own number proves that texts reach it. A word without code does not: a
    /// sender's number can be forged, a code must have been read.
    async fn note_number(&mut self, asked: &Asked) -> Result<(), sqlx::Error> {
        let (person, number) = (asked.call.recipient, &self.sender.address);
        if !self.sender.is(person) {
            return Ok(());
        }
        let how = format!("answered alert {} by sms", asked.alert.label);
        recipients::note_answered(self.conn, self.entry, person, number, &how).await
    }

    /// An answer that says no code: counts when it can mean one alert only, and that is not critical.
    async fn bare_answer(&mut self, given: &Given) -> Result<Handled, sqlx::Error> {
        let answer = given.answer;
        if self.sender.open.is_empty()
            && let Some(handled) = self.woke(None, Some(answer)).await?
        {
            return Ok(handled);
        }
        match self.sender.open.as_slice() {
            [] => match self.sender.last_call(self.conn).await? {
                Some(asked) => self.answer(&asked, given, "").await,
                None => {
                    let kept = self.duty_inbox(Taken::DutyInbox).await?;
                    // "HELP" from somebody whom nobody called may ask for the orders.
                    match answer {
                        Answer::NeedHelp => self.help_for(kept).await,
                        Answer::Coming
                        | Answer::Cannot
                        | Answer::Received
                        | Answer::Safe
                        | Answer::NotOnSite => Ok(kept),
                    }
                }
            },
            [only] => {
                let call = only.clone();
                let Some(asked) = self.sender.asked(self.conn, call).await? else {
                    return self.words().await;
                };
                if asked.is_critical() {
                    self.ask_back(&asked, answer).await
                } else {
                    self.answer(&asked, given, "").await
                }
            }
            [_, ..] => {
                let open = self.sender.list_open(self.conn).await?;
                let body = texts::ambiguous(self.sender.language(), answer, &open);
                Ok(self.to_sender(Taken::Ambiguous, body))
            }
        }
    }

    /// Words: for the room of the sender's newest open alert, else for whoever is on duty.
    pub(super) async fn words(&mut self) -> Result<Handled, sqlx::Error> {
        let Some(newest) = self.sender.open.first().cloned() else {
            return self.duty_inbox(Taken::DutyInbox).await;
        };
        match self.sender.asked(self.conn, newest).await? {
            Some(asked) => self.room_post(&asked).await,
            None => self.duty_inbox(Taken::DutyInbox).await,
        }
    }

    /// Who was told what and when, or that nothing was.
    async fn question(&mut self) -> Result<Handled, sqlx::Error> {
        let since = self.entry.at - Duration::from_secs(TOLD_HOURS * 3_600);
        let people: Vec<RecipientId> = self.sender.people.iter().map(|person| person.id).collect();
        let told = deliveries::told(self.conn, &self.sender.address, &people, since).await?;
        let language = self.sender.language();
        let mut sent = Vec::with_capacity(told.len());
        for told in told {
            let alert = match told.alert {
                Some(alert) => alerts::find(self.conn, alert).await?,
                None => None,
            };
            sent.push(Sent {
                at: self.civil.at(told.at),
                number: alert.as_ref().map(|alert| alert.label.clone()),
                called_off: told.purpose == Purpose::CallOff,
                text: alert
                    .as_ref()
                    .map_or_else(String::new, |alert| text_in(alert, language).to_owned()),
            });
        }
        let body = texts::genuine(language, &self.organisation, &sent, TOLD_HOURS);
        let reply = Reply {
            body,
            language,
            critical: false,
            to_stranger: people.is_empty(),
        };
        Ok(Handled {
            taken: Taken::Question,
            alert: None,
            recipient: self.only_person(),
            reply: Some(reply),
        })
    }

    /// A code nobody could have meant. Only people with an open alert learn which codes are theirs.
    async fn unknown_code(
        &mut self,
        code: &str,
        answer: Option<Answer>,
    ) -> Result<Handled, sqlx::Error> {
        if self.sender.open.is_empty() {
            return self.duty_inbox(Taken::UnknownCode).await;
        }
        let open = self.sender.list_open(self.conn).await?;
        let body = texts::unknown_code(
            self.sender.language(),
            code,
            answer.unwrap_or(Answer::Coming),
            &open,
        );
        Ok(self.to_sender(Taken::UnknownCode, body))
    }

    /// A code this island does not know may be good elsewhere: kept for then, and the sender told where else to text it.
    async fn code_elsewhere(&mut self, fork: &Fork) -> Result<Handled, sqlx::Error> {
        let numbers: Vec<String> = nodes::channels(self.conn)
            .await?
            .into_iter()
            .filter(|channel| channel.node != fork.node && !channel.number.is_empty())
            .map(|channel| channel.number)
            .collect();
        let language = self.sender.language();
        Ok(Handled {
            taken: Taken::Elsewhere,
            alert: None,
            recipient: self.only_person(),
            reply: Some(Reply {
                body: texts::code_elsewhere(language, &fork.site, &numbers),
                language,
                critical: true,
                to_stranger: self.sender.people.is_empty(),
            }),
        })
    }

    pub(super) async fn room_post(&mut self, asked: &Asked) -> Result<Handled, sqlx::Error> {
        let text = self.text.text.clone();
        self.post(asked.alert.id, &text).await?;
        let body = texts::room_posted(self.about(&asked.alert, asked.language), &asked.call.code);
        // Two robots would talk to each other until the limit: the same words again get no reply.
        let reply = (!self.sender.repeats_itself(&text)).then(|| reply_to(asked, body));
        Ok(Handled {
            taken: Taken::RoomPost,
            reply,
            ..about(asked)
        })
    }

    pub(super) async fn duty_inbox(&mut self, taken: Taken) -> Result<Handled, sqlx::Error> {
        let (text, via) = (post_text(&self.text.text), self.via());
        conversations::post(
            self.conn,
            self.entry,
            RoomId::DUTY_INBOX,
            self.sender.name(),
            via,
            &text,
        )
        .await?;
        let language = self.sender.language();
        let body = texts::duty_inbox_reply(language, &self.organisation);
        let reply = Reply {
            body,
            language,
            critical: false,
            to_stranger: true,
        };
        Ok(Handled {
            taken,
            alert: None,
            recipient: self.only_person(),
            reply: Some(reply),
        })
    }

    /// How it came, for rooms.
    fn via(&self) -> &'static str {
        match self.answers_to {
            Some(_) => mail::KIND,
            None => "sms",
        }
    }

    /// Posts words of the sender into an alert's room; nothing when there are none.
    pub(super) async fn post(&mut self, alert: AlertId, words: &str) -> Result<(), sqlx::Error> {
        let words = post_text(words);
        if !words.is_empty() {
            self.write(RoomId::of_alert(alert), &words).await?;
        }
        Ok(())
    }

    /// Writes words of the sender into a room, as theirs where one person has the number. A name on a mail is anybody's.
    pub(super) async fn write(&mut self, room: RoomId, words: &str) -> Result<(), sqlx::Error> {
        let person = self.only_person().filter(|_| self.answers_to.is_none());
        let heard = Heard {
            author: self.sender.name(),
            person,
            via: match self.answers_to {
                Some(_) => mail::KIND,
                None => "sms",
            },
            text: words,
        };
        conversations::hear(self.conn, self.entry, room, &heard).await?;
        Ok(())
    }

    pub(super) fn about<'b>(&'b self, alert: &'b AlertRow, language: Language) -> About<'b> {
        About {
            language,
            organisation: &self.organisation,
            number: &alert.label,
            kind: alert.kind,
        }
    }

    /// To a known number, about no one alert.
    fn to_sender(&self, taken: Taken, body: String) -> Handled {
        let reply = Reply {
            body,
            language: self.sender.language(),
            critical: false,
            to_stranger: false,
        };
        Handled {
            taken,
            alert: None,
            recipient: self.only_person(),
            reply: Some(reply),
        }
    }

    pub(super) fn only_person(&self) -> Option<RecipientId> {
        match self.sender.people.as_slice() {
            [person] => Some(person.id),
            _ => None,
        }
    }
}

pub(super) fn about(asked: &Asked) -> Handled {
    Handled {
        taken: Taken::RoomPost,
        alert: Some(asked.alert.id),
        recipient: Some(asked.call.recipient),
        reply: None,
    }
}

pub(super) fn reply_to(asked: &Asked, body: String) -> Reply {
    Reply {
        body,
        language: asked.language,
        critical: asked.is_critical(),
        to_stranger: false,
    }
}

/// What happened, in a language or the first one there is.
fn text_in(alert: &AlertRow, language: Language) -> &str {
    let own = alert.texts.iter().find(|(tag, _)| tag == language.tag());
    own.or(alert.texts.first()).map_or("", |(_, text)| text)
}

/// Words as a room shows them: the lines people wrote, nothing that steers a screen.
pub(super) fn post_text(words: &str) -> String {
    let lines: Vec<String> = words.lines().map(texts::clean).collect();
    texts::clip(lines.join("\n").trim(), POST_UNITS_MAX)
}
