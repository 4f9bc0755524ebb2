//! Reading values out of rows: small conversions that every slice needs.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::time::Timestamp;

/// A JSON array of hexadecimal ids, to be bound once and unrolled by `json_each` in static SQL.
pub(crate) fn hex_array<'a>(ids: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut out = String::from("[");
    for id in ids {
        if out.len() > 1 {
            out.push(',');
        }
        out.push('"');
        data_encoding::HEXUPPER.encode_append(id, &mut out);
        out.push('"');
    }
    out.push(']');
    out
}

/// A required time column.
pub(crate) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    row.try_get::<i64, _>(column).map(Timestamp)
}

/// A time column that may be null.
pub(crate) fn time_opt(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column)
        .map(|ms| ms.map(Timestamp))
}

/// A column of whole numbers that are never negative.
pub(crate) fn unsigned<T: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(row.try_get::<i64, _>(column)?).map_err(|e| sqlx::Error::Decode(e.into()))
}

/// A column holding JSON that this crate wrote.
pub(crate) fn json<T: serde::de::DeserializeOwned>(
    row: &SqliteRow,
    column: &str,
) -> Result<T, sqlx::Error> {
    serde_json::from_str(row.try_get::<&str, _>(column)?).map_err(|e| sqlx::Error::Decode(e.into()))
}

/// Writes JSON for such a column. Lists of strings and numbers always encode.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}
