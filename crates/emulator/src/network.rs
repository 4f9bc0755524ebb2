//! The mobile network between emulated modems and phones: takes submissions, delivers by number, sends reports, rings.
//! Like [`Modem`], it does no IO and reads no clock.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sms::{
    Address, AddressError, TypeOfNumber,
    pdu::{
        Dcs, DeliverPdu, EncodedPdu, ServiceCentreTimestamp, StatusReportPdu, StatusReportStatus,
        SubmitPdu, UserData,
    },
    segment::{SegmentOptions, TooManyParts, segment},
};

use crate::{
    event::{Event, Message},
    modem::{Between, CallState, Knobs, Modem, ModemConfig, ModemEvent, patched},
    phone::{Phone, PhoneKnobs, Pickup},
};

/// How often the network tries a recipient that did not take a message.
const RETRY_EVERY: Duration = Duration::from_millis(250);
/// How long it tries: TP-VP is not honoured, tests that last longer do not exist.
const TRIES_MAX: u32 = 4 * 3600 * 72;
/// Messages under way; a submission beyond that is refused as congestion.
const AIR_LEN_MAX: usize = 200_000;
/// Events nobody drained; the oldest go first.
const EVENTS_LEN_MAX: usize = 10_000;
/// Phones, counting those that unknown numbers became.
const PHONES_LEN_MAX: usize = 200_000;
/// How long a report waits for another to be turned round with.
const REVERSE_WITHIN: Duration = Duration::from_secs(3);
const RING_AFTER: Duration = Duration::from_millis(500);
const RING_FOR: Duration = Duration::from_secs(40);
const ANSWER_AFTER: Duration = Duration::from_secs(2);

/// What becomes of a message to a number nobody has.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownNumber {
    /// Accepted, never delivered, never reported.
    #[default]
    Lost,
    /// `+CMS ERROR: 1`, unassigned number.
    Refuse,
    /// A phone with that number comes into being.
    Create,
}

/// What can be turned on the network.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkKnobs {
    /// From submission to delivery.
    pub transit_ms: Between,
    /// Messages to numbers nobody has.
    pub unknown_number: UnknownNumber,
    /// What a leading 0 of a national number stands for.
    pub country_code: String,
}

impl Default for NetworkKnobs {
    fn default() -> Self {
        Self {
            transit_ms: Between([20, 60]),
            unknown_number: UnknownNumber::Lost,
            country_code: "358".to_owned(),
        }
    }
}

impl NetworkKnobs {
    /// These knobs with the named fields of a JSON object replaced.
    ///
    /// # Errors
    /// A name that is no knob, or a value of the wrong kind.
    pub fn patched(&self, patch: &serde_json::Value) -> Result<Self, serde_json::Error> {
        patched(self, patch)
    }
}

/// Why a phone could not send.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The sender or recipient cannot stand in a PDU.
    #[error("cannot send from or to such a number")]
    Address(#[from] AddressError),
    /// More than 255 parts.
    #[error("the text is too long")]
    TooLong(#[from] TooManyParts),
}

/// Something named that does not exist.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// No modem of that name.
    #[error("no modem is called {0:?}; list the modems")]
    Modem(String),
    /// No phone with that number.
    #[error("no phone has the number {0:?}; list the phones")]
    Phone(String),
}

/// One part under way to a recipient.
struct Parcel {
    from: Address,
    to: String,
    pid: u8,
    dcs: Dcs,
    data: UserData,
    sent: ServiceCentreTimestamp,
    report_to: Option<ReportTo>,
    tries: u32,
}

/// Who asked to hear what became of a part.
struct ReportTo {
    modem: String,
    reference: u8,
    recipient: Address,
}

struct Report {
    to: ReportTo,
    sent: ServiceCentreTimestamp,
    status: u8,
    tries: u32,
}

enum Flight {
    Parcel(Box<Parcel>),
    Report(Box<Report>),
    /// Lets reports go that found no second one to be turned round with.
    Unreverse(String),
    Call {
        modem: String,
        call: u64,
        step: CallStep,
    },
}

