//! Transcripts of rooms.

use std::fmt::Write as _;

use expect_test::expect;

use super::{
    Command as Conversations, Follow, MarkKind, Say, Speaker, chain, find_message, members,
    messages, pinned, reads, room_by_key, verify,
};
use crate::transcript::World;
use crate::vocabulary::Severity;
use crate::{Command, MessageId, Outcome, RecipientId, Refusal, RoomId};

fn by(key: &str) -> Speaker {
    Speaker {
        name: key.to_owned(),
        person: Some(RecipientId::of_key(key)),
    }
}

fn say(room: RoomId, key: &str, text: &str) -> Say {
    Say {
        room,
        by: by(key),
        text: text.to_owned(),
        mark: None,
        unknown: String::new(),
        restricted: false,
    }
}

async fn ask(world: &mut World, command: Conversations) -> Outcome {
    world.ask(Command::Conversations(command)).await
}

async fn said(world: &mut World, room: RoomId) -> Vec<MessageId> {
    let said = messages(&mut world.conn, room, 0, 100).await.unwrap();
    said.into_iter().map(|row| row.id).collect()
}

/// A world with an alert to ana, and its room.
async fn alerted() -> (World, RoomId) {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 60, &[&["ana"]]).await;
    (world, RoomId::of_alert(alert))
}

#[tokio::test]
async fn messages_keep_their_order_and_need_a_room() {
    let (mut world, room) = alerted().await;
    let post = |room, text: &str| Conversations::Post {
        room,
        author: "Ana".to_owned(),
        text: text.to_owned(),
    };
    ask(&mut world, post(room, "on my way")).await;
    ask(
        &mut world,
        Conversations::Say(say(room, "ana", "at the gate")),
    )
    .await;
    let said: Vec<_> = messages(&mut world.conn, room, 1, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|m| m.text)
        .collect();
    assert_eq!(said, ["on my way", "at the gate"]);
    let nowhere = ask(&mut world, post(RoomId([3; 16]), "hello")).await;
    assert_eq!(nowhere, Outcome::Refused(Refusal::UnknownRoom));
    let nowhere = say(RoomId([3; 16]), "ana", "hello");
    let nowhere = ask(&mut world, Conversations::Say(nowhere)).await;
    assert_eq!(nowhere, Outcome::Refused(Refusal::UnknownRoom));
}

#[tokio::test]
async fn nothing_said_steers_a_screen_and_long_texts_are_refused() {
    let (mut world, room) = alerted().await;
    let mut tricky = say(
        room,
        "ana",
        "line one\r\n  line\u{202e}two\u{1b}[31m\u{2066}\u{7}\t.",
    );
    tricky.by.name = "A\u{202e}na\n\u{1b}[2J".to_owned();
    ask(&mut world, Conversations::Say(tricky)).await;
    let last = *said(&mut world, room).await.last().unwrap();
    let row = find_message(&mut world.conn, last).await.unwrap().unwrap();
    assert_eq!(row.text, "line one\n  line two [31m   .");
    assert_eq!(row.author, "A na [2J");
    for text in ["", " \n\u{202e}\n", &"x".repeat(4_001)] {
        let refused = ask(&mut world, Conversations::Say(say(room, "ana", text))).await;
        assert!(matches!(refused, Outcome::Refused(Refusal::Invalid(_))));
    }
    ask(
        &mut world,
        Conversations::Say(say(room, "ana", &"x".repeat(4_000))),
    )
    .await;
    assert_eq!(said(&mut world, room).await.len(), 3);
}

#[tokio::test]
async fn an_edit_keeps_the_original_and_only_whoever_said_it_edits() {
    let (mut world, room) = alerted().await;
    ask(&mut world, Conversations::Say(say(room, "ana", "gate 4"))).await;
    let message = said(&mut world, room).await[1];
    let edit = |key: &str, text: &str| Conversations::Edit {
        message,
        text: text.to_owned(),
        by: by(key),
    };
    let foreign = ask(&mut world, edit("bela", "gate 9")).await;
    assert!(matches!(foreign, Outcome::Refused(Refusal::NotNow(_))));
    ask(&mut world, edit("ana", "gate 5")).await;
    ask(&mut world, edit("ana", "gate 6")).await;
    let row = find_message(&mut world.conn, message).await.unwrap();
    let row = row.unwrap();
    let wordings: Vec<_> = row.edits.iter().map(|edit| edit.text.as_str()).collect();
    assert_eq!(
        (row.original.as_deref(), wordings.as_slice(), &*row.text),
        (Some("gate 4"), &["gate 5", "gate 6"][..], "gate 6")
    );
    assert_eq!(
        ask(&mut world, edit("ana", "gate 6")).await,
        Outcome::Unchanged
    );
}

