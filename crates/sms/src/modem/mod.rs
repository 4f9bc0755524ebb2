//! One modem's AT dialogue (3GPP TS 27.005, TS 27.007), in PDU mode only.
//!
//! [`Modem`] does no IO and reads no clock: feed it bytes and time, drain its polls.
//!
//! * One command at a time. Lines nobody asked for may come anywhere, also between a command and its prompt and inside
//!   a long answer; unknown ones are counted and never complete a command.
//! * After a command that got no answer, none is sent before `ESC CR`, silence and a clean `OK`: the answers could be
//!   one behind.
//! * Every submitted part ends accepted, refused or unknown.
//! * Received messages stay in the modem until the driver confirms that they are durable.
//! * The text of a message reaches the modem only as hexadecimal digits, so it can never be taken for a command.

mod answers;
mod calling;
mod command;
mod error_class;
mod event;
mod inbox;
mod ladder;
mod lines;
mod receiving;
mod recovery;
mod reports;
mod sending;
mod setup;

#[cfg(test)]
mod tests;

pub use calling::RING_FOR_MAX;
pub use error_class::{ErrorClass, FinalError};
pub use event::{
    Event, Memory, Outcome, RefusalReason, Registration, RingId, RingOutcome, Status, StoredToken,
    SubmitId, Trouble, UnknownReason,
};

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::pdu::SubmitPdu;
use answers::final_result;
use calling::{Line, Ring};
use command::{Command, Expected, REASSERT, SETUP, STATUS, Step};
use inbox::Inbox;
use ladder::Ladder;
use lines::{Heard, LineReader};
use receiving::{Memories, PduHeader};
use recovery::Resync;
use reports::Reports;
use sending::Outgoing;

/// How often both memories are looked through, whatever was announced.
pub const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Without any other command for so long, the modem is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(30);
const STATUS_EVERY: Duration = Duration::from_secs(60);
const REASSERT_EVERY: Duration = Duration::from_secs(3600);
/// Most lines kept of one answer.
const ANSWER_LINES_MAX: usize = 64;

/// What the engine cannot find out by itself.
#[derive(Clone, Debug, Default)]
pub struct ModemConfig {
    /// The SIM's PIN. Best is none: switch it off and bind the SIM to the modem by contract.
    pub pin: Option<Pin>,
    /// The operator's service centre, for SIMs that hold none.
    pub smsc: Option<Address>,
}

/// A SIM's PIN: 4 to 8 digits. Never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Pin(String);

/// Not a PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a SIM PIN has 4 to 8 digits")]
pub struct PinError;

