//! The set-up of a modem, step by step, and what its answers tell.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::answers::{
    cesq_dbm, csq_dbm, fields, memory_set, memory_usage, pin_tries, registration, routing,
};
use super::command::{Command, ICCID_COMMANDS, PIN_TRIES_COMMANDS, Step};
use super::{Event, FinalError, Memory, Modem, Phase, REASSERT_EVERY, STATUS_EVERY, Trouble};

/// A SIM may take this long to start.
const BUSY_MAX: Duration = Duration::from_secs(60);
const BUSY_PAUSE: Duration = Duration::from_secs(2);
/// After an accepted PIN the SIM needs a moment to say so.
const PIN_SETTLES: Duration = Duration::from_secs(20);
const PIN_ANSWER_MAX: Duration = Duration::from_secs(60);
/// Tries left below which the PIN is not tried.
const PIN_TRIES_MIN: u8 = 2;

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The whole set-up has been done since the port was opened.
    pub(super) done: bool,
    /// Something here has answered like a modem.
    pub(super) is_modem: bool,
    /// The last trouble told, so that it is told once.
    pub(super) told: Option<Trouble>,
    busy_since: Option<Instant>,
    pin_accepted_at: Option<Instant>,
    /// SIM cards on which the PIN has had its try.
    pin_spent: BTreeSet<Option<String>>,
    routing_offer: Option<String>,
    routing_is_plain: bool,
    imsi_of_sent: Option<String>,
    /// Optional steps that went unanswered, once per time; twice and they are not asked any more.
    pub(super) hung: Vec<Step>,
    /// Times in a row a needed step went unanswered.
    pub(super) hangs: u32,
    /// The ladder has ended; parts are refused at once.
    pub(super) is_dead: bool,
}

impl Progress {
    pub(super) fn restart(&mut self) {
        self.done = false;
        self.busy_since = None;
        self.routing_is_plain = false;
    }
}