/// The chain of a room, a line for each link.
async fn links(world: &mut World, room: RoomId) -> String {
    let mut shown = String::new();
    for link in chain(&mut world.conn, room, 0, 100).await.unwrap() {
        let not_known = match link.unknown.is_empty() {
            true => String::new(),
            false => format!(" (not known: {})", link.unknown),
        };
        let (number, kind, by, text) = (link.number, &link.kind, &link.by, &link.text);
        writeln!(shown, "{number} {kind} by {by}: {text}{not_known}").unwrap();
    }
    shown
}

/// Marks of every kind and a later wording, in one room.
async fn recorded() -> (World, RoomId) {
    let (mut world, room) = alerted().await;
    let mut decision = say(room, "ana", "we close the line");
    decision.mark = Some(MarkKind::Decision);
    decision.unknown = "whether the valve holds".to_owned();
    ask(&mut world, Conversations::Say(decision)).await;
    ask(
        &mut world,
        Conversations::Say(say(room, "bela", "valve is shut")),
    )
    .await;
    let ids = said(&mut world, room).await;
    let mark = |message, kind| Conversations::Mark {
        message,
        kind,
        unknown: String::new(),
        by: by("dora"),
    };
    ask(&mut world, mark(ids[2], MarkKind::Diary)).await;
    let again = ask(&mut world, mark(ids[2], MarkKind::Diary)).await;
    assert_eq!(again, Outcome::Unchanged);
    let edit = Conversations::Edit {
        message: ids[2],
        text: "valve 3 is shut".to_owned(),
        by: by("bela"),
    };
    ask(&mut world, edit).await;
    ask(&mut world, mark(ids[2], MarkKind::Minutes)).await;
    (world, room)
}

