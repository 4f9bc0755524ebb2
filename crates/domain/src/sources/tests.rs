//! Transcripts of sources.

mod drills;
mod redirects;
mod words;

use expect_test::expect;

use super::{
    Arrival, Arrived, Beat, Brake, Command as Sources, Held, Kind, Mapping, Matcher, OnResolve,
    Settings, Signal, Silence, SilenceKind, Source, Test, due, signals_of, source,
};
use crate::agenda::agenda;
use crate::alerts::{self, State};
use crate::conversations::messages;
use crate::oncall::Called;
use crate::recipients::Named;
use crate::transcript::{START, World, accepted, raise};
use crate::vocabulary::{Severity, Status};
use crate::{AlertId, Command, Outcome, Receipt, Refusal, RoomId, Timestamp};

/// A webhook that calls group night, in which are ana and bela.
pub(super) fn webhook(key: &str) -> Source {
    Source {
        key: key.to_owned(),
        name: format!("Monitor {key}"),
        kind: Kind::Webhook,
        calls: vec![Called::Named(Named::Group("night".to_owned()))],
        severity: Severity::High,
        severities: Vec::new(),
        gather: String::new(),
        mapping: Mapping::of(Kind::Webhook),
        on_resolve: OnResolve::Close,
        brake: Brake::default(),
        beat: None,
        enabled: true,
        answers: false,
    }
}

pub(super) fn signal(key: &str, severity: Severity) -> Signal {
    Signal {
        key: key.to_owned(),
        texts: vec![("en".to_owned(), format!("{key} is down"))],
        severity,
        status: Status::Actual,
        labels: vec![("site".to_owned(), "north".to_owned())],
        resolved: false,
    }
}

fn over(key: &str) -> Signal {
    Signal {
        resolved: true,
        ..signal(key, Severity::High)
    }
}

async fn put(world: &mut World, source: Source) {
    let source = Box::new(source);
    let outcome = world.ask(Command::Sources(Sources::Put { source })).await;
    assert_eq!(outcome, Outcome::Applied(Receipt::Count(1)));
}

async fn with(source: Source) -> World {
    let mut world = World::new().await;
    put(&mut world, source).await;
    world
}

async fn say(world: &mut World, source: &str, signals: &[Signal]) -> Outcome {
    let arrivals = signals
        .iter()
        .map(|signal| Arrival {
            source: source.to_owned(),
            what: Arrived::Signal(signal.clone()),
        })
        .collect();
    let outcome = world
        .run(Command::Sources(Sources::Take { arrivals }))
        .await;
    world.act().await;
    outcome
}

async fn beat(world: &mut World, source: &str) {
    let arrivals = vec![Arrival {
        source: source.to_owned(),
        what: Arrived::Beat,
    }];
    world
        .run(Command::Sources(Sources::Take { arrivals }))
        .await;
}

/// Lets time pass and does what falls due, as the scheduler would.
async fn pass(world: &mut World, seconds: i64) {
    let end = Timestamp(world.now.0 + seconds * 1_000);
    for _ in 0..100 {
        let next = agenda(&mut world.conn).await.unwrap().sources.next;
        let Some(at) = next.filter(|at| *at <= end) else {
            world.now = end;
            world.act().await;
            return;
        };
        world.now = world.now.max(at);
        let due = due(&mut world.conn, world.now, 100).await.unwrap();
        assert!(!due.is_empty(), "due at {at:?} and not named");
        world.run(Command::Sources(Sources::FollowUp { due })).await;
        world.act().await;
    }
    panic!("something is due again and again");
}

/// One line per alert, oldest first: number, state, severity, English text, note.
async fn shown(world: &mut World) -> String {
    let mut rows = alerts::list(&mut world.conn, None, None, 1_000)
        .await
        .unwrap();
    rows.reverse();
    rows.iter()
        .map(|row| {
            let english = row.texts.iter().find(|(tag, _)| tag == "en");
            let text = english.map_or("", |(_, text)| text);
            let (number, state) = (row.number, row.state.name());
            format!(
                "{number} {state} {} {text} [{}]\n",
                row.severity.name(),
                row.note
            )
        })
        .collect()
}

