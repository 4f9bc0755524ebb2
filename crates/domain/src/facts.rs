//! What slices share about facts: row images that leave an island (DESIGN D3), how they are found and how they are joined.
//!
//! A row's columns fall into registers, and each register has a total order. Joining keeps the greater (or the lesser)
//! of two registers whole, so it does not matter in which order facts come, how often, or by which way. Whatever follows
//! from joined rows (who is settled, what is due next) is worked out anew and never joined.

use sqlx::SqliteConnection;

/// What joining a fact with this state's row came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Joined {
    /// A row was made.
    New,
    /// A row changed.
    Changed,
    /// It was so already.
    Unchanged,
    /// What it is about is not here yet: the id of an alert or a delivery.
    Waits([u8; 16]),
    /// Nothing can be made of it; why, for people.
    Refused(String),
}

impl Joined {
    /// Something is different now.
    pub(crate) fn moved(&self) -> bool {
        matches!(self, Self::New | Self::Changed)
    }

    /// New, changed or neither, by comparing rows.
    pub(crate) fn of<T: PartialEq>(before: Option<&T>, after: &T) -> Self {
        match before {
            None => Self::New,
            Some(before) if before == after => Self::Unchanged,
            Some(_) => Self::Changed,
        }
    }
}

/// Starts noting which rows the commands that follow change, on this connection. Each slice names its triggers; they and
/// the notes are temporary and never reach the file.
///
/// Triggers rather than a list per command: a row that changes cannot be forgotten. The notes may name a row twice: a
/// trigger of an upsert may not ignore a conflict of its own.
pub(crate) async fn watch(
    conn: &mut SqliteConnection,
    triggers: &[&'static str],
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("create temp table if not exists changed_row (kind text, a blob, b)")
        .execute(&mut *conn)
        .await?;
    for trigger in triggers {
        sqlx::raw_sql(*trigger).execute(&mut *conn).await?;
    }
    forget(conn).await
}

/// Forgets what was noted so far.
pub(crate) async fn forget(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("delete from changed_row").execute(conn).await?;
    Ok(())
}