impl Pin {
    /// Accepts 4 to 8 digits.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let fits = (4..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| Self(text.to_owned())).ok_or(PinError)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// One modem behind one port.
#[derive(Debug)]
pub struct Modem {
    config: ModemConfig,
    reader: LineReader,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    phase: Phase,
    /// Commands to come before anything new is planned.
    work: VecDeque<Command>,
    running: Option<Running>,
    /// A pause the modem asked for.
    hold_until: Option<Instant>,
    /// Headers whose PDU line has not come yet.
    headers: Vec<PduHeader>,
    /// Final results that belong to commands given up long ago.
    stale_finals: u8,
    outbox: VecDeque<Outgoing>,
    ring: Option<Ring>,
    line: Line,
    inbox: Inbox,
    reports: Reports,
    ladder: Ladder,
    memories: Memories,
    setup: setup::Progress,
    status: Status,
    status_shown: Status,
    sweep_at: Instant,
    status_at: Instant,
    reassert_at: Instant,
    last_answer: Instant,
    /// Since when parts cannot be sent.
    not_ready_since: Option<Instant>,
    /// Refusals in a row that speak of a modem unwell.
    suspicions: u32,
    lines_ignored: u64,
}

#[derive(Debug)]
enum Phase {
    /// The driver must open the port.
    Closed,
    Resync(Resync),
    Setup,
    /// The driver must say whether the PIN may be tried.
    AwaitPin {
        until: Instant,
    },
    Ready,
    /// A person is needed; looked at again later.
    Stopped {
        retry_at: Instant,
    },
    /// `AT+CFUN=1,1` has been sent.
    Resetting {
        until: Instant,
    },
}

/// The command whose answer is being awaited.
#[derive(Debug)]
struct Running {
    command: Command,
    text: String,
    stage: Stage,
    deadline: Instant,
    lines: Vec<String>,
    records: Vec<receiving::Record>,
}

#[derive(Debug)]
enum Stage {
    Answer,
    Prompt,
    /// The PDU has been handed over.
    Final {
        slow_at: Option<Instant>,
    },
}

impl Modem {
    /// A modem whose port has just been opened.
    pub fn new(now: Instant, config: ModemConfig) -> Self {
        let mut modem = Self {
            config,
            reader: LineReader::default(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
            phase: Phase::Closed,
            work: VecDeque::new(),
            running: None,
            hold_until: None,
            headers: Vec::new(),
            stale_finals: 0,
            outbox: VecDeque::new(),
            ring: None,
            line: Line::default(),
            inbox: Inbox::default(),
            reports: Reports::default(),
            ladder: Ladder::default(),
            memories: Memories::default(),
            setup: setup::Progress::default(),
            status: Status::default(),
            status_shown: Status::default(),
            sweep_at: now,
            status_at: now,
            reassert_at: now,
            last_answer: now,
            not_ready_since: Some(now),
            suspicions: 0,
            lines_ignored: 0,
        };
        modem.port_opened(now);
        modem
    }

    /// Sends one part. Its end comes as [`Event::Submitted`]. Parts go out in the order given, so hand over all parts of
    /// a message together: operators drop messages whose parts come far apart.
    pub fn submit(&mut self, now: Instant, id: SubmitId, pdu: SubmitPdu) {
        self.enqueue(now, id, pdu);
        self.advance(now);
    }

    /// What was received under this token is durable and may be deleted from the modem.
    pub fn confirm_stored(&mut self, now: Instant, token: StoredToken) {
        self.inbox.confirm(token);
        self.advance(now);
    }

    /// Answers [`Event::PinWanted`]. Say `true` only when the try itself has been made durable.
    pub fn answer_pin(&mut self, now: Instant, may_try: bool) {
        self.pin_answered(now, may_try);
        self.advance(now);
    }

    /// The port has been opened (again).
    pub fn port_opened(&mut self, now: Instant) {
        self.recover_on_open_port(now);
    }

    /// The port is gone: end of file, or an IO error. Call [`port_opened`](Self::port_opened) when it is back.
    pub fn port_lost(&mut self, now: Instant) {
        self.close(now);
    }

    /// Bytes from the port.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        for byte in bytes {
            if matches!(self.phase, Phase::Closed) {
                return;
            }
            self.resync_overhears(*byte);
            let prompt_expected = matches!(
                self.running,
                Some(Running {
                    stage: Stage::Prompt,
                    ..
                })
            );
            match self.reader.push(*byte, prompt_expected) {
                Some(Heard::Prompt) => self.prompted(now),
                Some(Heard::Line(line)) => self.hear(now, &line),
                None => {}
            }
        }
        self.advance(now);
    }

