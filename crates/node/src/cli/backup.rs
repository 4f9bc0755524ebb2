//! `holdfast backup`: makes, checks, restores and practises restoring.

use std::path::{Path, PathBuf};

use cluster::backup::{self, BackupError, Manifest, Opened, RestoreTo};
use domain::ports::Clock as _;
use domain::{access, alerts, deliveries, nodes, recipients};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use tempfile::TempDir;

use super::Context;
use super::args::BackupCommand;
use crate::config::Config;
use crate::output::{Done, Exit, Failure};
use crate::run;
use crate::run::backups::{self, DrillRecord, Records};
use crate::run::clock::SystemClock;
use crate::run::data_dir::DataDir;

/// Alerts and people are counted up to this many.
const COUNT_MAX: u32 = 100_000;

pub(super) async fn backup(context: &Context, command: BackupCommand) -> Done {
    match command {
        BackupCommand::Create {
            folder,
            one_recipient,
        } => create(context, folder, one_recipient).await,
        BackupCommand::Verify { file, identity } => verify(context, &file, identity).await,
        BackupCommand::Drill { file, identity } => drill(context, file, &identity).await,
        BackupCommand::Restore {
            file,
            identity,
            epoch,
        } => restore(context, &file, &identity, epoch).await,
    }
}

async fn create(context: &Context, folder: Option<PathBuf>, one_recipient: bool) -> Done {
    let config = context.config()?;
    let folder = folder
        .or_else(|| config.backup.folder.clone())
        .ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "where to? Say --folder, or set backup.folder in the settings",
            )
        })?;
    let order = backups::order(&config, &folder, one_recipient);
    let made = backup::create(&order).await;
    let words = |e: &BackupError| e.to_string();
    backups::note(&config.node.data_dir, made.as_ref().map_err(words));
    let made = made.map_err(failed)?;
    let answer = json!({
        "ok": true, "path": made.path, "len": made.len, "manifest": manifest_json(&made.manifest),
    });
    context
        .output
        .data(&answer, || made.path.display().to_string());
    context.output.note(format!(
        "{}; keep a copy of it at another place, and practise: holdfast backup drill",
        summary(&made.manifest)
    ));
    Ok(())
}

/// Without a key: whether the file is whole and who made it. With one: everything.
async fn verify(context: &Context, file: &Path, identity: Option<PathBuf>) -> Done {
    let Some(identity) = identity else {
        let sealed = backup::check_seal(file).map_err(failed)?;
        let answer = json!({
            "ok": true, "decrypted": false, "manifest": manifest_json(&sealed.manifest),
            "authority": backup::fingerprint(&sealed.authority),
            "authority_is_ours": is_ours(context, &sealed.authority),
        });
        context.output.data(&answer, || {
            format!("whole and signed: {}", summary(&sealed.manifest))
        });
        context
            .output
            .note(authority_words(context, &sealed.authority));
        context
            .output
            .note("only the seal was checked; with --identity KEYFILE the content is checked too");
        return Ok(());
    };
    let (opened, _folder) = open(file, &identity)?;
    let found = inspect(&opened).await?;
    let answer = json!({
        "ok": true, "decrypted": true, "manifest": manifest_json(&opened.manifest),
        "authority": backup::fingerprint(&opened.authority),
        "authority_is_ours": is_ours(context, &opened.authority), "content": found,
    });
    context.output.data(&answer, || {
        format!("sound: {}\n{}", summary(&opened.manifest), contents(&found))
    });
    context
        .output
        .note(authority_words(context, &opened.authority));
    Ok(())
}

