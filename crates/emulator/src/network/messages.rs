//! From submission to delivery.

use std::time::Instant;

use rand::RngExt;
use sms::{
    Address,
    pdu::{DeliverPdu, SubmitPdu},
};

use super::{AIR_LEN_MAX, Flight, Network, Parcel, ReportTo, UnknownNumber, Waiting, tpdu_of};
use crate::event::Event;

impl Network {
    /// Takes a submission or refuses it with a `+CMS ERROR`.
    pub(super) fn take(&mut self, now: Instant, name: &str, tpdu: &[u8]) -> Result<(), u16> {
        let Some(modem) = self.modems.get(name) else {
            return Err(500);
        };
        let (from, knobs) = (modem.config().number.clone(), modem.knobs().clone());
        let octets: Vec<u8> = std::iter::once(0).chain(tpdu.iter().copied()).collect();
        let submit = SubmitPdu::decode(&octets);
        let to = submit
            .as_ref()
            .map(|submit| self.canonical(&submit.destination))
            .unwrap_or_default();
        let verdict = match &submit {
            Err(_) => Err(304),
            Ok(_) if self.air.len() + self.waiting_len >= AIR_LEN_MAX => Err(22),
            Ok(_) if self.is_known(&to) => Ok(()),
            Ok(_) => match self.knobs.unknown_number {
                UnknownNumber::Lost => Ok(()),
                UnknownNumber::Refuse => Err(1),
                UnknownNumber::Create => {
                    self.add_phone(&to);
                    Ok(())
                }
            },
        };
        let (Ok(submit), Ok(())) = (submit, verdict) else {
            let cms = verdict.err().unwrap_or(304);
            self.tell(Event::Refused {
                modem: name.to_owned(),
                to,
                cms,
            });
            return Err(cms);
        };
        let (part, parts) = submit
            .user_data
            .concatenation()
            .map_or((1, 1), |place| (place.sequence, place.total));
        let (modem, reference) = (name.to_owned(), submit.message_reference);
        let (text, at_ms) = (submit.user_data.text(), self.civil_ms(now));
        let (modem, from, to) = (modem, from, to);
        self.tell(Event::Submitted {
            modem: modem.clone(),
            from: from.clone(),
            to: to.clone(),
            reference,
            part,
            parts,
            text,
            at_ms,
        });
        if !self.is_known(&to) || self.rng.random_range(0..100) < knobs.lost_out_percent {
            self.tell(Event::Lost { from, to });
            return Ok(());
        }
        let recipient = submit.destination;
        let report_to = submit.status_report_request.then_some(ReportTo {
            modem,
            reference,
            recipient,
        });
        let Ok(from) = Address::international(&from) else {
            return Err(500);
        };
        let (pid, dcs, data) = (submit.pid, submit.dcs, submit.user_data);
        let parcel = Parcel {
            from,
            to,
            pid,
            dcs,
            data,
            sent: self.timestamp(now),
            report_to,
        };
        if knobs.report_early {
            // The report overtakes the answer only if the delivery does.
            self.deliver(now, Box::new(parcel));
        } else {
            let transit = self.knobs.transit_ms.draw(&mut self.rng);
            self.fly(now + transit, Flight::Parcel(Box::new(parcel)));
        }
        Ok(())
    }

    fn is_known(&self, number: &str) -> bool {
        self.phones.contains_key(number) || self.numbers.contains_key(number)
    }

    /// Hands a parcel to its recipient, or lets it wait.
    pub(super) fn deliver(&mut self, now: Instant, parcel: Box<Parcel>) {
        self.offer(now, parcel.to.clone(), Waiting::Parcel(parcel));
    }

    /// Gives the parcel back when the recipient cannot take it yet.
    pub(super) fn hand_over_parcel(
        &mut self,
        now: Instant,
        parcel: Box<Parcel>,
    ) -> Result<(), Box<Parcel>> {
        let from = self.canonical(&parcel.from);
        let at_ms = self.civil_ms(now);
        if let Some(phone) = self.phones.get_mut(&parcel.to) {
            if !phone.knobs.reachable {
                return Err(parcel);
            }
            if let Some(message) = phone.receive(&from, parcel.dcs, &parcel.data, at_ms) {
                self.tell(Event::PhoneReceived {
                    phone: parcel.to.clone(),
                    message,
                });
            }
        } else {
            let modem = self.numbers.get(&parcel.to).cloned();
            let lost_percent = modem
                .as_ref()
                .and_then(|name| self.modems.get(name))
                .map(|modem| modem.knobs().lost_in_percent);
            let lost = lost_percent.is_none_or(|percent| self.rng.random_range(0..100) < percent);
            let Some(name) = modem.filter(|_| !lost) else {
                self.tell(Event::Lost {
                    from,
                    to: parcel.to,
                });
                return Ok(());
            };
            let mut pdu = DeliverPdu::new(parcel.from.clone(), parcel.sent, parcel.data.clone());
            (pdu.pid, pdu.dcs) = (parcel.pid, parcel.dcs);
            let tpdu = tpdu_of(&pdu.encode());
            if !matches!(
                self.with_modem(now, &name, |modem| modem.deliver(now, &tpdu)),
                Ok(Ok(()))
            ) {
                return Err(parcel);
            }
            self.tell(Event::ModemReceived {
                modem: name,
                from,
                text: parcel.data.text(),
            });
        }
        if let Some(to) = parcel.report_to {
            self.schedule_report(now, to, parcel.sent);
        }
        Ok(())
    }
}
