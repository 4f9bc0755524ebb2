//! The runbooks, played with the program itself: a lost majority, a restore from a backup, and Debian's `age` beside it.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tests::require::require_program;

use super::{Lonely, Ran, finish, holdfast, ran, wait_until, write_private};

impl Lonely {
    fn stop(&mut self) {
        let mut node = self.node.take().unwrap();
        node.signal(Signal::TERM);
        assert_eq!(node.wait(), 0);
    }

    /// Starts the node and waits until it leads, however degraded it says it is.
    fn run_degraded(&mut self) -> Ran {
        let mut run = super::command(&["--config", &self.config, "run"]);
        let log = std::fs::File::create(self.path("log")).unwrap();
        self.node = Some(super::Process(
            run.stdout(Stdio::null()).stderr(log).spawn().unwrap(),
        ));
        wait_until("the node leads", || {
            let status = self.ask(&["status"]);
            matches!(status.code, 0 | 3) && !status.json()["cluster"]["leader"].is_null()
        });
        self.ask(&["status"])
    }

    /// Two key pairs of `age-keygen`; their public halves in the settings.
    fn keys(&self, keygen: &Path) -> [String; 2] {
        let mut recipients = Vec::new();
        let keys = ["key-1", "key-2"].map(|name| {
            let path = self.path(name);
            let mut command = Command::new(keygen);
            command
                .args(["-o", &path])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            assert_eq!(finish(command).code, 0);
            let text = std::fs::read_to_string(&path).unwrap();
            let public = text.lines().find_map(|l| l.strip_prefix("# public key: "));
            recipients.push(public.unwrap().to_owned());
            path
        });
        let settings = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(
            &self.config,
            format!("{settings}[backup]\nrecipients = {recipients:?}\n"),
        )
        .unwrap();
        keys
    }
}

