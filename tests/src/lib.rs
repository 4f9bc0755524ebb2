//! Shared test harness.

pub mod fake_replica;
pub mod require;
