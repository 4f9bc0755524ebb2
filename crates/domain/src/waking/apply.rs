//! Writes to this slice's tables, and what leads to them.

use sqlx::{Row, SqliteConnection};

use super::rules;
use super::{Command, Due, Test};
use crate::apply::Entry;
use crate::deliveries::{self, Purpose, RING, State, Trial};
use crate::ids::{NodeId, RecipientId, RoomId};
use crate::nodes::{self, ChannelRow};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients;
use crate::texts::{self, Language};
use crate::time::Timestamp;
use crate::{conversations, escalation, rows};

/// How long a trip's text may wait for its modem; no later than the trip counts as missing.
const TRIP_VALID_MS: i64 = 15 * 60_000;

/// How long a test's text and rings may wait: a test that comes hours late wakes people for nothing.
const TEST_VALID_MS: i64 = 30 * 60_000;

/// Most planned tests.
const WAITING_MAX: i64 = 50;

/// Tests remembered.
const TESTS_KEPT: i64 = 500;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::FollowUp { due } => follow_up(conn, entry, due).await,
        Command::StartTrips { node } => start_trips(conn, entry, *node).await,
        Command::SetSpares { numbers } => set_spares(conn, entry, numbers).await,
        Command::StartTest(test) => start_test(conn, entry, test).await,
        Command::CallOffTest { number } => {
            let done = sqlx::query(
                "update wake_test set state = 'called_off' where number = ? and state = 'waiting'",
            )
            .bind(number.cast_signed())
            .execute(conn)
            .await?;
            Ok(match done.rows_affected() {
                0 => invalid("no test of this number waits; list them with `holdfast wake tests`"),
                _ => Outcome::Applied(Receipt::None),
            })
        }
    }
}

fn invalid(problem: &str) -> Outcome {
    Outcome::Refused(Refusal::Invalid(problem.to_owned()))
}

async fn follow_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    due: &[Due],
) -> Result<Outcome, sqlx::Error> {
    let mut done = 0;
    for due in due {
        let worked = match due {
            Due::Unplanned { node } => plan_first(conn, entry, *node).await?,
            Due::Trip { node, at } => planned_trip(conn, entry, *node, *at).await?,
            Due::Card => renew_card(conn, entry).await?,
            Due::Test { number } => ask(conn, entry, *number).await?,
        };
        done += u64::from(worked);
    }
    Ok(match done {
        0 => Outcome::Unchanged,
        done => Outcome::Applied(Receipt::Count(done)),
    })
}

async fn plan_first(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
) -> Result<bool, sqlx::Error> {
    let chance = entry.chance(&[b"first trip", &node.0.to_be_bytes()]);
    let planned = sqlx::query(
        "insert into round_trip_plan (node_id, due_ms) values (?, ?) on conflict (node_id) do nothing",
    )
    .bind(node.0.cast_signed())
    .bind(rules::first_trip(entry.at, chance).0)
    .execute(conn)
    .await?;
    Ok(planned.rows_affected() > 0)
}

async fn planned_trip(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let chance = entry.chance(&[b"next trip", &node.0.to_be_bytes()]);
    let moved =
        sqlx::query("update round_trip_plan set due_ms = ?1 where node_id = ?2 and due_ms = ?3")
            .bind(rules::next_trip(entry.at, chance).0)
            .bind(node.0.cast_signed())
            .bind(at.0)
            .execute(&mut *conn)
            .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    let modems = modems(conn).await?;
    if !modems.iter().any(|modem| modem.node == node) {
        // Its modem is gone; it is planned again when it has one.
        sqlx::query("delete from round_trip_plan where node_id = ?")
            .bind(node.0.cast_signed())
            .execute(conn)
            .await?;
        return Ok(true);
    }
    begin_trip(conn, entry, node, &modems).await?;
    Ok(true)
}

async fn start_trips(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: Option<NodeId>,
) -> Result<Outcome, sqlx::Error> {
    let modems = modems(conn).await?;
    let mut from: Vec<NodeId> = modems
        .iter()
        .map(|modem| modem.node)
        .filter(|own| node.is_none_or(|node| node == *own))
        .collect();
    from.dedup();
    if from.is_empty() {
        return Ok(invalid("no modem with a number is known there"));
    }
    for node in &from {
        begin_trip(conn, entry, *node, &modems).await?;
    }
    Ok(Outcome::Applied(Receipt::Count(from.len() as u64)))
}

