//! Answers by mail: what counts, and what only says so.

use sqlx::Row as _;

use super::super::{Command as Inbound, ReceiveMail, Taken, of_sender};
use crate::alerts::Severity;
use crate::conversations::messages;
use crate::deliveries::{self, Command as Deliveries};
use crate::transcript::World;
use crate::{
    AlertId, Command, DeliveryId, NodeId, Outcome, Receipt, RecipientId, Refusal, RoomId,
    Timestamp, escalation,
};

const CARL: &str = "carl@example.org";

/// A world where carl was mailed, the alert, and the address that answers his mail.
async fn mailed(severity: Severity) -> (World, AlertId, String) {
    let mut world = World::new().await;
    let drawn = world
        .run(Command::Deliveries(Deliveries::DrawReplySecret))
        .await;
    assert_eq!(drawn, Outcome::Applied(Receipt::Count(1)));
    let alert = world.raise(severity, 60, &[&["carl", "ana"]]).await;
    let mail: Vec<u8> = sqlx::query_scalar(
        "select delivery_id from delivery where alert_id = ? and address = ? and purpose = 'page'",
    )
    .bind(alert.as_bytes())
    .bind(CARL)
    .fetch_one(&mut world.conn)
    .await
    .unwrap();
    let secret = deliveries::reply_secret(&mut world.conn).await.unwrap();
    let address = secret
        .unwrap()
        .address(DeliveryId::from_row(&mail).unwrap());
    (world, alert, address)
}

fn mail(to: &str, text: &str) -> ReceiveMail {
    let mut key = [0; 16];
    key[..text.len().min(16)].copy_from_slice(&text.as_bytes()[..text.len().min(16)]);
    ReceiveMail {
        key,
        node: NodeId(1),
        to: to.to_owned(),
        from: CARL.to_owned(),
        subject: "Re: Aurora Energy 1: Water".to_owned(),
        text: text.to_owned(),
        automatic: false,
        wall_ms: 0,
    }
}

async fn receive(world: &mut World, mail: ReceiveMail) -> Outcome {
    world
        .run(Command::Inbound(Inbound::ReceiveMail(mail)))
        .await
}

/// What carl's answer is and whence it came.
async fn answer(world: &mut World, alert: AlertId) -> String {
    let carl = RecipientId::of_key("carl");
    let call = escalation::find_call(&mut world.conn, alert, carl).await;
    let call = call.unwrap().unwrap();
    let answer = call.answer.map_or("silent", |answer| answer.name());
    format!("{answer} {}", call.answered_from)
}

/// What went back, address and words, oldest first.
async fn replies(world: &mut World) -> Vec<String> {
    let found = sqlx::query(
        "select address, body from delivery where purpose in ('reply', 'update') order by created_at_ms, delivery_id",
    )
    .fetch_all(&mut world.conn)
    .await
    .unwrap();
    let line = |row: &sqlx::sqlite::SqliteRow| {
        let (address, body): (String, String) = (row.get(0), row.get(1));
        format!("{address}: {}", body.trim())
    };
    found.iter().map(line).collect()
}

async fn taken(world: &mut World, from: &str) -> Vec<Taken> {
    let rows = of_sender(&mut world.conn, from, Timestamp(0), 50).await;
    let mut taken: Vec<Taken> = rows.unwrap().iter().filter_map(|row| row.taken).collect();
    taken.reverse();
    taken
}

#[tokio::test]
async fn a_reply_to_our_mail_answers_a_critical_alert_and_is_confirmed_by_mail() {
    let (mut world, alert, address) = mailed(Severity::Critical).await;
    let reply = mail(&address, "1\n\nI take the van.");
    receive(&mut world, reply.clone()).await;
    assert_eq!(receive(&mut world, reply).await, Outcome::Unchanged);
    assert_eq!(answer(&mut world, alert).await, format!("coming {CARL}"));
    let said = replies(&mut world).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("carl@example.org: Noted") && said[0].contains("coming"),
        "{said:?}"
    );
    let room = messages(&mut world.conn, RoomId::of_alert(alert), 0, 50).await;
    let room = room.unwrap();
    let last = room.last().unwrap();
    assert_eq!((&*last.via, &*last.text), ("email", "I take the van."));
}

