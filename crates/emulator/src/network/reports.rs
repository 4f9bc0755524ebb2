//! Status reports: when, in which order, and whether at all.

use std::time::{Duration, Instant};

use sms::pdu::{ServiceCentreTimestamp, StatusReportPdu, StatusReportStatus};

use super::{Flight, Network, Report, ReportTo, Waiting, tpdu_of};
use crate::{event::Event, modem::Modem};

/// How long a report waits for another to be turned round with.
const REVERSE_WITHIN: Duration = Duration::from_secs(3);
/// TP-ST while the service centre still tries (3GPP TS 23.040 §9.2.3.15: congestion).
const STILL_TRYING: u8 = 0x20;

impl Network {
    pub(super) fn schedule_report(
        &mut self,
        now: Instant,
        to: ReportTo,
        sent: ServiceCentreTimestamp,
    ) {
        let Some(knobs) = self.modems.get(&to.modem).map(Modem::knobs) else {
            return;
        };
        if knobs.report_missing {
            return;
        }
        let (status, trying, early) = (
            knobs.report_status,
            knobs.report_trying_first,
            knobs.report_early,
        );
        let wait = if early {
            Duration::ZERO
        } else {
            knobs.report_ms.draw(&mut self.rng)
        };
        if trying {
            let first = ReportTo {
                modem: to.modem.clone(),
                reference: to.reference,
                recipient: to.recipient.clone(),
            };
            self.fly(
                now + wait / 2,
                Flight::Report(Box::new(Report {
                    to: first,
                    sent,
                    status: STILL_TRYING,
                })),
            );
        }
        let report = Report { to, sent, status };
        if early {
            self.report(now, report);
        } else {
            self.fly(now + wait, Flight::Report(Box::new(report)));
        }
    }

    pub(super) fn report(&mut self, now: Instant, report: Report) {
        let name = report.to.modem.clone();
        let reversed = self
            .modems
            .get(&name)
            .is_some_and(|modem| modem.knobs().report_reversed);
        if !reversed {
            return self.deliver_report(now, report);
        }
        let waiting = self.reversed.entry(name.clone()).or_default();
        waiting.push(report);
        if waiting.len() > 1 {
            self.unreverse(now, &name);
        } else {
            self.fly(now + REVERSE_WITHIN, Flight::Unreverse(name));
        }
    }

    pub(super) fn unreverse(&mut self, now: Instant, modem: &str) {
        for report in self
            .reversed
            .remove(modem)
            .unwrap_or_default()
            .into_iter()
            .rev()
        {
            self.deliver_report(now, report);
        }
    }

    /// Hands a report to its modem, or lets it wait: apart from messages, which may wait for room in a memory.
    fn deliver_report(&mut self, now: Instant, report: Report) {
        let recipient = format!("reports of {}", report.to.modem);
        self.offer(now, recipient, Waiting::Report(Box::new(report)));
    }

    /// Gives the report back when the modem cannot take it yet.
    pub(super) fn hand_over_report(
        &mut self,
        now: Instant,
        report: Box<Report>,
    ) -> Result<(), Box<Report>> {
        let pdu = StatusReportPdu {
            smsc: None,
            message_reference: report.to.reference,
            recipient: report.to.recipient.clone(),
            timestamp: report.sent,
            discharge_time: self.timestamp(now),
            status: StatusReportStatus { raw: report.status },
            more_messages: false,
            loop_prevention: false,
            for_command: false,
            pid: None,
            user_data: None,
        };
        let tpdu = tpdu_of(&pdu.encode());
        let name = report.to.modem.clone();
        if !matches!(
            self.with_modem(now, &name, |modem| modem.report(now, &tpdu)),
            Ok(Ok(()))
        ) {
            return Err(report);
        }
        let ReportTo { reference, .. } = report.to;
        self.tell(Event::Reported {
            modem: name,
            reference,
            status: report.status,
        });
        Ok(())
    }
}
