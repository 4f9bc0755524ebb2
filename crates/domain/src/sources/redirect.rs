//! A source's alarms call somebody else for a while: one step there, one step back, and never nobody.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use super::call::everyone;
use super::command::{Redirect, Source};
use super::{query, rules, settings};
use crate::apply::Entry;
use crate::oncall::{self, Called};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::{nodes, rows};

/// A source's redirect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedirectRow {
    pub redirect: Redirect,
    pub made_at: Timestamp,
    pub made_by: String,
}

impl RedirectRow {
    /// Whether alarms go by it at a moment.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.redirect.until.is_none_or(|until| now < until)
    }
}

/// All sources' redirects by key of the source, be they over or not.
pub async fn redirects(
    conn: &mut SqliteConnection,
) -> Result<BTreeMap<String, RedirectRow>, sqlx::Error> {
    read(conn, None).await
}

/// A source's redirect, be it over or not.
pub async fn redirect(
    conn: &mut SqliteConnection,
    source: &str,
) -> Result<Option<RedirectRow>, sqlx::Error> {
    Ok(read(conn, Some(source)).await?.remove(source))
}

async fn read(
    conn: &mut SqliteConnection,
    source: Option<&str>,
) -> Result<BTreeMap<String, RedirectRow>, sqlx::Error> {
    let found = sqlx::query(
        "select source_key, target_kind, target_key, until_ms, reason, made_at_ms, made_by from source_redirect \
         where (?1 is null or source_key = ?1) order by source_key",
    )
    .bind(source)
    .fetch_all(conn)
    .await?;
    let mut redirects = BTreeMap::new();
    for row in &found {
        let until: Option<i64> = row.try_get("until_ms")?;
        let redirect = Redirect {
            to: settings::name(row.try_get("target_kind")?, row.try_get("target_key")?),
            until: until.map(Timestamp),
            reason: row.try_get("reason")?,
        };
        let row_of = RedirectRow {
            redirect,
            made_at: rows::time(row, "made_at_ms")?,
            made_by: row.try_get("made_by")?,
        };
        redirects.insert(row.try_get("source_key")?, row_of);
    }
    Ok(redirects)
}

/// Whom a source's alarms call at a moment, and what their room is told of it.
pub(super) struct Whom {
    pub(super) calls: Vec<Called>,
    pub(super) note: Option<String>,
}

/// See [`Whom`]. A redirect that leads to nobody any more is passed over, and said to be.
pub(super) async fn whom(
    conn: &mut SqliteConnection,
    source: &Source,
    now: Timestamp,
) -> Result<Whom, sqlx::Error> {
    let own = |note| Whom {
        calls: source.calls.clone(),
        note,
    };
    let Some(row) = redirect(conn, &source.key).await? else {
        return Ok(own(None));
    };
    if !row.holds(now) {
        return Ok(own(None));
    }
    let to = row.redirect.to.written();
    let because = match row.redirect.reason.as_str() {
        "" => row.made_by,
        reason => format!("{}: {reason}", row.made_by),
    };
    let calls = vec![row.redirect.to];
    if everyone(conn, &calls, now).await?.is_empty() {
        let note = format!(
            "{} is redirected to {to} ({because}), where there is nobody now; those it usually calls are called.",
            source.name
        );
        return Ok(own(Some(note)));
    }
    let note = Some(format!(
        "{} is redirected to {to} ({because}).",
        source.name
    ));
    Ok(Whom { calls, note })
}

pub(super) async fn set(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &str,
    redirect: &Redirect,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check_redirect(redirect, entry.at) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if query::source(conn, source).await?.is_none() {
        return Ok(Outcome::Refused(Refusal::UnknownSource));
    }
    let now = nodes::civil(conn).await?.at(entry.at);
    let to = std::slice::from_ref(&redirect.to);
    match oncall::resolve(conn, to, now).await? {
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
        // A schedule with nobody on call now may have somebody later; a group without people calls nobody at all.
        Ok(found) if found.people.is_empty() && matches!(redirect.to, Called::Named(_)) => {
            let problem = format!("{} has nobody in it", redirect.to.written());
            return Ok(Outcome::Refused(Refusal::Invalid(problem)));
        }
        Ok(_) => {}
    }
    let (kind, key) = redirect.to.words();
    sqlx::query(
        "insert into source_redirect (source_key, target_kind, target_key, until_ms, reason, made_at_ms, made_by) \
         values (?, ?, ?, ?, ?, ?, ?) on conflict (source_key) do update set target_kind = excluded.target_kind, \
         target_key = excluded.target_key, until_ms = excluded.until_ms, reason = excluded.reason, \
         made_at_ms = excluded.made_at_ms, made_by = excluded.made_by",
    )
    .bind(source)
    .bind(kind)
    .bind(key)
    .bind(redirect.until.map(|until| until.0))
    .bind(&redirect.reason)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

pub(super) async fn clear(
    conn: &mut SqliteConnection,
    source: &str,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query("delete from source_redirect where source_key = ?")
        .bind(source)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() > 0 {
        return Ok(Outcome::Applied(Receipt::None));
    }
    Ok(match query::source(conn, source).await? {
        Some(_) => Outcome::Unchanged,
        None => Outcome::Refused(Refusal::UnknownSource),
    })
}
