//! From an alarm to people: whom a source calls, the brake per person, and the alert.

use sqlx::SqliteConnection;

use super::bundles::{self, Gathering};
use super::command::{Brake, Kind, Mapping, OnResolve, Source};
use super::{query, redirect, rules, scope};
use crate::alerts::{
    self, DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS, Payer, Raise, Step,
};
use crate::apply::Entry;
use crate::ids::{AlertId, RecipientId, RoomId, digest16};
use crate::oncall::{self, Called, OnDuty};
use crate::outcome::Outcome;
use crate::texts::{self, Language};
use crate::time::Timestamp;
use crate::vocabulary::{Conduct, Severity, Status};
use crate::{conversations, limits, nodes, rows};

/// What an alarm came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// People are called to an alert of its own.
    Alert(AlertId),
    /// All of them have had so many alarms lately that it was added to an alert that gathers them.
    Gathered(AlertId),
    /// There is nobody to call.
    Nobody,
}

/// Something to tell people about.
#[derive(Clone, Debug)]
pub(super) struct Alarm<'a> {
    pub(super) source: &'a Source,
    /// The alert's own key.
    pub(super) key: String,
    pub(super) texts: Vec<(String, String)>,
    pub(super) severity: Severity,
    pub(super) status: Status,
    /// Tells alarms of one entry apart.
    pub(super) place: u64,
    /// The signal behind it has a row of its own.
    pub(super) listed: bool,
}

/// Calls whom the source names, except those who have had their share; these get one alert that counts.
pub(super) async fn alarm(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alarm: Alarm<'_>,
) -> Result<Told, sqlx::Error> {
    let settings = query::settings(conn).await?;
    let mut alarm = alarm;
    let whom = redirect::whom(conn, alarm.source, entry.at).await?;
    let mut people = everyone(conn, &whom.calls, entry.at).await?;
    if people.is_empty() {
        people = everyone(conn, &settings.duty, entry.at).await?;
        alarm.texts = in_all(|language| texts::nobody(language, text_in(&alarm.texts, language)));
    }
    if people.is_empty() {
        let said = format!(
            "{}: nobody could be told: {}",
            alarm.source.name,
            text_in(&alarm.texts, Language::english())
        );
        say_to_duty(conn, entry, &said).await?;
        return Ok(Told::Nobody);
    }
    let account = limits::account_of_source(&alarm.source.key);
    if alarm.severity != Severity::Critical
        && limits::used_up(conn, entry.at, &account).await?.is_some()
    {
        return over_budget(conn, entry, &alarm, &people).await;
    }
    let crowded = had_their_share(conn, entry, &alarm, &people, settings.person_alarms).await?;
    let (over, under): (Vec<_>, Vec<_>) = people.into_iter().partition(|id| crowded.contains(id));
    let mut told = Told::Nobody;
    if !over.is_empty() {
        let these = data_encoding::HEXLOWER.encode(&digest_of(&over));
        let scope = scope(alarm.status, "people", &these);
        let minutes = rules::PERSON_WINDOW_MS.unsigned_abs() / 60_000;
        let first = in_all(|language| {
            let newest = text_in(&alarm.texts, language);
            texts::overflow(language, settings.person_alarms, minutes, newest)
        });
        let gathering = Gathering {
            scope: &scope,
            source_name: "Holdfast",
            first,
            window_ms: rules::PERSON_WINDOW_MS,
            tell_every_ms: rules::PERSON_WINDOW_MS,
            closes: true,
        };
        if let Some(alert) = bundles::gather(conn, entry, &gathering, &alarm, &over).await? {
            told = Told::Gathered(alert);
        }
    }
    if !under.is_empty()
        && let Some(alert) = raise(conn, entry, &alarm, &under).await?
    {
        remember(conn, entry, alert, &alarm, &under).await?;
        told = Told::Alert(alert);
    }
    Ok(told)
}

