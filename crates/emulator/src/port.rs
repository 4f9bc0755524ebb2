//! A modem's port: a pseudo terminal behind a symlink that keeps its name, as `/dev/serial/by-id` does.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    pty::OpenptFlags,
    termios::OptionalActions,
};
use tokio::{
    io::unix::AsyncFd,
    sync::watch,
    time::{sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::world::Shared;

/// How often a port without a program is looked at.
const OPEN_POLL: Duration = Duration::from_millis(5);
/// How long a program may leave the port unread before bytes are dropped, as a serial line would drop them.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait before trying again to make a pseudo terminal.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// When nothing is due, wake up anyway.
const IDLE: Duration = Duration::from_secs(60);

/// Gives a modem a port whenever it is plugged in, until stopped.
pub(crate) async fn run(shared: Arc<Shared>, name: String, link: PathBuf, stop: CancellationToken) {
    let mut changed = shared.subscribe();
    while !stop.is_cancelled() {
        let Some(enumeration) = shared
            .look_at(&name, |modem, _| {
                modem.is_plugged().then(|| modem.enumeration())
            })
            .flatten()
        else {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = changed.changed() => continue,
            }
        };
        match Pty::open(&link) {
            Ok(pty) => {
                let _link = LinkGuard(&link);
                tracing::debug!(modem = %name, "port opened");
                let port = Port {
                    shared: &shared,
                    name: &name,
                    enumeration,
                    changed: &mut changed,
                    stop: &stop,
                };
                port.serve(pty.master).await;
                tracing::debug!(modem = %name, "port closed");
            }
            Err(error) => {
                tracing::warn!(modem = %name, %error, "no pseudo terminal");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep(RETRY_EVERY) => {}
                }
            }
        }
    }
}

/// Takes the link away with the port, also when the task is aborted: the terminal's number is soon another program's.
struct LinkGuard<'a>(&'a Path);

impl Drop for LinkGuard<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}

struct Pty {
    master: OwnedFd,
}

impl Pty {
    /// Makes a raw pseudo terminal and points the link at it.
    fn open(link: &Path) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let slave = PathBuf::from(
            rustix::pty::ptsname(&master, Vec::new())?
                .to_str()
                .map_err(io::Error::other)?,
        );
        // Raw from the start: a terminal that echoes would talk to the modem by itself. Closing this again makes the
        // master report "nobody there" until a program comes.
        let first = rustix::fs::open(
            &slave,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut attributes = rustix::termios::tcgetattr(&first)?;
        attributes.make_raw();
        rustix::termios::tcsetattr(&first, OptionalActions::Now, &attributes)?;
        drop(first);
        let status = rustix::fs::fcntl_getfl(&master)?;
        rustix::fs::fcntl_setfl(&master, status | OFlags::NONBLOCK)?;
        let fresh = link.with_extension("new");
        let _ = std::fs::remove_file(&fresh);
        std::os::unix::fs::symlink(&slave, &fresh)?;
        std::fs::rename(&fresh, link)?;
        Ok(Self { master })
    }
}

/// One life of a port, from plug to unplug.
struct Port<'a> {
    shared: &'a Shared,
    name: &'a str,
    enumeration: u64,
    changed: &'a mut watch::Receiver<u64>,
    stop: &'a CancellationToken,
}

/// Why a program's session on the port ended.
enum Ended {
    /// The program closed the port.
    Closed,
    /// The program closed the port and opened it again before anybody looked.
    Reopened,
    /// The port itself is gone.
    Gone,
}

impl Port<'_> {
    async fn serve(mut self, mut master: OwnedFd) {
        while let Some(first) = self.wait_for_program(&master).await {
            self.shared.with_modem(self.name, |modem, now| {
                modem.handle_port_change(true);
                modem.handle_input(now, &first);
            });
            loop {
                let Ok(port) = watched(master) else { return };
                let ended = self.session(&port).await;
                master = port.into_inner();
                match ended {
                    Ended::Gone => return,
                    Ended::Closed => break,
                    Ended::Reopened => {}
                }
            }
            self.shared
                .with_modem(self.name, |modem, _| modem.handle_port_change(false));
        }
    }

    /// Drops what the modem says to nobody, until a program opens the port; gives what it wrote first.
    /// `None` when the port is gone.
    async fn wait_for_program(&mut self, master: &OwnedFd) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        loop {
            self.take_output()?;
            match rustix::io::read(master, &mut buffer) {
                Ok(len) if len > 0 => return Some(buffer[..len].to_vec()),
                Err(Errno::AGAIN) => return Some(Vec::new()),
                // Only the slave side being closed everywhere reads as an error.
                Ok(_) | Err(_) => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = sleep(OPEN_POLL) => {}
            }
        }
    }

    async fn session(&mut self, port: &AsyncFd<OwnedFd>) -> Ended {
        let mut buffer = [0; 4096];
        loop {
            self.changed.borrow_and_update();
            let Some((writes, wake)) = self.take_output() else {
                return Ended::Gone;
            };
            for bytes in writes {
                if !matches!(
                    timeout(WRITE_TIMEOUT, write_all(port, &bytes)).await,
                    Ok(Ok(()))
                ) {
                    break;
                }
            }
            let wake = wake.unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                () = self.stop.cancelled() => return Ended::Gone,
                _ = self.changed.changed() => {}
                () = sleep_until(wake.into()) => {}
                ready = port.readable() => {
                    let Ok(mut guard) = ready else { return Ended::Gone };
                    match rustix::io::read(port.get_ref(), &mut buffer) {
                        Ok(0) | Err(Errno::IO) => return Ended::Closed,
                        Ok(len) => {
                            self.shared.with_modem(self.name, |modem, now| modem.handle_input(now, &buffer[..len]));
                        }
                        // A hang-up that is over stays marked in the reactor; only a new registration forgets it.
                        Err(Errno::AGAIN) if guard.ready().is_read_closed() => return Ended::Reopened,
                        Err(Errno::AGAIN) => guard.clear_ready(),
                        Err(Errno::INTR) => {}
                        Err(_) => return Ended::Gone,
                    }
                }
            }
        }
    }

    /// What is due, and when more will be; `None` when this port no longer exists.
    fn take_output(&self) -> Option<(Vec<Vec<u8>>, Option<Instant>)> {
        let enumeration = self.enumeration;
        self.shared.look_at(self.name, |modem, now| {
            let here = modem.is_plugged() && modem.enumeration() == enumeration;
            here.then(|| {
                (
                    std::iter::from_fn(|| modem.poll_transmit(now)).collect(),
                    modem.transmit_at(),
                )
            })
        })?
    }
}

#[expect(
    deprecated,
    reason = "the successor is unsafe for types whose descriptor may change; an OwnedFd's does not"
)]
fn watched(master: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(master)
}

async fn write_all(port: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut guard = port.writable().await?;
        match guard.try_io(|port| Ok(rustix::io::write(port.get_ref(), bytes)?)) {
            Ok(Ok(len)) => bytes = &bytes[len..],
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
    Ok(())
}
