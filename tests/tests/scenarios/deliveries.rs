//! What people's phones show while nodes, modems and leaders come and go.

use domain::alerts::{Answer, Command as Alerts, Severity};
use domain::deliveries::{Report, SendOutcome};
use domain::{Command, RecipientId};

use super::stage::{ANA, BELA, DORA, ask, call_off, code, raise, seconds, states, three_nodes};

fn unknown() -> SendOutcome {
    SendOutcome::Unknown {
        detail: "no answer".to_owned(),
    }
}

fn refused() -> SendOutcome {
    SendOutcome::Refused {
        permanent: false,
        detail: "CMS 38".to_owned(),
    }
}

#[tokio::test]
async fn three_people_get_their_texts_over_three_modems() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::High, &[&["ana", "bela", "dora"]]).await;
    world.settle().await;
    for (key, number) in [("ana", ANA), ("bela", BELA), ("dora", DORA)] {
        let sent = world.sent_to(number);
        assert_eq!(sent.len(), 1, "{key}");
        let code = code(&world, alert, key).await;
        assert!(
            sent[0].message.body.starts_with(&code),
            "{}",
            sent[0].message.body
        );
    }
    for id in 1..=3 {
        assert_eq!(world.node(id).modem.sent().len(), 1, "work is spread");
    }
}

#[tokio::test]
async fn an_answer_at_another_nodes_modem_is_confirmed_there_and_stops_the_texts() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::High, &[&["dora"], &["ana"]]).await;
    world.settle().await;
    let first = world.sent_to(DORA).remove(0);
    let other = if first.from.0 == 3 { 2 } else { 3 };
    let code = code(&world, alert, "dora").await;
    world.node(other).modem.receive(DORA, &format!("{code} 1"));
    world.settle().await;
    let sent = world.sent_to(DORA);
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(
        sent[1].from.0, other,
        "the confirmation leaves from the number she wrote to"
    );
    assert!(
        sent[1].message.body.contains("coming"),
        "{}",
        sent[1].message.body
    );
    assert_eq!(
        world.node(other).modem.forgotten(),
        [0],
        "stored, so the modem may forget it"
    );
    world.live(seconds(900)).await;
    assert_eq!(
        world.sent_to(DORA).len(),
        2,
        "nobody is paged after answering"
    );
    assert_eq!(world.sent_to(ANA).len(), 0, "one coming was enough");
}

#[tokio::test]
async fn the_silent_bring_in_the_second_step() {
    let mut world = three_nodes().await;
    raise(&world, Severity::High, &[&["ana"], &["bela"]]).await;
    world.live(seconds(59)).await;
    assert_eq!(world.sent_to(BELA).len(), 0);
    world.live(seconds(2)).await;
    assert_eq!(world.sent_to(BELA).len(), 1);
}

#[tokio::test]
async fn a_refusal_goes_out_by_another_modem_and_an_unknown_end_says_so() {
    let mut world = three_nodes().await;
    for id in 1..=3 {
        world.node(id).modem.next(Some(refused()));
    }
    raise(&world, Severity::High, &[&["dora"]]).await;
    world.live(seconds(10)).await;
    assert_eq!(world.sent_to(DORA).len(), 1);
    assert!(!world.sent_to(DORA)[0].message.body.contains("repeat"));

    let mut world = three_nodes().await;
    for id in 1..=3 {
        world.node(id).modem.next(Some(unknown()));
    }
    raise(&world, Severity::High, &[&["dora"]]).await;
    world.live(seconds(3)).await;
    let sent = world.sent_to(DORA);
    assert!(sent.len() >= 2, "a duplicate is better than a miss");
    assert_ne!(sent[0].from, sent[1].from);
    assert!(
        sent[1].message.body.contains("repeat"),
        "{}",
        sent[1].message.body
    );
}

#[tokio::test]
async fn work_of_a_dead_node_moves_and_is_marked() {
    let mut world = three_nodes().await;
    for id in 1..=3 {
        world.node(id).modem.next(None); // the text hangs in the modem
    }
    raise(&world, Severity::High, &[&["dora"]]).await;
    world.settle().await;
    let holder = world.sent_to(DORA)[0].from.0;
    world.kill(holder);
    world.live(seconds(40)).await;
    let sent = world.sent_to(DORA);
    assert!(sent.len() >= 2, "{sent:?}");
    assert_ne!(sent[1].from.0, holder);
    assert!(
        sent[1].message.body.contains("repeat"),
        "{}",
        sent[1].message.body
    );
}