/// Modems of members that told their number, by node and name.
async fn modems(conn: &mut SqliteConnection) -> Result<Vec<ChannelRow>, sqlx::Error> {
    let mut channels = nodes::channels(conn).await?;
    channels.retain(|channel| channel.kind == "sms" && !channel.number.is_empty());
    Ok(channels)
}

/// Lets one modem text the next node's. Where there is none, that is on record.
async fn begin_trip(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    modems: &[ChannelRow],
) -> Result<(), sqlx::Error> {
    let with_modem: Vec<NodeId> = modems.iter().map(|modem| modem.node).collect();
    let to = rules::next_of(node, &with_modem);
    let token = rules::token(entry.chance(&[b"trip", &node.0.to_be_bytes()]));
    sqlx::query(
        "insert into round_trip (node_id, started_at_ms, to_node, token, due_ms, arrived_at_ms) \
         values (?, ?, ?, ?, ?, null) on conflict (node_id, started_at_ms) do nothing",
    )
    .bind(node.0.cast_signed())
    .bind(entry.at.0)
    .bind(to.map_or(0, |to| to.0.cast_signed()))
    .bind(&token)
    .bind((entry.at + rules::TRIP_TIME).0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from round_trip where node_id = ?1 and started_at_ms <= (select started_at_ms from round_trip \
         where node_id = ?1 order by started_at_ms desc limit 1 offset ?2)",
    )
    .bind(node.0.cast_signed())
    .bind(rules::TRIPS_KEPT)
    .execute(&mut *conn)
    .await?;
    let own = modems.iter().find(|modem| modem.node == node);
    let next = modems.iter().find(|modem| Some(modem.node) == to);
    if let (Some(own), Some(next)) = (own, next) {
        let trial = Trial {
            purpose: Purpose::Trip,
            recipient: None,
            kind: "sms",
            address: &next.number,
            language: Language::english().tag(),
            code: "",
            body: rules::trip_text(&token),
            state: State::Pending,
            from: Some((own.node, &own.name)),
            method: 0,
            validity_ms: TRIP_VALID_MS,
        };
        deliveries::owe_trial(conn, entry, &trial).await?;
    }
    Ok(())
}

/// A trip's text came in at `node`: true when the token is that of one. It counts when it came where it was sent, from the
/// modem that was to send it; an island keeps it off its record, which nobody could join.
pub(crate) async fn arrived(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    token: &str,
    node: NodeId,
    from: &str,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "select t.node_id, t.to_node, t.started_at_ms, t.due_ms from round_trip t where t.token = ? \
         order by t.started_at_ms desc limit 1",
    )
    .bind(token)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let sender = NodeId(rows::unsigned(&row, "node_id")?);
    let to = NodeId(rows::unsigned(&row, "to_node")?);
    let own_number = modems(conn)
        .await?
        .iter()
        .any(|modem| modem.node == sender && same_number(&modem.number, from));
    if to == node && own_number && nodes::fork(conn).await?.is_none() {
        sqlx::query(
            "update round_trip set arrived_at_ms = ?1 where node_id = ?2 and started_at_ms = ?3 \
             and arrived_at_ms is null",
        )
        .bind(entry.at.0)
        .bind(sender.0.cast_signed())
        .bind(row.try_get::<i64, _>("started_at_ms")?)
        .execute(conn)
        .await?;
    }
    Ok(true)
}

/// Networks show a number with or without its country code.
fn same_number(own: &str, shown: &str) -> bool {
    let tail = |number: &str| -> String {
        let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
        digits.iter().rev().take(8).collect()
    };
    tail(own) == tail(shown)
}

/// Takes the modems' numbers onto the card. People are told by a note to those on duty, not by a text to everybody.
async fn renew_card(conn: &mut SqliteConnection, entry: &Entry<'_>) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query(
        "delete from card_number where not exists (select 1 from channel c join node n on n.node_id = c.node_id \
         where n.removed_at_ms is null and c.node_id = card_number.node_id and c.name = card_number.channel)",
    )
    .execute(&mut *conn)
    .await?;
    let new = sqlx::query(
        "insert into card_number (node_id, channel, number) \
         select c.node_id, c.name, c.number from channel c join node n on n.node_id = c.node_id \
         where n.removed_at_ms is null and c.kind = 'sms' and c.number <> '' order by c.node_id, c.name \
         on conflict (node_id, channel) do update set number = excluded.number where number <> excluded.number",
    )
    .execute(&mut *conn)
    .await?;
    if gone.rows_affected() + new.rows_affected() == 0 {
        return Ok(false);
    }
    new_version(conn, entry).await?;
    Ok(true)
}

