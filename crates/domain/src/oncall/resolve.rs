//! Names into people at the moment of a raise: the one place where an alert's people, groups and schedules are looked up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::query;
use crate::ids::RecipientId;
use crate::outcome::Refusal;
use crate::recipients::{self, Named, check_key};
use crate::time::CivilTime;

/// Whom an alert calls, as it was written.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Called {
    /// A person or a group.
    Named(Named),
    /// Whoever is on call in a schedule.
    OnCall(String),
}

impl Called {
    /// Reads `person:anna`, `group:duty` and `schedule:night`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().split_once(':') {
            Some(("schedule", key)) if check_key(key).is_ok() => Some(Self::OnCall(key.to_owned())),
            Some(_) | None => Named::parse(text).map(Self::Named),
        }
    }

    /// What it names (`person`, `group`, `schedule`), and its key.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Named(Named::Person(key)) => ("person", key),
            Self::Named(Named::Group(key)) => ("group", key),
            Self::OnCall(key) => ("schedule", key),
        }
    }

    /// As [`Self::parse`] reads it.
    pub fn written(&self) -> String {
        let (what, key) = self.words();
        format!("{what}:{key}")
    }
}

/// People found, and what is to be said about those who were not.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Resolved {
    /// Each person once, in the order named, groups in calling order.
    pub people: Vec<RecipientId>,
    /// For people to read: which schedules have nobody on call.
    pub notes: Vec<String>,
    /// The schedules named, each once.
    pub on_call: Vec<OnDuty>,
}

/// Who was on call in a schedule at a moment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct OnDuty {
    pub schedule: String,
    /// But for those who were named in another way, too. May be nobody.
    pub people: Vec<RecipientId>,
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
    let mut otherwise = BTreeSet::new();
    for name in called {
        let found = match name {
            Called::Named(named) => {
                match recipients::resolve(conn, std::slice::from_ref(named)).await? {
                    Ok(found) => {
                        otherwise.extend(found.iter().copied());
                        found
                    }
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            Called::OnCall(key) => {
                let people = match on_call(conn, key, at).await? {
                    Some(Ok(found)) => found,
                    Some(Err(note)) => {
                        resolved.notes.push(note);
                        Vec::new()
                    }
                    None => return Ok(Err(Refusal::UnknownSchedule(key.clone()))),
                };
                add_duties(
                    &mut resolved.on_call,
                    [OnDuty {
                        schedule: key.clone(),
                        people: people.clone(),
                    }],
                );
                people
            }
        };
        let fresh = found.into_iter().filter(|id| seen.insert(*id));
        resolved.people.extend(fresh);
    }
    for duty in &mut resolved.on_call {
        duty.people.retain(|person| !otherwise.contains(person));
    }
    Ok(Ok(resolved))
}

/// Adds schedules to a list that has each once.
pub fn add_duties(list: &mut Vec<OnDuty>, more: impl IntoIterator<Item = OnDuty>) {
    for duty in more {
        if !list.iter().any(|known| known.schedule == duty.schedule) {
            list.push(duty);
        }
    }
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
