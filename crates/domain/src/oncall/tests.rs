//! Transcripts of schedules: commands in, who is on call out.

use super::{Command as Oncall, *};
use crate::recipients::{Command as Recipients, Group, Member, Named, Rule};
use crate::transcript::World;
use crate::zones::WallTime;
use crate::zones::tests::{install, zone};
use crate::{CivilTime, Command, Outcome, Receipt, RecipientId, Refusal};

pub(super) fn wall(text: &str) -> WallTime {
    WallTime::parse(text).unwrap()
}

/// A moment by the wall of Helsinki.
fn at(text: &str) -> CivilTime {
    zone("Europe/Helsinki").begin(wall(text))
}

fn keys(people: &[&str]) -> Vec<String> {
    people.iter().map(|key| (*key).to_owned()).collect()
}

fn layer(name: &str, rotation: Rotation, start: &str, turns: &[&[&str]]) -> Layer {
    Layer {
        name: name.to_owned(),
        rotation,
        start: wall(start),
        until: None,
        turns: turns.iter().map(|turn| keys(turn)).collect(),
        windows: Vec::new(),
    }
}

/// Ana and Bela by the week, handed over on Mondays at eight; Dora on working days from eight to four.
fn network() -> Schedule {
    let mut day = layer("Day", Rotation::Weekly(1), "2026-11-02T08:00", &[&["dora"]]);
    day.windows = vec![Window {
        days: vec![0, 1, 2, 3, 4],
        from: 480,
        to: 960,
    }];
    let week = layer(
        "Week",
        Rotation::Weekly(1),
        "2026-11-02T08:00",
        &[&["ana"], &["bela"]],
    );
    Schedule {
        key: "network".to_owned(),
        name: "Network".to_owned(),
        zone: "Europe/Helsinki".to_owned(),
        layers: vec![day, week],
        fixed: Vec::new(),
    }
}

async fn world() -> World {
    let mut world = World::new().await;
    world.ask(install("2026a", &["Europe/Helsinki"])).await;
    let outcome = ask(&mut world, Oncall::Put(network())).await;
    assert_eq!(outcome, Outcome::Applied(Receipt::Count(1)));
    world
}

async fn ask(world: &mut World, command: Oncall) -> Outcome {
    world.ask(Command::Oncall(command)).await
}

/// Who is on call in a schedule at a Helsinki wall time, and why, in one line.
async fn who(world: &mut World, key: &str, text: &str) -> String {
    let moment = at(text);
    let plan = plan_of(&mut world.conn, key, moment, moment).await.unwrap();
    let on_call = plan.who_at(key, moment).unwrap();
    let hops = on_call.redirects.iter().map(|hop| match &hop.to {
        Target::Schedule(key) => format!("{} -> schedule {key}: ", hop.schedule),
        Target::Person(key) => format!("{} -> {key}: ", hop.schedule),
        Target::Group(key) => format!("{} -> group {key}: ", hop.schedule),
    });
    let duties = on_call.duties.iter().map(|duty| {
        let causes = duty.because.iter().map(|because| match because {
            Because::Turn { layer, shift, .. } => format!("{layer} {shift}"),
            Because::Fixed { uid } => format!("fixed {uid}"),
            Because::Override { number, swap, .. } => match swap {
                Some(swap) => format!("swap {swap}"),
                None => format!("override {number}"),
            },
        });
        format!(
            "{} ({})",
            duty.person,
            causes.collect::<Vec<_>>().join(", ")
        )
    });
    let duties: Vec<String> = duties.collect();
    hops.collect::<String>() + &duties.join(" ")
}

fn order(from: &str, to: &str, instead: &[&str], of: Option<&str>) -> Oncall {
    Oncall::AddOverride {
        schedule: "network".to_owned(),
        order: Override {
            from: wall(from),
            to: wall(to),
            instead: keys(instead),
            of: of.map(str::to_owned),
            reason: "ill".to_owned(),
        },
    }
}

fn refusal(outcome: Outcome) -> String {
    let Outcome::Refused(refusal) = outcome else {
        panic!("not refused: {outcome:?}")
    };
    refusal.to_string()
}

