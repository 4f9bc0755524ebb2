//! Headers on every answer, and the refusal of changes asked for by other sites' pages.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::origins::Origins;

/// Sent with every answer (SECURITY V3.4). No cookie is set but that of the pages without script (`lite`), and nothing under
/// `/v1` reads one: there is no ambient credential to steal.
const ALWAYS: [(HeaderName, &str); 7] = [
    (
        header::STRICT_TRANSPORT_SECURITY,
        "max-age=31536000; includeSubDomains",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Adds the headers every answer carries. The app's pages bring a policy and a way of caching of their own.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Whether a browser says that another site's page asks for a change (SECURITY §2.5, CSRF). The app as loaded from another
/// member is no other site.
pub(crate) fn is_cross_site_change(
    method: &Method,
    headers: &HeaderMap,
    members: &Origins,
) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if members.asking(headers).is_some() {
        return false;
    }
    let fetch_site = text(&HeaderName::from_static("sec-fetch-site"));
    if fetch_site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return true;
    }
    match text(&header::ORIGIN) {
        None => false,
        // `null` and anything not ours is foreign.
        Some(origin) => origin.strip_prefix("https://") != text(&header::HOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cross_site(method: &Method, lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let members = Origins::new(vec!["https://n2.example.org:8443".to_owned()]);
        is_cross_site_change(method, &headers, &members)
    }

    #[test]
    fn a_change_asked_for_by_another_sites_page_is_recognised() {
        let host = ("host", "n1.example.org:8443");
        for (lines, expected) in [
            (vec![host], false),
            (vec![host, ("origin", "https://n1.example.org:8443")], false),
            (vec![host, ("origin", "https://n2.example.org:8443")], false),
            (
                vec![
                    host,
                    ("origin", "https://n2.example.org:8443"),
                    ("sec-fetch-site", "same-site"),
                ],
                false,
            ),
            (vec![host, ("origin", "https://evil.example")], true),
            (vec![host, ("origin", "http://n1.example.org:8443")], true),
            (vec![host, ("origin", "null")], true),
            (vec![host, ("sec-fetch-site", "cross-site")], true),
            (vec![host, ("sec-fetch-site", "same-site")], true),
            (vec![host, ("sec-fetch-site", "none")], false),
            (vec![("origin", "https://n1.example.org")], true),
        ] {
            assert_eq!(cross_site(&Method::POST, &lines), expected, "{lines:?}");
            assert!(!cross_site(&Method::GET, &lines));
        }
    }
}
