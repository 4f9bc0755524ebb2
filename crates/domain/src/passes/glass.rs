//! Break-glass cards: a code on paper in a sealed envelope at each site, which lets somebody in when every other factor is
//! gone (SECURITY §2.5). Writes to `glass_card`.
//!
//! Two people make a card: it opens nothing before somebody else than its maker says so. It opens one session, once, and
//! everybody who answers for the system is told at once.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::OpenByCard;
use super::apply::not_now;
use crate::access::accounts::{self, AccountRow};
use crate::access::{GLASS_TIME, Role};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::envelope::Actor;
use crate::nodes;
use crate::outcome::Refusal;
use crate::recipients::{self, PersonRow};
use crate::rows;
use crate::texts::{self, Language};
use crate::time::Timestamp;

/// How long a card waits for a second person.
pub const CARD_WAIT: std::time::Duration = std::time::Duration::from_secs(24 * 3_600);

/// Cards that are neither used nor ended, of all sites.
pub const CARDS_MAX: usize = 50;

/// Characters of a site's name.
pub const SITE_LEN_MAX: usize = 40;

/// Most people told of a use, so that one entry of the log stays small.
const TOLD_MAX: usize = 200;

/// Cards listed at once.
const LISTED_MAX: i64 = 500;

/// Where a card stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardState {
    /// Made, and waits for a second person.
    Waiting,
    /// Opens the door, once.
    Ready,
    /// It has opened the door.
    Used,
    /// Revoked, or replaced by a newer one of its site.
    Ended,
    /// Nobody confirmed it in time, or the cluster's state was recovered or restored since.
    Void,
}

impl CardState {
    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Used => "used",
            Self::Ended => "ended",
            Self::Void => "void",
        }
    }
}

/// A card without its code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardRow {
    pub id: String,
    /// Where the envelope lies.
    pub site: String,
    pub made_at: Timestamp,
    /// The actor.
    pub made_by: String,
    pub confirmed_at: Option<Timestamp>,
    /// The actor; empty while it waits.
    pub confirmed_by: String,
    pub used_at: Option<Timestamp>,
    /// The device it let in, as whoever used it calls it.
    pub used_on: String,
    /// What it opened; empty while unused.
    pub session: String,
    pub ended_at: Option<Timestamp>,
    pub ended_by: String,
    /// The epoch it was made in, and the one the state is in.
    epochs: (i64, i64),
}

impl CardRow {
    pub fn state(&self, now: Timestamp) -> CardState {
        if self.used_at.is_some() {
            CardState::Used
        } else if self.ended_at.is_some() {
            CardState::Ended
        } else if self.epochs.0 != self.epochs.1 {
            CardState::Void
        } else if self.confirmed_at.is_some() {
            CardState::Ready
        } else if now < self.made_at + CARD_WAIT {
            CardState::Waiting
        } else {
            CardState::Void
        }
    }
}

/// A card's session that lives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenGlass {
    pub site: String,
    pub until: Timestamp,
}

/// The account that cards of a site open.
pub fn glass_account(site: &str) -> String {
    format!("glass-{site}")
}

/// Cards, the newest first.
pub async fn cards(conn: &mut SqliteConnection) -> Result<Vec<CardRow>, sqlx::Error> {
    let found = sqlx::query(
        "select *, coalesce((select c.epoch from cluster c where c.id = 1), 1) as now_epoch from glass_card \
         order by made_at_ms desc, card_id limit ?",
    )
    .bind(LISTED_MAX)
    .fetch_all(conn)
    .await?;
    found.iter().map(card_row).collect()
}

/// The card of this id.
pub async fn card(conn: &mut SqliteConnection, id: &str) -> Result<Option<CardRow>, sqlx::Error> {
    let found = sqlx::query(
        "select *, coalesce((select c.epoch from cluster c where c.id = 1), 1) as now_epoch from glass_card \
         where card_id = ?",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    found.as_ref().map(card_row).transpose()
}

/// Whether this is the code of a card, by its SHA-256.
pub async fn is_card_code(
    conn: &mut SqliteConnection,
    id: &str,
    code_hash: &[u8; 32],
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from glass_card where card_id = ? and code_hash = ?)",
    )
    .bind(id)
    .bind(code_hash.as_slice())
    .fetch_one(conn)
    .await
}

