use std::time::Duration;

use super::*;
use crate::{modem::SubmitFault, phone::Pickup};

const A: &str = "+358401000001";
const B: &str = "+358401000002";
const PHONE: &str = "+358405550001";

/// Two modems, a phone, and a clock that only the test moves.
struct Bench {
    network: Network,
    now: Instant,
    events: Vec<Event>,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let mut network = Network::new(NetworkKnobs::default(), 1, now, 1_795_000_000_000);
        network.add_modem(now, ModemConfig::new("a", A));
        network.add_modem(now, ModemConfig::new("b", B));
        network.add_phone(PHONE);
        let mut bench = Self {
            network,
            now,
            events: Vec::new(),
        };
        for modem in ["a", "b"] {
            bench.say(modem, "ATE0+CMEE=1;+CNMI=2,1,0,1,0\r");
        }
        bench
    }

    fn say(&mut self, modem: &str, text: &str) -> String {
        self.network
            .with_modem(self.now, modem, |modem| {
                modem.handle_input(self.now, text.as_bytes())
            })
            .unwrap();
        self.read(modem, Duration::from_secs(1))
    }

    fn read(&mut self, modem: &str, within: Duration) -> String {
        let end = self.now + within;
        while let Some(at) = self.network.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.network.handle_timeout(self.now);
        }
        self.now = end;
        self.events
            .extend(std::iter::from_fn(|| self.network.poll_event()));
        let output = self.network.with_modem(self.now, modem, |modem| {
            std::iter::from_fn(|| modem.poll_transmit(end))
                .flatten()
                .collect::<Vec<u8>>()
        });
        String::from_utf8(output.unwrap()).unwrap()
    }

    fn set(&mut self, modem: &str, change: impl FnOnce(&mut Knobs)) {
        let mut knobs = self
            .network
            .with_modem(self.now, modem, |modem| modem.knobs().clone())
            .unwrap();
        change(&mut knobs);
        self.network
            .set_modem_knobs(self.now, modem, knobs)
            .unwrap();
    }

    /// Sends each part of a text from a modem and gives the answers.
    fn send(&mut self, modem: &str, to: &str, text: &str, report: bool) -> String {
        let parts = segment(text, &SegmentOptions::default()).unwrap().parts;
        let mut answers = String::new();
        for part in parts {
            let mut pdu = sms::pdu::SubmitPdu::new(Address::parse(to).unwrap(), part);
            pdu.status_report_request = report;
            let pdu = pdu.encode();
            self.say(modem, &format!("AT+CMGS={}\r", pdu.tpdu_len));
            answers.push_str(&self.say(modem, &format!("{}\x1a", pdu.to_hex())));
        }
        answers
    }

    fn texts(&self) -> Vec<String> {
        self.network
            .inbox(PHONE, 0)
            .unwrap()
            .into_iter()
            .map(|message| message.text)
            .collect()
    }
}

#[test]
fn a_long_text_from_a_modem_is_whole_at_the_phone_and_reported() {
    let mut bench = Bench::new();
    let text = "Ääkköset {ja} € ".repeat(20);
    let answers = bench.send("a", PHONE, &text, true);
    assert_eq!(answers.matches("+CMGS: ").count(), 3);
    assert_eq!(answers.matches("+CDS: ").count(), 3, "{answers}");
    assert_eq!(bench.texts(), [text.as_str()]);
    let message = &bench.network.inbox(PHONE, 0).unwrap()[0];
    assert_eq!((message.from.as_str(), message.parts), (A, 3));
    bench.send("a", "0405550001", "日本 🚨", false);
    assert_eq!(bench.network.inbox(PHONE, 1).unwrap()[0].text, "日本 🚨");
}

#[test]
fn a_long_text_from_a_phone_is_stored_by_the_modem() {
    let mut bench = Bench::new();
    assert_eq!(
        bench
            .network
            .send(bench.now, PHONE, A, &"x".repeat(400))
            .unwrap(),
        3
    );
    let announced = bench.read("a", Duration::from_secs(1));
    assert_eq!(
        announced,
        "\r\n+CMTI: \"SM\",1\r\n\r\n+CMTI: \"SM\",2\r\n\r\n+CMTI: \"SM\",3\r\n"
    );
    let listed = bench.say("a", "AT+CMGR=3\r");
    let pdu = sms::hex::decode(listed.lines().nth(2).unwrap()).unwrap();
    let pdu = sms::pdu::DeliverPdu::decode(&pdu).unwrap();
    assert_eq!(pdu.originator.to_string(), PHONE);
    assert_eq!(pdu.user_data.text().unwrap(), "x".repeat(400 - 2 * 153));
}

