//! Messages on their way out: which is next, its parts, and what became of it (CHANNELS §1.6, §2.3). Reads no clock and
//! touches no port.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use domain::deliveries::{AttemptRef, Report, SendOutcome};
use domain::ports::{Outgoing, RIGHT_RAN_OUT};
use sms::Address;
use sms::TypeOfNumber;
use sms::modem::{
    ErrorClass, FinalError, Outcome, RefusalReason, RingId, RingOutcome, SubmitId, UnknownReason,
};
use sms::pdu::{RelativeValidity, StatusReportPdu, SubmitPdu, Validity};
use sms::segment::{SegmentOptions, count_parts, segment};

use super::pace::Pace;
use super::receipts::Receipts;
use crate::ledger::Ticket;

/// Parts of one text, at most: what modems and networks are known to carry (CHANNELS §2.3).
pub(super) const PARTS_MAX: u8 = 6;

#[derive(Debug)]
pub(super) struct Outbox {
    urgent: VecDeque<Waiting>,
    ordinary: VecDeque<Waiting>,
    current: Option<Current>,
    pace: Pace,
    receipts: Receipts,
    next_id: u64,
    status_reports: bool,
}

/// What the modem is busy with.
#[derive(Debug)]
enum Current {
    Text(CurrentText),
    /// A phone is being rung.
    Ring {
        ticket: Ticket,
        id: RingId,
    },
}

/// A message whose address and length are fine.
#[derive(Debug)]
struct Waiting {
    message: Outgoing,
    destination: Address,
    parts: usize,
    taken: Instant,
    ticket: Ticket,
}

/// The message whose parts are going out, one after the other.
#[derive(Debug)]
struct CurrentText {
    ticket: Ticket,
    parts: VecDeque<SubmitPdu>,
    total: usize,
    in_modem: SubmitId,
    references: Vec<Option<u8>>,
}

/// Something to hand to the modem.
#[derive(Debug)]
pub(super) enum Submission {
    /// One part of a text.
    Part(SubmitId, SubmitPdu),
    /// A phone to let ring.
    Ring(RingId, Address),
}

/// What an ended part means for the rest.
#[derive(Debug, Default)]
pub(super) struct AfterPart {
    /// The next part of the same message.
    pub(super) submit: Option<Submission>,
    /// A report that had come before the outcome.
    pub(super) report: Option<(AttemptRef, Report)>,
    /// The refusal was about the SIM or its plan: stop sending, for so long.
    pub(super) down: Option<(String, Duration)>,
}

impl Outbox {
    pub(super) fn new(now: Instant, parts_per_min: u32, burst: u32, status_reports: bool) -> Self {
        Self {
            urgent: VecDeque::new(),
            ordinary: VecDeque::new(),
            current: None,
            pace: Pace::new(now, parts_per_min, burst, PARTS_MAX),
            receipts: Receipts::default(),
            next_id: 0,
            status_reports,
        }
    }

    /// Puts a message in line, or ends it at once when it can never be sent.
    pub(super) fn take(&mut self, now: Instant, message: Outgoing, ticket: Ticket) {
        let destination = match Address::parse(&message.address) {
            Ok(address) if address.type_of_number() != TypeOfNumber::Alphanumeric => address,
            Ok(_) | Err(_) => {
                return ticket.end(permanent(
                    "not a phone number; write it as +, country code, number",
                ));
            }
        };
        let parts = match message.ring {
            true => 0,
            false => count_parts(&message.body, true),
        };
        if parts > usize::from(PARTS_MAX) {
            return ticket.end(permanent(&format!(
                "the text needs {parts} SMS parts and {PARTS_MAX} are allowed; shorten it"
            )));
        }
        let waiting = Waiting {
            destination,
            parts,
            taken: now,
            ticket,
            message,
        };
        if waiting.message.urgent {
            self.urgent.push_back(waiting)
        } else {
            self.ordinary.push_back(waiting)
        }
    }

    /// How many parts the next message has, when it may go now.
    pub(super) fn next_parts(&mut self, now: Instant) -> Option<usize> {
        if self.current.is_some() {
            return None;
        }
        self.drop_expired(now);
        let next = self.next()?;
        let (parts, urgent) = (next.parts, next.message.urgent);
        self.pace.take(now, parts, urgent).is_ok().then_some(parts)
    }