#[tokio::test]
async fn the_upper_layer_wins_where_it_covers_and_the_rest_falls_through() {
    let mut world = world().await;
    for (moment, expected) in [
        ("2026-11-01T12:00", ""),
        ("2026-11-02T08:00", "dora (Day 0)"),
        ("2026-11-02T16:00", "ana (Week 0)"),
        ("2026-11-08T12:00", "ana (Week 0)"),
        ("2026-11-09T07:59", "ana (Week 0)"),
        ("2026-11-09T16:00", "bela (Week 1)"),
        ("2026-11-17T03:00", "ana (Week 2)"),
    ] {
        assert_eq!(
            who(&mut world, "network", moment).await,
            expected,
            "{moment}"
        );
    }
}

#[tokio::test]
async fn several_people_of_a_turn_are_on_call_together_in_order_and_fixed_shifts_win() {
    let mut world = world().await;
    let mut pairs = network();
    pairs.layers = vec![layer(
        "Pair",
        Rotation::Custom(vec![5_760, 4_320]),
        "2026-11-02T08:00",
        &[&["carl", "ana"], &["bela"]],
    )];
    pairs.fixed = vec![FixedShift {
        from: wall("2026-11-03T00:00"),
        to: wall("2026-11-03T12:00"),
        person: "dora".to_owned(),
        uid: "u7".to_owned(),
    }];
    ask(&mut world, Oncall::Put(pairs.clone())).await;
    let row = schedule(&mut world.conn, "network").await.unwrap().unwrap();
    assert_eq!(row.schedule, pairs);
    for (moment, expected) in [
        ("2026-11-02T09:00", "carl (Pair 0) ana (Pair 0)"),
        ("2026-11-03T09:00", "dora (fixed u7)"),
        ("2026-11-03T12:00", "carl (Pair 0) ana (Pair 0)"),
        ("2026-11-06T08:00", "bela (Pair 1)"),
        ("2026-11-09T08:00", "carl (Pair 2) ana (Pair 2)"),
    ] {
        assert_eq!(
            who(&mut world, "network", moment).await,
            expected,
            "{moment}"
        );
    }
}

#[tokio::test]
async fn overrides_act_on_what_earlier_ones_left_and_are_taken_back() {
    let mut world = world().await;
    let first = order(
        "2026-11-02T18:00",
        "2026-11-03T06:00",
        &["carl"],
        Some("ana"),
    );
    assert_eq!(
        ask(&mut world, first).await,
        Outcome::Applied(Receipt::Number(1))
    );
    let moment = "2026-11-02T20:00";
    assert_eq!(
        who(&mut world, "network", moment).await,
        "carl (Week 0, override 1)"
    );
    let second = order(
        "2026-11-02T19:00",
        "2026-11-02T21:00",
        &["dora", "bela"],
        Some("carl"),
    );
    ask(&mut world, second).await;
    assert_eq!(
        who(&mut world, "network", moment).await,
        "dora (Week 0, override 1, override 2) bela (Week 0, override 1, override 2)"
    );
    // For everyone, also where nobody was on call.
    ask(
        &mut world,
        order("2026-10-30T00:00", "2026-12-01T00:00", &["bela"], None),
    )
    .await;
    assert_eq!(
        who(&mut world, "network", "2026-11-01T12:00").await,
        "bela (override 3)"
    );
    for number in [3, 1] {
        let schedule = "network".to_owned();
        ask(&mut world, Oncall::RemoveOverride { schedule, number }).await;
    }
    assert_eq!(who(&mut world, "network", moment).await, "ana (Week 0)");
    let again = Oncall::RemoveOverride {
        schedule: "network".to_owned(),
        number: 1,
    };
    assert!(refusal(ask(&mut world, again).await).contains("no override 1"));
}

fn redirect(from: &str, to: Option<&str>, target: Target) -> Oncall {
    Oncall::Redirect {
        schedule: "network".to_owned(),
        redirect: Some(Redirect {
            from: wall(from),
            to: to.map(wall),
            target,
            reason: "party".to_owned(),
        }),
    }
}

