//! Joins what islands tell of alerts, and works out what follows from the joined rows.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::facts::{AlertFact, Closed, Ending, StandingFact, standing};
use super::raise::keep_template;
use super::{Label, State, acts, handover};
use crate::apply::Entry;
use crate::escalation::{self, Over};
use crate::facts::Joined;
use crate::ids::AlertId;
use crate::limits;
use crate::rows;

/// Joined alerts are followed this far.
const JOINS_MAX: usize = 64;

/// Takes over an alert, or the number an island gave to one that is here.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    fact: &AlertFact,
) -> Result<Joined, sqlx::Error> {
    let Some(plan) = &fact.plan else {
        return Ok(Joined::Refused(
            "the alert has no plan; its island's database was damaged. Raise it again if it still matters".to_owned(),
        ));
    };
    let made = sqlx::query(
        "insert into alert (alert_id, number, severity, status, state, texts, gather, source, dedup_key, raised_by, \
         raised_at_ms, issued_by, aware_at_ms, acknowledged_at_ms, acknowledged_by, closed_at_ms, closed_by, note, \
         joined_into, people, kind) values (?, 0, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, null, '', null, '', '', null, ?, ?) \
         on conflict (alert_id) do nothing",
    )
    .bind(fact.alert.as_bytes())
    .bind(fact.severity.rank())
    .bind(fact.status.name())
    .bind(rows::to_json(&fact.texts)?)
    .bind(&fact.gather)
    .bind(&fact.source)
    .bind(&fact.dedup_key)
    .bind(&fact.raised_by)
    .bind(fact.raised_at.0)
    .bind(fact.issued_by.0.cast_signed())
    .bind(fact.aware_at.0)
    .bind(i64::try_from(fact.people).unwrap_or(i64::MAX))
    .bind(fact.kind.name())
    .execute(&mut *conn)
    .await?;
    let mut named = false;
    for label in &fact.labels {
        named |= add_label(conn, fact.alert, *label).await?;
    }
    if made.rows_affected() > 0 {
        escalation::merge_plan(conn, entry, fact.alert, plan).await?;
        if let Some(template) = &fact.template {
            keep_template(conn, fact.alert, template).await?;
        }
        handover::keep(conn, fact.alert, &fact.on_call).await?;
        let account = limits::account_of(&fact.raised_by, &fact.dedup_key);
        limits::pays(conn, fact.alert, &account).await?;
        return Ok(Joined::New);
    }
    Ok(if named {
        Joined::Changed
    } else {
        Joined::Unchanged
    })
}

