//! What happens next: loops over rows that decide nothing twice.
//!
//! The [`Scheduler`] works on the leader: it moves alerts on and gives deliveries to channels. The [`Worker`] works on
//! every node: it sends what is assigned to the node's channels, reports what became of it, and brings in what people
//! answer. The [`Watcher`], also on every node, looks whether all that still happens. The [`FileKeeper`] brings files to every node. All are steps (`step(now)`) with a
//! thin loop around them, so that the same code runs over Raft, over an island and over the simulator. This crate opens no
//! socket and no port, reads no clock of its own and draws no chance.

mod assignment;
mod direct;
mod files;
mod inbox;
mod level;
mod machine;
mod outbox;
mod pulse;
mod scheduler;
mod sealer;
mod share;
mod wake;
mod watcher;
mod worker;

pub use direct::{Direct, language_of, send_directly};
pub use files::FileKeeper;
pub use pulse::Pulse;
pub use scheduler::Scheduler;
pub use wake::Wake;
pub use watcher::Watcher;
pub use worker::Worker;
