//! Transcripts of followers: who is told what, when, and within which budget.

use sqlx::Row as _;

use super::{Command as Bridge, FollowerRow, Held, PERSON_HOUR_MAX, due, followed, followers};
use crate::agenda::agenda;
use crate::alerts::Command as Alerts;
use crate::conversations::{Command as Rooms, Follow, Say, Speaker, members, messages};
use crate::deliveries::{self, Assignment, Command as Deliveries};
use crate::inbound::{Command as Inbound, Receive, ReceiveMail};
use crate::transcript::{World, accepted};
use crate::vocabulary::{IncidentRole, Severity};
use crate::{AlertId, Command, DeliveryId, NodeId, Outcome, RecipientId, Refusal, RoomId, alerts};

const DORA: &str = "+441000000004";

fn by(key: &str) -> Speaker {
    Speaker {
        name: key.to_owned(),
        person: Some(RecipientId::of_key(key)),
    }
}

async fn follow(world: &mut World, room: RoomId, key: &str, follow: Follow) -> Outcome {
    let command = Rooms::Follow {
        room,
        person: RecipientId::of_key(key),
        follow,
        by: by("ana"),
    };
    world.ask(Command::Conversations(command)).await
}

/// A world where dora follows the room of an alert to ana.
async fn following(how: Follow) -> (World, RoomId) {
    let mut world = World::new().await;
    world
        .run(Command::Deliveries(Deliveries::DrawReplySecret))
        .await;
    let alert = world.raise(Severity::Critical, 60, &[&["ana"]]).await;
    let room = RoomId::of_alert(alert);
    world.pass(1);
    let set = follow(&mut world, room, "dora", how).await;
    assert!(matches!(set, Outcome::Applied(_)), "{set:?}");
    world.pass(1);
    (world, room)
}

async fn say_so(world: &mut World, room: RoomId, key: &str, text: &str, restricted: bool) {
    let say = Say {
        room,
        by: by(key),
        text: text.to_owned(),
        mark: None,
        unknown: String::new(),
        restricted,
    };
    let said = world.ask(Command::Conversations(Rooms::Say(say))).await;
    assert!(matches!(said, Outcome::Applied(_)), "{said:?}");
    look(world).await;
}

async fn say(world: &mut World, room: RoomId, key: &str, text: &str) {
    say_so(world, room, key, text, false).await;
}

/// Lets the loop look until nothing is due.
async fn look(world: &mut World) {
    for _ in 0..10 {
        let now = world.now;
        let followers = due(&mut world.conn, now, 100).await.unwrap();
        if followers.is_empty() {
            return;
        }
        world
            .run(Command::Bridge(Bridge::FollowUp { followers }))
            .await;
    }
    panic!("followers never come to rest");
}

async fn texted(world: &mut World, text: &str) {
    let mut key = [0; 16];
    key[8..].copy_from_slice(&world.now.0.to_be_bytes());
    let text = Receive {
        key,
        node: NodeId(1),
        channel: "modem".to_owned(),
        from: DORA.to_owned(),
        text: text.to_owned(),
        sent_at_ms: None,
        wall_ms: 0,
        whole: true,
        damaged: false,
        call: false,
    };
    world.run(Command::Inbound(Inbound::Receive(text))).await;
    world.pass(1);
    look(world).await;
}

/// What dora was told, or what she was replied: address and body, oldest first.
async fn sent(world: &mut World, purpose: &str) -> Vec<String> {
    let found = sqlx::query(
        "select address, body from delivery where recipient_id = ? and purpose = ? order by created_at_ms, delivery_id",
    )
    .bind(RecipientId::of_key("dora").as_bytes())
    .bind(purpose)
    .fetch_all(&mut world.conn)
    .await
    .unwrap();
    let line = |row: &sqlx::sqlite::SqliteRow| {
        let (address, body): (String, String) = (row.get(0), row.get(1));
        format!("{address} {}", body.trim_end().replace('\n', " / "))
    };
    found.iter().map(line).collect()
}

