//! Texts that leave by this node's own channels at once, past the log: when the normal way is what is broken, or when
//! there is no time for it. Sent once, never repeated, recorded only in this node's own log.

use std::sync::Arc;
use std::time::Duration;

use domain::deliveries::AttemptRef;
use domain::ports::{Channel, ChannelKind, Outgoing, Permit};
use domain::recipients::{ContactMethod, PersonRow};
use domain::texts::Language;
use domain::{DeliveryId, Timestamp};
use tracing::{info, warn};

/// Worth delivering for this long.
const VALIDITY: Duration = Duration::from_secs(1_800);

/// One person's text.
#[derive(Clone, Debug)]
pub struct Direct<'a> {
    pub person: &'a PersonRow,
    pub subject: &'a str,
    pub body: &'a str,
}

/// Hands a text to the first of this node's channels that can carry it to the person now; says whether one took it.
/// `about` and `now` name the text, so that two of them are two.
pub fn send_directly(
    channels: &[Arc<dyn Channel>],
    text: &Direct<'_>,
    about: &str,
    now: Timestamp,
) -> bool {
    for method in &text.person.methods {
        let (kind, address) = match method {
            ContactMethod::Sms(number) => (ChannelKind::Sms, number),
            ContactMethod::Email(address) => (ChannelKind::Email, address),
        };
        let delivery = DeliveryId::derive(&[
            b"direct",
            about.as_bytes(),
            address.as_bytes(),
            &now.0.to_be_bytes(),
        ]);
        for channel in channels.iter().filter(|c| c.kind() == kind && c.free() > 0) {
            let message = Outgoing {
                attempt: AttemptRef {
                    delivery,
                    attempt: 1,
                },
                // No other node sends this one, so no lease is needed to keep two from doing it.
                permit: Permit::always(),
                address: address.clone(),
                ring: false,
                subject: text.subject.to_owned(),
                body: text.body.to_owned(),
                validity: VALIDITY,
                urgent: true,
                reply: None,
            };
            if channel.submit(message).is_ok() {
                info!(channel = channel.name(), about, "text handed over directly");
                return true;
            }
        }
    }
    warn!(about, "nobody could be told directly");
    false
}

/// The language a person reads.
pub fn language_of(person: &PersonRow) -> Language {
    Language::parse(&person.language)
}
