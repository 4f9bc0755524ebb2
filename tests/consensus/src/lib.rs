//! Consensus in turmoil: see `README.md` beside this crate.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "an observer picks out what it is about; the rest is none of its business"
)]

mod clients;
mod disk;
mod faults;
mod log;
mod many;
mod net;
mod node;
pub mod plants;
mod run;
mod state;
mod witness;

pub use self::many::{Summary, describe, run_seeds};
pub use self::plants::Plant;
pub use self::run::{Ended, Options, run};
pub use self::witness::{Counts, Violation};
