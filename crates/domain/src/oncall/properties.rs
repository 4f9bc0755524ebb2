//! What holds for every schedule in every zone, from 2020 to 2040.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::calendar::{self, Addressees};
use super::*;
use crate::zones::tests::{any_wall, any_zone, near_change};
use crate::zones::{WallTime, Zone};
use crate::{CivilTime, Timestamp};

const PEOPLE: [&str; 5] = ["ana", "bela", "carl", "dora", "eero"];
const DAY_MS: i64 = 86_400_000;

fn any_people() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(PEOPLE.to_vec(), 1..=2)
        .prop_map(|people| people.into_iter().map(str::to_owned).collect())
}

fn any_rotation() -> impl Strategy<Value = Rotation> {
    prop_oneof![
        (1_u16..=36).prop_map(Rotation::Hourly),
        (1_u16..=9).prop_map(Rotation::Daily),
        (1_u16..=3).prop_map(Rotation::Weekly),
        proptest::collection::vec(60_u32..=8_000, 1..5).prop_map(Rotation::Custom),
    ]
}

fn any_window() -> impl Strategy<Value = Window> {
    let days = proptest::sample::subsequence((0_u8..7).collect::<Vec<_>>(), 1..=7);
    (days, 0_u16..1_440, 0_u16..=1_440).prop_map(|(days, from, to)| Window { days, from, to })
}

fn any_layer(start: i64, windows: std::ops::Range<usize>) -> impl Strategy<Value = Layer> {
    let turns = proptest::collection::vec(any_people(), 1..5);
    let windows = proptest::collection::vec(any_window(), windows);
    (
        any_rotation(),
        start - 60_000..start + 3_000,
        turns,
        windows,
    )
        .prop_map(|(rotation, start, turns, windows)| Layer {
            name: "layer".to_owned(),
            rotation,
            start: WallTime(start),
            until: None,
            turns,
            windows,
        })
}

/// A schedule around some change of its zone's clocks, with everything a schedule can have.
fn any_planned() -> impl Strategy<Value = (Planned, WallTime)> {
    (any_zone(), any_wall(), -1_440_i64..1_440)
        .prop_map(|(zone, from, offset)| {
            let middle = near_change(&zone, from, offset);
            (zone, middle)
        })
        .prop_flat_map(|(zone, middle)| {
            let layers = proptest::collection::vec(any_layer(middle.0, 0..3), 0..3);
            let range = (middle.0 - 4_000..middle.0 + 4_000, 60_i64..4_000);
            let fixed = proptest::collection::vec((range.clone(), 0_usize..5), 0..4);
            let overrides = proptest::collection::vec(
                (range, any_people(), proptest::option::of(0_usize..5)),
                0..4,
            );
            (Just(zone), Just(middle), layers, fixed, overrides)
        })
        .prop_map(|(zone, middle, layers, fixed, overrides)| {
            let schedule = Schedule {
                key: "s".to_owned(),
                name: "S".to_owned(),
                zone: zone.name().to_owned(),
                layers,
                fixed: fixed
                    .into_iter()
                    .map(|((from, len), who)| fixed_shift(from, len, who))
                    .collect(),
            };
            let overrides =
                overrides
                    .into_iter()
                    .zip(1..)
                    .map(|(((from, len), instead, of), number)| OverrideRow {
                        number,
                        swap: None,
                        order: Override {
                            from: WallTime(from),
                            to: WallTime(from + len),
                            instead,
                            of: of.map(|who| PEOPLE[who].to_owned()),
                            reason: String::new(),
                        },
                        made_at: Timestamp(0),
                        made_by: String::new(),
                    });
            let overrides = overrides.collect();
            (
                Planned {
                    schedule,
                    zone,
                    overrides,
                    redirect: None,
                },
                middle,
            )
        })
}

fn fixed_shift(from: i64, len: i64, who: usize) -> FixedShift {
    FixedShift {
        from: WallTime(from),
        to: WallTime(from + len),
        person: PEOPLE[who].to_owned(),
        uid: String::new(),
    }
}

fn names(duties: &[Duty]) -> BTreeSet<&str> {
    duties.iter().map(|duty| duty.person.as_str()).collect()
}