#[derive(Clone, Copy)]
enum CallStep {
    Alert,
    Answer,
    End(&'static str),
}

/// See the module's documentation.
pub struct Network {
    knobs: NetworkKnobs,
    modems: BTreeMap<String, Modem>,
    /// Modem names by number.
    numbers: BTreeMap<String, String>,
    phones: BTreeMap<String, Phone>,
    air: BTreeMap<(Instant, u64), Flight>,
    flights: u64,
    reversed: BTreeMap<String, Vec<Report>>,
    /// The call each modem is in.
    calls: BTreeMap<String, u64>,
    rng: StdRng,
    started: Instant,
    started_ms: u64,
    events: VecDeque<Event>,
}

impl Network {
    /// An empty network. `started_ms` is the civil time at `started`, in milliseconds since 1970.
    #[must_use]
    pub fn new(knobs: NetworkKnobs, seed: u64, started: Instant, started_ms: u64) -> Self {
        Self {
            knobs,
            modems: BTreeMap::new(),
            numbers: BTreeMap::new(),
            phones: BTreeMap::new(),
            air: BTreeMap::new(),
            flights: 0,
            reversed: BTreeMap::new(),
            calls: BTreeMap::new(),
            rng: StdRng::seed_from_u64(seed),
            started,
            started_ms,
            events: VecDeque::new(),
        }
    }

    /// Adds a modem; one of the same name is replaced.
    pub fn add_modem(&mut self, now: Instant, config: ModemConfig) {
        let seed = self.rng.random();
        let name = config.name.clone();
        self.numbers
            .insert(self.canonical_text(&config.number), name.clone());
        self.modems.insert(name, Modem::new(config, seed, now));
    }

    /// Adds a phone, unless the number has one.
    pub fn add_phone(&mut self, number: &str) {
        let number = self.canonical_text(number);
        if self.phones.len() < PHONES_LEN_MAX {
            self.phones.entry(number).or_default();
        }
    }

    /// All modems by name.
    pub fn modems(&self) -> impl Iterator<Item = (&String, &Modem)> {
        self.modems.iter()
    }

    /// Number, knobs, messages ever received, messages waiting for parts, and rings of each phone.
    pub fn phones(&self) -> impl Iterator<Item = (&String, PhoneKnobs, u64, usize, u64)> {
        self.phones.iter().map(|(number, phone)| {
            let (received, partial) = phone.counts();
            (number, phone.knobs, received, partial, phone.rings)
        })
    }

    /// How the network behaves now.
    #[must_use]
    pub fn knobs(&self) -> &NetworkKnobs {
        &self.knobs
    }

    /// Turns the network's knobs.
    pub fn set_knobs(&mut self, knobs: NetworkKnobs) {
        self.knobs = knobs;
    }

    /// Does something to one modem and takes up what it asks of the network.
    ///
    /// # Errors
    /// No modem of that name.
    pub fn with_modem<T>(
        &mut self,
        now: Instant,
        name: &str,
        work: impl FnOnce(&mut Modem) -> T,
    ) -> Result<T, Unknown> {
        let modem = self
            .modems
            .get_mut(name)
            .ok_or_else(|| Unknown::Modem(name.to_owned()))?;
        let done = work(modem);
        self.drain(now, name);
        Ok(done)
    }

    /// Turns a modem's knobs.
    ///
    /// # Errors
    /// No modem of that name.
    pub fn set_modem_knobs(
        &mut self,
        now: Instant,
        name: &str,
        knobs: Knobs,
    ) -> Result<(), Unknown> {
        self.with_modem(now, name, |modem| modem.set_knobs(now, knobs))
    }

    /// Turns a phone's knobs.
    ///
    /// # Errors
    /// No phone with that number.
    pub fn set_phone_knobs(&mut self, number: &str, knobs: PhoneKnobs) -> Result<(), Unknown> {
        self.phone_mut(number)?.knobs = knobs;
        Ok(())
    }

    /// A phone's complete messages with an id above `after`, oldest first.
    ///
    /// # Errors
    /// No phone with that number.
    pub fn inbox(&self, number: &str, after: u64) -> Result<Vec<Message>, Unknown> {
        let phone = self.phones.get(&self.canonical_text(number));
        Ok(phone
            .ok_or_else(|| Unknown::Phone(number.to_owned()))?
            .inbox(after)
            .cloned()
            .collect())
    }

    /// Empties a phone's inbox.
    ///
    /// # Errors
    /// No phone with that number.
    pub fn clear_inbox(&mut self, number: &str) -> Result<(), Unknown> {
        self.phone_mut(number)?.clear();
        Ok(())
    }

