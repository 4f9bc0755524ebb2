//! Transcripts of break-glass cards.

use super::*;
use crate::access::accounts::NewPasskey;

fn by(name: &str) -> Actor {
    Actor::Account {
        name: name.to_owned(),
    }
}

/// Two administrators of a cluster that is set up.
async fn admins() -> World {
    let mut world = world().await;
    sqlx::query("insert into setup (id, finished_at_ms, finished_by) values (1, 0, 'operator')")
        .execute(&mut world.conn)
        .await
        .unwrap();
    set_role(&mut world, "ana", "admin").await;
    set_role(&mut world, "bela", "admin").await;
    world
}

async fn make(world: &mut World, actor: Actor, card: &str, code: u8) -> Outcome {
    let make = Command::MakeCard {
        card: card.to_owned(),
        site: "helsinki".to_owned(),
        code_hash: [code; 32],
    };
    world.run_as(actor, None, AnyCommand::Passes(make)).await
}

async fn confirm(world: &mut World, actor: Actor, card: &str) -> Outcome {
    let confirm = Command::ConfirmCard {
        card: card.to_owned(),
    };
    world.run_as(actor, None, AnyCommand::Passes(confirm)).await
}

async fn end(world: &mut World, card: &str) -> Outcome {
    let end = Command::EndCard {
        card: card.to_owned(),
    };
    world.run_as(by("ana"), None, AnyCommand::Passes(end)).await
}

async fn use_card(world: &mut World, code: u8, session: u8) -> Outcome {
    let open = Command::OpenByCard(OpenByCard {
        code_hash: [code; 32],
        session: NewSession {
            id: format!("g{session}"),
            token_hash: [session; 32],
        },
        device: Device {
            name: "tablet in the control room".to_owned(),
            key: vec![4; 65],
        },
    });
    let stranger = Actor::Stranger { node: NodeId(1) };
    world.run_as(stranger, None, AnyCommand::Passes(open)).await
}

async fn state(world: &mut World, card: &str) -> CardState {
    let found = super::card(&mut world.conn, card).await.unwrap();
    found.unwrap().state(world.now)
}

async fn lives(world: &mut World, session: u8) -> bool {
    let found = accounts::session(&mut world.conn, &[session; 32]).await;
    let (session, account) = found.unwrap().unwrap();
    let until = session.lives_until(&account.roles);
    until.is_some_and(|until| world.now < until)
}

fn done() -> Outcome {
    Outcome::Applied(Receipt::None)
}

#[tokio::test]
async fn a_card_of_two_people_opens_one_session_for_two_hours_and_everybody_is_told() {
    let mut world = admins().await;
    assert_eq!(make(&mut world, by("ana"), "c1", 1).await, done());
    assert_eq!(state(&mut world, "c1").await, CardState::Waiting);
    assert!(refused(&use_card(&mut world, 1, 1).await), "not confirmed");
    assert!(refused(&confirm(&mut world, by("ana"), "c1").await), "own");
    assert_eq!(confirm(&mut world, by("bela"), "c1").await, done());
    assert!(refused(&confirm(&mut world, by("bela"), "c1").await));
    assert!(refused(&use_card(&mut world, 2, 1).await), "another code");
    let before = open_glass(&mut world.conn, world.now).await.unwrap();
    assert_eq!(before, None);

    assert_eq!(use_card(&mut world, 1, 1).await, done());
    assert!(lives(&mut world, 1).await);
    assert_eq!(state(&mut world, "c1").await, CardState::Used);
    let open = open_glass(&mut world.conn, world.now).await.unwrap();
    assert_eq!(open.unwrap().site, "helsinki");
    let told = leaving(&mut world).await;
    for number in [ANA, "+46701000002"] {
        let text = told.iter().find(|(to, _)| to == number);
        assert!(
            text.is_some_and(|(_, body)| body.contains("helsinki")),
            "{told:?}"
        );
    }
    assert!(refused(&use_card(&mut world, 1, 2).await), "twice");
    world.pass(2 * 3_600 - 1);
    assert!(lives(&mut world, 1).await);
    world.pass(1);
    assert!(!lives(&mut world, 1).await, "two hours, used or not");
    let after = open_glass(&mut world.conn, world.now).await.unwrap();
    assert_eq!(after, None);
}

#[tokio::test]
async fn a_newer_card_takes_the_place_of_its_sites_and_a_revoked_one_ends_what_it_opened() {
    let mut world = admins().await;
    make(&mut world, by("ana"), "c1", 1).await;
    confirm(&mut world, by("bela"), "c1").await;
    make(&mut world, by("ana"), "c2", 2).await;
    assert_eq!(
        state(&mut world, "c1").await,
        CardState::Ready,
        "until then"
    );
    let operator = Actor::Operator { node: NodeId(1) };
    assert_eq!(confirm(&mut world, operator, "c2").await, done());
    assert_eq!(state(&mut world, "c1").await, CardState::Ended);
    assert!(refused(&use_card(&mut world, 1, 1).await), "replaced");
    assert_eq!(use_card(&mut world, 2, 1).await, done());
    assert_eq!(end(&mut world, "c2").await, done());
    assert!(!lives(&mut world, 1).await);
    let open = open_glass(&mut world.conn, world.now).await.unwrap();
    assert_eq!(open, None);
    make(&mut world, by("ana"), "c3", 3).await;
    confirm(&mut world, by("bela"), "c3").await;
    end(&mut world, "c3").await;
    assert!(refused(&use_card(&mut world, 3, 2).await), "revoked");
    assert!(matches!(
        end(&mut world, "c9").await,
        Outcome::Refused(Refusal::NoSuch(_))
    ));
}

