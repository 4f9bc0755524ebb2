//! Everyday rooms, who belongs to a room, and how far each has read. Writes to `room`, `room_member` and `room_read`.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::facts::{self, MemberFact, Opened, ReadFact, ReadTo, RoomFact, Settings, Standing};
use super::{Command, Follow, Speaker, apply, query, rules};
use crate::apply::Entry;
use crate::ids::{MessageId, RecipientId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients::{self, PersonRow};

/// People added to one room by name.
const MEMBERS_MAX: usize = 500;

pub(super) async fn put_room(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let Command::PutRoom {
        key,
        name,
        restricted,
        closed,
        by,
    } = command
    else {
        return Ok(Outcome::Unchanged);
    };
    let checked = rules::check_key(key)
        .and_then(|()| rules::name(name, "a room's name"))
        .and_then(|name| Ok((name, rules::speaker(by)?)));
    let (name, by) = match checked {
        Ok(checked) => checked,
        Err(problem) => return Ok(Outcome::Refused(Refusal::Invalid(problem))),
    };
    let id = RoomId::of_key(key);
    let before = facts::room_of(conn, id).await?;
    let same = |settings: &Settings| {
        settings.name == name && settings.restricted == *restricted && settings.closed == *closed
    };
    if before.as_ref().is_some_and(|room| same(&room.settings)) {
        return Ok(Outcome::Unchanged);
    }
    let rooms: i64 = sqlx::query_scalar("select count(*) from room")
        .fetch_one(&mut *conn)
        .await?;
    if before.is_none() && rooms >= rules::ROOMS_MAX {
        let problem = format!("there are {rooms} rooms already; use one of them");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let opened = Opened {
        at: entry.at,
        by: by.clone(),
    };
    let at = before.as_ref().map_or(entry.at, |room| {
        entry.at.max(room.settings.at + Duration::from_millis(1))
    });
    let room = RoomFact {
        room: id,
        key: key.clone(),
        opened: before.map_or(opened, |room| room.opened),
        settings: Settings {
            at,
            name,
            restricted: *restricted,
            closed: *closed,
            by,
        },
    };
    facts::merge_room(conn, &room).await?;
    Ok(Outcome::Applied(Receipt::None))
}

pub(super) async fn put_member(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let Command::PutMember {
        room,
        person,
        member,
        follow,
        by,
    } = command
    else {
        return Ok(Outcome::Unchanged);
    };
    let by = match rules::speaker(by) {
        Ok(by) => by,
        Err(problem) => return Ok(Outcome::Refused(Refusal::Invalid(problem))),
    };
    if *room == RoomId::DUTY_INBOX || !apply::room_exists(conn, *room).await? {
        return Ok(Outcome::Refused(Refusal::UnknownRoom));
    }
    let known = recipients::by_ids(conn, &[*person]).await?;
    let Some(known) = known.first() else {
        let refusal = Refusal::UnknownRecipient(person.to_string());
        return Ok(Outcome::Refused(refusal));
    };
    if let Some(problem) = unreachable_by(known, *follow).filter(|_| *member) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let before = facts::member_of(conn, *room, *person).await?;
    let same = |standing: &Standing| {
        standing.member == *member && (standing.follow == follow.name() || !*member)
    };
    if before
        .as_ref()
        .map_or(!*member, |before| same(&before.standing))
    {
        return Ok(Outcome::Unchanged);
    }
    if *member && query::members(conn, *room).await?.len() >= MEMBERS_MAX {
        return Ok(Outcome::Refused(Refusal::Invalid(full())));
    }
    stand(
        conn,
        entry,
        (*room, *person),
        before,
        (*member, *follow),
        by,
    )
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

pub(super) async fn follow(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (room, person): (RoomId, RecipientId),
    follow: Follow,
    by: &Speaker,
) -> Result<Outcome, sqlx::Error> {
    let by = match rules::speaker(by) {
        Ok(by) => by,
        Err(problem) => return Ok(Outcome::Refused(Refusal::Invalid(problem))),
    };
    if room == RoomId::DUTY_INBOX || !apply::room_exists(conn, room).await? {
        return Ok(Outcome::Refused(Refusal::UnknownRoom));
    }
    let known = recipients::by_ids(conn, &[person]).await?;
    let Some(known) = known.first() else {
        let refusal = Refusal::UnknownRecipient(person.to_string());
        return Ok(Outcome::Refused(refusal));
    };
    if let Some(problem) = unreachable_by(known, follow) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    Ok(
        match set_follow(conn, entry, (room, person), follow, &by).await? {
            Ok(true) => Outcome::Applied(Receipt::None),
            Ok(false) => Outcome::Unchanged,
            Err(problem) => Outcome::Refused(Refusal::Invalid(problem)),
        },
    )
}

/// Notes how somebody follows a room that there is. `false`: it was so already.
///
/// # Errors
/// Inside: why nobody more can be added, in words.
pub(crate) async fn set_follow(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (room, person): (RoomId, RecipientId),
    follow: Follow,
    by: &str,
) -> Result<Result<bool, String>, sqlx::Error> {
    let before = facts::member_of(conn, room, person).await?;
    let inside = before
        .as_ref()
        .map(|before| &before.standing)
        .filter(|standing| standing.member);
    let same = match inside {
        Some(standing) => standing.follow == follow.name(),
        None => follow == Follow::App,
    };
    if same {
        return Ok(Ok(false));
    }
    if inside.is_none() && query::members(conn, room).await?.len() >= MEMBERS_MAX {
        return Ok(Err(full()));
    }
    let by = by.to_owned();
    stand(conn, entry, (room, person), before, (true, follow), by).await?;
    Ok(Ok(true))
}

/// Why somebody cannot be told by what they want to follow by, if so.
fn unreachable_by(person: &PersonRow, follow: Follow) -> Option<String> {
    let kind = follow.name();
    let reached = person.methods.iter().any(|method| method.kind() == kind);
    let missing = match follow {
        Follow::App => return None,
        Follow::Sms => "phone number",
        Follow::Email => "mail address",
    };
    (!reached).then(|| {
        format!(
            "{} has no {missing} to be told by; add one, or follow by something else",
            person.key
        )
    })
}

fn full() -> String {
    format!("at most {MEMBERS_MAX} people are added to a room by name")
}

/// Writes a new word on whether somebody is in a room and how they follow it, later than the one before.
async fn stand(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (room, person): (RoomId, RecipientId),
    before: Option<MemberFact>,
    (member, follow): (bool, Follow),
    by: String,
) -> Result<(), sqlx::Error> {
    let at = before.map_or(entry.at, |before| {
        entry.at.max(before.standing.at + Duration::from_millis(1))
    });
    let fact = MemberFact {
        room,
        person,
        standing: Standing {
            at,
            member,
            follow: follow.name().to_owned(),
            by,
        },
    };
    facts::merge_member(conn, &fact).await?;
    Ok(())
}

/// Never goes back: of two messages the one that came to be known later here counts.
pub(super) async fn read(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    person: RecipientId,
    message: MessageId,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::find_message(conn, message).await? else {
        let problem = "there is no such message".to_owned();
        return Ok(Outcome::Refused(Refusal::NoSuch(problem)));
    };
    if recipients::by_ids(conn, &[person]).await?.is_empty() {
        let refusal = Refusal::UnknownRecipient(person.to_string());
        return Ok(Outcome::Refused(refusal));
    }
    let before = facts::read_of(conn, row.room, person).await?;
    let mut at = entry.at;
    if let Some(before) = before {
        let last = query::find_message(conn, before.to.message).await?;
        if last.is_some_and(|last| last.sequence >= row.sequence) {
            return Ok(Outcome::Unchanged);
        }
        at = at.max(before.to.at + Duration::from_millis(1));
    }
    let fact = ReadFact {
        room: row.room,
        person,
        to: ReadTo { at, message },
    };
    facts::merge_read(conn, &fact).await?;
    Ok(Outcome::Applied(Receipt::None))
}
