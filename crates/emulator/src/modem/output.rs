//! What leaves the port, and when.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::RngExt;

use super::{Fail, Framing, Modem};

/// Unsolicited lines kept for the end of a command; the oldest go first.
const HELD_LEN_MAX: usize = 64;
/// Writes kept for a reader that does not read; the newest are dropped.
const OUTPUT_LEN_MAX: usize = 64 * 1024;
/// How far apart merged writes may be, and how far apart dribbled ones are.
const MERGE_WITHIN: Duration = Duration::from_millis(15);
const DRIBBLE_EVERY: Duration = Duration::from_millis(1);

/// Writes in order, each with the time it is due.
#[derive(Default)]
pub(super) struct Output {
    writes: VecDeque<(Instant, Vec<u8>)>,
}

impl Output {
    pub(super) fn clear(&mut self) {
        self.writes.clear();
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.writes.front().map(|&(due, _)| due)
    }

    pub(super) fn push(&mut self, due: Instant, bytes: Vec<u8>, framing: Framing) {
        if self.writes.len() >= OUTPUT_LEN_MAX {
            return;
        }
        let last = self.writes.back().map(|&(due, _)| due);
        match framing {
            Framing::Whole => self
                .writes
                .push_back((last.map_or(due, |last| last.max(due)), bytes)),
            Framing::Merged => {
                let due = due + MERGE_WITHIN;
                self.writes
                    .push_back((last.map_or(due, |last| last.max(due)), bytes));
            }
            Framing::Dribble => {
                let mut at = last.map_or(due, |last| due.max(last + DRIBBLE_EVERY));
                for byte in bytes {
                    self.writes.push_back((at, vec![byte]));
                    at += DRIBBLE_EVERY;
                }
            }
        }
    }

    /// Sends back a typed byte; bytes typed together come back together.
    pub(super) fn echo(&mut self, due: Instant, byte: u8, framing: Framing) {
        match self.writes.back_mut() {
            Some((last, bytes)) if framing == Framing::Whole && *last == due => bytes.push(byte),
            _ => self.push(due, vec![byte], framing),
        }
    }

    pub(super) fn take_due(&mut self, now: Instant, framing: Framing) -> Option<Vec<u8>> {
        let (_, mut bytes) = self.writes.pop_front_if(|&mut (due, _)| due <= now)?;
        if framing == Framing::Merged {
            // Once a write goes out, all that wait behind it go along.
            while let Some((_, more)) = self
                .writes
                .pop_front_if(|&mut (due, _)| due <= now + MERGE_WITHIN)
            {
                bytes.extend(more);
            }
        }
        Some(bytes)
    }
}

impl Modem {
    /// Ends a command line well: its information lines, then `OK`.
    pub(super) fn succeed(&mut self, now: Instant) {
        let mut text = String::new();
        for line in std::mem::take(&mut self.collected) {
            text.push_str(&format!("\r\n{line}\r\n"));
            self.interrupt(&mut text);
        }
        text.push_str(if self.settings.verbose {
            "\r\nOK\r\n"
        } else {
            "0\r"
        });
        self.answer(now, &text);
    }

    /// Ends a command line badly; information lines of earlier commands are still given.
    pub(super) fn fail(&mut self, now: Instant, fail: Fail) {
        let mut text: String = std::mem::take(&mut self.collected)
            .iter()
            .map(|line| format!("\r\n{line}\r\n"))
            .collect();
        self.interrupt(&mut text);
        match (fail, self.settings.error_level) {
            (Fail::Cme(code), 1..) => text.push_str(&format!(
                "\r\n+CME ERROR: {}\r\n",
                self.error_text(fail, code)
            )),
            (Fail::Cms(code), 1..) => text.push_str(&format!(
                "\r\n+CMS ERROR: {}\r\n",
                self.error_text(fail, code)
            )),
            _ if self.settings.verbose => text.push_str("\r\nERROR\r\n"),
            _ => text.push_str("4\r"),
        }
        self.answer(now, &text);
    }

    /// Sends an answer after the latency, and noise before it if so turned.
    pub(super) fn answer(&mut self, now: Instant, text: &str) {
        let due = now + self.knobs.answer_ms.draw(&mut self.rng);
        if self.knobs.garbage_percent > 0
            && self.rng.random_range(0..100) < self.knobs.garbage_percent
        {
            let noise: Vec<u8> = (0..self.rng.random_range(1..20))
                .map(|_| self.rng.random())
                .collect();
            self.output.push(due, noise, self.knobs.framing);
        }
        self.output
            .push(due, text.as_bytes().to_vec(), self.knobs.framing);
        self.busy_until = Some(due);
    }

    /// Asks for a PDU (3GPP TS 27.005 §4.3): `<CR><LF>> `, without a line end.
    pub(super) fn prompt(&mut self, due: Instant) {
        let mut text = String::new();
        self.interrupt(&mut text);
        text.push_str("\r\n> ");
        self.output.push(due, text.into_bytes(), self.knobs.framing);
        self.busy_until = Some(due);
    }

    /// Sends an unsolicited line, at once or at the end of the command under way.
    pub(super) fn urc(&mut self, now: Instant, line: String) {
        if !self.plugged || self.is_hung() {
            return;
        }
        if self.is_idle(now) || self.knobs.urc_inside {
            self.send_line(now, &line);
        } else {
            if self.held.len() >= HELD_LEN_MAX {
                self.held.pop_front();
            }
            self.held.push_back(line);
        }
    }

    pub(super) fn send_line(&mut self, now: Instant, line: &str) {
        self.output.push(
            now,
            format!("\r\n{line}\r\n").into_bytes(),
            self.knobs.framing,
        );
    }

    /// Puts vendor chatter in the middle of an answer if so turned.
    fn interrupt(&mut self, text: &mut String) {
        if self.knobs.urc_inside {
            text.push_str(&format!("\r\n^RSSI: {}\r\n", self.rng.random_range(1..=31)));
        }
    }

    fn error_text(&self, fail: Fail, code: u16) -> String {
        let name = match (fail, code) {
            _ if self.settings.error_level < 2 => None,
            (Fail::Cme(_), 3) => Some("operation not allowed"),
            (Fail::Cme(_), 4) => Some("operation not supported"),
            (Fail::Cme(_), 10) | (Fail::Cms(_), 310) => Some("SIM not inserted"),
            (Fail::Cme(_), 11) | (Fail::Cms(_), 311) => Some("SIM PIN required"),
            (Fail::Cme(_), 12) | (Fail::Cms(_), 316) => Some("SIM PUK required"),
            (Fail::Cme(_), 14) | (Fail::Cms(_), 314) => Some("SIM busy"),
            (Fail::Cme(_), 16) => Some("incorrect password"),
            _ => None,
        };
        name.map_or_else(|| code.to_string(), str::to_owned)
    }
}
