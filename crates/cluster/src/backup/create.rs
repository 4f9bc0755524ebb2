//! Making a backup from a node's files, whether or not the node runs.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use domain::{Timestamp, nodes};
use sqlx::{ConnectOptions as _, Connection as _};

use super::kept_files;
use super::read::Seal;
use super::{
    AUTHORITY, BackupError, FORMAT, JOURNAL, MANIFEST, Manifest, Part, RECIPIENTS_MIN, SIGNATURE,
    SIGNER, STATE,
};
use crate::identity::{Identity, certificate_pem};
use crate::store::{self, files, sqlite};

/// Where the parts are put together, inside the data directory.
const WORKSHOP: &str = "backup.tmp";

/// What to make.
#[derive(Clone, Debug)]
pub struct Order {
    pub data_dir: PathBuf,
    /// Where the file goes; its name says what is in it.
    pub folder: PathBuf,
    /// Public keys as `age-keygen` prints them.
    pub recipients: Vec<String>,
    /// One recipient is enough: somebody said so.
    pub one_is_enough: bool,
    /// Version of this program.
    pub version: String,
    pub node_name: String,
    /// This machine's wall clock.
    pub now: Timestamp,
}

/// What was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Made {
    pub path: PathBuf,
    pub len: u64,
    pub manifest: Manifest,
}

/// Makes a backup. The file appears under its name once it is whole and on disk.
pub async fn create(order: &Order) -> Result<Made, BackupError> {
    let recipients = recipients(order)?;
    let identity = Identity::load(&order.data_dir)?.ok_or_else(|| BackupError::NoMember {
        dir: order.data_dir.clone(),
        missing: "identity",
    })?;
    let workshop = order.data_dir.join(WORKSHOP);
    clear(&workshop)?;
    DirBuilder::new()
        .mode(0o700)
        .create(&workshop)
        .map_err(BackupError::io(&workshop))?;
    let made = put_together(order, &identity, &workshop, recipients).await;
    clear(&workshop)?;
    made
}

fn recipients(order: &Order) -> Result<Vec<age::x25519::Recipient>, BackupError> {
    let mut parsed: Vec<age::x25519::Recipient> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for text in &order.recipients {
        let text = text.trim();
        let recipient = text.parse().map_err(|why: &str| BackupError::Recipient {
            recipient: text.to_owned(),
            why: why.to_owned(),
        })?;
        if seen.insert(text) {
            parsed.push(recipient);
        }
    }
    let least = if order.one_is_enough {
        1
    } else {
        RECIPIENTS_MIN
    };
    if parsed.len() < least {
        return Err(BackupError::TooFewRecipients {
            given: parsed.len(),
        });
    }
    Ok(parsed)
}

async fn put_together(
    order: &Order,
    identity: &Identity,
    workshop: &Path,
    recipients: Vec<age::x25519::Recipient>,
) -> Result<Made, BackupError> {
    let mut manifest = copy_state(order, identity, workshop).await?;
    copy_journal(&order.data_dir, workshop).await?;
    for name in [STATE, JOURNAL] {
        let path = workshop.join(name);
        let (len, sha256) = {
            let read = path.clone();
            files::blocking(move || files::digest(&read))
                .await
                .map_err(BackupError::io(path))?
        };
        manifest.parts.push(Part {
            name: name.to_owned(),
            len,
            sha256: HEXLOWER.encode(&sha256),
        });
    }
    let internal = |e: serde_json::Error| BackupError::Internal(e.to_string());
    let text = serde_json::to_vec_pretty(&manifest).map_err(internal)?;
    let signature = BASE64.encode(&identity.sign(&text)?);
    let (signer, authority) = (
        certificate_pem(&identity.leaf()),
        certificate_pem(&identity.above()),
    );
    let small = [
        (MANIFEST, text),
        (SIGNATURE, signature.into_bytes()),
        (SIGNER, signer.clone().into_bytes()),
        (AUTHORITY, authority.clone().into_bytes()),
    ];
    let path = order.folder.join(manifest.file_name());
    let (partial, from, to) = (
        files::suffixed(&path, ".partial"),
        workshop.to_owned(),
        path.clone(),
    );
    let written = {
        let (partial, data_dir) = (partial.clone(), order.data_dir.clone());
        files::blocking(move || {
            encrypt(
                &partial,
                (from.as_path(), data_dir.as_path()),
                &small,
                &recipients,
            )
        })
        .await
    };
    if let Err(source) = written {
        _ = fs::remove_file(&partial); // what is left of it is of no use
        return Err(BackupError::Io {
            path: partial,
            source,
        });
    }
    let (len, sha256) = files::digest(&partial).map_err(BackupError::io(&partial))?;
    let seal = Seal::new(&manifest, len, &sha256, identity, signer, authority)?;
    let seal = serde_json::to_vec_pretty(&seal).map_err(internal)?;
    files::write_atomically(&files::suffixed(&to, ".sig"), &seal)
        .and_then(|()| fs::rename(&partial, &to))
        .and_then(|()| files::sync_dir(&order.folder))
        .map_err(BackupError::io(&to))?;
    Ok(Made {
        path,
        len,
        manifest,
    })
}

