//! What every request can reach.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderValue;
use domain::ports::{Clock, ClusterAdmin, FileStore, IntakeTally, Machine, Replica};
use domain::watch::Board;

use crate::accounts::caller::Sessions;
use crate::accounts::glass::Glass;
use crate::accounts::pace::Pace;
use crate::accounts::password::Hasher;
use crate::accounts::webauthn::RelyingParty;
use crate::answers::Answers;
use crate::conversations::FileDesk;
use crate::denials::Denials;
use crate::events::Listeners;
use crate::guard::KeyCache;
use crate::metrics::Metrics;
use crate::origins::Origins;
use crate::sources::Desk;
use crate::web;

/// The ports the API stands on, given by the node.
#[derive(Clone)]
pub struct ApiState {
    pub replica: Arc<dyn Replica>,
    pub admin: Arc<dyn ClusterAdmin>,
    pub clock: Arc<dyn Clock>,
    pub machine: Arc<dyn Machine>,
    /// What this node's watcher sees.
    pub board: Board,
    /// What this node's other listeners took and turned away.
    pub intake: IntakeTally,
    /// Where the members serve HTTPS, as origins: `https://n1.example.org:7443`. Their pages may ask this node.
    pub members: Vec<String>,
    /// The domain passkeys are for (RP ID): that of every node, or one above all of them. `None`: no passkeys.
    pub passkey_domain: Option<String>,
    /// Alerts one key raises in a minute and at once, critical ones counted by themselves; 0 counts as 1.
    pub raises_per_min: u32,
    /// Bytes of files in rooms.
    pub files: Arc<dyn FileStore>,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState")
            .field("node", &self.replica.node())
            .finish_non_exhaustive()
    }
}

/// [`ApiState`] with what the API keeps for itself. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) replica: Arc<dyn Replica>,
    pub(crate) admin: Arc<dyn ClusterAdmin>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) board: Board,
    pub(crate) intake: IntakeTally,
    pub(crate) keys: Arc<KeyCache>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) glass: Arc<Glass>,
    pub(crate) hasher: Arc<Hasher>,
    pub(crate) passkeys: Arc<RelyingParty>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) denials: Arc<Denials>,
    pub(crate) origins: Origins,
    /// Under which the app's pages run.
    pub(crate) policy: HeaderValue,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) files: Arc<dyn FileStore>,
    pub(crate) file_desk: Arc<FileDesk>,
    pub(crate) answers: Arc<Answers>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("node", &self.replica.node())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(state: ApiState) -> Self {
        Self {
            replica: state.replica,
            admin: state.admin,
            clock: state.clock,
            machine: state.machine,
            board: state.board,
            intake: state.intake,
            keys: Arc::default(),
            sessions: Arc::default(),
            pace: Arc::new(Pace::new(state.raises_per_min)),
            glass: Arc::default(),
            hasher: Arc::default(),
            passkeys: Arc::new(RelyingParty::new(state.passkey_domain)),
            metrics: Arc::new(Metrics::new()),
            desk: Arc::default(),
            denials: Arc::default(),
            policy: web::policy(&state.members),
            origins: Origins::new(state.members),
            listeners: Arc::new(Listeners::new()),
            files: state.files,
            file_desk: Arc::default(),
            answers: Arc::default(),
        }
    }
}
