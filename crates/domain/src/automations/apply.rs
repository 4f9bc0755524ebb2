//! Writes to `automation` and `automation_fired`.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::Command;
use super::effects::{self, Firing};
use super::query::{self, Watch};
use super::rules::{FOLLOWED_MAX, Seen, Verdict, cause, verdict, waits_on_island};
use crate::apply::Entry;
use crate::ids::{AlertId, RecipientId, RoomId};
use crate::nodes::Fork;
use crate::oncall::{self, Called};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::{CivilTime, Timestamp};
use crate::vocabulary::{Answer, DEPTH_MAX, When};
use crate::{alerts, conversations, deliveries, escalation, nodes, rows, texts};

/// Who tells a room what automations do.
pub(super) const TOLD_BY: &str = "Holdfast";

/// An island looks again this often at an automation it leaves to the cluster.
const AGAIN: Duration = Duration::from_secs(60);

/// The longest note about a name that means nobody.
const NOTE_UNITS_MAX: usize = 500;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::FollowUp { alerts } => {
            if alerts.len() > FOLLOWED_MAX {
                let problem = format!("at most {FOLLOWED_MAX} alerts are looked at at once");
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
    }
}

/// What follows from an entry that raised alerts or changed answers. Whatever is left is the scheduler's.
pub(crate) async fn follow(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<(), sqlx::Error> {
    // Alerts that these raise may have automations of their own; there is an end to that.
    for _ in 0..=DEPTH_MAX {
        let stirred = query::stirred(conn, FOLLOWED_MAX as u32).await?;
        if stirred.is_empty() {
            break;
        }
        for alert in stirred {
            look(conn, entry, alert).await?;
        }
    }
    Ok(())
}

/// On entering an island: what falls due for an alert that was open already is left to others for a while (DESIGN D5).
pub(crate) async fn hold(conn: &mut SqliteConnection, fork: &Fork) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update automation set due_ms = max(due_ms, ?1 + (select case when l.severity = 3 then ?2 else ?3 end \
         from alert l where l.alert_id = automation.alert_id)) where over = 0 and due_ms is not null",
    )
    .bind(fork.entered_at.0)
    .bind(deliveries::HOLD_CRITICAL_MS)
    .bind(deliveries::HOLD_MS)
    .execute(conn)
    .await?;
    Ok(())
}

/// Looks at all automations of an alert; true when something came of it.
async fn look(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    let taken = take_up(conn, entry, alert).await?;
    escalation::calm(conn, alert).await?;
    let mut moved = taken;
    for watch in query::waiting(conn, alert).await? {
        let Some(row) = alerts::find(conn, alert).await? else {
            break;
        };
        if row.state != alerts::State::Open {
            break; // one before it closed the alert, or somebody did
        }
        if query::has_fired(conn, alert, watch.number).await? {
            over(conn, alert, watch.number).await?;
            moved = true;
            continue;
        }
        let seen = see(conn, entry, alert, &watch).await?;
        match verdict(&watch.automation.when, seen) {
            Verdict::Waits => {}
            Verdict::Never => {
                over(conn, alert, watch.number).await?;
                moved = true;
            }
            Verdict::Fires => {
                let alone = nodes::fork(conn).await?.is_some();
                if alone && waits_on_island(&watch.automation, row.severity) {
                    postpone(conn, entry, alert, watch.number).await?;
                } else {
                    fire(conn, entry, row, &watch, seen).await?;
                    moved = true;
                }
            }
        }
    }
    Ok(moved)
}

/// Freezes the automations an alert's template gave it.
async fn take_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    if !query::is_unread(conn, alert).await? {
        return Ok(false);
    }
    alerts::taken_up(conn, alert).await?;
    let (Some(row), Some(template)) = (
        alerts::find(conn, alert).await?,
        alerts::template_of(conn, alert).await?,
    ) else {
        return Ok(false);
    };
    let now = nodes::civil(conn).await?.at(entry.at);
    for (automation, number) in template.automations.iter().zip(1_u16..) {
        let names = automation.when.among();
        let (people, notes) = people_of(conn, names, now).await?;
        // Nobody's answers can be counted, and everyone's must not be.
        let nobody = !names.is_empty() && people.is_empty();
        for note in notes
            .iter()
            .chain(&effects::vanished(conn, automation).await?)
        {
            say(conn, entry, alert, &format!("Automation {number}: {note}.")).await?;
        }
        let due = automation
            .when
            .after_ms()
            .map(|after| (row.raised_at + Duration::from_millis(after)).0);
        let among = (!names.is_empty()).then_some(people);
        sqlx::query(
            "insert into automation (alert_id, number, rule, among, due_ms, over) values (?, ?, ?, ?, ?, ?) \
             on conflict (alert_id, number) do nothing",
        )
        .bind(alert.as_bytes())
        .bind(i64::from(number))
        .bind(rows::to_json(automation)?)
        .bind(rows::to_json(&among)?)
        .bind(due)
        .bind(nobody)
        .execute(&mut *conn)
        .await?;
    }
    Ok(true)
}

