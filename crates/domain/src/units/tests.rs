//! Transcripts of units, and of what accounts limited to one may ask for.

use std::collections::BTreeSet;

use super::limit::{About, of};
use super::{Command as Units, Thing, find, has, list};
use crate::access::Command as Access;
use crate::access::accounts::{self, Command as Accounts};
use crate::alerts::{self, Act, Answer, Severity};
use crate::conversations::{Command as Rooms, Say, Speaker};
use crate::recipients::{self, Command as People, Group, Member, Rule};
use crate::transcript::{World, mail, person, raise, sms};
use crate::{
    Actor, AlertId, Command, NodeId, Outcome, Receipt, RecipientId, Refusal, RoomId, golden,
};

fn norah() -> Actor {
    Actor::Account {
        name: "norah".to_owned(),
    }
}

fn unit(key: &str, above: Option<&str>) -> Command {
    Command::Units(Units::Put {
        key: key.to_owned(),
        name: key.to_uppercase(),
        above: above.map(str::to_owned),
    })
}

fn place(people: &[&str], unit: Option<&str>) -> Command {
    Command::Units(Units::Place {
        people: people.iter().map(|key| (*key).to_owned()).collect(),
        unit: unit.map(str::to_owned),
    })
}

fn limit(account: &str, unit: Option<&str>) -> Command {
    Command::Units(Units::Limit {
        account: account.to_owned(),
        unit: unit.map(str::to_owned),
    })
}

fn account(name: &str, person: Option<&str>) -> Command {
    Command::Access(Access::Accounts(Accounts::Put {
        name: name.to_owned(),
        shown: name.to_owned(),
        person: person.map(str::to_owned),
    }))
}

/// Ana belongs to the north and bela to a plant that is part of it, carl to the south, dora to none; norah's account is
/// limited to the north, sofia's to the south.
async fn world() -> World {
    let mut world = World::new().await;
    for command in [
        unit("north", None),
        unit("plant", Some("north")),
        unit("south", None),
        place(&["ana"], Some("north")),
        place(&["bela"], Some("plant")),
        place(&["carl"], Some("south")),
        account("norah", None),
        account("sofia", None),
        limit("norah", Some("north")),
        limit("sofia", Some("south")),
    ] {
        let done = world.ask(command.clone()).await;
        assert!(matches!(done, Outcome::Applied(_)), "{command:?}: {done:?}");
    }
    world
}

async fn as_norah(world: &mut World, command: Command) -> Outcome {
    world.run_as(norah(), None, command).await
}

async fn goes(world: &mut World, command: Command) {
    let done = as_norah(world, command.clone()).await;
    assert!(
        matches!(done, Outcome::Applied(_) | Outcome::Unchanged),
        "{command:?}: {done:?}"
    );
}

async fn is_beyond(world: &mut World, command: Command) {
    let done = as_norah(world, command.clone()).await;
    let beyond = matches!(
        done,
        Outcome::Refused(
            Refusal::BeyondUnit(_)
                | Refusal::UnknownAlert
                | Refusal::UnknownRoom
                | Refusal::UnknownSchedule(_)
                | Refusal::UnknownRecipient(_)
                | Refusal::NoSuch(_)
        )
    );
    assert!(beyond, "{command:?}: {done:?}");
}

fn raised(steps: &[&[&str]]) -> Command {
    let raise = raise(Severity::High, 60, steps);
    Command::Alerts(alerts::Command::Raise(Box::new(raise)))
}

fn alert_of(done: &Outcome) -> AlertId {
    let Outcome::Applied(receipt) = done else {
        panic!("{done:?}");
    };
    receipt.alert().unwrap().0
}

#[tokio::test]
async fn a_unit_goes_when_nothing_is_left_in_it() {
    let mut world = world().await;
    let north = find(&mut world.conn, "north").await.unwrap().unwrap();
    assert_eq!((north.people, north.accounts), (1, 1));
    let own = list(&mut world.conn, Some("north")).await.unwrap();
    let keys: Vec<&str> = own.iter().map(|unit| unit.key.as_str()).collect();
    assert_eq!(keys, ["north", "plant"]);
    let remove = |key: &str| {
        let key = key.to_owned();
        Command::Units(Units::Remove { key })
    };
    for key in ["north", "plant", "south"] {
        let held = world.ask(remove(key)).await;
        assert!(
            matches!(held, Outcome::Refused(Refusal::NotNow(_))),
            "{key}"
        );
    }
    world.ask(place(&["bela"], None)).await;
    assert_eq!(
        world.ask(remove("plant")).await,
        Outcome::Applied(Receipt::None)
    );
    for bad in [
        unit("plant", Some("nowhere")),
        unit("north", Some("north")),
        place(&["nobody"], Some("north")),
        place(&["ana"], Some("nowhere")),
        limit("norah", Some("nowhere")),
        limit("nobody", Some("north")),
        remove("plant"),
    ] {
        let refused = world.ask(bad.clone()).await;
        assert!(matches!(refused, Outcome::Refused(_)), "{bad:?}");
    }
}

