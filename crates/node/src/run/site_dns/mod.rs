//! `[site_dns]`: the cluster's own names for the site's network, so that the app is found and sign-in works while the
//! uplink is unplugged. Answers for these names only, with addresses of this node and of members it hears; everything
//! else is refused. Deliberately absent: recursion, forwarding, transfers, updates.

mod answer;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::nodes::{self, NodeRow};
use domain::ports::{ClusterAdmin, Freshness, Replica};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::select;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::answer::{Carrier, Zone, answer};
use crate::config::SiteDnsConfig;

/// How often it is looked who is there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A look at the rows may take this long.
const READ_TIME: Duration = Duration::from_secs(5);

/// Questions of one address: this many at once, and so many a second after that. More get no answer: over UDP the sender may
/// be forged, and an answer would go to somebody else.
const BURST: u32 = 40;
const PER_SECOND: u32 = 20;

/// Addresses remembered for that; when there are more, it starts anew.
const ASKERS_MAX: usize = 4_096;

/// Connections at once, how long one may last, and questions in it.
const CONNECTIONS_MAX: usize = 16;
const CONNECTION_TIME: Duration = Duration::from_secs(5);
const QUESTIONS_MAX: usize = 16;

/// After an error of the network.
const PAUSE: Duration = Duration::from_millis(100);

/// The address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot answer for names at {at}; check `[site_dns] listen`, and who else answers there")]
pub(super) struct SiteDnsError {
    at: SocketAddr,
    source: std::io::Error,
}

/// The open sockets.
pub(super) struct SiteDns {
    udp: UdpSocket,
    tcp: TcpListener,
    desk: Arc<Desk>,
    replica: Arc<dyn Replica>,
    admin: Arc<dyn ClusterAdmin>,
    own: Vec<IpAddr>,
}

/// What answers need.
struct Desk {
    zone: Mutex<Arc<Zone>>,
    limits: Mutex<Limits>,
}

impl SiteDns {
    /// Opens the address for UDP and TCP.
    pub(super) async fn bind(
        config: &SiteDnsConfig,
        replica: Arc<dyn Replica>,
        admin: Arc<dyn ClusterAdmin>,
    ) -> Result<Self, SiteDnsError> {
        let at = config.listen;
        let failed = |source| SiteDnsError { at, source };
        let udp = UdpSocket::bind(at).await.map_err(failed)?;
        let tcp = TcpListener::bind(at).await.map_err(failed)?;
        info!(address = %at, name = config.name, "answering for the cluster's names");
        let zone = Zone {
            name: config.name.clone(),
            ..Zone::default()
        };
        Ok(Self {
            udp,
            tcp,
            desk: Arc::new(Desk {
                zone: Mutex::new(Arc::new(zone)),
                limits: Mutex::default(),
            }),
            replica,
            admin,
            own: config.addresses(),
        })
    }

