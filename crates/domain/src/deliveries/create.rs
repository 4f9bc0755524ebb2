//! What is newly owed: pages, call-offs, replies, and the texts frozen for them. Ids say what a delivery is for, so
//! owing the same thing twice owes it once.

use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::rules::{SUMMARISED, ways};
use super::{Lane, NONE, Purpose, RING, State, Summary};
use crate::apply::Entry;
use crate::ids::{AlertId, DeliveryId, NodeId, RecipientId};
use crate::recipients::{self, ContactMethod, PersonRow, Prefixes};
use crate::rows;
use crate::texts::{self, Language};

/// How long a reply to a text is worth sending.
const REPLY_VALIDITY_MS: i64 = 3_600_000;

/// People to be paged about an alert in one go.
pub(crate) struct NewPage<'a> {
    pub(crate) alert: AlertId,
    pub(crate) step: u16,
    pub(crate) round: u16,
    pub(crate) lane: Lane,
    pub(crate) critical: bool,
    /// Over every contact method at once.
    pub(crate) at_once: bool,
    pub(crate) validity_ms: i64,
    /// Kinds of contact method the alert asks for; empty: each person's own order.
    pub(crate) wished: &'a [String],
    /// Another history may have owed and sent the same.
    pub(crate) possible_repeat: bool,
    /// Set when phones are rung to wake people.
    pub(crate) waking: Option<Waking<'a>>,
    pub(crate) people: &'a [Paged<'a>],
}

/// What is said to somebody who is to wake another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waking<'a> {
    pub(crate) organisation: &'a str,
    /// The alert's number as people say it.
    pub(crate) number: &'a str,
}

/// One person with the code that answers this alert.
pub(crate) struct Paged<'a> {
    pub(crate) id: RecipientId,
    pub(crate) code: &'a str,
    /// Absent when the person was removed since the alert was raised.
    pub(crate) person: Option<&'a PersonRow>,
}

/// Owes each person a text per contact method, as [`ways`] says. What cannot be sent at all becomes a failed delivery, so
/// that it is seen: somebody without contact methods, a number whose beginning is not allowed.
pub(crate) async fn create_pages(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    page: &NewPage<'_>,
) -> Result<u64, sqlx::Error> {
    let prefixes = recipients::prefixes(conn).await?;
    let mut new = Vec::new();
    if let Some(waking) = page.waking {
        new.extend(wakes(conn, page, waking, &prefixes).await?);
        end_earlier_rings(conn, entry, page).await?;
    }
    for paged in page.people {
        let methods = paged.person.map_or(&[][..], |person| &person.methods);
        let language = Language::parse(paged.person.map_or("", |person| &person.language)).tag();
        let mut row = |method: usize, kind: &str, address: &str, state: State, reason: &str| {
            let id = DeliveryId::among(
                &page.alert,
                &paged.id,
                &[
                    b"page",
                    &page.step.to_be_bytes(),
                    &page.round.to_be_bytes(),
                    &(method as u64).to_be_bytes(),
                ],
            );
            new.push(json!([
                data_encoding::HEXUPPER.encode(id.as_bytes()),
                data_encoding::HEXUPPER.encode(paged.id.as_bytes()),
                method,
                kind,
                address,
                language,
                state.name(),
                reason,
                paged.code,
                Purpose::Page.name(),
                "",
                page.lane.rank()
            ]));
        };
        let refused = |method: &ContactMethod| recipients::check_prefix(&prefixes, method).err();
        let usable = methods.iter().filter(|method| refused(method).is_none());
        let usable: Vec<ContactMethod> = usable.cloned().collect();
        let ways = ways(&usable, page.wished, page.at_once);
        let barred = methods
            .iter()
            .filter_map(|method| Some((method, refused(method)?)));
        for (position, (method, reason)) in barred.enumerate() {
            let behind = ways.len() + position;
            row(
                behind,
                method.kind(),
                method.address(),
                State::Failed,
                &reason,
            );
        }
        for (position, (method, at_once)) in ways.into_iter().enumerate() {
            let state = if at_once {
                State::Pending
            } else {
                State::Standby
            };
            row(position, method.kind(), method.address(), state, "");
        }
        if methods.is_empty() {
            row(
                0,
                "none",
                "",
                State::Failed,
                "no contact method; add a phone number or a mail address",
            );
        }
    }
    let made = sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms, validity_ms) \
         select unhex(value ->> 0), ?1, unhex(value ->> 1), value ->> 9, ?2, ?3, value ->> 2, value ->> 3, value ->> 4, \
         value ->> 5, value ->> 11, ?4, value ->> 6, value ->> 7, value ->> 8, '', value ->> 10, ?8, 0, \
         (value ->> 9 = 'page'), 0, 0, '', ?5, ?5, ?5, ?6, \
         case when value ->> 6 in ('failed', 'cancelled') then ?5 end, ?9 from json_each(?7) where true order by key \
         on conflict (delivery_id) do nothing",
    )
    .bind(page.alert.as_bytes())
    .bind(i64::from(page.step))
    .bind(i64::from(page.round))
    .bind(page.critical)
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(page.validity_ms))
    .bind(rows::to_json(&new)?)
    .bind(page.possible_repeat)
    .bind(page.validity_ms)
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

