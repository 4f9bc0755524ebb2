//! This node's battery: shown to the cluster, and, before it is empty, work and leadership handed over, people told, and
//! a stop in order (PRODUCT W-16).

mod nut;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use delivery::{Direct, language_of, send_directly};
use domain::nodes::{self, Power};
use domain::ports::{
    Channel, Clock as _, ClusterAdmin, Freshness, PowerSupply, ReadError, Replica,
};
use domain::recipients::{self, Named, PersonRow};
use domain::{NodeId, Timestamp, deliveries, texts};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use self::nut::Nut;
use self::rules::{Orders, Supply};
use super::clock::SystemClock;
use super::machine::HostMachine;
use super::manager::Manager;
use crate::config::PowerConfig;

/// How often the supply is asked.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// What the last texts may take on their way out, before the node stops all the same.
const FAREWELL_TIME: Duration = Duration::from_secs(45);

/// People told at most; a modem sends some twelve a minute.
const FAREWELL_MAX: usize = 20;

/// What the battery's watch needs of the node.
pub(super) struct PowerWatch {
    nut: Nut,
    supply: Supply,
    site: String,
    duty: Option<String>,
    machine: HostMachine,
    replica: Arc<dyn Replica>,
    admin: Arc<dyn ClusterAdmin>,
    channels: Vec<Arc<dyn Channel>>,
    /// Set when the node should stop.
    ended: CancellationToken,
    heard: bool,
}

/// The node's parts that the battery's watch uses.
pub(super) struct PowerParts {
    pub(super) site: String,
    pub(super) duty: Option<String>,
    pub(super) machine: HostMachine,
    pub(super) replica: Arc<dyn Replica>,
    pub(super) admin: Arc<dyn ClusterAdmin>,
    pub(super) channels: Vec<Arc<dyn Channel>>,
    pub(super) ended: CancellationToken,
}

/// Waits, before anything is opened, while the supply is about to switch this machine off: a service manager starts us
/// again after the stop that it asked for.
pub(super) async fn wait_for_power(config: &PowerConfig, manager: &Manager) {
    let nut = nut_of(config);
    let mut told = false;
    while let Ok(reading) = nut.read().await {
        if !reading.ends() {
            return;
        }
        if !told {
            warn!("the battery is empty or the supply is about to switch off; waiting for power");
            told = true;
        }
        manager.wait(ASK_EVERY * 6, "the battery is empty; waiting for power");
        sleep(ASK_EVERY).await;
    }
}

fn nut_of(config: &PowerConfig) -> Nut {
    Nut {
        upsd: config.upsd,
        ups: config.ups.clone(),
        credentials: config.credentials_file.clone(),
    }
}

impl PowerWatch {
    pub(super) fn new(config: &PowerConfig, parts: PowerParts) -> Self {
        let hand_over_below = Duration::from_secs(u64::from(config.hand_over_min) * 60);
        Self {
            nut: nut_of(config),
            supply: Supply::new(hand_over_below),
            site: parts.site,
            duty: parts.duty,
            machine: parts.machine,
            replica: parts.replica,
            admin: parts.admin,
            channels: parts.channels,
            ended: parts.ended,
            heard: true,
        }
    }

