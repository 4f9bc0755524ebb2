//! Reads: how current they must be, and the headers that say how current they were.

use std::time::Duration;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use domain::ports::{Freshness, ReadError, ReadView};
use domain::{Civil, CivilTime, Timestamp, nodes};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::input::Params;
use crate::problem::{Problem, of_query};
use crate::state::Shared;

/// How long a read may wait for the replica; a view is not to be held longer either.
const READ_TIME: Duration = Duration::from_secs(5);

/// Log index of the last entry the answer contains.
const APPLIED: HeaderName = HeaderName::from_static("holdfast-applied");
/// Cluster time of that entry.
const AS_OF: HeaderName = HeaderName::from_static("holdfast-as-of");

/// How current an answer must be.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Consistency {
    /// What this node has applied; works without a majority.
    #[default]
    Local,
    /// Everything committed before the question was asked; needs a majority.
    Linearizable,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadParams {
    /// How current the answer must be.
    #[serde(default)]
    #[param(inline)]
    consistency: Consistency,
}

/// A read-only snapshot, opened as the request asked for it, and what people's clocks say of its times.
pub(crate) struct View(pub(crate) ReadView, pub(crate) Civil);

impl FromRequestParts<Shared> for View {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let wanting = Wanting::from_request_parts(parts, shared).await?;
        wanting.view(shared).await
    }
}

/// How current the answer must be, for those who open their snapshot themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanting(Consistency);

impl FromRequestParts<Shared> for Wanting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let Params(ReadParams { consistency }) = Params::from_request_parts(parts, shared).await?;
        Ok(Self(consistency))
    }
}

impl Wanting {
    /// Whether what this node has applied is enough.
    pub(crate) fn is_local(self) -> bool {
        self.0 == Consistency::Local
    }

    pub(crate) async fn view(self, shared: &Shared) -> Result<View, Problem> {
        let freshness = match self.0 {
            Consistency::Local => Freshness::Local,
            Consistency::Linearizable => Freshness::Linearizable,
        };
        View::new(open(shared, freshness).await?).await
    }
}

impl View {
    /// With the civil time of the snapshot.
    pub(crate) async fn new(mut view: ReadView) -> Result<Self, Problem> {
        let civil = nodes::civil(&mut view).await.map_err(of_query)?;
        Ok(Self(view, civil))
    }

    /// The answer, marked with how current it is.
    pub(crate) fn answer(self, body: &impl Serialize) -> Response {
        let (applied, as_of) = (self.0.applied, self.1.rfc3339(self.0.as_of));
        // The snapshot ends here: a slow reader must not hold it.
        drop(self);
        let mut response = Json(body).into_response();
        let headers = response.headers_mut();
        headers.insert(APPLIED, HeaderValue::from(applied));
        if let Ok(value) = HeaderValue::try_from(as_of) {
            headers.insert(AS_OF, value);
        }
        response
    }
}

/// Opens a snapshot within the time a caller can be made to wait.
pub(crate) async fn open(shared: &Shared, freshness: Freshness) -> Result<ReadView, Problem> {
    let opened = timeout(READ_TIME, shared.replica.read(freshness)).await;
    opened
        .unwrap_or(Err(ReadError::NoQuorum))
        .map_err(Problem::from)
}

/// The moment a caller means by a time of day.
pub(crate) async fn moment(shared: &Shared, civil: CivilTime) -> Result<Timestamp, Problem> {
    let mut view = open(shared, Freshness::Local).await?;
    let offsets = nodes::civil(&mut view).await.map_err(of_query)?;
    Ok(offsets.moment(civil))
}

/// A moment as people write it.
pub(crate) async fn rfc3339(shared: &Shared, moment: Timestamp) -> Result<String, Problem> {
    let mut view = open(shared, Freshness::Local).await?;
    let offsets = nodes::civil(&mut view).await.map_err(of_query)?;
    Ok(offsets.rfc3339(moment))
}