#[test]
fn modems_text_each_other_and_messages_wait_for_an_unplugged_one() {
    let mut bench = Bench::new();
    bench
        .network
        .with_modem(bench.now, "b", Modem::unplug)
        .unwrap();
    assert!(bench.send("a", B, "one", true).contains("+CMGS: 0"));
    assert_eq!(
        bench.read("a", Duration::from_secs(30)),
        "",
        "no report yet"
    );
    bench
        .network
        .with_modem(bench.now, "b", |modem| modem.replug(bench.now))
        .unwrap();
    assert!(bench.read("a", Duration::from_secs(1)).contains("+CDS: "));
    let listed = bench.say("b", "ATE0+CMGL=4\r");
    assert!(listed.contains("+CMGL: 1,0,,"), "{listed:?}");
}

#[test]
fn parts_arrive_in_any_order_when_so_turned() {
    let mut bench = Bench::new();
    let knobs = serde_json::json!({ "shuffle_parts": true, "transit_ms": [0, 900] });
    bench
        .network
        .set_knobs(NetworkKnobs::default().patched(&knobs).unwrap());
    bench
        .network
        .send(bench.now, "0405550001", A, &"x".repeat(1000))
        .unwrap();
    bench.read("a", Duration::from_secs(1));
    let mut order = Vec::new();
    for index in 1..=7 {
        let listed = bench.say("a", &format!("AT+CMGR={index}\r"));
        let pdu = sms::hex::decode(listed.lines().nth(2).unwrap()).unwrap();
        let pdu = sms::pdu::DeliverPdu::decode(&pdu).unwrap();
        assert_eq!(pdu.originator.to_string(), PHONE);
        order.push(pdu.user_data.concatenation().unwrap().sequence);
    }
    assert!(!order.is_sorted(), "{order:?}");
}

#[test]
fn what_waits_for_an_unreachable_phone_comes_in_order() {
    let mut bench = Bench::new();
    let reach = |bench: &mut Bench, reachable| {
        bench
            .network
            .set_phone_knobs(
                PHONE,
                PhoneKnobs {
                    reachable,
                    ..PhoneKnobs::default()
                },
            )
            .unwrap();
    };
    reach(&mut bench, false);
    for text in ["one", "two", "three"] {
        assert!(!bench.send("a", PHONE, text, true).contains("+CDS"));
    }
    reach(&mut bench, true);
    assert_eq!(
        bench
            .read("a", Duration::from_secs(1))
            .matches("+CDS")
            .count(),
        3
    );
    assert_eq!(bench.texts(), ["one", "two", "three"]);
}

#[test]
fn a_full_memory_makes_the_network_wait() {
    let mut bench = Bench::new();
    bench.set("a", |knobs| knobs.sm_size = 1);
    for text in ["one", "two"] {
        bench.network.send(bench.now, PHONE, A, text).unwrap();
    }
    assert_eq!(
        bench.read("a", Duration::from_secs(60)),
        "\r\n+CMTI: \"SM\",1\r\n"
    );
    assert_eq!(
        bench.say("a", "AT+CMGD=1\r"),
        "\r\nOK\r\n\r\n+CMTI: \"SM\",1\r\n"
    );
}

#[test]
fn numbers_nobody_has_lose_refuse_or_become_phones() {
    let mut bench = Bench::new();
    assert!(bench.send("a", "+35899", "x", true).contains("+CMGS: 0"));
    assert!(
        bench
            .events
            .iter()
            .any(|event| matches!(event, Event::Lost { to, .. } if to == "+35899"))
    );
    bench.network.set_knobs(NetworkKnobs {
        unknown_number: UnknownNumber::Refuse,
        ..NetworkKnobs::default()
    });
    assert_eq!(
        bench.send("a", "+35899", "x", true),
        "\r\n+CMS ERROR: 1\r\n"
    );
    bench.network.set_knobs(NetworkKnobs {
        unknown_number: UnknownNumber::Create,
        ..NetworkKnobs::default()
    });
    assert!(bench.send("a", "+35899", "x", true).contains("+CDS: "));
    assert_eq!(bench.network.inbox("+35899", 0).unwrap().len(), 1);
}