/// Whether somebody is in by a card now; of several, the one that was opened last.
pub async fn open_glass(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Option<OpenGlass>, sqlx::Error> {
    let found = sqlx::query(
        "select g.site, s.opened_at_ms from glass_card g join session s on s.session_id = g.session_id \
         where s.ended_at_ms is null and s.opened_at_ms > ? \
         and s.epoch = coalesce((select c.epoch from cluster c where c.id = 1), 1) \
         order by s.opened_at_ms desc, g.card_id limit 1",
    )
    .bind((now - GLASS_TIME).0)
    .fetch_optional(conn)
    .await?;
    found
        .map(|row| {
            Ok(OpenGlass {
                site: row.try_get("site")?,
                until: rows::time(&row, "opened_at_ms")? + GLASS_TIME,
            })
        })
        .transpose()
}

fn card_row(row: &SqliteRow) -> Result<CardRow, sqlx::Error> {
    Ok(CardRow {
        id: row.try_get("card_id")?,
        site: row.try_get("site")?,
        made_at: rows::time(row, "made_at_ms")?,
        made_by: row.try_get("made_by")?,
        confirmed_at: rows::time_opt(row, "confirmed_at_ms")?,
        confirmed_by: row.try_get("confirmed_by")?,
        used_at: rows::time_opt(row, "used_at_ms")?,
        used_on: row.try_get("used_on")?,
        session: row.try_get("session_id")?,
        ended_at: rows::time_opt(row, "ended_at_ms")?,
        ended_by: row.try_get("ended_by")?,
        epochs: (row.try_get("epoch")?, row.try_get("now_epoch")?),
    })
}

/// Makes a card that opens nothing yet.
pub(super) async fn make(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (id, site): (&str, &str),
    code_hash: &[u8; 32],
) -> Result<Result<(), Refusal>, sqlx::Error> {
    if !accounts::is_name(site) || site.len() > SITE_LEN_MAX {
        let text = format!(
            "a site has 1 to {SITE_LEN_MAX} lower-case letters, digits, dots, dashes and underscores"
        );
        return Ok(Err(Refusal::Invalid(text)));
    }
    let known = cards(conn).await?;
    let open = known
        .iter()
        .filter(|card| matches!(card.state(entry.at), CardState::Waiting | CardState::Ready));
    if open.count() >= CARDS_MAX {
        let text = format!("there are {CARDS_MAX} cards that are not used; revoke one first");
        return Ok(Err(not_now(&text)));
    }
    let name = glass_account(site);
    let shown = format!("Break-glass card, {site}");
    if !accounts::add_glass_account(conn, entry, (&name, &shown)).await? {
        let text = format!(
            "there is an account {name} already, which is no card's; name the site otherwise"
        );
        return Ok(Err(not_now(&text)));
    }
    sqlx::query(
        "insert into glass_card (card_id, site, code_hash, made_at_ms, made_by, confirmed_by, used_on, session_id, \
         ended_by, epoch) values (?, ?, ?, ?, ?, '', '', '', '', \
         coalesce((select c.epoch from cluster c where c.id = 1), 1)) on conflict (card_id) do nothing",
    )
    .bind(id)
    .bind(site)
    .bind(code_hash.as_slice())
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(Ok(()))
}

/// A second person says that the card is sealed. Earlier ones of the site open nothing any more.
pub(super) async fn confirm(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: &str,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let Some(found) = card(conn, id).await? else {
        return Ok(Err(unknown()));
    };
    let refused = match found.state(entry.at) {
        CardState::Waiting => None,
        CardState::Ready => Some("this card is confirmed already"),
        CardState::Used | CardState::Ended => Some("this card is over; make a new one"),
        CardState::Void => {
            Some("this card waited too long, or is of a state before a restore; make a new one")
        }
    };
    if let Some(text) = refused {
        return Ok(Err(not_now(text)));
    }
    if !is_another(conn, &entry.envelope.actor, &found.made_by).await? {
        let text = "somebody else than who made the card must confirm it: two people make a card";
        return Ok(Err(not_now(text)));
    }
    sqlx::query(
        "update glass_card set ended_at_ms = ?1, ended_by = 'card ' || ?2 where site = ?3 and card_id <> ?2 \
         and used_at_ms is null and ended_at_ms is null and confirmed_at_ms is not null",
    )
    .bind(entry.at.0)
    .bind(id)
    .bind(&found.site)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update glass_card set confirmed_at_ms = ?, confirmed_by = ? where card_id = ?")
        .bind(entry.at.0)
        .bind(entry.envelope.actor.label())
        .bind(id)
        .execute(conn)
        .await?;
    Ok(Ok(()))
}

/// Whether an actor is somebody else than the one of this label, as far as can be told.
async fn is_another(
    conn: &mut SqliteConnection,
    actor: &Actor,
    label: &str,
) -> Result<bool, sqlx::Error> {
    if actor.label() == label {
        return Ok(false);
    }
    let (Actor::Account { name }, Some(other)) = (actor, label.strip_prefix("account:")) else {
        return Ok(true);
    };
    let person = |account: Option<AccountRow>| account.and_then(|account| account.person);
    let one = person(accounts::account(conn, name).await?);
    let other = person(accounts::account(conn, other).await?);
    Ok(one.is_none() || one != other)
}

/// A card opens nothing any more, and what it opened ends.
pub(super) async fn end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: &str,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let Some(found) = card(conn, id).await? else {
        return Ok(Err(unknown()));
    };
    sqlx::query(
        "update glass_card set ended_at_ms = ?, ended_by = ? where card_id = ? and ended_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(id)
    .execute(&mut *conn)
    .await?;
    if !found.session.is_empty() {
        accounts::end_glass(conn, entry, &found.session).await?;
    }
    Ok(Ok(()))
}

/// Somebody broke the glass: lets them in, once, and tells everybody who answers for the system.
pub(super) async fn open(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    by: &OpenByCard,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let nothing = || {
        let text = "this card opens nothing: it was used, revoked, replaced or not yet confirmed, or the code was mistyped";
        Ok(Err(not_now(text)))
    };
    let found = sqlx::query(
        "select *, coalesce((select c.epoch from cluster c where c.id = 1), 1) as now_epoch from glass_card \
         where code_hash = ? order by card_id limit 1",
    )
    .bind(by.code_hash.as_slice())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(found) = found.as_ref().map(card_row).transpose()? else {
        return nothing();
    };
    if found.state(entry.at) != CardState::Ready {
        return nothing();
    }
    sqlx::query(
        "update glass_card set used_at_ms = ?, used_on = ?, session_id = ? where card_id = ?",
    )
    .bind(entry.at.0)
    .bind(&by.device.name)
    .bind(&by.session.id)
    .bind(&found.id)
    .execute(&mut *conn)
    .await?;
    let name = glass_account(&found.site);
    accounts::open_glass(conn, entry, &name, &by.session, &by.device).await?;
    tell(conn, entry, &found).await?;
    Ok(Ok(()))
}

/// Tells those who answer for the system, over every way they have.
async fn tell(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    card: &CardRow,
) -> Result<(), sqlx::Error> {
    let organisation = nodes::organisation(conn).await?;
    let mut updates = Vec::new();
    for person in told(conn, entry.at).await? {
        let language = Language::parse(&person.language);
        let body = texts::glass_broken(language, &organisation, &card.site, &card.id);
        for method in &person.methods {
            updates.push(Update {
                alert: None,
                recipient: Some(person.id),
                kind: method.kind(),
                address: method.address().to_owned(),
                language: language.tag(),
                lane: Lane::Human,
                // No budget keeps it back.
                critical: true,
                code: String::new(),
                subject: texts::clip(&body, 70),
                body: body.clone(),
            });
        }
    }
    deliveries::update(conn, entry, &updates).await
}

/// Those who answer for the system: admins, auditors and incident managers who are people of the directory, each once.
async fn told(conn: &mut SqliteConnection, now: Timestamp) -> Result<Vec<PersonRow>, sqlx::Error> {
    let roles = [Role::Admin, Role::Auditor, Role::IncidentManager];
    let mut people: Vec<PersonRow> = Vec::new();
    for account in accounts::accounts(conn).await? {
        let answers = roles.iter().any(|role| account.roles.0.contains(role));
        let Some(key) = account
            .person
            .as_ref()
            .filter(|_| answers && account.lets_in(now))
        else {
            continue;
        };
        let Some(person) = recipients::person(conn, key).await? else {
            continue;
        };
        if people.len() < TOLD_MAX && people.iter().all(|known| known.id != person.id) {
            people.push(person);
        }
    }
    Ok(people)
}

fn unknown() -> Refusal {
    Refusal::NoSuch("there is no such card; see `holdfast account glass list`".to_owned())
}
