//! Shared test harness.

pub mod require;
