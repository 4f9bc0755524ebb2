//! The promise to the customer: raise, let time pass, expect texts on phones. Domain and delivery as they run in
//! production, around one log, with channels that do as they are told.

mod clocks;
mod deliveries;
mod duty;
mod outages;
mod stage;
mod waking;
mod watchers;
