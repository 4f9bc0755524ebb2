//! Shared test harness.

pub mod cluster;
pub mod fake_replica;
pub mod relay;
pub mod require;

pub use simulation::world;
