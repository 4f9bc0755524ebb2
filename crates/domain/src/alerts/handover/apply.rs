//! Writes to `alert_on_call`, and the acts by which duty is handed over.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;

use super::query::{Watched, listed, watched};
use super::{BY, HANDED_MAX};
use crate::alerts::acts::{Act, Doing, act_as};
use crate::alerts::{AlertKind, AlertRow, State, query, telling};
use crate::apply::Entry;
use crate::escalation;
use crate::ids::{ActId, AlertId, RecipientId};
use crate::oncall::{self, Called, OnDuty};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::texts;
use crate::time::Timestamp;
use crate::vocabulary::Answer;
use crate::{nodes, recipients};

/// Remembers through which schedules an alert was raised. What is known stays.
pub(in crate::alerts) async fn keep(
    conn: &mut SqliteConnection,
    alert: AlertId,
    on_call: &[OnDuty],
) -> Result<(), sqlx::Error> {
    for duty in on_call {
        let people = listed(&duty.people.iter().copied().collect());
        sqlx::query(
            "insert into alert_on_call (alert_id, schedule, people, seen, awaited, since_ms) values (?1, ?2, ?3, ?3, '[]', 0) \
             on conflict (alert_id, schedule) do nothing",
        )
        .bind(alert.as_bytes())
        .bind(&duty.schedule)
        .bind(people)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Looks who is on call for these alerts now (loop command). Again it changes nothing.
pub(in crate::alerts) async fn hand_over(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alerts: &[AlertId],
) -> Result<Outcome, sqlx::Error> {
    if alerts.len() > HANDED_MAX {
        let problem = format!("at most {HANDED_MAX} alerts are handed over at once");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let mut moved = 0;
    for alert in alerts {
        moved += u64::from(look(conn, entry, *alert).await?);
    }
    Ok(match moved {
        0 => Outcome::Unchanged,
        moved => Outcome::Applied(Receipt::Count(moved)),
    })
}

/// Looks at all schedules of an alert; true when something came of it.
async fn look(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    let Some(row) = query::find(conn, alert).await? else {
        return Ok(false);
    };
    if row.state != State::Open || row.kind != AlertKind::Alert {
        return Ok(false);
    }
    let now = nodes::civil(conn).await?.at(entry.at);
    let mut moved = false;
    let watched = watched(conn, alert).await?;
    // Whoever is on duty in any schedule of the alert is not relieved for having left another.
    let mut duties = Vec::with_capacity(watched.len());
    for watched in &watched {
        let called = [Called::OnCall(watched.schedule.clone())];
        let found = oncall::resolve(conn, &called, now).await?;
        // A schedule that was removed has nobody: those who were called stay called.
        let people = found.unwrap_or_default().people;
        duties.push(people.into_iter().collect::<BTreeSet<RecipientId>>());
    }
    let anywhere: BTreeSet<RecipientId> = duties.iter().flatten().copied().collect();
    for (watched, duty) in watched.iter().zip(&duties) {
        // Not begun yet: when its step comes, this is looked at again.
        if !begun(conn, alert, watched).await? {
            continue;
        }
        moved |= settle(conn, entry, &row, watched, duty, &anywhere).await?;
    }
    Ok(moved)
}

/// Whether those the raise named for a schedule were called; with nobody named, there is nothing to wait for.
async fn begun(
    conn: &mut SqliteConnection,
    alert: AlertId,
    watched: &Watched,
) -> Result<bool, sqlx::Error> {
    for person in &watched.people {
        if escalation::find_call(conn, alert, *person).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(watched.people.is_empty())
}

/// Calls those who came on duty, and relieves those before them when one of the new ones is coming.
async fn settle(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    watched: &Watched,
    duty: &BTreeSet<RecipientId>,
    anywhere: &BTreeSet<RecipientId>,
) -> Result<bool, sqlx::Error> {
    let came = came_on_duty(conn, alert.id, &watched.schedule).await?;
    let mut known = watched.people.clone();
    known.extend(came.keys());
    let fresh: Vec<RecipientId> = duty
        .iter()
        .filter(|person| !watched.seen.contains(person))
        .copied()
        .collect();
    let fresh = escalation::uncalled(conn, alert.id, &fresh).await?;
    let mut moved = false;
    if !fresh.is_empty() {
        brief_and_call(conn, entry, alert, watched, &fresh, &known).await?;
        moved = true;
    }
    let out = escalation::left_out(conn, alert.id).await?;
    let mut outgoing = Vec::new();
    for person in known.iter().filter(|person| !anywhere.contains(person)) {
        let called = escalation::find_call(conn, alert.id, *person).await?;
        if called.is_some() && !out.contains(person) {
            outgoing.push(*person);
        }
    }
    let came = came_on_duty(conn, alert.id, &watched.schedule).await?;
    let mut awaited: BTreeSet<RecipientId> = match outgoing.is_empty() {
        true => BTreeSet::new(),
        false => (duty.iter().copied())
            .filter(|person| came.contains_key(person))
            .collect(),
    };
    let since = awaited.iter().filter_map(|person| came.get(person)).max();
    let since = since.copied().unwrap_or(Timestamp(0));
    if let Some(taker) = taker(conn, alert.id, &awaited, since).await? {
        relieve(conn, entry, alert.id, &watched.schedule, taker, &outgoing).await?;
        awaited.clear();
        moved = true;
    }
    if watched.seen != *duty || watched.awaited != awaited {
        sqlx::query(
            "update alert_on_call set seen = ?, awaited = ?, since_ms = ? where alert_id = ? and schedule = ?",
        )
        .bind(listed(duty))
        .bind(listed(&awaited))
        .bind(since.0)
        .bind(alert.id.as_bytes())
        .bind(&watched.schedule)
        .execute(conn)
        .await?;
        moved = true;
    }
    Ok(moved)
}

/// Everyone who was called to an alert because they came on duty in a schedule, and when that last was.
async fn came_on_duty(
    conn: &mut SqliteConnection,
    alert: AlertId,
    schedule: &str,
) -> Result<BTreeMap<RecipientId, Timestamp>, sqlx::Error> {
    let name = named(schedule);
    let acts = query::acts(conn, alert).await?;
    let mut came = BTreeMap::new();
    for act in acts.into_iter().filter(|act| act.by == BY) {
        if let Act::Add { named, people } = act.act
            && named.contains(&name)
        {
            came.extend(people.into_iter().map(|person| (person, act.at)));
        }
    }
    Ok(came)
}

/// One of those awaited who said since then that they are coming.
async fn taker(
    conn: &mut SqliteConnection,
    alert: AlertId,
    awaited: &BTreeSet<RecipientId>,
    since: Timestamp,
) -> Result<Option<RecipientId>, sqlx::Error> {
    for person in awaited {
        let call = escalation::find_call(conn, alert, *person).await?;
        let said = call.filter(|call| call.answer == Some(Answer::Coming));
        if said.is_some_and(|call| call.answered_at.is_some_and(|at| at > since)) {
            return Ok(Some(*person));
        }
    }
    Ok(None)
}

/// Calls those who came on duty, beside the others, and tells them how the alert stands.
async fn brief_and_call(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    watched: &Watched,
    fresh: &[RecipientId],
    known: &BTreeSet<RecipientId>,
) -> Result<(), sqlx::Error> {
    let before: Vec<RecipientId> = known
        .iter()
        .filter(|id| !fresh.contains(id))
        .copied()
        .collect();
    let names = recipients::by_ids(conn, &before).await?;
    let names: Vec<String> = names.into_iter().map(|person| person.name).collect();
    let briefing = telling::now(conn, entry, alert, &names).await?;
    let act = Act::Add {
        named: vec![named(&watched.schedule)],
        people: fresh.to_vec(),
    };
    let reason = format!("now on call in schedule {}", watched.schedule);
    do_it(conn, entry, alert.id, &act, &reason).await?;
    let added = escalation::called_in_order(conn, alert.id).await?;
    let added: Vec<_> = (added.into_iter())
        .filter(|call| fresh.contains(&call.recipient))
        .collect();
    telling::tell(conn, entry, alert, &added, |language, about| {
        texts::briefing(language, about, &briefing)
    })
    .await
}

/// Lets those go who went off duty, now that one of those who came is coming.
async fn relieve(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    schedule: &str,
    taker: RecipientId,
    outgoing: &[RecipientId],
) -> Result<(), sqlx::Error> {
    let taker = recipients::by_ids(conn, &[taker]).await?;
    let name = taker.first().map_or("somebody else", |person| &person.name);
    let reason = format!("off duty in schedule {schedule}; {name} has taken over");
    for person in outgoing {
        let act = Act::Withdraw { person: *person };
        do_it(conn, entry, alert, &act, &reason).await?;
    }
    Ok(())
}

/// Does an act in Holdfast's name. Histories that come to the same point do the same act.
async fn do_it(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    act: &Act,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let before = query::acts(conn, alert).await?;
    let before = before.iter().filter(|act| act.by == BY).count() as u64;
    let content = crate::rows::to_json(act)?;
    let id = [
        alert.as_bytes(),
        b"handover",
        &before.to_be_bytes(),
        content.as_bytes(),
    ];
    let doing = Doing {
        id: ActId::derive(&id),
        by: BY,
        reason,
    };
    // Refused only by an alert with too many acts, which says so to whoever looks at it.
    act_as(conn, entry, alert, act, &doing).await?;
    Ok(())
}

fn named(schedule: &str) -> String {
    Called::OnCall(schedule.to_owned()).written()
}
