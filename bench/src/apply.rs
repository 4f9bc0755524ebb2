//! The floor of the commit path: what one node's SQLite takes to apply raises, with no network, no log, no HTTPS and no
//! other node. Whatever a cluster of three does costs each node at least this.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use domain::alerts::{Command as Alerts, Raise, Severity, Status, Step};
use domain::{
    Actor, Command, Envelope, LeaderStamp, LogEntry, NodeId, Outcome, RecipientId, RequestId,
    Timestamp, apply_batch, migrate,
};
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::fleet::TemporaryDir;
use crate::report::{Report, load, load_text};
use crate::usage::processor_ms;
use crate::workload::{LATER_S, TEXT};

/// Raises in a transaction: one by one, as a quiet cluster has them, and as bursts make them.
const BATCHES: [u64; 4] = [1, 4, 16, 64];

/// Applies raises for `time` at each size of batch.
pub(crate) async fn measure(disk: &Path, time: Duration, report: &mut Report) -> Result<()> {
    let dir = TemporaryDir::new(disk)?;
    let mut index = 0;
    for batch in BATCHES {
        let before = load()?;
        let mut conn = open(&dir.path().join(format!("batch-{batch}.db"))).await?;
        let (began, used) = (Instant::now(), processor_ms(std::process::id())?);
        let first = index;
        while began.elapsed() < time {
            let entries: Vec<LogEntry> = (0..batch).map(|nth| raise(index + nth)).collect();
            index += batch;
            let mut tx = conn.begin_with("begin immediate").await?;
            let outcomes = apply_batch(&mut tx, &entries).await?;
            tx.commit().await?;
            if let Some(other) = outcomes.iter().find(|o| !matches!(o, Outcome::Applied(_))) {
                bail!("a raise was not applied: {other:?}");
            }
        }
        let (took, used) = (began.elapsed(), processor_ms(std::process::id())? - used);
        conn.close().await?;
        let applied = (index - first) as f64;
        let (per_s, cpu) = (applied / took.as_secs_f64(), used / applied);
        let after = load()?;
        let object = json!({
            "measure": "apply alone", "batch": batch, "per_s": per_s.round(),
            "cpu_ms_per_write": (cpu * 1_000.0).round() / 1_000.0, "load_before": before, "load_after": after,
        });
        let row = [
            format!("apply alone, {batch} in a transaction"),
            format!("{per_s:6.0} /s, processor {cpu:.3} ms a write on one node"),
            load_text(before, after),
        ];
        report.put(&object, row)?;
    }
    Ok(())
}

/// A state as nodes keep it: not synced at each commit, the log holds what a power cut takes.
pub(crate) async fn open(path: &Path) -> Result<SqliteConnection> {
    let mut conn = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", "-16000")
        .pragma("temp_store", "memory")
        .disable_statement_logging()
        .connect()
        .await
        .with_context(|| format!("cannot make {}", path.display()))?;
    migrate(&mut conn).await?;
    Ok(conn)
}

fn raise(index: u64) -> LogEntry {
    let severity = Severity::High;
    let raise = Raise {
        severity,
        status: Status::Actual,
        texts: vec![("und".to_owned(), TEXT.to_owned())],
        gather: String::new(),
        gather_in: Vec::new(),
        aware_at: None,
        steps: vec![Step {
            delay_ms: u64::from(LATER_S) * 1_000,
            recipients: vec![RecipientId::of_key(&format!("person-{index}"))],
            enough: Vec::new(),
        }],
        notes: Vec::new(),
        needed: 1,
        repeat_every_ms: 300_000,
        repeats: 2,
        validity_ms: 3_600_000,
        fallback: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: domain::vocabulary::Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: None,
        source: "key:bench".to_owned(),
        template: None,
    };
    LogEntry {
        index: index + 1,
        leader: LeaderStamp::default(),
        envelope: Envelope {
            request: RequestId::derive(&[b"bench", &index.to_be_bytes()]),
            issued_at: Timestamp(1_790_000_000_000 + index.cast_signed()),
            issued_by: NodeId(1),
            seed: [7; 16],
            body: [0; 32],
            actor: Actor::ApiKey {
                id: "bench".to_owned(),
            },
            decided_under: None,
            command: Command::Alerts(Alerts::Raise(Box::new(raise))),
        },
    }
}
