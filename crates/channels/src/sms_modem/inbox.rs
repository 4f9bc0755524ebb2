//! Texts on their way in: parts handed out at once, texts when they are whole, and nothing forgotten by the modem before
//! it is stored (CHANNELS §1.9). Reads no clock and touches no port.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::ports::Incoming;
use sha2::{Digest, Sha256};
use sms::modem::StoredToken;
use sms::pdu::{Body, DeliverPdu};
use sms::reassembly::{Message, Reassembler};

type Key = [u8; 16];

#[derive(Debug)]
pub(super) struct Inbox {
    reassembler: Reassembler,
    /// What the reassembler's clock counts from.
    started: Instant,
    /// Parts not yet handed out as a whole, by their key.
    parts: BTreeMap<Key, StoredToken>,
    /// Whole texts not yet stored, by the token given out with them.
    unstored: BTreeMap<u64, Unstored>,
    next_token: u64,
}

#[derive(Debug)]
struct Unstored {
    incoming: Incoming,
    parts: Vec<Key>,
    /// The modem may name the same message anew after a restart; all names are confirmed.
    in_modem: Vec<StoredToken>,
}

/// What one received PDU brings.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// For the worker.
    pub(super) texts: Vec<Incoming>,
    /// For the modem to forget: known to be stored, or nothing anybody could want.
    pub(super) forget: Vec<StoredToken>,
}

