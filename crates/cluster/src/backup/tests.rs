//! Backups cut, flipped, opened with other keys; what is in them and what never is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use domain::ports::Clock;
use domain::{NodeId, Timestamp};
use std::sync::Arc;
use tempfile::TempDir;

use super::*;
use crate::store::files;
use crate::{Cluster, ClusterConfig, Founding, Profile, Tuning};

struct StillClock;

impl Clock for StillClock {
    fn boot(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    fn wall(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }
}

fn config(dir: &Path) -> ClusterConfig {
    ClusterConfig {
        data_dir: dir.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: vec![],
        name: "alpha".to_owned(),
        profile: Profile::Lan,
        clock: Arc::new(StillClock),
        boot_id: "boot".to_owned(),
        tuning: Tuning::default(),
        carriers: Default::default(),
    }
}

struct Site {
    root: TempDir,
    keys: Vec<PathBuf>,
    recipients: Vec<String>,
}

/// A founded, stopped node and two key pairs.
async fn site() -> Site {
    let root = TempDir::new().unwrap();
    let founding = Founding {
        organisation: "Aurora Energy".to_owned(),
        https_names: vec![],
    };
    let cluster = Cluster::init(config(&root.path().join("node")), &founding)
        .await
        .unwrap();
    cluster.shutdown().await.unwrap();
    fs::create_dir(root.path().join("backups")).unwrap();
    let mut site = Site {
        root,
        keys: vec![],
        recipients: vec![],
    };
    for name in ["key-1", "key-2"] {
        let key = age::x25519::Identity::generate();
        let path = site.root.path().join(name);
        fs::write(&path, key.to_string().expose_secret()).unwrap();
        site.keys.push(path);
        site.recipients.push(key.to_public().to_string());
    }
    site
}

impl Site {
    fn order(&self) -> Order {
        Order {
            data_dir: self.root.path().join("node"),
            folder: self.root.path().join("backups"),
            recipients: self.recipients.clone(),
            one_is_enough: false,
            version: "0.1.0".to_owned(),
            node_name: "alpha".to_owned(),
            now: Timestamp(1_800_000_000_000),
        }
    }

