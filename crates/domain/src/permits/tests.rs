//! Transcripts of what takes two.

use super::{Ask, Command as Permits, LET_TIME, PermitState, WAIT, find, list, request_digest};
use crate::access::Command as Access;
use crate::access::accounts::Command as Accounts;
use crate::limits::{Amount, Budget, Command as Limits};
use crate::transcript::World;
use crate::{Actor, Command, NodeId, Outcome, Receipt, Refusal, RequestId, apply_batch};

const ROLES: &str = "/v1/accounts/bela/roles";
const BODY: &str = r#"{"roles":["admin"]}"#;

fn by(name: &str) -> Actor {
    Actor::Account {
        name: name.to_owned(),
    }
}

fn of_accounts(command: Accounts) -> Command {
    Command::Access(Access::Accounts(command))
}

fn roles(name: &str, roles: &[&str]) -> Command {
    of_accounts(Accounts::SetRoles {
        name: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    })
}

async fn add(world: &mut World, name: &str, person: Option<&str>, given: &[&str]) {
    let put = Accounts::Put {
        name: name.to_owned(),
        shown: name.to_owned(),
        person: person.map(str::to_owned),
    };
    world.ask(of_accounts(put)).await;
    world.ask(roles(name, given)).await;
}

/// Administrators ana, dora and twin, who is ana as well, and bela, who is none, of a cluster that is set up.
async fn world() -> World {
    let mut world = World::new().await;
    sqlx::query("insert into setup (id, finished_at_ms, finished_by) values (1, 0, 'operator')")
        .execute(&mut world.conn)
        .await
        .unwrap();
    add(&mut world, "ana", Some("ana"), &["admin"]).await;
    add(&mut world, "dora", Some("dora"), &["admin"]).await;
    add(&mut world, "twin", Some("ana"), &["admin"]).await;
    add(&mut world, "bela", Some("bela"), &["responder"]).await;
    world
}

/// As an API would ask for it with this body.
async fn does(world: &mut World, who: &str, digest: [u8; 32], command: Command) -> Outcome {
    let request = RequestId::derive(&[who.as_bytes(), &world.now.0.to_be_bytes(), &digest]);
    world.pass(1);
    let entry = world.entry(request, digest, by(who), None, command);
    apply_batch(&mut world.conn, &[entry])
        .await
        .unwrap()
        .remove(0)
}

async fn asks(world: &mut World, who: &str, method: &str, path: &str, body: &str) -> Outcome {
    let ask = Ask {
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        name: who.to_owned(),
        reason: "Bela takes over".to_owned(),
    };
    world
        .run_as(by(who), None, Command::Permits(Permits::Ask(ask)))
        .await
}

async fn lets(world: &mut World, who: &str, number: u64) -> Outcome {
    world
        .run_as(by(who), None, Command::Permits(Permits::Let { number }))
        .await
}

fn number(outcome: &Outcome) -> u64 {
    let Outcome::Applied(Receipt::Number(number)) = outcome else {
        panic!("{outcome:?}");
    };
    *number
}

fn is_not_now(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Refusal::NotNow(_)))
}

#[tokio::test]
async fn one_asks_another_lets_it_and_it_is_done_once() {
    let mut world = world().await;
    let digest = request_digest("PUT", ROLES, BODY.as_bytes());
    let grant = || roles("bela", &["admin"]);
    let alone = does(&mut world, "ana", digest, grant()).await;
    assert_eq!(alone, Outcome::Refused(Refusal::TakesTwo));
    let asked = asks(&mut world, "ana", "PUT", ROLES, BODY).await;
    let asked = number(&asked);
    let again = asks(&mut world, "ana", "PUT", ROLES, BODY).await;
    assert_eq!(number(&again), asked, "asking again is asking for the same");
    for who in ["ana", "twin"] {
        assert!(is_not_now(&lets(&mut world, who, asked).await), "{who}");
    }
    let early = does(&mut world, "ana", digest, grant()).await;
    assert_eq!(early, Outcome::Refused(Refusal::TakesTwo));
    assert_eq!(
        lets(&mut world, "dora", asked).await,
        Outcome::Applied(Receipt::None)
    );
    assert_eq!(lets(&mut world, "dora", asked).await, Outcome::Unchanged);
    for (who, digest) in [
        ("dora", digest),
        ("ana", request_digest("PUT", ROLES, b"{}")),
    ] {
        let other = does(&mut world, who, digest, grant()).await;
        assert_eq!(other, Outcome::Refused(Refusal::TakesTwo), "{who}");
    }
    let done = does(&mut world, "ana", digest, grant()).await;
    assert_eq!(done, Outcome::Applied(Receipt::None));
    let row = find(&mut world.conn, asked).await.unwrap().unwrap();
    assert_eq!(row.state(world.now), PermitState::Used);
    world.ask(roles("bela", &["responder"])).await;
    let twice = does(&mut world, "ana", digest, grant()).await;
    assert_eq!(twice, Outcome::Refused(Refusal::TakesTwo));
    assert!(is_not_now(&lets(&mut world, "dora", asked).await));
}