#[tokio::test]
async fn a_redirect_sends_calls_elsewhere_and_a_circle_ends() {
    let mut world = world().await;
    let mut power = network();
    power.key = "power".to_owned();
    power.layers = vec![layer(
        "Only",
        Rotation::Daily(1),
        "2026-11-01T00:00",
        &[&["carl"]],
    )];
    ask(&mut world, Oncall::Put(power)).await;
    let to_power = Target::Schedule("power".to_owned());
    let asked = redirect("2026-11-02T17:00", Some("2026-11-02T22:00"), to_power);
    ask(&mut world, asked).await;
    let moment = "2026-11-02T20:00";
    assert_eq!(
        who(&mut world, "network", moment).await,
        "network -> schedule power: carl (Only 1)"
    );
    assert_eq!(
        who(&mut world, "network", "2026-11-02T22:00").await,
        "ana (Week 0)"
    );
    let back = Oncall::Redirect {
        schedule: "power".to_owned(),
        redirect: Some(Redirect {
            from: wall("2026-11-02T19:00"),
            to: None,
            target: Target::Schedule("network".to_owned()),
            reason: String::new(),
        }),
    };
    ask(&mut world, back).await;
    assert_eq!(
        who(&mut world, "network", moment).await,
        "network -> schedule power: carl (Only 1)"
    );
    ask(
        &mut world,
        redirect("2026-11-02T17:00", None, Target::Person("dora".to_owned())),
    )
    .await;
    assert_eq!(
        who(&mut world, "network", moment).await,
        "network -> dora: dora ()"
    );
    let clear = Oncall::Redirect {
        schedule: "network".to_owned(),
        redirect: None,
    };
    ask(&mut world, clear.clone()).await;
    assert_eq!(who(&mut world, "network", moment).await, "ana (Week 0)");
    assert_eq!(ask(&mut world, clear).await, Outcome::Unchanged);
    let itself = redirect(
        "2026-11-02T17:00",
        None,
        Target::Schedule("network".to_owned()),
    );
    assert!(refusal(ask(&mut world, itself).await).contains("itself"));
}

#[tokio::test]
async fn a_redirect_to_a_group_calls_everyone_in_it_and_follows_it() {
    let mut world = world().await;
    let group = |members: &[&str]| {
        let members = members.iter().map(|key| Member::Person((*key).to_owned()));
        Command::Recipients(Recipients::PutGroups {
            groups: vec![Group {
                key: "helpers".to_owned(),
                name: "Helpers".to_owned(),
                members: members.collect(),
                rule: Rule::default(),
            }],
        })
    };
    let to_group = || {
        let target = Target::Group("helpers".to_owned());
        redirect("2026-11-02T17:00", None, target)
    };
    let unknown = refusal(ask(&mut world, to_group()).await);
    assert!(unknown.contains("helpers"), "{unknown}");
    world.ask(group(&["carl", "dora"])).await;
    ask(&mut world, to_group()).await;
    let moment = "2026-11-02T20:00";
    assert_eq!(
        who(&mut world, "network", moment).await,
        "network -> group helpers: carl () dora ()"
    );
    world.ask(group(&["bela"])).await;
    assert_eq!(
        who(&mut world, "network", moment).await,
        "network -> group helpers: bela ()"
    );
    world.ask(group(&[])).await;
    assert_eq!(
        who(&mut world, "network", moment).await,
        "network -> group helpers: "
    );
    let empty = refusal(ask(&mut world, to_group()).await);
    assert!(empty.contains("has 0 people"), "{empty}");
}

fn swap(give: (&str, &str, &str), take: (&str, &str, &str)) -> Oncall {
    let shift = |(person, from, to): (&str, &str, &str)| ShiftRef {
        person: person.to_owned(),
        from: at(from),
        to: at(to),
    };
    Oncall::ProposeSwap {
        schedule: "network".to_owned(),
        swap: Swap {
            give: shift(give),
            take: shift(take),
            reason: "wedding".to_owned(),
        },
    }
}

fn settle(verdict: Verdict) -> Oncall {
    Oncall::SettleSwap {
        schedule: "network".to_owned(),
        number: 1,
        verdict,
    }
}

const GIVE: (&str, &str, &str) = ("bela", "2026-11-28T00:00", "2026-11-30T08:00");
const TAKE: (&str, &str, &str) = ("ana", "2026-12-05T00:00", "2026-12-07T08:00");

