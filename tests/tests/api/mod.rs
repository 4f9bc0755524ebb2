//! The API as its callers meet it: real TLS, a real socket, the domain's own apply underneath.

#![expect(
    clippy::unwrap_used,
    reason = "tests may, and so may what only tests call"
)]

mod access;
mod accounts;
mod acts;
mod alerts;
mod app;
mod automations;
mod budgets;
mod cap;
mod client;
mod device;
mod directory;
mod disk;
mod document;
mod documents;
mod files;
mod fresh;
mod generated;
mod glass;
mod held;
mod inbox;
mod listeners;
mod lite;
mod passes;
mod passkeys;
mod people;
mod permits;
mod problems;
mod reports;
mod rooms;
mod safety;
mod schedules;
mod setup;
mod sources;
mod templates;
mod units;
mod waking;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ::api::{ApiConfig, ApiKey, ApiState, HttpsConfig, Limits, Server};
use domain::access::{Command as Access, CreateKey, Scope};
use domain::nodes::Disk;
use domain::ports::{DiskRoom, FileLimits, Machine, Proposal, Replica};
use domain::{Command, Outcome, RequestId, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tempfile::TempDir;
use tests::fake_replica::{FakeAdmin, FakeReplica, ReplicaClock};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::client::Client;

/// A machine whose disk a test fills.
#[derive(Default)]
struct TestMachine(Mutex<DiskRoom>);

impl TestMachine {
    fn set_disk(&self, disk: Disk, free_mb: u64) {
        *self.0.lock().unwrap() = DiskRoom {
            disk,
            free_bytes: free_mb << 20,
        };
    }
}

impl Machine for TestMachine {
    fn disk(&self) -> DiskRoom {
        *self.0.lock().unwrap()
    }
}

/// Where another member serves its pages.
const MEMBER: &str = "https://n2.example.org:7443";

/// What the node takes of files.
const FILE_LIMITS: FileLimits = FileLimits {
    size_max: 3_000_000,
    total_max: 4_000_000,
};

/// A served API over a [`FakeReplica`].
struct World {
    replica: Arc<FakeReplica>,
    machine: Arc<TestMachine>,
    https: SocketAddr,
    admin: SocketAddr,
    socket: PathBuf,
    certificate: CertificateDer<'static>,
    tls: watch::Sender<Arc<rustls::ServerConfig>>,
    stop: CancellationToken,
    server: JoinHandle<Result<(), ::api::ServeError>>,
    _directory: TempDir,
}

impl World {
    async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    async fn start_with(limits: Limits) -> Self {
        Self::serve(FakeReplica::open().await, limits).await
    }

    /// Another node of the same cluster, for as long as this one runs.
    async fn beside(&self) -> Self {
        Self::serve(Arc::clone(&self.replica), Limits::default()).await
    }

    /// Seconds since 1970 in the cluster's civil time.
    fn now_s(&self) -> i64 {
        self.replica.now().0 / 1_000
    }

    async fn serve(replica: Arc<FakeReplica>, limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("holdfast.sock");
        let (certificate, config) = certificate();
        let tls = watch::Sender::new(config);
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = ApiConfig {
            https: Some(HttpsConfig {
                address: loopback,
                tls: tls.subscribe(),
            }),
            admin: Some(loopback),
            socket: Some(socket.clone()),
            limits,
        };
        let machine = Arc::new(TestMachine::default());
        let state = ApiState {
            replica: replica.clone(),
            admin: Arc::new(FakeAdmin(replica.clone())),
            clock: Arc::new(ReplicaClock(replica.clone())),
            machine: machine.clone(),
            board: domain::watch::Board::default(),
            intake: domain::ports::IntakeTally::default(),
            members: vec![MEMBER.to_owned()],
            passkey_domain: Some("holdfast.example".to_owned()),
            raises_per_min: 60,
            files: Arc::new(
                cluster::Files::alone(directory.path().join("files"), FILE_LIMITS).unwrap(),
            ),
        };
        let server = Server::bind(config, state).await.unwrap();
        let (https, admin) = (
            server.https_address().unwrap(),
            server.admin_address().unwrap(),
        );
        let stop = CancellationToken::new();
        let server = tokio::spawn(server.run(stop.clone()));
        Self {
            replica,
            machine,
            https,
            admin,
            socket,
            certificate,
            tls,
            stop,
            server,
            _directory: directory,
        }
    }

    /// Whoever sits at the node.
    fn operator(&self) -> Client {
        Client::socket(self.socket.clone())
    }

    /// A caller on the network, with or without a key.
    fn caller(&self, key: Option<&str>) -> Client {
        Client::https(self.https, self.certificate.clone(), key)
    }

    /// A caller on the network who may do everything.
    async fn trusted(&self) -> Client {
        let key = self.key(&Scope::ALL, None).await;
        self.caller(Some(&key))
    }

    /// Whoever can reach the admin listener.
    fn admin(&self) -> Client {
        Client::plain(self.admin)
    }

    /// Adds a key to the state and returns its written form.
    async fn key(&self, scopes: &[Scope], expires_at: Option<Timestamp>) -> String {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(self.replica.applied()));
        let create = CreateKey {
            id: key.id().to_owned(),
            name: "test".to_owned(),
            secret_hash: key.secret_hash(),
            scopes: scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            expires_at,
        };
        self.apply(Command::Access(Access::CreateKey(create))).await;
        key.to_string()
    }

    /// Applies a command as the node's loops would.
    async fn apply(&self, command: Command) -> Outcome {
        let proposal = Proposal::by_loop(
            RequestId::derive(&[&self.replica.applied().to_be_bytes()]),
            command,
        );
        self.replica.propose(proposal).await.unwrap().outcome
    }

    /// Anna and Bela, of whom Anna is on duty.
    async fn add_people(&self) {
        let people = json!({"people": [
            {"key": "anna", "name": "Anna Virtanen", "language": "fi", "methods": [
                {"kind": "sms", "address": "+358 40 123 4567"}, {"kind": "email", "address": "anna@example.org"}]},
            {"key": "bela", "name": "Bela Berg", "language": "sv", "methods": [
                {"kind": "sms", "address": "+358401234568"}]},
        ]});
        let operator = self.operator();
        operator.put("/v1/people", people).await.expect(200);
        let group = json!({"name": "On duty", "members": ["anna"]});
        operator.put("/v1/groups/duty", group).await.expect(200);
    }

    async fn stop(self) {
        self.stop.cancel();
        self.server.await.unwrap().unwrap();
    }
}

/// A self-signed certificate for 127.0.0.1 and a configuration that serves it.
fn certificate() -> (CertificateDer<'static>, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (certificate, Arc::new(config))
}