async fn told(world: &mut World) -> Vec<String> {
    sent(world, "digest").await
}

async fn dora(world: &mut World, room: RoomId) -> FollowerRow {
    followers(&mut world.conn, room).await.unwrap().remove(0)
}

#[tokio::test]
async fn messages_are_gathered_and_told_together_and_own_words_are_not() {
    let (mut world, room) = following(Follow::Sms).await;
    say(&mut world, room, "ana", "gate 5").await;
    let first = world.now;
    world.pass(60);
    say(&mut world, room, "bela", "ok").await;
    say(&mut world, room, "dora", "coming too").await;
    assert!(told(&mut world).await.is_empty(), "nothing is urgent");
    let waits = dora(&mut world, room).await;
    assert_eq!((waits.waiting, waits.held), (2, Held::No));
    let at = agenda(&mut world.conn).await.unwrap().bridge.next;
    assert_eq!(at, Some(first + super::period(Some(Severity::Critical))));
    world.pass(240);
    look(&mut world).await;
    assert_eq!(
        told(&mut world).await,
        ["+441000000004 Aurora Energy 1: / ana: gate 5 / bela: ok / To write: ROOM 1 ..."]
    );
    let now = dora(&mut world, room).await;
    assert_eq!((now.waiting, now.due, now.digests), (0, None, 1));
    assert_eq!(agenda(&mut world.conn).await.unwrap().bridge.next, None);
}

#[tokio::test]
async fn whoever_is_called_is_told_at_once() {
    let (mut world, room) = following(Follow::Email).await;
    say(&mut world, room, "ana", "@dora have you the key?").await;
    assert_eq!(told(&mut world).await.len(), 1);
    world.pass(1);
    say(&mut world, room, "ana", "@carl and you?").await;
    say(&mut world, room, "ana", "@lead when do we go?").await;
    assert_eq!(told(&mut world).await.len(), 1, "others were meant");
    world.pass(1);
    say(&mut world, room, "ana", "@all to gate 6").await;
    let all = told(&mut world).await;
    assert!(
        all[1].contains("@carl") && all[1].contains("@all"),
        "{all:?}"
    );
    assert!(all[1].starts_with("dora@example.org "), "{all:?}");
    let role = alerts::Act::Role {
        role: IncidentRole::Leader,
        person: Some(RecipientId::of_key("dora")),
    };
    world
        .ask(Command::Alerts(Alerts::Act {
            alert: AlertId(room.0),
            act: role,
            reason: String::new(),
        }))
        .await;
    world.pass(1);
    say(&mut world, room, "ana", "@lead when do we go?").await;
    assert_eq!(told(&mut world).await.len(), 3);
}

#[tokio::test]
async fn restricted_words_never_leave() {
    let (mut world, room) = following(Follow::Sms).await;
    say_so(&mut world, room, "ana", "@all the door code is 4242", true).await;
    assert_eq!(
        told(&mut world).await,
        ["+441000000004 Aurora Energy 1: / (1 to be read in the app only) / To write: ROOM 1 ..."]
    );
    assert_eq!(dora(&mut world, room).await.left_out, 1);
}

#[tokio::test]
async fn the_budget_holds_says_so_and_loses_nothing() {
    let (mut world, room) = following(Follow::Sms).await;
    for n in 0..PERSON_HOUR_MAX + 5 {
        say(&mut world, room, "ana", &format!("@all {n}")).await;
        world.pass(1);
    }
    let most = PERSON_HOUR_MAX as usize;
    let texts = told(&mut world).await;
    assert_eq!(texts.len(), most);
    assert!(texts[most - 1].contains("Limit of texts"), "{texts:?}");
    let held = dora(&mut world, room).await;
    assert_eq!((held.waiting, held.held), (5, Held::Person));
    world.pass(3_600);
    look(&mut world).await;
    let texts = told(&mut world).await;
    assert_eq!(texts.len(), most + 1);
    let last = &texts[most];
    let first = format!("@all {PERSON_HOUR_MAX}");
    let newest = format!("@all {}", PERSON_HOUR_MAX + 4);
    assert!(last.contains(&first) && last.contains(&newest), "{last}");
    assert_eq!(dora(&mut world, room).await.held, Held::No);
}

