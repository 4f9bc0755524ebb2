//! What stands at which path, and what every request passes on its way: time limit, counting, headers, guard, handler.

use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::{Instant, timeout};
use tracing::debug;
use utoipa_axum::router::OpenApiRouter;

use crate::guard::{claimed, guard};
use crate::openapi::openapi;
use crate::problem::{Kind, Problem};
use crate::state::Shared;
use crate::{
    access, accounts, alerts, audit, budgets, clocks, cluster, conversations, directory, documents,
    events, headers, health, held, inbound, island, limits, lite, metrics, nodes, origins, outbox,
    permits, readiness, recipients, reports, schedules, setup, sources, templates, text_policy,
    units, waking, watch, web, zones,
};

/// The longest any request may take here; waits inside are shorter and say more.
const REQUEST_TIME: Duration = Duration::from_secs(75);

/// Every documented operation.
pub(crate) fn operations() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(alerts::routes())
        .merge(held::routes())
        .merge(budgets::routes())
        .merge(recipients::routes())
        .merge(schedules::routes())
        .merge(zones::routes())
        .merge(templates::routes())
        .merge(documents::routes())
        .merge(text_policy::routes())
        .merge(directory::routes())
        .merge(conversations::routes())
        .merge(inbound::routes())
        .merge(nodes::routes())
        .merge(cluster::routes())
        .merge(island::routes())
        .merge(outbox::routes())
        .merge(clocks::routes())
        .merge(watch::routes())
        .merge(access::routes())
        .merge(accounts::routes())
        .merge(units::routes())
        .merge(permits::routes())
        .merge(setup::routes())
        .merge(limits::routes())
        .merge(audit::routes())
        .merge(sources::routes())
        .merge(reports::routes())
        .merge(readiness::routes())
        .merge(waking::routes())
        .merge(metrics::routes())
        .merge(health::routes())
        .merge(events::routes())
        .merge(web::routes())
}

/// What HTTPS and the local socket serve.
pub(crate) fn public(shared: Shared) -> Router {
    let (router, _) = operations().split_for_parts();
    let guarded = router
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(shared.clone(), guard));
    // Pages without script stand before the guard and ask through it.
    let lite = lite::pages(guarded.clone().with_state(shared.clone()));
    guarded
        // The app's own files stand before the guard: they are the same for everybody.
        .merge(web::pages())
        .merge(lite)
        .layer(middleware::from_fn_with_state(shared.clone(), observe))
        .with_state(shared)
}

/// What the admin listener serves: nothing that changes anything, nothing about people.
pub(crate) fn admin(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(document))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_get)
        .layer(middleware::from_fn_with_state(shared.clone(), observe))
        .with_state(shared)
}

async fn nothing_here() -> Problem {
    Problem::not_found("there is nothing at this path; see /openapi.json on the admin listener")
}

async fn only_get() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "use GET").with_header(header::ALLOW, "GET")
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi()).into_response()
}

/// Bounds, counts and marks every answer. Paths may name people, so only the route's pattern is kept.
async fn observe(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let claimed = claimed(request.headers());
    let asking = shared.origins.asking(request.headers());
    let preflight = asking
        .as_ref()
        .and_then(|_| origins::preflight(&method, request.headers()));
    let mut response = match preflight {
        Some(response) => response,
        None => match timeout(REQUEST_TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(
                Kind::OutcomeUnknown,
                "this took too long here; it may still be done",
            )
            .into_response(),
        },
    };
    headers::secure(response.headers_mut());
    if let Some(origin) = asking {
        origins::mark(origin, response.headers_mut());
    }
    island::mark(&shared, response.headers_mut());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    if matches!(status, 401 | 403 | 429) {
        shared.denials.add(known(&method), route, claimed, status);
    }
    // Methods are the caller's to invent; only ours become labels.
    let label = if response.status().is_client_error() && route == "none" {
        "any"
    } else {
        method.as_str()
    };
    shared.metrics.request(label, route, status);
    debug!(%method, route, status, took_ms = started.elapsed().as_millis(), "request answered");
    response
}

/// A method as the audit may hold it: callers invent others.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