    /// Sends a text from a phone (or any number or name) to a modem or phone; gives the number of parts.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(
        &mut self,
        now: Instant,
        from: &str,
        to: &str,
        text: &str,
    ) -> Result<u8, SendError> {
        let sender = Address::parse(from)?;
        let to = self.canonical(&Address::parse(to)?);
        let reference = self
            .phones
            .get_mut(&self.canonical(&sender))
            .map_or(0, |phone| {
                phone.reference = phone.reference.wrapping_add(1);
                phone.reference
            });
        let options = SegmentOptions {
            reference,
            parts_max: 255,
            transliterate_typographic: false,
        };
        let parts = segment(text, &options)?.parts;
        let count = parts.len() as u8; // parts_max is an octet
        let mut due = now;
        for data in parts {
            due += self.knobs.transit_ms.draw(&mut self.rng);
            let (from, to, dcs) = (sender.clone(), to.clone(), Dcs::of(data.alphabet()));
            let sent = self.timestamp(now);
            let parcel = Parcel {
                from,
                to,
                pid: 0,
                dcs,
                data,
                sent,
                report_to: None,
                tries: 0,
            };
            self.fly(due, Flight::Parcel(Box::new(parcel)));
        }
        Ok(count)
    }

    /// Rings a modem from a number.
    ///
    /// # Errors
    /// No modem of that name.
    pub fn call(&mut self, now: Instant, from: &str, modem: &str) -> Result<(), Unknown> {
        self.with_modem(now, modem, |modem| modem.ring(now, from))?;
        self.tell(Event::Called {
            from: from.to_owned(),
            to: modem.to_owned(),
        });
        Ok(())
    }

