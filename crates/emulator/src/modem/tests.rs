use std::time::{Duration, Instant};

use super::*;

/// A modem, a program on its port, and a clock that only the test moves.
struct Bench {
    modem: Modem,
    now: Instant,
    /// What the network says to submissions; `None` while it thinks.
    verdict: Option<Result<(), u16>>,
    submitted: Vec<Vec<u8>>,
}

impl Bench {
    fn new(knobs: Knobs) -> Self {
        let now = Instant::now();
        let config = ModemConfig {
            knobs,
            ..ModemConfig::new("a", "+358401000001")
        };
        Self {
            modem: Modem::new(config, 1, now),
            now,
            verdict: Some(Ok(())),
            submitted: Vec::new(),
        }
    }

    /// With echo off and numeric errors.
    fn quiet(knobs: Knobs) -> Self {
        let mut bench = Self::new(knobs);
        bench.say("ATE0+CMEE=1\r");
        bench
    }

    /// Types, and reads all that comes within a second.
    fn say(&mut self, text: &str) -> String {
        self.modem.handle_input(self.now, text.as_bytes());
        self.read(Duration::from_secs(1))
    }

    fn read(&mut self, within: Duration) -> String {
        String::from_utf8_lossy(&self.writes(within).concat()).into_owned()
    }

    fn writes(&mut self, within: Duration) -> Vec<Vec<u8>> {
        let end = self.now + within;
        let mut writes = Vec::new();
        loop {
            while let Some(event) = self.modem.poll_event() {
                if let ModemEvent::Submit(tpdu) = event {
                    self.submitted.push(tpdu);
                    if let Some(verdict) = self.verdict {
                        self.modem.conclude(self.now, verdict);
                    }
                }
            }
            writes.extend(std::iter::from_fn(|| self.modem.poll_transmit(self.now)));
            let next = self
                .modem
                .poll_timeout()
                .into_iter()
                .chain(self.modem.transmit_at())
                .min();
            match next.filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
            self.modem.handle_timeout(self.now);
        }
        self.now = end;
        writes
    }

    #[track_caller]
    fn check(&mut self, said: &str, expected: &str) {
        let got = self.say(said).replace("\r\n", "|");
        assert_eq!(got, expected, "to {said:?}");
    }
}

/// "hi" to +358405550001, report asked for; the length for `+CMGS` is that of the second.
const SUBMIT: &str = "002100 0C91 534850550010 0000 02E834";
const SUBMIT_LEN: usize = 15;
const DELIVER: [u8; 21] = [
    0x04, 0x0C, 0x91, 0x53, 0x48, 0x50, 0x55, 0x00, 0x10, 0x00, 0x00, 0x62, 0x11, 0x12, 0x00, 0x00,
    0x00, 0x00, 0x02, 0xE8, 0x34,
];

fn send(bench: &mut Bench) -> String {
    let prompt = bench.say(&format!("AT+CMGS={SUBMIT_LEN}\r"));
    assert!(prompt.ends_with("\r\n> "), "{prompt:?}");
    bench.say(&format!("{SUBMIT}\x1a"))
}

#[test]
fn echo_is_given_until_switched_off() {
    let mut bench = Bench::new(Knobs::default());
    bench.check("AT\r", "AT\r|OK|");
    bench.check("\x1b\rATE0\r", "\rATE0\r|OK|");
    bench.check("AT\r\n", "|OK|");
    bench.check("ATE1V1\r", "|OK|");
    bench.check("at+cgmi\r", "at+cgmi\r|Holdfast||OK|");
}

#[test]
fn unknown_commands_are_errors_and_joined_ones_stop_at_the_first() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.check("AT$TSSPCSW=?\r", "|ERROR|");
    bench.check("AT+CMEE=1;+CREG=2\r", "|OK|");
    bench.check("AT+CSQ;+NONSENSE;+CSQ\r", "|+CSQ: 21,99||ERROR|");
    bench.check("\r\r", "");
    bench.check("noiseAT\r", "|OK|");
}

#[test]
fn errors_are_plain_numbers_or_words_as_asked() {
    let mut bench = Bench::quiet(Knobs {
        sim: Sim::Removed,
        ..Knobs::default()
    });
    bench.check("AT+CPIN?\r", "|+CME ERROR: 10|");
    bench.check("AT+CMGL=4\r", "|+CMS ERROR: 310|");
    bench.check("AT+CMEE=2;+CPIN?\r", "|+CME ERROR: SIM not inserted|");
    bench.check("AT+CMEE=0;+CPIN?\r", "|ERROR|");
}

