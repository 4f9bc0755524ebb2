//! How rows of rooms are noted, read back and joined.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{
    EditFact, MarkFact, MemberFact, MoreFact, Opened, Pin, PinFact, ReadFact, ReadTo, RoomFact,
    Settings, Standing, TalkFact,
};
use crate::conversations::chain::{self, bytes};
use crate::facts::Joined;
use crate::ids::{MessageId, RecipientId, RoomId};
use crate::rows;

/// Notes what is new or changed in rooms.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_message after insert on main.message begin \
     insert into changed_row values ('message', new.message_id, 0); end",
    "create temp trigger if not exists watch_room_new after insert on main.room begin \
     insert into changed_row values ('room', new.room_id, 0); end",
    "create temp trigger if not exists watch_room after update on main.room begin \
     insert into changed_row values ('room', new.room_id, 0); end",
    "create temp trigger if not exists watch_member_new after insert on main.room_member begin \
     insert into changed_row values ('member', new.room_id, new.recipient_id); end",
    "create temp trigger if not exists watch_member after update on main.room_member begin \
     insert into changed_row values ('member', new.room_id, new.recipient_id); end",
    "create temp trigger if not exists watch_more after insert on main.message_more begin \
     insert into changed_row values ('more', new.message_id, 0); end",
    "create temp trigger if not exists watch_edit_new after insert on main.message_edit begin \
     insert into changed_row values ('edit', new.edit_id, 0); end",
    "create temp trigger if not exists watch_edit after update on main.message_edit begin \
     insert into changed_row values ('edit', new.edit_id, 0); end",
    "create temp trigger if not exists watch_record_new after insert on main.message_mark begin \
     insert into changed_row values ('record', new.mark_id, 0); end",
    "create temp trigger if not exists watch_record after update on main.message_mark begin \
     insert into changed_row values ('record', new.mark_id, 0); end",
    "create temp trigger if not exists watch_pin_new after insert on main.message_pin begin \
     insert into changed_row values ('pin', new.message_id, 0); end",
    "create temp trigger if not exists watch_pin after update on main.message_pin begin \
     insert into changed_row values ('pin', new.message_id, 0); end",
    "create temp trigger if not exists watch_read_new after insert on main.room_read begin \
     insert into changed_row values ('read', new.room_id, new.recipient_id); end",
    "create temp trigger if not exists watch_read after update on main.room_read begin \
     insert into changed_row values ('read', new.room_id, new.recipient_id); end",
];

/// Everyday rooms changed since the notes were cleared, and then what changed in rooms beside their messages.
pub(crate) async fn changed(
    conn: &mut SqliteConnection,
) -> Result<(Vec<TalkFact>, Vec<TalkFact>), sqlx::Error> {
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'room') r join room t on t.room_id = r.a \
         order by t.room_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let rooms = found.iter().map(|row| room(row).map(TalkFact::Room));
    let rooms = rooms.collect::<Result<Vec<_>, _>>()?;
    let mut rest = Vec::new();
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'more') r \
         join message_more t on t.message_id = r.a order by t.message_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        rest.push(TalkFact::More(more(row)?));
    }
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'edit') r \
         join message_edit t on t.edit_id = r.a order by t.message_id, t.at_ms, t.edit_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        rest.push(TalkFact::Edit(edit(row)?));
    }
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'record') r \
         join message_mark t on t.mark_id = r.a order by t.message_id, t.at_ms, t.mark_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        rest.push(TalkFact::Mark(mark(row)?));
    }
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'pin') r \
         join message_pin t on t.message_id = r.a order by t.message_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        rest.push(TalkFact::Pin(pin(row)?));
    }
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'member') r \
         join room_member t on t.room_id = r.a and t.recipient_id = r.b order by t.room_id, t.recipient_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        rest.push(TalkFact::Member(member(row)?));
    }
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'read') r \
         join room_read t on t.room_id = r.a and t.recipient_id = r.b order by t.room_id, t.recipient_id",
    )
    .fetch_all(conn)
    .await?;
    for row in &found {
        rest.push(TalkFact::Read(read(row)?));
    }
    Ok((rooms, rest))
}