#[tokio::test]
async fn digests_leave_after_everything_about_alerts() {
    let (mut world, room) = following(Follow::Sms).await;
    world.send_all(1, accepted()).await;
    say(&mut world, room, "ana", "@all gate 5").await;
    world.pass(5);
    world.raise(Severity::Low, 60, &[&["bela"]]).await;
    let now = world.now;
    let waiting = deliveries::due(&mut world.conn, now, 100).await.unwrap();
    let lanes: Vec<_> = waiting.iter().map(|due| due.lane).collect();
    assert!(waiting.len() >= 2, "{waiting:?}");
    assert_eq!(lanes.last(), Some(&deliveries::Lane::Talk));
    assert_eq!(
        lanes
            .iter()
            .filter(|lane| **lane == deliveries::Lane::Talk)
            .count(),
        1
    );
}

#[tokio::test]
async fn whoever_follows_no_more_is_told_no_more_and_begins_anew() {
    let (mut world, room) = following(Follow::Sms).await;
    say(&mut world, room, "ana", "gate 5").await;
    follow(&mut world, room, "dora", Follow::App).await;
    world.pass(400);
    look(&mut world).await;
    say(&mut world, room, "ana", "@all gate 6").await;
    assert!(told(&mut world).await.is_empty());
    assert_eq!(members(&mut world.conn, room).await.unwrap().len(), 1);
    world.pass(1);
    follow(&mut world, room, "dora", Follow::Sms).await;
    world.pass(1);
    say(&mut world, room, "ana", "@all gate 7").await;
    let texts = told(&mut world).await;
    assert_eq!(texts.len(), 1);
    assert!(
        texts[0].contains("gate 7") && !texts[0].contains("gate 6"),
        "{texts:?}"
    );
    let again = follow(&mut world, room, "dora", Follow::Sms).await;
    assert_eq!(again, Outcome::Unchanged);
    let bela = follow(&mut world, room, "bela", Follow::Email).await;
    assert!(matches!(bela, Outcome::Refused(Refusal::Invalid(_))));
}

#[tokio::test]
async fn a_room_stops_being_followed_some_hours_after_its_alert() {
    let (mut world, room) = following(Follow::Sms).await;
    let resolve = Alerts::Resolve {
        alert: AlertId(room.0),
        note: String::new(),
    };
    world.ask(Command::Alerts(resolve)).await;
    world.pass(60);
    say(&mut world, room, "ana", "@all thank you").await;
    assert_eq!(told(&mut world).await.len(), 1);
    world.pass(13 * 3_600);
    look(&mut world).await;
    assert!(followers(&mut world.conn, room).await.unwrap().is_empty());
    let member = members(&mut world.conn, room).await.unwrap().remove(0);
    assert_eq!(
        (member.follow, member.by.as_str()),
        (Follow::App, "Holdfast")
    );
}

