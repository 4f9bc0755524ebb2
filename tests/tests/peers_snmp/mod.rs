//! Traps and informs from Net-SNMP, which nobody here wrote.

#![expect(
    clippy::unwrap_used,
    reason = "tests may, and so may what only tests call"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command as Program, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use channels::{
    MemoryError, SnmpAuth, SnmpCommunity, SnmpIn, SnmpInSettings, SnmpMemory, SnmpUser,
};
use domain::oncall::Called;
use domain::ports::{Freshness, IntakeTally, Proposal, ProposeError, Replica};
use domain::recipients::{Command as Recipients, ContactMethod, Details, Named, Person};
use domain::sources::{Brake, Command as Sources, Kind, Mapping, OnResolve, Source};
use domain::vocabulary::Severity;
use domain::{Command, Outcome, RequestId, alerts};
use tempfile::TempDir;
use tests::fake_replica::{FakeReplica, Fault};
use tests::require::require_program;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const ENGINE: [u8; 9] = [0x80, 0, 0, 0, 5, 1, 2, 3, 4];

const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";
const LINK_UP: &str = "1.3.6.1.6.3.1.1.5.4";
const IF_INDEX: [&str; 3] = ["1.3.6.1.2.1.2.2.1.1.3", "i", "3"];
const IF_DESCR: [&str; 3] = ["1.3.6.1.2.1.2.2.1.2.3", "s", "Gi0/3"];

/// What a listener remembers, for as long as the test lasts.
#[derive(Default)]
struct Memory(Mutex<Option<Vec<u8>>>);

#[async_trait]
impl SnmpMemory for Memory {
    async fn read(&self) -> Result<Option<Vec<u8>>, MemoryError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn write(&self, bytes: &[u8]) -> Result<(), MemoryError> {
        *self.0.lock().unwrap() = Some(bytes.to_vec());
        Ok(())
    }
}

/// A listener over a log of one, with the source `net` that calls Anna.
struct Listener {
    replica: Arc<FakeReplica>,
    memory: Arc<Memory>,
    tally: IntakeTally,
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
    folder: TempDir,
}

impl Listener {
    async fn start() -> Self {
        let replica = FakeReplica::open().await;
        let anna = Person {
            key: "anna".to_owned(),
            name: "Anna".to_owned(),
            language: "en".to_owned(),
            methods: vec![ContactMethod::Sms("+358401234567".to_owned())],
            details: Details::default(),
        };
        let people = Recipients::PutPeople { people: vec![anna] };
        apply(&replica, Command::Recipients(people)).await;
        let source = Box::new(Source {
            key: "net".to_owned(),
            name: "Network".to_owned(),
            kind: Kind::Snmp,
            calls: vec![Called::Named(Named::Person("anna".to_owned()))],
            severity: Severity::High,
            severities: Vec::new(),
            gather: String::new(),
            mapping: Mapping::of(Kind::Snmp),
            on_resolve: OnResolve::Close,
            brake: Brake::default(),
            beat: None,
            enabled: true,
            answers: false,
        });
        apply(&replica, Command::Sources(Sources::Put { source })).await;
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::<Memory>::default();
        let tally = IntakeTally::default();
        let (address, stop, running) = Self::listen(folder.path(), &replica, &memory, &tally).await;
        Self {
            replica,
            memory,
            tally,
            address,
            stop,
            running,
            folder,
        }
    }