/// Joins one row. What it wants is here.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &TalkFact,
) -> Result<Joined, sqlx::Error> {
    match fact {
        TalkFact::Room(fact) => merge_room(conn, fact).await,
        TalkFact::Member(fact) => merge_member(conn, fact).await,
        TalkFact::More(fact) => merge_more(conn, fact).await,
        TalkFact::Edit(fact) => merge_edit(conn, fact).await,
        TalkFact::Mark(fact) => merge_mark(conn, fact).await,
        TalkFact::Pin(fact) => merge_pin(conn, fact).await,
        TalkFact::Read(fact) => merge_read(conn, fact).await,
    }
}

pub(crate) async fn merge_room(
    conn: &mut SqliteConnection,
    fact: &RoomFact,
) -> Result<Joined, sqlx::Error> {
    let ours = room_of(conn, fact.room).await?;
    let joined = match ours.clone() {
        Some(ours) => ours.join(fact.clone()),
        None => fact.clone(),
    };
    let came = Joined::of(ours.as_ref(), &joined);
    if came.moved() {
        sqlx::query(
            "insert into room (room_id, key, opened_at_ms, opened_by, name, restricted, closed, set_at_ms, set_by) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) on conflict (room_id) do update set opened_at_ms = ?3, \
             opened_by = ?4, name = ?5, restricted = ?6, closed = ?7, set_at_ms = ?8, set_by = ?9",
        )
        .bind(joined.room.as_bytes())
        .bind(&joined.key)
        .bind(joined.opened.at.0)
        .bind(&joined.opened.by)
        .bind(&joined.settings.name)
        .bind(joined.settings.restricted)
        .bind(joined.settings.closed)
        .bind(joined.settings.at.0)
        .bind(&joined.settings.by)
        .execute(conn)
        .await?;
    }
    Ok(came)
}

pub(crate) async fn merge_member(
    conn: &mut SqliteConnection,
    fact: &MemberFact,
) -> Result<Joined, sqlx::Error> {
    let ours = member_of(conn, fact.room, fact.person).await?;
    let came = match &ours {
        None => Joined::New,
        Some(ours) if ours.standing >= fact.standing => return Ok(Joined::Unchanged),
        Some(_) => Joined::Changed,
    };
    sqlx::query(
        "insert into room_member (room_id, recipient_id, member, follow, at_ms, by_whom) values (?1, ?2, ?3, ?4, ?5, ?6) \
         on conflict (room_id, recipient_id) do update set member = ?3, follow = ?4, at_ms = ?5, by_whom = ?6",
    )
    .bind(fact.room.as_bytes())
    .bind(fact.person.as_bytes())
    .bind(fact.standing.member)
    .bind(&fact.standing.follow)
    .bind(fact.standing.at.0)
    .bind(&fact.standing.by)
    .execute(conn)
    .await?;
    Ok(came)
}

pub(crate) async fn merge_more(
    conn: &mut SqliteConnection,
    fact: &MoreFact,
) -> Result<Joined, sqlx::Error> {
    let made = sqlx::query(
        "insert into message_more (message_id, room_id, recipient_id, restricted, mentions) values (?, ?, ?, ?, ?) \
         on conflict (message_id) do update set restricted = 1 where excluded.restricted and not restricted",
    )
    .bind(fact.message.as_bytes())
    .bind(fact.room.as_bytes())
    .bind(fact.person.map(|person| person.0.to_vec()))
    .bind(fact.restricted)
    .bind(rows::to_json(&fact.mentions)?)
    .execute(conn)
    .await?;
    Ok(match made.rows_affected() {
        0 => Joined::Unchanged,
        _ => Joined::New,
    })
}

pub(crate) async fn merge_edit(
    conn: &mut SqliteConnection,
    fact: &EditFact,
) -> Result<Joined, sqlx::Error> {
    let ours = sqlx::query("select * from message_edit where edit_id = ?")
        .bind(fact.id.as_slice())
        .fetch_optional(&mut *conn)
        .await?;
    let ours = ours.as_ref().map(edit).transpose()?;
    let came = match &ours {
        None => Joined::New,
        Some(ours) if ours <= fact => return Ok(Joined::Unchanged),
        Some(_) => Joined::Changed,
    };
    sqlx::query(
        "insert into message_edit (edit_id, message_id, at_ms, by_whom, text) values (?1, ?2, ?3, ?4, ?5) \
         on conflict (edit_id) do update set message_id = ?2, at_ms = ?3, by_whom = ?4, text = ?5",
    )
    .bind(fact.id.as_slice())
    .bind(fact.message.as_bytes())
    .bind(fact.at.0)
    .bind(&fact.by)
    .bind(&fact.text)
    .execute(&mut *conn)
    .await?;
    chain::settle(conn, fact.message).await?;
    Ok(came)
}

