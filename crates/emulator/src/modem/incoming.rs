//! Messages and reports from the network, and how the program wants to hear of them
//! (`+CNMI`, `+CNMA`: 3GPP TS 27.005 §3.4.1, §3.4.4).

use std::time::{Duration, Instant};

use super::{
    Answer, Fail, Modem,
    memory::{Status, Stored},
    messages::with_address,
    parse::values,
};

/// Indications kept while nobody wants them; later ones are dropped, as a small modem's memory would.
const KEPT_LEN_MAX: usize = 64;

/// Why the network must keep a message and try again later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotTaken {
    /// Off, unplugged, without card or not registered.
    OffAir,
    /// Every memory is full.
    Full,
    /// The one before is not acknowledged yet.
    Busy,
}

/// A message handed over directly that the program must acknowledge.
pub(super) struct Unacknowledged {
    pub(super) deadline: Instant,
    tpdu: Vec<u8>,
    is_report: bool,
}

impl Modem {
    /// A DELIVER for this modem.
    ///
    /// # Errors
    /// See [`NotTaken`]; the message is still the network's then.
    pub fn deliver(&mut self, now: Instant, tpdu: &[u8]) -> Result<(), NotTaken> {
        self.receive(now)?;
        let mode = self.settings.cnmi[1];
        if mode == 2 {
            let line = format!(
                "+CMT: ,{}\r\n{}",
                tpdu.len(),
                with_address(&self.sim.service_centre, tpdu)
            );
            self.indicate(now, line);
            self.expect_acknowledgement(now, tpdu, false);
            return Ok(());
        }
        let stored = Stored {
            status: Status::ReceivedUnread,
            tpdu: tpdu.to_vec(),
        };
        let memory = &mut self.memories[self.settings.selected[2]];
        let index = memory.store(stored).ok_or(NotTaken::Full)?;
        let line = format!("+CMTI: \"{}\",{index}", memory.name);
        if mode == 1 {
            self.indicate(now, line);
        }
        Ok(())
    }

    /// A STATUS-REPORT for this modem.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn report(&mut self, now: Instant, tpdu: &[u8]) -> Result<(), NotTaken> {
        self.receive(now)?;
        match self.settings.cnmi[3] {
            1 => {
                let line = format!(
                    "+CDS: {}\r\n{}",
                    tpdu.len(),
                    with_address(&self.sim.service_centre, tpdu)
                );
                if self.knobs.report_early {
                    self.send_line(now, &line);
                } else {
                    self.indicate(now, line);
                }
                self.expect_acknowledgement(now, tpdu, true);
            }
            2 => {
                let stored = Stored {
                    status: Status::ReceivedUnread,
                    tpdu: tpdu.to_vec(),
                };
                let index = self.memories[2].store(stored).ok_or(NotTaken::Full)?;
                self.indicate(now, format!("+CDSI: \"SR\",{index}"));
            }
            // Nobody wants reports: the modem takes them from the network and drops them.
            _ => {}
        }
        Ok(())
    }

    fn receive(&self, now: Instant) -> Result<(), NotTaken> {
        match (self.is_on_air(now), &self.unacknowledged) {
            (false, _) => Err(NotTaken::OffAir),
            (true, Some(_)) => Err(NotTaken::Busy),
            (true, None) => Ok(()),
        }
    }

    /// `<mode>` decides: 0 keeps indications until it changes, 1 drops them while a command runs, 2 keeps them until the
    /// command ends.
    fn indicate(&mut self, now: Instant, line: String) {
        match self.settings.cnmi[0] {
            0 if self.kept.len() < KEPT_LEN_MAX => self.kept.push_back(line),
            0 => {}
            1 if !self.is_idle(now) && !self.knobs.urc_inside => {}
            _ => self.urc(now, line),
        }
    }

    pub(super) fn set_routing(&mut self, value: &str) -> Answer {
        let mut cnmi = self.settings.cnmi;
        let limits = [2, 2, 2, self.knobs.report_route_max.min(2), 1];
        for (at, text) in values(value).iter().enumerate() {
            match (text.as_str(), text.parse::<u8>(), limits.get(at)) {
                ("", ..) => {}
                (_, Ok(number), Some(&limit)) if number <= limit => cnmi[at] = number,
                _ => return Answer::Fail(Fail::Cms(302)),
            }
        }
        self.settings.cnmi = cnmi;
        if cnmi[0] > 0 {
            // <bfr> 1 throws away what was kept while <mode> was 0; 0 sends it after this command.
            let kept = std::mem::take(&mut self.kept);
            if cnmi[4] == 0 {
                self.held.extend(kept);
            }
        }
        Answer::ok()
    }

    fn expect_acknowledgement(&mut self, now: Instant, tpdu: &[u8], is_report: bool) {
        if self.settings.phase2plus {
            let deadline = now + Duration::from_millis(self.knobs.acknowledge_ms);
            self.unacknowledged = Some(Unacknowledged {
                deadline,
                tpdu: tpdu.to_vec(),
                is_report,
            });
        }
    }

    pub(super) fn acknowledge(&mut self, now: Instant, good: bool) -> Answer {
        match (self.settings.phase2plus, self.unacknowledged.take()) {
            (false, _) | (true, None) => Answer::Fail(Fail::Cms(340)),
            (true, Some(waiting)) => {
                if !good {
                    self.refuse(now, waiting);
                }
                Answer::ok()
            }
        }
    }

    /// No acknowledgement in time: the modem stops handing messages over, and the network keeps this one,
    /// which our network then stores on the card.
    pub(super) fn expire_acknowledgement(&mut self, now: Instant) {
        if let Some(waiting) = self
            .unacknowledged
            .take_if(|waiting| waiting.deadline <= now)
        {
            self.refuse(now, waiting);
        }
    }

    fn refuse(&mut self, now: Instant, waiting: Unacknowledged) {
        self.settings.cnmi[1] = 0;
        self.settings.cnmi[3] = 0;
        if !waiting.is_report {
            // With <mt> 0 it goes to memory, as the repeated delivery would.
            let _ = self.deliver(now, &waiting.tpdu);
        }
    }
}
