//! The message commands, in PDU mode only (3GPP TS 27.005 §3 and §4).

use std::time::Instant;

use super::{
    Answer, Fail, Hang, Mode, Modem, ModemEvent, SubmitFault,
    memory::{Status, Stored},
    parse::{Ask, Command, values},
};

/// What a PDU typed after a prompt is for.
pub(super) struct PduFor {
    purpose: Purpose,
    /// Octets of the transport PDU announced by the command.
    len: usize,
    digits: Vec<u8>,
}

enum Purpose {
    Submit,
    Store(Status),
    Acknowledge(bool),
}

/// A message on its way out.
pub(super) struct Submission {
    tpdu: Vec<u8>,
    due: Instant,
    fault: SubmitFault,
    /// Shown to the network already.
    shown: bool,
    verdict: Option<Result<(), u16>>,
}

impl Submission {
    pub(super) fn wake_at(&self) -> Option<Instant> {
        // Once shown, the network's verdict is what is waited for.
        (!self.shown || self.verdict.is_some()).then_some(self.due)
    }
}

impl Modem {
    /// The network's word on a [`ModemEvent::Submit`]: taken, or refused with this `+CMS ERROR`.
    pub fn conclude(&mut self, now: Instant, verdict: Result<(), u16>) {
        if let Mode::Submitting(submission) = &mut self.mode {
            submission.verdict = Some(verdict);
            self.handle_timeout(now);
        }
    }

    pub(super) fn message_command(&mut self, now: Instant, command: &Command) -> Option<Answer> {
        let plain_test = |range: &str| Answer::line(format!("{}: {range}", command.name));
        Some(match (command.name.as_str(), &command.ask) {
            ("+CMGF", Ask::Test) => plain_test("(0)"),
            ("+CMGF", Ask::Read) => Answer::line("+CMGF: 0"),
            ("+CMGF", Ask::Set(value)) if value == "0" => Answer::ok(),
            ("+CMGF", Ask::Set(_)) => Answer::Fail(Fail::Cms(303)),
            ("+CSMS", Ask::Test) => plain_test("(0,1)"),
            ("+CSMS", Ask::Read) => Answer::line(format!(
                "+CSMS: {},1,1,1",
                u8::from(self.settings.phase2plus)
            )),
            ("+CSMS", Ask::Set(value)) if matches!(value.as_str(), "0" | "1") => {
                self.settings.phase2plus = value == "1";
                Answer::line("+CSMS: 1,1,1")
            }
            ("+CSMS", Ask::Set(_)) => Answer::Fail(Fail::Cms(302)),
            ("+CMMS", Ask::Test) => plain_test("(0-2)"),
            ("+CMMS", Ask::Read) => Answer::line(format!("+CMMS: {}", self.settings.more_messages)),
            ("+CMMS", Ask::Set(value)) => set_small(&mut self.settings.more_messages, value, 2),
            ("+CGSMS", Ask::Test) => plain_test("(0-3)"),
            ("+CGSMS", Ask::Read) => Answer::line(format!("+CGSMS: {}", self.settings.bearer)),
            ("+CGSMS", Ask::Set(value)) => set_small(&mut self.settings.bearer, value, 3),
            ("+CSCA", Ask::Test) => Answer::ok(),
            ("+CSCA", Ask::Read) => Answer::line(format!(
                "+CSCA: {},145",
                self.quoted(&self.sim.service_centre)
            )),
            ("+CSCA", Ask::Set(value)) => {
                self.sim.service_centre = self.unquoted(&values(value)[0]);
                Answer::ok()
            }
            ("+CNMI", Ask::Test) => {
                // gammu uses no indications at all unless cell broadcast (<bm>) is on offer too.
                let reports = if self.knobs.report_route_max >= 2 {
                    "(0,1,2)"
                } else {
                    "(0,1)"
                };
                plain_test(&format!("(0,1,2),(0,1,2),(0,2),{reports},(0,1)"))
            }
            ("+CNMI", Ask::Read) => {
                let [mode, deliver, broadcast, report, buffer] = self.settings.cnmi;
                Answer::line(format!(
                    "+CNMI: {mode},{deliver},{broadcast},{report},{buffer}"
                ))
            }
            ("+CNMI", Ask::Do) => {
                self.settings.cnmi = [0; 5];
                Answer::ok()
            }
            ("+CNMI", Ask::Set(value)) => self.set_routing(value),
            ("+CNMA", Ask::Test) => plain_test("(0-2)"),
            ("+CMGL", Ask::Test) => plain_test("(0-4)"),
            ("+CMGR" | "+CMGS" | "+CMGW" | "+CMSS", Ask::Test) => Answer::ok(),
            // All else needs the card.
            (
                "+CPMS" | "+CMGL" | "+CMGR" | "+CMGD" | "+CMGS" | "+CMGW" | "+CMSS" | "+CNMA",
                ask,
            ) => match self.sim_fault(now) {
                Some(code) => Answer::Fail(Fail::Cms(code)),
                None => self.memory_command(now, &command.name, ask),
            },
            _ => return None,
        })
    }

