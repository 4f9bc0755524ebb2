//! The folder of files as nodes and people meet it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::sync::Mutex;

use super::*;
use crate::crypto::sha256;
use crate::rpc::{CallError, Pipe};
use crate::types::Peer;

const ID: FileId = FileId([4; 16]);

fn digest(bytes: &[u8]) -> FileDigest {
    FileDigest(sha256(bytes))
}

fn alone(dir: &tempfile::TempDir) -> Files {
    Files::alone(dir.path().join(FOLDER), FileLimits::default()).unwrap()
}

async fn read(files: &Files, digest: FileDigest) -> Option<Vec<u8>> {
    let mut file = files.open(digest).await.unwrap()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

#[tokio::test]
async fn an_upload_goes_on_where_it_stopped_and_is_kept_under_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let files = alone(&dir);
    assert_eq!(files.receive(ID, 0, b"one ".to_vec()).await.unwrap(), 4);
    let again = files.receive(ID, 0, b"one ".to_vec()).await;
    assert!(matches!(again, Err(FileError::Offset(4))), "{again:?}");
    let files = alone(&dir); // as after a restart
    assert_eq!(files.received(ID).await.unwrap(), 4);
    assert_eq!(files.receive(ID, 4, b"two".to_vec()).await.unwrap(), 7);
    let whole = digest(b"one two");
    assert!(!files.has(whole, 7).await.unwrap());
    files.keep(ID, whole).await.unwrap();
    files.keep(ID, whole).await.unwrap();
    assert!(files.has(whole, 7).await.unwrap());
    assert_eq!(read(&files, whole).await.unwrap(), b"one two");
    files.forget(ID).await.unwrap();
    assert_eq!(files.received(ID).await.unwrap(), 0);
    assert!(files.has(whole, 7).await.unwrap());
}

#[tokio::test]
async fn an_upload_that_is_not_what_was_announced_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let files = alone(&dir);
    files.receive(ID, 0, b"something".to_vec()).await.unwrap();
    let kept = files.keep(ID, digest(b"something else")).await;
    assert!(matches!(kept, Err(FileError::Damaged)));
    assert_eq!(files.received(ID).await.unwrap(), 0);
}

#[tokio::test]
async fn bytes_that_were_damaged_on_disk_are_never_given_to_people() {
    let dir = tempfile::tempdir().unwrap();
    let files = alone(&dir);
    files.receive(ID, 0, b"what it was".to_vec()).await.unwrap();
    let known = digest(b"what it was");
    files.keep(ID, known).await.unwrap();
    let path = dir.path().join(FOLDER).join(known.to_string());
    fs::write(&path, b"what it is!").unwrap();
    assert_eq!(read(&files, known).await, None);
    assert!(!files.has(known, 11).await.unwrap());
}

#[tokio::test]
async fn a_full_node_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let limits = FileLimits {
        total_max: 10,
        ..FileLimits::default()
    };
    let files = Files::alone(dir.path().join(FOLDER), limits).unwrap();
    files.receive(ID, 0, vec![1; 8]).await.unwrap();
    files.keep(ID, digest(&[1; 8])).await.unwrap();
    let more = files.receive(FileId([5; 16]), 0, vec![1; 3]).await;
    assert!(matches!(more, Err(FileError::Full { used: 8, max: 10 })));
}

#[tokio::test]
async fn only_what_nothing_names_is_swept_and_not_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let files = alone(&dir);
    let mut known = Vec::new();
    for number in 0..3_u8 {
        let id = FileId([number; 16]);
        files.receive(id, 0, vec![number; 9]).await.unwrap();
        files.keep(id, digest(&[number; 9])).await.unwrap();
        known.push(digest(&[number; 9]));
    }
    let (digests, uploads) = (
        BTreeSet::from([known[0]]),
        BTreeSet::from([FileId([0; 16])]),
    );
    let young = files.sweep(digests.clone(), uploads.clone()).await;
    assert_eq!(young.unwrap(), 0);
    files.receive(FileId([9; 16]), 0, vec![9]).await.unwrap();
    let gone = files.sweep(digests, uploads).await.unwrap();
    assert_eq!(gone, 4, "two files and their uploads");
    assert_eq!(files.received(FileId([9; 16])).await.unwrap(), 1);
    assert!(files.has(known[0], 9).await.unwrap());
    assert!(!files.has(known[1], 9).await.unwrap());
    assert_eq!(files.received(FileId([0; 16])).await.unwrap(), 9);
}

