//! Transcripts of rooms.

use super::{Command as Conversations, messages};
use crate::transcript::World;
use crate::vocabulary::Severity;
use crate::{Command, Outcome, Refusal, RoomId};

#[tokio::test]
async fn messages_keep_their_order_and_need_a_room() {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 60, &[&["ana"]]).await;
    let room = RoomId::of_alert(alert);
    let post = |room, text: &str| {
        Command::Conversations(Conversations::Post {
            room,
            author: "Ana".to_owned(),
            text: text.to_owned(),
        })
    };
    world.ask(post(room, "on my way")).await;
    world.ask(post(room, "at the gate")).await;
    let said: Vec<_> = messages(&mut world.conn, room, 1, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|m| m.text)
        .collect();
    assert_eq!(said, ["on my way", "at the gate"]);
    let nowhere = world.ask(post(RoomId([3; 16]), "hello")).await;
    assert_eq!(nowhere, Outcome::Refused(Refusal::UnknownRoom));
}