impl Inbox {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            reassembler: Reassembler::new(),
            started: now,
            parts: BTreeMap::new(),
            unstored: BTreeMap::new(),
            next_token: 1,
        }
    }

    /// Takes a message from the modem. `imsi` is the SIM that received it.
    pub(super) fn received(
        &mut self,
        now: Instant,
        imsi: &str,
        token: StoredToken,
        pdu: DeliverPdu,
    ) -> Arrived {
        if pdu.is_type_0() {
            // Type 0 short messages are acknowledged and never shown (3GPP TS 23.040 §9.2.3.9).
            return Arrived {
                texts: Vec::new(),
                forget: vec![token],
            };
        }
        let key = part_key(imsi, &pdu);
        if let Some(unstored) = self.unstored.values_mut().find(|u| u.parts.contains(&key)) {
            if !unstored.in_modem.contains(&token) {
                unstored.in_modem.push(token);
            }
            return Arrived {
                texts: vec![unstored.incoming.clone()],
                forget: Vec::new(),
            };
        }
        let known = self.parts.insert(key, token).is_some();
        let part = pdu.clone();
        let insertion = self
            .reassembler
            .insert(now.saturating_duration_since(self.started), pdu);
        if insertion.is_repetition && !known {
            // All of its message was stored before.
            self.parts.remove(&key);
            return Arrived {
                texts: Vec::new(),
                forget: vec![token],
            };
        }
        let mut texts = Vec::new();
        let is_long = part.user_data.concatenation().is_some_and(|c| c.total > 1);
        if let Some(text) = insertion.part_text.filter(|_| is_long) {
            // Nobody waits for this token: a part stays in the modem until the whole is stored.
            let token = self.new_token();
            texts.push(Incoming {
                token,
                key,
                from: part.originator.to_string(),
                text,
                sent_at_ms: sent_at_ms(&part),
                whole: false,
                damaged: false,
                call: false,
            });
        }
        texts.extend(
            insertion
                .messages
                .into_iter()
                .map(|message| self.hand_out(imsi, &message)),
        );
        Arrived {
            texts,
            forget: Vec::new(),
        }
    }

    /// Takes what the modem holds and nobody can read.
    pub(super) fn quarantined(&mut self, imsi: &str, token: StoredToken, raw: &str) -> Incoming {
        let key = digest(&[b"quarantined", imsi.as_bytes(), raw.as_bytes()]);
        if let Some(unstored) = self.unstored.values_mut().find(|u| u.parts.contains(&key)) {
            unstored.in_modem.push(token);
            return unstored.incoming.clone();
        }
        let incoming = Incoming {
            token: self.new_token(),
            key,
            from: String::new(),
            text: raw.to_owned(),
            sent_at_ms: None,
            whole: true,
            damaged: true,
            call: false,
        };
        self.keep(incoming, vec![key], vec![token])
    }

    /// Somebody called the modem. It holds nothing of that, so what is lost before it is stored is lost; `wall_ns` tells
    /// one call from the next.
    pub(super) fn called(&mut self, imsi: &str, from: Option<String>, wall_ns: u128) -> Incoming {
        let from = from.unwrap_or_default();
        Incoming {
            token: self.new_token(),
            key: digest(&[
                b"called",
                imsi.as_bytes(),
                from.as_bytes(),
                &wall_ns.to_be_bytes(),
            ]),
            from,
            text: String::new(),
            sent_at_ms: None,
            whole: true,
            damaged: false,
            call: true,
        }
    }

    /// A text handed out is durable: what the modem may forget.
    pub(super) fn stored(&mut self, token: u64) -> Vec<StoredToken> {
        self.unstored
            .remove(&token)
            .map(|unstored| unstored.in_modem)
            .unwrap_or_default()
    }

    /// Texts that waited too long for their other parts.
    pub(super) fn handle_timeout(&mut self, now: Instant, imsi: &str) -> Vec<Incoming> {
        let late = self
            .reassembler
            .handle_timeout(now.saturating_duration_since(self.started));
        late.iter()
            .map(|message| self.hand_out(imsi, message))
            .collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.reassembler
            .poll_timeout()
            .map(|at: Duration| self.started + at)
    }

    fn hand_out(&mut self, imsi: &str, message: &Message) -> Incoming {
        let parts: Vec<Key> = message
            .parts
            .iter()
            .map(|part| part_key(imsi, part))
            .collect();
        let in_modem = parts
            .iter()
            .filter_map(|key| self.parts.remove(key))
            .collect();
        let key = match parts.as_slice() {
            [only] => *only,
            several => digest(&several.iter().map(<[u8; 16]>::as_slice).collect::<Vec<_>>()),
        };
        let incoming = Incoming {
            token: self.new_token(),
            key,
            from: message.originator.to_string(),
            text: message
                .text
                .clone()
                .unwrap_or_else(|| data_as_text(message)),
            sent_at_ms: message
                .timestamp
                .unix_seconds()
                .map(|s| s.saturating_mul(1000)),
            whole: true,
            damaged: !message.is_complete() || message.text.is_none(),
            call: false,
        };
        self.keep(incoming, parts, in_modem)
    }

    fn keep(
        &mut self,
        incoming: Incoming,
        parts: Vec<Key>,
        in_modem: Vec<StoredToken>,
    ) -> Incoming {
        self.unstored.insert(
            incoming.token,
            Unstored {
                incoming: incoming.clone(),
                parts,
                in_modem,
            },
        );
        incoming
    }

    fn new_token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }
}

/// The same for the same message on the same SIM, however often and through whatever memory it is read.
fn part_key(imsi: &str, pdu: &DeliverPdu) -> Key {
    // Which centre passed it on, and whether more were waiting there, may differ between two tries at delivery.
    let same = DeliverPdu {
        smsc: None,
        more_messages: false,
        ..pdu.clone()
    };
    digest(&[imsi.as_bytes(), &same.encode().octets])
}

fn digest(parts: &[&[u8]]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

fn sent_at_ms(pdu: &DeliverPdu) -> Option<i64> {
    pdu.timestamp.unix_seconds().map(|s| s.saturating_mul(1000))
}

/// A message that is no text (a picture notice, ring tones): its octets, so that a person can still find out.
fn data_as_text(message: &Message) -> String {
    let hex = message
        .parts
        .iter()
        .map(|part| match part.user_data.body() {
            Body::Octets(octets) => sms::hex::encode(octets),
            Body::Gsm7(_) | Body::Ucs2(_) => part.user_data.text().unwrap_or_default(),
        });
    hex.collect::<Vec<_>>().join(" ")
}