pub(crate) async fn merge_mark(
    conn: &mut SqliteConnection,
    fact: &MarkFact,
) -> Result<Joined, sqlx::Error> {
    let ours = sqlx::query("select * from message_mark where mark_id = ?")
        .bind(fact.id.as_slice())
        .fetch_optional(&mut *conn)
        .await?;
    let ours = ours.as_ref().map(mark).transpose()?;
    let came = match &ours {
        None => Joined::New,
        Some(ours) if ours <= fact => return Ok(Joined::Unchanged),
        Some(_) => Joined::Changed,
    };
    sqlx::query(
        "insert into message_mark (mark_id, message_id, kind, at_ms, by_whom, text, unknown, salt) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (mark_id) do update set message_id = ?2, kind = ?3, \
         at_ms = ?4, by_whom = ?5, text = ?6, unknown = ?7, salt = ?8",
    )
    .bind(fact.id.as_slice())
    .bind(fact.message.as_bytes())
    .bind(&fact.kind)
    .bind(fact.at.0)
    .bind(&fact.by)
    .bind(&fact.text)
    .bind(&fact.unknown)
    .bind(fact.salt.as_slice())
    .execute(&mut *conn)
    .await?;
    chain::settle(conn, fact.message).await?;
    Ok(came)
}

pub(crate) async fn merge_pin(
    conn: &mut SqliteConnection,
    fact: &PinFact,
) -> Result<Joined, sqlx::Error> {
    let ours = pin_of(conn, fact.message).await?;
    let came = match &ours {
        None => Joined::New,
        Some(ours) if ours.pin >= fact.pin => return Ok(Joined::Unchanged),
        Some(_) => Joined::Changed,
    };
    sqlx::query(
        "insert into message_pin (message_id, room_id, pinned, at_ms, by_whom) values (?1, ?2, ?3, ?4, ?5) \
         on conflict (message_id) do update set pinned = ?3, at_ms = ?4, by_whom = ?5",
    )
    .bind(fact.message.as_bytes())
    .bind(fact.room.as_bytes())
    .bind(fact.pin.pinned)
    .bind(fact.pin.at.0)
    .bind(&fact.pin.by)
    .execute(conn)
    .await?;
    Ok(came)
}

pub(crate) async fn merge_read(
    conn: &mut SqliteConnection,
    fact: &ReadFact,
) -> Result<Joined, sqlx::Error> {
    let ours = read_of(conn, fact.room, fact.person).await?;
    let came = match &ours {
        None => Joined::New,
        Some(ours) if ours.to >= fact.to => return Ok(Joined::Unchanged),
        Some(_) => Joined::Changed,
    };
    sqlx::query(
        "insert into room_read (room_id, recipient_id, message_id, at_ms) values (?1, ?2, ?3, ?4) \
         on conflict (room_id, recipient_id) do update set message_id = ?3, at_ms = ?4",
    )
    .bind(fact.room.as_bytes())
    .bind(fact.person.as_bytes())
    .bind(fact.to.message.as_bytes())
    .bind(fact.to.at.0)
    .execute(conn)
    .await?;
    Ok(came)
}

/// An everyday room as stored.
pub(crate) async fn room_of(
    conn: &mut SqliteConnection,
    id: RoomId,
) -> Result<Option<RoomFact>, sqlx::Error> {
    let found = sqlx::query("select * from room where room_id = ?")
        .bind(id.as_bytes())
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(room).transpose()
}

pub(crate) async fn member_of(
    conn: &mut SqliteConnection,
    room: RoomId,
    person: RecipientId,
) -> Result<Option<MemberFact>, sqlx::Error> {
    let found = sqlx::query("select * from room_member where room_id = ? and recipient_id = ?")
        .bind(room.as_bytes())
        .bind(person.as_bytes())
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(member).transpose()
}

