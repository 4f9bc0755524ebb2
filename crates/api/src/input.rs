//! Reading requests: bodies, paths and queries, with limits, and the identity of a change so that a repeat applies once.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::permits::request_digest;
use domain::{Actor, RequestId};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rand::distr::{Alphanumeric, SampleString as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use utoipa::IntoParams;

use crate::guard::Principal;
use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// The largest body taken: some 5,000 people in one request.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The largest body taken from somebody unknown.
const UNSIGNED_BYTES_MAX: usize = 16 * 1024;

/// The largest piece of a file taken at once.
pub(crate) const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// How long a file may take to arrive.
const UPLOAD_TIME: Duration = Duration::from_secs(40);

/// The longest `Idempotency-Key`.
const IDEMPOTENCY_KEY_LEN_MAX: usize = 255;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A change somebody asks for: on whose behalf, and under which identity it applies at most once (DESIGN A7).
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) actor: Actor,
    pub(crate) request: RequestId,
    /// SHA-256 of method, path and body: the same request id with another body is a conflict.
    pub(crate) body: [u8; 32],
    /// The caller's key, or one made up here that a 504 hands out, so that every request can be repeated safely.
    pub(crate) idempotency_key: String,
    /// The key of the person whose own matters alone may be changed, if it is only theirs.
    pub(crate) own: Option<String>,
    /// As people should read who is signed in; nobody signs as somebody else.
    pub(crate) signed: Option<String>,
    /// It is somebody from outside.
    pub(crate) guest: bool,
    /// The key of the person who is signed in, if the account belongs to one.
    pub(crate) person: Option<String>,
    /// The session of whoever is signed in.
    pub(crate) session: Option<String>,
}

/// The JSON body of somebody who has not shown who they are.
#[derive(Debug)]
pub(crate) struct Unsigned<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Unsigned<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        let bytes = read_up_to(body, UNSIGNED_BYTES_MAX, BODY_TIME).await?;
        parse_json(&bytes).map(Self)
    }
}

/// A change with a JSON body.
#[derive(Debug)]
pub(crate) struct Input<T> {
    pub(crate) order: Order,
    pub(crate) value: T,
}

/// A change with a JSON body that may be left out.
#[derive(Debug)]
pub(crate) struct MaybeInput<T> {
    pub(crate) order: Order,
    pub(crate) value: T,
}

/// A change whose body is a file.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) order: Order,
    pub(crate) bytes: Vec<u8>,
}

/// A change whose body is a piece of a file.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) order: Order,
    pub(crate) bytes: Vec<u8>,
}

/// A change without a body.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) order: Order,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        let bytes = read(body).await?;
        let value = parse_json(&bytes)?;
        Ok(Self {
            order: order(&parts, &bytes)?,
            value,
        })
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Shared> for MaybeInput<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        let value = match bytes.trim_ascii().is_empty() {
            true => T::default(),
            false => {
                check_content_type(&parts.headers)?;
                parse_json(&bytes)?
            }
        };
        Ok(Self {
            order: order(&parts, &bytes)?,
            value,
        })
    }
}

impl FromRequest<Shared> for Bare {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        Ok(Self {
            order: order(&parts, &bytes)?,
        })
    }
}

impl FromRequest<Shared> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let (order, bytes) = file(request, contacts::FILE_BYTES_MAX).await?;
        Ok(Self { order, bytes })
    }
}

impl FromRequest<Shared> for Piece {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let (order, bytes) = file(request, PIECE_BYTES_MAX).await?;
        Ok(Self { order, bytes })
    }
}

/// A body that is a file, or a piece of one. How it is to be taken stands in the query.
async fn file(request: Request, bytes_max: usize) -> Result<(Order, Vec<u8>), Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read_up_to(body, bytes_max, UPLOAD_TIME).await?;
    let mut order = order(&parts, &bytes)?;
    let query = parts.uri.query().unwrap_or_default();
    let whole = Sha256::new().chain_update(order.body).chain_update(query);
    order.body = whole.finalize().into();
    Ok((order, bytes))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        return Ok(());
    }
    Err(Problem::new(
        Kind::UnsupportedMediaType,
        "send the body as `Content-Type: application/json`",
    ))
}

