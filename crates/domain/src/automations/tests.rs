//! Transcripts of automations: what answers bring about, and that each does so once.

use expect_test::expect;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Command as Automations, Rehearsed, State, of_alert, rehearse};
use crate::agenda::agenda;
use crate::alerts::{self, Answer, Command as Alerts, FromTemplate, Said, Severity, Status};
use crate::conversations::messages;
use crate::templates::{self, Command as Templates, Step, Template};
use crate::transcript::World;
use crate::vocabulary::{Automation, Effect, When, Word};
use crate::{
    AlertId, CivilTime, Command, Outcome, Receipt, RecipientId, Refusal, RoomId, deliveries,
};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn answered(count: u16, answer: Answer) -> When {
    When::Answered {
        count,
        answer: Some(answer),
        among: Vec::new(),
    }
}

fn nobody(seconds: u64) -> When {
    When::Nobody {
        after_ms: seconds * 1_000,
        answer: None,
        among: Vec::new(),
    }
}

fn rule(when: When, then: &[Effect]) -> Automation {
    Automation {
        when,
        then: then.to_vec(),
    }
}

fn add(to: &[&str]) -> Effect {
    Effect::Add { to: names(to) }
}

fn raises(template: &str) -> Effect {
    Effect::Raise {
        template: template.to_owned(),
        values: Default::default(),
    }
}

fn post(text: &str) -> Effect {
    Effect::Post {
        text: text.to_owned(),
    }
}

fn closes() -> Effect {
    Effect::Close {
        note: "enough".to_owned(),
    }
}

fn template(key: &str, to: &[&str], automations: &[Automation]) -> Template {
    Template {
        key: key.to_owned(),
        name: key.to_uppercase(),
        texts: [("en".to_owned(), format!("{key} is needed"))].into(),
        steps: vec![Step {
            delay_ms: 0,
            to: names(to),
            enough: Vec::new(),
        }],
        needed: 2,
        automations: automations.to_vec(),
        ..Template::default()
    }
}

async fn put(world: &mut World, template: Template) -> Outcome {
    world
        .ask(Command::Templates(Templates::Put(Box::new(template))))
        .await
}

/// Raises from a template, as the API does, on behalf of Dora.
async fn raise(world: &mut World, key: &str, status: Status) -> AlertId {
    let version = templates::find(&mut world.conn, key)
        .await
        .unwrap()
        .unwrap();
    let said = Said {
        status: Some(status),
        ..Said::default()
    };
    let made = alerts::from_template(&version, &said).unwrap();
    let mut new = made.raise;
    new.source = "control room".to_owned();
    let now = crate::nodes::civil(&mut world.conn)
        .await
        .unwrap()
        .at(world.now);
    alerts::call_up(&mut world.conn, &mut new, made.steps, made.lead, now)
        .await
        .unwrap();
    if let Some(template) = &mut new.template {
        template.requester = Some(RecipientId::of_key("dora"));
    }
    let outcome = world
        .ask(Command::Alerts(Alerts::Raise(Box::new(new))))
        .await;
    let Outcome::Applied(Receipt::Alert { id, .. }) = outcome else {
        panic!("not raised: {outcome:?}")
    };
    world.act().await;
    id
}

async fn say(world: &mut World, alert: AlertId, who: &str, answer: Answer) {
    let recipient = RecipientId::of_key(who);
    world
        .ask(Command::Alerts(Alerts::Answer {
            alert,
            recipient,
            answer,
            eta_min: None,
        }))
        .await;
    world.act().await;
}

/// What the scheduler would do about automations now.
async fn follow_up(world: &mut World) -> Outcome {
    let due = super::due(&mut world.conn, world.now, 50).await.unwrap();
    let alerts = due.into_iter().map(|due| due.alert).collect();
    let outcome = world
        .run(Command::Automations(Automations::FollowUp { alerts }))
        .await;
    world.act().await;
    outcome
}

/// What the room was told, but for the raise itself.
async fn room(world: &mut World, alert: AlertId) -> String {
    let said = messages(&mut world.conn, RoomId::of_alert(alert), 1, 100);
    let said = said.await.unwrap();
    said.iter()
        .map(|m| format!("{}: {}\n", m.author, m.text))
        .collect()
}

async fn fired(world: &mut World, alert: AlertId) -> Vec<u16> {
    let all = of_alert(&mut world.conn, alert).await.unwrap();
    all.into_iter()
        .filter(|row| matches!(row.state, State::Fired { .. }))
        .map(|row| row.number)
        .collect()
}

