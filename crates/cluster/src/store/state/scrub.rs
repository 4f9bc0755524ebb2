//! Looks through the whole state now and then. What turned on disk in rows nobody reads would otherwise show only when
//! they are needed, and a damaged node that leads would fail at its work instead of leaving it to others.
//!
//! What SQLite can see: pages, rows and indexes that do not fit together. A bit turned inside a value that no index holds
//! still makes a sound database; that is for the digests between replicas (DESIGN A9).

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ports::ReadError;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::sleep;

use super::generation::{self, is_corrupt, is_damage};
use super::{Shared, StateStore};
use crate::store::sqlite;

/// At most one look in this time.
const PERIOD: Duration = Duration::from_secs(60);
/// A look that took long is followed by a rest of so many times that: it never takes more than a hundredth of a core.
const REST: u32 = 100;

/// Looks until stopped, or until there is damage: then the node stops, and its next start builds the state anew.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut rest = PERIOD;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = sleep(rest) => {}
        }
        let began = Instant::now();
        if look(&shared).await {
            return;
        }
        rest = rest_after(began.elapsed());
    }
}

fn rest_after(took: Duration) -> Duration {
    PERIOD.max(took.saturating_mul(REST))
}

/// One look. True once there is damage.
async fn look(shared: &Shared) -> bool {
    let looked_at = shared.current();
    let found = check(shared, &looked_at.path).await;
    // Installed meanwhile: what was looked at is on its way out.
    if shared.stop.is_cancelled() || shared.current().number != looked_at.number {
        return false;
    }
    let complaint = match found {
        Ok(None) => return false,
        Ok(Some(complaint)) => complaint,
        Err(error) if is_damage(&error) => error.to_string(),
        Err(error) => {
            tracing::warn!(%error, "cannot look through the state; trying again later");
            return false;
        }
    };
    give_up(shared, looked_at.number, complaint);
    true
}

/// Stops the node. The note for the next start is a few bytes, written at the end of this life: nobody waits for it.
fn give_up(shared: &Shared, number: u64, complaint: String) {
    if let Err(error) = generation::condemn(&shared.dir, number) {
        tracing::warn!(%error, "cannot note that the state is damaged");
    }
    let what = "the state is damaged on disk; the next start builds it anew from a snapshot and the log; check the disk";
    shared.fatal.raise(what, &io::Error::other(complaint));
}

async fn check(shared: &Shared, path: &std::path::Path) -> Result<Option<String>, sqlx::Error> {
    let mut conn = sqlite::read_options(path).connect().await?;
    let found = sqlite::thorough_check(&mut conn, shared.stop.clone()).await;
    _ = conn.close().await;
    found
}

impl StateStore {
    /// Stops the node if this error says that the file itself is damaged. A value that cannot be decoded says nothing of
    /// the kind: that may be our own mistake, and the same on every node.
    pub(crate) fn suspect(&self, error: &ReadError) {
        if let ReadError::Database(source) = error
            && is_corrupt(source)
        {
            give_up(
                &self.shared,
                self.shared.current().number,
                source.to_string(),
            );
        }
    }

    /// Looks through the whole state now, as happens now and then by itself. True once there is damage: the node stops.
    #[cfg(test)]
    pub(crate) async fn look_through(&self) -> bool {
        look(&self.shared).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_costs_a_hundredth_of_a_core_at_most() {
        assert_eq!(rest_after(Duration::from_millis(20)), PERIOD);
        assert_eq!(rest_after(Duration::from_secs(3)), Duration::from_secs(300));
    }
}