/// A restore into nowhere, remembered as proof that it would work.
async fn drill(context: &Context, file: Option<PathBuf>, identity: &Path) -> Done {
    let config = context.config()?;
    let records = Records::read(&config.node.data_dir);
    let file = file
        .or_else(|| records.made.as_ref().map(|made| made.path.clone()))
        .ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                "no backup is known here; name the file, or make one with `holdfast backup create`",
            )
        })?;
    let began = SystemClock.boot();
    let practised = practise(&config, &file, identity).await;
    let took_ms = (SystemClock.boot() - began).as_millis();
    let result = match &practised {
        Ok((manifest, found)) => format!(
            "{} restored in {took_ms} ms: {}; {}",
            file.display(),
            summary(manifest),
            contents(found)
        ),
        Err(failure) => format!("{}: {:#}", file.display(), failure.error),
    };
    let mut records = records;
    records.drill = Some(DrillRecord {
        at_ms: SystemClock.wall().0,
        ok: practised.is_ok(),
        result: result.clone(),
    });
    if let Err(error) = records.write(&config.node.data_dir) {
        context
            .output
            .note(format!("the drill could not be remembered: {error}"));
    }
    let (manifest, found) = practised?;
    let took_ms = u64::try_from(took_ms).unwrap_or(u64::MAX);
    let answer = json!({
        "ok": true, "file": file, "took_ms": took_ms, "manifest": manifest_json(&manifest), "content": found,
    });
    context.output.data(&answer, || result);
    Ok(())
}

/// Decrypts, restores into a temporary data directory and reads it back.
async fn practise(
    config: &Config,
    file: &Path,
    identity: &Path,
) -> Result<(Manifest, Value), Failure> {
    let (opened, _folder) = open(file, identity)?;
    let found = inspect(&opened).await?;
    let target = TempDir::new().map_err(|e| Failure::of(Exit::Failure, e.into()))?;
    let mut cluster = run::cluster_config(config)?;
    cluster.data_dir = target.path().to_owned();
    let to = RestoreTo {
        config: cluster,
        https_names: Vec::new(),
        epoch_min: 0,
    };
    let _ = backup::restore(&opened, &to).await.map_err(failed)?;
    Ok((opened.manifest.clone(), found))
}

async fn restore(context: &Context, file: &Path, identity: &Path, epoch: Option<u32>) -> Done {
    let config = context.config()?;
    let _held =
        DataDir::take(&config.node.data_dir).map_err(|e| Failure::of(Exit::Conflict, e.into()))?;
    let (opened, _folder) = open(file, identity)?;
    let found = inspect(&opened).await?;
    context.output.note(format!(
        "{}\n{}\n  \
         lost: everything after that\n  \
         kept: people, alerts, API keys; void: invitations, all nodes' identities\n  \
         nothing is sent until `holdfast outbox release`\n\
         If one node of the cluster still lives, do not do this: see `holdfast cluster recover`.",
        summary(&opened.manifest),
        contents(&found)
    ));
    context.confirm("Found a new epoch from this backup?")?;
    let to = RestoreTo {
        config: run::cluster_config(&config)?,
        https_names: config.api.names.clone(),
        epoch_min: epoch.unwrap_or(0),
    };
    let restored = backup::restore(&opened, &to).await.map_err(failed)?;
    let answer = json!({
        "ok": true, "node": restored.node.0, "epoch": restored.epoch, "ca_file": run::ca_file(&config), "content": found,
    });
    context.output.data(&answer, || {
        format!("epoch {}, this node is {}", restored.epoch, restored.node)
    });
    context.output.note(format!(
        "Start it with `holdfast run`. Clients need the new {}. What the backup's maker had recorded alone is in \
         restored-journal.db and is not replayed.",
        run::ca_file(&config).display()
    ));
    Ok(())
}

/// Decrypts into a folder that goes away with the second value.
fn open(file: &Path, identity: &Path) -> Result<(Opened, TempDir), Failure> {
    let folder = TempDir::new().map_err(|e| Failure::of(Exit::Failure, e.into()))?;
    let opened = backup::open(file, identity, folder.path()).map_err(failed)?;
    Ok((opened, folder))
}

