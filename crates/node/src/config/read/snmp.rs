//! `[snmp_in]` and who speaks there.

use std::path::PathBuf;

use channels::{SnmpAuth, SnmpCommunity, SnmpUser};

use super::super::SnmpInConfig;
use super::super::section::Section;
use super::{address, check_file, check_name, networks};

pub(super) fn read(
    mut section: Section<'_>,
    communities: Vec<SnmpCommunity>,
    users: Vec<SnmpUser>,
) -> SnmpInConfig {
    // The port of the standard, 162, is for programs with more rights than ours.
    let listen = address(&mut section, "listen", "127.0.0.1:1162");
    let from = networks(&mut section, "from");
    if communities.is_empty() && users.is_empty() {
        section.problem(
            "listen",
            "nobody may speak there; add an [[snmp_user]] or an [[snmp_community]]".to_owned(),
        );
    }
    if !communities.is_empty() && from.is_empty() && !listen.ip().is_loopback() {
        section.problem(
            "from",
            "missing; a community travels in clear, so say which addresses may use one, or use [[snmp_user]] alone"
                .to_owned(),
        );
    }
    section.finish();
    SnmpInConfig {
        listen,
        from,
        communities,
        users,
    }
}

pub(super) fn read_community(mut section: Section<'_>) -> SnmpCommunity {
    let (name, source) = who(&mut section);
    let secret = secret(&mut section, "community_file", "a file with the community");
    section.finish();
    SnmpCommunity {
        name,
        source,
        secret,
    }
}

pub(super) fn read_user(mut section: Section<'_>) -> SnmpUser {
    let (name, source) = who(&mut section);
    let words = [
        ("sha256", SnmpAuth::Sha256),
        ("sha512", SnmpAuth::Sha512),
        ("sha1", SnmpAuth::Sha1),
    ];
    let auth = section.choice("auth", SnmpAuth::Sha256, &words);
    let passphrases = secret(
        &mut section,
        "passphrases_file",
        "a file with the passphrase for signing in the first line and the one for encryption in the second",
    );
    section.finish();
    SnmpUser {
        name,
        source,
        auth,
        passphrases,
    }
}

fn who(section: &mut Section<'_>) -> (String, String) {
    let name = section.required("name", "what the sender is called, such as \"core-switch\"");
    check_name(section, "name", &name);
    let source = section.required("source", "the key of the source of kind snmp it speaks for");
    (name, source)
}

fn secret(section: &mut Section<'_>, key: &'static str, hint: &str) -> PathBuf {
    let file = PathBuf::from(section.required(key, hint));
    if !file.as_os_str().is_empty() {
        check_file(section, key, &file, true);
    }
    file
}
