//! From submission to delivery.

use std::time::Instant;

use rand::RngExt;
use sms::{
    Address,
    pdu::{DeliverPdu, SubmitPdu},
};

use super::{
    AIR_LEN_MAX, Flight, Network, Parcel, RETRY_EVERY, ReportTo, TRIES_MAX, UnknownNumber, tpdu_of,
};
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
            Ok(_) if self.air.len() >= AIR_LEN_MAX => Err(22),
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
            tries: 0,
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

    pub(super) fn deliver(&mut self, now: Instant, mut parcel: Box<Parcel>) {
        let from = self.canonical(&parcel.from);
        let at_ms = self.civil_ms(now);
        let taken = if let Some(phone) = self.phones.get_mut(&parcel.to) {
            if phone.knobs.reachable {
                let message = phone.receive(&from, parcel.dcs, &parcel.data, at_ms);
                if let Some(message) = message {
                    self.tell(Event::PhoneReceived {
                        phone: parcel.to.clone(),
                        message,
                    });
                }
                true
            } else {
                false
            }
        } else if let Some(name) = self.numbers.get(&parcel.to).cloned() {
            self.deliver_to_modem(now, &name, &from, &parcel)
        } else {
            self.tell(Event::Lost {
                from,
                to: parcel.to,
            });
            return;
        };
        if !taken {
            parcel.tries += 1;
            if parcel.tries < TRIES_MAX {
                self.fly(now + RETRY_EVERY, Flight::Parcel(parcel));
            }
            return;
        }
        if let Some(to) = parcel.report_to {
            self.schedule_report(now, to, parcel.sent);
        }
    }

    fn deliver_to_modem(&mut self, now: Instant, name: &str, from: &str, parcel: &Parcel) -> bool {
        let lost_percent = self
            .modems
            .get(name)
            .map_or(0, |modem| modem.knobs().lost_in_percent);
        if self.rng.random_range(0..100) < lost_percent {
            self.tell(Event::Lost {
                from: from.to_owned(),
                to: parcel.to.clone(),
            });
            return true;
        }
        let mut pdu = DeliverPdu::new(parcel.from.clone(), parcel.sent, parcel.data.clone());
        (pdu.pid, pdu.dcs) = (parcel.pid, parcel.dcs);
        let tpdu = tpdu_of(&pdu.encode());
        let taken = matches!(
            self.with_modem(now, name, |modem| modem.deliver(now, &tpdu)),
            Ok(Ok(()))
        );
        if taken {
            let text = parcel.data.text();
            self.tell(Event::ModemReceived {
                modem: name.to_owned(),
                from: from.to_owned(),
                text,
            });
        }
        taken
    }
}
