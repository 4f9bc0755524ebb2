//! Makes the trouble a schedule says, makes it good again, and keeps fallen nodes up as a service manager would.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hyper::Method;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::disk::Loss;
use crate::fault::{Fault, Kind, Round};
use crate::network::link::Shape;
use crate::network::{Cut, Network, Uplink};
use crate::note;
use crate::world::{World, civil_ms};

/// How long the nodes may take to be one cluster again once everything is made good.
const RECOVERY_TIME: Duration = Duration::from_secs(90);

/// Pause before a node that ended by itself is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// How long two versions run side by side before the older one comes back.
const MIXED_TIME: Duration = Duration::from_secs(5);

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A fault as it was.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Window {
    pub(crate) fault: Fault,
    /// Seconds since the run began.
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    /// The same in milliseconds since 1970.
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    /// How long the nodes then took to be one cluster again.
    pub(crate) recovered_s: Option<f64>,
}

/// Everything there is to break.
pub(crate) struct Director {
    pub(crate) cluster: Cluster,
    pub(crate) network: Network,
    pub(crate) world: Arc<World>,
    pub(crate) began: Instant,
    pub(crate) windows: Vec<Window>,
    /// The program of the next version, if it was built.
    pub(crate) next: Option<PathBuf>,
    /// Sites whose disk fails them in this round: their nodes may end by themselves.
    pub(crate) failing: BTreeSet<u8>,
    /// Sites with turned bits: once a node finds one and ends, it is replaced.
    pub(crate) rotten: BTreeSet<u8>,
    /// What went wrong in ways no fault excuses.
    pub(crate) broken: Vec<String>,
}

impl Director {
    /// One round from its calm to the cluster's recovery.
    pub(crate) async fn play(&mut self, round: &Round) -> Result<()> {
        self.rest(Duration::from_millis(round.calm_ms)).await?;
        // Beginnings and ends by time; a beginning before an end at the same time.
        let mut moments = Vec::new();
        for (index, blow) in round.blows.iter().enumerate() {
            let after = Duration::from_millis(blow.after_ms);
            moments.push((after, true, index));
            moments.push((after + blow.length(), false, index));
        }
        moments.sort_by_key(|(at, begins, index)| (*at, !begins, *index));
        let started = Instant::now();
        let first = self.windows.len();
        for (at, begins, index) in moments {
            self.rest(at.saturating_sub(started.elapsed())).await?;
            let fault = &round.blows[index].fault;
            let words = fault.words();
            if begins {
                note(&format!("{:>7.1} s  {words}", self.now_s()));
                self.windows.push(Window {
                    fault: fault.clone(),
                    from_s: self.now_s(),
                    to_s: 0.0,
                    from_ms: civil_ms(),
                    to_ms: 0,
                    recovered_s: None,
                });
                self.begin(fault).await.with_context(|| words.clone())?;
            } else {
                self.end(fault)
                    .await
                    .with_context(|| format!("the end of {words}"))?;
                let now_s = self.now_s();
                let window = &mut self.windows[first + index];
                (window.to_s, window.to_ms) = (now_s, civil_ms());
            }
        }
        self.recover(first).await?;
        self.failing.clear(); // not before: a node may be ending of its disk after there is room again
        Ok(())
    }

    /// Waits until the nodes are one cluster again.
    async fn recover(&mut self, first: usize) -> Result<()> {
        let healed = Instant::now();
        loop {
            self.keep_up().await?;
            self.replace_rotten().await?;
            let settled = self.cluster.settled(Duration::from_secs(2)).await;
            let took = healed.elapsed();
            match settled {
                Ok(()) => {
                    note(&format!(
                        "{:>7.1} s  well again after {:.1} s",
                        self.now_s(),
                        took.as_secs_f64()
                    ));
                    for window in &mut self.windows[first..] {
                        window.recovered_s = Some(took.as_secs_f64());
                    }
                    return Ok(());
                }
                Err(error) if took > RECOVERY_TIME => {
                    let window = self.windows.get(first);
                    let words = window.map_or_else(|| "the start".to_owned(), |w| w.fault.words());
                    self.broken.push(format!(
                        "{} s after {words} had been made good, the nodes were not one cluster: {error:#}",
                        took.as_secs()
                    ));
                    return Ok(());
                }
                Err(_) => {}
            }
        }
    }

