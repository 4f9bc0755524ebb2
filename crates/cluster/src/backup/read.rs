//! Reading a backup: nothing in it is believed before its length, its digest and its signature are right.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::{ConnectOptions as _, SqliteConnection};

use super::{
    AUTHORITY, BackupError, FORMAT, JOURNAL, MANIFEST, Manifest, SIGNATURE, SIGNER, STATE,
    kept_files,
};
use crate::identity::{Identity, Trust, verify_signature};
use crate::store::{self, files, sqlite};

/// Manifest, signature and certificates are small.
const SMALL_MAX: u64 = 256 * 1024;

/// A decrypted backup whose every part is what its maker signed.
#[derive(Debug)]
pub struct Opened {
    pub manifest: Manifest,
    /// The authority its maker's certificate was signed by, in DER.
    pub authority: Vec<u8>,
    dir: PathBuf,
}

/// What a `.sig` file proves without any key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    pub manifest: Manifest,
    /// The authority its maker's certificate was signed by, in DER.
    pub authority: Vec<u8>,
}

/// The `.sig` file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Seal {
    /// JSON, as signed.
    body: String,
    signature: String,
    signer: String,
    authority: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct SealBody {
    len: u64,
    sha256: String,
    manifest: Manifest,
}

impl Seal {
    pub(super) fn new(
        manifest: &Manifest,
        len: u64,
        sha256: &[u8; 32],
        identity: &Identity,
        signer: String,
        authority: String,
    ) -> Result<Self, BackupError> {
        let body = SealBody {
            len,
            sha256: HEXLOWER.encode(sha256),
            manifest: manifest.clone(),
        };
        let body =
            serde_json::to_string(&body).map_err(|e| BackupError::Internal(e.to_string()))?;
        Ok(Self {
            signature: BASE64.encode(&identity.sign(body.as_bytes())?),
            body,
            signer,
            authority,
        })
    }
}

/// Checks a backup by the `.sig` file beside it, without decrypting anything.
pub fn check_seal(backup: &Path) -> Result<Sealed, BackupError> {
    let path = files::suffixed(backup, ".sig");
    let damaged = |why: String| BackupError::Damaged {
        path: path.clone(),
        why,
    };
    let bytes = fs::read(&path).map_err(BackupError::io(&path))?;
    let seal: Seal = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    let body: SealBody = serde_json::from_str(&seal.body).map_err(|e| damaged(e.to_string()))?;
    let authority = check_signature(
        &body.manifest,
        seal.body.as_bytes(),
        &seal.signature,
        seal.signer.as_bytes(),
        seal.authority.as_bytes(),
    )
    .map_err(damaged)?;
    let (len, sha256) = files::digest(backup).map_err(BackupError::io(backup))?;
    if (len, HEXLOWER.encode(&sha256)) != (body.len, body.sha256) {
        return Err(BackupError::Damaged {
            path: backup.to_owned(),
            why: "it is not the file that was signed".to_owned(),
        });
    }
    Ok(Sealed {
        manifest: body.manifest,
        authority,
    })
}

/// Decrypts a backup into `into`, an empty folder, and checks everything about it but what the databases say.
pub fn open(backup: &Path, keys: &Path, into: &Path) -> Result<Opened, BackupError> {
    let file = File::open(backup).map_err(BackupError::io(backup))?;
    let damaged = |why: String| BackupError::Damaged {
        path: backup.to_owned(),
        why,
    };
    let unreadable = |source| BackupError::Keys {
        path: keys.to_owned(),
        source,
    };
    let text = File::open(keys).map_err(unreadable)?;
    let identities = age::IdentityFile::from_buffer(BufReader::new(text))
        .and_then(|file| file.into_identities().map_err(io::Error::other))
        .map_err(unreadable)?;
    let decryptor =
        age::Decryptor::new_buffered(BufReader::new(file)).map_err(|e| damaged(e.to_string()))?;
    let decrypted = decryptor
        .decrypt(identities.iter().map(|i| i.as_ref() as &dyn age::Identity))
        .map_err(|e| {
            if matches!(e, age::DecryptError::NoMatchingKeys) {
                BackupError::WrongKey {
                    keys: keys.to_owned(),
                    backup: backup.to_owned(),
                }
            } else {
                damaged(e.to_string())
            }
        })?;
    let small = unpack(decrypted, into).map_err(|e| damaged(e.to_string()))?;
    let part = |name: &str| {
        small
            .get(name)
            .map(Vec::as_slice)
            .ok_or_else(|| damaged(format!("it holds no {name}")))
    };
    let text = part(MANIFEST)?;
    let manifest: Manifest = serde_json::from_slice(text).map_err(|e| damaged(e.to_string()))?;
    if manifest.format > FORMAT {
        return Err(BackupError::Newer {
            path: backup.to_owned(),
            found: manifest.format,
        });
    }
    let signature = String::from_utf8_lossy(part(SIGNATURE)?);
    let authority = check_signature(&manifest, text, &signature, part(SIGNER)?, part(AUTHORITY)?)
        .map_err(damaged)?;
    for name in [STATE, JOURNAL] {
        let wanted = manifest.parts.iter().find(|part| part.name == name);
        let wanted = wanted.ok_or_else(|| damaged(format!("its manifest names no {name}")))?;
        let found = files::digest(&into.join(name)).map_err(|e| damaged(e.to_string()))?;
        if (found.0, HEXLOWER.encode(&found.1)) != (wanted.len, wanted.sha256.clone()) {
            return Err(damaged(format!("{name} is not what was signed")));
        }
    }
    Ok(Opened {
        manifest,
        authority,
        dir: into.to_owned(),
    })
}

