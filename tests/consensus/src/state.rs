//! The production state machine behind the door of [`Disk`]; whatever it applies, the witness sees.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use cluster::snapshot_stream::{ArrivingSnapshot, SnapshotSink, SnapshotSource};
use cluster::store::snapshot::{Incoming, ReceiveError, SnapshotFile};
use cluster::store::state::StateStore;
use cluster::types::{LogId, Record, SnapshotMeta, StoredMembership, TypeConfig};
use futures_util::{Stream, TryStreamExt as _, stream};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::type_config::alias::SnapshotOf;
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use tokio::io::AsyncRead;

use crate::disk::Disk;
use crate::witness::Witness;

/// A snapshot file that is read without leaving the simulation's thread.
#[derive(Clone, Debug)]
pub(crate) struct Copy(pub SnapshotFile);

#[async_trait]
impl SnapshotSource for Copy {
    fn len(&self) -> u64 {
        self.0.len
    }

    fn sha256(&self) -> [u8; 32] {
        self.0.sha256
    }

    async fn read_from(&self, offset: u64) -> io::Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        let bytes = std::fs::read(&self.0.path)?;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        Ok(Box::new(io::Cursor::new(
            bytes.get(from..).unwrap_or_default().to_vec(),
        )))
    }
}

/// Where snapshots from peers arrive.
pub(crate) struct Inbox(pub Arc<Disk>);

/// A snapshot on its way in.
pub(crate) struct Arriving {
    disk: Arc<Disk>,
    incoming: Option<Incoming>,
}

#[async_trait]
impl SnapshotSink for Inbox {
    type Data = Copy;
    type Arriving = Arriving;

    async fn begin(&self, len: u64, sha256: [u8; 32]) -> Result<Arriving, ReceiveError> {
        let snapshots = self.0.state().snapshots().clone();
        let begun = self
            .0
            .run(async move { snapshots.begin_receiving(len, sha256).await })?;
        Ok(Arriving {
            disk: self.0.clone(),
            incoming: Some(begun),
        })
    }
}

const HELD: &str = "put back after each use";

#[async_trait]
impl ArrivingSnapshot for Arriving {
    type Data = Copy;

    fn offset(&self) -> u64 {
        self.incoming.as_ref().expect(HELD).offset()
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        let (mut incoming, bytes) = (self.incoming.take().expect(HELD), bytes.to_vec());
        let (incoming, written) = self.disk.run(async move {
            let written = incoming.write(&bytes).await;
            (incoming, written)
        });
        self.incoming = Some(incoming);
        written
    }

    async fn finish(mut self, meta: &SnapshotMeta) -> Result<Copy, ReceiveError> {
        let (incoming, meta) = (self.incoming.take().expect(HELD), meta.clone());
        self.disk
            .run(async move { incoming.finish(&meta).await })
            .map(Copy)
    }
}

/// The state of one node.
#[derive(Clone)]
pub(crate) struct Watched {
    node: u64,
    disk: Arc<Disk>,
    real: StateStore,
    witness: Witness,
    /// Planted bug: the memory of requests is gone before anything is applied.
    forgetful: bool,
}

impl Watched {
    pub(crate) fn new(node: u64, disk: Arc<Disk>, witness: Witness, forgetful: bool) -> Self {
        Self {
            node,
            real: disk.state(),
            disk,
            witness,
            forgetful,
        }
    }
}

impl RaftStateMachine<TypeConfig> for Watched {
    type SnapshotData = Copy;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        self.real.applied_state().await
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        let entries: Vec<EntryResponder<TypeConfig>> = entries.try_collect().await?;
        let seen: Vec<(LogId, Option<Record>)> = entries
            .iter()
            .map(|(entry, _)| {
                let record = match &entry.payload {
                    EntryPayload::Normal(record) => Some(record.clone()),
                    EntryPayload::Blank | EntryPayload::Membership(_) => None,
                };
                (entry.log_id, record)
            })
            .collect();
        // Before anybody is told: an answer given is an entry the witness knows.
        self.witness.applied(self.node, &seen);
        if self.forgetful {
            crate::plants::forget_requests(&self.disk);
        }
        let mut real = self.real.clone();
        self.disk
            .run(async move { real.apply(stream::iter(entries.into_iter().map(Ok))).await })
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Copy) -> io::Result<()> {
        self.witness.installed(self.node, meta.last_log_id);
        let (mut real, meta) = (self.real.clone(), meta.clone());
        self.disk
            .run(async move { real.install_snapshot(&meta, snapshot.0).await })
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<TypeConfig, Copy>>> {
        let mut real = self.real.clone();
        let found = self
            .disk
            .run(async move { real.get_current_snapshot().await })?;
        Ok(found.map(wrapped))
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Watched {
    type SnapshotData = Copy;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, Copy>> {
        let mut real = self.real.clone();
        let built = self.disk.run(async move { real.build_snapshot().await })?;
        let upto = built.meta.last_log_id.map_or(0, |id| id.index);
        let line = format!("n{} made a snapshot up to {upto}", self.node);
        self.witness.note(&line);
        Ok(wrapped(built))
    }
}

fn wrapped(snapshot: SnapshotOf<TypeConfig, SnapshotFile>) -> SnapshotOf<TypeConfig, Copy> {
    SnapshotOf::<TypeConfig, Copy> {
        meta: snapshot.meta,
        snapshot: Copy(snapshot.snapshot),
    }
}
