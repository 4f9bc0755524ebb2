//! Safety checks: what others say of somebody called, what those who lead are told at once, and who is missing.
//!
//! Own answers and marks are kept side by side. A person's own last answer says how they are; without one, the last mark
//! does. Writes to `safety_mark`.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::apply::{content_of, judge, say};
use super::plan_row::{PlanRowFull, load, save};
use super::timers::{self, NOTHING_DONE};
use super::{Called, query};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::facts::Joined;
use crate::ids::{AlertId, RecipientId};
use crate::nodes;
use crate::recipients;
use crate::texts::{self, About, Language};
use crate::time::Timestamp;
use crate::vocabulary::{AlertKind, Answer};

/// What somebody says of another person called.
///
/// Law: of each marker's marks of a person the latest stands, then the greater answer, then the greater source.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MarkFact {
    pub alert: AlertId,
    pub recipient: RecipientId,
    /// Whoever saw them, by name.
    pub by: String,
    pub mark: Mark,
}

/// A mark by itself. The greatest one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Mark {
    pub at: Timestamp,
    pub answer: Answer,
    /// The key or operator that sent it.
    pub via: String,
}

/// Notes marks set.
pub(super) const WATCH: [&str; 2] = [
    "create temp trigger if not exists watch_mark_new after insert on main.safety_mark begin \
     insert into changed_row values ('mark', new.alert_id, new.recipient_id); end",
    "create temp trigger if not exists watch_mark after update on main.safety_mark begin \
     insert into changed_row values ('mark', new.alert_id, new.recipient_id); end",
];

/// Records what `by` saw. False when they said the same before.
pub(crate) async fn mark(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    call: &Called,
    by: &str,
    answer: Answer,
) -> Result<bool, sqlx::Error> {
    let before = query::mark_of(conn, call.alert, call.recipient, by).await?;
    if before.as_ref().is_some_and(|mark| mark.answer == answer) {
        return Ok(false);
    }
    let at = before.map_or(entry.at, |mark| {
        entry.at.max(mark.at + std::time::Duration::from_millis(1))
    });
    let mark = MarkFact {
        alert: call.alert,
        recipient: call.recipient,
        by: by.to_owned(),
        mark: Mark {
            at,
            answer,
            via: entry.envelope.actor.label(),
        },
    };
    write(conn, &mark).await?;
    let Some(mut row) = load(conn, call.alert).await? else {
        return Ok(true);
    };
    timers::set(conn, &row, Some(&[call.recipient]), NOTHING_DONE).await?;
    if answer == Answer::NeedHelp {
        help(conn, entry, &row, call.recipient, Some(by)).await?;
    }
    account(conn, entry, &mut row).await?;
    save(conn, &row, entry.at).await?;
    Ok(true)
}

/// Judges a plan; of a safety check that is complete now, tells the room and those who lead.
pub(super) async fn account(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &mut PlanRowFull,
) -> Result<(), sqlx::Error> {
    let before = row.plan.satisfied;
    judge(conn, entry, row).await?;
    let complete = row.plan.satisfied && !before && !row.taken_over;
    if row.policy.conduct.kind != AlertKind::SafetyCheck || !complete {
        return Ok(());
    }
    let (asked, _) = query::asked_and_missing(conn, row.alert).await?;
    let words = |about: About<'_>| texts::all_accounted_for(about, asked);
    tell_lead(conn, entry, row, words).await?;
    let note = format!("All {asked} asked have answered or were seen.");
    say(conn, entry, row.alert, &note).await
}

/// Somebody needs help: those who lead are told at once, and the room.
pub(super) async fn help(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &PlanRowFull,
    who: RecipientId,
    by: Option<&str>,
) -> Result<(), sqlx::Error> {
    let person = recipients::by_ids(conn, &[who]).await?.into_iter().next();
    let name = person
        .as_ref()
        .map_or("somebody", |person| person.name.as_str());
    let sites = person
        .as_ref()
        .map_or(&[][..], |person| &person.details.sites);
    let site = sites.first().map_or("", String::as_str);
    let words = |about: About<'_>| texts::needs_help(about, name, site, by);
    tell_lead(conn, entry, row, words).await?;
    let seen = by.map_or_else(String::new, |by| format!(", says {by}"));
    let note = format!("{name} needs help{seen}.");
    say(conn, entry, row.alert, &note).await
}

/// The rounds of a safety check are over and people are missing.
pub(super) async fn time_is_over(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &PlanRowFull,
) -> Result<(), sqlx::Error> {
    let (asked, missing) = query::asked_and_missing(conn, row.alert).await?;
    let words = |about: About<'_>| texts::time_is_over(about, missing, asked);
    tell_lead(conn, entry, row, words).await?;
    let note = format!("Time is over: {missing} of {asked} have not answered and were not seen.");
    say(conn, entry, row.alert, &note).await
}

