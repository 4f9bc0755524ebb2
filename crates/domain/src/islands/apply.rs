//! Joins facts: by the cluster when an island heals, by fellow islanders when they hear each other, by an island's own
//! journal after a restart. Writes to `orphan_fact` and `refused_fact`.

use std::collections::BTreeSet;

use sqlx::{Row, SqliteConnection};

use super::{Command, FACTS_MAX, Fact};
use crate::apply::{Entry, is_fatal};
use crate::codec;
use crate::envelope::{Actor, Envelope, LeaderStamp};
use crate::facts::Joined;
use crate::ids::{AlertId, DeliveryId, NodeId, RequestId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::{
    Command as AnyCommand, alerts, approvals, audit, automations, conversations, deliveries,
    escalation, inbound, requests,
};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Merge { origin, facts } => {
            if facts.len() > FACTS_MAX {
                let problem = format!("a merge holds at most {FACTS_MAX} facts");
                return Ok(Outcome::Refused(Refusal::Invalid(problem)));
            }
            let moved = join(conn, entry, *origin, facts).await?;
            Ok(if moved == 0 {
                Outcome::Unchanged
            } else {
                Outcome::Applied(Receipt::Count(moved))
            })
        }
    }
}

/// Joins facts into an island's state: its own journal after a restart, or what a fellow islander tells. Cluster time
/// there is `at`. The facts must come from one `origin`; the caller holds the transaction.
pub async fn apply_facts(
    conn: &mut SqliteConnection,
    at: Timestamp,
    origin: NodeId,
    facts: &[Fact],
) -> Result<(), sqlx::Error> {
    let envelope = Envelope {
        request: RequestId::default(),
        issued_at: at,
        issued_by: origin,
        seed: [0; 16],
        body: [0; 32],
        actor: Actor::Loop,
        decided_under: None,
        command: AnyCommand::Islands(Command::Merge {
            origin,
            facts: Vec::new(),
        }),
    };
    let entry = Entry {
        index: 0,
        at,
        leader: LeaderStamp::default(),
        envelope: &envelope,
    };
    join(conn, &entry, origin, facts).await.map(|_| ())
}

/// What facts touched, for what follows from them.
#[derive(Default)]
struct Touched {
    alerts: BTreeSet<AlertId>,
    deliveries: BTreeSet<DeliveryId>,
    moved: u64,
}

/// Joins facts one by one, then what waited for them, then works out what follows. Returns how many changed something.
async fn join(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    origin: NodeId,
    facts: &[Fact],
) -> Result<u64, sqlx::Error> {
    let mut touched = Touched::default();
    for fact in facts {
        join_guarded(conn, entry, origin, fact, &mut touched).await?;
    }
    loop {
        let waiting = adopted(conn).await?;
        if waiting.is_empty() {
            break;
        }
        for (origin, fact) in waiting {
            join_guarded(conn, entry, origin, &fact, &mut touched).await?;
        }
    }
    let deliveries: Vec<DeliveryId> = touched.deliveries.into_iter().collect();
    deliveries::mend(conn, entry, &deliveries).await?;
    touched
        .alerts
        .extend(deliveries::alerts_of(conn, &deliveries).await?);
    alerts::follow_up(conn, entry, &touched.alerts).await?;
    Ok(touched.moved)
}

/// Joins one fact in a savepoint of its own: one that cannot be joined is kept for people and stops nothing.
async fn join_guarded(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    origin: NodeId,
    fact: &Fact,
    touched: &mut Touched,
) -> Result<(), sqlx::Error> {
    sqlx::query("savepoint fact").execute(&mut *conn).await?;
    let joined = match join_one(conn, entry, fact).await {
        Ok(joined) => joined,
        Err(error) if is_fatal(&error) => return Err(error),
        Err(_) => {
            sqlx::query("rollback to fact").execute(&mut *conn).await?;
            Joined::Refused("this state cannot hold it; report it as a defect".to_owned())
        }
    };
    match &joined {
        Joined::New | Joined::Changed => {
            touched.moved += 1;
            touch(fact, touched);
        }
        Joined::Unchanged => {}
        Joined::Waits(wanted) => keep_orphan(conn, entry, origin, *wanted, fact).await?,
        Joined::Refused(reason) => keep_refused(conn, entry, origin, reason, fact).await?,
    }
    sqlx::query("release fact").execute(conn).await?;
    Ok(())
}