#[tokio::test]
async fn a_swap_takes_the_word_of_who_is_asked_and_changes_both_shifts() {
    let mut world = world().await;
    assert_eq!(
        ask(&mut world, swap(GIVE, TAKE)).await,
        Outcome::Applied(Receipt::Number(1))
    );
    assert_eq!(
        who(&mut world, "network", "2026-11-29T12:00").await,
        "bela (Week 3)"
    );
    let by = |person: &str| Verdict::Consent {
        person: person.to_owned(),
    };
    assert!(refusal(ask(&mut world, settle(by("bela"))).await).contains("only ana"));
    let agreed = ask(&mut world, settle(by("ana"))).await;
    assert_eq!(agreed, Outcome::Applied(Receipt::Number(1)));
    assert_eq!(
        who(&mut world, "network", "2026-11-29T12:00").await,
        "ana (Week 3, swap 1)"
    );
    assert_eq!(
        who(&mut world, "network", "2026-12-06T12:00").await,
        "bela (Week 4, swap 1)"
    );
    assert_eq!(
        who(&mut world, "network", "2026-12-04T20:00").await,
        "ana (Week 4)"
    );
    assert_eq!(ask(&mut world, settle(by("ana"))).await, Outcome::Unchanged);
    // Half a swap would leave one person with both shifts.
    let undo = Oncall::RemoveOverride {
        schedule: "network".to_owned(),
        number: 2,
    };
    assert_eq!(
        ask(&mut world, undo).await,
        Outcome::Applied(Receipt::Count(2))
    );
    assert_eq!(
        who(&mut world, "network", "2026-11-29T12:00").await,
        "bela (Week 3)"
    );
}

#[tokio::test]
async fn a_swap_of_shifts_that_changed_is_refused_and_can_be_declined_or_decided() {
    let mut world = world().await;
    let nobody = swap(("carl", GIVE.1, GIVE.2), TAKE);
    assert!(refusal(ask(&mut world, nobody).await).contains("carl is not on call"));
    let over = swap(("ana", "2026-11-02T17:00", "2026-11-02T18:00"), GIVE);
    assert!(refusal(ask(&mut world, over).await).contains("is over"));
    ask(&mut world, swap(GIVE, TAKE)).await;
    ask(
        &mut world,
        order(
            "2026-12-06T00:00",
            "2026-12-06T12:00",
            &["carl"],
            Some("ana"),
        ),
    )
    .await;
    let impose = |reason: &str| Verdict::Impose {
        reason: reason.to_owned(),
    };
    assert!(refusal(ask(&mut world, settle(impose(" "))).await).contains("a reason"));
    let changed = refusal(ask(&mut world, settle(impose("agreed by phone"))).await);
    assert!(
        changed.contains("ana is not on call in network from 2026-12-04T22:00"),
        "{changed}"
    );
    let decline = Verdict::Decline {
        person: "ana".to_owned(),
        reason: String::new(),
    };
    ask(&mut world, settle(decline)).await;
    let rows = swaps(&mut world.conn, "network").await.unwrap();
    assert_eq!(
        (rows[0].state, rows[0].settled_by.as_str()),
        (SwapState::Declined, "operator:n1 (ana)")
    );
    assert!(refusal(ask(&mut world, settle(impose("x"))).await).contains("declined already"));
}

#[tokio::test]
async fn bad_schedules_are_refused_in_words() {
    let mut world = world().await;
    let with = |change: fn(&mut Schedule)| {
        let mut schedule = network();
        change(&mut schedule);
        Oncall::Put(schedule)
    };
    for (command, word) in [
        (
            with(|s| s.zone = "Europe/Atlantis".to_owned()),
            "zones list",
        ),
        (
            with(|s| s.layers[0].turns[0][0] = "zoe".to_owned()),
            "unknown recipient zoe",
        ),
        (with(|s| s.layers[0].turns.clear()), "no turns"),
        (with(|s| s.layers[1].turns[0].clear()), "without people"),
        (
            with(|s| s.layers[0].rotation = Rotation::Hourly(0)),
            "one hour",
        ),
        (
            with(|s| s.layers[0].rotation = Rotation::Custom(Vec::new())),
            "shift lengths",
        ),
        (
            with(|s| s.layers[0].rotation = Rotation::Custom(vec![60, u32::MAX])),
            "366 days",
        ),
        (
            with(|s| s.layers[0].windows[0].days = vec![7]),
            "names its days",
        ),
        (
            with(|s| s.layers[0].until = Some(s.layers[0].start)),
            "not after",
        ),
        (with(|s| s.key = "a b".to_owned()), "not a key"),
        (
            with(|s| s.layers = vec![s.layers[0].clone(); 17]),
            "at most 16",
        ),
        (
            order("2026-11-02T18:00", "2026-11-02T18:00", &["ana"], None),
            "not after",
        ),
        (
            order("2026-11-02T18:00", "2026-11-03T18:00", &["zoe"], None),
            "zoe",
        ),
    ] {
        let why = refusal(ask(&mut world, command).await);
        assert!(why.contains(word), "{why}");
    }
    let gone = Oncall::Remove {
        schedule: "nothing".to_owned(),
    };
    assert_eq!(
        ask(&mut world, gone).await,
        Outcome::Refused(Refusal::UnknownSchedule("nothing".to_owned()))
    );
}