impl Modem {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others have a fixed text"
    )]
    pub(super) fn step_text(&self, step: Step) -> String {
        if let Some(text) = step.fixed_text() {
            return text.to_owned();
        }
        let preferred = self.memories.preferred;
        match step {
            Step::PinEnter => format!(
                "AT+CPIN=\"{}\"",
                self.config.pin.as_ref().map_or("", |pin| pin.0.as_str())
            ),
            Step::SmscSet => {
                let address = self
                    .config
                    .smsc
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let kind = if address.starts_with('+') { 145 } else { 129 };
                format!("AT+CSCA=\"{address}\",{kind}")
            }
            Step::MemoriesSet => format!("AT+CPMS=\"{preferred}\",\"{preferred}\",\"{preferred}\""),
            Step::RoutingSet if self.setup.routing_is_plain => "AT+CNMI=2,1".to_owned(),
            Step::RoutingSet => routing(self.setup.routing_offer.as_deref()),
            _ => "AT".to_owned(),
        }
    }

    pub(super) fn step_ended(
        &mut self,
        now: Instant,
        step: Step,
        result: Result<(), FinalError>,
        lines: &[String],
    ) {
        match result {
            Ok(()) => {
                self.setup.busy_since = None;
                self.step_done(now, step, lines);
            }
            Err(error) => self.step_refused(now, step, error),
        }
    }

    pub(super) fn setup_ended(&mut self, now: Instant) {
        self.phase = Phase::Ready;
        self.setup.done = true;
        self.setup.told = self
            .setup
            .told
            .take()
            .filter(|told| *told == Trouble::NoServiceCentre);
        self.not_ready_since = None;
        self.sweep_at = now;
        self.status_at = now + STATUS_EVERY;
        self.reassert_at = now + REASSERT_EVERY;
        self.events.push_back(Event::Ready);
    }

    pub(super) fn pin_answered(&mut self, now: Instant, may_try: bool) {
        if !matches!(self.phase, Phase::AwaitPin { .. }) {
            return;
        }
        if may_try {
            self.setup.pin_spent.insert(self.status.iccid.clone());
            self.phase = Phase::Setup;
            self.work.push_front(Command::Setup(Step::PinEnter));
        } else {
            self.stop(now, Trouble::PinSpent);
        }
    }

    fn step_done(&mut self, now: Instant, step: Step, lines: &[String]) {
        let named = |name: &str| {
            lines
                .iter()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        match step {
            Step::Manufacturer => self.status.manufacturer = free_text(lines),
            Step::Model => self.status.model = free_text(lines),
            Step::Revision => self.status.revision = free_text(lines),
            Step::Imei => self.status.imei = digits_in(lines, 14..=17),
            Step::Imsi => {
                self.status.imsi = digits_in(lines, 6..=15);
                if self.status.imsi.is_some() && self.setup.imsi_of_sent != self.status.imsi {
                    self.setup.imsi_of_sent.clone_from(&self.status.imsi);
                    self.reports.forget_sent();
                }
            }
            Step::Iccid(way) => match digits_in(lines, 18..=20) {
                Some(iccid) => self.status.iccid = Some(iccid),
                None => self.ask_iccid(way + 1),
            },
            Step::FunctionQuery
                if named("+CFUN")
                    .is_some_and(|mode| fields(mode).first().is_some_and(|m| m != "1")) =>
            {
                self.work.push_front(Command::Setup(Step::FunctionOn));
            }
            Step::PinQuery => self.pin_state(now, named("+CPIN").unwrap_or_default()),
            Step::PinTries(way) => match lines.iter().find_map(|line| pin_tries(line)) {
                Some(tries) => self.pin_may_be_tried(now, tries),
                None => self.ask_pin_tries(now, way + 1),
            },
            Step::PinEnter => {
                self.setup.pin_accepted_at = Some(now);
                self.retry(now, Step::PinQuery);
            }
            Step::SmscQuery => {
                let is_empty = named("+CSCA")
                    .is_none_or(|rest| fields(rest).first().is_none_or(String::is_empty));
                match (is_empty, &self.config.smsc) {
                    (false, _) => {}
                    (true, Some(_)) => self.work.push_front(Command::Setup(Step::SmscSet)),
                    (true, None) => self.trouble(Trouble::NoServiceCentre),
                }
            }
            Step::MemoriesQuery => self.choose_memories(named("+CPMS").unwrap_or_default()),
            Step::MemoriesSet => {
                self.memories.forget_selection();
                if let Some((used, total)) = named("+CPMS").and_then(memory_usage) {
                    self.note_usage(self.memories.preferred, used, total);
                }
            }
            Step::RoutingQuery => self.setup.routing_offer = named("+CNMI").map(str::to_owned),
            Step::CircuitQuery => {
                self.status.circuit = named("+CREG").and_then(|rest| registration(rest, true))
            }
            Step::PacketQuery => {
                self.status.packet = named("+CEREG").and_then(|rest| registration(rest, true))
            }
            Step::Signal => match named("+CSQ").and_then(csq_dbm) {
                Some(dbm) => self.status.signal_dbm = Some(dbm),
                None => self.work.push_front(Command::Setup(Step::SignalExtended)),
            },
            Step::SignalExtended => self.status.signal_dbm = named("+CESQ").and_then(cesq_dbm),
            Step::Operator => {
                let name = named("+COPS").and_then(|rest| fields(rest).into_iter().nth(2));
                self.status.operator = name.filter(|name| !name.is_empty());
            }
            Step::EchoOff
            | Step::ErrorNumbers
            | Step::FunctionQuery
            | Step::FunctionOn
            | Step::PduMode
            | Step::Phase2
            | Step::Charset
            | Step::SmscSet
            | Step::RoutingSet
            | Step::CircuitUrc
            | Step::PacketUrc
            | Step::CallerId
            | Step::KeepLink => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a refusal matters only where something is done about it"
    )]
    fn step_refused(&mut self, now: Instant, step: Step, error: FinalError) {
        let is_setup = matches!(self.phase, Phase::Setup);
        if is_setup && error.is_busy() {
            let since = *self.setup.busy_since.get_or_insert(now);
            if now.saturating_duration_since(since) < BUSY_MAX {
                return self.retry(now, step);
            }
        }
        if is_setup && error.is_sim_missing() {
            return self.stop(now, Trouble::SimMissing);
        }
        match step {
            Step::Iccid(way) => self.ask_iccid(way + 1),
            Step::PinTries(way) => self.ask_pin_tries(now, way + 1),
            Step::PinEnter | Step::PinQuery if error.is_puk() => {
                self.stop(now, Trouble::PukRequired)
            }
            Step::PinEnter => self.stop(now, Trouble::PinRejected),
            Step::PinQuery => self.stop(
                now,
                Trouble::SimUnusable {
                    state: error.to_string(),
                },
            ),
            Step::Signal => self.work.push_front(Command::Setup(Step::SignalExtended)),
            Step::CircuitQuery => self.status.circuit = None,
            Step::PacketQuery => self.status.packet = None,
            Step::MemoriesSet if self.memories.preferred == Memory::ME => {
                self.memories.preferred = Memory::SM;
                self.work.push_front(Command::Setup(Step::MemoriesSet));
            }
            Step::RoutingSet if !self.setup.routing_is_plain => {
                self.setup.routing_is_plain = true;
                self.work.push_front(Command::Setup(Step::RoutingSet));
            }
            _ if step.is_needed() => {
                let command = self.step_text(step);
                self.stop(now, Trouble::SetupRefused { command, error });
            }
            _ => {} // it can be done without
        }
    }

    fn retry(&mut self, now: Instant, step: Step) {
        self.work.push_front(Command::Setup(step));
        self.hold_until = Some(now + BUSY_PAUSE);
    }

    fn ask_iccid(&mut self, way: usize) {
        if way < ICCID_COMMANDS.len() {
            self.work.push_front(Command::Setup(Step::Iccid(way)));
        }
    }

    fn ask_pin_tries(&mut self, now: Instant, way: usize) {
        if way < PIN_TRIES_COMMANDS.len() {
            self.work.push_front(Command::Setup(Step::PinTries(way)));
        } else {
            self.stop(now, Trouble::PinTriesLow { tries: None });
        }
    }

    fn pin_state(&mut self, now: Instant, state: &str) {
        let just_accepted = self
            .setup
            .pin_accepted_at
            .is_some_and(|at| now.saturating_duration_since(at) < PIN_SETTLES);
        match state {
            "READY" | "SIM PIN2" | "SIM PUK2" => {}
            "SIM PIN" if just_accepted => self.retry(now, Step::PinQuery),
            "SIM PIN" if self.config.pin.is_none() => self.stop(now, Trouble::PinMissing),
            "SIM PIN" if self.setup.pin_spent.contains(&self.status.iccid) => {
                self.stop(now, Trouble::PinSpent)
            }
            "SIM PIN" => self.work.push_front(Command::Setup(Step::PinTries(0))),
            "SIM PUK" => self.stop(now, Trouble::PukRequired),
            _ => self.stop(
                now,
                Trouble::SimUnusable {
                    state: state.to_owned(),
                },
            ),
        }
    }

    fn pin_may_be_tried(&mut self, now: Instant, tries: u8) {
        if tries < PIN_TRIES_MIN {
            return self.stop(now, Trouble::PinTriesLow { tries: Some(tries) });
        }
        self.phase = Phase::AwaitPin {
            until: now + PIN_ANSWER_MAX,
        };
        self.events.push_back(Event::PinWanted {
            iccid: self.status.iccid.clone(),
        });
    }

    fn choose_memories(&mut self, offer: &str) {
        let sets: Vec<Vec<Memory>> = fields(offer)
            .iter()
            .map(|field| memory_set(field))
            .collect();
        let Some(readable) = sets.first().filter(|set| !set.is_empty()) else {
            return;
        };
        let wanted = [Memory::ME, Memory::SM];
        let known: Vec<Memory> = wanted
            .into_iter()
            .filter(|memory| readable.contains(memory))
            .collect();
        self.memories.all = if known.is_empty() {
            readable.clone()
        } else {
            known
        };
        let everywhere = |memory: &&Memory| sets.iter().all(|set| set.contains(memory));
        let fallback = self.memories.all.first().copied();
        if let Some(preferred) = self
            .memories
            .all
            .iter()
            .find(everywhere)
            .copied()
            .or(fallback)
        {
            self.memories.preferred = preferred;
        }
    }
}

/// The first line that is not vendor chatter, without its name.
fn free_text(lines: &[String]) -> Option<String> {
    let line = lines.iter().find(|line| !line.starts_with('^'))?;
    let text = if line.starts_with('+') {
        line.split_once(':').map_or(line.as_str(), |(_, rest)| rest)
    } else {
        line
    };
    Some(text.trim().trim_matches('"').to_owned())
}

/// The first run of digits of the right length, wherever it stands.
fn digits_in(lines: &[String], lengths: std::ops::RangeInclusive<usize>) -> Option<String> {
    let runs = lines
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_ascii_digit()));
    runs.into_iter()
        .find(|run| lengths.contains(&run.len()))
        .map(str::to_owned)
}
