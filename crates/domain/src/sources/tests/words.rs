//! What other systems say of alerts.

use super::*;
use crate::sources::{About, Word};

async fn tell(world: &mut World, source: &str, about: About, text: &str) -> Outcome {
    let arrivals = vec![Arrival {
        source: source.to_owned(),
        what: Arrived::Word(Word::new(about, text)),
    }];
    let outcome = world
        .run(Command::Sources(Sources::Take { arrivals }))
        .await;
    world.act().await;
    outcome
}

async fn room(world: &mut World, alert: AlertId) -> Vec<String> {
    let said = messages(&mut world.conn, RoomId::of_alert(alert), 0, 100)
        .await
        .unwrap();
    let shown = said
        .iter()
        .map(|m| format!("{} ({}): {}", m.author, m.via, m.text));
    shown.collect()
}

#[tokio::test]
async fn a_word_stands_in_the_room_of_its_alert_once_and_calls_nobody() {
    let mut world = with(webhook("authority")).await;
    say(&mut world, "authority", &[signal("A1", Severity::High)]).await;
    let alert = alerts::list(&mut world.conn, None, None, 1).await.unwrap()[0].id;
    let owed = count(&mut world, "select count(*) from delivery").await;
    for _ in 0..2 {
        tell(
            &mut world,
            "authority",
            About::Alert(alert),
            "Ack from siren@x: wired",
        )
        .await;
    }
    let key = About::Key("A1".to_owned());
    tell(
        &mut world,
        "authority",
        key,
        "Error from sign@x:\n too long",
    )
    .await;
    let said = room(&mut world, alert).await;
    assert_eq!(
        said[1..],
        [
            "Monitor authority (source): Ack from siren@x: wired",
            "Monitor authority (source): Error from sign@x: too long"
        ]
    );
    assert_eq!(
        count(&mut world, "select count(*) from delivery").await,
        owed
    );
    let row = source(&mut world.conn, "authority").await.unwrap().unwrap();
    assert_eq!(row.signals, 4);
}

#[tokio::test]
async fn words_about_nothing_and_too_many_of_them_are_only_counted() {
    let mut world = with(webhook("authority")).await;
    say(&mut world, "authority", &[signal("A1", Severity::High)]).await;
    let alert = alerts::list(&mut world.conn, None, None, 1).await.unwrap()[0].id;
    let nowhere = About::Alert(AlertId([9; 16]));
    tell(&mut world, "authority", nowhere, "Ack").await;
    tell(&mut world, "authority", About::Key("A9".to_owned()), "Ack").await;
    let blank = tell(&mut world, "authority", About::Alert(alert), " ").await;
    assert_eq!(blank, Outcome::Unchanged);
    for n in 0..60 {
        tell(
            &mut world,
            "authority",
            About::Alert(alert),
            &format!("Ack {n}"),
        )
        .await;
    }
    assert_eq!(room(&mut world, alert).await.len(), 51);
}
