//! Who is in a group, by name, by rule and through other groups.

use sqlx::Row as _;

use crate::recipients::query::FOUND_BY_RULES;
use crate::recipients::{
    Command as Recipients, Criterion, Group, Member, Named, Person, Rule, group, occupancy, resolve,
};
use crate::transcript::{World, person, sms};
use crate::{Command, Outcome, RecipientId, Refusal};

fn of(key: &str, members: &[&str], all_of: &[&str], any_of: &[&str]) -> Group {
    let criteria = |texts: &[&str]| texts.iter().map(|t| Criterion::parse(t).unwrap()).collect();
    Group {
        key: key.to_owned(),
        name: key.to_uppercase(),
        members: members.iter().map(|m| Member::parse(m)).collect(),
        rule: Rule {
            all_of: criteria(all_of),
            any_of: criteria(any_of),
        },
    }
}

async fn put(world: &mut World, groups: Vec<Group>) -> Outcome {
    world
        .ask(Command::Recipients(Recipients::PutGroups { groups }))
        .await
}

/// Ana and carl know networks, bela knows fire; ana and bela are in Turku.
async fn skilled() -> World {
    let mut world = World::new().await;
    let able = |key: &str, number: &str, skill: &str, site: &str| {
        let mut able = person(key, "en", &[sms(number)]);
        able.details.skills = vec![skill.to_owned()];
        able.details.sites = vec![site.to_owned()];
        able
    };
    let people = vec![
        able("ana", "+358401000001", "network", "Turku"),
        able("bela", "+358401000002", "fire", "Turku"),
        able("carl", "+358401000003", "network", "Oulu"),
    ];
    world
        .ask(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    world
}

async fn called(world: &mut World, key: &str) -> Vec<RecipientId> {
    let names = [Named::Group(key.to_owned())];
    resolve(&mut world.conn, &names).await.unwrap().unwrap()
}

#[tokio::test]
async fn rules_find_people_as_they_are_now_and_nobody_twice() {
    let mut world = skilled().await;
    let groups = vec![
        of("network", &[], &["skill:network"], &[]),
        of("turku-net", &[], &["skill:network", "site:Turku"], &[]),
        of("able", &["dora"], &[], &["skill:fire", "skill:network"]),
        of(
            "locals",
            &[],
            &["site:Turku"],
            &["skill:fire", "kind:supplier"],
        ),
        of("own", &["carl"], &["kind:internal"], &[]),
    ];
    put(&mut world, groups).await;
    for (key, expected) in [
        ("network", vec!["ana", "carl"]),
        ("turku-net", vec!["ana"]),
        ("able", vec!["dora", "ana", "bela", "carl"]),
        ("locals", vec!["bela"]),
        ("own", vec!["carl", "ana", "bela", "dora"]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(RecipientId::of_key).collect();
        assert_eq!(called(&mut world, key).await, expected, "{key}");
    }
    // Whoever is removed, or does not know networks any more, is not called.
    let mut ana: Person = person("ana", "en", &[sms("+358401000001")]);
    ana.details.skills = vec!["fire".to_owned()];
    let people = vec![ana];
    world
        .ask(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    let key = "carl".to_owned();
    world
        .ask(Command::Recipients(Recipients::RemovePerson { key }))
        .await;
    assert_eq!(called(&mut world, "network").await, []);
}

#[tokio::test]
async fn groups_name_groups_and_everyone_is_explained() {
    let mut world = skilled().await;
    let groups = vec![
        of(
            "all",
            &["dora", "group:night", "group:network", "ana"],
            &[],
            &[],
        ),
        of(
            "network",
            &["bela"],
            &["skill:network"],
            &["site:Turku", "site:Oulu"],
        ),
    ];
    put(&mut world, groups).await;
    let (count, page) = occupancy(&mut world.conn, "all", 0, 10)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(count, 4);
    let shown: Vec<String> = page
        .iter()
        .map(|one| {
            let why = one.why.iter().map(|why| {
                let matches: Vec<String> = why.matches.iter().map(Criterion::to_string).collect();
                format!("[{} {}]", why.through.join(">"), matches.join(" "))
            });
            format!("{} {}", one.person.key, why.collect::<String>())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "dora [ ]",
            "ana [night ][network skill:network site:Turku][ ]",
            "bela [night ][network ]",
            "carl [network skill:network site:Oulu]",
        ]
    );
    let expected = ["dora", "ana", "bela", "carl"].map(RecipientId::of_key);
    assert_eq!(called(&mut world, "all").await, expected);
    let (count, rest) = occupancy(&mut world.conn, "all", 3, 10)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (count, rest.len(), rest[0].person.key.as_str()),
        (4, 1, "carl")
    );
    assert_eq!(
        occupancy(&mut world.conn, "nobody", 0, 10).await.unwrap(),
        None
    );
    let kept = group(&mut world.conn, "all").await.unwrap().unwrap();
    let members: Vec<String> = kept.members.iter().map(Member::to_string).collect();
    assert_eq!(members, ["dora", "group:night", "group:network", "ana"]);
}

#[tokio::test]
async fn a_loop_is_refused_with_its_path_whether_it_comes_at_once_or_bit_by_bit() {
    let mut world = World::new().await;
    let at_once = vec![
        of("a", &["group:b"], &[], &[]),
        of("b", &["group:c"], &[], &[]),
        of("c", &["group:a"], &[], &[]),
    ];
    let Outcome::Refused(Refusal::Invalid(why)) = put(&mut world, at_once).await else {
        panic!("a loop was taken")
    };
    assert!(why.contains("a → b → c → a"), "{why}");
    assert_eq!(group(&mut world.conn, "a").await.unwrap(), None);
    put(&mut world, vec![of("b", &["group:night"], &[], &[])]).await;
    put(&mut world, vec![of("a", &["group:b"], &[], &[])]).await;
    let back = put(&mut world, vec![of("night", &["ana", "group:a"], &[], &[])]).await;
    let Outcome::Refused(Refusal::Invalid(why)) = back else {
        panic!("a loop was taken")
    };
    assert!(why.contains("a → b → night → a"), "{why}");
    let unknown = put(&mut world, vec![of("d", &["group:nobody"], &[], &[])]).await;
    assert_eq!(
        unknown,
        Outcome::Refused(Refusal::UnknownGroup("nobody".to_owned()))
    );
}

#[tokio::test]
async fn a_group_that_others_name_is_not_removed_from_under_them() {
    let mut world = World::new().await;
    put(&mut world, vec![of("all", &["group:night"], &[], &[])]).await;
    let remove = |key: &str| {
        let key = key.to_owned();
        Command::Recipients(Recipients::RemoveGroup { key })
    };
    let Outcome::Refused(Refusal::Invalid(why)) = world.ask(remove("night")).await else {
        panic!("it was removed")
    };
    assert!(why.contains("all names night"), "{why}");
    world.ask(remove("all")).await;
    assert!(matches!(
        world.ask(remove("night")).await,
        Outcome::Applied(_)
    ));
}

#[tokio::test]
async fn rules_go_by_index_and_look_at_nobody_else() {
    let mut world = World::new().await;
    let plan: Vec<String> = sqlx::query(sqlx::AssertSqlSafe(format!(
        "explain query plan {FOUND_BY_RULES}"
    )))
    .bind("[]") // steps come in the order of the plan: it takes no order by
    .fetch_all(&mut world.conn)
    .await
    .unwrap()
    .iter()
    .map(|row| row.get::<String, _>("detail"))
    .collect();
    let scanned: Vec<&String> = plan
        .iter()
        .filter(|step| {
            step.starts_with("SCAN") && !step.starts_with("SCAN m") && !step.contains("json_each")
        })
        .collect();
    assert_eq!(scanned, Vec::<&String>::new(), "{plan:#?}");
    assert!(
        plan.iter()
            .any(|step| step.contains("SEARCH l USING PRIMARY KEY")),
        "{plan:#?}"
    );
}

#[tokio::test]
async fn a_hundred_thousand_are_found_once_each_through_two_groups() {
    let mut world = World::empty().await;
    for batch in 0..10 {
        let people = (0..10_000)
            .map(|n| {
                let number = batch * 10_000 + n;
                let mut one = person(
                    &format!("p{number:06}"),
                    "en",
                    &[sms(&format!("+35840{number:07}"))],
                );
                one.details.skills = vec!["evacuate".to_owned()];
                one
            })
            .collect();
        world
            .run(Command::Recipients(Recipients::PutPeople { people }))
            .await;
    }
    let groups = vec![
        of(
            "all",
            &["p099999", "group:skilled"],
            &["kind:internal"],
            &[],
        ),
        of("skilled", &[], &["skill:evacuate"], &[]),
    ];
    put(&mut world, groups).await;
    let ids = called(&mut world, "all").await;
    assert_eq!(ids.len(), 100_000);
    assert_eq!(ids[0], RecipientId::of_key("p099999"));
    assert_eq!(ids[1], RecipientId::of_key("p000000"));
}
