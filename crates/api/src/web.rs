//! The app people hold, as files: what stands at which path, under which policy a browser may run it, and what it may
//! know before anybody signed in. The files themselves come out of the build (`holdfast-web`).

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::nodes;
use holdfast_web::{Asset, asset};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::{Problem, of_query};
use crate::reading::View;
use crate::state::Shared;

/// Addresses people can have in their bar or on their home screen; the app finds its screen by them.
const PAGES: &[&str] = &[
    "/",
    "/sign-in",
    "/incident/{alert}",
    "/incidents",
    "/send",
    "/duty",
    "/people",
    "/channels",
    "/cluster",
    "/devices",
    "/settings",
    "/wall",
    "/accounts",
    "/accounts/{account}",
    "/evidence",
];

/// Files with a fixed address, which therefore must be asked for anew each time.
const FILES: &[&str] = &[
    "/sw.js",
    "/manifest.webmanifest",
    "/icon.svg",
    "/icon-192.png",
    "/icon-512.png",
];

const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_FIRST: &str = "no-cache";

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(about))
}

/// The pages and files, which need no key: they are the same for everybody and hold nothing of anybody.
pub(crate) fn pages() -> Router<Shared> {
    let mut router = Router::new().route("/assets/{file}", get(hashed));
    for path in PAGES {
        router = router.route(path, get(page));
    }
    for path in FILES {
        router = router.route(
            path,
            get(move |state: State<Shared>, headers: HeaderMap| file(path, state, headers)),
        );
    }
    router
}

/// What an app knows of the cluster before anybody signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = About)]
pub(crate) struct AboutJson {
    /// As shown in every text.
    organisation: String,
    /// The answering node.
    node: u64,
    /// What people call it.
    name: String,
    version: &'static str,
    /// Where every member serves the app, to try in turn when one does not answer.
    members: Vec<String>,
    /// People may sign in by passkeys.
    passkeys: bool,
}

/// Says whose cluster this is, which node answers, and where the others are.
#[utoipa::path(get, path = "/v1/about", tag = "app", responses((status = 200, body = AboutJson)))]
async fn about(State(shared): State<Shared>, mut view: View) -> Result<Response, Problem> {
    let own = shared.replica.node();
    let rows = nodes::nodes(&mut view.0).await.map_err(of_query)?;
    let organisation = nodes::organisation(&mut view.0).await.map_err(of_query)?;
    let body = AboutJson {
        organisation,
        node: own.0,
        name: rows
            .into_iter()
            .find(|row| row.node == own)
            .map(|row| row.name)
            .unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION"),
        members: shared.origins.all().to_vec(),
        passkeys: shared.passkeys.domain().is_some(),
    };
    Ok(view.answer(&body))
}

async fn page(state: State<Shared>, headers: HeaderMap) -> Response {
    file("/index.html", state, headers).await
}

async fn hashed(state: State<Shared>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    file(&format!("/assets/{name}"), state, headers).await
}

// A handler, though nothing here waits.
#[expect(clippy::unused_async, reason = "axum's handlers are async")]
async fn file(path: &str, State(shared): State<Shared>, headers: HeaderMap) -> Response {
    match asset(path) {
        Some(asset) => answer(asset, &headers, &shared.policy),
        None => Problem::not_found(
            "there is no such file; the app may have been updated, load it again",
        )
        .into_response(),
    }
}

fn answer(asset: &'static Asset, asked: &HeaderMap, policy: &HeaderValue) -> Response {
    let own = [
        (header::CONTENT_SECURITY_POLICY, policy.clone()),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static(if asset.immutable { FOREVER } else { ASK_FIRST }),
        ),
        (header::ETAG, HeaderValue::from_static(asset.etag)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static(
                "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            ),
        ),
    ];
    let known = asked.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|value| value.to_str().ok());
    if known
        .flat_map(|tags| tags.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)
    {
        return (StatusCode::NOT_MODIFIED, own).into_response();
    }
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    )];
    let (encoding, bytes) = match (accepts(asked, "br"), accepts(asked, "gzip")) {
        (true, _) if asset.br.is_some() => (Some("br"), asset.br.unwrap_or_default()),
        (_, true) if asset.gzip.is_some() => (Some("gzip"), asset.gzip.unwrap_or_default()),
        (_, _) => (None, asset.plain),
    };
    let mut response = (own, kind, bytes).into_response();
    if let Some(encoding) = encoding {
        let value = HeaderValue::from_static(encoding);
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, value);
    }
    response
}

/// Whether a browser takes an encoding. `;q=0` refuses one.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            parts.next() == Some(encoding)
                && !parts
                    .any(|quality| quality.replace(' ', "").trim_end_matches(['0', '.']) == "q=")
        })
}

/// What the app's pages may do (SECURITY §2.5): run our own files, speak to the members, and nothing else. Text never
/// becomes script: only Svelte's own templates and the address of the service worker pass as trusted.
pub(crate) fn policy(members: &[String]) -> HeaderValue {
    let mut connect = "'self'".to_owned();
    for member in members {
        connect.push(' ');
        connect.push_str(member);
    }
    let policy = format!(
        "default-src 'none'; object-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         font-src 'self'; connect-src {connect}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types svelte-trusted-html holdfast-sw"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_form_a_browser_takes_is_sent() {
        for (offer, br, gzip) in [
            ("gzip, deflate, br, zstd", true, true),
            ("gzip", false, true),
            ("br;q=0, gzip;q=0.5", false, true),
            ("br;q=0.0", false, false),
            ("brotli", false, false),
            ("", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(offer));
            assert_eq!(
                (accepts(&headers, "br"), accepts(&headers, "gzip")),
                (br, gzip),
                "{offer}"
            );
        }
    }

    #[test]
    fn pages_may_speak_to_members_and_to_nobody_else() {
        let members = ["https://n2.example.org:7443".to_owned()];
        let policy = policy(&members);
        let policy = policy.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';"));
        assert!(policy.contains("connect-src 'self' https://n2.example.org:7443;"));
        assert!(!policy.contains("unsafe"));
    }
}
