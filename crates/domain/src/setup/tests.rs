//! Transcripts of a cluster that is set up.

use super::{Command as Setup, State, Step, finished, look};
use crate::access::Command as Access;
use crate::access::accounts::Command as Accounts;
use crate::alerts::{self, Severity, Status};
use crate::inbound::{Command as Inbound, Receive};
use crate::passes::Command as Passes;
use crate::transcript::{World, raise};
use crate::waking::Command as Waking;
use crate::{Actor, Command, NodeId, Outcome, Receipt, Refusal};

fn by(name: &str) -> Actor {
    Actor::Account {
        name: name.to_owned(),
    }
}

fn of_accounts(command: Accounts) -> Command {
    Command::Access(Access::Accounts(command))
}

fn put(name: &str) -> Command {
    of_accounts(Accounts::Put {
        name: name.to_owned(),
        shown: name.to_uppercase(),
        person: None,
    })
}

fn roles(name: &str, roles: &[&str]) -> Command {
    of_accounts(Accounts::SetRoles {
        name: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    })
}

/// What it takes for an administrator to be able to sign in.
async fn enrol(world: &mut World, name: &str) {
    let password = Accounts::SetPassword {
        name: name.to_owned(),
        phc: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA".to_owned(),
        but: None,
    };
    let seed = Accounts::SetTotp {
        name: name.to_owned(),
        sealed: vec![1],
    };
    let confirm = Accounts::ConfirmTotp {
        name: name.to_owned(),
        step: 1,
    };
    for command in [password, seed, confirm] {
        let outcome = world.ask(of_accounts(command)).await;
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
}

/// As `holdfast init` leaves it, with one administrator who has signed in.
async fn world() -> World {
    let mut world = World::new().await;
    world.ask(put("ana")).await;
    world.ask(roles("ana", &["admin"])).await;
    enrol(&mut world, "ana").await;
    world
}

async fn state(world: &mut World, step: Step) -> State {
    let now = world.now;
    let states = look(&mut world.conn, now).await.unwrap();
    let found = states.into_iter().find(|state| state.step == step);
    found.unwrap()
}

async fn finish(world: &mut World) -> Outcome {
    world
        .run_as(by("ana"), None, Command::Setup(Setup::Finish))
        .await
}

/// Every modem is heard by the other one's.
async fn texts_arrive(world: &mut World) {
    world
        .ask(Command::Waking(Waking::StartTrips { node: None }))
        .await;
    sqlx::query("update round_trip set arrived_at_ms = started_at_ms + 900")
        .execute(&mut world.conn)
        .await
        .unwrap();
}

#[tokio::test]
async fn every_step_is_seen_from_what_there_is_and_in_order() {
    let mut world = world().await;
    let now = world.now;
    let states = look(&mut world.conn, now).await.unwrap();
    assert_eq!(
        states.iter().map(|state| state.step).collect::<Vec<_>>(),
        Step::ALL
    );
    let seen: Vec<(u32, u32)> = states.iter().map(|state| (state.count, state.of)).collect();
    assert_eq!(
        seen,
        [
            (1, 2),
            (0, 1),
            (2, 3),
            (2, 2),
            (0, 2),
            (3, 1),
            (0, 1),
            (0, 2),
            (0, 1)
        ],
        "one administrator, two nodes that can send and were not heard, people with numbers, and nothing else"
    );

    world.channel(2, false).await;
    let channels = state(&mut world, Step::Channels).await;
    assert_eq!(
        (channels.count, channels.missing),
        (1, vec!["beta".to_owned()])
    );
    let texts = state(&mut world, Step::Texts).await;
    assert_eq!(
        (texts.of, texts.missing),
        (1, vec!["alpha".to_owned()]),
        "a modem that is down proves nothing"
    );
    world.channel(2, true).await;
    texts_arrive(&mut world).await;
    assert!(state(&mut world, Step::Texts).await.is_done());
}

#[tokio::test]
async fn the_only_modem_is_proven_by_an_answer_and_an_exercise_by_one_too() {
    let mut world = world().await;
    world.channel(2, false).await;
    let mut exercise = raise(Severity::Normal, 60, &[&["ana"]]);
    exercise.status = Status::Exercise;
    let raised = world
        .ask(Command::Alerts(alerts::Command::Raise(Box::new(exercise))))
        .await;
    let Outcome::Applied(Receipt::Alert { id, .. }) = raised else {
        panic!("{raised:?}");
    };
    world.act().await;
    assert!(!state(&mut world, Step::Exercise).await.is_done());
    assert!(!state(&mut world, Step::Texts).await.is_done());
    let code = world.code(id, "ana").await;
    let answer = Receive {
        key: [1; 16],
        node: NodeId(1),
        channel: "modem".to_owned(),
        from: "+358401000001".to_owned(),
        text: format!("1 {code}"),
        sent_at_ms: None,
        wall_ms: 0,
        whole: true,
        damaged: false,
        call: false,
    };
    world.run(Command::Inbound(Inbound::Receive(answer))).await;
    assert!(state(&mut world, Step::Exercise).await.is_done());
    assert!(state(&mut world, Step::Texts).await.is_done());
}

#[tokio::test]
async fn a_card_counts_once_it_is_confirmed() {
    let mut world = world().await;
    let make = Passes::MakeCard {
        card: "c1".to_owned(),
        site: "turku".to_owned(),
        code_hash: [1; 32],
    };
    world.run_as(by("ana"), None, Command::Passes(make)).await;
    assert_eq!(state(&mut world, Step::Cards).await.count, 0);
    let confirm = Passes::ConfirmCard {
        card: "c1".to_owned(),
    };
    world.ask(Command::Passes(confirm)).await;
    assert_eq!(state(&mut world, Step::Cards).await.count, 1);
}

#[tokio::test]
async fn the_only_administrator_makes_the_second_one_alone_and_no_third() {
    let mut world = world().await;
    for command in [put("bela"), roles("bela", &["admin"])] {
        let outcome = world.run_as(by("ana"), None, command).await;
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
    let missing = state(&mut world, Step::Administrators).await.missing;
    assert_eq!(missing, ["BELA"], "made, and not signed in yet");
    let own = world
        .run_as(by("ana"), None, roles("ana", &["admin", "auditor"]))
        .await;
    assert_eq!(
        own,
        Outcome::Refused(Refusal::TakesTwo),
        "not for themselves"
    );

    enrol(&mut world, "bela").await;
    assert!(state(&mut world, Step::Administrators).await.is_done());
    world.ask(put("carl")).await;
    let disable = |disabled| {
        of_accounts(Accounts::SetDisabled {
            name: "bela".to_owned(),
            disabled,
        })
    };
    let third = || roles("carl", &["admin"]);
    let refused = world.run_as(by("ana"), None, third()).await;
    assert_eq!(refused, Outcome::Refused(Refusal::TakesTwo));
    world.run_as(by("ana"), None, disable(true)).await;
    let refused = world.run_as(by("ana"), None, third()).await;
    assert_eq!(
        refused,
        Outcome::Refused(Refusal::TakesTwo),
        "switching the other one off makes nobody the only one there ever was"
    );
}

#[tokio::test]
async fn setup_is_finished_once_and_only_when_all_that_is_needed_is_there() {
    let mut world = world().await;
    let refused = finish(&mut world).await;
    assert_eq!(
        refused,
        Outcome::Refused(Refusal::NotNow(
            "setup cannot be finished yet: administrators, managers, texts are missing".to_owned()
        ))
    );
    let commands = [
        put("bela"),
        roles("bela", &["admin"]),
        put("carl"),
        roles("carl", &["incident-manager"]),
    ];
    for command in commands {
        world.run_as(by("ana"), None, command).await;
    }
    for name in ["bela", "carl"] {
        enrol(&mut world, name).await;
    }
    assert!(matches!(finish(&mut world).await, Outcome::Refused(_)));
    texts_arrive(&mut world).await;
    assert_eq!(finished(&mut world.conn).await.unwrap(), None);
    let at = world.now;
    assert_eq!(finish(&mut world).await, Outcome::Applied(Receipt::None));
    world.pass(60);
    assert_eq!(finish(&mut world).await, Outcome::Unchanged);
    let said = finished(&mut world.conn).await.unwrap().unwrap();
    assert_eq!((said.at, said.by.as_str()), (at, "account:ana"));
}

#[tokio::test]
async fn once_set_up_the_only_administrator_makes_no_other_alone() {
    let mut world = world().await;
    sqlx::query("insert into setup (id, finished_at_ms, finished_by) values (1, 0, 'operator')")
        .execute(&mut world.conn)
        .await
        .unwrap();
    world.ask(put("bela")).await;
    let refused = world
        .run_as(by("ana"), None, roles("bela", &["admin"]))
        .await;
    assert_eq!(refused, Outcome::Refused(Refusal::TakesTwo));
}
