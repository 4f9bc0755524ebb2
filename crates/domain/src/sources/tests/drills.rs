//! Exercises beside what is real.

use super::*;

fn drill(key: &str, severity: Severity) -> Signal {
    Signal {
        status: Status::Exercise,
        ..signal(key, severity)
    }
}

fn end_of_drill(key: &str) -> Signal {
    Signal {
        resolved: true,
        ..drill(key, Severity::High)
    }
}

/// State, status and English text of every alert, oldest first.
async fn with_status(world: &mut World) -> Vec<String> {
    let mut rows = alerts::list(&mut world.conn, None, None, 100)
        .await
        .unwrap();
    rows.reverse();
    rows.iter()
        .map(|row| {
            let english = row.texts.iter().find(|(tag, _)| tag == "en");
            let text = english.map_or("", |(_, text)| text);
            format!("{} {} {text}", row.state.name(), row.status.name())
        })
        .collect()
}

#[tokio::test]
async fn drills_are_gathered_by_themselves_and_their_growth_says_what_they_are() {
    let mut world = with(webhook("prom")).await;
    for key in ["x1", "x2", "x3"] {
        say(&mut world, "prom", &[drill(key, Severity::High)]).await;
    }
    for key in ["db1", "db2"] {
        say(&mut world, "prom", &[signal(key, Severity::High)]).await;
    }
    assert_eq!(
        with_status(&mut world).await,
        [
            "open exercise x1 is down",
            "open exercise More alarms from Monitor prom: x2 is down. Further ones are counted here.",
            "open actual More alarms from Monitor prom: db1 is down. Further ones are counted here.",
        ]
    );
    pass(&mut world, 600).await;
    let bodies: Vec<String> = sqlx::query_scalar(
        "select body from delivery where purpose = 'update' and language = 'fi' order by body",
    )
    .fetch_all(&mut world.conn)
    .await
    .unwrap();
    expect![[r#"
        [
            "\u{1} Aurora Energy 3: tähän mennessä 2 hälytystä, uusin: db2 is down",
            "\u{1} HARJOITUS Aurora Energy 2: tähän mennessä 2 hälytystä, uusin: x3 is down",
        ]
    "#]]
    .assert_debug_eq(&bodies);
}

#[tokio::test]
async fn what_is_real_is_told_under_a_key_that_a_drill_holds_and_is_not_ended_by_it() {
    let mut world = with(webhook("prom")).await;
    say(&mut world, "prom", &[drill("db1", Severity::High)]).await;
    say(&mut world, "prom", &[signal("db1", Severity::High)]).await;
    let both = [
        "open exercise db1 is down",
        "open actual More alarms from Monitor prom: db1 is down. Further ones are counted here.",
    ];
    assert_eq!(with_status(&mut world).await, both);
    say(&mut world, "prom", &[drill("db1", Severity::High)]).await;
    say(&mut world, "prom", &[end_of_drill("db1")]).await;
    pass(&mut world, 600).await;
    assert_eq!(with_status(&mut world).await, both);
    say(&mut world, "prom", &[over("db1")]).await;
    pass(&mut world, 60).await;
    assert!(with_status(&mut world).await[1].starts_with("resolved actual"));
}

#[tokio::test]
async fn a_person_who_was_drilled_has_had_no_share_of_what_is_real() {
    let mut world = with(webhook("s0")).await;
    for n in 1..=7 {
        put(&mut world, webhook(&format!("s{n}"))).await;
    }
    for n in 0..=6 {
        say(&mut world, &format!("s{n}"), &[drill("x", Severity::High)]).await;
    }
    say(&mut world, "s7", &[signal("db1", Severity::High)]).await;
    let told = with_status(&mut world).await;
    // Five drills one by one, the rest of them in one alert, and the real one by itself.
    assert_eq!(told.len(), 7, "{told:#?}");
    assert!(
        told[5].starts_with("open exercise More than 5"),
        "{told:#?}"
    );
    assert_eq!(told[6], "open actual db1 is down");
}