    /// Starts the message [`next_parts`](Self::next_parts) allowed. `reference` is shared by its parts.
    pub(super) fn start(&mut self, now: Instant, reference: u8) -> Option<Submission> {
        let Waiting {
            message,
            destination,
            taken,
            mut ticket,
            ..
        } = self
            .urgent
            .pop_front()
            .or_else(|| self.ordinary.pop_front())?;
        if !message.permit.may_start() {
            ticket.end(temporary(RIGHT_RAN_OUT));
            return None;
        }
        if message.ring {
            self.next_id += 1;
            let id = RingId(self.next_id);
            ticket.may_leave();
            self.current = Some(Current::Ring { ticket, id });
            return Some(Submission::Ring(id, destination));
        }
        let options = SegmentOptions {
            reference,
            parts_max: PARTS_MAX,
            transliterate_typographic: true,
        };
        let segmented = match segment(&message.body, &options) {
            Ok(segmented) => segmented,
            Err(too_long) => {
                ticket.end(permanent(&too_long.to_string()));
                return None;
            }
        };
        let left = message
            .validity
            .saturating_sub(now.saturating_duration_since(taken));
        let submit = |user_data| SubmitPdu {
            validity: Some(Validity::Relative(RelativeValidity::at_least(left))),
            status_report_request: self.status_reports,
            ..SubmitPdu::new(destination.clone(), user_data)
        };
        let mut parts: VecDeque<_> = segmented.parts.into_iter().map(submit).collect();
        let total = parts.len();
        let first = parts.pop_front()?;
        let id = self.new_id(ticket.attempt);
        ticket.may_leave();
        self.current = Some(Current::Text(CurrentText {
            ticket,
            parts,
            total,
            in_modem: id,
            references: Vec::new(),
        }));
        Some(Submission::Part(id, first))
    }

    /// A ring has ended.
    pub(super) fn rang(
        &mut self,
        id: RingId,
        outcome: RingOutcome,
    ) -> Option<(AttemptRef, Report)> {
        let is_it =
            |current: &mut Current| matches!(current, Current::Ring { id: own, .. } if *own == id);
        let Some(Current::Ring { mut ticket, .. }) = self.current.take_if(is_it) else {
            return None;
        };
        let attempt = ticket.attempt;
        let accepted = |detail: &str| SendOutcome::Accepted {
            detail: detail.to_owned(),
        };
        let end = match outcome {
            RingOutcome::Rang { alerted: true } => accepted("it rang and nobody took the call"),
            RingOutcome::Rang { alerted: false } => {
                accepted("it was called; the modem does not tell whether it rang")
            }
            RingOutcome::NoAnswer => accepted("it rang until the network ended the call"),
            RingOutcome::Busy => accepted("busy, or the call was turned down"),
            RingOutcome::Answered => accepted("the call was taken, and hung up"),
            RingOutcome::NotReached => {
                ticket.did_not_leave();
                temporary("the network ended the call before the phone rang")
            }
            RingOutcome::Refused { reason } => {
                ticket.did_not_leave();
                temporary(&ring_refusal_words(reason))
            }
            RingOutcome::Unknown { reason } => SendOutcome::Unknown {
                detail: unknown_words(reason),
            },
        };
        ticket.end(end);
        (outcome == RingOutcome::Answered).then(|| {
            let detail = "the call was taken".to_owned();
            (attempt, Report::Delivered { detail })
        })
    }

    /// A part has ended. Parts go one by one, so that nothing follows a part that was refused.
    pub(super) fn ended(&mut self, id: SubmitId, outcome: Outcome) -> AfterPart {
        let is_it =
            |current: &mut Current| matches!(current, Current::Text(text) if text.in_modem == id);
        let Some(Current::Text(mut current)) = self.current.take_if(is_it) else {
            return AfterPart::default();
        };
        let mut after = AfterPart::default();
        match outcome {
            Outcome::Accepted { message_reference } => {
                current.references.push(message_reference);
                if let Some(next) = current.parts.pop_front() {
                    let id = self.new_id(current.ticket.attempt);
                    current.in_modem = id;
                    self.current = Some(Current::Text(current));
                    after.submit = Some(Submission::Part(id, next));
                } else {
                    let attempt = current.ticket.attempt;
                    let detail = accepted_words(current.total, &current.references);
                    current.ticket.end(SendOutcome::Accepted { detail });
                    after.report = self.receipts.accepted(attempt);
                }
            }
            Outcome::Refused {
                class,
                reason,
                retry_after,
            } => {
                let words = refusal_words(class, reason);
                if class == ErrorClass::NodeDown {
                    after.down = Some((words.clone(), retry_after));
                }
                current.end_refused(class, &words);
            }
            Outcome::Unknown { reason } => {
                let detail = format!(
                    "part {} of {}: {}",
                    current.references.len() + 1,
                    current.total,
                    unknown_words(reason)
                );
                current.ticket.end(SendOutcome::Unknown { detail });
            }
        }
        after
    }

    pub(super) fn report(
        &mut self,
        id: SubmitId,
        report: &StatusReportPdu,
    ) -> Option<(AttemptRef, Report)> {
        self.receipts.report(id, report.status)
    }

