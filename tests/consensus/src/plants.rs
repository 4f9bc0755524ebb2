//! Bugs put in on purpose: a simulation that does not notice them proves nothing. They live in the wrappers of this crate;
//! production code knows nothing of them.

use cluster::store::state::StateStore;
use domain::ports::ReadError;

use crate::disk::Disk;

/// One planted bug.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plant {
    /// The log says "on disk" before it is.
    FlushedTooEarly,
    /// The state forgets which requests it has applied.
    RequestsForgotten,
    /// A node reads its own state without asking the leader how far it must be.
    ReadsWithoutIndex,
    /// A node that has heard no leader goes straight to an election.
    NoPreVote,
    /// No answer in time is taken for a yes.
    UnknownIsYes,
    /// The vote is never written down.
    VoteForgotten,
}

/// Every bug, with its name and the promises that may show it.
pub const ALL: &[(Plant, &str, &[&str])] = &[
    (
        Plant::FlushedTooEarly,
        "flushed-too-early",
        &["committed_stays", "log_matches", "engine_runs"],
    ),
    (
        Plant::RequestsForgotten,
        "requests-forgotten",
        &["applied_once", "reads_are_fresh"],
    ),
    (
        Plant::ReadsWithoutIndex,
        "reads-without-index",
        &["reads_are_fresh", "alone_is_silent"],
    ),
    (Plant::NoPreVote, "no-pre-vote", &["rejoining_is_quiet"]),
    (
        Plant::UnknownIsYes,
        "unknown-is-yes",
        &["committed_stays", "alone_is_silent"],
    ),
    (
        Plant::VoteForgotten,
        "vote-forgotten",
        &[
            "heals_in_time",
            "one_leader",
            "committed_stays",
            "log_matches",
            "engine_runs",
        ],
    ),
];

impl Plant {
    /// By the name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter()
            .find(|(_, known, _)| *known == name)
            .map(|(plant, _, _)| *plant)
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ALL.iter()
            .find(|(plant, _, _)| *plant == self)
            .map_or("?", |(_, name, _)| name)
    }
}

/// Empties the memory of requests, past the store's back.
pub(crate) fn forget_requests(disk: &Disk) {
    let state = disk.state();
    disk.run(async move {
        let forgotten = forget(&state).await;
        forgotten.expect("the plant takes");
    });
}

async fn forget(state: &StateStore) -> Result<(), ReadError> {
    let mut view = state.view().await?;
    let path: String =
        sqlx::query_scalar("select file from pragma_database_list where name = 'main'")
            .fetch_one(&mut *view)
            .await?;
    drop(view);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut conn = sqlx::ConnectOptions::connect(&options).await?;
    sqlx::query("delete from request")
        .execute(&mut conn)
        .await?;
    sqlx::Connection::close(conn).await?;
    Ok(())
}