pub(crate) async fn pin_of(
    conn: &mut SqliteConnection,
    message: MessageId,
) -> Result<Option<PinFact>, sqlx::Error> {
    let found = sqlx::query("select * from message_pin where message_id = ?")
        .bind(message.as_bytes())
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(pin).transpose()
}

pub(crate) async fn read_of(
    conn: &mut SqliteConnection,
    room: RoomId,
    person: RecipientId,
) -> Result<Option<ReadFact>, sqlx::Error> {
    let found = sqlx::query("select * from room_read where room_id = ? and recipient_id = ?")
        .bind(room.as_bytes())
        .bind(person.as_bytes())
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(read).transpose()
}

fn room(row: &SqliteRow) -> Result<RoomFact, sqlx::Error> {
    Ok(RoomFact {
        room: RoomId::from_row(row.try_get("room_id")?)?,
        key: row.try_get("key")?,
        opened: Opened {
            at: rows::time(row, "opened_at_ms")?,
            by: row.try_get("opened_by")?,
        },
        settings: Settings {
            at: rows::time(row, "set_at_ms")?,
            name: row.try_get("name")?,
            restricted: row.try_get("restricted")?,
            closed: row.try_get("closed")?,
            by: row.try_get("set_by")?,
        },
    })
}

fn member(row: &SqliteRow) -> Result<MemberFact, sqlx::Error> {
    Ok(MemberFact {
        room: RoomId::from_row(row.try_get("room_id")?)?,
        person: RecipientId::from_row(row.try_get("recipient_id")?)?,
        standing: Standing {
            at: rows::time(row, "at_ms")?,
            member: row.try_get("member")?,
            follow: row.try_get("follow")?,
            by: row.try_get("by_whom")?,
        },
    })
}

fn more(row: &SqliteRow) -> Result<MoreFact, sqlx::Error> {
    let person: Option<Vec<u8>> = row.try_get("recipient_id")?;
    Ok(MoreFact {
        message: MessageId::from_row(row.try_get("message_id")?)?,
        room: RoomId::from_row(row.try_get("room_id")?)?,
        person: person.map(|id| RecipientId::from_row(&id)).transpose()?,
        restricted: row.try_get("restricted")?,
        mentions: rows::json(row, "mentions")?,
    })
}

pub(crate) fn edit(row: &SqliteRow) -> Result<EditFact, sqlx::Error> {
    Ok(EditFact {
        id: bytes(row.try_get("edit_id")?)?,
        message: MessageId::from_row(row.try_get("message_id")?)?,
        at: rows::time(row, "at_ms")?,
        by: row.try_get("by_whom")?,
        text: row.try_get("text")?,
    })
}

fn mark(row: &SqliteRow) -> Result<MarkFact, sqlx::Error> {
    Ok(MarkFact {
        id: bytes(row.try_get("mark_id")?)?,
        message: MessageId::from_row(row.try_get("message_id")?)?,
        kind: row.try_get("kind")?,
        at: rows::time(row, "at_ms")?,
        by: row.try_get("by_whom")?,
        text: row.try_get("text")?,
        unknown: row.try_get("unknown")?,
        salt: bytes(row.try_get("salt")?)?,
    })
}

fn pin(row: &SqliteRow) -> Result<PinFact, sqlx::Error> {
    Ok(PinFact {
        message: MessageId::from_row(row.try_get("message_id")?)?,
        room: RoomId::from_row(row.try_get("room_id")?)?,
        pin: Pin {
            at: rows::time(row, "at_ms")?,
            pinned: row.try_get("pinned")?,
            by: row.try_get("by_whom")?,
        },
    })
}

fn read(row: &SqliteRow) -> Result<ReadFact, sqlx::Error> {
    Ok(ReadFact {
        room: RoomId::from_row(row.try_get("room_id")?)?,
        person: RecipientId::from_row(row.try_get("recipient_id")?)?,
        to: ReadTo {
            at: rows::time(row, "at_ms")?,
            message: MessageId::from_row(row.try_get("message_id")?)?,
        },
    })
}
