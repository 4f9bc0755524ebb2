//! Transcripts of people and groups.

mod imports;
mod members;

use super::{
    Command as Recipients, Details, Found, Group, Member, Named, Person, PersonKind, Rule, Verify,
    Wishes, by_address, check_person, group, parse_hours, people, person as find, resolve,
};
use crate::alerts::Severity;
use crate::transcript::{World, mail, person, sms};
use crate::{Command, Outcome, Receipt, RecipientId, Refusal};

#[tokio::test]
async fn bad_people_are_refused_in_words_and_nothing_of_the_batch_is_kept() {
    let mut world = World::new().await;
    for (bad, word) in [
        (person("eve", "en", &[sms("0401234567")]), "country code"),
        (person("eve", "en", &[]), "no contact method"),
        (
            person("eve", "english", &[sms("+358401234567")]),
            "language",
        ),
        (person("e v e", "en", &[sms("+358401234567")]), "key"),
        (
            person("eve", "en", &[mail("eve@example.org\r\nBcc: x@y.z")]),
            "mail address",
        ),
    ] {
        let people = vec![person("good", "en", &[sms("+358401234568")]), bad];
        let outcome = world
            .ask(Command::Recipients(Recipients::PutPeople { people }))
            .await;
        let Outcome::Refused(Refusal::Invalid(why)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(why.contains(word), "{why}");
        assert_eq!(find(&mut world.conn, "good").await.unwrap(), None);
    }
}

#[tokio::test]
async fn groups_name_people_in_calling_order_each_once() {
    let mut world = World::new().await;
    let members = ["carl", "ana", "carl"].map(Member::from).to_vec();
    let groups = vec![Group {
        key: "day".to_owned(),
        name: "Day".to_owned(),
        members,
        rule: Rule::default(),
    }];
    world
        .ask(Command::Recipients(Recipients::PutGroups { groups }))
        .await;
    assert_eq!(
        group(&mut world.conn, "day")
            .await
            .unwrap()
            .unwrap()
            .members,
        ["carl", "ana"].map(Member::from)
    );
    let names = [
        Named::Person("ana".to_owned()),
        Named::Group("day".to_owned()),
        Named::Group("night".to_owned()),
    ];
    let ids = resolve(&mut world.conn, &names).await.unwrap().unwrap();
    assert_eq!(ids, ["ana", "carl", "bela"].map(RecipientId::of_key));
    let unknown = resolve(&mut world.conn, &[Named::Group("nobody".to_owned())])
        .await
        .unwrap();
    assert_eq!(unknown, Err(Refusal::UnknownGroup("nobody".to_owned())));
}

#[tokio::test]
async fn a_group_with_a_stranger_is_refused_by_name() {
    let mut world = World::new().await;
    let groups = vec![Group {
        key: "g".into(),
        name: "G".into(),
        members: vec!["ana".into(), "zoe".into()],
        rule: Rule::default(),
    }];
    let outcome = world
        .ask(Command::Recipients(Recipients::PutGroups { groups }))
        .await;
    assert_eq!(
        outcome,
        Outcome::Refused(Refusal::UnknownRecipient("zoe".to_owned()))
    );
}

#[tokio::test]
async fn people_are_found_by_number_and_listed_by_key() {
    let mut world = World::new().await;
    let found = by_address(&mut world.conn, "sms", "+46701000002")
        .await
        .unwrap();
    assert_eq!(
        found.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(),
        ["bela"]
    );
    assert_eq!(found[0].groups, ["night"]);
    let page = people(&mut world.conn, None, "ana", 2).await.unwrap();
    assert_eq!(
        page.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(),
        ["bela", "carl"]
    );
}

#[tokio::test]
async fn a_removed_person_leaves_every_group() {
    let mut world = World::new().await;
    world
        .ask(Command::Recipients(Recipients::RemovePerson {
            key: "ana".to_owned(),
        }))
        .await;
    assert_eq!(find(&mut world.conn, "ana").await.unwrap(), None);
    assert_eq!(
        group(&mut world.conn, "night")
            .await
            .unwrap()
            .unwrap()
            .members,
        ["bela"].map(Member::from)
    );
}

fn detailed() -> Person {
    let mut ana = person(
        "ana",
        "fi",
        &[sms("+358401000001"), mail("ana@example.org")],
    );
    ana.details = Details {
        kind: PersonKind::Supplier,
        duty: true,
        more_languages: vec!["sv".to_owned(), "en".to_owned()],
        zone: "Europe/Helsinki".to_owned(),
        tags: vec!["night shift".to_owned()],
        skills: vec!["network".to_owned()],
        sites: vec!["Jyväskylä".to_owned()],
        hours: parse_hours("Mon-Fri 08:00-16:00, Sat 22:00-06:00").unwrap(),
        wishes: Wishes {
            never_voice: true,
            wake_by: Some("bela".to_owned()),
            answer_minutes: Some(20),
        },
        note: "Knows the pumps".to_owned(),
    };
    ana
}

async fn put(world: &mut World, person: Person) -> Outcome {
    let people = vec![person];
    world
        .ask(Command::Recipients(Recipients::PutPeople { people }))
        .await
}

#[tokio::test]
async fn everything_said_of_a_person_is_kept() {
    let mut world = World::new().await;
    assert_eq!(
        put(&mut world, detailed()).await,
        Outcome::Applied(Receipt::Count(1))
    );
    let kept = find(&mut world.conn, "ana").await.unwrap().unwrap();
    assert_eq!(kept.into_person(), detailed());
    // Once the waker is gone, nobody is asked to wake by a key that names nobody.
    let key = "bela".to_owned();
    world
        .ask(Command::Recipients(Recipients::RemovePerson { key }))
        .await;
    let kept = find(&mut world.conn, "ana").await.unwrap().unwrap();
    assert_eq!(kept.details.wishes.wake_by, None);
    assert_eq!(
        put(&mut world, detailed()).await,
        Outcome::Refused(Refusal::UnknownRecipient("bela".to_owned()))
    );
}

#[tokio::test]
async fn details_out_of_form_are_refused_in_words() {
    let mut world = World::new().await;
    type Spoil = fn(&mut Person);
    let long = |len| "x".repeat(len);
    assert!(check_person(&detailed()).is_ok());
    let cases: [(Spoil, &str); 13] = [
        (|p| p.name = " Ana".to_owned(), "without blanks"),
        (
            |p| p.details.zone = "Europe/Hel sinki".to_owned(),
            "IANA name",
        ),
        (|p| p.details.zone = "../etc/passwd".to_owned(), "IANA name"),
        (
            |p| p.details.more_languages = vec!["Swedish".to_owned()],
            "language",
        ),
        (|p| p.details.tags = vec!["a;b".to_owned()], "is not a tag"),
        (
            |p| p.details.skills = vec!["x\0".to_owned()],
            "is not a skill",
        ),
        (
            |p| p.details.sites = vec!["a".to_owned(), "a".to_owned()],
            "twice",
        ),
        (
            |p| p.details.tags = (0..31).map(|n| n.to_string()).collect(),
            "more than 30 tags",
        ),
        (
            |p| p.details.wishes.wake_by = Some("ana".to_owned()),
            "somebody else",
        ),
        (
            |p| p.details.wishes.answer_minutes = Some(0),
            "minutes to answer",
        ),
        (|p| p.details.hours[0].until = 2_000, "windows of the week"),
        (|p| p.details.note = "a\nb".to_owned(), "line breaks"),
        (|p| p.methods.push(p.methods[0].clone()), "named twice"),
    ];
    for (spoil, word) in cases {
        let mut person = detailed();
        spoil(&mut person);
        let Outcome::Refused(Refusal::Invalid(why)) = put(&mut world, person).await else {
            panic!("{word}")
        };
        assert!(why.contains(word), "{why}");
    }
    let mut person = detailed();
    person.details.note = long(501);
    assert!(check_person(&person).unwrap_err().contains("at most 500"));
}

#[tokio::test]
async fn what_was_found_out_about_a_number_stays_as_long_as_the_number_does() {
    let mut world = World::new().await;
    let verify = |method, found| {
        Command::Recipients(Recipients::Verify(Verify {
            person: "ana".to_owned(),
            method,
            found,
            how: "answered by sms".to_owned(),
        }))
    };
    world
        .ask(verify(sms("+358401000001"), Found::Verified))
        .await;
    let strange = world
        .ask(verify(sms("+358409999999"), Found::Verified))
        .await;
    assert!(matches!(
        strange,
        Outcome::Refused(Refusal::UnknownRecipient(_))
    ));
    // The order changes, the number stays.
    let swapped = person(
        "ana",
        "fi",
        &[mail("ana@example.org"), sms("+358401000001")],
    );
    put(&mut world, swapped).await;
    let ana = find(&mut world.conn, "ana").await.unwrap().unwrap();
    assert_eq!(ana.verification[0].found, Found::Unverified);
    assert_eq!(ana.verification[1].found, Found::Verified);
    assert_eq!(ana.verification[1].how, "answered by sms");
    assert_eq!(ana.verification[1].at, Some(world.now));
    put(&mut world, person("ana", "fi", &[sms("+358401000009")])).await;
    let ana = find(&mut world.conn, "ana").await.unwrap().unwrap();
    assert_eq!(ana.verification[0].found, Found::Unverified);
}

#[tokio::test]
async fn premium_and_satellite_numbers_get_no_text_unless_a_longer_beginning_is_allowed() {
    let mut world = World::new().await;
    let methods = [sms("+881612345678"), mail("eve@example.org")];
    put(&mut world, person("eve", "en", &methods)).await;
    let alert = world.raise(Severity::High, 0, &[&["eve"]]).await;
    let barred = "eve page 1.0 email pending\n\
        eve page 1.0 sms failed (no text goes to satellite numbers (+881); see `holdfast directory barred`)\n";
    assert_eq!(world.deliveries(alert).await, barred);
    let prefixes = super::prefixes(&mut world.conn).await.unwrap();
    let one = super::Prefixes {
        allowed: vec!["+8816123".to_owned()],
        ..prefixes
    };
    assert_eq!(super::check_prefix(&one, &sms("+881612345678")), Ok(()));
    assert!(super::check_prefix(&one, &sms("+881712345678")).is_err());
    let none = Recipients::BarPrefixes { barred: Vec::new() };
    world.ask(Command::Recipients(none)).await;
    let alert = world.raise(Severity::High, 0, &[&["eve"]]).await;
    assert!(
        world
            .deliveries(alert)
            .await
            .contains("eve page 1.0 sms pending")
    );
}

#[tokio::test]
async fn a_number_that_is_not_allowed_fails_in_sight_and_the_next_method_is_tried() {
    let mut world = World::new().await;
    let allow = |prefixes: &[&str]| {
        let prefixes = prefixes.iter().map(|p| (*p).to_owned()).collect();
        Command::Recipients(Recipients::AllowPrefixes { prefixes })
    };
    for bad in ["358", "+", "+0", "+35 8", "+35840123456789"] {
        let refused = world.ask(allow(&[bad])).await;
        assert!(
            matches!(refused, Outcome::Refused(Refusal::Invalid(_))),
            "{bad}"
        );
    }
    world.ask(allow(&["+46", "+358"])).await;
    let alert = world
        .raise(Severity::High, 0, &[&["ana", "bela", "dora"]])
        .await;
    let shown = world.deliveries(alert).await;
    for line in [
        "ana page 1.0 sms pending\n",
        "ana page 1.0 email standby\n",
        "bela page 1.0 sms pending\n",
        "dora page 1.0 sms failed (no text may go to numbers that begin like this; see `holdfast directory prefixes`)\n",
        "dora page 1.0 email pending\n",
    ] {
        assert!(shown.contains(line), "{line}{shown}");
    }
}
