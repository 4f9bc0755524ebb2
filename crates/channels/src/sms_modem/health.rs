//! What a modem's state means for people and for whoever gives it work.

use std::time::{Duration, Instant};

use domain::nodes::ChannelReport;
use sms::modem::{Status, SubmitId};

use super::settings::SmsModemSettings;

/// A modem that answers again within this time was never down.
const UNREADY_GRACE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Health {
    name: String,
    number: String,
    parts_per_min: u32,
    status: Status,
    /// The SIM last seen. Kept while the port is closed: parts received before still belong to it.
    imsi: String,
    /// Why the port is not open.
    port: Option<String>,
    /// Why a person is needed.
    trouble: Option<String>,
    /// A refusal that concerns every message, and how long it is believed.
    barred: Option<(String, Instant)>,
    /// The part the modem was given and says nothing about: whether network or modem is at fault cannot be told.
    slow: Option<SubmitId>,
    /// Since when the engine tries no parts; `None` while it does.
    unready_since: Option<Instant>,
    /// The engine has been ready since the port was opened.
    was_ready: bool,
    /// The engine has been ready since the start.
    ever_ready: bool,
}

impl Health {
    pub(super) fn new(now: Instant, settings: &SmsModemSettings) -> Self {
        Self {
            name: settings.name.clone(),
            number: settings.number.clone(),
            parts_per_min: settings.parts_per_min,
            status: Status::default(),
            imsi: String::new(),
            port: None,
            trouble: None,
            barred: None,
            slow: None,
            unready_since: Some(now),
            was_ready: false,
            ever_ready: false,
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
        self.ever_ready = true;
    }

    pub(super) fn trouble(&mut self, what: String) {
        self.trouble = Some(what);
    }

    pub(super) fn status(&mut self, status: Status) {
        if let Some(imsi) = &status.imsi {
            self.imsi.clone_from(imsi);
        }
        self.status = status;
    }

    pub(super) fn barred(&mut self, now: Instant, why: String, hold: Duration) {
        self.barred = Some((why, now + hold));
    }

    pub(super) fn slow(&mut self, id: SubmitId) {
        self.slow = Some(id);
    }

    /// A part has ended; what comes next is tried.
    pub(super) fn part_ended(&mut self, id: SubmitId) {
        self.slow.take_if(|slow| *slow == id);
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
        if self.slow.is_some() {
            return Some(
                "the modem has not said for long whether the network took its last text; others send meanwhile"
                    .to_owned(),
            );
        }
        let unready = self
            .unready_since
            .is_some_and(|since| !self.was_ready || now >= since + UNREADY_GRACE);
        if unready {
            let words = if self.ever_ready {
                "the modem does not answer; it is being brought back"
            } else {
                "the modem is being set up"
            };
            return Some(words.to_owned());
        }
        if self.status.can_sms() == Some(false) {
            return Some(
                "the modem has no network; check antenna, coverage and the SIM's plan".to_owned(),
            );
        }
        None
    }

    /// When [`down`](Self::down) may next change by itself.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let unready = self.unready_since.map(|since| since + UNREADY_GRACE);
        let barred = self.barred.as_ref().map(|(_, until)| *until);
        unready
            .into_iter()
            .chain(barred)
            .filter(|at| *at > now)
            .min()
    }

    pub(super) fn imsi(&self) -> &str {
        &self.imsi
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sms::modem::Registration;

    use super::*;

    fn fresh(now: Instant) -> Health {
        let settings = SmsModemSettings {
            name: "sms-a".to_owned(),
            port: PathBuf::from("/dev/null"),
            bits_per_s: 115_200,
            number: "+358409999999".to_owned(),
            pin: None,
            pin_key: [0; 32],
            smsc: None,
            parts_per_min: 10,
            burst: 20,
            status_reports: true,
            ring_for: Duration::from_secs(22),
            queue_len_max: 4,
        };
        Health::new(now, &settings)
    }

    fn ready(now: Instant) -> Health {
        let mut health = fresh(now);
        health.port_opened();
        health.engine(now, true);
        health.ready();
        health
    }

    #[test]
    fn a_modem_is_down_until_it_is_set_up() {
        let now = Instant::now();
        assert!(!fresh(now).report(now).up);
        let report = ready(now).report(now);
        assert_eq!((report.up, report.reason.as_str()), (true, ""));
    }

    #[test]
    fn a_short_silence_is_no_reason_to_alarm_and_a_long_one_is() {
        let now = Instant::now();
        let mut health = ready(now);
        health.engine(now, false);
        assert_eq!(health.down(now), None);
        let later = health.poll_timeout(now).unwrap();
        assert!(health.down(later).is_some());
        assert_eq!(
            health.poll_timeout(later),
            None,
            "nothing changes by itself any more"
        );
        health.engine(later, true);
        assert_eq!(health.down(later), None);
    }

    #[test]
    fn a_barred_sim_is_tried_again_after_its_hold() {
        let now = Instant::now();
        let mut health = ready(now);
        health.barred(now, "CMS error 8".to_owned(), Duration::from_secs(300));
        assert!(health.down(now).unwrap().contains("CMS error 8"));
        let later = health.poll_timeout(now).unwrap();
        health.engine(later, true);
        assert_eq!(health.down(later), None);
    }

    #[test]
    fn a_modem_silent_about_a_part_is_down_until_that_part_ends() {
        let now = Instant::now();
        let mut health = ready(now);
        health.slow(SubmitId(7));
        assert!(health.down(now).unwrap().contains("has not said for long"));
        health.part_ended(SubmitId(6));
        assert!(health.down(now).is_some());
        health.part_ended(SubmitId(7));
        assert_eq!(health.down(now), None);
    }

    #[test]
    fn without_network_a_modem_is_down_and_keeps_its_sim_over_a_lost_port() {
        let now = Instant::now();
        let mut health = ready(now);
        health.status(Status {
            imsi: Some("244910000000001".to_owned()),
            circuit: Some(Registration(2)),
            ..Status::default()
        });
        assert!(health.down(now).unwrap().contains("no network"));
        health.port_closed("gone".to_owned());
        assert_eq!(health.imsi(), "244910000000001");
        assert_eq!(health.down(now), Some("gone".to_owned()));
    }
}
