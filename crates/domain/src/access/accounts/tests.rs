//! Transcripts of accounts, sign-ins and sessions.

use super::*;
use crate::access::Command as Access;
use crate::transcript::World;
use crate::{Actor, Command as AnyCommand, NodeId, Outcome, Receipt, Refusal};

fn wrap(command: Command) -> AnyCommand {
    AnyCommand::Access(Access::Accounts(command))
}

async fn told(world: &mut World, command: Command) -> Outcome {
    world.ask(wrap(command)).await
}

fn device() -> Device {
    Device {
        name: "phone".to_owned(),
        key: vec![4; 65],
    }
}

fn new_session(number: u8) -> NewSession {
    NewSession {
        id: format!("s{number}"),
        token_hash: [number; 32],
    }
}

async fn add(world: &mut World, name: &str, roles: &[&str]) {
    let put = Command::Put {
        name: name.to_owned(),
        shown: name.to_uppercase(),
        person: Some(name.to_owned()),
    };
    assert_eq!(told(world, put).await, Outcome::Applied(Receipt::None));
    let set = Command::SetRoles {
        name: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    assert_eq!(told(world, set).await, Outcome::Applied(Receipt::None));
}

async fn invite(world: &mut World, name: &str, code: u8) -> Outcome {
    let invite = Command::Invite {
        name: name.to_owned(),
        code_hash: [code; 32],
    };
    told(world, invite).await
}

async fn accept(world: &mut World, code: u8, session: u8, password: Option<&str>) -> Outcome {
    let accept = Command::Accept(Accept {
        code_hash: [code; 32],
        password: password.map(str::to_owned),
        session: new_session(session),
        device: device(),
    });
    told(world, accept).await
}

async fn lives(world: &mut World, session: u8) -> bool {
    let found = super::session(&mut world.conn, &[session; 32])
        .await
        .unwrap();
    let (session, account) = found.unwrap();
    let until = session.lives_until(&account.roles);
    until.is_some_and(|until| world.now < until)
}

fn refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(_))
}

#[tokio::test]
async fn an_invitation_opens_one_session_once_and_in_time() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["responder"]).await;
    invite(&mut world, "ana", 1).await;
    assert_eq!(
        accept(&mut world, 1, 1, None).await,
        Outcome::Applied(Receipt::None)
    );
    assert!(lives(&mut world, 1).await);
    assert!(
        refused(&accept(&mut world, 1, 2, None).await),
        "a code twice"
    );
    invite(&mut world, "ana", 3).await;
    invite(&mut world, "ana", 4).await;
    assert!(
        refused(&accept(&mut world, 3, 2, None).await),
        "a code replaced"
    );
    world.pass(25 * 3_600);
    assert!(
        refused(&accept(&mut world, 4, 2, None).await),
        "a code too old"
    );
    assert!(
        refused(&accept(&mut world, 9, 2, None).await),
        "a code nobody made"
    );
}

#[tokio::test]
async fn who_can_do_harm_needs_a_password_and_is_signed_out_soon() {
    let mut world = World::new().await;
    add(&mut world, "root", &["admin"]).await;
    add(&mut world, "ana", &["responder"]).await;
    invite(&mut world, "root", 1).await;
    assert!(refused(&accept(&mut world, 1, 1, None).await));
    accept(&mut world, 1, 1, Some("phc")).await;
    invite(&mut world, "ana", 2).await;
    accept(&mut world, 2, 2, None).await;
    world.pass(16 * 60);
    assert!(!lives(&mut world, 1).await, "an admin idle for 16 minutes");
    world.pass(300 * 24 * 3_600);
    assert!(lives(&mut world, 2).await, "a responder after 300 days");
    // Used all the time, an admin's session ends after eight hours all the same.
    invite(&mut world, "root", 3).await;
    accept(&mut world, 3, 3, None).await;
    for _ in 0..49 {
        world.pass(10 * 60);
        let touch = Command::Touch {
            session: "s3".to_owned(),
        };
        told(&mut world, touch).await;
    }
    assert!(!lives(&mut world, 3).await);
}

#[tokio::test]
async fn ten_tries_of_a_password_close_the_path_for_a_quarter_of_an_hour() {
    let mut world = World::new().await;
    for name in ["ana", "nobody"] {
        let tried = || Command::TryPassword {
            subject: subject(name),
        };
        for _ in 0..10 {
            assert_eq!(
                told(&mut world, tried()).await,
                Outcome::Applied(Receipt::None)
            );
        }
        let closed = told(&mut world, tried()).await;
        assert_eq!(
            closed,
            Outcome::Refused(Refusal::TooMany { wait_s: 900 }),
            "{name}"
        );
        world.pass(899);
        assert!(refused(&told(&mut world, tried()).await));
        world.pass(1);
        assert_eq!(
            told(&mut world, tried()).await,
            Outcome::Applied(Receipt::None)
        );
    }
}

