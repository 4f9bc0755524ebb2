//! The rules of the house that a compiler does not check: arrows between crates and slices, who names what, deterministic
//! SQL, file length.
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates of ours that each crate may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("sms", &[]),
    ("domain", &["sms", "words"]),
    ("channels", &["domain", "sms"]),
    ("cluster", &["domain"]),
    ("delivery", &["domain"]),
    ("contacts", &["domain"]),
    ("holdfast-web", &[]),
    ("words", &[]),
    ("api", &["contacts", "domain", "holdfast-web", "words"]),
    ("emulator", &["sms"]),
    (
        "node",
        &[
            "api", "channels", "cluster", "contacts", "delivery", "domain", "emulator",
        ],
    ),
];

/// Slices of the domain, in the order in which they may call: each only those before it.
const SLICES: &[&str] = &[
    "requests",
    "nodes",
    "audit",
    "access",
    "recipients",
    "zones",
    "oncall",
    "templates",
    "limits",
    "deliveries",
    "conversations",
    "files",
    "documents",
    "escalation",
    "alerts",
    "bridge",
    "approvals",
    "automations",
    "sources",
    "reports",
    "waking",
    "passes",
    "inbound",
    "islands",
    "units",
    "setup",
    "permits",
];

/// Who alone may name a library.
const ONLY: &[(&str, &str)] = &[
    ("openraft::", "crates/cluster/"),
    ("quinn::", "crates/cluster/"),
    ("age::x25519", "crates/cluster/src/backup/"),
    ("axum::", "crates/api/"),
    ("anyhow::", "crates/node/"),
    ("lettre::", "crates/channels/"),
    ("quick_xml::", "crates/contacts/"),
    ("zip::", "crates/contacts/"),
    ("bincode::", "crates/domain/src/codec.rs"),
    ("jiff::", "crates/domain/src/zones/"),
];

/// A file longer than this hides things; find the seam.
const LINES_MAX: usize = 800;

#[test]
fn crates_point_one_way() {
    for (name, allowed) in ARROWS {
        let manifest = read(&root().join("crates").join(name).join("Cargo.toml"));
        let dependencies = manifest
            .split("\n[dependencies]")
            .nth(1)
            .map_or("", |rest| rest.split("\n[").next().unwrap_or(rest));
        for (other, _) in ARROWS {
            let used = dependencies
                .lines()
                .any(|line| line.split(['.', ' ', '=']).next() == Some(*other));
            assert!(
                !used || allowed.contains(other),
                "{name} must not use {other}"
            );
        }
        for tested in ["tests", "bench", "chaos"] {
            assert!(
                !manifest.contains(&format!("\n{tested}.workspace")),
                "{name} uses {tested}"
            );
        }
    }
}

#[test]
fn a_library_is_named_by_one_crate_only() {
    for (path, text) in sources("crates") {
        for (library, home) in ONLY {
            let shown = shown(&path);
            let named = text
                .lines()
                .any(|line| line.contains(library) && !line.trim_start().starts_with("//"));
            assert!(!named || shown.starts_with(home), "{shown} names {library}");
        }
    }
}

#[test]
fn a_slice_calls_only_slices_before_it() {
    for (place, slice) in SLICES.iter().enumerate() {
        for (path, text) in sources(&format!("crates/domain/src/{slice}")) {
            if path.ends_with("tests.rs") || shown(&path).contains("/tests/") {
                continue;
            }
            for later in &SLICES[place + 1..] {
                let called = text.lines().any(|line| {
                    line.contains(&format!("{later}::"))
                        && !line.trim_start().starts_with("//")
                        && !line.contains("texts::")
                });
                assert!(!called, "{} calls the later slice {later}", shown(&path));
            }
        }
    }
}

#[test]
fn sql_is_the_same_on_every_node() {
    for (path, text) in sources("crates/domain/src") {
        if path.ends_with("tests.rs") {
            continue;
        }
        for line in text.lines().filter(|line| line.contains('"')) {
            let line = line.to_lowercase();
            for word in [
                "random()",
                "current_timestamp",
                "datetime(",
                "strftime(",
                "autoincrement",
                "julianday(",
            ] {
                assert!(!line.contains(word), "{} says {word}", shown(&path));
            }
        }
        // A script runs what others put together; what it selects by a list of keys must say in which order, too.
        for statement in text.split(".select_in(").skip(1) {
            let sql = statement.split(';').next().unwrap_or_default();
            assert!(
                sql.contains("order by"),
                "{}: rows in no order: {sql}",
                shown(&path)
            );
        }
        if path.ends_with("script.rs") {
            continue;
        }
        // A statement ends where it is bound or run; those that fetch many rows must say in which order.
        for statement in text.split("sqlx::query").skip(1) {
            let end = statement.find(".fetch_all(");
            let one = [".fetch_one(", ".fetch_optional(", ".execute("]
                .iter()
                .filter_map(|fetch| statement.find(fetch))
                .min();
            let Some(end) = end.filter(|end| one.is_none_or(|one| *end < one)) else {
                continue;
            };
            let sql = &statement[..end];
            assert!(
                sql.contains("order by"),
                "{}: rows in no order: {}",
                shown(&path),
                sql.chars().take(160).collect::<String>()
            );
        }
    }
}

#[test]
fn production_code_has_no_loose_ends() {
    for (path, text) in sources("crates") {
        let shown = shown(&path);
        assert!(
            text.lines().count() <= LINES_MAX,
            "{shown} has {} lines",
            text.lines().count()
        );
        if shown.contains("/tests") || shown.contains("/fuzz/") || shown.ends_with("tidy/mod.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        for word in [
            "todo!",
            "unimplemented!",
            "dbg!(",
            "FIXME",
            "XXX",
            "tokio::spawn(", // a task has an owner that joins it
        ] {
            assert!(!code.contains(word), "{shown} says {word}");
        }
    }
}

#[test]
fn every_crate_follows_the_workspace_lints() {
    for (name, _) in ARROWS {
        let manifest = read(&root().join("crates").join(name).join("Cargo.toml"));
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} has lints of its own"
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files under a folder, by path.
fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = read(&path);
                found.insert(path, text);
            }
        }
    }
    found
}
