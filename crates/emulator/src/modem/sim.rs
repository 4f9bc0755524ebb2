//! The SIM: its identity, PIN and PUK (3GPP TS 27.007 §8.3), message reference and service centre.

use std::time::Instant;

use super::{
    Answer, Fail, Modem, Sim,
    parse::{Ask, Command, values},
};

const PIN_TRIES: u8 = 3;
const PUK_TRIES: u8 = 10;
/// The PUK of every emulated SIM.
const PUK: &str = "12345678";
/// The service centre every emulated SIM starts with.
const SERVICE_CENTRE: &str = "+358405202000";

/// What the card remembers; it survives resets of the modem.
pub(super) struct SimState {
    pin: Option<String>,
    pin_tries: u8,
    puk_tries: u8,
    unlocked: bool,
    /// The card answers "busy" until then.
    pub(super) busy_until: Option<Instant>,
    /// TP-MR of the next submission.
    pub(super) reference: u8,
    pub(super) service_centre: String,
}

impl SimState {
    pub(super) fn new(pin: Option<String>) -> Self {
        Self {
            unlocked: pin.is_none(),
            pin,
            pin_tries: PIN_TRIES,
            puk_tries: PUK_TRIES,
            busy_until: None,
            reference: 0,
            service_centre: SERVICE_CENTRE.to_owned(),
        }
    }

    /// Another card: all tries are there again.
    pub(super) fn replace_pin(&mut self, pin: Option<String>) {
        self.pin = pin;
        self.pin_tries = PIN_TRIES;
        self.puk_tries = PUK_TRIES;
        self.lock_again();
    }

    /// As after power-on: a card with a PIN asks for it.
    pub(super) fn lock_again(&mut self) {
        self.unlocked = self.pin.is_none();
    }

    fn needs(&self) -> Option<Need> {
        match (self.unlocked, self.pin_tries, self.puk_tries) {
            (true, ..) => None,
            (_, 1.., _) => Some(Need::Pin),
            (_, 0, 1..) => Some(Need::Puk),
            (_, 0, 0) => Some(Need::NewCard),
        }
    }
}

#[derive(Clone, Copy)]
enum Need {
    Pin,
    Puk,
    NewCard,
}

impl Modem {
    /// Why the card cannot be used, as `+CMS ERROR`.
    pub(super) fn sim_fault(&self, now: Instant) -> Option<u16> {
        match (self.knobs.sim, self.sim.needs()) {
            (Sim::Removed, _) => Some(310),
            (Sim::Faulty, _) | (_, Some(Need::NewCard)) => Some(313),
            (_, Some(Need::Pin)) => Some(311),
            (_, Some(Need::Puk)) => Some(316),
            _ if self.sim.busy_until.is_some_and(|until| until > now) => Some(314),
            _ => None,
        }
    }

    pub(super) fn sim_command(&mut self, now: Instant, command: &Command) -> Option<Answer> {
        Some(match (command.name.as_str(), &command.ask) {
            ("+CPIN", Ask::Test) | ("+CIMI" | "+CCID" | "+ICCID" | "+QCCID", Ask::Test) => {
                Answer::ok()
            }
            ("+CPIN", Ask::Read) => match self.sim_fault(now).map(cme_of) {
                None => Answer::line("+CPIN: READY"),
                Some(11) => Answer::line("+CPIN: SIM PIN"),
                Some(12) => Answer::line("+CPIN: SIM PUK"),
                Some(code) => Answer::Fail(Fail::Cme(code)),
            },
            ("+CPIN", Ask::Set(value)) => self.enter_pin(now, &values(value)),
            ("+CPINR", Ask::Do | Ask::Set(_)) => {
                let SimState {
                    pin_tries,
                    puk_tries,
                    ..
                } = self.sim;
                Answer::Ok(vec![
                    format!("+CPINR: SIM PIN,{pin_tries},{PIN_TRIES}"),
                    format!("+CPINR: SIM PUK,{puk_tries},{PUK_TRIES}"),
                ])
            }
            ("+CLCK", Ask::Set(value))
                if values(value).starts_with(&["SC".to_owned(), "2".to_owned()]) =>
            {
                Answer::line(format!("+CLCK: {}", u8::from(self.sim.pin.is_some())))
            }
            ("+CIMI", Ask::Do) => self.with_sim(now, |modem| modem.imsi()),
            ("+CCID" | "+ICCID", Ask::Do | Ask::Read) => {
                let name = &command.name;
                self.with_sim(now, |modem| format!("{name}: {}", modem.iccid()))
            }
            ("+QCCID", Ask::Do) => self.with_sim(now, |modem| format!("+QCCID: {}", modem.iccid())),
            ("^ICCID", Ask::Do | Ask::Read) => {
                self.with_sim(now, |modem| format!("^ICCID: {}", modem.iccid()))
            }
            ("+CNUM", Ask::Do) => self.with_sim(now, |modem| {
                format!(
                    "+CNUM: {},{},145",
                    modem.quoted(""),
                    modem.quoted(&modem.config.number)
                )
            }),
            _ => return None,
        })
    }

    fn with_sim(&self, now: Instant, line: impl FnOnce(&Self) -> String) -> Answer {
        match self.sim_fault(now).map(cme_of) {
            // A locked card still shows its serial number on many modems; ours is strict.
            Some(code) => Answer::Fail(Fail::Cme(code)),
            None => Answer::line(line(self)),
        }
    }

    fn enter_pin(&mut self, now: Instant, given: &[String]) -> Answer {
        let right = match self.sim_fault(now) {
            Some(311) => self.sim.pin.as_deref() == given.first().map(String::as_str),
            Some(316) => given.first().is_some_and(|puk| puk == PUK) && given.len() == 2,
            Some(code) => return Answer::Fail(Fail::Cme(cme_of(code))),
            None => return Answer::Fail(Fail::Cme(3)),
        };
        let tries = if self.sim.pin_tries > 0 {
            &mut self.sim.pin_tries
        } else {
            &mut self.sim.puk_tries
        };
        if !right {
            *tries -= 1;
            return Answer::Fail(Fail::Cme(if self.sim.pin_tries == 0 { 12 } else { 16 }));
        }
        if self.sim.pin_tries == 0 {
            self.sim.pin = given.get(1).cloned();
            self.knobs.pin.clone_from(&self.sim.pin);
        }
        self.sim.pin_tries = PIN_TRIES;
        self.sim.puk_tries = PUK_TRIES;
        self.sim.unlocked = true;
        self.sim.busy_until = Some(now + std::time::Duration::from_millis(self.knobs.sim_busy_ms));
        Answer::ok()
    }

    /// 15 digits: Finland's country code, a test operator, the number.
    fn imsi(&self) -> String {
        format!("24499{:0>10}", self.config.number_digits(10))
    }

    /// 19 digits (ITU-T E.118): telecom, Finland, the number.
    fn iccid(&self) -> String {
        format!("8935899{:0>12}", self.config.number_digits(12))
    }
}

/// The `+CME ERROR` that means the same as a `+CMS ERROR` about the SIM (310-314: 10-14; 316: 12).
fn cme_of(cms: u16) -> u16 {
    if cms == 316 { 12 } else { cms - 300 }
}
