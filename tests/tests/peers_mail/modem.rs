//! The SMS channel on the emulator's pseudo terminals.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use channels::{MemoryError, PinMemory, ReferenceCounter, SmsModem, SmsModemSettings};
use domain::deliveries::{AttemptRef, Report, SendOutcome};
use domain::ids::DeliveryId;
use domain::nodes::ChannelReport;
use domain::ports::{Channel, ChannelEvent, Incoming, Outgoing, Permit};
use emulator::control::Client;
use emulator::modem::ModemConfig;
use emulator::phone::{PhoneKnobs, Pickup};
use emulator::{World, WorldConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PHONE: &str = "+358401111111";
const MODEM: &str = "+358409999999";
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Memory {
    pins: Mutex<BTreeSet<(String, [u8; 32])>>,
    reference: Mutex<u8>,
}

#[async_trait]
impl PinMemory for Memory {
    async fn tried(&self, iccid: &str, hash: [u8; 32]) -> Result<bool, MemoryError> {
        Ok(self
            .pins
            .lock()
            .unwrap()
            .contains(&(iccid.to_owned(), hash)))
    }

    async fn record(&self, iccid: &str, hash: [u8; 32]) -> Result<(), MemoryError> {
        self.pins.lock().unwrap().insert((iccid.to_owned(), hash));
        Ok(())
    }
}

#[async_trait]
impl ReferenceCounter for Memory {
    async fn next(&self, _modem: &str) -> Result<u8, MemoryError> {
        let mut reference = self.reference.lock().unwrap();
        *reference = reference.wrapping_add(1);
        Ok(*reference)
    }
}

/// One emulated modem and phone, and our channel on the modem's port.
struct Rig {
    _dir: TempDir,
    world: World,
    network: Client,
    memory: Arc<Memory>,
    channel: Line,
}

/// A channel at work, with what it said so far.
struct Line {
    modem: SmsModem,
    stop: CancellationToken,
    service: Option<JoinHandle<()>>,
    ended: Vec<(AttemptRef, SendOutcome)>,
    reports: Vec<(AttemptRef, Report)>,
    texts: Vec<Incoming>,
    health: Option<ChannelReport>,
}

impl Rig {
    /// Knobs as in the control protocol; set before the channel comes.
    async fn start(knobs: Value) -> Self {
        Self::start_with(knobs, |_| {}).await
    }

    async fn start_with(knobs: Value, change: impl FnOnce(&mut SmsModemSettings)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = WorldConfig::new(dir.path());
        let mut modem = ModemConfig::new("a", MODEM);
        modem.knobs = serde_json::from_value(knobs).unwrap();
        config.modems.push(modem);
        config.phones.push(PHONE.to_owned());
        let world = World::start(config).await.unwrap();
        let network = Client::connect(world.control_socket()).await.unwrap();
        let memory = Arc::new(Memory::default());
        let mut settings = settings(world.port("a"));
        change(&mut settings);
        let channel = Line::start(settings, &memory);
        Self {
            _dir: dir,
            world,
            network,
            memory,
            channel,
        }
    }

    async fn up(knobs: Value) -> Self {
        let mut rig = Self::start(knobs).await;
        rig.channel.wait_up().await;
        rig
    }

    /// What the phone reads next.
    async fn phone_reads(&self, count: usize) -> Vec<emulator::event::Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let inbox = self.network.inbox(PHONE, 0).await.unwrap();
            if inbox.len() >= count {
                return inbox;
            }
            assert!(Instant::now() < deadline, "the phone got only {inbox:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn set(&self, knobs: Value) {
        self.network.set("a", knobs).await.unwrap();
    }

    async fn finish(mut self) {
        self.channel.stop().await;
        self.world.stop().await;
    }
}

impl Line {
    fn start(settings: SmsModemSettings, memory: &Arc<Memory>) -> Self {
        let (modem, service) = SmsModem::new(
            settings,
            Arc::clone(memory) as Arc<dyn PinMemory>,
            Arc::clone(memory) as Arc<dyn ReferenceCounter>,
        )
        .unwrap();
        let stop = CancellationToken::new();
        let service = Some(tokio::spawn(service.run(stop.clone())));
        Self {
            modem,
            stop,
            service,
            ended: Vec::new(),
            reports: Vec::new(),
            texts: Vec::new(),
            health: None,
        }
    }

    /// Takes in what the channel says until `enough`.
    async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(event) = self.modem.poll_event() {
                match event {
                    ChannelEvent::Ended { attempt, outcome } => self.ended.push((attempt, outcome)),
                    ChannelEvent::Report { attempt, report } => {
                        self.reports.push((attempt, report))
                    }
                    ChannelEvent::Received(text) => self.texts.push(text),
                    ChannelEvent::Health(health) => self.health = Some(health),
                }
            }
            if enough(self) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "never {what}: ended {:?}, texts {:?}, health {:?}",
                self.ended,
                self.texts,
                self.health
            );
            _ = timeout(
                left.min(Duration::from_millis(200)),
                self.modem.wake().notified(),
            )
            .await;
        }
    }

    async fn wait_up(&mut self) {
        self.until("up", |line| line.health.as_ref().is_some_and(|h| h.up))
            .await;
    }

    async fn wait_down(&mut self, word: &str) {
        self.until(&format!("down with {word:?}"), |line| {
            line.health
                .as_ref()
                .is_some_and(|h| !h.up && h.reason.contains(word))
        })
        .await;
    }

    async fn ring(&mut self, number: u8) -> SendOutcome {
        self.give(Outgoing {
            ring: true,
            ..sms(number, "")
        })
        .await
    }

    async fn send(&mut self, number: u8, body: &str) -> SendOutcome {
        self.give(sms(number, body)).await
    }

    async fn give(&mut self, message: Outgoing) -> SendOutcome {
        let attempt = message.attempt;
        self.modem.submit(message).expect("there is room");
        self.until("ended", |line| {
            line.ended.iter().any(|(a, _)| *a == attempt)
        })
        .await;
        self.ended
            .iter()
            .find(|(a, _)| *a == attempt)
            .unwrap()
            .1
            .clone()
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(service) = self.service.take() {
            timeout(PATIENCE, service).await.unwrap().unwrap();
        }
    }
}

