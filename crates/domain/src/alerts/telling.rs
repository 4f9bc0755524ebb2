//! One more text to people an alert called, in their language, by the first way they are called.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::AlertRow;
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::escalation::Called;
use crate::ids::RecipientId;
use crate::nodes;
use crate::recipients::{self, ContactMethod, PersonRow};
use crate::texts::{AlertNews, Language, News};
use crate::vocabulary::Severity;

/// Owes each of `called` the words for their language.
pub(super) async fn tell(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    called: &[Called],
    words: impl Fn(Language, AlertNews<'_>) -> News,
) -> Result<(), sqlx::Error> {
    if called.is_empty() {
        return Ok(());
    }
    let organisation = nodes::organisation(conn).await?;
    let about = AlertNews {
        organisation: &organisation,
        status: alert.status,
        number: &alert.label,
    };
    let ids: Vec<RecipientId> = called.iter().map(|call| call.recipient).collect();
    let known: BTreeMap<RecipientId, PersonRow> = recipients::by_ids(conn, &ids)
        .await?
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let mut updates = Vec::with_capacity(called.len());
    for call in called {
        let Some(person) = known.get(&call.recipient) else {
            continue;
        };
        let Some((method, _)) = deliveries::ways(&person.methods, &[], false)
            .into_iter()
            .next()
        else {
            continue;
        };
        let language = Language::parse(&person.language);
        let news = words(language, about);
        let (kind, address, body) = match method {
            ContactMethod::Sms(number) => ("sms", number, news.sms),
            ContactMethod::Email(address) => ("email", address, news.mail),
        };
        updates.push(Update {
            alert: Some(alert.id),
            recipient: Some(person.id),
            kind,
            address: address.clone(),
            language: language.tag(),
            lane: Lane::Human,
            critical: alert.severity == Severity::Critical,
            code: call.code.clone(),
            subject: news.subject,
            body,
        });
    }
    deliveries::update(conn, entry, &updates).await
}

/// The text in a language, else the one that serves missing ones.
pub(super) fn text_in(texts: &[(String, String)], language: Language) -> &str {
    let own = texts.iter().find(|(tag, _)| tag == language.tag());
    own.or(texts.first()).map_or("", |(_, text)| text)
}
