//! The state as the consensus engine sees it.

use std::io;

use futures_util::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};

use super::StateStore;
use super::batch::Batch;
use crate::store::files;
use crate::store::snapshot::{EngineSnapshot, SnapshotFile};
use crate::types::{LogId, SnapshotMeta, StoredMembership, TypeConfig};

/// Free space a snapshot build must leave behind.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;

impl RaftStateMachine<TypeConfig> for StateStore {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let position = self.position();
        Ok((position.applied, position.membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        let mut more = true;
        while more {
            let mut batch = Batch::default();
            while !batch.is_full() {
                match entries.try_next().await? {
                    Some(entry) => batch.push(entry),
                    None => {
                        more = false;
                        break;
                    }
                }
            }
            let replies = self.commit(&batch).await.map_err(|error| {
                self.shared.fatal.raise("cannot apply", &error);
                io::Error::other(error)
            })?;
            for (responder, reply) in batch.responders.into_iter().zip(replies) {
                if let Some(responder) = responder {
                    responder.send(reply);
                }
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Self> {
        if !force && self.applied().is_none() {
            return None;
        }
        let path = self.shared.current().path.clone();
        let room = files::blocking(move || files::has_room_for_copy(&path, SPARE_BYTES)).await;
        if !force && !matches!(room, Ok(true)) {
            tracing::warn!(
                "too little free space for a snapshot, put off; the log grows meanwhile"
            );
            return None;
        }
        Some(self.clone())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotFile,
    ) -> io::Result<()> {
        self.install(meta, snapshot).await.map_err(|error| {
            self.shared.fatal.raise("cannot install a snapshot", &error);
            io::Error::other(error)
        })
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<EngineSnapshot>> {
        match self.shared.snapshots.newest_verified().await? {
            Some(snapshot) => Ok(Some(snapshot.into())),
            // All there were turned out damaged: make a new one rather than leave a lagging peer without.
            None if self.shared.snapshots.lost_any() => {
                self.build().await.map(|snapshot| Some(snapshot.into()))
            }
            None => Ok(None),
        }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateStore {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> io::Result<EngineSnapshot> {
        match self.build().await {
            Ok(snapshot) => Ok(snapshot.into()),
            Err(error) => {
                self.shared.fatal.raise("cannot build a snapshot", &error);
                Err(error)
            }
        }
    }
}