#[tokio::test]
async fn a_card_waits_a_day_for_its_second_person_and_ends_with_the_epoch() {
    let mut world = admins().await;
    make(&mut world, by("ana"), "c1", 1).await;
    make(&mut world, by("ana"), "c2", 2).await;
    confirm(&mut world, by("bela"), "c2").await;
    world.pass(24 * 3_600);
    assert!(
        refused(&confirm(&mut world, by("bela"), "c1").await),
        "late"
    );
    assert_eq!(state(&mut world, "c2").await, CardState::Ready, "for years");
    sqlx::query("update cluster set epoch = epoch + 1 where id = 1")
        .execute(&mut world.conn)
        .await
        .unwrap();
    assert_eq!(state(&mut world, "c2").await, CardState::Void);
    assert!(refused(&use_card(&mut world, 2, 1).await));
}

#[tokio::test]
async fn one_person_of_two_accounts_does_not_make_a_card_alone() {
    let mut world = admins().await;
    let put = Accounts::Put {
        name: "ana2".to_owned(),
        shown: "Ana".to_owned(),
        person: Some("ana".to_owned()),
    };
    told(&mut world, put).await;
    set_role(&mut world, "ana2", "admin").await;
    make(&mut world, by("ana"), "c1", 1).await;
    assert!(refused(&confirm(&mut world, by("ana2"), "c1").await));
    assert_eq!(confirm(&mut world, by("bela"), "c1").await, done());
}

#[tokio::test]
async fn a_cards_account_gets_no_other_way_in_and_lets_an_admin_in_anew() {
    let mut world = admins().await;
    make(&mut world, by("ana"), "c1", 1).await;
    confirm(&mut world, by("bela"), "c1").await;
    use_card(&mut world, 1, 1).await;
    let name = || "glass-helsinki".to_owned();
    let ways = [
        Accounts::SetPassword {
            name: name(),
            phc: "$argon2id$".to_owned(),
            but: None,
        },
        Accounts::SetTotp {
            name: name(),
            sealed: vec![1],
        },
        Accounts::AddPasskey {
            name: name(),
            passkey: NewPasskey {
                id: vec![1; 16],
                key: vec![4; 65],
                label: "key ring".to_owned(),
                count: 0,
            },
        },
        Accounts::SetRecoveryCodes {
            name: name(),
            code_hashes: vec![[9; 32]],
        },
        Accounts::Invite {
            name: name(),
            code_hash: [9; 32],
        },
        Accounts::SetRoles {
            name: name(),
            roles: vec!["admin".to_owned()],
        },
        Accounts::Put {
            name: name(),
            shown: "Ana".to_owned(),
            person: Some("ana".to_owned()),
        },
        Accounts::SetRoles {
            name: "bela".to_owned(),
            roles: vec!["break-glass".to_owned()],
        },
    ];
    for command in ways {
        let outcome = told(&mut world, command.clone()).await;
        assert!(refused(&outcome), "{command:?}: {outcome:?}");
    }
    let invite = || Accounts::Invite {
        name: "ana".to_owned(),
        code_hash: [8; 32],
    };
    let wrapped = || AnyCommand::Access(Access::Accounts(invite()));
    let alone = world.run_as(by("bela"), None, wrapped()).await;
    assert_eq!(alone, Outcome::Refused(Refusal::TakesTwo));
    let glass = world.run_as(by("glass-helsinki"), None, wrapped()).await;
    assert_eq!(glass, done());
}

#[tokio::test]
async fn no_card_takes_somebodys_account_and_sites_are_plain_names() {
    let mut world = admins().await;
    let put = Accounts::Put {
        name: "glass-helsinki".to_owned(),
        shown: "Ana".to_owned(),
        person: Some("ana".to_owned()),
    };
    told(&mut world, put).await;
    assert!(refused(&make(&mut world, by("ana"), "c1", 1).await));
    for site in ["", "Helsinki", "a b", &"x".repeat(41)] {
        let make = Command::MakeCard {
            card: "c2".to_owned(),
            site: site.to_owned(),
            code_hash: [2; 32],
        };
        let outcome = world.ask(AnyCommand::Passes(make)).await;
        assert!(
            matches!(outcome, Outcome::Refused(Refusal::Invalid(_))),
            "{site:?}"
        );
    }
}
