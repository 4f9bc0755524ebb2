//! `[site_dns]`: names for the site's network.

use std::net::IpAddr;

use super::super::SiteDnsConfig;
use super::super::section::Section;
use super::address;

pub(super) fn read(mut section: Section<'_>) -> SiteDnsConfig {
    // The port of the standard, 53, is for programs with more rights than ours.
    let listen = address(&mut section, "listen", "127.0.0.1:1053");
    let name = section.required(
        "name",
        "the name all nodes stand under, such as \"oob.example.org\"",
    );
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !name.is_empty() && (name.len() > 200 || !name.contains('.') || !name.split('.').all(label))
    {
        section.problem(
            "name",
            format!("{name:?} is no name such as oob.example.org"),
        );
    }
    let mut addresses = Vec::new();
    for text in section.texts("addresses") {
        match text.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => section.problem("addresses", format!("{text:?} is no address")),
        }
    }
    section.finish();
    SiteDnsConfig {
        listen,
        name,
        addresses,
    }
}