/// A copy of the state as of one instant, while the node may go on.
async fn copy_state(
    order: &Order,
    identity: &Identity,
    workshop: &Path,
) -> Result<Manifest, BackupError> {
    let source = store::state::current_path(&order.data_dir.join("state")).map_err(|_| {
        BackupError::NoMember {
            dir: order.data_dir.clone(),
            missing: "state",
        }
    })?;
    let copy = workshop.join(STATE);
    copy_database(&source, &copy)
        .await
        .map_err(BackupError::database(&source))?;
    let read = async {
        let mut conn = sqlite::open_copy(&copy).await?;
        let position = store::state::read_position(&mut conn).await?;
        let last = domain::stamp_of_last(&mut conn).await?;
        let as_of = nodes::civil(&mut conn).await?.at(last);
        let cluster = nodes::cluster(&mut conn).await?;
        conn.close().await?;
        Ok((position, as_of, cluster))
    };
    let (position, as_of, cluster) = read.await.map_err(BackupError::database(&copy))?;
    let cluster = cluster.ok_or_else(|| BackupError::NoMember {
        dir: order.data_dir.clone(),
        missing: "founded cluster",
    })?;
    Ok(Manifest {
        format: FORMAT,
        version: order.version.clone(),
        cluster: identity.cluster_hex(),
        organisation: cluster.organisation,
        epoch: cluster.epoch,
        applied: position.applied.map_or(0, |id| id.index),
        as_of_ms: as_of.0,
        node: identity.node().0,
        node_name: order.node_name.clone(),
        made_at_ms: order.now.0,
        parts: Vec::new(),
    })
}

/// What this node recorded alone, without its memory of the SIMs' PINs.
async fn copy_journal(data_dir: &Path, workshop: &Path) -> Result<(), BackupError> {
    let (source, copy) = (data_dir.join("node.db"), workshop.join(JOURNAL));
    let copied = async {
        copy_database(&source, &copy).await?;
        let mut conn = sqlite::options(&copy, false).connect().await?;
        sqlx::raw_sql("pragma secure_delete = on; delete from sim_pin; vacuum;")
            .execute(&mut conn)
            .await?;
        // One file, readable by anything: no WAL beside it.
        sqlx::raw_sql("pragma journal_mode = delete;")
            .execute(&mut conn)
            .await?;
        conn.close().await
    };
    copied.await.map_err(BackupError::database(&source))
}

async fn copy_database(source: &Path, copy: &Path) -> Result<(), sqlx::Error> {
    let mut conn = sqlite::read_options(source).connect().await?;
    sqlite::vacuum_into(&mut conn, copy).await?;
    conn.close().await
}

fn encrypt(
    partial: &Path,
    (workshop, data_dir): (&Path, &Path),
    small: &[(&str, Vec<u8>)],
    recipients: &[age::x25519::Recipient],
) -> io::Result<()> {
    match fs::remove_file(partial) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)?;
    let encryptor =
        age::Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient))
            .map_err(io::Error::other)?;
    let encrypted = encryptor.wrap_output(io::BufWriter::new(file))?;
    let mut tar = tar::Builder::new(encrypted);
    for (name, bytes) in small {
        tar.append_data(&mut header(bytes.len() as u64), name, bytes.as_slice())?;
    }
    for name in [STATE, JOURNAL] {
        let part = File::open(workshop.join(name))?;
        tar.append_data(&mut header(part.metadata()?.len()), name, part)?;
    }
    kept_files::add(&mut tar, data_dir)?;
    let mut written = tar.into_inner()?.finish()?;
    written.flush()?;
    let file = written.into_inner().map_err(|e| e.into_error())?;
    file.sync_all()
}

pub(super) fn header(len: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(len);
    header.set_mode(0o600);
    header
}

fn clear(dir: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(BackupError::io(dir)(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}
