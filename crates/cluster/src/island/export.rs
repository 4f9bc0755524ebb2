//! A journal as a file a person carries (DESIGN D7): for a node that cannot hand its facts over itself, because it was
//! removed, or because its cluster was founded anew. Versioned, checksummed, signed by the key of the node that wrote it.

use domain::{NodeId, Timestamp, codec};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::crypto::sha256;
use crate::identity::{Identity, IdentityError, Presented, inspect, verify_signature};
use crate::store::island_journal::JournalRow;
use crate::store::node_db::{NodeDb, NodeDbError};

/// First bytes of the file; the last one is the format's version.
const MAGIC: &[u8; 9] = b"HFISLAND\x01";
/// Said before what is signed, so that a signature can stand for nothing else.
const PURPOSE: &[u8] = b"holdfast island journal 1\0";
/// Bytes of one file. A journal this long has other problems.
const LEN_MAX: usize = 256 * 1024 * 1024;
/// Journal rows read at a time.
const ROWS_MAX: u32 = 1_024;
const ROWS_BYTES_MAX: usize = 4 << 20;

/// The journal could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Journal(#[from] NodeDbError),
    #[error("cannot sign the file with this node's key")]
    Sign(#[from] IdentityError),
    #[error("cannot encode the journal")]
    Encode(#[from] codec::CodecError),
}

/// A file that is no journal of this cluster, or not the one that was written. Nothing of it was taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImportError {
    #[error("this is not a journal file; `holdfast island export` writes one")]
    NotAJournal,
    #[error("the file was written by a newer version (format {0}); import it with that version")]
    Newer(u8),
    #[error(
        "the file is damaged or cut short: its checksum does not match; copy it again from where it was written"
    )]
    Damaged,
    #[error(
        "the file makes no sense inside although its checksum holds; export it again with the version that wrote it"
    )]
    Unreadable,
    #[error("the file was not written by a node of this cluster")]
    Foreign,
    #[error("the file's signature is not of the node that it names")]
    Forged,
}

/// What a file holds, once it is believed.
#[derive(Clone, Debug)]
pub(super) struct Exported {
    /// The node that wrote it and the digest of its key: whether that node may still speak is the state's to say.
    pub(super) node: NodeId,
    pub(super) pin: [u8; 32],
    pub(super) rows: Vec<JournalRow>,
}

/// Stored form. Its fields never change.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    cluster: [u8; 16],
    node: u64,
    written_at_ms: i64,
    /// Origin, place, fact.
    rows: Vec<(u64, u64, Vec<u8>)>,
}

/// Stored form. Its fields never change.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    body: Vec<u8>,
    /// The writer's certificate, DER.
    leaf: Vec<u8>,
    signature: Vec<u8>,
}

/// Everything journalled here and not yet handed over, own facts and those kept for other islands. Answers with the last
/// own place in it as well; note that as exported once the file is safe.
pub(super) async fn write_export(
    db: &NodeDb,
    identity: &Identity,
    at: Timestamp,
) -> Result<(Vec<u8>, u64), ExportError> {
    let (mut rows, mut last_own) = (Vec::new(), 0);
    for origin in db.journal_origins().await? {
        let mut after = 0;
        loop {
            let some = db
                .journal_after(origin, after, ROWS_MAX, ROWS_BYTES_MAX)
                .await?;
            let Some(last) = some.last() else { break };
            after = last.seq;
            rows.extend(
                some.into_iter()
                    .map(|row| (row.origin.0, row.seq, row.fact)),
            );
        }
        if origin == identity.node() {
            last_own = after;
        }
    }
    let body = codec::encode(&Body {
        cluster: identity.cluster(),
        node: identity.node().0,
        written_at_ms: at.0,
        rows,
    })?;
    let signed = Signed {
        signature: identity.sign(&[PURPOSE, body.as_slice()].concat())?,
        leaf: identity
            .chain()
            .first()
            .map(|leaf| leaf.to_vec())
            .unwrap_or_default(),
        body,
    };
    let mut file = MAGIC.to_vec();
    file.extend(codec::encode(&signed)?);
    let digest = sha256(&file);
    file.extend(digest);
    Ok((file, last_own))
}

