//! Writes to `document`.

use sqlx::SqliteConnection;

use super::rules::{self, DOCUMENTS_MAX};
use super::{Command, DocumentRow, Put, query};
use crate::apply::Entry;
use crate::conversations;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::{files, recipients, rows, templates};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Put(new) => put(conn, entry, new).await,
        Command::Remove { key, .. } => remove(conn, key).await,
    }
}

fn invalid(problem: String) -> Outcome {
    Outcome::Refused(Refusal::Invalid(problem))
}

async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Put,
) -> Result<Outcome, sqlx::Error> {
    let checked = rules::check(new).and_then(|title| Ok((title, conversations::speaker(&new.by)?)));
    let (title, by) = match checked {
        Ok(checked) => checked,
        Err(problem) => return Ok(invalid(problem)),
    };
    let before = query::find(conn, &new.key).await?;
    if before.is_none() && query::count(conn).await? >= DOCUMENTS_MAX {
        let problem = format!("there are {DOCUMENTS_MAX} documents already; remove one first");
        return Ok(invalid(problem));
    }
    if let Some(refusal) = refused(conn, new).await? {
        return Ok(Outcome::Refused(refusal));
    }
    let mut pinned = new.templates.clone();
    pinned.sort_unstable();
    pinned.dedup();
    let same_file = before.as_ref().is_some_and(|row| row.file == new.file);
    let version = match &before {
        None => 1,
        Some(row) => row.version + u64::from(!same_file),
    };
    let now = DocumentRow {
        key: new.key.clone(),
        title,
        file: new.file,
        owner: new.owner.clone(),
        review_by: new.review_by,
        templates: pinned,
        kit: new.kit,
        version,
        set_at: entry.at,
        set_by: by,
    };
    if let Some(before) = &before {
        let unset = |row: &DocumentRow| DocumentRow {
            set_at: entry.at,
            set_by: String::new(),
            ..row.clone()
        };
        if unset(before) == unset(&now) {
            return Ok(Outcome::Unchanged);
        }
        if !same_file {
            files::set_document(conn, before.file, None).await?;
        }
    }
    files::set_document(conn, now.file, Some(&now.key)).await?;
    write(conn, &now).await?;
    Ok(Outcome::Applied(Receipt::Number(now.version)))
}

/// What it names and there is not.
async fn refused(conn: &mut SqliteConnection, new: &Put) -> Result<Option<Refusal>, sqlx::Error> {
    let file = files::find(conn, new.file).await?;
    let Some(file) = file.filter(|file| file.message.is_some() && file.removed.is_none()) else {
        let problem = "there is no such file; put it into a room first".to_owned();
        return Ok(Some(Refusal::NoSuch(problem)));
    };
    if let Some(other) = file.document.filter(|other| *other != new.key) {
        let problem = format!("this file is the document {other} already");
        return Ok(Some(Refusal::NotNow(problem)));
    }
    if !new.owner.is_empty() && recipients::person(conn, &new.owner).await?.is_none() {
        return Ok(Some(Refusal::UnknownRecipient(new.owner.clone())));
    }
    for key in &new.templates {
        if templates::find(conn, key).await?.is_none() {
            return Ok(Some(Refusal::UnknownTemplate(key.clone())));
        }
    }
    Ok(None)
}

async fn write(conn: &mut SqliteConnection, row: &DocumentRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into document (key, title, file_id, owner, review_by, templates, kit, version, set_at_ms, set_by) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) on conflict (key) do update set title = ?2, file_id = ?3, \
         owner = ?4, review_by = ?5, templates = ?6, kit = ?7, version = ?8, set_at_ms = ?9, set_by = ?10",
    )
    .bind(&row.key)
    .bind(&row.title)
    .bind(row.file.as_bytes())
    .bind(&row.owner)
    .bind(row.review_by)
    .bind(rows::to_json(&row.templates)?)
    .bind(row.kit)
    .bind(row.version.cast_signed())
    .bind(row.set_at.0)
    .bind(&row.set_by)
    .execute(conn)
    .await?;
    Ok(())
}

async fn remove(conn: &mut SqliteConnection, key: &str) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::find(conn, key).await? else {
        let problem = format!("there is no document {key}");
        return Ok(Outcome::Refused(Refusal::NoSuch(problem)));
    };
    files::set_document(conn, row.file, None).await?;
    sqlx::query("delete from document where key = ?")
        .bind(key)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}
