//! Transcripts of alerts that need a second person.

mod stage;

use expect_test::expect;

use self::stage::{KEY, OTHER, Stage};
use super::{Decision, State};
use crate::alerts;
use crate::transcript::START;
use crate::vocabulary::Severity;
use crate::{Outcome, Receipt};

#[tokio::test]
async fn above_the_threshold_nobody_is_called_until_a_second_person_agrees() {
    let mut stage = Stage::new().await;
    let held = stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    assert_eq!(held, Outcome::Applied(Receipt::Held { number: 1 }));
    assert_eq!(stage.alerts().await, 0);
    stage.world.pass(60);
    let approved = stage.decide(OTHER, Decision::Approve, None).await;
    assert!(
        matches!(approved, Outcome::Applied(Receipt::Alert { .. })),
        "{approved:?}"
    );
    // Whoever asked for it raised it, when they asked; the second person agreed.
    let alert = stage.only_alert().await;
    assert_eq!(
        (alert.raised_by.as_str(), alert.aware_at, alert.raised_at),
        (
            "key:aaaa",
            START,
            START + std::time::Duration::from_secs(60)
        )
    );
    expect![[r#"
        inbox: Held alert 1: control room wants to call 3 people (it calls 3 people, more than 2): Fire in hall 2. A second person approves or refuses: holdfast alert approve 1. From 03:03 UTC it may be released alone.
        dora by sms: Aurora Energy: control room wants to alert 3 people: Fire in hall 2. Agree? Reply {code} 1=send {code} 2=do not send. (held 1)
        dora by email: Aurora Energy: control room wants to alert 3 people: Fire in hall 2. Agree? Reply {code} 1=send {code} 2=do not send. (held 1)
        alert 1: Fire in hall 2
        alert 1: Second person: approved by Olga (key:bbbb): it is real
    "#]]
    .assert_eq(&stage.story().await);
}

#[tokio::test]
async fn below_the_threshold_nothing_waits() {
    let mut stage = Stage::new().await;
    let raised = stage.raise(Severity::High, &["ana", "bela"]).await;
    assert!(
        matches!(raised, Outcome::Applied(Receipt::Alert { .. })),
        "{raised:?}"
    );
}

#[tokio::test]
async fn nobody_is_their_own_second_person() {
    let mut stage = Stage::new().await;
    stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    let own = stage.decide(KEY, Decision::Approve, None).await;
    expect!["whoever asked for an alert cannot be its second person; another key or node approves it, or give the code that one of those who were asked got"]
        .assert_eq(&stage::refusal(own));
    let own = stage.decide(KEY, Decision::Refuse, None).await;
    expect!["whoever asked for an alert does not refuse it; withdraw it"]
        .assert_eq(&stage::refusal(own));
    // At one command line two people can only be told apart by the code that one of them was sent.
    let code = stage.code().await;
    let guessed = stage.decide(KEY, Decision::Approve, Some("000000")).await;
    expect!["this is not a code that was sent for it; look at the newest text"]
        .assert_eq(&stage::refusal(guessed));
    let proven = stage.decide(KEY, Decision::Approve, Some(&code)).await;
    assert!(
        matches!(proven, Outcome::Applied(Receipt::Alert { .. })),
        "{proven:?}"
    );
}

#[tokio::test]
async fn codes_are_not_tried_out() {
    let mut stage = Stage::new().await;
    stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    for _ in 0..5 {
        stage.decide(KEY, Decision::Approve, Some("12")).await;
    }
    let code = stage.code().await;
    let late = stage.decide(KEY, Decision::Approve, Some(&code)).await;
    assert!(stage::refusal(late).contains("too many wrong codes"));
}

#[tokio::test]
async fn after_three_minutes_whoever_asked_lets_it_go_alone_and_it_stays_listed_until_somebody_else_reviews_it()
 {
    let mut stage = Stage::new().await;
    stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    stage.world.pass(179);
    let early = stage.decide(KEY, Decision::Release, None).await;
    expect!["it may be released alone in 1 s; until then a second person can approve it"]
        .assert_eq(&stage::refusal(early));
    stage.world.pass(1);
    stage.follow_up().await;
    let released = stage.decide(KEY, Decision::Release, None).await;
    assert!(
        matches!(released, Outcome::Applied(Receipt::Alert { .. })),
        "{released:?}"
    );
    assert_eq!(
        stage.decide(KEY, Decision::Release, None).await,
        Outcome::Unchanged
    );
    assert_eq!(stage.unreviewed().await, [1]);
    let own = stage.review(KEY).await;
    assert!(stage::refusal(own).contains("whoever sent an alert cannot review it"));
    assert_eq!(stage.review(OTHER).await, Outcome::Applied(Receipt::None));
    assert_eq!(stage.review(OTHER).await, Outcome::Unchanged);
    assert!(stage.unreviewed().await.is_empty());
    expect![[r#"
        inbox: Held alert 1: control room wants to call 3 people (it calls 3 people, more than 2): Fire in hall 2. A second person approves or refuses: holdfast alert approve 1. From 03:03 UTC it may be released alone.
        inbox: Held alert 1 still waits for a second person; control room may release it alone now: holdfast alert release 1
        dora by sms: Aurora Energy: control room wants to alert 3 people: Fire in hall 2. Agree? Reply {code} 1=send {code} 2=do not send. (held 1)
        dora by email: Aurora Energy: control room wants to alert 3 people: Fire in hall 2. Agree? Reply {code} 1=send {code} 2=do not send. (held 1)
        dora by sms: Aurora Energy: control room wants to alert 3 people: Fire in hall 2. Agree? Reply {code} 1=send {code} 2=do not send. (held 1)
        dora by email: Aurora Energy: control room wants to alert 3 people: Fire in hall 2. Agree? Reply {code} 1=send {code} 2=do not send. (held 1)
        alert 1: Fire in hall 2
        alert 1: Released alone by Kai (key:aaaa): it is real. No second person had agreed (it calls 3 people, more than 2). Somebody else must review it.
        alert 1: Reviewed by Olga (key:bbbb): it is real
    "#]]
    .assert_eq(&stage.story().await);
}

#[tokio::test]
async fn the_first_word_stands_and_the_second_hears_of_it() {
    let mut stage = Stage::new().await;
    stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    let refused = stage.decide(OTHER, Decision::Refuse, None).await;
    assert_eq!(refused, Outcome::Applied(Receipt::None));
    stage.world.pass(600);
    let late = stage.decide(KEY, Decision::Release, None).await;
    expect!["held alert 1 does not wait any more: it was refused by Olga"]
        .assert_eq(&stage::refusal(late));
    assert_eq!(stage.alerts().await, 0);
    assert!(
        stage
            .story()
            .await
            .contains("inbox: Held alert 1 was refused by Olga (key:bbbb): it is real")
    );
}

#[tokio::test]
async fn whoever_asked_can_take_it_back() {
    let mut stage = Stage::new().await;
    stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    let other = stage.decide(OTHER, Decision::Withdraw, None).await;
    expect!["only whoever asked for an alert withdraws it; refuse it"]
        .assert_eq(&stage::refusal(other));
    let own = stage.decide(KEY, Decision::Withdraw, None).await;
    assert_eq!(own, Outcome::Applied(Receipt::None));
    assert_eq!(stage.state(1).await, State::Withdrawn);
    stage.world.pass(7_200);
    assert_eq!(
        stage.follow_up().await,
        0,
        "nothing is due of what was taken back"
    );
}

#[tokio::test]
async fn what_nobody_lets_go_within_an_hour_lapses_aloud() {
    let mut stage = Stage::new().await;
    stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    stage.world.pass(180);
    assert_eq!(stage.follow_up().await, 1);
    assert_eq!(stage.follow_up().await, 0);
    stage.world.pass(3_600 - 180);
    assert_eq!(stage.follow_up().await, 1);
    assert_eq!(stage.state(1).await, State::Lapsed);
    let late = stage.decide(OTHER, Decision::Approve, None).await;
    assert!(stage::refusal(late).contains("lapsed"));
    assert!(stage.story().await.contains(
        "inbox: Held alert 1 was NOT sent: nobody approved or released it within an hour. Raise it again if it still matters."
    ));
}

#[tokio::test]
async fn critical_alerts_go_at_once_where_that_is_set_and_are_reviewed_after() {
    let mut stage = Stage::new().await;
    let held = stage
        .raise(Severity::Critical, &["ana", "bela", "carl"])
        .await;
    assert_eq!(held, Outcome::Applied(Receipt::Held { number: 1 }));
    stage.set(true).await;
    let raised = stage
        .raise(Severity::Critical, &["ana", "bela", "carl"])
        .await;
    assert!(
        matches!(raised, Outcome::Applied(Receipt::Alert { .. })),
        "{raised:?}"
    );
    assert_eq!(stage.unreviewed().await, [2]);
    let story = stage.story().await;
    assert!(story.contains("alert 1: Went without a second person, because it is critical: it calls 3 people, more than 2. Somebody else must review it."), "{story}");
    assert!(story.contains("control room alerted 3 people without a second person (alert 1): Fire in hall 2. Review: reply {code} 1=in order {code} 2=not"), "{story}");
}

#[tokio::test]
async fn those_asked_agree_by_sms() {
    let mut stage = Stage::new().await;
    stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    let code = stage.code().await;
    // Somebody else's phone with the code is not the person who was asked.
    stage.text("+358401000001", &format!("{code} 1")).await;
    assert_eq!(stage.state(1).await, State::Waiting);
    stage.text("+441000000004", &format!("{code} 1")).await;
    assert_eq!(stage.state(1).await, State::Approved);
    stage.text("+441000000004", &format!("{code} 2")).await;
    let story = stage.story().await;
    for said in [
        "alert 1: Second person: approved by DORA (phone:+441000000004): by SMS",
        "dora reply: Aurora Energy: your alert is on its way as alert 1 (DORA).",
        "dora reply: Aurora Energy: your answer about held alert 1 changed nothing",
    ] {
        assert!(story.contains(said), "{said} not in {story}");
    }
}

#[tokio::test]
async fn one_key_cannot_fill_the_list_for_others() {
    let mut stage = Stage::new().await;
    for _ in 0..10 {
        stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    }
    let full = stage.raise(Severity::High, &["ana", "bela", "carl"]).await;
    assert!(stage::refusal(full).contains("10 alerts from here wait for a second person already"));
    let other = stage
        .raise_by(OTHER, Severity::High, &["ana", "bela", "carl"])
        .await;
    assert_eq!(other, Outcome::Applied(Receipt::Held { number: 11 }));
}

#[tokio::test]
async fn automatic_alarms_never_wait() {
    let mut stage = Stage::new().await;
    let raise = crate::transcript::raise(Severity::High, 0, &[&["ana", "bela", "carl"]]);
    let raise = crate::Command::Alerts(alerts::Command::Raise(Box::new(raise)));
    let raised = stage.world.run(raise).await;
    assert!(
        matches!(raised, Outcome::Applied(Receipt::Alert { .. })),
        "{raised:?}"
    );
}

#[tokio::test]
async fn an_alert_from_an_island_went_at_once_and_is_reviewed_in_the_cluster() {
    let mut stage = Stage::new().await;
    let (outcome, facts) = Stage::raise_on_island(&["ana", "bela", "carl"]).await;
    assert!(
        matches!(outcome, Outcome::Applied(Receipt::IslandAlert { .. })),
        "{outcome:?}"
    );
    assert_eq!(stage.alerts().await, 0);
    for _ in 0..2 {
        stage.merge(&facts).await;
        assert_eq!(stage.unreviewed().await, [1]);
    }
    assert_eq!(stage.state(1).await, State::Island);
    let story = stage.story().await;
    assert!(
        story.contains("Went without a second person, because this node is cut off"),
        "{story}"
    );
}
