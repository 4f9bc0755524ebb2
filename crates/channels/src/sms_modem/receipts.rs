//! Status reports of single parts, put together into the report of a message (CHANNELS §1.8).

use std::collections::{BTreeMap, VecDeque};

use domain::deliveries::{AttemptRef, Report};
use sms::modem::SubmitId;
use sms::pdu::{StatusClass, StatusReportStatus};

/// Messages remembered, at most: a day at full rate. A report for an older one is dropped.
const MESSAGES_MAX: usize = 16_384;

/// What is known of the parts of messages sent earlier.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    messages: BTreeMap<AttemptRef, Message>,
    parts: BTreeMap<SubmitId, (AttemptRef, usize)>,
    /// Oldest first.
    order: VecDeque<AttemptRef>,
}

#[derive(Debug, Default)]
struct Message {
    ids: Vec<SubmitId>,
    status: Vec<Option<StatusReportStatus>>,
    /// The network has taken all of it; before, a report would overtake the outcome.
    accepted: bool,
    said: Said,
}

/// What was told last; it never goes back.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
enum Said {
    #[default]
    Nothing,
    Delayed,
    Final,
}

impl Receipts {
    /// A part of this message is on its way.
    pub(super) fn expect(&mut self, attempt: AttemptRef, id: SubmitId) {
        if !self.messages.contains_key(&attempt) {
            if self.order.len() >= MESSAGES_MAX
                && let Some(oldest) = self.order.pop_front()
                && let Some(message) = self.messages.remove(&oldest)
            {
                for id in message.ids {
                    self.parts.remove(&id);
                }
            }
            self.order.push_back(attempt);
        }
        let message = self.messages.entry(attempt).or_default();
        self.parts.insert(id, (attempt, message.ids.len()));
        message.ids.push(id);
        message.status.push(None);
    }

    /// The message has been accepted as a whole; gives its report if all about it came early.
    pub(super) fn accepted(&mut self, attempt: AttemptRef) -> Option<(AttemptRef, Report)> {
        let message = self.messages.get_mut(&attempt)?;
        message.accepted = true;
        message.next_report().map(|report| (attempt, report))
    }

    /// Takes the report of one part; gives the message's when that changes it.
    pub(super) fn report(
        &mut self,
        id: SubmitId,
        status: StatusReportStatus,
    ) -> Option<(AttemptRef, Report)> {
        let (attempt, part) = *self.parts.get(&id)?;
        let message = self.messages.get_mut(&attempt)?;
        // A late "still trying" does not undo a final word.
        if message.status[part].is_none_or(|known| !known.is_final()) {
            message.status[part] = Some(status);
        }
        message.next_report().map(|report| (attempt, report))
    }
}

impl Message {
    fn next_report(&mut self) -> Option<Report> {
        if !self.accepted || self.said == Said::Final {
            return None;
        }
        let (said, report) = self.judge()?;
        if said <= self.said {
            return None;
        }
        self.said = said;
        Some(report)
    }

    fn judge(&self) -> Option<(Said, Report)> {
        let total = self.status.len();
        let of = |class: StatusClass| {
            let hits = |(part, status): (usize, &Option<StatusReportStatus>)| {
                status
                    .filter(|s| s.class() == class)
                    .map(|s| (part + 1, s.raw))
            };
            self.status
                .iter()
                .enumerate()
                .filter_map(hits)
                .collect::<Vec<_>>()
        };
        let failed = [of(StatusClass::Permanent), of(StatusClass::GaveUp)].concat();
        if let Some((part, raw)) = failed.first() {
            let detail = format!("part {part} of {total} failed with status {raw:02X}");
            return Some((Said::Final, Report::Failed { detail }));
        }
        let delivered = of(StatusClass::Delivered);
        if delivered.len() == total {
            // 01 and 02 mean forwarded or replaced: weaker than "the phone has it" (3GPP TS 23.040 §9.2.3.15).
            let weak = delivered.iter().find(|(_, raw)| *raw != 0);
            let detail = match weak {
                None => format!("{total} of {total} parts on the phone"),
                Some((part, raw)) => {
                    format!("all parts passed on, part {part} with status {raw:02X}")
                }
            };
            return Some((Said::Final, Report::Delivered { detail }));
        }
        let (part, raw) = *of(StatusClass::Trying).first()?;
        Some((
            Said::Delayed,
            Report::Delayed {
                detail: format!("part {part} of {total} still under way, status {raw:02X}"),
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::DeliveryId;

    use super::*;

    const ATTEMPT: AttemptRef = AttemptRef {
        delivery: DeliveryId([7; 16]),
        attempt: 1,
    };

    fn told(parts: u64, reports: &[(u64, u8)]) -> Vec<&'static str> {
        let mut receipts = Receipts::default();
        for id in 0..parts {
            receipts.expect(ATTEMPT, SubmitId(id));
        }
        let mut all: Vec<_> = receipts.accepted(ATTEMPT).into_iter().collect();
        all.extend(
            reports
                .iter()
                .filter_map(|&(id, raw)| receipts.report(SubmitId(id), StatusReportStatus { raw })),
        );
        let word = |(_, report): (AttemptRef, Report)| match report {
            Report::Delivered { .. } => "delivered",
            Report::Delayed { .. } => "delayed",
            Report::Failed { .. } => "failed",
        };
        all.into_iter().map(word).collect()
    }

    #[test]
    fn a_message_is_delivered_when_its_last_part_is() {
        assert_eq!(told(1, &[(0, 0x00)]), ["delivered"]);
        assert_eq!(told(3, &[(2, 0x00), (0, 0x00)]), [""; 0]);
        assert_eq!(
            told(3, &[(2, 0x00), (0, 0x00), (1, 0x01), (1, 0x01)]),
            ["delivered"]
        );
    }

    #[test]
    fn one_failed_part_fails_the_message_once() {
        assert_eq!(told(3, &[(0, 0x00), (1, 0x46), (2, 0x41)]), ["failed"]);
        assert_eq!(told(2, &[(1, 0x65)]), ["failed"]);
    }

    #[test]
    fn still_trying_is_said_once_and_never_after_the_end() {
        assert_eq!(
            told(2, &[(0, 0x30), (1, 0x21), (0, 0x00), (1, 0x00)]),
            ["delayed", "delivered"]
        );
        assert_eq!(told(1, &[(0, 0x00), (0, 0x30)]), ["delivered"]);
    }

    #[test]
    fn a_report_that_overtakes_the_outcome_waits_for_it() {
        let mut receipts = Receipts::default();
        receipts.expect(ATTEMPT, SubmitId(1));
        assert_eq!(
            receipts.report(SubmitId(1), StatusReportStatus { raw: 0 }),
            None
        );
        assert!(matches!(
            receipts.accepted(ATTEMPT),
            Some((ATTEMPT, Report::Delivered { .. }))
        ));
        assert_eq!(
            receipts.report(SubmitId(99), StatusReportStatus { raw: 0 }),
            None
        );
    }
}