    fn memory_command(&mut self, now: Instant, name: &str, ask: &Ask) -> Answer {
        match (name, ask) {
            ("+CPMS", Ask::Test) => {
                let names = if self.knobs.me_size > 0 {
                    "\"SM\",\"ME\""
                } else {
                    "\"SM\""
                };
                let readable = if self.knobs.report_route_max >= 2 {
                    format!("{names},\"SR\"")
                } else {
                    names.to_owned()
                };
                Answer::line(format!("+CPMS: ({readable}),({names}),({names})"))
            }
            ("+CPMS", Ask::Read) => {
                let use_of = |at: &usize| {
                    let memory = &self.memories[*at];
                    format!("\"{}\",{},{}", memory.name, memory.used(), memory.total())
                };
                Answer::line(format!(
                    "+CPMS: {}",
                    self.settings
                        .selected
                        .iter()
                        .map(use_of)
                        .collect::<Vec<_>>()
                        .join(",")
                ))
            }
            ("+CPMS", Ask::Set(value)) => self.select_memories(value),
            ("+CMGL", Ask::Do) => self.list(0),
            ("+CMGL", Ask::Set(value)) => match value.parse() {
                Ok(code @ 0..=4) => self.list(code),
                _ => Answer::Fail(Fail::Cms(305)),
            },
            ("+CMGR", Ask::Set(value)) => self.read_message(value),
            ("+CMGD", Ask::Test) => {
                let taken: Vec<String> = self
                    .memory(0)
                    .iter_mut()
                    .map(|(index, _)| index.to_string())
                    .collect();
                Answer::line(format!("+CMGD: ({}),(0-4)", taken.join(",")))
            }
            ("+CMGD", Ask::Set(value)) => self.delete(value),
            ("+CMGS", Ask::Set(value)) => self.take_pdu(now, Purpose::Submit, value),
            ("+CMGW", Ask::Set(value)) => {
                let stat = values(value)
                    .get(1)
                    .map_or(Some(2), |code| code.parse().ok());
                match stat.and_then(Status::from_code) {
                    Some(status) => self.take_pdu(now, Purpose::Store(status), value),
                    None => Answer::Fail(Fail::Cms(305)),
                }
            }
            ("+CMSS", Ask::Set(value)) => self.submit_stored(now, value),
            ("+CNMA", Ask::Do) => self.acknowledge(now, true),
            ("+CNMA", Ask::Set(value)) => {
                let values = values(value);
                let good = values[0] != "2";
                if values.get(1).is_some_and(|len| len != "0") {
                    self.take_pdu(now, Purpose::Acknowledge(good), &values[1])
                } else {
                    self.acknowledge(now, good)
                }
            }
            _ => Answer::Fail(Fail::Cms(302)),
        }
    }

    fn memory(&mut self, role: usize) -> &mut super::Memory {
        &mut self.memories[self.settings.selected[role]]
    }

    fn select_memories(&mut self, value: &str) -> Answer {
        let mut selected = self.settings.selected;
        for (role, name) in values(value).iter().enumerate().take(3) {
            let Some(at) = self.memories.iter().position(|memory| memory.name == *name) else {
                return Answer::Fail(Fail::Cms(302));
            };
            if (at == 1 && self.knobs.me_size == 0) || (at == 2 && role > 0) {
                return Answer::Fail(Fail::Cms(302));
            }
            selected[role] = at;
        }
        self.settings.selected = selected;
        let use_of = |at: &usize| {
            format!(
                "{},{}",
                self.memories[*at].used(),
                self.memories[*at].total()
            )
        };
        Answer::line(format!(
            "+CPMS: {}",
            selected.iter().map(use_of).collect::<Vec<_>>().join(",")
        ))
    }

