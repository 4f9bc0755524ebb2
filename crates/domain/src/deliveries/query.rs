//! Reads of deliveries and attempts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rules::{PINNED_FOR, RING_PARTS};
use super::secret_codes::{at_its_longest, fill_in};
use super::{AttemptRef, Lane, Purpose, RING, State, reply_secret};
use crate::ids::{AlertId, DeliveryId, NodeId, RecipientId};
use crate::texts::{self, Language};
use crate::time::Timestamp;
use crate::{nodes, rows};

/// A delivery that waits for a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Due {
    /// The try to be assigned.
    pub attempt: AttemptRef,
    /// `sms` or `email`.
    pub kind: String,
    pub lane: Lane,
    pub critical: bool,
    pub address: String,
    /// SMS parts the text takes, with its code and marks.
    pub parts: u32,
    /// The channel that just failed for it; another one is better.
    pub avoid: Option<(NodeId, String)>,
    /// The channel it should leave from if that works.
    pub prefer: Option<(NodeId, String)>,
    /// The channel it must leave from while that one can be used: a second ring counts only from the number of the first.
    pub pinned: Option<(NodeId, String)>,
}

/// How much a channel has been given by one history and not reported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChannelLoad {
    pub node: NodeId,
    pub channel: String,
    /// Whose scheduler gave it: 0 for the cluster's, else the id of the node whose island it was.
    pub history: u32,
    pub attempts: u64,
    /// SMS parts of all of them.
    pub parts: u32,
}

/// An attempt assigned to a node, with everything needed to send it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Work {
    pub attempt: AttemptRef,
    pub channel: String,
    pub kind: String,
    pub lane: Lane,
    pub address: String,
    pub subject: String,
    /// The whole text with code and marks.
    pub body: String,
    pub expires_at: Timestamp,
    /// Of a mail that can be answered: the part before the @ of the address that answers it, and the words that say so.
    pub reply: Option<(String, &'static str)>,
}

/// A delivery as people see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    pub recipient: RecipientId,
    /// Empty when nobody here has the address.
    pub recipient_key: String,
    pub recipient_name: String,
    pub purpose: Purpose,
    pub step: u16,
    pub round: u16,
    pub kind: String,
    pub address: String,
    pub state: State,
    pub reason: String,
    pub possible_repeat: bool,
    pub renumbered: bool,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub attempts: Vec<AttemptRow>,
}

/// One try as people see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttemptRow {
    pub attempt: u32,
    pub node: NodeId,
    pub channel: String,
    pub number: String,
    /// `assigned`, `withdrawn`, `reclaimed`, `accepted`, `refused`, `unknown`.
    pub state: String,
    pub detail: String,
    pub parts: u16,
    pub assigned_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// `delivered`, `delayed`, `failed` or empty.
    pub report: String,
    pub reported_at: Option<Timestamp>,
}

/// Something we told an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    pub alert: Option<AlertId>,
    pub purpose: Purpose,
    pub state: State,
    pub at: Timestamp,
    pub code: String,
}

