//! One emulated modem: bytes, radio traffic and time in; bytes and events out. Does no IO, reads no clock, and with
//! the same seed and inputs behaves the same. [`crate::network::Network`] moves messages between modems.

mod calls;
mod general;
mod incoming;
mod knobs;
mod memory;
mod messages;
mod output;
mod parse;
mod registration;
mod sim;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

pub(crate) use self::knobs::patched;
use self::{
    calls::Call,
    incoming::Unacknowledged,
    memory::Memory,
    messages::{PduFor, Submission},
    output::Output,
    parse::{Ask, Command},
    sim::SimState,
};
pub use self::{
    calls::CallState,
    incoming::NotTaken,
    knobs::{Between, Framing, Hang, Knobs, Sim, SubmitFault},
};

/// The longest command line kept; V.250 asks for 40 at least.
const LINE_LEN_MAX: usize = 2048;
/// The longest PDU kept after a prompt, in hexadecimal digits.
const PDU_LEN_MAX: usize = 1024;
/// What the port may send while a command runs.
const INPUT_LEN_MAX: usize = 16 * 1024;

/// What a modem is; its [`Knobs`] say how it behaves.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModemConfig {
    /// Names it in the control protocol and in its port's path; letters, digits, `-` and `_`.
    pub name: String,
    /// The subscriber number of its SIM, in international form.
    pub number: String,
    /// The operator's name, as `+COPS?` shows it.
    #[serde(default = "default_operator")]
    pub operator: String,
    /// How it behaves from the start.
    #[serde(default)]
    pub knobs: Knobs,
}

impl ModemConfig {
    /// A well-behaved modem.
    #[must_use]
    pub fn new(name: &str, number: &str) -> Self {
        Self {
            name: name.to_owned(),
            number: number.to_owned(),
            operator: default_operator(),
            knobs: Knobs::default(),
        }
    }
}

fn default_operator() -> String {
    "Emulated".to_owned()
}

/// What a modem asks of the network around it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ModemEvent {
    /// A SUBMIT, TP-MR filled in; answer with [`Modem::conclude`].
    Submit(Vec<u8>),
    /// A voice call to this number began.
    Dial(String),
    /// The modem took the incoming call.
    PickUp,
    /// The modem ended its call.
    HangUp,
}

/// How a command ends.
enum Answer {
    /// Information lines, then `OK` once the rest of the line has run.
    Ok(Vec<String>),
    Fail(Fail),
    /// A prompt, then a PDU.
    Pdu(PduFor),
    /// This instead of lines and result code.
    Raw(String),
    /// Never answered.
    Silent,
    /// `OK`, then the port is gone for so long.
    Vanish(Duration),
}

impl Answer {
    fn ok() -> Self {
        Self::Ok(Vec::new())
    }

    fn line(text: impl Into<String>) -> Self {
        Self::Ok(vec![text.into()])
    }
}

/// How a command fails: 3GPP TS 27.007 §9.2 (`Cme`), TS 27.005 §3.2.5 (`Cms`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fail {
    Plain,
    Cme(u16),
    Cms(u16),
}

/// What the next byte from the port belongs to.
enum Mode {
    Line,
    Pdu(PduFor),
    Submitting(Submission),
}

/// What a reset forgets.
struct Settings {
    echo: bool,
    verbose: bool,
    error_level: u8,
    ucs2: bool,
    /// `<n>` of `+CREG`, `+CGREG`, `+CEREG`.
    registration_urcs: [u8; 3],
    operator_format: u8,
    /// `mode,mt,bm,ds,bfr`
    cnmi: [u8; 5],
    phase2plus: bool,
    more_messages: u8,
    bearer: u8,
    /// Index into memories for each of the three of `+CPMS`.
    selected: [usize; 3],
    caller_id: bool,
    functionality: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            echo: true,
            verbose: true,
            error_level: 0,
            ucs2: false,
            registration_urcs: [0; 3],
            operator_format: 0,
            cnmi: [0; 5],
            phase2plus: false,
            more_messages: 0,
            bearer: 3,
            selected: [0; 3],
            caller_id: false,
            functionality: 1,
        }
    }
}

