//! One node: the engine, store and peers' side as production puts them together, and a few programs that write and read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cluster::rpc::{CallError, Kind, PeerTransport as _};
use cluster::types::{Peer, Record, TypeConfig};
use cluster::{Network, Profile, Tuning, engine_settings};
use domain::{Actor, Command, Envelope, NodeId, Outcome, RequestId, Timestamp, codec, recipients};
use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, RaftError};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::clients;
use crate::disk::Disk;
use crate::log::SlowLog;
use crate::net::{Wire, serve};
use crate::plants::Plant;
use crate::run::Registry;
use crate::state::{Inbox, Watched};
use crate::witness::Witness;

pub(crate) type Raft = openraft::Raft<TypeConfig, Watched>;

/// Registers the programs write to.
pub(crate) const KEYS: [&str; 3] = ["anna", "bela", "chen"];

/// Programs at each node.
const CLIENTS: u64 = 2;

/// What a node starts from.
#[derive(Clone)]
pub(crate) struct Plan {
    pub seed: u64,
    pub node: u64,
    pub nodes: u64,
    pub dir: PathBuf,
    pub plant: Option<Plant>,
    pub witness: Witness,
    pub registry: Registry,
}

/// A running node.
pub(crate) struct Member {
    pub node: u64,
    pub life: u32,
    pub raft: Raft,
    pub log: SlowLog,
    pub disk: Arc<Disk>,
    pub witness: Witness,
    pub plant: Option<Plant>,
    pub wire: Arc<Wire>,
    patience: Duration,
}

/// What the run asks of a node.
pub(crate) enum Order {
    Snapshot,
    Transfer(u64),
}

/// How a write went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Fate {
    Committed { index: u64, outcome: Outcome },
    NotLeader,
    Unknown,
}

/// One life of a node, until it is crashed.
pub(crate) async fn live(plan: Plan) -> turmoil::Result {
    let life = plan.registry.begin(plan.node);
    let disk = Arc::new(Disk::open(&plan.dir)?);
    let chance = StdRng::seed_from_u64(plan.seed ^ (plan.node << 32) ^ (u64::from(life) << 48));
    let mut chance = chance;
    let (log, arm) = SlowLog::new(disk.clone(), chance.random(), plan.plant);
    tokio::spawn(arm);
    let forgetful = plan.plant == Some(Plant::RequestsForgotten);
    let state = Watched::new(plan.node, disk.clone(), plan.witness.clone(), forgetful);
    plan.witness.starts(plan.node, disk.state().applied());

    // Snapshots are small and soon needed, so that their ways are walked in every run.
    let tuning = Tuning {
        log_kept: 20,
        lag_max: 60,
        ..Tuning::default()
    };
    let mut settings = engine_settings("consensus", Profile::Lan, &tuning)?;
    settings.purge_batch_size = 1;
    if plan.plant == Some(Plant::NoPreVote) {
        settings.enable_pre_vote = Some(false);
    }
    let timing = Profile::Lan.timing();
    let wire = Arc::new(Wire { own: plan.node });
    let network = Network::new(NodeId(plan.node), wire.clone(), timing);
    let raft = Raft::new(plan.node, Arc::new(settings), network, log.clone(), state).await?;
    let member = Arc::new(Member {
        node: plan.node,
        life,
        raft,
        log,
        disk: disk.clone(),
        witness: plan.witness.clone(),
        plant: plan.plant,
        wire,
        patience: timing.election_max * 2,
    });
    let (orders, ordered) = mpsc::channel(8);
    plan.registry.enter(plan.node, member.clone(), orders);
    if plan.node == 1 && life == 1 {
        tokio::spawn(found(member.clone(), plan.nodes));
    }
    for client in 0..CLIENTS {
        let chance = StdRng::seed_from_u64(chance.random());
        let name = format!("{}-{life}-{client}", plan.node);
        tokio::spawn(clients::run(member.clone(), name, chance));
    }
    tokio::spawn(obey(member.clone(), ordered));
    serve(member, Arc::new(Inbox(disk))).await?;
    Ok(())
}

/// Once in the cluster's life, by its first node in its first life.
async fn found(member: Arc<Member>, nodes: u64) {
    sleep(Duration::from_millis(100)).await;
    let peers: BTreeMap<u64, Peer> = (1..=nodes)
        .map(|node| {
            let peer = Peer {
                addresses: vec![crate::net::host(node)],
                pins: Vec::new(),
                name: crate::net::host(node),
            };
            (node, peer)
        })
        .collect();
    if let Err(e) = member.raft.initialize(peers).await {
        member
            .witness
            .broken("engine_runs", format!("cannot found the cluster: {e}"));
    }
}

