use sqlx::SqliteConnection;

use super::Command;
use crate::apply::Entry;
use crate::outcome::Outcome;

pub(crate) async fn apply(_conn: &mut SqliteConnection, _entry: &Entry<'_>, _command: &Command) -> Result<Outcome, sqlx::Error> {
    Ok(Outcome::Unchanged)
}