#[tokio::test]
async fn a_known_devices_tries_are_counted_by_themselves_and_begin_anew_with_the_right_password() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["responder"]).await;
    let on_phone = subject_on("ana", &device().key);
    for subject in [subject("ana"), on_phone] {
        for _ in 0..10 {
            let tried = told(&mut world, Command::TryPassword { subject }).await;
            assert_eq!(tried, Outcome::Applied(Receipt::None));
        }
        assert!(refused(
            &told(&mut world, Command::TryPassword { subject }).await
        ));
    }
    // The right password on a device not known yet; then on the phone, which gives nobody elsewhere more tries.
    begin(&mut world, "ana", 1).await;
    let shared = Command::TryPassword {
        subject: subject("ana"),
    };
    let own = Command::TryPassword { subject: on_phone };
    assert!(!refused(&told(&mut world, shared.clone()).await));
    assert!(refused(&told(&mut world, own.clone()).await));
    for _ in 0..10 {
        told(&mut world, shared.clone()).await;
    }
    invite(&mut world, "ana", 1).await;
    accept(&mut world, 1, 1, None).await;
    begin(&mut world, "ana", 2).await;
    assert!(refused(&told(&mut world, shared).await));
    assert!(!refused(&told(&mut world, own).await));
    let known = accounts_of_device(&mut world.conn, &device().key).await;
    assert_eq!(known.unwrap(), ["ana"]);
    let unknown = accounts_of_device(&mut world.conn, &[5; 65]).await;
    assert!(unknown.unwrap().is_empty());
}

async fn begin(world: &mut World, name: &str, attempt: u8) {
    let begin = Command::BeginAttempt {
        attempt: [attempt; 32],
        name: name.to_owned(),
        device: device(),
        rehashed: None,
    };
    assert_eq!(told(world, begin).await, Outcome::Applied(Receipt::None));
}

async fn open(world: &mut World, attempt: u8, proof: Proof, session: u8) -> Outcome {
    let open = Command::Open {
        attempt: [attempt; 32],
        proof,
        session: new_session(session),
    };
    told(world, open).await
}

#[tokio::test]
async fn a_step_and_a_printed_code_each_open_one_session() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["duty-officer"]).await;
    let name = || "ana".to_owned();
    told(
        &mut world,
        Command::SetTotp {
            name: name(),
            sealed: vec![1, 2],
        },
    )
    .await;
    begin(&mut world, "ana", 1).await;
    assert!(
        refused(&open(&mut world, 1, Proof::Totp { step: 100 }, 1).await),
        "not confirmed"
    );
    told(
        &mut world,
        Command::ConfirmTotp {
            name: name(),
            step: 100,
        },
    )
    .await;
    assert!(
        refused(&open(&mut world, 1, Proof::Totp { step: 100 }, 1).await),
        "used to confirm"
    );
    assert!(!refused(
        &open(&mut world, 1, Proof::Totp { step: 101 }, 1).await
    ));
    assert!(
        refused(&open(&mut world, 1, Proof::Totp { step: 102 }, 2).await),
        "attempt is spent"
    );
    begin(&mut world, "ana", 2).await;
    assert!(
        refused(&open(&mut world, 2, Proof::Totp { step: 101 }, 2).await),
        "step is spent"
    );
    let codes = Command::SetRecoveryCodes {
        name: name(),
        code_hashes: vec![[7; 32], [8; 32]],
    };
    told(&mut world, codes).await;
    assert!(!refused(
        &open(&mut world, 2, Proof::Recovery { code_hash: [7; 32] }, 2).await
    ));
    begin(&mut world, "ana", 3).await;
    assert!(refused(
        &open(&mut world, 3, Proof::Recovery { code_hash: [7; 32] }, 3).await
    ));
    assert_eq!(
        recovery_codes_left(&mut world.conn, "ana").await.unwrap(),
        1
    );
    // Somebody else's code opens nothing of mine.
    add(&mut world, "bela", &["duty-officer"]).await;
    begin(&mut world, "bela", 4).await;
    assert!(refused(
        &open(&mut world, 4, Proof::Recovery { code_hash: [8; 32] }, 4).await
    ));
}

