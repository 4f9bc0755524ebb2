//! Identity files: written whole or not at all, mode 0600.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use domain::codec;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::IdentityError;

/// Starts the first line of a text file; the rest of it is the CRC-32 of what follows. Readers of PEM pass over it
/// (RFC 7468 section 2, explanatory text).
const CHECKSUM: &str = "CRC-32: ";

/// Writes a text under its checksum, through a temporary file beside it, synced with its directory. A turned bit could
/// leave a certificate that reads well and that no peer accepts.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> Result<(), IdentityError> {
    let checked = format!("{}{text}", checksum_line(text));
    write_private(dir, name, checked.as_bytes())
}

fn checksum_line(text: &str) -> String {
    format!("{CHECKSUM}{:08x}\n", crc32fast::hash(text.as_bytes()))
}

/// As [`write`], for bytes, without a checksum.
pub(crate) fn write_private(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), IdentityError> {
    replace(dir, name, bytes).map_err(|source| IdentityError::File {
        path: dir.join(name),
        source,
    })
}

/// As [`write`], for a value that must be read back whole: [`codec`] bytes, then their CRC-32 in big-endian order.
pub(crate) fn write_checked<T: Serialize>(
    dir: &Path,
    name: &str,
    value: &T,
) -> Result<(), IdentityError> {
    let mut bytes = codec::encode(value).map_err(|e| IdentityError::File {
        path: dir.join(name),
        source: io::Error::other(e),
    })?;
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    write_private(dir, name, &bytes)
}

/// What [`write_checked`] wrote; `None` when there is no file.
pub(crate) fn read_checked<T: DeserializeOwned>(
    dir: &Path,
    name: &str,
) -> Result<Option<T>, IdentityError> {
    let bytes = match fs::read(dir.join(name)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(IdentityError::File {
                path: dir.join(name),
                source,
            });
        }
    };
    let (body, crc) = bytes
        .split_last_chunk::<4>()
        .ok_or_else(|| super::damaged(dir, name, &"it is cut off"))?;
    if crc32fast::hash(body).to_be_bytes() != *crc {
        return Err(super::damaged(dir, name, &"its checksum does not hold"));
    }
    codec::decode(body)
        .map(Some)
        .map_err(|e| super::damaged(dir, name, &e))
}

/// The text of a file, with or without a checksum; `None` when there is no file.
pub(crate) fn read(dir: &Path, name: &str) -> Result<Option<String>, IdentityError> {
    match fs::read_to_string(dir.join(name)) {
        Ok(text) if text.starts_with(CHECKSUM) => {
            let (line, rest) = text.split_at(text.find('\n').map_or(text.len(), |at| at + 1));
            if line != checksum_line(rest) {
                return Err(super::damaged(dir, name, &"its checksum does not hold"));
            }
            Ok(Some(rest.to_owned()))
        }
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            Err(super::damaged(dir, name, &"it is not text"))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checked_file_cut_or_flipped_anywhere_is_refused() {
        const NAME: &str = "checked.bin";
        let dir = tempfile::tempdir().unwrap();
        let read = || read_checked::<(u64, String, Vec<[u8; 4]>)>(dir.path(), NAME);
        let value = (40, "alpha".to_owned(), vec![[7; 4], [9; 4]]);
        assert_eq!(read().unwrap(), None);
        write_checked(dir.path(), NAME, &value).unwrap();
        assert_eq!(read().unwrap(), Some(value));
        let sound = fs::read(dir.path().join(NAME)).unwrap();
        let cuts = (0..sound.len()).map(|len| sound[..len].to_vec());
        let flips = (0..sound.len() * 8).map(|bit| {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        for bytes in cuts.chain(flips) {
            fs::write(dir.path().join(NAME), bytes).unwrap();
            let refused = read().unwrap_err().to_string();
            assert!(refused.contains(NAME), "{refused}");
        }
    }
}
