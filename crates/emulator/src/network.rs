//! The mobile network between emulated modems and phones: takes submissions, delivers by number, sends reports, rings.
//! Like [`Modem`], it does no IO and reads no clock.

mod calls;
mod messages;
mod reports;
mod waiting;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sms::{
    Address, AddressError, TypeOfNumber,
    pdu::{Dcs, EncodedPdu, ServiceCentreTimestamp, UserData},
    segment::{SegmentOptions, TooManyParts, segment},
};

use crate::{
    event::{Event, Message},
    modem::{Between, Knobs, Modem, ModemConfig, ModemEvent, patched},
    phone::{Phone, PhoneKnobs},
};

/// Messages and reports under way or waiting; a submission beyond that is refused as congestion.
const AIR_LEN_MAX: usize = 200_000;
/// Events nobody drained; the oldest go first.
const EVENTS_LEN_MAX: usize = 10_000;
/// Phones, counting those that unknown numbers became.
const PHONES_LEN_MAX: usize = 200_000;

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
    /// Parts of a message from a phone travel each for itself, so they may arrive in any order.
    pub shuffle_parts: bool,
    /// What a leading 0 of a national number stands for.
    pub country_code: String,
}

impl Default for NetworkKnobs {
    fn default() -> Self {
        Self {
            transit_ms: Between([20, 60]),
            unknown_number: UnknownNumber::Lost,
            shuffle_parts: false,
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
}

enum Flight {
    Parcel(Box<Parcel>),
    Report(Box<Report>),
    /// Tries again to hand over what waits for a recipient.
    Retry(String),
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

/// What a recipient could not take yet.
enum Waiting {
    Parcel(Box<Parcel>),
    Report(Box<Report>),
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
    /// What recipients could not take yet, in order; never an empty queue.
    waiting: BTreeMap<String, VecDeque<Waiting>>,
    waiting_len: usize,
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
            waiting: BTreeMap::new(),
            waiting_len: 0,
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

    /// Number, knobs, messages ever received, messages waiting for parts, rings, and rings that were heard, of each phone.
    pub fn phones(&self) -> impl Iterator<Item = (&String, PhoneKnobs, u64, usize, [u64; 2])> {
        self.phones.iter().map(|(number, phone)| {
            let (received, partial) = phone.counts();
            let rings = [phone.rings, phone.woken];
            (number, phone.knobs, received, partial, rings)
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
        // Networks show the sender in international form, however the phone knows its number.
        let known_as = self.canonical(&sender);
        let sender = if known_as.starts_with('+') {
            Address::international(&known_as)?
        } else {
            sender
        };
        let reference = match self.phones.get_mut(&known_as) {
            Some(phone) => {
                phone.reference = phone.reference.wrapping_add(1);
                phone.reference
            }
            None => self.flights as u8, // any that differs from the last
        };
        let options = SegmentOptions {
            reference,
            parts_max: 255,
            transliterate_typographic: false,
        };
        let parts = segment(text, &options)?.parts;
        let count = parts.len() as u8; // parts_max is an octet
        let mut due = now;
        for data in parts {
            let transit = self.knobs.transit_ms.draw(&mut self.rng);
            due = if self.knobs.shuffle_parts { now } else { due } + transit;
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
            heard: true,
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
                Flight::Retry(recipient) => self.retry(now, &recipient),
                Flight::Report(report) => self.report(now, *report),
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
            TypeOfNumber::Unknown
            | TypeOfNumber::National
            | TypeOfNumber::NetworkSpecific
            | TypeOfNumber::Subscriber
            | TypeOfNumber::Abbreviated
            | TypeOfNumber::Reserved => match (value.strip_prefix("00"), value.strip_prefix('0')) {
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
}

/// The transport PDU alone.
fn tpdu_of(pdu: &EncodedPdu) -> Vec<u8> {
    pdu.octets[pdu.octets.len() - pdu.tpdu_len..].to_vec()
}

#[cfg(test)]
mod tests;
