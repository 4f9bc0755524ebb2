//! Parts on their way out.

use std::time::{Duration, Instant};

use super::answers::fields;
use super::command::{Command, Step};
use super::error_class::{ErrorClass, FinalError, Reaction, Verdict};
use super::{Modem, Outcome, Phase, RefusalReason, Running, Stage, SubmitId, UnknownReason};
use crate::pdu::{EncodedPdu, SubmitPdu};

/// Ends a PDU (3GPP TS 27.005 §4.3).
const CTRL_Z: u8 = 0x1A;
/// Most parts waiting.
const OUTBOX_MAX: usize = 256;
/// How long a part waits for a modem that is not ready: longer, and another node does it sooner.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Without a final answer: tell the driver, who may start urgent parts elsewhere.
const SLOW_AFTER: Duration = Duration::from_secs(25);
/// Without a final answer: nobody knows. Networks have been seen to answer after 135 s.
const GIVE_UP_AFTER: Duration = Duration::from_secs(150);
const PROMPT_TRIES_MAX: u8 = 2;
/// Refusals in a row that speak of a modem unwell: set it up anew, then climb the ladder.
const SUSPICIONS_SETUP: u32 = 3;
const SUSPICIONS_CLIMB: u32 = 6;
const PAUSE: Duration = Duration::from_secs(10);
const LONG_PAUSE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Outgoing {
    id: SubmitId,
    pdu: SubmitPdu,
    encoded: EncodedPdu,
    prompt_tries: u8,
    since: Instant,
}

impl Modem {
    pub(super) fn enqueue(&mut self, now: Instant, id: SubmitId, pdu: SubmitPdu) {
        if matches!(self.phase, Phase::Stopped { .. }) || self.setup.is_dead {
            return self.refuse(id, ErrorClass::NodeDown, RefusalReason::Stopped, LONG_PAUSE);
        }
        if self.outbox.len() >= OUTBOX_MAX {
            return self.refuse(id, ErrorClass::OtherNode, RefusalReason::QueueFull, PAUSE);
        }
        let encoded = pdu.encode();
        self.outbox.push_back(Outgoing {
            id,
            pdu,
            encoded,
            prompt_tries: 0,
            since: now,
        });
    }

    /// Plans the next part; true when anything was done.
    pub(super) fn plan_send(&mut self) -> bool {
        let Some(next) = self.outbox.front() else {
            return false;
        };
        let id = next.id;
        if self.status.can_sms() == Some(false) {
            self.outbox.pop_front();
            self.refuse(
                id,
                ErrorClass::OtherNode,
                RefusalReason::NotRegistered,
                PAUSE,
            );
        } else {
            self.work.push_back(Command::Send(id));
        }
        true
    }

    pub(super) fn send_text(&self) -> String {
        // A planned part stays at the front until it has ended.
        let tpdu_len = self
            .outbox
            .front()
            .map_or(0, |outgoing| outgoing.encoded.tpdu_len);
        format!("AT+CMGS={tpdu_len}")
    }

    pub(super) fn prompted(&mut self, now: Instant) {
        let (Some(running), Some(outgoing)) = (&mut self.running, self.outbox.front()) else {
            return;
        };
        let hex = outgoing.encoded.to_hex();
        running.text.clone_from(&hex); // should the modem echo it
        running.stage = Stage::Final {
            slow_at: Some(now + SLOW_AFTER),
        };
        running.deadline = now + GIVE_UP_AFTER;
        let mut bytes = hex.into_bytes();
        bytes.push(CTRL_Z);
        self.transmit.push_back(bytes);
    }

    pub(super) fn send_ended(
        &mut self,
        now: Instant,
        result: Result<(), FinalError>,
        lines: &[String],
    ) {
        let error = match result {
            Ok(()) => return self.accepted(now, message_reference(lines)),
            // The number came, so the centre has it whatever was said afterwards.
            Err(_) if message_reference(lines).is_some() => {
                return self.accepted(now, message_reference(lines));
            }
            Err(error) => error,
        };
        match error.verdict() {
            Verdict::Accepted => self.accepted(now, None),
            Verdict::Unknown => self.unknown(UnknownReason::NetworkTimeout(error)),
            Verdict::Refused {
                class,
                retry_after,
                reaction,
            } => {
                let repeated =
                    reaction == Reaction::Suspect && self.suspicions + 1 >= SUSPICIONS_SETUP;
                let class = if repeated {
                    ErrorClass::OtherNode
                } else {
                    class
                };
                if let Some(outgoing) = self.outbox.pop_front() {
                    self.refuse(outgoing.id, class, RefusalReason::Error(error), retry_after);
                }
                self.react(now, reaction);
            }
        }
    }

