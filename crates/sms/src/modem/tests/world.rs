//! A scripted far end. Each line of a script is one of:
//!
//! ```text
//! > COMMAND        run until exactly this is sent; other commands on the way get their usual answer
//! >> COMMAND       the very next thing sent is this
//! < BYTES          the modem says this (\r \n \x1a as in Rust)
//! ! EVENT          the next event is this (changes of status are left out)
//! = COMMAND ANSWER the usual answer from now on; none means silence
//! submit ID TEXT   hand over a part for +358401234567, with a report asked for
//! submit-to ID NUMBER TEXT
//! ring ID SECONDS  let +358401234567 ring
//! confirm TOKEN    the received thing with this token is durable
//! pin yes|no       answer PinWanted
//! lost | opened    the port
//! wait SECONDS     run on
//! calm             no event is left
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::modem::{Event, Modem, ModemConfig, Outcome, RingId, StoredToken, SubmitId};
use crate::pdu::{SubmitPdu, UserData};

const USUAL: &[(&str, &str)] = &[
    ("AT", "OK"),
    ("AT+CGMI", "Maker\r\n\r\nOK"),
    ("AT+CGMM", "^RSSI:17\r\n\r\nModel 1\r\n\r\nOK"),
    ("AT+CGMR", "+CGMR: 1.0\r\n\r\nOK"),
    ("AT+CGSN", "490154203237518\r\n\r\nOK"),
    ("AT+CFUN?", "+CFUN: 1\r\n\r\nOK"),
    ("AT+CCID", "+CCID: 89358021234567890123\r\n\r\nOK"),
    ("AT+CPIN?", "+CPIN: READY\r\n\r\nOK"),
    ("AT+CIMI", "244051234567890\r\n\r\nOK"),
    ("AT+CSCA?", "+CSCA: \"+358405202000\",145\r\n\r\nOK"),
    (
        "AT+CPMS=?",
        "+CPMS: (\"SM\",\"ME\"),(\"SM\",\"ME\"),(\"SM\",\"ME\")\r\n\r\nOK",
    ),
    (
        "AT+CPMS=\"ME\",\"ME\",\"ME\"",
        "+CPMS: 0,20,0,20,0,20\r\n\r\nOK",
    ),
    ("AT+CPMS=\"ME\"", "+CPMS: 0,20,0,20,0,20\r\n\r\nOK"),
    ("AT+CPMS=\"SM\"", "+CPMS: 0,10,0,20,0,20\r\n\r\nOK"),
    (
        "AT+CNMI=?",
        "+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)\r\n\r\nOK",
    ),
    ("AT+CREG?", "+CREG: 2,1,\"00AB\",\"01CD\"\r\n\r\nOK"),
    ("AT+CEREG?", "ERROR"),
    ("AT+CSQ", "+CSQ: 20,99\r\n\r\nOK"),
    ("AT+COPS?", "+COPS: 0,0,\"Operator, Inc\"\r\n\r\nOK"),
    ("AT+CMMS=2", "+CME ERROR: 4"),
];
const LATENCY: Duration = Duration::from_millis(10);
/// No script waits longer for something to happen.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

pub(super) struct World {
    modem: Modem,
    start: Instant,
    now: Instant,
    answers: BTreeMap<String, Option<String>>,
    sent: VecDeque<String>,
    events: VecDeque<Event>,
    idle_steps: u32,
}

