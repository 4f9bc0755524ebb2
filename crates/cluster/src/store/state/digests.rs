//! Digests of this replica's state at places the log names (DESIGN A9): a snapshot is opened between two commits, read at
//! leisure, and what it comes to is left for the worker to tell.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::StateDigest;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Shared;
use super::generation::read_position;
use crate::store::sqlite;

/// One digest may take this long; meanwhile the WAL cannot start over.
const DIGEST_TIME: Duration = Duration::from_secs(120);

/// A snapshot of the state right after `index`.
pub(super) struct Marked {
    conn: SqliteConnection,
    index: u64,
}

impl Shared {
    /// Opens a snapshot and hands it to [`take`]. The caller keeps the writer, so that nothing is written in between. What
    /// goes wrong costs one digest, nothing else.
    pub(super) async fn hand_to_digest(&self, index: u64) {
        let Ok(place) = self.marked.try_reserve() else {
            return tracing::warn!(index, "the digest before is still being taken");
        };
        let opened = async {
            let mut conn = sqlite::read_options(&self.current().path).connect().await?;
            sqlx::raw_sql("begin").execute(&mut conn).await?;
            // The first read is what fixes the snapshot.
            let found = read_position(&mut conn).await?.applied;
            Ok::<_, sqlx::Error>((conn, found.map(|id| id.index)))
        };
        match opened.await {
            Ok((conn, found)) if found == Some(index) => place.send(Marked { conn, index }),
            Ok((_, found)) => tracing::warn!(index, found, "the state moved under its digest"),
            Err(error) => tracing::warn!(%error, index, "cannot open the state for its digest"),
        }
    }
}

/// Takes digests until told to stop.
pub(super) async fn take(shared: Arc<Shared>, mut marks: mpsc::Receiver<Marked>) {
    loop {
        let Marked { mut conn, index } = tokio::select! {
            () = shared.stop.cancelled() => return,
            Some(marked) = marks.recv() => marked,
        };
        let digesting = timeout(DIGEST_TIME, domain::digest_of_state(&mut conn));
        let taken = tokio::select! {
            () = shared.stop.cancelled() => return,
            taken = digesting => taken,
        };
        match taken {
            Ok(Ok((schema, digest))) => {
                tracing::debug!(index, "state digested");
                *lock(&shared.digest) = Some(StateDigest {
                    index,
                    schema,
                    digest,
                });
                // Whoever tells it looks after every change.
                shared.changes.send_modify(|count| *count += 1);
            }
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, index, "the state could not be digested");
            }
            Err(_) => tracing::warn!(index, "the state could not be digested in time"),
        }
        _ = conn.close().await; // it only read
    }
}

pub(super) fn lock(digest: &Mutex<Option<StateDigest>>) -> MutexGuard<'_, Option<StateDigest>> {
    digest.lock().unwrap_or_else(PoisonError::into_inner)
}
