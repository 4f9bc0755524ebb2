//! What happens in the emulated world, as subscribers hear it.

use serde::{Deserialize, Serialize};

/// A text as a person with a phone reads it: all parts put together.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Message {
    /// Counts the messages of this phone, from 1.
    pub id: u64,
    /// The sender's number or name.
    pub from: String,
    /// What it says.
    pub text: String,
    /// In how many parts it came.
    pub parts: u8,
    /// Class 0: shown at once, not stored (3GPP TS 23.038 §4).
    pub flash: bool,
    /// When the last part came, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A mail as the catcher took it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mail {
    /// Counts the mails of this catcher, from 1.
    pub id: u64,
    /// Envelope sender; empty for the null path.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// Header and body as sent, dots taken off, invalid UTF-8 replaced.
    pub data: String,
    /// When it was taken, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Mail {
    /// The first header of that name, unfolded, otherwise as sent (encoded words stay encoded).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let mut value: Option<String> = None;
        for line in head.split("\r\n") {
            match (
                &mut value,
                line.starts_with([' ', '\t']),
                line.split_once(':'),
            ) {
                (Some(value), true, _) => value.push_str(line),
                (Some(_), ..) => break,
                (None, false, Some((found, text))) if found.eq_ignore_ascii_case(name) => {
                    value = Some(text.trim_start().to_owned());
                }
                _ => {}
            }
        }
        value
    }

    /// What follows the header, as sent (transfer encoding stays).
    #[must_use]
    pub fn body(&self) -> &str {
        self.data
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The network took one part from a modem.
    Submitted {
        /// Name of the modem.
        modem: String,
        /// Its number.
        from: String,
        /// The recipient's number in international form.
        to: String,
        /// TP-MR.
        reference: u8,
        /// Which part, from 1.
        part: u8,
        /// Of how many.
        parts: u8,
        /// The text of this part alone; none for data.
        text: Option<String>,
        /// Milliseconds since 1970.
        at_ms: u64,
    },
    /// The network refused a submission.
    Refused {
        /// Name of the modem.
        modem: String,
        /// The recipient as the network understood it; empty when it did not.
        to: String,
        /// `+CMS ERROR`.
        cms: u16,
    },
    /// The network took a part and lost it.
    Lost {
        /// The sender.
        from: String,
        /// The recipient.
        to: String,
    },
    /// A phone has a complete message.
    PhoneReceived {
        /// The phone's number.
        phone: String,
        /// What it received.
        message: Message,
    },
    /// A modem took one part.
    ModemReceived {
        /// Name of the modem.
        modem: String,
        /// The sender.
        from: String,
        /// The text of this part alone; none for data.
        text: Option<String>,
    },
    /// A modem took a status report.
    Reported {
        /// Name of the modem.
        modem: String,
        /// TP-MR of the message it is about.
        reference: u8,
        /// TP-ST.
        status: u8,
    },
    /// A phone rings, or a modem does.
    Called {
        /// Who calls.
        from: String,
        /// Who is called.
        to: String,
        /// It makes a sound.
        heard: bool,
    },
    /// A call ended.
    CallEnded {
        /// Name of the modem that was in it.
        modem: String,
    },
    /// A mail catcher has a mail.
    Mailed {
        /// Name of the catcher.
        catcher: String,
        /// What it took.
        mail: Mail,
    },
}