/// The budget is used up: the alarms of this source are gathered in one alert. Its mails leave; texts that must not are
/// failed deliveries with the reason.
async fn over_budget(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alarm: &Alarm<'_>,
    people: &[RecipientId],
) -> Result<Told, sqlx::Error> {
    let scope = format!("budget:{}", alarm.source.key);
    let first = in_all(|language| {
        texts::over_budget(
            language,
            &alarm.source.name,
            text_in(&alarm.texts, language),
        )
    });
    let gathering = Gathering {
        scope: &scope,
        source_name: &alarm.source.name,
        first,
        window_ms: rules::PERSON_WINDOW_MS,
        tell_every_ms: rules::PERSON_WINDOW_MS,
        closes: true,
    };
    let gathered = bundles::gather(conn, entry, &gathering, alarm, people).await?;
    Ok(gathered.map_or(Told::Nobody, Told::Gathered))
}

/// Raises the alert itself. `None` when a rule of alerts says no.
pub(super) async fn raise(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alarm: &Alarm<'_>,
    people: &[RecipientId],
) -> Result<Option<AlertId>, sqlx::Error> {
    let id = AlertId::derive(&[
        entry.envelope.request.as_bytes(),
        alarm.key.as_bytes(),
        &alarm.place.to_be_bytes(),
    ]);
    let whom = redirect::whom(conn, alarm.source, entry.at).await?;
    let on_call = duties(conn, &whom.calls, people, entry.at).await?;
    let new = Raise {
        severity: alarm.severity,
        status: alarm.status,
        texts: alarm.texts.clone(),
        gather: alarm.source.gather.clone(),
        gather_in: Vec::new(),
        aware_at: None,
        steps: vec![Step {
            delay_ms: 0,
            recipients: people.to_vec(),
            enough: Vec::new(),
        }],
        notes: whom.note.into_iter().collect(),
        needed: 1,
        repeat_every_ms: DEFAULT_REPEAT_EVERY_MS,
        repeats: DEFAULT_REPEATS,
        validity_ms: DEFAULT_VALIDITY_MS,
        fallback: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: Conduct {
            // A test of a source wakes nobody more than it says.
            quiet: alarm.status == Status::Test,
            ..Conduct::default()
        },
        lead: Vec::new(),
        on_call,
        dedup_key: Some(alarm.key.clone()),
        source: alarm.source.name.clone(),
        template: None,
    };
    let account = limits::account_of_source(&alarm.source.key);
    let payer = Payer::Account(&account);
    Ok(
        match alerts::raise_for(conn, entry, id, &new, &payer).await? {
            Outcome::Applied(_) | Outcome::Unchanged => Some(id),
            Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_) => None,
        },
    )
}

/// Calls those on duty to something that came in by itself, under a key of the caller's; `None`: there is nobody.
pub(crate) async fn call_duty(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
    text: impl Fn(Language) -> String,
) -> Result<Option<AlertId>, sqlx::Error> {
    let settings = query::settings(conn).await?;
    let source = Source {
        key: "reports".to_owned(),
        name: "Reports".to_owned(),
        kind: Kind::Contact,
        calls: settings.duty,
        severity: Severity::Normal,
        severities: Vec::new(),
        gather: String::new(),
        mapping: Mapping::default(),
        on_resolve: OnResolve::Close,
        brake: Brake::default(),
        beat: None,
        enabled: true,
        answers: false,
    };
    let new = Alarm {
        source: &source,
        key: key.to_owned(),
        texts: in_all(text),
        severity: source.severity,
        status: Status::Actual,
        place: 0,
        listed: false,
    };
    Ok(match alarm(conn, entry, new).await? {
        Told::Alert(alert) | Told::Gathered(alert) => Some(alert),
        Told::Nobody => None,
    })
}