#[tokio::test]
async fn what_nobody_lets_or_does_in_time_is_void() {
    let mut world = world().await;
    let asked = number(&asks(&mut world, "ana", "PUT", ROLES, BODY).await);
    world.pass(i64::try_from(WAIT.as_secs()).unwrap());
    assert!(is_not_now(&lets(&mut world, "dora", asked).await));
    let asked = number(&asks(&mut world, "ana", "PUT", ROLES, BODY).await);
    lets(&mut world, "dora", asked).await;
    world.pass(i64::try_from(LET_TIME.as_secs()).unwrap());
    let digest = request_digest("PUT", ROLES, BODY.as_bytes());
    let late = does(&mut world, "ana", digest, roles("bela", &["admin"])).await;
    assert_eq!(late, Outcome::Refused(Refusal::TakesTwo));
    let asked = number(&asks(&mut world, "ana", "PUT", ROLES, BODY).await);
    let drop = Command::Permits(Permits::Drop { number: asked });
    world.run_as(by("dora"), None, drop).await;
    assert!(is_not_now(&lets(&mut world, "dora", asked).await));
    assert_eq!(list(&mut world.conn).await.unwrap().len(), 3);
}

#[tokio::test]
async fn one_administrator_alone_changes_whoever_is_none() {
    let mut world = world().await;
    let invite = |name: &str| {
        of_accounts(Accounts::Invite {
            name: name.to_owned(),
            code_hash: [1; 32],
        })
    };
    let disabled = |name: &str, disabled| {
        of_accounts(Accounts::SetDisabled {
            name: name.to_owned(),
            disabled,
        })
    };
    for (command, alone) in [
        (roles("bela", &["duty-officer"]), true),
        (roles("bela", &["admin"]), false),
        (roles("ana", &[]), false),
        (roles("dora", &["auditor"]), false),
        (invite("bela"), true),
        (invite("ana"), false),
        (disabled("bela", true), true),
        (disabled("bela", false), true),
        // Stopping somebody waits for nobody; starting again does.
        (disabled("dora", true), true),
        (disabled("dora", false), false),
    ] {
        let done = does(&mut world, "ana", [7; 32], command.clone()).await;
        let two = done == Outcome::Refused(Refusal::TakesTwo);
        assert_eq!(two, !alone, "{command:?}: {done:?}");
    }
}

#[tokio::test]
async fn budgets_are_loosened_by_two_and_tightened_by_one() {
    let mut world = world().await;
    let budget = |parts: Option<u64>, reserve_percent| {
        Command::Limits(Limits::SetBudget(Budget {
            account: "cluster".to_owned(),
            day: Amount {
                parts,
                micros: None,
            },
            month: Amount::default(),
            reserve_percent,
        }))
    };
    let remove = || {
        let account = "cluster".to_owned();
        Command::Limits(Limits::RemoveBudget { account })
    };
    for (command, alone) in [
        (budget(Some(1_000), 20), true),
        (budget(Some(500), 20), true),
        (budget(Some(500), 30), true),
        (budget(Some(501), 30), false),
        (budget(None, 30), false),
        (budget(Some(500), 10), false),
        (remove(), false),
    ] {
        let done = does(&mut world, "ana", [7; 32], command.clone()).await;
        let two = done == Outcome::Refused(Refusal::TakesTwo);
        assert_eq!(two, !alone, "{command:?}: {done:?}");
    }
    let at_a_node = Actor::Operator { node: NodeId(1) };
    let done = world.run_as(at_a_node, None, remove()).await;
    assert!(matches!(done, Outcome::Applied(_)), "{done:?}");
}

#[tokio::test]
async fn what_is_beyond_the_log_uses_it_up_first() {
    let mut world = world().await;
    let (path, body) = ("/v1/cluster/evict", r#"{"node":3}"#);
    let digest = request_digest("POST", path, body.as_bytes());
    let take = || Command::Permits(Permits::Use { digest });
    let alone = world.run_as(by("ana"), None, take()).await;
    assert_eq!(alone, Outcome::Refused(Refusal::TakesTwo));
    assert_eq!(world.ask(take()).await, Outcome::Unchanged, "at a node");
    let asked = number(&asks(&mut world, "ana", "POST", path, body).await);
    lets(&mut world, "dora", asked).await;
    let done = world.run_as(by("ana"), None, take()).await;
    assert_eq!(number(&done), asked);
    let twice = world.run_as(by("ana"), None, take()).await;
    assert_eq!(twice, Outcome::Refused(Refusal::TakesTwo));
}

#[tokio::test]
async fn what_does_not_take_two_is_not_asked_for() {
    let mut world = world().await;
    for (method, path, body) in [
        ("POST", "/v1/alerts", "{}"),
        ("PUT", ROLES, &*"x".repeat(5_000)),
    ] {
        let refused = asks(&mut world, "ana", method, path, body).await;
        assert!(matches!(refused, Outcome::Refused(Refusal::Invalid(_))));
    }
    let unknown = lets(&mut world, "dora", 9).await;
    assert!(matches!(unknown, Outcome::Refused(Refusal::NoSuch(_))));
}