#[test]
fn reports_come_early_late_reversed_twice_or_never() {
    let mut bench = Bench::new();
    bench.set("a", |knobs| knobs.report_early = true);
    let early = bench.send("a", PHONE, "x", true);
    assert!(
        early.find("+CDS: ").unwrap() < early.find("+CMGS: 0").unwrap(),
        "{early:?}"
    );

    bench.set("a", |knobs| {
        (knobs.report_early, knobs.report_missing) = (false, true)
    });
    assert!(!bench.send("a", PHONE, "x", true).contains("+CDS"));

    bench.set("a", |knobs| {
        (knobs.report_missing, knobs.report_trying_first) = (false, true)
    });
    assert_eq!(bench.send("a", PHONE, "x", true).matches("+CDS").count(), 2);

    bench.set("a", |knobs| {
        (knobs.report_trying_first, knobs.report_reversed) = (false, true);
        (knobs.report_ms, knobs.report_status) = (Between::exactly(0), 0x46);
    });
    bench.events.clear();
    assert!(!bench.send("a", PHONE, "x", true).contains("+CDS"));
    bench.send("a", PHONE, "x", true);
    let mut reported = Vec::new();
    for event in &bench.events {
        if let Event::Reported {
            reference, status, ..
        } = event
        {
            reported.push((*reference, *status));
        }
    }
    assert_eq!(reported, [(4, 0x46), (3, 0x46)]);
    assert!(bench.send("a", PHONE, "x", true).contains("+CMGS: 5"));
    assert!(
        bench.read("a", Duration::from_secs(4)).contains("+CDS"),
        "alone after three seconds"
    );
}

#[test]
fn messages_are_lost_on_the_way_when_so_turned() {
    let mut bench = Bench::new();
    bench.set("a", |knobs| knobs.lost_out_percent = 100);
    assert!(bench.send("a", PHONE, "x", true).contains("+CMGS: 0"));
    bench.set("a", |knobs| knobs.submit_always = SubmitFault::SilentSent);
    bench.set("a", |knobs| knobs.lost_out_percent = 0);
    assert_eq!(bench.send("a", PHONE, "y", false), "");
    bench.read("a", Duration::from_secs(1));
    assert_eq!(bench.texts(), ["y"]);
    bench.set("b", |knobs| knobs.lost_in_percent = 100);
    bench.network.send(bench.now, PHONE, B, "z").unwrap();
    assert_eq!(bench.read("b", Duration::from_secs(1)), "");
}

#[test]
fn a_ring_ends_as_the_person_decides() {
    for (pickup, end) in [
        (Pickup::NoAnswer, "NO ANSWER"),
        (Pickup::Busy, "BUSY"),
        (Pickup::Off, "NO CARRIER"),
        (Pickup::Answer, ""),
    ] {
        let mut bench = Bench::new();
        bench
            .network
            .set_phone_knobs(
                PHONE,
                PhoneKnobs {
                    pickup,
                    ..PhoneKnobs::default()
                },
            )
            .unwrap();
        assert!(
            bench
                .say("a", &format!("ATD{PHONE};\r"))
                .starts_with("\r\nOK\r\n")
        );
        let said = bench.read("a", Duration::from_secs(60));
        if end.is_empty() {
            assert!(bench.say("a", "AT+CLCC\r").contains("+CLCC: 1,0,0,"));
        }
        bench.say("a", "AT+CHUP\r");
        let heard = bench.events.contains(&Event::CallEnded {
            modem: "a".to_owned(),
        });
        assert!(heard, "{pickup:?} {said:?}");
    }
}

#[test]
fn a_phone_not_to_be_disturbed_lets_the_second_call_of_a_number_through() {
    let mut bench = Bench::new();
    let knobs = PhoneKnobs {
        do_not_disturb: true,
        ..PhoneKnobs::default()
    };
    bench.network.set_phone_knobs(PHONE, knobs).unwrap();
    let mut heard = Vec::new();
    // Another SIM does not count as the same caller; the same one does, for three minutes.
    for (modem, pause) in [("a", 30), ("b", 30), ("a", 300), ("a", 0)] {
        bench.say(modem, &format!("ATD{PHONE};\r"));
        bench.say(modem, "AT+CHUP\r");
        bench.read(modem, Duration::from_secs(pause));
        heard.push(bench.network.phones().next().unwrap().4[1]);
    }
    assert_eq!(heard, [0, 0, 1, 1]);
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = || {
        let mut bench = Bench::new();
        bench.set("a", |knobs| knobs.lost_out_percent = 50);
        (0..20).for_each(|count| drop(bench.send("a", PHONE, &format!("{count}"), true)));
        bench.texts()
    };
    let first = story();
    assert!(first.len() > 3 && first.len() < 17, "{first:?}");
    assert_eq!(first, story());
}