/// Pending deliveries whose time has come, in the order in which they should leave.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Due>, sqlx::Error> {
    // Bound rather than joined: a join would sort all that wait, for each look at the first few.
    let fork = nodes::fork(&mut *conn).await?;
    let block = nodes::attempt_block(fork.as_ref());
    let found = sqlx::query(
        "select d.delivery_id, d.kind, d.lane, d.critical, d.address, \
         1 + (select coalesce(max(a.attempt), ?3) from attempt a where a.delivery_id = d.delivery_id \
          and a.attempt > ?3 and a.attempt < ?4) as next_attempt, d.avoid_node, d.avoid_channel, \
         d.prefer_node, d.prefer_channel, coalesce(case when d.kind = 'ring' and d.due_at_ms + ?6 > ?1 then \
          (select a.node_id from attempt a where a.delivery_id = d.delivery_id and a.attempt = d.attempts \
           and a.state = 'accepted') end, 0) as pinned_node, \
         coalesce((select a.channel from attempt a where a.delivery_id = d.delivery_id and a.attempt = d.attempts), '') \
          as pinned_channel, d.language, d.code, d.possible_repeat, d.renumbered, ?5 as site, \
         case when d.body = '' then coalesce(t.body, '') else d.body end as body \
         from delivery d left join delivery_text t on t.alert_id = d.alert_id and t.purpose = d.purpose \
          and t.kind = d.kind and t.language = d.language \
         where d.state = 'pending' and d.ended_at_ms is null and d.due_at_ms <= ?1 \
         order by d.lane, d.due_at_ms, d.delivery_id limit ?2",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .bind(block)
    .bind(block + i64::from(nodes::ATTEMPTS_PER_BLOCK))
    .bind(fork.map(|fork| fork.site))
    .bind(i64::try_from(PINNED_FOR.as_millis()).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(Due {
                attempt: AttemptRef {
                    delivery: DeliveryId::from_row(row.try_get("delivery_id")?)?,
                    attempt: rows::unsigned(row, "next_attempt")?,
                },
                kind: row.try_get("kind")?,
                lane: Lane::of_rank(row.try_get("lane")?),
                critical: row.try_get("critical")?,
                address: row.try_get("address")?,
                parts: parts_of(row)?,
                avoid: place(row, "avoid_node", "avoid_channel")?,
                prefer: place(row, "prefer_node", "prefer_channel")?,
                pinned: place(row, "pinned_node", "pinned_channel")?,
            })
        })
        .collect()
}

/// When the next delivery that waits for a channel is due. Lane by lane, each of which the index has in order: otherwise
/// all that wait would be read. Lanes that no version has yet cost nothing.
pub(crate) const NEXT_DUE: &str = "(select min(due_ms) from (select (select min(due_at_ms) from delivery \
     where state = 'pending' and lane = l.value and ended_at_ms is null) as due_ms \
     from json_each('[0,1,2,3,4,5,6,7]') l))";

/// When the next delivery expires.
pub(crate) const NEXT_EXPIRY: &str =
    "(select min(expires_at_ms) from delivery where ended_at_ms is null)";

/// Since when the method is wanted that waits longest of those which another one could follow.
pub(crate) const STANDBY_SINCE: &str = "(select min(p.wanted_since_ms) from delivery d \
     join delivery p on p.alert_id = d.alert_id and p.recipient_id = d.recipient_id and p.method = d.method - 1 \
      and p.purpose = 'page' and p.step = d.step and p.round = d.round \
     where d.state = 'standby' and d.ended_at_ms is null and d.purpose = 'page' \
      and p.state in ('pending', 'assigned', 'failed', 'expired'))";

/// Since when the page is wanted that waits longest without its person having got any of that alert's.
pub(crate) const UNTOLD_SINCE: &str = "(select min(wanted_since_ms) from delivery \
     where awaiting = 1 and state in ('pending', 'expired') and purpose = 'page')";

/// Whether any node has work assigned.
pub(crate) const UNDER_WAY: &str = "exists (select 1 from attempt where state = 'assigned')";

/// Attempts assigned and not reported, per channel and history: what an island gave out while it was alone is counted by
/// itself.
pub async fn load(conn: &mut SqliteConnection) -> Result<Vec<ChannelLoad>, sqlx::Error> {
    let found = sqlx::query(
        "select a.node_id, a.channel, a.attempt / ?1 as history, d.kind, d.language, d.code, d.possible_repeat, \
         d.renumbered, (select f.site from fork f) as site, \
         case when d.body = '' then coalesce(t.body, '') else d.body end as body \
         from attempt a join delivery d on d.delivery_id = a.delivery_id \
         left join delivery_text t on t.alert_id = d.alert_id and t.purpose = d.purpose \
          and t.kind = d.kind and t.language = d.language \
         where a.state = 'assigned' order by a.node_id, a.channel, history, a.delivery_id, a.attempt",
    )
    .bind(nodes::ATTEMPTS_PER_BLOCK)
    .fetch_all(conn)
    .await?;
    let mut load: Vec<ChannelLoad> = Vec::new();
    for row in &found {
        let (node, channel, history) = (
            NodeId(rows::unsigned(row, "node_id")?),
            row.try_get::<String, _>("channel")?,
            row.try_get::<u32, _>("history")?,
        );
        let parts = parts_of(row)?;
        match load.last_mut() {
            Some(last)
                if last.node == node && last.channel == channel && last.history == history =>
            {
                last.attempts += 1;
                last.parts += parts;
            }
            Some(_) | None => load.push(ChannelLoad {
                node,
                channel,
                history,
                attempts: 1,
                parts,
            }),
        }
    }
    Ok(load)
}

