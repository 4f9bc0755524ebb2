//! The people of the story: who answered, and what their phones show.

use anyhow::anyhow;
use domain::recipients::ContactMethod;
use emulator::event::Event;

use crate::demo::world::{Outside, code_in};

/// Words that only a call-off has, one per language.
const STAND_DOWN: [&str; 3] = ["CALLED OFF", "PERUTTU", "AVBLÅST"];

#[derive(Clone, Debug)]
pub(super) struct Player {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) number: String,
    /// Message on the phone that confirmed the answer.
    pub(super) confirmed: Option<u64>,
    pub(super) coming: bool,
}

impl Player {
    pub(super) fn answered(&self) -> bool {
        self.confirmed.is_some()
    }
}

/// Everybody, those of the first step first.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) all: Vec<Player>,
    /// How many of them are called at once.
    pub(super) first_step: usize,
}

impl People {
    /// Those a file names, in its order.
    pub(super) fn of(csv: &str) -> Result<Self, anyhow::Error> {
        let mut people = Self::default();
        for line in contacts::read(csv.as_bytes())?.lines {
            let entry = line.entry.map_err(|reason| anyhow!(reason))?;
            let person = entry.onto(None).map_err(|reason| anyhow!(reason))?;
            let number = person.methods.iter().find_map(|method| match method {
                ContactMethod::Sms(number) => Some(number.clone()),
                ContactMethod::Email(_) => None,
            });
            let number = number.ok_or_else(|| anyhow!("{} has no phone", person.name))?;
            if !entry.groups().iter().any(|group| group == "managers") {
                people.first_step += 1;
            }
            people.all.push(Player {
                key: person.key,
                name: person.name,
                number,
                confirmed: None,
                coming: false,
            });
        }
        Ok(people)
    }

    pub(super) fn number_of(&self, key: &str) -> Result<String, anyhow::Error> {
        self.all
            .iter()
            .find(|p| p.key == key)
            .map(|p| p.number.clone())
            .ok_or_else(|| anyhow!("nobody is called {key}"))
    }

    /// How many of the first step have a page on their phone.
    pub(super) async fn told(&self, outside: &Outside) -> Result<usize, anyhow::Error> {
        let mut told = 0;
        for player in self.all.iter().take(self.first_step) {
            told += usize::from(
                outside
                    .inbox(&player.number)
                    .await?
                    .iter()
                    .any(|m| code_in(&m.text).is_some()),
            );
        }
        Ok(told)
    }

    /// The newest message on each phone.
    pub(super) async fn last_messages(&self, outside: &Outside) -> Result<Vec<u64>, anyhow::Error> {
        let mut last = Vec::new();
        for player in &self.all {
            last.push(
                outside
                    .inbox(&player.number)
                    .await?
                    .last()
                    .map_or(0, |m| m.id),
            );
        }
        Ok(last)
    }

    /// Names of those coming whose call-off left a modem after that of somebody who is not. Each modem keeps its order;
    /// between modems there is none.
    pub(super) fn coming_told_late(&self, outside: &Outside) -> Vec<String> {
        let mut others_begun: Vec<String> = Vec::new();
        let mut late = Vec::new();
        for event in outside.seen().iter() {
            let Event::Submitted {
                modem,
                to,
                text: Some(text),
                part: 1,
                ..
            } = event
            else {
                continue;
            };
            if !is_call_off(text) {
                continue;
            }
            match self.all.iter().find(|p| p.number == *to) {
                Some(player) if player.coming && others_begun.contains(modem) => {
                    late.push(player.name.clone())
                }
                Some(player) if !player.coming => others_begun.push(modem.clone()),
                Some(_) | None => {}
            }
        }
        late
    }

    /// Names of those who got a page of this alert after their answer was confirmed.
    pub(super) async fn paged_after_answering(
        &self,
        outside: &Outside,
        about: &str,
    ) -> Result<Vec<String>, anyhow::Error> {
        let mut names = Vec::new();
        for player in &self.all {
            let Some(confirmed) = player.confirmed else {
                continue;
            };
            let inbox = outside.inbox(&player.number).await?;
            if inbox
                .iter()
                .any(|m| m.id > confirmed && code_in(&m.text).is_some() && m.text.contains(about))
            {
                names.push(player.name.clone());
            }
        }
        Ok(names)
    }
}

pub(super) fn is_call_off(text: &str) -> bool {
    STAND_DOWN.iter().any(|word| text.contains(word))
}
