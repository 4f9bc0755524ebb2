//! The next version, for tests only: one command more, at the next feature level. Built with the feature `next-level`, it
//! stands in for a release that does not exist yet, so that two versions can run side by side.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::ids::NodeId;
use crate::outcome::{Outcome, Receipt};

/// What only the next version knows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A node says that it is there. The last word counts.
    Beat { node: NodeId, count: u64 },
}

/// The table no released version has.
pub(crate) const MIGRATION: &str =
    "create table beat (node_id integer primary key, count integer not null) strict;";

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let Command::Beat { node, count } = command;
    sqlx::query(
        "insert into beat (node_id, count) values (?, ?) \
         on conflict (node_id) do update set count = excluded.count",
    )
    .bind(node.0.cast_signed())
    .bind(count.cast_signed())
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}
