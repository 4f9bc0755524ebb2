//! What people say about an alert that waits, or that went without a second person's word.

use sqlx::SqliteConnection;

use super::gate::Waiting;
use super::query::{self, ApprovalRow};
use super::rules::{self, State, Who};
use super::{Decision, tell};
use crate::apply::Entry;
use crate::envelope::Envelope;
use crate::ids::{RecipientId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::{alerts, codec, conversations};

/// Who acts.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    /// Key, command line or phone.
    pub(super) by: String,
    pub(super) name: String,
    /// Gave a code of one of those who were asked.
    pub(super) has_code: bool,
}

impl Actor {
    fn seen_from(&self, row: &ApprovalRow) -> Who {
        Who {
            is_asker: self.by == row.asked_by,
            has_code: self.has_code,
        }
    }

    /// For rooms: the name, and how they acted.
    fn shown(&self) -> String {
        format!("{} ({})", self.name, self.by)
    }
}

/// What became of a text with a code of somebody who was asked.
pub(crate) struct ByText {
    /// What is true now.
    pub(crate) row: ApprovalRow,
    /// Why nothing changed; `None`: it was done.
    pub(crate) refused: Option<String>,
}

/// A text with a code, from a number of one of those who were asked.
pub(crate) struct Word<'a> {
    pub(crate) person: RecipientId,
    pub(crate) name: &'a str,
    /// The number it came from.
    pub(crate) from: &'a str,
    pub(crate) code: &'a str,
    pub(crate) yes: bool,
}

/// Takes the word of somebody who was asked, by a text with the code they got. `None`: it is nobody's code for this.
pub(crate) async fn by_text(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    word: &Word<'_>,
) -> Result<Option<ByText>, sqlx::Error> {
    let Some(row) = query::by_code(conn, word.person, word.code).await? else {
        return Ok(None);
    };
    let by = format!("phone:{}", word.from);
    let who = Actor {
        // A phone that asked for an alert cannot agree to it with a code of its own.
        has_code: row.asked_by != by,
        by,
        name: word.name.to_owned(),
    };
    let number = row.number;
    let outcome = match (row.to_review, word.yes) {
        (true, true) => review(conn, entry, number, &who, "in order, by SMS").await?,
        (true, false) => review(conn, entry, number, &who, "not in order, by SMS").await?,
        (false, true) => decide(conn, entry, number, Decision::Approve, &who, "by SMS").await?,
        (false, false) => decide(conn, entry, number, Decision::Refuse, &who, "by SMS").await?,
    };
    let refused = match outcome {
        Outcome::Refused(refusal) => Some(refusal.to_string()),
        Outcome::Applied(_) | Outcome::Unchanged | Outcome::Conflict | Outcome::Defect(_) => None,
    };
    let row = query::approval(conn, number).await?.unwrap_or(row);
    Ok(Some(ByText { row, refused }))
}