    /// Does what is due in the air and in every modem.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self.air.first_entry() {
            if entry.key().0 > now {
                break;
            }
            match entry.remove() {
                Flight::Parcel(parcel) => self.deliver(now, parcel),
                Flight::Report(report) => self.report(now, report),
                Flight::Unreverse(modem) => self.unreverse(now, &modem),
                Flight::Call { modem, call, step } => self.advance_call(now, &modem, call, step),
            }
        }
        let due = |modem: &Modem| modem.poll_timeout().is_some_and(|at| at <= now);
        let names: Vec<String> = self
            .modems
            .iter()
            .filter(|(_, modem)| due(modem))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            let _ = self.with_modem(now, &name, |modem| modem.handle_timeout(now));
        }
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let air = self.air.first_key_value().map(|(&(due, _), _)| due);
        self.modems
            .values()
            .filter_map(Modem::poll_timeout)
            .chain(air)
            .min()
    }

    /// What happened; drain after every call.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Civil time in milliseconds since 1970.
    pub(crate) fn civil_ms(&self, now: Instant) -> u64 {
        self.started_ms + now.saturating_duration_since(self.started).as_millis() as u64
    }

    fn phone_mut(&mut self, number: &str) -> Result<&mut Phone, Unknown> {
        let canonical = self.canonical_text(number);
        self.phones
            .get_mut(&canonical)
            .ok_or_else(|| Unknown::Phone(number.to_owned()))
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() >= EVENTS_LEN_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn fly(&mut self, due: Instant, flight: Flight) {
        self.flights += 1;
        self.air.insert((due, self.flights), flight);
    }

    /// A number as the network knows it: `+` and digits where it can tell, else as dialled.
    fn canonical(&self, address: &Address) -> String {
        let value = address.value();
        match address.type_of_number() {
            TypeOfNumber::International => format!("+{value}"),
            TypeOfNumber::Alphanumeric => value.to_owned(),
            _ => match (value.strip_prefix("00"), value.strip_prefix('0')) {
                (Some(abroad), _) => format!("+{abroad}"),
                (None, Some(national)) => format!("+{}{national}", self.knobs.country_code),
                (None, None) => value.to_owned(),
            },
        }
    }

    fn canonical_text(&self, number: &str) -> String {
        Address::parse(number)
            .map_or_else(|_| number.to_owned(), |address| self.canonical(&address))
    }

    fn timestamp(&self, now: Instant) -> ServiceCentreTimestamp {
        ServiceCentreTimestamp::from_unix((self.civil_ms(now) / 1000) as i64, 0)
            .unwrap_or(ServiceCentreTimestamp::from_octets([0; 7]))
    }

    fn drain(&mut self, now: Instant, name: &str) {
        while let Some(event) = self.modems.get_mut(name).and_then(Modem::poll_event) {
            match event {
                ModemEvent::Submit(tpdu) => {
                    let verdict = self.take(now, name, &tpdu);
                    if let Some(modem) = self.modems.get_mut(name) {
                        modem.conclude(now, verdict);
                    }
                }
                ModemEvent::Dial(number) => self.dial(now, name, &number),
                ModemEvent::PickUp => {}
                ModemEvent::HangUp => {
                    self.calls.remove(name);
                    self.tell(Event::CallEnded {
                        modem: name.to_owned(),
                    });
                }
            }
        }
    }

    /// Takes a submission or refuses it with a `+CMS ERROR`.
    fn take(&mut self, now: Instant, name: &str, tpdu: &[u8]) -> Result<(), u16> {
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

    fn deliver(&mut self, now: Instant, mut parcel: Box<Parcel>) {
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

    fn schedule_report(&mut self, now: Instant, to: ReportTo, sent: ServiceCentreTimestamp) {
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
                    status: 0x30,
                    tries: 0,
                })),
            );
        }
        let report = Box::new(Report {
            to,
            sent,
            status,
            tries: 0,
        });
        if early {
            self.report(now, report);
        } else {
            self.fly(now + wait, Flight::Report(report));
        }
    }

    fn report(&mut self, now: Instant, report: Box<Report>) {
        let name = report.to.modem.clone();
        let reversed = self
            .modems
            .get(&name)
            .is_some_and(|modem| modem.knobs().report_reversed);
        if !reversed || report.tries > 0 {
            return self.hand_over_report(now, *report);
        }
        let waiting = self.reversed.entry(name.clone()).or_default();
        waiting.push(*report);
        if waiting.len() > 1 {
            self.unreverse(now, &name);
        } else {
            self.fly(now + REVERSE_WITHIN, Flight::Unreverse(name));
        }
    }

    fn unreverse(&mut self, now: Instant, modem: &str) {
        for report in self
            .reversed
            .remove(modem)
            .unwrap_or_default()
            .into_iter()
            .rev()
        {
            self.hand_over_report(now, report);
        }
    }

    fn hand_over_report(&mut self, now: Instant, mut report: Report) {
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
        if matches!(
            self.with_modem(now, &name, |modem| modem.report(now, &tpdu)),
            Ok(Ok(()))
        ) {
            self.tell(Event::Reported {
                modem: name,
                reference: report.to.reference,
                status: report.status,
            });
            return;
        }
        report.tries += 1;
        if report.tries < TRIES_MAX {
            self.fly(now + RETRY_EVERY, Flight::Report(Box::new(report)));
        }
    }

    fn dial(&mut self, now: Instant, modem: &str, number: &str) {
        let to = self.canonical_text(number);
        self.flights += 1;
        let call = self.flights;
        self.calls.insert(modem.to_owned(), call);
        let pickup = match self.phones.get_mut(&to) {
            Some(phone) if phone.knobs.reachable => {
                phone.rings += u64::from(matches!(
                    phone.knobs.pickup,
                    Pickup::NoAnswer | Pickup::Answer
                ));
                phone.knobs.pickup
            }
            _ => Pickup::Off,
        };
        let mut plan = |after: Duration, step: CallStep| {
            self.flights += 1;
            self.air.insert(
                (now + after, self.flights),
                Flight::Call {
                    modem: modem.to_owned(),
                    call,
                    step,
                },
            );
        };
        match pickup {
            Pickup::Off => plan(RING_AFTER, CallStep::End("NO CARRIER")),
            Pickup::Busy => plan(RING_AFTER, CallStep::End("BUSY")),
            Pickup::NoAnswer => {
                plan(RING_AFTER, CallStep::Alert);
                plan(RING_FOR, CallStep::End("NO ANSWER"));
            }
            Pickup::Answer => {
                plan(RING_AFTER, CallStep::Alert);
                plan(ANSWER_AFTER, CallStep::Answer);
            }
        }
        let from = self
            .modems
            .get(modem)
            .map(|modem| modem.config().number.clone())
            .unwrap_or_default();
        self.tell(Event::Called { from, to });
    }

    fn advance_call(&mut self, now: Instant, modem: &str, call: u64, step: CallStep) {
        if self.calls.get(modem) != Some(&call) {
            return; // that call is over
        }
        if matches!(step, CallStep::End(_)) {
            self.calls.remove(modem);
            self.tell(Event::CallEnded {
                modem: modem.to_owned(),
            });
        }
        let _ = self.with_modem(now, modem, |modem| match step {
            CallStep::Alert => modem.call_reached(CallState::Alerting),
            CallStep::Answer => modem.call_reached(CallState::Active),
            CallStep::End(how) => modem.call_ended(now, how),
        });
    }
}

/// The transport PDU alone.
fn tpdu_of(pdu: &EncodedPdu) -> Vec<u8> {
    pdu.octets[pdu.octets.len() - pdu.tpdu_len..].to_vec()
}

#[cfg(test)]
mod tests;
