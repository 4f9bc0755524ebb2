//! What automations do. Whatever has vanished meanwhile is skipped, and the room is told.

use sqlx::SqliteConnection;

use super::apply::{people_of, say};
use crate::alerts::{self, Act, AlertRow, Cause, Doing, FromTemplate, Said};
use crate::apply::Entry;
use crate::ids::{ActId, AlertId, RoomId};
use crate::oncall::Called;
use crate::outcome::Outcome;
use crate::templates::{self, Version};
use crate::vocabulary::{Automation, DEPTH_MAX, Effect, Status, Word};
use crate::{approvals, conversations, nodes, oncall, recipients};

/// An automation that fires.
pub(super) struct Firing {
    pub(super) alert: AlertRow,
    pub(super) template: FromTemplate,
    pub(super) number: u16,
    /// In whose name its effects stand.
    pub(super) by: String,
}

impl Firing {
    /// A name for one of its effects, the same in every history.
    fn parts(&self, place: u16) -> [Vec<u8>; 4] {
        [
            b"automation".to_vec(),
            self.alert.id.0.to_vec(),
            self.number.to_be_bytes().to_vec(),
            place.to_be_bytes().to_vec(),
        ]
    }
}

/// What an automation names that is not there now, for the room of an alert that is raised.
pub(super) async fn vanished(
    conn: &mut SqliteConnection,
    automation: &Automation,
) -> Result<Vec<String>, sqlx::Error> {
    let mut notes = Vec::new();
    for effect in &automation.then {
        match effect {
            Effect::Raise { template, .. } => {
                if let Err(why) = in_use(conn, template).await? {
                    notes.push(why);
                }
            }
            Effect::Add { to } => {
                for name in to {
                    let known = match Called::parse(name) {
                        Some(Called::OnCall(key)) => oncall::schedule(conn, &key).await?.is_some(),
                        Some(Called::Named(named)) => {
                            recipients::resolve(conn, &[named]).await?.is_ok()
                        }
                        None => false,
                    };
                    if !known {
                        notes.push(format!(
                            "{name} is not known any more and will not be called"
                        ));
                    }
                }
            }
            Effect::Post { .. }
            | Effect::Severity { .. }
            | Effect::Tell { .. }
            | Effect::Close { .. } => {}
        }
    }
    Ok(notes)
}

/// Brings one effect about and returns what was done, as a sentence.
pub(super) async fn bring_about(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    firing: &Firing,
    effect: &Effect,
    place: u16,
) -> Result<String, sqlx::Error> {
    match effect {
        Effect::Add { to } => add(conn, entry, firing, to, place).await,
        Effect::Severity { severity } => {
            let act = Act::Severity {
                severity: *severity,
            };
            let outcome = act_as(conn, entry, firing, &act, place).await?;
            Ok(done(
                outcome,
                &format!("made it {}", severity.name()),
                "nothing to change",
            ))
        }
        Effect::Post { text } => {
            let room = RoomId::of_alert(firing.alert.id);
            conversations::post(conn, entry, room, &firing.by, "system", text).await?;
            Ok("wrote in the room".to_owned())
        }
        Effect::Raise { template, values } => {
            let said = Said {
                values: values.clone(),
                // What an exercise brings about is one.
                status: (firing.alert.status != Status::Actual).then_some(firing.alert.status),
                ..Said::default()
            };
            let did = raise(conn, entry, firing, template, &said, place).await?;
            say(conn, entry, firing.alert.id, &sentence(&did)).await?;
            Ok(did)
        }
        Effect::Tell { news } => {
            let did = tell(conn, entry, firing, *news).await?;
            say(conn, entry, firing.alert.id, &sentence(&did)).await?;
            Ok(did)
        }
        Effect::Close { note } => {
            let outcome =
                alerts::resolve_as(conn, entry, firing.alert.id, &firing.by, note).await?;
            Ok(done(outcome, "closed the alert", "it was closed already"))
        }
    }
}

async fn add(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    firing: &Firing,
    to: &[String],
    place: u16,
) -> Result<String, sqlx::Error> {
    let now = nodes::civil(conn).await?.at(entry.at);
    let (people, notes) = people_of(conn, to, now).await?;
    for note in &notes {
        let said = format!("Automation {}: {note}.", firing.number);
        say(conn, entry, firing.alert.id, &said).await?;
    }
    let named = to.join(", ");
    let act = Act::Add {
        named: to.to_vec(),
        people,
    };
    let outcome = act_as(conn, entry, firing, &act, place).await?;
    let did = done(
        outcome.clone(),
        &format!("called also {named}"),
        &format!("{named}: all called already"),
    );
    if !matches!(outcome, Outcome::Applied(_)) {
        say(conn, entry, firing.alert.id, &sentence(&did)).await?;
    }
    Ok(did)
}

