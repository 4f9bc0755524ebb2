//! Transcripts of codes and invitations by text.

mod cards;

use super::*;
use crate::access::Command as Access;
use crate::access::accounts::{self, Command as Accounts, Device, NewSession, Proof};
use crate::alerts::{self, Severity};
use crate::deliveries::{self, Assignment, Command as Deliveries};
use crate::recipients::{self, Command as Recipients, ContactMethod, Found, Verify};
use crate::transcript::{World, mail, person, sms};
use crate::{Actor, Command as AnyCommand, NodeId, Outcome, Receipt, Refusal};

const ANA: &str = "+358401000001";

async fn world() -> World {
    let mut world = World::new().await;
    world
        .run(AnyCommand::Deliveries(Deliveries::DrawReplySecret))
        .await;
    let verify = Verify {
        person: "ana".to_owned(),
        method: sms(ANA),
        found: Found::Verified,
        how: "told by phone".to_owned(),
    };
    world
        .ask(AnyCommand::Recipients(Recipients::Verify(verify)))
        .await;
    for (name, role) in [("ana", "responder"), ("bela", "responder")] {
        let put = Accounts::Put {
            name: name.to_owned(),
            shown: name.to_owned(),
            person: Some(name.to_owned()),
        };
        told(&mut world, put).await;
        set_role(&mut world, name, role).await;
    }
    world
}

async fn told(world: &mut World, command: Accounts) -> Outcome {
    world
        .ask(AnyCommand::Access(Access::Accounts(command)))
        .await
}

async fn set_role(world: &mut World, name: &str, role: &str) {
    let set = Accounts::SetRoles {
        name: name.to_owned(),
        roles: vec![role.to_owned()],
    };
    told(world, set).await;
}

async fn begin(world: &mut World, name: &str, attempt: u8) {
    let begin = Accounts::BeginAttempt {
        attempt: [attempt; 32],
        name: name.to_owned(),
        device: Device {
            name: "Ana's phone".to_owned(),
            key: vec![4; 65],
        },
        rehashed: None,
    };
    told(world, begin).await;
}

async fn send_code(world: &mut World, attempt: u8) -> Outcome {
    let send = Command::SendCode {
        attempt: [attempt; 32],
    };
    world.ask(AnyCommand::Passes(send)).await
}

async fn open(world: &mut World, attempt: u8, delivery: crate::DeliveryId) -> Outcome {
    let session = NewSession {
        id: format!("s{attempt}"),
        token_hash: [attempt; 32],
    };
    let open = Accounts::Open {
        attempt: [attempt; 32],
        proof: Proof::Text { delivery },
        session,
    };
    told(world, open).await
}

/// Gives what is due to node 1 and returns number and text of each SMS, as they leave.
async fn leaving(world: &mut World) -> Vec<(String, String)> {
    let due = deliveries::due(&mut world.conn, world.now, 100)
        .await
        .unwrap();
    let assignments = due
        .iter()
        .map(|due| Assignment {
            attempt: due.attempt,
            node: NodeId(1),
            channel: "modem".to_owned(),
        })
        .collect();
    world
        .run(AnyCommand::Deliveries(Deliveries::Assign { assignments }))
        .await;
    let work = deliveries::assigned(&mut world.conn, NodeId(1))
        .await
        .unwrap()
        .work;
    work.into_iter()
        .map(|work| (work.address, work.body))
        .collect()
}

fn refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Refusal::NotNow(_)))
}

