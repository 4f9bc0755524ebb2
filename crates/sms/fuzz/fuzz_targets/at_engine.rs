//! Any bytes, pauses, submissions, confirmations and lost ports: no panic, every part ends exactly once, and the
//! engine always knows when it wants to be called again.
#![no_main]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use sms::Address;
use sms::modem::{Event, Modem, ModemConfig, Pin, StoredToken, SubmitId};
use sms::pdu::{SubmitPdu, UserData};

/// Answers worth having at hand; the fuzzer only has to name them.
const PHRASES: &[&str] = &[
    "\r\nOK\r\n",
    "\r\nERROR\r\n",
    "\r\n> ",
    "\r\n+CMGS: 7\r\n\r\nOK\r\n",
    "\r\n+CMS ERROR: 500\r\n",
    "\r\n+CME ERROR: 14\r\n",
    "\r\n+CMTI: \"SM\",4\r\n",
    "\r\n+CMGL: 1,0,,24\r\n",
    "\r\n+CMGR: 0,,24\r\n",
    "\r\n+CMT: ,24\r\n",
    "\r\n+CDS: 25\r\n",
    "07915348502020F0040C9153481032547600006211122213938005E8329BFD06\r\n",
    "0006070C91534810325476621112221393806211122213938000\r\n",
    "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n",
    "\r\n+CPIN: READY\r\n\r\nOK\r\n",
    "\r\n+CPINR: SIM PIN,3,3\r\n\r\nOK\r\n",
    "\r\n+CPMS: 1,20,1,20,1,20\r\n\r\nOK\r\n",
    "\r\n+CREG: 5\r\n",
    "\r\nRDY\r\n",
    "\r\n+CPMS: (\"SM\",\"ME\"),(\"SM\"),(\"SM\")\r\n\r\nOK\r\n",
];

fuzz_target!(|script: &[u8]| {
    let mut now = Instant::now();
    let config = ModemConfig { pin: Pin::parse("1234").ok(), smsc: Address::parse("+358405202000").ok() };
    let mut modem = Modem::new(now, config);
    let mut open = BTreeMap::new();
    let mut next_id = 0;
    let mut tokens: Vec<StoredToken> = Vec::new();
    let mut bytes = script.iter().copied();
    while let Some(action) = bytes.next() {
        match action {
            0..=63 => modem.handle_input(now, PHRASES[usize::from(action) % PHRASES.len()].as_bytes()),
            64..=127 => {
                let raw: Vec<u8> = bytes.by_ref().take(usize::from(action - 63)).collect();
                modem.handle_input(now, &raw);
            }
            128..=191 => {
                // As a driver does: never past the moment the engine asked for.
                let pause = Duration::from_millis(u64::from(action - 127) * 700);
                let until = now + pause;
                while let Some(due) = modem.poll_timeout().filter(|due| *due <= until) {
                    now = now.max(due);
                    modem.handle_timeout(now);
                    assert!(modem.poll_timeout().is_none_or(|next| next > now), "woken for nothing");
                    drain(&mut modem, &mut open, &mut tokens);
                }
                now = until;
                modem.handle_timeout(now);
            }
            192..=207 => {
                next_id += 1;
                open.insert(next_id, ());
                let user_data = UserData::of_text("hello").expect("it is short");
                let destination = Address::parse("+358401234567").expect("it is a number");
                modem.submit(now, SubmitId(next_id), SubmitPdu::new(destination, user_data));
            }
            208..=223 => {
                if let Some(token) = tokens.pop() {
                    modem.confirm_stored(now, token);
                }
            }
            224..=231 => modem.port_lost(now),
            232..=247 => modem.port_opened(now),
            248..=255 => modem.answer_pin(now, action % 2 == 0),
        }
        drain(&mut modem, &mut open, &mut tokens);
    }
    // Left alone with a port that is gone, every part ends.
    modem.port_lost(now);
    now += Duration::from_secs(600);
    modem.handle_timeout(now);
    drain(&mut modem, &mut open, &mut tokens);
    assert!(open.is_empty(), "parts without an end: {open:?}");
});

fn drain(modem: &mut Modem, open: &mut BTreeMap<u64, ()>, tokens: &mut Vec<StoredToken>) {
    while let Some(bytes) = modem.poll_transmit() {
        assert!(!bytes.is_empty());
    }
    while let Some(event) = modem.poll_event() {
        match event {
            Event::Submitted { id, .. } => assert!(open.remove(&id.0).is_some(), "part {} ended twice", id.0),
            Event::Received { token, .. } | Event::Reported { token, .. } | Event::Quarantined { token, .. } => {
                tokens.push(token);
            }
            _ => {}
        }
    }
}
