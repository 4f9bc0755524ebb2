//! Joins what islands tell of plans and calls, and works out what follows from the joined rows.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use sqlx::SqliteConnection;

use super::apply::{
    begin_call_off, close, freeze_call_offs, freeze_pages, hex_of, insert_pages, judge, rest_codes,
};
use super::enough::Policy;
use super::facts::{CallFact, PlanFact, Progress, Word, call_fact};
use super::plan_row::{PlanRowFull, insert, load, save};
use super::rules::{Phase, Plan};
use super::{PAGE_LEN, query, timers};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Purpose};
use crate::facts::Joined;
use crate::ids::{AlertId, RecipientId};
use crate::nodes::Fork;
use crate::rows;
use crate::time::Timestamp;
use crate::vocabulary::AlertKind;

/// After the first word of an alert raised elsewhere, its next step waits this long for the rest of its history.
const REST_OF_HISTORY: Duration = Duration::from_secs(5);

/// Whether and how an alert is over, for what follows from it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over<'a> {
    No,
    /// Those who were or may have been told are told to stand down.
    CalledOff {
        reason: &'a str,
    },
    /// Nobody is texted; why deliveries end.
    Otherwise(&'a str),
}

/// Takes over the plan of an alert that is new here, with its texts.
pub(crate) async fn merge_plan(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    fact: &PlanFact,
) -> Result<Joined, sqlx::Error> {
    if load(conn, alert).await?.is_some() {
        return Ok(Joined::Unchanged);
    }
    let policy: Policy = serde_json::from_str(&fact.policy).unwrap_or_default();
    let row = PlanRowFull {
        alert,
        critical: fact.critical,
        lane: Lane::of_rank(fact.lane),
        validity_ms: fact.validity_ms,
        content: fact.content.clone(),
        needed: fact.needed,
        coming: 0,
        taken_over: false,
        judged: false,
        plan: Plan {
            phase: Phase::Calling,
            started: fact.started,
            delays_ms: fact.delays_ms.clone(),
            last_pages: fact.last_pages.clone(),
            step: 0,
            round: 0,
            review: 0,
            repeats: fact.repeats,
            repeat_every_ms: fact.repeat_every_ms,
            satisfied: false,
            hurry: false,
            quiet: policy.conduct.quiet,
            checks: policy.conduct.kind == AlertKind::SafetyCheck,
            // Answers and steps called there may still be on their way.
            woken: entry.at + REST_OF_HISTORY,
            paused_until: Timestamp(0),
            next_page: 0,
            call_off_end: 0,
        },
        hold_until: Timestamp(0),
        policy,
    };
    insert(conn, &row, entry.at).await?;
    let pages: Vec<_> = fact
        .pages
        .iter()
        .map(|(step, people)| json!([step, hex_of(people)]))
        .collect();
    insert_pages(conn, alert, 0, &pages).await?;
    Ok(Joined::New)
}

/// Joins how far a plan has come.
pub(crate) async fn merge_progress(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    progress: Progress,
) -> Result<Joined, sqlx::Error> {
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(Joined::Waits(alert.0));
    };
    let ours = row.progress();
    if row.plan.phase != Phase::Calling || progress <= ours {
        return Ok(Joined::Unchanged);
    }
    row.plan.round = progress.round;
    row.plan.step = progress.step;
    row.plan.next_page = progress.next_page;
    row.plan.review = row.plan.review.max(progress.review);
    save(conn, &row, entry.at).await?;
    Ok(Joined::Changed)
}

/// Joins one call.
pub(crate) async fn merge_call(
    conn: &mut SqliteConnection,
    fact: &CallFact,
) -> Result<Joined, sqlx::Error> {
    if load(conn, fact.alert).await?.is_none() {
        return Ok(Joined::Waits(fact.alert.0));
    }
    let ours = call_fact(conn, fact.alert, fact.recipient).await?;
    let joined = match ours.clone() {
        Some(ours) => ours.join(fact.clone()),
        None => fact.clone(),
    };
    let came = Joined::of(ours.as_ref(), &joined);
    if !came.moved() {
        return Ok(came);
    }
    let Some(first) = joined.codes.first() else {
        return Ok(Joined::Refused("a call without a code".to_owned()));
    };
    let (answer, answered_at, from, word) = match &joined.answered {
        Some(said) => (
            said.answer.name(),
            Some(said.at.0),
            said.from.as_str(),
            said.word,
        ),
        None => ("", None, "", Word::Given),
    };
    let eta_min = joined.answered.as_ref().and_then(|said| said.eta_min);
    sqlx::query(
        "insert into called_person (alert_id, recipient_id, position, step, code, answer, answered_at_ms, answered_from, \
         called_at_ms, closed_at_ms, word, reminded, eta_min) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, null, ?10, ?11, ?12) \
         on conflict (alert_id, recipient_id) do update set position = ?3, step = ?4, answer = ?6, answered_at_ms = ?7, \
         answered_from = ?8, called_at_ms = ?9, word = ?10, reminded = ?11, eta_min = ?12",
    )
    .bind(joined.alert.as_bytes())
    .bind(joined.recipient.as_bytes())
    .bind(i64::try_from(joined.called.position).unwrap_or(i64::MAX))
    .bind(i64::from(joined.called.step))
    .bind(first)
    .bind(answer)
    .bind(answered_at)
    .bind(from)
    .bind(joined.called.at.0)
    .bind(word.name())
    .bind(i64::from(joined.reminded))
    .bind(eta_min.map(i64::from))
    .execute(&mut *conn)
    .await?;
    // The row's own code is among them, whichever it is; it is not stored twice.
    sqlx::query(
        "insert into call_code (alert_id, recipient_id, code) select ?1, ?2, value from json_each(?3) \
         where value not in (select code from called_person where alert_id = ?1 and recipient_id = ?2) order by key \
         on conflict (alert_id, recipient_id, code) do nothing",
    )
    .bind(joined.alert.as_bytes())
    .bind(joined.recipient.as_bytes())
    .bind(rows::to_json(&joined.codes)?)
    .execute(conn)
    .await?;
    Ok(came)
}