async fn set_spares(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    numbers: &[String],
) -> Result<Outcome, sqlx::Error> {
    let numbers = match rules::check_spares(numbers) {
        Ok(numbers) => numbers,
        Err(problem) => return Ok(invalid(&problem)),
    };
    let before: Vec<String> =
        sqlx::query_scalar("select number from spare_number order by position")
            .fetch_all(&mut *conn)
            .await?;
    if before == numbers {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("delete from spare_number")
        .execute(&mut *conn)
        .await?;
    for (number, position) in numbers.iter().zip(1_i64..) {
        sqlx::query("insert into spare_number (position, number) values (?, ?)")
            .bind(position)
            .bind(number)
            .execute(&mut *conn)
            .await?;
    }
    new_version(conn, entry).await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn new_version(conn: &mut SqliteConnection, entry: &Entry<'_>) -> Result<(), sqlx::Error> {
    let version: i64 = sqlx::query_scalar(
        "insert into card (id, version, changed_at_ms) values (1, 1, ?1) \
         on conflict (id) do update set version = version + 1, changed_at_ms = ?1 returning version",
    )
    .bind(entry.at.0)
    .fetch_one(&mut *conn)
    .await?;
    if version > 1 {
        let note = format!(
            "Our numbers changed: card {version}. Send it to everybody anew (holdfast vcard), or phones that let only \
             our old numbers through stay silent."
        );
        let inbox = RoomId::DUTY_INBOX;
        conversations::post(conn, entry, inbox, "Holdfast", "system", &note).await?;
    }
    Ok(())
}

async fn start_test(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    test: &Test,
) -> Result<Outcome, sqlx::Error> {
    if test.people.is_empty() || test.people.len() > rules::PEOPLE_MAX {
        let max = rules::PEOPLE_MAX;
        return Ok(invalid(&format!(
            "a test takes 1 to {max} people, for rings keep texts out; these are {}",
            test.people.len()
        )));
    }
    if test.in_ms > rules::TEST_AHEAD_MS_MAX {
        return Ok(invalid("a test begins within four weeks"));
    }
    if !(24 * 3_600_000..=2 * rules::PROOF_VALID_MS).contains(&test.valid_ms) {
        return Ok(invalid("a proof is good for 1 to 360 days"));
    }
    if recipients::by_ids(conn, &test.people).await?.len() != test.people.len() {
        return Ok(invalid("somebody in it is not known, or named twice"));
    }
    let waiting: i64 = sqlx::query_scalar("select count(*) from wake_test where state = 'waiting'")
        .fetch_one(&mut *conn)
        .await?;
    if waiting >= WAITING_MAX {
        return Ok(invalid("fifty tests wait already; call one off"));
    }
    let number: i64 = sqlx::query_scalar("select coalesce(max(number), 0) + 1 from wake_test")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query(
        "insert into wake_test (number, people, started_by, state, due_ms, valid_ms) values (?, ?, ?, 'waiting', ?, ?)",
    )
    .bind(number)
    .bind(rows::hex_array(test.people.iter().map(RecipientId::as_bytes)))
    .bind(entry.envelope.actor.label())
    .bind(entry.at.0.saturating_add(test.in_ms.cast_signed()))
    .bind(test.valid_ms.cast_signed())
    .execute(&mut *conn)
    .await?;
    sqlx::query("delete from wake_test where number <= ? and state <> 'waiting'")
        .bind(number - TESTS_KEPT)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::Number(number.unsigned_abs())))
}