#[tokio::test]
async fn five_codes_may_be_tried_in_a_sign_in_and_it_waits_ten_minutes() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["duty-officer"]).await;
    begin(&mut world, "ana", 1).await;
    let tried = || Command::TryCode { attempt: [1; 32] };
    for _ in 0..5 {
        assert!(!refused(&told(&mut world, tried()).await));
    }
    assert!(refused(&told(&mut world, tried()).await));
    begin(&mut world, "ana", 2).await;
    world.pass(601);
    assert!(refused(
        &told(&mut world, Command::TryCode { attempt: [2; 32] }).await
    ));
    assert!(refused(
        &open(&mut world, 2, Proof::Totp { step: 1 }, 1).await
    ));
}

#[tokio::test]
async fn sessions_end_one_by_one_all_together_and_with_the_account() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["responder"]).await;
    for number in 1..=4 {
        invite(&mut world, "ana", number).await;
        accept(&mut world, number, number, None).await;
    }
    told(
        &mut world,
        Command::End {
            session: "s1".to_owned(),
        },
    )
    .await;
    assert!(!lives(&mut world, 1).await && lives(&mut world, 2).await);
    let all_but = Command::EndAll {
        name: "ana".to_owned(),
        but: Some("s3".to_owned()),
    };
    assert_eq!(
        told(&mut world, all_but).await,
        Outcome::Applied(Receipt::Count(2))
    );
    assert!(lives(&mut world, 3).await && !lives(&mut world, 4).await);
    let disable = Command::SetDisabled {
        name: "ana".to_owned(),
        disabled: true,
    };
    told(&mut world, disable).await;
    assert!(!lives(&mut world, 3).await);
    assert!(refused(&invite(&mut world, "ana", 9).await));
    assert!(refused(
        &told(
            &mut world,
            Command::End {
                session: "s9".to_owned()
            }
        )
        .await
    ));
}

#[tokio::test]
async fn what_was_opened_before_a_restore_opens_nothing_after_it() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["duty-officer"]).await;
    invite(&mut world, "ana", 1).await;
    accept(&mut world, 1, 1, Some("phc")).await;
    invite(&mut world, "ana", 2).await;
    let codes = Command::SetRecoveryCodes {
        name: "ana".to_owned(),
        code_hashes: vec![[7; 32]],
    };
    told(&mut world, codes).await;
    sqlx::query("update cluster set epoch = epoch + 1 where id = 1")
        .execute(&mut world.conn)
        .await
        .unwrap();
    assert!(!lives(&mut world, 1).await);
    assert!(refused(&accept(&mut world, 2, 2, None).await));
    begin(&mut world, "ana", 1).await;
    assert!(refused(
        &open(&mut world, 1, Proof::Recovery { code_hash: [7; 32] }, 2).await
    ));
}

#[test]
fn a_strangers_tries_are_told_from_those_of_loops() {
    assert_eq!(Actor::Stranger { node: NodeId(2) }.label(), "stranger:n2");
    assert_eq!(
        Actor::Account {
            name: "ana".to_owned()
        }
        .label(),
        "account:ana"
    );
}

async fn add_passkey(world: &mut World, name: &str, id: u8, count: u32) -> Outcome {
    let passkey = NewPasskey {
        id: vec![id; 16],
        key: vec![4; 65],
        label: "key ring".to_owned(),
        count,
    };
    let name = name.to_owned();
    told(world, Command::AddPasskey { name, passkey }).await
}

async fn by_passkey(
    world: &mut World,
    (id, count): (u8, u32),
    challenge: u8,
    session: u8,
) -> Outcome {
    let by = ByPasskey {
        id: vec![id; 16],
        count,
        challenge: [challenge; 32],
        session: new_session(session),
        device: device(),
    };
    told(world, Command::OpenByPasskey(by)).await
}

#[tokio::test]
async fn a_passkey_lets_in_alone_and_no_answer_counts_twice() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["admin"]).await;
    let applied = Outcome::Applied(Receipt::None);
    assert!(refused(&add_passkey(&mut world, "nobody", 1, 0).await));
    assert_eq!(add_passkey(&mut world, "ana", 1, 0).await, applied);
    assert_eq!(
        add_passkey(&mut world, "ana", 1, 0).await,
        Outcome::Unchanged
    );
    let account = account(&mut world.conn, "ana").await.unwrap().unwrap();
    assert!(!account.must_enrol(), "it is a strong factor");
    assert_eq!(by_passkey(&mut world, (1, 0), 1, 1).await, applied);
    assert!(lives(&mut world, 1).await);
    assert!(
        refused(&by_passkey(&mut world, (1, 0), 1, 2).await),
        "answered twice"
    );
    assert!(
        refused(&by_passkey(&mut world, (2, 0), 2, 2).await),
        "unknown"
    );
    let id = vec![1; 16];
    let name = "ana".to_owned();
    assert_eq!(
        told(&mut world, Command::RemovePasskey { name, id }).await,
        applied
    );
    assert!(
        refused(&by_passkey(&mut world, (1, 0), 3, 2).await),
        "removed"
    );
    assert!(lives(&mut world, 1).await, "its sessions are ended by hand");
}

