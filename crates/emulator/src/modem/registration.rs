//! Registration, operator and signal (3GPP TS 27.007 §7.2, §7.3, §8.5, §8.69, §10.1).

use std::time::Instant;

use super::{
    Answer, Fail, Knobs, Modem,
    parse::{Ask, Command, values},
};

const NAMES: [&str; 3] = ["+CREG", "+CGREG", "+CEREG"];
const AREA: &str = "\"00D1\",\"0001A2B3\"";
/// The operator's number: Finland's country code and a test network.
const OPERATOR_CODE: &str = "24499";

impl Modem {
    /// Whether a message can leave or arrive at all.
    pub(super) fn is_on_air(&self, now: Instant) -> bool {
        self.plugged
            && self.sim_fault(now).is_none()
            && self.settings.functionality == 1
            && self.knobs.is_registered()
    }

    pub(super) fn registration_command(&mut self, command: &Command) -> Option<Answer> {
        if let Some(at) = NAMES.iter().position(|name| *name == command.name) {
            return Some(self.registration(at, &command.ask));
        }
        let attached = u8::from(matches!(self.stat(1), 1 | 5));
        Some(match (command.name.as_str(), &command.ask) {
            ("+CSQ", Ask::Do) => Answer::line(format!("+CSQ: {},99", self.knobs.rssi)),
            ("+CESQ", Ask::Do) => {
                Answer::line(format!("+CESQ: {},99,255,255,20,45", self.knobs.rssi))
            }
            ("+CSQ" | "+CESQ", Ask::Test) => Answer::ok(),
            ("+CGATT", Ask::Read) => Answer::line(format!("+CGATT: {attached}")),
            ("+CGATT", Ask::Test) => Answer::line("+CGATT: (0,1)"),
            ("+CGATT", Ask::Set(_)) => Answer::ok(),
            ("+COPS", Ask::Read) => self.operator(),
            ("+COPS", Ask::Test) => Answer::line(format!(
                "+COPS: (2,{name},{name},\"{OPERATOR_CODE}\",7),,(0-4),(0-2)",
                name = self.quoted(&self.config.operator)
            )),
            ("+COPS", Ask::Set(value)) => {
                let values = values(value);
                if let ("3", Some(Ok(format @ 0..=2))) =
                    (values[0].as_str(), values.get(1).map(|v| v.parse()))
                {
                    self.settings.operator_format = format;
                }
                Answer::ok()
            }
            _ => return None,
        })
    }

    /// Tells the program about a change, if it asked to be told.
    pub(super) fn announce_registration(&mut self, now: Instant, before: &Knobs) {
        let changed = [
            before.creg != self.knobs.creg,
            before.cgreg != self.knobs.cgreg,
            before.cereg != self.knobs.cereg,
        ];
        for (at, _) in changed.iter().enumerate().filter(|(_, changed)| **changed) {
            let place = self.place(at);
            if self.settings.registration_urcs[at] > 0 {
                self.urc(now, format!("{}: {}{place}", NAMES[at], self.stat(at)));
            }
        }
    }

    fn registration(&mut self, at: usize, ask: &Ask) -> Answer {
        match ask {
            Ask::Test => Answer::line(format!("{}: (0-2)", NAMES[at])),
            Ask::Read => {
                let n = self.settings.registration_urcs[at];
                Answer::line(format!(
                    "{}: {n},{}{}",
                    NAMES[at],
                    self.stat(at),
                    self.place(at)
                ))
            }
            Ask::Set(value) => match value.parse() {
                Ok(n @ 0..=2) => {
                    self.settings.registration_urcs[at] = n;
                    Answer::ok()
                }
                _ => Answer::Fail(Fail::Cme(3)),
            },
            Ask::Do => Answer::Fail(Fail::Plain),
        }
    }

    /// Area, cell and access technology, when asked for and known.
    fn place(&self, at: usize) -> String {
        let known =
            self.settings.registration_urcs[at] == 2 && !matches!(self.stat(at), 0 | 2 | 3 | 4);
        if known {
            format!(",{AREA},7")
        } else {
            String::new()
        }
    }

    fn stat(&self, at: usize) -> u8 {
        if self.settings.functionality != 1 || self.knobs.sim != super::Sim::Present {
            return 0;
        }
        [self.knobs.creg, self.knobs.cgreg, self.knobs.cereg][at]
    }

    fn operator(&self) -> Answer {
        let format = self.settings.operator_format;
        if !(0..3).any(|at| matches!(self.stat(at), 1 | 5..=7)) {
            return Answer::line("+COPS: 0");
        }
        let name = if format == 2 {
            format!("\"{OPERATOR_CODE}\"")
        } else {
            self.quoted(&self.config.operator)
        };
        Answer::line(format!("+COPS: 0,{format},{name},7"))
    }
}