/// The first place of contact methods of somebody who wakes another, behind all of that person's own.
const WAKER_METHODS: usize = 100;

/// What wakes people: their phones ring once their text has left, and whoever they named is asked to wake them and rung as
/// well (PRODUCT L-29).
async fn wakes(
    conn: &mut SqliteConnection,
    page: &NewPage<'_>,
    waking: Waking<'_>,
    prefixes: &Prefixes,
) -> Result<Vec<serde_json::Value>, sqlx::Error> {
    let known = || page.people.iter().filter_map(|paged| paged.person);
    let keys: Vec<&str> = known()
        .filter_map(|person| person.details.wishes.wake_by.as_deref())
        .collect();
    let wakers = match keys.as_slice() {
        [] => Vec::new(),
        keys => recipients::by_keys(conn, keys).await?,
    };
    // A ring never holds up a text somebody waits for.
    let lane = page.lane.max(Lane::FirstOfSource);
    let mut new = Vec::new();
    let mut owe = |to: RecipientId, method: usize, kind: &str, number: &str, what: &Owing<'_>| {
        let id = DeliveryId::among(
            &page.alert,
            &what.sleeper,
            &[
                b"wake",
                kind.as_bytes(),
                &page.step.to_be_bytes(),
                &page.round.to_be_bytes(),
                &(method as u64).to_be_bytes(),
            ],
        );
        new.push(json!([
            data_encoding::HEXUPPER.encode(id.as_bytes()),
            data_encoding::HEXUPPER.encode(to.as_bytes()),
            method,
            kind,
            number,
            what.language,
            what.state.name(),
            what.reason,
            "",
            Purpose::Wake.name(),
            what.body,
            what.lane.rank()
        ]));
    };
    for sleeper in known() {
        let wishes = &sleeper.details.wishes;
        let ring = |person: &PersonRow| Owing {
            sleeper: sleeper.id,
            language: Language::parse(&person.language).tag(),
            body: String::new(),
            lane,
            state: match person.details.wishes.never_voice {
                true => State::Cancelled,
                false => State::Standby,
            },
            reason: match person.details.wishes.never_voice {
                true => "never by voice, as they wish",
                false => "",
            },
        };
        for (method, number) in phones(sleeper, prefixes).enumerate() {
            owe(sleeper.id, method, RING, number, &ring(sleeper));
        }
        let waker = wishes
            .wake_by
            .as_deref()
            .and_then(|key| wakers.iter().find(|person| person.key == key));
        if let Some(waker) = waker {
            let language = Language::parse(&waker.language);
            let ask = Owing {
                body: texts::wake(language, waking.organisation, waking.number, &sleeper.name),
                lane: page.lane,
                state: State::Pending,
                reason: "",
                ..ring(waker)
            };
            for (method, number) in phones(waker, prefixes).enumerate() {
                owe(waker.id, WAKER_METHODS + method, "sms", number, &ask);
                // Ends with the sleeper's answer, so it is owed to the sleeper.
                owe(
                    sleeper.id,
                    WAKER_METHODS + method,
                    RING,
                    number,
                    &ring(waker),
                );
            }
        }
    }
    Ok(new)
}