/// Everyone these names mean now, each once; a name that means nobody any more, or a schedule with nobody on call, does
/// not keep the others from being told.
pub(super) async fn everyone(
    conn: &mut SqliteConnection,
    names: &[Called],
    now: Timestamp,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let mut people: Vec<RecipientId> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    let now = nodes::civil(conn).await?.at(now);
    for name in names {
        let found = oncall::resolve(conn, std::slice::from_ref(name), now).await?;
        let found = found.unwrap_or_default().people;
        people.extend(found.into_iter().filter(|id| known.insert(*id)));
    }
    Ok(people)
}

/// The schedules among these names, with those on call in each whom the alert calls.
async fn duties(
    conn: &mut SqliteConnection,
    names: &[Called],
    people: &[RecipientId],
    now: Timestamp,
) -> Result<Vec<OnDuty>, sqlx::Error> {
    let now = nodes::civil(conn).await?.at(now);
    let mut duties = Vec::new();
    for name in names {
        let found = oncall::resolve(conn, std::slice::from_ref(name), now).await?;
        oncall::add_duties(&mut duties, found.unwrap_or_default().on_call);
    }
    for duty in &mut duties {
        duty.people.retain(|person| people.contains(person));
    }
    Ok(duties)
}

/// Those of `people` whom so many automatic alarms of this severity or worse called lately that no more may. Drills are
/// counted by themselves.
async fn had_their_share(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alarm: &Alarm<'_>,
    people: &[RecipientId],
    most: u16,
) -> Result<std::collections::BTreeSet<RecipientId>, sqlx::Error> {
    let since = entry.at.0 - rules::PERSON_WINDOW_MS;
    sqlx::query("delete from source_told where at_ms <= ?")
        .bind(since)
        .execute(&mut *conn)
        .await?;
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select t.recipient_id from json_each(?1) j join source_told t on t.recipient_id = unhex(j.value) \
         where t.severity >= ?2 and t.status = ?4 group by t.recipient_id having count(*) >= ?3 order by t.recipient_id",
    )
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .bind(alarm.severity.rank())
    .bind(i64::from(most))
    .bind(alarm.status.name())
    .fetch_all(conn)
    .await?;
    Ok(RecipientId::from_rows(&found)?.into_iter().collect())
}

async fn remember(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    alarm: &Alarm<'_>,
    people: &[RecipientId],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into source_told (recipient_id, alert_id, severity, status, at_ms) \
         select unhex(value), ?, ?, ?, ? from json_each(?) where true order by value on conflict do nothing",
    )
    .bind(alert.as_bytes())
    .bind(alarm.severity.rank())
    .bind(alarm.status.name())
    .bind(entry.at.0)
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Names a set of people, whatever order they are called in.
fn digest_of(people: &[RecipientId]) -> [u8; 16] {
    let mut sorted: Vec<&[u8]> = people.iter().map(RecipientId::as_bytes).collect();
    sorted.sort_unstable();
    digest16("people", &sorted)
}

/// The scope of a bundle of heartbeats that fell silent together, by whom they call.
pub(super) fn scope_of_silent(people: &[RecipientId]) -> String {
    format!(
        "beats:{}",
        data_encoding::HEXLOWER.encode(&digest_of(people))
    )
}

/// Writes a line for whoever is on duty.
pub(super) async fn say_to_duty(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    text: &str,
) -> Result<(), sqlx::Error> {
    let text = texts::clip(text, 2_000);
    conversations::post(conn, entry, RoomId::DUTY_INBOX, "Holdfast", "system", &text).await?;
    Ok(())
}

/// The text in a language, else the one that serves missing ones.
pub(super) fn text_in(texts: &[(String, String)], language: Language) -> &str {
    let own = texts.iter().find(|(tag, _)| tag == language.tag());
    own.or(texts.first()).map_or("", |(_, text)| text)
}

/// A text of ours in every language; English first, because it serves languages that are missing.
pub(super) fn in_all(text: impl Fn(Language) -> String) -> Vec<(String, String)> {
    Language::all()
        .iter()
        .map(|language| (language.tag().to_owned(), text(*language)))
        .collect()
}
