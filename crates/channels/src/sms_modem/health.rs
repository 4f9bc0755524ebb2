//! What a modem's state means for people and for whoever gives it work.

use std::time::{Duration, Instant};

use domain::nodes::ChannelReport;
use sms::modem::Status;

use super::settings::SmsModemSettings;

/// A modem that answers again within this time was never down.
const UNREADY_GRACE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Health {
    name: String,
    number: String,
    parts_per_min: u32,
    status: Status,
    /// Why the port is not open.
    port: Option<String>,
    /// Why a person is needed.
    trouble: Option<String>,
    /// A refusal that concerns every message, and how long it is believed.
    barred: Option<(String, Instant)>,
    /// Since when the engine tries no parts; `None` while it does.
    unready_since: Option<Instant>,
    was_ready: bool,
}

impl Health {
    pub(super) fn new(now: Instant, settings: &SmsModemSettings) -> Self {
        Self {
            name: settings.name.clone(),
            number: settings.number.clone(),
            parts_per_min: settings.parts_per_min,
            status: Status::default(),
            port: None,
            trouble: None,
            barred: None,
            unready_since: Some(now),
            was_ready: false,
        }
    }

    pub(super) fn port_opened(&mut self) {
        self.port = None;
        self.was_ready = false;
    }

    pub(super) fn port_closed(&mut self, why: String) {
        self.port = Some(why);
        self.was_ready = false;
        self.status = Status::default();
    }

    pub(super) fn ready(&mut self) {
        self.trouble = None;
        self.was_ready = true;
    }

    pub(super) fn trouble(&mut self, what: String) {
        self.trouble = Some(what);
    }

    pub(super) fn status(&mut self, status: Status) {
        self.status = status;
    }

    pub(super) fn barred(&mut self, now: Instant, why: String, hold: Duration) {
        self.barred = Some((why, now + hold));
    }

    /// Tells whether the engine is trying parts now.
    pub(super) fn engine(&mut self, now: Instant, is_ready: bool) {
        if is_ready {
            self.unready_since = None;
        } else {
            self.unready_since.get_or_insert(now);
        }
        self.barred.take_if(|(_, until)| *until <= now);
    }

    /// Why nothing can be sent now; `None` when all is well.
    pub(super) fn down(&self, now: Instant) -> Option<String> {
        if let Some(why) = &self.port {
            return Some(why.clone());
        }
        if let Some(what) = &self.trouble {
            return Some(what.clone());
        }
        if let Some((why, _)) = &self.barred {
            return Some(format!(
                "the network refuses this SIM ({why}); check its plan and credit with the operator"
            ));
        }
        let unready = self
            .unready_since
            .is_some_and(|since| !self.was_ready || now >= since + UNREADY_GRACE);
        if unready {
            return Some("the modem is being set up".to_owned());
        }
        if self.status.can_sms() == Some(false) {
            return Some(
                "the modem has no network; check antenna, coverage and the SIM's plan".to_owned(),
            );
        }
        None
    }

    /// When [`down`](Self::down) may change by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let unready = self
            .unready_since
            .map(|since| since + UNREADY_GRACE)
            .filter(|_| self.was_ready);
        let barred = self.barred.as_ref().map(|(_, until)| *until);
        unready.into_iter().chain(barred).min()
    }

    pub(super) fn imsi(&self) -> &str {
        self.status.imsi.as_deref().unwrap_or_default()
    }

    pub(super) fn report(&self, now: Instant) -> ChannelReport {
        let down = self.down(now);
        ChannelReport {
            name: self.name.clone(),
            kind: "sms".to_owned(),
            up: down.is_none(),
            reason: down.unwrap_or_default(),
            operator: self.status.operator.clone().unwrap_or_default(),
            number: self.number.clone(),
            signal_dbm: self.status.signal_dbm,
            rate_per_min: self.parts_per_min,
        }
    }
}