#[tokio::test]
async fn fixed_shifts_are_replaced_by_their_name_in_the_calendar() {
    let mut world = world().await;
    let shift = |day: u8, person: &str, uid: &str| FixedShift {
        from: wall(&format!("2026-11-{day}T00:00")),
        to: wall(&format!("2026-11-{day}T12:00")),
        person: person.to_owned(),
        uid: uid.to_owned(),
    };
    let put = |shifts: Vec<FixedShift>| Oncall::PutFixed {
        schedule: "network".to_owned(),
        shifts,
    };
    ask(
        &mut world,
        put(vec![shift(10, "carl", "a"), shift(11, "carl", "b")]),
    )
    .await;
    let moved = put(vec![shift(12, "dora", "b")]);
    assert_eq!(
        ask(&mut world, moved.clone()).await,
        Outcome::Applied(Receipt::Count(1))
    );
    assert_eq!(ask(&mut world, moved).await, Outcome::Unchanged);
    let row = schedule(&mut world.conn, "network").await.unwrap().unwrap();
    assert_eq!(
        row.schedule.fixed,
        [shift(10, "carl", "a"), shift(12, "dora", "b")]
    );
    assert_eq!(row.schedule.layers, network().layers);
}

#[tokio::test]
async fn warnings_name_gaps_double_bookings_removed_people_and_open_swaps() {
    let mut world = world().await;
    let mut other = network();
    other.key = "other".to_owned();
    other.layers = vec![layer(
        "Nights",
        Rotation::Daily(1),
        "2026-11-24T20:00",
        &[&["bela"]],
    )];
    other.layers[0].windows = vec![Window {
        days: vec![2],
        from: 1_200,
        to: 480,
    }];
    ask(&mut world, Oncall::Put(other)).await;
    ask(&mut world, swap(GIVE, TAKE)).await;
    world
        .ask(Command::Recipients(Recipients::RemovePerson {
            key: "dora".to_owned(),
        }))
        .await;
    let range = (at("2026-11-24T00:00"), at("2026-11-27T00:00"));
    let plan = plan_of_all(&mut world.conn, range.0, range.1)
        .await
        .unwrap();
    let known = names_of_people(&mut world.conn, &plan.people("network"))
        .await
        .unwrap();
    let rows = swaps(&mut world.conn, "network").await.unwrap();
    let found = warnings(&plan, "network", range, &known, &rows).unwrap();
    let uncovered = |day: &str| Warning::Uncovered {
        from: at(&format!("2026-11-{day}T08:00")),
        to: at(&format!("2026-11-{day}T16:00")),
    };
    assert_eq!(
        found,
        [
            uncovered("24"),
            uncovered("25"),
            uncovered("26"),
            Warning::DoubleBooked {
                person: "bela".to_owned(),
                other: "other".to_owned(),
                from: at("2026-11-25T20:00"),
                to: at("2026-11-26T08:00"),
            },
            Warning::PersonRemoved {
                person: "dora".to_owned()
            },
            Warning::SwapPending {
                number: 1,
                give: "bela".to_owned(),
                take: "ana".to_owned(),
                from: at("2026-11-28T00:00"),
            },
        ]
    );
}

