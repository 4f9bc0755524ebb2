//! Writes to `cluster`, `node`, `invite` and `channel`.

use sqlx::{Row, SqliteConnection};

use super::{
    Admit, ChannelReport, Command, Found, Left, Recover, SetAuthorities, digests, level, machines,
    query,
};
use crate::apply::Entry;
use crate::ids::NodeId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;

/// The founder's id; later ids count up from here.
const FIRST_NODE: i64 = 1;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Found(found) => apply_found(conn, entry, found).await,
        Command::IssueInvite {
            token_hash,
            expires_in_ms,
        } => issue_invite(conn, entry, token_hash, *expires_in_ms).await,
        Command::Admit(admit) => apply_admit(conn, entry, admit).await,
        Command::Remove { node } => leave(conn, entry, *node, Left::Removed).await,
        Command::ReportChannels { node, channels } => {
            report_channels(conn, entry, *node, channels).await
        }
        Command::SetReachable { node, reachable } => {
            set_reachable(conn, entry, *node, *reachable).await
        }
        Command::SetIdentity {
            node,
            pins,
            addresses,
        } => {
            let changed = sqlx::query(
                "update node set pins = ?, addresses = ? where node_id = ? and removed_at_ms is null",
            )
            .bind(pins.concat())
            .bind(rows::to_json(addresses)?)
            .bind(node.0.cast_signed())
            .execute(conn)
            .await?;
            Ok(applied_or(changed.rows_affected(), Refusal::UnknownNode))
        }
        Command::ReportLevel { node, level } => level::report(conn, *node, *level).await,
        Command::RaiseLevel { level } => level::raise(conn, *level).await,
        Command::SetAuthorities(set) => set_authorities(conn, entry, set).await,
        Command::Evict { node } => evict(conn, entry, *node).await,
        Command::Recover(recover) => apply_recover(conn, entry, recover).await,
        Command::ReportMachine(report) => machines::report(conn, entry, report).await,
        Command::SetCivilOffset(set) => machines::set_civil_offset(conn, entry, set).await,
        Command::TakeDigest => digests::mark(conn, entry).await,
        Command::ReportDigest(report) => digests::report(conn, entry, report).await,
    }
}

async fn set_authorities(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    set: &SetAuthorities,
) -> Result<Outcome, sqlx::Error> {
    let wanted: Vec<(Vec<u8>, bool)> = (0..)
        .zip(&set.certificates)
        .map(|(place, certificate)| (certificate.clone(), place == set.issuing))
        .collect();
    let one_signs = wanted.iter().filter(|(_, issuing)| *issuing).count() == 1;
    if !(1..=2).contains(&wanted.len()) || !one_signs {
        return Ok(Outcome::Refused(Refusal::Invalid(
            "one or two authorities, one of which signs".to_owned(),
        )));
    }
    let known = query::authorities(&mut *conn).await?;
    let same = known
        .iter()
        .map(|row| (&row.certificate, row.issuing))
        .eq(wanted
            .iter()
            .map(|(certificate, issuing)| (certificate, *issuing)));
    if same {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("delete from authority")
        .execute(&mut *conn)
        .await?;
    for (place, (certificate, issuing)) in (0_i64..).zip(&wanted) {
        sqlx::query(
            "insert into authority (place, certificate, issuing, set_at_ms) values (?, ?, ?, ?)",
        )
        .bind(place)
        .bind(certificate.as_slice())
        .bind(issuing)
        .bind(entry.at.0)
        .execute(&mut *conn)
        .await?;
    }
    Ok(Outcome::Applied(Receipt::None))
}

/// Notes what a member signs the audit with. The first key stays: what it signed must go on to count.
pub(crate) async fn set_audit_key(
    conn: &mut SqliteConnection,
    node: NodeId,
    key: &[u8; 32],
) -> Result<Outcome, sqlx::Error> {
    if !is_member(conn, node).await? {
        return Ok(Outcome::Refused(Refusal::UnknownNode));
    }
    match query::audit_key(conn, node).await? {
        Some(known) if known == *key => return Ok(Outcome::Unchanged),
        Some(_) => {
            let problem = "the node signs the audit with another key; remove it and join it anew";
            return Ok(Outcome::Refused(Refusal::Invalid(problem.to_owned())));
        }
        None => {}
    }
    sqlx::query("update node set audit_key = ? where node_id = ?")
        .bind(key.as_slice())
        .bind(node.0.cast_signed())
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Whether there is such a member.
pub(super) async fn is_member(
    conn: &mut SqliteConnection,
    node: NodeId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from node where node_id = ? and removed_at_ms is null)",
    )
    .bind(node.0.cast_signed())
    .fetch_one(conn)
    .await
}

