//! A safety check: everyone says how they are, wardens say what they see, and who is missing can be told at any time.

use expect_test::expect;

use super::{begun, ids, is_enough, room, say, texts_of};
use crate::escalation::{Answer, RollCount, roll, roll_count};
use crate::recipients::{Command as Recipients, Person};
use crate::transcript::{START, World, accepted, mail, person, raise, sms};
use crate::vocabulary::{AlertKind, Conduct, Severity};
use crate::{AlertId, Command, Outcome, Receipt, RecipientId, Refusal, alerts, escalation};

fn at(site: &str, person: Person) -> Person {
    let mut person = person;
    person.details.sites = vec![site.to_owned()];
    person
}

/// Ana and carl work in Turku, bela in Espoo; dora is on duty.
async fn organisation() -> World {
    let mut world = World::new().await;
    let people = vec![
        at("Turku", person("ana", "fi", &[sms("+358401000001")])),
        at("Espoo", person("bela", "sv", &[sms("+46701000002")])),
        at("Turku", person("carl", "en", &[mail("carl@example.org")])),
    ];
    world
        .run(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    world
}

fn check(people: &[&[&str]]) -> alerts::Raise {
    let mut new = raise(Severity::Critical, 300, people);
    new.conduct.kind = AlertKind::SafetyCheck;
    new.lead = ids(&["dora"]);
    new
}

async fn began(world: &mut World) -> AlertId {
    begun(world, check(&[&["ana", "bela", "carl"]])).await
}

async fn mark(world: &mut World, alert: AlertId, who: &str, by: &str, mark: Answer) -> Outcome {
    let outcome = world
        .ask(Command::Alerts(alerts::Command::Mark {
            alert,
            recipient: RecipientId::of_key(who),
            by: by.to_owned(),
            mark,
        }))
        .await;
    world.act().await;
    outcome
}

/// The printable list in short: site, name, how they are, their own word, what others say; times from the start.
async fn list(world: &mut World, alert: AlertId, all: bool) -> String {
    let mut out = String::new();
    for row in roll(&mut world.conn, alert, all, 0, 100).await.unwrap() {
        let status = row.status.map_or("MISSING", Answer::name);
        let own = row.own.map_or("-".to_owned(), |(answer, at, _)| {
            format!("{}@{}", answer.name(), at.since(START).as_secs())
        });
        let marks: Vec<String> = row
            .marks
            .iter()
            .map(|(by, mark)| {
                let at = mark.at.since(START).as_secs();
                format!("{} by {by}@{at}", mark.answer.name())
            })
            .collect();
        let site = row.sites.join("+");
        let marks = marks.join(", ");
        out.push_str(&format!(
            "{site} {} {status} own {own} seen [{marks}]\n",
            row.name
        ));
    }
    out
}

/// What dora, who leads, was told.
async fn led(world: &mut World, alert: AlertId) -> Vec<String> {
    let shown = world.deliveries(alert).await;
    let others = shown.lines().filter(|line| line.contains(" update "));
    assert!(
        others.clone().all(|line| line.starts_with("dora ")),
        "{shown}"
    );
    texts_of(world, alert, "update").await
}

#[tokio::test]
async fn everyone_is_asked_until_all_have_answered_and_the_list_says_who_is_missing() {
    let mut world = organisation().await;
    let alert = began(&mut world).await;
    world.send_all(1, accepted()).await;
    expect![[r#"
        Espoo BELA MISSING own - seen []
        Turku ANA MISSING own - seen []
        Turku CARL MISSING own - seen []
    "#]]
    .assert_eq(&list(&mut world, alert, false).await);
    world.pass(10);
    say(&mut world, alert, "ana", Answer::Safe).await;
    assert!(!is_enough(&mut world, alert).await, "one safe is not all");
    say(&mut world, alert, "bela", Answer::NotOnSite).await;
    world.pass(50);
    world.act().await;
    let again = world.deliveries(alert).await;
    assert!(
        again.contains("carl page 1.1") && !again.contains("ana page 1.1"),
        "{again}"
    );
    expect!["Turku CARL MISSING own - seen []\n"].assert_eq(&list(&mut world, alert, false).await);
    say(&mut world, alert, "carl", Answer::Safe).await;
    assert!(is_enough(&mut world, alert).await);
    expect![""].assert_eq(&list(&mut world, alert, false).await);
    expect![[r#"
        Espoo BELA not_on_site own not_on_site@10 seen []
        Turku ANA safe own safe@10 seen []
        Turku CARL safe own safe@60 seen []
    "#]]
    .assert_eq(&list(&mut world, alert, true).await);
    let told = led(&mut world, alert).await;
    assert!(
        told.iter()
            .any(|line| line.contains("all 3 have answered or were seen")),
        "{told:?}"
    );
}

#[tokio::test]
async fn need_help_reaches_those_who_lead_at_once_over_every_path() {
    let mut world = organisation().await;
    let alert = began(&mut world).await;
    say(&mut world, alert, "ana", Answer::NeedHelp).await;
    let shown = world.deliveries(alert).await;
    assert!(shown.contains("dora update 1.0 sms pending"), "{shown}");
    assert!(shown.contains("dora update 1.0 email pending"), "{shown}");
    let told = led(&mut world, alert).await;
    assert!(told[0].contains("ANA NEEDS HELP (Turku)."), "{told:?}");
    assert!(room(&mut world, alert).await.contains("ANA needs help."));
    assert!(
        list(&mut world, alert, false)
            .await
            .contains("ANA need_help"),
        "stays on the list"
    );
    expect!["calling step 1/1 round 0 coming 0/1 next repeat +60 s"]
        .assert_eq(&world.plan(alert).await);
}

#[tokio::test]
async fn wardens_mark_whom_they_see_and_own_words_win() {
    let mut world = organisation().await;
    let alert = began(&mut world).await;
    world.pass(30);
    let done = mark(&mut world, alert, "carl", "Kalle", Answer::Safe).await;
    assert_eq!(done, Outcome::Applied(Receipt::None));
    let again = mark(&mut world, alert, "carl", "Kalle", Answer::Safe).await;
    assert_eq!(again, Outcome::Unchanged);
    mark(&mut world, alert, "bela", "Kalle", Answer::NotOnSite).await;
    world.pass(10);
    mark(&mut world, alert, "bela", "Liisa", Answer::NeedHelp).await;
    expect![[r#"
        Espoo BELA need_help own - seen [need_help by Liisa@40, not_on_site by Kalle@30]
        Turku ANA MISSING own - seen []
        Turku CARL safe own - seen [safe by Kalle@30]
    "#]]
    .assert_eq(&list(&mut world, alert, true).await);
    let told = led(&mut world, alert).await;
    assert!(
        told[0].contains("BELA NEEDS HELP (Espoo), says Liisa."),
        "{told:?}"
    );
    world.pass(10);
    say(&mut world, alert, "bela", Answer::Safe).await;
    expect![[r#"
        Espoo BELA safe own safe@50 seen [need_help by Liisa@40, not_on_site by Kalle@30]
        Turku ANA MISSING own - seen []
        Turku CARL safe own - seen [safe by Kalle@30]
    "#]]
    .assert_eq(&list(&mut world, alert, true).await);
    mark(&mut world, alert, "ana", "Kalle", Answer::Safe).await;
    assert!(
        is_enough(&mut world, alert).await,
        "everyone answered or was seen"
    );
    let count = roll_count(&mut world.conn, alert).await.unwrap();
    let expected = RollCount {
        asked: 3,
        safe: 3,
        ..RollCount::default()
    };
    assert_eq!(count, expected);
}

#[tokio::test]
async fn when_time_is_over_those_who_lead_hear_how_many_are_missing() {
    let mut world = organisation().await;
    let alert = began(&mut world).await;
    say(&mut world, alert, "ana", Answer::Safe).await;
    for _ in 0..2 {
        world.pass(60);
        world.act().await;
    }
    expect!["calling step 1/1 round 2 coming 0/1 next review +180 s"]
        .assert_eq(&world.plan(alert).await);
    world.pass(60);
    world.act().await;
    let told = led(&mut world, alert).await;
    assert!(
        told.iter()
            .any(|line| line.contains("time is over, 2 of 3 have not answered")),
        "{told:?}"
    );
    let said = room(&mut world, alert).await;
    assert!(said.contains("Time is over: 2 of 3"), "{said}");
}

#[tokio::test]
async fn whom_somebody_saw_is_not_called_again() {
    let mut world = organisation().await;
    let mut new = check(&[&["ana", "bela"]]);
    new.conduct = Conduct {
        remind_every_ms: 60_000,
        reminders: 3,
        ..new.conduct
    };
    let alert = begun(&mut world, new).await;
    mark(&mut world, alert, "ana", "Kalle", Answer::Safe).await;
    world.pass(60);
    world.act().await;
    let shown = world.deliveries(alert).await;
    assert!(
        shown.contains("bela reminder") && shown.contains("bela page 1.1"),
        "{shown}"
    );
    assert!(
        !shown.contains("ana reminder") && !shown.contains("ana page 1.1"),
        "{shown}"
    );
}

#[tokio::test]
async fn what_does_not_fit_a_safety_check_is_refused_in_words() {
    let mut world = organisation().await;
    let alert = began(&mut world).await;
    let plain = world.raise(Severity::High, 300, &[&["ana"]]).await;
    let refused = |outcome: Outcome| {
        let Outcome::Refused(Refusal::Invalid(why)) = outcome else {
            panic!("{outcome:?}")
        };
        why
    };
    let why = refused(mark(&mut world, plain, "ana", "Kalle", Answer::Safe).await);
    assert!(why.contains("record an answer instead"), "{why}");
    let why = refused(mark(&mut world, alert, "ana", "Kalle", Answer::Coming).await);
    assert!(
        why.contains("known are safe, need_help, not_on_site"),
        "{why}"
    );
    let why = refused(mark(&mut world, alert, "ana", " ", Answer::Safe).await);
    assert!(why.contains("1 to 100 characters"), "{why}");
    let stranger = mark(&mut world, alert, "dora", "Kalle", Answer::Safe).await;
    assert!(matches!(
        stranger,
        Outcome::Refused(Refusal::UnknownRecipient(_))
    ));
    let recipient = RecipientId::of_key("ana");
    let answer = Answer::Safe;
    let why = refused(
        world
            .ask(Command::Alerts(alerts::Command::Answer {
                alert: plain,
                recipient,
                answer,
                eta_min: None,
            }))
            .await,
    );
    assert!(why.contains("safe is no answer to an alert"), "{why}");
    let into = plain;
    let why = refused(
        world
            .ask(Command::Alerts(alerts::Command::Join { alert, into }))
            .await,
    );
    assert!(why.contains("cannot be joined"), "{why}");
    let two_steps = check(&[&["ana"], &["bela"]]);
    let why = refused(
        world
            .ask(Command::Alerts(alerts::Command::Raise(Box::new(two_steps))))
            .await,
    );
    assert!(why.contains("asks everyone at once"), "{why}");
}

#[tokio::test]
async fn a_check_of_a_crowd_is_complete_only_when_its_last_page_was_called() {
    let mut world = World::new().await;
    let people: Vec<Person> = (0..2_001)
        .map(|n| person(&format!("p{n}"), "en", &[sms(&format!("+35840{n:07}"))]))
        .collect();
    world
        .run(Command::Recipients(Recipients::PutPeople { people }))
        .await;
    let keys: Vec<String> = (0..2_001).map(|n| format!("p{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let outcome = world
        .ask(Command::Alerts(alerts::Command::Raise(Box::new(check(&[
            &keys,
        ])))))
        .await;
    let Outcome::Applied(Receipt::Alert { id: alert, .. }) = outcome else {
        panic!("not raised: {outcome:?}");
    };
    let expand = |page| Command::Escalation(escalation::Command::ExpandPage { alert, page });
    world.run(expand(0)).await;
    let called = escalation::called(&mut world.conn, alert, 0, 3_000)
        .await
        .unwrap();
    assert_eq!(called.len(), 2_000);
    sqlx::query(
        "update called_person set answer = 'safe', answered_at_ms = 1 where recipient_id <> ?",
    )
    .bind(called[0].recipient.as_bytes())
    .execute(&mut world.conn)
    .await
    .unwrap();
    let answer = alerts::Command::Answer {
        alert,
        recipient: called[0].recipient,
        answer: Answer::Safe,
        eta_min: None,
    };
    world.ask(Command::Alerts(answer)).await;
    assert!(
        !is_enough(&mut world, alert).await,
        "one was not even asked"
    );
}