#[tokio::test]
async fn who_is_limited_calls_their_own_people_and_leads_what_called_nobody_else() {
    let mut world = world().await;
    let done = as_norah(&mut world, raised(&[&["ana"], &["bela"]])).await;
    let own = alert_of(&done);
    world.act().await;
    is_beyond(&mut world, raised(&[&["ana"], &["carl"]])).await;
    is_beyond(&mut world, raised(&[&["dora"]])).await;
    let id = RecipientId::of_key;
    let act = |alert, act| {
        Command::Alerts(alerts::Command::Act {
            alert,
            act,
            reason: String::new(),
        })
    };
    let add = |alert, key: &str| {
        let add = Act::Add {
            named: vec![format!("person:{key}")],
            people: vec![id(key)],
        };
        act(alert, add)
    };
    is_beyond(&mut world, add(own, "carl")).await;
    goes(&mut world, act(own, Act::NextStep)).await;
    let answer = |alert, key: &str| {
        Command::Alerts(alerts::Command::Answer {
            alert,
            recipient: id(key),
            answer: Answer::Coming,
            eta_min: None,
        })
    };
    goes(&mut world, answer(own, "ana")).await;

    // One that others were called to as well is seen, and answered for one's own people, but led by somebody else.
    let both = world.raise(Severity::High, 60, &[&["ana", "carl"]]).await;
    goes(&mut world, answer(both, "ana")).await;
    is_beyond(&mut world, answer(both, "carl")).await;
    let resolve = |alert| {
        let note = String::new();
        Command::Alerts(alerts::Command::Resolve { alert, note })
    };
    is_beyond(&mut world, resolve(both)).await;

    let other = world
        .raise(Severity::High, 60, &[&["carl"], &["ana"]])
        .await;
    is_beyond(&mut world, resolve(other)).await;
    for (alert, seen) in [(own, true), (both, true), (other, false)] {
        let room = RoomId::of_alert(alert);
        for thing in [Thing::Alert(alert), Thing::Room(room)] {
            let sees = has(&mut world.conn, "north", thing).await.unwrap();
            assert_eq!(sees, seen, "{thing:?}");
        }
        let say = Say {
            room,
            by: Speaker {
                name: "Norah".to_owned(),
                person: None,
            },
            text: "on my way".to_owned(),
            mark: None,
            unknown: String::new(),
            restricted: false,
        };
        let say = Command::Conversations(Rooms::Say(say));
        match seen {
            true => goes(&mut world, say).await,
            false => is_beyond(&mut world, say).await,
        }
    }
    let listed = |units: &[&str]| {
        units
            .iter()
            .map(|key| (*key).to_owned())
            .collect::<Vec<_>>()
    };
    let conn = &mut world.conn;
    let all = alerts::list_of_units(conn, &listed(&["north", "plant"]), None, None, 10).await;
    let all: Vec<AlertId> = all.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(all.len(), 2);
    assert!(all.contains(&own) && all.contains(&both));
    goes(&mut world, resolve(own)).await;
}

