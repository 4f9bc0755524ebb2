//! The rows of one state, as plain values for the invariants to look at.

use std::collections::BTreeMap;

use domain::deliveries::AttemptRef;
use domain::{AlertId, DeliveryId, NodeId, RecipientId, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row, SqliteConnection, TypeInfo as _, ValueRef as _};

/// One alert with its plan.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub number: u64,
    pub state: String,
    pub acknowledged: bool,
    pub text: String,
    pub joined_into: Option<AlertId>,
    pub next_action: String,
    pub next_due: Timestamp,
}

/// One delivery.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub alert: AlertId,
    pub recipient: RecipientId,
    pub purpose: String,
    pub step: i64,
    pub round: i64,
    pub method: i64,
    pub kind: String,
    pub state: String,
    pub reason: String,
    pub awaiting: bool,
    pub attempts: u32,
    pub expires: Timestamp,
    pub ended: bool,
}

impl Delivery {
    /// What it shares with the person's other contact methods.
    pub(crate) fn place(&self) -> (AlertId, RecipientId, i64, i64) {
        (self.alert, self.recipient, self.step, self.round)
    }
}

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub node: NodeId,
    pub state: String,
    pub ended: Option<Timestamp>,
}

/// One person called to an alert.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub alert: AlertId,
    pub recipient: RecipientId,
    pub position: u64,
    pub code: String,
    pub answer: String,
    pub answered_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
}

/// One text that came in.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub alert: Option<AlertId>,
    pub recipient: Option<RecipientId>,
    pub taken: String,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    pub applied: u64,
    /// Cluster time as the node reckons it.
    pub now: Timestamp,
    pub alerts: BTreeMap<AlertId, Alert>,
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    pub attempts: BTreeMap<AttemptRef, Attempt>,
    pub calls: Vec<Call>,
    pub texts: BTreeMap<Vec<u8>, Text>,
    /// Room messages: how often each text is there.
    pub posts: BTreeMap<String, u64>,
    /// What automations wrote in rooms: how often each alert's has each text.
    pub automated: BTreeMap<(AlertId, String), u64>,
    /// What each channel was given by each history and has not reported: attempts and SMS parts.
    pub load: BTreeMap<(NodeId, String, u32), (u64, u32)>,
    /// Entries that could not be applied.
    pub defects: Vec<(u64, String)>,
    /// At the end: the first of all islands' facts whose joining once more changed something.
    pub new_fact: Option<String>,
    /// Facts the cluster could not take.
    pub refused: Vec<String>,
}

impl Picture {
    /// Reads everything.
    pub(crate) async fn read(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let mut picture = Self::default();
        picture.read_alerts(conn).await?;
        picture.read_deliveries(conn).await?;
        picture.read_calls(conn).await?;
        for row in sqlx::query(
            "select text, count(*) from message where via = 'api' group by text order by text",
        )
        .fetch_all(&mut *conn)
        .await?
        {
            picture.posts.insert(row.try_get(0)?, unsigned(&row, 1)?);
        }
        for row in sqlx::query(
            "select room_id, text, count(*) from message where author like 'automation %' \
             group by room_id, text order by room_id, text",
        )
        .fetch_all(&mut *conn)
        .await?
        {
            let alert = AlertId(id16(row.try_get(0)?));
            picture
                .automated
                .insert((alert, row.try_get(1)?), unsigned(&row, 2)?);
        }
        for load in domain::deliveries::load(conn).await? {
            picture.load.insert(
                (load.node, load.channel, load.history),
                (load.attempts, load.parts),
            );
        }
        for (index, code, _) in domain::defects(conn).await? {
            picture.defects.push((index, code));
        }
        Ok(picture)
    }

