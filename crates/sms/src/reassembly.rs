//! Messages of several parts put together again.
//!
//! Parts come in any order, twice, or never, and references are used again. Time is an argument: a [`Duration`]
//! since any fixed moment, never running backwards (a caller that survives restarts may use Unix time).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::alphabet;
use crate::pdu::{Body, DeliverPdu, ServiceCentreTimestamp, UserData};

/// How long after its first part a message is given out with holes, and how long repetitions of it are known.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Most unfinished messages held; beyond it the oldest is given out with holes.
const PENDING_MAX: usize = 512;
/// Most finished messages remembered for the sake of repetitions.
const FINISHED_MAX: usize = 512;

/// Collects parts by (originator, reference, reference width, total).
#[derive(Debug, Default)]
pub struct Reassembler {
    pending: BTreeMap<Key, Pending>,
    finished: BTreeMap<Key, Finished>,
}

/// What came of one delivered PDU.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Insertion {
    /// The text of this very part, to be searched at once for a reply code: an answer must not wait for part 2.
    /// `None` for data, and for parts seen before.
    pub part_text: Option<String>,
    /// Whether this part has been seen before. It changes nothing then.
    pub is_repetition: bool,
    /// Messages that are now over: normally the one this part completed, and before it any that had to make room.
    pub messages: Vec<Message>,
}

/// A message as somebody wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Who sent it.
    pub originator: Address,
    /// The service centre's time of its first part that came.
    pub timestamp: ServiceCentreTimestamp,
    /// All parts present, joined; `None` when any of them is data.
    pub text: Option<String>,
    /// The parts in order.
    pub parts: Vec<DeliverPdu>,
    /// Numbers of the parts that never came; empty when complete.
    pub missing: Vec<u8>,
}

impl Message {
    /// Whether all parts are there.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    originator: Address,
    reference: u16,
    reference_bits: u8,
    total: u8,
}

#[derive(Debug)]
struct Pending {
    since: Duration,
    parts: BTreeMap<u8, DeliverPdu>,
}

#[derive(Debug)]
struct Finished {
    at: Duration,
    parts: BTreeMap<u8, DeliverPdu>,
}

impl Reassembler {
    /// Holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one delivered PDU. A message of one part is given out at once.
    pub fn insert(&mut self, now: Duration, pdu: DeliverPdu) -> Insertion {
        let mut messages = self.handle_timeout(now);
        let part_text = pdu.user_data.text();
        let Some(concatenation) = pdu.user_data.concatenation() else {
            messages.push(message(1, BTreeMap::from([(1, pdu)])));
            return Insertion {
                part_text,
                is_repetition: false,
                messages,
            };
        };
        let key = Key {
            originator: pdu.originator.clone(),
            reference: concatenation.reference,
            reference_bits: concatenation.reference_bits,
            total: concatenation.total,
        };
        let held = self.pending.get(&key).map(|pending| &pending.parts);
        let known = held.or_else(|| self.finished.get(&key).map(|finished| &finished.parts));
        match known.and_then(|parts| parts.get(&concatenation.sequence)) {
            Some(seen) if seen.user_data == pdu.user_data => {
                return Insertion {
                    part_text: None,
                    is_repetition: true,
                    messages,
                };
            }
            // Another text under the same number: the sender has come round to this reference again.
            Some(_) => messages.extend(self.take(&key)),
            None => {}
        }
        if self.pending.len() >= PENDING_MAX && !self.pending.contains_key(&key) {
            messages.extend(self.take_oldest());
        }
        let pending = self.pending.entry(key.clone()).or_insert_with(|| Pending {
            since: now,
            parts: BTreeMap::new(),
        });
        pending.parts.insert(concatenation.sequence, pdu);
        if pending.parts.len() == usize::from(concatenation.total)
            && let Some(complete) = self.take(&key)
        {
            self.remember(now, key, &complete);
            messages.push(complete);
        }
        Insertion {
            part_text,
            is_repetition: false,
            messages,
        }
    }