    /// Time has passed; harmless at any time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.running_timeout(now);
        self.phase_timeout(now);
        for matched in self.reports.handle_timeout(now) {
            self.show_report(matched);
        }
        self.refuse_overdue(now);
        self.end_overdue_ring(now);
        self.advance(now);
    }

    /// Bytes for the port.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// News for the driver.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_running = self.running.as_ref().map(|running| match running.stage {
            Stage::Final {
                slow_at: Some(slow_at),
            } => slow_at.min(running.deadline),
            Stage::Final { slow_at: None } | Stage::Answer | Stage::Prompt => running.deadline,
        });
        let of_phase = match &self.phase {
            _ if of_running.is_some() => None,
            Phase::Closed => None,
            Phase::Resync(resync) => Some(resync.until()),
            Phase::Setup => self.hold_until,
            Phase::AwaitPin { until } | Phase::Resetting { until } => Some(*until),
            Phase::Stopped { retry_at } => Some(*retry_at),
            Phase::Ready => self
                .hold_until
                .or_else(|| self.call_due())
                .or(Some(self.next_chore())),
        };
        [
            of_running,
            of_phase,
            self.reports.poll_timeout(),
            self.overdue_at(),
            self.ring_overdue_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether parts are being tried.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// What is known of modem, SIM and network.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Lines that meant nothing to the engine, since it was made.
    pub fn lines_ignored(&self) -> u64 {
        self.lines_ignored
    }

    /// Sorts one line: PDU, final result, answer, or something nobody asked for.
    fn hear(&mut self, now: Instant, line: &str) {
        if self
            .running
            .as_ref()
            .is_some_and(|running| running.text == line)
        {
            return; // echo
        }
        if self.take_pdu_line(now, line) {
            return;
        }
        // A modem left in numeric mode says 0 for OK until it is told otherwise.
        let is_numeric_ok = line == "0" && matches!(self.phase, Phase::Resync(_));
        if let Some(result) = final_result(if is_numeric_ok { "OK" } else { line }) {
            self.headers.clear();
            if self.stale_finals > 0 {
                self.stale_finals -= 1;
            } else {
                self.final_result(now, result);
            }
            return;
        }
        if self.is_answer(line) {
            self.take_answer_line(line);
        } else if !self.unasked(now, line) {
            self.take_free_line(line);
        }
    }

    fn is_answer(&self, line: &str) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        match running.command.expected() {
            Expected::Named(names) => {
                let name = line.split_once(':').map(|(name, _)| name);
                let awaits_answer = !matches!(running.stage, Stage::Prompt);
                awaits_answer && name.is_some_and(|name| names.contains(&name))
            }
            Expected::Nothing | Expected::Anything => false,
        }
    }

    fn take_answer_line(&mut self, line: &str) {
        let Some(running) = &mut self.running else {
            return;
        };
        if let Some(header) = receiving::record_header(&running.command, line) {
            self.headers.push(header);
        } else if running.lines.len() < ANSWER_LINES_MAX {
            running.lines.push(line.to_owned());
        }
    }

    /// Names and numbers come as bare lines; anything else that is left means nothing.
    fn take_free_line(&mut self, line: &str) {
        match &mut self.running {
            Some(running)
                if running.command.expected() == Expected::Anything
                    && running.lines.len() < ANSWER_LINES_MAX =>
            {
                running.lines.push(line.to_owned());
            }
            _ => self.lines_ignored += 1,
        }
    }

    fn final_result(&mut self, now: Instant, result: Result<(), FinalError>) {
        match &self.phase {
            Phase::Resync(_) => return self.resync_result(now, result),
            Phase::Resetting { .. } => return self.reopen(now),
            Phase::Closed
            | Phase::Setup
            | Phase::AwaitPin { .. }
            | Phase::Ready
            | Phase::Stopped { .. } => {}
        }
        let awaits_prompt = matches!(
            self.running,
            Some(Running {
                stage: Stage::Prompt,
                ..
            })
        );
        if awaits_prompt && result.is_ok() {
            self.lines_ignored += 1; // an OK cannot answer a command that asks for a prompt first
            return;
        }
        let is_stale = matches!(
            (&self.running, result),
            (Some(running), Err(FinalError::Cms(_))) if !running.command.is_of_messages()
        );
        if is_stale {
            self.lines_ignored += 1; // the late end of a part given up
            return;
        }
        let Some(running) = self.running.take() else {
            self.lines_ignored += 1;
            return;
        };
        self.last_answer = now;
        self.ladder.answered();
        if running.command.is_needed() {
            self.setup.hangs = 0;
        }
        match running.command.clone() {
            Command::Setup(step) => self.step_ended(now, step, result, &running.lines),
            Command::Select(memory) => self.selected(now, memory, result, &running.lines),
            Command::List(memory) => self.memory_listed(now, memory, result, running.records),
            Command::Read(slot) => self.slot_read(now, slot, result, running.records, true),
            Command::Walk(slot) => self.slot_read(now, slot, result, running.records, false),
            Command::Delete(slot) => self.slot_deleted(now, slot, result),
            Command::Send(_) => self.send_ended(now, result, &running.lines),
            Command::Dial(_) => self.dial_answered(result),
            Command::LookAtCalls => self.calls_listed(now, result, &running.lines),
            Command::HangUp(way) => self.hung_up(way, result),
            Command::Ping => {}
        }
    }

    /// Starts the next command when none is running.
    fn advance(&mut self, now: Instant) {
        // Each turn either starts a command or ends work without one; the bound only guards against a slip in here.
        for _ in 0..1024 {
            if self.running.is_some() || self.hold_until.is_some_and(|until| now < until) {
                return;
            }
            self.hold_until = None;
            match self.phase {
                Phase::Setup | Phase::Ready => {}
                Phase::Closed
                | Phase::Resync(_)
                | Phase::AwaitPin { .. }
                | Phase::Stopped { .. }
                | Phase::Resetting { .. } => return,
            }
            if self.work.is_empty() {
                self.show_status();
                if matches!(self.phase, Phase::Setup) {
                    self.setup_ended(now);
                } else if !self.plan(now) {
                    return;
                }
            }
            if let Some(command) = self.work.pop_front() {
                self.start(now, command);
            }
        }
    }

    /// Chooses what to do next when ready; false when there is nothing to do.
    fn plan(&mut self, now: Instant) -> bool {
        let sweep_overdue = now >= self.sweep_at + SWEEP_EVERY;
        if let Some(slot) = self.inbox.next_announced() {
            self.plan_in_memory(slot.0, Command::Read(slot));
        } else if let Some(slot) = self.inbox.next_deletion() {
            self.plan_in_memory(slot.0, Command::Delete(slot));
        } else if let Some(planned) = self.plan_call(now) {
            return planned;
        } else if !sweep_overdue && (self.plan_send() || self.plan_ring()) {
            // planned, or ended without a command
        } else if now >= self.sweep_at {
            self.sweep_at = now + SWEEP_EVERY;
            self.plan_sweep();
        } else if now >= self.reassert_at {
            self.setup.hung.clear(); // another chance
            self.plan_reassert(now);
        } else if now >= self.status_at {
            self.status_at = now + STATUS_EVERY;
            self.work.extend(self.unless_hung(STATUS));
        } else if self.memories.must_restore() {
            self.work
                .push_back(Command::Select(self.memories.preferred));
        } else if now >= self.last_answer + PING_AFTER {
            self.work.push_back(Command::Ping);
        } else {
            return false;
        }
        true
    }

    fn next_chore(&self) -> Instant {
        self.sweep_at
            .min(self.reassert_at)
            .min(self.status_at)
            .min(self.last_answer + PING_AFTER)
    }

    fn plan_reassert(&mut self, now: Instant) {
        self.reassert_at = now + REASSERT_EVERY;
        self.work
            .extend(REASSERT.iter().copied().map(Command::Setup));
    }

    fn begin_setup(&mut self) {
        self.phase = Phase::Setup;
        self.setup.restart();
        self.work = self.unless_hung(SETUP).into();
    }

    /// Steps this modem has left unanswered twice are left out.
    fn unless_hung(&self, steps: &[Step]) -> Vec<Command> {
        let hangs = |step: &Step| self.setup.hung.iter().filter(|hung| *hung == step).count();
        steps
            .iter()
            .filter(|step| hangs(step) < 2)
            .copied()
            .map(Command::Setup)
            .collect()
    }

    fn start(&mut self, now: Instant, command: Command) {
        let text = self.text_of(&command);
        let stage = if matches!(command, Command::Send(_)) {
            Stage::Prompt
        } else {
            Stage::Answer
        };
        self.transmit.push_back(format!("{text}\r").into_bytes());
        let deadline = if let Command::Dial(_) = command {
            self.dialled(now);
            now + self.dial_text().1
        } else {
            now + command.timeout()
        };
        self.running = Some(Running {
            command,
            text,
            stage,
            deadline,
            lines: Vec::new(),
            records: Vec::new(),
        });
    }

    fn text_of(&self, command: &Command) -> String {
        match command {
            Command::Setup(step) => self.step_text(*step),
            Command::Select(memory) => format!("AT+CPMS=\"{memory}\""),
            Command::List(_) => "AT+CMGL=4".to_owned(),
            Command::Read((_, index)) | Command::Walk((_, index)) => format!("AT+CMGR={index}"),
            Command::Delete((_, index)) => format!("AT+CMGD={index}"),
            Command::Send(_) => self.send_text(),
            Command::Dial(_) => self.dial_text().0,
            Command::LookAtCalls => "AT+CLCC".to_owned(),
            Command::HangUp(way) => Self::hang_up_text(*way).to_owned(),
            Command::Ping => "AT".to_owned(),
        }
    }

    fn show_status(&mut self) {
        if self.status != self.status_shown {
            self.status_shown = self.status.clone();
            self.events
                .push_back(Event::Status(Box::new(self.status.clone())));
        }
    }

    fn trouble(&mut self, trouble: Trouble) {
        if self.setup.told.as_ref() != Some(&trouble) {
            self.setup.told = Some(trouble.clone());
            self.events.push_back(Event::Trouble(trouble));
        }
    }
}
