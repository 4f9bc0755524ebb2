//! Writes to `file` and `file_copy`.

use sqlx::SqliteConnection;

use super::rules::{self, ARRIVE_WITHIN, UNDER_WAY_ALL_MAX, UNDER_WAY_MAX};
use super::{Announce, Command, FileDigest, FileRow, HOLD_MAX, query};
use crate::apply::Entry;
use crate::conversations::{self, Say, Speaker};
use crate::ids::{FileId, MessageId, NodeId};
use crate::nodes;
use crate::outcome::{Outcome, Receipt, Refusal};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Announce(new) => announce(conn, entry, new).await,
        Command::Arrive { file, node } => arrive(conn, entry, *file, *node).await,
        Command::Hold { node, held, lost } => hold(conn, entry, *node, held, lost).await,
        Command::Remove { file, by } => remove(conn, entry, *file, by).await,
        Command::Expire { files } => expire(conn, entry, files).await,
    }
}

fn invalid(problem: String) -> Outcome {
    Outcome::Refused(Refusal::Invalid(problem))
}

fn unknown_file() -> Outcome {
    Outcome::Refused(Refusal::NoSuch("there is no such file".to_owned()))
}

async fn announce(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Announce,
) -> Result<Outcome, sqlx::Error> {
    let checked = rules::name(&new.name).and_then(|name| {
        rules::size(new.size)?;
        Ok((rules::kind(&name)?, rules::caption(&new.caption)?, name))
    });
    let (kind, caption, name) = match checked {
        Ok(checked) => checked,
        Err(problem) => return Ok(invalid(problem)),
    };
    let author = match conversations::speaker(&new.by) {
        Ok(author) => author,
        Err(problem) => return Ok(invalid(problem)),
    };
    if let Some(refusal) = conversations::silent(conn, new.room).await? {
        return Ok(Outcome::Refused(refusal));
    }
    let actor = entry.envelope.actor.label();
    let (own, all) = query::under_way(conn, &actor).await?;
    if own >= UNDER_WAY_MAX || all >= UNDER_WAY_ALL_MAX {
        let problem = format!(
            "{own} files of yours are under way, {all} in all; finish those first, or wait until they end by themselves"
        );
        return Ok(Outcome::Refused(Refusal::NotNow(problem)));
    }
    let id = FileId::of_request(entry.envelope.request);
    let inserted = sqlx::query(
        "insert into file (file_id, room_id, sha256, size, kind, name, caption, restricted, author, recipient_id, actor, \
         announced_at_ms, ends_at_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (file_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(new.room.as_bytes())
    .bind(new.sha256.as_bytes())
    .bind(new.size.cast_signed())
    .bind(kind.name())
    .bind(name)
    .bind(caption)
    .bind(new.restricted)
    .bind(author)
    .bind(new.by.person.map(|person| person.as_bytes().to_vec()))
    .bind(actor)
    .bind(entry.at.0)
    .bind((entry.at + ARRIVE_WITHIN).0)
    .execute(conn)
    .await?;
    Ok(match inserted.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

async fn arrive(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: FileId,
    node: NodeId,
) -> Result<Outcome, sqlx::Error> {
    let Some(file) = query::find(conn, id).await? else {
        return Ok(unknown_file());
    };
    if file.removed.is_some() {
        let problem = "the file was taken away".to_owned();
        return Ok(Outcome::Refused(Refusal::NotNow(problem)));
    }
    if !is_member(conn, node).await? {
        return Ok(Outcome::Refused(Refusal::UnknownNode));
    }
    if file.message.is_none() {
        let message = match show(conn, entry, &file).await? {
            Ok(message) => message,
            Err(refused) => return Ok(refused),
        };
        sqlx::query("update file set message_id = ?, ends_at_ms = null where file_id = ?")
            .bind(message.as_bytes())
            .bind(id.as_bytes())
            .execute(&mut *conn)
            .await?;
    }
    let copied = note_copy(conn, entry, node, &file.sha256).await?;
    Ok(match copied || file.message.is_none() {
        true => Outcome::Applied(Receipt::None),
        false => Outcome::Unchanged,
    })
}

/// Posts the message that shows a file, in the name of whoever announced it.
async fn show(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    file: &FileRow,
) -> Result<Result<MessageId, Outcome>, sqlx::Error> {
    let line = rules::line(&file.name, file.size);
    let text = match file.caption.is_empty() {
        true => line,
        false => format!("{}\n{line}", file.caption),
    };
    let say = Say {
        room: file.room,
        by: Speaker {
            name: file.author.clone(),
            person: file.person,
        },
        text,
        mark: None,
        unknown: String::new(),
        restricted: file.restricted,
    };
    conversations::put_in(conn, entry, &say).await
}

async fn hold(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    held: &[FileDigest],
    lost: &[FileDigest],
) -> Result<Outcome, sqlx::Error> {
    if held.len() + lost.len() > HOLD_MAX {
        let problem = format!("at most {HOLD_MAX} files are named together");
        return Ok(invalid(problem));
    }
    if !is_member(conn, node).await? {
        return Ok(Outcome::Refused(Refusal::UnknownNode));
    }
    let mut changed = 0;
    for digest in lost {
        let gone = sqlx::query("delete from file_copy where sha256 = ? and node_id = ?")
            .bind(digest.as_bytes())
            .bind(node.0.cast_signed())
            .execute(&mut *conn)
            .await?;
        changed += gone.rows_affected();
    }
    for digest in held {
        // It may have been taken away while it was fetched.
        if in_use(conn, digest).await? {
            changed += u64::from(note_copy(conn, entry, node, digest).await?);
        }
    }
    Ok(match changed {
        0 => Outcome::Unchanged,
        changed => Outcome::Applied(Receipt::Count(changed)),
    })
}

async fn remove(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: FileId,
    by: &Speaker,
) -> Result<Outcome, sqlx::Error> {
    let by = match conversations::speaker(by) {
        Ok(by) => by,
        Err(problem) => return Ok(invalid(problem)),
    };
    let Some(file) = query::find(conn, id).await? else {
        return Ok(unknown_file());
    };
    if file.removed.is_some() {
        return Ok(Outcome::Unchanged);
    }
    if let Some(document) = &file.document {
        let problem = format!(
            "this file is the document {document}; give that another file or take it out first"
        );
        return Ok(Outcome::Refused(Refusal::NotNow(problem)));
    }
    if file.message.is_none() {
        sqlx::query("delete from file where file_id = ?")
            .bind(id.as_bytes())
            .execute(&mut *conn)
            .await?;
    } else {
        sqlx::query("update file set removed_at_ms = ?, removed_by = ? where file_id = ?")
            .bind(entry.at.0)
            .bind(by)
            .bind(id.as_bytes())
            .execute(&mut *conn)
            .await?;
    }
    forget_copies(conn, &file.sha256).await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn expire(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    files: &[FileId],
) -> Result<Outcome, sqlx::Error> {
    if files.len() > HOLD_MAX {
        let problem = format!("at most {HOLD_MAX} files are named together");
        return Ok(invalid(problem));
    }
    let mut ended = 0;
    for id in files {
        let gone = sqlx::query(
            "delete from file where file_id = ? and message_id is null and ends_at_ms <= ?",
        )
        .bind(id.as_bytes())
        .bind(entry.at.0)
        .execute(&mut *conn)
        .await?;
        ended += gone.rows_affected();
    }
    Ok(match ended {
        0 => Outcome::Unchanged,
        ended => Outcome::Applied(Receipt::Count(ended)),
    })
}

/// Notes which document a file is, or that it is none any more.
pub(crate) async fn set_document(
    conn: &mut SqliteConnection,
    file: FileId,
    document: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query("update file set document = ? where file_id = ?")
        .bind(document)
        .bind(file.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

async fn is_member(conn: &mut SqliteConnection, node: NodeId) -> Result<bool, sqlx::Error> {
    let members = nodes::nodes(conn).await?;
    let found = members.iter().find(|row| row.node == node);
    Ok(found.is_some_and(|row| row.removed_at.is_none()))
}

/// Whether a file that messages show has these bytes.
async fn in_use(conn: &mut SqliteConnection, digest: &FileDigest) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from file where sha256 = ? and message_id is not null and removed_at_ms is null)",
    )
    .bind(digest.as_bytes())
    .fetch_one(conn)
    .await
}

async fn note_copy(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    digest: &FileDigest,
) -> Result<bool, sqlx::Error> {
    let noted = sqlx::query(
        "insert into file_copy (sha256, node_id, at_ms) values (?, ?, ?) on conflict (sha256, node_id) do nothing",
    )
    .bind(digest.as_bytes())
    .bind(node.0.cast_signed())
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Once no file has these bytes any more, nobody is said to hold them.
async fn forget_copies(
    conn: &mut SqliteConnection,
    digest: &FileDigest,
) -> Result<(), sqlx::Error> {
    if !in_use(conn, digest).await? {
        sqlx::query("delete from file_copy where sha256 = ?")
            .bind(digest.as_bytes())
            .execute(conn)
            .await?;
    }
    Ok(())
}
