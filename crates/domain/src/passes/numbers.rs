//! Another number for somebody in the night: whoever answers for it is named, the old number is told, and for a day the new
//! one commands nothing. Writes to `number_change`.

use std::time::Duration;

use sqlx::{Row, SqliteConnection};

use super::AskNumber;
use super::apply::not_now;
use crate::access::accounts;
use crate::alerts::{self, State, Status};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::envelope::Actor;
use crate::nodes;
use crate::outcome::{Outcome, Refusal};
use crate::phone::PhoneNumber;
use crate::recipients::{self, ContactMethod, NumberMark, Person, PersonRow};
use crate::rows;
use crate::texts::{self, Language};
use crate::time::Timestamp;

/// How long a change waits for somebody's word.
const WAIT: Duration = Duration::from_secs(3_600);

/// How long a changed number is marked and proves nothing.
pub const MARK_TIME: Duration = Duration::from_secs(24 * 3_600);

/// Open alerts looked through for one that is no exercise.
const ALERTS_MAX: u32 = 200;

const NAME_LEN_MAX: usize = 100;

/// A change that waits for somebody's word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberChange {
    /// Empty: the person had none.
    pub from: String,
    pub to: String,
    pub asked_at: Timestamp,
    /// The actor.
    pub asked_by: String,
    /// As people read it.
    pub asked_name: String,
    pub expires_at: Timestamp,
}

/// What waits for a person, by key.
pub async fn number_change(
    conn: &mut SqliteConnection,
    person: &str,
    now: Timestamp,
) -> Result<Option<NumberChange>, sqlx::Error> {
    let found = sqlx::query(
        "select old_number, new_number, asked_at_ms, asked_by, asked_name, expires_at_ms from number_change \
         where person = ? and expires_at_ms > ?",
    )
    .bind(person)
    .bind(now.0)
    .fetch_optional(conn)
    .await?;
    found
        .map(|row| {
            Ok(NumberChange {
                from: row.try_get("old_number")?,
                to: row.try_get("new_number")?,
                asked_at: rows::time(&row, "asked_at_ms")?,
                asked_by: row.try_get("asked_by")?,
                asked_name: row.try_get("asked_name")?,
                expires_at: rows::time(&row, "expires_at_ms")?,
            })
        })
        .transpose()
}

/// Changes people as somebody asks who is no loop of ours. While an alert is open, a known person gets no new number this
/// way: whoever has it would be believed (SECURITY D-2).
pub(crate) async fn change_people(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &recipients::Command,
) -> Result<Outcome, sqlx::Error> {
    let people: &[Person] = if let recipients::Command::PutPeople { people } = command {
        people
    } else if let recipients::Command::Import(import) = command {
        &import.people
    } else {
        &[]
    };
    if !people.is_empty()
        && is_incident(conn).await?
        && let Some(key) = changed(conn, people).await?
    {
        let text = format!(
            "while an alert is open, a number of {key} changes only when somebody else vouches for it: `holdfast person \
             change-number`, then `holdfast person vouch-number`"
        );
        return Ok(Outcome::Refused(not_now(&text)));
    }
    recipients::apply(conn, entry, command).await
}

/// Whether an alert is open that is no exercise and no test.
async fn is_incident(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let open = alerts::list(conn, Some(State::Open), None, ALERTS_MAX).await?;
    Ok(open.iter().any(|alert| alert.status == Status::Actual))
}

/// The first of these people who is known and would get a number they do not have.
async fn changed(
    conn: &mut SqliteConnection,
    people: &[Person],
) -> Result<Option<String>, sqlx::Error> {
    let keys: Vec<&str> = people.iter().map(|person| person.key.as_str()).collect();
    let known = recipients::by_keys(conn, &keys).await?;
    let gets_new = |person: &&Person| {
        let before = known.iter().find(|known| known.key == person.key);
        before.is_some_and(|before| {
            let mut numbers = person.methods.iter().filter(|m| m.kind() == "sms");
            numbers.any(|method| !before.methods.contains(method))
        })
    };
    let first = people.iter().find(gets_new);
    Ok(first.map(|person| person.key.clone()))
}

pub(super) async fn ask(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    ask: &AskNumber,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let invalid = |problem: String| Ok(Err(Refusal::Invalid(problem)));
    let Some(person) = recipients::person(conn, &ask.person).await? else {
        return Ok(Err(Refusal::UnknownRecipient(ask.person.clone())));
    };
    let by = match name_of(&ask.by) {
        Ok(by) => by,
        Err(problem) => return invalid(problem),
    };
    let to = match PhoneNumber::parse(&ask.to) {
        Ok(number) => number.as_str().to_owned(),
        Err(error) => return invalid(error.to_string()),
    };
    let prefixes = recipients::prefixes(conn).await?;
    let method = ContactMethod::Sms(to.clone());
    if let Err(problem) = recipients::check_prefix(&prefixes, &method) {
        return invalid(problem);
    }
    if person.methods.contains(&method) {
        return invalid("they have this number already".to_owned());
    }
    let from = match replaced(&person, ask.from.as_deref()) {
        Ok(from) => from,
        Err(problem) => return invalid(problem),
    };
    sqlx::query(
        "insert into number_change (person, old_number, new_number, asked_at_ms, asked_by, asked_name, expires_at_ms) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (person) do update set old_number = ?2, new_number = ?3, \
         asked_at_ms = ?4, asked_by = ?5, asked_name = ?6, expires_at_ms = ?7",
    )
    .bind(&ask.person)
    .bind(from)
    .bind(to)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(by)
    .bind((entry.at + WAIT).0)
    .execute(conn)
    .await?;
    Ok(Ok(()))
}

