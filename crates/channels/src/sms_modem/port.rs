//! A serial port or pseudo terminal, raw, exclusive, and honest about being gone (CHANNELS §1.1).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, QueueSelector};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// How long a modem may refuse to take bytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the port cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum PortError {
    #[error("{} does not exist; check that the modem is plugged in, and the path (use one under /dev/serial/by-id)", path.display())]
    Absent { path: PathBuf },
    #[error("{} may not be opened by this program; add its user to the group dialout", path.display())]
    Forbidden { path: PathBuf },
    #[error("{} is used by another program; stop it, and keep ModemManager off this modem", path.display())]
    Busy { path: PathBuf },
    #[error("{} is not a serial port", path.display())]
    NotAPort { path: PathBuf },
    #[error("the port is gone")]
    Gone,
    #[error("the port takes no bytes for {0:?}")]
    Stuck(Duration),
    #[error("{}: {source}", path.display())]
    Other {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// An open port. Closing it drops what was not yet sent, and hangs up.
#[derive(Debug)]
pub(super) struct Port {
    fd: AsyncFd<OwnedFd>,
}

impl Port {
    /// Opens whatever the path leads to now: links under /dev/serial/by-id move when a modem comes back.
    pub(super) fn open(path: &Path, bits_per_s: u32) -> Result<Self, PortError> {
        let failed = |errno: Errno| classify(path, errno);
        // Not blocking already while opening: else a port without carrier detect would hold us for ever.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
        if !rustix::termios::isatty(&fd) {
            return Err(PortError::NotAPort {
                path: path.to_owned(),
            });
        }
        // TIOCEXCL keeps ordinary programs out, but not root's; the lock keeps out those that ask.
        rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).map_err(failed)?;
        rustix::termios::ioctl_tiocexcl(&fd).map_err(failed)?;
        let mut attributes = rustix::termios::tcgetattr(&fd).map_err(failed)?;
        attributes.make_raw();
        attributes.control_modes |=
            ControlModes::CREAD | ControlModes::CLOCAL | ControlModes::HUPCL;
        attributes.set_speed(bits_per_s).map_err(failed)?;
        rustix::termios::tcsetattr(&fd, OptionalActions::Now, &attributes).map_err(failed)?;
        // What the modem said before we came was not meant for us.
        rustix::termios::tcflush(&fd, QueueSelector::IOFlush).map_err(failed)?;
        let fd = watched(fd).map_err(|source| PortError::Other {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { fd })
    }

    /// At least one byte. May be dropped while waiting without losing any.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> Result<usize, PortError> {
        loop {
            let mut guard = self.fd.readable().await.map_err(|_| PortError::Gone)?;
            match guard.try_io(|fd| Ok(rustix::io::read(fd, &mut *buffer)?)) {
                // End of file, EIO and ENXIO all mean that it was pulled out.
                Ok(Ok(0) | Err(_)) => return Err(PortError::Gone),
                Ok(Ok(len)) => return Ok(len),
                Err(_would_block) => {}
            }
        }
    }

    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> Result<(), PortError> {
        while !bytes.is_empty() {
            let mut guard = match timeout(WRITE_TIMEOUT, self.fd.writable()).await {
                Ok(ready) => ready.map_err(|_| PortError::Gone)?,
                Err(_) => return Err(PortError::Stuck(WRITE_TIMEOUT)),
            };
            match guard.try_io(|fd| Ok(rustix::io::write(fd, bytes)?)) {
                Ok(Ok(len)) => bytes = &bytes[len..],
                Ok(Err(_)) => return Err(PortError::Gone),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // A serial driver would wait up to half a minute for a dead modem to take what is left.
        _ = rustix::termios::tcflush(self.fd.get_ref(), QueueSelector::IOFlush);
    }
}

#[expect(
    deprecated,
    reason = "the successor is unsafe, for types whose descriptor may change; an OwnedFd's does not"
)]
fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

fn classify(path: &Path, errno: Errno) -> PortError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT | Errno::NXIO | Errno::NODEV | Errno::NOTDIR | Errno::IO => {
            PortError::Absent { path }
        }
        Errno::ACCESS | Errno::PERM => PortError::Forbidden { path },
        Errno::BUSY | Errno::WOULDBLOCK => PortError::Busy { path },
        Errno::NOTTY | Errno::INVAL | Errno::ISDIR => PortError::NotAPort { path },
        other => PortError::Other {
            path,
            source: other.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::OpenptFlags;

    use super::*;

    fn pty() -> (OwnedFd, PathBuf) {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        (master, PathBuf::from(name.to_str().unwrap()))
    }

    #[tokio::test]
    async fn bytes_pass_unchanged_both_ways() {
        let (master, path) = pty();
        let port = Port::open(&path, 115_200).unwrap();
        let all: Vec<u8> = (0..=255).collect();
        port.write_all(&all).await.unwrap();
        let mut heard = vec![0; 256];
        assert_eq!(rustix::io::read(&master, &mut heard).unwrap(), 256);
        assert_eq!(heard, all);
        rustix::io::write(&master, b"\r\nOK\r\n\x04\x03").unwrap();
        let mut buffer = [0; 64];
        let len = port.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..len], b"\r\nOK\r\n\x04\x03");
    }

    #[tokio::test]
    async fn a_port_whose_other_side_closes_is_gone() {
        let (master, path) = pty();
        let port = Port::open(&path, 115_200).unwrap();
        drop(master);
        assert!(matches!(port.read(&mut [0; 8]).await, Err(PortError::Gone)));
    }

    #[tokio::test]
    async fn a_port_is_opened_once() {
        let (_master, path) = pty();
        let first = Port::open(&path, 115_200).unwrap();
        assert!(matches!(
            Port::open(&path, 115_200),
            Err(PortError::Busy { .. })
        ));
        drop(first);
        Port::open(&path, 115_200).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_port_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert!(matches!(
            Port::open(&file, 115_200),
            Err(PortError::NotAPort { .. })
        ));
        assert!(matches!(
            Port::open(&dir.path().join("none"), 115_200),
            Err(PortError::Absent { .. })
        ));
        assert!(matches!(
            Port::open(dir.path(), 115_200),
            Err(PortError::NotAPort { .. })
        ));
    }
}
