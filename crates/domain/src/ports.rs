//! What the domain asks of the world: a replicated log, channels that carry words, and clocks. Implemented elsewhere.

mod files;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Notify, watch};

pub use self::files::{FileError, FileLimits, FileStore};
use crate::deliveries::{AttemptRef, SendOutcome};
use crate::digest::StateDigest;
use crate::envelope::{Actor, LeaderStamp};
use crate::ids::{NodeId, RequestId};
use crate::nodes::{ChannelReport, Disk, Place, Power};
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::topics::Feed;
use crate::{Command, deliveries};

/// A command on its way to the log; the replica adds stamp, node and seed.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub request: RequestId,
    /// SHA-256 of what the outside asked for; zero for loop commands.
    pub body: [u8; 32],
    pub actor: Actor,
    /// Set by the leader's loops; see [`crate::envelope::Envelope::decided_under`].
    pub decided_under: Option<LeaderStamp>,
    pub command: Command,
}

impl Proposal {
    /// What a loop of this program asks for, whoever leads when it is decided.
    pub fn by_loop(request: RequestId, command: Command) -> Self {
        Self {
            request,
            body: [0; 32],
            actor: Actor::Loop,
            decided_under: None,
            command,
        }
    }

    /// What the operator asks for at `node`.
    pub fn by_operator(node: NodeId, request: RequestId, command: Command) -> Self {
        Self {
            actor: Actor::Operator { node },
            ..Self::by_loop(request, command)
        }
    }
}

/// Where a command stands once it is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// Fsynced on a majority and applied on the answering node.
    Replicated,
    /// Fsynced on the answering node, which is cut off; it reaches the cluster when it can (DESIGN 4.4).
    Island,
}

/// A command's place in the log and what it came to.
#[derive(Clone, Debug)]
pub struct Committed {
    pub index: u64,
    pub outcome: Outcome,
    pub durability: Durability,
}

/// Why a proposal has no outcome to show.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProposeError {
    /// It may or may not be in the log; asking again with the same request id is safe.
    #[error(
        "no answer from the cluster in time; the outcome is unknown, repeat with the same request id"
    )]
    Unknown,
    /// It is not in the log and will not be (no leader known, or this node was removed).
    #[error("not accepted: {0}")]
    Refused(String),
    /// Too much is under way here.
    #[error("too many requests are under way on this node; try again shortly or ask another node")]
    Overloaded,
}

/// How current a read must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// Whatever this node has applied.
    Local,
    /// At least everything committed when the read was asked for (Raft read index). Fails without a majority.
    Linearizable,
    /// At least this log index applied here.
    AtLeast(u64),
}

/// Why a read could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(
        "no majority answered in time; ask for a local read to see this node's last known state"
    )]
    NoQuorum,
    #[error("this node did not catch up to index {0} in time")]
    Behind(u64),
    #[error("cannot read the state database")]
    Database(#[from] sqlx::Error),
}

/// A read-only snapshot of the state. Hold it at most 5 s: a long reader stops checkpoints.
pub struct ReadView {
    tx: Transaction<'static, Sqlite>,
    /// Log index of the last entry this view contains.
    pub applied: u64,
    /// Stamp of that entry: what the view shows was true then.
    pub as_of: Timestamp,
}

impl ReadView {
    /// Wraps a read-only transaction that has already read `applied` and `as_of`.
    pub fn new(tx: Transaction<'static, Sqlite>, applied: u64, as_of: Timestamp) -> Self {
        Self { tx, applied, as_of }
    }
}

