//! Writes to `approval`: words of people, and what is due.

use sqlx::SqliteConnection;

use super::decide::{self, Actor};
use super::rules::{self, LAPSES_AFTER, State};
use super::{Command, Due, Said, query, tell};
use crate::apply::Entry;
use crate::conversations;
use crate::ids::RoomId;
use crate::limits;
use crate::outcome::{Outcome, Receipt, Refusal};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Decide {
            number,
            decision,
            said,
        } => {
            let who = match who(conn, entry, *number, said).await? {
                Ok(who) => who,
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            };
            decide::decide(conn, entry, *number, *decision, &who, &said.reason).await
        }
        Command::Review { number, said } => {
            let who = match who(conn, entry, *number, said).await? {
                Ok(who) => who,
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            };
            decide::review(conn, entry, *number, &who, &said.reason).await
        }
        Command::FollowUp { due } => follow_up(conn, entry, due).await,
    }
}

/// Who acts: the key or command line, or the person a code belongs to.
async fn who(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
    said: &Said,
) -> Result<Result<Actor, Refusal>, sqlx::Error> {
    if let Err(problem) = rules::check_said(said) {
        return Ok(Err(Refusal::Invalid(problem)));
    }
    let by = entry.envelope.actor.label();
    let Some(code) = &said.code else {
        return Ok(Ok(Actor {
            by,
            name: said.name.clone(),
            has_code: false,
        }));
    };
    let wrong: Option<i64> =
        sqlx::query_scalar("select wrong_codes from approval where number = ?")
            .bind(number.cast_signed())
            .fetch_optional(&mut *conn)
            .await?;
    if wrong.is_some_and(|wrong| wrong >= rules::WRONG_CODES_MAX) {
        let problem = "too many wrong codes were given; whoever has the right one answers by SMS";
        return Ok(Err(Refusal::Invalid(problem.to_owned())));
    }
    let codes = query::codes(conn, number).await?;
    if codes.iter().any(|(_, right)| right == code) {
        return Ok(Ok(Actor {
            by,
            name: said.name.clone(),
            has_code: true,
        }));
    }
    sqlx::query("update approval set wrong_codes = wrong_codes + 1 where number = ?")
        .bind(number.cast_signed())
        .execute(conn)
        .await?;
    let problem = "this is not a code that was sent for it; look at the newest text";
    Ok(Err(Refusal::Invalid(problem.to_owned())))
}

async fn follow_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    due: &[Due],
) -> Result<Outcome, sqlx::Error> {
    let mut done = 0;
    for due in due {
        let Some(row) = query::approval(conn, due.number).await? else {
            continue;
        };
        if row.due != Some(due.at) {
            continue;
        }
        done += 1;
        if row.reminded || row.state != State::Waiting {
            decide::lapse(conn, entry, &row).await?;
            continue;
        }
        sqlx::query("update approval set reminded = 1, due_ms = ? where number = ?")
            .bind((row.asked_at + LAPSES_AFTER).0)
            .bind(row.number.cast_signed())
            .execute(&mut *conn)
            .await?;
        let said = format!(
            "Held alert {} still waits for a second person; {} may release it alone now: holdfast alert release {}",
            row.number, row.source, row.number
        );
        let inbox = RoomId::DUTY_INBOX;
        conversations::post(conn, entry, inbox, "Holdfast", "system", &said).await?;
        if let Some(setting) = limits::second_person(conn).await? {
            tell::ask(conn, entry, &setting, row.number).await?;
        }
    }
    Ok(match done {
        0 => Outcome::Unchanged,
        done => Outcome::Applied(Receipt::Count(done)),
    })
}
