//! Whoever is silent is reminded; whoever is coming and does not say so again counts no more.

use expect_test::expect;

use super::{begun, is_enough, room, say, texts_of};
use crate::agenda::agenda;
use crate::escalation::{Answer, Word, called};
use crate::transcript::{World, accepted, raise};
use crate::vocabulary::{Conduct, Severity};
use crate::{AlertId, Command, Outcome, RecipientId, Refusal, alerts};

async fn begins(world: &mut World, steps: &[&[&str]], conduct: Conduct) -> AlertId {
    let mut new = raise(Severity::High, 3_600, steps);
    new.conduct = conduct;
    begun(world, new).await
}

fn confirmed_within(minutes: u64) -> Conduct {
    Conduct {
        confirm_ms: minutes * 60_000,
        ..Conduct::default()
    }
}

async fn pass(world: &mut World, seconds: i64) {
    world.pass(seconds);
    world.act().await;
}

async fn word(world: &mut World, alert: AlertId, key: &str) -> Word {
    let called = called(&mut world.conn, alert, 0, 100).await.unwrap();
    let id = RecipientId::of_key(key);
    called
        .iter()
        .find(|call| call.recipient == id)
        .unwrap()
        .word
}

#[tokio::test]
async fn a_coming_that_is_not_confirmed_lapses_and_the_next_step_is_called() {
    let mut world = World::new().await;
    let alert = begins(&mut world, &[&["dora"], &["bela"]], confirmed_within(30)).await;
    world.send_all(1, accepted()).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    assert!(is_enough(&mut world, alert).await);
    pass(&mut world, 15 * 60).await;
    let asked = texts_of(&mut world, alert, "reminder").await.concat();
    assert!(
        asked.contains("You said you are coming. Still on your way? Say so by 03:30 UTC"),
        "{asked}"
    );
    assert_eq!(word(&mut world, alert, "dora").await, Word::Asked);
    assert!(
        is_enough(&mut world, alert).await,
        "asked, and still counted"
    );
    pass(&mut world, 15 * 60).await;
    assert_eq!(word(&mut world, alert, "dora").await, Word::Lapsed);
    assert!(!is_enough(&mut world, alert).await);
    expect!["calling step 1/2 round 0 coming 0/1 next advance +3600 s"]
        .assert_eq(&world.plan(alert).await);
    let said = room(&mut world, alert).await;
    assert!(said.contains("not counted any more: DORA."), "{said}");
    pass(&mut world, 3_600).await;
    assert!(world.deliveries(alert).await.contains("bela page 2.0"));
}