impl Deref for ReadView {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for ReadView {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

impl fmt::Debug for ReadView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadView")
            .field("applied", &self.applied)
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

/// Who leads, as this node knows it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Leadership {
    /// The leader this node follows, if any.
    pub leader: Option<NodeId>,
    /// Set while this node leads and has applied the first entry of its own term: the scheduler may work.
    pub leading: Option<LeaderStamp>,
    /// While leading: how long ago this leadership was established.
    pub leading_for: Duration,
    /// Voters and learners by id.
    pub voters: Vec<NodeId>,
    pub learners: Vec<NodeId>,
}

/// A node that is cut off and works by itself, on a fork of its last known state (DESIGN 4.4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Island {
    /// Letter of the alert numbers it gives, `B` in `B-7`.
    pub letter: String,
    /// What people call the node.
    pub site: String,
    /// When it gave up on the others, in cluster time.
    pub since: Timestamp,
    /// A majority answers again and what happened here is being handed over.
    pub healing: bool,
    /// This node, and nodes cut off like it that heard each other both ways within 3 s, in order: they share the work.
    pub fellows: Vec<NodeId>,
    /// Facts journalled here that the cluster has not yet taken.
    pub waiting: u64,
}

/// The right to *start* sends until `until` on this node's boot clock (DESIGN C2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// [`Clock::boot`] reading after which no new send may start.
    pub until: Duration,
}

/// How long one lease lasts, counted from before it was asked for.
pub const LEASE: Duration = Duration::from_secs(10);

/// How long after a node's last grant its work may be given to another: the lease and a margin.
pub const LEASE_EXPIRED: Duration = Duration::from_secs(12);

/// The replicated log as everything else sees it.
#[async_trait]
pub trait Replica: Send + Sync + 'static {
    /// This node.
    fn node(&self) -> NodeId;

    /// Puts a command through the log and answers once this node has applied it. Retries and forwards by itself until
    /// its own deadline; a repeated request id applies once.
    async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError>;

    /// A read-only snapshot.
    async fn read(&self, freshness: Freshness) -> Result<ReadView, ReadError>;

    /// Wakes when something was applied or leadership changed. Carries a counter, no data: read the rows.
    fn changes(&self) -> watch::Receiver<u64>;

    /// What those changes touched. `None` where nobody keeps track: then each may have touched everything.
    fn feed(&self) -> Option<Feed> {
        None
    }

    /// Who leads.
    fn leadership(&self) -> Leadership;

    /// Cluster time now (DESIGN A10).
    fn now(&self) -> Timestamp;

    /// Asks the leader for a send lease; `None` when no leader granted one within its deadline.
    async fn lease(&self) -> Option<Lease>;

    /// A read failed under somebody's hands. If that shows that the files are damaged, the node stops at once: a loop that
    /// only tried again would keep the work from a sound node.
    fn suspect(&self, error: &ReadError) {
        _ = error;
    }

    /// True while cluster time goes on from the last stamp because this machine was started anew: how long it was off is
    /// not in it.
    fn resumed(&self) -> bool {
        false
    }

    /// The newest digest of this node's own replica, once one was taken (DESIGN A9).
    fn digest(&self) -> Option<StateDigest> {
        None
    }

    /// While leading: how long ago each node was last granted a lease by this leadership. Nodes never granted are absent.
    fn granted(&self) -> Vec<(NodeId, Duration)>;

    /// Set while this node answers from a fork of its own instead of the common log.
    fn island(&self) -> Option<Island> {
        None
    }
}

/// Clocks of the machine.
pub trait Clock: Send + Sync + 'static {
    /// Time since boot, counting sleep (CLOCK_BOOTTIME). Never jumps.
    fn boot(&self) -> Duration;

    /// The machine's wall clock, for evidence only.
    fn wall(&self) -> Timestamp;
}

/// Where the wall clock comes from, as far as that can be known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClockSource {
    /// `ntp`, `rtc`, `none`; empty when nobody looks.
    pub source: String,
    /// Whether the kernel says that the clock is kept right by it.
    pub synchronised: Option<bool>,
}

/// The disk under the data directory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DiskRoom {
    pub disk: Disk,
    /// What can still be written, less what is owed to the reserve.
    pub free_bytes: u64,
}

/// What the node runs on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PowerSupply {
    pub power: Power,
    /// What the battery still gives.
    pub runtime: Option<Duration>,
}