/// What follows for a plan from joined rows: who answered is settled everywhere, enough answers stop the next steps, an
/// end stops everything and reaches everyone who was or may have been told, whoever told them.
pub(crate) async fn follow_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    acknowledged: bool,
    over: Over<'_>,
) -> Result<(), sqlx::Error> {
    let answered = query::answered(conn, alert).await?;
    let people: Vec<RecipientId> = answered.iter().map(|call| call.recipient).collect();
    deliveries::settle_all(conn, entry, alert, &people).await?;
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(());
    };
    row.coming = query::coming(conn, alert).await?;
    row.taken_over |= acknowledged;
    judge(conn, entry, &mut row).await?;
    if matches!(over, Over::No) && row.plan.phase == Phase::Closed {
        row.plan.phase = Phase::Calling; // it is the one of several joined in a circle that stays open
    }
    save(conn, &row, entry.at).await?;
    timers::set(conn, &row, None, timers::NOTHING_DONE).await?;
    freeze_missing(conn, &row, over).await?;
    match over {
        Over::No => Ok(()),
        Over::CalledOff { reason } if row.plan.phase != Phase::CallingOff => {
            begin_call_off(conn, entry, alert, reason).await
        }
        Over::CalledOff { .. } => {
            deliveries::cancel_open(conn, entry, alert, "called off").await?;
            rest_codes(conn, entry, alert).await?;
            call_off_more(conn, entry, row).await
        }
        Over::Otherwise(why) => close(conn, entry, alert, why).await,
    }
}

/// Freezes here what was frozen only where the page was expanded or the call-off began: the deliveries that came from
/// there leave from here with words, or not at all.
async fn freeze_missing(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
    over: Over<'_>,
) -> Result<(), sqlx::Error> {
    for purpose in deliveries::purposes_without_text(conn, row.alert).await? {
        match purpose {
            Purpose::Page => freeze_pages(conn, row).await?,
            Purpose::CallOff => {
                let reason = match over {
                    Over::CalledOff { reason } => reason,
                    Over::No | Over::Otherwise(_) => "", // nobody here has heard of the call-off itself yet
                };
                freeze_call_offs(conn, row, reason).await?;
            }
            Purpose::Reply
            | Purpose::Summary
            | Purpose::Update
            | Purpose::Wake
            | Purpose::Trip
            | Purpose::Reminder
            | Purpose::SignIn
            | Purpose::Invitation
            | Purpose::Digest => {} // they carry their own words
        }
    }
    Ok(())
}

/// Adds those to a call-off who turn out to have been told by somebody else.
async fn call_off_more(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    mut row: PlanRowFull,
) -> Result<(), sqlx::Error> {
    let told = deliveries::not_called_off(conn, row.alert).await?;
    let mut expected: BTreeSet<RecipientId> = BTreeSet::new();
    for page in row.plan.next_page..row.plan.call_off_end {
        expected.extend(super::apply::page_people(conn, row.alert, page).await?);
    }
    let missing: BTreeSet<RecipientId> = told
        .into_iter()
        .filter(|id| !expected.contains(id))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let order: Vec<RecipientId> = query::in_call_off_order(conn, row.alert)
        .await?
        .into_iter()
        .filter(|id| missing.contains(id))
        .collect();
    let first = query::page_count(conn, row.alert).await?;
    let pages: Vec<_> = order
        .chunks(PAGE_LEN)
        .map(|chunk| json!([0, hex_of(chunk)]))
        .collect();
    insert_pages(conn, row.alert, first, &pages).await?;
    row.plan.next_page = row.plan.next_page.min(first);
    row.plan.call_off_end = first + pages.len() as u32;
    save(conn, &row, entry.at).await
}

/// On entering an island: alerts that were open already are left to others for a while (DESIGN D5).
pub(crate) async fn hold(conn: &mut SqliteConnection, fork: &Fork) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update escalation set hold_until_ms = ?1 + case when critical then ?2 else ?3 end, \
         next_due_ms = max(next_due_ms, ?1 + case when critical then ?2 else ?3 end) where next_action <> ''",
    )
    .bind(fork.entered_at.0)
    .bind(deliveries::HOLD_CRITICAL_MS)
    .bind(deliveries::HOLD_MS)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update call_timer set due_ms = max(due_ms, (select e.hold_until_ms from escalation e \
         where e.alert_id = call_timer.alert_id)) where exists (select 1 from escalation e \
         where e.alert_id = call_timer.alert_id)",
    )
    .execute(conn)
    .await?;
    Ok(())
}