    /// Gives back everything not yet started: another node may do better.
    pub(super) fn give_back(&mut self, why: &str) {
        for waiting in self.urgent.drain(..).chain(self.ordinary.drain(..)) {
            waiting.ticket.end(temporary(why));
        }
    }

    /// When to ask [`next_parts`](Self::next_parts) again, if nothing happens before.
    pub(super) fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        if self.current.is_some() {
            return None;
        }
        let next = self.next()?;
        let (parts, urgent, expires) = (
            next.parts,
            next.message.urgent,
            next.taken + next.message.validity,
        );
        Some(self.pace.ready_at(now, parts, urgent).min(expires))
    }

    pub(super) fn is_sending(&self) -> bool {
        self.current.is_some()
    }

    /// Urgent ones first.
    fn next(&self) -> Option<&Waiting> {
        self.urgent.front().or_else(|| self.ordinary.front())
    }

    fn drop_expired(&mut self, now: Instant) {
        for queue in [&mut self.urgent, &mut self.ordinary] {
            for waiting in std::mem::take(queue) {
                if now.saturating_duration_since(waiting.taken) > waiting.message.validity {
                    waiting
                        .ticket
                        .end(temporary("its time was over before its turn came"));
                } else {
                    queue.push_back(waiting);
                }
            }
        }
    }

    fn new_id(&mut self, attempt: AttemptRef) -> SubmitId {
        self.next_id += 1;
        let id = SubmitId(self.next_id);
        self.receipts.expect(attempt, id);
        id
    }
}

impl CurrentText {
    fn end_refused(mut self, class: ErrorClass, words: &str) {
        let sent = self.references.len();
        if sent > 0 {
            // The phone may show what it has: whoever sends again must say that it may be a repetition.
            let detail = format!("{sent} of {} parts went out, then {words}", self.total);
            return self.ticket.end(SendOutcome::Unknown { detail });
        }
        self.ticket.did_not_leave();
        let permanent = matches!(class, ErrorClass::Permanent | ErrorClass::OurBug);
        self.ticket.end(SendOutcome::Refused {
            permanent,
            detail: words.to_owned(),
        });
    }
}

fn permanent(detail: &str) -> SendOutcome {
    SendOutcome::Refused {
        permanent: true,
        detail: detail.to_owned(),
    }
}

fn temporary(detail: &str) -> SendOutcome {
    SendOutcome::Refused {
        permanent: false,
        detail: detail.to_owned(),
    }
}

fn accepted_words(total: usize, references: &[Option<u8>]) -> String {
    let list: Vec<_> = references
        .iter()
        .map(|r| r.map_or("none".to_owned(), |r| r.to_string()))
        .collect();
    format!(
        "{total} {}, reference {}",
        if total == 1 { "part" } else { "parts" },
        list.join(" ")
    )
}

fn refusal_words(class: ErrorClass, reason: RefusalReason) -> String {
    match reason {
        RefusalReason::Error(error) => format!("{}, class {}", error_words(error), class.letter()),
        RefusalReason::NoPrompt => "the modem did not ask for the message".to_owned(),
        RefusalReason::NotRegistered => "the modem has no network".to_owned(),
        RefusalReason::NotReady => "the modem was not ready".to_owned(),
        RefusalReason::Stopped => "the modem or its SIM needs a person".to_owned(),
        RefusalReason::QueueFull => "too many parts wait in the modem's queue".to_owned(),
    }
}

fn ring_refusal_words(reason: RefusalReason) -> String {
    match reason {
        RefusalReason::Error(error) => format!("the modem refuses to call: {}", error_words(error)),
        RefusalReason::NoPrompt
        | RefusalReason::NotRegistered
        | RefusalReason::NotReady
        | RefusalReason::Stopped
        | RefusalReason::QueueFull => refusal_words(ErrorClass::OtherNode, reason),
    }
}

fn unknown_words(reason: UnknownReason) -> String {
    match reason {
        UnknownReason::Silence => "the modem took it and then said nothing".to_owned(),
        UnknownReason::PortLost => "the modem went away while sending".to_owned(),
        UnknownReason::NetworkTimeout(error) => {
            format!("the network did not answer: {}", error_words(error))
        }
    }
}

fn error_words(error: FinalError) -> String {
    match error {
        FinalError::Plain => "the modem said ERROR".to_owned(),
        FinalError::Cms(code) => format!("CMS error {code} (3GPP TS 27.005 §3.2.5)"),
        FinalError::Cme(code) => format!("CME error {code} (3GPP TS 27.007 §9.2)"),
    }
}

#[cfg(test)]
mod tests;