/// Does what somebody says of an alert that waits.
pub(super) async fn decide(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
    decision: Decision,
    who: &Actor,
    reason: &str,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::approval(conn, number).await? else {
        return Ok(unknown());
    };
    let to = decision.leads_to();
    if row.state != State::Waiting {
        if row.state == to && row.decided_by == who.by {
            return Ok(Outcome::Unchanged);
        }
        return Ok(not_now(decided_already(&row)));
    }
    let seen = who.seen_from(&row);
    if let Err(problem) = rules::may_decide(decision, seen, row.release_from, entry.at) {
        return Ok(not_now(problem));
    }
    let receipt = match decision {
        Decision::Approve | Decision::Release => match let_go(conn, entry, &row).await? {
            Outcome::Applied(receipt) => receipt,
            Outcome::Unchanged => Receipt::None,
            refused @ (Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => {
                return Ok(refused);
            }
        },
        Decision::Refuse | Decision::Withdraw => Receipt::None,
    };
    close(conn, entry, &row, to, who, reason).await?;
    let said = match decision {
        Decision::Approve => format!("Second person: approved by {}: {reason}", who.shown()),
        Decision::Release => format!(
            "Released alone by {}: {reason}. No second person had agreed ({}). Somebody else must review it.",
            who.shown(),
            row.why.join("; ")
        ),
        Decision::Refuse => format!(
            "Held alert {number} was refused by {}: {reason}",
            who.shown()
        ),
        Decision::Withdraw => format!(
            "Held alert {number} was withdrawn by {}: {reason}",
            who.shown()
        ),
    };
    let room = match decision {
        Decision::Approve | Decision::Release => RoomId::of_alert(row.alert),
        Decision::Refuse | Decision::Withdraw => RoomId::DUTY_INBOX,
    };
    conversations::post(conn, entry, room, "Holdfast", "system", &said).await?;
    tell::tell_asker(conn, entry, number).await?;
    Ok(Outcome::Applied(receipt))
}

/// Notes that somebody looked at what went without a second person's word.
pub(super) async fn review(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
    who: &Actor,
    note: &str,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::approval(conn, number).await? else {
        return Ok(unknown());
    };
    if !row.to_review {
        let problem = format!(
            "held alert {number} is {}: nothing is to be reviewed",
            row.state.name()
        );
        return Ok(not_now(problem));
    }
    if row.reviewed_at.is_some() {
        if row.reviewed_by == who.by {
            return Ok(Outcome::Unchanged);
        }
        let problem = format!("{} has reviewed it already", row.reviewed_as);
        return Ok(not_now(problem));
    }
    // Whoever let it go alone is no other person either.
    let mut seen = who.seen_from(&row);
    seen.is_asker |= who.by == row.decided_by;
    if let Err(problem) = rules::may_review(seen) {
        return Ok(not_now(problem));
    }
    sqlx::query(
        "update approval set reviewed_by = ?, reviewed_as = ?, reviewed_at_ms = ?, review_note = ? where number = ?",
    )
    .bind(&who.by)
    .bind(&who.name)
    .bind(entry.at.0)
    .bind(note)
    .bind(number.cast_signed())
    .execute(&mut *conn)
    .await?;
    let said = format!("Reviewed by {}: {note}", who.shown());
    let room = RoomId::of_alert(row.alert);
    conversations::post(conn, entry, room, "Holdfast", "system", &said).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Nobody said anything: it does not wait any more.
pub(super) async fn lapse(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &ApprovalRow,
) -> Result<(), sqlx::Error> {
    let nobody = Actor {
        by: "loop".to_owned(),
        name: String::new(),
        has_code: false,
    };
    let why = "nobody approved or released it within an hour";
    close(conn, entry, row, State::Lapsed, &nobody, why).await?;
    let said = format!(
        "Held alert {} was NOT sent: {why}. Raise it again if it still matters.",
        row.number
    );
    let inbox = RoomId::DUTY_INBOX;
    conversations::post(conn, entry, inbox, "Holdfast", "system", &said).await?;
    tell::tell_asker(conn, entry, row.number).await
}

/// Raises what waits, as whoever asked for it would have.
async fn let_go(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &ApprovalRow,
) -> Result<Outcome, sqlx::Error> {
    let bytes = query::payload(conn, row.number).await?;
    let mut waiting: Waiting = codec::decode(&bytes).map_err(|e| sqlx::Error::Decode(e.into()))?;
    // The organisation became aware when it was asked for, not when it was let go.
    waiting.raise.aware_at.get_or_insert(row.asked_at);
    let envelope = Envelope {
        actor: waiting.actor,
        issued_by: waiting.issued_by,
        ..entry.envelope.clone()
    };
    let asked = Entry {
        envelope: &envelope,
        ..*entry
    };
    alerts::raise_as(conn, &asked, row.alert, &waiting.raise).await
}

async fn close(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &ApprovalRow,
    to: State,
    who: &Actor,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update approval set state = ?, payload = x'', due_ms = null, decided_by = ?, decided_as = ?, decided_at_ms = ?, \
         reason = ?, to_review = ? where number = ?",
    )
    .bind(to.name())
    .bind(&who.by)
    .bind(&who.name)
    .bind(entry.at.0)
    .bind(reason)
    .bind(to == State::Released)
    .bind(row.number.cast_signed())
    .execute(conn)
    .await?;
    Ok(())
}

fn decided_already(row: &ApprovalRow) -> String {
    let by = match row.decided_as.as_str() {
        "" => String::new(),
        name => format!(" by {name}"),
    };
    format!(
        "held alert {} does not wait any more: it was {}{by}",
        row.number,
        row.state.name()
    )
}

fn unknown() -> Outcome {
    let what = "there is no held alert with this number; see `holdfast alert held`";
    Outcome::Refused(Refusal::NoSuch(what.to_owned()))
}

fn not_now(problem: String) -> Outcome {
    Outcome::Refused(Refusal::NotNow(problem))
}
