//! What the operator says about a modem, and what a modem needs remembered over restarts.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use sms::Address;
use sms::modem::{ModemConfig, Pin};

/// One SMS modem of this node.
#[derive(Clone, Debug)]
pub struct SmsModemSettings {
    /// Name of the channel, unique on this node.
    pub name: String,
    /// Serial port, pseudo terminal, or a link to one. Best is a link under `/dev/serial/by-id`, which names the modem
    /// and not the order of plugging in.
    pub port: PathBuf,
    /// Line speed; USB modems ignore it. Usual: 115,200.
    pub bits_per_s: u32,
    /// The SIM's own number, in E.164 form: where answers go. Modems seldom know it.
    pub number: String,
    /// File that holds the SIM's PIN, if it has one. Read once at start.
    pub pin: Option<PathBuf>,
    /// Secret of this node that keys the memory of tried PINs, so that the memory does not give a PIN away.
    pub pin_key: [u8; 32],
    /// The operator's service centre, for SIMs that hold none.
    pub smsc: Option<String>,
    /// Parts the SIM may send in a minute, over time. Usual: 10.
    pub parts_per_min: u32,
    /// Parts it may send at once after a pause. Usual: 20.
    pub burst: u32,
    /// Whether the network is asked to report what became of each part.
    pub status_reports: bool,
    /// How long a phone is rung to wake somebody. Usual: 22 s; voice mail takes longer calls. At most 30 s.
    pub ring_for: Duration,
    /// Messages taken and not yet ended, at most (DESIGN C3). Half as many more are taken when urgent.
    pub queue_len_max: usize,
}

/// Why a modem cannot be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum SmsModemError {
    #[error("modem {modem}: cannot read the PIN file {}", path.display())]
    Unreadable {
        modem: String,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("modem {modem}: the file {} does not hold a PIN of 4 to 8 digits", path.display())]
    Pin { modem: String, path: PathBuf },
    #[error(
        "modem {modem}: {text:?} is not a service-centre number; write it as +, country code, number"
    )]
    Smsc {
        modem: String,
        text: String,
        #[source]
        source: sms::AddressError,
    },
    #[error("modem {modem}: {what} must be at least 1")]
    Zero { modem: String, what: &'static str },
}

/// The memory behind [`PinMemory`], [`ReferenceCounter`] or [`crate::SnmpMemory`] failed.
#[derive(Debug, thiserror::Error)]
#[error("what this node remembers for a channel cannot be read or written")]
pub struct MemoryError(#[from] pub Box<dyn StdError + Send + Sync>);

/// Which PINs were ever tried on which SIM. A wrong PIN tried three times blocks the SIM, so each is tried once, ever.
#[async_trait]
pub trait PinMemory: Send + Sync + 'static {
    /// Whether this PIN, given as a keyed hash, was tried on this SIM before.
    async fn tried(&self, iccid: &str, hash: [u8; 32]) -> Result<bool, MemoryError>;

    /// Makes the try durable. Called before it is made.
    async fn record(&self, iccid: &str, hash: [u8; 32]) -> Result<(), MemoryError>;
}

/// Counts the references that tie the parts of long texts together, over restarts: a phone that sees a reference again
/// within days may mix two texts.
#[async_trait]
pub trait ReferenceCounter: Send + Sync + 'static {
    /// The next one for this modem; wraps after 255.
    async fn next(&self, modem: &str) -> Result<u8, MemoryError>;
}

/// What the engine gets, and the hash by which its PIN is remembered.
pub(super) struct Checked {
    pub(super) config: ModemConfig,
    pub(super) pin: Option<PinHasher>,
}

/// Makes the keyed hash of the configured PIN for one SIM.
pub(super) struct PinHasher {
    key: [u8; 32],
    digits: String,
}

impl PinHasher {
    pub(super) fn hash(&self, iccid: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [
            b"holdfast sim pin".as_slice(),
            &self.key,
            iccid.as_bytes(),
            self.digits.as_bytes(),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

pub(super) fn check(settings: &SmsModemSettings) -> Result<Checked, SmsModemError> {
    let modem = || settings.name.clone();
    if settings.queue_len_max == 0 {
        return Err(SmsModemError::Zero {
            modem: modem(),
            what: "queue_len_max",
        });
    }
    if settings.parts_per_min == 0 {
        return Err(SmsModemError::Zero {
            modem: modem(),
            what: "parts_per_min",
        });
    }
    let smsc = match &settings.smsc {
        None => None,
        Some(text) => match Address::international(text) {
            Ok(address) => Some(address),
            Err(source) => {
                return Err(SmsModemError::Smsc {
                    modem: modem(),
                    text: text.clone(),
                    source,
                });
            }
        },
    };
    let Some(path) = &settings.pin else {
        return Ok(Checked {
            config: ModemConfig { pin: None, smsc },
            pin: None,
        });
    };
    let content = std::fs::read_to_string(path).map_err(|source| SmsModemError::Unreadable {
        modem: modem(),
        path: path.clone(),
        source,
    })?;
    let digits = content.trim().to_owned();
    let pin = Pin::parse(&digits).map_err(|_| SmsModemError::Pin {
        modem: modem(),
        path: path.clone(),
    })?;
    Ok(Checked {
        config: ModemConfig {
            pin: Some(pin),
            smsc,
        },
        pin: Some(PinHasher {
            key: settings.pin_key,
            digits,
        }),
    })
}