/// See the module's documentation.
pub struct Modem {
    config: ModemConfig,
    knobs: Knobs,
    settings: Settings,
    sim: SimState,
    /// `SM`, `ME`, `SR`.
    memories: [Memory; 3],
    rng: StdRng,
    plugged: bool,
    enumeration: u64,
    back_at: Option<Instant>,
    vanish_at: Option<(Instant, Duration)>,
    mode: Mode,
    input: VecDeque<u8>,
    line: Vec<u8>,
    /// Information lines of the commands of this line that have already run.
    collected: Vec<String>,
    busy_until: Option<Instant>,
    output: Output,
    /// Unsolicited lines waiting for the end of a command.
    held: VecDeque<String>,
    /// Indications kept while the `<mode>` of `+CNMI` is 0.
    kept: VecDeque<String>,
    chatter_at: Option<Instant>,
    unacknowledged: Option<Unacknowledged>,
    call: Option<Call>,
    events: VecDeque<ModemEvent>,
}

impl Modem {
    /// A modem that was just powered on.
    #[must_use]
    pub fn new(config: ModemConfig, seed: u64, now: Instant) -> Self {
        let knobs = config.knobs.clone();
        let memories = [
            Memory::new("SM", knobs.sm_size),
            Memory::new("ME", knobs.me_size),
            Memory::new("SR", knobs.sr_size),
        ];
        let mut modem = Self {
            sim: SimState::new(knobs.pin.clone()),
            settings: Settings::default(),
            memories,
            rng: StdRng::seed_from_u64(seed),
            plugged: true,
            enumeration: 1,
            back_at: None,
            vanish_at: None,
            mode: Mode::Line,
            input: VecDeque::new(),
            line: Vec::new(),
            collected: Vec::new(),
            busy_until: None,
            output: Output::default(),
            held: VecDeque::new(),
            kept: VecDeque::new(),
            chatter_at: None,
            unacknowledged: None,
            call: None,
            events: VecDeque::new(),
            config,
            knobs,
        };
        modem.power_on(now);
        modem
    }

    /// What the modem is.
    #[must_use]
    pub fn config(&self) -> &ModemConfig {
        &self.config
    }

    /// How the modem behaves now.
    #[must_use]
    pub fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// Whether a port exists. Each new port has a higher [`Self::enumeration`].
    #[must_use]
    pub fn is_plugged(&self) -> bool {
        self.plugged
    }

    /// Counts the ports this modem has had.
    #[must_use]
    pub fn enumeration(&self) -> u64 {
        self.enumeration
    }

    /// Turns knobs; changes of registration are announced as the client asked for.
    pub fn set_knobs(&mut self, now: Instant, knobs: Knobs) {
        let before = std::mem::replace(&mut self.knobs, knobs);
        self.memories[0].resize(self.knobs.sm_size);
        self.memories[1].resize(self.knobs.me_size);
        self.memories[2].resize(self.knobs.sr_size);
        if before.chatter_ms != self.knobs.chatter_ms {
            self.schedule_chatter(now);
        }
        self.announce_registration(now, &before);
        if before.pin != self.knobs.pin {
            self.sim.replace_pin(self.knobs.pin.clone());
        } else if before.sim != self.knobs.sim {
            self.sim.lock_again();
        }
        if before.hang != self.knobs.hang {
            self.input.clear();
            self.line.clear();
            self.mode = Mode::Line;
        }
    }

    /// Takes power and port away, until [`Self::replug`].
    pub fn unplug(&mut self) {
        self.plugged = false;
        self.back_at = None;
        self.vanish_at = None;
        if self.knobs.hang == Hang::UntilPowerCut {
            self.knobs.hang = Hang::No;
        }
        self.forget();
    }