    fn list(&mut self, code: u8) -> Answer {
        if self.knobs.hang == Hang::Listing {
            return Answer::Silent;
        }
        let mut lines = Vec::new();
        let centre = self.sim.service_centre.clone();
        for (index, stored) in self.memory(0).iter_mut() {
            if code == 4 || stored.status as u8 == code {
                let (len, pdu) = (stored.tpdu.len(), with_address(&centre, &stored.tpdu));
                lines.push(format!(
                    "+CMGL: {index},{},,{len}\r\n{pdu}",
                    stored.status as u8
                ));
                mark_read(stored);
            }
        }
        Answer::Ok(lines)
    }

    fn read_message(&mut self, value: &str) -> Answer {
        let centre = self.sim.service_centre.clone();
        let stored = value
            .parse()
            .ok()
            .and_then(|index| self.memory(0).get_mut(index));
        let Some(stored) = stored else {
            return Answer::Fail(Fail::Cms(321));
        };
        let (len, pdu) = (stored.tpdu.len(), with_address(&centre, &stored.tpdu));
        let line = format!("+CMGR: {},,{len}\r\n{pdu}", stored.status as u8);
        mark_read(stored);
        Answer::line(line)
    }

    fn delete(&mut self, value: &str) -> Answer {
        use Status::{ReceivedRead, StoredSent, StoredUnsent};
        let values = values(value);
        let memory = self.memory(0);
        match values.get(1).map_or("0", String::as_str) {
            "" | "0" => match values[0].parse() {
                Ok(index) if memory.delete(index) => {}
                _ => return Answer::Fail(Fail::Cms(321)),
            },
            "1" => memory.delete_where(|status| status == ReceivedRead),
            "2" => memory.delete_where(|status| matches!(status, ReceivedRead | StoredSent)),
            "3" => memory
                .delete_where(|status| matches!(status, ReceivedRead | StoredSent | StoredUnsent)),
            "4" => memory.delete_where(|_| true),
            _ => return Answer::Fail(Fail::Cms(305)),
        }
        Answer::ok()
    }

    fn take_pdu(&mut self, now: Instant, purpose: Purpose, value: &str) -> Answer {
        let Ok(len) = values(value)[0].parse::<usize>() else {
            return Answer::Fail(Fail::Cms(304));
        };
        if matches!(purpose, Purpose::Submit) {
            if !self.is_on_air(now) {
                return Answer::Fail(Fail::Cms(331));
            }
            if self.next_fault() == SubmitFault::NoPrompt {
                self.knobs.submit_faults.pop_front();
                return Answer::Silent;
            }
        }
        Answer::Pdu(PduFor {
            purpose,
            len,
            digits: Vec::new(),
        })
    }

    fn next_fault(&self) -> SubmitFault {
        self.knobs
            .submit_faults
            .front()
            .copied()
            .unwrap_or(self.knobs.submit_always)
    }

    pub(super) fn read_pdu_byte(&mut self, now: Instant, byte: u8) {
        let Mode::Pdu(wanted) = &mut self.mode else {
            return;
        };
        match byte {
            0x1b => {
                self.mode = Mode::Line;
                self.succeed(now);
            }
            0x1a => {
                if let Mode::Pdu(typed) = std::mem::replace(&mut self.mode, Mode::Line) {
                    self.finish_pdu(now, &typed);
                }
            }
            _ if byte.is_ascii_whitespace() => {}
            _ if wanted.digits.len() < super::PDU_LEN_MAX => wanted.digits.push(byte),
            _ => {}
        }
    }

    fn finish_pdu(&mut self, now: Instant, typed: &PduFor) {
        if self.is_hung() {
            return;
        }
        let Some((has_centre, tpdu)) =
            split_address(&typed.digits).filter(|(_, tpdu)| tpdu.len() == typed.len)
        else {
            return self.fail(now, Fail::Cms(304));
        };
        match &typed.purpose {
            Purpose::Submit if !has_centre && self.sim.service_centre.is_empty() => {
                self.fail(now, Fail::Cms(330))
            }
            Purpose::Submit => self.submit(now, tpdu),
            Purpose::Store(status) => match self.memory(1).store(Stored {
                status: *status,
                tpdu,
            }) {
                Some(index) => {
                    self.collected.push(format!("+CMGW: {index}"));
                    self.succeed(now);
                }
                None => self.fail(now, Fail::Cms(322)),
            },
            Purpose::Acknowledge(good) => {
                if let Answer::Fail(fail) = self.acknowledge(now, *good) {
                    self.fail(now, fail);
                } else {
                    self.succeed(now);
                }
            }
        }
    }

