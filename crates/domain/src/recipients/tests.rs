//! Transcripts of people and groups.

use super::{
    Command as Recipients, Group, Named, by_address, group, people, person as find, resolve,
};
use crate::transcript::{World, mail, person, sms};
use crate::{Command, Outcome, RecipientId, Refusal};

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
    let members = ["carl", "ana", "carl"].map(str::to_owned).to_vec();
    let groups = vec![Group {
        key: "day".to_owned(),
        name: "Day".to_owned(),
        members,
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
        ["carl", "ana"]
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
    let page = people(&mut world.conn, "ana", 2).await.unwrap();
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
        ["bela"]
    );
}
