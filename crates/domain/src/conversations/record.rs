//! What is said and what becomes of it: messages, edits, marks, pins. Writes to `message_more`, `message_edit`,
//! `message_mark` and `message_pin`.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::facts::{EditFact, MarkFact, MoreFact, PinFact};
use super::query::{self, MessageRow};
use super::{MarkKind, Say, Speaker, apply, facts, rules};
use crate::apply::Entry;
use crate::ids::{MessageId, RecipientId, RoomId, digest16};
use crate::outcome::{Outcome, Receipt, Refusal};

fn invalid(problem: String) -> Outcome {
    Outcome::Refused(Refusal::Invalid(problem))
}

/// A message there is not.
fn unknown_message() -> Outcome {
    Outcome::Refused(Refusal::NoSuch("there is no such message".to_owned()))
}

pub(super) async fn say(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    say: &Say,
) -> Result<Outcome, sqlx::Error> {
    Ok(match speak(conn, entry, say).await? {
        Ok(row) => Outcome::Applied(Receipt::Number(row.sequence)),
        Err(refused) => refused,
    })
}

/// Says something for another slice; inside, what is refused.
pub(crate) async fn put_in(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    say: &Say,
) -> Result<Result<MessageId, Outcome>, sqlx::Error> {
    Ok(speak(conn, entry, say).await?.map(|row| row.id))
}

/// Why nothing can be said in a room, if so.
pub(crate) async fn silent(
    conn: &mut SqliteConnection,
    room: RoomId,
) -> Result<Option<Refusal>, sqlx::Error> {
    if !apply::room_exists(conn, room).await? {
        return Ok(Some(Refusal::UnknownRoom));
    }
    let row = query::room(conn, room).await?;
    Ok(row.filter(|row| row.closed).map(|_| {
        let problem = "the room is closed; open it again with `holdfast room open` first";
        Refusal::NotNow(problem.to_owned())
    }))
}

async fn speak(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    say: &Say,
) -> Result<Result<MessageRow, Outcome>, sqlx::Error> {
    let checked = rules::text(&say.text).and_then(|text| {
        let unknown = rules::unknown(&say.unknown)?;
        Ok((text, unknown, rules::speaker(&say.by)?))
    });
    let (text, unknown, name) = match checked {
        Ok(checked) => checked,
        Err(problem) => return Ok(Err(invalid(problem))),
    };
    if let Some(refusal) = silent(conn, say.room).await? {
        return Ok(Err(Outcome::Refused(refusal)));
    }
    let room = query::room(conn, say.room).await?;
    let id = apply::post(conn, entry, say.room, &name, "api", &text).await?;
    let more = MoreFact {
        message: id,
        room: say.room,
        person: say.by.person,
        restricted: say.restricted || room.is_some_and(|room| room.restricted),
        mentions: rules::mentions(&text),
    };
    facts::merge_more(conn, &more).await?;
    let Some(row) = query::find_message(conn, id).await? else {
        return Err(sqlx::Error::RowNotFound);
    };
    if let Some(kind) = say.mark {
        put_mark(conn, entry, &row, kind, &unknown, &name).await?;
    }
    Ok(Ok(row))
}

/// Words that came in by text or mail.
pub(crate) struct Heard<'a> {
    pub(crate) author: &'a str,
    /// Whose number or address they came from, when it is one person's.
    pub(crate) person: Option<RecipientId>,
    /// `sms` or `email`.
    pub(crate) via: &'a str,
    pub(crate) text: &'a str,
}

/// Posts words that came in from outside, with whom they are from and whom they call.
pub(crate) async fn hear(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    room: RoomId,
    heard: &Heard<'_>,
) -> Result<MessageId, sqlx::Error> {
    let restricted = query::room(conn, room)
        .await?
        .is_some_and(|room| room.restricted);
    let id = apply::post(conn, entry, room, heard.author, heard.via, heard.text).await?;
    let more = MoreFact {
        message: id,
        room,
        person: heard.person,
        restricted,
        mentions: rules::mentions(heard.text),
    };
    facts::merge_more(conn, &more).await?;
    Ok(id)
}

