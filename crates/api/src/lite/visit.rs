//! One request for a page: whose it is, in which language, and what every page is answered with.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::Extension;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use domain::ports::Freshness;
use domain::{CivilTime, Timestamp, nodes};
use rand::RngExt as _;
use serde_json::Value;

use super::api::{Api, Credential, Question, Refused, host_of};
use super::page;
use super::pass::{Pass, Stage};
use super::words::Words;
use crate::access::system_rng;
use crate::connection::{Entrance, Peer};
use crate::headers::is_cross_site_change;
use crate::input::read;
use crate::problem::{Problem, of_query};
use crate::reading;
use crate::state::Shared;

/// No form here is longer: the longest message, percent-encoded.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Our own style and forms; no script at all, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A request for a page.
pub(super) struct Asked {
    shared: Shared,
    api: Api,
    headers: HeaderMap,
    door: Extensions,
}

impl FromRequestParts<Shared> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Response> {
        let api = Extension::<Api>::from_request_parts(parts, shared).await;
        let Extension(api) = api.map_err(IntoResponse::into_response)?;
        Ok(Self {
            shared: shared.clone(),
            api,
            headers: parts.headers.clone(),
            door: carried(&parts.extensions),
        })
    }
}

/// What of a page's request holds for those made on its behalf: where it came from, which limits go by; but by whatever
/// door, only its session says who asks.
fn carried(from: &Extensions) -> Extensions {
    let mut to = Extensions::new();
    to.insert(Entrance::Https);
    if let Some(peer) = from.get::<Peer>() {
        to.insert(*peer);
    }
    to
}

#[derive(Clone)]
pub(super) struct Visit {
    shared: Shared,
    api: Api,
    door: Extensions,
    host: String,
    keys: Vec<[u8; 32]>,
    pub(super) pass: Pass,
    pub(super) words: Words,
    /// By people's clocks.
    pub(super) civil: CivilTime,
    /// What the first answer said of a break-glass card.
    glass: OnceLock<String>,
}

/// What a form sent.
pub(super) struct Form(BTreeMap<String, String>);

impl Visit {
    /// Who asks for a page. Somebody new begins signed out.
    pub(super) async fn open(asked: Asked) -> Result<Self, Response> {
        let Asked {
            shared,
            api,
            headers,
            door,
        } = asked;
        let keys = shared.admin.sealing_keys();
        let now = shared.replica.now();
        let civil = civil_at(&shared, now).await;
        let civil = civil.map_err(IntoResponse::into_response)?;
        let pass = Pass::read(&headers, &keys, now).unwrap_or_else(|| {
            let language = Words::of_header(headers.get(header::ACCEPT_LANGUAGE));
            Pass::new(language.to_owned(), Stage::Out, now)
        });
        let visit = Self {
            host: host_of(&headers),
            door,
            words: Words::of(&pass.language),
            shared,
            api,
            keys,
            pass,
            civil,
            glass: OnceLock::new(),
        };
        if visit.keys.is_empty() {
            // Only voters hold the key.
            let why = visit.words.say("lite.other_node");
            let page = page::refused(&visit, &why);
            return Err(visit.page(StatusCode::SERVICE_UNAVAILABLE, &page));
        }
        Ok(visit)
    }