async fn obey(member: Arc<Member>, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        // Neither is sure to work in the middle of trouble; what they leave behind is what the run is about.
        match order {
            Order::Snapshot => _ = member.raft.trigger().snapshot().await,
            Order::Transfer(to) => _ = member.raft.trigger().transfer_leader(to).await,
        }
    }
}

impl Member {
    /// Gets a write replicated, by whoever leads, or says what is known of it at `deadline`.
    pub(crate) async fn write(&self, record: &Record, deadline: Instant) -> Fate {
        let mut may_be_in_log = false;
        loop {
            match self.write_once(record, deadline).await {
                Fate::NotLeader => {}
                Fate::Unknown => may_be_in_log = true,
                committed @ Fate::Committed { .. } => return committed,
            }
            if Instant::now() + Duration::from_millis(40) >= deadline {
                return match may_be_in_log {
                    true => Fate::Unknown,
                    false => Fate::NotLeader,
                };
            }
            sleep(Duration::from_millis(40)).await;
        }
    }

    async fn write_once(&self, record: &Record, deadline: Instant) -> Fate {
        let leader = match self.raft.current_leader().await {
            None => return Fate::NotLeader,
            Some(leader) => leader,
        };
        if leader == self.node {
            return match timeout_at(deadline, self.commit(record.clone())).await {
                Ok(fate) => fate,
                Err(_) => Fate::Unknown,
            };
        }
        let asked = self
            .wire
            .call(
                NodeId(leader),
                Kind::Propose,
                record.as_bytes(),
                self.patience,
            )
            .await;
        match asked {
            Ok(answer) => codec::decode(&answer).unwrap_or(Fate::Unknown),
            Err(CallError::Unreachable(_)) => Fate::NotLeader,
            Err(_) => Fate::Unknown,
        }
    }

    async fn commit(&self, record: Record) -> Fate {
        match self.raft.client_write(record).await {
            Ok(written) => match written.data.0.clone() {
                Some(outcome) => Fate::Committed {
                    index: written.log_id.index,
                    outcome,
                },
                None => Fate::Unknown,
            },
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Fate::NotLeader,
            Err(_) => Fate::Unknown,
        }
    }

    /// A write another node forwards.
    pub(crate) async fn write_here(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let committed = self.commit(Record::from(body.to_vec()));
        let fate = timeout(self.patience, committed)
            .await
            .unwrap_or(Fate::Unknown);
        codec::encode(&fate).map_err(|e| e.to_string())
    }

    /// The read index, if this node leads and a majority says so.
    pub(crate) async fn read_index_here(&self) -> Result<Vec<u8>, String> {
        let asked = self.raft.get_read_log_id(ReadPolicy::ReadIndex);
        match timeout(self.patience, asked).await {
            Ok(Ok((read, _))) => codec::encode(&read.index()).map_err(|e| e.to_string()),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err("no majority answers".to_owned()),
        }
    }

    /// What a register holds, and how far this node had applied when it looked; none when no quorum could be had.
    pub(crate) async fn read(&self, key: &str, deadline: Instant) -> Option<(u64, String)> {
        if self.plant != Some(Plant::ReadsWithoutIndex) {
            let leader = self.raft.current_leader().await?;
            let answer = if leader == self.node {
                self.read_index_here().await.ok()?
            } else {
                let asked = self
                    .wire
                    .call(NodeId(leader), Kind::ReadIndex, &[], self.patience);
                asked.await.ok()?
            };
            let index: u64 = codec::decode(&answer).ok()?;
            let mut applied = self.disk.state().watch_applied();
            let reached = applied.wait_for(|applied| *applied >= Some(index));
            timeout_at(deadline, reached).await.ok()?.ok()?;
        }
        let (state, key) = (self.disk.state(), key.to_owned());
        self.disk.run(async move {
            let mut view = state.view().await.ok()?;
            let person = recipients::person(&mut view, &key).await.ok()?;
            Some((
                view.applied,
                person.map_or(String::new(), |found| found.name),
            ))
        })
    }

    /// A write as a node issues it.
    pub(crate) fn record(&self, request: RequestId, key: &str, value: &str) -> Record {
        let now = i64::try_from(self.witness.now().as_millis()).unwrap_or(i64::MAX);
        let envelope = Envelope {
            request,
            issued_at: Timestamp(now),
            issued_by: NodeId(self.node),
            seed: [0; 16],
            body: [0; 32],
            actor: Actor::Operator {
                node: NodeId(self.node),
            },
            decided_under: None,
            command: Command::Recipients(recipients::Command::PutPeople {
                people: vec![recipients::Person {
                    key: key.to_owned(),
                    name: value.to_owned(),
                    language: "en".to_owned(),
                    methods: vec![recipients::ContactMethod::Email("a@b.example".to_owned())],
                    details: recipients::Details::default(),
                }],
            }),
        };
        Record::encode(&envelope).expect("a small envelope encodes")
    }
}