/// Gives an alert another number. False when it has it already.
pub(crate) async fn add_label(
    conn: &mut SqliteConnection,
    alert: AlertId,
    label: Label,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into alert_label (alert_id, origin, counter, label) values (?, ?, ?, ?) \
         on conflict (alert_id, origin, counter) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(label.origin.0.cast_signed())
    .bind(i64::try_from(label.counter).unwrap_or(i64::MAX))
    .bind(label.to_string())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Joins what became of an alert.
pub(crate) async fn merge_standing(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    fact: &StandingFact,
) -> Result<Joined, sqlx::Error> {
    let Some(ours) = standing(conn, fact.alert).await? else {
        return Ok(Joined::Waits(fact.alert.0));
    };
    let mut heard = false;
    if let Some(theirs) = &fact.joined {
        heard = note_join(conn, fact.alert, theirs.into).await?;
    }
    let joined = ours.clone().join(fact.clone());
    if joined == ours {
        return Ok(match heard {
            true => Joined::Changed,
            false => Joined::Unchanged,
        });
    }
    write(conn, &joined).await?;
    if let Some(progress) = fact.progress {
        escalation::merge_progress(conn, entry, fact.alert, progress).await?;
    }
    Ok(Joined::Changed)
}

/// Remembers that an alert was joined into another. Its answers count there for good, also when it turns out that another
/// history joined it elsewhere before. False when that was known.
pub(super) async fn note_join(
    conn: &mut SqliteConnection,
    alert: AlertId,
    into: AlertId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into alert_join (alert_id, into_id) values (?, ?) on conflict do nothing",
    )
    .bind(alert.as_bytes())
    .bind(into.as_bytes())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Every alert that one was joined into, by any history.
async fn joins_of(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<AlertId>, sqlx::Error> {
    let found: Vec<Vec<u8>> =
        sqlx::query_scalar("select into_id from alert_join where alert_id = ? order by into_id")
            .bind(alert.as_bytes())
            .fetch_all(conn)
            .await?;
    AlertId::from_rows(&found)
}

/// What follows from joined rows, for these alerts and those they were joined into.
pub(crate) async fn follow_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alerts: &BTreeSet<AlertId>,
) -> Result<(), sqlx::Error> {
    let mut waiting: Vec<AlertId> = alerts.iter().rev().copied().collect();
    let mut done = BTreeSet::new();
    while let Some(alert) = waiting.pop() {
        let Some(now) = standing(conn, alert).await? else {
            continue;
        };
        let state = state_of(conn, &now).await?;
        write_state(conn, alert, state).await?;
        let over = match (state, &now.closed) {
            (State::Open, _) => Over::No,
            (State::CalledOff, Some(Closed { note, .. })) => Over::CalledOff { reason: note },
            (State::CalledOff, None) => Over::CalledOff { reason: "" },
            (State::Joined, _) => Over::Otherwise("joined into another alert"),
            (State::Resolved, _) => Over::Otherwise("resolved"),
        };
        acts::settle(conn, entry, alert).await?;
        escalation::follow_up(conn, entry, alert, now.acknowledged.is_some(), over).await?;
        done.insert(alert);
        for into in joins_of(conn, alert).await? {
            let carried = escalation::carry_over(conn, alert, into).await?;
            if carried || !done.contains(&into) {
                waiting.push(into);
            }
        }
    }
    Ok(())
}

/// A call-off or a resolution, else a join, else open. Of several alerts joined in a circle, which only islands can do,
/// the first by id stays open: somebody must be called.
async fn state_of(
    conn: &mut SqliteConnection,
    standing: &StandingFact,
) -> Result<State, sqlx::Error> {
    match (&standing.closed, &standing.joined) {
        (Some(closed), _) => Ok(match closed.how {
            Ending::CalledOff => State::CalledOff,
            Ending::Resolved => State::Resolved,
        }),
        (None, None) => Ok(State::Open),
        (None, Some(first)) => {
            let mut least = standing.alert.min(first.into);
            let mut next = first.into;
            for _ in 0..JOINS_MAX {
                if next == standing.alert {
                    return Ok(if least == standing.alert {
                        State::Open
                    } else {
                        State::Joined
                    });
                }
                let Some(on) = self::standing(conn, next).await?.and_then(|s| s.joined) else {
                    break;
                };
                next = on.into;
                least = least.min(next);
            }
            Ok(State::Joined)
        }
    }
}

async fn write(conn: &mut SqliteConnection, to: &StandingFact) -> Result<(), sqlx::Error> {
    let (acknowledged, closed, joined) = (&to.acknowledged, &to.closed, &to.joined);
    let closed_at = closed
        .as_ref()
        .map(|closed| closed.at)
        .or(joined.as_ref().map(|joined| joined.at));
    let closed_by = match (closed, joined) {
        (Some(closed), _) => closed.by.as_str(),
        (None, Some(joined)) => joined.by.as_str(),
        (None, None) => "",
    };
    sqlx::query(
        "update alert set acknowledged_at_ms = ?1, acknowledged_by = ?2, closed_at_ms = ?3, closed_by = ?4, note = ?5, \
         state = ?6, joined_into = ?7, joined_at_ms = ?8, joined_by = ?9 where alert_id = ?10",
    )
    .bind(acknowledged.as_ref().map(|a| a.at.0))
    .bind(acknowledged.as_ref().map_or("", |a| a.by.as_str()))
    .bind(closed_at.map(|at| at.0))
    .bind(closed_by)
    .bind(closed.as_ref().map_or("", |closed| closed.note.as_str()))
    .bind(match (closed, joined) {
        (Some(closed), _) => match closed.how {
            Ending::CalledOff => State::CalledOff.name(),
            Ending::Resolved => State::Resolved.name(),
        },
        (None, Some(_)) => State::Joined.name(),
        (None, None) => State::Open.name(),
    })
    .bind(joined.as_ref().map(|joined| joined.into.0.to_vec()))
    .bind(joined.as_ref().map(|joined| joined.at.0))
    .bind(joined.as_ref().map_or("", |joined| joined.by.as_str()))
    .bind(to.alert.as_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_state(
    conn: &mut SqliteConnection,
    alert: AlertId,
    state: State,
) -> Result<(), sqlx::Error> {
    sqlx::query("update alert set state = ?1 where alert_id = ?2 and state <> ?1")
        .bind(state.name())
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}
