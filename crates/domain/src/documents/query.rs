//! Reads of documents.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::ids::FileId;
use crate::rows;
use crate::time::Timestamp;

/// A document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DocumentRow {
    pub key: String,
    pub title: String,
    pub file: FileId,
    /// Key of the person who answers for it; empty: nobody does yet.
    pub owner: String,
    /// Days since 1970-01-01.
    pub review_by: Option<i64>,
    /// Keys of the templates of its scenarios, in order.
    pub templates: Vec<String>,
    /// Phones keep it for when no node answers.
    pub kit: bool,
    /// Counts the files it has been, from 1.
    pub version: u64,
    pub set_at: Timestamp,
    pub set_by: String,
}

fn document(row: &SqliteRow) -> Result<DocumentRow, sqlx::Error> {
    Ok(DocumentRow {
        key: row.try_get("key")?,
        title: row.try_get("title")?,
        file: FileId::from_row(row.try_get("file_id")?)?,
        owner: row.try_get("owner")?,
        review_by: row.try_get("review_by")?,
        templates: rows::json(row, "templates")?,
        kit: row.try_get("kit")?,
        version: rows::unsigned(row, "version")?,
        set_at: rows::time(row, "set_at_ms")?,
        set_by: row.try_get("set_by")?,
    })
}

/// A document by its key.
pub async fn find(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<DocumentRow>, sqlx::Error> {
    let found = sqlx::query("select * from document where key = ?")
        .bind(key)
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(document).transpose()
}

/// Documents in order of key; of one scenario when its template is named.
pub async fn list(
    conn: &mut SqliteConnection,
    template: Option<&str>,
) -> Result<Vec<DocumentRow>, sqlx::Error> {
    let found = sqlx::query(
        "select * from document d where ?1 is null or exists (select 1 from json_each(d.templates) j where j.value = ?1) \
         order by d.key",
    )
    .bind(template)
    .fetch_all(conn)
    .await?;
    found.iter().map(document).collect()
}

/// How many there are.
pub(super) async fn count(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from document")
        .fetch_one(conn)
        .await
}