async fn apply_found(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    found: &Found,
) -> Result<Outcome, sqlx::Error> {
    let made = sqlx::query(
        "insert into cluster (id, cluster_id, organisation, next_node_id, founded_at_ms) values (1, ?, ?, ?, ?) \
         on conflict (id) do nothing",
    )
    .bind(found.cluster_id.as_slice())
    .bind(&found.organisation)
    .bind(FIRST_NODE + 1)
    .bind(entry.at.0)
    .execute(&mut *conn)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(Outcome::Refused(Refusal::AlreadyFounded));
    }
    insert_node(
        conn,
        entry,
        FIRST_NODE,
        &found.node_name,
        &found.pin,
        &found.addresses,
    )
    .await?;
    Ok(Outcome::Applied(Receipt::Node {
        id: NodeId(FIRST_NODE.cast_unsigned()),
    }))
}

async fn issue_invite(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    token_hash: &[u8; 32],
    expires_in_ms: u64,
) -> Result<Outcome, sqlx::Error> {
    let expires = entry.at + std::time::Duration::from_millis(expires_in_ms);
    let made = sqlx::query(
        "insert into invite (token_hash, expires_at_ms, used_by) values (?, ?, null) on conflict (token_hash) do nothing",
    )
    .bind(token_hash.as_slice())
    .bind(expires.0)
    .execute(conn)
    .await?;
    Ok(if made.rows_affected() == 0 {
        Outcome::Unchanged
    } else {
        Outcome::Applied(Receipt::None)
    })
}

async fn apply_admit(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    admit: &Admit,
) -> Result<Outcome, sqlx::Error> {
    let invite = sqlx::query("select expires_at_ms, used_by from invite where token_hash = ?")
        .bind(admit.token_hash.as_slice())
        .fetch_optional(&mut *conn)
        .await?;
    let Some(invite) = invite else {
        return Ok(Outcome::Refused(Refusal::UnknownInvite));
    };
    if invite.try_get::<Option<i64>, _>(1)?.is_some() {
        return Ok(Outcome::Refused(Refusal::InviteUsed));
    }
    if entry.at.0 >= invite.try_get::<i64, _>(0)? {
        return Ok(Outcome::Refused(Refusal::InviteExpired));
    }
    if is_evicted(conn, &admit.pin).await? {
        return Ok(Outcome::Refused(Refusal::EvictedKey));
    }
    let id: i64 =
        sqlx::query_scalar("update cluster set next_node_id = next_node_id + 1 where id = 1 returning next_node_id - 1")
            .fetch_one(&mut *conn)
            .await?;
    sqlx::query("update invite set used_by = ? where token_hash = ?")
        .bind(id)
        .bind(admit.token_hash.as_slice())
        .execute(&mut *conn)
        .await?;
    insert_node(
        conn,
        entry,
        id,
        &admit.node_name,
        &admit.pin,
        &admit.addresses,
    )
    .await?;
    Ok(Outcome::Applied(Receipt::Node {
        id: NodeId(id.cast_unsigned()),
    }))
}

