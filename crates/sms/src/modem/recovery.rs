//! From silence back to a clean `OK`, and up the ladder when that fails.

use std::time::{Duration, Instant};

use super::command::Command;
use super::ladder::Rung;
use super::{Event, FinalError, Modem, Outcome, Phase, Running, Stage, Trouble, UnknownReason};

/// `ESC` ends a prompt nobody answered, `CR` a line nobody finished.
const ESCAPE: &[u8] = b"\x1b\r";
/// What comes before this is left over from before.
const QUIET: Duration = Duration::from_millis(300);
const PROBE: Duration = Duration::from_secs(2);
/// A second `OK` within this time means that answers are one behind.
const SETTLE: Duration = Duration::from_millis(200);
const ATTEMPTS_MAX: u32 = 3;
/// Between rounds of attempts while the ladder waits.
const ROUND_PAUSE: Duration = Duration::from_secs(5);
/// How long `AT+CFUN=1,1` may take to be answered.
const RESET_ANSWER: Duration = Duration::from_secs(5);
/// Unanswered commands in a row, each followed by a clean resync, that still call for the ladder.
const HANGS_MAX: u32 = 4;
const STOPPED_PAUSE: Duration = Duration::from_secs(60);
const SAMPLE_CHARS_MAX: usize = 40;

/// Where a resync stands.
#[derive(Debug)]
pub(super) struct Resync {
    stage: ResyncStage,
    attempts: u32,
    /// The beginning of what came back, to be shown when it is not a modem.
    sample: String,
}

#[derive(Clone, Copy, Debug)]
enum ResyncStage {
    /// Listening to nothing.
    Quiet { until: Instant },
    /// `AT` has been sent.
    Probe { until: Instant },
    /// One `OK` has come.
    Settle { until: Instant },
}

impl Resync {
    pub(super) fn until(&self) -> Instant {
        match self.stage {
            ResyncStage::Quiet { until }
            | ResyncStage::Probe { until }
            | ResyncStage::Settle { until } => until,
        }
    }
}

impl Modem {
    pub(super) fn recover_on_open_port(&mut self, now: Instant) {
        self.close(now);
        // Another SIM may be in; slots found before mean nothing.
        self.inbox.forget();
        self.memories.forget_selection();
        self.setup.done = false;
        self.setup.hung.clear();
        self.ladder.port_opened(now);
        self.begin_resync(now, QUIET);
    }

    /// Nothing more can be said to the modem until the port is opened again.
    pub(super) fn close(&mut self, now: Instant) {
        self.abandon_running(now);
        self.reader.clear();
        self.headers.clear();
        self.transmit.clear();
        self.work.clear();
        self.phase = Phase::Closed;
        self.not_ready_since.get_or_insert(now);
    }

    pub(super) fn reopen(&mut self, now: Instant) {
        self.close(now);
        self.events.push_back(Event::ReopenPort);
    }

    /// The modem itself has restarted under us.
    pub(super) fn modem_restarted(&mut self, now: Instant) {
        self.abandon_running(now);
        self.inbox.forget();
        self.memories.forget_selection();
        self.setup.done = false;
        self.begin_resync(now, QUIET);
    }

    pub(super) fn begin_resync(&mut self, now: Instant, quiet: Duration) {
        self.running = None;
        self.work.clear();
        self.headers.clear();
        self.hold_until = None;
        self.not_ready_since.get_or_insert(now);
        self.escape(now, quiet, 0, String::new());
    }

    fn escape(&mut self, now: Instant, quiet: Duration, attempts: u32, sample: String) {
        self.transmit.push_back(ESCAPE.to_vec());
        self.stale_finals = 0;
        self.phase = Phase::Resync(Resync {
            stage: ResyncStage::Quiet { until: now + quiet },
            attempts,
            sample,
        });
    }

    pub(super) fn resync_overhears(&mut self, byte: u8) {
        if let Phase::Resync(resync) = &mut self.phase
            && matches!(resync.stage, ResyncStage::Probe { .. })
            && resync.sample.len() < SAMPLE_CHARS_MAX
            && !byte.is_ascii_control()
        {
            resync
                .sample
                .push(if byte.is_ascii() { byte as char } else { '?' });
        }
    }

    pub(super) fn resync_result(&mut self, now: Instant, result: Result<(), FinalError>) {
        let Phase::Resync(resync) = &mut self.phase else {
            return;
        };
        match (resync.stage, result) {
            (ResyncStage::Quiet { .. }, _) => {}
            (ResyncStage::Probe { .. }, Ok(())) => {
                resync.stage = ResyncStage::Settle {
                    until: now + SETTLE,
                }
            }
            (ResyncStage::Probe { .. }, Err(_)) | (ResyncStage::Settle { .. }, _) => {
                self.attempt_failed(now)
            }
        }
    }

