//! Calls that only ring, to wake somebody, and calls that come in (3GPP TS 27.007 §6.3, §6.5, §7.11, §7.18).
//!
//! One ring at a time, never while a part is on its way: most modems cannot do both. `OK` to `ATD` means dialling, not
//! ringing, so the call is looked at with `AT+CLCC` once a second where the modem knows that command. Whatever way a ring
//! ends, the line is hung up before anything is sent. A call that comes in is told of and turned down: its caller could
//! hear nothing here, and would keep texts out.

use std::time::{Duration, Instant};

use super::answers::fields;
use super::command::Command;
use super::event::{RingId, RingOutcome};
use super::{Event, FinalError, Modem, Phase, RefusalReason, Running, UnknownReason};
use crate::address::Address;

/// Longest time a phone may be rung: beyond, voice mail takes the call.
pub const RING_FOR_MAX: Duration = Duration::from_secs(30);
/// How long the network may take from dialling to ringing: an LTE phone falls back to another radio first.
const REACH_MAX: Duration = Duration::from_secs(15);
/// As much as that usually takes, for modems that do not tell when ringing begins.
const REACH_USUAL: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A call that is not listed so soon after dialling may only be slow to appear.
const LIST_AFTER: Duration = Duration::from_secs(3);
/// A ring that cannot even be hung up ends for its driver all the same.
const HANG_UP_GRACE: Duration = Duration::from_secs(30);
/// How long a ring waits for a modem that is not ready or busy with texts: longer, and another node does it sooner.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// `RING` comes every few seconds; after so long without one, the next belongs to another call.
const SAME_CALL: Duration = Duration::from_secs(8);
/// Most digits of a caller's number (ITU-T E.164 has 15).
const CALLER_CHARS_MAX: usize = 21;

/// The one call asked for.
#[derive(Debug)]
pub(super) struct Ring {
    id: RingId,
    number: Address,
    ring_for: Duration,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its turn has not come.
    Waiting { since: Instant },
    /// Dialled.
    Calling {
        dialled: Instant,
        hang_up_at: Instant,
        look_at: Instant,
        alerted: bool,
    },
}

/// What is known of calls beside the one asked for.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The line must be hung up before anything else, and how.
    hang_up: Option<HangUp>,
    /// The modem does not know `AT+CLCC`.
    is_blind: bool,
    incoming: Option<Incoming>,
}

/// The ways to hang up, in the order tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HangUp {
    /// `AT+CHUP`, meant for voice calls.
    Voice,
    /// `ATH`, which some modems know alone.
    Hook,
}

#[derive(Debug)]
struct Incoming {
    heard: Instant,
    told: bool,
}

/// `<stat>` of the call this side began, out of one line of `+CLCC: <id>,<dir>,<stat>,<mode>,…`.
fn outgoing_state(line: &str) -> Option<u8> {
    let fields = fields(line.strip_prefix("+CLCC:")?);
    let number = |position: usize| fields.get(position)?.parse::<u8>().ok();
    (number(1)? == 0).then(|| number(2)).flatten()
}

/// The caller in `+CLIP: <number>,<type>,…`; `None` when it is withheld or unreadable.
fn caller(rest: &str) -> Option<String> {
    let fields = fields(rest);
    let number = fields.first()?;
    let digits = number.strip_prefix('+').unwrap_or(number);
    let readable = !digits.is_empty()
        && number.len() <= CALLER_CHARS_MAX
        && digits.bytes().all(|b| b.is_ascii_digit());
    let is_international = fields.get(1).is_some_and(|kind| kind == "145");
    readable.then(|| match is_international {
        true => format!("+{digits}"),
        false => number.clone(),
    })
}

impl Modem {
    /// Lets a phone ring for `ring_for` (at most [`RING_FOR_MAX`]) and hangs up. Its end comes as [`Event::RingEnded`].
    /// One ring is held at a time; parts handed over before it, or while it waits, go first.
    pub fn ring(&mut self, now: Instant, id: RingId, number: Address, ring_for: Duration) {
        let refused = if matches!(self.phase, Phase::Stopped { .. }) || self.setup.is_dead {
            Some(RefusalReason::Stopped)
        } else if self.ring.is_some() {
            Some(RefusalReason::QueueFull)
        } else {
            None
        };
        match refused {
            Some(reason) => self.tell_ring(id, RingOutcome::Refused { reason }),
            None => {
                self.ring = Some(Ring {
                    id,
                    number,
                    ring_for: ring_for.min(RING_FOR_MAX),
                    stage: Stage::Waiting { since: now },
                });
                self.advance(now);
            }
        }
    }

