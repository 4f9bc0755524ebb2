//! Nodes that are cut off together exchange journals (DESIGN D4): each asks the others for what it lacks, by origin and
//! place, and joins it into its own fork. They also hear who else hears them, which is what sharing the work rests on.

use std::sync::Arc;
use std::time::Duration;

use domain::nodes::{self, ChannelReport};
use domain::{Actor, Command, Envelope, NodeId, RequestId, codec};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::fork::Fork;
use super::{Ground, Heard, Mode, lock};
use crate::rpc::{Kind, PeerTransport as _};
use crate::store::island_journal::JournalRow;

/// How often the others are asked.
const PERIOD: Duration = Duration::from_secs(1);
/// Facts in one answer.
const ROWS_MAX: u32 = 256;
const BYTES_MAX: usize = 256 * 1024;
/// Answers taken from one peer in one round.
const ANSWERS_MAX: usize = 16;
/// Channels one node can have.
const CHANNELS_MAX: usize = 64;

/// What one node asks another. Its fields never change.
#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    /// The last place seen of each node's journal.
    have: Vec<(u64, u64)>,
}

/// What it is told. Its fields never change.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    /// Whether the one who answers is cut off too. If not, the rest is empty.
    island: bool,
    /// Nodes it heard within the last seconds.
    heard: Vec<u64>,
    /// Facts beyond what the asker has, in order: origin, place, fact.
    facts: Vec<(u64, u64, Vec<u8>)>,
    /// There are more.
    more: bool,
    /// Its own channels as they are now.
    channels: Vec<ChannelReport>,
}

/// Asks all other members, for as long as this node is cut off.
pub(crate) async fn exchange(ground: Arc<Ground>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(PERIOD) => {}
        }
        let Some(fork) = ground.fork() else {
            lock(&ground.fellows).clear();
            continue;
        };
        let members = ground.core.transport.pins().peers();
        let others = members.into_keys().filter(|id| *id != ground.core.node.0);
        join_all(others.map(|id| ask(&ground, &fork, NodeId(id)))).await;
    }
}

/// Takes what `peer` has and this node has not.
async fn ask(ground: &Ground, fork: &Fork, peer: NodeId) {
    for _ in 0..ANSWERS_MAX {
        let Ok(seen) = ground.node_db.journal_seen().await else {
            return; // the node stops over this elsewhere
        };
        let have = seen.into_iter().map(|(node, seq)| (node.0, seq)).collect();
        let Ok(body) = codec::encode(&Ask { have }) else {
            return;
        };
        let patience = PERIOD + ground.core.timing.initial_rtt * 4;
        let answer = ground
            .core
            .transport
            .call(peer, Kind::Journal, &body, patience)
            .await;
        let Ok(Ok(told)) = answer.map(|bytes| codec::decode::<Told>(&bytes)) else {
            return;
        };
        if !told.island {
            lock(&ground.fellows).remove(&peer);
            return;
        }
        let heard = Heard {
            at: ground.now(),
            mutual: told.heard.contains(&ground.core.node.0),
        };
        if lock(&ground.fellows)
            .insert(peer, heard)
            .is_none_or(|before| !before.mutual)
            && heard.mutual
        {
            tracing::info!(%peer, "shares the work with another node that is cut off");
            ground.core.changes.send_modify(|count| *count += 1);
        }
        let own = ground.core.node;
        let rows: Vec<JournalRow> = told
            .facts
            .into_iter()
            .map(|(origin, seq, fact)| JournalRow {
                origin: NodeId(origin),
                seq,
                fact,
            })
            .filter(|row| row.origin != own)
            .collect();
        if !rows.is_empty() && fork.adopt(rows).await.is_err() {
            return;
        }
        report_channels(ground, fork, peer, told.channels).await;
        if !told.more {
            return;
        }
    }
}

/// Answers another member that is cut off. A member of a working cluster has nothing to tell.
pub(crate) async fn answer(ground: &Ground, body: &[u8]) -> Result<Vec<u8>, String> {
    let words = |e: &dyn std::fmt::Display| e.to_string();
    let ask: Ask = codec::decode(body).map_err(|e| words(&e))?;
    let told = match ground.mode() {
        Mode::Member | Mode::Fork { healing: true, .. } => Told::default(),
        Mode::Fork { fork, .. } => tell(ground, &fork, &ask).await.map_err(|e| words(&e))?,
    };
    codec::encode(&told).map_err(|e| words(&e))
}

async fn tell(
    ground: &Ground,
    fork: &Fork,
    ask: &Ask,
) -> Result<Told, Box<dyn std::error::Error + Send + Sync>> {
    let (mut facts, mut bytes, mut more) = (Vec::new(), 0, false);
    for origin in ground.node_db.journal_origins().await? {
        let has = ask.have.iter().find(|(node, _)| *node == origin.0);
        let after = has.map_or(0, |(_, seq)| *seq);
        let room = ROWS_MAX.saturating_sub(u32::try_from(facts.len()).unwrap_or(u32::MAX));
        if room == 0 || bytes >= BYTES_MAX {
            more = true;
            break;
        }
        let rows = ground
            .node_db
            .journal_after(origin, after, room, BYTES_MAX - bytes)
            .await?;
        bytes += rows.iter().map(|row| row.fact.len()).sum::<usize>();
        // A full answer may have left some behind; asking once more finds out.
        more |= rows.len() >= room as usize || bytes >= BYTES_MAX / 2;
        facts.extend(
            rows.into_iter()
                .map(|row| (row.origin.0, row.seq, row.fact)),
        );
    }
    let mut view = fork.view().await?;
    let channels = nodes::channels(&mut view).await?;
    Ok(Told {
        island: true,
        heard: ground.heard().into_iter().map(|node| node.0).collect(),
        facts,
        more,
        channels: channels
            .into_iter()
            .filter(|channel| channel.node == ground.core.node)
            .map(report)
            .collect(),
    })
}

fn report(row: nodes::ChannelRow) -> ChannelReport {
    ChannelReport {
        name: row.name,
        kind: row.kind,
        up: row.up,
        reason: row.reason,
        operator: row.operator,
        number: row.number,
        signal_dbm: row.signal_dbm,
        rate_per_min: row.rate_per_min,
    }
}

/// Notes a fellow's channels in this fork when they changed: who can send decides whom the lot may fall on.
async fn report_channels(ground: &Ground, fork: &Fork, peer: NodeId, told: Vec<ChannelReport>) {
    let Ok(mut view) = fork.view().await else {
        return;
    };
    let Ok(known) = nodes::channels(&mut view).await else {
        return;
    };
    drop(view);
    let known: Vec<_> = known
        .into_iter()
        .filter(|c| c.node == peer)
        .map(report)
        .collect();
    let steady = |channels: &[ChannelReport]| -> Vec<ChannelReport> {
        let without_signal = |c: &ChannelReport| ChannelReport {
            signal_dbm: None,
            ..c.clone()
        };
        let mut steady: Vec<_> = channels.iter().map(without_signal).collect();
        steady.sort_by(|a, b| a.name.cmp(&b.name));
        steady
    };
    if told.len() > CHANNELS_MAX || steady(&known) == steady(&told) {
        return;
    }
    let envelope = Envelope {
        request: RequestId(rand::random()),
        issued_at: ground.core.time.now(),
        issued_by: ground.core.node,
        seed: rand::random(),
        body: [0; 32],
        actor: Actor::Loop,
        decided_under: None,
        command: Command::Nodes(nodes::Command::ReportChannels {
            node: peer,
            channels: told,
        }),
    };
    _ = fork.commit(envelope).await;
}