    async fn listen(
        folder: &Path,
        replica: &Arc<FakeReplica>,
        memory: &Arc<Memory>,
        tally: &IntakeTally,
    ) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let user = |name: &str, auth: SnmpAuth| SnmpUser {
            name: name.to_owned(),
            source: "net".to_owned(),
            auth,
            passphrases: file(name, "signed by us\nhidden from others\n"),
        };
        let community = |name: &str, source: &str| SnmpCommunity {
            name: name.to_owned(),
            source: source.to_owned(),
            secret: file(name, &format!("{name} swordfish\n")),
        };
        let settings = SnmpInSettings {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            engine: ENGINE.to_vec(),
            from: Vec::new(),
            communities: vec![community("ups", "net"), community("lost", "nothing")],
            users: vec![
                user("core", SnmpAuth::Sha256),
                user("strong", SnmpAuth::Sha512),
                user("old", SnmpAuth::Sha1),
            ],
        };
        let listener = SnmpIn::bind(settings, replica.clone(), memory.clone(), tally.clone()).await;
        let listener = listener.unwrap();
        let address = listener.address().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(listener.run(stop.clone()));
        (address, stop, running)
    }

    async fn restart(&mut self) {
        self.stop.cancel();
        (&mut self.running).await.unwrap();
        let folder = self.folder.path();
        (self.address, self.stop, self.running) =
            Self::listen(folder, &self.replica, &self.memory, &self.tally).await;
    }

    /// State and English text of every alert, newest first, once there are so many and the newest is as wanted.
    async fn alerts(&self, count: usize, newest: &str) -> Vec<(&'static str, String)> {
        let began = Instant::now();
        loop {
            let mut view = self.replica.read(Freshness::Local).await.unwrap();
            let rows = alerts::list(&mut view, None, None, 10).await.unwrap();
            if rows.len() >= count && rows.first().is_some_and(|row| row.state.name() == newest) {
                let shown = |row: alerts::AlertRow| (row.state.name(), row.texts[0].1.clone());
                return rows.into_iter().map(shown).collect();
            }
            assert!(
                began.elapsed() < PATIENCE,
                "no trap became an alert; {:?}",
                self.tally.counts()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many of something were counted.
    async fn counted(&self, what: &str, count: u64) {
        let began = Instant::now();
        let counted = || {
            let counts = self.tally.counts();
            let found = counts.iter().find(|(_, counted, _)| *counted == what);
            found.map_or(0, |(_, _, count)| *count)
        };
        while counted() < count {
            let counts = self.tally.counts();
            assert!(began.elapsed() < PATIENCE, "{what} in {counts:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(counted(), count, "{what}");
    }

    /// Runs one of Net-SNMP's programs against `to`; says whether it ended well, and what it complained of.
    async fn send_to(
        &self,
        to: SocketAddr,
        program: &str,
        session: &[&str],
        trap: &str,
        values: &[[&str; 3]],
    ) -> Option<(bool, String)> {
        let program = require_program(program, "snmp")?;
        let mut sending = Program::new(program);
        sending
            .args(session)
            .args(["-r", "1", "-t", "20", &to.to_string(), "", trap])
            .args(values.concat())
            .env("MIBS", "")
            .env("SNMP_PERSISTENT_DIR", self.folder.path().join("net-snmp"))
            .stdin(Stdio::null());
        let sent = tokio::task::spawn_blocking(move || sending.output().unwrap());
        let sent = sent.await.unwrap();
        let said = String::from_utf8_lossy(&sent.stderr).into_owned();
        Some((sent.status.success(), said))
    }

    async fn send(
        &self,
        program: &str,
        session: &[&str],
        trap: &str,
        values: &[[&str; 3]],
    ) -> Option<(bool, String)> {
        self.send_to(self.address, program, session, trap, values)
            .await
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

async fn apply(replica: &FakeReplica, command: Command) {
    let request = RequestId::derive(&[&replica.applied().to_be_bytes()]);
    let committed = replica.propose(Proposal::by_loop(request, command)).await;
    let outcome = committed.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

/// Arguments of a v3 session.
fn v3<'a>(user: &'a str, auth: &'a str, signing: &'a str) -> Vec<&'a str> {
    vec![
        "-v3",
        "-l",
        "authPriv",
        "-u",
        user,
        "-a",
        auth,
        "-A",
        signing,
        "-x",
        "AES",
        "-X",
        "hidden from others",
    ]
}

/// The engine of the device that sends traps, and how often it started and for how long it ran.
fn of_device(clock: &str) -> [&str; 4] {
    ["-e", "0x8000000001020304", "-Z", clock]
}

#[tokio::test]
async fn a_link_goes_down_by_v2c_and_its_coming_up_closes_the_alert() {
    let listener = Listener::start().await;
    let session = ["-v2c", "-c", "ups swordfish"];
    let values = [IF_INDEX, IF_DESCR];
    let Some((sent, said)) = listener
        .send("snmptrap", &session, LINK_DOWN, &values)
        .await
    else {
        return;
    };
    assert!(sent, "{said}");
    let open = listener.alerts(1, "open").await;
    assert_eq!(open[0].1, "linkDown at 127.0.0.1: ifIndex 3, ifDescr Gi0/3");
    listener
        .send("snmptrap", &session, LINK_UP, &[IF_INDEX])
        .await;
    assert_eq!(listener.alerts(1, "resolved").await.len(), 1);
    let strange = ["-v2c", "-c", "public"];
    listener
        .send("snmptrap", &strange, LINK_DOWN, &values)
        .await;
    listener.counted("community", 1).await;
    listener.counted("taken", 2).await;
    listener.stop().await;
}

#[tokio::test]
async fn traps_of_v3_are_taken_signed_and_hidden_and_only_once() {
    let mut listener = Listener::start().await;
    let device = of_device("7,1000");
    let good = [&v3("core", "SHA-256", "signed by us")[..], &device].concat();
    // Through a relay that keeps a copy, so that it can be sent again.
    let relay = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = relay.local_addr().unwrap();
    let Some((sent, said)) = listener
        .send_to(at, "snmptrap", &good, LINK_DOWN, &[IF_INDEX])
        .await
    else {
        return;
    };
    assert!(sent, "{said}");
    let mut copy = vec![0; 2_000];
    let len = relay.recv(&mut copy).await.unwrap();
    relay.send_to(&copy[..len], listener.address).await.unwrap();
    assert_eq!(listener.alerts(1, "open").await.len(), 1);
    relay.send_to(&copy[..len], listener.address).await.unwrap();
    listener.counted("replayed", 1).await;
    // What came before the newest is old, even to a listener that was started anew.
    let later = [
        &v3("core", "SHA-256", "signed by us")[..],
        &of_device("7,2000"),
    ]
    .concat();
    listener
        .send("snmptrap", &later, LINK_UP, &[IF_INDEX])
        .await;
    assert_eq!(listener.alerts(1, "resolved").await.len(), 1);
    listener.restart().await;
    relay.send_to(&copy[..len], listener.address).await.unwrap();
    listener.counted("window", 1).await;
    let wrong = [
        &v3("core", "SHA-256", "signed by another")[..],
        &of_device("7,3000"),
    ]
    .concat();
    listener
        .send("snmptrap", &wrong, LINK_DOWN, &[IF_INDEX])
        .await;
    listener.counted("digest", 1).await;
    let clear = [
        &["-v3", "-l", "authNoPriv", "-u", "core", "-a", "SHA-256"][..],
        &["-A", "signed by us"],
        &of_device("7,3000"),
    ]
    .concat();
    listener
        .send("snmptrap", &clear, LINK_DOWN, &[IF_INDEX])
        .await;
    listener.counted("level", 1).await;
    listener.counted("taken", 2).await;
    listener.stop().await;
}

#[tokio::test]
async fn every_way_to_sign_that_is_offered_works_with_net_snmp() {
    let listener = Listener::start().await;
    for (nth, (user, auth)) in [("core", "SHA-256"), ("strong", "SHA-512"), ("old", "SHA")]
        .into_iter()
        .enumerate()
    {
        let index = (nth + 1).to_string();
        let value = ["1.3.6.1.2.1.2.2.1.1.1", "i", &index];
        let session = v3(user, auth, "signed by us");
        let Some((sent, said)) = listener
            .send("snmpinform", &session, LINK_DOWN, &[value])
            .await
        else {
            return;
        };
        assert!(sent, "{user}: {said}, {:?}", listener.tally.counts());
    }
    listener.counted("taken", 3).await;
    listener.stop().await;
}

#[tokio::test]
async fn an_inform_is_answered_once_the_log_has_it() {
    let listener = Listener::start().await;
    // The log fails once; the inform is answered when it is there.
    listener.replica.plan(Fault::Fail(ProposeError::Unknown));
    for session in [
        vec!["-v2c", "-c", "ups swordfish"],
        v3("core", "SHA-256", "signed by us"),
    ] {
        let Some((sent, said)) = listener
            .send("snmpinform", &session, LINK_DOWN, &[IF_INDEX])
            .await
        else {
            return;
        };
        assert!(sent, "{said}");
    }
    let open = listener.alerts(1, "open").await;
    assert_eq!(open.len(), 1, "one matter: {open:?}");
    // Nobody takes what is for a source that does not exist, so nobody says it was taken.
    let lost = ["-v2c", "-c", "lost swordfish", "-r", "0", "-t", "1"];
    let program = require_program("snmpinform", "snmp").unwrap();
    let mut sending = tokio::process::Command::new(program);
    sending
        .args(lost)
        .args([&listener.address.to_string(), "", LINK_DOWN])
        .env("MIBS", "");
    let sent = sending.output().await.unwrap();
    assert!(!sent.status.success());
    listener.counted("no_source", 1).await;
    let wrong = v3("core", "SHA-256", "signed by another");
    let (sent, said) = listener
        .send("snmpinform", &wrong, LINK_DOWN, &[IF_INDEX])
        .await
        .unwrap();
    assert!(!sent && said.contains("Authentication failure"), "{said}");
    listener.stop().await;
}
