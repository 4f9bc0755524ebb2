//! Transcripts of texts: what comes in, what it was taken for, what is posted and what goes back.

mod bundles;
mod mail;
mod orders;
mod story;

use expect_test::expect;

use self::story::{ANA, BELA, DORA, STRANGER, Story};
use super::of_sender;
use crate::alerts::{Command as Alerts, Severity};
use crate::conversations::messages;
use crate::transcript::{World, accepted, person, sms};
use crate::{Command, RoomId, Timestamp};

#[tokio::test]
async fn a_code_answers_and_is_confirmed_in_the_persons_language() {
    let mut story = Story::new().await;
    story
        .raise(Severity::Critical, &["ana", "bela", "dora"])
        .await;
    story.text(ANA, "{ana 1} 1").await;
    story.world.pass(60);
    story.text(BELA, "{bela 1} kan inte").await;
    story.text(DORA, "{dora 1} 4 Gate 3 is locked").await;
    story.check(expect![[r#"
        +0 s ana: {ana 1} 1
          answer
          to ana: Kirjattu 03:00 UTC, ANA: tulossa. Hälytys 1 Aurora Energy.
        +60 s bela: {bela 1} kan inte
          answer
          to bela: Noterat 03:01 UTC, BELA: kan inte komma. Larm 1 Aurora Energy.
        +60 s dora: {dora 1} 4 Gate 3 is locked
          answer
          room 1: DORA: Gate 3 is locked
          to dora: Noted 03:01 UTC, DORA: needs help. Alert 1 Aurora Energy.
    "#]]);
}

#[tokio::test]
async fn a_call_is_no_answer_and_its_caller_is_told_how_to_answer() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::Critical, &["ana", "bela"]).await;
    story.call(ANA).await;
    story.call(ANA).await;
    story.call(STRANGER).await;
    story.call("").await;
    story.check(expect![[r#"
        +0 s ana: 
          call
          room 1: ANA: (Called this number. A call is no answer.)
          to ana: Aurora Energy: tähän numeroon ei voi soittaa, eikä soitto ole vastaus. Vastaa {ana 1} 1 (hälytys 1)
        +0 s ana: 
          call
        +0 s stranger: 
          call
          to stranger: Aurora Energy: tähän numeroon ei voi soittaa, eikä soitto ole vastaus.
        +0 s : 
          call
    "#]]);
    assert_eq!(story.answer_of(alert, "ana").await, "silent ");
}

#[tokio::test]
async fn a_right_code_from_another_phone_counts_and_is_marked() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::Critical, &["ana", "bela"]).await;
    story.text(STRANGER, "{ana 1} 1").await;
    story.text(DORA, "{bela 1} 2").await;
    story.check(expect![[r#"
        +0 s stranger: {ana 1} 1
          answer
          to stranger: Kirjattu 03:00 UTC, ANA: tulossa. Hälytys 1 Aurora Energy.
        +0 s dora: {bela 1} 2
          answer
          to dora: Noted 03:00 UTC, BELA: cannot come. Alert 1 Aurora Energy.
    "#]]);
    assert_eq!(story.answer_of(alert, "ana").await, "coming stranger");
    assert_eq!(story.answer_of(alert, "bela").await, "cannot dora");
}

#[tokio::test]
async fn a_bare_answer_counts_when_one_alert_is_open() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::High, &["ana", "bela"]).await;
    story.text(ANA, "1").await;
    story.text(BELA, "kommer inte").await;
    story.check(expect![[r#"
        +0 s ana: 1
          answer
          to ana: Kirjattu 03:00 UTC, ANA: tulossa. Hälytys 1 Aurora Energy.
        +0 s bela: kommer inte
          answer
          to bela: Noterat 03:00 UTC, BELA: kan inte komma. Larm 1 Aurora Energy.
    "#]]);
    assert_eq!(story.answer_of(alert, "bela").await, "cannot bela");
}

#[tokio::test]
async fn a_bare_answer_to_a_critical_alert_is_shown_and_the_code_asked_for_once() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::Critical, &["dora"]).await;
    story.text(DORA, "1").await;
    story.text(DORA, "ok").await;
    assert_eq!(story.answer_of(alert, "dora").await, "silent ");
    story.text(DORA, "{dora 1}").await;
    assert_eq!(story.answer_of(alert, "dora").await, "coming dora");
    story.check(expect![[r#"
        +0 s dora: 1
          asked_back
          room 1: DORA: 1 (no code, not counted: coming)
          to dora: Not counted yet. Alert 1 Aurora Energy is critical and needs your code. Send {dora 1} 1 (coming)
        +0 s dora: ok
          room_post
          room 1: DORA: ok (no code, not counted: coming)
          to dora: Alert 1 Aurora Energy: your message is shown to those working on it. It is not counted as an answer. Reply {dora 1} 1=coming 2=cannot 3=received 4=need help
        +0 s dora: {dora 1}
          answer
          to dora: Noted 03:00 UTC, DORA: coming. Alert 1 Aurora Energy.
    "#]]);
}

#[tokio::test]
async fn a_bare_answer_while_several_alerts_are_open_lists_the_codes() {
    let mut story = Story::new().await;
    story.raise(Severity::High, &["dora"]).await;
    story.world.pass(60);
    story.raise(Severity::High, &["dora"]).await;
    story.text(DORA, "2").await;
    story.text(DORA, "{dora 1} 2").await;
    story.check(expect![[r#"
        +60 s dora: 2
          ambiguous
          to dora: Several alerts are open. Send one of: {dora 2} 2 (alert 2), {dora 1} 2 (alert 1)
        +60 s dora: {dora 1} 2
          answer
          to dora: Noted 03:01 UTC, DORA: cannot come. Alert 1 Aurora Energy.
    "#]]);
}

#[tokio::test]
async fn people_who_share_a_phone_answer_with_codes() {
    let mut story = Story::new().await;
    let eve = person("eve", "en", &[sms(DORA)]);
    story
        .world
        .run(Command::Recipients(crate::recipients::Command::PutPeople {
            people: vec![eve],
        }))
        .await;
    let alert = story.raise(Severity::High, &["dora", "eve"]).await;
    story.text(DORA, "1").await;
    story.text(DORA, "{eve 1} 1").await;
    assert_eq!(story.answer_of(alert, "dora").await, "silent ");
    assert_eq!(story.answer_of(alert, "eve").await, "coming dora");
    story.check(expect![[r#"
        +0 s dora: 1
          ambiguous
          to dora: Several alerts are open. Send one of: {dora 1} 1 (alert 1), {eve 1} 1 (alert 1)
        +0 s dora: {eve 1} 1
          answer
          to dora: Noted 03:00 UTC, EVE: coming. Alert 1 Aurora Energy.
    "#]]);
}

#[tokio::test]
async fn the_last_answer_counts_while_the_alert_is_open() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::Critical, &["dora"]).await;
    story.text(DORA, "{dora 1} 1").await;
    story.world.pass(120);
    story.text(DORA, "{dora 1} 2 car broke down").await;
    story.check(expect![[r#"
        +0 s dora: {dora 1} 1
          answer
          to dora: Noted 03:00 UTC, DORA: coming. Alert 1 Aurora Energy.
        +120 s dora: {dora 1} 2 car broke down
          answer
          room 1: DORA: car broke down
          to dora: Noted 03:02 UTC, DORA: cannot come. Alert 1 Aurora Energy.
    "#]]);
    assert_eq!(story.answer_of(alert, "dora").await, "cannot dora");
}

#[tokio::test]
async fn a_late_answer_is_recorded_with_both_times_and_reopens_nothing() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::High, &["ana", "dora"]).await;
    story.text(DORA, "1").await;
    story.world.send_all(1, accepted()).await;
    story.world.pass(600);
    story
        .do_to(Alerts::CallOff {
            alert,
            reason: "false alarm".to_owned(),
        })
        .await;
    story.world.act().await;
    let plan = story.world.plan(alert).await;
    story.world.pass(3_600);
    story.text(ANA, "{ana 1} 1").await;
    story.text(DORA, "2").await;
    story.check(expect![[r#"
        +0 s dora: 1
          answer
          to dora: Noted 03:00 UTC, DORA: coming. Alert 1 Aurora Energy.
        +4200 s ana: {ana 1} 1
          late_answer
          room 1: ANA: Alert 1 Aurora Energy was called off 03:10 UTC. Recorded late 04:10 UTC, ANA: coming. It stays closed.
          to ana: Hälytys 1 Aurora Energy peruttiin 03:10 UTC. Kirjattu myöhässä 04:10 UTC, ANA: tulossa. Hälytys ei avaudu uudelleen.
        +4200 s dora: 2
          late_answer
          room 1: DORA: Alert 1 Aurora Energy was called off 03:10 UTC. Recorded late 04:10 UTC, DORA: cannot come. It stays closed. First answer 03:00 UTC.
          to dora: Alert 1 Aurora Energy was called off 03:10 UTC. Recorded late 04:10 UTC, DORA: cannot come. It stays closed. First answer 03:00 UTC.
    "#]]);
    assert_eq!(story.world.plan(alert).await, plan);
    assert_eq!(story.answer_of(alert, "ana").await, "silent ");
    assert_eq!(story.answer_of(alert, "dora").await, "coming dora");
    story.world.pass(48 * 3_600);
    story.text(ANA, "{ana 1} 1").await;
    story.check(expect![[r#"
        +177000 s ana: {ana 1} 1
          unknown_code
          inbox: ANA: {ana 1} 1
          to ana: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
    "#]]);
}

#[tokio::test]
async fn an_answer_to_a_joined_alert_counts_for_the_one_it_was_joined_into() {
    let mut story = Story::new().await;
    let first = story.raise(Severity::Critical, &["ana", "dora"]).await;
    story.world.pass(60);
    let second = story.raise(Severity::Critical, &["dora"]).await;
    story.world.pass(60);
    story
        .do_to(Alerts::Join {
            alert: first,
            into: second,
        })
        .await;
    story.text(DORA, "{dora 1} 1").await;
    story.text(ANA, "{ana 1} 2").await;
    story.check(expect![[r#"
        +120 s dora: {dora 1} 1
          answer
          to dora: Alert 1 Aurora Energy became part of alert 2 03:02 UTC. Noted 03:02 UTC, DORA: coming. Alert 2 Aurora Energy.
        +120 s ana: {ana 1} 2
          answer
          to ana: Kirjattu 03:02 UTC, ANA: ei pääse. Hälytys 2 Aurora Energy.
    "#]]);
    assert_eq!(story.answer_of(second, "dora").await, "coming dora");
    assert_eq!(story.answer_of(second, "ana").await, "cannot ana");
}

#[tokio::test]
async fn a_wrong_code_is_answered_only_to_people_with_an_open_alert() {
    let mut story = Story::new().await;
    story.raise(Severity::High, &["dora"]).await;
    story.text(DORA, "0000 1").await;
    story.text(ANA, "0000 1").await;
    story.text(STRANGER, "0000 1").await;
    story.check(expect![[r#"
        +0 s dora: 0000 1
          unknown_code
          to dora: Code 0000 is not known or has expired. Send one of: {dora 1} 1 (alert 1)
        +0 s ana: 0000 1
          unknown_code
          inbox: ANA: 0000 1
          to ana: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
        +0 s stranger: 0000 1
          unknown_code
          inbox: stranger: 0000 1
          to stranger: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
    "#]]);
}

#[tokio::test]
async fn after_three_wrong_codes_a_right_one_no_longer_stops_a_critical_alert() {
    let mut story = Story::new().await;
    let critical = story.raise(Severity::Critical, &["ana", "dora"]).await;
    for sender in [STRANGER, DORA] {
        for guess in ["0000 1", "0001 1", "0002 1"] {
            story.text(sender, guess).await;
        }
    }
    story.log.clear();
    story.text(STRANGER, "{ana 1} 1").await;
    story.text(DORA, "{dora 1} 1").await;
    story.check(expect![[r#"
        +0 s stranger: {ana 1} 1
          distrusted
          room 1: stranger: {ana 1} 1 (after wrong codes, not counted: coming)
          to stranger: Tästä numerosta tuli liian monta väärää koodia. Vastauksesi näytetään, mutta sitä ei lasketa. Hälytys 1 Aurora Energy.
        +0 s dora: {dora 1} 1
          distrusted
          room 1: DORA: {dora 1} 1 (after wrong codes, not counted: coming)
          to dora: Too many wrong codes came from this number. Your answer is shown but not counted. Alert 1 Aurora Energy.
    "#]]);
    for person in ["ana", "dora"] {
        assert_eq!(story.answer_of(critical, person).await, "silent ");
    }
    story.world.pass(3_601);
    story.text(DORA, "{dora 1} 1").await;
    assert_eq!(story.answer_of(critical, "dora").await, "coming dora");
}

/// SECURITY T-9: what a forger of the sender's number achieves, by severity and code.
#[tokio::test]
async fn a_forged_sender_stops_a_critical_escalation_only_with_the_right_code() {
    let mut seen = String::new();
    for severity in [Severity::Critical, Severity::High] {
        for text in ["1", "0000 1", "{dora 1} 1"] {
            let mut story = Story::new().await;
            let alert = story
                .world
                .raise(severity, 300, &[&["dora"], &["ana"]])
                .await;
            story.alerts.push(alert);
            story.text(DORA, text).await;
            let plan = story.world.plan(alert).await;
            let runs = if plan.contains("next advance") {
                "runs"
            } else {
                "stops"
            };
            seen.push_str(&format!("{} {text}: {runs}\n", severity.name()));
        }
    }
    expect![[r#"
        critical 1: runs
        critical 0000 1: runs
        critical {dora 1} 1: stops
        high 1: stops
        high 0000 1: runs
        high {dora 1} 1: stops
    "#]]
    .assert_eq(&seen);
}

#[tokio::test]
async fn a_question_mark_tells_what_was_sent_or_that_nothing_was() {
    let mut story = Story::new().await;
    story.text(DORA, "?").await;
    let alert = story.raise(Severity::High, &["dora"]).await;
    story.text(DORA, "?").await;
    story.world.send_all(1, accepted()).await;
    story.world.pass(300);
    story
        .do_to(Alerts::CallOff {
            alert,
            reason: String::new(),
        })
        .await;
    story.world.act().await;
    story.world.send_all(1, accepted()).await;
    story.text(DORA, "?").await;
    story.text(STRANGER, "?").await;
    story.text(STRANGER, "?").await;
    story.world.pass(73 * 3_600);
    story.text(DORA, "{dora 1}?").await;
    story.check(expect![[r#"
        +0 s dora: ?
          question
          to dora: Aurora Energy: We sent you nothing in the last 72 hours. A text in our name was not ours.
        +0 s dora: ?
          question
          to dora: Aurora Energy: We sent you nothing in the last 72 hours. A text in our name was not ours.
        +300 s dora: ?
          question
          to dora: Aurora Energy told this number: / 2026-11-21 03:05 UTC alert 1: CALLED OFF. Fire in hall 2 / 2026-11-21 03:00 UTC alert 1: Fire in hall 2
        +300 s stranger: ?
          question
          to stranger: Aurora Energy: Emme ole lähettäneet sinulle mitään 72 tuntiin. Nimissämme tullut viesti ei ollut meiltä.
        +300 s stranger: ?
          question
        +263100 s dora: {dora 1}?
          question
          to dora: Aurora Energy: We sent you nothing in the last 72 hours. A text in our name was not ours.
    "#]]);
}

#[tokio::test]
async fn words_go_to_the_room_of_the_newest_open_alert() {
    let mut story = Story::new().await;
    story.raise(Severity::High, &["dora"]).await;
    story.world.pass(60);
    story.raise(Severity::High, &["dora"]).await;
    story
        .text(DORA, "Smoke on the 3rd floor\r\nand in 1450")
        .await;
    story.text(DORA, "{dora 1} stuck behind a train").await;
    story.text(DORA, "I am driving and will call back").await;
    story.text(DORA, "I am driving and will call back").await;
    story.check(expect![[r#"
        +60 s dora: Smoke on the 3rd floor / and in 1450
          room_post
          room 2: DORA: Smoke on the 3rd floor
        and in 1450
          to dora: Alert 2 Aurora Energy: your message is shown to those working on it. It is not counted as an answer. Reply {dora 2} 1=coming 2=cannot 3=received 4=need help
        +60 s dora: {dora 1} stuck behind a train
          room_post
          room 1: DORA: {dora 1} stuck behind a train
          to dora: Alert 1 Aurora Energy: your message is shown to those working on it. It is not counted as an answer. Reply {dora 1} 1=coming 2=cannot 3=received 4=need help
        +60 s dora: I am driving and will call back
          room_post
          room 2: DORA: I am driving and will call back
          to dora: Alert 2 Aurora Energy: your message is shown to those working on it. It is not counted as an answer. Reply {dora 2} 1=coming 2=cannot 3=received 4=need help
        +60 s dora: I am driving and will call back
          room_post
          room 2: DORA: I am driving and will call back
    "#]]);
}

#[tokio::test]
async fn other_texts_land_in_the_duty_inbox_with_one_reply_a_day() {
    let mut story = Story::new().await;
    story.text(STRANGER, "Who are you?").await;
    story.text(STRANGER, "Stop it").await;
    story.text(ANA, "hei").await;
    story.world.pass(24 * 3_600 + 1);
    story.text(STRANGER, "1").await;
    story.check(expect![[r#"
        +0 s stranger: Who are you?
          duty_inbox
          inbox: stranger: Who are you?
          to stranger: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
        +0 s stranger: Stop it
          duty_inbox
          inbox: stranger: Stop it
        +0 s ana: hei
          duty_inbox
          inbox: ANA: hei
          to ana: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
        +86401 s stranger: 1
          duty_inbox
          inbox: stranger: 1
          to stranger: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
    "#]]);
}

#[tokio::test]
async fn names_and_short_codes_are_never_answered() {
    let mut story = Story::new().await;
    story.raise(Severity::High, &["dora"]).await;
    for robot in ["Posti", "16100", "+112", ""] {
        story.text(robot, "?").await;
        story.text(robot, "{dora 1} 3").await;
    }
    story.check(expect![[r#"
        +0 s Posti: ?
          question
        +0 s Posti: {dora 1} 3
          answer
        +0 s 16100: ?
          question
        +0 s 16100: {dora 1} 3
          answer
        +0 s +112: ?
          question
        +0 s +112: {dora 1} 3
          answer
        +0 s : ?
          question
        +0 s : {dora 1} 3
          answer
    "#]]);
}

#[tokio::test]
async fn after_120_replies_in_an_hour_texts_are_recorded_in_silence() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::High, &["dora"]).await;
    for round in 0..121 {
        story
            .text(DORA, if round % 2 == 0 { "1" } else { "3" })
            .await;
    }
    let replies = story.seen_replies.len();
    assert_eq!(replies, 120);
    assert_eq!(story.answer_of(alert, "dora").await, "coming dora");
    story.text(DORA, "{dora 1} 2").await;
    assert_eq!(story.seen_replies.len(), replies);
    assert_eq!(
        story.answer_of(alert, "dora").await,
        "cannot dora",
        "silence is not deafness"
    );
    story.world.pass(3_601);
    story.text(DORA, "1").await;
    assert_eq!(story.seen_replies.len(), replies + 1);
}

#[tokio::test]
async fn an_answer_in_a_part_counts_at_once_and_is_confirmed_once() {
    let mut story = Story::new().await;
    story.raise(Severity::Critical, &["ana", "dora"]).await;
    let start = "{dora 1} 1 but the bridge at the mill is under water and I have to go round by";
    story.part(DORA, start).await;
    story.world.pass(5);
    story.part(DORA, "the old road").await;
    story.text(DORA, &format!("{start} the old road")).await;
    story
        .text(ANA, "{ana 1} 2 because the road to the mill is under water")
        .await;
    story.part(ANA, "{ana 1} 2 because the road to the").await;
    story.check(expect![[r#"
        +0 s dora (part): {dora 1} 1 but the bridge at the mill is under water and I have to go round by
          answer_in_part
          to dora: Noted 03:00 UTC, DORA: coming. Alert 1 Aurora Energy.
        +5 s dora (part): the old road
          part
        +5 s dora: {dora 1} 1 but the bridge at the mill is under water and I have to go round by the old road
          answered_by_part
          room 1: DORA: but the bridge at the mill is under water and I have to go round by the old road
        +5 s ana: {ana 1} 2 because the road to the mill is under water
          answer
          room 1: ANA: because the road to the mill is under water
          to ana: Kirjattu 03:00 UTC, ANA: ei pääse. Hälytys 1 Aurora Energy.
        +5 s ana (part): {ana 1} 2 because the road to the
          part
    "#]]);
}

#[tokio::test]
async fn a_late_answer_in_a_part_is_answered_once() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::High, &["dora"]).await;
    story
        .do_to(Alerts::Resolve {
            alert,
            note: String::new(),
        })
        .await;
    story.part(DORA, "{dora 1} 1 with the van and").await;
    story
        .text(DORA, "{dora 1} 1 with the van and two men")
        .await;
    story.check(expect![[r#"
        +0 s dora (part): {dora 1} 1 with the van and
          answer_in_part
          room 1: DORA: Alert 1 Aurora Energy was closed 03:00 UTC. Recorded late 03:00 UTC, DORA: coming. It stays closed.
          to dora: Alert 1 Aurora Energy was closed 03:00 UTC. Recorded late 03:00 UTC, DORA: coming. It stays closed.
        +0 s dora: {dora 1} 1 with the van and two men
          answered_by_part
          room 1: DORA: with the van and two men
    "#]]);
}

#[tokio::test]
async fn a_damaged_text_answers_only_in_so_many_words() {
    let mut story = Story::new().await;
    let alert = story.raise(Severity::High, &["dora"]).await;
    story.receive(DORA, "{dora 1}", true, true).await;
    assert_eq!(story.answer_of(alert, "dora").await, "silent ");
    story
        .receive(DORA, "{dora 1} 2 the road is closed \u{fffd}", true, true)
        .await;
    assert_eq!(story.answer_of(alert, "dora").await, "cannot dora");
    story.check(expect![[r#"
        +0 s dora: {dora 1}
          room_post
          room 1: DORA: {dora 1}
          to dora: Alert 1 Aurora Energy: your message is shown to those working on it. It is not counted as an answer. Reply {dora 1} 1=coming 2=cannot 3=received 4=need help
        +0 s dora: {dora 1} 2 the road is closed �
          answer
          room 1: DORA: {dora 1} 2 the road is closed �
          to dora: Noted 03:00 UTC, DORA: cannot come. Alert 1 Aurora Energy.
    "#]]);
}

#[tokio::test]
async fn no_text_is_too_odd_to_be_kept() {
    let mut story = Story::new().await;
    story.raise(Severity::High, &["dora"]).await;
    for text in [
        "",
        " ",
        "\u{0}\u{1a}\u{1b}[2J",
        "🚒",
        "\r\nAT+CMGS=\"+358\"\r\n",
        &"x".repeat(39_000),
    ] {
        story.text(DORA, text).await;
        story.text(STRANGER, text).await;
    }
    let kept = of_sender(&mut story.world.conn, DORA, Timestamp(0), 100)
        .await
        .unwrap();
    assert_eq!(kept.len(), 6);
    assert!(
        kept.iter().any(|row| row.text.len() == 39_000),
        "kept whole"
    );
    let posts = messages(
        &mut story.world.conn,
        RoomId::of_alert(story.alerts[0]),
        0,
        100,
    )
    .await
    .unwrap();
    assert!(
        posts
            .iter()
            .all(|post| !post.text.contains('\u{1b}') && post.text.chars().count() <= 4_000)
    );
}

#[tokio::test]
async fn a_text_before_the_cluster_is_founded_is_kept() {
    let mut story = Story::new().await;
    story.world = World::empty().await;
    story.text(STRANGER, "?").await;
    assert!(story.log.contains("to stranger"));
}

#[tokio::test]
async fn a_code_that_comes_back_verifies_the_number_and_a_bare_word_does_not() {
    let mut story = Story::new().await;
    story.raise(Severity::High, &["ana", "bela", "dora"]).await;
    story.text(ANA, "{ana 1} 1").await;
    story.text(BELA, "1").await;
    story.text(STRANGER, "{dora 1} 1").await;
    let mut found = Vec::new();
    for key in ["ana", "bela", "dora"] {
        let person = crate::recipients::person(&mut story.world.conn, key).await;
        let known = person.unwrap().unwrap().verification[0].clone();
        found.push((known.found.name(), known.how));
    }
    assert_eq!(
        found,
        [
            ("verified", "answered alert 1 by sms".to_owned()),
            ("unverified", String::new()),
            ("unverified", String::new()),
        ]
    );
}
