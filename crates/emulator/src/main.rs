//! Runs an emulated world in a process of its own: `emulator WORLD.json`. Prints the control socket's path
//! when everything is there; ends on SIGTERM or SIGINT.

use std::{io::Write, process::ExitCode};

use emulator::{World, WorldConfig};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is all there is to tell it to.
            let _ = writeln!(std::io::stderr(), "emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: emulator WORLD.json")?;
    let config: WorldConfig = serde_json::from_slice(&std::fs::read(path)?)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let world = World::start(config).await?;
    writeln!(std::io::stdout(), "{}", world.control_socket().display())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    world.stop().await;
    Ok(())
}
