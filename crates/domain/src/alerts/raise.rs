//! New alerts. Raises that stand side by side in the log are applied together: a burst of alarms costs a few hand-overs
//! to SQLite, not a few for each alarm.

use std::collections::BTreeSet;

use sqlx::{Row, SqliteConnection};

use super::merge::add_label;
use super::{Command, FromTemplate, Label, Raise, handover, rules};
use crate::apply::Entry;
use crate::deliveries::Lane;
use crate::envelope::Actor;
use crate::escalation::{self, Begin, Content, NewPlan};
use crate::ids::{AlertId, NodeId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::script::Script;
use crate::vocabulary::Severity;
use crate::{conversations, limits, nodes, requests, rows, templates};

/// A source is quiet when it raised nothing for this long; its next alarm leaves before the rest (DESIGN C5).
const QUIET_MS: i64 = 10 * 60_000;

/// Who tells a room what is noted at the raise.
const NOTED_BY: &str = "Holdfast";

/// Most raises applied together. Powers of two, so that few statements are prepared.
pub(crate) const TOGETHER_MAX: usize = 32;

/// How many of `raises` raises that stand side by side are applied together next.
pub(crate) fn together(raises: usize) -> usize {
    match raises {
        0 => 0,
        _ => 1 << raises.min(TOGETHER_MAX).ilog2(),
    }
}

/// The raise of an entry, when it can be applied together with its neighbours. People raise from templates, one at a
/// time; what a template or a schedule adds to an alert is written singly.
pub(crate) fn as_raise(command: &crate::Command) -> Option<&Raise> {
    if let crate::Command::Alerts(Command::Raise(raise)) = command {
        Some(&**raise).filter(|raise| raise.template.is_none() && raise.on_call.is_empty())
    } else {
        None
    }
}

/// Applies raises from outside together and remembers their requests. `None`, with nothing changed: one of them is not
/// plain (a repeat, a refusal, many people, notes for the room, an island), so they must be applied one by one.
pub(crate) async fn raise_together(
    conn: &mut SqliteConnection,
    raises: &[(Entry<'_>, &Raise)],
) -> Result<Option<Vec<Outcome>>, sqlx::Error> {
    let mut known = BTreeSet::new();
    let mut news = Vec::with_capacity(raises.len());
    for (entry, raise) in raises {
        let Ok(planned) = rules::plan(raise) else {
            return Ok(None);
        };
        if !raise.notes.is_empty() {
            return Ok(None);
        }
        let id = AlertId::derive(&[entry.envelope.request.as_bytes()]);
        if !known.insert(id) || !planned.skipped.is_empty() {
            return Ok(None);
        }
        news.push((id, planned));
    }
    let Some(mut number) = next_number(conn, raises, &news).await? else {
        return Ok(None);
    };
    let mut made = Vec::with_capacity(raises.len());
    let mut plans = Vec::with_capacity(raises.len());
    for (at, ((entry, raise), (id, planned))) in raises.iter().zip(&news).enumerate() {
        let mut lane = lane_of(conn, entry, raise).await?;
        let told_before = raises[..at].iter().any(|(earlier, other)| {
            earlier.at.0 >= entry.at.0 - QUIET_MS && same_source(other, raise)
        });
        if lane == Lane::FirstOfSource && told_before {
            lane = Lane::Rest;
        }
        let begin = begin(*id, raise, number.to_string(), lane, planned);
        let plan = NewPlan::new(entry, &begin)?;
        if plan.pages() != 1 {
            return Ok(None);
        }
        plans.push(plan);
        made.push((*id, number));
        number += 1;
    }
    let mut script = Script::default();
    insert_alerts(&mut script, raises, &made, &news)?;
    escalation::insert_plans(&mut script, &plans)?;
    let rooms: Vec<_> = raises
        .iter()
        .zip(&made)
        .map(|((entry, raise), (id, _))| {
            (*entry, RoomId::of_alert(*id), &*raise.source, said(raise))
        })
        .collect();
    conversations::open_all(&mut script, &rooms);
    let outcomes: Vec<Outcome> = made
        .iter()
        .map(|(id, number)| {
            Outcome::Applied(Receipt::Alert {
                id: *id,
                number: *number,
            })
        })
        .collect();
    let entries: Vec<_> = raises.iter().map(|(entry, _)| *entry).collect();
    requests::remember_all(&mut script, &entries, &outcomes)?;
    script.execute(conn).await?;
    Ok(Some(outcomes))
}

/// Applies one raise, whatever it is like.
pub(super) async fn raise(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Raise,
) -> Result<Outcome, sqlx::Error> {
    let id = AlertId::derive(&[entry.envelope.request.as_bytes()]);
    raise_as(conn, entry, id, new).await
}

/// As [`raise`], under an id of the caller's: for entries that raise more than one alert. A budget may refuse it.
pub(crate) async fn raise_as(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: AlertId,
    new: &Raise,
) -> Result<Outcome, sqlx::Error> {
    raise_for(conn, entry, id, new, &Payer::Asker).await
}

/// Whose budget an alert is counted for.
pub(crate) enum Payer<'a> {
    /// Whoever asks for it. What is not critical is refused when it does not fit; our own loops are never refused.
    Asker,
    /// This account, whose room the caller has looked at.
    Account(&'a str),
}

/// As [`raise_as`], on somebody's account.
pub(crate) async fn raise_for(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: AlertId,
    new: &Raise,
    payer: &Payer<'_>,
) -> Result<Outcome, sqlx::Error> {
    let planned = match rules::plan(new) {
        Ok(planned) => planned,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let row = sqlx::query(
        "select exists (select 1 from alert where alert_id = ?) as known, \
         (select coalesce(max(number), 0) + 1 from alert) as number, \
         exists (select 1 from budget) as budgeted",
    )
    .bind(id.as_bytes())
    .fetch_one(&mut *conn)
    .await?;
    if row.try_get("known")? {
        return Ok(Outcome::Unchanged);
    }
    if row.try_get("budgeted")?
        && let Some(words) = charge(conn, entry, id, new, payer).await?
    {
        return Ok(Outcome::Refused(Refusal::OverBudget(words)));
    }
    let lane = lane_of(conn, entry, new).await?;
    let (number, label, receipt) = match nodes::fork(conn).await? {
        None => {
            let number: u64 = rows::unsigned(&row, "number")?;
            (number, number.to_string(), Receipt::Alert { id, number })
        }
        Some(fork) => {
            let label = number_of_island(conn, id, fork.node).await?.to_string();
            let receipt = Receipt::IslandAlert {
                id,
                label: label.clone(),
            };
            (0, label, receipt)
        }
    };
    let begin = begin(id, new, label, lane, &planned);
    let mut script = Script::default();
    let raises = [(*entry, new)];
    insert_alerts(
        &mut script,
        &raises,
        &[(id, number)],
        &[(id, planned.clone())],
    )?;
    escalation::insert_plans(&mut script, &[NewPlan::new(entry, &begin)?])?;
    let room = (*entry, RoomId::of_alert(id), &*new.source, said(new));
    conversations::open_all(&mut script, &[room]);
    script.execute(&mut *conn).await?;
    let room = RoomId::of_alert(id);
    for note in &new.notes {
        conversations::post(conn, entry, room, NOTED_BY, "system", note).await?;
    }
    for step in &planned.skipped {
        let note = format!("Step {step} had nobody to call and was skipped.");
        conversations::post(conn, entry, room, NOTED_BY, "system", &note).await?;
    }
    if let Some(template) = &new.template {
        keep_template(conn, id, template).await?;
    }
    handover::keep(conn, id, &new.on_call).await?;
    Ok(Outcome::Applied(receipt))
}

/// Notes who pays for a new alert; or says why it may not leave on that account.
async fn charge(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: AlertId,
    new: &Raise,
    payer: &Payer<'_>,
) -> Result<Option<String>, sqlx::Error> {
    let actor = &entry.envelope.actor;
    let asker = actor.label();
    let account = match payer {
        Payer::Asker => asker.as_str(),
        Payer::Account(account) => account,
    };
    let asks = matches!(payer, Payer::Asker) && *actor != Actor::Loop;
    if asks && new.severity != Severity::Critical {
        // What cannot be weighed is refused by its own rule.
        let weight = super::weigh(conn, new).await?.unwrap_or_default();
        if let Some(words) = limits::refusal(conn, entry.at, account, &weight).await? {
            return Ok(Some(words));
        }
    }
    limits::pays(conn, id, account).await?;
    Ok(None)
}

/// Keeps what a template gave an alert. The first one stays.
pub(super) async fn keep_template(
    conn: &mut SqliteConnection,
    alert: AlertId,
    template: &FromTemplate,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into alert_template (alert_id, template, version, frozen, unread) values (?, ?, ?, ?, ?) \
         on conflict (alert_id) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(&template.key)
    .bind(i64::from(template.version))
    .bind(rows::to_json(template)?)
    .bind(!template.automations.is_empty())
    .execute(&mut *conn)
    .await?;
    templates::mark_used(conn, &template.key, template.version).await
}

/// Somebody to the right has taken up the automations a template gave an alert.
pub(crate) async fn taken_up(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<(), sqlx::Error> {
    sqlx::query("update alert_template set unread = 0 where alert_id = ?")
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// The number of the first of these alerts; `None` when one of them, or its request, is known, something
/// is limited, or this is an island.
async fn next_number(
    conn: &mut SqliteConnection,
    raises: &[(Entry<'_>, &Raise)],
    news: &[(AlertId, rules::Planned)],
) -> Result<Option<u64>, sqlx::Error> {
    let mut script = Script::default();
    script.add("select coalesce(max(number), 0) + 1 from alert");
    script.add("select 1 from fork where id = 1");
    script.add(limits::ANY);
    script.select_in(
        "select 1 from alert where alert_id in",
        news.len(),
        " order by 1",
    );
    for (id, _) in news {
        script.bind(id.as_bytes().to_vec());
    }
    let asked: Vec<_> = raises
        .iter()
        .map(|(entry, _)| entry.envelope.request)
        .collect();
    requests::find_any(&mut script, &asked);
    let rows = script.fetch(conn).await?;
    match rows.as_slice() {
        [number] => u64::try_from(number.try_get::<i64, _>(0)?)
            .map(Some)
            .map_err(|e| sqlx::Error::Decode(e.into())),
        _ => Ok(None),
    }
}

fn insert_alerts(
    script: &mut Script,
    raises: &[(Entry<'_>, &Raise)],
    made: &[(AlertId, u64)],
    news: &[(AlertId, rules::Planned)],
) -> Result<(), sqlx::Error> {
    script.insert(
        "insert into alert (alert_id, number, severity, status, state, texts, gather, source, dedup_key, raised_by, \
         raised_at_ms, issued_by, aware_at_ms, acknowledged_at_ms, acknowledged_by, closed_at_ms, closed_by, note, \
         joined_into, people, kind)",
        "(?, ?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, null, '', null, '', '', null, ?, ?)",
        raises.len(),
        "",
    );
    for (((entry, new), (id, number)), (_, planned)) in raises.iter().zip(made).zip(news) {
        let people: usize = planned.steps.iter().map(|step| step.people.len()).sum();
        script
            .bind(id.as_bytes().to_vec())
            .bind(number.cast_signed())
            .bind(new.severity.rank())
            .bind(new.status.name())
            .bind(rows::to_json(&new.texts)?)
            .bind(new.gather.clone())
            .bind(new.source.clone())
            .bind(new.dedup_key.clone().unwrap_or_default())
            .bind(entry.envelope.actor.label())
            .bind(entry.at.0)
            .bind(entry.envelope.issued_by.0.cast_signed())
            .bind(new.aware_at.unwrap_or(entry.at).0)
            .bind(people as i64)
            .bind(new.conduct.kind.name());
    }
    Ok(())
}

fn begin<'a>(
    alert: AlertId,
    new: &'a Raise,
    label: String,
    lane: Lane,
    planned: &'a rules::Planned,
) -> Begin<'a> {
    Begin {
        alert,
        content: content(new, label),
        lane,
        steps: &planned.steps,
        fallback: &planned.fallback,
        needed: new.needed,
        conduct: &new.conduct,
        lead: &new.lead,
        repeats: new.repeats,
        repeat_every_ms: new.repeat_every_ms,
        validity_ms: new.validity_ms,
    }
}

/// What an alert's texts are made from.
pub(super) fn content(new: &Raise, number: String) -> Content {
    Content {
        number,
        severity: new.severity,
        status: new.status,
        texts: new.texts.clone(),
        gather: new.gather.clone(),
        gather_in: new.gather_in.clone(),
        kind: new.conduct.kind,
        answers: new.answers.clone(),
        channels: new.channels.clone(),
    }
}

/// The room's first message: what happened, in the language that serves those without one of their own.
fn said(raise: &Raise) -> &str {
    raise.texts.first().map_or("", |(_, text)| text.as_str())
}

fn same_source(earlier: &Raise, later: &Raise) -> bool {
    earlier.source == later.source
        || later.dedup_key.is_some() && earlier.dedup_key == later.dedup_key
}

/// Numbers an alert raised on an island: its node's letters, counted over all of that node's islands.
async fn number_of_island(
    conn: &mut SqliteConnection,
    alert: AlertId,
    origin: NodeId,
) -> Result<Label, sqlx::Error> {
    let counter: i64 = sqlx::query_scalar(
        "select coalesce(max(counter), 0) + 1 from alert_label where origin = ?",
    )
    .bind(origin.0.cast_signed())
    .fetch_one(&mut *conn)
    .await?;
    let label = Label {
        origin,
        counter: counter.cast_unsigned(),
    };
    add_label(conn, alert, label).await?;
    Ok(label)
}

/// People's alerts leave first, then the first alarm of a source that was quiet, then the rest.
async fn lane_of(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Raise,
) -> Result<Lane, sqlx::Error> {
    let Some(dedup_key) = &new.dedup_key else {
        return Ok(Lane::Human);
    };
    let recent: bool = sqlx::query_scalar(
        "select exists (select 1 from alert where raised_at_ms >= ? and (source = ? or dedup_key = ?))",
    )
    .bind(entry.at.0 - QUIET_MS)
    .bind(&new.source)
    .bind(dedup_key)
    .fetch_one(conn)
    .await?;
    Ok(if recent {
        Lane::Rest
    } else {
        Lane::FirstOfSource
    })
}
