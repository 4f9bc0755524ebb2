//! The story of `demo --once`: an alert goes out, the leader dies in the middle of it, and nothing is lost.
//!
//! Every step is seen from outside: over HTTP, on the phones, at the mail servers. Nothing here looks into a node.

mod answers;
mod people;
mod verdict;

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use hyper::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::people::People;
use super::nodes::{Fleet, wait};
use super::organisation::{self, FLOOD, PEOPLE_CSV};
use super::report::Report;
use super::world::{Outside, code_in};
use crate::client::{Client, new_key};
use crate::output::{Output, each};

/// When the second step is called: long enough to see the first one answer, short enough to wait for.
const SECOND_STEP_AFTER: Duration = Duration::from_secs(22);

/// How many must be coming. More than ever answer, so that the second step is called.
const NEEDED: u16 = 18;

/// How many people answer before the dead node's number is noticed.
const EARLY_ANSWERS: usize = 4;

/// A request by the demo, fail-over included.
const ASK_TIME: Duration = Duration::from_secs(20);

/// A text on a line that is not held up.
const TEXT_TIME: Duration = Duration::from_secs(25);

/// DESIGN C6: no unanswered delivery hangs on a dark number for longer.
const DARK_TIME: Duration = Duration::from_secs(60);

/// Deliveries end by their validity at the latest.
const END_TIME: Duration = Duration::from_secs(100);

/// An alert as the demo knows it.
#[derive(Clone)]
struct Alert {
    id: String,
    number: String,
    /// Words that stand in its pages in every language, and in no other alert's.
    mark: &'static str,
}

struct Story<'a> {
    fleet: &'a mut Fleet,
    outside: &'a Outside,
    client: Client,
    output: Output,
    report: Report,
    people: People,
    /// Those accepted so far.
    alerts: Vec<Alert>,
    started: Instant,
    raised: Instant,
    killed: Instant,
}