    /// What a call under way needs next; `None` when there is no call. Memories are read meanwhile, texts wait.
    pub(super) fn plan_call(&mut self, now: Instant) -> Option<bool> {
        if let Some(way) = self.line.hang_up {
            self.work.push_back(Command::HangUp(way));
            return Some(true);
        }
        let is_blind = self.line.is_blind;
        let Stage::Calling {
            hang_up_at,
            look_at,
            alerted,
            ..
        } = &mut self.ring.as_mut()?.stage
        else {
            return None;
        };
        if now >= *hang_up_at {
            let alerted = *alerted;
            self.end_ring(RingOutcome::Rang { alerted });
        } else if !is_blind && now >= *look_at {
            *look_at = now + LOOK_EVERY;
            self.work.push_back(Command::LookAtCalls);
        } else {
            return Some(false);
        }
        Some(true)
    }

    /// Begins the waiting ring; true when anything was done.
    pub(super) fn plan_ring(&mut self) -> bool {
        let Some(ring) = &self.ring else { return false };
        let id = ring.id;
        if self.status.can_call() == Some(false) {
            let reason = RefusalReason::NotRegistered;
            self.refuse_ring(reason);
        } else {
            self.work.push_back(Command::Dial(id));
        }
        true
    }

    /// The command line, and until when the modem may leave it unanswered: some answer only when the call is taken.
    pub(super) fn dial_text(&self) -> (String, Duration) {
        self.ring.as_ref().map_or_else(
            // Nothing is dialled by it; a planned ring stays until it has ended.
            || ("AT".to_owned(), LOOK_EVERY),
            |ring| (format!("ATD{};", ring.number), ring.ring_for + REACH_USUAL),
        )
    }

    /// `ATD` has been sent: from here on the phone may ring.
    pub(super) fn dialled(&mut self, now: Instant) {
        let reach = match self.line.is_blind {
            true => REACH_USUAL,
            false => REACH_MAX,
        };
        if let Some(ring) = &mut self.ring {
            ring.stage = Stage::Calling {
                dialled: now,
                hang_up_at: now + reach + ring.ring_for,
                look_at: now + LOOK_EVERY,
                alerted: false,
            };
        }
    }

    /// The modem answered `ATD`.
    pub(super) fn dial_answered(&mut self, result: Result<(), FinalError>) {
        if let Err(error) = result {
            let reason = RefusalReason::Error(error);
            self.end_ring(RingOutcome::Refused { reason });
        }
    }

    /// The modem left `ATD` unanswered for as long as the phone was to ring.
    pub(super) fn dial_unanswered(&mut self) {
        self.end_ring(RingOutcome::Rang { alerted: false });
    }

    /// The modem listed its calls.
    pub(super) fn calls_listed(
        &mut self,
        now: Instant,
        result: Result<(), FinalError>,
        lines: &[String],
    ) {
        let Some(ring) = &mut self.ring else { return };
        let Stage::Calling {
            dialled,
            hang_up_at,
            alerted,
            ..
        } = &mut ring.stage
        else {
            return;
        };
        if result.is_err() {
            self.line.is_blind = true;
            *hang_up_at = (*hang_up_at).min(*dialled + REACH_USUAL + ring.ring_for);
            return;
        }
        match lines.iter().find_map(|line| outgoing_state(line)) {
            // Active, or put on hold by the other end.
            Some(0 | 1) => self.end_ring(RingOutcome::Answered),
            Some(3) if !*alerted => {
                *alerted = true;
                *hang_up_at = (*hang_up_at).min(now + ring.ring_for);
            }
            Some(_) => {}
            None if now >= *dialled + LIST_AFTER => {
                let outcome = gone(*alerted);
                self.end_ring(outcome);
            }
            None => {}
        }
    }

    /// `BUSY`, `NO ANSWER`, `NO CARRIER` or `NO DIALTONE`, as the answer to `ATD` or later.
    pub(super) fn call_ended(&mut self, now: Instant, word: &str) {
        self.line.incoming = None;
        let Some(Ring {
            stage: Stage::Calling { alerted, .. },
            ..
        }) = &self.ring
        else {
            return;
        };
        let outcome = match word {
            "BUSY" => RingOutcome::Busy,
            "NO ANSWER" => RingOutcome::NoAnswer,
            "NO CARRIER" => gone(*alerted),
            _ => RingOutcome::NotReached,
        };
        let answers_dial = matches!(
            self.running,
            Some(Running {
                command: Command::Dial(_),
                ..
            })
        );
        if answers_dial {
            self.running = None;
            self.last_answer = now;
        }
        self.end_ring(outcome);
    }

