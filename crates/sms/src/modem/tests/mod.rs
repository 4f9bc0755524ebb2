//! Transcripts: what the engine says (`>`), what a modem answers (`<`), what the driver hears (`!`).

mod calling;
mod receiving;
mod recovery;
mod sending;
mod setup;
mod world;

use world::World;

/// Plays a script against a modem that has been set up.
fn check(script: &str) {
    World::ready().play(script);
}

/// Plays a script from the moment the port is opened.
fn check_from_start(script: &str) {
    World::new(super::ModemConfig::default()).play(script);
}