async fn insert_node(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: i64,
    name: &str,
    pin: &[u8; 32],
    addresses: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into node (node_id, name, pins, addresses, admitted_at_ms, removed_at_ms, reachable, reachable_since_ms, \
         epoch) select ?, ?, ?, ?, ?, null, 1, ?, epoch from cluster where id = 1",
    )
    .bind(id)
    .bind(name)
    .bind(pin.as_slice())
    .bind(rows::to_json(&addresses)?)
    .bind(entry.at.0)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(())
}

async fn leave(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    how: Left,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update node set removed_at_ms = ?, left_how = ?, reachable = 0, reachable_since_ms = ? \
         where node_id = ? and removed_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(how.name())
    .bind(entry.at.0)
    .bind(node.0.cast_signed())
    .execute(&mut *conn)
    .await?;
    sqlx::query("update channel set up = 0, reason = ?, changed_at_ms = ? where node_id = ?")
        .bind(how.reason())
        .bind(entry.at.0)
        .bind(node.0.cast_signed())
        .execute(conn)
        .await?;
    Ok(applied_or(done.rows_affected(), Refusal::UnknownNode))
}

/// Also of a node that was removed before: what is found out later still counts.
async fn evict(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
) -> Result<Outcome, sqlx::Error> {
    if let done @ (Outcome::Applied(_) | Outcome::Unchanged) =
        leave(conn, entry, node, Left::Evicted).await?
    {
        return Ok(done);
    }
    let done = sqlx::query(
        "update node set left_how = ? where node_id = ? and removed_at_ms is not null and left_how <> ?",
    )
    .bind(Left::Evicted.name())
    .bind(node.0.cast_signed())
    .bind(Left::Evicted.name())
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() > 0 {
        return Ok(Outcome::Applied(Receipt::None));
    }
    let known: bool = sqlx::query_scalar("select exists (select 1 from node where node_id = ?)")
        .bind(node.0.cast_signed())
        .fetch_one(conn)
        .await?;
    Ok(if known {
        Outcome::Unchanged
    } else {
        Outcome::Refused(Refusal::UnknownNode)
    })
}

async fn is_evicted(conn: &mut SqliteConnection, pin: &[u8; 32]) -> Result<bool, sqlx::Error> {
    let evicted = sqlx::query_scalar("select pins from node where left_how = ? order by node_id")
        .bind(Left::Evicted.name())
        .fetch_all(conn)
        .await?;
    Ok(evicted
        .iter()
        .any(|pins: &Vec<u8>| pins.as_chunks::<32>().0.contains(pin)))
}

async fn apply_recover(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    recover: &Recover,
) -> Result<Outcome, sqlx::Error> {
    let cluster = sqlx::query("select epoch, next_node_id from cluster where id = 1")
        .fetch_optional(&mut *conn)
        .await?;
    let Some(cluster) = cluster else {
        return Ok(Outcome::Refused(Refusal::StaleEpoch));
    };
    let (epoch, next): (i64, i64) = (cluster.try_get(0)?, cluster.try_get(1)?);
    let id = recover.node.0.cast_signed();
    let receipt = Receipt::Node { id: recover.node };
    if epoch == i64::from(recover.epoch) && id < next {
        return Ok(Outcome::Unchanged); // a repeat after a crash
    }
    if epoch >= i64::from(recover.epoch) || id < next {
        return Ok(Outcome::Refused(Refusal::StaleEpoch));
    }
    let members: Vec<i64> =
        sqlx::query_scalar("select node_id from node where removed_at_ms is null order by node_id")
            .fetch_all(&mut *conn)
            .await?;
    for member in members {
        leave(conn, entry, NodeId(member.cast_unsigned()), Left::Fenced).await?;
    }
    // An invitation of the old epoch leads nowhere, and may have been copied with a backup.
    sqlx::query("update invite set expires_at_ms = min(expires_at_ms, ?) where used_by is null")
        .bind(entry.at.0)
        .execute(&mut *conn)
        .await?;
    // The survivor's own files say which authority the new epoch stands on, as at a founding.
    sqlx::query("delete from authority")
        .execute(&mut *conn)
        .await?;
    let paused = (!recover.outbox_paused.is_empty()).then_some(entry.at.0);
    sqlx::query(
        "update cluster set epoch = ?1, next_node_id = ?2, \
         outbox_paused_at_ms = coalesce(outbox_paused_at_ms, ?3), \
         outbox_reason = case when ?3 is null then outbox_reason else ?4 end where id = 1",
    )
    .bind(i64::from(recover.epoch))
    .bind(id + 1)
    .bind(paused)
    .bind(&recover.outbox_paused)
    .execute(&mut *conn)
    .await?;
    if !recover.statement.is_empty() {
        sqlx::query("insert into succession (epoch, statement, at_ms) values (?, ?, ?)")
            .bind(i64::from(recover.epoch))
            .bind(&recover.statement)
            .bind(entry.at.0)
            .execute(&mut *conn)
            .await?;
    }
    insert_node(
        conn,
        entry,
        id,
        &recover.node_name,
        &recover.pin,
        &recover.addresses,
    )
    .await?;
    Ok(Outcome::Applied(receipt))
}