#[tokio::test]
async fn names_resolve_to_those_on_call_and_an_empty_schedule_says_so() {
    let mut world = world().await;
    let called = [
        Called::OnCall("network".to_owned()),
        Called::Named(Named::Group("night".to_owned())),
    ];
    let night = at("2026-11-10T20:00");
    let found = resolve(&mut world.conn, &called, night)
        .await
        .unwrap()
        .unwrap();
    let ids = |people: &[&str]| {
        people
            .iter()
            .map(|key| RecipientId::of_key(key))
            .collect::<Vec<_>>()
    };
    assert_eq!(found.people, ids(&["bela", "ana"]));
    assert_eq!(found.notes, Vec::<String>::new());
    let before = at("2026-10-10T20:00");
    let found = resolve(&mut world.conn, &called, before)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.people, ids(&["ana", "bela"]));
    assert_eq!(
        found.notes,
        ["nobody is on call in schedule network at 2026-10-10T17:00:00.000Z"]
    );
    world
        .ask(Command::Recipients(Recipients::RemovePerson {
            key: "bela".to_owned(),
        }))
        .await;
    let found = resolve(&mut world.conn, &called[..1], night)
        .await
        .unwrap()
        .unwrap();
    assert!(
        found.notes[0].ends_with("(bela was removed)"),
        "{:?}",
        found.notes
    );
    let unknown = resolve(&mut world.conn, &[Called::OnCall("x".to_owned())], night)
        .await
        .unwrap();
    assert_eq!(unknown, Err(Refusal::UnknownSchedule("x".to_owned())));
}

#[tokio::test]
async fn feeds_are_made_once_and_end_at_once() {
    let mut world = world().await;
    let feed_of = |subject| {
        Oncall::CreateFeed(CreateFeed {
            id: "f1".to_owned(),
            subject,
            secret_hash: [7; 32],
        })
    };
    let nobody = feed_of(Subject::Person("zoe".to_owned()));
    assert!(refusal(ask(&mut world, nobody).await).contains("zoe"));
    let of_network = feed_of(Subject::Schedule("network".to_owned()));
    ask(&mut world, of_network.clone()).await;
    assert_eq!(ask(&mut world, of_network).await, Outcome::Unchanged);
    let id = "f1".to_owned();
    ask(&mut world, Oncall::RevokeFeed { id }).await;
    let row = feed(&mut world.conn, "f1").await.unwrap().unwrap();
    assert_eq!(
        (row.secret_hash, row.revoked_at),
        ([7; 32], Some(world.now))
    );
    assert_eq!(feeds(&mut world.conn).await.unwrap(), [row]);
}

#[test]
fn the_hour_that_comes_twice_overlaps_and_the_one_that_does_not_come_is_no_gap() {
    let hourly = layer(
        "Hours",
        Rotation::Hourly(1),
        "2026-10-24T00:00",
        &[&["ana"], &["bela"]],
    );
    let schedule = Schedule {
        layers: vec![hourly],
        ..network()
    };
    let plan = Plan::new([Planned {
        schedule,
        zone: zone("Europe/Helsinki"),
        overrides: Vec::new(),
        redirect: None,
    }]);
    let utc = |day: &str, hour: &str| {
        let wall = wall(&format!("{day}T{hour}"));
        CivilTime(wall.0 * 60_000)
    };
    let shown = |from, to| {
        let shifts = plan.shifts("network", from, to).unwrap();
        let line = |shift: &Shift| {
            let hours = |at: CivilTime| at.to_hh_mm();
            format!(
                "{} {}-{}",
                shift.duty.person,
                hours(shift.from),
                hours(shift.to)
            )
        };
        shifts.iter().map(line).collect::<Vec<_>>()
    };
    // 2026-10-25, 04:00 becomes 03:00 (01:00 UTC): the shift that ends at three goes on until it is three again.
    assert_eq!(
        shown(utc("2026-10-24", "23:00"), utc("2026-10-25", "03:00")),
        ["ana 23:00-01:00", "bela 00:00-02:00", "ana 02:00-03:00"]
    );
    // 2027-03-28, 03:00 becomes 04:00 (01:00 UTC): the shift from three to four does not come.
    assert_eq!(
        shown(utc("2027-03-28", "00:00"), utc("2027-03-28", "03:00")),
        ["ana 00:00-01:00", "ana 01:00-02:00", "bela 02:00-03:00"]
    );
}
