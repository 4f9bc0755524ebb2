//! An emulated phone: a number, an inbox, and a person who may pick up.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sms::{
    alphabet,
    pdu::{Body, Dcs, UserData},
};

use crate::event::Message;

/// Messages an inbox keeps; the oldest go first.
const INBOX_LEN_MAX: usize = 1000;
/// Messages that still wait for parts; the oldest go first.
const PARTIAL_LEN_MAX: usize = 100;
/// A second call of the same number so soon is let through where calls make no sound.
const REPEATED_CALL: Duration = Duration::from_secs(180);

/// What the person does when the phone rings.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pickup {
    /// Lets it ring.
    #[default]
    NoAnswer,
    /// Answers after two seconds.
    Answer,
    /// Is in another call.
    Busy,
    /// Switched off: the network ends the call.
    Off,
}

/// What can be turned on a phone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhoneKnobs {
    /// Out of reach, messages wait in the network.
    pub reachable: bool,
    /// What happens when it rings aloud.
    pub pickup: Pickup,
    /// Its owner sleeps: texts make no sound, and a call only when the same number called within three minutes before.
    pub do_not_disturb: bool,
}

impl Default for PhoneKnobs {
    fn default() -> Self {
        Self {
            reachable: true,
            pickup: Pickup::NoAnswer,
            do_not_disturb: false,
        }
    }
}

/// What the parts of one message share.
type PartsKey = (String, u16, u8, u8);

/// A number with an inbox.
#[derive(Debug, Default)]
pub(crate) struct Phone {
    pub(crate) knobs: PhoneKnobs,
    /// How often it rang, aloud or not.
    pub(crate) rings: u64,
    /// How often it rang aloud.
    pub(crate) woken: u64,
    /// When each number called last.
    callers: BTreeMap<String, Instant>,
    /// Concatenation reference of its next long message.
    pub(crate) reference: u8,
    inbox: VecDeque<Message>,
    received: u64,
    partial: VecDeque<(PartsKey, BTreeMap<u8, UserData>)>,
}

impl Phone {
    /// A call comes in; whether it is heard. A phone that is not to be disturbed lets the second call of a number through,
    /// as phones do: three minutes is the shorter of the two systems' rules.
    pub(crate) fn called(&mut self, now: Instant, from: &str) -> bool {
        let again = self
            .callers
            .insert(from.to_owned(), now)
            .is_some_and(|before| now.saturating_duration_since(before) <= REPEATED_CALL);
        self.rings += 1;
        let heard = again || !self.knobs.do_not_disturb;
        self.woken += u64::from(heard);
        heard
    }

    /// Takes one part; gives the message when it is the last one missing.
    pub(crate) fn receive(
        &mut self,
        from: &str,
        dcs: Dcs,
        data: &UserData,
        at_ms: u64,
    ) -> Option<Message> {
        let parts = match data.concatenation() {
            Some(place) if place.total > 1 => {
                let key = (
                    from.to_owned(),
                    place.reference,
                    place.reference_bits,
                    place.total,
                );
                let at = self
                    .partial
                    .iter()
                    .position(|(known, _)| *known == key)
                    .unwrap_or_else(|| {
                        if self.partial.len() >= PARTIAL_LEN_MAX {
                            self.partial.pop_front();
                        }
                        self.partial.push_back((key, BTreeMap::new()));
                        self.partial.len() - 1
                    });
                let parts = &mut self.partial[at].1;
                parts.insert(place.sequence, data.clone());
                if parts.len() < usize::from(place.total) {
                    return None;
                }
                self.partial.remove(at)?.1
            }
            _ => BTreeMap::from([(1, data.clone())]),
        };
        self.received += 1;
        let message = Message {
            id: self.received,
            from: from.to_owned(),
            text: joined_text(&parts),
            parts: parts.len() as u8, // at most 255: the key is an octet
            flash: dcs.class() == Some(0),
            at_ms,
        };
        if self.inbox.len() >= INBOX_LEN_MAX {
            self.inbox.pop_front();
        }
        self.inbox.push_back(message.clone());
        Some(message)
    }

    /// Complete messages with an id above `after`, oldest first.
    pub(crate) fn inbox(&self, after: u64) -> impl Iterator<Item = &Message> {
        self.inbox.iter().filter(move |message| message.id > after)
    }

    pub(crate) fn clear(&mut self) {
        self.inbox.clear();
    }

    /// How many messages ever came, and how many wait for parts.
    pub(crate) fn counts(&self) -> (u64, usize) {
        (self.received, self.partial.len())
    }
}

/// Joins units, then decodes: senders do cut inside characters.
fn joined_text(parts: &BTreeMap<u8, UserData>) -> String {
    let mut units = Vec::new();
    let mut septets = Vec::new();
    let mut octets = Vec::new();
    for part in parts.values() {
        match part.body() {
            Body::Ucs2(more) => units.extend(more),
            Body::Gsm7(more) => septets.extend(more),
            Body::Octets(more) => octets.extend(more),
        }
    }
    let shift = parts
        .values()
        .next()
        .map(UserData::national_shift)
        .unwrap_or_default();
    let mut text = alphabet::decode_gsm7_with(&septets, shift);
    text.push_str(&alphabet::decode_ucs2(&units));
    if !octets.is_empty() {
        text.push_str(&sms::hex::encode(&octets));
    }
    text
}