/// The machine under this node. Answers at once with what was seen last; says "unknown" for what nobody looks at.
pub trait Machine: Send + Sync + 'static {
    fn clock_source(&self) -> ClockSource {
        ClockSource::default()
    }

    fn disk(&self) -> DiskRoom {
        DiskRoom::default()
    }

    fn power(&self) -> PowerSupply {
        PowerSupply::default()
    }

    /// What its site hangs on, as the settings say.
    fn place(&self) -> Place {
        Place::default()
    }
}

/// What a node signs the audit with (SECURITY D-12). The key never leaves the node.
pub trait Signer: Send + Sync + 'static {
    /// Ed25519.
    fn public_key(&self) -> [u8; 32];

    /// Signs a checkpoint: 64 bytes.
    fn sign(&self, message: &[u8]) -> Vec<u8>;
}

/// A machine nobody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnknownMachine;

impl Machine for UnknownMachine {}

/// What a channel carries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Hash)]
pub enum ChannelKind {
    Sms,
    Email,
}

/// The right to start one send, asked for again at the last moment: a text may wait in a channel, and a process may be
/// frozen, for longer than the lease lasted under which it was handed over (DESIGN C2), or until nobody wants it.
#[derive(Clone)]
pub struct Permit(Arc<dyn Fn() -> bool + Send + Sync>);

impl Permit {
    /// A right that holds while `holds` says so.
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// A right that needs no lease, for texts that no other node could send as well.
    pub fn always() -> Self {
        Self::new(|| true)
    }

    /// Whether the send may start now.
    pub fn may_start(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.may_start()).finish()
    }
}

/// What a send's end says when its right to start ended before it began: nothing left, so if it is still wanted it is
/// tried again at once.
pub const RIGHT_RAN_OUT: &str = "the right to send ran out";

/// One text ready to leave. Nothing in it is decided any more.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub attempt: AttemptRef,
    /// Asked by the channel right before the text begins to leave.
    pub permit: Permit,
    /// E.164 number or mail address.
    pub address: String,
    /// A modem lets the phone ring instead of sending words.
    pub ring: bool,
    /// Mail subject; unused by SMS.
    pub subject: String,
    pub body: String,
    /// Parts of one text must not outlive their use; SMS validity period and mail expiry.
    pub validity: Duration,
    pub urgent: bool,
    /// How a mail is answered by mail, where the channel takes answers.
    pub reply: Option<ReplyPath>,
}

/// How a mail is answered by mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplyPath {
    /// The part before the @ of the address.
    pub local: String,
    /// What the mail says about it.
    pub words: String,
}

/// A text somebody sent us, held by the channel until it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Incoming {
    /// Hand back to [`Channel::stored`] once the text is durable in the cluster.
    pub token: u64,
    /// Stable across re-reads of the same text, so that a second reading changes nothing.
    pub key: [u8; 16],
    /// Sender as the network gave it: E.164, short code or name.
    pub from: String,
    pub text: String,
    /// Service centre time stamp in civil milliseconds, as the network claims it.
    pub sent_at_ms: Option<i64>,
    /// False for one part of a longer text: only an answer may be looked for in it, nothing else is done with it.
    pub whole: bool,
    /// Parts were missing or bytes could not be decoded; the text is what was readable.
    pub damaged: bool,
    /// No text at all: somebody called the modem, and was turned down.
    pub call: bool,
}

/// What a channel has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelEvent {
    /// An attempt ended (for now): accepted, refused or unknown.
    Ended {
        attempt: AttemptRef,
        outcome: SendOutcome,
    },
    /// The network's later word on an accepted attempt.
    Report {
        attempt: AttemptRef,
        report: deliveries::Report,
    },
    /// A text came in.
    Received(Incoming),
    /// The channel's health changed.
    Health(ChannelReport),
}

