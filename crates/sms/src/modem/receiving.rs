//! Messages and reports on their way in: announced, handed over, found in a sweep; shown, confirmed, deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::answers::{fields, incoming_pdu, is_hex, memory_usage, registration};
use super::command::Command;
use super::event::{Memory, StoredToken};
use super::inbox::Slot;
use super::reports::Matched;
use super::{Event, FinalError, Modem, Phase, Running, Stage};
use crate::pdu::Pdu;

/// A memory whose listing hung or failed is read slot by slot for so long.
const LISTING_DISTRUSTED: Duration = Duration::from_secs(3600);
/// Most messages taken from one listing; the next sweep finds the rest.
const RECORDS_MAX: usize = 512;
/// Most headers awaiting their PDU line.
const HEADERS_MAX: usize = 4;
/// Most slots walked through one by one.
const WALK_MAX: u16 = 512;
/// A memory this full is worth an alarm, in percent.
const FILLING_PERCENT: u32 = 70;

/// The first of two lines; the PDU is the second.
#[derive(Debug)]
pub(super) struct PduHeader {
    origin: Origin,
    /// Octets without the service-centre address.
    tpdu_len: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    /// `+CMT`, `+CDS`: handed over, never stored.
    Direct,
    /// `+CMGR`, `+CMGL`: in this slot.
    Slot(Slot),
}

/// One message of a listing.
#[derive(Debug)]
pub(super) struct Record {
    slot: Slot,
    raw: String,
    tpdu_len: Option<usize>,
}

/// What is known of the modem's stores.
#[derive(Debug)]
pub(super) struct Memories {
    /// Those to sweep.
    pub(super) all: Vec<Memory>,
    /// Where new messages are stored.
    pub(super) preferred: Memory,
    selected: Option<Memory>,
    /// Those of the sweep under way whose turn has not come.
    to_list: BTreeSet<Memory>,
    distrusted: BTreeMap<Memory, Instant>,
    filling: BTreeSet<Memory>,
}

impl Default for Memories {
    fn default() -> Self {
        Self {
            all: vec![Memory::ME, Memory::SM],
            preferred: Memory::ME,
            selected: None,
            to_list: BTreeSet::new(),
            distrusted: BTreeMap::new(),
            filling: BTreeSet::new(),
        }
    }
}

impl Memories {
    pub(super) fn forget_selection(&mut self) {
        self.selected = None;
    }

    pub(super) fn must_restore(&self) -> bool {
        self.selected != Some(self.preferred)
    }

    pub(super) fn distrust_listing(&mut self, now: Instant, memory: Memory) {
        self.distrusted.insert(memory, now + LISTING_DISTRUSTED);
    }

    fn trusts_listing(&self, now: Instant, memory: Memory) -> bool {
        self.distrusted
            .get(&memory)
            .is_none_or(|until| *until <= now)
    }
}

/// The header of a stored message in the answer to a listing or reading.
pub(super) fn record_header(command: &Command, line: &str) -> Option<PduHeader> {
    let (name, rest) = line.split_once(':')?;
    let fields = fields(rest);
    let slot = match (command, name) {
        (Command::List(memory), "+CMGL") => (*memory, fields.first()?.parse().ok()?),
        (Command::Read(slot) | Command::Walk(slot), "+CMGR") => *slot,
        _ => return None,
    };
    Some(PduHeader {
        origin: Origin::Slot(slot),
        tpdu_len: fields.last()?.parse().ok(),
    })
}

impl Modem {
    /// Takes a line of hexadecimal digits as the PDU of a header before it; other things may have come in between.
    pub(super) fn take_pdu_line(&mut self, now: Instant, line: &str) -> bool {
        if self.headers.is_empty() || !is_hex(line) {
            return false;
        }
        let octets = line.len() / 2;
        let smsc_octets = line
            .get(..2)
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
            .unwrap_or(0);
        let fits = |header: &PduHeader| {
            header
                .tpdu_len
                .is_some_and(|len| octets == len + 1 + smsc_octets)
        };
        // The header whose length fits, else the latest.
        let position = self
            .headers
            .iter()
            .rposition(fits)
            .unwrap_or(self.headers.len() - 1);
        let header = self.headers.remove(position);
        match header.origin {
            Origin::Direct => {
                let token = self.inbox.unstored_token();
                self.show(now, token, line, header.tpdu_len);
            }
            Origin::Slot(slot) => {
                if let Some(Running { records, .. }) = &mut self.running
                    && records.len() < RECORDS_MAX
                {
                    records.push(Record {
                        slot,
                        raw: line.to_owned(),
                        tpdu_len: header.tpdu_len,
                    });
                }
            }
        }
        true
    }