/// What a node's channels have been given and not ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Assigned {
    /// What they are to send, the most urgent first.
    pub work: Vec<Work>,
    /// What nobody waits for any more.
    pub unwanted: Vec<AttemptRef>,
}

/// What is assigned to the channels of `node`.
pub async fn assigned(conn: &mut SqliteConnection, node: NodeId) -> Result<Assigned, sqlx::Error> {
    let found = sqlx::query(
        "select a.delivery_id, a.attempt, a.channel, d.kind, d.lane, d.address, d.language, d.code, d.possible_repeat, \
         d.renumbered, d.expires_at_ms, d.alert_id, d.recipient_id, d.purpose, (select f.site from fork f) as site, \
         d.state = 'assigned' and d.attempts = a.attempt as wanted, \
         case when d.subject = '' then coalesce(t.subject, '') else d.subject end as subject, \
         case when d.body = '' then coalesce(t.body, '') else d.body end as body \
         from attempt a join delivery d on d.delivery_id = a.delivery_id \
         left join delivery_text t on t.alert_id = d.alert_id and t.purpose = d.purpose and t.kind = d.kind \
          and t.language = d.language \
         where a.node_id = ? and a.state = 'assigned' order by d.lane, d.due_at_ms, a.delivery_id, a.attempt",
    )
    .bind(node.0.cast_signed())
    .fetch_all(&mut *conn)
    .await?;
    let secret = match found.is_empty() {
        true => None,
        false => reply_secret(conn).await?,
    };
    let mut assigned = Assigned::default();
    for row in &found {
        if !row.try_get::<bool, _>("wanted")? {
            assigned.unwanted.push(attempt_ref(row)?);
            continue;
        }
        let code: &str = row.try_get("code")?;
        let delivery = DeliveryId::from_row(row.try_get("delivery_id")?)?;
        let (alert, person): (&[u8], &[u8]) =
            (row.try_get("alert_id")?, row.try_get("recipient_id")?);
        let digest = Purpose::parse(row.try_get("purpose")?) == Purpose::Digest;
        let answered = row.try_get::<&str, _>("kind")? == "email"
            && (alert != super::NONE || digest)
            && person != super::NONE;
        let language = Language::parse(row.try_get("language")?);
        let words = match digest {
            true => texts::reply_to_digest(language),
            false => texts::reply_by_mail(language),
        };
        let reply = secret.as_ref().filter(|_| answered);
        assigned.work.push(Work {
            reply: reply.map(|secret| (secret.address(delivery), words)),
            attempt: AttemptRef {
                delivery,
                attempt: rows::unsigned(row, "attempt")?,
            },
            channel: row.try_get("channel")?,
            kind: row.try_get("kind")?,
            lane: Lane::of_rank(row.try_get("lane")?),
            address: row.try_get("address")?,
            subject: row
                .try_get::<&str, _>("subject")?
                .replace(texts::CODE_MARK, code),
            body: fill_in(
                text_of(row)?,
                Purpose::parse(row.try_get("purpose")?),
                secret.as_ref(),
                delivery,
            ),
            expires_at: rows::time(row, "expires_at_ms")?,
        });
    }
    Ok(assigned)
}

