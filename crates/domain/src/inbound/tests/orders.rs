//! By text alone: whoever leads starts and steers an alert with nothing but a phone (PRODUCT W-7).

use expect_test::expect;

use super::story::{ANA, BELA, DORA, STRANGER, Story};
use crate::alerts::Severity;
use crate::conversations::messages;
use crate::inbound::{self, Command as Inbound};
use crate::nodes::Fork;
use crate::recipients::{Command as Recipients, ContactMethod, Found, Verify};
use crate::sources::{self, Command as Sources};
use crate::templates::{Command as Templates, Placeholder, Step, Template};
use crate::transcript::accepted;
use crate::{Command, NodeId, Outcome, Refusal, RoomId};

/// Dora may order, from a number that was checked.
async fn led_by_dora() -> Story {
    let mut story = Story::new().await;
    commanded_by(&mut story, &["person:dora"]).await;
    check_number(&mut story, "dora", DORA).await;
    story
}

async fn commanded_by(story: &mut Story, whom: &[&str]) {
    let whom = whom.iter().map(|name| (*name).to_owned()).collect();
    let set = Command::Inbound(Inbound::SetCommanders { whom });
    assert!(matches!(story.world.ask(set).await, Outcome::Applied(_)));
}

async fn check_number(story: &mut Story, person: &str, number: &str) {
    let verify = Verify {
        person: person.to_owned(),
        method: ContactMethod::Sms(number.to_owned()),
        found: Found::Verified,
        how: "answered a check".to_owned(),
    };
    let command = Command::Recipients(Recipients::Verify(verify));
    assert!(matches!(
        story.world.ask(command).await,
        Outcome::Applied(_)
    ));
}

async fn with_template(story: &mut Story) {
    let hole = |name: &str| Placeholder {
        name: name.to_owned(),
        required: true,
        example: [("en".to_owned(), "Mail".to_owned())].into(),
        default: Default::default(),
    };
    let text = |language: &str, text: &str| (language.to_owned(), text.to_owned());
    let template = Template {
        key: "down".to_owned(),
        name: "Something is down".to_owned(),
        texts: [
            text("en", "{what} is down at {where}."),
            text("fi", "{what} ei toimi: {where}."),
            text("sv", "{what} är nere: {where}."),
        ]
        .into(),
        placeholders: vec![hole("what"), hole("where")],
        severity: Severity::Critical,
        steps: vec![Step {
            delay_ms: 0,
            to: vec!["group:night".to_owned()],
            enough: Vec::new(),
        }],
        ..Template::default()
    };
    let put = Command::Templates(Templates::Put(Box::new(template)));
    assert!(matches!(story.world.ask(put).await, Outcome::Applied(_)));
}

