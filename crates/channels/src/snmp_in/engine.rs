//! Who may be believed: communities, users, time windows and repeats. Does no IO and reads no clock.
//!
//! To informs this end is the authority: they carry our engine id and our time, which their senders ask for. To traps their
//! sender is: its id and time stand in each, and what is older than the newest it is known to have said is refused
//! (RFC 3414 §3.2). Within the window no message is taken twice.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ring::digest;
use subtle::ConstantTimeEq as _;

use super::ber;
use super::message::{
    Message, Pdu, PduKind, SIZE_MAX, Scoped, Security, V3, report, write_v2c, write_v3,
};
use super::usm::{Keys, LocalKeys};
use crate::networks;

/// Seconds by which a message's time may differ (RFC 3414 §2.2.3).
const WINDOW_S: u64 = 150;
/// As many starts as can be counted; an engine that reached it is believed no more (RFC 3414 §2.2.2).
const BOOTS_MAX: u32 = i32::MAX.unsigned_abs();
/// How long a message is known again: as long as its time is in the window.
const SEEN_FOR: Duration = Duration::from_secs(2 * WINDOW_S);
const SEEN_MAX: usize = 10_000;
/// Senders whose time is remembered; those not heard for the longest are forgotten first.
const CLOCKS_MAX: usize = 1_000;

/// USM's counters of what it refused, `usmStats` (RFC 3414 §5).
const COUNTERS: [u32; 9] = [1, 3, 6, 1, 6, 3, 15, 1, 1];

/// Why something was not taken.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Refusal {
    /// From an address that is not in the list, or with a community from outside this machine without a list.
    Stranger,
    TooLarge,
    Garbled,
    /// Not v2c or v3, or v3 with another security model.
    Version,
    Community,
    User,
    /// Not signed, or not hidden.
    Level,
    Digest,
    /// An inform for another engine, or the question who we are.
    Engine,
    /// Older than what was heard before, or by a clock that does not fit.
    Window,
    /// Heard before.
    Replayed,
    Decryption,
    /// Not a notification.
    NoNotification,
}

impl Refusal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::TooLarge => "too_large",
            Self::Garbled => "garbled",
            Self::Version => "version",
            Self::Community => "community",
            Self::User => "user",
            Self::Level => "level",
            Self::Digest => "digest",
            Self::Engine => "engine",
            Self::Window => "window",
            Self::Replayed => "replayed",
            Self::Decryption => "decryption",
            Self::NoNotification => "no_notification",
        }
    }

    /// USM's counter for it, which its sender may be told.
    fn counter(self) -> Option<u32> {
        match self {
            Self::Level => Some(1),
            Self::Window => Some(2),
            Self::User => Some(3),
            Self::Engine => Some(4),
            Self::Digest => Some(5),
            Self::Decryption => Some(6),
            Self::Stranger
            | Self::TooLarge
            | Self::Garbled
            | Self::Version
            | Self::Community
            | Self::Replayed
            | Self::NoNotification => None,
        }
    }
}

/// A community, and the source it speaks for.
pub(super) struct Community {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) secret: Vec<u8>,
}

/// A user, and the source it speaks for.
pub(super) struct User {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) keys: Keys,
}

/// What became of a datagram.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// Believed, and new. Say with [`Engine::taken`] or [`Engine::dropped`] what became of it.
    Notification(Notification),
    /// Heard and taken before; its sender missed the answer.
    Again(Vec<u8>),
    /// Not taken; its sender may be told why.
    Refused(Refusal, Option<Vec<u8>>),
}

#[derive(Debug, PartialEq)]
pub(super) struct Notification {
    /// Key of the source.
    pub(super) source: String,
    /// The community's or user's name in the settings.
    pub(super) sender: String,
    pub(super) pdu: Pdu,
    /// To be sent once it is taken.
    pub(super) answer: Option<Vec<u8>>,
    pub(super) id: Option<SeenId>,
}

/// Names a message that must not be taken twice.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SeenId([u8; 32]);

/// What must outlive this process: how often it started, and the newest time of every sender.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Remembered {
    pub(super) boots: u32,
    /// Engine id, its starts, its time.
    pub(super) clocks: Vec<(Vec<u8>, u32, u32)>,
}