async fn duty_inbox(world: &mut World) -> String {
    let said = messages(&mut world.conn, RoomId::DUTY_INBOX, 0, 100)
        .await
        .unwrap();
    said.iter().map(|m| format!("{}\n", m.text)).collect()
}

async fn count(world: &mut World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql)
        .fetch_one(&mut world.conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn those_on_duty_are_told_of_a_stop_and_that_alert_ends_with_it() {
    let mut world = with(webhook("zabbix")).await;
    let settings = Settings {
        duty: vec![Called::Named(Named::Person("dora".to_owned()))],
        ..Settings::default()
    };
    world.ask(Command::Sources(Sources::Set(settings))).await;
    let stop = Sources::StopAll {
        reason: "storm test".to_owned(),
        for_ms: 600_000,
    };
    world.ask(Command::Sources(stop)).await;
    let told = alerts::list(&mut world.conn, Some(State::Open), None, 9)
        .await
        .unwrap();
    assert_eq!(
        told[0].texts[0].1,
        "All automatic alarms are stopped by operator:n1 for 10 min: storm test. People's own alerts go on. End it: \
         holdfast source resume"
    );
    world.ask(Command::Sources(Sources::Resume)).await;
    let told = alerts::list(&mut world.conn, Some(State::Open), None, 9)
        .await
        .unwrap();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn an_alarm_is_raised_once_counted_again_and_closed_by_its_end() {
    let mut world = with(webhook("prom")).await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    pass(&mut world, 30).await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    expect!["1 open high db1 is down []\n"].assert_eq(&shown(&mut world).await);
    let listed = signals_of(&mut world.conn, "prom", 10).await.unwrap();
    assert_eq!((listed[0].count, listed[0].held), (2, None));
    assert_eq!(listed[0].label.as_deref(), Some("1"));
    say(&mut world, "prom", &[over("db1")]).await;
    expect!["1 resolved high db1 is down [Monitor prom says it is over]\n"]
        .assert_eq(&shown(&mut world).await);
    assert_eq!(
        say(&mut world, "gone", &[over("db1")]).await,
        Outcome::Unchanged
    );
}

#[tokio::test]
async fn a_source_may_leave_the_closing_to_people() {
    let source = Source {
        on_resolve: OnResolve::Note,
        ..webhook("prom")
    };
    let mut world = with(source).await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    say(&mut world, "prom", &[over("db1")]).await;
    expect!["1 open high db1 is down []\n"].assert_eq(&shown(&mut world).await);
    let rows = alerts::list(&mut world.conn, None, None, 1).await.unwrap();
    let room = RoomId::of_alert(rows[0].id);
    let said = messages(&mut world.conn, room, 0, 10).await.unwrap();
    assert_eq!(said.last().unwrap().text, "Monitor prom says it is over");
}

#[tokio::test]
async fn a_storm_is_one_alarm_at_once_and_one_bundle_with_a_count() {
    let mut world = with(webhook("prom")).await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    for n in 2..=6 {
        pass(&mut world, 10).await;
        say(
            &mut world,
            "prom",
            &[signal(&format!("db{n}"), Severity::High)],
        )
        .await;
    }
    expect![[r#"
        1 open high db1 is down []
        2 open high More alarms from Monitor prom: db2 is down. Further ones are counted here. []
    "#]]
    .assert_eq(&shown(&mut world).await);
    let bundle = alerts::list(&mut world.conn, None, None, 1).await.unwrap()[0].id;
    let rows = world.deliveries(bundle).await;
    assert!(!rows.contains("update"), "{rows}");
    pass(&mut world, 600).await;
    let rows = world.deliveries(bundle).await;
    assert_eq!(rows.matches(" update ").count(), 2, "one each: {rows}");
    let body: String = sqlx::query_scalar(
        "select body from delivery where purpose = 'update' and language = 'fi' order by delivery_id",
    )
    .fetch_one(&mut world.conn)
    .await
    .unwrap();
    assert_eq!(
        body,
        "\u{1} Aurora Energy 2: tähän mennessä 5 hälytystä, uusin: db6 is down"
    );
    // All over, but some of it only later: the bundle ends with the last.
    let ends: Vec<Signal> = (1..=5).map(|n| over(&format!("db{n}"))).collect();
    say(&mut world, "prom", &ends).await;
    pass(&mut world, 60).await;
    assert!(shown(&mut world).await.contains("2 open"));
    say(&mut world, "prom", &[over("db6")]).await;
    pass(&mut world, 60).await;
    expect![[r#"
        1 resolved high db1 is down [Monitor prom says it is over]
        2 resolved high More alarms from Monitor prom: db2 is down. Further ones are counted here. [all 5 alarms of Monitor prom are over]
    "#]]
    .assert_eq(&shown(&mut world).await);
    // Quiet again: the next one is told alone.
    pass(&mut world, 600).await;
    say(&mut world, "prom", &[signal("db9", Severity::High)]).await;
    assert!(shown(&mut world).await.contains("3 open high db9 is down"));
    assert_eq!(
        count(&mut world, "select count(*) from source_bundle").await,
        0
    );
}

#[tokio::test]
async fn a_worse_alarm_is_never_hidden_in_a_bundle_of_lesser_ones() {
    let mut world = with(webhook("prom")).await;
    for n in 1..=3 {
        say(
            &mut world,
            "prom",
            &[signal(&format!("a{n}"), Severity::Normal)],
        )
        .await;
    }
    for n in 1..=3 {
        say(
            &mut world,
            "prom",
            &[signal(&format!("b{n}"), Severity::Critical)],
        )
        .await;
    }
    say(&mut world, "prom", &[signal("a4", Severity::Low)]).await;
    expect![[r#"
        1 open normal a1 is down []
        2 open normal More alarms from Monitor prom: a2 is down. Further ones are counted here. []
        3 open critical b1 is down []
        4 open critical More alarms from Monitor prom: b2 is down. Further ones are counted here. []
    "#]]
    .assert_eq(&shown(&mut world).await);
}

#[tokio::test]
async fn what_comes_and_goes_is_told_once_and_held_until_it_is_quiet() {
    let mut source = webhook("prom");
    source.brake.changes_max = 2;
    source.brake.window_ms = 60_000;
    let mut world = with(source).await;
    for _ in 0..8 {
        say(&mut world, "prom", &[signal("link", Severity::High)]).await;
        pass(&mut world, 30).await;
        say(&mut world, "prom", &[over("link")]).await;
        pass(&mut world, 31).await;
    }
    expect![[r#"
        1 resolved high link is down [Monitor prom says it is over]
        2 resolved high link is down [Monitor prom says it is over]
        3 open high link is down (came 3 times in 15 min; held until it has been quiet as long) []
    "#]]
    .assert_eq(&shown(&mut world).await);
    let listed = signals_of(&mut world.conn, "prom", 10).await.unwrap();
    assert_eq!(listed[0].held, Some(Held::Flapping));
    pass(&mut world, 15 * 60).await;
    assert!(shown(&mut world).await.contains("3 resolved"));
    let listed = signals_of(&mut world.conn, "prom", 10).await.unwrap();
    assert_eq!((listed[0].held, listed[0].changes), (None, 0));
}

#[tokio::test]
async fn a_silence_shows_what_it_swallows_and_lets_through_what_lasts() {
    let mut world = with(webhook("prom")).await;
    let silence = |until: i64| Silence {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        kind: SilenceKind::Maintenance,
        source: "prom".to_owned(),
        matchers: vec![Matcher {
            label: "site".to_owned(),
            test: Test::Begins,
            value: "nor".to_owned(),
        }],
        from: START,
        until: Timestamp(START.0 + until * 1_000),
        reason: "new switch".to_owned(),
    };
    for (wrong, word) in [(0, "end after"), (40 * 86_400, "31 days")] {
        let outcome = world
            .ask(Command::Sources(Sources::PutSilence(silence(wrong))))
            .await;
        let Outcome::Refused(Refusal::Invalid(why)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(why.contains(word), "{why}");
    }
    world
        .ask(Command::Sources(Sources::PutSilence(silence(3_600))))
        .await;
    say(
        &mut world,
        "prom",
        &[signal("db1", Severity::High), signal("db2", Severity::High)],
    )
    .await;
    say(&mut world, "prom", &[over("db1")]).await;
    let mut other = signal("db3", Severity::High);
    other.labels = vec![("site".to_owned(), "south".to_owned())];
    say(&mut world, "prom", &[other]).await;
    expect!["1 open high db3 is down []\n"].assert_eq(&shown(&mut world).await);
    let listed = signals_of(&mut world.conn, "prom", 10).await.unwrap();
    let held: Vec<_> = listed.iter().map(|s| (s.key.as_str(), s.held)).collect();
    assert!(held.contains(&("db2", Some(Held::Maintenance))), "{held:?}");
    pass(&mut world, 3_601).await;
    assert!(shown(&mut world).await.contains("2 open high db2 is down"));
    expect!["The maintenance of operator:n1 is over (new switch). It swallowed 2 signals, newest: Monitor prom: db2 is down; 1 are still open and alarm now.\n"]
        .assert_eq(&duty_inbox(&mut world).await);
}

#[tokio::test]
async fn a_stop_of_everything_automatic_ends_by_itself_and_never_stops_people() {
    let mut world = with(webhook("prom")).await;
    let stop = |for_ms| {
        Command::Sources(Sources::StopAll {
            reason: "SCADA test".to_owned(),
            for_ms,
        })
    };
    let outcome = world.ask(stop(31 * 60_000)).await;
    assert!(
        matches!(outcome, Outcome::Refused(Refusal::Invalid(_))),
        "{outcome:?}"
    );
    world.ask(stop(30 * 60_000)).await;
    say(&mut world, "prom", &[signal("db1", Severity::Critical)]).await;
    let by_hand = world.raise(Severity::Normal, 0, &[&["carl"]]).await;
    expect!["1 open normal Fire in hall 2 []\n"].assert_eq(&shown(&mut world).await);
    assert!(world.deliveries(by_hand).await.contains("carl page"));
    pass(&mut world, 29 * 60).await;
    assert!(
        super::stop(&mut world.conn, world.now)
            .await
            .unwrap()
            .is_some()
    );
    pass(&mut world, 61).await;
    assert!(
        super::stop(&mut world.conn, world.now)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        shown(&mut world)
            .await
            .contains("2 open critical db1 is down")
    );
    expect![[r#"
        All automatic sources are stopped by operator:n1 for 30 min: SCADA test. People's own alerts go on.
        Automatic sources run again. The stop by operator:n1 swallowed 1 signals; 1 are still open and alarm now.
    "#]]
    .assert_eq(&duty_inbox(&mut world).await);
}

fn heartbeat(key: &str) -> Source {
    Source {
        kind: Kind::Heartbeat,
        beat: Some(Beat {
            every_ms: 60_000,
            grace_ms: 30_000,
        }),
        ..webhook(key)
    }
}

#[tokio::test]
async fn a_missing_sign_of_life_alarms_and_its_return_closes() {
    let mut world = with(heartbeat("backup")).await;
    for _ in 0..5 {
        pass(&mut world, 60).await;
        beat(&mut world, "backup").await;
    }
    assert_eq!(shown(&mut world).await, "");
    pass(&mut world, 91).await;
    expect!["1 open high No sign of life from Monitor backup. []\n"]
        .assert_eq(&shown(&mut world).await);
    pass(&mut world, 600).await;
    beat(&mut world, "backup").await;
    expect![
        "1 resolved high No sign of life from Monitor backup. [Monitor backup says it is over]\n"
    ]
    .assert_eq(&shown(&mut world).await);
    let row = source(&mut world.conn, "backup").await.unwrap().unwrap();
    assert_eq!(row.beat_lost_at, None);
    assert_eq!(row.beat_due, Some(Timestamp(world.now.0 + 90_000)));
}

#[tokio::test]
async fn a_beat_that_came_in_time_is_not_missed_by_a_late_look() {
    let mut world = with(heartbeat("backup")).await;
    pass(&mut world, 60).await;
    let stale = due(&mut world.conn, Timestamp(world.now.0 + 31_000), 10)
        .await
        .unwrap();
    beat(&mut world, "backup").await;
    world.pass(31);
    let outcome = world
        .run(Command::Sources(Sources::FollowUp { due: stale }))
        .await;
    assert_eq!(outcome, Outcome::Unchanged);
    assert_eq!(shown(&mut world).await, "");
}

#[tokio::test]
async fn many_that_fall_silent_together_are_one_alert() {
    let mut world = World::new().await;
    for n in 1..=9 {
        put(&mut world, heartbeat(&format!("host-{n}"))).await;
    }
    pass(&mut world, 91).await;
    expect!["1 open high No sign of life from 9: Monitor host-1, Monitor host-2, Monitor host-3, Monitor host-4, Monitor host-5, Monitor host-6, .... []\n"]
        .assert_eq(&shown(&mut world).await);
    for n in 1..=9 {
        assert!(shown(&mut world).await.contains("1 open"));
        beat(&mut world, &format!("host-{n}")).await;
    }
    pass(&mut world, 61).await;
    assert!(
        shown(&mut world).await.contains("1 resolved"),
        "{}",
        shown(&mut world).await
    );
}

#[tokio::test]
async fn a_person_gets_so_many_alarms_one_by_one_and_the_rest_as_one_with_a_count() {
    let mut world = World::new().await;
    world
        .ask(Command::Sources(Sources::Set(Settings {
            person_alarms: 3,
            duty: Vec::new(),
        })))
        .await;
    for n in 1..=6 {
        put(&mut world, webhook(&format!("m{n}"))).await;
        say(
            &mut world,
            &format!("m{n}"),
            &[signal("x", Severity::Normal)],
        )
        .await;
    }
    let own = Source {
        calls: vec![Called::Named(Named::Person("carl".to_owned()))],
        ..webhook("m7")
    };
    put(&mut world, own).await;
    say(&mut world, "m7", &[signal("y", Severity::Normal)]).await;
    say(&mut world, "m6", &[signal("z", Severity::Critical)]).await;
    expect![[r#"
        1 open normal x is down []
        2 open normal x is down []
        3 open normal x is down []
        4 open normal More than 3 automatic alarms in 10 min. The rest is counted here, newest: x is down. See: holdfast source list []
        5 open normal y is down []
        6 open critical z is down []
    "#]]
    .assert_eq(&shown(&mut world).await);
    let gathered = signals_of(&mut world.conn, "m5", 1).await.unwrap();
    assert_eq!(gathered[0].label.as_deref(), Some("4"));
    assert_eq!(
        count(&mut world, "select count from source_bundle").await,
        3
    );
}

#[tokio::test]
async fn when_whoever_it_calls_is_gone_duty_is_called() {
    let mut world = with(webhook("prom")).await;
    let key = "night".to_owned();
    world
        .ask(Command::Recipients(
            crate::recipients::Command::RemoveGroup { key },
        ))
        .await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    assert_eq!(shown(&mut world).await, "");
    assert_eq!(
        duty_inbox(&mut world).await,
        "Monitor prom: nobody could be told: db1 is down (nobody is named for this source any more)\n"
    );
    world
        .ask(Command::Sources(Sources::Set(Settings {
            person_alarms: 5,
            duty: vec![Called::Named(Named::Person("dora".to_owned()))],
        })))
        .await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    expect!["1 open high db1 is down (nobody is named for this source any more) []\n"]
        .assert_eq(&shown(&mut world).await);
}

#[tokio::test]
async fn an_alert_that_an_island_raised_is_counted_and_closed_by_its_key() {
    let mut world = with(webhook("prom")).await;
    let mut new = raise(Severity::High, 0, &[&["ana"]]);
    new.dedup_key = Some("source:prom:db1".to_owned());
    world
        .ask(Command::Alerts(alerts::Command::Raise(Box::new(new))))
        .await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    assert_eq!(shown(&mut world).await.lines().count(), 1);
    say(&mut world, "prom", &[over("db1")]).await;
    assert!(shown(&mut world).await.contains("1 resolved"));
}

#[tokio::test]
async fn a_program_that_never_says_that_it_is_over_is_heard_again_later() {
    let mut world = with(webhook("script")).await;
    say(
        &mut world,
        "script",
        &[signal("job failed", Severity::High)],
    )
    .await;
    let alert = alerts::list(&mut world.conn, Some(State::Open), None, 1)
        .await
        .unwrap()[0]
        .id;
    resolve(&mut world, alert).await;
    say(
        &mut world,
        "script",
        &[signal("job failed", Severity::High)],
    )
    .await;
    assert_eq!(shown(&mut world).await.lines().count(), 1);
    pass(&mut world, 601).await;
    say(
        &mut world,
        "script",
        &[signal("job failed", Severity::High)],
    )
    .await;
    assert_eq!(shown(&mut world).await.lines().count(), 2);
}

async fn resolve(world: &mut World, alert: AlertId) {
    let note = String::new();
    world
        .ask(Command::Alerts(alerts::Command::Resolve { alert, note }))
        .await;
}

#[tokio::test]
async fn a_source_that_cannot_work_is_refused_in_words() {
    let mut world = World::new().await;
    let mut brake = webhook("x");
    brake.brake.window_ms = 5;
    let named = |key: &str| Source {
        key: key.to_owned(),
        ..webhook("x")
    };
    let nobody = Source {
        calls: Vec::new(),
        ..webhook("x")
    };
    let pulseless = Source {
        beat: None,
        ..heartbeat("x")
    };
    let beating = Source {
        kind: Kind::Cap,
        ..heartbeat("x")
    };
    let wrong = [
        (named("Prom"), "a-z"),
        (nobody, "calls nobody"),
        (pulseless, "how often"),
        (beating, "only a heartbeat"),
        (brake, "1 minute to 1 day"),
    ];
    for (source, word) in wrong {
        let source = Box::new(source);
        let outcome = world.ask(Command::Sources(Sources::Put { source })).await;
        let Outcome::Refused(Refusal::Invalid(why)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(why.contains(word), "{why}");
    }
    let stranger = Source {
        calls: vec![Called::Named(Named::Group("nobody".to_owned()))],
        ..webhook("x")
    };
    let source = Box::new(stranger);
    let outcome = world.ask(Command::Sources(Sources::Put { source })).await;
    assert_eq!(
        outcome,
        Outcome::Refused(Refusal::UnknownGroup("nobody".to_owned()))
    );
}

/// What 10,000 signals leave behind: alerts, listed keys, bundles, texts, rows for the brake.
async fn storm(sources: usize) -> [i64; 5] {
    let mut world = World::new().await;
    for n in 0..sources {
        put(&mut world, webhook(&format!("s{n}"))).await;
    }
    for batch in 0..100 {
        world.now.0 += 600; // 100 batches in a minute
        let arrivals = (0..100)
            .map(|nth| {
                let n = batch * 100 + nth;
                Arrival {
                    source: format!("s{}", n % sources),
                    what: Arrived::Signal(signal(&format!("k{n}"), Severity::High)),
                }
            })
            .collect();
        world
            .run(Command::Sources(Sources::Take { arrivals }))
            .await;
    }
    let by_hand = world.raise(Severity::Critical, 0, &[&["carl"]]).await;
    assert!(
        world
            .deliveries(by_hand)
            .await
            .contains("carl page 1.0 email pending")
    );
    world.act().await;
    world.send_all(1, accepted()).await;
    pass(&mut world, 601).await;
    [
        count(&mut world, "select count(*) from alert").await,
        count(&mut world, "select count(*) from source_signal").await,
        count(&mut world, "select count(*) from source_bundle").await,
        count(&mut world, "select count(*) from delivery where kind = 'sms' and (purpose = 'update' or round = 0)").await,
        count(&mut world, "select count(*) from source_told").await,
    ]
}

#[tokio::test]
async fn ten_thousand_signals_of_one_source_stay_few_texts_and_rows() {
    let [alerts, listed, bundles, texts, told] = storm(1).await;
    assert_eq!(
        (alerts, bundles),
        (3, 1),
        "one alone, one bundle, one by hand"
    );
    assert!(listed <= 500, "{listed}");
    // Ana and Bela: one alone, one bundle, one word of its growth.
    assert_eq!(texts, 6);
    assert!(told <= 4, "{told}");
}

#[tokio::test]
async fn ten_thousand_signals_of_three_hundred_sources_stay_few_texts_and_rows() {
    let [alerts, listed, bundles, texts, told] = storm(300).await;
    assert_eq!(
        (alerts, bundles),
        (7, 1),
        "five alone, one for the rest, one by hand"
    );
    assert_eq!(listed, 10_000, "every one can be looked at");
    assert_eq!(texts, 14, "seven for each of two people");
    assert!(told <= 10, "{told}");
}
