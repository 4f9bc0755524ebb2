//! A whole cluster in one process, on one seed: the domain, the loops of delivery, fake channels, people and clients
//! around a log in memory, with everything that may go wrong going wrong. See `README.md` beside this crate.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "an observer picks out what it is about; the rest is none of its business"
)]

mod air;
mod chronicle;
mod clients;
mod faults;
mod invariants;
mod many;
mod people;
mod picture;
pub mod plants;
mod run;
mod trace;
pub mod world;

pub use self::many::{Failure, Summary, describe, run_seed, run_seeds, shrink};
pub use self::plants::Plant;
pub use self::run::{Ended, Options, Violation, run};
