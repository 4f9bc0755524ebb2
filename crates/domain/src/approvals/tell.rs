//! Who is told about what needs a second person, and how.

use sqlx::SqliteConnection;

use super::query::{self, ApprovalRow};
use super::rules::{self, State};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::ids::{RecipientId, RoomId};
use crate::limits::SecondPerson;
use crate::recipients::{self, PersonRow};
use crate::texts::{self, AskedFor, Language};
use crate::vocabulary::Severity;
use crate::{conversations, nodes, oncall};

/// Asks for a second person: everyone named in the setting, each with a code, and whoever reads the duty inbox.
pub(super) async fn ask(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    setting: &SecondPerson,
    number: u64,
) -> Result<(), sqlx::Error> {
    let Some(row) = query::approval(conn, number).await? else {
        return Ok(());
    };
    if !row.reminded {
        let civil = nodes::civil(conn).await?;
        let said = format!(
            "Held alert {number}: {} wants to call {} people ({}): {}. A second person approves or refuses: holdfast alert \
             approve {number}. From {} UTC it may be released alone.",
            row.source,
            row.people,
            row.why.join("; "),
            texts::clip(text_in(&row, Language::english()), 400),
            civil.at(row.release_from).to_hh_mm()
        );
        let inbox = RoomId::DUTY_INBOX;
        conversations::post(conn, entry, inbox, "Holdfast", "system", &said).await?;
    }
    send(conn, entry, setting, &row, texts::second_person).await
}

/// Asks for a look at what went without a second person's word.
pub(super) async fn ask_for_review(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    setting: &SecondPerson,
    number: u64,
) -> Result<(), sqlx::Error> {
    match query::approval(conn, number).await? {
        Some(row) => send(conn, entry, setting, &row, texts::to_review).await,
        None => Ok(()),
    }
}

/// Tells a phone that asked for an alert what became of it. Programs and command lines see it in their answers.
pub(super) async fn tell_asker(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
) -> Result<(), sqlx::Error> {
    let Some(row) = query::approval(conn, number).await? else {
        return Ok(());
    };
    let Some(phone) = row.asked_by.strip_prefix("phone:") else {
        return Ok(());
    };
    let known = recipients::by_address(conn, "sms", phone).await?;
    let language = known.first().map_or_else(
        || Language::of_number(phone),
        |person| Language::parse(&person.language),
    );
    let organisation = nodes::organisation(conn).await?;
    let went = row.label.as_deref();
    let body = texts::second_person_said(language, &organisation, number, went, &row.decided_as);
    let update = Update {
        alert: None,
        recipient: known.first().map(|person| person.id),
        kind: "sms",
        address: phone.to_owned(),
        language: language.tag(),
        lane: Lane::Human,
        critical: row.severity == Severity::Critical,
        code: String::new(),
        subject: String::new(),
        body,
    };
    deliveries::update(conn, entry, &[update]).await
}

async fn send(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    setting: &SecondPerson,
    row: &ApprovalRow,
    words: fn(Language, &str, &AskedFor<'_>) -> String,
) -> Result<(), sqlx::Error> {
    let organisation = nodes::organisation(conn).await?;
    let people = asked(conn, entry, setting).await?;
    give_codes(conn, entry, row.number, &people).await?;
    let codes = query::codes(conn, row.number).await?;
    let mut updates = Vec::new();
    for person in &people {
        let Some((_, code)) = codes.iter().find(|(id, _)| *id == person.id) else {
            continue;
        };
        let language = Language::parse(&person.language);
        let about = AskedFor {
            number: row.number,
            label: row.label.as_deref(),
            source: &row.source,
            people: row.people,
            text: text_in(row, language),
        };
        let body = words(language, &organisation, &about);
        for method in &person.methods {
            updates.push(Update {
                alert: None,
                recipient: Some(person.id),
                kind: method.kind(),
                address: method.address().to_owned(),
                language: language.tag(),
                lane: Lane::Human,
                critical: row.severity == Severity::Critical || row.state == State::Waiting,
                code: code.clone(),
                subject: texts::clip(&body.replace(texts::CODE_MARK, code), 70),
                body: body.clone(),
            });
        }
    }
    deliveries::update(conn, entry, &updates).await
}

/// Those who are asked, as they are known now, each once. A name that means nobody any more keeps no other from being asked.
async fn asked(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    setting: &SecondPerson,
) -> Result<Vec<PersonRow>, sqlx::Error> {
    let mut ids: Vec<RecipientId> = Vec::new();
    let now = nodes::civil(conn).await?.at(entry.at);
    for name in &setting.ask {
        let found = oncall::resolve(conn, std::slice::from_ref(name), now).await?;
        for id in found.unwrap_or_default().people {
            if !ids.contains(&id) && ids.len() < rules::ASKED_MAX {
                ids.push(id);
            }
        }
    }
    recipients::by_ids(conn, &ids).await
}

/// Gives each of them a code; one that was given stays.
async fn give_codes(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
    people: &[PersonRow],
) -> Result<(), sqlx::Error> {
    for person in people {
        let chance = entry.chance(&[
            b"second person",
            &number.to_be_bytes(),
            person.id.as_bytes(),
        ]);
        let digits = rules::CODE_DIGITS;
        let code = format!("{:0digits$}", chance % 10_u64.pow(digits as u32));
        sqlx::query(
            "insert into approval_code (number, recipient_id, code) values (?, ?, ?) \
             on conflict (number, recipient_id) do nothing",
        )
        .bind(number.cast_signed())
        .bind(person.id.as_bytes())
        .bind(code)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// What happened, in a language or the first one there is.
fn text_in(row: &ApprovalRow, language: Language) -> &str {
    let own = row.texts.iter().find(|(tag, _)| tag == language.tag());
    own.or(row.texts.first()).map_or("", |(_, text)| text)
}