/// Those of these attempts that this history knows of.
pub async fn known_attempts(
    conn: &mut SqliteConnection,
    attempts: &[AttemptRef],
) -> Result<BTreeSet<AttemptRef>, sqlx::Error> {
    let asked: Vec<_> = attempts
        .iter()
        .map(|at| {
            json!([
                data_encoding::HEXUPPER.encode(at.delivery.as_bytes()),
                at.attempt
            ])
        })
        .collect();
    let found = sqlx::query(
        "select a.delivery_id, a.attempt from json_each(?) j join attempt a \
         on a.delivery_id = unhex(j.value ->> 0) and a.attempt = j.value ->> 1 order by a.delivery_id, a.attempt",
    )
    .bind(rows::to_json(&asked)?)
    .fetch_all(conn)
    .await?;
    found.iter().map(attempt_ref).collect()
}

/// Attempts a node has been given and not reported, whether or not they are still wanted.
pub async fn under_way_on(
    conn: &mut SqliteConnection,
    node: NodeId,
) -> Result<Vec<AttemptRef>, sqlx::Error> {
    let found = sqlx::query(
        "select delivery_id, attempt from attempt where node_id = ? and state = 'assigned' order by delivery_id, attempt",
    )
    .bind(node.0.cast_signed())
    .fetch_all(conn)
    .await?;
    found.iter().map(attempt_ref).collect()
}

/// Which nodes have been given attempts they have not reported.
pub async fn under_way(conn: &mut SqliteConnection) -> Result<Vec<NodeId>, sqlx::Error> {
    let found: Vec<i64> = sqlx::query_scalar(
        "select distinct node_id from attempt where state = 'assigned' order by node_id",
    )
    .fetch_all(conn)
    .await?;
    Ok(found
        .into_iter()
        .map(|id| NodeId(id.cast_unsigned()))
        .collect())
}

/// Deliveries whose answer is awaited at a number that is dark: last accepted by this channel, and not tried since. An
/// island leaves those of others to them for a while, as it leaves their pending work (DESIGN D5).
pub async fn stranded(
    conn: &mut SqliteConnection,
    node: NodeId,
    channel: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DeliveryId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select a.delivery_id from attempt a join delivery d on d.delivery_id = a.delivery_id and d.attempts = a.attempt \
         where a.node_id = ?1 and a.channel = ?2 and a.state = 'accepted' and d.awaiting = 1 and d.kind = 'sms' \
         and d.state in ('sent', 'delivered', 'handed_over') \
         and not exists (select 1 from fork f where f.node_id <> ?1 \
          and f.entered_at_ms + case when d.critical then ?4 else ?5 end > ?6) \
         order by d.lane, a.delivery_id limit ?3",
    )
    .bind(node.0.cast_signed())
    .bind(channel)
    .bind(i64::from(limit))
    .bind(super::HOLD_CRITICAL_MS)
    .bind(super::HOLD_MS)
    .bind(now.0)
    .fetch_all(conn)
    .await?;
    DeliveryId::from_rows(&found)
}

/// People whose answer to an open alert would come to a number of this node, in order.
pub async fn awaited_at(
    conn: &mut SqliteConnection,
    node: NodeId,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct d.recipient_id from attempt a \
         join delivery d on d.delivery_id = a.delivery_id and d.attempts = a.attempt \
         where a.node_id = ? and a.state = 'accepted' and d.awaiting = 1 and d.kind = 'sms' \
         order by d.lane, d.recipient_id",
    )
    .bind(node.0.cast_signed())
    .fetch_all(conn)
    .await?;
    RecipientId::from_rows(&found)
}

/// Contact methods standing by whose predecessor was not accepted by any channel since `before`.
pub async fn failed_predecessor(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<DeliveryId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select d.delivery_id from delivery d join delivery p on p.alert_id = d.alert_id \
         and p.recipient_id = d.recipient_id and p.method = d.method - 1 and p.purpose = 'page' \
         and p.step = d.step and p.round = d.round \
         where d.state = 'standby' and d.ended_at_ms is null and d.purpose = 'page' \
         and p.state in ('pending', 'assigned', 'failed', 'expired') and p.wanted_since_ms <= ? \
         order by d.lane, d.due_at_ms, d.delivery_id limit ?",
    )
    .bind(before.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    DeliveryId::from_rows(&found)
}

