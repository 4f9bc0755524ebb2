//! People answer on their phones, and look for the confirmation.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use hyper::Method;
use serde_json::json;

use super::people::Player;
use super::{Alert, DARK_TIME, EARLY_ANSWERS, Story, TEXT_TIME};
use crate::demo::nodes::wait;
use crate::demo::world::code_in;
use crate::output::each;

impl Story<'_> {
    /// People whose text came from a living node's number answer; the first of them to the other living node.
    pub(super) async fn answer_early(&mut self, dead: u64) -> Result<(), anyhow::Error> {
        let dead_number = self.fleet.node(dead)?.number;
        let living: Vec<&str> = self
            .fleet
            .nodes
            .iter()
            .filter(|n| n.id != dead)
            .map(|n| n.number)
            .collect();
        let until = Instant::now() + TEXT_TIME;
        let mut answered = 0;
        for index in 0..self.people.first_step {
            if answered == EARLY_ANSWERS {
                break;
            }
            let player = self.people.all[index].clone();
            let limit = until
                .saturating_duration_since(Instant::now())
                .min(Duration::from_secs(6));
            let Ok(page) = self
                .outside
                .message(&player.number, limit, |m| code_in(&m.text).is_some())
                .await
            else {
                continue;
            };
            if page.from == dead_number || !living.contains(&page.from.as_str()) {
                continue;
            }
            let to = if answered == 0 {
                living
                    .iter()
                    .find(|n| **n != page.from)
                    .copied()
                    .unwrap_or(&page.from)
            } else {
                &page.from
            };
            // All that people write: with digit, without, and with a space too many.
            let form = ["{} 1", "{}", " {}  1 ", "{} 2"][answered];
            let code = code_in(&page.text).unwrap_or_default();
            self.answer(index, to, &form.replace("{}", code)).await?;
            answered += 1;
        }
        self.report.check(answered == EARLY_ANSWERS, || {
            format!("only {answered} people had a text from a living node")
        });
        self.say(format!("{answered} people answered by SMS, one of them to another node's number; each is confirmed"));
        Ok(())
    }

    /// Those whose text came from the dead number are asked again from another one, and answer there.
    pub(super) async fn answer_again(&mut self, dead: u64) -> Result<(), anyhow::Error> {
        let dead_number = self.fleet.node(dead)?.number;
        let mut stranded = Vec::new();
        for (index, player) in self
            .people
            .all
            .iter()
            .enumerate()
            .take(self.people.first_step)
        {
            let pages: Vec<_> = self
                .outside
                .inbox(&player.number)
                .await?
                .into_iter()
                .filter(|m| code_in(&m.text).is_some())
                .collect();
            if !player.answered() && pages.iter().any(|m| m.from == dead_number) {
                stranded.push(index);
            }
        }
        self.report.check(!stranded.is_empty(), || {
            "nobody's text came from the dead node's number".to_owned()
        });
        let until = self.raised + DARK_TIME;
        for index in &stranded {
            let player = self.people.all[*index].clone();
            let limit = until.saturating_duration_since(Instant::now());
            let again =
                |m: &emulator::event::Message| code_in(&m.text).is_some() && m.from != dead_number;
            let page = self.outside.message(&player.number, limit, again).await?;
            let code = code_in(&page.text).unwrap_or_default().to_owned();
            self.answer(*index, &page.from, &format!("{code} 1"))
                .await?;
        }
        self.report.answers_asked_again = stranded.len();
        self.say(format!("{} people had their text from the dead number, were asked again from another, and answered there", stranded.len()));
        Ok(())
    }

    /// Writes an answer on a phone and waits for its confirmation.
    pub(super) async fn answer(
        &mut self,
        index: usize,
        to: &str,
        text: &str,
    ) -> Result<(), anyhow::Error> {
        let Player { number, name, .. } = self.people.all[index].clone();
        let last = self
            .outside
            .inbox(&number)
            .await?
            .last()
            .map_or(0, |m| m.id);
        self.outside.text(&number, to, text).await?;
        let first_name = name.split(' ').next().unwrap_or_default().to_owned();
        let confirms = |m: &emulator::event::Message| {
            m.id > last && code_in(&m.text).is_none() && m.text.contains(&first_name)
        };
        let confirmation = self
            .outside
            .message(&number, TEXT_TIME, confirms)
            .await
            .with_context(|| format!("the confirmation of {name}'s answer"))?;
        let player = &mut self.people.all[index];
        player.confirmed = Some(confirmation.id);
        player.coming = !text.trim().ends_with(" 2");
        Ok(())
    }

    pub(super) async fn answer_second(&mut self, second: &Alert) -> Result<(), anyhow::Error> {
        let number = self.people.number_of("ursula")?;
        let page = self
            .outside
            .message(&number, TEXT_TIME, |m| {
                code_in(&m.text).is_some() && m.text.contains(second.mark)
            })
            .await?;
        let code = code_in(&page.text).unwrap_or_default();
        self.outside
            .text(&number, &page.from, &format!("{code} 3"))
            .await?;
        let (client, path) = (&self.client, format!("/v1/alerts/{}", second.id));
        wait("the second alert is answered", TEXT_TIME, || async {
            let alert = client.get(&path).await.map_err(|f| f.error)?;
            Ok(each(&alert["called"]).any(|c| c["answer"] == "received"))
        })
        .await?;
        let body = json!({ "note": "the gate closes again" });
        self.client
            .change(Method::POST, &format!("{path}/resolve"), Some(&body))
            .await
            .map_err(|f| f.error)?;
        self.say(format!("alert {} is answered and resolved", second.number));
        Ok(())
    }
}