#[tokio::test]
async fn answers_stranded_on_a_dead_number_are_asked_for_again_within_a_minute() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::High, &[&["dora"]]).await;
    world.settle().await;
    let dark = world.sent_to(DORA)[0].from.0;
    world.kill(dark);
    world.live(seconds(60)).await;
    let sent = world.sent_to(DORA);
    assert_eq!(sent.len(), 2, "once more, not more often");
    assert_ne!(sent[1].from.0, dark);
    assert!(
        sent[1].message.body.contains("THIS number"),
        "{}",
        sent[1].message.body
    );
    let code = code(&world, alert, "dora").await;
    assert!(sent[1].message.body.starts_with(&code), "the same code");
}

#[tokio::test]
async fn a_modem_that_goes_down_hands_its_work_back_at_once() {
    let mut world = three_nodes().await;
    for id in [1, 2] {
        world.node(id).modem.set_up(false);
    }
    world.settle().await;
    raise(&world, Severity::High, &[&["ana", "bela", "dora"]]).await;
    world.live(seconds(5)).await;
    assert_eq!(world.node(3).modem.sent().len(), 3);
}

#[tokio::test]
async fn a_restarted_node_says_that_it_does_not_know_and_sends_once_more() {
    let mut world = three_nodes().await;
    for id in 1..=3 {
        world.node(id).modem.next(None);
    }
    raise(&world, Severity::High, &[&["dora"]]).await;
    world.settle().await;
    let holder = world.sent_to(DORA)[0].from.0;
    world.restart(holder);
    world.live(seconds(5)).await;
    let sent = world.sent_to(DORA);
    assert_eq!(sent.len(), 2);
    assert!(
        sent[1].message.body.contains("repeat"),
        "{}",
        sent[1].message.body
    );
}

#[tokio::test]
async fn a_text_that_waits_in_a_hanging_modem_does_not_leave_once_its_person_has_answered() {
    let mut world = three_nodes().await;
    for node in &world.nodes {
        node.modem.by_hand(); // takes texts and says nothing
    }
    let alert = raise(&world, Severity::High, &[&["ana", "dora"]]).await;
    world.live(seconds(5)).await;
    let waiting: Vec<_> = world
        .nodes
        .iter()
        .flat_map(|node| node.modem.take_fresh())
        .collect();
    let to = |number: &str| waiting.iter().find(|text| text.address == number).unwrap();
    assert!(to(ANA).permit.may_start() && to(DORA).permit.may_start());
    let recipient = RecipientId::of_key("ana");
    let answer = Alerts::Answer {
        alert,
        recipient,
        answer: Answer::Coming,
        eta_min: None,
    };
    ask(&world, Command::Alerts(answer)).await;
    world.live(seconds(5)).await;
    assert!(!to(ANA).permit.may_start(), "she knows already");
    assert!(to(DORA).permit.may_start());
}

#[tokio::test]
async fn a_call_off_overtakes_what_waits_and_reaches_those_told() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::High, &[&["ana", "dora"], &["bela"]]).await;
    world.settle().await;
    call_off(&world, alert).await;
    world.live(seconds(120)).await;
    for number in [ANA, DORA] {
        assert_eq!(
            world.sent_to(number).len(),
            2,
            "told, then told that it is over"
        );
    }
    assert_eq!(
        world.sent_to(BELA).len(),
        0,
        "who was never told is left in peace"
    );
}

#[tokio::test]
async fn every_delivery_ends() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::High, &[&["ana", "bela"]]).await;
    world.settle().await;
    for id in 1..=3 {
        world.node(id).modem.report_all(&Report::Delivered {
            detail: String::new(),
        });
    }
    world.settle().await;
    assert_eq!(
        states(&world, alert).await,
        [
            ("ana".to_owned(), "delivered"),
            ("bela".to_owned(), "delivered")
        ]
    );
}

#[tokio::test]
async fn a_text_waits_for_the_log_and_survives_a_restart_of_its_node() {
    let mut world = three_nodes().await;
    let alert = raise(&world, Severity::High, &[&["dora"]]).await;
    world.settle().await;
    let code = code(&world, alert, "dora").await;
    world.kill(3);
    world.node(3).modem.receive(DORA, &format!("{code} 1"));
    world.settle().await;
    assert_eq!(world.node(3).modem.forgotten(), Vec::<u64>::new());
    world.restart(3);
    world.settle().await;
    assert_eq!(world.node(3).modem.forgotten(), [0]);
    assert_eq!(
        states(&world, alert).await,
        [("dora".to_owned(), "acknowledged")]
    );
}