#[test]
fn a_backup_is_made_checked_practised_and_restored_and_nothing_leaves_before_the_release() {
    let (Some(age), Some(keygen)) = (
        require_program("age", "age"),
        require_program("age-keygen", "age"),
    ) else {
        return;
    };
    let mut lonely = Lonely::start();
    let keys = lonely.keys(&keygen);
    lonely
        .ask(&[
            "person",
            "put",
            "ana",
            "--name",
            "Ana",
            "--sms",
            "+358401234567",
        ])
        .expect(0);
    let folder = lonely.path("backups");
    std::fs::create_dir(&folder).unwrap();
    // Of a running node.
    let made = lonely
        .ask(&["backup", "create", "--folder", &folder])
        .expect(0)
        .json();
    let file = made["path"].as_str().unwrap().to_owned();

    // The real age opens it, and what comes out is a plain tar.
    let mut decrypt = Command::new(&age);
    decrypt
        .args(["-d", "-i", &keys[1], &file])
        .stdout(Stdio::piped());
    let decrypted = decrypt.output().unwrap();
    assert!(decrypted.status.success());
    std::fs::write(lonely.path("plain.tar"), &decrypted.stdout).unwrap();
    let mut list = Command::new("tar");
    list.args(["tf", &lonely.path("plain.tar")])
        .stdout(Stdio::piped());
    let names = ran(list.output().unwrap()).stdout;
    assert!(
        names.contains("state.db") && names.contains("manifest.json"),
        "{names}"
    );

    let sealed = lonely.ask(&["backup", "verify", &file]).expect(0).json();
    assert_eq!(sealed["authority_is_ours"], true);
    let sound = lonely
        .ask(&["backup", "verify", &file, "--identity", &keys[0]])
        .expect(0)
        .json();
    assert_eq!(sound["content"]["people"], 1);
    let mut stranger = Command::new(&keygen);
    stranger
        .args(["-o", &lonely.path("stranger")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    assert_eq!(finish(stranger).code, 0);
    let refused = lonely
        .ask(&[
            "backup",
            "verify",
            &file,
            "--identity",
            &lonely.path("stranger"),
        ])
        .expect(4);
    assert!(refused.stderr.contains("other recipients"), "{refused:?}");
    let cut = lonely.path("cut.tar.age");
    std::fs::write(&cut, &std::fs::read(&file).unwrap()[..5_000]).unwrap();
    let damaged = lonely
        .ask(&["backup", "verify", &cut, "--identity", &keys[0]])
        .expect(7);
    assert!(damaged.stderr.contains("damaged"), "{damaged:?}");
    lonely
        .ask(&["backup", "drill", "--identity", &keys[0]])
        .expect(0);
    wait_until("status knows the drill", || {
        let status = lonely.ask(&["status"]).json();
        status["cluster"]["backup"]["drill_ok"] == true
            && status["cluster"]["backup"]["age_s"].is_u64()
    });

    // Everything burns.
    let in_use = lonely.ask(&["--yes", "backup", "restore", &file, "--identity", &keys[0]]);
    in_use.expect(6);
    lonely.stop();
    let used = lonely.ask(&["--yes", "backup", "restore", &file, "--identity", &keys[0]]);
    assert!(used.expect(6).stderr.contains("not empty"));
    std::fs::remove_dir_all(lonely.path("data")).unwrap();
    let unasked = lonely
        .ask(&["backup", "restore", &file, "--identity", &keys[0]])
        .expect(2);
    assert!(unasked.stderr.contains("--yes"), "{unasked:?}");
    let restored = lonely
        .ask(&["--yes", "backup", "restore", &file, "--identity", &keys[0]])
        .expect(0)
        .json();
    assert_eq!(
        (restored["epoch"].as_u64(), restored["node"].as_u64()),
        (Some(2), Some(12))
    );
    let status = lonely.run_degraded().expect(3);
    assert!(status.stdout.contains("held back"), "{status:?}");
    assert_eq!(status.json()["cluster"]["epoch"], 2);
    lonely
        .ask(&["alert", "raise", "Fire", "--to", "person:ana"])
        .expect(0);
    let outbox = lonely.ask(&["outbox", "show"]).expect(0).json();
    assert_eq!(outbox["held_back"], true);
    lonely.ask(&["--yes", "outbox", "release"]).expect(0);
    wait_until("nothing is held back", || {
        lonely.ask(&["outbox", "show"]).json()["held_back"] == false
    });
    // The old API key still opens the API; its certificate is new.
    let ca = lonely.path("data/cluster-ca.pem");
    let listed = holdfast(&[
        "--json",
        "--node",
        &lonely.https,
        "--key-file",
        &lonely.path("key"),
        "--ca-file",
        &ca,
        "person",
        "list",
    ]);
    assert!(listed.expect(0).stdout.contains("Ana"));
    write_private(Path::new(&lonely.path("done")), "");
}

#[test]
fn one_recipient_is_refused_unless_said_aloud() {
    let Some(keygen) = require_program("age-keygen", "age") else {
        return;
    };
    let lonely = Lonely::start();
    let keys = lonely.keys(&keygen);
    let settings = std::fs::read_to_string(&lonely.config).unwrap();
    let at = settings.find("\", \"age1").unwrap();
    let end = settings[at..].find("\"]").unwrap() + at;
    std::fs::write(
        &lonely.config,
        format!("{}{}", &settings[..at], &settings[end..]),
    )
    .unwrap();
    let folder = lonely.path("");
    let refused = lonely
        .ask(&["backup", "create", "--folder", &folder])
        .expect(2);
    assert!(refused.stderr.contains("--one-recipient"), "{refused:?}");
    let made = lonely
        .ask(&["backup", "create", "--folder", &folder, "--one-recipient"])
        .expect(0)
        .json();
    let file = made["path"].as_str().unwrap();
    lonely
        .ask(&["backup", "verify", file, "--identity", &keys[0]])
        .expect(0);
}

#[test]
fn a_recovery_shows_what_is_lost_and_asks_before_it_begins() {
    let mut lonely = Lonely::start();
    lonely
        .ask(&[
            "person",
            "put",
            "ana",
            "--name",
            "Ana",
            "--sms",
            "+358401234567",
        ])
        .expect(0);
    let running = lonely.ask(&["--yes", "cluster", "recover"]).expect(6);
    assert!(
        running.stderr.contains("stop this node first"),
        "{running:?}"
    );
    lonely.stop();
    let unasked = lonely.ask(&["cluster", "recover"]).expect(2);
    for word in ["epoch 1", "log entry", "open alerts", "n1 becomes n2"] {
        assert!(unasked.stderr.contains(word), "{word}: {unasked:?}");
    }
    // Nothing was changed by looking.
    lonely.run();
    lonely.stop();
    let begun = lonely
        .ask(&["--yes", "cluster", "recover"])
        .expect(0)
        .json();
    assert_eq!(
        (begun["epoch"].as_u64(), begun["node"].as_u64()),
        (Some(2), Some(2))
    );
    lonely.run_degraded();
    let people = lonely.ask(&["person", "list"]).expect(0);
    assert!(people.stdout.contains("Ana"));
    assert_eq!(lonely.ask(&["cluster", "status"]).json()["epoch"], 2);
}