#[tokio::test]
async fn saying_so_again_when_asked_stands_for_good() {
    let mut world = World::new().await;
    let alert = begins(&mut world, &[&["dora"]], confirmed_within(30)).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    assert_eq!(
        word(&mut world, alert, "dora").await,
        Word::Given,
        "nobody asked"
    );
    pass(&mut world, 15 * 60).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    assert_eq!(word(&mut world, alert, "dora").await, Word::Confirmed);
    pass(&mut world, 24 * 3_600).await;
    assert!(is_enough(&mut world, alert).await);
    expect![[r#"
        dora page 1.0 sms cancelled (answered)
        dora page 1.0 email cancelled (answered)
        dora reminder 1.0 sms cancelled (answered)
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn whoever_lapsed_may_come_all_the_same() {
    let mut world = World::new().await;
    let alert = begins(&mut world, &[&["dora"]], confirmed_within(30)).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    pass(&mut world, 15 * 60).await;
    pass(&mut world, 15 * 60).await;
    assert!(!is_enough(&mut world, alert).await);
    say(&mut world, alert, "dora", Answer::Coming).await;
    assert!(is_enough(&mut world, alert).await);
    expect!["calling step 1/1 round 2 coming 1/1 next review +3600 s"]
        .assert_eq(&world.plan(alert).await);
}

#[tokio::test]
async fn without_a_wish_for_it_nothing_lapses_and_nobody_is_reminded() {
    let mut world = World::new().await;
    let alert = begins(&mut world, &[&["dora", "bela"]], Conduct::default()).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    pass(&mut world, 24 * 3_600).await;
    assert!(is_enough(&mut world, alert).await);
    assert!(!world.deliveries(alert).await.contains("reminder"));
}

#[tokio::test]
async fn the_silent_are_reminded_as_often_as_wished_and_in_words_of_their_own() {
    let mut world = World::new().await;
    let twice = Conduct {
        remind_every_ms: 120_000,
        reminders: 2,
        ..Conduct::default()
    };
    let alert = begins(&mut world, &[&["ana", "bela"], &["dora"]], twice).await;
    world.send_all(1, accepted()).await;
    pass(&mut world, 120).await;
    let shown = texts_of(&mut world, alert, "reminder").await.concat();
    assert!(shown.contains("Et ole vielä vastannut."), "{shown}");
    say(&mut world, alert, "ana", Answer::Cannot).await;
    for _ in 0..4 {
        pass(&mut world, 120).await;
    }
    expect![[r#"
        ana page 1.0 sms acknowledged
        ana page 1.0 email cancelled (answered)
        bela page 1.0 sms sent
        ana reminder 1.0 sms cancelled (answered)
        bela reminder 1.0 sms pending
        bela reminder 1.0 sms pending
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn with_enough_coming_nobody_is_reminded_any_more() {
    let mut world = World::new().await;
    let once = Conduct {
        remind_every_ms: 120_000,
        reminders: 1,
        ..Conduct::default()
    };
    let alert = begins(&mut world, &[&["ana", "bela"]], once).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    pass(&mut world, 600).await;
    assert!(!world.deliveries(alert).await.contains("reminder"));
}

#[tokio::test]
async fn an_alert_that_is_over_reminds_nobody() {
    let mut world = World::new().await;
    let once = Conduct {
        remind_every_ms: 120_000,
        reminders: 1,
        ..Conduct::default()
    };
    let alert = begins(&mut world, &[&["bela"]], once).await;
    let note = String::new();
    world
        .ask(Command::Alerts(alerts::Command::Resolve { alert, note }))
        .await;
    pass(&mut world, 600).await;
    assert!(!world.deliveries(alert).await.contains("reminder"));
    let next = agenda(&mut world.conn).await.unwrap().escalation.next;
    assert_eq!(next, None, "its timers are gone");
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused_in_words() {
    let mut world = World::new().await;
    for (conduct, words) in [
        (confirmed_within(1), "stands for 2 minutes to 24 hours"),
        (
            Conduct {
                reminders: 11,
                remind_every_ms: 60_000,
                ..Conduct::default()
            },
            "at most 10 times",
        ),
        (
            Conduct {
                reminders: 1,
                ..Conduct::default()
            },
            "1 minute to 24 hours apart",
        ),
    ] {
        let mut new = raise(Severity::High, 0, &[&["ana"]]);
        new.conduct = conduct;
        let raise = Command::Alerts(alerts::Command::Raise(Box::new(new)));
        let Outcome::Refused(Refusal::Invalid(why)) = world.ask(raise).await else {
            panic!("taken");
        };
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn a_quiet_alert_wakes_nobody_at_its_end() {
    let mut world = World::new().await;
    let quiet = Conduct {
        quiet: true,
        ..Conduct::default()
    };
    let alert = begins(&mut world, &[&["ana"]], quiet).await;
    for _ in 0..10 {
        pass(&mut world, 60).await;
    }
    expect![[r#"
        ana page 1.0 sms pending
        ana page 1.0 email standby
        ana page 1.1 sms pending
        ana page 1.1 email standby
    "#]]
    .assert_eq(&world.deliveries(alert).await);
}

#[tokio::test]
async fn after_an_outage_nobody_gets_all_reminders_at_once_or_lapses_unasked() {
    let mut world = World::new().await;
    let conduct = Conduct {
        confirm_ms: 1_800_000,
        remind_every_ms: 120_000,
        reminders: 3,
        ..Conduct::default()
    };
    let mut new = raise(Severity::High, 7_200, &[&["bela", "dora"]]);
    new.conduct = conduct;
    new.needed = 2;
    let alert = begun(&mut world, new).await;
    say(&mut world, alert, "dora", Answer::Coming).await;
    pass(&mut world, 3_600).await;
    let shown = world.deliveries(alert).await;
    assert_eq!(shown.matches("bela reminder").count(), 1, "{shown}");
    assert_eq!(word(&mut world, alert, "dora").await, Word::Asked);
    let asked = texts_of(&mut world, alert, "reminder").await.concat();
    assert!(asked.contains("Say so by 04:15 UTC"), "{asked}");
    pass(&mut world, 899).await;
    assert_eq!(word(&mut world, alert, "dora").await, Word::Asked);
    pass(&mut world, 1).await;
    assert_eq!(word(&mut world, alert, "dora").await, Word::Lapsed);
}