/// Owes each of those who lead a text over every contact method at once, in their language.
async fn tell_lead(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &PlanRowFull,
    words: impl Fn(About<'_>) -> String,
) -> Result<(), sqlx::Error> {
    let people = recipients::by_ids(conn, &row.policy.lead).await?;
    if people.is_empty() {
        return Ok(());
    }
    let organisation = nodes::organisation(conn).await?;
    let prefixes = recipients::prefixes(conn).await?;
    let content = content_of(row)?;
    let mut updates = Vec::new();
    for person in &people {
        let language = Language::parse(&person.language);
        let body = words(About {
            language,
            organisation: &organisation,
            number: &content.number,
            kind: AlertKind::SafetyCheck,
        });
        for method in &person.methods {
            if recipients::check_prefix(&prefixes, method).is_err() {
                continue;
            }
            updates.push(Update {
                alert: Some(row.alert),
                recipient: Some(person.id),
                kind: method.kind(),
                address: method.address().to_owned(),
                language: language.tag(),
                // Nothing of people's own waits behind it.
                lane: Lane::Reply,
                critical: true,
                code: String::new(),
                subject: body.clone(),
                body: body.clone(),
            });
        }
    }
    deliveries::update(conn, entry, &updates).await
}

/// Marks set since the notes were cleared.
pub(crate) async fn changed_marks(
    conn: &mut SqliteConnection,
) -> Result<Vec<MarkFact>, sqlx::Error> {
    let found = sqlx::query(
        "select m.* from (select distinct a, b from changed_row where kind = 'mark') r join safety_mark m \
         on m.alert_id = r.a and m.recipient_id = r.b order by m.alert_id, m.recipient_id, m.marked_by",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(query::mark_fact).collect()
}

/// Joins one mark.
pub(crate) async fn merge_mark(
    conn: &mut SqliteConnection,
    fact: &MarkFact,
) -> Result<Joined, sqlx::Error> {
    if load(conn, fact.alert).await?.is_none() {
        return Ok(Joined::Waits(fact.alert.0));
    }
    let ours = query::mark_of(conn, fact.alert, fact.recipient, &fact.by).await?;
    let came = match &ours {
        None => Joined::New,
        Some(ours) if *ours >= fact.mark => return Ok(Joined::Unchanged),
        Some(_) => Joined::Changed,
    };
    write(conn, fact).await?;
    Ok(came)
}

async fn write(conn: &mut SqliteConnection, fact: &MarkFact) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into safety_mark (alert_id, recipient_id, marked_by, mark, at_ms, via) values (?1, ?2, ?3, ?4, ?5, ?6) \
         on conflict (alert_id, recipient_id, marked_by) do update set mark = ?4, at_ms = ?5, via = ?6",
    )
    .bind(fact.alert.as_bytes())
    .bind(fact.recipient.as_bytes())
    .bind(&fact.by)
    .bind(fact.mark.answer.name())
    .bind(fact.mark.at.0)
    .bind(&fact.mark.via)
    .execute(conn)
    .await?;
    Ok(())
}

/// One of the people a safety check asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OnRoll {
    pub recipient: RecipientId,
    /// Empty when the person is not known any more, as is the name.
    pub key: String,
    pub name: String,
    /// Sites they belong to; the first is where they are looked for.
    pub sites: Vec<String>,
    pub called_at: Timestamp,
    /// How they are, by their own word, else by the last mark; `None`: missing.
    pub status: Option<Answer>,
    /// Their own last answer, when, and from where.
    pub own: Option<(Answer, Timestamp, String)>,
    /// What others say, the last first.
    pub marks: Vec<(String, Mark)>,
}

/// How many of those asked are how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RollCount {
    pub asked: u64,
    pub missing: u64,
    pub need_help: u64,
    pub safe: u64,
    pub not_on_site: u64,
}

pub(super) fn marks_of(text: &str) -> Result<Vec<(String, Mark)>, sqlx::Error> {
    let found: Vec<(String, String, i64, String)> =
        serde_json::from_str(text).map_err(|e| sqlx::Error::Decode(e.into()))?;
    let mut marks: Vec<(String, Mark)> = found
        .into_iter()
        .filter_map(|(by, answer, at, via)| {
            let answer = Answer::parse(&answer)?;
            let at = Timestamp(at);
            Some((by, Mark { at, answer, via }))
        })
        .collect();
    marks.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Ok(marks)
}

/// Carries marks over with the calls of a joined alert, by the law of [`MarkFact`].
pub(super) async fn carry_marks(
    conn: &mut SqliteConnection,
    from: AlertId,
    into: AlertId,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query(
        "select * from safety_mark where alert_id = ? order by recipient_id, marked_by",
    )
    .bind(from.as_bytes())
    .fetch_all(&mut *conn)
    .await?;
    let mut moved = false;
    for row in &found {
        let fact = MarkFact {
            alert: into,
            ..query::mark_fact(row)?
        };
        moved |= merge_mark(conn, &fact).await?.moved();
    }
    Ok(moved)
}
