//! What a node's ports speak, asked by a program that is not ours (SECURITY D-16, §2.3 no. 7).

use std::path::Path;
use std::process::{Command, Stdio};

use tests::require::require_program;

use super::Lonely;

#[test]
fn only_tls_of_today_is_spoken() {
    let Some(openssl) = require_program("openssl", "openssl") else {
        return;
    };
    let node = Lonely::start();
    let people = node.https.strip_prefix("https://").unwrap().to_owned();
    let config = std::fs::read_to_string(&node.config).unwrap();
    let peers = config
        .split_once("[cluster]\nlisten = \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .unwrap()
        .0;
    // OpenSSL offers what is old only when its own rules are lifted.
    let old = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    for (options, of_people, of_peers) in [
        (&["-tls1_3"][..], Some("TLSv1.3"), Some("TLSv1.3")),
        (&["-tls1_2"], Some("TLSv1.2"), None),
        (&["-tls1_1", "-cipher", old], None, None),
        (&["-tls1", "-cipher", old], None, None),
        // Without forward secrecy, or not authenticated as a whole.
        (&["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"], None, None),
        (
            &[
                "-tls1_2",
                "-cipher",
                "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0",
            ],
            None,
            None,
        ),
        (
            &["-tls1_2", "-cipher", "aNULL:eNULL:3DES:@SECLEVEL=0"],
            None,
            None,
        ),
    ] {
        assert_eq!(
            spoken(&openssl, &people, options).as_deref(),
            of_people,
            "{options:?}"
        );
        assert_eq!(
            spoken(&openssl, peers, options).as_deref(),
            of_peers,
            "{options:?}"
        );
    }
}

/// The version that came of a handshake; `None`: it was refused.
fn spoken(openssl: &Path, address: &str, options: &[&str]) -> Option<String> {
    let ran = Command::new(openssl)
        .args(["s_client", "-brief", "-connect", address])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!said.contains("Connection refused"), "{address}: {said}");
    let version = said
        .lines()
        .find_map(|line| line.strip_prefix("Protocol version: "));
    version.map(str::to_owned)
}
