//! Writes to `alert_act`, and what an act does once.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::{ACTS_MAX, Act, Audience, PAUSE_MS, PEOPLE_MAX, REASON_LEN_MAX, settle, words};
use crate::alerts::{AlertRow, State, query, telling};
use crate::apply::Entry;
use crate::escalation::{self, Called};
use crate::ids::{ActId, AlertId, RecipientId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::vocabulary::{Answer, IncidentRole, TEXT_LEN_MAX};
use crate::{conversations, recipients, rows, texts};

/// An act on its way: its id, who does it and why.
pub(crate) struct Doing<'a> {
    /// The same act has the same id in every history that does it.
    pub(crate) id: ActId,
    pub(crate) by: &'a str,
    pub(crate) reason: &'a str,
}

/// Does an act on behalf of whoever asks.
pub(in crate::alerts) async fn act(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    act: &Act,
    reason: &str,
) -> Result<Outcome, sqlx::Error> {
    let doing = Doing {
        id: ActId::derive(&[entry.envelope.request.as_bytes(), alert.as_bytes()]),
        by: &entry.envelope.actor.label(),
        reason,
    };
    act_as(conn, entry, alert, act, &doing).await
}

/// As [`act`], under an id and a name of the caller's.
pub(crate) async fn act_as(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    act: &Act,
    doing: &Doing<'_>,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::find(conn, alert).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    let acts = query::acts(conn, alert).await?;
    if acts.iter().any(|known| known.id == doing.id) {
        return Ok(Outcome::Unchanged);
    }
    if row.state != State::Open {
        return Ok(Outcome::Refused(Refusal::AlertClosed));
    }
    if let Err(problem) = check(act, doing.reason, acts.len()) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    // In order on every island: an act is later than those it was done in knowledge of.
    let last = acts.last().map_or(Timestamp(0), |last| last.at);
    let at = entry.at.max(Timestamp(last.0.saturating_add(1)));
    let fresh = match act {
        Act::Add { people, .. } => escalation::uncalled(conn, alert, people).await?,
        Act::NextStep
        | Act::Pause { .. }
        | Act::Resume
        | Act::Severity { .. }
        | Act::Update { .. }
        | Act::Withdraw { .. }
        | Act::Role { .. } => Vec::new(),
    };
    let before = match act {
        Act::Role { role, .. } => holder(conn, alert, *role).await?,
        Act::Add { .. }
        | Act::NextStep
        | Act::Pause { .. }
        | Act::Resume
        | Act::Severity { .. }
        | Act::Update { .. }
        | Act::Withdraw { .. } => None,
    };
    let said = match prepare(conn, entry, &row, act, &fresh, at).await? {
        Prepared::Done(said) => said,
        Prepared::Nothing => return Ok(Outcome::Unchanged),
        Prepared::Refused(problem) => return Ok(Outcome::Refused(Refusal::Invalid(problem))),
    };
    sqlx::query(
        "insert into alert_act (act_id, alert_id, at_ms, by_whom, content, reason) values (?, ?, ?, ?, ?, ?)",
    )
    .bind(doing.id.as_bytes())
    .bind(alert.as_bytes())
    .bind(at.0)
    .bind(doing.by)
    .bind(rows::to_json(act)?)
    .bind(doing.reason)
    .execute(&mut *conn)
    .await?;
    settle(conn, entry, alert).await?;
    follow(conn, entry, &row, act, &fresh, before).await?;
    let said = words::with_reason(&said, doing.reason);
    let room = RoomId::of_alert(alert);
    conversations::post(conn, entry, room, doing.by, "system", &said).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// What is wrong with an act by itself.
fn check(act: &Act, reason: &str, acts: usize) -> Result<(), String> {
    if acts >= ACTS_MAX {
        return Err(format!(
            "an alert takes at most {ACTS_MAX} acts; close it and raise another one"
        ));
    }
    if reason.chars().count() > REASON_LEN_MAX {
        return Err(format!("a reason has at most {REASON_LEN_MAX} characters"));
    }
    match act {
        Act::Add { people, .. } if people.is_empty() => {
            Err("nobody is named; name people, groups or schedules to call".to_owned())
        }
        Act::Add { people, .. } if people.len() > PEOPLE_MAX => Err(format!(
            "{} people at once; at most {PEOPLE_MAX} are added, raise an alert of its own for more",
            people.len()
        )),
        Act::Pause { for_ms } if !PAUSE_MS.contains(for_ms) => {
            Err("an alert is paused for 1 minute to 4 hours".to_owned())
        }
        Act::Update { texts, .. } if texts.iter().all(|(_, text)| text.trim().is_empty()) => {
            Err("the update has no text; say what is new".to_owned())
        }
        Act::Update { texts, .. }
            if texts
                .iter()
                .any(|(_, text)| text.chars().count() > TEXT_LEN_MAX) =>
        {
            Err(format!("an update has at most {TEXT_LEN_MAX} characters"))
        }
        Act::Add { .. }
        | Act::NextStep
        | Act::Pause { .. }
        | Act::Resume
        | Act::Severity { .. }
        | Act::Update { .. }
        | Act::Withdraw { .. }
        | Act::Role { .. } => Ok(()),
    }
}

/// What came of an act before it is noted.
enum Prepared {
    /// What the room is told.
    Done(String),
    /// It asks for what already is.
    Nothing,
    /// It cannot be done; why.
    Refused(String),
}

/// Finds out whether an act can be done and how the room is told; nothing is written yet. `fresh` are those it adds.
async fn prepare(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    act: &Act,
    fresh: &[RecipientId],
    at: Timestamp,
) -> Result<Prepared, sqlx::Error> {
    let refused = |problem: &str| Ok(Prepared::Refused(problem.to_owned()));
    let Some(plan) = escalation::plan(conn, alert.id).await? else {
        return refused("the alert has no plan; raise it again");
    };
    let paused = plan.paused_until.filter(|until| *until > entry.at);
    Ok(Prepared::Done(match act {
        Act::Add { .. } if fresh.is_empty() => return Ok(Prepared::Nothing),
        Act::Add { named, .. } => words::added(named, &names(conn, fresh).await?, fresh.len()),
        Act::NextStep if plan.not_begun => "The first step is called now.".to_owned(),
        Act::NextStep if plan.step >= plan.steps_in_turn => {
            return refused("every step is called already; add people by name instead");
        }
        Act::NextStep => format!("Step {} is called now.", plan.step + 1),
        Act::Pause { for_ms } => words::paused(at, *for_ms, &crate::nodes::civil(conn).await?),
        Act::Resume if paused.is_none() => return Ok(Prepared::Nothing),
        Act::Resume => "The pause is over; the plan goes on.".to_owned(),
        Act::Severity { severity } if *severity == alert.severity => return Ok(Prepared::Nothing),
        Act::Severity { severity } => words::severity(alert.severity, *severity),
        Act::Update { texts, to } => {
            let told = audience(conn, alert.id, *to).await?;
            if told.is_empty() {
                return Ok(Prepared::Refused(format!(
                    "nobody is {} now; choose others to tell",
                    to.name()
                )));
            }
            if told.len() > PEOPLE_MAX {
                return Ok(Prepared::Refused(format!(
                    "more than {PEOPLE_MAX} people would be told at once; choose those coming or silent"
                )));
            }
            words::update(texts, *to, told.len())
        }
        Act::Withdraw { person } => {
            if escalation::left_out(conn, alert.id).await?.contains(person) {
                return Ok(Prepared::Nothing);
            }
            if !escalation::calls(conn, alert.id, *person).await? {
                return refused("this person is neither called nor in a later step");
            }
            words::withdrawn(&names(conn, &[*person]).await?)
        }
        Act::Role { role, person } => {
            let held = holder(conn, alert.id, *role).await?;
            if held == *person {
                return Ok(Prepared::Nothing);
            }
            let to: Vec<RecipientId> = person.iter().copied().collect();
            let to = names(conn, &to).await?;
            if person.is_some() && to.is_empty() {
                return refused("there is no such person; add the person first or correct the key");
            }
            let before: Vec<RecipientId> = held.into_iter().collect();
            words::role(*role, to.first(), names(conn, &before).await?.first())
        }
    }))
}

/// What an act does once, beside what holds from then on. `before` had the role it gives away.
async fn follow(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    act: &Act,
    fresh: &[RecipientId],
    before: Option<RecipientId>,
) -> Result<(), sqlx::Error> {
    match act {
        Act::Add { .. } => escalation::call_beside(conn, entry, alert.id, fresh).await,
        Act::NextStep => escalation::call_next(conn, entry, alert.id).await,
        Act::Pause { .. } | Act::Resume | Act::Severity { .. } => Ok(()),
        Act::Update { texts, to } => {
            let told = audience(conn, alert.id, *to).await?;
            telling::tell(conn, entry, alert, &told, |language, about| {
                texts::update(language, about, telling::text_in(texts, language))
            })
            .await
        }
        Act::Withdraw { person } => {
            let call = escalation::find_call(conn, alert.id, *person).await?;
            let told = call.filter(|call| call.answer != Some(Answer::Cannot));
            let told: Vec<Called> = told.into_iter().collect();
            telling::tell(conn, entry, alert, &told, texts::not_needed).await
        }
        Act::Role { role, person } => match person {
            Some(person) => brief(conn, entry, alert, *role, *person, before).await,
            None => Ok(()),
        },
    }
}

/// Who has a role now.
async fn holder(
    conn: &mut SqliteConnection,
    alert: AlertId,
    role: IncidentRole,
) -> Result<Option<RecipientId>, sqlx::Error> {
    let held = query::roles(conn, alert).await?;
    let held = held.into_iter().find(|held| held.role == role);
    Ok(held.map(|held| held.person))
}

/// Tells whoever took a role how the incident stands and what was decided last.
async fn brief(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    role: IncidentRole,
    person: RecipientId,
    before: Option<RecipientId>,
) -> Result<(), sqlx::Error> {
    let before: Vec<RecipientId> = before.into_iter().collect();
    let before = names(conn, &before).await?;
    let now = telling::now(conn, entry, alert, &before).await?;
    let decided = conversations::last_decision(conn, RoomId::of_alert(alert.id)).await?;
    let call = escalation::find_call(conn, alert.id, person).await?;
    let code = call.map_or_else(String::new, |call| call.code);
    telling::tell_each(conn, entry, alert, &[(person, code)], |language, about| {
        texts::role_briefing(language, about, role, &now, decided.as_deref())
    })
    .await
}

/// Those an update goes to, in calling order; one more than may be told shows that there are too many.
async fn audience(
    conn: &mut SqliteConnection,
    alert: AlertId,
    to: Audience,
) -> Result<Vec<Called>, sqlx::Error> {
    let out = escalation::left_out(conn, alert).await?;
    let mut called = escalation::called_in_order(conn, alert).await?;
    called.retain(|call| {
        !out.contains(&call.recipient)
            && match to {
                Audience::Called => call.answer != Some(Answer::Cannot),
                Audience::Coming => call.answer == Some(Answer::Coming),
                Audience::Silent => call.answer.is_none(),
            }
    });
    called.truncate(PEOPLE_MAX + 1);
    Ok(called)
}

/// The names of the first of these people.
async fn names(
    conn: &mut SqliteConnection,
    people: &[RecipientId],
) -> Result<Vec<String>, sqlx::Error> {
    let first: Vec<RecipientId> = people.iter().copied().take(words::NAMES_MAX).collect();
    let known = recipients::by_ids(conn, &first).await?;
    let mut seen = BTreeSet::new();
    Ok(first
        .iter()
        .filter(|id| seen.insert(**id))
        .filter_map(|id| known.iter().find(|person| person.id == *id))
        .map(|person| person.name.clone())
        .collect())
}
