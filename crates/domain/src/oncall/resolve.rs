//! Names into people at the moment of a raise: the one place where an alert's people, groups and schedules are looked up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::query;
use crate::ids::RecipientId;
use crate::outcome::Refusal;
use crate::recipients::{self, Named};
use crate::time::CivilTime;

/// Whom an alert calls, as it was written.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Called {
    /// A person or a group.
    Named(Named),
    /// Whoever is on call in a schedule.
    OnCall(String),
}

/// People found, and what is to be said about those who were not.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Resolved {
    /// Each person once, in the order named, groups in calling order.
    pub people: Vec<RecipientId>,
    /// For people to read: which schedules have nobody on call.
    pub notes: Vec<String>,
}

/// Whom a list of names means at a moment. The first unknown name is returned as the refusal to give; a schedule with
/// nobody on call is a note.
pub async fn resolve(
    conn: &mut SqliteConnection,
    called: &[Called],
    at: CivilTime,
) -> Result<Result<Resolved, Refusal>, sqlx::Error> {
    let mut resolved = Resolved::default();
    let mut seen = BTreeSet::new();
    for name in called {
        let found = match name {
            Called::Named(named) => {
                match recipients::resolve(conn, std::slice::from_ref(named)).await? {
                    Ok(found) => found,
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            Called::OnCall(key) => match on_call(conn, key, at).await? {
                Some(Ok(found)) => found,
                Some(Err(note)) => {
                    resolved.notes.push(note);
                    Vec::new()
                }
                None => return Ok(Err(Refusal::UnknownSchedule(key.clone()))),
            },
        };
        let fresh = found.into_iter().filter(|id| seen.insert(*id));
        resolved.people.extend(fresh);
    }
    Ok(Ok(resolved))
}

/// Those on call whom we still know, or words about there being none. `None`: no such schedule.
async fn on_call(
    conn: &mut SqliteConnection,
    key: &str,
    at: CivilTime,
) -> Result<Option<Result<Vec<RecipientId>, String>>, sqlx::Error> {
    let plan = query::plan_of(conn, key, at, at).await?;
    let Some(on_call) = plan.who_at(key, at) else {
        return Ok(None);
    };
    let keys: BTreeSet<&str> = on_call.duties.iter().map(|d| d.person.as_str()).collect();
    let known = query::names_of_people(conn, &keys).await?;
    let duties = on_call.duties.iter().map(|duty| &duty.person);
    let (there, gone): (Vec<&String>, Vec<&String>) =
        duties.partition(|person| known.contains_key(*person));
    if !there.is_empty() {
        return Ok(Some(Ok(there
            .into_iter()
            .map(|person| RecipientId::of_key(person))
            .collect())));
    }
    let names: Vec<&str> = gone.into_iter().map(String::as_str).collect();
    let why = match names.as_slice() {
        [] => String::new(),
        _ => format!(" ({} was removed)", names.join(", ")),
    };
    Ok(Some(Err(format!(
        "nobody is on call in schedule {key} at {}{why}",
        at.to_rfc3339()
    ))))
}