/// A test's time has come: each phone gets a text that asks, and rings twice after it.
async fn ask(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "update wake_test set state = 'asked' where number = ? and state = 'waiting' returning people",
    )
    .bind(number.cast_signed())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let ids: Vec<Vec<u8>> =
        sqlx::query_scalar("select unhex(value) from json_each(?) order by key")
            .bind(row.try_get::<String, _>("people")?)
            .fetch_all(&mut *conn)
            .await?;
    let ids = RecipientId::from_rows(&ids)?;
    let organisation = nodes::organisation(conn).await?;
    for person in recipients::by_ids(conn, &ids).await? {
        let language = Language::parse(&person.language);
        let voice = !person.details.wishes.never_voice;
        let phones = person.methods.iter().filter(|m| m.kind() == "sms");
        let phones: Vec<String> = phones.map(|m| m.address().to_owned()).collect();
        for (method, address) in phones.iter().enumerate() {
            let code = free_code(conn, entry, person.id, address).await?;
            sqlx::query(
                "insert into wake_proof (recipient_id, address, test, code, asked_at_ms, answer, answered_at_ms, \
                 proven_at_ms, expires_at_ms) values (?1, ?2, ?3, ?4, ?5, '', null, null, null) \
                 on conflict (recipient_id, address) do update set test = ?3, code = ?4, asked_at_ms = ?5, answer = '', \
                 answered_at_ms = null",
            )
            .bind(person.id.as_bytes())
            .bind(address)
            .bind(number.cast_signed())
            .bind(&code)
            .bind(entry.at.0)
            .execute(&mut *conn)
            .await?;
            let text = Trial {
                purpose: Purpose::Wake,
                recipient: Some(person.id),
                kind: "sms",
                address,
                language: language.tag(),
                code: &code,
                body: texts::wake_question(language, &organisation, &code),
                state: State::Pending,
                from: None,
                method,
                validity_ms: TEST_VALID_MS,
            };
            deliveries::owe_trial(conn, entry, &text).await?;
            if voice {
                let ring = Trial {
                    kind: RING,
                    code: "",
                    body: String::new(),
                    state: State::Standby,
                    ..text
                };
                deliveries::owe_trial(conn, entry, &ring).await?;
            }
        }
    }
    Ok(true)
}

/// A code that answers nothing else of this person.
async fn free_code(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    person: RecipientId,
    address: &str,
) -> Result<String, sqlx::Error> {
    let mut taken = escalation::open_codes_of(conn, person).await?;
    let asked: Vec<String> = sqlx::query_scalar(
        "select code from wake_proof where recipient_id = ? and code <> '' order by address",
    )
    .bind(person.as_bytes())
    .fetch_all(conn)
    .await?;
    taken.extend(asked);
    let draw = |turn: u64| {
        let parts: [&[u8]; 4] = [
            b"wake",
            person.as_bytes(),
            address.as_bytes(),
            &turn.to_be_bytes(),
        ];
        format!("{:04}", entry.chance(&parts) % 10_000)
    };
    // A person has few open codes among ten thousand; the last draw stands whatever it is.
    Ok((0..20)
        .map(draw)
        .find(|code| !taken.contains(code))
        .unwrap_or_else(|| draw(20)))
}

/// Somebody answers whether a test woke them: the code they were sent, or none when this number was asked one thing only.
/// `None` when nothing was asked. On an island nothing is recorded.
pub(crate) async fn answer(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    address: &str,
    code: Option<&str>,
    woke: bool,
) -> Result<Option<RecipientId>, sqlx::Error> {
    if nodes::fork(conn).await?.is_some() {
        return Ok(None);
    }
    let asked = sqlx::query(
        "select w.recipient_id, w.address, coalesce(t.valid_ms, 0) as valid_ms from wake_proof w \
         left join wake_test t on t.number = w.test where w.code <> '' and w.asked_at_ms >= ?1 \
         and (w.code = ?2 or (?2 is null and w.address = ?3)) order by w.recipient_id, w.address limit 2",
    )
    .bind((entry.at - rules::ANSWERABLE).0)
    .bind(code)
    .bind(address)
    .fetch_all(&mut *conn)
    .await?;
    // Codes are unique for a person only; the phone tells whose it is.
    let own = asked.iter().find(|row| {
        row.try_get::<&str, _>("address")
            .is_ok_and(|own| own == address)
    });
    let Some(row) = own else { return Ok(None) };
    let recipient = RecipientId::from_row(row.try_get("recipient_id")?)?;
    let valid_ms: i64 = row.try_get("valid_ms")?;
    sqlx::query(
        "update wake_proof set code = '', answer = ?1, answered_at_ms = ?2, \
         proven_at_ms = case when ?3 then ?2 end, expires_at_ms = case when ?3 then ?4 end \
         where recipient_id = ?5 and address = ?6",
    )
    .bind(if woke { "yes" } else { "no" })
    .bind(entry.at.0)
    .bind(woke)
    .bind(entry.at.0.saturating_add(valid_ms))
    .bind(recipient.as_bytes())
    .bind(address)
    .execute(&mut *conn)
    .await?;
    deliveries::end_trials(conn, entry, recipient, address).await?;
    Ok(Some(recipient))
}