pub(super) async fn edit(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    message: MessageId,
    text: &str,
    by: &Speaker,
) -> Result<Outcome, sqlx::Error> {
    let checked = rules::text(text).and_then(|text| Ok((text, rules::speaker(by)?)));
    let (text, name) = match checked {
        Ok(checked) => checked,
        Err(problem) => return Ok(invalid(problem)),
    };
    let Some(row) = query::find_message(conn, message).await? else {
        return Ok(unknown_message());
    };
    let own = match row.person {
        Some(person) => by.person == Some(person),
        None => row.author == name && row.via == "api",
    };
    if !own {
        let problem =
            "only whoever said it words it anew; say what is right in a message of your own";
        return Ok(Outcome::Refused(Refusal::NotNow(problem.to_owned())));
    }
    if row.text == text {
        return Ok(Outcome::Unchanged);
    }
    let edits: i64 = sqlx::query_scalar("select count(*) from message_edit where message_id = ?")
        .bind(message.as_bytes())
        .fetch_one(&mut *conn)
        .await?;
    if edits >= rules::EDITS_MAX {
        let problem = format!(
            "a message is worded anew at most {} times",
            rules::EDITS_MAX
        );
        return Ok(invalid(problem));
    }
    let parts = [
        entry.envelope.request.as_bytes(),
        message.as_bytes(),
        text.as_bytes(),
    ];
    let last = row.edits.last().map_or(row.at, |edit| edit.at);
    let edit = EditFact {
        id: digest16("edit", &parts),
        message,
        at: entry.at.max(last + Duration::from_millis(1)),
        by: name,
        text,
    };
    facts::merge_edit(conn, &edit).await?;
    Ok(Outcome::Applied(Receipt::None))
}

pub(super) async fn mark(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    message: MessageId,
    kind: MarkKind,
    unknown: &str,
    by: &Speaker,
) -> Result<Outcome, sqlx::Error> {
    let checked = rules::unknown(unknown).and_then(|text| Ok((text, rules::speaker(by)?)));
    let (unknown, name) = match checked {
        Ok(checked) => checked,
        Err(problem) => return Ok(invalid(problem)),
    };
    let Some(row) = query::find_message(conn, message).await? else {
        return Ok(unknown_message());
    };
    let again = row
        .marks
        .iter()
        .any(|mark| mark.kind == kind && mark.text == row.text && mark.unknown == unknown);
    if again {
        return Ok(Outcome::Unchanged);
    }
    put_mark(conn, entry, &row, kind, &unknown, &name).await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn put_mark(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &MessageRow,
    kind: MarkKind,
    unknown: &str,
    by: &str,
) -> Result<(), sqlx::Error> {
    let parts = [
        entry.envelope.request.as_bytes(),
        row.id.as_bytes(),
        kind.name().as_bytes(),
        row.text.as_bytes(),
        unknown.as_bytes(),
    ];
    let id = digest16("mark", &parts);
    let mark = MarkFact {
        id,
        message: row.id,
        kind: kind.name().to_owned(),
        at: entry.at,
        by: by.to_owned(),
        text: row.text.clone(),
        unknown: unknown.to_owned(),
        salt: salt(entry, &id),
    };
    facts::merge_mark(conn, &mark).await?;
    Ok(())
}

/// Nobody who sees only the chain can guess the words it stands for.
fn salt(entry: &Entry<'_>, id: &[u8; 16]) -> [u8; 16] {
    digest16("salt", &[&entry.envelope.seed, id])
}

pub(super) async fn pin(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    message: MessageId,
    pinned: bool,
    by: &Speaker,
) -> Result<Outcome, sqlx::Error> {
    let name = match rules::speaker(by) {
        Ok(name) => name,
        Err(problem) => return Ok(invalid(problem)),
    };
    let Some(row) = query::find_message(conn, message).await? else {
        return Ok(unknown_message());
    };
    let before = facts::pin_of(conn, message).await?;
    if before
        .as_ref()
        .map_or(!pinned, |before| before.pin.pinned == pinned)
    {
        return Ok(Outcome::Unchanged);
    }
    if pinned && query::pinned(conn, row.room).await?.len() >= PINS_MAX {
        let problem = format!("a room has at most {PINS_MAX} pinned messages; take one down first");
        return Ok(invalid(problem));
    }
    let at = before.map_or(entry.at, |before| {
        entry.at.max(before.pin.at + Duration::from_millis(1))
    });
    let pin = PinFact {
        message,
        room: row.room,
        pin: facts::Pin {
            at,
            pinned,
            by: name,
        },
    };
    facts::merge_pin(conn, &pin).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Pinned messages of one room: facts that everyone should see first.
const PINS_MAX: usize = 20;