/// Whether nothing about the clocks changes within some hours around a moment.
fn is_quiet(zone: &Zone, at: CivilTime) -> bool {
    let wall = zone.wall(at).0;
    let (from, to) = (
        zone.begin(WallTime(wall - 300)),
        zone.end(WallTime(wall + 300)),
    );
    to.0 - from.0 == 600 * 60_000
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_layer_without_windows_has_no_gap_once_it_has_begun(
        zone in any_zone(), from in any_wall(), offset in -1_440_i64..1_440, rotation in any_rotation(),
        turns in proptest::collection::vec(any_people(), 1..5), before in 0_i64..100_000,
    ) {
        let middle = near_change(&zone, from, offset);
        let layer = Layer {
            name: "layer".to_owned(), rotation, start: WallTime(middle.0 - before), until: None, turns, windows: Vec::new(),
        };
        let schedule = Schedule {
            key: "s".to_owned(), name: "S".to_owned(), zone: zone.name().to_owned(), layers: vec![layer.clone()], fixed: Vec::new(),
        };
        let plan = Plan::new([Planned { schedule, zone: zone.clone(), overrides: Vec::new(), redirect: None }]);
        let begin = zone.begin(layer.start);
        let from = begin.max(CivilTime(zone.begin(middle).0 - DAY_MS));
        for segment in plan.segments("s", from, CivilTime(from.0 + 3 * DAY_MS)).unwrap() {
            prop_assert!(!segment.on_call.duties.is_empty(), "{:?}", segment);
        }
        let early = plan.who_at("s", CivilTime(begin.0 - 1)).unwrap();
        prop_assert!(early.duties.is_empty());
    }

    #[test]
    fn preview_and_question_agree_at_every_moment(
        (planned, middle) in any_planned(), moments in proptest::collection::vec(-2 * DAY_MS..2 * DAY_MS, 30),
    ) {
        let centre = planned.zone.begin(middle);
        let plan = Plan::new([planned]);
        let (from, to) = (CivilTime(centre.0 - 2 * DAY_MS), CivilTime(centre.0 + 2 * DAY_MS));
        let segments = plan.segments("s", from, to).unwrap();
        let shifts = plan.shifts("s", from, to).unwrap();
        prop_assert_eq!(segments.first().map(|s| s.from), Some(from));
        prop_assert_eq!(segments.last().map(|s| s.to), Some(to));
        for pair in segments.windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
        }
        for moment in moments {
            let at = CivilTime(centre.0 + moment);
            let on_call = plan.who_at("s", at).unwrap();
            let segment = segments.iter().find(|s| s.from <= at && at < s.to).unwrap();
            prop_assert_eq!(&segment.on_call, &on_call);
            let covering = shifts.iter().filter(|s| s.from <= at && at < s.to);
            let shown: BTreeSet<&str> = covering.map(|s| s.duty.person.as_str()).collect();
            prop_assert_eq!(shown, names(&on_call.duties));
        }
    }

    #[test]
    fn what_is_exported_and_imported_calls_the_same_people(
        (planned, middle) in any_planned(), moments in proptest::collection::vec(-DAY_MS..DAY_MS, 20),
    ) {
        let zone = planned.zone.clone();
        let centre = zone.begin(middle);
        let plan = Plan::new([planned.clone()]);
        let (from, to) = (CivilTime(centre.0 - 2 * DAY_MS), CivilTime(centre.0 + 2 * DAY_MS));
        let entries: Vec<calendar::Entry> = plan.shifts("s", from, to).unwrap().into_iter().zip(0..).map(|(shift, n)| {
            calendar::Entry {
                uid: format!("{n}@x"), from: shift.from, to: shift.to, person: shift.duty.person.clone(),
                person_name: shift.duty.person, summary: "on call".to_owned(), description: String::new(),
            }
        }).collect();
        let events = calendar::read(&calendar::write("S", &entries, from)).unwrap();
        let people = Addressees { keys: PEOPLE.map(str::to_owned).into(), by_mail: BTreeMap::new() };
        let mut fixed = Vec::new();
        for event in calendar::import(&events, &zone, &BTreeMap::new(), &people) {
            match event.shifts {
                Ok(shifts) => fixed.extend(shifts),
                // A shift that lies in the hour that comes twice has no wall times of its own.
                Err(problem) => prop_assert!(problem.contains("not after"), "{}", problem),
            }
        }
        let schedule = Schedule { layers: Vec::new(), fixed, ..planned.schedule };
        let again = Plan::new([Planned { schedule, zone: zone.clone(), overrides: Vec::new(), redirect: None }]);
        for moment in moments {
            let at = CivilTime(centre.0 + moment);
            if is_quiet(&zone, at) {
                let (was, is) = (plan.who_at("s", at).unwrap(), again.who_at("s", at).unwrap());
                prop_assert_eq!(names(&was.duties), names(&is.duties), "at {}", at.to_rfc3339());
            }
        }
    }
}