    /// Gives out what has waited too long, with holes.
    pub fn handle_timeout(&mut self, now: Duration) -> Vec<Message> {
        self.finished
            .retain(|_, finished| now < finished.at.saturating_add(GIVE_UP_AFTER));
        let due = |pending: &Pending| now >= pending.since.saturating_add(GIVE_UP_AFTER);
        let keys: Vec<Key> = self
            .pending
            .iter()
            .filter(|(_, pending)| due(pending))
            .map(|(key, _)| key.clone())
            .collect();
        keys.iter().filter_map(|key| self.take(key)).collect()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.pending
            .values()
            .map(|pending| pending.since.saturating_add(GIVE_UP_AFTER))
            .min()
    }

    /// How many messages wait for parts.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    fn take(&mut self, key: &Key) -> Option<Message> {
        self.pending
            .remove(key)
            .map(|pending| message(key.total, pending.parts))
    }

    fn take_oldest(&mut self) -> Option<Message> {
        let oldest = self
            .pending
            .iter()
            .min_by_key(|(_, pending)| pending.since)
            .map(|(key, _)| key.clone())?;
        self.take(&oldest)
    }

    fn remember(&mut self, now: Duration, key: Key, complete: &Message) {
        if self.finished.len() >= FINISHED_MAX {
            let oldest = self
                .finished
                .iter()
                .min_by_key(|(_, finished)| finished.at)
                .map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.finished.remove(&oldest));
        }
        let parts = (1..=key.total)
            .zip(complete.parts.iter().cloned())
            .collect();
        self.finished.insert(key, Finished { at: now, parts });
    }
}

fn message(total: u8, parts: BTreeMap<u8, DeliverPdu>) -> Message {
    let missing = (1..=total)
        .filter(|sequence| !parts.contains_key(sequence))
        .collect();
    let first = parts
        .values()
        .next()
        .expect("a message is made from at least one part");
    let (originator, timestamp) = (first.originator.clone(), first.timestamp);
    let text = joined_text(parts.values().map(|part| &part.user_data));
    Message {
        originator,
        timestamp,
        text,
        parts: parts.into_values().collect(),
        missing,
    }
}

/// Joins the units of neighbouring parts in one alphabet before reading them: some senders cut through
/// surrogate pairs and escapes.
fn joined_text<'a>(parts: impl Iterator<Item = &'a UserData>) -> Option<String> {
    let mut text = String::new();
    let mut run = Run::Empty;
    for part in parts {
        let shift = part.national_shift();
        run = match (run, part.body()) {
            (_, Body::Octets(_)) => return None,
            (Run::Gsm7(mut septets, of_run), Body::Gsm7(more)) if of_run == shift => {
                septets.extend(more);
                Run::Gsm7(septets, of_run)
            }
            (Run::Ucs2(mut units), Body::Ucs2(more)) => {
                units.extend(more);
                Run::Ucs2(units)
            }
            (before, Body::Gsm7(septets)) => {
                before.read_into(&mut text);
                Run::Gsm7(septets.clone(), shift)
            }
            (before, Body::Ucs2(units)) => {
                before.read_into(&mut text);
                Run::Ucs2(units.clone())
            }
        };
    }
    run.read_into(&mut text);
    Some(text)
}

enum Run {
    Empty,
    Gsm7(Vec<u8>, alphabet::NationalShift),
    Ucs2(Vec<u16>),
}