async fn act_as(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    firing: &Firing,
    act: &Act,
    place: u16,
) -> Result<Outcome, sqlx::Error> {
    let parts = firing.parts(place);
    let doing = Doing {
        id: ActId::derive(&parts.each_ref().map(Vec::as_slice)),
        by: &firing.by,
        reason: "",
    };
    alerts::act_as(conn, entry, firing.alert.id, act, &doing).await
}

/// Raises an alert from another template.
async fn raise(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    firing: &Firing,
    key: &str,
    said: &Said,
    place: u16,
) -> Result<String, sqlx::Error> {
    let skipped = |why: &str| Ok(format!("did not raise template {key}: {why}"));
    let above = firing.template.cause.as_ref();
    let depth = above.map_or(0, |cause| cause.depth) + 1;
    if depth > DEPTH_MAX {
        return skipped("automations raised several alerts one from another already");
    }
    let mut chain = above.map_or_else(Vec::new, |cause| cause.above.clone());
    chain.push(firing.template.key.clone());
    if chain.iter().any(|template| template == key) {
        return skipped("it stands in this chain of alerts already");
    }
    let version = match in_use(conn, key).await? {
        Ok(version) => version,
        Err(why) => return skipped(&why),
    };
    let made = match alerts::from_template(&version, said) {
        Ok(made) => made,
        Err(mistakes) => {
            let first = mistakes.first();
            return skipped(first.map_or("", |mistake| &mistake.problem));
        }
    };
    let mut new = made.raise;
    let now = nodes::civil(conn).await?.at(entry.at);
    alerts::call_up(conn, &mut new, made.steps, made.lead, now).await?;
    new.source = format!(
        "automation {} of alert {}",
        firing.number, firing.alert.label
    );
    if let Some(template) = &mut new.template {
        template.requester = firing.template.requester;
        template.cause = Some(Cause {
            alert: firing.alert.id,
            automation: firing.number,
            depth,
            above: chain,
        });
    }
    let id = alert_id(conn, firing, place).await?;
    Ok(match approvals::raise_as(conn, entry, id, &new).await? {
        Outcome::Applied(receipt) => {
            let number = receipt
                .alert()
                .map_or_else(String::new, |(_, number)| number);
            format!("raised alert {number} from template {key}")
        }
        Outcome::Unchanged => format!("template {key} was raised already"),
        Outcome::Refused(refusal) => format!("did not raise template {key}: {refusal}"),
        Outcome::Conflict | Outcome::Defect(_) => format!("did not raise template {key}"),
    })
}

/// Two histories that are cut off from each other raise two alerts: either has people of its own to reach.
async fn alert_id(
    conn: &mut SqliteConnection,
    firing: &Firing,
    place: u16,
) -> Result<AlertId, sqlx::Error> {
    let fork = nodes::fork(conn).await?;
    let node = fork.map_or(0, |fork| fork.node.0).to_be_bytes();
    let parts = firing.parts(place);
    let mut all: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    all.push(&node);
    Ok(AlertId::derive(&all))
}

async fn tell(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    firing: &Firing,
    news: Word,
) -> Result<String, sqlx::Error> {
    let requester = firing.template.requester;
    let told = alerts::tell_requester(conn, entry, &firing.alert, requester, news).await?;
    Ok(match (told, news) {
        (Some(who), Word::Complete) => format!("told {who} that the team is complete"),
        (Some(who), Word::NotReached) => format!("told {who} that too few were reached"),
        (None, _) => "nobody to tell: the raise named no requester".to_owned(),
    })
}

/// A template as it is now, or why it cannot be raised.
async fn in_use(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Result<Version, String>, sqlx::Error> {
    Ok(match templates::find(conn, key).await? {
        Some(version) if version.archived_at.is_none() => Ok(version),
        Some(_) => Err(format!("template {key} is out of use")),
        None => Err(format!("there is no template {key} any more")),
    })
}

fn done(outcome: Outcome, did: &str, unchanged: &str) -> String {
    match outcome {
        Outcome::Applied(_) => did.to_owned(),
        Outcome::Unchanged => unchanged.to_owned(),
        Outcome::Refused(refusal) => format!("not done: {refusal}"),
        Outcome::Conflict | Outcome::Defect(_) => "not done".to_owned(),
    }
}

/// With a capital letter and a full stop.
fn sentence(did: &str) -> String {
    let mut letters = did.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