async fn join_one(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    fact: &Fact,
) -> Result<Joined, sqlx::Error> {
    match fact {
        Fact::Alert(fact) => {
            let joined = alerts::merge(conn, entry, fact).await?;
            if joined == Joined::New {
                approvals::note_from_island(conn, entry, fact).await?;
            }
            Ok(joined)
        }
        Fact::Standing(fact) => alerts::merge_standing(conn, entry, fact).await,
        Fact::Call(fact) => escalation::merge_call(conn, fact).await,
        Fact::Delivery(fact) => {
            let about = fact.alert;
            if about != AlertId::default() && alerts::find(conn, about).await?.is_none() {
                return Ok(Joined::Waits(about.0));
            }
            deliveries::merge(conn, fact).await
        }
        Fact::Attempt(fact) => deliveries::merge_attempt(conn, fact).await,
        Fact::Message(fact) => {
            if fact.room != RoomId::DUTY_INBOX && !is_known(conn, fact.room.0).await? {
                return Ok(Joined::Waits(fact.room.0));
            }
            conversations::merge(conn, fact).await
        }
        Fact::Talk(fact) => {
            if let Some(wanted) = fact.wants()
                && !is_known(conn, wanted).await?
            {
                return Ok(Joined::Waits(wanted));
            }
            conversations::merge_talk(conn, fact).await
        }
        Fact::Inbound(fact) => inbound::merge(conn, fact).await,
        Fact::Request(fact) => requests::merge(conn, fact).await,
        Fact::Act(fact) => alerts::merge_act(conn, fact).await,
        Fact::Fired(fact) => automations::merge(conn, fact).await,
        Fact::Mark(fact) => escalation::merge_mark(conn, fact).await,
        Fact::Audit(fact) => audit::merge(conn, fact).await,
    }
}

/// Whether the alert, everyday room or message is here that a fact is about.
async fn is_known(conn: &mut SqliteConnection, id: [u8; 16]) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from alert where alert_id = ?1) or exists (select 1 from room where room_id = ?1) \
         or exists (select 1 from message where message_id = ?1)",
    )
    .bind(id.as_slice())
    .fetch_one(conn)
    .await
}

fn touch(fact: &Fact, touched: &mut Touched) {
    match fact {
        Fact::Alert(fact) => _ = touched.alerts.insert(fact.alert),
        Fact::Standing(fact) => _ = touched.alerts.insert(fact.alert),
        Fact::Call(fact) => _ = touched.alerts.insert(fact.alert),
        Fact::Act(fact) => _ = touched.alerts.insert(fact.alert),
        Fact::Fired(fact) => _ = touched.alerts.insert(fact.alert),
        Fact::Mark(fact) => _ = touched.alerts.insert(fact.alert),
        Fact::Delivery(fact) => _ = touched.deliveries.insert(fact.delivery),
        Fact::Attempt(fact) => _ = touched.deliveries.insert(fact.delivery),
        Fact::Message(_) | Fact::Talk(_) | Fact::Inbound(_) | Fact::Request(_) | Fact::Audit(_) => {
        }
    }
}

async fn keep_orphan(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    origin: NodeId,
    wanted: [u8; 16],
    fact: &Fact,
) -> Result<(), sqlx::Error> {
    let bytes = encode(fact)?;
    sqlx::query(
        "insert into orphan_fact (fact_hash, wants, origin, fact, kept_at_ms) values (?, ?, ?, ?, ?) \
         on conflict (fact_hash) do nothing",
    )
    .bind(hash(&bytes).as_slice())
    .bind(wanted.as_slice())
    .bind(origin.0.cast_signed())
    .bind(&bytes)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(())
}

async fn keep_refused(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    origin: NodeId,
    reason: &str,
    fact: &Fact,
) -> Result<(), sqlx::Error> {
    let bytes = encode(fact)?;
    sqlx::query(
        "insert into refused_fact (fact_hash, origin, kind, about, reason, fact, refused_at_ms) \
         values (?, ?, ?, ?, ?, ?, ?) on conflict (fact_hash) do nothing",
    )
    .bind(hash(&bytes).as_slice())
    .bind(origin.0.cast_signed())
    .bind(fact.kind())
    .bind(fact.about())
    .bind(reason)
    .bind(&bytes)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes out a page of the facts that waited for something that is here now.
async fn adopted(conn: &mut SqliteConnection) -> Result<Vec<(NodeId, Fact)>, sqlx::Error> {
    let found = sqlx::query(
        "select o.fact_hash, o.origin, o.fact from orphan_fact o \
         where exists (select 1 from alert a where a.alert_id = o.wants) \
         or exists (select 1 from delivery d where d.delivery_id = o.wants) \
         or exists (select 1 from room r where r.room_id = o.wants) \
         or exists (select 1 from message m where m.message_id = o.wants) order by o.fact_hash limit 256",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut facts = Vec::with_capacity(found.len());
    for row in &found {
        let origin: i64 = row.try_get("origin")?;
        let fact: Fact =
            codec::decode(row.try_get("fact")?).map_err(|e| sqlx::Error::Decode(e.into()))?;
        sqlx::query("delete from orphan_fact where fact_hash = ?")
            .bind(row.try_get::<&[u8], _>("fact_hash")?)
            .execute(&mut *conn)
            .await?;
        facts.push((NodeId(origin.cast_unsigned()), fact));
    }
    Ok(facts)
}

fn encode(fact: &Fact) -> Result<Vec<u8>, sqlx::Error> {
    codec::encode(fact).map_err(|e| sqlx::Error::Encode(e.into()))
}

fn hash(bytes: &[u8]) -> [u8; 16] {
    crate::ids::digest16("fact", &[bytes])
}