/// Plays it. What goes wrong stands in the report.
pub(super) async fn play(
    fleet: &mut Fleet,
    outside: &Outside,
    output: Output,
    started: Instant,
) -> Report {
    let client = match fleet.client(ASK_TIME) {
        Ok(client) => client,
        Err(error) => {
            return Report {
                broken: vec![format!("{error:#}")],
                ..Report::default()
            };
        }
    };
    let report = Report {
        nodes: fleet.nodes.len(),
        ..Report::default()
    };
    let mut story = Story {
        fleet,
        outside,
        client,
        output,
        report,
        people: People::default(),
        alerts: Vec::new(),
        started,
        raised: started,
        killed: started,
    };
    if let Err(error) = story.tell().await {
        story.report.broken.push(format!("{error:#}"));
    }
    if let Err(error) = verdict::judge(&mut story).await {
        story.report.broken.push(format!("{error:#}"));
    }
    let mut report = story.report;
    report.wall_s = (started.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    report.ok = report.broken.is_empty();
    report
}

impl Story<'_> {
    async fn tell(&mut self) -> Result<(), anyhow::Error> {
        self.bring_in_people().await?;
        self.fleet.channels_up(Duration::from_secs(40)).await?;
        self.say("three modems on three networks and two mail servers are up");

        let first = self.raise_first().await?;
        let dead = self.kill_leader_while_sending().await?;
        let second = self.raise_second(dead).await?;
        self.answer_early(dead)
            .await
            .context("answers at living nodes")?;
        self.answer_again(dead)
            .await
            .context("answers stranded on the dead node's number")?;
        self.see_escalation(&first).await.context("escalation")?;
        self.bring_back(dead, &first)
            .await
            .context("the killed node's return")?;
        self.answer_second(&second)
            .await
            .context("the second alert")?;
        self.call_off(&first).await.context("call-off")?;
        self.see_everything_end().await
    }

    fn say(&self, text: impl std::fmt::Display) {
        self.output.note(format!(
            "{:6.1} s  {text}",
            self.started.elapsed().as_secs_f64()
        ));
    }

    async fn bring_in_people(&mut self) -> Result<(), anyhow::Error> {
        let added = organisation::set_up(&self.client).await?;
        self.people = People::of(PEOPLE_CSV)?;
        self.report.people = added;
        self.report.check(added == self.people.all.len(), || {
            format!("only {added} people were imported")
        });
        self.say(format!(
            "{added} people in three groups and three languages, two schedules and a prepared alert are there"
        ));
        Ok(())
    }

    async fn raise_first(&mut self) -> Result<Alert, anyhow::Error> {
        let body = json!({
            "template": FLOOD,
            "placeholders": { "pump": "P-3" },
            "status": "exercise",
            // As the template has them, but the second step sooner.
            "steps": [
                { "groups": ["duty", "field"], "schedules": ["control-room"] },
                { "after_s": SECOND_STEP_AFTER.as_secs(), "groups": ["managers"], "schedules": ["managers"] },
            ],
            "needed": NEEDED,
            "validity_s": 75,
            "source": "demo",
        });
        let client = self.client.clone();
        let alert = self.raise(&client, &body, "PIN 118").await?;
        self.raised = Instant::now();
        self.say(format!(
            "alert {} is accepted: 14 people are called, 6 more in {} s",
            alert.number,
            SECOND_STEP_AFTER.as_secs()
        ));
        Ok(alert)
    }

    async fn raise(
        &mut self,
        client: &Client,
        body: &Value,
        mark: &'static str,
    ) -> Result<Alert, anyhow::Error> {
        let raised = client
            .change_as(&new_key(), Method::POST, "/v1/alerts", Some(body))
            .await
            .map_err(|f| f.error)?;
        self.report.alerts_accepted += 1;
        let id = raised["id"]
            .as_str()
            .ok_or_else(|| anyhow!("the answer names no alert"))?
            .to_owned();
        let number = raised["number"].as_str().unwrap_or_default().to_owned();
        let alert = Alert { id, number, mark };
        self.alerts.push(alert.clone());
        Ok(alert)
    }

    /// Waits until the leader's own modem has sent something and much is still to be sent, then pulls its plug.
    async fn kill_leader_while_sending(&mut self) -> Result<u64, anyhow::Error> {
        let cluster = self.client.get("/v1/cluster").await.map_err(|f| f.error)?;
        let leader = cluster["leader"]
            .as_u64()
            .ok_or_else(|| anyhow!("nobody leads"))?;
        let modem = self.fleet.node(leader)?.modem.clone();
        let outside = self.outside;
        wait("the leader's modem sends", TEXT_TIME, || async {
            Ok(outside.submitted_by(&modem) >= 2)
        })
        .await?;
        let told = self.people.told(outside).await?;
        self.killed = Instant::now();
        self.fleet.node(leader)?.kill().await;
        self.say(format!("node {leader} led, and is killed in the middle of sending: {told} of 14 have their text"));
        self.report.check(told < 14, || {
            "the leader was killed only after everything was sent".to_owned()
        });
        Ok(leader)
    }

    async fn raise_second(&mut self, dead: u64) -> Result<Alert, anyhow::Error> {
        let body = json!({
            "severity": "high", "status": "exercise", "text": "Gate 2 does not close", "to": { "people": ["ursula"] }, "source": "demo",
        });
        let client = self.client.clone();
        let alert = self
            .raise(&client, &body, "Gate 2")
            .await
            .context("the second alert was not accepted")?;
        self.report.failover_ms =
            u64::try_from(self.killed.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.client = self.fleet.client_without(dead, ASK_TIME)?;
        self.say(format!(
            "alert {} is accepted {} ms after the leader's death",
            alert.number, self.report.failover_ms
        ));
        Ok(alert)
    }

    async fn see_escalation(&mut self, first: &Alert) -> Result<(), anyhow::Error> {
        let limit = (SECOND_STEP_AFTER + TEXT_TIME).saturating_sub(self.raised.elapsed())
            + Duration::from_secs(5);
        for index in self.people.first_step..self.people.all.len() {
            let player = self.people.all[index].clone();
            let is = |m: &emulator::event::Message| {
                code_in(&m.text).is_some() && m.text.contains(first.mark)
            };
            let page = self.outside.message(&player.number, limit, is).await?;
            if index == self.people.first_step {
                let code = code_in(&page.text).unwrap_or_default().to_owned();
                self.answer(index, &page.from, &format!("{code} 1")).await?;
            }
        }
        let silent = self
            .people
            .all
            .iter()
            .take(self.people.first_step)
            .filter(|p| !p.answered())
            .count();
        self.say(format!(
            "{silent} people stayed silent, so the second step was called: 6 more have their text"
        ));
        self.report.check(silent > 0, || {
            "nobody was silent, so nothing escalated".to_owned()
        });
        Ok(())
    }

    async fn bring_back(&mut self, dead: u64, first: &Alert) -> Result<(), anyhow::Error> {
        let target = self.client.get("/v1/cluster").await.map_err(|f| f.error)?["last_log"]
            .as_u64()
            .unwrap_or(u64::MAX);
        let started = Instant::now();
        let node = self.fleet.node(dead)?;
        node.run()?;
        let local = node.local().within(Duration::from_secs(5));
        wait("it has everything", Duration::from_secs(30), || async {
            let cluster = local.get("/v1/cluster").await.map_err(|f| f.error)?;
            Ok(cluster["applied"]
                .as_u64()
                .is_some_and(|applied| applied >= target)
                && !cluster["leader"].is_null())
        })
        .await?;
        self.report.rejoin_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let shown = local
            .get(&format!("/v1/alerts/{}", first.id))
            .await
            .map_err(|f| f.error)?;
        self.report.check(shown["state"] == "open", || {
            "the returned node does not show the alert as open".to_owned()
        });
        self.client = self.fleet.client(ASK_TIME)?;
        self.say(format!(
            "node {dead} is back and has everything after {} ms",
            self.report.rejoin_ms
        ));
        self.fleet.channels_up(Duration::from_secs(40)).await
    }

    async fn call_off(&mut self, first: &Alert) -> Result<(), anyhow::Error> {
        let before: Vec<u64> = self.people.last_messages(self.outside).await?;
        let body = json!({ "reason": "The pump runs again" });
        self.client
            .change(
                Method::POST,
                &format!("/v1/alerts/{}/call-off", first.id),
                Some(&body),
            )
            .await
            .map_err(|f| f.error)?;
        for (player, before) in self.people.all.iter().zip(&before) {
            let is = |m: &emulator::event::Message| m.id > *before && people::is_call_off(&m.text);
            self.outside
                .message(&player.number, TEXT_TIME, is)
                .await
                .with_context(|| format!("{} was not told to stand down", player.name))?;
        }
        self.say(format!(
            "alert {} is called off: all {} people were told",
            first.number,
            self.people.all.len()
        ));
        let late = self.people.coming_told_late(self.outside);
        self.report.check(late.is_empty(), || {
            format!(
                "told to stand down after people who had not answered, though coming: {}",
                late.join(", ")
            )
        });
        Ok(())
    }

    async fn see_everything_end(&mut self) -> Result<(), anyhow::Error> {
        let until = self.raised + END_TIME;
        for alert in self.alerts.clone() {
            let (client, path) = (&self.client, format!("/v1/alerts/{}?limit=5000", alert.id));
            let limit = until.saturating_duration_since(Instant::now());
            let ended = wait("every delivery has ended", limit, || async {
                let shown = client.get(&path).await.map_err(|f| f.error)?;
                Ok(each(&shown["deliveries"]).all(|d| d["next_action"].is_null()))
            });
            if let Err(error) = ended.await {
                self.report.broken.push(format!("{error:#}"));
            }
        }
        // Anything sent by mistake now would arrive now.
        sleep(Duration::from_secs(2)).await;
        Ok(())
    }
}