impl World {
    #[expect(
        clippy::disallowed_methods,
        reason = "the transcript has to begin at some instant"
    )]
    pub(super) fn new(config: ModemConfig) -> Self {
        let now = Instant::now();
        let answers = USUAL
            .iter()
            .map(|(command, answer)| ((*command).to_owned(), Some((*answer).to_owned())));
        let modem = Modem::new(now, config);
        let mut world = Self {
            modem,
            start: now,
            now,
            answers: answers.collect(),
            sent: VecDeque::new(),
            events: VecDeque::new(),
            idle_steps: 0,
        };
        world.drain();
        world
    }

    pub(super) fn ready() -> Self {
        let mut world = Self::new(ModemConfig::default());
        world.play("! ready\nwait 2\ncalm");
        world
    }

    pub(super) fn play(&mut self, script: &str) {
        for line in script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            match verb {
                ">" => self.until_sent(rest, line),
                ">>" => {
                    self.run_until(|world| !world.sent.is_empty(), line);
                    assert_eq!(self.sent.pop_front().as_deref(), Some(rest));
                }
                "<" => {
                    let bytes = rest
                        .replace("\\r", "\r")
                        .replace("\\n", "\n")
                        .replace("\\x1a", "\x1a");
                    self.now += LATENCY;
                    self.modem.handle_input(self.now, bytes.as_bytes());
                    self.drain();
                }
                "!" => {
                    self.run_until(|world| !world.events.is_empty(), line);
                    let event = self.events.pop_front().unwrap();
                    assert_eq!(summary(&event), rest, "after {:?}", self.now - self.start);
                }
                "=" => {
                    let (command, answer) = rest.split_once(" | ").unwrap_or((rest, ""));
                    let answer = (!answer.is_empty())
                        .then(|| answer.replace("\\r", "\r").replace("\\n", "\n"));
                    self.answers.insert(command.trim().to_owned(), answer);
                }
                "submit" => {
                    let (id, text) = rest.split_once(' ').unwrap();
                    self.submit(id, "+358401234567", text);
                }
                "submit-to" => {
                    let (id, rest) = rest.split_once(' ').unwrap();
                    let (number, text) = rest.split_once(' ').unwrap();
                    self.submit(id, number, text);
                }
                "ring" => {
                    let (id, seconds) = rest.split_once(' ').unwrap();
                    self.modem.ring(
                        self.now,
                        RingId(id.parse().unwrap()),
                        Address::parse("+358401234567").unwrap(),
                        Duration::from_secs(seconds.parse().unwrap()),
                    );
                    self.drain();
                }
                "confirm" => {
                    self.modem
                        .confirm_stored(self.now, StoredToken(rest.parse().unwrap()));
                    self.drain();
                }
                "pin" => {
                    self.modem.answer_pin(self.now, rest == "yes");
                    self.drain();
                }
                "lost" => {
                    self.modem.port_lost(self.now);
                    self.drain();
                }
                "opened" => {
                    self.modem.port_opened(self.now);
                    self.drain();
                }
                "wait" => {
                    let until = self.now + Duration::from_secs_f64(rest.parse().unwrap());
                    while self.step(until) {
                        self.answer_usually();
                    }
                }
                "calm" => {
                    let left: Vec<String> =
                        self.events.drain(..).map(|event| summary(&event)).collect();
                    assert_eq!(left, [""; 0]);
                }
                _ => panic!("no such verb: {line}"),
            }
        }
    }

    fn submit(&mut self, id: &str, number: &str, text: &str) {
        let text = text
            .replace("\\r", "\r")
            .replace("\\n", "\n")
            .replace("\\x1a", "\x1a");
        let mut pdu = SubmitPdu::new(
            Address::parse(number).unwrap(),
            UserData::of_text(&text).unwrap(),
        );
        pdu.status_report_request = true;
        self.modem
            .submit(self.now, SubmitId(id.parse().unwrap()), pdu);
        self.drain();
    }

    fn until_sent(&mut self, wanted: &str, line: &str) {
        let end = self.now + PATIENCE;
        while self.now < end {
            self.run_until(|world| !world.sent.is_empty(), line);
            if self.sent.front().is_some_and(|sent| sent == wanted) {
                self.sent.pop_front();
                return;
            }
            self.answer_usually();
        }
        panic!("never sent: {line}");
    }

    fn run_until(&mut self, mut reached: impl FnMut(&Self) -> bool, line: &str) {
        let until = self.now + PATIENCE;
        let is_event = line.starts_with('!');
        while !reached(self) {
            assert!(self.step(until), "nothing happens at: {line}");
            if is_event {
                self.answer_usually();
            }
        }
    }

    /// Lets time pass until the engine wants something; false at the end.
    fn step(&mut self, until: Instant) -> bool {
        if !self.sent.is_empty() {
            return true;
        }
        let due = self.modem.poll_timeout().filter(|due| *due <= until);
        let next = due.unwrap_or(until).max(self.now);
        self.idle_steps = if next == self.now {
            self.idle_steps + 1
        } else {
            0
        };
        assert!(
            self.idle_steps < 100,
            "the engine wants to be woken for nothing: {:?}",
            self.modem
        );
        self.now = next;
        if due.is_some() {
            self.modem.handle_timeout(self.now);
            self.drain();
        }
        due.is_some()
    }

    fn answer_usually(&mut self) {
        if let Some(command) = self.sent.pop_front() {
            let answer = match self.answers.get(&command) {
                Some(answer) => answer.clone(),
                None if command.contains('\x1b') => None,
                None => Some("OK".to_owned()),
            };
            if let Some(answer) = answer {
                self.now += LATENCY;
                self.modem
                    .handle_input(self.now, format!("\r\n{answer}\r\n").as_bytes());
                self.drain();
            }
        }
    }

    fn drain(&mut self) {
        while let Some(bytes) = self.modem.poll_transmit() {
            let text = String::from_utf8(bytes).unwrap();
            self.sent.push_back(
                text.strip_suffix('\r')
                    .unwrap_or(&text)
                    .replace('\x1a', "^Z"),
            );
        }
        while let Some(event) = self.modem.poll_event() {
            if !matches!(event, Event::Status(_)) {
                self.events.push_back(event);
            }
        }
    }

    pub(super) fn modem(&self) -> &Modem {
        &self.modem
    }
}

fn summary(event: &Event) -> String {
    match event {
        Event::Ready => "ready".to_owned(),
        Event::Submitted {
            id,
            outcome: Outcome::Accepted { message_reference },
        } => match message_reference {
            Some(reference) => format!("{} accepted {reference}", id.0),
            None => format!("{} accepted", id.0),
        },
        Event::Submitted {
            id,
            outcome: Outcome::Refused { class, reason, .. },
        } => {
            format!("{} refused {} {reason:?}", id.0, class.letter())
        }
        Event::Submitted {
            id,
            outcome: Outcome::Unknown { reason },
        } => format!("{} unknown {reason:?}", id.0),
        Event::RingEnded { id, outcome } => format!("ring {} {outcome:?}", id.0),
        Event::Called { from } => format!("called by {}", from.as_deref().unwrap_or("unknown")),
        Event::Slow { id } => format!("{} slow", id.0),
        Event::Received { token, pdu, .. } => format!(
            "received {} {:?}",
            token.0,
            pdu.user_data.text().unwrap_or_default()
        ),
        Event::Reported { token, id, report } => {
            let id = id.map_or("nothing known".to_owned(), |id| id.0.to_string());
            format!("report {} on {id}: {:?}", token.0, report.status.class())
        }
        Event::Quarantined { token, raw, .. } => format!("quarantined {} {raw}", token.0),
        Event::PinWanted { iccid } => format!(
            "pin wanted for {}",
            iccid.as_deref().unwrap_or("unknown card")
        ),
        Event::Status(_) => "status".to_owned(),
        Event::MemoryFilling {
            memory,
            used,
            total,
        } => format!("filling {memory} {used}/{total}"),
        Event::Trouble(trouble) => format!("trouble {trouble}"),
        Event::ReopenPort => "reopen".to_owned(),
        Event::Dead => "dead".to_owned(),
    }
}
