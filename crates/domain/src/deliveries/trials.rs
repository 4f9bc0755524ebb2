//! What is owed about no alert: to show that something works, to let somebody in.

use sqlx::SqliteConnection;

use super::{Lane, NONE, Purpose, State};
use crate::apply::Entry;
use crate::ids::{DeliveryId, NodeId, RecipientId};
use crate::time::Timestamp;

/// One text or ring.
#[derive(Clone, Debug)]
pub(crate) struct Trial<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) recipient: Option<RecipientId>,
    /// `sms`, or [`RING`](super::RING), which begins once the text to the same person has left.
    pub(crate) kind: &'static str,
    pub(crate) address: &'a str,
    pub(crate) language: &'static str,
    pub(crate) code: &'a str,
    pub(crate) body: String,
    pub(crate) state: State,
    /// The channel whose turn it is.
    pub(crate) from: Option<(NodeId, &'a str)>,
    /// Place of the address among the person's own.
    pub(crate) method: usize,
    pub(crate) validity_ms: i64,
}

/// The id under which it is owed.
pub(crate) fn trial_id(entry: &Entry<'_>, trial: &Trial<'_>) -> DeliveryId {
    DeliveryId::derive(&[
        trial.purpose.name().as_bytes(),
        entry.envelope.request.as_bytes(),
        &entry.index.to_be_bytes(),
        trial.kind.as_bytes(),
        &trial.recipient.map_or(NONE, |recipient| recipient.0),
        trial.address.as_bytes(),
    ])
}

/// Owes it, behind everything that matters.
pub(crate) async fn owe_trial(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    trial: &Trial<'_>,
) -> Result<(), sqlx::Error> {
    let id = trial_id(entry, trial);
    let (node, channel) = trial.from.unwrap_or((NodeId(0), ""));
    sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, prefer_node, prefer_channel, created_at_ms, wanted_since_ms, due_at_ms, \
         expires_at_ms, ended_at_ms) \
         values (?1, ?2, ?3, ?4, 0, 0, ?5, ?6, ?7, ?8, ?9, 0, ?10, '', ?11, '', ?12, 0, 0, 0, 0, 0, '', ?13, ?14, \
         ?15, ?15, ?15, ?16, null) on conflict (delivery_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(NONE.as_slice())
    .bind(trial.recipient.map_or(NONE, |recipient| recipient.0).as_slice())
    .bind(trial.purpose.name())
    .bind(i64::try_from(trial.method).unwrap_or(i64::MAX))
    .bind(trial.kind)
    .bind(trial.address)
    .bind(trial.language)
    .bind(Lane::Rest.rank())
    .bind(trial.state.name())
    .bind(trial.code)
    .bind(&trial.body)
    .bind(node.0.cast_signed())
    .bind(channel)
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(trial.validity_ms))
    .execute(conn)
    .await?;
    Ok(())
}

/// How far a text has come that was owed to a number at a time, about nobody who is known; `None`: there is none.
pub(crate) async fn trial_state(
    conn: &mut SqliteConnection,
    purpose: Purpose,
    address: &str,
    at: Timestamp,
) -> Result<Option<State>, sqlx::Error> {
    let found: Option<String> = sqlx::query_scalar(
        "select state from delivery where alert_id = ?1 and recipient_id = ?1 and purpose = ?2 and address = ?3 \
         and created_at_ms = ?4",
    )
    .bind(NONE.as_slice())
    .bind(purpose.name())
    .bind(address)
    .bind(at.0)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|state| State::parse(&state)))
}

/// The person answered: rings of a test that have not begun do not begin.
pub(crate) async fn end_trials(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    recipient: RecipientId,
    address: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt set state = 'withdrawn' where state = 'assigned' and delivery_id in \
         (select delivery_id from delivery where alert_id = ?1 and recipient_id = ?2 and purpose = 'wake' \
          and address = ?3 and state = 'assigned')",
    )
    .bind(NONE.as_slice())
    .bind(recipient.as_bytes())
    .bind(address)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update delivery set state = 'cancelled', reason = 'answered', ended_at_ms = ?1 \
         where alert_id = ?2 and recipient_id = ?3 and purpose = 'wake' and address = ?4 \
         and state in ('standby', 'pending', 'assigned')",
    )
    .bind(entry.at.0)
    .bind(NONE.as_slice())
    .bind(recipient.as_bytes())
    .bind(address)
    .execute(conn)
    .await?;
    Ok(())
}