    /// Lines nobody asked for; false when this one means nothing.
    pub(super) fn unasked(&mut self, now: Instant, line: &str) -> bool {
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        match name {
            "+CMTI" | "+CDSI" => {
                let fields = fields(rest);
                let memory = fields.first().and_then(|name| Memory::parse(name));
                let index = fields.get(1).and_then(|index| index.parse().ok());
                let believed = memory
                    .zip(index)
                    .is_some_and(|slot| self.inbox.announce(slot));
                if !believed {
                    self.sweep_at = now;
                }
            }
            "+CMT" | "+CDS" => {
                let tpdu_len = fields(rest).last().and_then(|length| length.parse().ok());
                if self.headers.len() >= HEADERS_MAX {
                    self.headers.remove(0);
                }
                self.headers.push(PduHeader {
                    origin: Origin::Direct,
                    tpdu_len,
                });
            }
            "+CREG" => self.registered(now, rest, true),
            "+CEREG" => self.registered(now, rest, false),
            "+CMGS" => {
                // The answer to a part given up long ago; its OK follows.
                self.stale_finals = self.stale_finals.saturating_add(1).min(4);
            }
            "+CPIN" if rest.trim() == "READY" => {
                self.reassert_at = now;
                if let Phase::Stopped { retry_at } = &mut self.phase {
                    *retry_at = now; // somebody has seen to the SIM
                }
            }
            "+CPIN" => self.restart_setup(now),
            "RDY" | "^SYSSTART" => self.modem_restarted(now),
            "SMS READY" | "SMS Ready" | "SMS DONE" | "PB DONE" | "+PBREADY" | "Call Ready" => {
                self.reassert_at = now
            }
            "RING" | "+CRING" => self.called(now, None),
            "+CLIP" => self.called(now, Some(rest)),
            "NO CARRIER" | "BUSY" | "NO ANSWER" | "NO DIALTONE" => self.call_ended(now, name),
            _ => return false,
        }
        true
    }

    fn registered(&mut self, now: Instant, rest: &str, circuit: bool) {
        let could_sms = self.status.can_sms();
        let registration = registration(rest, false);
        if circuit {
            self.status.circuit = registration;
        } else {
            self.status.packet = registration;
        }
        if could_sms == Some(false) && self.status.can_sms() == Some(true) {
            self.reassert_at = now; // modems forget their settings over it
        }
    }

    pub(super) fn plan_in_memory(&mut self, memory: Memory, command: Command) {
        if self.memories.selected != Some(memory) {
            self.work.push_back(Command::Select(memory));
        }
        self.work.push_back(command);
    }

    pub(super) fn plan_sweep(&mut self) {
        self.memories.to_list = self.memories.all.iter().copied().collect();
        self.work
            .extend(self.memories.all.iter().copied().map(Command::Select));
    }

    pub(super) fn selected(
        &mut self,
        now: Instant,
        memory: Memory,
        result: Result<(), FinalError>,
        lines: &[String],
    ) {
        let is_swept = self.memories.to_list.remove(&memory);
        if result.is_err() {
            // What was to follow would meet the wrong memory.
            self.memories.selected = None;
            while self
                .work
                .front()
                .is_some_and(|command| !matches!(command, Command::Select(_)))
            {
                self.work.pop_front();
            }
            return;
        }
        self.memories.selected = Some(memory);
        let usage = lines
            .iter()
            .find_map(|line| memory_usage(line.strip_prefix("+CPMS:")?));
        if let Some((used, total)) = usage {
            self.note_usage(memory, used, total);
        }
        match usage {
            _ if !is_swept => {}
            Some((0, _)) => self.inbox.listed(memory, &BTreeSet::new()),
            _ if self.memories.trusts_listing(now, memory) => {
                self.work.push_front(Command::List(memory))
            }
            Some((_, total)) => self.plan_walk(memory, total),
            None => self.plan_walk(memory, WALK_MAX),
        }
    }