    /// Who sent a form, and the form, if it is one this node gave them for `action`.
    pub(super) async fn posted(
        asked: Asked,
        body: Body,
        action: &str,
    ) -> Result<(Self, Form), Response> {
        let foreign = is_cross_site_change(&Method::POST, &asked.headers, &asked.shared.origins);
        let visit = Self::open(asked).await?;
        let bytes = match read(body).await {
            Ok(bytes) => bytes,
            Err(problem) => {
                let refused = Refused::from(problem);
                let page = page::refused(&visit, &refused.detail);
                return Err(visit.page(refused.status, &page));
            }
        };
        let form = Form::parse(&bytes);
        let own = form
            .as_ref()
            .is_some_and(|form| visit.pass.takes(action, form.text("token")));
        match form {
            Some(form) if own && !foreign => Ok((visit, form)),
            Some(_) | None => {
                let why = visit.words.say("lite.old_form");
                let page = page::refused(&visit, &why);
                Err(visit.page(StatusCode::FORBIDDEN, &page))
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.replica.now()
    }

    /// Goes on in another language, if it is one of ours.
    pub(super) fn speak(&mut self, language: &str) {
        self.words = Words::of(language);
        self.words.language.clone_into(&mut self.pass.language);
    }

    /// Asks `/v1` as whoever this is.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        once: Option<&str>,
    ) -> Result<Value, Refused> {
        let credential = match &self.pass.stage {
            Stage::In { token, key } => Some(Credential { token, key }),
            Stage::Out | Stage::Attempt { .. } => None,
        };
        let question = Question {
            door: &self.door,
            host: &self.host,
            credential,
            method,
            path,
            body,
            once,
            now: self.civil,
        };
        self.api.ask(question, &self.glass).await
    }

    /// Where the card is from that somebody is in by, and until when, by UTC: `helsinki`, `05:12`.
    pub(super) fn glass(&self) -> Option<(&str, &str)> {
        let (site, until) = self.glass.get()?.split_once("; until=")?;
        Some((site, until.get(11..16)?))
    }

    /// The hidden fields of a form for `action`.
    pub(super) fn hidden(&self, action: &str) -> String {
        let once = system_rng().map(|mut rng| rng.random::<[u8; 12]>());
        let once = once.map_or_else(|_| String::new(), |bytes| HEXLOWER.encode(&bytes));
        format!(
            "<input type=hidden name=token value={}><input type=hidden name=once value=\"{once}\">",
            self.pass.token(action)
        )
    }

    pub(super) fn page(&self, status: StatusCode, html: &str) -> Response {
        let kind = [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        )];
        self.with_pass((status, kind, html.to_owned()).into_response())
    }

    /// To another page, which is asked for by GET: going back or loading anew sends no form again.
    pub(super) fn go(&self, path: &str) -> Response {
        let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/lite"));
        let to = [(header::LOCATION, location)];
        self.with_pass((StatusCode::SEE_OTHER, to).into_response())
    }

    fn with_pass(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let own: [(HeaderName, &'static str); 3] = [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            // Without any, browsers would say of our own forms that they come from nowhere.
            (header::REFERRER_POLICY, "same-origin"),
            (header::VARY, "cookie, accept-language"),
        ];
        for (name, value) in own {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let cookie = self.pass.cookie(&self.keys);
        if let Some(cookie) = cookie.and_then(|line| HeaderValue::try_from(line).ok()) {
            headers.insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

async fn civil_at(shared: &Shared, now: Timestamp) -> Result<CivilTime, Problem> {
    let mut view = reading::open(shared, Freshness::Local).await?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    Ok(civil.at(now))
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`; the first of two fields of one name counts.
    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > FORM_BYTES_MAX {
            return None;
        }
        let mut fields = BTreeMap::new();
        for pair in bytes.split(|byte| *byte == b'&') {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default())?;
            let value = decoded(halves.next().unwrap_or_default())?;
            fields.entry(name).or_insert(value);
        }
        Some(Self(fields))
    }

    /// A field; empty when it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Names this one form, however often it is sent.
    pub(super) fn once(&self) -> &str {
        let once = self.text("once");
        let plain = once.len() <= 64 && once.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain { once } else { "" }
    }
}

/// What a form's bytes say; `None` when they are no UTF-8.
fn decoded(bytes: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [*rest.next()?, *rest.next()?];
                data_encoding::HEXLOWER_PERMISSIVE.decode(&pair).ok()?[0]
            }
            other => *other,
        });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_browsers_write_them() {
        let form = Form::parse(b"text=On+my+way%21%0D%0A%C3%A4%26b&once=ab12&text=other").unwrap();
        assert_eq!(form.text("text"), "On my way!\r\nä&b");
        assert_eq!(form.text("nothing"), "");
        assert_eq!(form.once(), "ab12");
        for bad in ["text=%", "text=%4", "text=%zz", "text=%ff"] {
            assert!(Form::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Form::parse(&vec![b'a'; FORM_BYTES_MAX + 1]).is_none());
        assert_eq!(Form::parse(b"once=a%0d%0ab").unwrap().once(), "");
    }
}
