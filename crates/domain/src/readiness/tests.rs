//! What is ready and what is not, and why.

use expect_test::expect;

use super::rules::{Node, nodes, own_domains};
use super::{About, Grade, Readiness, look};
use crate::deliveries::Report;
use crate::nodes::{Command as Nodes, MachineReport, Place};
use crate::recipients::{Command as Recipients, Details, Found, Person, Verify};
use crate::transcript::{World, accepted, mail, person, sms};
use crate::vocabulary::Severity;
use crate::{Command, NodeId};

async fn ready(world: &mut World) -> Readiness {
    look(&mut world.conn, world.now).await.unwrap()
}

/// One line per reason of what is asked about.
fn said(readiness: &Readiness, about: &str) -> String {
    let about = About::parse(about).unwrap();
    let score = readiness
        .scores
        .iter()
        .find(|score| score.about == about)
        .unwrap();
    let reasons = score.reasons.iter().map(|reason| {
        format!(
            "  {}: {}; {}\n",
            reason.grade.name(),
            reason.what,
            reason.to_do
        )
    });
    let reasons: String = reasons.collect();
    format!("{} {}\n{reasons}", score.about, score.score)
}

async fn verify(world: &mut World, person: &str, number: &str, found: Found) {
    let verify = Verify {
        person: person.to_owned(),
        method: sms(number),
        found,
        how: "answered by sms".to_owned(),
    };
    world
        .ask(Command::Recipients(Recipients::Verify(verify)))
        .await;
}

