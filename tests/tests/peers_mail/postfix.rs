//! Debian's Postfix as smarthost: an instance of its own, on loopback, delivering into a maildir.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use channels::SmtpTls;
use domain::deliveries::SendOutcome;
use domain::ports::{Outgoing, Permit};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::require::{require_program, skip};

use super::{MailChannel, file, mail, settings, smarthost};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn postfix_takes_our_mail_under_tls_and_delivers_it_unchanged() {
    let Some(postfix) = Postfix::start() else {
        return;
    };
    let mut host = smarthost("postfix", postfix.port, SmtpTls::StartTls);
    host.roots = Some(postfix.roots());
    host.tls_name = Some("mx.home.example".to_owned());
    let mut channel = MailChannel::start(patient(vec![host]));

    let message = Outgoing {
        permit: Permit::always(),
        ring: false,
        subject: "4711 Hälytys 🚨\r\nBcc: all@home.example".to_owned(),
        body: "4711 Aurora: vettä hallissa 2.\n.\nKokoontuminen portilla B.\n".to_owned(),
        ..mail(1)
    };
    let outcome = channel.send(message).await;
    assert!(
        matches!(&outcome, SendOutcome::Accepted { detail } if detail.starts_with("postfix: ") && detail.contains("queued as")),
        "{outcome:?}"
    );
    let delivered = postfix.delivered("anna").await;
    for line in [
        "Message-ID: <01010101010101010101010101010101.1@aurora.example>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: OOF, AutoReply, RN, NRN",
        "Importance: high",
        "Return-Path: <alerts@aurora.example>",
        "Delivered-To: anna@home.example",
    ] {
        assert!(
            delivered.lines().any(|l| l == line),
            "no line {line:?} in\n{delivered}"
        );
    }
    assert!(
        delivered.contains("using TLSv1.3"),
        "the way in was not protected:\n{delivered}"
    );
    assert!(
        !delivered.lines().any(|l| l.starts_with("Bcc")),
        "{delivered}"
    );
    assert!(delivered.contains("vett=C3=A4 hallissa 2."), "{delivered}");
    assert!(
        delivered.contains("\n.\n"),
        "the lone dot was lost:\n{delivered}"
    );
}

#[tokio::test]
async fn postfix_says_who_does_not_exist_and_where_it_does_not_relay() {
    let Some(postfix) = Postfix::start() else {
        return;
    };
    let host = smarthost("postfix", postfix.port, SmtpTls::LoopbackPlain);
    let mut channel = MailChannel::start(patient(vec![host]));

    let unknown = channel
        .send(Outgoing {
            permit: Permit::always(),
            address: "nobody@home.example".to_owned(),
            ..mail(1)
        })
        .await;
    assert!(
        matches!(&unknown, SendOutcome::Refused { permanent: true, detail } if detail.contains("550 5.1.1")),
        "{unknown:?}"
    );
    assert!(channel.health().await.up);

    let relay = channel
        .send(Outgoing {
            permit: Permit::always(),
            address: "anna@elsewhere.example".to_owned(),
            ..mail(2)
        })
        .await;
    assert!(
        matches!(&relay, SendOutcome::Refused { permanent: false, detail } if detail.contains("554 5.7.1")),
        "{relay:?}"
    );
    let health = channel.health().await;
    assert!(
        !health.up && health.reason.contains("Relay access denied"),
        "{health:?}"
    );

    // The next mail finds out by itself that the path still works for others.
    let known = channel.send(mail(3)).await;
    assert!(matches!(known, SendOutcome::Accepted { .. }), "{known:?}");
    assert!(channel.health().await.up);
    assert!(
        postfix
            .delivered("anna")
            .await
            .contains("Gather at gate B.")
    );
}

fn patient(smarthosts: Vec<channels::Smarthost>) -> channels::SmtpSettings {
    let mut settings = settings(smarthosts);
    settings.timeouts = channels::SmtpTimeouts::default();
    settings
}

