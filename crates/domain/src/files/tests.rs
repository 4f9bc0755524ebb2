//! Transcripts of files: announced, come, shown, copied, taken away.

use super::{Announce, Command as Files, FileDigest, copies, find, live, missing, over};
use super::{held_by, in_room, of_messages, used_bytes};
use crate::agenda::agenda;
use crate::conversations::{Command as Rooms, Speaker, messages};
use crate::islands::safe;
use crate::nodes::Command as Nodes;
use crate::transcript::World;
use crate::vocabulary::Severity;
use crate::{Actor, Command, FileId, NodeId, Outcome, RecipientId, Refusal, RequestId, RoomId};

const PHOTO: FileDigest = FileDigest([5; 32]);

fn by(key: &str) -> Speaker {
    Speaker {
        name: key.to_owned(),
        person: Some(RecipientId::of_key(key)),
    }
}

fn photo(room: RoomId) -> Announce {
    Announce {
        room,
        by: by("ana"),
        name: "gate.jpg".to_owned(),
        sha256: PHOTO,
        size: 1_150_000,
        caption: "gate 4, @bela".to_owned(),
        restricted: false,
    }
}

/// A world with an alert to ana, and its room.
async fn alerted() -> (World, RoomId) {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 60, &[&["ana"]]).await;
    (world, RoomId::of_alert(alert))
}

/// Announces a file under a request of its own; its id, and what came of it.
async fn announce(world: &mut World, request: u8, new: Announce) -> (FileId, Outcome) {
    let request = RequestId([request; 16]);
    let command = Command::Files(Files::Announce(new));
    let actor = Actor::Operator { node: NodeId(1) };
    let entry = world.entry(request, [0; 32], actor, None, command);
    let outcomes = crate::apply_batch(&mut world.conn, &[entry]).await.unwrap();
    (FileId::of_request(request), outcomes[0].clone())
}

async fn arrive(world: &mut World, file: FileId, node: u64) -> Outcome {
    let node = NodeId(node);
    world
        .ask(Command::Files(Files::Arrive { file, node }))
        .await
}

async fn hold(world: &mut World, node: u64, held: &[FileDigest], lost: &[FileDigest]) -> Outcome {
    let command = Files::Hold {
        node: NodeId(node),
        held: held.to_vec(),
        lost: lost.to_vec(),
    };
    world.run(Command::Files(command)).await
}

async fn said(world: &mut World, room: RoomId) -> Vec<String> {
    let said = messages(&mut world.conn, room, 1, 100).await.unwrap();
    said.into_iter().map(|row| row.text).collect()
}

#[tokio::test]
async fn a_file_is_said_once_when_the_first_node_holds_it() {
    let (mut world, room) = alerted().await;
    let (file, outcome) = announce(&mut world, 7, photo(room)).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(said(&mut world, room).await, Vec::<String>::new());
    let ends = agenda(&mut world.conn).await.unwrap().files.next.unwrap();
    assert_eq!(ends.since(world.now).as_secs(), 24 * 3_600);
    assert!(matches!(
        arrive(&mut world, file, 2).await,
        Outcome::Applied(_)
    ));
    assert!(matches!(
        arrive(&mut world, file, 1).await,
        Outcome::Applied(_)
    ));
    assert_eq!(arrive(&mut world, file, 1).await, Outcome::Unchanged);
    assert_eq!(
        said(&mut world, room).await,
        ["gate 4, @bela\n[gate.jpg, 1.2 MB]"]
    );
    let row = messages(&mut world.conn, room, 1, 100).await.unwrap();
    assert_eq!(row[0].person, Some(RecipientId::of_key("ana")));
    let shown = of_messages(&mut world.conn, &[row[0].id]).await.unwrap();
    assert_eq!(shown[&row[0].id].id, file);
    assert_eq!(in_room(&mut world.conn, room, 9).await.unwrap().len(), 1);
    let held = copies(&mut world.conn, &[PHOTO]).await.unwrap();
    assert_eq!(held[&PHOTO], [NodeId(1), NodeId(2)]);
    assert_eq!(agenda(&mut world.conn).await.unwrap().files.next, None);
    let nobody = arrive(&mut world, file, 9).await;
    assert_eq!(nobody, Outcome::Refused(Refusal::UnknownNode));
    let unknown = arrive(&mut world, FileId([1; 16]), 1).await;
    assert!(matches!(unknown, Outcome::Refused(Refusal::NoSuch(_))));
}

#[tokio::test]
async fn what_is_not_taken_is_refused_before_a_byte_of_it_came() {
    let (mut world, room) = alerted().await;
    let mut bad = vec![photo(RoomId([3; 16]))];
    for (name, size, caption) in [
        ("gate.svg", 1, ""),
        ("gate", 1, ""),
        ("gate.jpg", 0, ""),
        ("gate.jpg", super::SIZE_MAX + 1, ""),
        ("gate.jpg", 1, &*"x".repeat(3_501)),
    ] {
        bad.push(Announce {
            name: name.to_owned(),
            size,
            caption: caption.to_owned(),
            ..photo(room)
        });
    }
    for (number, bad) in (1..).zip(bad) {
        let (file, outcome) = announce(&mut world, number, bad.clone()).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{bad:?}");
        assert_eq!(find(&mut world.conn, file).await.unwrap(), None);
    }
    let close = Rooms::PutRoom {
        key: "ops".to_owned(),
        name: "Operations".to_owned(),
        restricted: false,
        closed: true,
        by: by("ana"),
    };
    world.ask(Command::Conversations(close)).await;
    let (_, outcome) = announce(&mut world, 99, photo(RoomId::of_key("ops"))).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::NotNow(_))));
}

