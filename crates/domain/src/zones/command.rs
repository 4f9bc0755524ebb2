//! Commands about time-zone rules.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds rules of zones or replaces them by newer ones. Applying it again changes nothing.
    Install(Install),
}

/// A batch of one release of the IANA database.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Install {
    /// As IANA names its releases: `2026a`.
    pub version: String,
    /// How many zones the release has; it counts as installed once that many are.
    pub total: u32,
    pub zones: Vec<ZoneFile>,
}

/// The rules of one zone.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ZoneFile {
    /// `Europe/Helsinki`.
    pub name: String,
    /// TZif (RFC 8536).
    pub tzif: Vec<u8>,
}