#[tokio::test]
async fn a_bare_phone_follows_writes_and_stops_by_text() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 60, &[&["ana", "dora"]]).await;
    let room = RoomId::of_alert(alert);
    world.pass(1);
    texted(&mut world, "FOLLOW").await;
    let now = world.now;
    let person = RecipientId::of_key("dora");
    let rooms = followed(&mut world.conn, now, person).await.unwrap();
    assert_eq!(rooms.len(), 1);
    texted(&mut world, "ROOM on the roof").await;
    let open = Rooms::PutRoom {
        key: "ops".to_owned(),
        name: "Operations".to_owned(),
        restricted: false,
        closed: false,
        by: by("ana"),
    };
    world.ask(Command::Conversations(open)).await;
    let ops = RoomId::of_key("ops");
    texted(&mut world, "FOLLOW ops").await;
    follow(&mut world, ops, "dora", Follow::Sms).await;
    world.pass(1);
    texted(&mut world, "ROOM which one").await;
    texted(&mut world, "ROOM ops pump 3 is back").await;
    texted(&mut world, "unfollow OPS").await;
    let replies = sent(&mut world, "reply").await;
    let shown: Vec<&str> = replies
        .iter()
        .map(|reply| reply.split_once(' ').unwrap().1)
        .collect();
    assert!(
        shown[0].starts_with("What is said in 1 comes to you by text"),
        "{shown:?}"
    );
    assert!(shown[0].ends_with("To write: ROOM 1 ... To stop: UNFOLLOW 1"));
    assert!(shown[1].ends_with("your words are in the room of alert 1."));
    assert!(shown[2].starts_with("Nothing done: there is no such room"));
    assert!(shown[3].contains("say which room:") && shown[3].contains("Text for example ROOM"));
    assert!(shown[4].ends_with("your words are in the room ops."));
    assert_eq!(
        shown[5],
        "What is said in ops comes to you by text no more."
    );
    let in_room = messages(&mut world.conn, room, 0, 100).await.unwrap();
    assert!(in_room.iter().any(|message| message.text == "on the roof"
        && message.via == "sms"
        && message.person == Some(person)));
    assert!(in_room.iter().all(|message| message.text != "which one"));
    let in_ops = messages(&mut world.conn, ops, 0, 100).await.unwrap();
    assert_eq!(in_ops.len(), 1);
    assert_eq!(in_ops[0].text, "pump 3 is back");
}

#[tokio::test]
async fn whoever_comes_with_a_bare_phone_is_offered_what_others_say() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 60, &[&["ana", "dora"]]).await;
    let room = RoomId::of_alert(alert);
    let code = world.code(alert, "dora").await;
    world.pass(1);
    texted(&mut world, &format!("{code} 1")).await;
    say(&mut world, room, "ana", "gate 5").await;
    texted(&mut world, &format!("{code} 2")).await;
    texted(&mut world, &format!("{code} 1")).await;
    texted(&mut world, "FOLLOW 1").await;
    texted(&mut world, &format!("{code} 1 20")).await;
    let offer = "What is said about it, by text: FOLLOW 1";
    let replies = sent(&mut world, "reply").await;
    let offered: Vec<bool> = replies.iter().map(|reply| reply.ends_with(offer)).collect();
    assert_eq!(offered, [false, false, true, false, false], "{replies:?}");
}