    pub(super) fn phase_timeout(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Resync(resync) if resync.until() <= now => match resync.stage {
                ResyncStage::Quiet { .. } => {
                    resync.stage = ResyncStage::Probe { until: now + PROBE };
                    self.reader.clear();
                    self.transmit.push_back(b"AT\r".to_vec());
                }
                ResyncStage::Probe { .. } => self.attempt_failed(now),
                ResyncStage::Settle { .. } => self.resynced(now),
            },
            Phase::Resetting { until } if *until <= now => self.reopen(now),
            Phase::Stopped { retry_at } if *retry_at <= now => self.begin_resync(now, QUIET),
            Phase::AwaitPin { until } if *until <= now => {
                self.phase = Phase::Stopped {
                    retry_at: now + STOPPED_PAUSE,
                }
            }
            Phase::Closed
            | Phase::Resync(_)
            | Phase::Setup
            | Phase::AwaitPin { .. }
            | Phase::Ready
            | Phase::Stopped { .. }
            | Phase::Resetting { .. } => {}
        }
    }

    fn attempt_failed(&mut self, now: Instant) {
        let Phase::Resync(resync) = &mut self.phase else {
            return;
        };
        let (attempts, sample) = (resync.attempts + 1, std::mem::take(&mut resync.sample));
        if attempts < ATTEMPTS_MAX {
            self.escape(now, QUIET, attempts, sample);
        } else {
            self.resync_failed(now, sample);
        }
    }

    fn resynced(&mut self, now: Instant) {
        self.setup.is_modem = true;
        self.setup.is_dead = false;
        self.last_answer = now;
        self.ladder.answered();
        if self.setup.done {
            self.phase = Phase::Ready;
            self.not_ready_since = None;
            self.memories.forget_selection();
            self.sweep_at = now;
            self.plan_reassert(now);
        } else {
            self.begin_setup();
        }
    }

    fn resync_failed(&mut self, now: Instant, sample: String) {
        self.setup.done = false;
        if !self.setup.is_modem {
            let heard = sample;
            self.trouble(if heard.is_empty() {
                Trouble::Silent
            } else {
                Trouble::NotAModem { heard }
            });
        }
        self.climb(now);
    }

    pub(super) fn climb(&mut self, now: Instant) {
        match self.ladder.climb(now, self.setup.is_modem) {
            Rung::Reopen => self.reopen(now),
            Rung::Reset => {
                self.abandon_running(now);
                self.work.clear();
                self.setup.done = false;
                self.transmit.push_back(ESCAPE.to_vec());
                self.transmit.push_back(b"AT+CFUN=1,1\r".to_vec());
                self.phase = Phase::Resetting {
                    until: now + RESET_ANSWER,
                };
                self.not_ready_since.get_or_insert(now);
            }
            Rung::GiveUp => {
                self.events.push_back(Event::Dead);
                self.setup.is_dead = true;
                self.refuse_all_down();
                self.begin_resync(now, ROUND_PAUSE);
            }
            Rung::WaitUntil(until) => {
                let pause = until.saturating_duration_since(now).min(ROUND_PAUSE);
                self.begin_resync(now, pause.max(QUIET));
            }
        }
    }

    /// A person is needed: tell, refuse what waits, look again in a minute.
    pub(super) fn stop(&mut self, now: Instant, trouble: Trouble) {
        self.trouble(trouble);
        self.refuse_all_down();
        self.work.clear();
        self.setup.done = false;
        self.phase = Phase::Stopped {
            retry_at: now + STOPPED_PAUSE,
        };
        self.not_ready_since.get_or_insert(now);
    }

    /// Limits of the command being answered.
    pub(super) fn running_timeout(&mut self, now: Instant) {
        let Some(running) = &mut self.running else {
            return;
        };
        if let Stage::Final { slow_at } = &mut running.stage
            && slow_at.is_some_and(|at| at <= now)
        {
            *slow_at = None;
            if let Command::Send(id) = running.command {
                self.events.push_back(Event::Slow { id });
            }
        }
        if running.deadline > now {
            return;
        }
        let Some(running) = self.running.take() else {
            return;
        };
        match (&running.command, &running.stage) {
            (Command::Send(_), Stage::Final { .. }) => {
                self.send_lost(now, &running.lines, UnknownReason::Silence);
            }
            (Command::Send(_), Stage::Prompt | Stage::Answer) => self.prompt_missed(),
            (Command::Dial(_), _) => self.dial_unanswered(),
            (Command::List(memory), _) => self.memories.distrust_listing(now, *memory),
            (Command::Setup(step), _) if !step.is_needed() => self.setup.hung.push(*step),
            (
                Command::Setup(_)
                | Command::Select(_)
                | Command::Read(_)
                | Command::Walk(_)
                | Command::Delete(_)
                | Command::LookAtCalls
                | Command::HangUp(_)
                | Command::Ping,
                _,
            ) => {}
        }
        self.setup.hangs += u32::from(running.command.is_needed());
        if self.setup.hangs >= HANGS_MAX {
            self.setup.hangs = 0;
            self.setup.done = false;
            self.climb(now);
        } else {
            self.begin_resync(now, QUIET);
        }
    }

    /// No answer will come to the running command any more.
    fn abandon_running(&mut self, now: Instant) {
        self.call_lost();
        let Some(Running {
            command: Command::Send(_),
            stage,
            lines,
            ..
        }) = self.running.take()
        else {
            return;
        };
        match stage {
            Stage::Final { .. } => self.send_lost(now, &lines, UnknownReason::PortLost),
            Stage::Prompt | Stage::Answer => self.send_never_left(),
        }
    }

    pub(super) fn ended(&mut self, id: super::SubmitId, outcome: Outcome) {
        self.events.push_back(Event::Submitted { id, outcome });
    }
}