/// Deliveries whose time is over and that have not ended.
pub async fn expired(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DeliveryId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select delivery_id from delivery where ended_at_ms is null and expires_at_ms <= ? \
         order by expires_at_ms, delivery_id limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    DeliveryId::from_rows(&found)
}

/// A page about an open alert that nobody got, long after it was wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Untold {
    pub delivery: DeliveryId,
    pub alert: AlertId,
    pub recipient: RecipientId,
    pub kind: String,
    pub address: String,
    pub language: String,
    pub code: String,
    pub method: u16,
    /// Its time is over.
    pub expired: bool,
    pub wanted_since: Timestamp,
}

/// Pages wanted since `before` or earlier that wait for a channel, or expired waiting, to people not told otherwise: by
/// person, newest first. Critical ones are not among them, they go out.
pub async fn untold(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Untold>, sqlx::Error> {
    let found = sqlx::query(
        "select delivery_id, alert_id, recipient_id, kind, address, language, code, method, \
         (state = 'expired') as expired, wanted_since_ms from delivery \
         where awaiting = 1 and state in ('pending', 'expired') and purpose = 'page' and critical = 0 \
         and wanted_since_ms <= ? and not exists (select 1 from delivery o where o.alert_id = delivery.alert_id \
          and o.recipient_id = delivery.recipient_id and o.purpose = 'page' \
          and o.state in ('assigned', 'sent', 'delivered', 'handed_over', 'acknowledged')) \
         order by recipient_id, wanted_since_ms desc, method, delivery_id limit ?",
    )
    .bind(before.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(Untold {
                delivery: DeliveryId::from_row(row.try_get("delivery_id")?)?,
                alert: AlertId::from_row(row.try_get("alert_id")?)?,
                recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
                kind: row.try_get("kind")?,
                address: row.try_get("address")?,
                language: row.try_get("language")?,
                code: row.try_get("code")?,
                method: rows::unsigned(row, "method")?,
                expired: row.try_get("expired")?,
                wanted_since: rows::time(row, "wanted_since_ms")?,
            })
        })
        .collect()
}

/// Whether more than `limit` pages were wanted since `before` or earlier and nobody got them.
pub async fn many_untold(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: u32,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) > ?2 from (select 1 from delivery where awaiting = 1 and state in ('pending', 'expired') \
         and purpose = 'page' and wanted_since_ms <= ?1 limit ?2 + 1)",
    )
    .bind(before.0)
    .bind(i64::from(limit))
    .fetch_one(conn)
    .await
}