    /// Gives power back; the port is a new one.
    pub fn replug(&mut self, now: Instant) {
        if !self.plugged {
            self.plugged = true;
            self.enumeration += 1;
            self.power_on(now);
        }
    }

    /// A program opened or closed the port.
    pub fn handle_port_change(&mut self, open: bool) {
        if open && self.knobs.hang == Hang::UntilReopened {
            self.knobs.hang = Hang::No;
        }
        self.input.clear();
        self.line.clear();
        self.output.clear();
        if matches!(self.mode, Mode::Pdu(_)) {
            self.mode = Mode::Line;
        }
    }

    /// Bytes from the port.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if !self.plugged {
            return;
        }
        let room = INPUT_LEN_MAX - self.input.len().min(INPUT_LEN_MAX);
        self.input.extend(&bytes[..bytes.len().min(room)]);
        self.handle_timeout(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.back_at.is_some_and(|at| at <= now) {
            self.back_at = None;
            self.replug(now);
        }
        if let Some((at, absence)) = self.vanish_at
            && at <= now
        {
            self.vanish(now, absence);
        }
        if !self.plugged {
            return;
        }
        self.advance_submission(now);
        self.expire_acknowledgement(now);
        self.advance_call(now);
        self.chatter(now);
        self.read_input(now);
        if self.is_idle(now) {
            while let Some(line) = self.held.pop_front() {
                self.send_line(now, &line);
            }
        }
    }

    /// Bytes for the port that are due; call until `None`.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.output.take_due(now, self.knobs.framing)
    }

    /// What the modem asks of the network; drain after every call.
    pub fn poll_event(&mut self) -> Option<ModemEvent> {
        self.events.pop_front()
    }

    /// When to call [`Self::poll_transmit`] next.
    #[must_use]
    pub fn transmit_at(&self) -> Option<Instant> {
        self.output.next_due()
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let submission = match &self.mode {
            Mode::Submitting(submission) => submission.wake_at(),
            Mode::Line | Mode::Pdu(_) => None,
        };
        // Only what the end of the wait would set going counts: else the clock would spin.
        let waits_for_end = match self.mode {
            Mode::Line => !self.input.is_empty() || !self.held.is_empty(),
            Mode::Pdu(_) => !self.input.is_empty(),
            Mode::Submitting(_) => false,
        };
        let busy = self.busy_until.filter(|_| waits_for_end);
        [
            submission,
            busy,
            self.back_at,
            self.vanish_at.map(|(at, _)| at),
            self.chatter_at,
            self.unacknowledged.as_ref().map(|waiting| waiting.deadline),
            self.call.as_ref().and_then(Call::wake_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Writes these bytes to the port as they are, whatever the modem is doing.
    pub fn inject(&mut self, now: Instant, bytes: Vec<u8>) {
        if self.plugged {
            self.output.push(now, bytes, self.knobs.framing);
        }
    }

    fn power_on(&mut self, now: Instant) {
        self.settings = Settings::default();
        self.sim.lock_again();
        self.sim.busy_until = Some(now + Duration::from_millis(self.knobs.sim_busy_ms));
        self.schedule_chatter(now);
        self.forget();
    }

    /// Drops all that lives in volatile memory but the settings.
    fn forget(&mut self) {
        self.mode = Mode::Line;
        self.input.clear();
        self.line.clear();
        self.collected.clear();
        self.busy_until = None;
        self.output.clear();
        self.held.clear();
        self.kept.clear();
        self.unacknowledged = None;
        if self.call.take().is_some() {
            self.events.push_back(ModemEvent::HangUp);
        }
    }

    fn vanish(&mut self, now: Instant, absence: Duration) {
        self.vanish_at = None;
        self.plugged = false;
        self.back_at = Some(now + absence);
        if self.knobs.hang == Hang::UntilReset {
            self.knobs.hang = Hang::No;
        }
        self.forget();
    }

    fn is_busy(&self, now: Instant) -> bool {
        self.busy_until.is_some_and(|until| until > now)
    }

    /// No command is under way, so unsolicited lines may pass.
    fn is_idle(&self, now: Instant) -> bool {
        matches!(self.mode, Mode::Line) && !self.is_busy(now)
    }

    fn is_hung(&self) -> bool {
        !matches!(self.knobs.hang, Hang::No | Hang::Listing)
    }

    fn read_input(&mut self, now: Instant) {
        while !self.is_busy(now) && self.plugged {
            if matches!(self.mode, Mode::Submitting(_)) {
                return;
            }
            let Some(byte) = self.input.pop_front() else {
                return;
            };
            if self.settings.echo && !self.is_hung() && (byte >= b' ' || byte == b'\r') {
                self.output.echo(now, byte, self.knobs.framing);
            }
            match self.mode {
                Mode::Line => self.read_line_byte(now, byte),
                Mode::Pdu(_) => self.read_pdu_byte(now, byte),
                Mode::Submitting(_) => {}
            }
        }
    }

    fn read_line_byte(&mut self, now: Instant, byte: u8) {
        match byte {
            b'\r' => {
                let line = std::mem::take(&mut self.line);
                self.run_line(now, &String::from_utf8_lossy(&line));
            }
            0x08 => {
                self.line.pop();
            }
            0x1b => self.line.clear(),
            b'\n' | 0x1a => {}
            _ if self.line.len() < LINE_LEN_MAX => self.line.push(byte),
            _ => {}
        }
    }

    fn run_line(&mut self, now: Instant, line: &str) {
        // A modem wakes up at "AT", whatever noise came before it.
        let Some(start) = line.to_ascii_uppercase().find("AT") else {
            return;
        };
        let commands = parse::split_line(&line[start + 2..]);
        if self.is_hung() {
            let is_reset = |command: &Command| {
                command.name == "+CFUN" && command.ask == Ask::Set("1,1".to_owned())
            };
            if self.knobs.hang == Hang::UntilReset && commands.iter().any(is_reset) {
                let absence = self.knobs.absence_ms.draw(&mut self.rng);
                self.vanish_at = Some((now, absence));
            }
            return;
        }
        self.collected.clear();
        for command in &commands {
            match self.run(now, command) {
                Answer::Ok(lines) => self.collected.extend(lines),
                Answer::Fail(fail) => return self.fail(now, fail),
                Answer::Pdu(purpose) => {
                    let wait = self.knobs.prompt_ms.draw(&mut self.rng);
                    self.prompt(now + wait);
                    self.mode = Mode::Pdu(purpose);
                    return;
                }
                Answer::Raw(text) => return self.answer(now, &text),
                Answer::Silent => return,
                Answer::Vanish(absence) => {
                    self.succeed(now);
                    let said = self.busy_until.unwrap_or(now).max(now);
                    self.vanish_at = Some((said + Duration::from_millis(20), absence));
                    return;
                }
            }
        }
        self.succeed(now);
    }

    fn run(&mut self, now: Instant, command: &Command) -> Answer {
        if let Some(script) = self.knobs.answers.get(&command.text()) {
            if script.is_empty() {
                return Answer::Silent;
            }
            let lines: String = script
                .lines()
                .map(|line| format!("\r\n{line}\r\n"))
                .collect();
            return Answer::Raw(lines);
        }
        self.general(command)
            .or_else(|| self.sim_command(now, command))
            .or_else(|| self.registration_command(command))
            .or_else(|| self.call_command(command))
            .or_else(|| self.message_command(now, command))
            .unwrap_or(Answer::Fail(Fail::Plain))
    }

    fn schedule_chatter(&mut self, now: Instant) {
        let every = self.knobs.chatter_ms;
        self.chatter_at = (every > 0).then(|| now + Duration::from_millis(every));
    }

    fn chatter(&mut self, now: Instant) {
        if self.chatter_at.is_some_and(|at| at <= now) {
            let line = format!("^RSSI: {}", self.rng.random_range(1..=31));
            self.urc(now, line);
            self.schedule_chatter(now);
        }
    }
}

#[cfg(test)]
mod tests;
