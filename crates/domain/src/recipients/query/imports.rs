//! Imports that were made, those that wait, and what each would change.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{by_keys, count};
use crate::codec;
use crate::ids::{GroupId, ImportId, RecipientId};
use crate::recipients::rules::weigh;
use crate::recipients::{Import, Person, Weight};
use crate::rows;
use crate::time::Timestamp;

/// What became of an import.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ImportState {
    /// All of it went in at once.
    Done,
    /// Some of it waits for a person.
    Waiting,
    Approved,
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// A newer import of the same source took its place.
    Replaced,
}

impl ImportState {
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Waiting,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Replaced,
    ];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
        }
    }

    fn parse(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|state| state.name() == name);
        known.unwrap_or(Self::Done)
    }
}

/// An import, without what it says of people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportRow {
    pub id: ImportId,
    pub source: String,
    pub asked_by: String,
    pub asked_at: Timestamp,
    /// Until when somebody may decide.
    pub expires_at: Timestamp,
    pub state: ImportState,
    /// Why it waits, or waited.
    pub reasons: Vec<String>,
    /// How many people it adds or changes.
    pub people: u64,
    /// How many it would remove.
    pub absent: u64,
    /// How many people it came to so far.
    pub applied: u64,
    /// Empty while nobody decided.
    pub decided_by: String,
    pub decided_at: Option<Timestamp>,
}

/// Why imports are refused, and since when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Freeze {
    pub reason: String,
    pub by: String,
    pub since: Timestamp,
}

macro_rules! import_select {
    ($tail:literal) => {
        concat!(
            "select import_id, source, asked_by, asked_at_ms, expires_at_ms, state, reasons, people, absent, applied, \
             decided_by, decided_at_ms from directory_import ",
            $tail
        )
    };
}

/// The last imports, newest first.
pub async fn imports(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<ImportRow>, sqlx::Error> {
    let found = sqlx::query(import_select!(
        "order by asked_at_ms desc, import_id limit ?"
    ))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(|row| import_row(row, now)).collect()
}

/// One import.
pub async fn import(
    conn: &mut SqliteConnection,
    id: ImportId,
    now: Timestamp,
) -> Result<Option<ImportRow>, sqlx::Error> {
    let found = sqlx::query(import_select!("where import_id = ?"))
        .bind(id.as_bytes())
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(|row| import_row(row, now)).transpose()
}

/// What an import that waits would do to whom it names, as they are known now. Those put or removed by hand since are
/// left out, because approving leaves them as they are. Absent once it is decided.
pub async fn waiting(
    conn: &mut SqliteConnection,
    id: ImportId,
) -> Result<Option<Import>, sqlx::Error> {
    let Some((mut import, asked_at)) = payload(conn, id).await? else {
        return Ok(None);
    };
    let touched = touched_since(conn, &import, asked_at).await?;
    import
        .people
        .retain(|person| !touched.contains(&person.key));
    import.absent.retain(|key| !touched.contains(key));
    for join in &mut import.joins {
        join.people.retain(|key| !touched.contains(key));
    }
    import.joins.retain(|join| !join.people.is_empty());
    Ok(Some(import))
}

/// What an import would change now, and whether it would wait. Removals are not in it: they always wait.
pub async fn weight(conn: &mut SqliteConnection, import: &Import) -> Result<Weight, sqlx::Error> {
    let mut keys: Vec<&str> = import.people.iter().map(|p| p.key.as_str()).collect();
    keys.extend(
        import
            .joins
            .iter()
            .flat_map(|j| &j.people)
            .map(String::as_str),
    );
    let known: BTreeMap<String, Person> = by_keys(conn, &keys)
        .await?
        .into_iter()
        .map(|row| (row.key.clone(), row.into_person()))
        .collect();
    let mut members = BTreeSet::new();
    for join in &import.joins {
        let found: Vec<String> = sqlx::query_scalar(
            "select p.key from group_member m join person p on p.recipient_id = m.recipient_id \
             where m.group_id = ? order by p.key",
        )
        .bind(GroupId::of_key(&join.group).as_bytes())
        .fetch_all(&mut *conn)
        .await?;
        members.extend(found.into_iter().map(|key| (join.group.clone(), key)));
    }
    Ok(weigh(import, &known, &members, count(conn).await?))
}

/// Whether and why imports are refused.
pub async fn freeze(conn: &mut SqliteConnection) -> Result<Option<Freeze>, sqlx::Error> {
    let row = sqlx::query("select reason, frozen_by, since_ms from import_freeze where id = 1")
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Freeze {
            reason: row.try_get(0)?,
            by: row.try_get(1)?,
            since: Timestamp(row.try_get(2)?),
        })
    })
    .transpose()
}

/// An import as it waits, and when it was asked for.
async fn payload(
    conn: &mut SqliteConnection,
    id: ImportId,
) -> Result<Option<(Import, Timestamp)>, sqlx::Error> {
    let row = sqlx::query(
        "select payload, asked_at_ms from directory_import where import_id = ? and state = 'waiting'",
    )
    .bind(id.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let import = codec::decode(row.try_get(0)?).map_err(|e| sqlx::Error::Decode(e.into()))?;
        Ok((import, Timestamp(row.try_get(1)?)))
    })
    .transpose()
}

/// Keys of those an import names who were put or removed after it was asked for.
async fn touched_since(
    conn: &mut SqliteConnection,
    import: &Import,
    asked_at: Timestamp,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let people = import.people.iter().map(|person| &person.key);
    let joined = import.joins.iter().flat_map(|join| &join.people);
    let ids: Vec<RecipientId> = people
        .chain(&import.absent)
        .chain(joined)
        .map(|key| RecipientId::of_key(key))
        .collect();
    let found: Vec<String> = sqlx::query_scalar(
        "select key from person where recipient_id in (select unhex(value) from json_each(?1)) \
         and (updated_at_ms > ?2 or removed_at_ms > ?2) order by key",
    )
    .bind(rows::hex_array(ids.iter().map(RecipientId::as_bytes)))
    .bind(asked_at.0)
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().collect())
}

fn import_row(row: &SqliteRow, now: Timestamp) -> Result<ImportRow, sqlx::Error> {
    let expires_at = rows::time(row, "expires_at_ms")?;
    let mut state = ImportState::parse(row.try_get("state")?);
    // Its row says so only when the next import comes.
    if state == ImportState::Waiting && expires_at <= now {
        state = ImportState::Expired;
    }
    Ok(ImportRow {
        id: ImportId::from_row(row.try_get("import_id")?)?,
        source: row.try_get("source")?,
        asked_by: row.try_get("asked_by")?,
        asked_at: rows::time(row, "asked_at_ms")?,
        expires_at,
        state,
        reasons: rows::json(row, "reasons")?,
        people: rows::unsigned(row, "people")?,
        absent: rows::unsigned(row, "absent")?,
        applied: rows::unsigned(row, "applied")?,
        decided_by: row.try_get("decided_by")?,
        decided_at: rows::time_opt(row, "decided_at_ms")?,
    })
}