/// Pages wanted since `before` or earlier that a later round of the same alert will say again to the same address.
pub async fn superseded(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<DeliveryId>, sqlx::Error> {
    // Says twice which state: so the planner sees that the index of the untold has them all.
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select d.delivery_id from delivery d where d.awaiting = 1 and d.state = 'pending' and d.purpose = 'page' \
         and d.state in ('pending', 'expired') \
         and d.wanted_since_ms <= ? and exists (select 1 from delivery n where n.alert_id = d.alert_id \
          and n.recipient_id = d.recipient_id and n.method = d.method and n.purpose = 'page' and n.round > d.round \
          and n.state = 'pending') order by d.wanted_since_ms, d.delivery_id limit ?",
    )
    .bind(before.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    DeliveryId::from_rows(&found)
}

/// Every delivery of an alert with its attempts, by person and method, `limit` at most after `skip`.
pub async fn of_alert(
    conn: &mut SqliteConnection,
    alert: AlertId,
    skip: u32,
    limit: u32,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    let found = sqlx::query(
        "select d.*, coalesce(p.key, '') as person_key, coalesce(p.name, '') as person_name from delivery d \
         left join person p on p.recipient_id = d.recipient_id where d.alert_id = ? \
         order by d.created_at_ms, d.step, p.key, d.method, d.delivery_id limit ? offset ?",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(limit))
    .bind(i64::from(skip))
    .fetch_all(&mut *conn)
    .await?;
    let mut deliveries = found
        .iter()
        .map(delivery_row)
        .collect::<Result<Vec<_>, _>>()?;
    let ids = rows::hex_array(deliveries.iter().map(|d| d.id.as_bytes()));
    let mut attempts: BTreeMap<DeliveryId, Vec<AttemptRow>> = BTreeMap::new();
    let tries = sqlx::query(
        "select * from attempt where delivery_id in (select unhex(value) from json_each(?)) order by delivery_id, attempt",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    for row in &tries {
        attempts
            .entry(DeliveryId::from_row(row.try_get("delivery_id")?)?)
            .or_default()
            .push(attempt_row(row)?);
    }
    for delivery in &mut deliveries {
        delivery.attempts = attempts.remove(&delivery.id).unwrap_or_default();
    }
    Ok(deliveries)
}

/// How many texts and mails of an alert (of all when `None`) stand in each state.
pub async fn counts(
    conn: &mut SqliteConnection,
    alert: Option<AlertId>,
) -> Result<Vec<(State, u64)>, sqlx::Error> {
    let found = sqlx::query(
        "select state, count(*) as n from delivery where (?1 is null or alert_id = ?1) and kind <> 'ring' \
         group by state order by state",
    )
    .bind(alert.map(|a| a.0.to_vec()))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok((
                State::parse(row.try_get("state")?),
                rows::unsigned(row, "n")?,
            ))
        })
        .collect()
}

/// What was sent, or may have been, to an address since `since`, newest first. Replies do not count.
pub async fn told(
    conn: &mut SqliteConnection,
    address: &str,
    recipients: &[RecipientId],
    since: Timestamp,
) -> Result<Vec<Told>, sqlx::Error> {
    let found = sqlx::query(
        "select d.alert_id, d.purpose, d.state, d.code, max(coalesce(a.ended_at_ms, a.assigned_at_ms)) as at_ms \
         from delivery d join attempt a on a.delivery_id = d.delivery_id and a.state <> 'refused' \
         where d.recipient_id in (select unhex(value) from json_each(?)) and d.address = ? and d.purpose <> 'reply' \
         and d.kind <> 'ring' \
         and d.created_at_ms >= ? group by d.delivery_id order by at_ms desc, d.delivery_id limit 20",
    )
    .bind(rows::hex_array(recipients.iter().map(RecipientId::as_bytes)))
    .bind(address)
    .bind(since.0)
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let alert = AlertId::from_row(row.try_get("alert_id")?)?;
            Ok(Told {
                alert: (alert.0 != super::NONE).then_some(alert),
                purpose: Purpose::parse(row.try_get("purpose")?),
                state: State::parse(row.try_get("state")?),
                at: rows::time(row, "at_ms")?,
                code: row.try_get("code")?,
            })
        })
        .collect()
}

/// Which person's call a mail was about, and where it went; `None` when there was no such mail.
pub(crate) async fn answers_to(
    conn: &mut SqliteConnection,
    delivery: DeliveryId,
) -> Result<Option<(AlertId, RecipientId, String)>, sqlx::Error> {
    let found = sqlx::query(
        "select alert_id, recipient_id, address from delivery where delivery_id = ? and kind = 'email'",
    )
    .bind(delivery.as_bytes())
    .fetch_optional(conn)
    .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some((
        AlertId::from_row(row.try_get("alert_id")?)?,
        RecipientId::from_row(row.try_get("recipient_id")?)?,
        row.try_get("address")?,
    )))
}

/// Whom a digest told of the room of an alert; `None` for other deliveries, and for digests of everyday rooms.
pub(crate) async fn digest_of_alert(
    conn: &mut SqliteConnection,
    delivery: DeliveryId,
) -> Result<Option<(AlertId, RecipientId)>, sqlx::Error> {
    let found = sqlx::query(
        "select alert_id, recipient_id from delivery where delivery_id = ? and purpose = 'digest' and alert_id <> ?",
    )
    .bind(delivery.as_bytes())
    .bind(super::NONE.as_slice())
    .fetch_optional(conn)
    .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some((
        AlertId::from_row(row.try_get("alert_id")?)?,
        RecipientId::from_row(row.try_get("recipient_id")?)?,
    )))
}

