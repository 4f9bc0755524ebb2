//! Swaps: one person asks, the other agrees, and two shifts change hands as a pair of overrides.

use sqlx::SqliteConnection;

use super::apply::{civil_now, exists, insert_override, too_many_overrides, unknown};
use super::{Override, Plan, ShiftRef, Swap, SwapRow, SwapState, Verdict, query, rules};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients;
use crate::time::CivilTime;

pub(super) async fn propose(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &str,
    swap: &Swap,
) -> Result<Outcome, sqlx::Error> {
    if !exists(conn, schedule).await? {
        return Ok(unknown(schedule));
    }
    if let Some(problem) = problem_of(conn, entry, schedule, swap).await? {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let (open, last): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where state = 'proposed'), coalesce(max(number), 0) from shift_swap \
         where schedule_key = ?",
    )
    .bind(schedule)
    .fetch_one(&mut *conn)
    .await?;
    if usize::try_from(open).unwrap_or(usize::MAX) >= rules::SWAPS_MAX {
        return Ok(Outcome::Refused(Refusal::Invalid(format!(
            "{open} swaps wait for an answer; settle some of them first"
        ))));
    }
    sqlx::query(
        "insert into shift_swap (schedule_key, number, state, give_person, give_from_ms, give_to_ms, take_person, \
         take_from_ms, take_to_ms, reason, proposed_at_ms, proposed_by, settled_at_ms, settled_by) \
         values (?, ?, 'proposed', ?, ?, ?, ?, ?, ?, ?, ?, ?, null, '')",
    )
    .bind(schedule)
    .bind(last + 1)
    .bind(&swap.give.person)
    .bind(swap.give.from.0)
    .bind(swap.give.to.0)
    .bind(&swap.take.person)
    .bind(swap.take.from.0)
    .bind(swap.take.to.0)
    .bind(&swap.reason)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::Number(
        (last + 1).cast_unsigned(),
    )))
}

pub(super) async fn settle(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &str,
    number: u64,
    verdict: &Verdict,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::swap(conn, schedule, number).await? else {
        return Ok(Outcome::Refused(Refusal::NoSuch(format!(
            "there is no swap {number} in schedule {schedule}"
        ))));
    };
    let (state, by) = match rules::judge(&row.swap, verdict) {
        Ok(judged) => judged,
        Err(problem) => return Ok(Outcome::Refused(Refusal::Invalid(problem))),
    };
    match (row.state, state) {
        (SwapState::Proposed, _) => {}
        (was, now) if was == now => return Ok(Outcome::Unchanged),
        (was, _) => {
            return Ok(Outcome::Refused(Refusal::Invalid(format!(
                "swap {number} is {} already",
                was.name()
            ))));
        }
    }
    if state == SwapState::Done
        && let Some(refused) = exchange(conn, entry, schedule, &row).await?
    {
        return Ok(refused);
    }
    sqlx::query(
        "update shift_swap set state = ?, settled_at_ms = ?, settled_by = ? where schedule_key = ? and number = ?",
    )
    .bind(state.name())
    .bind(entry.at.0)
    .bind(format!("{} ({by})", entry.envelope.actor.label()))
    .bind(schedule)
    .bind(number.cast_signed())
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::Number(number)))
}

/// Writes the pair of overrides, or says why not.
async fn exchange(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &str,
    row: &SwapRow,
) -> Result<Option<Outcome>, sqlx::Error> {
    let swap = &row.swap;
    if let Some(problem) = problem_of(conn, entry, schedule, swap).await? {
        return Ok(Some(Outcome::Refused(Refusal::Invalid(problem))));
    }
    let plan = plan_of(conn, schedule, swap).await?;
    let Some(zone) = plan.zone(schedule) else {
        return Ok(Some(unknown(schedule)));
    };
    for (shift, instead) in [
        (&swap.give, &swap.take.person),
        (&swap.take, &swap.give.person),
    ] {
        let order = Override {
            from: zone.wall(shift.from),
            to: zone.wall(shift.to),
            instead: vec![instead.clone()],
            of: Some(shift.person.clone()),
            reason: swap.reason.clone(),
        };
        if insert_override(conn, entry, schedule, row.number, &order)
            .await?
            .is_none()
        {
            return Ok(Some(too_many_overrides()));
        }
    }
    Ok(None)
}

/// What stands against a swap, now.
async fn problem_of(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &str,
    swap: &Swap,
) -> Result<Option<String>, sqlx::Error> {
    let (give, take) = (&swap.give, &swap.take);
    if let Err(problem) = rules::check_reason(&swap.reason) {
        return Ok(Some(problem));
    }
    if give.person == take.person {
        return Ok(Some("a swap is between two people".to_owned()));
    }
    if give.from >= give.to || take.from >= take.to {
        return Ok(Some("a shift ends after it begins".to_owned()));
    }
    let now = civil_now(conn, entry).await?;
    if give.to <= now || take.to <= now {
        return Ok(Some("a shift that is over cannot be swapped".to_owned()));
    }
    let named = [give.person.clone(), take.person.clone()];
    if let Some(unknown) = recipients::first_unknown_person(conn, &named).await? {
        return Ok(Some(Refusal::UnknownRecipient(unknown).to_string()));
    }
    let plan = plan_of(conn, schedule, swap).await?;
    for shift in [give, take] {
        if !holds(&plan, schedule, shift) {
            return Ok(Some(format!(
                "{} is not on call in {schedule} from {} to {} any more; look at the shifts and propose the swap anew",
                shift.person,
                shift.from.to_rfc3339(),
                shift.to.to_rfc3339()
            )));
        }
    }
    // Whoever was on call at both times anyway would cover for nobody.
    let both = (give.from.max(take.from), give.to.min(take.to));
    if both.0 < both.1 {
        return Ok(Some(
            "the two shifts are at the same time; there is nothing to exchange".to_owned(),
        ));
    }
    Ok(None)
}

fn holds(plan: &Plan, schedule: &str, shift: &ShiftRef) -> bool {
    plan.covers(schedule, &shift.person, shift.from, shift.to)
        .unwrap_or(false)
}

async fn plan_of(
    conn: &mut SqliteConnection,
    schedule: &str,
    swap: &Swap,
) -> Result<Plan, sqlx::Error> {
    let from: CivilTime = swap.give.from.min(swap.take.from);
    let to: CivilTime = swap.give.to.max(swap.take.to);
    query::plan_of(conn, schedule, from, to).await
}