#[tokio::test]
async fn a_stranger_and_words_that_look_like_an_order_follow_nothing() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::High, 60, &[&["ana"]]).await;
    let room = RoomId::of_alert(alert);
    texted(&mut world, "FOLLOW 1").await;
    texted(&mut world, "follow the red signs").await;
    assert!(followers(&mut world.conn, room).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reply_to_a_digests_mail_is_said_in_its_room_and_answers_nothing() {
    let (mut world, _) = following(Follow::Email).await;
    let open = Rooms::PutRoom {
        key: "ops".to_owned(),
        name: "Operations".to_owned(),
        restricted: false,
        closed: false,
        by: by("ana"),
    };
    world.ask(Command::Conversations(open)).await;
    let ops = RoomId::of_key("ops");
    follow(&mut world, ops, "dora", Follow::Email).await;
    world.pass(1);
    say(&mut world, ops, "ana", "@all who is on site?").await;
    let mail: Vec<u8> = sqlx::query_scalar("select delivery_id from room_digest where room_id = ?")
        .bind(ops.as_bytes())
        .fetch_one(&mut world.conn)
        .await
        .unwrap();
    let secret = deliveries::reply_secret(&mut world.conn).await.unwrap();
    let to = secret
        .unwrap()
        .address(DeliveryId::from_row(&mail).unwrap());
    let reply = |number: u8, text: &str, automatic: bool| ReceiveMail {
        key: [number; 16],
        node: NodeId(1),
        to: to.clone(),
        from: "somebody@else.example".to_owned(),
        subject: "Re: Aurora Energy ops".to_owned(),
        text: text.to_owned(),
        automatic,
        wall_ms: 0,
    };
    for mail in [reply(1, "1", false), reply(2, "I am on holiday", true)] {
        let taken = world
            .run(Command::Inbound(Inbound::ReceiveMail(mail)))
            .await;
        assert!(matches!(taken, Outcome::Applied(_)), "{taken:?}");
    }
    world.pass(1);
    look(&mut world).await;
    let said = messages(&mut world.conn, ops, 0, 100).await.unwrap();
    let last = said.last().unwrap();
    assert_eq!(
        (said.len(), last.text.as_str(), last.via.as_str()),
        (2, "1", "email")
    );
    assert_eq!(last.person, Some(RecipientId::of_key("dora")));
    assert_eq!(told(&mut world).await.len(), 1, "nobody hears themselves");
    let kept = messages(&mut world.conn, RoomId::DUTY_INBOX, 0, 100).await;
    assert_eq!(kept.unwrap().len(), 1, "a program's reply is kept apart");
    let now = world.now;
    let due = deliveries::due(&mut world.conn, now, 100).await.unwrap();
    let assignments = due
        .iter()
        .map(|due| Assignment {
            attempt: due.attempt,
            node: NodeId(1),
            channel: if due.kind == "email" { "mail" } else { "modem" }.to_owned(),
        })
        .collect();
    world
        .run(Command::Deliveries(Deliveries::Assign { assignments }))
        .await;
    let work = deliveries::assigned(&mut world.conn, NodeId(1))
        .await
        .unwrap()
        .work;
    let answered = work
        .iter()
        .filter(|work| work.lane == deliveries::Lane::Talk)
        .all(|work| {
            let words = work.reply.as_ref().map(|(_, words)| *words);
            words.is_some_and(|words| words.starts_with("Reply to this mail to write"))
        });
    assert!(answered, "{work:?}");
}

#[tokio::test]
async fn what_left_long_ago_is_forgotten_and_its_mail_still_answers_no_alert() {
    const DAY: i64 = 86_400;
    let (mut world, room) = following(Follow::Sms).await;
    let ana = RecipientId::of_key("ana");
    follow(&mut world, room, "ana", Follow::Email).await;
    world.pass(1);
    say(&mut world, room, "bela", "@all gate 5").await;
    let first = kept(&mut world, ana).await;
    assert_eq!(first.len(), 1);
    world.pass(29 * DAY);
    say(&mut world, room, "bela", "@all gate 6").await;
    assert_eq!(kept(&mut world, ana).await.len(), 2);
    world.pass(2 * DAY);
    say(&mut world, room, "bela", "@dora gate 7").await;
    let left = kept(&mut world, ana).await;
    assert_eq!(left.len(), 1, "one digest, to whomever, ends old ones");
    assert_ne!(left, first);
    let secret = deliveries::reply_secret(&mut world.conn).await.unwrap();
    let to = DeliveryId::from_row(&first[0]).unwrap();
    let reply = ReceiveMail {
        key: [1; 16],
        node: NodeId(1),
        to: secret.unwrap().address(to),
        from: "ana@example.org".to_owned(),
        subject: "Re: Aurora Energy 1".to_owned(),
        text: "1".to_owned(),
        automatic: false,
        wall_ms: 0,
    };
    world
        .run(Command::Inbound(Inbound::ReceiveMail(reply)))
        .await;
    let said = messages(&mut world.conn, room, 0, 100).await.unwrap();
    let last = said.last().unwrap();
    assert_eq!(
        (last.text.as_str(), last.via.as_str(), last.person),
        ("1", "email", Some(ana))
    );
}

/// The digests to somebody that are still kept, oldest first.
async fn kept(world: &mut World, person: RecipientId) -> Vec<Vec<u8>> {
    sqlx::query_scalar("select delivery_id from room_digest where recipient_id = ? order by at_ms")
        .bind(person.as_bytes())
        .fetch_all(&mut world.conn)
        .await
        .unwrap()
}
