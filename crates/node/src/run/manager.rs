//! The service manager that started us, if it wants to hear: systemd's notification protocol (sd_notify(3)), which is one
//! datagram of `NAME=value` lines to the socket named in the environment.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tracing::warn;

/// A way to tell the service manager how we are. Without one, nothing happens.
#[derive(Debug, Default)]
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
    /// We are killed when we say nothing for so long.
    watchdog: Option<Duration>,
}

impl Manager {
    /// As the environment says.
    pub(super) fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self::new(
            variable("NOTIFY_SOCKET").as_deref(),
            variable("WATCHDOG_USEC").as_deref(),
            variable("WATCHDOG_PID").as_deref(),
        )
    }

    fn new(socket: Option<&str>, watchdog_us: Option<&str>, watchdog_pid: Option<&str>) -> Self {
        let socket = socket.and_then(|name| match connect(name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                warn!(%error, name, "the service manager cannot be told how we are");
                None
            }
        });
        let ours = watchdog_pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let limit = watchdog_us.and_then(|us| us.parse().ok()).unwrap_or(0);
        Self {
            watchdog: (ours && limit > 0 && socket.is_some()).then(|| Duration::from_micros(limit)),
            socket,
        }
    }

    /// The longest we may say nothing once we are ready; `None` when nobody minds.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Everything is open.
    pub(super) fn ready(&self) {
        self.say("READY=1");
    }

    /// Not ready yet, for a good reason: give it so much longer.
    pub(super) fn wait(&self, longer: Duration, why: &str) {
        self.say(&format!(
            "EXTEND_TIMEOUT_USEC={}\nSTATUS={why}",
            longer.as_micros()
        ));
    }

    /// Everything goes round; `status` is what `systemctl status` shows.
    pub(super) fn alive(&self, status: &str) {
        self.say(&format!("WATCHDOG=1\nSTATUS={status}"));
    }

    /// Not everything goes round; shown, but no sign of life.
    pub(super) fn stuck(&self, status: &str) {
        self.say(&format!("STATUS={status}"));
    }

    /// Stopping in order.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, lines: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(lines.as_bytes())
        {
            warn!(%error, "the service manager does not hear us");
        }
    }
}

/// A path, or a name in the abstract namespace after an `@`.
fn connect(name: &str) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?; // a manager that hangs must not make us hang
    let address = match name.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    #[test]
    fn what_is_said_arrives_at_a_path_and_at_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("holdfast-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, named) in [
            (
                UnixDatagram::bind(&path).unwrap(),
                path.to_str().unwrap().to_owned(),
            ),
            (
                UnixDatagram::bind_addr(&address).unwrap(),
                format!("@{name}"),
            ),
        ] {
            let manager = Manager::new(Some(&named), Some("20000000"), None);
            assert_eq!(manager.watchdog(), Some(Duration::from_secs(20)));
            manager.wait(Duration::from_secs(30), "waiting for power");
            manager.ready();
            manager.alive("leads");
            manager.stuck("the worker hangs");
            manager.stopping();
            let said = [(); 5].map(|()| heard(&socket));
            assert_eq!(
                said,
                [
                    "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=waiting for power",
                    "READY=1",
                    "WATCHDOG=1\nSTATUS=leads",
                    "STATUS=the worker hangs",
                    "STOPPING=1"
                ]
            );
        }
    }

    #[test]
    fn without_a_socket_or_for_another_process_no_watchdog_bites() {
        let own = std::process::id().to_string();
        assert_eq!(Manager::new(None, Some("5"), None).watchdog(), None);
        assert_eq!(
            Manager::new(Some("/nowhere/at/all"), Some("5"), None).watchdog(),
            None
        );
        let name = format!("holdfast-watchdog-{own}");
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _bound = UnixDatagram::bind_addr(&address).unwrap();
        let named = format!("@{name}");
        let watchdog = |us, pid| Manager::new(Some(&named), Some(us), Some(pid)).watchdog();
        assert_eq!(watchdog("5", &own), Some(Duration::from_micros(5)));
        assert_eq!(watchdog("5", "1"), None);
        assert_eq!(watchdog("0", &own), None);
        assert_eq!(watchdog("soon", &own), None);
    }
}