#[tokio::test]
async fn people_groups_and_accounts_that_are_added_belong_to_the_unit() {
    let mut world = world().await;
    let put = |key: &str| {
        let people = vec![person(key, "en", &[sms("+358401000077")])];
        Command::Recipients(People::PutPeople { people })
    };
    for key in ["carl", "dora"] {
        is_beyond(&mut world, put(key)).await;
    }
    goes(&mut world, put("nils")).await;
    goes(&mut world, put("nils")).await;
    let nils = recipients::person(&mut world.conn, "nils").await.unwrap();
    assert_eq!(nils.unwrap().unit.as_deref(), Some("north"));
    // Whoever is put again stays where they are.
    goes(&mut world, put("bela")).await;
    let bela = recipients::person(&mut world.conn, "bela").await.unwrap();
    assert_eq!(bela.unwrap().unit.as_deref(), Some("plant"));
    let remove = |key: &str| {
        let key = key.to_owned();
        Command::Recipients(People::RemovePerson { key })
    };
    is_beyond(&mut world, remove("carl")).await;
    goes(&mut world, remove("nils")).await;
    // The key of somebody who is gone is nobody's: whoever adds it anew has it.
    let again = person("nils", "en", &[mail("nils@example.org")]);
    let sofia = Actor::Account {
        name: "sofia".to_owned(),
    };
    let people = vec![again];
    let again = Command::Recipients(People::PutPeople { people });
    world.run_as(sofia, None, again).await;
    is_beyond(&mut world, put("nils")).await;

    let group = |key: &str, members: &[&str], rule: Rule| {
        let group = Group {
            key: key.to_owned(),
            name: key.to_owned(),
            members: members.iter().map(|key| Member::from(*key)).collect(),
            rule,
        };
        let groups = vec![group];
        Command::Recipients(People::PutGroups { groups })
    };
    goes(&mut world, group("crew", &["ana", "bela"], Rule::default())).await;
    is_beyond(&mut world, group("crew", &["ana", "carl"], Rule::default())).await;
    is_beyond(&mut world, group("none", &[], Rule::default())).await;
    let everybody = Rule {
        all_of: vec![recipients::Criterion::Kind(
            recipients::PersonKind::Internal,
        )],
        any_of: Vec::new(),
    };
    is_beyond(&mut world, group("all", &["ana"], everybody)).await;
    let mixed = group("mixed", &["ana", "carl"], Rule::default());
    world.ask(mixed).await;
    is_beyond(&mut world, group("mixed", &["ana"], Rule::default())).await;
    let key = "mixed".to_owned();
    is_beyond(&mut world, Command::Recipients(People::RemoveGroup { key })).await;

    goes(&mut world, account("bela", Some("bela"))).await;
    let bela = accounts::account(&mut world.conn, "bela").await.unwrap();
    assert_eq!(bela.unwrap().unit.as_deref(), Some("north"));
    is_beyond(&mut world, account("carl", Some("carl"))).await;
    is_beyond(&mut world, account("sofia", None)).await;
    let roles = |name: &str| {
        Command::Access(Access::Accounts(Accounts::SetRoles {
            name: name.to_owned(),
            roles: vec!["responder".to_owned()],
        }))
    };
    goes(&mut world, roles("bela")).await;
    is_beyond(&mut world, roles("sofia")).await;
    is_beyond(&mut world, limit("norah", None)).await;
    is_beyond(&mut world, limit("bela", Some("south"))).await;
    is_beyond(&mut world, place(&["carl"], Some("north"))).await;
}

#[tokio::test]
async fn who_is_limited_to_nothing_is_asked_nothing() {
    let mut world = world().await;
    assert_eq!(
        world.ask(limit("norah", None)).await,
        Outcome::Applied(Receipt::None)
    );
    goes(&mut world, raised(&[&["ana", "carl", "dora"]])).await;
    let by_key = Actor::ApiKey {
        id: "norah".to_owned(),
    };
    world.ask(limit("norah", Some("north"))).await;
    let done = world.run_as(by_key, None, raised(&[&["carl"]])).await;
    alert_of(&done);
}

#[tokio::test]
async fn an_admin_who_is_signed_in_limits_no_admin_and_widens_none() {
    let mut world = world().await;
    let admin = Command::Access(Access::Accounts(Accounts::SetRoles {
        name: "norah".to_owned(),
        roles: vec!["admin".to_owned()],
    }));
    let at_a_node = Actor::Operator { node: NodeId(1) };
    world.run_as(at_a_node, None, admin).await;
    let boss = Actor::Account {
        name: "boss".to_owned(),
    };
    world.ask(account("boss", None)).await;
    for unit in [None, Some("south")] {
        let refused = world.run_as(boss.clone(), None, limit("norah", unit)).await;
        assert!(
            matches!(refused, Outcome::Refused(Refusal::TakesTwo)),
            "{refused:?}"
        );
    }
    let applied = world.run_as(boss, None, limit("sofia", None)).await;
    assert!(matches!(applied, Outcome::Applied(_)), "{applied:?}");
}

/// Each kind of command, by the name of its bytes: what nobody limited to a unit asks for is about the whole organisation, and
/// what stands here was let through by hand.
#[test]
fn every_command_is_about_something() {
    let nobody: BTreeSet<&str> = golden::samples()
        .iter()
        .filter(|(_, command)| of(command, &norah()).is_empty())
        .map(|(name, _)| *name)
        .filter(|name| !name.starts_with("accounts."))
        .collect();
    let through = BTreeSet::from(["passes.send_code", "reports.take"]);
    assert_eq!(nobody, through);
    for (name, command) in golden::samples() {
        let whole = of(&command, &norah())
            .iter()
            .any(|about| matches!(about, About::Whole));
        let slice = name.split('.').next().unwrap_or_default();
        let never = [
            "nodes",
            "limits",
            "sources",
            "templates",
            "units",
            "audit",
            "zones",
        ];
        assert!(whole || !never.contains(&slice), "{name}");
    }
}