#[tokio::test]
async fn a_person_is_ready_when_two_independent_ways_are_there_and_one_was_proven_lately() {
    let mut world = World::new().await;
    let mut others = Vec::new();
    for (key, address) in [("eva", "eva@home.example"), ("finn", "finn@example.org")] {
        others.push(person(
            key,
            "en",
            &[sms(&format!("+3584000000{}", key.len())), mail(address)],
        ));
    }
    world
        .run(Command::Recipients(Recipients::PutPeople {
            people: others,
        }))
        .await;
    verify(&mut world, "eva", "+35840000003", Found::Verified).await;
    verify(&mut world, "bela", "+46701000002", Found::Failed).await;
    let found = ready(&mut world).await;
    assert_eq!(found.own_domains, ["example.org"]);
    expect![[r#"
        person:eva 100
        person:finn 45
          amber: nothing ever proved that a way to them works; send a contact check: holdfast directory check
          amber: reached in one way only; add a second number on another device, or a mail address outside the organisation
        person:bela 0
          red: no way to reach them works; add a phone number
          amber: +46701000002 did not work when it was last tried; correct it, then check it again
        person:carl 15
          red: reached only by the organisation's own mail, which goes when its IT does; add a phone number
          amber: nothing ever proved that a way to them works; send a contact check: holdfast directory check
    "#]]
    .assert_eq(&["eva", "finn", "bela", "carl"].map(|key| said(&found, &format!("person:{key}"))).concat());
    world.pass(100 * 86_400);
    let later = ready(&mut world).await;
    assert!(said(&later, "person:eva").contains("no way to them was proven for 100 days"));
}

#[tokio::test]
async fn the_networks_word_proves_a_number() {
    let mut world = World::new().await;
    let before = ready(&mut world).await;
    assert!(said(&before, "person:bela").contains("nothing ever proved"));
    let alert = world.raise(Severity::High, 0, &[&["bela"]]).await;
    let due = crate::deliveries::due(&mut world.conn, world.now, 9)
        .await
        .unwrap();
    world.send_all(1, accepted()).await;
    let detail = String::new();
    world
        .report(due[0].attempt, Report::Delivered { detail })
        .await;
    assert!(world.deliveries(alert).await.contains("delivered"));
    // Putting the person again does not forget it.
    let bela = person("bela", "sv", &[sms("+46701000002")]);
    world
        .run(Command::Recipients(Recipients::PutPeople {
            people: vec![bela],
        }))
        .await;
    let after = ready(&mut world).await;
    expect![[r#"
        person:bela 70
          amber: reached in one way only; add a second number on another device, or a mail address outside the organisation
    "#]]
    .assert_eq(&said(&after, "person:bela"));
}

#[tokio::test]
async fn groups_and_sites_say_who_pulls_them_down() {
    let mut world = World::new().await;
    let at = |key: &str, number: &str| Person {
        details: Details {
            sites: vec!["Turku".to_owned()],
            ..Details::default()
        },
        ..person(key, "en", &[sms(number)])
    };
    let people = vec![at("gus", "+35840000011"), at("hal", "+35840000012")];
    world
        .run(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    verify(&mut world, "gus", "+35840000011", Found::Failed).await;
    let found = ready(&mut world).await;
    expect![[r#"
        group:night 45
          amber: 2 of 2 have something to put right: ANA, BELA; see each of them
        site:Turku 22
          red: 1 of 2 cannot be counted on: GUS; see each of them
          amber: 1 of 2 have something to put right: HAL; see each of them
    "#]]
    .assert_eq(
        &["group:night", "site:Turku"]
            .map(|about| said(&found, about))
            .concat(),
    );
    let first = &found.scores[0];
    assert_eq!(first.reasons[0].grade, Grade::Red, "worst first: {first:?}");
}

#[tokio::test]
async fn nodes_that_hang_on_the_same_thing_are_red() {
    let mut world = World::new().await;
    for (node, provider) in [(1, "Elisa"), (2, "elisa")] {
        let report = MachineReport {
            node: NodeId(node),
            civil_offset_ms: 0,
            moved_ms: 0,
            resumed: false,
            clock_source: String::new(),
            synchronised: None,
            disk: String::new(),
            disk_free_mb: 0,
            power: String::new(),
            runtime_s: None,
            place: Place {
                provider: provider.to_owned(),
                feed: format!("feed {node}"),
                ..Place::default()
            },
        };
        world
            .run(Command::Nodes(Nodes::ReportMachine(report)))
            .await;
    }
    let found = ready(&mut world).await;
    expect![[r#"
        node:alpha 55
          red: it shares its provider (Elisa) with beta; move one of them to another
          amber: nobody said on which hypervisor it hangs; say it in its settings: [site] hypervisor
        node:beta 55
          red: it shares its provider (elisa) with alpha; move one of them to another
          amber: nobody said on which hypervisor it hangs; say it in its settings: [site] hypervisor
    "#]]
    .assert_eq(
        &["node:alpha", "node:beta"]
            .map(|about| said(&found, about))
            .concat(),
    );
}

#[test]
fn a_node_that_is_not_heard_cannot_be_counted_on() {
    let node = |name: &str, reachable| Node {
        name: name.to_owned(),
        reachable,
        sms_up: true,
        mail_up: true,
        hangs_on: Vec::new(),
    };
    let scores = nodes(&[node("alpha", true), node("beta", false)]);
    assert_eq!([scores[0].score, scores[1].score], [100, 0]);
}

#[test]
fn the_domain_most_of_ones_own_people_have_is_ones_own() {
    let own = |all: &[&str]| own_domains(all.iter().copied());
    assert_eq!(own(&["a@x.fi", "b@X.fi", "c@home.fi"]), ["x.fi"]);
    assert!(own(&["a@x.fi"]).is_empty());
    assert!(own(&["a@x.fi", "b@y.fi"]).is_empty());
}

#[tokio::test]
async fn nothing_is_ready_where_there_is_nothing() {
    let mut world = World::empty().await;
    let found = ready(&mut world).await;
    assert_eq!((found.score, found.scores.len()), (0, 0));
}

/// Reads that grow with the people, not with what they were told. The figure is in decision 24.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "measures how long the reads take"
)]
async fn ten_thousand_people_are_bounded_work() {
    let mut world = World::new().await;
    for chunk in 0..10 {
        let people = (0..1_000).map(|n| {
            let n = chunk * 1_000 + n;
            let methods = [
                sms(&format!("+3585{n:07}")),
                mail(&format!("p{n}@example.org")),
            ];
            person(&format!("p{n}"), "fi", &methods)
        });
        let people = people.collect();
        world
            .run(Command::Recipients(Recipients::PutPeople { people }))
            .await;
    }
    let began = std::time::Instant::now();
    let found = ready(&mut world).await;
    let took = began.elapsed();
    eprintln!("readiness of 10,000 people: {} ms", took.as_millis());
    assert!(found.scores.len() > 10_000);
}