    /// No final answer came, or none can come any more.
    pub(super) fn send_lost(&mut self, now: Instant, lines: &[String], reason: UnknownReason) {
        match message_reference(lines) {
            Some(reference) => self.accepted(now, Some(reference)),
            None => self.unknown(reason),
        }
    }

    /// The port closed before the PDU was handed over.
    pub(super) fn send_never_left(&mut self) {
        if let Some(outgoing) = self.outbox.pop_front() {
            self.refuse(
                outgoing.id,
                ErrorClass::OtherNode,
                RefusalReason::NotReady,
                PAUSE,
            );
        }
    }

    pub(super) fn prompt_missed(&mut self) {
        let Some(outgoing) = self.outbox.front_mut() else {
            return;
        };
        outgoing.prompt_tries += 1;
        if outgoing.prompt_tries >= PROMPT_TRIES_MAX {
            let id = outgoing.id;
            self.outbox.pop_front();
            self.refuse(id, ErrorClass::OtherNode, RefusalReason::NoPrompt, PAUSE);
        }
    }

    /// When the first waiting part has waited too long for a modem that is not ready.
    pub(super) fn overdue_at(&self) -> Option<Instant> {
        let not_ready_since = self.not_ready_since?;
        let waits = self.outbox.iter().skip(usize::from(self.is_sending()));
        waits
            .map(|outgoing| outgoing.since.max(not_ready_since) + WAIT_MAX)
            .min()
    }

    pub(super) fn refuse_overdue(&mut self, now: Instant) {
        let Some(not_ready_since) = self.not_ready_since else {
            return;
        };
        let first_waiting = usize::from(self.is_sending());
        while let Some(outgoing) = self.outbox.get(first_waiting)
            && outgoing.since.max(not_ready_since) + WAIT_MAX <= now
        {
            let id = outgoing.id;
            self.outbox.remove(first_waiting);
            self.refuse(id, ErrorClass::OtherNode, RefusalReason::NotReady, PAUSE);
        }
    }

    pub(super) fn refuse_all_down(&mut self) {
        self.refuse_ring(RefusalReason::Stopped);
        while let Some(outgoing) = self.outbox.pop_front() {
            self.refuse(
                outgoing.id,
                ErrorClass::NodeDown,
                RefusalReason::Stopped,
                LONG_PAUSE,
            );
        }
    }

    fn is_sending(&self) -> bool {
        matches!(
            self.running,
            Some(Running {
                command: Command::Send(_),
                ..
            })
        )
    }

    fn accepted(&mut self, now: Instant, message_reference: Option<u8>) {
        self.suspicions = 0;
        let Some(outgoing) = self.outbox.pop_front() else {
            return;
        };
        self.ended(outgoing.id, Outcome::Accepted { message_reference });
        if let Some(reference) = message_reference {
            for matched in
                self.reports
                    .accepted(now, outgoing.id, reference, outgoing.pdu.destination)
            {
                self.show_report(matched);
            }
        }
    }

    fn unknown(&mut self, reason: UnknownReason) {
        if let Some(outgoing) = self.outbox.pop_front() {
            self.ended(outgoing.id, Outcome::Unknown { reason });
        }
    }

    fn refuse(
        &mut self,
        id: SubmitId,
        class: ErrorClass,
        reason: RefusalReason,
        retry_after: Duration,
    ) {
        self.ended(
            id,
            Outcome::Refused {
                class,
                reason,
                retry_after,
            },
        );
    }

    fn react(&mut self, now: Instant, reaction: Reaction) {
        match reaction {
            Reaction::None => {}
            Reaction::Sweep => self.sweep_at = now,
            Reaction::SetSmsc if self.config.smsc.is_some() => {
                self.work.push_back(Command::Setup(Step::SmscSet))
            }
            Reaction::SetSmsc => {}
            Reaction::AskForNumbers => self.work.push_back(Command::Setup(Step::ErrorNumbers)),
            Reaction::CheckSim => self.restart_setup(now),
            Reaction::Suspect => {
                self.suspicions += 1;
                if self.suspicions >= SUSPICIONS_CLIMB {
                    self.suspicions = 0;
                    self.climb(now);
                } else if self.suspicions == SUSPICIONS_SETUP {
                    self.restart_setup(now);
                }
            }
        }
    }
}

/// `+CMGS: <mr>[,…]`
fn message_reference(lines: &[String]) -> Option<u8> {
    lines
        .iter()
        .find_map(|line| fields(line.strip_prefix("+CMGS:")?).first()?.parse().ok())
}