    fn temp(&self) -> TempDir {
        TempDir::new_in(self.root.path()).unwrap()
    }
}

#[tokio::test]
async fn either_key_opens_it_and_no_other_does() {
    let site = site().await;
    let made = create(&site.order()).await.unwrap();
    assert_eq!((made.manifest.epoch, made.manifest.node), (1, 1));
    assert!(made.manifest.applied > 0);
    for keys in &site.keys {
        let into = site.temp();
        let opened = open(&made.path, keys, into.path()).unwrap();
        assert_eq!(opened.manifest, made.manifest);
        opened.state().await.unwrap();
    }
    assert_eq!(check_seal(&made.path).unwrap().manifest, made.manifest);
    let stranger = site.root.path().join("stranger");
    let key = age::x25519::Identity::generate();
    fs::write(&stranger, key.to_string().expose_secret()).unwrap();
    let error = open(&made.path, &stranger, site.temp().path()).unwrap_err();
    assert!(error.to_string().contains("other recipients"), "{error}");
    let error = open(&made.path, &made.path, site.temp().path()).unwrap_err();
    assert!(error.to_string().contains("key file"), "{error}");
}

#[tokio::test]
async fn one_recipient_is_too_few_unless_somebody_says_so() {
    let site = site().await;
    let mut order = site.order();
    order.recipients = vec![site.recipients[0].clone(), site.recipients[0].clone()];
    let error = create(&order).await.unwrap_err();
    assert!(
        matches!(error, BackupError::TooFewRecipients { given: 1 }),
        "the same one twice is one: {error}"
    );
    order.one_is_enough = true;
    create(&order).await.unwrap();
    order.recipients = vec!["age1nonsense".to_owned()];
    let error = create(&order).await.unwrap_err();
    assert!(error.to_string().contains("age-keygen"), "{error}");
}

#[tokio::test]
async fn no_secret_of_the_node_is_in_it() {
    let site = site().await;
    let made = create(&site.order()).await.unwrap();
    let into = site.temp();
    open(&made.path, &site.keys[0], into.path()).unwrap();
    let node = site.root.path().join("node");
    let mut canaries = vec![];
    for name in ["node-key.pem", "cluster-ca-key.pem"] {
        let pem = fs::read_to_string(node.join(name)).unwrap();
        let body: String = pem
            .lines()
            .filter(|l| !l.starts_with('-') && !l.contains(':'))
            .collect();
        let der = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
        canaries.push(body.as_bytes()[20..60].to_vec());
        canaries.push(der[36..60].to_vec()); // the private scalar of a PKCS #8 P-256 key
    }
    let mut inside = vec![];
    for entry in fs::read_dir(into.path()).unwrap() {
        inside.extend(fs::read(entry.unwrap().path()).unwrap());
    }
    inside.extend(fs::read(&made.path).unwrap());
    for canary in canaries {
        assert!(!inside.windows(canary.len()).any(|w| w == canary));
    }
    assert!(!node.join("backup.tmp").exists());
}

#[tokio::test]
async fn a_backup_cut_or_flipped_anywhere_says_so() {
    let site = site().await;
    let made = create(&site.order()).await.unwrap();
    let sound = fs::read(&made.path).unwrap();
    let step = sound.len() / 60;
    let damages = (0..60).flat_map(|n| {
        let mut flipped = sound.clone();
        flipped[n * step] ^= 1 << (n % 8);
        [sound[..n * step].to_vec(), flipped]
    });
    let last = sound[..sound.len() - 1].to_vec();
    for (n, bytes) in damages
        .chain([last, [sound.clone(), vec![0]].concat()])
        .enumerate()
    {
        fs::write(&made.path, &bytes).unwrap();
        let error = open(&made.path, &site.keys[0], site.temp().path()).unwrap_err();
        assert!(
            matches!(
                error,
                BackupError::Damaged { .. } | BackupError::WrongKey { .. }
            ),
            "damage {n}: {error}"
        );
        assert!(check_seal(&made.path).is_err(), "damage {n}");
    }
    fs::write(&made.path, &sound).unwrap();
    let seal = files::suffixed(&made.path, ".sig");
    let text = fs::read(&seal).unwrap();
    for at in (0..text.len()).step_by(17) {
        let mut flipped = text.clone();
        flipped[at] ^= 4;
        fs::write(&seal, &flipped).unwrap();
        if let Ok(sealed) = check_seal(&made.path) {
            assert_eq!(sealed.manifest, made.manifest, "byte {at}");
        }
    }
}

#[tokio::test]
async fn a_restore_is_a_new_epoch_under_a_new_id_with_nothing_leaving() {
    let site = site().await;
    let made = create(&site.order()).await.unwrap();
    let into = site.temp();
    let opened = open(&made.path, &site.keys[1], into.path()).unwrap();
    let dir = site.root.path().join("restored");
    fs::create_dir(&dir).unwrap();
    let to = RestoreTo {
        config: config(&dir),
        https_names: vec![],
        epoch_min: 0,
    };
    let restored = restore(&opened, &to).await.unwrap();
    assert_eq!((restored.node, restored.epoch), (NodeId(12), 2));
    let again = restore(&opened, &to).await.unwrap_err();
    assert!(matches!(again, BackupError::NotEmpty(_)), "{again}");
    let cluster = Cluster::start(config(&dir)).await.unwrap();
    let view = cluster.core().state.view().await;
    let mut view = view.unwrap();
    let row = domain::nodes::cluster(&mut view).await.unwrap().unwrap();
    assert_eq!((row.epoch, row.organisation.as_str()), (2, "Aurora Energy"));
    let pause = domain::nodes::outbox_pause(&mut view).await.unwrap();
    assert!(pause.unwrap().reason.contains("backup"));
    drop(view);
    assert!(cluster.identity().can_issue());
    cluster.shutdown().await.unwrap();
    // The next backup is of the new history and verifies.
    let order = Order {
        data_dir: dir,
        ..site.order()
    };
    let next = create(&order).await.unwrap();
    assert_eq!((next.manifest.epoch, next.manifest.node), (2, 12));
}

#[tokio::test]
async fn files_of_rooms_are_in_it_and_come_back_with_it() {
    let site = site().await;
    let held = site.root.path().join("node/files");
    let name = data_encoding::HEXLOWER.encode(&crate::crypto::sha256(b"gate 4"));
    fs::write(held.join(&name), b"gate 4").unwrap();
    let made = create(&site.order()).await.unwrap();
    let into = site.temp();
    let opened = open(&made.path, &site.keys[0], into.path()).unwrap();
    fs::create_dir(site.root.path().join("restored")).unwrap();
    let to = RestoreTo {
        config: config(&site.root.path().join("restored")),
        https_names: vec![],
        epoch_min: 0,
    };
    restore(&opened, &to).await.unwrap();
    let back = fs::read(site.root.path().join("restored/files").join(&name));
    assert_eq!(back.unwrap(), b"gate 4");
    // One that was damaged where it lay costs nothing but itself.
    fs::write(held.join(&name), b"gate 5").unwrap();
    fs::remove_file(&made.path).unwrap();
    let made = create(&site.order()).await.unwrap();
    let into = site.temp();
    open(&made.path, &site.keys[0], into.path()).unwrap();
    assert!(!into.path().join("files").join(&name).exists());
}
