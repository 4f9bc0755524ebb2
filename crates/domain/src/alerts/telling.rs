//! One more text to people an alert called, in their language, by the first way they are called.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::AlertRow;
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::escalation::{self, Called};
use crate::ids::RecipientId;
use crate::nodes;
use crate::recipients::{self, ContactMethod, PersonRow};
use crate::texts::{self, AlertNews, Briefing, Language, News};
use crate::vocabulary::{Answer, Severity, Word};

/// Owes each of `called` the words for their language.
pub(super) async fn tell(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    called: &[Called],
    words: impl Fn(Language, AlertNews<'_>) -> News,
) -> Result<(), sqlx::Error> {
    let people: Vec<(RecipientId, String)> = called
        .iter()
        .map(|call| (call.recipient, call.code.clone()))
        .collect();
    tell_each(conn, entry, alert, &people, words).await
}

/// As [`tell`], to people with the code each may answer with; empty: none.
pub(super) async fn tell_each(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    people: &[(RecipientId, String)],
    words: impl Fn(Language, AlertNews<'_>) -> News,
) -> Result<(), sqlx::Error> {
    if people.is_empty() {
        return Ok(());
    }
    let organisation = nodes::organisation(conn).await?;
    let ids: Vec<RecipientId> = people.iter().map(|(id, _)| *id).collect();
    let known: BTreeMap<RecipientId, PersonRow> = recipients::by_ids(conn, &ids)
        .await?
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let mut updates = Vec::with_capacity(people.len());
    for (id, code) in people {
        if let Some(person) = known.get(id) {
            updates.extend(to_person(
                alert,
                &organisation,
                person,
                code.clone(),
                &words,
            ));
        }
    }
    deliveries::update(conn, entry, &updates).await
}

/// How an alert stands now, for whoever comes into it; `before` are those who did before them what they do now.
pub(super) async fn now<'a>(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    before: &'a [String],
) -> Result<Briefing<'a>, sqlx::Error> {
    let called = escalation::called_in_order(conn, alert.id).await?;
    let count = |answer: Option<Answer>| called.iter().filter(|c| c.answer == answer).count();
    Ok(Briefing {
        before,
        minutes: entry.at.since(alert.raised_at).as_secs() / 60,
        coming: count(Some(Answer::Coming)),
        silent: count(None),
    })
}

/// Tells whoever asked for an alert how it goes: the person the raise named, else the phone it was raised from. Returns
/// who was told; `None` when there is nobody to tell.
pub(crate) async fn tell_requester(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: &AlertRow,
    requester: Option<RecipientId>,
    word: Word,
) -> Result<Option<String>, sqlx::Error> {
    let organisation = nodes::organisation(conn).await?;
    let words = |language, about: AlertNews<'_>| texts::requester(language, about, word);
    let named = match requester {
        Some(id) => recipients::by_ids(conn, &[id]).await?.into_iter().next(),
        None => None,
    };
    let (update, who) = match (named, alert.raised_by.strip_prefix("phone:")) {
        (Some(person), _) => {
            let update = to_person(alert, &organisation, &person, String::new(), &words);
            (update, person.name)
        }
        (None, Some(number)) => {
            let method = ContactMethod::Sms(number.to_owned());
            let language = Language::of_number(number);
            let about = about(alert, &organisation);
            let update = owed(
                alert,
                None,
                &method,
                language,
                String::new(),
                words(language, about),
            );
            (Some(update), "whoever raised it by SMS".to_owned())
        }
        (None, None) => return Ok(None),
    };
    let Some(update) = update else {
        return Ok(None); // somebody without any contact method
    };
    deliveries::update(conn, entry, &[update]).await?;
    Ok(Some(who))
}

fn about<'a>(alert: &'a AlertRow, organisation: &'a str) -> AlertNews<'a> {
    AlertNews {
        organisation,
        status: alert.status,
        number: &alert.label,
    }
}

/// The words for one person by the first way they are called, if there is any.
fn to_person(
    alert: &AlertRow,
    organisation: &str,
    person: &PersonRow,
    code: String,
    words: &impl Fn(Language, AlertNews<'_>) -> News,
) -> Option<Update> {
    let method = person.methods.first()?;
    let language = Language::parse(&person.language);
    let news = words(language, about(alert, organisation));
    Some(owed(alert, Some(person.id), method, language, code, news))
}

fn owed(
    alert: &AlertRow,
    recipient: Option<RecipientId>,
    method: &ContactMethod,
    language: Language,
    code: String,
    news: News,
) -> Update {
    let (kind, body) = match method {
        ContactMethod::Sms(_) => ("sms", news.sms),
        ContactMethod::Email(_) => ("email", news.mail),
    };
    Update {
        alert: Some(alert.id),
        recipient,
        kind,
        address: method.address().to_owned(),
        language: language.tag(),
        lane: Lane::Human,
        critical: alert.severity == Severity::Critical,
        code,
        subject: news.subject,
        body,
    }
}

/// The text in a language, else the one that serves missing ones.
pub(super) fn text_in(texts: &[(String, String)], language: Language) -> &str {
    let own = texts.iter().find(|(tag, _)| tag == language.tag());
    own.or(texts.first()).map_or("", |(_, text)| text)
}
