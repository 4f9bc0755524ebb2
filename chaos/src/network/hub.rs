//! The lines between the sites: every end of every line is a TUN device in its site's namespace whose packets come to
//! this process, go through the [`Link`] of their direction, and leave at the device they are addressed to. A device is
//! made here and moved into the namespace; it goes with this process.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tun_rs::{AsyncDevice, DeviceBuilder};

use super::link::{Link, Shape};
use super::{DESK, Uplink, address, name};
use crate::sandbox::run;

/// Longest packet a device takes.
const DEVICE_MTU: u16 = 1_500;

/// Packets under way at once; further ones are lost, as in any network.
const UNDER_WAY_MAX: usize = 20_000;

/// Where a line leads: which uplink, from which place, to which.
type Way = (Uplink, u8, u8);

/// All lines.
pub(crate) struct Hub {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    devices: BTreeMap<Ipv4Addr, AsyncDevice>,
    state: Mutex<State>,
    sooner: Notify,
    epoch: Instant,
}

struct State {
    links: BTreeMap<Way, Link>,
    /// Packets by the time they come out.
    under_way: BTreeMap<(Duration, u64), (Ipv4Addr, Vec<u8>)>,
    sent: u64,
}

impl Hub {
    /// Makes every site's devices and the lines between them. Sites are 1 to `sites`; their namespaces exist.
    pub(crate) fn start(sites: u8, seed: u64) -> Result<Self> {
        let mut devices = BTreeMap::new();
        for site in 1..=sites {
            for uplink in Uplink::ALL {
                let at = address(uplink, site);
                devices.insert(at, device(uplink, Some(site), at)?);
            }
        }
        let desk = address(Uplink::Desk, DESK);
        devices.insert(desk, device(Uplink::Desk, None, desk)?);
        let mut links = BTreeMap::new();
        for uplink in Uplink::ALL {
            for from in (1..=sites).chain([DESK]) {
                for to in (1..=sites).chain([DESK]).filter(|to| *to != from) {
                    let seed = seed ^ (uplink as u64) << 32 ^ u64::from(from) << 16 ^ u64::from(to);
                    links.insert((uplink, from, to), Link::new(uplink.usual(), seed));
                }
            }
        }
        let shared = Arc::new(Shared {
            devices,
            state: Mutex::new(State {
                links,
                under_way: BTreeMap::new(),
                sent: 0,
            }),
            sooner: Notify::new(),
            epoch: Instant::now(),
        });
        let mut tasks = JoinSet::new();
        for at in shared.devices.keys().copied() {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move { shared.take_in(at).await });
        }
        let delivering = Arc::clone(&shared);
        tasks.spawn(async move { delivering.give_out().await });
        Ok(Self {
            shared,
            _tasks: tasks,
        })
    }

    /// Changes how an uplink behaves between two sites, both ways.
    pub(crate) fn shape(&self, uplink: Uplink, one: u8, other: u8, shape: Shape) {
        let mut state = self.shared.lock();
        for way in [(uplink, one, other), (uplink, other, one)] {
            if let Some(link) = state.links.get_mut(&way) {
                link.set(shape);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what one device sends, until the device is gone.
    async fn take_in(&self, at: Ipv4Addr) {
        let device = &self.devices[&at];
        let mut buffer = vec![0; usize::from(DEVICE_MTU) + 4];
        loop {
            let len = match device.recv(&mut buffer).await {
                Ok(len) => len,
                // A device that is being set down for a moment; it works again afterwards.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            self.forward(at, &buffer[..len]);
        }
    }

    fn forward(&self, at: Ipv4Addr, packet: &[u8]) {
        let Some(to) = destination(packet).filter(|to| self.devices.contains_key(to)) else {
            return; // router solicitations and the like
        };
        let Some(uplink) = Uplink::of(at).filter(|uplink| Uplink::of(to) == Some(*uplink)) else {
            return;
        };
        let now = self.epoch.elapsed();
        let mut state = self.lock();
        let way = (uplink, at.octets()[3], to.octets()[3]);
        let Some(link) = state.links.get_mut(&way) else {
            return;
        };
        let outs = link.pass(now, packet.len());
        for out in outs {
            if state.under_way.len() < UNDER_WAY_MAX {
                state.sent += 1;
                let key = (out, state.sent);
                state.under_way.insert(key, (to, packet.to_vec()));
            }
        }
        drop(state);
        self.sooner.notify_one();
    }

    async fn give_out(&self) {
        loop {
            let (due, next) = self.due();
            for (to, packet) in due {
                // A full or absent far end loses the packet, as in any network.
                _ = self.devices[&to].try_send(&packet);
            }
            match next {
                Some(next) => tokio::select! {
                    () = sleep_until(self.epoch + next) => {}
                    () = self.sooner.notified() => {}
                },
                None => self.sooner.notified().await,
            }
        }
    }

    fn due(&self) -> (Vec<(Ipv4Addr, Vec<u8>)>, Option<Duration>) {
        let now = self.epoch.elapsed();
        let mut state = self.lock();
        let later = state.under_way.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.under_way, later);
        let next = state.under_way.keys().next().map(|(at, _)| *at);
        (due.into_values().collect(), next)
    }
}

/// Makes a device and moves it into the site's namespace; without a site it stays in the run's own.
fn device(uplink: Uplink, site: Option<u8>, at: Ipv4Addr) -> Result<AsyncDevice> {
    let made = match site {
        Some(site) => format!("{}{site}", uplink.name()),
        None => uplink.name().to_owned(),
    };
    let device = DeviceBuilder::new()
        .name(&made)
        .enable(false)
        .build_async()
        .with_context(|| format!("cannot make the TUN device {made}"))?;
    let with_mask = format!("{at}/24");
    let mtu = DEVICE_MTU.to_string();
    let mut own = Vec::new();
    let namespace;
    if let Some(site) = site {
        namespace = name(site);
        run("ip", &["link", "set", &made, "netns", &namespace])?;
        own.extend(["-n", namespace.as_str()]);
    }
    let ip = |rest: &[&str]| run("ip", &[own.as_slice(), rest].concat());
    ip(&["addr", "add", &with_mask, "dev", &made])?;
    ip(&["link", "set", &made, "mtu", &mtu, "up"])?;
    Ok(device)
}

/// Whereto an IPv4 packet goes (RFC 791 §3.1).
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    (packet[0] >> 4 == 4).then(|| Ipv4Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ipv4_packets_have_a_destination_here() {
        let mut packet = [0; 28];
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&[10, 77, 1, 3]);
        assert_eq!(destination(&packet), Some(Ipv4Addr::new(10, 77, 1, 3)));
        packet[0] = 0x60;
        assert_eq!(destination(&packet), None);
        assert_eq!(destination(&packet[..12]), None);
    }
}