/// Other nodes, each with a folder; the path to one may break after some pieces.
#[derive(Default)]
struct Others {
    nodes: Mutex<BTreeMap<NodeId, Arc<Files>>>,
    left: Mutex<usize>,
}

#[async_trait]
impl PeerTransport for Others {
    fn meet(&self, _: NodeId, _: &Peer) {}

    async fn call(
        &self,
        to: NodeId,
        kind: Kind,
        body: &[u8],
        _: Duration,
    ) -> Result<Vec<u8>, CallError> {
        assert_eq!(kind, Kind::File);
        let node = self.nodes.lock().unwrap().get(&to).cloned();
        let node = node.ok_or(CallError::Unreachable(to))?;
        {
            let mut left = self.left.lock().unwrap();
            *left = left.checked_sub(1).ok_or(CallError::TimedOut(to))?;
        }
        let answer = node.answer(body).await;
        answer.map_err(|why| CallError::Refused(to, why))
    }

    async fn open(&self, to: NodeId, _: Kind, _: Duration) -> Result<Pipe, CallError> {
        Err(CallError::Unreachable(to))
    }
}

#[tokio::test]
async fn what_a_node_lacks_comes_from_whoever_holds_it_and_goes_on_where_it_broke_off() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let (known, size) = (digest(&bytes), 200_000);
    let giver = Arc::new(alone(&dirs[0]));
    giver.receive(ID, 0, bytes.clone()).await.unwrap();
    giver.keep(ID, known).await.unwrap();
    let others = Arc::new(Others::default());
    let taker = Files::of_member(
        dirs[1].path().join(FOLDER),
        FileLimits::default(),
        NodeId(3),
        others.clone(),
        u64::MAX,
    )
    .unwrap();
    let from = [NodeId(1), NodeId(2), NodeId(3)];
    assert!(taker.fetch(known, size, &from).await.is_err());
    others.nodes.lock().unwrap().insert(NodeId(2), giver);
    *others.left.lock().unwrap() = 3;
    assert!(taker.fetch(known, size, &from).await.is_err());
    assert!(!taker.has(known, size).await.unwrap());
    // Three pieces are there; the other four are enough.
    *others.left.lock().unwrap() = 4;
    taker.fetch(known, size, &from).await.unwrap();
    assert_eq!(read(&taker, known).await.unwrap(), bytes);
    let wrong = taker.fetch(digest(b"nothing"), 7, &from).await;
    assert!(matches!(wrong, Err(FileError::Absent(_))), "{wrong:?}");
}

#[tokio::test]
async fn bytes_that_are_not_what_was_asked_for_are_thrown_away() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let giver = Arc::new(alone(&dirs[0]));
    let wanted = digest(b"wanted");
    fs::write(
        dirs[0].path().join(FOLDER).join(wanted.to_string()),
        b"forged",
    )
    .unwrap();
    let others = Arc::new(Others::default());
    others.nodes.lock().unwrap().insert(NodeId(1), giver);
    *others.left.lock().unwrap() = 9;
    let taker = Files::of_member(
        dirs[1].path().join(FOLDER),
        FileLimits::default(),
        NodeId(2),
        others,
        u64::MAX,
    )
    .unwrap();
    let fetched = taker.fetch(wanted, 6, &[NodeId(1)]).await;
    assert!(matches!(fetched, Err(FileError::Damaged)), "{fetched:?}");
    assert!(!taker.has(wanted, 6).await.unwrap());
}
