//! Which part a status report is about.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::{StoredToken, SubmitId};
use crate::address::Address;
use crate::pdu::StatusReportPdu;

/// References wrap at 256, so an older part is not meant.
const SENT_KEPT: Duration = Duration::from_secs(72 * 3600);
/// Most parts remembered: a day at full rate.
const SENT_MAX: usize = 16_384;
/// A report can overtake the answer to `AT+CMGS`.
const EARLY_KEPT: Duration = Duration::from_secs(300);
/// Most reports held back.
const EARLY_MAX: usize = 256;

/// A report and, when known, the part it is about.
pub(super) type Matched = (StoredToken, Option<SubmitId>, Box<StatusReportPdu>);

#[derive(Debug, Default)]
pub(super) struct Reports {
    sent: VecDeque<Sent>,
    early: VecDeque<Early>,
}

#[derive(Debug)]
struct Sent {
    id: SubmitId,
    message_reference: u8,
    recipient: Address,
    at: Instant,
}

#[derive(Debug)]
struct Early {
    token: StoredToken,
    report: Box<StatusReportPdu>,
    until: Instant,
}

impl Reports {
    /// Remembers an accepted part; gives back a report that came before its answer.
    pub(super) fn accepted(
        &mut self,
        now: Instant,
        id: SubmitId,
        message_reference: u8,
        recipient: Address,
    ) -> Vec<Matched> {
        self.sent
            .retain(|sent| now.saturating_duration_since(sent.at) <= SENT_KEPT);
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            id,
            message_reference,
            recipient,
            at: now,
        });
        let early = std::mem::take(&mut self.early);
        let (matched, waiting): (VecDeque<Early>, VecDeque<Early>) = early
            .into_iter()
            .partition(|early| self.part_of(now, &early.report) == Some(id));
        self.early = waiting;
        matched
            .into_iter()
            .map(|early| (early.token, Some(id), early.report))
            .collect()
    }

    /// Takes a report; gives it back at once when its part is known, else keeps it a while.
    pub(super) fn reported(
        &mut self,
        now: Instant,
        token: StoredToken,
        report: Box<StatusReportPdu>,
    ) -> Option<Matched> {
        if let Some(id) = self.part_of(now, &report) {
            return Some((token, Some(id), report));
        }
        self.early.push_back(Early {
            token,
            report,
            until: now + EARLY_KEPT,
        });
        let overflow = if self.early.len() > EARLY_MAX {
            self.early.pop_front()
        } else {
            None
        };
        overflow.map(|early| (early.token, None, early.report))
    }

    /// Gives out reports nobody claimed in time.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<Matched> {
        let due = self
            .early
            .iter()
            .take_while(|early| early.until <= now)
            .count();
        self.early
            .drain(..due)
            .map(|early| (early.token, None, early.report))
            .collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.early.front().map(|early| early.until)
    }

    /// Another SIM counts its own references.
    pub(super) fn forget_sent(&mut self) {
        self.sent.clear();
    }

    fn part_of(&self, now: Instant, report: &StatusReportPdu) -> Option<SubmitId> {
        let newest_first = self.sent.iter().rev();
        let meant = |sent: &&Sent| {
            sent.message_reference == report.message_reference
                && sent.recipient.same_subscriber(&report.recipient)
                && now.saturating_duration_since(sent.at) <= SENT_KEPT
        };
        newest_first.into_iter().find(meant).map(|sent| sent.id)
    }
}