#[tokio::test]
async fn marks_are_chained_at_once_with_what_was_not_known() {
    let (mut world, room) = recorded().await;
    expect![[r#"
        1 decision by ana: we close the line (not known: whether the valve holds)
        2 diary by dora: valve is shut
        3 edit by bela: valve 3 is shut
        4 minutes by dora: valve 3 is shut
    "#]]
    .assert_eq(&links(&mut world, room).await);
    let verdict = verify(&mut world.conn, room).await.unwrap();
    assert_eq!((verdict.links, verdict.bad), (4, None));
    let empty = verify(&mut world.conn, RoomId::DUTY_INBOX).await.unwrap();
    assert_eq!((empty.links, empty.head, empty.bad), (0, None, None));
}

#[tokio::test]
async fn whatever_is_changed_behind_its_back_the_first_bad_link_is_named() {
    for (change, bad) in [
        ("update room_chain set text = 'x' where number = 2", 2),
        ("update room_chain set unknown = '' where number = 1", 1),
        ("update room_chain set by_whom = 'eve' where number = 3", 3),
        (
            "update room_chain set at_ms = at_ms + 1 where number = 4",
            4,
        ),
        ("update room_chain set kind = 'diary' where number = 4", 4),
        (
            "update room_chain set salt = zeroblob(16) where number = 1",
            1,
        ),
        (
            "update room_chain set hash = zeroblob(32) where number = 2",
            2,
        ),
        ("delete from room_chain where number = 2", 2),
        ("delete from room_chain where number = 4", 4),
        ("delete from room_chain where number > 2", 3),
        ("delete from room_chain", 1),
        (
            "update room_chain set number = case number when 2 then 3 else 2 end where number in (2, 3)",
            2,
        ),
        ("update message set text = 'never' where sequence = 2", 1),
        ("update message set author = 'eve' where sequence = 3", 2),
        ("update message_edit set text = 'never'", 3),
        ("delete from message_mark where kind = 'diary'", 2),
        (
            "update message_mark set unknown = '' where kind = 'decision'",
            1,
        ),
    ] {
        let (mut world, room) = recorded().await;
        // A unique key does not let two rows change places in one go.
        let staged = change.replace("set number = case", "set number = -case");
        sqlx::raw_sql(sqlx::AssertSqlSafe(staged))
            .execute(&mut world.conn)
            .await
            .unwrap();
        sqlx::query("update room_chain set number = -number where number < 0")
            .execute(&mut world.conn)
            .await
            .unwrap();
        let verdict = verify(&mut world.conn, room).await.unwrap();
        let found = verdict.bad.map(|bad| bad.number);
        assert_eq!(found, Some(bad), "{change}");
    }
}

#[tokio::test]
async fn everyday_rooms_are_opened_by_key_and_closed_without_losing_anything() {
    let (mut world, _) = alerted().await;
    let put = |name: &str, restricted, closed| Conversations::PutRoom {
        key: "ops".to_owned(),
        name: name.to_owned(),
        restricted,
        closed,
        by: by("ana"),
    };
    let room = RoomId::of_key("ops");
    let early = ask(&mut world, Conversations::Say(say(room, "ana", "hi"))).await;
    assert_eq!(early, Outcome::Refused(Refusal::UnknownRoom));
    ask(&mut world, put("Operations", true, false)).await;
    assert_eq!(
        ask(&mut world, put("Operations", true, false)).await,
        Outcome::Unchanged
    );
    ask(&mut world, Conversations::Say(say(room, "ana", "hi"))).await;
    let message = said(&mut world, room).await[0];
    let row = find_message(&mut world.conn, message).await.unwrap();
    assert!(
        row.unwrap().restricted,
        "the room keeps its words to itself"
    );
    ask(&mut world, put("Operations", true, true)).await;
    let late = ask(&mut world, Conversations::Say(say(room, "ana", "still?"))).await;
    assert!(matches!(late, Outcome::Refused(Refusal::NotNow(_))));
    assert_eq!(said(&mut world, room).await.len(), 1);
    let row = room_by_key(&mut world.conn, "ops").await.unwrap().unwrap();
    assert!(row.closed);
    let bad = Conversations::PutRoom {
        key: "118".to_owned(),
        name: "x".to_owned(),
        restricted: false,
        closed: false,
        by: by("ana"),
    };
    let bad = ask(&mut world, bad).await;
    assert!(matches!(bad, Outcome::Refused(Refusal::Invalid(_))));
}

#[tokio::test]
async fn members_pins_and_read_marks_say_how_it_stands() {
    let (mut world, room) = alerted().await;
    for text in ["bridge is 040 1", "who has the key?"] {
        ask(&mut world, Conversations::Say(say(room, "ana", text))).await;
    }
    let ids = said(&mut world, room).await;
    let member = |key: &str, member| Conversations::PutMember {
        room,
        person: RecipientId::of_key(key),
        member,
        follow: Follow::Sms,
        by: by("ana"),
    };
    ask(&mut world, member("bela", true)).await;
    let unknown = ask(&mut world, member("nobody", true)).await;
    assert!(matches!(
        unknown,
        Outcome::Refused(Refusal::UnknownRecipient(_))
    ));
    let found = members(&mut world.conn, room).await.unwrap();
    assert_eq!((found.len(), found[0].follow), (1, Follow::Sms));
    ask(&mut world, member("bela", false)).await;
    assert!(members(&mut world.conn, room).await.unwrap().is_empty());

    let pin = |pinned| Conversations::Pin {
        message: ids[1],
        pinned,
        by: by("ana"),
    };
    ask(&mut world, pin(true)).await;
    let found = pinned(&mut world.conn, room).await.unwrap();
    assert_eq!(found[0].message.text, "bridge is 040 1");
    ask(&mut world, pin(false)).await;
    assert!(pinned(&mut world.conn, room).await.unwrap().is_empty());

    let read = |place: usize| Conversations::Read {
        person: RecipientId::of_key("bela"),
        message: ids[place],
    };
    ask(&mut world, read(2)).await;
    assert_eq!(ask(&mut world, read(1)).await, Outcome::Unchanged);
    let found = reads(&mut world.conn, room).await.unwrap();
    assert_eq!((found.len(), found[0].sequence), (1, 3));
}