/// The newest a sender is known to have said of its time.
#[derive(Clone, Copy, Debug)]
struct SenderClock {
    boots: u32,
    time_s: u32,
    heard_at: Duration,
}

pub(super) struct Engine {
    id: Vec<u8>,
    boots: u32,
    from: Vec<(IpAddr, u8)>,
    communities: Vec<Community>,
    users: Vec<User>,
    clocks: BTreeMap<Vec<u8>, SenderClock>,
    /// Whether it was taken.
    seen: BTreeMap<SeenId, bool>,
    seen_order: VecDeque<(Duration, SeenId)>,
    refused: BTreeMap<Refusal, u64>,
    salt: u64,
}

impl Engine {
    /// `id` is unique among engines and the same after every start; `salt` is by chance.
    pub(super) fn new(
        id: Vec<u8>,
        from: Vec<(IpAddr, u8)>,
        communities: Vec<Community>,
        users: Vec<User>,
        remembered: Remembered,
        salt: u64,
    ) -> Self {
        let clocks = remembered.clocks.into_iter().take(CLOCKS_MAX);
        let clocks = clocks.map(|(engine, boots, time_s)| {
            let clock = SenderClock {
                boots,
                time_s,
                heard_at: Duration::ZERO,
            };
            (engine, clock)
        });
        Self {
            id,
            boots: remembered.boots.saturating_add(1).min(BOOTS_MAX),
            from,
            communities,
            users,
            clocks: clocks.collect(),
            seen: BTreeMap::new(),
            seen_order: VecDeque::new(),
            refused: BTreeMap::new(),
            salt,
        }
    }

