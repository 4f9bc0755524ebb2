//! Which call of which alert a text is about.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::query;
use super::rules;
use super::sender::Sender;
use crate::alerts::{self, AlertRow};
use crate::escalation::{self, Called};
use crate::recipients;
use crate::texts::{Language, OpenCode};
use crate::time::Timestamp;
use crate::vocabulary::Severity;

/// How long the code of an alert that is over still tells which alert was meant.
pub(super) const CODES_REST: Duration = Duration::from_secs(48 * 3_600);

/// Most kept texts looked at in one go.
const LOOKED_AT_MAX: u32 = 500;

/// A call somebody may be answering.
pub(super) struct Asked {
    pub(super) call: Called,
    /// The alert the person was called to; an answer may count for the one it was joined into.
    pub(super) alert: AlertRow,
    /// Who was called.
    pub(super) name: String,
    /// The language to reply in.
    pub(super) language: Language,
}

impl Asked {
    pub(super) fn is_critical(&self) -> bool {
        self.alert.severity == Severity::Critical
    }
}

/// Texts kept for whoever knows their codes that can be dealt with now, oldest first, at most `limit`.
pub async fn understood(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<[u8; 16]>, sqlx::Error> {
    let mut keys = Vec::new();
    for (key, from, text) in query::elsewhere(conn, now - CODES_REST, LOOKED_AT_MAX).await? {
        let sender = Sender::load(conn, now, &from).await?;
        let Some(code) = rules::code(&text, &sender.open_codes()) else {
            continue;
        };
        if sender.find_call(conn, &code).await?.is_some() {
            keys.push(key);
        }
        if keys.len() >= limit {
            break;
        }
    }
    Ok(keys)
}

impl Sender {
    /// The call a code belongs to: the sender's own, open before closed; else that of the one person who has it.
    pub(super) async fn find_call(
        &self,
        conn: &mut SqliteConnection,
        code: &str,
    ) -> Result<Option<Asked>, sqlx::Error> {
        let calls = escalation::called_by_code(conn, code, self.at - CODES_REST).await?;
        let (own, others): (Vec<Called>, Vec<Called>) =
            calls.into_iter().partition(|call| self.is(call.recipient));
        // Codes are unique for a person, not among people: from another phone, one that several have says nothing.
        let first = others.first().map(|call| call.recipient);
        let is_shared = others.iter().any(|call| Some(call.recipient) != first);
        let candidates = match (own.is_empty(), is_shared) {
            (false, _) => own,
            (true, false) => others,
            (true, true) => Vec::new(),
        };
        match candidates
            .into_iter()
            // A code carried over by a join still tells which alert was meant.
            .min_by_key(|call| (call.code != code, call.closed_at.is_some()))
        {
            Some(call) => self.asked(conn, call).await,
            None => Ok(None),
        }
    }

    /// What the people behind this number were last called to, open or over.
    pub(super) async fn last_call(
        &self,
        conn: &mut SqliteConnection,
    ) -> Result<Option<Asked>, sqlx::Error> {
        let mut calls = Vec::new();
        for person in &self.people {
            calls.extend(escalation::last_called_of(conn, person.id, self.at - CODES_REST).await?);
        }
        match calls.into_iter().max_by_key(|call| call.called_at) {
            Some(call) => self.asked(conn, call).await,
            None => Ok(None),
        }
    }

    /// A call with what a reply about it needs.
    pub(super) async fn asked(
        &self,
        conn: &mut SqliteConnection,
        call: Called,
    ) -> Result<Option<Asked>, sqlx::Error> {
        let Some(alert) = alerts::find(conn, call.alert).await? else {
            return Ok(None);
        };
        if let Some(own) = self
            .people
            .iter()
            .find(|person| person.id == call.recipient)
        {
            let (name, language) = (own.name.clone(), Language::parse(&own.language));
            return Ok(Some(Asked {
                call,
                alert,
                name,
                language,
            }));
        }
        let called = recipients::by_ids(conn, &[call.recipient])
            .await?
            .into_iter()
            .next();
        // A stranger's phone with somebody's code is most likely that person's other phone.
        let language = match &called {
            Some(called) if self.people.is_empty() => Language::parse(&called.language),
            Some(_) | None => self.language(),
        };
        let name = called.map_or_else(|| self.address.clone(), |called| called.name);
        Ok(Some(Asked {
            call,
            alert,
            name,
            language,
        }))
    }

    /// The codes that would answer an open alert, for the sender to choose from.
    pub(super) async fn list_open(
        &self,
        conn: &mut SqliteConnection,
    ) -> Result<Vec<OpenCode>, sqlx::Error> {
        let mut open = Vec::with_capacity(self.open.len());
        for call in &self.open {
            if let Some(alert) = alerts::find(conn, call.alert).await? {
                open.push(OpenCode {
                    code: call.code.clone(),
                    number: alert.label.clone(),
                    kind: alert.kind,
                });
            }
        }
        Ok(open)
    }
}
