//! The nodes an app may speak to: it is loaded from one and goes on with the others when that one dies, so each node
//! lets the pages of every member ask it (SECURITY §2.5). Nothing rides along by itself: there is no cookie.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How long a browser may remember that it may ask, s.
const REMEMBER_S: &str = "7200";

const METHODS: &str = "GET, POST, PUT, DELETE";
const ASKED: &str = "authorization, content-type, dpop, idempotency-key";
const TOLD: &str = "date, dpop-nonce, holdfast-applied, holdfast-as-of, holdfast-break-glass, holdfast-island, holdfast-island-site, location, retry-after, upload-offset, www-authenticate";

/// Where members serve HTTPS, as their pages' origins: `https://n1.example.org:7443`. From the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Arc<[String]>);

impl Origins {
    pub(crate) fn new(origins: Vec<String>) -> Self {
        Self(origins.into())
    }

    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn holds(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == origin)
    }

    /// The origin that asks, when it is a member's.
    pub(crate) fn asking(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.holds(origin.to_str().ok()?).then(|| origin.clone())
    }
}

/// The answer to a browser that asks whether it may ask.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    let asks =
        method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| StatusCode::NO_CONTENT.into_response())
}

/// Lets the page of `origin` read an answer.
pub(crate) fn mark(origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ASKED),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, TOLD),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBER_S),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
