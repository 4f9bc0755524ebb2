//! The world outside, for the demo, tests and chaos: modems on pseudo terminals, a mobile network between them and
//! emulated phones, mail catchers, and a control socket that turns every knob.
//!
//! [`World::start`] runs all of it. The parts that decide ([`modem`], [`network`]) do no IO and read no clock; the parts
//! that do IO ([`World`] and what it owns) decide nothing. Nothing here is meant for production, and nothing here talks
//! to anything but this machine.

pub mod control;
pub mod event;
pub mod mail;
pub mod modem;
pub mod network;
pub mod phone;
mod port;
mod world;

pub use world::{StartError, World, WorldConfig};