#[tokio::test]
async fn one_mail_of_ours_is_answered_once_and_the_confirmation_once_more() {
    let (mut world, alert, address) = mailed(Severity::High).await;
    receive(&mut world, mail(&address, "1")).await;
    world.pass(60);
    receive(&mut world, mail(&address, "2")).await;
    assert_eq!(answer(&mut world, alert).await, format!("coming {CARL}"));
    assert_eq!(
        taken(&mut world, CARL).await,
        [Taken::Answer, Taken::Distrusted]
    );
    let confirmation: Vec<u8> = sqlx::query_scalar(
        "select delivery_id from delivery where address = ? and purpose = 'update' order by created_at_ms limit 1",
    )
    .bind(CARL)
    .fetch_one(&mut world.conn)
    .await
    .unwrap();
    let secret = deliveries::reply_secret(&mut world.conn).await.unwrap();
    let newest = secret
        .unwrap()
        .address(DeliveryId::from_row(&confirmation).unwrap());
    world.pass(60);
    receive(&mut world, mail(&newest, "2\nafter all")).await;
    assert_eq!(answer(&mut world, alert).await, format!("cannot {CARL}"));
}

#[tokio::test]
async fn whoever_writes_the_reply_words_go_back_to_where_our_mail_went() {
    let (mut world, alert, address) = mailed(Severity::Critical).await;
    let other = ReceiveMail {
        from: "carl.private@elsewhere.example".to_owned(),
        ..mail(&address, "1")
    };
    receive(&mut world, other).await;
    assert_eq!(
        answer(&mut world, alert).await,
        "coming carl.private@elsewhere.example"
    );
    let said = replies(&mut world).await;
    assert!(said[0].starts_with(CARL), "{said:?}");
}

#[tokio::test]
async fn without_the_sealed_address_only_the_own_code_counts() {
    let (mut world, alert, _) = mailed(Severity::High).await;
    let code = world.code(alert, "carl").await;
    // The sender's name alone.
    receive(&mut world, mail("reply", "1 bare")).await;
    // A stranger who read the code over somebody's shoulder.
    let stranger = ReceiveMail {
        from: "eve@example.net".to_owned(),
        ..mail("reply", &format!("{code} 1"))
    };
    receive(&mut world, stranger).await;
    assert_eq!(answer(&mut world, alert).await, "silent ");
    assert!(replies(&mut world).await.is_empty(), "no mail to strangers");
    let quoted = ReceiveMail {
        subject: format!("Re: {code} Aurora Energy 1: Water"),
        ..mail("reply", "2\nI am abroad")
    };
    receive(&mut world, quoted).await;
    assert_eq!(answer(&mut world, alert).await, format!("cannot {CARL}"));
}

#[tokio::test]
async fn codes_guessed_by_mail_stop_counting() {
    let (mut world, alert, _) = mailed(Severity::High).await;
    let code = world.code(alert, "carl").await;
    let wrong = (1_000..9_999)
        .map(|n: u16| n.to_string())
        .filter(|n| *n != code);
    for guess in wrong.take(3) {
        receive(&mut world, mail("reply", &format!("{guess} 1"))).await;
    }
    receive(&mut world, mail("reply", &format!("{code} 1"))).await;
    assert_eq!(answer(&mut world, alert).await, "silent ");
    let taken = taken(&mut world, CARL).await;
    let of = |what| taken.iter().filter(|each| **each == what).count();
    assert_eq!((of(Taken::UnknownCode), of(Taken::Distrusted)), (3, 1));
}

#[tokio::test]
async fn programs_that_answer_and_made_up_addresses_decide_nothing() {
    let (mut world, alert, address) = mailed(Severity::High).await;
    let away = ReceiveMail {
        automatic: true,
        subject: "Automatic reply: away until Monday".to_owned(),
        ..mail(&address, "1")
    };
    receive(&mut world, away).await;
    assert_eq!(answer(&mut world, alert).await, "silent ");
    assert!(replies(&mut world).await.is_empty());
    let mut forged = address.clone();
    let last = if forged.pop() == Some('a') { 'b' } else { 'a' };
    forged.push(last);
    let refused = receive(&mut world, mail(&forged, "1 forged")).await;
    assert!(matches!(refused, Outcome::Refused(Refusal::NoSuch(_))));
    receive(&mut world, mail(&address, "CALLOFF 1 all is well")).await;
    let open: String = sqlx::query_scalar("select state from alert where alert_id = ?")
        .bind(alert.as_bytes())
        .fetch_one(&mut world.conn)
        .await
        .unwrap();
    assert_eq!(open, "open", "orders are not taken by mail");
}
