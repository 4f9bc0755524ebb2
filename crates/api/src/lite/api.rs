//! Asking `/v1` from inside: a request like any other, with a proof made here for the key in the phone's cookie.

use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::IntoResponse as _;
use data_encoding::{BASE64URL_NOPAD as BASE64URL, HEXLOWER};
use domain::CivilTime;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use rand::RngExt as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::access::system_rng;
use crate::accounts::glass::GLASS;
use crate::input::read;
use crate::problem::{Kind, Problem};

/// The `/v1` of this node.
#[derive(Clone, Debug)]
pub(super) struct Api(pub(super) Router);

/// A request that was not done.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// What went wrong and what to do about it, in English as the API says it.
    pub(super) detail: String,
    /// Whether it is done once its asker shows again who they are.
    pub(super) wants_factor: bool,
}

impl Refused {
    pub(super) fn new(status: StatusCode, detail: &str) -> Self {
        Self {
            status,
            detail: detail.to_owned(),
            wants_factor: false,
        }
    }

    /// Nobody is signed in by this any more.
    pub(super) fn over(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let detail = problem.detail().to_owned();
        Self::new(problem.into_response().status(), &detail)
    }
}

/// Who asks: the token of a session and the key it is bound to, as [`DeviceKey::written`] gave it.
#[derive(Clone, Copy)]
pub(super) struct Credential<'a> {
    pub(super) token: &'a str,
    pub(super) key: &'a str,
}

/// What is asked.
pub(super) struct Question<'a> {
    /// What the listener says of whoever asks.
    pub(super) door: &'a Extensions,
    /// As the phone named this node.
    pub(super) host: &'a str,
    pub(super) credential: Option<Credential<'a>>,
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<Value>,
    /// Names the form that asks: however often it is sent, the same content applies once.
    pub(super) once: Option<&'a str>,
    /// By people's clocks, as proofs say it.
    pub(super) now: CivilTime,
}

impl Api {
    /// The answer. What it says of a break-glass card goes to `glass`.
    pub(super) async fn ask(
        &self,
        question: Question<'_>,
        glass: &OnceLock<String>,
    ) -> Result<Value, Refused> {
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(question.path)
            .header(header::HOST, question.host);
        let body = question.body.as_ref().map(Value::to_string);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(once) = question.once {
            let hash = Sha256::digest(body.as_deref().unwrap_or_default());
            let key = format!("lite:{once}:{}", HEXLOWER.encode(&hash[..8]));
            request = request.header("idempotency-key", key);
        }
        if let Some(credential) = question.credential {
            let key = DeviceKey::read(credential.key)?;
            let proof = key.proof(&question, credential.token)?;
            request = request
                .header(header::AUTHORIZATION, format!("DPoP {}", credential.token))
                .header("dpop", proof);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from));
        let mut request = request.map_err(|_| unreadable())?;
        *request.extensions_mut() = question.door.clone();
        let Ok(answer) = TowerToHyperService::new(self.0.clone()).call(request).await;
        let (parts, body) = answer.into_parts();
        let mark = parts.headers.get(&GLASS).map(HeaderValue::to_str);
        if let Some(Ok(mark)) = mark {
            _ = glass.set(mark.to_owned());
        }
        let bytes = read(body).await?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if parts.status.is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().unwrap_or_default();
        let kind = value["type"].as_str().unwrap_or_default();
        Err(Refused {
            wants_factor: kind.ends_with(":factor-wanted"),
            ..Refused::new(parts.status, detail)
        })
    }
}

/// The key a session of these pages is bound to. The phone carries it sealed; only nodes can use it.
pub(super) struct DeviceKey {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl DeviceKey {
    pub(super) fn generate() -> Result<Self, Refused> {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        Self::of(made.map_err(|_| no_chance())?.as_ref())
    }

    /// What [`Self::written`] gave.
    fn read(text: &str) -> Result<Self, Refused> {
        let bytes = BASE64URL.decode(text.as_bytes());
        Self::of(&bytes.map_err(|_| unreadable())?)
    }

    fn of(pkcs8: &[u8]) -> Result<Self, Refused> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random);
        Ok(Self {
            pair: pair.map_err(|_| unreadable())?,
            pkcs8: pkcs8.to_vec(),
        })
    }

    pub(super) fn written(&self) -> String {
        BASE64URL.encode(&self.pkcs8)
    }

    /// The public half (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (
            BASE64URL.encode(&point[1..33]),
            BASE64URL.encode(&point[33..65]),
        );
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
    }

    /// A proof for one request (RFC 9449 §4.2).
    fn proof(&self, question: &Question<'_>, token: &str) -> Result<String, Refused> {
        let path = question.path.split('?').next().unwrap_or_default();
        let id: [u8; 16] = system_rng()?.random();
        let head = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let claims = json!({
            "htm": question.method.as_str(),
            "htu": format!("https://{}{path}", question.host),
            "iat": question.now.0.div_euclid(1_000),
            "jti": BASE64URL.encode(&id),
            "ath": BASE64URL.encode(&Sha256::digest(token.as_bytes())),
        });
        let part = |value: &Value| BASE64URL.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| no_chance())?;
        Ok(format!("{signed}.{}", BASE64URL.encode(signature.as_ref())))
    }
}

fn unreadable() -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, "this cannot be read; begin again")
}

fn no_chance() -> Refused {
    let text = "this node cannot draw a secret; ask another node";
    Problem::new(Kind::Internal, text).into()
}

/// The node as the phone named it.
pub(super) fn host_of(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).map(HeaderValue::to_str);
    host.and_then(Result::ok).unwrap_or_default().to_owned()
}