/// One path to people: a modem, a set of smarthosts. A bounded actor of its own; the worker drives it without waiting.
pub trait Channel: Send + Sync + 'static {
    /// Name in the configuration, unique on this node.
    fn name(&self) -> &str;

    fn kind(&self) -> ChannelKind;

    /// How many further messages it takes now. Zero while busy or down.
    fn free(&self) -> usize;

    /// Takes a message to send. Its end comes as [`ChannelEvent::Ended`], always, also when the channel dies. Gives the
    /// message back when there is no room.
    #[expect(
        clippy::result_large_err,
        reason = "what comes back is what was handed over; a box would cost every send"
    )]
    fn submit(&self, message: Outgoing) -> Result<(), Outgoing>;

    /// The next thing it has to say, if any.
    fn poll_event(&self) -> Option<ChannelEvent>;

    /// The text of [`Incoming::token`] is durable; the channel may forget it.
    fn stored(&self, token: u64);

    /// Notified whenever `free` grew or `poll_event` has something.
    fn wake(&self) -> Arc<Notify>;
}

/// This node's memory of sends it has begun. Survives a crash and a snapshot install (DESIGN A3, C1).
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Durable before the channel is touched.
    async fn started(&self, attempts: &[AttemptRef]) -> Result<(), JournalError>;

    /// The outcome is in the cluster's log; the journal may forget these.
    async fn ended(&self, attempts: &[AttemptRef]) -> Result<(), JournalError>;

    /// Begun and not ended: after a restart their outcome is unknown.
    async fn unfinished(&self) -> Result<Vec<AttemptRef>, JournalError>;
}

/// The node's own database failed; no send may start.
#[derive(Debug, thiserror::Error)]
#[error("cannot use this node's journal; check the disk: {0}")]
pub struct JournalError(pub String);

/// What listeners of this node took and turned away since its start. Listeners write, metrics read; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct IntakeTally(Arc<Mutex<BTreeMap<(&'static str, &'static str), u64>>>);

impl IntakeTally {
    /// One more of `what`, a word from a closed set, at this listener.
    pub fn count(&self, listener: &'static str, what: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((listener, what)).or_default() += 1;
    }

    /// Listener, what, and how often, in order.
    pub fn counts(&self) -> Vec<(&'static str, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = counts.iter();
        rows.map(|((listener, what), count)| (*listener, *what, *count))
            .collect()
    }
}

/// One member as the answering node sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberStatus {
    pub node: NodeId,
    pub name: String,
    pub addresses: Vec<String>,
    /// `leader`, `voter` or `learner`.
    pub role: &'static str,
    /// Log entries it is behind the leader; known on the leader only.
    pub lag: Option<u64>,
    /// Time since it was last heard; known on the leader, and of the leader.
    pub last_heard: Option<Duration>,
}

/// What the answering node knows of its own backups. Times are its wall clock's.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BackupStatus {
    /// It makes backups by itself.
    pub scheduled: bool,
    /// The newest one that is whole.
    pub made_at: Option<Timestamp>,
    /// Why the last try failed; empty when it did not.
    pub problem: String,
    /// The last drill, whether it succeeded, and what it found.
    pub drill: Option<(Timestamp, bool, String)>,
}

/// The cluster as the answering node sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterStatus {
    pub node: NodeId,
    /// Counts the cluster's histories: log indexes mean something only together with it.
    pub epoch: u32,
    /// What somebody must look at, in words: an identity that is alive twice, a node on old files.
    pub alarms: Vec<String>,
    pub backup: BackupStatus,
    pub term: u64,
    pub leader: Option<NodeId>,
    pub applied: u64,
    pub last_log: u64,
    pub snapshot: Option<u64>,
    pub purged: Option<u64>,
    pub members: Vec<MemberStatus>,
}

