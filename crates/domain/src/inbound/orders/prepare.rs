//! From an order's words to what it would do. Nothing is written here.

use super::rows::Act;
use super::start::spellings;
use super::{Desk, Prepared, Said};
use crate::alerts::{self, AlertRow, Name, State};
use crate::escalation::{self, Called};
use crate::ids::AlertId;
use crate::inbound::rules::{Order, first_word, is_all, target_and_words, word_and_minutes};
use crate::nodes;
use crate::recipients::PersonRow;
use crate::sources::{self, STOP_MS_MAX};
use crate::texts::{self, Deed, Language, Refused, Verb};
use crate::vocabulary::Answer;

/// Words of an order are at most this long: what fits the parts one text may have.
const WORDS_LEN_MAX: usize = 600;

/// Most people that a message or an addition may reach at once.
const PEOPLE_MAX: u32 = 2_000;

/// How long a source is held back when nothing else is said, and at most.
const MUTE_MIN: u32 = 30;
const MUTE_MIN_MAX: u32 = 12 * 60;

impl Desk<'_> {
    pub(super) async fn prepare(
        &mut self,
        order: &Order,
        person: &PersonRow,
    ) -> Result<Result<Prepared, Said>, sqlx::Error> {
        let language = Language::parse(&person.language);
        let refuse = |refused: Refused<'_>| Ok(Err(texts::order_refused(language, refused)));
        let len = order.args.chars().count();
        if len > WORDS_LEN_MAX {
            return refuse(Refused::TooLong {
                len,
                max: WORDS_LEN_MAX,
            });
        }
        let act = match order.verb {
            Verb::Start => self.start(&order.args, person).await?,
            Verb::Mute => self.mute(&order.args, language).await?,
            Verb::Add | Verb::Tell | Verb::CallOff | Verb::Take => {
                let (alert, words) = match self.target(&order.args, language).await? {
                    Ok(found) => found,
                    Err(said) => return Ok(Err(said)),
                };
                self.about_alert(order.verb, &alert, words, language)
                    .await?
            }
            Verb::Status
            | Verb::Who
            | Verb::Room
            | Verb::Follow
            | Verb::Unfollow
            | Verb::Help
            | Verb::Report => {
                return refuse(Refused::Usage(order.verb));
            }
        };
        let act = match act {
            Ok(act) => act,
            Err(said) => return Ok(Err(said)),
        };
        let alert = act.alert();
        let deed = self.deed_of(&act, language).await?;
        Ok(Ok(Prepared { act, deed, alert }))
    }

    /// The alert an order names, by number or by a code of the sender's own, and the words behind it; without a name the
    /// only one that is open.
    pub(super) async fn target(
        &mut self,
        args: &str,
        language: Language,
    ) -> Result<Result<(AlertRow, String), Said>, sqlx::Error> {
        let refuse = |refused: Refused<'_>| Ok(Err(texts::order_refused(language, refused)));
        let (number, words) = target_and_words(args);
        let Some(number) = number else {
            let mut open = alerts::list(self.conn, Some(State::Open), None, 8).await?;
            return match (open.len(), open.pop()) {
                (1, Some(only)) => Ok(Ok((only, words))),
                (_, None) => refuse(Refused::NothingOpen),
                (_, Some(last)) => {
                    let labels: Vec<String> = open
                        .into_iter()
                        .chain([last])
                        .map(|alert| alert.label)
                        .collect();
                    refuse(Refused::WhichAlert(&labels))
                }
            };
        };
        if let Some(name) = Name::parse(&number)
            && let Some(found) = alerts::find_named(self.conn, &name).await?
        {
            return Ok(Ok((found, words)));
        }
        let asked = self.sender.find_call(self.conn, &number).await?;
        match asked.filter(|asked| self.sender.is(asked.call.recipient)) {
            Some(asked) => Ok(Ok((asked.alert, words))),
            None => refuse(Refused::UnknownAlert(&number)),
        }
    }

    async fn about_alert(
        &mut self,
        verb: Verb,
        alert: &AlertRow,
        words: String,
        language: Language,
    ) -> Result<Result<Act, Said>, sqlx::Error> {
        let refuse = |refused: Refused<'_>| Ok(Err(texts::order_refused(language, refused)));
        let stands_down = verb == Verb::CallOff && alert.state == State::Resolved;
        if alert.state != State::Open && !stands_down {
            return refuse(Refused::Closed(&alert.label));
        }
        match verb {
            Verb::Take if alert.acknowledged_at.is_some() => {
                refuse(Refused::TakenOver(&alert.label))
            }
            Verb::Take => Ok(Ok(Act::Take { alert: alert.id })),
            Verb::Tell if words.is_empty() => refuse(Refused::Usage(verb)),
            Verb::Tell => Ok(Ok(Act::Tell {
                alert: alert.id,
                text: words,
            })),
            Verb::Add => self.add(alert, &words, language).await,
            Verb::CallOff
            | Verb::Start
            | Verb::Status
            | Verb::Who
            | Verb::Room
            | Verb::Follow
            | Verb::Unfollow
            | Verb::Mute
            | Verb::Help
            | Verb::Report => Ok(Ok(Act::CallOff {
                alert: alert.id,
                reason: words,
            })),
        }
    }

    /// More people for an alert: those a name means who are not called to it yet.
    async fn add(
        &mut self,
        alert: &AlertRow,
        words: &str,
        language: Language,
    ) -> Result<Result<Act, Said>, sqlx::Error> {
        let refuse = |refused: Refused<'_>| Ok(Err(texts::order_refused(language, refused)));
        if let Some(fork) = nodes::fork(self.conn).await? {
            return refuse(Refused::Alone(&fork.site));
        }
        let (whom, _) = first_word(words);
        if whom.is_empty() {
            return refuse(Refused::Usage(Verb::Add));
        }
        let Some(people) = self.people_named(whom).await? else {
            let known = self.known_groups().await?;
            return refuse(Refused::UnknownTarget {
                name: whom,
                known: &known,
            });
        };
        if people.len() > PEOPLE_MAX as usize {
            return refuse(Refused::Rule("at most 2000 people can be added at once"));
        }
        let mut fresh = Vec::new();
        for person in people {
            let called = escalation::find_call(self.conn, alert.id, person).await?;
            fresh.extend(called.is_none().then_some(person));
        }
        if fresh.is_empty() {
            return refuse(Refused::Rule(
                "everybody of that name is called already, or there is nobody",
            ));
        }
        Ok(Ok(Act::Add {
            alert: alert.id,
            people: fresh,
            whom: whom.to_owned(),
        }))
    }

    /// Those called to an alert who did not say that they cannot come.
    pub(super) async fn listeners(&mut self, alert: &AlertRow) -> Result<Vec<Called>, sqlx::Error> {
        let mut called = escalation::called(self.conn, alert.id, 0, PEOPLE_MAX).await?;
        called.retain(|call| call.closed_at.is_none() && call.answer != Some(Answer::Cannot));
        Ok(called)
    }

    async fn mute(
        &mut self,
        args: &str,
        language: Language,
    ) -> Result<Result<Act, Said>, sqlx::Error> {
        let refuse = |refused: Refused<'_>| Ok(Err(texts::order_refused(language, refused)));
        let (what, minutes) = word_and_minutes(args);
        let Ok(minutes) = minutes else {
            return refuse(Refused::Usage(Verb::Mute));
        };
        let minutes = minutes.unwrap_or(MUTE_MIN);
        if what.is_empty() || minutes == 0 {
            return refuse(Refused::Usage(Verb::Mute));
        }
        if is_all(what) {
            if u64::from(minutes) * 60_000 > STOP_MS_MAX {
                return refuse(Refused::Rule(
                    "everything automatic can be held back for at most 30 minutes",
                ));
            }
            return Ok(Ok(Act::Mute {
                source: None,
                minutes,
            }));
        }
        if let Some(fork) = nodes::fork(self.conn).await? {
            return refuse(Refused::Alone(&fork.site));
        }
        if minutes > MUTE_MIN_MAX {
            return refuse(Refused::Rule(
                "a source can be held back by text for at most 12 hours",
            ));
        }
        for key in spellings(what) {
            if let Some(row) = sources::source(self.conn, &key).await? {
                return Ok(Ok(Act::Mute {
                    source: Some(row.source.key),
                    minutes,
                }));
            }
        }
        let known = sources::sources(self.conn).await?;
        let known: Vec<String> = known.into_iter().map(|row| row.source.key).collect();
        refuse(Refused::UnknownTarget {
            name: what,
            known: &known,
        })
    }

    /// What an order would do, in words.
    pub(super) async fn deed_of(
        &mut self,
        act: &Act,
        language: Language,
    ) -> Result<String, sqlx::Error> {
        let alert = match act.alert() {
            Some(alert) => alerts::find(self.conn, alert).await?,
            None => None,
        };
        let number = alert.as_ref().map_or("", |alert| alert.label.as_str());
        let happened = alert
            .as_ref()
            .map_or("", |alert| text_in(&alert.texts, language));
        let deed = match act {
            Act::Raise(raise) => Deed::Raise {
                severity: raise.severity,
                people: alerts::headcount(raise).unwrap_or(0),
                text: text_in(&raise.texts, language),
            },
            Act::CallOff { reason, .. } => Deed::CallOff {
                number,
                text: if reason.is_empty() { happened } else { reason },
            },
            Act::Take { .. } => Deed::Take {
                number,
                text: happened,
            },
            Act::Tell { text, .. } => {
                let people = match &alert {
                    Some(alert) => self.listeners(alert).await?.len(),
                    None => 0,
                };
                Deed::Tell {
                    number,
                    people,
                    text,
                }
            }
            Act::Add { people, whom, .. } => Deed::Add {
                number,
                people: people.len(),
                whom,
            },
            Act::Mute { source, minutes } => Deed::Mute {
                source: source.as_deref(),
                minutes: u64::from(*minutes),
            },
        };
        Ok(texts::deed(language, deed))
    }
}

fn text_in(texts: &[(String, String)], language: Language) -> &str {
    let own = texts.iter().find(|(tag, _)| tag == language.tag());
    own.or(texts.first()).map_or("", |(_, text)| text)
}

impl Act {
    /// The alert it is about, when there is one already.
    pub(super) fn alert(&self) -> Option<AlertId> {
        match self {
            Self::Raise(_) | Self::Mute { .. } => None,
            Self::CallOff { alert, .. }
            | Self::Take { alert }
            | Self::Tell { alert, .. }
            | Self::Add { alert, .. } => Some(*alert),
        }
    }
}