/// One thing owed to wake somebody.
struct Owing<'a> {
    sleeper: RecipientId,
    language: &'a str,
    body: String,
    lane: Lane,
    state: State,
    reason: &'a str,
}

/// Numbers of a person that may be called.
fn phones<'a>(person: &'a PersonRow, prefixes: &'a Prefixes) -> impl Iterator<Item = &'a str> {
    let usable = person.methods.iter().filter(|method| {
        method.kind() == "sms" && recipients::check_prefix(prefixes, method).is_ok()
    });
    usable.map(ContactMethod::address)
}

/// A later round rings anew; what an earlier one has not begun is not rung beside it.
async fn end_earlier_rings(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    page: &NewPage<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update delivery set state = 'cancelled', reason = 'a later round rings', ended_at_ms = ?1 \
         where alert_id = ?2 and recipient_id in (select unhex(value) from json_each(?3)) and purpose = 'wake' \
         and kind = 'ring' and round < ?4 and state in ('standby', 'pending')",
    )
    .bind(entry.at.0)
    .bind(page.alert.as_bytes())
    .bind(rows::hex_array(
        page.people.iter().map(|paged| paged.id.as_bytes()),
    ))
    .bind(i64::from(page.round))
    .execute(conn)
    .await?;
    Ok(())
}

/// A text of one purpose in one language over one kind of channel.
pub(crate) struct FrozenText {
    pub(crate) language: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) body: String,
}