    /// Watches until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.step() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(ASK_EVERY) => {}
            }
        }
    }

    async fn step(&mut self) {
        let reading = self.nut.read().await;
        if let Err(error) = &reading
            && self.heard
        {
            let error = error as &dyn std::error::Error;
            warn!(error, ups = self.nut.ups, "the supply's state is not known");
        }
        self.heard = reading.is_ok();
        let before = self.supply.power();
        let boot = SystemClock.boot();
        let Orders { farewell, stop } = self.supply.step(boot, reading.ok());
        let (power, runtime) = (self.supply.power(), self.supply.runtime(boot));
        if power != before {
            let runtime_s = runtime.map(|left| left.as_secs());
            match power {
                Power::Unknown | Power::Mains => info!(power = power.name(), "power"),
                Power::Battery | Power::Draining => {
                    warn!(power = power.name(), runtime_s, "power");
                }
            }
        }
        self.machine.set_power(PowerSupply { power, runtime });
        if power == Power::Draining {
            self.hand_over_leadership().await;
        }
        if farewell {
            self.say_farewell(runtime).await;
        }
        if stop {
            error!("the battery is empty: stopping in order");
            self.ended.cancel();
        }
    }

    async fn hand_over_leadership(&self) {
        let leadership = self.replica.leadership();
        if leadership.leading.is_none() || self.replica.island().is_some() {
            return;
        }
        // Between two whose power ends it would only go back and forth.
        let heir = match self.heir(&leadership.voters).await {
            Ok(Some(heir)) => heir,
            Ok(None) => return,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return warn!(error, "cannot read who could lead");
            }
        };
        match self.admin.transfer(Some(heir)).await {
            Ok(()) => info!(to = %heir, "leadership handed over: this node runs out of power"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(error, to = %heir, "leadership could not be handed over");
            }
        }
    }

    /// Another voter that is there, whose power does not end and whose data are not in doubt.
    async fn heir(&self, voters: &[NodeId]) -> Result<Option<NodeId>, ReadError> {
        let mut view = self.replica.read(Freshness::Local).await?;
        let (own, members) = (self.replica.node(), nodes::nodes(&mut view).await?);
        let machines = nodes::machines(&mut view).await?;
        let digests = nodes::digests(&mut view).await?;
        let ends = |id| {
            let machine = machines.iter().find(|machine| machine.node == id);
            machine.is_some_and(|machine| machine.power == Power::Draining)
        };
        let barred = |id| digests.iter().any(|d| d.node == id && d.standing.bars());
        let voters = members.iter().filter(|row| voters.contains(&row.node));
        let heir = voters
            .filter(|row| row.node != own && row.reachable)
            .find(|row| !ends(row.node) && !barred(row.node));
        Ok(heir.map(|row| row.node))
    }

    /// One text to everybody whose answer would come to this site, and to those on duty.
    async fn say_farewell(&self, runtime: Option<Duration>) {
        let now = self.replica.now();
        let (people, time, number) = match self.concerned(now + runtime.unwrap_or_default()).await {
            Ok(found) => found,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return error!(error, "nobody could be told that this site goes dark");
            }
        };
        for person in people.iter().take(FAREWELL_MAX) {
            let language = language_of(person);
            let body = texts::going_dark(language, &self.site, &time, number.as_deref());
            let text = Direct {
                person,
                subject: &body,
                body: &body,
            };
            // A modem takes a few at a time.
            let handed = async {
                while !send_directly(&self.channels, &text, "going dark", now) {
                    sleep(Duration::from_secs(2)).await;
                }
            };
            if tokio::time::timeout(FAREWELL_TIME, handed).await.is_err() {
                debug!("no channel took the last text");
                break;
            }
        }
        // What was handed over leaves within seconds; the stop that may follow gives channels a few more.
        sleep(Duration::from_secs(5)).await;
    }

    /// Whom to tell, the time of day at `end`, and a number that will still be heard.
    async fn concerned(
        &self,
        end: Timestamp,
    ) -> Result<(Vec<PersonRow>, String, Option<String>), ReadError> {
        let mut view = self.replica.read(Freshness::Local).await?;
        let own = self.replica.node();
        let mut ids = Vec::new();
        let held_back = nodes::outbox_pause(&mut view).await?.is_some();
        if let Some(duty) = &self.duty
            && !held_back
        {
            let named = [Named::Group(duty.clone())];
            ids = recipients::resolve(&mut view, &named)
                .await?
                .unwrap_or_default();
        }
        let awaited = deliveries::awaited_at(&mut view, own).await?;
        for id in awaited.into_iter().filter(|_| !held_back) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let people = recipients::by_ids(&mut view, &ids).await?;
        let channels = nodes::channels(&mut view).await?;
        // Cut off, this node knows nothing against the others' numbers: it is the one that is not heard.
        let alone = self.replica.island().is_some();
        let number = channels.into_iter().find(|channel| {
            let heard = channel.usable || (alone && channel.up);
            channel.kind == "sms" && channel.node != own && heard && !channel.draining
        });
        let civil = nodes::civil(&mut view).await?;
        let time = civil.at(end).to_hh_mm();
        Ok((people, time, number.map(|channel| channel.number)))
    }
}