pub(crate) async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    read_up_to(body, BODY_BYTES_MAX, BODY_TIME).await
}

async fn read_up_to(body: Body, bytes_max: usize, time: Duration) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        Problem::new(
            Kind::TooLarge,
            format!("a body has at most {bytes_max} bytes here; send less at once"),
        )
    };
    let slow = |_| {
        Problem::new(
            Kind::RequestTimeout,
            format!("the body did not arrive within {} s", time.as_secs()),
        )
    };
    // Refused before it is sent, when its length is known.
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > bytes_max {
        return Err(too_large());
    }
    match timeout(time, Limited::new(body, bytes_max).collect())
        .await
        .map_err(slow)?
    {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Problem::new(
            Kind::BadRequest,
            format!("the body broke off: {error}"),
        )),
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take an array for an object, field by field in order; nobody means that.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::new(
            Kind::InvalidInput,
            "the body is an array; send an object",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = if error.is_data() {
            Kind::InvalidInput
        } else {
            Kind::MalformedJson
        };
        Problem::new(kind, error.to_string())
    })
}

fn order(parts: &Parts, body: &[u8]) -> Result<Order, Problem> {
    let Some(principal) = parts.extensions.get::<Principal>() else {
        return Err(Problem::not_authenticated());
    };
    let caller = principal.caller();
    let idempotency_key = match caller {
        // The same request sent again, here or to another node, is known by its proof (SECURITY T-21).
        Some(caller) if !parts.headers.contains_key(IDEMPOTENCY_KEY) => {
            format!("proof:{}", caller.proof)
        }
        Some(_) | None => idempotency_key(&parts.headers)?,
    };
    let digest = request_digest(parts.method.as_str(), parts.uri.path(), body);
    Ok(Order {
        actor: principal.actor.clone(),
        request: RequestId::derive(&[
            principal.actor.label().as_bytes(),
            idempotency_key.as_bytes(),
        ]),
        body: digest,
        idempotency_key,
        own: principal.own.clone(),
        signed: caller.map(|caller| caller.account.shown.clone()),
        guest: principal.guest_room().is_some(),
        person: caller.and_then(|caller| caller.account.person.clone()),
        session: caller.map(|caller| caller.session.id.clone()),
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(Alphanumeric.sample_string(&mut rand::rng(), 32));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if (1..=IDEMPOTENCY_KEY_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| (0x20..0x7f).contains(&b))
    {
        return Ok(text.to_owned());
    }
    let detail =
        format!("an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LEN_MAX} printable ASCII characters");
    Err(Problem::new(Kind::BadRequest, detail))
}

/// The one variable part of a path, percent-decoded.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) String);

impl FromRequestParts<Shared> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let segment: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        segment
            .map(|Path(text)| Self(text))
            .map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))
    }
}

/// The two variable parts of a path.
#[derive(Debug)]
pub(crate) struct Segments(pub(crate) String, pub(crate) String);

impl FromRequestParts<Shared> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let segments: Result<Path<(String, String)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        segments
            .map(|Path((first, second))| Self(first, second))
            .map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))
    }
}

/// The two variable parts of a path that names something by its number.
#[derive(Debug)]
pub(crate) struct NumberedSegment(pub(crate) String, pub(crate) u64);

impl FromRequestParts<Shared> for NumberedSegment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let segments: Result<Path<(String, u64)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        segments
            .map(|Path((text, number))| Self(text, number))
            .map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))
    }
}

/// Items in one answer, unless somebody asks for another number.
pub(crate) const PAGE_DEFAULT: u32 = 100;

/// Items in one answer, at most.
pub(crate) const PAGE_MAX: u32 = 1_000;

/// Which part of a list in order of key is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyPage {
    /// Start after this key.
    #[serde(default)]
    pub(crate) after: String,
    /// At most this many, up to 1,000.
    #[serde(default = "page_default")]
    #[param(default = 100, maximum = 1000)]
    limit: u32,
}

impl KeyPage {
    /// How many items are answered.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.clamp(1, PAGE_MAX)
    }
}

pub(crate) fn page_default() -> u32 {
    PAGE_DEFAULT
}

/// Query parameters.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))
    }
}
