//! "Two with first aid", "one at each site": what is enough, by what the directory knows of people.

use expect_test::expect;

use super::{begun, ids, is_enough, room, say};
use crate::Command;
use crate::escalation::{Among, Answer, Quota, quotas};
use crate::oncall::{Called, Of, WantedQuota};
use crate::outcome::Refusal;
use crate::recipients::{Command as Recipients, Details, Named};
use crate::time::Civil;
use crate::transcript::{World, person, raise, sms};
use crate::vocabulary::Severity;

/// Ana and bela know first aid; ana and carl are in Turku, bela in Espoo, dora is at no site.
async fn organisation() -> World {
    let mut world = World::new().await;
    let known = |key: &str, number: &str, skills: &[&str], sites: &[&str]| {
        let of = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        let mut person = person(key, "en", &[sms(number)]);
        person.details = Details {
            skills: of(skills),
            sites: of(sites),
            ..Details::default()
        };
        person
    };
    let people = vec![
        known("ana", "+358401000001", &["first-aid"], &["Turku"]),
        known("bela", "+46701000002", &["first-aid"], &["Espoo"]),
        known("carl", "+358401000003", &[], &["Turku"]),
    ];
    world
        .run(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    world
}

fn wanted(count: u32, of: Of) -> WantedQuota {
    WantedQuota {
        what: String::new(),
        count,
        of,
    }
}

async fn found(
    world: &mut World,
    wanted: WantedQuota,
    called: &[&str],
) -> Result<Vec<Quota>, String> {
    let at = Civil::default().at(world.now);
    let found = quotas(&mut world.conn, &[wanted], &ids(called), at)
        .await
        .unwrap();
    match found {
        Ok(found) => Ok(found.quotas),
        Err(Refusal::Invalid(why)) => Err(why),
        Err(other) => Err(other.to_string()),
    }
}

#[tokio::test]
async fn a_skill_means_those_called_who_have_it() {
    let mut world = organisation().await;
    let first_aid = || wanted(2, Of::Skill("first-aid".to_owned()));
    let quota = found(&mut world, first_aid(), &["dora", "bela", "ana"]).await;
    assert_eq!(
        quota.unwrap(),
        [Quota {
            what: "first-aid".to_owned(),
            among: Among::Listed(ids(&["bela", "ana"])),
            count: 2
        }]
    );
    let nobody_called = found(&mut world, first_aid(), &["dora"]).await.unwrap_err();
    expect![[
        r#"nobody this alert calls has the skill "first-aid", though 2 in the directory do; call some of them as well"#
    ]]
    .assert_eq(&nobody_called);
    let diver = wanted(1, Of::Skill("diver".to_owned()));
    let nobody = found(&mut world, diver, &["ana"]).await.unwrap_err();
    expect![[
        r#"nobody has the skill "diver"; say so of somebody in the directory or leave the condition out"#
    ]]
    .assert_eq(&nobody);
}

#[tokio::test]
async fn one_at_each_site_is_a_condition_for_every_site() {
    let mut world = organisation().await;
    let each = || wanted(1, Of::EachSite);
    let quotas = found(&mut world, each(), &["dora", "bela", "carl", "ana"])
        .await
        .unwrap();
    let sites: Vec<&str> = quotas.iter().map(|quota| quota.what.as_str()).collect();
    assert_eq!(sites, ["Espoo", "Turku"]);
    let nowhere = found(&mut world, each(), &["dora"]).await.unwrap_err();
    assert!(nowhere.contains("belongs to a site"), "{nowhere}");
    let mut new = raise(
        Severity::High,
        300,
        &[&["ana", "bela", "carl", "dora"], &["dora"]],
    );
    new.steps[0].enough = quotas;
    let alert = begun(&mut world, new).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    say(&mut world, alert, "carl", Answer::Coming).await;
    assert!(
        !is_enough(&mut world, alert).await,
        "two of Turku, nobody of Espoo"
    );
    say(&mut world, alert, "bela", Answer::Coming).await;
    assert!(is_enough(&mut world, alert).await);
}

#[tokio::test]
async fn fewer_than_wanted_are_all_wanted_and_the_room_is_told() {
    let mut world = organisation().await;
    let at = Civil::default().at(world.now);
    let site = wanted(3, Of::Site("Turku".to_owned()));
    let called = ids(&["ana", "carl", "dora"]);
    let found = quotas(&mut world.conn, &[site], &called, at)
        .await
        .unwrap()
        .unwrap();
    let mut new = raise(Severity::High, 300, &[&["ana", "carl"], &["dora"]]);
    new.steps[0].enough = found.quotas;
    new.notes = found.notes;
    let alert = begun(&mut world, new).await;
    let said = room(&mut world, alert).await;
    assert!(
        said.contains(r#"Wanted 3 of "Turku", but only 2 are called; all of them are wanted."#),
        "{said}"
    );
    say(&mut world, alert, "ana", Answer::Coming).await;
    say(&mut world, alert, "carl", Answer::Coming).await;
    assert!(is_enough(&mut world, alert).await);
}

#[tokio::test]
async fn who_learns_a_skill_later_is_not_in_a_running_alert() {
    let mut world = organisation().await;
    let first_aid = wanted(1, Of::Skill("first-aid".to_owned()));
    let quotas = found(&mut world, first_aid, &["ana", "carl"])
        .await
        .unwrap();
    let mut new = raise(Severity::High, 300, &[&["ana", "carl"], &["dora"]]);
    new.steps[0].enough = quotas;
    let alert = begun(&mut world, new).await;
    let mut carl = person("carl", "en", &[sms("+358401000003")]);
    carl.details.skills = vec!["first-aid".to_owned()];
    let people = vec![carl];
    world
        .run(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    say(&mut world, alert, "carl", Answer::Coming).await;
    assert!(!is_enough(&mut world, alert).await, "frozen at the raise");
}

#[tokio::test]
async fn an_unknown_name_is_refused_by_name() {
    let mut world = organisation().await;
    let names = vec![Called::Named(Named::Group("divers".to_owned()))];
    let refused = found(&mut world, wanted(1, Of::Called(names)), &["ana"])
        .await
        .unwrap_err();
    assert!(refused.contains("unknown group divers"), "{refused}");
    let all = found(&mut world, wanted(u32::MAX, Of::Anyone), &["ana"])
        .await
        .unwrap_err();
    assert!(all.contains("all of somebody"), "{all}");
}
