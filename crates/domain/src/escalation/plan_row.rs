//! The row of a plan: what was frozen, how far it has come, and what follows from both.

use sqlx::{Row, SqliteConnection};

use super::Progress;
use super::enough::Policy;
use super::rules::{Phase, Plan, next_action};
use crate::deliveries::Lane;
use crate::ids::AlertId;
use crate::rows;
use crate::script::Script;
use crate::time::Timestamp;
use crate::vocabulary::AlertKind;

/// The whole `escalation` row.
pub(super) struct PlanRowFull {
    pub(super) alert: AlertId,
    pub(super) critical: bool,
    pub(super) lane: Lane,
    pub(super) validity_ms: i64,
    pub(super) content: String,
    pub(super) needed: u16,
    pub(super) policy: Policy,
    pub(super) coming: u16,
    /// Somebody acknowledged: nobody further is called.
    pub(super) taken_over: bool,
    pub(super) plan: Plan,
    /// Judged anew since it was read: answers may count otherwise than before.
    pub(super) judged: bool,
    /// An island leaves the next action to others until then (DESIGN D5).
    pub(super) hold_until: Timestamp,
}

impl PlanRowFull {
    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            round: self.plan.round,
            step: self.plan.step,
            next_page: self.plan.next_page,
            review: self.plan.review,
        }
    }
}

pub(super) async fn load(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<PlanRowFull>, sqlx::Error> {
    let row = sqlx::query(
        "select phase, critical, lane, started_at_ms, delays_ms, last_pages, step, round, review, repeats, \
         repeat_every_ms, validity_ms, content, needed, policy, coming, taken_over, satisfied, hurry, woken_ms, \
         paused_until_ms, next_page, call_off_end, hold_until_ms from escalation where alert_id = ?",
    )
    .bind(alert.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let policy: Policy = rows::json(&row, "policy")?;
        Ok(PlanRowFull {
            alert,
            critical: row.try_get("critical")?,
            lane: Lane::of_rank(row.try_get("lane")?),
            validity_ms: row.try_get("validity_ms")?,
            content: row.try_get("content")?,
            needed: rows::unsigned(&row, "needed")?,
            coming: rows::unsigned(&row, "coming")?,
            taken_over: row.try_get("taken_over")?,
            judged: false,
            hold_until: rows::time(&row, "hold_until_ms")?,
            plan: Plan {
                phase: Phase::parse(row.try_get("phase")?),
                started: rows::time(&row, "started_at_ms")?,
                delays_ms: rows::json(&row, "delays_ms")?,
                last_pages: rows::json(&row, "last_pages")?,
                step: rows::unsigned(&row, "step")?,
                round: rows::unsigned(&row, "round")?,
                review: rows::unsigned(&row, "review")?,
                repeats: rows::unsigned(&row, "repeats")?,
                repeat_every_ms: rows::unsigned(&row, "repeat_every_ms")?,
                satisfied: row.try_get("satisfied")?,
                hurry: row.try_get("hurry")?,
                quiet: policy.conduct.quiet,
                checks: policy.conduct.kind == AlertKind::SafetyCheck,
                woken: rows::time(&row, "woken_ms")?,
                paused_until: rows::time(&row, "paused_until_ms")?,
                next_page: rows::unsigned(&row, "next_page")?,
                call_off_end: rows::unsigned(&row, "call_off_end")?,
            },
            policy,
        })
    })
    .transpose()
}

/// Adds a plan.
pub(super) async fn insert(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let mut script = Script::default();
    insert_all(&mut script, std::iter::once((row, now)))?;
    script.execute(conn).await
}

/// Adds new plans.
pub(super) fn insert_all<'a>(
    script: &mut Script,
    rows: impl ExactSizeIterator<Item = (&'a PlanRowFull, Timestamp)>,
) -> Result<(), sqlx::Error> {
    script.insert(
        "insert into escalation (alert_id, phase, critical, lane, started_at_ms, delays_ms, last_pages, step, round, \
         review, repeats, repeat_every_ms, validity_ms, content, needed, policy, coming, satisfied, next_page, \
         call_off_end, next_action, next_due_ms)",
        "(?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?)",
        rows.len(),
        "",
    );
    for (row, now) in rows {
        let (action, due) = next_columns(row, now);
        script
            .bind(row.alert.as_bytes().to_vec())
            .bind(row.plan.phase.name())
            .bind(row.critical)
            .bind(row.lane.rank())
            .bind(row.plan.started.0)
            .bind(rows::to_json(&row.plan.delays_ms)?)
            .bind(rows::to_json(&row.plan.last_pages)?)
            .bind(i64::from(row.plan.repeats))
            .bind(i64::try_from(row.plan.repeat_every_ms).unwrap_or(i64::MAX))
            .bind(row.validity_ms)
            .bind(row.content.clone())
            .bind(i64::from(row.needed))
            .bind(rows::to_json(&row.policy)?)
            .bind(action)
            .bind(due);
    }
    Ok(())
}

/// Writes what may change, with the next action that follows from it.
pub(super) async fn save(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let (action, due) = next_columns(row, now);
    // An answer must not push a reminder back for ever: a later review keeps the earlier time.
    sqlx::query(
        "update escalation set phase = ?1, step = ?2, round = ?3, coming = ?5, satisfied = ?6, next_page = ?7, \
         call_off_end = ?8, next_due_ms = case when ?9 = 'review' and next_action = 'review' and review = ?4 \
          then min(next_due_ms, ?10) else ?10 end, review = ?4, next_action = ?9, taken_over = ?12, hurry = ?13, \
         woken_ms = ?14, paused_until_ms = ?15, stirred = max(stirred, ?16) \
         where alert_id = ?11",
    )
    .bind(row.plan.phase.name())
    .bind(i64::from(row.plan.step))
    .bind(i64::from(row.plan.round))
    .bind(i64::from(row.plan.review))
    .bind(i64::from(row.coming))
    .bind(row.plan.satisfied)
    .bind(i64::from(row.plan.next_page))
    .bind(i64::from(row.plan.call_off_end))
    .bind(action)
    .bind(due)
    .bind(row.alert.as_bytes())
    .bind(row.taken_over)
    .bind(row.plan.hurry)
    .bind(row.plan.woken.0)
    .bind(row.plan.paused_until.0)
    .bind(row.judged)
    .execute(conn)
    .await?;
    Ok(())
}

fn next_columns(row: &PlanRowFull, now: Timestamp) -> (&'static str, i64) {
    next_action(&row.plan, now).map_or(("", 0), |(action, due)| {
        (action.name(), due.max(row.hold_until).0)
    })
}