/// The number of a person that is to go: the one named, or the only one; empty when there is none.
fn replaced(person: &PersonRow, named: Option<&str>) -> Result<String, String> {
    let numbers: Vec<&str> = person
        .methods
        .iter()
        .filter(|method| method.kind() == "sms")
        .map(ContactMethod::address)
        .collect();
    if let Some(named) = named {
        let named = PhoneNumber::parse(named).map_err(|error| error.to_string())?;
        let known = numbers.iter().find(|number| **number == named.as_str());
        return known
            .map(|number| (*number).to_owned())
            .ok_or_else(|| "they have no such number".to_owned());
    }
    match numbers.as_slice() {
        [] => Ok(String::new()),
        [only] => Ok((*only).to_owned()),
        [_, ..] => Err("they have several numbers; say which is to be replaced".to_owned()),
    }
}

pub(super) async fn vouch(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
    by: &str,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let by = match name_of(by) {
        Ok(by) => by,
        Err(problem) => return Ok(Err(Refusal::Invalid(problem))),
    };
    let Some(change) = number_change(conn, key, entry.at).await? else {
        let text = "no change of this person's number waits; ask for it first";
        return Ok(Err(Refusal::NoSuch(text.to_owned())));
    };
    if let Some(refusal) = not_another(conn, entry, key, &change).await? {
        return Ok(Err(refusal));
    }
    let Some(person) = recipients::person(conn, key).await? else {
        return Ok(Err(Refusal::UnknownRecipient(key.to_owned())));
    };
    let old = ContactMethod::Sms(change.from.clone());
    let mut new = person.clone().into_person();
    match new.methods.iter_mut().find(|method| **method == old) {
        Some(method) => *method = ContactMethod::Sms(change.to.clone()),
        None => new.methods.insert(0, ContactMethod::Sms(change.to.clone())),
    }
    let people = vec![new];
    let put = recipients::Command::PutPeople { people };
    if let Outcome::Refused(refusal) = recipients::apply(conn, entry, &put).await? {
        return Ok(Err(refusal));
    }
    let mark = NumberMark {
        number: change.to.clone(),
        changed_at: entry.at,
        asked_by: change.asked_name.clone(),
        vouched_by: by,
        until: entry.at + MARK_TIME,
    };
    recipients::mark_number(conn, person.id, &mark).await?;
    tell_old(conn, entry, &person, &change, &mark).await?;
    sqlx::query("delete from number_change where person = ?")
        .bind(key)
        .execute(conn)
        .await?;
    Ok(Ok(()))
}

/// Why this is not somebody else's word: it is that of whoever asked, or of the person themselves.
async fn not_another(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
    change: &NumberChange,
) -> Result<Option<Refusal>, sqlx::Error> {
    let actor = &entry.envelope.actor;
    if actor.label() == change.asked_by {
        return Ok(Some(not_now(
            "somebody else than who asked must vouch for it",
        )));
    }
    let Actor::Account { name } = actor else {
        return Ok(None);
    };
    let person = accounts::account(conn, name)
        .await?
        .and_then(|account| account.person);
    let Some(person) = person else {
        return Ok(None);
    };
    let asked = match change.asked_by.strip_prefix("account:") {
        Some(asked) => accounts::account(conn, asked)
            .await?
            .and_then(|account| account.person),
        None => None,
    };
    Ok(match person == key || asked.as_ref() == Some(&person) {
        true => Some(not_now(
            "nobody vouches for a number of their own, or twice in one matter",
        )),
        false => None,
    })
}

/// Whoever still has the old phone hears of it.
async fn tell_old(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    person: &PersonRow,
    change: &NumberChange,
    mark: &NumberMark,
) -> Result<(), sqlx::Error> {
    if change.from.is_empty() {
        return Ok(());
    }
    let language = Language::parse(&person.language);
    let organisation = nodes::organisation(conn).await?;
    let body = texts::number_changed(
        language,
        &organisation,
        &change.to,
        (&mark.asked_by, &mark.vouched_by),
    );
    let update = Update {
        alert: None,
        recipient: Some(person.id),
        kind: "sms",
        address: change.from.clone(),
        language: language.tag(),
        lane: Lane::Human,
        critical: false,
        code: String::new(),
        subject: String::new(),
        body,
    };
    deliveries::update(conn, entry, &[update]).await
}

fn name_of(name: &str) -> Result<String, String> {
    let name = texts::clean(name);
    match name.chars().count() {
        1..=NAME_LEN_MAX => Ok(name),
        _ => Err(format!("say who it is, in 1 to {NAME_LEN_MAX} characters")),
    }
}
