//! Writes to `report`, and what leads to them.

use sqlx::SqliteConnection;

use super::query::{self, ReportRow};
use super::rules::{self, State};
use super::{Command, Decision, Due, Report};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::ids::AlertId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::texts::{self, Language, ReportNews};
use crate::{alerts, approvals, nodes, sources};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Take(report) => take(conn, entry, report).await,
        Command::Decide {
            number,
            decision,
            reason,
        } => decide(conn, entry, *number, decision, reason).await,
        Command::FollowUp { due } => follow_up(conn, entry, due).await,
    }
}

async fn take(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    report: &Report,
) -> Result<Outcome, sqlx::Error> {
    let invalid = |problem: String| Ok(Outcome::Refused(Refusal::Invalid(problem)));
    let kind = match rules::check_report(report).and_then(|()| rules::kind_of(&report.contact)) {
        Ok(kind) => kind,
        Err(problem) => return invalid(problem),
    };
    let open: i64 = sqlx::query_scalar(
        "select count(*) from report where state in ('new', 'waiting', 'convened')",
    )
    .fetch_one(&mut *conn)
    .await?;
    if open >= rules::OPEN_MAX {
        return invalid(format!(
            "{open} reports wait for somebody already; call those on duty"
        ));
    }
    let number: i64 = sqlx::query_scalar("select coalesce(max(number), 0) + 1 from report")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query(
        "insert into report (number, who, kind, contact, language, what, via, at_ms, taken_by, state, due_ms, \
         decided_at_ms, decided_by, reason, duty_alert, alert_id) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'new', null, null, '', '', null, null)",
    )
    .bind(number)
    .bind(&report.who)
    .bind(kind)
    .bind(&report.contact)
    .bind(&report.language)
    .bind(&report.what)
    .bind(&report.via)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from report where state in ('no_action', 'over') and number <= \
         (select number from report where state in ('no_action', 'over') order by number desc limit 1 offset ?)",
    )
    .bind(rules::KEPT)
    .execute(&mut *conn)
    .await?;
    let Some(row) = query::report(conn, number.unsigned_abs()).await? else {
        return Err(sqlx::Error::RowNotFound);
    };
    tell_duty(conn, entry, &row).await?;
    tell_reporter(conn, entry, &row, ReportNews::Taken).await?;
    Ok(Outcome::Applied(Receipt::Number(row.number)))
}

async fn decide(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
    decision: &Decision,
    reason: &str,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check_decision(decision, reason) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let Some(row) = query::report(conn, number).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownReport));
    };
    if !row.state.takes(decision) {
        let problem = format!(
            "report {number} is {}; this does not follow from there",
            row.state.name()
        );
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let mut alert = row.alert;
    let mut receipt = Receipt::None;
    let (state, due, news) = match decision {
        Decision::Wait { for_ms } => {
            let due = entry.at.0.saturating_add(for_ms.cast_signed());
            (State::Waiting, Some(due), ReportNews::Waits)
        }
        Decision::Convene { raise } => {
            let id = AlertId::derive(&[entry.envelope.request.as_bytes()]);
            match approvals::raise_as(conn, entry, id, raise).await? {
                Outcome::Applied(made) => receipt = made,
                Outcome::Unchanged => {}
                refused @ (Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => {
                    return Ok(refused);
                }
            }
            alert = Some(id);
            (State::Convened, None, ReportNews::Convened)
        }
        Decision::NoAction => (State::NoAction, None, ReportNews::NoAction),
        Decision::Over => (State::Over, None, ReportNews::Over),
    };
    sqlx::query(
        "update report set state = ?, due_ms = ?, decided_at_ms = ?, decided_by = ?, reason = ?, alert_id = ? \
         where number = ?",
    )
    .bind(state.name())
    .bind(due)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(reason)
    .bind(alert.map(|alert| alert.0.to_vec()))
    .bind(number.cast_signed())
    .execute(&mut *conn)
    .await?;
    duty_is_done(conn, entry, &row, &format!("{}: {reason}", state.name())).await?;
    tell_reporter(conn, entry, &row, news).await?;
    Ok(Outcome::Applied(receipt))
}

async fn follow_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    due: &[Due],
) -> Result<Outcome, sqlx::Error> {
    let mut done = 0;
    for due in due {
        let worked = match due {
            Due::Waited { number, at } => match query::report(conn, *number).await? {
                Some(row) if row.due == Some(*at) => {
                    sqlx::query("update report set state = 'new', due_ms = null where number = ?")
                        .bind(number.cast_signed())
                        .execute(&mut *conn)
                        .await?;
                    tell_duty(conn, entry, &row).await?;
                    true
                }
                Some(_) | None => false,
            },
            Due::AlertClosed { number } => match query::report(conn, *number).await? {
                Some(row) if row.state == State::Convened && !is_open(conn, row.alert).await? => {
                    sqlx::query("update report set state = 'over' where number = ?")
                        .bind(number.cast_signed())
                        .execute(&mut *conn)
                        .await?;
                    tell_reporter(conn, entry, &row, ReportNews::Over).await?;
                    true
                }
                Some(_) | None => false,
            },
        };
        done += u64::from(worked);
    }
    Ok(match done {
        0 => Outcome::Unchanged,
        done => Outcome::Applied(Receipt::Count(done)),
    })
}

/// Calls those on duty to a report, by the same brakes as everything that comes in by itself.
async fn tell_duty(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &ReportRow,
) -> Result<(), sqlx::Error> {
    let text = |language| texts::report(language, row.number, &row.who, &row.contact, &row.what);
    let key = format!("report:{}", row.number);
    let alert = sources::call_duty(conn, entry, &key, text).await?;
    sqlx::query("update report set duty_alert = ? where number = ?")
        .bind(alert.map(|alert| alert.0.to_vec()))
        .bind(row.number.cast_signed())
        .execute(conn)
        .await?;
    Ok(())
}

/// Somebody decided: nobody else needs to be called for that. An alert that gathers many reports goes on.
async fn duty_is_done(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &ReportRow,
    note: &str,
) -> Result<(), sqlx::Error> {
    let Some(duty) = row.duty_alert else {
        return Ok(());
    };
    let own = alerts::find(conn, duty).await?;
    let key = format!("report:{}", row.number);
    if own.is_some_and(|alert| alert.dedup_key == key) {
        alerts::resolve(conn, entry, duty, note).await?;
    }
    Ok(())
}

async fn tell_reporter(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &ReportRow,
    news: ReportNews,
) -> Result<(), sqlx::Error> {
    let kind = match row.kind.as_str() {
        "sms" => "sms",
        "email" => "email",
        _ => return Ok(()),
    };
    let language = match row.language.is_empty() {
        true => Language::of_number(&row.contact),
        false => Language::parse(&row.language),
    };
    let organisation = nodes::organisation(conn).await?;
    let body = texts::report_news(language, &organisation, row.number, news);
    let update = Update {
        alert: None,
        recipient: None,
        kind,
        address: row.contact.clone(),
        language: language.tag(),
        lane: Lane::Rest,
        critical: false,
        code: String::new(),
        subject: texts::clip(&body, 70),
        body,
    };
    deliveries::update(conn, entry, &[update]).await
}

async fn is_open(conn: &mut SqliteConnection, alert: Option<AlertId>) -> Result<bool, sqlx::Error> {
    match alert {
        Some(alert) => alerts::is_open(conn, alert).await,
        None => Ok(false),
    }
}