/// What a restore would bring back, by reading it.
async fn inspect(opened: &Opened) -> Result<Value, Failure> {
    let mut conn = opened.state().await.map_err(failed)?;
    count(&mut conn).await.map_err(|e| {
        Failure::of(
            Exit::VerificationFailed,
            anyhow::Error::new(e).context("the backup's state cannot be read"),
        )
    })
}

async fn count(conn: &mut SqliteConnection) -> Result<Value, sqlx::Error> {
    let members = nodes::nodes(conn).await?;
    let open = alerts::list(conn, Some(alerts::State::Open), None, COUNT_MAX).await?;
    let all = alerts::list(conn, None, None, COUNT_MAX).await?;
    let people = recipients::people(conn, None, "", COUNT_MAX).await?;
    let keys = access::keys(conn).await?;
    let waiting: u64 = deliveries::waiting(conn)
        .await?
        .iter()
        .map(|w| w.count)
        .sum();
    Ok(json!({
        "members": members.iter().filter(|row| row.removed_at.is_none()).count(),
        "people": people.len(), "alerts": all.len(), "open_alerts": open.len(),
        "keys": keys.len(), "waiting": waiting,
    }))
}

fn contents(found: &Value) -> String {
    format!(
        "{} people, {} alerts ({} open), {} API keys, {} texts and mails not yet sent, {} members",
        found["people"],
        found["alerts"],
        found["open_alerts"],
        found["keys"],
        found["waiting"],
        found["members"]
    )
}

fn summary(manifest: &Manifest) -> String {
    format!(
        "{} (cluster {}), epoch {}, up to log entry {} of {} (cluster time), made by n{} {} at {}",
        manifest.organisation,
        manifest.cluster,
        manifest.epoch,
        manifest.applied,
        manifest.as_of().to_rfc3339(),
        manifest.node,
        manifest.node_name,
        manifest.made_at().to_rfc3339()
    )
}

fn manifest_json(manifest: &Manifest) -> Value {
    json!({
        "version": manifest.version, "cluster": manifest.cluster, "organisation": manifest.organisation,
        "epoch": manifest.epoch, "applied": manifest.applied, "as_of": manifest.as_of().to_rfc3339(),
        "node": manifest.node, "node_name": manifest.node_name, "made_at": manifest.made_at().to_rfc3339(),
    })
}

/// Whether this machine's node stands under the same authority; null where there is no node.
fn is_ours(context: &Context, authority: &[u8]) -> Option<bool> {
    let config = context.config().ok()?;
    let identity = cluster::Identity::load(&config.node.data_dir).ok()??;
    Some(
        identity
            .trusted()
            .iter()
            .any(|ours| ours.as_ref() == authority),
    )
}

fn authority_words(context: &Context, authority: &[u8]) -> String {
    let print = backup::fingerprint(authority);
    match is_ours(context, authority) {
        Some(true) => "signed under this node's own authority".to_owned(),
        Some(false) => format!(
            "signed under ANOTHER authority ({print}): right after a restore or a change of authority, else a stranger's"
        ),
        None => format!("signed under the authority {print}; compare it with what you wrote down"),
    }
}

fn failed(error: BackupError) -> Failure {
    let exit = match &error {
        BackupError::TooFewRecipients { .. } | BackupError::Recipient { .. } => Exit::Usage,
        BackupError::Damaged { .. } | BackupError::Newer { .. } => Exit::VerificationFailed,
        BackupError::WrongKey { .. } => Exit::NotAuthorised,
        BackupError::NoMember { .. } | BackupError::NotEmpty(_) => Exit::Conflict,
        BackupError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Exit::NotFound
        }
        BackupError::Keys { .. }
        | BackupError::Io { .. }
        | BackupError::Database { .. }
        | BackupError::Migrate(_)
        | BackupError::Identity(_)
        | BackupError::Prepare(_)
        | BackupError::Internal(_) => Exit::Failure,
    };
    Failure::of(exit, error.into())
}