#[test]
fn a_locked_card_counts_tries_and_opens_with_the_puk() {
    let mut bench = Bench::quiet(Knobs {
        pin: Some("1234".to_owned()),
        sim_busy_ms: 5000,
        ..Knobs::default()
    });
    bench.read(Duration::from_secs(5));
    bench.check("AT+CPIN?\r", "|+CPIN: SIM PIN||OK|");
    bench.check("AT+CPMS?\r", "|+CMS ERROR: 311|");
    bench.check("AT+CPIN=\"0000\"\r", "|+CME ERROR: 16|");
    bench.check(
        "AT+CPINR\r",
        "|+CPINR: SIM PIN,2,3||+CPINR: SIM PUK,10,10||OK|",
    );
    bench.check("AT+CPIN=0001\r", "|+CME ERROR: 16|");
    bench.check("AT+CPIN=0002\r", "|+CME ERROR: 12|");
    bench.check("AT+CPIN?\r", "|+CPIN: SIM PUK||OK|");
    bench.check("AT+CPIN=\"12345678\",\"9999\"\r", "|OK|");
    bench.check("AT+CPIN?\r", "|+CME ERROR: 14|");
    bench.read(Duration::from_secs(5));
    bench.check("AT+CPIN?\r", "|+CPIN: READY||OK|");
}

#[test]
fn a_message_goes_out_with_the_cards_own_reference() {
    let mut bench = Bench::quiet(Knobs::default());
    assert_eq!(send(&mut bench), "\r\n+CMGS: 0\r\n\r\nOK\r\n");
    assert_eq!(send(&mut bench), "\r\n+CMGS: 1\r\n\r\nOK\r\n");
    assert_eq!(bench.submitted[1][..3], [0x21, 1, 0x0C]);
}

#[test]
fn a_wrong_length_a_broken_pdu_and_escape_send_nothing() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.check("AT+CMGS=14\r", "|> ");
    bench.check(&format!("{SUBMIT}\x1a"), "|+CMS ERROR: 304|");
    bench.check("AT+CMGS=15\r", "|> ");
    bench.check("00zz\x1a", "|+CMS ERROR: 304|");
    bench.check("AT+CMGS=15\r", "|> ");
    bench.check("0021\x1b", "|OK|");
    assert!(bench.submitted.is_empty());
}

#[test]
fn scripted_submissions_fail_in_turn() {
    use SubmitFault::{Cms, Error, NoPrompt, None, SilentLost, SilentSent, VanishSent};
    let script = [Cms(38), Error, SilentSent, SilentLost, None, VanishSent];
    let mut bench = Bench::quiet(Knobs {
        submit_faults: script.into(),
        ..Knobs::default()
    });
    let answers: Vec<String> = (0..6).map(|_| send(&mut bench)).collect();
    assert_eq!(
        answers,
        [
            "\r\n+CMS ERROR: 38\r\n",
            "\r\nERROR\r\n",
            "",
            "",
            "\r\n+CMGS: 4\r\n\r\nOK\r\n",
            ""
        ]
    );
    assert_eq!(bench.submitted.len(), 3, "silent-sent, usual, vanish-sent");
    assert!(!bench.modem.is_plugged());
    bench.read(Duration::from_secs(10));
    assert!(bench.modem.is_plugged());
    assert_eq!(bench.modem.enumeration(), 2);
    let knobs = Knobs {
        submit_always: NoPrompt,
        ..bench.modem.knobs().clone()
    };
    bench.modem.set_knobs(bench.now, knobs);
    bench.check("ATE0\r", "ATE0\r|OK|");
    bench.check("AT+CMGS=15\r", "");
}

#[test]
fn the_networks_refusal_and_lost_registration_show_as_errors() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.verdict = Some(Err(1));
    assert_eq!(send(&mut bench), "\r\n+CMS ERROR: 1\r\n");
    bench.check("AT+CREG=2\r", "|OK|");
    let knobs = Knobs {
        creg: 2,
        cgreg: 2,
        cereg: 2,
        ..Knobs::default()
    };
    bench.modem.set_knobs(bench.now, knobs);
    assert_eq!(bench.read(Duration::ZERO), "\r\n+CREG: 2\r\n");
    bench.check("AT+CMGS=15\r", "|+CMS ERROR: 331|");
    bench.check("AT+COPS?\r", "|+COPS: 0||OK|");
}