    /// Slot by slot, for modems whose listing hangs. Some count from 0, others from 1.
    fn plan_walk(&mut self, memory: Memory, total: u16) {
        for index in (0..=total.min(WALK_MAX)).rev() {
            self.work.push_front(Command::Walk((memory, index)));
        }
    }

    pub(super) fn note_usage(&mut self, memory: Memory, used: u16, total: u16) {
        let is_filling = total > 0 && u32::from(used) * 100 >= u32::from(total) * FILLING_PERCENT;
        if !is_filling {
            self.memories.filling.remove(&memory);
        } else if self.memories.filling.insert(memory) {
            self.events.push_back(Event::MemoryFilling {
                memory,
                used,
                total,
            });
        }
    }

    pub(super) fn memory_listed(
        &mut self,
        now: Instant,
        memory: Memory,
        result: Result<(), FinalError>,
        records: Vec<Record>,
    ) {
        let is_whole = result.is_ok() && records.len() < RECORDS_MAX;
        let indices = records.iter().map(|record| record.slot.1).collect();
        for record in records {
            self.found(now, record);
        }
        if is_whole {
            self.inbox.listed(memory, &indices);
        } else if result.is_err() {
            self.memories.distrust_listing(now, memory);
            self.memories.to_list.insert(memory);
            self.work.push_front(Command::Select(memory));
        }
    }

    pub(super) fn slot_read(
        &mut self,
        now: Instant,
        slot: Slot,
        result: Result<(), FinalError>,
        records: Vec<Record>,
        was_announced: bool,
    ) {
        let is_empty = records.is_empty();
        for record in records {
            self.found(now, record);
        }
        if is_empty && was_announced && result.is_err() {
            self.sweep_at = now; // announced and not there: look where it is
        } else if is_empty && result.is_ok() {
            self.inbox.deleted(slot);
        }
    }

    pub(super) fn slot_deleted(
        &mut self,
        now: Instant,
        slot: Slot,
        result: Result<(), FinalError>,
    ) {
        match result {
            Ok(()) => self.inbox.deleted(slot),
            // The sweep finds it again, knows it as confirmed, and deletes it then.
            Err(_) => self.sweep_at = self.sweep_at.max(now),
        }
    }

    fn found(&mut self, now: Instant, record: Record) {
        if let Some(token) = self.inbox.found(now, record.slot, &record.raw) {
            self.show(now, token, &record.raw, record.tpdu_len);
        }
    }

    fn show(&mut self, now: Instant, token: StoredToken, raw: &str, tpdu_len: Option<usize>) {
        match incoming_pdu(raw, tpdu_len) {
            Ok(Pdu::Deliver(pdu)) => {
                self.events.push_back(Event::Received {
                    token,
                    pdu: Box::new(pdu),
                    raw: raw.to_owned(),
                });
            }
            Ok(Pdu::StatusReport(report)) => {
                if let Some(matched) = self.reports.reported(now, token, Box::new(report)) {
                    self.show_report(matched);
                }
            }
            Err(error) => {
                let (raw, reason) = (raw.to_owned(), error.to_string());
                self.events
                    .push_back(Event::Quarantined { token, raw, reason });
            }
        }
    }

    pub(super) fn show_report(&mut self, (token, id, report): Matched) {
        self.events.push_back(Event::Reported { token, id, report });
    }

    /// Begins the set-up anew without doubting the line, unless a part is on its way.
    pub(super) fn restart_setup(&mut self, now: Instant) {
        let is_sending = matches!(
            self.running,
            Some(Running {
                stage: Stage::Final { .. } | Stage::Prompt,
                ..
            })
        );
        if is_sending {
            self.reassert_at = now;
        } else if matches!(self.phase, Phase::Ready) {
            self.setup.done = false;
            self.begin_resync(now, Duration::from_millis(300));
        }
    }
}
