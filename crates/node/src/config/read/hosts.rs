//! What a name of a machine may look like, and which ones belong together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::section::Section;

/// `https://name:port` as browsers write it: lower case, no path, no default port.
pub(super) fn is_origin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else {
        return false;
    };
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        Some(_) | None => (rest, None),
    };
    let number = |port: &str| {
        port.parse::<u16>()
            .is_ok_and(|port| port != 0 && port != 443)
    };
    let plain = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let named = match plain {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<Ipv4Addr>().is_ok() || is_host(name),
    };
    named && port.is_none_or(number) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

pub(super) fn is_host(text: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    !text.is_empty() && text.len() <= 253 && text.trim_end_matches('.').split('.').all(label)
}

pub(super) fn is_host_and_port(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok_and(|a| a.port() != 0)
        || text
            .rsplit_once(':')
            .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|p| p != 0))
}

/// The domain people's passkeys are for. A passkey made on one node's page must be good on every other's.
pub(super) fn read_passkey_domain(section: &mut Section<'_>, members: &[String]) -> Option<String> {
    let domain = section.text("passkey_domain")?;
    if domain.parse::<IpAddr>().is_ok() || !is_host(&domain) {
        section.problem(
            "passkey_domain",
            format!("{domain:?} is no domain; browsers make passkeys for names such as holdfast.example.org only"),
        );
    }
    let below = format!(".{domain}");
    let outside = members.iter().find(|member| {
        let host = member.trim_start_matches("https://");
        let host = host.split(':').next().unwrap_or_default();
        host != domain && !host.ends_with(&below) && host.parse::<IpAddr>().is_err()
    });
    if let Some(member) = outside {
        section.problem(
            "passkey_domain",
            format!("{member} is not below {domain}: passkeys would not work there; write a domain above all members"),
        );
    }
    Some(domain)
}
