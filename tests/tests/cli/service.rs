//! A node under a service manager that wants to hear that it is ready, alive and stopping.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use rustix::process::Signal;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

use super::{Lonely, PATIENCE, Process, command};

/// Waits until something is said that `is` what is meant; gives what was said before it.
fn until(socket: &UnixDatagram, is: impl Fn(&str) -> bool) -> Vec<String> {
    let mut before = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let len = socket
            .recv(&mut buffer)
            .unwrap_or_else(|e| panic!("heard only {before:?}: {e}"));
        let said = std::str::from_utf8(&buffer[..len]).unwrap().to_owned();
        if is(&said) {
            return before;
        }
        before.push(said);
    }
}

#[tokio::test]
async fn a_node_says_when_it_is_ready_lives_hangs_and_stops() {
    let mut node = Lonely::start();
    drop(node.node.take());
    let address = node.path("notify");
    let socket = UnixDatagram::bind(&address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut run = command(&["--config", &node.config, "run"]);
    run.env("NOTIFY_SOCKET", &address)
        .env("WATCHDOG_USEC", "2000000")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut running = Process(run.spawn().unwrap());
    let lives = |said: &str| said.contains("WATCHDOG=1");
    let before = until(&socket, |said| said == "READY=1");
    assert!(before.iter().all(|said| !said.contains("STOPPING")));
    until(&socket, |said| lives(said) && said.contains("STATUS=leads"));

    // Somebody holds the node's own database: no sign of life as long as that lasts.
    let options = SqliteConnectOptions::new().filename(node.path("data/node.db"));
    let mut holder = SqliteConnection::connect_with(&options).await.unwrap();
    holder.execute("begin immediate").await.unwrap();
    until(&socket, |said| said.contains("hangs") && !lives(said));
    let silent = until(&socket, |said| said.contains("hangs"));
    assert!(!silent.iter().any(|said| lives(said)), "{silent:?}");
    holder.execute("rollback").await.unwrap();
    holder.close().await.unwrap();
    until(&socket, lives);

    running.signal(Signal::TERM);
    until(&socket, |said| said == "STOPPING=1");
    assert_eq!(running.wait(), 0);
}