    fn submit_stored(&mut self, now: Instant, value: &str) -> Answer {
        let stored = values(value)[0]
            .parse()
            .ok()
            .and_then(|index| self.memory(1).get_mut(index));
        let Some(stored) = stored else {
            return Answer::Fail(Fail::Cms(321));
        };
        stored.status = Status::StoredSent;
        let tpdu = stored.tpdu.clone();
        if !self.is_on_air(now) {
            return Answer::Fail(Fail::Cms(331));
        }
        self.submit(now, tpdu);
        Answer::Silent // the submission answers
    }

    fn submit(&mut self, now: Instant, mut tpdu: Vec<u8>) {
        // TP-MTI 01 is a SUBMIT; the shortest one has an address of one digit and no text.
        if tpdu.len() < 8 || tpdu[0] & 0x03 != 0x01 {
            return self.fail(now, Fail::Cms(304));
        }
        let fault = self
            .knobs
            .submit_faults
            .pop_front()
            .unwrap_or(self.knobs.submit_always);
        tpdu[1] = self.sim.reference;
        self.sim.reference = self.sim.reference.wrapping_add(1);
        let due = now + self.knobs.submit_ms.draw(&mut self.rng);
        let mut submission = Submission {
            tpdu,
            due,
            fault,
            shown: false,
            verdict: None,
        };
        if self.knobs.report_early && fault == SubmitFault::None {
            submission.shown = true;
            self.events
                .push_back(ModemEvent::Submit(submission.tpdu.clone()));
        }
        self.mode = Mode::Submitting(submission);
        self.advance_submission(now);
    }

    pub(super) fn advance_submission(&mut self, now: Instant) {
        let Mode::Submitting(submission) = &mut self.mode else {
            return;
        };
        if submission.due > now {
            return;
        }
        use SubmitFault::{Cms, Error, NoPrompt, SilentLost, SilentSent, VanishLost, VanishSent};
        if !submission.shown {
            submission.shown = true;
            if matches!(
                submission.fault,
                SubmitFault::None | SilentSent | VanishSent
            ) {
                self.events
                    .push_back(ModemEvent::Submit(submission.tpdu.clone()));
            }
        }
        let reference = submission.tpdu[1];
        let (fault, verdict) = (submission.fault, submission.verdict);
        if fault == SubmitFault::None && verdict.is_none() {
            return; // the network still thinks
        }
        self.mode = Mode::Line;
        match fault {
            SubmitFault::None => match verdict {
                Some(Err(code)) => self.fail(now, Fail::Cms(code)),
                _ => {
                    self.collected.push(format!("+CMGS: {reference}"));
                    self.succeed(now);
                }
            },
            Cms(code) => self.fail(now, Fail::Cms(code)),
            Error => self.fail(now, Fail::Plain),
            NoPrompt | SilentSent | SilentLost => {}
            VanishSent | VanishLost => {
                let absence = self.knobs.absence_ms.draw(&mut self.rng);
                self.vanish(now, absence);
            }
        }
    }
}

fn mark_read(stored: &mut Stored) {
    if stored.status == Status::ReceivedUnread {
        stored.status = Status::ReceivedRead;
    }
}

fn set_small(place: &mut u8, value: &str, most: u8) -> Answer {
    match value.parse::<u8>() {
        Ok(n) if n <= most => {
            *place = n;
            Answer::ok()
        }
        _ => Answer::Fail(Fail::Cms(302)),
    }
}

/// A PDU as modems print it: the service centre's address, then the transport PDU.
pub(super) fn with_address(service_centre: &str, tpdu: &[u8]) -> String {
    let mut octets = Vec::with_capacity(tpdu.len() + 12);
    let digits: Vec<u8> = service_centre
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|digit| digit - b'0')
        .collect();
    if digits.is_empty() {
        octets.push(0);
    } else {
        octets.push(1 + digits.len().div_ceil(2) as u8);
        octets.push(0x91);
        octets.extend(
            digits
                .chunks(2)
                .map(|pair| pair[0] | pair.get(1).map_or(0xf0, |high| high << 4)),
        );
    }
    octets.extend_from_slice(tpdu);
    sms::hex::encode(&octets)
}

/// Takes the service centre's address off; also says whether one was given.
fn split_address(digits: &[u8]) -> Option<(bool, Vec<u8>)> {
    let mut octets = sms::hex::decode(std::str::from_utf8(digits).ok()?).ok()?;
    let len = usize::from(*octets.first()?);
    let tpdu = (octets.len() > len).then(|| octets.split_off(1 + len))?;
    Some((len > 0, tpdu))
}