/// Freezes an alert's texts for a purpose (DESIGN C4). The first freeze stays.
pub(crate) async fn freeze_texts(
    conn: &mut SqliteConnection,
    alert: AlertId,
    purpose: Purpose,
    texts: &[FrozenText],
) -> Result<(), sqlx::Error> {
    let all: Vec<_> = texts
        .iter()
        .map(|t| json!([t.language, t.kind, t.subject, t.body]))
        .collect();
    sqlx::query(
        "insert into delivery_text (alert_id, purpose, language, kind, subject, body) \
         select ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each(?3) where true order by key \
         on conflict (alert_id, purpose, language, kind) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(purpose.name())
    .bind(rows::to_json(&all)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether an alert's texts for a purpose are frozen here.
pub(crate) async fn has_texts(
    conn: &mut SqliteConnection,
    alert: AlertId,
    purpose: Purpose,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from delivery_text where alert_id = ? and purpose = ?)",
    )
    .bind(alert.as_bytes())
    .bind(purpose.name())
    .fetch_one(conn)
    .await
}

/// Purposes of an alert's deliveries that have neither words of their own nor frozen ones. Ended ones count: a page that
/// was delivered leaves again when its number goes dark.
pub(crate) async fn purposes_without_text(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<Purpose>, sqlx::Error> {
    let found: Vec<String> = sqlx::query_scalar(
        "select distinct d.purpose from delivery d where d.alert_id = ?1 and d.body = '' and d.kind <> 'ring' \
         and not exists (select 1 from delivery_text t where t.alert_id = ?1 and t.purpose = d.purpose) \
         order by d.purpose",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    Ok(found.iter().map(|name| Purpose::parse(name)).collect())
}

/// Owes everyone in `people` who was or may have been told about the alert a call-off, over each method they may have
/// been told by, in the order given.
pub(crate) async fn call_off(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    critical: bool,
    validity_ms: i64,
    people: &[RecipientId],
) -> Result<u64, sqlx::Error> {
    let told = sqlx::query(
        "select j.key as place, d.recipient_id, d.method, d.kind, d.address, d.language, d.code \
         from json_each(?1) j join delivery d on d.alert_id = ?2 and d.recipient_id = unhex(j.value) and d.purpose = 'page' \
         where (d.reason = 'told in a summary' \
          or exists (select 1 from attempt a where a.delivery_id = d.delivery_id and a.state <> 'refused')) \
         group by j.key, d.recipient_id, d.method order by j.key, d.method",
    )
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .bind(alert.as_bytes())
    .fetch_all(&mut *conn)
    .await?;
    let mut new = Vec::with_capacity(told.len());
    for row in &told {
        let recipient = RecipientId::from_row(row.try_get("recipient_id")?)?;
        let method: i64 = row.try_get("method")?;
        let id = DeliveryId::among(&alert, &recipient, &[b"call_off", &method.to_be_bytes()]);
        new.push(json!([
            data_encoding::HEXUPPER.encode(id.as_bytes()),
            data_encoding::HEXUPPER.encode(recipient.as_bytes()),
            method,
            row.try_get::<&str, _>("kind")?,
            row.try_get::<&str, _>("address")?,
            row.try_get::<&str, _>("language")?,
            row.try_get::<&str, _>("code")?,
            // Those who answered first are told first: order of leaving is (lane, due, id), so the place is the due time.
            row.try_get::<i64, _>("place")?
        ]));
    }
    let made = sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms) \
         select unhex(value ->> 0), ?1, unhex(value ->> 1), 'call_off', 0, 0, value ->> 2, value ->> 3, value ->> 4, \
         value ->> 5, ?2, ?3, 'pending', '', value ->> 6, '', '', 0, 0, 0, 0, 0, '', ?4, ?4, ?5 + (value ->> 7), ?6, null \
         from json_each(?7) where true order by key on conflict (delivery_id) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(Lane::CallOff.rank())
    .bind(critical)
    .bind(entry.at.0)
    // Backdated by a page's length, so that none is due later than now.
    .bind(entry.at.0 - people.len() as i64)
    .bind(entry.at.0.saturating_add(validity_ms))
    .bind(rows::to_json(&new)?)
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

/// Owes one text in place of all that is still untold of what it stands for.
pub(super) async fn summarise(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    summary: &Summary,
) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query(
        "update delivery set state = 'expired', reason = ?1, ended_at_ms = ?2, awaiting = 0 \
         where delivery_id in (select unhex(value) from json_each(?3)) and recipient_id = ?4 and purpose = 'page' \
         and awaiting = 1 and critical = 0 and state in ('standby', 'pending', 'expired')",
    )
    .bind(SUMMARISED)
    .bind(entry.at.0)
    .bind(rows::hex_array(
        summary.deliveries.iter().map(DeliveryId::as_bytes),
    ))
    .bind(summary.recipient.as_bytes())
    .execute(&mut *conn)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(0);
    }
    let id = DeliveryId::derive(&[
        b"summary",
        entry.envelope.request.as_bytes(),
        summary.recipient.as_bytes(),
    ]);
    sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms) \
         values (?1, ?2, ?3, 'summary', 0, 0, 0, ?4, ?5, ?6, ?7, 0, 'pending', '', '', ?8, ?9, 0, 0, 0, 0, 0, '', \
         ?10, ?10, ?10, ?11, null) on conflict (delivery_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(NONE.as_slice())
    .bind(summary.recipient.as_bytes())
    .bind(&summary.kind)
    .bind(&summary.address)
    .bind(&summary.language)
    .bind(Lane::Human.rank())
    .bind(&summary.subject)
    .bind(&summary.body)
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(REPLY_VALIDITY_MS))
    .execute(conn)
    .await?;
    Ok(ended.rows_affected())
}

/// A reply to a text.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) alert: Option<AlertId>,
    pub(crate) recipient: Option<RecipientId>,
    pub(crate) address: String,
    pub(crate) language: String,
    pub(crate) body: String,
    pub(crate) critical: bool,
    /// Where the text came in: the reply leaves from the same number if it can.
    pub(crate) node: NodeId,
    pub(crate) channel: String,
}

