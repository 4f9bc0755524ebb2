//! What the operator says about SNMP, checked and read once at start.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::engine::{Community, User};
use super::usm::{Keys, SnmpAuth};
use crate::sms_modem::MemoryError;

/// Bytes of a file with secrets that are read, at most.
const SECRETS_LEN_MAX: u64 = 4_096;
/// The shortest passphrase (RFC 3414 §11.2).
const PASSPHRASE_LEN_MIN: usize = 8;

/// How the listener is set up.
#[derive(Clone, Debug)]
pub struct SnmpInSettings {
    pub address: SocketAddr,
    /// This node's engine id: 5 to 32 bytes, its own among all engines and the same after every start.
    pub engine: Vec<u8>,
    /// Whence anything is taken: addresses with the number of leading bits that count. Empty: v3 from everywhere, v2c from
    /// this machine only.
    pub from: Vec<(IpAddr, u8)>,
    pub communities: Vec<SnmpCommunity>,
    pub users: Vec<SnmpUser>,
}

/// Senders of v2c, who share a word that travels in clear.
#[derive(Clone, Debug)]
pub struct SnmpCommunity {
    /// For logs and labels.
    pub name: String,
    /// Key of the source it speaks for.
    pub source: String,
    /// File with the community in its first line.
    pub secret: PathBuf,
}

/// A sender of v3, signed and encrypted with AES-128.
#[derive(Clone, Debug)]
pub struct SnmpUser {
    /// Its security name: 1 to 32 characters.
    pub name: String,
    /// Key of the source it speaks for.
    pub source: String,
    pub auth: SnmpAuth,
    /// File with the passphrase for signing in the first line and the one for encryption in the second.
    pub passphrases: PathBuf,
}

/// Why the listener cannot be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum SnmpInError {
    #[error("cannot listen for SNMP at {address}; choose another port, or end what listens there")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("SNMP sender {sender}: cannot read {}; the file must exist and be readable by this program", path.display())]
    Unreadable {
        sender: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("SNMP sender {sender}: {} must hold the community in line 1", path.display())]
    Community { sender: String, path: PathBuf },
    #[error(
        "SNMP sender {sender}: {} must hold the passphrase for signing in line 1 and the one for encryption in line 2, each of at least {PASSPHRASE_LEN_MIN} characters",
        path.display()
    )]
    Passphrases { sender: String, path: PathBuf },
    #[error(
        "cannot count this start of the SNMP listener, without which old messages could be sent again"
    )]
    Memory(#[from] MemoryError),
}

pub(super) fn community(settings: &SnmpCommunity) -> Result<Community, SnmpInError> {
    let text = read(&settings.name, &settings.secret)?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Community {
            name: settings.name.clone(),
            source: settings.source.clone(),
            secret: line.as_bytes().to_vec(),
        }),
        None => Err(SnmpInError::Community {
            sender: settings.name.clone(),
            path: settings.secret.clone(),
        }),
    }
}

pub(super) fn user(settings: &SnmpUser) -> Result<User, SnmpInError> {
    let text = read(&settings.name, &settings.passphrases)?;
    let mut lines = text.lines();
    let mut passphrase = || lines.next().filter(|line| line.len() >= PASSPHRASE_LEN_MIN);
    let (Some(signing), Some(hiding)) = (passphrase(), passphrase()) else {
        return Err(SnmpInError::Passphrases {
            sender: settings.name.clone(),
            path: settings.passphrases.clone(),
        });
    };
    Ok(User {
        name: settings.name.clone(),
        source: settings.source.clone(),
        keys: Keys::stretch(settings.auth, signing, hiding),
    })
}

fn read(sender: &str, path: &Path) -> Result<String, SnmpInError> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(SECRETS_LEN_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(source) => Err(SnmpInError::Unreadable {
            sender: sender.to_owned(),
            path: path.to_owned(),
            source,
        }),
    }
}