#[test]
fn stored_messages_are_announced_listed_read_and_deleted() {
    let mut bench = Bench::quiet(Knobs {
        me_size: 2,
        ..Knobs::default()
    });
    bench.check("AT+CPMS=\"ME\",\"ME\",\"ME\"\r", "|+CPMS: 0,2,0,2,0,2||OK|");
    bench.check("AT+CNMI=2,1,0,1,0\r", "|OK|");
    assert_eq!(bench.modem.deliver(bench.now, &DELIVER), Ok(()));
    assert_eq!(bench.read(Duration::ZERO), "\r\n+CMTI: \"ME\",1\r\n");
    assert_eq!(bench.modem.deliver(bench.now, &DELIVER), Ok(()));
    assert_eq!(
        bench.modem.deliver(bench.now, &DELIVER),
        Err(NotTaken::Full)
    );
    bench.read(Duration::ZERO);
    let pdu = "0791534850020200040C915348505500100000621112000000000 2E834".replace(' ', "");
    bench.check("AT+CMGR=2\r", &format!("|+CMGR: 0,,21|{pdu}||OK|"));
    bench.check("AT+CMGL=0\r", &format!("|+CMGL: 1,0,,21|{pdu}||OK|"));
    bench.check("AT+CMGD=1\r", "|OK|");
    bench.check("AT+CMGL=4\r", &format!("|+CMGL: 2,1,,21|{pdu}||OK|"));
    bench.check("AT+CMGR=1\r", "|+CMS ERROR: 321|");
    bench.check("AT+CMGD=1,4\r", "|OK|");
    bench.check(
        "AT+CPMS?\r",
        "|+CPMS: \"ME\",0,2,\"ME\",0,2,\"ME\",0,2||OK|",
    );
}

#[test]
fn a_direct_message_needs_its_acknowledgement_or_routing_stops() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.check("AT+CSMS=1;+CNMI=2,2,0,1,0\r", "|+CSMS: 1,1,1||OK|");
    for _ in 0..2 {
        assert_eq!(bench.modem.deliver(bench.now, &DELIVER), Ok(()));
        assert_eq!(
            bench.modem.deliver(bench.now, &DELIVER),
            Err(NotTaken::Busy)
        );
        let line = bench.read(Duration::ZERO);
        assert!(line.starts_with("\r\n+CMT: ,21\r\n0791"), "{line:?}");
        bench.check("AT+CNMA\r", "|OK|");
    }
    bench.check("AT+CNMA\r", "|+CMS ERROR: 340|");
    assert_eq!(bench.modem.deliver(bench.now, &DELIVER), Ok(()));
    bench.read(Duration::from_secs(16));
    bench.check("AT+CNMI?\r", "|+CNMI: 2,0,0,0,0||OK|");
    bench.check(
        "AT+CPMS?\r",
        "|+CPMS: \"SM\",1,20,\"SM\",1,20,\"SM\",1,20||OK|",
    );
}

#[test]
fn reports_take_the_route_the_program_chose() {
    let report = [0x06, 0x00, 0x0C, 0x91];
    let mut bench = Bench::quiet(Knobs {
        report_route_max: 2,
        ..Knobs::default()
    });
    bench.check("AT+CNMI=2,1,0,2,0\r", "|OK|");
    bench.modem.report(bench.now, &report).unwrap();
    assert_eq!(bench.read(Duration::ZERO), "\r\n+CDSI: \"SR\",1\r\n");
    bench.check(
        "AT+CPMS=\"SR\";+CMGR=1\r",
        "|+CPMS: 1,10,0,20,0,20||+CMGR: 0,,4|079153485002020006000C91||OK|",
    );
    bench.check("AT+CNMI=2,1,0,1,0\r", "|OK|");
    bench.modem.report(bench.now, &report).unwrap();
    assert_eq!(
        bench.read(Duration::ZERO),
        "\r\n+CDS: 4\r\n079153485002020006000C91\r\n"
    );
    let mut narrow = Bench::quiet(Knobs::default());
    narrow.check(
        "AT+CNMI=?\r",
        "|+CNMI: (0,1,2),(0,1,2),(0,2),(0,1),(0,1)||OK|",
    );
    narrow.check("AT+CNMI=2,1,0,2,0\r", "|+CMS ERROR: 302|");
}

