//! Decisions about waking without SQL.

use std::time::Duration;

use crate::ids::NodeId;
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// Most numbers on the card beside those of our modems.
pub const SPARES_MAX: usize = 2;

/// Most people in one test: rings keep modems from texts.
pub const PEOPLE_MAX: usize = 100;

/// How long a yes counts unless a test says otherwise: half a year, in which people change phones.
pub const PROOF_VALID_MS: u64 = 180 * 24 * 3_600_000;

/// How far ahead a test may be planned: four weeks.
pub const TEST_AHEAD_MS_MAX: u64 = 28 * 24 * 3_600_000;

/// A trip that has not come by then has failed: texts between our own modems take seconds.
pub(super) const TRIP_TIME: Duration = Duration::from_secs(15 * 60);

/// Between two trips of a node, before the jitter.
pub(super) const TRIP_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// So much earlier or later, so that trips wander through the day.
const TRIP_JITTER: Duration = Duration::from_secs(3_600);

/// The first trip waits for a node that was just put up to be used otherwise.
const TRIP_FIRST: Duration = Duration::from_secs(3_600);

/// How long a test may be answered: people tell in the morning.
pub(super) const ANSWERABLE: Duration = Duration::from_secs(48 * 3_600);

/// Trips remembered per node.
pub(super) const TRIPS_KEPT: i64 = 60;

/// What the text of a trip begins with. People see it when it goes astray.
const TRIP_WORDS: &str = "Holdfast test ";

/// Letters and digits that are not mistaken for each other.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Which phone system instructions are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phone {
    Iphone,
    Android,
}

impl Phone {
    pub const ALL: [Self; 2] = [Self::Iphone, Self::Android];

    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iphone => "iphone",
            Self::Android => "android",
        }
    }
}

/// How a trip stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TripState {
    /// No other node has a modem.
    Alone,
    /// On its way, within its time.
    UnderWay,
    Arrived,
    /// Its time is over.
    Missing,
}

impl TripState {
    /// The word in answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::UnderWay => "under_way",
            Self::Arrived => "arrived",
            Self::Missing => "missing",
        }
    }
}

/// When a node's first trip is, by 64 bits of chance.
pub(super) fn first_trip(now: Timestamp, chance: u64) -> Timestamp {
    now + TRIP_FIRST + spread(TRIP_EVERY, chance)
}

/// When the next trip after one at `now` is.
pub(super) fn next_trip(now: Timestamp, chance: u64) -> Timestamp {
    now + TRIP_EVERY - TRIP_JITTER + spread(TRIP_JITTER * 2, chance)
}

fn spread(over: Duration, chance: u64) -> Duration {
    Duration::from_secs(chance % over.as_secs().max(1))
}

/// The node whose modem the one of `from` texts: the next by id, and the first after the last.
pub(super) fn next_of(from: NodeId, with_modem: &[NodeId]) -> Option<NodeId> {
    let others = || with_modem.iter().copied().filter(|node| *node != from);
    others()
        .filter(|node| *node > from)
        .min()
        .or_else(|| others().min())
}

/// Eight letters and digits out of 64 bits of chance.
pub(super) fn token(mut chance: u64) -> String {
    let mut text = String::with_capacity(8);
    for _ in 0..8 {
        text.push(char::from(ALPHABET[(chance % 32) as usize]));
        chance /= 32;
    }
    text
}

/// What a trip's text says.
pub(super) fn trip_text(token: &str) -> String {
    format!("{TRIP_WORDS}{token}. No answer is needed.")
}

/// The token in a trip's text.
pub(crate) fn token_in(text: &str) -> Option<&str> {
    let token = text.trim().strip_prefix(TRIP_WORDS)?.get(..8)?;
    token
        .bytes()
        .all(|b| ALPHABET.contains(&b))
        .then_some(token)
}

/// Checks numbers for the card.
pub fn check_spares(numbers: &[String]) -> Result<Vec<String>, String> {
    if numbers.len() > SPARES_MAX {
        return Err(format!(
            "{} spare numbers are too many; give at most {SPARES_MAX}",
            numbers.len()
        ));
    }
    let parsed = numbers.iter().map(|number| {
        PhoneNumber::parse(number)
            .map(|number| number.as_str().to_owned())
            .map_err(|error| error.to_string())
    });
    parsed.collect()
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn trips_go_round_all_nodes_with_a_modem() {
        let nodes = [NodeId(1), NodeId(3), NodeId(7)];
        let next = |from| next_of(NodeId(from), &nodes).map(|node| node.0);
        assert_eq!([next(1), next(3), next(7)], [Some(3), Some(7), Some(1)]);
        assert_eq!(next_of(NodeId(1), &nodes[..1]), None);
    }

    #[test]
    fn a_trips_token_is_found_in_its_text_only() {
        let token = token(0x0123_4567_89AB_CDEF);
        assert_eq!(token_in(&trip_text(&token)), Some(token.as_str()));
        for text in [
            "",
            "4711 1",
            "Holdfast test",
            "Holdfast test ÅÄÖÅÄÖ",
            "Holdfast test abc",
        ] {
            assert_eq!(token_in(text), None);
        }
    }

    #[test]
    fn trips_wander_within_an_hour_of_a_day() {
        let start = Timestamp(0);
        for chance in [0, 1, 7_199, u64::MAX] {
            let hours = next_trip(start, chance).since(start).as_secs() / 3_600;
            assert!((23..25).contains(&hours), "{hours}");
        }
    }
}
