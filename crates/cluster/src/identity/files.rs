//! Identity files: written whole or not at all, mode 0600.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::IdentityError;

/// Writes a file through a temporary one beside it, synced with its directory.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> Result<(), IdentityError> {
    write_private(dir, name, text.as_bytes())
}

/// As [`write`], for bytes.
pub(crate) fn write_private(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), IdentityError> {
    replace(dir, name, bytes).map_err(|source| IdentityError::File {
        path: dir.join(name),
        source,
    })
}

/// The text of a file; `None` when there is none.
pub(crate) fn read(dir: &Path, name: &str) -> Result<Option<String>, IdentityError> {
    match fs::read_to_string(dir.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::File {
            path: dir.join(name),
            source,
        }),
    }
}

/// The certificate in a PEM file; `None` when there is no file.
pub(crate) fn read_certificate(
    dir: &Path,
    name: &str,
) -> Result<Option<CertificateDer<'static>>, IdentityError> {
    let Some(pem) = read(dir, name)? else {
        return Ok(None);
    };
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map(Some)
        .map_err(|e| super::damaged(dir, name, &e))
}

/// All certificates in a PEM file; none when there is no file.
pub(crate) fn read_certificates(
    dir: &Path,
    name: &str,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let pem = read(dir, name)?.unwrap_or_default();
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| super::damaged(dir, name, &e))
}

/// Moves one file over another, durably.
pub(crate) fn rename(dir: &Path, from: &str, to: &str) -> Result<(), IdentityError> {
    let moved = fs::rename(dir.join(from), dir.join(to)).and_then(|()| File::open(dir)?.sync_all());
    moved.map_err(|source| IdentityError::File {
        path: dir.join(to),
        source,
    })
}

/// A certificate in PEM (RFC 7468).
pub(crate) fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    let base64 = data_encoding::BASE64.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let temporary = dir.join(format!("{name}.new"));
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(name))?;
    File::open(dir)?.sync_all()
}