/// Checks that the signer was a node of the cluster the manifest names and signed `text`; answers the authority.
fn check_signature(
    manifest: &Manifest,
    text: &[u8],
    signature: &str,
    signer: &[u8],
    authority: &[u8],
) -> Result<Vec<u8>, String> {
    let certificate = |pem: &[u8], what: &str| {
        CertificateDer::from_pem_slice(pem).map_err(|e| format!("its {what} cannot be read: {e}"))
    };
    let (leaf, authority) = (
        certificate(signer, "signer")?,
        certificate(authority, "authority")?,
    );
    let cluster: [u8; 16] = HEXLOWER
        .decode(manifest.cluster.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or("its manifest names no cluster")?;
    let who = Trust::new(vec![authority.clone()], cluster)
        .verify_member(&leaf)
        .map_err(|_| "its signer was no node of that cluster")?;
    if who.node.0 != manifest.node || who.epoch != manifest.epoch {
        return Err("somebody else than its maker signed it".to_owned());
    }
    let signature = BASE64
        .decode(signature.trim().as_bytes())
        .map_err(|_| "its signature cannot be read")?;
    if !verify_signature(&leaf, text, &signature) {
        return Err("its signature does not hold".to_owned());
    }
    Ok(authority.to_vec())
}

/// Writes the databases into `into` and answers the small parts. Only names we know are taken: a path in the archive
/// leads nowhere.
fn unpack(decrypted: impl io::Read, into: &Path) -> io::Result<BTreeMap<&'static str, Vec<u8>>> {
    let mut small = BTreeMap::new();
    let mut archive = tar::Archive::new(decrypted);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let known = [MANIFEST, SIGNATURE, SIGNER, AUTHORITY, STATE, JOURNAL]
            .into_iter()
            .find(|name| Path::new(name) == path);
        match known {
            Some(name @ (STATE | JOURNAL)) => {
                let mut file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(into.join(name))?;
                io::copy(&mut entry, &mut file)?;
                file.flush()?;
                file.sync_all()?;
            }
            Some(name) => {
                let mut bytes = Vec::new();
                entry.by_ref().take(SMALL_MAX).read_to_end(&mut bytes)?;
                small.insert(name, bytes);
            }
            None => match kept_files::named(&path) {
                Some(name) => kept_files::take(&mut entry, into, name)?,
                None => {
                    return Err(io::Error::other(
                        "it holds a file that does not belong there",
                    ));
                }
            },
        }
    }
    // Read to the very end: only then has age checked that nothing was cut off.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(small)
}

impl Opened {
    /// Opens the state for reading, brought up to this version's schema, after a full integrity check and a check that it
    /// stands where the manifest says.
    pub async fn state(&self) -> Result<SqliteConnection, BackupError> {
        let path = self.dir.join(STATE);
        let mut conn = sqlite::options(&path, false)
            .connect()
            .await
            .map_err(BackupError::database(&path))?;
        let complaint: String = sqlx::query_scalar("pragma integrity_check(1)")
            .fetch_one(&mut conn)
            .await
            .map_err(BackupError::database(&path))?;
        let damaged = |why: String| BackupError::Damaged {
            path: path.clone(),
            why,
        };
        if complaint != "ok" {
            return Err(damaged(complaint));
        }
        domain::migrate(&mut conn).await?;
        let position = store::state::read_position(&mut conn)
            .await
            .map_err(BackupError::database(&path))?;
        let applied = position.applied.map_or(0, |id| id.index);
        if applied != self.manifest.applied {
            return Err(damaged(format!(
                "its state stands at {applied}, its manifest says {}",
                self.manifest.applied
            )));
        }
        Ok(conn)
    }

    /// SHA-256 over every row a restore would bring back is what it was: the databases as signed.
    pub fn state_digest(&self) -> String {
        self.manifest
            .parts
            .iter()
            .find(|part| part.name == STATE)
            .map(|part| part.sha256.clone())
            .unwrap_or_default()
    }

    pub(super) fn state_file(&self) -> PathBuf {
        self.dir.join(STATE)
    }

    /// The folder it was opened into.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn journal_file(&self) -> PathBuf {
        self.dir.join(JOURNAL)
    }
}

/// SHA-256 of an authority's certificate, to be compared with what people wrote down.
pub fn fingerprint(authority: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(authority))
}