#[test]
fn indications_wait_as_the_mode_says() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.check("AT+CNMI=0,1\r", "|OK|");
    bench.modem.deliver(bench.now, &DELIVER).unwrap();
    bench.check("AT\r", "|OK|");
    bench.check("AT+CNMI=2,1\r", "|OK||+CMTI: \"SM\",1|");
    bench.check("AT+CMGS=15\r", "|> ");
    bench.modem.deliver(bench.now, &DELIVER).unwrap();
    assert_eq!(bench.read(Duration::from_secs(1)), "");
    bench.check("\x1b", "|OK||+CMTI: \"SM\",2|");
    bench.check("AT+CNMI=1,1;+CMGS=15\r", "|> ");
    bench.modem.deliver(bench.now, &DELIVER).unwrap();
    bench.check("\x1b", "|OK|");
}

#[test]
fn lines_come_inside_commands_when_so_turned() {
    let mut bench = Bench::quiet(Knobs {
        urc_inside: true,
        ..Knobs::default()
    });
    bench.check("AT+CNMI=2,1\r", "|OK|");
    let prompt = bench.say("AT+CMGS=15\r");
    assert!(
        prompt.starts_with("\r\n^RSSI: ") && prompt.ends_with("\r\n\r\n> "),
        "{prompt:?}"
    );
    bench.modem.deliver(bench.now, &DELIVER).unwrap();
    assert_eq!(bench.read(Duration::ZERO), "\r\n+CMTI: \"SM\",1\r\n");
    let answer = bench.say(&format!("{SUBMIT}\x1a"));
    assert!(
        answer.starts_with("\r\n+CMGS: 0\r\n\r\n^RSSI: ") && answer.ends_with("\r\n\r\nOK\r\n"),
        "{answer:?}"
    );
}

#[test]
fn writes_are_split_or_merged_as_turned() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.modem.handle_input(bench.now, b"AT\rAT\r");
    assert_eq!(
        bench.writes(Duration::from_secs(1)),
        [b"\r\nOK\r\n", b"\r\nOK\r\n"]
    );
    for (framing, writes) in [(Framing::Merged, 1), (Framing::Dribble, 12)] {
        let knobs = Knobs {
            framing,
            ..Knobs::default()
        };
        bench.modem.set_knobs(bench.now, knobs);
        bench.modem.handle_input(bench.now, b"AT\rAT\r");
        let got = bench.writes(Duration::from_secs(1));
        assert_eq!(
            (got.len(), got.concat().as_slice()),
            (writes, b"\r\nOK\r\n\r\nOK\r\n".as_slice()),
            "{framing:?}"
        );
    }
}

#[test]
fn a_slow_modem_answers_the_next_command_after_the_first() {
    let mut bench = Bench::quiet(Knobs {
        submit_ms: Between::exactly(30_000),
        ..Knobs::default()
    });
    bench.check("AT+CMGS=15\r", "|> ");
    bench.check(&format!("{SUBMIT}\x1a"), "");
    bench.check("AT\r", "");
    assert_eq!(
        bench.read(Duration::from_secs(40)),
        "\r\n+CMGS: 0\r\n\r\nOK\r\n\r\nOK\r\n"
    );
}

#[test]
fn a_hung_modem_heals_as_its_kind_of_hang_allows() {
    let mut bench = Bench::quiet(Knobs {
        hang: Hang::Listing,
        ..Knobs::default()
    });
    bench.check("AT+CMGL=4\r", "");
    bench.check("AT\r", "|OK|");
    bench.modem.set_knobs(
        bench.now,
        Knobs {
            hang: Hang::UntilReopened,
            ..Knobs::default()
        },
    );
    bench.check("AT\r", "");
    bench.modem.handle_port_change(false);
    bench.modem.handle_port_change(true);
    bench.check("AT\r", "|OK|");
    bench.modem.set_knobs(
        bench.now,
        Knobs {
            hang: Hang::UntilReset,
            ..Knobs::default()
        },
    );
    bench.check("AT\r", "");
    bench.check("AT+CFUN=1,1\r", "");
    bench.read(Duration::from_secs(11));
    bench.check("AT\r", "AT\r|OK|");
    bench.modem.set_knobs(
        bench.now,
        Knobs {
            hang: Hang::UntilPowerCut,
            ..Knobs::default()
        },
    );
    bench.check("AT+CFUN=1,1\r", "");
    bench.modem.unplug();
    bench.modem.replug(bench.now);
    bench.check("AT\r", "AT\r|OK|");
}