    async fn read_alerts(&mut self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "select a.alert_id, a.number, a.state, a.acknowledged_at_ms is not null, a.source, \
             a.joined_into, e.next_action, e.next_due_ms \
             from alert a join escalation e on e.alert_id = a.alert_id order by a.alert_id",
        )
        .fetch_all(conn)
        .await?;
        for row in &rows {
            let alert = Alert {
                number: unsigned(row, 1)?,
                state: row.try_get(2)?,
                acknowledged: row.try_get(3)?,
                text: row.try_get(4)?,
                joined_into: row
                    .try_get::<Option<&[u8]>, _>(5)?
                    .map(|id| AlertId(id16(id))),
                next_action: row.try_get(6)?,
                next_due: Timestamp(row.try_get(7)?),
            };
            self.alerts.insert(AlertId(id16(row.try_get(0)?)), alert);
        }
        Ok(())
    }

    async fn read_deliveries(&mut self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "select delivery_id, alert_id, recipient_id, purpose, method, kind, state, reason, awaiting, attempts, \
             expires_at_ms, ended_at_ms is not null, step, round from delivery order by delivery_id",
        )
        .fetch_all(&mut *conn)
        .await?;
        for row in &rows {
            let delivery = Delivery {
                alert: AlertId(id16(row.try_get(1)?)),
                recipient: RecipientId(id16(row.try_get(2)?)),
                purpose: row.try_get(3)?,
                method: row.try_get(4)?,
                kind: row.try_get(5)?,
                state: row.try_get(6)?,
                reason: row.try_get(7)?,
                awaiting: row.try_get(8)?,
                attempts: row.try_get(9)?,
                expires: Timestamp(row.try_get(10)?),
                ended: row.try_get(11)?,
                step: row.try_get(12)?,
                round: row.try_get(13)?,
            };
            self.deliveries
                .insert(DeliveryId(id16(row.try_get(0)?)), delivery);
        }
        let rows = sqlx::query(
            "select delivery_id, attempt, node_id, state, ended_at_ms from attempt order by delivery_id, attempt",
        )
        .fetch_all(conn)
        .await?;
        for row in &rows {
            let reference = AttemptRef {
                delivery: DeliveryId(id16(row.try_get(0)?)),
                attempt: row.try_get(1)?,
            };
            let attempt = Attempt {
                node: NodeId(unsigned(row, 2)?),
                state: row.try_get(3)?,
                ended: row.try_get::<Option<i64>, _>(4)?.map(Timestamp),
            };
            self.attempts.insert(reference, attempt);
        }
        Ok(())
    }

    async fn read_calls(&mut self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "select alert_id, recipient_id, position, step, code, answer, answered_at_ms, called_at_ms, closed_at_ms \
             from called_person order by alert_id, position, recipient_id",
        )
        .fetch_all(&mut *conn)
        .await?;
        for row in &rows {
            self.calls.push(Call {
                alert: AlertId(id16(row.try_get(0)?)),
                recipient: RecipientId(id16(row.try_get(1)?)),
                position: unsigned(row, 2)?,
                code: row.try_get(4)?,
                answer: row.try_get(5)?,
                answered_at: row.try_get::<Option<i64>, _>(6)?.map(Timestamp),
                closed_at: row.try_get::<Option<i64>, _>(8)?.map(Timestamp),
            });
        }
        let rows = sqlx::query(
            "select inbound_key, alert_id, recipient_id, taken, received_at_ms from inbound_text order by inbound_key",
        )
        .fetch_all(conn)
        .await?;
        for row in &rows {
            let text = Text {
                alert: row
                    .try_get::<Option<&[u8]>, _>(1)?
                    .map(|id| AlertId(id16(id))),
                recipient: row
                    .try_get::<Option<&[u8]>, _>(2)?
                    .map(|id| RecipientId(id16(id))),
                taken: row.try_get(3)?,
            };
            self.texts.insert(row.try_get(0)?, text);
        }
        Ok(())
    }
}

/// One hash for each table of a state, by name: equal exactly if all rows are.
pub(crate) async fn digests(
    conn: &mut SqliteConnection,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let tables: Vec<String> =
        sqlx::query_scalar("select name from sqlite_schema where type = 'table' order by name")
            .fetch_all(&mut *conn)
            .await?;
    let mut digests = BTreeMap::new();
    for table in tables {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("select * from \"{table}\"")))
            .fetch_all(&mut *conn)
            .await?;
        let mut all: Vec<Vec<u8>> = rows.iter().map(bytes_of).collect();
        all.sort();
        let mut hash = Sha256::new();
        for row in all {
            hash.update((row.len() as u64).to_be_bytes());
            hash.update(row);
        }
        let hash: String = hash.finalize()[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        digests.insert(table, hash);
    }
    Ok(digests)
}

fn bytes_of(row: &SqliteRow) -> Vec<u8> {
    let mut bytes = Vec::new();
    for column in row.columns() {
        let at = column.ordinal();
        let Ok(value) = row.try_get_raw(at) else {
            continue;
        };
        let kind = value.type_info().name().to_owned();
        let value = match kind.as_str() {
            "NULL" => Vec::new(),
            "INTEGER" | "BOOLEAN" => row.get::<i64, _>(at).to_be_bytes().to_vec(),
            "TEXT" => row.get::<String, _>(at).into_bytes(),
            _ => row.try_get::<Vec<u8>, _>(at).unwrap_or_default(),
        };
        bytes.extend(kind.as_bytes());
        bytes.extend((value.len() as u64).to_be_bytes());
        bytes.extend(value);
    }
    bytes
}

fn unsigned(row: &SqliteRow, at: usize) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(at)?.cast_unsigned())
}

fn id16(bytes: &[u8]) -> [u8; 16] {
    bytes.try_into().unwrap_or([0; 16])
}