#[tokio::test]
async fn a_caller_has_only_so_many_files_under_way() {
    let (mut world, room) = alerted().await;
    for number in 1..=20 {
        let (_, outcome) = announce(&mut world, number, photo(room)).await;
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
    let (_, outcome) = announce(&mut world, 21, photo(room)).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::NotNow(_))));
    arrive(&mut world, FileId::of_request(RequestId([1; 16])), 1).await;
    let (_, outcome) = announce(&mut world, 22, photo(room)).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(used_bytes(&mut world.conn).await.unwrap(), 1_150_000);
}

#[tokio::test]
async fn what_never_came_ends_by_its_row_and_what_came_stays() {
    let (mut world, room) = alerted().await;
    let (late, _) = announce(&mut world, 1, photo(room)).await;
    let (here, _) = announce(&mut world, 2, photo(room)).await;
    arrive(&mut world, here, 1).await;
    let both = vec![late, here];
    let expire = |files: &[FileId]| {
        Command::Files(Files::Expire {
            files: files.to_vec(),
        })
    };
    assert_eq!(world.run(expire(&both)).await, Outcome::Unchanged);
    world.pass(24 * 3_600);
    let now = world.now;
    let due = over(&mut world.conn, now, 10).await.unwrap();
    assert_eq!(due, [late]);
    world.run(expire(&both)).await;
    assert_eq!(find(&mut world.conn, late).await.unwrap(), None);
    assert!(find(&mut world.conn, here).await.unwrap().is_some());
    assert_eq!(over(&mut world.conn, now, 10).await.unwrap(), []);
}

#[tokio::test]
async fn nodes_say_what_they_hold_and_what_they_lost() {
    let (mut world, room) = alerted().await;
    let (file, _) = announce(&mut world, 1, photo(room)).await;
    assert_eq!(
        missing(&mut world.conn, NodeId(2), 10).await.unwrap(),
        [],
        "nobody holds it yet"
    );
    arrive(&mut world, file, 1).await;
    let wanted = missing(&mut world.conn, NodeId(2), 10).await.unwrap();
    assert_eq!(
        (wanted[0].sha256, wanted[0].size, &*wanted[0].from),
        (PHOTO, 1_150_000, &[NodeId(1)][..])
    );
    hold(&mut world, 2, &[PHOTO, FileDigest([1; 32])], &[]).await;
    assert_eq!(missing(&mut world.conn, NodeId(2), 10).await.unwrap(), []);
    let held = held_by(&mut world.conn, NodeId(2)).await.unwrap();
    assert_eq!(held, [(PHOTO, 1_150_000)]);
    hold(&mut world, 2, &[], &[PHOTO]).await;
    assert_eq!(
        missing(&mut world.conn, NodeId(2), 10).await.unwrap().len(),
        1
    );
    hold(&mut world, 2, &[PHOTO], &[]).await;
    let gone = Command::Nodes(Nodes::Remove { node: NodeId(2) });
    world.run(gone).await;
    let held = copies(&mut world.conn, &[PHOTO]).await.unwrap();
    assert_eq!(held[&PHOTO], [NodeId(1)], "who left holds nothing for us");
}

#[tokio::test]
async fn what_was_taken_away_keeps_its_row_and_its_bytes_go_with_the_last_file_that_has_them() {
    let (mut world, room) = alerted().await;
    let (first, _) = announce(&mut world, 1, photo(room)).await;
    let (second, _) = announce(&mut world, 2, photo(room)).await;
    arrive(&mut world, first, 1).await;
    arrive(&mut world, second, 1).await;
    let remove = |file| {
        let by = by("bela");
        Command::Files(Files::Remove { file, by })
    };
    world.ask(remove(first)).await;
    assert_eq!(world.ask(remove(first)).await, Outcome::Unchanged);
    assert!(live(&mut world.conn).await.unwrap().0.contains(&PHOTO));
    world.ask(remove(second)).await;
    assert!(live(&mut world.conn).await.unwrap().0.is_empty());
    assert!(copies(&mut world.conn, &[PHOTO]).await.unwrap().is_empty());
    let row = find(&mut world.conn, first).await.unwrap().unwrap();
    assert_eq!(row.removed.unwrap().1, "bela");
    assert_eq!(said(&mut world, room).await.len(), 2, "what was said stays");
    let again = arrive(&mut world, first, 1).await;
    assert!(matches!(again, Outcome::Refused(Refusal::NotNow(_))));
}

#[test]
fn an_island_takes_no_files() {
    let command = Command::Files(Files::Announce(photo(RoomId([1; 16]))));
    assert!(matches!(safe(&command), Err(Refusal::NotOnIsland(_))));
}