#[tokio::test]
async fn a_texted_code_opens_one_session_within_five_minutes() {
    let mut world = world().await;
    begin(&mut world, "ana", 1).await;
    let sent = send_code(&mut world, 1).await;
    assert_eq!(sent, Outcome::Applied(Receipt::None));
    let row = accounts::text_code(&mut world.conn, &[1; 32])
        .await
        .unwrap()
        .unwrap();
    let secret = deliveries::reply_secret(&mut world.conn)
        .await
        .unwrap()
        .unwrap();
    let code = secret.sign_in_code(row.delivery);
    let left = leaving(&mut world).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].0, ANA);
    assert!(left[0].1.contains(&code), "{left:?}");
    assert!(left[0].1.contains("Ana's phone"), "{left:?}");
    // A second code takes the place of the first.
    assert_eq!(
        send_code(&mut world, 1).await,
        Outcome::Applied(Receipt::None)
    );
    assert!(refused(&open(&mut world, 1, row.delivery).await));
    let newer = accounts::text_code(&mut world.conn, &[1; 32])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        open(&mut world, 1, newer.delivery).await,
        Outcome::Applied(Receipt::None)
    );
    assert!(refused(&open(&mut world, 1, newer.delivery).await), "twice");
    begin(&mut world, "ana", 2).await;
    send_code(&mut world, 2).await;
    let late = accounts::text_code(&mut world.conn, &[2; 32])
        .await
        .unwrap()
        .unwrap();
    world.pass(300);
    assert!(
        refused(&open(&mut world, 2, late.delivery).await),
        "too old"
    );
    // What could not leave in that time does not leave later.
    let expired = deliveries::expired(&mut world.conn, world.now, 10).await;
    assert!(!expired.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_texted_to_admins_or_to_numbers_nobody_proved() {
    let mut world = world().await;
    begin(&mut world, "bela", 1).await;
    assert!(refused(&send_code(&mut world, 1).await), "not verified");
    for role in ["admin", "auditor"] {
        begin(&mut world, "ana", 2).await;
        set_role(&mut world, "ana", role).await;
        assert!(refused(&send_code(&mut world, 2).await), "{role}");
    }
    // Nor does one that was texted before open an admin's session.
    set_role(&mut world, "ana", "responder").await;
    begin(&mut world, "ana", 3).await;
    send_code(&mut world, 3).await;
    let row = accounts::text_code(&mut world.conn, &[3; 32])
        .await
        .unwrap()
        .unwrap();
    set_role(&mut world, "ana", "admin").await;
    assert!(refused(&open(&mut world, 3, row.delivery).await));
    assert!(refused(&send_code(&mut world, 9).await), "no such sign-in");
}

#[tokio::test]
async fn three_texts_in_ten_minutes_and_fifty_of_a_node_in_an_hour_are_sent() {
    let mut world = world().await;
    begin(&mut world, "ana", 1).await;
    for _ in 0..3 {
        let sent = send_code(&mut world, 1).await;
        assert_eq!(sent, Outcome::Applied(Receipt::None));
        world.pass(60);
    }
    let wait = send_code(&mut world, 1).await;
    assert_eq!(wait, Outcome::Refused(Refusal::TooMany { wait_s: 420 }));
    // Others used up what this node may have texted in an hour.
    let node = accounts::subject_of_node(NodeId(1));
    for _ in 0..50 {
        accounts::count_one(&mut world.conn, world.now, &accounts::TEXTS_OF_NODE, &node)
            .await
            .unwrap();
    }
    world.pass(600);
    begin(&mut world, "ana", 2).await;
    let wait = send_code(&mut world, 2).await;
    assert!(
        matches!(wait, Outcome::Refused(Refusal::TooMany { wait_s }) if wait_s > 600),
        "{wait:?}"
    );
    // Whoever is called to an open alert gets in all the same.
    world.raise(Severity::High, 60, &[&["ana"]]).await;
    let sent = send_code(&mut world, 2).await;
    assert_eq!(sent, Outcome::Applied(Receipt::None));
}

#[tokio::test]
async fn codes_leave_behind_what_is_said_about_alerts() {
    let mut world = world().await;
    begin(&mut world, "ana", 1).await;
    send_code(&mut world, 1).await;
    world.pass(5);
    world.raise(Severity::Low, 60, &[&["dora"]]).await;
    let due = deliveries::due(&mut world.conn, world.now, 10)
        .await
        .unwrap();
    let last = due.iter().rposition(|due| due.kind == "sms").unwrap();
    assert!(due.len() > 1, "{due:?}");
    assert_eq!(due[last].address, ANA, "{due:?}");
    assert!(!due[last].lane.urgent());
}

#[tokio::test]
async fn a_texted_invitation_lets_one_device_in() {
    let mut world = world().await;
    let send = |name: &str| {
        AnyCommand::Passes(Command::SendInvitation {
            name: name.to_owned(),
        })
    };
    assert!(refused(&world.ask(send("bela")).await), "not verified");
    assert_eq!(
        world.ask(send("ana")).await,
        Outcome::Applied(Receipt::None)
    );
    let left = leaving(&mut world).await;
    let code = left[0]
        .1
        .split_whitespace()
        .map(|word| word.trim_end_matches('.'))
        .find(|word| word.len() == 29 && word.matches('-').count() == 4)
        .unwrap()
        .replace('-', "");
    let accept = accounts::Accept {
        code_hash: accounts::invitation_hash(&code),
        password: None,
        session: NewSession {
            id: "s1".to_owned(),
            token_hash: [1; 32],
        },
        device: Device {
            name: "phone".to_owned(),
            key: vec![4; 65],
        },
    };
    let accepted = told(&mut world, Accounts::Accept(accept.clone())).await;
    assert_eq!(accepted, Outcome::Applied(Receipt::None));
    assert!(refused(&told(&mut world, Accounts::Accept(accept)).await));
    set_role(&mut world, "ana", "admin").await;
    assert!(refused(&world.ask(send("ana")).await), "an admin");
}

const NEW: &str = "+358407777777";

fn put_ana(methods: &[ContactMethod]) -> AnyCommand {
    let people = vec![person("ana", "fi", methods)];
    AnyCommand::Recipients(Recipients::PutPeople { people })
}

async fn ask_number(world: &mut World) -> Outcome {
    let ask = AskNumber {
        person: "ana".to_owned(),
        from: None,
        to: NEW.to_owned(),
        by: "Olga".to_owned(),
    };
    world.ask(AnyCommand::Passes(Command::AskNumber(ask))).await
}

async fn vouch_as(world: &mut World, actor: Actor) -> Outcome {
    let vouch = Command::VouchNumber {
        person: "ana".to_owned(),
        by: "Bela".to_owned(),
    };
    world.run_as(actor, None, AnyCommand::Passes(vouch)).await
}

fn account(name: &str) -> Actor {
    Actor::Account {
        name: name.to_owned(),
    }
}

#[tokio::test]
async fn in_an_incident_a_number_changes_by_two_people_and_proves_nothing_for_a_day() {
    let mut world = world().await;
    let other = [sms(NEW), mail("ana@example.org")];
    // Nothing burns: as ever.
    world.ask(put_ana(&other)).await;
    world
        .ask(put_ana(&[sms(ANA), mail("ana@example.org")]))
        .await;
    let alert = world.raise(Severity::High, 60, &[&["bela"]]).await;
    assert!(refused(&world.ask(put_ana(&other)).await));
    // The same numbers, or fewer, are no change to fear; nor is somebody new.
    let fewer = world.ask(put_ana(&[sms(ANA)])).await;
    assert_eq!(fewer, Outcome::Applied(Receipt::Count(1)));
    let people = vec![person("nils", "sv", &[sms("+46709999999")])];
    let added = AnyCommand::Recipients(Recipients::PutPeople { people });
    assert_eq!(world.ask(added).await, Outcome::Applied(Receipt::Count(1)));
    leaving(&mut world).await;

    assert_eq!(
        ask_number(&mut world).await,
        Outcome::Applied(Receipt::None)
    );
    let own = Actor::Operator { node: NodeId(1) };
    assert!(refused(&vouch_as(&mut world, own).await), "alone");
    assert!(refused(&vouch_as(&mut world, account("ana")).await), "own");
    let done = vouch_as(&mut world, account("bela")).await;
    assert_eq!(done, Outcome::Applied(Receipt::None));
    let ana = recipients::person(&mut world.conn, "ana")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ana.methods, [sms(NEW)]);
    let mark = ana.number_mark.unwrap();
    assert_eq!(
        (mark.asked_by.as_str(), mark.vouched_by.as_str()),
        ("Olga", "Bela")
    );
    let told = leaving(&mut world).await;
    let old = told.iter().find(|(number, _)| number == ANA);
    assert!(old.unwrap().1.contains("Bela"), "{told:?}");

    // For a day neither people nor answers make it a number that is known to reach her.
    let verify = Verify {
        person: "ana".to_owned(),
        method: sms(NEW),
        found: Found::Verified,
        how: "told by phone".to_owned(),
    };
    let verify = || AnyCommand::Recipients(Recipients::Verify(verify.clone()));
    assert!(refused(&world.ask(verify()).await));
    begin(&mut world, "ana", 7).await;
    assert!(refused(&send_code(&mut world, 7).await), "no code to it");
    world.pass(24 * 3_600);
    assert_eq!(
        world.ask(verify()).await,
        Outcome::Applied(Receipt::Count(1))
    );
    // What waited too long is vouched for no more.
    let ask = ask_number(&mut world).await;
    assert!(
        matches!(ask, Outcome::Refused(Refusal::Invalid(_))),
        "has it"
    );
    let call_off = alerts::Command::CallOff {
        alert,
        reason: String::new(),
    };
    world.ask(AnyCommand::Alerts(call_off)).await;
    let back = world.ask(put_ana(&[sms(ANA)])).await;
    assert_eq!(back, Outcome::Applied(Receipt::Count(1)));
    ask_number(&mut world).await;
    world.pass(3_600);
    let late = vouch_as(&mut world, account("bela")).await;
    assert!(
        matches!(late, Outcome::Refused(Refusal::NoSuch(_))),
        "{late:?}"
    );
}
