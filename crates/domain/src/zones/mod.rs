//! Time-zone rules as replicated rows: TZif files (RFC 8536) installed by a command, so that every node computes local
//! wall time by the same rules whatever its program or machine brings (DESIGN A5, PRODUCT L-26).
//!
//! Invariants: a zone's row never goes away; rules only move to the same or a newer IANA version; what stands in a row
//! was parsed when it was taken. This module alone names jiff, which reads neither a clock nor the machine's files here.

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
pub(crate) mod tests;
mod wall;

pub(crate) use self::apply::apply;
pub use self::command::{Command, Install, ZoneFile};
pub use self::query::{Release, ZoneRow, load, names_of, newest_version, release, zones};
pub use self::rules::{INSTALL_BYTES_MAX, INSTALL_ZONES_MAX, batches, check_version, unknown_zone};
pub use self::wall::{WallTime, WallTimeError, Zone, ZoneError};
