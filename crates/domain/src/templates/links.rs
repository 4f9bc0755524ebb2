//! What a phone would make a link of, and to which host it leads. Texts in an emergency carry no link unless its host was
//! allowed beforehand (DESIGN §4.5): a forged one is an attacker's next step.

/// The host a link leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Link<'a> {
    /// As written.
    pub(super) text: &'a str,
    /// In lower case, without port; `None` when it cannot be told, as with a placeholder in its place.
    pub(super) host: Option<String>,
}

/// Every link in a text, in order.
pub(super) fn links(text: &str) -> Vec<Link<'_>> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '(' | ')' | ','))
        .map(|word| word.trim_matches(['.', ';', ':', '!', '?', '\'']))
        .filter(|word| looks_like_link(word))
        .map(|text| Link {
            text,
            host: host_of(text),
        })
        .collect()
}

/// Whether a URL is one that a document may have: `https` or `http`, with a host that is allowed.
pub(super) fn check_url(url: &str, allowed: &[String]) -> Result<(), String> {
    let web = url.starts_with("https://") || url.starts_with("http://");
    if !web || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("is not a web address; write https://host/path".to_owned());
    }
    check_host(
        &Link {
            text: url,
            host: host_of(url),
        },
        allowed,
    )
}

/// Whether a link's host is allowed.
pub(super) fn check_host(link: &Link<'_>, allowed: &[String]) -> Result<(), String> {
    let shown: String = link.text.chars().take(60).collect();
    match &link.host {
        Some(host) if allowed.contains(host) => Ok(()),
        Some(host) => Err(format!(
            "links to {host} ({shown}), which is not allowed; leave it out, or allow the host with `holdfast cluster \
             texts --allow-host {host}`"
        )),
        None => Err(format!(
            "has a link whose host cannot be told ({shown}); write out the host"
        )),
    }
}

/// Whether a text is the name of a host, in lower case.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

fn looks_like_link(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    if lower.contains("://") || lower.starts_with("www.") {
        return true;
    }
    // Phones mark bare hosts, too: `portal.example.com/x`. A full stop without its space is none: `down.Call`.
    let host = word.split(['/', '?', '#']).next().unwrap_or_default();
    let last = host.rsplit('.').next().unwrap_or_default();
    let top = (2..=24).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_lowercase());
    top && !word.contains('@') && is_host(&host.to_ascii_lowercase())
}

fn host_of(link: &str) -> Option<String> {
    let after_scheme = link.split_once("://").map_or(link, |(_, rest)| rest);
    let authority = after_scheme
        .split(['/', '?', '#', '\\'])
        .next()
        .unwrap_or_default();
    // `https://bank.example@evil.example/` leads to the second.
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) | None => host,
    };
    let host = host.to_ascii_lowercase();
    is_host(&host).then_some(host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_phones_mark_is_found_with_the_host_it_leads_to() {
        let some = |host: &str| vec![Some(host.to_owned())];
        for (text, hosts) in [
            ("Fire in hall 2. Call 112.", vec![]),
            (
                "See https://crisis.example.org/a?b.",
                some("crisis.example.org"),
            ),
            (
                "See HTTPS://Crisis.Example.ORG:8443/a",
                some("crisis.example.org"),
            ),
            ("(www.example.org)", some("www.example.org")),
            ("go to portal.example.com/x now", some("portal.example.com")),
            ("https://good.example@evil.example/x", some("evil.example")),
            ("https://good.example\\@evil.example", some("good.example")),
            ("https://{where}/x", vec![None]),
            ("https://[::1]/x", vec![None]),
            ("write to ops@example.org", vec![]),
            ("Server down.Call the duty", vec![]),
            ("version 2.1 of v1.0.3", vec![]),
            ("e.g. 10.5 kV, 24/7", vec![]),
        ] {
            let found: Vec<_> = links(text).into_iter().map(|link| link.host).collect();
            assert_eq!(found, hosts, "{text}");
        }
    }

    #[test]
    fn only_allowed_hosts_pass_and_their_subdomains_do_not() {
        let allowed = vec!["example.org".to_owned()];
        assert_eq!(check_url("https://example.org/plan.pdf", &allowed), Ok(()));
        for bad in [
            "https://www.example.org/",
            "https://example.org.evil.example/",
            "https://example.org@evil.example/",
            "ftp://example.org/",
            "javascript:alert(1)",
            "https://example.org/a b",
            "",
        ] {
            assert!(check_url(bad, &allowed).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,120}") {
            for link in links(&text) {
                drop(check_host(&link, &[]));
            }
            drop(check_url(&text, &[]));
        }
    }
}