/// Who was or may have been told about an alert: anyone with an attempt that was not refused.
pub(crate) async fn told_recipients(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<BTreeSet<RecipientId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct d.recipient_id from delivery d where d.alert_id = ? and d.purpose = 'page' \
         and (d.reason = 'told in a summary' \
          or exists (select 1 from attempt a where a.delivery_id = d.delivery_id and a.state <> 'refused')) \
         order by d.recipient_id",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    Ok(RecipientId::from_rows(&found)?.into_iter().collect())
}

/// What it takes of a channel, in SMS parts.
fn parts_of(row: &SqliteRow) -> Result<u32, sqlx::Error> {
    match row.try_get("kind")? {
        RING => Ok(RING_PARTS),
        _ => Ok(u32::from(texts::parts(&at_its_longest(&text_of(row)?)))),
    }
}

/// The whole text as it leaves, with code and marks.
pub(super) fn text_of(row: &SqliteRow) -> Result<String, sqlx::Error> {
    let marks = texts::Marks {
        possible_repeat: row.try_get("possible_repeat")?,
        renumbered: row.try_get("renumbered")?,
        alone: row.try_get("site")?,
        language: Language::parse(row.try_get("language")?),
    };
    Ok(texts::finish(
        row.try_get("body")?,
        row.try_get("code")?,
        &marks,
    ))
}

fn place(
    row: &SqliteRow,
    node: &str,
    channel: &str,
) -> Result<Option<(NodeId, String)>, sqlx::Error> {
    let id: u64 = rows::unsigned(row, node)?;
    Ok(if id == 0 {
        None
    } else {
        Some((NodeId(id), row.try_get(channel)?))
    })
}

fn attempt_ref(row: &SqliteRow) -> Result<AttemptRef, sqlx::Error> {
    Ok(AttemptRef {
        delivery: DeliveryId::from_row(row.try_get("delivery_id")?)?,
        attempt: rows::unsigned(row, "attempt")?,
    })
}

fn delivery_row(row: &SqliteRow) -> Result<DeliveryRow, sqlx::Error> {
    Ok(DeliveryRow {
        id: DeliveryId::from_row(row.try_get("delivery_id")?)?,
        recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
        recipient_key: row.try_get("person_key")?,
        recipient_name: row.try_get("person_name")?,
        purpose: Purpose::parse(row.try_get("purpose")?),
        step: rows::unsigned(row, "step")?,
        round: rows::unsigned(row, "round")?,
        kind: row.try_get("kind")?,
        address: row.try_get("address")?,
        state: State::parse(row.try_get("state")?),
        reason: row.try_get("reason")?,
        possible_repeat: row.try_get("possible_repeat")?,
        renumbered: row.try_get("renumbered")?,
        created_at: rows::time(row, "created_at_ms")?,
        due_at: rows::time(row, "due_at_ms")?,
        expires_at: rows::time(row, "expires_at_ms")?,
        ended_at: rows::time_opt(row, "ended_at_ms")?,
        attempts: Vec::new(),
    })
}

fn attempt_row(row: &SqliteRow) -> Result<AttemptRow, sqlx::Error> {
    Ok(AttemptRow {
        attempt: rows::unsigned(row, "attempt")?,
        node: NodeId(rows::unsigned(row, "node_id")?),
        channel: row.try_get("channel")?,
        number: row.try_get("number")?,
        state: row.try_get("state")?,
        detail: row.try_get("detail")?,
        parts: rows::unsigned(row, "parts")?,
        assigned_at: rows::time(row, "assigned_at_ms")?,
        ended_at: rows::time_opt(row, "ended_at_ms")?,
        report: row.try_get("report")?,
        reported_at: rows::time_opt(row, "reported_at_ms")?,
    })
}
