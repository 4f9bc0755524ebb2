//! Every error the API can answer with, in one form: problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::ports::{AdminError, ProposeError, ReadError};
use domain::{Outcome, Refusal};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

/// What every error answer looks like, as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Stable name of the kind of problem; scripts decide by this.
    #[schema(example = "urn:holdfast:problem:invalid-input")]
    r#type: String,
    /// The kind of problem in words.
    title: &'static str,
    /// HTTP status code.
    status: u16,
    /// What went wrong this time and what to do about it.
    detail: String,
    /// Every field that is not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Repeat the request with this `Idempotency-Key`; it will not apply twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

/// One field that is not as expected.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer into the request body (RFC 6901), as a URI fragment.
    #[schema(example = "#/to/people/0")]
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// The closed set of problems.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    BadRequest,
    MalformedJson,
    NotAuthenticated,
    NotAllowed,
    MustEnrol,
    FactorWanted,
    SessionOver,
    ProofRefused,
    SignInRefused,
    TooMany,
    CrossSite,
    NotFound,
    UnknownAlert,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    IdempotencyConflict,
    AlertClosed,
    OverBudget,
    ClusterRefused,
    TooLarge,
    UnsupportedMediaType,
    InvalidInput,
    UnknownRecipient,
    NoRecipients,
    Internal,
    Defect,
    Unavailable,
    NoQuorum,
    Overloaded,
    DiskFull,
    OutcomeUnknown,
    TakesTwo,
}

impl Kind {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                "bad-request",
                "The request cannot be read",
            ),
            Self::MalformedJson => (
                StatusCode::BAD_REQUEST,
                "malformed-json",
                "The body is not JSON",
            ),
            Self::NotAuthenticated => (
                StatusCode::UNAUTHORIZED,
                "not-authenticated",
                "No valid API key",
            ),
            Self::NotAllowed => (
                StatusCode::FORBIDDEN,
                "not-allowed",
                "The API key or the roles do not allow this",
            ),
            Self::MustEnrol => (
                StatusCode::FORBIDDEN,
                "must-enrol",
                "A second factor has to be set up first",
            ),
            // Not 401: the session goes on, and an app that was told it is over would forget everything.
            Self::FactorWanted => (
                StatusCode::FORBIDDEN,
                "factor-wanted",
                "Show again who you are",
            ),
            Self::SessionOver => (
                StatusCode::UNAUTHORIZED,
                "session-over",
                "Nobody is signed in",
            ),
            Self::ProofRefused => (
                StatusCode::UNAUTHORIZED,
                "proof-refused",
                "The device's proof does not hold",
            ),
            Self::SignInRefused => (StatusCode::UNAUTHORIZED, "sign-in-refused", "Not signed in"),
            Self::TakesTwo => (
                StatusCode::CONFLICT,
                "takes-two",
                "One administrator alone does not do this",
            ),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many tries"),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "cross-site",
                "Refused from another site",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::UnknownAlert => (
                StatusCode::NOT_FOUND,
                "unknown-alert",
                "There is no such alert",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The method does not apply here",
            ),
            Self::RequestTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                "request-timeout",
                "The request came too slowly",
            ),
            Self::Conflict => (
                StatusCode::CONFLICT,
                "conflict",
                "The state does not allow this",
            ),
            // The idempotency draft suggests 422; here it is a conflict like any other, so that scripts and the
            // command line's exit code treat it as one.
            Self::IdempotencyConflict => (
                StatusCode::CONFLICT,
                "idempotency-conflict",
                "The Idempotency-Key was used for something else",
            ),
            Self::AlertClosed => (StatusCode::CONFLICT, "alert-closed", "The alert is closed"),
            Self::OverBudget => (
                StatusCode::CONFLICT,
                "over-budget",
                "The SMS budget does not allow it",
            ),
            Self::ClusterRefused => (
                StatusCode::CONFLICT,
                "cluster-refused",
                "The membership was not changed",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The request is too large",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body must be JSON",
            ),
            Self::InvalidInput => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-input",
                "The input is not as expected",
            ),
            Self::UnknownRecipient => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "unknown-recipient",
                "Nobody is known by this key",
            ),
            Self::NoRecipients => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "no-recipients",
                "The alert reaches nobody",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "This node failed",
            ),
            Self::Defect => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "defect",
                "The command could not be applied",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The cluster cannot do this now",
            ),
            Self::NoQuorum => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-quorum",
                "No majority answers",
            ),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too much is under way",
            ),
            Self::DiskFull => (
                StatusCode::INSUFFICIENT_STORAGE,
                "disk-full",
                "This node's disk is nearly full",
            ),
            Self::OutcomeUnknown => (
                StatusCode::GATEWAY_TIMEOUT,
                "outcome-unknown",
                "The outcome is not known",
            ),
        }
    }
}