/// Reads a file back and checks that the holder of the key it names wrote exactly this. Whether that key is the node's is
/// for the caller to check against the pins (DESIGN B2): authorities come and go.
pub(super) fn open_export(file: &[u8], cluster: [u8; 16]) -> Result<Exported, ImportError> {
    let (version, magic) = MAGIC.split_last().expect("the constant is not empty");
    if file.len() > LEN_MAX || !file.starts_with(magic) {
        return Err(ImportError::NotAJournal);
    }
    let digest_at = file.len().saturating_sub(32).max(MAGIC.len());
    let (content, digest) = file
        .split_at_checked(digest_at)
        .ok_or(ImportError::Damaged)?;
    if sha256(content) != digest {
        return Err(ImportError::Damaged);
    }
    if content[magic.len()] != *version {
        return Err(ImportError::Newer(content[magic.len()]));
    }
    let unreadable = |_| ImportError::Unreadable;
    let signed: Signed = codec::decode(&content[MAGIC.len()..]).map_err(unreadable)?;
    let leaf = CertificateDer::from(signed.leaf);
    let Presented {
        node,
        pin,
        cluster: of,
        epoch: _,
    } = inspect(&leaf).map_err(|_| ImportError::Unreadable)?;
    if of != cluster {
        return Err(ImportError::Foreign);
    }
    let message = [PURPOSE, signed.body.as_slice()].concat();
    if !verify_signature(&leaf, &message, &signed.signature) {
        return Err(ImportError::Forged);
    }
    let body: Body = codec::decode(&signed.body).map_err(unreadable)?;
    if body.cluster != cluster || body.node != node.0 {
        return Err(ImportError::Foreign);
    }
    let rows = body.rows.into_iter().map(|(origin, seq, fact)| JournalRow {
        origin: NodeId(origin),
        seq,
        fact,
    });
    Ok(Exported {
        node,
        pin,
        rows: rows.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fatal::Fatal;

    async fn written() -> (tempfile::TempDir, Identity, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::found(dir.path(), [7; 16], &[]).unwrap();
        let path = dir.path().join("node.db");
        let db = NodeDb::open(&path, false, Fatal::new()).await.unwrap();
        let facts: Vec<Vec<u8>> = (0..3).map(|n| vec![n; 40]).collect();
        db.journal_own(identity.node(), &facts).await.unwrap();
        let (file, last) = write_export(&db, &identity, Timestamp(5)).await.unwrap();
        assert_eq!(last, 3);
        (dir, identity, file)
    }

    #[tokio::test]
    async fn a_file_holds_the_journal_and_says_who_wrote_it() {
        let (_dir, identity, file) = written().await;
        let read = open_export(&file, [7; 16]).unwrap();
        assert_eq!((read.node, read.pin), (identity.node(), identity.pin()));
        let seqs: Vec<u64> = read.rows.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, [1, 2, 3]);
        assert_eq!(read.rows[2].fact, vec![2; 40]);
    }

    #[tokio::test]
    async fn a_file_cut_anywhere_or_with_a_flipped_bit_is_refused() {
        let (_dir, _identity, file) = written().await;
        for len in 0..file.len() {
            let cut = open_export(&file[..len], [7; 16]);
            let expected = if len < 8 {
                ImportError::NotAJournal
            } else {
                ImportError::Damaged
            };
            assert_eq!(cut.unwrap_err(), expected, "{len} bytes");
        }
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 0x10;
            assert!(open_export(&flipped, [7; 16]).is_err(), "byte {at}");
        }
    }

    #[tokio::test]
    async fn only_nodes_of_this_cluster_are_believed() {
        let (_dir, _identity, file) = written().await;
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Identity::found(elsewhere.path(), [8; 16], &[]).unwrap();
        let foreign = open_export(&file, [8; 16]).unwrap_err();
        assert_eq!(foreign, ImportError::Foreign);
        // Somebody else's words under this node's name, with a checksum that fits.
        let mut signed: Signed = codec::decode(&file[MAGIC.len()..file.len() - 32]).unwrap();
        signed.signature = other
            .sign(&[PURPOSE, signed.body.as_slice()].concat())
            .unwrap();
        let mut forged = MAGIC.to_vec();
        forged.extend(codec::encode(&signed).unwrap());
        let digest = sha256(&forged);
        forged.extend(digest);
        let forged = open_export(&forged, [7; 16]).unwrap_err();
        assert_eq!(forged, ImportError::Forged);
    }
}