/// Lets texts and mails leave again. True when they were held back.
pub(crate) async fn release_outbox(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update cluster set outbox_paused_at_ms = null, outbox_reason = '' \
         where id = 1 and outbox_paused_at_ms is not null",
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Holds texts and mails back until released. False when they already were.
pub(crate) async fn pause_outbox(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update cluster set outbox_paused_at_ms = ?, outbox_reason = ? \
         where id = 1 and outbox_paused_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

async fn report_channels(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    channels: &[ChannelReport],
) -> Result<Outcome, sqlx::Error> {
    if !is_member(conn, node).await? {
        return Ok(Outcome::Refused(Refusal::UnknownNode));
    }
    for channel in channels {
        sqlx::query(
            "insert into channel (node_id, name, kind, up, reason, operator, number, signal_dbm, rate_per_min, \
             changed_at_ms, reported_at_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             on conflict (node_id, name) do update set kind = excluded.kind, \
             changed_at_ms = case when up = excluded.up then changed_at_ms else excluded.changed_at_ms end, \
             up = excluded.up, reason = excluded.reason, operator = excluded.operator, number = excluded.number, \
             signal_dbm = excluded.signal_dbm, rate_per_min = excluded.rate_per_min, \
             reported_at_ms = excluded.reported_at_ms",
        )
        .bind(node.0.cast_signed())
        .bind(&channel.name)
        .bind(&channel.kind)
        .bind(channel.up)
        .bind(&channel.reason)
        .bind(&channel.operator)
        .bind(&channel.number)
        .bind(channel.signal_dbm)
        .bind(i64::from(channel.rate_per_min))
        .bind(entry.at.0)
        .bind(entry.at.0)
        .execute(&mut *conn)
        .await?;
    }
    // A channel taken out of the node's configuration is not reported any more and must not be given work.
    let names: Vec<&str> = channels.iter().map(|c| c.name.as_str()).collect();
    sqlx::query(
        "delete from channel where node_id = ? and name not in (select value from json_each(?))",
    )
    .bind(node.0.cast_signed())
    .bind(rows::to_json(&names)?)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::Count(channels.len() as u64)))
}

async fn set_reachable(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    reachable: bool,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update node set reachable = ?, reachable_since_ms = ? where node_id = ? and reachable <> ? and removed_at_ms is null",
    )
    .bind(reachable)
    .bind(entry.at.0)
    .bind(node.0.cast_signed())
    .bind(reachable)
    .execute(conn)
    .await?;
    Ok(if done.rows_affected() == 0 {
        Outcome::Unchanged
    } else {
        Outcome::Applied(Receipt::None)
    })
}

pub(super) fn applied_or(changed: u64, otherwise: Refusal) -> Outcome {
    if changed == 0 {
        Outcome::Refused(otherwise)
    } else {
        Outcome::Applied(Receipt::None)
    }
}