/// An error on its way to whoever asked.
#[derive(Debug)]
pub(crate) struct Problem {
    body: Box<ProblemBody>,
    status: StatusCode,
    headers: Vec<(header::HeaderName, String)>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, name, title) = kind.parts();
        let body = ProblemBody {
            r#type: format!("urn:holdfast:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            idempotency_key: None,
        };
        let retry = matches!(kind, Kind::Overloaded | Kind::Unavailable | Kind::NoQuorum);
        let headers = if retry {
            vec![(header::RETRY_AFTER, "1".to_owned())]
        } else {
            Vec::new()
        };
        Self {
            body: Box::new(body),
            status,
            headers,
        }
    }

    /// What went wrong, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.body.detail
    }

    pub(crate) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.body.errors = errors;
        self
    }

    pub(crate) fn with_idempotency_key(mut self, key: &str) -> Self {
        self.body.idempotency_key = Some(key.to_owned());
        self
    }

    pub(crate) fn with_header(
        mut self,
        name: header::HeaderName,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same answer whatever was wrong with the key, so that nothing can be learned from it (SECURITY T-15).
    pub(crate) fn not_authenticated() -> Self {
        Self::new(
            Kind::NotAuthenticated,
            "send a valid API key as `Authorization: Bearer hf_…`; ask an administrator for one",
        )
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"holdfast\"")
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, what)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Where the thing a refusal speaks of was named: in the path it is missing, in the body it is a mistake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NamedIn {
    Path,
    Body,
}

/// The one place where a refusal of the domain becomes a status.
pub(crate) fn of_refusal(refusal: &Refusal, named_in: NamedIn) -> Problem {
    let kind = match refusal {
        Refusal::UnknownAlert => Kind::UnknownAlert,
        Refusal::AlertClosed => Kind::AlertClosed,
        Refusal::OverBudget(_) => Kind::OverBudget,
        Refusal::NoRecipients | Refusal::NobodyOnCall(_) => Kind::NoRecipients,
        Refusal::UnknownRecipient(_)
        | Refusal::UnknownGroup(_)
        | Refusal::UnknownSchedule(_)
        | Refusal::UnknownNode => match named_in {
            NamedIn::Path => Kind::NotFound,
            NamedIn::Body => Kind::UnknownRecipient,
        },
        Refusal::UnknownTemplate(_) => match named_in {
            NamedIn::Path => Kind::NotFound,
            NamedIn::Body => Kind::InvalidInput,
        },
        Refusal::NoSuch(_)
        | Refusal::UnknownDelivery
        | Refusal::UnknownKey
        | Refusal::UnknownRoom
        | Refusal::UnknownSource
        | Refusal::UnknownSilence
        | Refusal::UnknownReport
        | Refusal::UnknownImport => Kind::NotFound,
        Refusal::CannotJoin
        | Refusal::StaleLeadership
        | Refusal::NotNextPage { .. }
        | Refusal::UnknownInvite
        | Refusal::InviteExpired
        | Refusal::InviteUsed
        | Refusal::AlreadyFounded
        | Refusal::NotOnIsland(_)
        | Refusal::EvictedKey
        | Refusal::StaleEpoch
        | Refusal::OutboxPaused
        | Refusal::TemplateArchived(_)
        | Refusal::ImportsFrozen { .. }
        | Refusal::ImportDecided(_)
        | Refusal::NotNow(_) => Kind::Conflict,
        Refusal::Invalid(_) => Kind::InvalidInput,
        Refusal::BeyondUnit(_) => Kind::NotAllowed,
        Refusal::TakesTwo => Kind::TakesTwo,
        Refusal::TooMany { wait_s } => {
            return Problem::new(Kind::TooMany, refusal.to_string())
                .with_header(header::RETRY_AFTER, wait_s.to_string());
        }
    };
    Problem::new(kind, refusal.to_string())
}

/// What an outcome other than success means to whoever asked.
pub(crate) fn of_outcome(outcome: &Outcome, named_in: NamedIn) -> Option<Problem> {
    match outcome {
        Outcome::Applied(_) | Outcome::Unchanged => None,
        Outcome::Refused(refusal) => Some(of_refusal(refusal, named_in)),
        Outcome::Conflict => Some(Problem::new(
            Kind::IdempotencyConflict,
            "this Idempotency-Key came before with another method, path or body; use a new key for a new request",
        )),
        Outcome::Defect(code) => {
            error!(code, "a command became a defect");
            Some(Problem::new(
                Kind::Defect,
                format!("nothing was changed; report this defect: {code}"),
            ))
        }
    }
}

/// What a proposal without an outcome means to whoever asked. `idempotency_key` makes a repeat safe.
pub(crate) fn of_propose_error(error: &ProposeError, idempotency_key: &str) -> Problem {
    let kind = match error {
        ProposeError::Unknown => Kind::OutcomeUnknown,
        ProposeError::Refused(_) => Kind::Unavailable,
        ProposeError::Overloaded => Kind::Overloaded,
    };
    let detail = match error {
        ProposeError::Unknown => {
            "the cluster did not answer in time and may still do it; repeat the same request with the same \
             Idempotency-Key, here or at another node"
                .to_owned()
        }
        ProposeError::Refused(_) | ProposeError::Overloaded => error.to_string(),
    };
    let problem = Problem::new(kind, detail);
    match idempotency_key.is_empty() {
        true => problem,
        false => problem.with_idempotency_key(idempotency_key),
    }
}

impl From<ReadError> for Problem {
    fn from(read: ReadError) -> Self {
        match read {
            ReadError::NoQuorum => Self::new(Kind::NoQuorum, read.to_string()),
            ReadError::Behind(_) => Self::new(Kind::Unavailable, read.to_string()),
            ReadError::Database(source) => {
                error!(error = %source, "cannot read the state database");
                Self::new(
                    Kind::Internal,
                    "this node cannot read its state; ask another node and see this node's log",
                )
            }
        }
    }
}

impl From<AdminError> for Problem {
    fn from(refused: AdminError) -> Self {
        Self::new(Kind::ClusterRefused, refused.0)
    }
}

/// A query failed on this node's database.
pub(crate) fn of_query(source: impl Into<ReadError>) -> Problem {
    Problem::from(source.into())
}
