//! Reads of limits.

use sqlx::{Row, SqliteConnection};

use super::SecondPerson;
use crate::rows;

/// A row when anything is limited, for those who ask for more in the same go.
pub(crate) const ANY: &str = "select 1 from second_person where id = 1";

/// When a second person must agree; `None`: never.
pub async fn second_person(
    conn: &mut SqliteConnection,
) -> Result<Option<SecondPerson>, sqlx::Error> {
    let row = sqlx::query(
        "select people_over, parts_over, micros_over, critical_at_once, ask from second_person where id = 1",
    )
    .fetch_optional(conn)
    .await?;
    let small = |value: Option<i64>| value.and_then(|n| u32::try_from(n).ok());
    row.map(|row| {
        Ok(SecondPerson {
            people_over: small(row.try_get("people_over")?),
            parts_over: small(row.try_get("parts_over")?),
            micros_over: row
                .try_get::<Option<i64>, _>("micros_over")?
                .map(i64::cast_unsigned),
            critical_at_once: row.try_get("critical_at_once")?,
            ask: rows::json(&row, "ask")?,
        })
    })
    .transpose()
}