    /// Answers until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        select! {
            () = stop.cancelled() => {}
            () = self.look() => {}
            () = self.hear_udp() => {}
            () = self.hear_tcp() => {}
        }
    }

    /// Keeps the zone as the rows and the paths have it.
    async fn look(&self) {
        loop {
            match timeout(READ_TIME, self.members()).await {
                Ok(Ok(members)) => {
                    let heard = self.heard();
                    let own = self.replica.node();
                    let old = self.desk.zone();
                    let new = zone(&old.name, &self.own, &members, own, &heard);
                    if *old != new {
                        debug!(
                            nodes = new.nodes.len(),
                            addresses = new.all.len(),
                            "names changed"
                        );
                        self.desk.set_zone(new);
                    }
                }
                Ok(Err(error)) => warn!(error, "cannot read the members; names stay as they are"),
                Err(_) => warn!("reading the members takes too long; names stay as they are"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn members(&self) -> Result<Vec<NodeRow>, String> {
        let view = self.replica.read(Freshness::Local).await;
        let mut view = view.map_err(|e| e.to_string())?;
        nodes::nodes(&mut view).await.map_err(|e| e.to_string())
    }

    /// Members that a way leads to now.
    fn heard(&self) -> Vec<domain::NodeId> {
        let up = |state: &str| matches!(state, "best" | "warm");
        let paths = self.admin.paths().into_iter();
        paths
            .filter(|path| up(path.state))
            .map(|path| path.peer)
            .collect()
    }

    async fn hear_udp(&self) {
        let mut buffer = [0; answer::UDP_LEN_MAX];
        loop {
            let (len, from) = match self.udp.recv_from(&mut buffer).await {
                Ok(heard) => heard,
                Err(error) => {
                    warn!(%error, "cannot hear questions for names");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            if let Some(bytes) = self.desk.answer(from, &buffer[..len], Carrier::Udp)
                && let Err(error) = self.udp.send_to(&bytes, from).await
            {
                debug!(%error, "an answer for a name did not leave"); // it is asked again
            }
        }
    }

    async fn hear_tcp(&self) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut open = JoinSet::new();
        loop {
            while open.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            match self.tcp.accept().await {
                Ok((stream, from)) => {
                    let desk = Arc::clone(&self.desk);
                    open.spawn(async move {
                        let served = timeout(CONNECTION_TIME, converse(&desk, stream, from)).await;
                        if let Ok(Err(error)) = served {
                            debug!(%error, "a connection for names ended early");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot take connections for names");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Questions over TCP, each behind its length (RFC 1035 section 4.2.2).
async fn converse(desk: &Desk, mut stream: TcpStream, from: SocketAddr) -> std::io::Result<()> {
    for _ in 0..QUESTIONS_MAX {
        let mut len = [0; 2];
        if stream.read(&mut len[..1]).await? == 0 {
            return Ok(());
        }
        stream.read_exact(&mut len[1..]).await?;
        let mut question = vec![0; u16::from_be_bytes(len).into()];
        stream.read_exact(&mut question).await?;
        let Some(bytes) = desk.answer(from, &question, Carrier::Tcp) else {
            return Ok(());
        };
        let Ok(len) = u16::try_from(bytes.len()) else {
            return Ok(());
        };
        stream
            .write_all(&[&len.to_be_bytes()[..], &bytes].concat())
            .await?;
    }
    Ok(())
}

impl Desk {
    fn answer(&self, from: SocketAddr, bytes: &[u8], carrier: Carrier) -> Option<Vec<u8>> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let may = limits.take(from.ip(), Instant::now());
        drop(limits);
        match may {
            true => answer(&self.zone(), bytes, carrier),
            false => None,
        }
    }

    fn zone(&self) -> Arc<Zone> {
        Arc::clone(&self.zone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_zone(&self, zone: Zone) {
        *self.zone.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(zone);
    }
}

/// Where names lead: this node first, then every member that is heard.
fn zone(
    name: &str,
    own_addresses: &[IpAddr],
    members: &[NodeRow],
    own: domain::NodeId,
    heard: &[domain::NodeId],
) -> Zone {
    let mut zone = Zone {
        name: name.to_owned(),
        ..Zone::default()
    };
    let mut rows: Vec<&NodeRow> = members
        .iter()
        .filter(|row| row.removed_at.is_none())
        .filter(|row| row.node == own || heard.contains(&row.node))
        .collect();
    rows.sort_by_key(|row| (row.node != own, row.node));
    for row in rows {
        let told = row.addresses.iter().filter_map(|address| ip_of(address));
        let mut addresses: Vec<IpAddr> = match row.node == own && !own_addresses.is_empty() {
            true => own_addresses.to_vec(),
            false => told.collect(),
        };
        let mut seen = Vec::new();
        addresses.retain(|address| {
            !seen.contains(address) && {
                seen.push(*address);
                true
            }
        });
        for address in &addresses {
            if !zone.all.contains(address) {
                zone.all.push(*address);
            }
        }
        zone.nodes.insert(row.node.to_string(), addresses);
    }
    zone
}

/// The address in `192.0.2.1:7400` or `[2001:db8::1]:7400`; a host name leads nowhere without the names of others.
fn ip_of(address: &str) -> Option<IpAddr> {
    address
        .parse::<SocketAddr>()
        .ok()
        .map(|address| address.ip())
}

/// Who asked lately, and how much they may still ask.
#[derive(Debug, Default)]
struct Limits(BTreeMap<IpAddr, (Instant, u32)>);

impl Limits {
    /// Whether one more question of this address is answered.
    fn take(&mut self, from: IpAddr, now: Instant) -> bool {
        if self.0.len() >= ASKERS_MAX && !self.0.contains_key(&from) {
            self.0.clear();
        }
        let (since, left) = self.0.entry(from).or_insert((now, BURST));
        let earned = now.duration_since(*since).as_millis() * u128::from(PER_SECOND) / 1_000;
        if earned > 0 {
            *left = left
                .saturating_add(u32::try_from(earned).unwrap_or(BURST))
                .min(BURST);
            *since = now;
        }
        match left.checked_sub(1) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{NodeId, Timestamp};

    use super::*;

    fn row(node: u64, address: &str) -> NodeRow {
        NodeRow {
            node: NodeId(node),
            name: format!("site {node}"),
            pins: Vec::new(),
            addresses: vec![address.to_owned(), "name.example:7400".to_owned()],
            admitted_at: Timestamp(0),
            removed_at: None,
            epoch: 1,
            left: None,
            reachable: true,
            reachable_since: Timestamp(0),
        }
    }

    #[test]
    fn names_lead_here_first_and_to_members_that_are_heard() {
        let mut members = [
            row(1, "192.0.2.1:7400"),
            row(2, "[2001:db8::2]:7400"),
            row(3, "192.0.2.3:7400"),
            row(4, "192.0.2.4:7400"),
        ];
        members[3].removed_at = Some(Timestamp(1));
        let heard = [NodeId(1), NodeId(4)];
        let made = zone("oob.example.org", &[], &members, NodeId(2), &heard);
        let addresses: Vec<String> = made.all.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["2001:db8::2", "192.0.2.1"]);
        assert_eq!(made.nodes.keys().collect::<Vec<_>>(), ["n1", "n2"]);
        let own = ["10.0.0.5".parse().unwrap()];
        let made = zone("oob.example.org", &own, &members, NodeId(2), &[]);
        assert_eq!(made.all, own);
    }

    #[test]
    fn one_that_asks_too_much_is_not_answered_and_others_are() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let asker = |n: u8| IpAddr::from([192, 0, 2, n]);
        let answered = (0..100).filter(|_| limits.take(asker(1), start)).count();
        assert_eq!(answered, BURST as usize);
        assert!(limits.take(asker(2), start));
        let later = start + Duration::from_millis(500);
        let answered = (0..100).filter(|_| limits.take(asker(1), later)).count();
        assert_eq!(answered, (PER_SECOND / 2) as usize);
    }
}