#[tokio::test]
async fn when_so_many_say_no_others_are_called_and_the_room_reads_why() {
    let mut world = World::new().await;
    let first = rule(
        answered(1, Answer::Cannot),
        &[
            add(&["person:carl"]),
            Effect::Severity {
                severity: Severity::Critical,
            },
            post("Ana's deputy was called"),
        ],
    );
    put(&mut world, template("pump", &["group:night"], &[first])).await;
    let alert = raise(&mut world, "pump", Status::Actual).await;
    say(&mut world, alert, "ana", Answer::Cannot).await;
    expect![[r#"
        Holdfast: Automation 1: 1 person has answered cannot.
        automation 1 of pump: Called in addition (person:carl): CARL.
        automation 1 of pump: Severity critical instead of high: those who are silent are called on every path at once.
        automation 1 of pump: Ana's deputy was called
    "#]]
    .assert_eq(&room(&mut world, alert).await);
    assert!(world.deliveries(alert).await.contains("carl page +.0"));
    say(&mut world, alert, "ana", Answer::Coming).await;
    say(&mut world, alert, "ana", Answer::Cannot).await;
    assert_eq!(fired(&mut world, alert).await, [1]);
    let said = room(&mut world, alert).await;
    assert_eq!(said.matches("Automation 1").count(), 1, "{said}");
}

#[tokio::test]
async fn when_nobody_answers_in_time_another_template_is_raised_and_whoever_asked_is_told() {
    let mut world = World::new().await;
    let late = rule(
        nobody(300),
        &[
            raises("managers"),
            Effect::Tell {
                news: Word::NotReached,
            },
        ],
    );
    put(&mut world, template("managers", &["person:carl"], &[])).await;
    put(&mut world, template("pump", &["group:night"], &[late])).await;
    let quiet = raise(&mut world, "pump", Status::Exercise).await;
    let answered = raise(&mut world, "pump", Status::Actual).await;
    assert_eq!(
        agenda(&mut world.conn).await.unwrap().automations.next,
        Some(crate::Timestamp(world.now.0 + 300_000))
    );
    say(&mut world, answered, "ana", Answer::Cannot).await;
    world.pass(299);
    assert_eq!(follow_up(&mut world).await, Outcome::Unchanged);
    world.pass(1);
    assert_eq!(
        follow_up(&mut world).await,
        Outcome::Applied(Receipt::Count(2))
    );
    assert_eq!(
        agenda(&mut world.conn).await.unwrap().automations.next,
        None
    );
    assert_eq!(fired(&mut world, quiet).await, [1]);
    assert_eq!(fired(&mut world, answered).await, [0_u16; 0]);
    expect![[r#"
        Holdfast: Automation 1: nobody has answered anything within 300 s.
        Holdfast: Raised alert 3 from template managers.
        Holdfast: Told DORA that too few were reached.
    "#]]
    .assert_eq(&room(&mut world, quiet).await);
    let newest = alerts::list(&mut world.conn, None, None, 1).await.unwrap();
    let child = newest.first().unwrap();
    assert_eq!(child.status, Status::Exercise, "an exercise stays one");
    assert_eq!(child.source, "automation 1 of alert 1");
    let from: FromTemplate = alerts::template_of(&mut world.conn, child.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(from.cause.unwrap().alert, quiet);
    let due = deliveries::due(&mut world.conn, world.now, 100)
        .await
        .unwrap();
    assert!(due.iter().any(|due| due.address == "+441000000004"));
}

#[tokio::test]
async fn a_complete_team_is_told_and_what_closes_the_alert_ends_the_rest() {
    let mut world = World::new().await;
    let rules = [
        rule(
            When::Complete,
            &[
                Effect::Tell {
                    news: Word::Complete,
                },
                closes(),
            ],
        ),
        rule(answered(2, Answer::Coming), &[post("never said")]),
        rule(When::Incomplete { after_ms: 60_000 }, &[post("never said")]),
    ];
    put(&mut world, template("pump", &["group:night"], &rules)).await;
    let alert = raise(&mut world, "pump", Status::Actual).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    say(&mut world, alert, "bela", Answer::Coming).await;
    expect![[r#"
        Holdfast: Automation 1: the team is complete.
        Holdfast: Told DORA that the team is complete.
        automation 1 of pump: Resolved: enough
    "#]]
    .assert_eq(&room(&mut world, alert).await);
    world.pass(60);
    assert_eq!(follow_up(&mut world).await, Outcome::Unchanged);
    assert_eq!(fired(&mut world, alert).await, [1]);
}

#[tokio::test]
async fn only_the_answers_of_those_named_count() {
    let mut world = World::new().await;
    let when = When::Answered {
        count: 1,
        answer: None,
        among: names(&["person:bela"]),
    };
    let one = rule(when, &[post("Bela answered")]);
    put(&mut world, template("pump", &["group:night"], &[one])).await;
    let alert = raise(&mut world, "pump", Status::Actual).await;
    say(&mut world, alert, "ana", Answer::Coming).await;
    assert_eq!(fired(&mut world, alert).await, [0_u16; 0]);
    say(&mut world, alert, "bela", Answer::Received).await;
    assert_eq!(fired(&mut world, alert).await, [1]);
}

#[tokio::test]
async fn a_template_that_names_what_is_not_there_is_refused_with_its_place() {
    let mut world = World::new().await;
    put(&mut world, template("managers", &["person:carl"], &[])).await;
    let among = When::Answered {
        count: 1,
        answer: None,
        among: names(&["group:nobody"]),
    };
    for (bad, place) in [
        (
            rule(nobody(60), &[raises("nothing")]),
            "/automations/0/then/0/raise/template",
        ),
        (
            rule(nobody(60), &[raises("pump")]),
            "raises its own template",
        ),
        (
            rule(nobody(60), &[add(&["person:nobody"])]),
            "/automations/0/then/0/add/to/0",
        ),
        (
            rule(nobody(60), &[add(&["schedule:nothing"])]),
            "unknown schedule",
        ),
        (
            rule(nobody(60), &[add(&["nobody"])]),
            "write person:KEY, group:KEY or schedule:KEY",
        ),
        (rule(nobody(60), &[]), "/automations/0/then: does nothing"),
        (
            rule(nobody(0), &[closes()]),
            "/automations/0/when/nobody/after_s",
        ),
        (
            rule(answered(0, Answer::Coming), &[closes()]),
            "/automations/0/when/answered/count",
        ),
        (
            rule(among, &[closes()]),
            "/automations/0/when/answered/among/0",
        ),
    ] {
        let Outcome::Refused(Refusal::Invalid(why)) =
            put(&mut world, template("pump", &["group:night"], &[bad])).await
        else {
            panic!("taken, although {place}")
        };
        assert!(why.contains(place), "{place}: {why}");
    }
    let good = rule(nobody(60), &[raises("managers")]);
    let taken = put(&mut world, template("pump", &["group:night"], &[good])).await;
    assert_eq!(taken, Outcome::Applied(Receipt::Number(1)));
}

#[tokio::test]
async fn what_vanished_meanwhile_is_skipped_and_said() {
    let mut world = World::new().await;
    put(&mut world, template("managers", &["person:carl"], &[])).await;
    let late = rule(
        nobody(60),
        &[add(&["person:dora", "person:carl"]), raises("managers")],
    );
    put(&mut world, template("pump", &["group:night"], &[late])).await;
    let key = "dora".to_owned();
    let remove = crate::recipients::Command::RemovePerson { key };
    world.ask(Command::Recipients(remove)).await;
    let alert = raise(&mut world, "pump", Status::Actual).await;
    let key = "managers".to_owned();
    world
        .ask(Command::Templates(Templates::Archive { key }))
        .await;
    world.pass(60);
    follow_up(&mut world).await;
    expect![[r#"
        Holdfast: Automation 1: person:dora is not known any more and will not be called.
        Holdfast: Automation 1: nobody has answered anything within 60 s.
        Holdfast: Automation 1: unknown recipient dora; add the person first or correct the key; that part is skipped.
        automation 1 of pump: Called in addition (person:dora, person:carl): CARL.
        Holdfast: Did not raise template managers: template managers is out of use.
    "#]]
    .assert_eq(&room(&mut world, alert).await);
}

#[tokio::test]
async fn alerts_that_raise_one_another_come_to_an_end() {
    let mut world = World::new().await;
    for key in ["one", "two", "three", "four", "five"] {
        put(&mut world, template(key, &["person:ana"], &[])).await;
    }
    for (key, next) in [
        ("one", "two"),
        ("two", "three"),
        ("three", "four"),
        ("four", "five"),
        ("five", "one"),
    ] {
        let late = rule(nobody(60), &[raises(next)]);
        put(&mut world, template(key, &["person:ana"], &[late])).await;
    }
    raise(&mut world, "one", Status::Actual).await;
    for _ in 0..10 {
        world.pass(60);
        follow_up(&mut world).await;
    }
    let all = alerts::list(&mut world.conn, None, None, 50).await.unwrap();
    assert_eq!(all.len(), 4, "one, and three raised one from another");
    let last = room(&mut world, all[0].id).await;
    assert!(last.contains("Did not raise template five"), "{last}");

    let late = rule(nobody(60), &[raises("one")]);
    put(&mut world, template("two", &["person:ana"], &[late])).await;
    raise(&mut world, "one", Status::Actual).await;
    for _ in 0..5 {
        world.pass(60);
        follow_up(&mut world).await;
    }
    let all = alerts::list(&mut world.conn, None, None, 50).await.unwrap();
    assert_eq!(
        all.len(),
        6,
        "the second one does not raise the first again"
    );
}

#[tokio::test]
async fn a_rehearsal_foresees_what_an_alert_does() {
    let mut world = World::new().await;
    let rules = [
        rule(answered(1, Answer::Cannot), &[add(&["person:carl"])]),
        rule(nobody(120), &[post("silence")]),
        rule(When::Incomplete { after_ms: 300_000 }, &[post("too few")]),
        rule(When::Complete, &[closes()]),
    ];
    let pump = template("pump", &["group:night"], &rules);
    put(&mut world, pump.clone()).await;
    let alert = raise(&mut world, "pump", Status::Actual).await;
    let story = [
        (60, "ana", Answer::Cannot),
        (200, "bela", Answer::Coming),
        (400, "ana", Answer::Coming),
    ];
    let answers: Vec<Rehearsed> = story
        .iter()
        .map(|(seconds, who, answer)| Rehearsed {
            after_ms: seconds * 1_000,
            person: RecipientId::of_key(who),
            answer: *answer,
        })
        .collect();
    let (foreseen, notes) = rehearse(&mut world.conn, &pump, &answers, CivilTime(0))
        .await
        .unwrap();
    assert_eq!(notes, [""; 0]);
    let shown: String = foreseen
        .iter()
        .map(|f| format!("+{} s {}: {}\n", f.after_ms / 1_000, f.number, f.cause))
        .collect();
    expect![[r#"
        +60 s 1: 1 person has answered cannot
        +300 s 3: the team is not complete after 300 s
        +400 s 4: the team is complete
    "#]]
    .assert_eq(&shown);

    let begun = world.now;
    for second in (0..=400_i64).step_by(20) {
        world.now = begun;
        world.pass(second);
        for (at, who, answer) in story {
            if at == second.unsigned_abs() {
                say(&mut world, alert, who, answer).await;
            }
        }
        follow_up(&mut world).await;
    }
    assert_eq!(fired(&mut world, alert).await, [1, 3, 4]);
}

fn any_answer() -> impl Strategy<Value = (usize, Answer)> {
    let answer = prop::sample::select(Answer::ALL.to_vec());
    (0..3_usize, answer)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_automation_fires_at_most_once_for_any_order_of_answers(
        story in vec((any_answer(), 0..100_i64), 1..12),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut world = World::new().await;
            let people = ["ana", "bela", "dora"];
            let to = ["person:ana", "person:bela", "person:dora"];
            let rules = [
                rule(answered(1, Answer::Cannot), &[add(&["person:carl"]), post("first")]),
                rule(answered(2, Answer::Coming), &[post("second")]),
                rule(nobody(100), &[post("third")]),
                rule(When::Complete, &[post("fourth")]),
                rule(When::Incomplete { after_ms: 200_000 }, &[post("fifth")]),
            ];
            put(&mut world, template("pump", &to, &rules)).await;
            let alert = raise(&mut world, "pump", Status::Actual).await;
            for ((who, answer), wait) in story {
                say(&mut world, alert, people[who], answer).await;
                world.pass(wait);
                follow_up(&mut world).await;
            }
            let said = room(&mut world, alert).await;
            for (text, number) in ["first", "second", "third", "fourth", "fifth"].iter().zip(1..) {
                let times = said.matches(&format!(": {text}\n")).count();
                prop_assert!(times <= 1, "{text} {times} times:\n{said}");
                let is_listed = fired(&mut world, alert).await.contains(&number);
                prop_assert_eq!(times == 1, is_listed);
            }
            Ok(())
        })?;
    }
}