#[tokio::test]
async fn a_passkey_that_counts_backwards_is_refused() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["responder"]).await;
    add_passkey(&mut world, "ana", 1, 4).await;
    assert!(refused(&by_passkey(&mut world, (1, 4), 1, 1).await));
    assert!(!refused(&by_passkey(&mut world, (1, 5), 2, 1).await));
    assert!(refused(&by_passkey(&mut world, (1, 5), 3, 2).await));
    assert!(
        refused(&by_passkey(&mut world, (1, 0), 4, 2).await),
        "it counted before"
    );
}

#[tokio::test]
async fn passkeys_are_bounded_go_with_a_new_password_and_open_nothing_for_the_disabled() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["responder"]).await;
    for id in 0..10 {
        assert!(!refused(&add_passkey(&mut world, "ana", id, 0).await));
    }
    assert!(refused(&add_passkey(&mut world, "ana", 10, 0).await));
    let disabled = |disabled| Command::SetDisabled {
        name: "ana".to_owned(),
        disabled,
    };
    told(&mut world, disabled(true)).await;
    assert!(refused(&by_passkey(&mut world, (1, 0), 1, 1).await));
    told(&mut world, disabled(false)).await;
    invite(&mut world, "ana", 1).await;
    accept(&mut world, 1, 1, Some("$argon2id$")).await;
    assert!(passkeys(&mut world.conn, "ana").await.unwrap().is_empty());
}

async fn proved(world: &mut World, session: u8) -> crate::Timestamp {
    let found = super::session(&mut world.conn, &[session; 32]).await;
    found.unwrap().unwrap().0.proved_at
}

async fn prove(world: &mut World, session: u8, by: Shown) -> Outcome {
    let session = format!("s{session}");
    told(world, Command::Prove { session, by }).await
}

#[tokio::test]
async fn a_factor_shown_in_a_session_counts_once_and_only_for_its_owner() {
    let mut world = World::new().await;
    for name in ["ana", "bela"] {
        add(&mut world, name, &["responder"]).await;
    }
    invite(&mut world, "ana", 1).await;
    accept(&mut world, 1, 1, None).await;
    add_passkey(&mut world, "bela", 2, 0).await;
    add_passkey(&mut world, "ana", 1, 4).await;
    world.pass(3_600);
    let start = proved(&mut world, 1).await;
    let passkey = |id: u8, count, challenge: u8| Shown::Passkey {
        id: vec![id; 16],
        count,
        challenge: [challenge; 32],
    };
    assert!(
        refused(&prove(&mut world, 1, Shown::Password).await),
        "none"
    );
    assert!(refused(
        &prove(&mut world, 1, Shown::Totp { step: 5 }).await
    ));
    assert!(
        refused(&prove(&mut world, 1, passkey(2, 0, 1)).await),
        "hers"
    );
    assert!(
        refused(&prove(&mut world, 1, passkey(1, 4, 1)).await),
        "a copy"
    );
    assert_eq!(proved(&mut world, 1).await, start);
    let done = prove(&mut world, 1, passkey(1, 5, 2)).await;
    assert_eq!(done, Outcome::Applied(Receipt::None));
    assert_eq!(proved(&mut world, 1).await, world.now);
    assert!(
        refused(&prove(&mut world, 1, passkey(1, 6, 2)).await),
        "twice"
    );
    let own = told(
        &mut world,
        Command::SetPassword {
            name: "ana".to_owned(),
            phc: "$argon2id$".to_owned(),
            but: Some("s1".to_owned()),
        },
    );
    own.await;
    world.pass(60);
    assert!(!refused(&prove(&mut world, 1, Shown::Password).await));
    assert_eq!(proved(&mut world, 1).await, world.now);
    let session = "s1".to_owned();
    told(&mut world, Command::End { session }).await;
    assert!(
        refused(&prove(&mut world, 1, Shown::Password).await),
        "over"
    );
}

#[tokio::test]
async fn codes_tried_in_sessions_count_with_those_of_sign_ins() {
    let mut world = World::new().await;
    add(&mut world, "ana", &["duty-officer"]).await;
    let name = "ana".to_owned();
    for _ in 0..20 {
        let name = name.clone();
        assert!(!refused(
            &told(&mut world, Command::TryProof { name }).await
        ));
    }
    assert!(refused(&told(&mut world, Command::TryProof { name }).await));
    begin(&mut world, "ana", 1).await;
    let tried = Command::TryCode { attempt: [1; 32] };
    assert!(refused(&told(&mut world, tried).await));
}