#[tokio::test]
async fn an_alert_is_started_led_and_ended_from_one_phone() {
    let mut story = led_by_dora().await;
    with_template(&mut story).await;
    story.text(DORA, "Start down Mail; Turku").await;
    story.world.pass(30);
    story.text(DORA, "{order 1}").await;
    story.world.act().await;
    story.world.send_all(1, accepted()).await;
    story.world.pass(30);
    story.text(ANA, "{ana 1} 1 20").await;
    story.text(DORA, "who").await;
    story.text(DORA, "status").await;
    story.world.pass(60);
    story.text(DORA, "@all Use the north gate").await;
    story.text(DORA, "{order 2} ok").await;
    story.world.pass(60);
    story.text(DORA, "take 1").await;
    story.text(DORA, "{order 3}").await;
    story.world.pass(600);
    story.text(DORA, "calloff 1 fixed").await;
    story.text(DORA, "{order 4}").await;
    story.check(expect![[r#"
        +0 s dora: Start down Mail; Turku
          ordered
          to dora: Aurora Energy: raise an alert (critical, 2 people): Mail is down at Turku. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +30 s dora: {order 1}
          order_done
          room 1: DORA by text: Mail is down at Turku.
          room 1: DORA: Start down Mail; Turku
          to dora: Done 03:00 UTC: alert 1 is raised, 2 people are called.
        +60 s ana: {ana 1} 1 20
          answer
          room 1: ANA: ANA is coming in 20 min (03:21 UTC).
          to ana: Kirjattu 03:01 UTC, ANA: tulossa, 20 min (03:21 UTC). Hälytys 1 Aurora Energy.
        +60 s dora: who
          order_told
          to dora: Alert 1, silent 1. / ANA: coming 03:21 UTC
        +60 s dora: status
          order_told
          to dora: Aurora Energy: / 1 03:00 UTC Mail is down at Turku: coming 1/1, cannot 0, help 0, silent 1
        +120 s dora: @all Use the north gate
          ordered
          to dora: Aurora Energy: text 2 people of alert 1: Use the north gate. Nothing is done yet. To do it send {order 2} to this number by 03:12 UTC. Not you? Call duty.
        +120 s dora: {order 2} ok
          order_done
          room 1: DORA: @all Use the north gate
          to ana: Hälytys 1 Aurora Energy, DORA: Use the north gate / Vastaa {ana 1} 1=tulossa 2=en pääse 3=saatu 4=apua
          to dora: Done 03:02 UTC: the text goes to 2 people of alert 1.
          to bela: Larm 1 Aurora Energy, DORA: Use the north gate / Svara {bela 1} 1=kommer 2=kan inte 3=mottaget 4=hjälp
        +180 s dora: take 1
          ordered
          to dora: Aurora Energy: take over alert 1 (Mail is down at Turku), so that no further step is called. Nothing is done yet. To do it send {order 3} to this number by 03:13 UTC. Not you? Call duty.
        +180 s dora: {order 3}
          order_done
          room 1: DORA: take 1
          room 1: person:dora: Acknowledged.
          to dora: Done 03:03 UTC: alert 1 is yours, no further step is called.
        +780 s dora: calloff 1 fixed
          ordered
          to dora: Aurora Energy: call off alert 1 (fixed). Nothing is done yet. To do it send {order 4} to this number by 03:23 UTC. Not you? Call duty.
        +780 s dora: {order 4}
          order_done
          room 1: DORA: calloff 1 fixed
          room 1: person:dora: Called off: fixed
          to dora: Done 03:13 UTC: alert 1 is called off, everyone who was told is told so.
    "#]]);
}

#[tokio::test]
async fn nothing_is_done_until_the_code_comes_back_from_the_same_number() {
    let mut story = led_by_dora().await;
    story.text(DORA, "START night Fire in hall 2").await;
    story.text(STRANGER, "{order 1}").await;
    story.text(ANA, "{order 1}").await;
    story.text(DORA, "{order 1} not sure").await;
    assert!(story.alerts.is_empty());
    story.world.pass(601);
    story.text(DORA, "{order 1}").await;
    assert!(story.alerts.is_empty());
    story.check(expect![[r#"
        +0 s dora: START night Fire in hall 2
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire in hall 2. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +0 s stranger: {order 1}
          unknown_code
          inbox: stranger: {order 1}
          to stranger: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
        +0 s ana: {order 1}
          unknown_code
          inbox: ANA: {order 1}
          to ana: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
        +0 s dora: {order 1} not sure
          order_refused
          to dora: Nothing done yet. Send {order 1} and nothing else to do it, {order 1} NO to drop it.
        +601 s dora: {order 1}
          order_refused
          to dora: Nothing done: that code was good until 03:10 UTC. Send the order again.
    "#]]);
}

#[tokio::test]
async fn a_text_that_comes_twice_is_done_once() {
    let mut story = led_by_dora().await;
    story.text(DORA, "START night Fire in hall 2").await;
    story.world.pass(5);
    story.text(DORA, "START night Fire in hall 2").await;
    story.text(DORA, "{order 1}").await;
    story.world.pass(5);
    story.text(DORA, "{order 1}").await;
    story.text(DORA, "START night Fire in hall 2").await;
    assert_eq!(story.alerts.len(), 1);
    story.check(expect![[r#"
        +0 s dora: START night Fire in hall 2
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire in hall 2. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +5 s dora: START night Fire in hall 2
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire in hall 2. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +5 s dora: {order 1}
          order_done
          room 1: DORA by text: Fire in hall 2
          room 1: DORA: START night Fire in hall 2
          to dora: Done 03:00 UTC: alert 1 is raised, 2 people are called.
        +10 s dora: {order 1}
          order_refused
          to dora: That was done 03:00 UTC already, and only once.
        +10 s dora: START night Fire in hall 2
          order_refused
          to dora: That was done 03:00 UTC already, and only once.
    "#]]);
}

#[tokio::test]
async fn three_wrong_codes_end_an_order_and_a_no_drops_it() {
    let mut story = led_by_dora().await;
    story.text(DORA, "START night Fire").await;
    for guess in ["000001", "000002", "000003"] {
        story.text(DORA, guess).await;
    }
    story.text(DORA, "{order 1}").await;
    story.world.pass(5);
    story.text(DORA, "START night Fire!").await;
    story.text(DORA, "{order 2} no").await;
    story.text(DORA, "{order 2}").await;
    assert!(story.alerts.is_empty());
    story.check(expect![[r#"
        +0 s dora: START night Fire
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +0 s dora: 000001
          order_refused
          to dora: That is not the code; nothing is done. Tries left: 2
        +0 s dora: 000002
          order_refused
          to dora: That is not the code; nothing is done. Tries left: 1
        +0 s dora: 000003
          order_refused
          to dora: Too many wrong codes: nothing is done. Send the order again.
        +0 s dora: {order 1}
          order_refused
          to dora: Too many wrong codes: nothing is done. Send the order again.
        +5 s dora: START night Fire!
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire!. Nothing is done yet. To do it send {order 2} to this number by 03:10 UTC. Not you? Call duty.
        +5 s dora: {order 2} no
          order_dropped
          to dora: Dropped. Nothing was done.
        +5 s dora: {order 2}
          order_refused
          to dora: Dropped. Nothing was done.
    "#]]);
}

#[tokio::test]
async fn who_may_not_order_is_told_so_and_heard_all_the_same() {
    let mut story = led_by_dora().await;
    commanded_by(&mut story, &["group:night", "person:dora"]).await;
    // Bela's number was never checked; a stranger's text is for duty, whatever it says.
    story.text(BELA, "larma night Brand i hall 2").await;
    story.text(STRANGER, "START night Fire").await;
    commanded_by(&mut story, &["person:dora"]).await;
    story.text(ANA, "Hälytä night Tulipalo").await;
    story.text(ANA, "Start the pumps please").await;
    story.check(expect![[r#"
        +0 s bela: larma night Brand i hall 2
          order_refused
          inbox: BELA: larma night Brand i hall 2
          to bela: Inget gjort: detta nummer har aldrig kontrollerats. Svara på ett larm med koden eller be jouren kontrollera det, och skicka igen.
        +0 s stranger: START night Fire
          duty_inbox
          inbox: stranger: START night Fire
          to stranger: Aurora Energy: viestisi on tallessa päivystäjälle. Se ei ole vastaus hälytykseen. Hätätilanteessa soita 112.
        +0 s ana: Hälytä night Tulipalo
          order_refused
          inbox: ANA: Hälytä night Tulipalo
          to ana: Ei tehty: tällä numerolla ei ole oikeutta siihen.
        +0 s ana: Start the pumps please
          duty_inbox
          inbox: ANA: Start the pumps please
    "#]]);
    commanded_by(&mut story, &[]).await;
    story.text(DORA, "START night Fire").await;
    story.check(expect![[r#"
        +0 s dora: START night Fire
          order_refused
          inbox: DORA: START night Fire
          to dora: Nothing done: this number may not order that.
    "#]]);
}

#[tokio::test]
async fn the_right_to_order_is_looked_at_again_when_the_code_comes() {
    let mut story = led_by_dora().await;
    story.text(DORA, "START night Fire").await;
    commanded_by(&mut story, &[]).await;
    story.text(DORA, "{order 1}").await;
    assert!(story.alerts.is_empty());
    story.check(expect![[r#"
        +0 s dora: START night Fire
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +0 s dora: {order 1}
          order_refused
          to dora: Nothing done: this number may not order that.
    "#]]);
}

#[tokio::test]
async fn a_mistake_in_an_order_is_answered_with_what_to_write() {
    let mut story = led_by_dora().await;
    with_template(&mut story).await;
    story.text(DORA, "START").await;
    story.text(DORA, "START mial-down Mail").await;
    story.text(DORA, "START down Mail").await;
    story.text(DORA, "START night").await;
    story.text(DORA, "CALLOFF 7").await;
    story.text(DORA, "CALLOFF").await;
    story.text(DORA, "MUTE zabbix soon").await;
    story.text(DORA, "MUTE zabbix 10").await;
    story
        .text(DORA, &format!("MSG 1 {}", "x".repeat(601)))
        .await;
    story.text(DORA, "commands").await;
    story.text(DORA, "help").await;
    story.check(expect![[r#"
        +0 s dora: START
          order_refused
          to dora: Nothing done. Write it so: START template what; where / START group words
        +0 s dora: START mial-down Mail
          order_refused
          to dora: Nothing done: mial-down is not known here. Known: down, night
        +0 s dora: START down Mail
          order_refused
          to dora: Nothing done: down needs what, where. Write them in this order, with ; between.
        +0 s dora: START night
          order_refused
          to dora: Nothing done. Write it so: START template what; where / START group words
        +0 s dora: CALLOFF 7
          order_refused
          to dora: Nothing done: there is no alert 7.
        +0 s dora: CALLOFF
          order_refused
          to dora: Nothing done: no alert is open.
        +0 s dora: MUTE zabbix soon
          order_refused
          to dora: Nothing done. Write it so: MUTE source 30 / MUTE ALL 30
        +0 s dora: MUTE zabbix 10
          order_refused
          to dora: Nothing done: zabbix is not known here. Known: -
        +0 s dora: MSG 1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
          order_refused
          to dora: Nothing done: 603 characters; at most 600 are taken.
        +0 s dora: commands
          order_told
          to dora: START template what; where / START group words / STATUS 118 / WHO 118 or schedule / ADD 118 group / MSG 118 words / ROOM 118 words / FOLLOW 118 / TAKE 118 / CALLOFF 118 why / MUTE source 30 / MUTE ALL 30 / REPORT what happened
        +0 s dora: help
          duty_inbox
          inbox: DORA: help
          to dora: Aurora Energy: your message is kept for the person on duty. It is no answer to an alert. In danger call 112. / START template what; where / START group words / STATUS 118 / WHO 118 or schedule / ADD 118 group / MSG 118 words / ROOM 118 words / FOLLOW 118 / TAKE 118 / CALLOFF 118 why / MUTE source 30 / MUTE ALL 30 / REPORT what happened
    "#]]);
}

#[tokio::test]
async fn more_people_are_called_to_an_alert_under_way() {
    let mut story = led_by_dora().await;
    let alert = story.raise(Severity::High, &["dora"]).await;
    story.world.send_all(1, accepted()).await;
    story.text(DORA, "ADD 1 night").await;
    story.text(DORA, "{order 1}").await;
    story.world.act().await;
    story.text(ANA, "{ana 1} 1").await;
    story.world.pass(60);
    story.world.act().await;
    story.text(DORA, "ADD 1 night").await;
    story.check(expect![[r#"
        +0 s dora: ADD 1 night
          ordered
          to dora: Aurora Energy: call night (2 people) to alert 1. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +0 s dora: {order 1}
          order_done
          room 1: DORA: ADD 1 night
          room 1: person:dora: Called in addition: ANA, BELA.
          to dora: Done 03:00 UTC: 2 people are called to alert 1 as well.
        +0 s ana: {ana 1} 1
          answer
          to ana: Kirjattu 03:00 UTC, ANA: tulossa. Hälytys 1 Aurora Energy.
        +60 s dora: ADD 1 night
          order_refused
          to dora: That was done 03:00 UTC already, and only once.
    "#]]);
    expect![[r#"
        ana reply 1.0 sms pending
        dora reply 1.0 sms pending
        dora reply 1.0 sms pending
        dora page 1.0 sms sent
        dora page 1.0 email standby
        ana page +.0 sms cancelled (answered)
        ana page +.0 email cancelled (answered)
        bela page +.0 sms pending
        dora reply 1.0 sms pending
    "#]]
    .assert_eq(&story.world.deliveries(alert).await);
    let called = crate::escalation::called(&mut story.world.conn, alert, 0, 10).await;
    assert_eq!(called.unwrap().len(), 3);
}

#[tokio::test]
async fn a_called_person_takes_over_and_writes_into_the_room() {
    let mut story = Story::new().await;
    check_number(&mut story, "ana", ANA).await;
    story.raise(Severity::High, &["ana", "bela"]).await;
    story.raise(Severity::High, &["bela"]).await;
    story.text(ANA, "otan {ana 1}").await;
    story.text(ANA, "{order 1}").await;
    story.text(ANA, "huone 1 pumput käyvät").await;
    story.text(ANA, "tilanne").await;
    story.text(ANA, "tilanne 2").await;
    story.text(ANA, "Take the stairs").await;
    story.check(expect![[r#"
        +0 s ana: otan {ana 1}
          ordered
          to ana: Aurora Energy: hälytyksen 1 ottaminen (Fire in hall 2), jolloin seuraavia ei enää kutsuta. Mitään ei ole vielä tehty. Vahvista lähettämällä {order 1} tähän numeroon viimeistään 03:10 UTC. Et pyytänyt? Soita päivystykseen.
        +0 s ana: {order 1}
          order_done
          room 1: ANA: otan {ana 1}
          room 1: person:ana: Acknowledged.
          to ana: Tehty 03:00 UTC: hälytys 1 on sinulla, seuraavia ei enää kutsuta.
        +0 s ana: huone 1 pumput käyvät
          room_post
          room 1: ANA: pumput käyvät
          to ana: Tehty 03:00 UTC: sanasi näkyvät hälytystä 1 hoitaville.
        +0 s ana: tilanne
          order_told
          to ana: Aurora Energy: / 1 03:00 UTC Fire in hall 2: tulossa 0/1, ei pääse 0, apua 0, hiljaa 2
        +0 s ana: tilanne 2
          order_refused
          room 1: ANA: tilanne 2
          to ana: Ei tehty: tällä numerolla ei ole oikeutta siihen.
        +0 s ana: Take the stairs
          room_post
          room 1: ANA: Take the stairs
          to ana: Hälytys 1 Aurora Energy: viestisi näkyy asiaa hoitaville. Sitä ei laskettu vastaukseksi. Vastaa {ana 1} 1=tulossa 2=en pääse 3=saatu 4=apua
    "#]]);
}

#[tokio::test]
async fn sources_are_held_back_by_text_and_let_through_by_themselves() {
    let mut story = led_by_dora().await;
    story.text(DORA, "MUTE ALL 45").await;
    story.text(DORA, "MUTE ALL 20").await;
    story.text(DORA, "{order 1}").await;
    story.check(expect![[r#"
        +0 s dora: MUTE ALL 45
          order_refused
          to dora: Nothing done: everything automatic can be held back for at most 30 minutes.
        +0 s dora: MUTE ALL 20
          ordered
          to dora: Aurora Energy: hold back everything automatic for 20 min. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +0 s dora: {order 1}
          order_done
          inbox: Holdfast: All automatic sources are stopped by person:dora for 20 min: ordered by text. People's own alerts go on.
          to dora: Done 03:00 UTC: held back until 03:20 UTC. It is listed and told then.
    "#]]);
    let now = story.world.now;
    let stop = sources::stop(&mut story.world.conn, now).await.unwrap();
    let until = stop.unwrap().until;
    assert_eq!(until, now + std::time::Duration::from_secs(1_200));
}

#[tokio::test]
async fn anybody_reports_and_is_told_what_becomes_of_it() {
    let mut story = Story::new().await;
    let duty = sources::Settings {
        duty: vec![crate::oncall::Called::Named(
            crate::recipients::Named::Person("dora".to_owned()),
        )],
        ..sources::settings(&mut story.world.conn).await.unwrap()
    };
    let set = Command::Sources(Sources::Set(duty));
    assert!(matches!(story.world.ask(set).await, Outcome::Applied(_)));
    story.text(STRANGER, "Ilmoitus: vettä kellarissa").await;
    story.text(STRANGER, "Ilmoitus: vettä kellarissa").await;
    story.text(ANA, "report smoke in hall 2").await;
    story.text(STRANGER, "report").await;
    for number in 0..3 {
        story
            .text(STRANGER, &format!("report number {number}"))
            .await;
    }
    story.check(expect![[r#"
        +0 s stranger: Ilmoitus: vettä kellarissa
          report
          room 1: Reports: Report 1: vettä kellarissa (from +358409999999, +358409999999). Decide: holdfast report show 1
          to stranger: Aurora Energy: ilmoituksesi 1 välitettiin päivystykseen. Kuulet, mitä siitä seuraa.
        +0 s stranger: Ilmoitus: vettä kellarissa
          report
        +0 s ana: report smoke in hall 2
          report
          room 2: Reports: Report 2: smoke in hall 2 (from ANA, +358401000001). Decide: holdfast report show 2
          to ana: Aurora Energy: ilmoituksesi 2 välitettiin päivystykseen. Kuulet, mitä siitä seuraa.
        +0 s stranger: report
          order_refused
          to stranger: Ei tehty. Kirjoita näin: ILMOITUS mitä on tapahtunut
        +0 s stranger: report number 0
          report
          room 3: Reports: Report 3: number 0 (from +358409999999, +358409999999). Decide: holdfast report show 3
          to stranger: Aurora Energy: ilmoituksesi 3 välitettiin päivystykseen. Kuulet, mitä siitä seuraa.
        +0 s stranger: report number 1
          order_refused
          inbox: stranger: report number 1
        +0 s stranger: report number 2
          order_refused
          inbox: stranger: report number 2
    "#]]);
    let decide = Command::Reports(crate::reports::Command::Decide {
        number: 1,
        decision: crate::reports::Decision::NoAction,
        reason: "known".to_owned(),
    });
    assert!(matches!(story.world.ask(decide).await, Outcome::Applied(_)));
    story.text(DORA, "?").await;
    story.check(expect![[r#"
        +0 s dora: ?
          question
          to stranger: Aurora Energy: ilmoituksesi 1 on tutkittu; se ei johda toimiin.
          to dora: Aurora Energy: We sent you nothing in the last 72 hours. A text in our name was not ours.
    "#]]);
}

#[tokio::test]
async fn on_an_island_alerts_are_started_and_what_others_must_decide_is_refused() {
    let mut story = led_by_dora().await;
    let alert = story.raise(Severity::High, &["dora"]).await;
    let fork = Fork {
        node: NodeId(2),
        site: "beta".to_owned(),
        entered_at: story.world.now,
        base: 1,
    };
    crate::islands::enter(&mut story.world.conn, &fork)
        .await
        .unwrap();
    story.text(DORA, "START night Fire in hall 2").await;
    story.text(DORA, "{order 1}").await;
    story.text(DORA, "ADD 1 night").await;
    story.text(DORA, "REPORT water in the cellar").await;
    assert_eq!(story.alerts.len(), 2);
    assert_eq!(story.alerts[0], alert);
    story.check(expect![[r#"
        +0 s dora: START night Fire in hall 2
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire in hall 2. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +0 s dora: {order 1}
          order_done
          room 2: DORA by text: Fire in hall 2
          room 2: DORA: START night Fire in hall 2
          to dora: Done 03:00 UTC: alert B-1 is raised, 2 people are called.
        +0 s dora: ADD 1 night
          order_refused
          room 1: DORA: ADD 1 night
          to dora: Nothing done: beta is cut off from the others and may not decide this alone. Send it to another site's number.
        +0 s dora: REPORT water in the cellar
          order_refused
          room 1: DORA: REPORT water in the cellar
          to dora: Nothing done: beta is cut off from the others and may not decide this alone. Send it to another site's number.
    "#]]);
    let set = Inbound::SetCommanders { whom: Vec::new() };
    let safe = crate::islands::safe(&Command::Inbound(set));
    assert!(matches!(safe, Err(Refusal::NotOnIsland(_))));
}

#[tokio::test]
async fn orders_from_parts_and_damaged_texts_are_not_obeyed() {
    let mut story = led_by_dora().await;
    story
        .part(DORA, "START night Fire in hall 2 and then")
        .await;
    story
        .receive(DORA, "START night Fire in hall", true, true)
        .await;
    story.text(DORA, "START night Fire").await;
    story
        .receive(DORA, "{order 1} 1 and more words", true, true)
        .await;
    assert!(story.alerts.is_empty());
    story.check(expect![[r#"
        +0 s dora (part): START night Fire in hall 2 and then
          part
        +0 s dora: START night Fire in hall
          duty_inbox
          inbox: DORA: START night Fire in hall
          to dora: Aurora Energy: your message is kept for the person on duty. It is no answer to an alert. In danger call 112.
        +0 s dora: START night Fire
          ordered
          to dora: Aurora Energy: raise an alert (high, 2 people): Fire. Nothing is done yet. To do it send {order 1} to this number by 03:10 UTC. Not you? Call duty.
        +0 s dora: {order 1} 1 and more words
          duty_inbox
          inbox: DORA: {order 1} 1 and more words
    "#]]);
}

#[tokio::test]
async fn twenty_orders_an_hour_are_asked_about_and_no_more() {
    let mut story = led_by_dora().await;
    for number in 0..20 {
        story.world.pass(1);
        story
            .text(DORA, &format!("START night Fire {number}"))
            .await;
    }
    story.log.clear();
    story.text(DORA, "START night Fire again").await;
    story.check(expect![[r#"
        +20 s dora: START night Fire again
          order_refused
          inbox: DORA: START night Fire again
          to dora: Nothing done: too many orders from this number in an hour. Call duty.
    "#]]);
    let known = inbound::orders(&mut story.world.conn, crate::Timestamp(0), 100)
        .await
        .unwrap();
    let states: Vec<&str> = known.iter().map(|row| row.state.name()).collect();
    assert_eq!(
        states.iter().filter(|state| **state == "waiting").count(),
        3
    );
    assert_eq!(
        inbound::waiting(&mut story.world.conn, story.world.now)
            .await
            .unwrap(),
        3
    );
}

#[tokio::test]
async fn only_names_that_mean_somebody_may_order() {
    let mut story = Story::new().await;
    for (name, words) in [
        ("dora", "is no name here"),
        ("person:eve", "unknown recipient"),
        ("group:day", "unknown group"),
        ("schedule:net", "unknown schedule"),
    ] {
        let set = Inbound::SetCommanders {
            whom: vec![name.to_owned()],
        };
        let Outcome::Refused(refusal) = story.world.ask(Command::Inbound(set)).await else {
            panic!("{name} was taken");
        };
        assert!(refusal.to_string().contains(words), "{refusal}");
    }
    assert!(
        inbound::commanders(&mut story.world.conn)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_room_names_who_ordered_and_never_a_number() {
    let mut story = led_by_dora().await;
    let alert = story.raise(Severity::High, &["dora"]).await;
    story.text(DORA, "CALLOFF 1 false alarm").await;
    story.text(DORA, "{order 1}").await;
    let room = RoomId::of_alert(alert);
    let posts = messages(&mut story.world.conn, room, 0, 100).await.unwrap();
    let said: Vec<String> = posts
        .into_iter()
        .map(|post| format!("{}: {}", post.author, post.text))
        .collect();
    expect![[r#"
        control room: Fire in hall 2
        DORA: CALLOFF 1 false alarm
        person:dora: Called off: false alarm"#]]
    .assert_eq(&said.join("\n"));
}