    /// For those who must write it into a device.
    pub(super) fn id_in_hex(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What was refused since the start.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, u64> {
        let refused = self.refused.iter();
        refused
            .map(|(refusal, count)| (refusal.name(), *count))
            .collect()
    }

    /// What to keep for the next start.
    pub(super) fn remembered(&self) -> Remembered {
        let clocks = self.clocks.iter();
        Remembered {
            boots: self.boots,
            clocks: clocks
                .map(|(engine, clock)| (engine.clone(), clock.boots, clock.time_s))
                .collect(),
        }
    }

    /// Takes a datagram; `now` is the time since this engine was made.
    pub(super) fn handle_input(&mut self, now: Duration, from: IpAddr, bytes: &[u8]) -> Heard {
        self.forget(now);
        let heard = self.hear(now, from.to_canonical(), bytes);
        if let Heard::Refused(refusal, _) = &heard {
            *self.refused.entry(*refusal).or_default() += 1;
        }
        heard
    }

    /// The log has it; a repeat is answered and not taken again.
    pub(super) fn taken(&mut self, id: SeenId) {
        if let Some(taken) = self.seen.get_mut(&id) {
            *taken = true;
        }
    }

    /// It was not taken after all; a repeat is new.
    pub(super) fn dropped(&mut self, id: SeenId) {
        self.seen.remove(&id);
    }

    fn hear(&mut self, now: Duration, from: IpAddr, bytes: &[u8]) -> Heard {
        let listed = self
            .from
            .iter()
            .any(|(net, bits)| networks::contains(*net, *bits, from));
        if !listed && !self.from.is_empty() {
            return Heard::Refused(Refusal::Stranger, None);
        }
        if bytes.len() > SIZE_MAX {
            return Heard::Refused(Refusal::TooLarge, None);
        }
        match Message::read(bytes) {
            // A community travels in clear, so it opens nothing to those who are not named.
            Ok(Message::V2c { .. }) if !listed && !from.is_loopback() => {
                Heard::Refused(Refusal::Stranger, None)
            }
            Ok(Message::V2c { community, pdu }) => self.hear_v2c(now, from, bytes, community, pdu),
            Ok(Message::V3(message)) => match self.hear_v3(now, bytes, &message) {
                Ok(heard) => heard,
                Err(refusal) => Heard::Refused(refusal, self.explain(now, &message, refusal)),
            },
            Ok(Message::Unknown) => Heard::Refused(Refusal::Version, None),
            Err(_) => Heard::Refused(Refusal::Garbled, None),
        }
    }

    fn hear_v2c(
        &mut self,
        now: Duration,
        from: IpAddr,
        bytes: &[u8],
        community: &[u8],
        pdu: Pdu,
    ) -> Heard {
        let known = self.communities.iter().find(|known| {
            let same: bool = known.secret.ct_eq(community).into();
            same
        });
        let Some(known) = known else {
            return Heard::Refused(Refusal::Community, None);
        };
        let (source, sender) = (known.source.clone(), known.name.clone());
        let answer = match pdu.kind {
            PduKind::Inform => Some(write_v2c(community, &pdu.response())),
            PduKind::Trap => None,
            PduKind::Response | PduKind::Report | PduKind::Other => {
                return Heard::Refused(Refusal::NoNotification, None);
            }
        };
        // A trap is sent once; an inform until it is answered, every time the same.
        let id = answer.is_some().then(|| {
            let whence = from.to_string();
            let all = [whence.as_bytes(), b" ", bytes].concat();
            name(&all)
        });
        self.once(
            now,
            Notification {
                source,
                sender,
                pdu,
                answer,
                id,
            },
        )
    }

    fn hear_v3(&mut self, now: Duration, bytes: &[u8], message: &V3<'_>) -> Result<Heard, Refusal> {
        let security = &message.security;
        if security.engine.is_empty() {
            return Err(Refusal::Engine); // the question who we are
        }
        let ours = security.engine == self.id;
        let user = self.user(security).ok_or(Refusal::User)?;
        if !message.authenticated {
            return Err(Refusal::Level);
        }
        let keys = user.keys.at(security.engine);
        if !keys.proves(bytes, message.digest_at, security.digest) {
            return Err(Refusal::Digest);
        }
        let (source, sender) = (user.source.clone(), user.name.clone());
        if ours {
            self.check_own_time(now, security)?;
        }
        if !message.private {
            return Err(Refusal::Level);
        }
        let scoped = open(&keys, message).ok_or(Refusal::Decryption)?;
        let answer = match (scoped.pdu.kind, ours) {
            (PduKind::Inform, true) => Some(self.seal(now, &keys, message, &scoped)),
            (PduKind::Inform, false) => return Err(Refusal::Engine),
            (PduKind::Trap, false) => {
                self.check_sender_time(now, security)?;
                None
            }
            (PduKind::Trap, true)
            | (PduKind::Response | PduKind::Report | PduKind::Other, true | false) => {
                return Err(Refusal::NoNotification);
            }
        };
        let notification = Notification {
            source,
            sender,
            pdu: scoped.pdu,
            answer,
            id: Some(name(bytes)),
        };
        Ok(self.once(now, notification))
    }

    fn user(&self, security: &Security<'_>) -> Option<&User> {
        let mut users = self.users.iter();
        users.find(|user| user.name.as_bytes() == security.user)
    }

    /// Lets through what was not heard before.
    fn once(&mut self, now: Duration, notification: Notification) -> Heard {
        let Some(id) = notification.id else {
            return Heard::Notification(notification);
        };
        match (self.seen.get(&id), notification.answer) {
            (Some(true), Some(answer)) => Heard::Again(answer),
            (Some(_), _) => Heard::Refused(Refusal::Replayed, None),
            (None, answer) => {
                self.seen.insert(id, false);
                self.seen_order.push_back((now, id));
                Heard::Notification(Notification {
                    answer,
                    ..notification
                })
            }
        }
    }

    fn forget(&mut self, now: Duration) {
        while let Some((at, id)) = self.seen_order.front().copied() {
            if now.saturating_sub(at) <= SEEN_FOR && self.seen_order.len() <= SEEN_MAX {
                break;
            }
            self.seen_order.pop_front();
            self.seen.remove(&id);
        }
    }

    fn time_s(&self, now: Duration) -> u32 {
        u32::try_from(now.as_secs()).unwrap_or(BOOTS_MAX)
    }

    fn check_own_time(&self, now: Duration, security: &Security<'_>) -> Result<(), Refusal> {
        let apart = u64::from(self.time_s(now).abs_diff(security.time));
        match self.boots < BOOTS_MAX && security.boots == self.boots && apart <= WINDOW_S {
            true => Ok(()),
            false => Err(Refusal::Window),
        }
    }

    /// Only for messages that are proven: they move what is known of their sender's clock.
    fn check_sender_time(&mut self, now: Duration, security: &Security<'_>) -> Result<(), Refusal> {
        let (boots, time_s) = (security.boots, security.time);
        if boots >= BOOTS_MAX {
            return Err(Refusal::Window);
        }
        let said = SenderClock {
            boots,
            time_s,
            heard_at: now,
        };
        let Some(known) = self.clocks.get_mut(security.engine) else {
            self.make_room();
            self.clocks.insert(security.engine.to_vec(), said);
            return Ok(());
        };
        if (boots, time_s) > (known.boots, known.time_s) {
            *known = said;
            return Ok(());
        }
        let passed = now.saturating_sub(known.heard_at).as_secs();
        let its_now = u64::from(known.time_s).saturating_add(passed);
        match boots == known.boots && u64::from(time_s) + WINDOW_S >= its_now {
            true => Ok(()),
            false => Err(Refusal::Window),
        }
    }

    fn make_room(&mut self) {
        if self.clocks.len() < CLOCKS_MAX {
            return;
        }
        let oldest = self.clocks.iter().min_by_key(|(_, clock)| clock.heard_at);
        if let Some(oldest) = oldest.map(|(engine, _)| engine.clone()) {
            self.clocks.remove(&oldest);
        }
    }

    /// The answer to an inform, signed and hidden as it was itself.
    fn seal(
        &mut self,
        now: Duration,
        keys: &LocalKeys,
        message: &V3<'_>,
        scoped: &Scoped,
    ) -> Vec<u8> {
        self.salt = self.salt.wrapping_add(1);
        let salt = self.salt.to_be_bytes();
        let (boots, time) = (self.boots, self.time_s(now));
        let mut hidden = Scoped::write(&scoped.engine, &scoped.context, &scoped.pdu.response());
        keys.encrypt(boots, time, salt, &mut hidden);
        let security = Security {
            engine: &self.id,
            boots,
            time,
            user: message.security.user,
            digest: &vec![0; keys.digest_len()],
            salt: &salt,
        };
        let (mut bytes, digest_at) = write_v3(message.id, &security, &ber::octets(&hidden));
        keys.sign(&mut bytes, digest_at);
        bytes
    }

    /// Tells the sender of a message that wants to know why it was refused (RFC 3414 §3.2). Our time is told signed.
    fn explain(&self, now: Duration, message: &V3<'_>, refusal: Refusal) -> Option<Vec<u8>> {
        let counter = refusal.counter().filter(|_| message.reportable)?;
        let count = self.refused.get(&refusal).copied().unwrap_or(0) + 1;
        let name = [&COUNTERS[..], &[counter, 0]].concat();
        // What stands in clear may say which request this is about.
        let request = Scoped::read(message.data).map_or(0, |scoped| scoped.pdu.request);
        let data = Scoped::write(&self.id, b"", &report(request, &name, count));
        let keys = self
            .user(&message.security)
            .filter(|_| refusal == Refusal::Window)
            .map(|user| user.keys.at(&self.id));
        let digest = vec![0; keys.as_ref().map_or(0, LocalKeys::digest_len)];
        let security = Security {
            engine: &self.id,
            boots: self.boots,
            time: self.time_s(now),
            user: message.security.user,
            digest: &digest,
            salt: &[],
        };
        let (mut bytes, digest_at) = write_v3(message.id, &security, &data);
        if let Some(keys) = keys {
            keys.sign(&mut bytes, digest_at);
        }
        Some(bytes)
    }
}

/// The scoped PDU under its cover.
fn open(keys: &LocalKeys, message: &V3<'_>) -> Option<Scoped> {
    let salt = <[u8; 8]>::try_from(message.security.salt).ok()?;
    let mut hidden = ber::Reader::new(message.data).octets().ok()?.to_vec();
    let security = &message.security;
    keys.decrypt(security.boots, security.time, salt, &mut hidden);
    Scoped::read(&hidden).ok()
}

fn name(bytes: &[u8]) -> SeenId {
    let mut id = [0; 32];
    id.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    SeenId(id)
}

#[cfg(test)]
mod tests;