/// One way from the answering node to another member.
#[derive(Clone, Debug, PartialEq)]
pub struct PathStatus {
    pub peer: NodeId,
    /// The answering node's uplink.
    pub local: String,
    /// The peer's address.
    pub address: String,
    /// The peer made this connection.
    pub reverse: bool,
    /// `quic` or `tcp`; `None` while it is down.
    pub carrier: Option<&'static str>,
    /// `best` carries the traffic, `warm` is in reserve, `silent` gives no sign of life, `down` is not connected.
    pub state: &'static str,
    /// Smoothed round trip, and the worst but one in a hundred of the last minute.
    pub rtt: Option<Duration>,
    pub rtt_p99: Option<Duration>,
    /// Share of packets lost lately, in thousandths.
    pub loss_permille: u32,
    /// Time since anything arrived on it.
    pub heard: Option<Duration>,
    /// How long it has been up, or down.
    pub since: Duration,
}

/// A token that lets one node join.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invitation {
    pub token: String,
    pub expires_at: Timestamp,
}

/// A membership change that did not happen, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct AdminError(pub String);

/// Changes of membership, from any node; forwarded to the leader.
#[async_trait]
pub trait ClusterAdmin: Send + Sync + 'static {
    fn status(&self) -> ClusterStatus;

    /// Creates a single-use token, valid for `valid_for`.
    async fn invite(&self, valid_for: Duration) -> Result<Invitation, AdminError>;

    /// Joins in progress or done on this node in the last minutes: node id, name and the six digits both screens show.
    fn joins(&self) -> Vec<(NodeId, String, String)>;

    /// Makes a learner a voter once it has caught up.
    async fn promote(&self, node: NodeId) -> Result<(), AdminError>;

    /// Takes a node out for good.
    async fn remove(&self, node: NodeId) -> Result<(), AdminError>;

    /// Takes a node out that fell into wrong hands: it may never hand in what it still holds.
    async fn evict(&self, node: NodeId) -> Result<(), AdminError>;

    /// Hands leadership to `to`, or to the most current voter.
    async fn transfer(&self, to: Option<NodeId>) -> Result<(), AdminError>;

    /// Keys under which small secrets in the state are sealed, the newest first; empty on a node that holds none.
    fn sealing_keys(&self) -> Vec<[u8; 32]> {
        Vec::new()
    }

    /// Every way from this node to the others, and how it stands.
    fn paths(&self) -> Vec<PathStatus> {
        Vec::new()
    }

    /// Connections, frames and newcomers turned away since start, by reason.
    fn refusals(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Gives a member a new key; this node without a name.
    async fn rotate_key(&self, _node: Option<NodeId>) -> Result<(), AdminError> {
        Err(AdminError("this node has no keys to rotate".to_owned()))
    }

    /// Gives the cluster a new certificate authority.
    async fn rotate_authority(&self) -> Result<(), AdminError> {
        Err(AdminError(
            "this node has no authority to rotate".to_owned(),
        ))
    }

    /// How the journal of this node's time as an island stands.
    async fn journal(&self) -> Result<JournalStatus, AdminError> {
        Ok(JournalStatus::default())
    }

    /// Everything journalled here and not yet in the cluster, as a signed file for [`Self::import_journal`] (DESIGN D7).
    async fn export_journal(&self) -> Result<Vec<u8>, AdminError> {
        Err(AdminError("this node keeps no journal".to_owned()))
    }

    /// Brings another node's exported journal into the cluster; says how many facts it held.
    async fn import_journal(&self, _file: &[u8]) -> Result<u64, AdminError> {
        Err(AdminError("this node takes no journals".to_owned()))
    }
}

/// What a node journalled while it was cut off.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct JournalStatus {
    /// Facts of its own that the cluster has not taken yet.
    pub waiting: u64,
    /// Facts of other cut-off nodes kept here for them.
    pub kept_for_others: u64,
    /// Facts waiting that no export file holds.
    pub unexported: u64,
    /// Entries that could not be handed over, with the reason, oldest first: rows damaged on disk, facts the cluster could
    /// not apply.
    pub refused: Vec<RefusedEntry>,
}

/// A journal entry set aside for a person to look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedEntry {
    /// The node that journalled it.
    pub origin: NodeId,
    /// Which one: its place in that node's journal, or its kind and what it is about.
    pub what: String,
    /// What is wrong with it, in words.
    pub reason: String,
}
