//! From the names in a template's steps to people, for raises that nobody can be asked about any more: an order by text, an
//! automation. What cannot be resolved is told in the room instead of being refused.

use sqlx::SqliteConnection;

use super::{NOTE_LEN_MAX, NOTES_MAX, Raise, Step, TemplatedStep};
use crate::escalation;
use crate::ids::RecipientId;
use crate::oncall::{self, Called};
use crate::recipients::Named;
use crate::time::CivilTime;
use crate::vocabulary::AlertKind;

/// What a room is told of a safety check of which nobody hears how it goes.
pub const NOBODY_LEADS: &str = "Nobody leads this safety check, so nobody is told who needs help: read the list of the missing.";

/// Fills in a raise's steps, with whose answers are enough, and who leads a safety check.
pub(crate) async fn call_up(
    conn: &mut SqliteConnection,
    raise: &mut Raise,
    steps: Vec<TemplatedStep>,
    lead: Vec<Named>,
    now: CivilTime,
) -> Result<(), sqlx::Error> {
    let mut wanted = Vec::with_capacity(steps.len());
    for step in steps {
        let recipients = found(conn, raise, &step.whom, now).await?;
        raise.steps.push(Step {
            delay_ms: step.delay_ms,
            recipients,
            enough: Vec::new(),
        });
        wanted.push(step.enough);
    }
    let lead: Vec<Called> = lead.into_iter().map(Called::Named).collect();
    raise.lead = found(conn, raise, &lead, now).await?;
    if raise.conduct.kind == AlertKind::SafetyCheck && raise.lead.is_empty() {
        note(raise, vec![NOBODY_LEADS.to_owned()]);
    }
    let everyone: Vec<RecipientId> = raise
        .steps
        .iter()
        .flat_map(|step| &step.recipients)
        .copied()
        .collect();
    for (place, wanted) in wanted.into_iter().enumerate() {
        match escalation::quotas(conn, &wanted, &everyone, now).await? {
            Ok(quotas) => {
                note(raise, quotas.notes);
                raise.steps[place].enough = quotas.quotas;
            }
            Err(refusal) => note(raise, vec![refusal.to_string()]),
        }
    }
    Ok(())
}

/// Everyone these names mean, each once; a name that means nobody any more is noted.
async fn found(
    conn: &mut SqliteConnection,
    raise: &mut Raise,
    names: &[Called],
    now: CivilTime,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let mut people = Vec::new();
    for name in names {
        match oncall::resolve(conn, std::slice::from_ref(name), now).await? {
            Ok(found) => {
                note(raise, found.notes);
                oncall::add_duties(&mut raise.on_call, found.on_call);
                people.extend(found.people);
            }
            Err(refusal) => note(raise, vec![refusal.to_string()]),
        }
    }
    let mut known = std::collections::BTreeSet::new();
    people.retain(|id| known.insert(*id));
    Ok(people)
}

/// Keeps what the room is to be told, each thing once.
fn note(raise: &mut Raise, notes: Vec<String>) {
    for note in notes {
        let note: String = note.chars().take(NOTE_LEN_MAX).collect();
        if !raise.notes.contains(&note) && raise.notes.len() < NOTES_MAX {
            raise.notes.push(note);
        }
    }
}