    /// `RING` or `+CRING`, and `+CLIP` with the caller's number behind it.
    pub(super) fn called(&mut self, now: Instant, clip: Option<&str>) {
        let same = self
            .line
            .incoming
            .take()
            .filter(|call| now.saturating_duration_since(call.heard) < SAME_CALL);
        let rang_before = same.is_some();
        let told = same.is_some_and(|call| call.told);
        // The number follows the first `RING`; the second one comes without when it is withheld.
        let tell = !told && (clip.is_some() || rang_before);
        self.line.incoming = Some(Incoming {
            heard: now,
            told: told || tell,
        });
        if tell {
            let from = clip.and_then(caller);
            self.events.push_back(Event::Called { from });
        }
        let is_calling = matches!(
            &self.ring,
            Some(Ring {
                stage: Stage::Calling { .. },
                ..
            })
        );
        if (told || tell) && !is_calling {
            self.line.hang_up.get_or_insert(HangUp::Voice);
        }
    }

    pub(super) fn hang_up_text(way: HangUp) -> &'static str {
        match way {
            HangUp::Voice => "AT+CHUP",
            HangUp::Hook => "ATH",
        }
    }

    /// A refusal of both ways means that there is nothing to hang up.
    pub(super) fn hung_up(&mut self, way: HangUp, result: Result<(), FinalError>) {
        self.line.hang_up = match (way, result) {
            (HangUp::Voice, Err(_)) => Some(HangUp::Hook),
            (HangUp::Voice, Ok(())) | (HangUp::Hook, Ok(()) | Err(_)) => None,
        };
    }

    /// The port closed or the modem was reset: the phone may have rung, and may ring on.
    pub(super) fn call_lost(&mut self) {
        if matches!(
            &self.ring,
            Some(Ring {
                stage: Stage::Calling { .. },
                ..
            })
        ) {
            let reason = UnknownReason::PortLost;
            self.end_ring(RingOutcome::Unknown { reason });
        }
    }

    /// When the call needs something, while one is up.
    pub(super) fn call_due(&self) -> Option<Instant> {
        match &self.ring.as_ref()?.stage {
            Stage::Waiting { .. } => None,
            Stage::Calling {
                hang_up_at,
                look_at,
                ..
            } => Some(match self.line.is_blind {
                true => *hang_up_at,
                false => (*hang_up_at).min(*look_at),
            }),
        }
    }

    /// When a ring ends whatever state the modem is in.
    pub(super) fn ring_overdue_at(&self) -> Option<Instant> {
        Some(match &self.ring.as_ref()?.stage {
            Stage::Waiting { since } => *since + WAIT_MAX,
            Stage::Calling { hang_up_at, .. } => *hang_up_at + HANG_UP_GRACE,
        })
    }

    pub(super) fn end_overdue_ring(&mut self, now: Instant) {
        if self.ring_overdue_at().is_none_or(|at| now < at) {
            return;
        }
        match self.ring.as_ref().map(|ring| &ring.stage) {
            Some(Stage::Waiting { .. }) => self.refuse_ring(RefusalReason::NotReady),
            Some(Stage::Calling { .. }) => {
                let reason = UnknownReason::Silence;
                self.end_ring(RingOutcome::Unknown { reason });
            }
            None => {}
        }
    }

    /// Ends a ring that was never dialled.
    pub(super) fn refuse_ring(&mut self, reason: RefusalReason) {
        let waits = |ring: &mut Ring| matches!(ring.stage, Stage::Waiting { .. });
        if let Some(ring) = self.ring.take_if(waits) {
            self.tell_ring(ring.id, RingOutcome::Refused { reason });
        }
    }

    /// Ends a ring that was dialled, and the call with it.
    fn end_ring(&mut self, outcome: RingOutcome) {
        if let Some(ring) = self.ring.take() {
            self.line.hang_up.get_or_insert(HangUp::Voice);
            self.tell_ring(ring.id, outcome);
        }
    }

    fn tell_ring(&mut self, id: RingId, outcome: RingOutcome) {
        self.events.push_back(Event::RingEnded { id, outcome });
    }
}

/// What a call came to that is there no more.
fn gone(alerted: bool) -> RingOutcome {
    match alerted {
        true => RingOutcome::NoAnswer,
        false => RingOutcome::NotReached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_call_this_side_began_is_looked_at() {
        assert_eq!(
            outgoing_state("+CLCC: 1,0,3,0,0,\"+358405550001\",145"),
            Some(3)
        );
        assert_eq!(
            outgoing_state("+CLCC: 1,1,4,0,0,\"+358405550001\",145"),
            None
        );
        assert_eq!(outgoing_state("+CLCC: 1,0,x"), None);
    }

    #[test]
    fn callers_are_written_as_numbers_or_not_at_all() {
        assert_eq!(
            caller(" \"+358405550001\",145").as_deref(),
            Some("+358405550001")
        );
        assert_eq!(
            caller(" \"358405550001\",145").as_deref(),
            Some("+358405550001")
        );
        assert_eq!(caller(" \"16400\",129").as_deref(), Some("16400"));
        assert_eq!(caller(" \"\",128"), None);
        assert_eq!(caller(" \"Bank\",208"), None);
        assert_eq!(
            caller(&format!(" \"{}\",145", "1".repeat(40))).as_deref(),
            None
        );
    }
}