/// Queues a reply.
pub(crate) async fn notice(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    notice: &Notice,
) -> Result<DeliveryId, sqlx::Error> {
    let id = DeliveryId::derive(&[
        b"reply",
        entry.envelope.request.as_bytes(),
        &entry.index.to_be_bytes(),
        notice.address.as_bytes(),
    ]);
    sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, prefer_node, prefer_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms) \
         values (?, ?, ?, 'reply', 0, 0, 0, 'sms', ?, ?, ?, ?, 'pending', '', '', '', ?, 0, 0, 0, 0, 0, '', ?, ?, ?, ?, ?, ?, null) \
         on conflict (delivery_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(notice.alert.map_or(NONE, |a| a.0).as_slice())
    .bind(notice.recipient.map_or(NONE, |r| r.0).as_slice())
    .bind(&notice.address)
    .bind(&notice.language)
    .bind(Lane::Reply.rank())
    .bind(notice.critical)
    .bind(&notice.body)
    .bind(notice.node.0.cast_signed())
    .bind(&notice.channel)
    .bind(entry.at.0)
    .bind(entry.at.0)
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(REPLY_VALIDITY_MS))
    .execute(conn)
    .await?;
    Ok(id)
}

/// One more thing to tell somebody, about an alert under way or about nothing that has one.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) alert: Option<AlertId>,
    pub(crate) recipient: Option<RecipientId>,
    /// `sms` or `email`.
    pub(crate) kind: &'static str,
    pub(crate) address: String,
    pub(crate) language: &'static str,
    pub(crate) lane: Lane,
    pub(crate) critical: bool,
    /// What answers the alert; stands wherever the body has the mark for it.
    pub(crate) code: String,
    /// Of a mail.
    pub(crate) subject: String,
    pub(crate) body: String,
}

/// Owes these updates. The same one of the same log entry is owed once.
pub(crate) async fn update(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    updates: &[Update],
) -> Result<(), sqlx::Error> {
    owe(conn, entry, Purpose::Update, updates).await
}

/// Owes these reminders. An answer ends those that have not left.
pub(crate) async fn remind(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    reminders: &[Update],
) -> Result<(), sqlx::Error> {
    owe(conn, entry, Purpose::Reminder, reminders).await
}

/// Owes what was said in a room, after everything about alerts.
pub(crate) async fn digest(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    digest: &Update,
) -> Result<DeliveryId, sqlx::Error> {
    owe_one(conn, entry, Purpose::Digest, digest).await
}

async fn owe(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    purpose: Purpose,
    updates: &[Update],
) -> Result<(), sqlx::Error> {
    for update in updates {
        owe_one(conn, entry, purpose, update).await?;
    }
    Ok(())
}

async fn owe_one(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    purpose: Purpose,
    update: &Update,
) -> Result<DeliveryId, sqlx::Error> {
    let about = update.alert.map_or(NONE, |alert| alert.0);
    let id = DeliveryId::derive(&[
        purpose.name().as_bytes(),
        entry.envelope.request.as_bytes(),
        &entry.index.to_be_bytes(),
        &about,
        update.address.as_bytes(),
        update.body.as_bytes(),
    ]);
    sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms) \
         values (?1, ?2, ?3, ?14, 0, 0, 0, ?4, ?5, ?6, ?7, ?8, 'pending', '', ?9, ?10, ?11, 0, 0, 0, 0, 0, '', \
         ?12, ?12, ?12, ?13, null) on conflict (delivery_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(about.as_slice())
    .bind(update.recipient.map_or(NONE, |r| r.0).as_slice())
    .bind(update.kind)
    .bind(&update.address)
    .bind(update.language)
    .bind(update.lane.rank())
    .bind(update.critical)
    .bind(&update.code)
    .bind(&update.subject)
    .bind(&update.body)
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(REPLY_VALIDITY_MS))
    .bind(purpose.name())
    .execute(&mut *conn)
    .await?;
    Ok(id)
}