fn settings(port: PathBuf) -> SmsModemSettings {
    SmsModemSettings {
        name: "sms-a".to_owned(),
        port,
        bits_per_s: 115_200,
        number: MODEM.to_owned(),
        pin: None,
        pin_key: [7; 32],
        smsc: None,
        parts_per_min: 600,
        burst: 60,
        status_reports: true,
        ring_for: Duration::from_secs(2),
        queue_len_max: 4,
    }
}

fn sms(number: u8, body: &str) -> Outgoing {
    Outgoing {
        permit: Permit::always(),
        attempt: AttemptRef {
            delivery: DeliveryId([number; 16]),
            attempt: 1,
        },
        address: PHONE.to_owned(),
        ring: false,
        subject: String::new(),
        body: body.to_owned(),
        validity: Duration::from_secs(3600),
        urgent: true,
        reply: None,
    }
}

fn accepted(outcome: &SendOutcome) -> bool {
    matches!(outcome, SendOutcome::Accepted { .. })
}

#[tokio::test]
async fn a_text_reaches_the_phone_and_its_report_comes_back() {
    let mut rig = Rig::up(json!({})).await;
    let health = rig.channel.health.clone().unwrap();
    assert_eq!(
        (
            health.kind.as_str(),
            health.number.as_str(),
            health.operator.as_str()
        ),
        ("sms", MODEM, "Emulated")
    );
    assert!(health.signal_dbm.is_some());

    let outcome = rig
        .channel
        .send(1, "4711 Aurora: water in hall 2 åäö€")
        .await;
    assert!(accepted(&outcome), "{outcome:?}");
    let read = rig.phone_reads(1).await;
    assert_eq!(
        (read[0].from.as_str(), read[0].text.as_str(), read[0].parts),
        (MODEM, "4711 Aurora: water in hall 2 åäö€", 1)
    );
    rig.channel
        .until("reported", |line| !line.reports.is_empty())
        .await;
    assert!(
        matches!(rig.channel.reports[0].1, Report::Delivered { .. }),
        "{:?}",
        rig.channel.reports
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_long_text_arrives_whole_and_is_reported_once() {
    let mut rig = Rig::up(json!({})).await;
    let text = "Kokoontuminen 🚨 portilla B. ".repeat(8);
    let outcome = rig.channel.send(1, &text).await;
    assert!(
        matches!(&outcome, SendOutcome::Accepted { detail } if detail.starts_with("4 parts")),
        "{outcome:?}"
    );
    let read = rig.phone_reads(1).await;
    assert_eq!((read[0].text.as_str(), read[0].parts), (text.as_str(), 4));
    rig.channel
        .until("reported", |line| !line.reports.is_empty())
        .await;
    assert_eq!(rig.channel.reports.len(), 1);
    assert_eq!(*rig.memory.reference.lock().unwrap(), 1);
    rig.finish().await;
}

#[tokio::test]
async fn nothing_in_a_text_becomes_a_command() {
    let mut rig = Rig::up(json!({})).await;
    let nasty = "x\r\nAT+CMGD=1,4\r\x1a\x1b end\u{0}";
    let outcome = rig.channel.send(1, nasty).await;
    assert!(accepted(&outcome), "{outcome:?}");
    let read = rig.phone_reads(1).await;
    assert!(
        read[0].text.contains("AT+CMGD=1,4") && read[0].text.contains("end"),
        "{:?}",
        read[0].text
    );
    assert!(accepted(&rig.channel.send(2, "still here").await));
    rig.finish().await;
}

#[tokio::test]
async fn refusals_are_told_by_their_class_and_others_go_on() {
    let mut rig =
        Rig::up(json!({ "submit_faults": [{ "cms": 1 }, { "cms": 38 }, { "cms": 332 }] })).await;
    let ends = [
        rig.channel.send(1, "a").await,
        rig.channel.send(2, "b").await,
        rig.channel.send(3, "c").await,
    ];
    assert!(
        matches!(
            ends[0],
            SendOutcome::Refused {
                permanent: true,
                ..
            }
        ),
        "{:?}",
        ends[0]
    );
    assert!(
        matches!(
            ends[1],
            SendOutcome::Refused {
                permanent: false,
                ..
            }
        ),
        "{:?}",
        ends[1]
    );
    assert!(
        matches!(ends[2], SendOutcome::Unknown { .. }),
        "{:?}",
        ends[2]
    );
    assert!(accepted(&rig.channel.send(4, "d").await));
    rig.finish().await;
}

#[tokio::test]
async fn a_barred_sim_takes_the_channel_down() {
    let mut rig = Rig::up(json!({ "submit_faults": [{ "cms": 8 }] })).await;
    let outcome = rig.channel.send(1, "a").await;
    assert!(
        matches!(
            outcome,
            SendOutcome::Refused {
                permanent: false,
                ..
            }
        ),
        "{outcome:?}"
    );
    rig.channel.wait_down("check its plan and credit").await;
    assert_eq!(rig.channel.modem.free(), 0);
    assert!(rig.channel.modem.submit(sms(2, "b")).is_err());
    rig.finish().await;
}

#[tokio::test]
async fn a_received_text_stays_in_the_modem_until_it_is_stored() {
    let mut rig = Rig::up(json!({ "me_size": 5 })).await;
    rig.network.send(PHONE, MODEM, "4711 1").await.unwrap();
    rig.channel
        .until("received", |line| !line.texts.is_empty())
        .await;
    let text = rig.channel.texts[0].clone();
    assert_eq!(
        (
            text.from.as_str(),
            text.text.as_str(),
            text.whole,
            text.damaged
        ),
        (PHONE, "4711 1", true, false)
    );
    assert!(text.sent_at_ms.is_some());

    // The channel dies before the text was stored: the next one hands it out again, under the same key.
    rig.channel.stop().await;
    rig.channel = Line::start(settings(rig.world.port("a")), &rig.memory);
    rig.channel
        .until("received again", |line| !line.texts.is_empty())
        .await;
    assert_eq!(rig.channel.texts[0].key, text.key);

    // Stored: it leaves the modem, and a third channel finds nothing.
    rig.channel.modem.stored(rig.channel.texts[0].token);
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.channel.stop().await;
    rig.channel = Line::start(settings(rig.world.port("a")), &rig.memory);
    rig.channel.wait_up().await;
    rig.network.send(PHONE, MODEM, "later").await.unwrap();
    rig.channel
        .until("received", |line| !line.texts.is_empty())
        .await;
    assert_eq!(rig.channel.texts[0].text, "later");
    rig.finish().await;
}

#[tokio::test]
async fn a_long_received_text_is_handed_out_in_parts_and_whole() {
    let mut rig = Rig::up(json!({})).await;
    let text = format!("4711 1 {}", "blah ".repeat(60));
    rig.network.send(PHONE, MODEM, &text).await.unwrap();
    rig.channel
        .until("whole", |line| line.texts.iter().any(|t| t.whole))
        .await;
    let (whole, parts): (Vec<_>, Vec<_>) = rig.channel.texts.iter().partition(|t| t.whole);
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].text, text);
    assert_eq!(parts.len(), 3);
    assert!(parts[0].text.starts_with("4711 1 "));
    assert_eq!(
        rig.channel
            .texts
            .iter()
            .map(|t| t.key)
            .collect::<BTreeSet<_>>()
            .len(),
        4
    );
    assert_eq!(
        rig.channel
            .texts
            .iter()
            .map(|t| t.token)
            .collect::<BTreeSet<_>>()
            .len(),
        4
    );
    rig.finish().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_handed_out_as_it_came() {
    let mut rig = Rig::up(json!({})).await;
    rig.network
        .deliver_raw("a", &[0x04, 0x0b, 0x91, 0x53, 0x84])
        .await
        .unwrap();
    rig.network.send(PHONE, MODEM, "fine").await.unwrap();
    rig.channel
        .until("both", |line| line.texts.len() >= 2)
        .await;
    let damaged = rig.channel.texts.iter().find(|t| t.damaged).unwrap();
    assert!(damaged.text.contains("040B915384"), "{damaged:?}");
    assert!(
        rig.channel
            .texts
            .iter()
            .any(|t| t.text == "fine" && !t.damaged)
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_modem_pulled_out_comes_back_by_itself() {
    let mut rig = Rig::up(json!({})).await;
    rig.network.unplug("a").await.unwrap();
    rig.channel.wait_down("/a.tty does not exist").await;
    assert_eq!(rig.channel.modem.free(), 0);
    rig.network.replug("a").await.unwrap();
    rig.channel.wait_up().await;
    assert!(accepted(&rig.channel.send(1, "back").await));
    rig.finish().await;
}

#[tokio::test]
async fn a_modem_pulled_out_while_sending_leaves_the_outcome_unknown() {
    let mut rig = Rig::up(json!({ "submit_faults": ["vanish_sent"] })).await;
    let outcome = rig.channel.send(1, "gone?").await;
    assert!(
        matches!(outcome, SendOutcome::Unknown { .. }),
        "{outcome:?}"
    );
    assert_eq!(rig.phone_reads(1).await[0].text, "gone?");
    rig.finish().await;
}

#[tokio::test]
async fn what_waits_behind_a_text_that_hangs_is_given_back() {
    let mut rig = Rig::up(json!({ "submit_faults": ["silent_lost"] })).await;
    rig.channel.modem.submit(sms(1, "hangs")).unwrap();
    rig.channel.modem.submit(sms(2, "waits")).unwrap();
    rig.channel.wait_down("has not said for long").await;
    rig.channel
        .until("given back", |line| !line.ended.is_empty())
        .await;
    let (attempt, outcome) = &rig.channel.ended[0];
    assert_eq!(attempt.delivery, DeliveryId([2; 16]));
    assert!(
        matches!(
            outcome,
            SendOutcome::Refused {
                permanent: false,
                ..
            }
        ),
        "{outcome:?}"
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_port_that_is_no_modem_says_so() {
    let mut rig = Rig::start(json!({ "hang": "until_power_cut" })).await;
    rig.channel
        .wait_down("nothing on this port answers AT")
        .await;
    rig.finish().await;

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("ttyUSB0");
    std::fs::write(&file, "not a port").unwrap();
    let mut line = Line::start(settings(file), &Arc::default());
    line.wait_down("is not a serial port").await;
    line.stop().await;
}

#[tokio::test]
async fn a_missing_sim_says_so_and_one_put_in_is_found() {
    let mut rig = Rig::start(json!({ "sim": "removed" })).await;
    rig.channel.wait_down("has no SIM card").await;
    assert!(rig.channel.modem.submit(sms(1, "x")).is_err());
    rig.set(json!({ "sim": "present" })).await;
    // Whoever puts a card in cuts the power first.
    rig.network.unplug("a").await.unwrap();
    rig.network.replug("a").await.unwrap();
    rig.channel.wait_up().await;
    rig.finish().await;
}

#[tokio::test]
async fn a_pin_is_tried_once_ever() {
    let dir = TempDir::new().unwrap();
    let pin = super::file(&dir, "pin", "1234\n");
    let mut rig = Rig::start_with(json!({ "pin": "1234" }), |s| s.pin = Some(pin.clone())).await;
    rig.channel.wait_up().await;
    assert_eq!(rig.memory.pins.lock().unwrap().len(), 1);
    rig.finish().await;

    let mut rig = Rig::start_with(json!({ "pin": "9999" }), |s| s.pin = Some(pin.clone())).await;
    rig.channel.wait_down("rejected the configured PIN").await;
    rig.channel.stop().await;
    rig.channel = Line::start(
        SmsModemSettings {
            pin: Some(pin),
            ..settings(rig.world.port("a"))
        },
        &rig.memory,
    );
    rig.channel.wait_down("already been tried").await;
    rig.finish().await;
}

#[tokio::test]
async fn a_modem_without_network_is_down_until_it_has_one() {
    let mut rig = Rig::start(json!({ "creg": 2, "cereg": 2 })).await;
    rig.channel.wait_down("no network").await;
    rig.set(json!({ "creg": 1 })).await;
    rig.channel.wait_up().await;
    rig.finish().await;
}

#[tokio::test]
async fn stopping_ends_every_message() {
    let mut rig = Rig::up(json!({ "submit_ms": [20_000, 20_000] })).await;
    for number in 1..=3 {
        rig.channel.modem.submit(sms(number, "hello")).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig.channel.stop().await;
    rig.channel
        .until("ended", |line| line.ended.len() == 3)
        .await;
    let unknown = rig
        .channel
        .ended
        .iter()
        .filter(|(_, o)| matches!(o, SendOutcome::Unknown { .. }))
        .count();
    let refused = rig
        .channel
        .ended
        .iter()
        .filter(|(_, o)| {
            matches!(
                o,
                SendOutcome::Refused {
                    permanent: false,
                    ..
                }
            )
        })
        .count();
    assert_eq!((unknown, refused), (1, 2), "{:?}", rig.channel.ended);
    assert!(rig.channel.modem.submit(sms(9, "late")).is_err());
    rig.finish().await;
}

#[tokio::test]
async fn chatter_between_and_inside_answers_changes_nothing() {
    let mut rig =
        Rig::up(json!({ "urc_inside": true, "chatter_ms": 100, "framing": "dribble" })).await;
    for number in 1..=3 {
        assert!(accepted(&rig.channel.send(number, "hello").await));
    }
    assert_eq!(rig.phone_reads(3).await.len(), 3);
    rig.finish().await;
}

#[tokio::test]
async fn a_phone_not_to_be_disturbed_wakes_at_the_second_ring_from_the_same_sim() {
    let mut rig = Rig::up(json!({})).await;
    let asleep = PhoneKnobs {
        do_not_disturb: true,
        ..PhoneKnobs::default()
    };
    rig.network.set_phone(PHONE, asleep).await.unwrap();
    for (number, woken) in [(1, 0), (2, 1)] {
        let outcome = rig.channel.ring(number).await;
        assert!(
            matches!(&outcome, SendOutcome::Accepted { detail } if detail.contains("it rang")),
            "{outcome:?}"
        );
        let phones = rig.network.phones().await.unwrap();
        let phone = phones.iter().find(|phone| phone.number == PHONE).unwrap();
        assert_eq!((phone.rings, phone.woken), (u64::from(number), woken));
    }
    // The line is free for texts again.
    assert!(accepted(&rig.channel.send(3, "still here").await));
    rig.finish().await;
}

#[tokio::test]
async fn what_becomes_of_a_ring_is_told() {
    let mut rig = Rig::up(json!({})).await;
    for (number, pickup, words) in [
        (1, Pickup::Answer, "taken, and hung up"),
        (2, Pickup::Busy, "busy"),
        (3, Pickup::Off, "before the phone rang"),
    ] {
        let knobs = PhoneKnobs {
            pickup,
            ..PhoneKnobs::default()
        };
        rig.network.set_phone(PHONE, knobs).await.unwrap();
        let outcome = rig.channel.ring(number).await;
        let (SendOutcome::Accepted { detail }
        | SendOutcome::Refused { detail, .. }
        | SendOutcome::Unknown { detail }) = &outcome;
        assert!(detail.contains(words), "{outcome:?}");
    }
    rig.channel
        .until("reported", |line| !line.reports.is_empty())
        .await;
    assert_eq!(rig.channel.reports.len(), 1, "only the call that was taken");
    rig.finish().await;
}

#[tokio::test]
async fn somebody_who_calls_is_turned_down_and_shown() {
    let mut rig = Rig::up(json!({})).await;
    rig.network.call(PHONE, "a").await.unwrap();
    rig.channel
        .until("called", |line| !line.texts.is_empty())
        .await;
    let call = rig.channel.texts[0].clone();
    assert!(call.call && call.text.is_empty());
    assert_eq!(call.from, PHONE);
    rig.channel.modem.stored(call.token);
    assert!(accepted(&rig.channel.send(1, "still here").await));
    rig.finish().await;
}