/// One instance; stopped when dropped.
pub(super) struct Postfix {
    dir: TempDir,
    pub(super) port: u16,
    /// The start script; ends with the master it starts.
    script: Child,
    root_pem: String,
}

impl Postfix {
    /// `None`, with the reason said, where Postfix is absent or we may not become its users.
    fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// With further lines of `main.cf`.
    pub(super) fn start_with(further: &str) -> Option<Self> {
        let postfix = require_program("postfix", "postfix")?;
        if !rustix::process::geteuid().is_root() {
            skip("Postfix changes users, so it needs root");
            return None;
        }
        let user = fs::metadata("/var/lib/postfix").expect("Debian's package makes it");
        let (uid, gid) = (user.uid(), user.gid());
        // Not under a private directory: Postfix's own users must get through to it.
        let dir = tempfile::Builder::new()
            .prefix("holdfast-postfix")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        for name in ["conf", "queue", "data", "mail"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        for name in ["data", "mail"] {
            chown(dir.path().join(name), Some(uid), Some(gid)).unwrap();
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let root_pem = write_certificate(dir.path());
        fs::write(
            dir.path().join("conf/main.cf"),
            main_cf(dir.path(), uid, gid) + further,
        )
        .unwrap();
        fs::write(dir.path().join("conf/master.cf"), master_cf(port)).unwrap();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let script = Command::new(postfix)
            .arg("-c")
            .arg(dir.path().join("conf"))
            .arg("start-fg")
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let started = Self {
            dir,
            port,
            script,
            root_pem,
        };
        let deadline = Instant::now() + START_TIMEOUT;
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "Postfix did not start:\n{}",
                started.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(started)
    }

    fn roots(&self) -> PathBuf {
        file(&self.dir, "roots.pem", &self.root_pem)
    }

    /// The one mail in `mailbox`, once it is there.
    async fn delivered(&self, mailbox: &str) -> String {
        let inbox = self.dir.path().join("mail").join(mailbox).join("new");
        let deadline = Instant::now() + DELIVERY_TIMEOUT;
        loop {
            if let Some(entry) = fs::read_dir(&inbox).ok().and_then(|mut mails| mails.next()) {
                return fs::read_to_string(entry.unwrap().path()).unwrap();
            }
            assert!(
                Instant::now() < deadline,
                "Postfix delivered nothing:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let pid_file =
            fs::read_to_string(self.dir.path().join("queue/pid/master.pid")).unwrap_or_default();
        if let Some(master) = pid_file.trim().parse().ok().and_then(Pid::from_raw) {
            _ = kill_process(master, Signal::TERM);
        } else {
            _ = self.script.kill();
        }
        _ = self.script.wait();
    }
}

/// A server certificate for `mx.home.example`; gives the root that issued it.
fn write_certificate(dir: &Path) -> String {
    let issued = super::scripted::Authority::new(&["mx.home.example"], false);
    fs::write(dir.join("conf/server.pem"), &issued.server_pem).unwrap();
    fs::set_permissions(
        dir.join("conf/server.pem"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    issued.root_pem
}

fn main_cf(dir: &Path, uid: u32, gid: u32) -> String {
    let dir = dir.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.home.example
mydestination =
mynetworks = 192.0.2.1/32
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = home.example
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = inline:{{ anna@home.example=anna/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_chain_files = {dir}/conf/server.pem
smtpd_tls_received_header = yes
"
    )
}

/// The services one instance needs, none of them in a chroot.
fn master_cf(port: u16) -> String {
    format!(
        "127.0.0.1:{port} inet n - n - - smtpd
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 300 1 qmgr
tlsmgr   unix - - n 1000? 1 tlsmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
trace    unix - - n - 0 bounce
verify   unix - - n - 1 verify
flush    unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp     unix - - n - - smtp
error    unix - - n - - error
retry    unix - - n - - error
discard  unix - - n - - discard
virtual  unix - n n - - virtual
anvil    unix - - n - 1 anvil
postlog  unix-dgram n - n - 1 postlogd
"
    )
}
