//! The chain while entries are applied: where it stands is read once a batch, so that an entry costs no question.

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::entry::Draft;
use super::facts::AuditFact;
use super::record::{GENESIS, Record, commitment, hex};
use crate::apply::Entry;
use crate::codec;
use crate::ids::NodeId;
use crate::script::Script;

/// Most entries of islands taken into the chain with one merge; a merge brings at most so many.
const HOME_MAX: i64 = 4_096;

/// Stamp, epoch, last place, last hash and whose island this is, for [`Chain::read`].
pub(crate) const READ: &str = "select s.stamp_ms, coalesce((select epoch from cluster where id = 1), 1), \
     coalesce((select max(seq) from audit), 0), (select hash from audit order by seq desc limit 1), \
     (select node_id from fork where id = 1) from stamp s where s.id = 1";

/// The end of the chain.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    epoch: u32,
    seq: u64,
    head: [u8; 32],
    /// Set on an island: its entries are its own, and go home as facts.
    island: Option<NodeId>,
}

/// An entry as stored.
struct Stored<'a> {
    node: String,
    draft: &'a Draft,
    commit: Vec<u8>,
}

impl Chain {
    /// Reads a row of [`READ`].
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let head: Option<&[u8]> = row.try_get(3)?;
        let island: Option<i64> = row.try_get(4)?;
        Ok(Self {
            epoch: decode(row.try_get::<i64, _>(1)?.try_into())?,
            seq: row.try_get::<i64, _>(2)?.cast_unsigned(),
            head: head.map_or(Ok(GENESIS), |head| decode(head.try_into()))?,
            island: island.map(|node| NodeId(node.cast_unsigned())),
        })
    }

    /// A recovery began this epoch: its own entry is the first of it.
    pub(crate) fn enter(&mut self, epoch: u32) {
        self.epoch = epoch;
    }

    /// Adds entries to `script`, in order.
    pub(crate) fn append(&mut self, script: &mut Script, drafts: &[(Entry<'_>, Draft)]) {
        if drafts.is_empty() {
            return;
        }
        let mut details = Vec::new();
        insert(script, drafts.len());
        for (entry, draft) in drafts {
            let issued_by = entry.envelope.issued_by;
            let node = match self.island {
                None => issued_by.to_string(),
                Some(node) => island_name(node),
            };
            let mut commit = Vec::new();
            if let Some(json) = draft.details.json() {
                let salt = salt(&entry.envelope.seed, self.seq + 1);
                commit = commitment(&salt, &json).to_vec();
                details.push((self.seq + 1, salt, json));
            }
            let stored = Stored {
                node,
                draft,
                commit,
            };
            self.put(script, &stored);
        }
        if details.is_empty() {
            return;
        }
        script.insert(
            "insert into audit_details (seq, salt, details)",
            "(?, ?, ?)",
            details.len(),
            "",
        );
        for (seq, salt, json) in details {
            script
                .bind(seq.cast_signed())
                .bind(salt.to_vec())
                .bind(json);
        }
    }

    /// Takes what islands did into the chain, oldest first: each as it was, under the island's name.
    pub(crate) async fn bring_home(
        &mut self,
        conn: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        let waiting = sqlx::query(
            "select fact_key, fact from audit_island where seq is null order by at_ms, fact_key limit ?",
        )
        .bind(HOME_MAX)
        .fetch_all(&mut *conn)
        .await?;
        for row in &waiting {
            let fact: AuditFact =
                codec::decode(row.try_get("fact")?).map_err(|e| sqlx::Error::Decode(e.into()))?;
            let mut script = Script::default();
            insert(&mut script, 1);
            self.put_fact(&mut script, &fact);
            if !fact.details.is_empty() {
                script
                    .insert(
                        "insert into audit_details (seq, salt, details)",
                        "(?, ?, ?)",
                        1,
                        "",
                    )
                    .bind(self.seq.cast_signed())
                    .bind(fact.salt.clone())
                    .bind(fact.details.clone());
            }
            script
                .add("update audit_island set seq = ?, fact = x'' where fact_key = ?")
                .bind(self.seq.cast_signed())
                .bind(row.try_get::<&[u8], _>("fact_key")?.to_vec());
            script.execute(&mut *conn).await?;
        }
        Ok(())
    }

    fn put(&mut self, script: &mut Script, stored: &Stored<'_>) {
        let draft = stored.draft;
        let record = Record {
            action: draft.action.to_owned(),
            actor: draft.actor.clone(),
            assurance: draft.assurance.clone(),
            details_commit: hex(&stored.commit),
            epoch: self.epoch,
            node: stored.node.clone(),
            object: draft.object.clone(),
            outcome: draft.outcome.to_owned(),
            prev: hex(&self.head),
            req_id: draft.request.to_string(),
            seq: self.seq + 1,
            ts: draft.at.0,
        };
        self.bind(script, record, draft.request.as_bytes(), &stored.commit);
    }

    fn put_fact(&mut self, script: &mut Script, fact: &AuditFact) {
        let record = Record {
            action: fact.action.clone(),
            actor: fact.actor.clone(),
            assurance: fact.assurance.clone(),
            details_commit: hex(&fact.commit),
            epoch: self.epoch,
            node: fact.node.clone(),
            object: fact.object.clone(),
            outcome: fact.outcome.clone(),
            prev: hex(&self.head),
            req_id: fact.request.to_string(),
            seq: self.seq + 1,
            ts: fact.at.0,
        };
        self.bind(script, record, fact.request.as_bytes(), &fact.commit);
    }

    /// Binds the values of one row and moves on to it.
    fn bind(&mut self, script: &mut Script, record: Record, request: &[u8], commit: &[u8]) {
        self.seq = record.seq;
        self.head = record.hash();
        script
            .bind(record.seq.cast_signed())
            .bind(i64::from(record.epoch))
            .bind(record.ts)
            .bind(record.node)
            .bind(record.actor)
            .bind(record.assurance)
            .bind(record.action)
            .bind(record.object)
            .bind(record.outcome)
            .bind(request.to_vec())
            .bind(commit.to_vec())
            .bind(self.head.to_vec());
    }
}

fn insert(script: &mut Script, rows: usize) {
    script.insert(
        "insert into audit (seq, epoch, at_ms, node, actor, assurance, action, object, outcome, request, details_commit, hash)",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
        "",
    );
}

/// How the chain names an island.
fn island_name(node: NodeId) -> String {
    format!("island:{node}")
}

/// What nobody can guess who does not have the entry's seed, and the same on every node.
fn salt(seed: &[u8; 16], seq: u64) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"holdfast-audit-salt-v1")
        .chain_update(seed)
        .chain_update(seq.to_be_bytes())
        .finalize()
        .into();
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest[..16]);
    salt
}

fn decode<T, E>(result: Result<T, E>) -> Result<T, sqlx::Error>
where
    E: std::error::Error + Send + Sync + 'static,
{
    result.map_err(|e| sqlx::Error::Decode(e.into()))
}
