//! Golden bytes: these forms are on disks and on wires; a test that fails here means old data no longer reads.

use std::fmt::Debug;

use domain::codec::{decode, encode};
use proptest::prelude::*;
use serde::de::DeserializeOwned;

use super::*;

fn peer(name: &str) -> Peer {
    Peer {
        addresses: vec![format!("{name}:7000")],
        pins: vec![[7; 32]],
        name: name.to_owned(),
    }
}

fn log_id() -> WireLogId {
    WireLogId {
        term: 3,
        node: 2,
        index: 300,
    }
}

fn membership() -> WireMembership {
    WireMembership {
        voters: vec![BTreeSet::from([1, 2])],
        nodes: BTreeMap::from([(1, peer("a")), (2, peer("b")), (3, peer("c"))]),
    }
}

#[track_caller]
fn stays<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, golden: &str) {
    let bytes = encode(value).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&bytes), golden);
    assert_eq!(&decode::<T>(&bytes).unwrap(), value);
}

#[test]
fn stored_forms_keep_their_bytes() {
    let pin = "07".repeat(32);
    let peers = format!(
        "0301010661 3a37303030 01{pin} 0161 02 0106 623a37303030 01{pin} 0162 03 0106 633a37303030 01{pin} 0163"
    )
    .replace(' ', "");
    stays(&log_id(), "010302fb2c01");
    stays(
        &WireVote {
            term: 3,
            node: 2,
            committed: true,
        },
        "01030201",
    );
    stays(&membership(), &format!("0101020102{peers}"));
    stays(
        &WireStoredMembership {
            log_id: Some(log_id()),
            membership: membership(),
        },
        &format!("01010302fb2c0101020102{peers}"),
    );
    stays(
        &WireSnapshotMeta {
            last_log_id: None,
            membership: WireStoredMembership::default(),
        },
        "0100000000",
    );
    stays(
        &WireEntry {
            log_id: log_id(),
            payload: WirePayload::Blank,
        },
        "010302fb2c0100",
    );
    let command = WirePayload::Command(Record::from(vec![1, 2, 255]));
    stays(
        &WireEntry {
            log_id: log_id(),
            payload: command,
        },
        "010302fb2c0101030102ff",
    );
    stays(
        &WireEntry {
            log_id: log_id(),
            payload: WirePayload::Membership(membership()),
        },
        &format!("010302fb2c010201020102{peers}"),
    );
}

#[test]
fn engine_values_survive_the_wire() {
    let stored = StoredMembership::new(Some(log_id().into()), membership().try_into().unwrap());
    let back: StoredMembership = WireStoredMembership::from(&stored).try_into().unwrap();
    assert_eq!(back, stored);
    let empty = StoredMembership::default();
    assert_eq!(
        StoredMembership::try_from(WireStoredMembership::from(&empty)).unwrap(),
        empty
    );
    let vote = Vote::new_committed(4, 9);
    assert_eq!(Vote::from(WireVote::from(&vote)), vote);
    let entry = Entry {
        log_id: log_id().into(),
        payload: EntryPayload::Normal(Record::from(b"x".to_vec())),
    };
    assert_eq!(WireEntry::from(&entry).into_entry().unwrap(), entry);
}

#[test]
fn a_voter_without_address_is_refused() {
    let wire = WireMembership {
        voters: vec![BTreeSet::from([1])],
        nodes: BTreeMap::new(),
    };
    assert!(Membership::try_from(wire).is_err());
}

#[test]
fn a_record_shows_its_size_and_never_its_content() {
    let record = Record::from(b"+358401234567".to_vec());
    assert_eq!(format!("{record} {record:?}"), "13 bytes Record(13 bytes)");
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(wire) = decode::<WireEntry>(&bytes) {
            _ = wire.into_entry();
        }
        _ = decode::<WireSnapshotMeta>(&bytes).map(SnapshotMeta::try_from);
    }
}
