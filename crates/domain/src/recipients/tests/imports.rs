//! Imports: what goes in at once, what waits for a person, what never goes in by itself.

use crate::recipients::{
    Command as Recipients, ContactMethod, Import, ImportState, Join, Person, group, import,
    imports, person as find, waiting, weight,
};
use crate::transcript::{World, person, sms};
use crate::{Command, ImportId, Outcome, Receipt, Refusal};

fn number(n: u32) -> ContactMethod {
    sms(&format!("+3584020{n:05}"))
}

fn staff(n: u32) -> Person {
    person(&format!("p{n:03}"), "fi", &[number(n)])
}

/// A hundred people and nobody else.
async fn hundred() -> World {
    let mut world = World::empty().await;
    let people = (0..100).map(staff).collect();
    world
        .ask(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    world.pass(60);
    world
}

fn of(people: Vec<Person>) -> Import {
    Import {
        source: "staff.csv".to_owned(),
        people,
        ..Import::default()
    }
}

async fn ask(world: &mut World, import: Import) -> Outcome {
    world
        .ask(Command::Recipients(Recipients::Import(import)))
        .await
}

async fn waits(world: &mut World, import: Import) -> ImportId {
    let outcome = ask(world, import).await;
    let Outcome::Applied(Receipt::Import {
        id, waits: true, ..
    }) = outcome
    else {
        panic!("{outcome:?}")
    };
    id
}

async fn decide(world: &mut World, import: ImportId, approve: bool) -> Outcome {
    world
        .ask(Command::Recipients(Recipients::DecideImport {
            import,
            approve,
        }))
        .await
}

fn renamed(n: u32) -> Person {
    let mut person = staff(n);
    person.name = format!("Renamed {n}");
    person
}

async fn name(world: &mut World, key: &str) -> Option<String> {
    find(&mut world.conn, key).await.unwrap().map(|p| p.name)
}

#[tokio::test]
async fn five_in_a_hundred_change_at_once_and_six_wait() {
    let mut world = hundred().await;
    let five = of((0..5).map(renamed).chain((200..300).map(staff)).collect());
    let Outcome::Applied(Receipt::Import {
        applied,
        waits: false,
        ..
    }) = ask(&mut world, five.clone()).await
    else {
        panic!("five of a hundred and any number of newcomers go in at once")
    };
    assert_eq!(applied, 105);
    assert_eq!(
        ask(&mut world, five).await,
        Outcome::Unchanged,
        "nothing is left of it"
    );
    let mut world = hundred().await;
    let six = of((0..6).map(renamed).collect());
    let id = waits(&mut world, six).await;
    assert_eq!(name(&mut world, "p000").await.as_deref(), Some("P000"));
    let row = import(&mut world.conn, id, world.now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.reasons, ["it changes 6 of 100 people, more than 5 %"]);
    let held = waiting(&mut world.conn, id).await.unwrap().unwrap();
    let weight = weight(&mut world.conn, &held).await.unwrap();
    assert_eq!(weight.changes.len(), 6);
    assert_eq!(weight.changes[0].fields(), ["name"]);
    assert_eq!(
        decide(&mut world, id, true).await,
        Outcome::Applied(Receipt::Import {
            id,
            applied: 6,
            waits: false
        })
    );
    assert_eq!(name(&mut world, "p000").await.as_deref(), Some("Renamed 0"));
    assert_eq!(
        decide(&mut world, id, false).await,
        Outcome::Refused(Refusal::ImportDecided("approved".to_owned()))
    );
}

#[tokio::test]
async fn a_duty_number_never_changes_without_a_person() {
    let mut world = hundred().await;
    let mut duty = staff(7);
    duty.details.duty = true;
    let people = vec![duty.clone()];
    world
        .ask(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    world.pass(1);
    // Its name may change, its number may not, and neither may the flag.
    let mut other_name = duty.clone();
    other_name.name = "Duty phone".to_owned();
    assert!(matches!(
        ask(&mut world, of(vec![other_name])).await,
        Outcome::Applied(Receipt::Import { waits: false, .. })
    ));
    let mut other_number = duty.clone();
    other_number.methods = vec![number(777)];
    let mut not_duty = duty.clone();
    not_duty.details.duty = false;
    let mut newcomer = staff(500);
    newcomer.details.duty = true;
    for changed in [other_number, not_duty, newcomer] {
        let id = waits(&mut world, of(vec![changed])).await;
        let row = import(&mut world.conn, id, world.now)
            .await
            .unwrap()
            .unwrap();
        assert!(
            row.reasons[0].contains("duty number of p"),
            "{:?}",
            row.reasons
        );
    }
    let states: Vec<ImportState> = imports(&mut world.conn, world.now, 10)
        .await
        .unwrap()
        .iter()
        .map(|row| row.state)
        .collect();
    let replaced = states
        .iter()
        .filter(|s| **s == ImportState::Replaced)
        .count();
    assert_eq!(
        replaced, 2,
        "one import of a source waits at a time: {states:?}"
    );
}

#[tokio::test]
async fn removals_wait_alone_and_what_is_small_goes_in() {
    let mut world = hundred().await;
    let sync = Import {
        absent: vec!["p001".to_owned(), "stranger".to_owned(), "p002".to_owned()],
        joins: vec![Join {
            group: "staff".to_owned(),
            people: vec!["p003".to_owned(), "p000".to_owned()],
        }],
        ..of(vec![renamed(0)])
    };
    let id = waits(&mut world, sync).await;
    assert_eq!(name(&mut world, "p000").await.as_deref(), Some("Renamed 0"));
    assert!(name(&mut world, "p001").await.is_some());
    let staff_group = group(&mut world.conn, "staff").await.unwrap().unwrap();
    assert_eq!(staff_group.members.len(), 2);
    assert_eq!(staff_group.members[0].to_string(), "p003");
    // Somebody looks after p002 by hand meanwhile: that person stays.
    world.pass(60);
    let people = vec![renamed(2)];
    world
        .ask(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    let held = waiting(&mut world.conn, id).await.unwrap().unwrap();
    assert_eq!(
        (held.people.len(), held.absent),
        (0, vec!["p001".to_owned()])
    );
    assert_eq!(
        decide(&mut world, id, true).await,
        Outcome::Applied(Receipt::Import {
            id,
            applied: 1,
            waits: false
        })
    );
    assert_eq!(name(&mut world, "p001").await, None);
    assert!(name(&mut world, "p002").await.is_some());
}

#[tokio::test]
async fn nobody_deciding_for_a_week_ends_it() {
    let mut world = hundred().await;
    let id = waits(&mut world, of((0..50).map(renamed).collect())).await;
    world.pass(7 * 24 * 3_600);
    assert_eq!(
        decide(&mut world, id, true).await,
        Outcome::Refused(Refusal::ImportDecided("expired".to_owned()))
    );
    let rejected = waits(&mut world, of((0..50).map(renamed).collect())).await;
    decide(&mut world, rejected, false).await;
    assert_eq!(name(&mut world, "p000").await.as_deref(), Some("P000"));
    assert_eq!(waiting(&mut world.conn, rejected).await.unwrap(), None);
    assert_eq!(
        decide(&mut world, ImportId([9; 16]), true).await,
        Outcome::Refused(Refusal::UnknownImport)
    );
}

#[tokio::test]
async fn a_freeze_stops_imports_and_approvals_but_no_hand() {
    let mut world = hundred().await;
    let id = waits(&mut world, of((0..50).map(renamed).collect())).await;
    let freeze = |reason: &str| {
        let reason = reason.to_owned();
        Command::Recipients(Recipients::FreezeImports { reason })
    };
    assert!(matches!(world.ask(freeze(" ")).await, Outcome::Refused(_)));
    world.ask(freeze("HR system is being moved")).await;
    assert_eq!(world.ask(freeze("again")).await, Outcome::Unchanged);
    let frozen = Outcome::Refused(Refusal::ImportsFrozen {
        by: "operator:n1".to_owned(),
        reason: "HR system is being moved".to_owned(),
    });
    assert_eq!(ask(&mut world, of(vec![staff(500)])).await, frozen);
    assert_eq!(decide(&mut world, id, true).await, frozen);
    let people = vec![renamed(1)];
    world
        .ask(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    assert_eq!(name(&mut world, "p001").await.as_deref(), Some("Renamed 1"));
    world
        .ask(Command::Recipients(Recipients::ThawImports))
        .await;
    assert!(matches!(
        decide(&mut world, id, true).await,
        Outcome::Applied(_)
    ));
}

#[tokio::test]
async fn an_import_with_a_broken_person_or_a_stranger_is_refused_whole() {
    let mut world = hundred().await;
    let mut broken = staff(1);
    broken.methods.clear();
    let refused = ask(&mut world, of(vec![staff(500), broken])).await;
    assert!(matches!(refused, Outcome::Refused(Refusal::Invalid(_))));
    let stranger = Import {
        joins: vec![Join {
            group: "staff".to_owned(),
            people: vec!["nobody".to_owned()],
        }],
        ..of(vec![staff(500)])
    };
    assert_eq!(
        ask(&mut world, stranger).await,
        Outcome::Refused(Refusal::UnknownRecipient("nobody".to_owned()))
    );
    assert_eq!(name(&mut world, "p500").await, None);
}