#[test]
fn a_reset_answers_first_and_forgets_all_settings() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.modem.deliver(bench.now, &DELIVER).unwrap();
    bench.check("AT+CNMI=2,1;+CFUN=1,1\r", "|OK|");
    assert!(!bench.modem.is_plugged());
    assert_eq!(
        bench.modem.deliver(bench.now, &DELIVER),
        Err(NotTaken::OffAir)
    );
    bench.read(Duration::from_secs(10));
    bench.check("AT+CNMI?\r", "AT+CNMI?\r|+CNMI: 0,0,0,0,0||OK|");
    bench.check(
        "ATE0+CPMS?\r",
        "ATE0+CPMS?\r|+CPMS: \"SM\",1,20,\"SM\",1,20,\"SM\",1,20||OK|",
    );
}

#[test]
fn answers_can_be_scripted() {
    let answers = [
        ("+CGMI", "Huawei\nOK"),
        ("+CSQ", ""),
        ("E0", "+CME ERROR: 100"),
    ];
    let answers = answers
        .map(|(ask, answer)| (ask.to_owned(), answer.to_owned()))
        .into();
    let mut bench = Bench::new(Knobs {
        answers,
        ..Knobs::default()
    });
    bench.check("ATE0\r", "ATE0\r|+CME ERROR: 100|");
    bench.check("AT+CGMI\r", "AT+CGMI\r|Huawei||OK|");
    bench.check("AT+CSQ\r", "AT+CSQ\r");
}

#[test]
fn a_call_rings_and_is_taken_down() {
    let mut bench = Bench::quiet(Knobs::default());
    bench.check("ATD+358405550001;\r", "|OK|");
    bench.check("AT+CLCC\r", "|+CLCC: 1,0,2,0,0,\"+358405550001\",145||OK|");
    bench.modem.call_reached(CallState::Alerting);
    bench.check("AT+CLCC\r", "|+CLCC: 1,0,3,0,0,\"+358405550001\",145||OK|");
    bench.check("AT+CHUP\r", "|OK|");
    bench.check("AT+CLCC\r", "|OK|");
    bench.check("AT+CLIP=1\r", "|OK|");
    bench.modem.ring(bench.now, "+358405550001");
    assert_eq!(
        bench.read(Duration::ZERO),
        "\r\nRING\r\n\r\n+CLIP: \"+358405550001\",145\r\n"
    );
    bench.check("ATA\r", "|OK|");
    bench.check("ATH\r", "|OK|");
}

#[test]
fn knobs_are_patched_by_name_and_unknown_names_are_refused() {
    let knobs = Knobs::default();
    let patch = serde_json::json!({ "creg": 2, "submit_faults": [{ "cms": 38 }, "silent_sent"], "submit_ms": [5, 9] });
    let patched = knobs.patched(&patch).unwrap();
    assert_eq!(
        (patched.creg, patched.cereg, patched.submit_faults.len()),
        (2, 1, 2)
    );
    assert!(knobs.patched(&serde_json::json!({ "crag": 2 })).is_err());
    assert!(knobs.patched(&serde_json::json!(7)).is_err());
}

#[test]
fn any_bytes_leave_the_modem_working() {
    let mut bench = Bench::quiet(Knobs::default());
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..2000 {
        let len = rng.random_range(0..40);
        let mut noise: Vec<u8> = (0..len).map(|_| rng.random()).collect();
        if rng.random_range(0..2) == 0 {
            noise.splice(0..0, *b"AT+");
            noise.push(b'\r');
        }
        bench.modem.handle_input(bench.now, &noise);
        bench.read(Duration::from_millis(1));
    }
    bench.say("\x1b\r");
    assert!(bench.say("AT\r").ends_with("\r\nOK\r\n"));
}
