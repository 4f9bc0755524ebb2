//! Names for the site's network, asked with another program's resolver.

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::process::Command;

use tests::require::require_program;

use super::{Lonely, wait_until};

#[test]
fn the_clusters_names_are_answered_over_udp_and_tcp_and_others_refused() {
    let Some(dig) = require_program("dig", "bind9-dnsutils") else {
        return;
    };
    let mut lonely = Lonely::start();
    lonely.node = None;
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut config = std::fs::read_to_string(&lonely.config).unwrap();
    writeln!(
        config,
        "[site_dns]\nlisten = \"127.0.0.1:{port}\"\nname = \"oob.example.org\""
    )
    .unwrap();
    std::fs::write(&lonely.config, config).unwrap();
    lonely.run();
    let ask = |arguments: &[&str]| {
        let port = port.to_string();
        let ran = Command::new(&dig)
            .args([
                "@127.0.0.1",
                "-p",
                &port,
                "+tries=1",
                "+time=2",
                "+noall",
                "+comments",
                "+answer",
            ])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    wait_until("the node answers for its name", || {
        ask(&["n1.oob.example.org"]).contains("127.0.0.1\n")
    });
    for arguments in [
        &["oob.example.org"][..],
        &["+tcp", "oob.example.org"],
        &["+noedns", "OOB.example.org"],
    ] {
        let said = ask(arguments);
        assert!(
            said.contains("status: NOERROR") && said.contains("flags: qr aa rd;"),
            "{said}"
        );
        assert!(said.contains("\tA\t127.0.0.1"), "{said}");
    }
    assert!(ask(&["n2.oob.example.org"]).contains("status: NXDOMAIN"));
    assert!(ask(&["www.example.com"]).contains("status: REFUSED"));
    assert!(ask(&["oob.example.org", "AXFR"]).contains("Transfer failed"));
}
