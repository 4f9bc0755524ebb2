//! Senders of every kind before one engine.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::usm::SnmpAuth;
use super::*;

const OURS: &[u8] = b"\x80\0\0\0\x05ourselves";
const THEIRS: &[u8] = b"\x80\0\x1f\x88\x05switch";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const SWITCH: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 5));

fn keys(signing: &str) -> Keys {
    let stretch = |signing| Keys::stretch(SnmpAuth::Sha256, signing, "hidden from others");
    static RIGHT: OnceLock<Keys> = OnceLock::new();
    match signing {
        "signed by us" => RIGHT.get_or_init(|| stretch(signing)).clone(),
        wrong => stretch(wrong),
    }
}

fn engine(from: &[&str], remembered: Remembered) -> Engine {
    let community = Community {
        name: "ups".to_owned(),
        source: "power".to_owned(),
        secret: b"swordfish".to_vec(),
    };
    let user = User {
        name: "core".to_owned(),
        source: "net".to_owned(),
        keys: keys("signed by us"),
    };
    let from = from.iter().map(|net| (net.parse().unwrap(), 16));
    Engine::new(
        OURS.to_vec(),
        from.collect(),
        vec![community],
        vec![user],
        remembered,
        1,
    )
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A PDU with one value.
fn pdu(tag: u8, request: i64) -> Vec<u8> {
    let varbind = ber::nested(
        ber::SEQUENCE,
        &[&ber::oid_in_internet(&[1, 3, 6, 1]), &ber::octets(b"x")],
    );
    let zero = ber::integer(ber::INTEGER, 0);
    let request = ber::integer(ber::INTEGER, request);
    ber::nested(
        tag,
        &[
            &request,
            &zero,
            &zero,
            &ber::element(ber::SEQUENCE, &varbind),
        ],
    )
}

const TRAP: u8 = 0xa7;
const INFORM: u8 = 0xa6;
const GET: u8 = 0xa0;

/// A sender of v3 with what it believes about the engine that is in charge.
struct Sender {
    engine: &'static [u8],
    boots: u32,
    time: u32,
    user: &'static str,
    signing: &'static str,
    reportable: bool,
    message: u32,
}

const TRAPPER: Sender = Sender {
    engine: THEIRS,
    boots: 3,
    time: 1_000,
    user: "core",
    signing: "signed by us",
    reportable: false,
    message: 1,
};

const INFORMER: Sender = Sender {
    engine: OURS,
    boots: 1,
    time: 10,
    reportable: true,
    ..TRAPPER
};

impl Sender {
    fn says(&self, pdu: &[u8]) -> Vec<u8> {
        let keys = keys(self.signing).at(self.engine);
        let salt = u64::from(self.message).to_be_bytes();
        let mut hidden = Scoped::write(self.engine, b"", pdu);
        keys.encrypt(self.boots, self.time, salt, &mut hidden);
        let security = Security {
            engine: self.engine,
            boots: self.boots,
            time: self.time,
            user: self.user.as_bytes(),
            digest: &[0; 24],
            salt: &salt,
        };
        let (mut bytes, digest_at) = write_v3(self.message, &security, &ber::octets(&hidden));
        self.set_reportable(&mut bytes);
        let Ok(Message::V3(read)) = Message::read(&bytes) else {
            panic!("not a message");
        };
        assert_eq!(read.digest_at, digest_at);
        keys.sign(&mut bytes, digest_at);
        bytes
    }

    /// Asks who the other end is (RFC 3414 §4).
    fn asks(&self) -> Vec<u8> {
        let data = Scoped::write(b"", b"", &pdu(GET, 77));
        let (mut bytes, _) = write_v3(self.message, &Security::default(), &data);
        self.set_reportable(&mut bytes);
        bytes
    }

    /// Flags stand in an octet string of one byte after the message's id and size.
    fn set_reportable(&self, bytes: &mut [u8]) {
        if self.reportable {
            let at = bytes.windows(2).position(|pair| pair == [4, 1]).unwrap() + 2;
            bytes[at] |= 4;
        }
    }

    /// Reads an answer with its keys.
    fn reads(&self, bytes: &[u8]) -> Pdu {
        let Ok(Message::V3(message)) = Message::read(bytes) else {
            panic!("not a message");
        };
        let security = &message.security;
        assert_eq!((message.id, security.engine), (self.message, OURS));
        let keys = keys(self.signing).at(OURS);
        if message.authenticated {
            assert!(keys.proves(bytes, message.digest_at, security.digest));
        }
        match message.private {
            true => open(&keys, &message).unwrap().pdu,
            false => Scoped::read(message.data).unwrap().pdu,
        }
    }
}

fn taken(heard: Heard) -> Notification {
    match heard {
        Heard::Notification(notification) => notification,
        heard @ (Heard::Again(_) | Heard::Refused(..)) => panic!("{heard:?}"),
    }
}

fn refused(heard: Heard) -> (Refusal, Option<Vec<u8>>) {
    match heard {
        Heard::Refused(refusal, answer) => (refusal, answer),
        heard @ (Heard::Again(_) | Heard::Notification(_)) => panic!("{heard:?}"),
    }
}

#[test]
fn a_community_speaks_for_its_source_from_this_machine_or_a_listed_network_only() {
    let bytes = write_v2c(b"swordfish", &pdu(TRAP, 1));
    let mut alone = engine(&[], Remembered::default());
    let heard = taken(alone.handle_input(at(0), HERE, &bytes));
    assert_eq!((&*heard.source, &*heard.sender), ("power", "ups"));
    assert_eq!(heard.answer, None);
    let mut listed = engine(&["10.1.0.0"], Remembered::default());
    taken(listed.handle_input(at(0), SWITCH, &bytes));
    for (engine, from) in [(&mut alone, SWITCH), (&mut listed, HERE)] {
        let (refusal, answer) = refused(engine.handle_input(at(0), from, &bytes));
        assert_eq!((refusal, answer), (Refusal::Stranger, None));
    }
    let wrong = write_v2c(b"swordfisk", &pdu(TRAP, 1));
    let (refusal, _) = refused(alone.handle_input(at(0), HERE, &wrong));
    assert_eq!(refusal, Refusal::Community);
    let asks = write_v2c(b"swordfish", &pdu(GET, 1));
    let (refusal, _) = refused(alone.handle_input(at(0), HERE, &asks));
    assert_eq!(refusal, Refusal::NoNotification);
    assert_eq!(
        alone.refused(),
        BTreeMap::from([("community", 1), ("no_notification", 1), ("stranger", 1)])
    );
}

#[test]
fn an_inform_is_answered_with_what_it_said_and_a_repeat_without_being_taken_again() {
    let mut engine = engine(&[], Remembered::default());
    let bytes = write_v2c(b"swordfish", &pdu(INFORM, 42));
    let heard = taken(engine.handle_input(at(0), HERE, &bytes));
    let answer = heard.answer.unwrap();
    let expected = write_v2c(b"swordfish", &pdu(0xa2, 42));
    assert_eq!(answer, expected);
    // While it is on its way to the log, nothing is said.
    let (refusal, _) = refused(engine.handle_input(at(1), HERE, &bytes));
    assert_eq!(refusal, Refusal::Replayed);
    engine.taken(heard.id.unwrap());
    assert_eq!(
        engine.handle_input(at(2), HERE, &bytes),
        Heard::Again(answer)
    );
    // One that was not taken after all is new when it comes again.
    engine.dropped(heard.id.unwrap());
    taken(engine.handle_input(at(3), HERE, &bytes));
}

#[test]
fn a_trap_of_v3_is_believed_by_its_senders_time_and_once() {
    let mut engine = engine(&[], Remembered::default());
    let first = TRAPPER.says(&pdu(TRAP, 1));
    let heard = taken(engine.handle_input(at(0), SWITCH, &first));
    assert_eq!((&*heard.source, &*heard.sender), ("net", "core"));
    let mut hear = |seconds: u64, sender: &Sender| match engine.handle_input(
        at(seconds),
        SWITCH,
        &sender.says(&pdu(TRAP, 1)),
    ) {
        Heard::Notification(_) => "taken",
        Heard::Again(_) => "again",
        Heard::Refused(refusal, answer) => {
            assert_eq!(answer, None, "traps are not answered");
            refusal.name()
        }
    };
    let said = |boots, time, message| Sender {
        boots,
        time,
        message,
        ..TRAPPER
    };
    assert_eq!(hear(1, &said(3, 1_000, 1)), "replayed");
    assert_eq!(hear(1, &said(3, 1_100, 2)), "taken");
    assert_eq!(hear(2, &said(3, 960, 3)), "taken"); // overtaken on the way
    assert_eq!(hear(2, &said(3, 949, 4)), "window");
    assert_eq!(hear(160, &said(3, 1_100, 5)), "window"); // its clock went on meanwhile
    assert_eq!(hear(160, &said(2, 9_999, 6)), "window");
    assert_eq!(hear(160, &said(4, 0, 7)), "taken");
    assert_eq!(hear(160, &said(BOOTS_MAX, 0, 8)), "window");
    let liar = Sender {
        signing: "signed by another",
        ..said(4, 1, 9)
    };
    assert_eq!(hear(160, &liar), "digest");
    let nobody = Sender {
        user: "nobody",
        ..said(4, 1, 10)
    };
    assert_eq!(hear(160, &nobody), "user");
}

#[test]
fn after_a_restart_old_traps_are_still_old() {
    let mut before = engine(&[], Remembered::default());
    let bytes = TRAPPER.says(&pdu(TRAP, 1));
    taken(before.handle_input(at(0), SWITCH, &bytes));
    let later = Sender {
        time: 1_200,
        message: 2,
        ..TRAPPER
    };
    taken(before.handle_input(at(0), SWITCH, &later.says(&pdu(TRAP, 2))));
    let mut after = engine(&[], before.remembered());
    let (refusal, _) = refused(after.handle_input(at(0), SWITCH, &bytes));
    assert_eq!(refusal, Refusal::Window);
    assert_eq!(after.remembered().boots, 2);
}

#[test]
fn an_informer_asks_who_we_are_what_time_it_is_and_is_answered_under_cover() {
    let mut engine = engine(&[], Remembered::default());
    let (refusal, answer) = refused(engine.handle_input(at(5), SWITCH, &INFORMER.asks()));
    assert_eq!(refusal, Refusal::Engine);
    let report = INFORMER.reads(&answer.unwrap());
    assert_eq!((report.kind, report.request), (PduKind::Report, 77));
    assert_eq!(
        report.varbinds[0].0.to_string(),
        "1.3.6.1.6.3.15.1.1.4.0" // usmStatsUnknownEngineIDs
    );
    let early = Sender {
        boots: 0,
        time: 0,
        ..INFORMER
    };
    let (refusal, answer) =
        refused(engine.handle_input(at(5), SWITCH, &early.says(&pdu(INFORM, 8))));
    assert_eq!(refusal, Refusal::Window);
    let answer = answer.unwrap();
    let Ok(Message::V3(read)) = Message::read(&answer) else {
        panic!("no report");
    };
    assert!(read.authenticated, "our time is told signed");
    assert_eq!((read.security.boots, read.security.time), (1, 5));
    let report = early.reads(&answer);
    assert_eq!(report.varbinds[0].0.to_string(), "1.3.6.1.6.3.15.1.1.2.0");
    let bytes = INFORMER.says(&pdu(INFORM, 9));
    let heard = taken(engine.handle_input(at(12), SWITCH, &bytes));
    let response = INFORMER.reads(&heard.answer.unwrap());
    assert_eq!((response.kind, response.request), (PduKind::Response, 9));
    assert_eq!(response.varbinds, heard.pdu.varbinds);
    // Repeated once it is taken, it is answered anew; the same bytes an hour later are too old.
    engine.taken(heard.id.unwrap());
    let Heard::Again(again) = engine.handle_input(at(13), SWITCH, &bytes) else {
        panic!("not answered again");
    };
    assert_eq!(INFORMER.reads(&again).request, 9);
    let (refusal, _) = refused(engine.handle_input(at(3_600), SWITCH, &bytes));
    assert_eq!(refusal, Refusal::Window);
}

#[test]
fn an_inform_for_another_engine_is_told_ours() {
    let mut engine = engine(&[], Remembered::default());
    let misled = Sender {
        engine: THEIRS,
        ..INFORMER
    };
    let (refusal, answer) =
        refused(engine.handle_input(at(5), SWITCH, &misled.says(&pdu(INFORM, 8))));
    assert_eq!(refusal, Refusal::Engine);
    assert!(answer.is_some());
}

#[test]
fn what_is_not_signed_and_hidden_is_not_taken() {
    let mut engine = engine(&[], Remembered::default());
    let data = Scoped::write(THEIRS, b"", &pdu(TRAP, 1));
    let clear = Security {
        engine: THEIRS,
        boots: 3,
        time: 1_000,
        user: b"core",
        digest: &[],
        salt: &[],
    };
    let (bytes, _) = write_v3(1, &clear, &data);
    let (refusal, _) = refused(engine.handle_input(at(0), SWITCH, &bytes));
    assert_eq!(refusal, Refusal::Level);
    let signed = Security {
        digest: &[0; 24],
        ..clear
    };
    let (mut bytes, digest_at) = write_v3(1, &signed, &data);
    keys("signed by us").at(THEIRS).sign(&mut bytes, digest_at);
    let (refusal, _) = refused(engine.handle_input(at(0), SWITCH, &bytes));
    assert_eq!(refusal, Refusal::Level);
    assert_eq!(engine.remembered().clocks, []);
}

#[test]
fn a_flood_of_senders_and_messages_stays_within_bounds() {
    let mut engine = engine(&[], Remembered::default());
    for nth in 0..CLOCKS_MAX + 10 {
        engine.make_room();
        let clock = SenderClock {
            boots: 1,
            time_s: 1,
            heard_at: at(nth as u64),
        };
        engine.clocks.insert(nth.to_be_bytes().to_vec(), clock);
    }
    assert_eq!(engine.clocks.len(), CLOCKS_MAX);
    for nth in 0..SEEN_MAX as i64 + 10 {
        let bytes = write_v2c(b"swordfish", &pdu(INFORM, nth));
        taken(engine.handle_input(at(0), HERE, &bytes));
    }
    assert!(engine.seen.len() <= SEEN_MAX + 1 && engine.seen_order.len() <= SEEN_MAX + 1);
    engine.forget(at(1_000));
    assert!(engine.seen.is_empty() && engine.seen_order.is_empty());
}

proptest! {
    #[test]
    fn no_datagram_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..300), place in any::<usize>(), turn in 1_u8..) {
        let mut engine = engine(&[], Remembered::default());
        engine.handle_input(at(0), HERE, &bytes);
        for whole in [INFORMER.says(&pdu(INFORM, 1)), TRAPPER.says(&pdu(TRAP, 1)), INFORMER.asks()] {
            let mut damaged = whole.clone();
            let place = place % damaged.len();
            damaged[place] ^= turn;
            // Nothing that was changed on the way is believed.
            let heard = engine.handle_input(at(0), HERE, &damaged);
            let believed = matches!(heard, Heard::Notification(_));
            prop_assert!(!believed);
        }
    }
}