    async fn rest(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            self.keep_up().await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(LOOK_EVERY)).await;
        }
    }

    /// Starts nodes again that ended by themselves. They never should, unless their disk fails them.
    async fn keep_up(&mut self) -> Result<()> {
        for node in &mut self.cluster.nodes {
            let Some(how) = node.ended() else { continue };
            note(&format!(
                "{:>7.1} s  {how}",
                self.began.elapsed().as_secs_f64()
            ));
            if self.rotten.contains(&node.site) {
                continue; // replaced once the cluster can
            }
            if !self.failing.contains(&node.site) {
                self.broken.push(how);
            }
            sleep(RESTART_AFTER).await;
            node.start()?;
        }
        Ok(())
    }

    /// What a node with damaged files is for: to say so, end, and be replaced.
    async fn replace_rotten(&mut self) -> Result<()> {
        for site in self.rotten.clone() {
            if !self.cluster.node(site).is_running() {
                note(&format!("{:>7.1} s  site {site} is replaced", self.now_s()));
                self.replace(site)
                    .await
                    .context("replacing a damaged node")?;
                self.rotten.remove(&site);
            }
        }
        Ok(())
    }

    fn now_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    async fn begin(&mut self, fault: &Fault) -> Result<()> {
        let site = fault.sites[0];
        match fault.kind {
            Kind::Kill | Kind::MajorityDown => {
                for site in &fault.sites {
                    self.cluster.node(*site).kill().await?;
                }
            }
            Kind::Freeze => self.cluster.node(site).signal(Signal::STOP)?,
            Kind::Rolling => self.roll(&fault.sites, None).await?,
            Kind::Upgrade => self.upgrade(&fault.sites).await?,
            Kind::Replace => self.replace(site).await?,
            Kind::Partition | Kind::OneWay | Kind::FibreDown | Kind::UdpBlocked => {
                self.network.cut(&self.cuts(fault))?;
            }
            Kind::BadLines => {
                for uplink in Uplink::BETWEEN_NODES {
                    self.network.shape(uplink, site, Some(Shape::bad()));
                }
            }
            Kind::PowerCut => self.cut_power(fault).await?,
            Kind::DiskFull => {
                self.failing.insert(site);
                let left = [0, 40_000, 400_000, 4_000_000][(fault.amount & 3) as usize];
                self.cluster.node(site).disk.fill(Some(left));
            }
            Kind::SlowDisk => {
                let takes = Duration::from_millis(30 + 60 * fault.amount.unsigned_abs());
                self.cluster.node(site).disk.slow(takes);
            }
            Kind::BitFlip => self.turn_bits(fault).await?,
            Kind::ClockStep => self.cluster.node(site).step_clock(fault.amount)?,
            Kind::ModemHang => self.world.hang(site, true).await?,
            Kind::SimRemoved => self.world.sim(site, false).await?,
            Kind::SmarthostDown => {
                for site in &fault.sites {
                    self.world.smarthost(*site, false).await?;
                }
            }
        }
        Ok(())
    }

    async fn end(&mut self, fault: &Fault) -> Result<()> {
        let site = fault.sites[0];
        match fault.kind {
            Kind::Kill | Kind::MajorityDown | Kind::PowerCut => {
                for site in &fault.sites {
                    self.cluster.node(*site).start()?;
                }
            }
            Kind::DiskFull => self.cluster.node(site).disk.fill(None),
            Kind::SlowDisk => self.cluster.node(site).disk.slow(Duration::ZERO),
            Kind::BitFlip => {}
            Kind::Freeze => self.cluster.node(site).signal(Signal::CONT)?,
            Kind::Rolling | Kind::Upgrade | Kind::Replace => {}
            Kind::Partition | Kind::OneWay | Kind::FibreDown | Kind::UdpBlocked => {
                self.network.mend(&self.cuts(fault))?;
            }
            Kind::BadLines => {
                for uplink in Uplink::BETWEEN_NODES {
                    self.network.shape(uplink, site, None);
                }
            }
            Kind::ClockStep => self.cluster.node(site).step_clock(0)?,
            Kind::ModemHang => self.world.hang(site, false).await?,
            Kind::SimRemoved => self.world.sim(site, true).await?,
            Kind::SmarthostDown => {
                for site in &fault.sites {
                    self.world.smarthost(*site, true).await?;
                }
            }
        }
        Ok(())
    }

    fn cuts(&self, fault: &Fault) -> Vec<Cut> {
        let all = 1..=self.cluster.nodes.len() as u8;
        let others: Vec<u8> = all.filter(|site| !fault.sites.contains(site)).collect();
        let mut cuts = match (fault.kind, fault.is_odd()) {
            (Kind::OneWay, true) => Cut::one_way(&fault.sites, &others),
            (Kind::OneWay, false) => Cut::one_way(&others, &fault.sites),
            _ => Cut::between(&fault.sites, &others),
        };
        if fault.kind == Kind::FibreDown {
            cuts.retain(|cut| cut.uplink == Uplink::Fibre);
        }
        for cut in &mut cuts {
            cut.udp_only = fault.kind == Kind::UdpBlocked;
        }
        cuts
    }

    /// Two versions side by side: half of the nodes become the next version and what they were again; then all of them
    /// become it, after which the cluster uses what only it knows. Once that is so, nodes just restart.
    async fn upgrade(&mut self, sites: &[u8]) -> Result<()> {
        let Some(next) = self.next.clone() else {
            return self.roll(sites, None).await;
        };
        let now = self.cluster.nodes[0].program.clone();
        let some = &sites[..sites.len().div_ceil(2)];
        if now != next {
            self.roll(some, Some(&next)).await?;
            self.rest(MIXED_TIME).await?;
            self.roll(some, Some(&now)).await?;
        }
        self.roll(sites, Some(&next)).await
    }

    /// Every node stops in order and starts again, as another program if one is given; the next one once all are well.
    async fn roll(&mut self, sites: &[u8], program: Option<&Path>) -> Result<()> {
        for site in sites {
            let node = self.cluster.node(*site);
            if !node.stop().await? {
                self.broken.push(format!(
                    "the node at site {site} had to be killed: it did not stop when asked"
                ));
            }
            let node = self.cluster.node(*site);
            if let Some(program) = program {
                node.program = program.to_owned();
            }
            node.start()?;
            self.cluster.settled(RECOVERY_TIME).await?;
        }
        Ok(())
    }

    /// Nodes end at once, and their disks forget.
    async fn cut_power(&mut self, fault: &Fault) -> Result<()> {
        let loss = if fault.is_odd() {
            Loss::Torn
        } else {
            Loss::Everything
        };
        for site in &fault.sites {
            self.cluster.node(*site).kill().await?;
        }
        for site in &fault.sites {
            let seed = self.windows.len() as u64 * 8 + u64::from(*site);
            let lost = self.cluster.node(*site).disk.cut(loss, seed)?;
            note(&format!(
                "{:>7.1} s  site {site} lost {lost} unsynced pages and names",
                self.now_s()
            ));
        }
        Ok(())
    }

    /// Bits turn in a stopped node's files; then it is started.
    async fn turn_bits(&mut self, fault: &Fault) -> Result<()> {
        for site in &fault.sites {
            self.rotten.insert(*site);
            let now_s = self.now_s();
            let round = self.windows.len() as u64;
            let node = self.cluster.node(*site);
            node.kill().await?;
            let ends = ["raft.db", "node.db", ".db", ""][(fault.amount & 3) as usize];
            for bit in 0..4 {
                let seed = round << 8 | u64::from(*site) << 4 | bit;
                if let Some((path, at)) = node.disk.flip(ends, seed)? {
                    note(&format!(
                        "{now_s:>7.1} s  site {site}: a bit at byte {at} of {path}"
                    ));
                }
            }
            node.start()?;
        }
        Ok(())
    }

    /// A node is taken out and its disk lost; a new member takes its place.
    async fn replace(&mut self, site: u8) -> Result<()> {
        let index = usize::from(site) - 1;
        let nodes = &self.cluster.nodes;
        let count = nodes.len();
        let mut others = (1..count).map(|step| (index + step) % count);
        let sound = |at: &usize| nodes[*at].is_running() && !self.rotten.contains(&nodes[*at].site);
        let through = others.find(sound);
        let through = through.context("no node is left that could let another in")?;
        let old = self.cluster.nodes[index].id;
        self.cluster.node(site).kill().await?;
        let mut door = self.cluster.nodes[through].local();
        let body = json!({ "node": old });
        let patience = Duration::from_secs(20);
        door.change(Method::POST, "/v1/cluster/remove", &body, patience)
            .await?;
        self.cluster.node(site).disk.replace()?;
        self.cluster.join(index, through).await
    }

    /// Every fault made good, every node up, one cluster.
    ///
    /// Damaged nodes that found nothing are replaced, too: what they would say of damaged rows proves nothing.
    pub(crate) async fn heal(&mut self) -> Result<()> {
        for site in self.rotten.clone() {
            self.cluster.node(site).kill().await?;
        }
        let first = self.windows.len();
        self.recover(first.saturating_sub(1)).await
    }
}