/// The people meant by names at a moment, and what is to be said about names that mean nobody.
pub(super) async fn people_of(
    conn: &mut SqliteConnection,
    names: &[String],
    now: CivilTime,
) -> Result<(Vec<RecipientId>, Vec<String>), sqlx::Error> {
    let (mut people, mut notes) = (Vec::new(), Vec::new());
    for name in names {
        let Some(called) = Called::parse(name) else {
            notes.push(format!("{name} names nobody; that part is skipped"));
            continue;
        };
        match oncall::resolve(conn, &[called], now).await? {
            Ok(found) => {
                people.extend(found.people);
                notes.extend(found.notes);
            }
            Err(refusal) => notes.push(format!("{refusal}; that part is skipped")),
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    people.retain(|id| seen.insert(*id));
    Ok((people, notes))
}

async fn see(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    watch: &Watch,
) -> Result<Seen, sqlx::Error> {
    let when = &watch.automation.when;
    let time_is_up = watch.due.is_some_and(|due| due <= entry.at);
    let (matching, complete) = match when {
        When::Answered { answer, .. } | When::Nobody { answer, .. } => {
            let among = watch.among.as_deref();
            let count = escalation::count_answers(conn, alert, *answer, among).await?;
            (count, false)
        }
        When::Complete | When::Incomplete { .. } => {
            (0, escalation::is_complete(conn, alert).await?)
        }
    };
    Ok(Seen {
        matching,
        complete,
        time_is_up,
    })
}

/// Does what an automation says, once.
async fn fire(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: alerts::AlertRow,
    watch: &Watch,
    seen: Seen,
) -> Result<(), sqlx::Error> {
    over(conn, alert.id, watch.number).await?;
    let Some(template) = alerts::template_of(conn, alert.id).await? else {
        return Ok(());
    };
    let cause = cause(&watch.automation.when, seen);
    let id = alert.id;
    let said = format!("Automation {}: {cause}.", watch.number);
    say(conn, entry, id, &said).await?;
    let firing = Firing {
        by: format!("automation {} of {}", watch.number, template.key),
        number: watch.number,
        alert,
        template,
    };
    let mut did = Vec::with_capacity(watch.automation.then.len());
    for (effect, place) in watch.automation.then.iter().zip(0_u16..) {
        did.push(effects::bring_about(conn, entry, &firing, effect, place).await?);
    }
    sqlx::query(
        "insert into automation_fired (alert_id, number, at_ms, cause, did) values (?, ?, ?, ?, ?) \
         on conflict (alert_id, number) do nothing",
    )
    .bind(id.as_bytes())
    .bind(i64::from(watch.number))
    .bind(entry.at.0)
    .bind(&cause)
    .bind(rows::to_json(&did)?)
    .execute(conn)
    .await?;
    Ok(())
}

async fn over(conn: &mut SqliteConnection, alert: AlertId, number: u16) -> Result<(), sqlx::Error> {
    sqlx::query("update automation set over = 1 where alert_id = ? and number = ?")
        .bind(alert.as_bytes())
        .bind(i64::from(number))
        .execute(conn)
        .await?;
    Ok(())
}

async fn postpone(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    number: u16,
) -> Result<(), sqlx::Error> {
    let again: Timestamp = entry.at + AGAIN;
    sqlx::query(
        "update automation set due_ms = ? where alert_id = ? and number = ? and due_ms is not null",
    )
    .bind(again.0)
    .bind(alert.as_bytes())
    .bind(i64::from(number))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes into an alert's room.
pub(super) async fn say(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    text: &str,
) -> Result<(), sqlx::Error> {
    let text = texts::clip(text, NOTE_UNITS_MAX);
    let room = RoomId::of_alert(alert);
    conversations::post(conn, entry, room, TOLD_BY, "system", &text).await?;
    Ok(())
}

/// Whether an answer is one an automation counts.
pub(super) fn counts(wanted: Option<Answer>, given: Answer) -> bool {
    wanted.is_none_or(|wanted| wanted == given)
}
