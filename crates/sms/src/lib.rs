//! How modems speak: alphabets, PDUs, segmentation, reassembly and the AT dialogue.
//!
//! Pure code: bytes and time in, bytes and events out. This crate never opens a port, reads a clock,
//! draws a random number, spawns a task or logs. Whoever drives it owns all of these.
//!
//! Standards: 3GPP TS 23.038 (alphabets), TS 23.040 (PDUs), TS 27.005 and TS 27.007 (AT commands).

pub mod address;
pub mod alphabet;
pub mod hex;
pub mod modem;
pub mod pdu;
pub mod reassembly;

pub mod segment;

pub use address::{Address, AddressError, TypeOfNumber};
