//! What other systems say of alerts: that they have them, or cannot use them.

use sqlx::SqliteConnection;

use super::command::{About, Word};
use super::query::{self, SourceRow};
use super::{rules, take};
use crate::apply::Entry;
use crate::ids::RoomId;
use crate::{alerts, conversations};

/// How it came, as rooms say it.
const VIA: &str = "source";

/// Writes a word into the room of the alert it is about. What is said again, or too much, or of nothing known here, is only
/// counted.
pub(super) async fn take(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &mut SourceRow,
    word: &Word,
) -> Result<(), sqlx::Error> {
    source.signals += 1;
    take::stand(conn, source).await?;
    let alert = match &word.about {
        About::Alert(alert) => alerts::find(conn, *alert).await?.map(|row| row.id),
        About::Key(key) => {
            let row = query::signal(conn, &source.source.key, key).await?;
            row.and_then(|row| row.alert)
        }
    };
    let Some(alert) = alert else { return Ok(()) };
    let room = RoomId::of_alert(alert);
    let name = &source.source.name;
    let (said, known): (i64, bool) = sqlx::query_as(
        "select count(*), coalesce(max(text = ?3), 0) from message where room_id = ?1 and author = ?2 and via = 'source'",
    )
    .bind(room.as_bytes())
    .bind(name)
    .bind(&word.text)
    .fetch_one(&mut *conn)
    .await?;
    if !known && said < rules::WORDS_KEPT_MAX {
        conversations::post(conn, entry, room, name, VIA, &word.text).await?;
    }
    Ok(())
}