impl Run {
    fn read_into(self, text: &mut String) {
        match self {
            Self::Empty => {}
            Self::Gsm7(septets, shift) => {
                text.push_str(&alphabet::decode_gsm7_with(&septets, shift))
            }
            Self::Ucs2(units) => text.push_str(&alphabet::decode_ucs2(&units)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::Concatenation;

    const START: Duration = Duration::from_secs(1_000);

    fn part(reference: u8, total: u8, sequence: u8, body: Body) -> DeliverPdu {
        let concatenation = Concatenation {
            reference: reference.into(),
            reference_bits: 8,
            total,
            sequence,
        };
        let user_data = UserData::new(vec![concatenation.element()], body).unwrap();
        let timestamp =
            ServiceCentreTimestamp::from_octets([0x62, 0x11, 0x12, 0x22, 0x13, 0x93, 0x80]);
        DeliverPdu::new(
            Address::parse("+358401234567").unwrap(),
            timestamp,
            user_data,
        )
    }

    fn gsm7(text: &str) -> Body {
        Body::Gsm7(alphabet::encode_gsm7(text).unwrap())
    }

    fn texts(messages: &[Message]) -> Vec<(Option<&str>, bool)> {
        messages
            .iter()
            .map(|message| (message.text.as_deref(), message.is_complete()))
            .collect()
    }

    #[test]
    fn parts_in_any_order_make_the_text_and_each_is_handed_out_at_once() {
        let mut reassembler = Reassembler::new();
        for (sequence, text) in [(1, "a"), (3, "c")] {
            let insertion = reassembler.insert(START, part(1, 3, sequence, gsm7(text)));
            assert_eq!(
                (insertion.part_text.as_deref(), insertion.messages.len()),
                (Some(text), 0)
            );
        }
        let insertion = reassembler.insert(START, part(1, 3, 2, gsm7("b")));
        assert_eq!(texts(&insertion.messages), [(Some("abc"), true)]);
        assert_eq!(reassembler.poll_timeout(), None);
    }

    #[test]
    fn repetitions_change_nothing_even_after_the_end() {
        let mut reassembler = Reassembler::new();
        reassembler.insert(START, part(1, 2, 1, gsm7("a")));
        assert!(
            reassembler
                .insert(START, part(1, 2, 1, gsm7("a")))
                .is_repetition
        );
        assert_eq!(
            reassembler
                .insert(START, part(1, 2, 2, gsm7("b")))
                .messages
                .len(),
            1
        );
        assert!(
            reassembler
                .insert(START, part(1, 2, 2, gsm7("b")))
                .is_repetition
        );
        assert_eq!(reassembler.pending_len(), 0);
    }

    #[test]
    fn a_reference_used_again_starts_a_new_message() {
        let mut reassembler = Reassembler::new();
        reassembler.insert(START, part(1, 2, 1, gsm7("old")));
        let insertion = reassembler.insert(START, part(1, 2, 1, gsm7("new ")));
        assert_eq!(texts(&insertion.messages), [(Some("old"), false)]);
        let insertion = reassembler.insert(START, part(1, 2, 2, gsm7("text")));
        assert_eq!(texts(&insertion.messages), [(Some("new text"), true)]);
    }

    #[test]
    fn after_ten_minutes_what_is_there_is_given_out() {
        let mut reassembler = Reassembler::new();
        reassembler.insert(START, part(1, 3, 2, gsm7("middle")));
        assert_eq!(reassembler.poll_timeout(), Some(START + GIVE_UP_AFTER));
        assert_eq!(
            reassembler.handle_timeout(START + GIVE_UP_AFTER - Duration::from_secs(1)),
            []
        );
        let messages = reassembler.handle_timeout(START + GIVE_UP_AFTER);
        assert_eq!(texts(&messages), [(Some("middle"), false)]);
        assert_eq!(messages[0].missing, [1, 3]);
    }

    #[test]
    fn characters_cut_in_two_are_whole_again() {
        let mut reassembler = Reassembler::new();
        let units = alphabet::encode_ucs2("🚒");
        reassembler.insert(START, part(1, 2, 2, Body::Ucs2(units[1..].to_vec())));
        let insertion = reassembler.insert(START, part(1, 2, 1, Body::Ucs2(units[..1].to_vec())));
        assert_eq!(texts(&insertion.messages), [(Some("🚒"), true)]);

        reassembler.insert(START, part(2, 2, 1, Body::Gsm7(vec![alphabet::ESCAPE])));
        let insertion = reassembler.insert(START, part(2, 2, 2, Body::Gsm7(vec![0x65])));
        assert_eq!(texts(&insertion.messages), [(Some("€"), true)]);
    }

    #[test]
    fn a_text_may_change_its_alphabet_between_parts() {
        let mut reassembler = Reassembler::new();
        reassembler.insert(START, part(1, 2, 1, gsm7("fire ")));
        let insertion = reassembler.insert(
            START,
            part(1, 2, 2, Body::Ucs2(alphabet::encode_ucs2("火"))),
        );
        assert_eq!(texts(&insertion.messages), [(Some("fire 火"), true)]);
    }

    #[test]
    fn a_flood_of_first_parts_is_bounded() {
        let mut reassembler = Reassembler::new();
        let mut given_out = 0;
        for total in 2..=6 {
            for reference in 0..=255 {
                given_out += reassembler
                    .insert(START, part(reference, total, 1, gsm7("x")))
                    .messages
                    .len();
            }
        }
        assert_eq!(
            (reassembler.pending_len(), given_out),
            (PENDING_MAX, 5 * 256 - PENDING_MAX)
        );
    }
}
