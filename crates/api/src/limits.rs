//! The limits people meet on their way in, by name (SECURITY §2.4): what each allows, and how often it turned somebody away.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use domain::access::accounts::{
    CODE_TRIES, PASSWORD_TRIES, TEXTS, TEXTS_OF_DAY, TEXTS_OF_NODE, TRIES_OF_ATTEMPT, TryLimit,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::pace::{
    Allowance, CHANGES, EXPORTS_MAX, GUEST_FILES, Limit, PASSKEYS, REQUESTS, STARTS,
};
use crate::problem::Problem;
use crate::reading::View;
use crate::state::Shared;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NamedLimit)]
pub(crate) struct LimitJson {
    name: &'static str,
    /// What is counted, and for whom.
    what: &'static str,
    /// What it allows, in words.
    allows: String,
    /// `node`: each counts for itself. `cluster`: all count together, in the log.
    counted_by: &'static str,
    /// How often it turned somebody away at this node since it started; null where that is not counted by itself.
    turned_away: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NamedLimits)]
pub(crate) struct LimitsJson {
    limits: Vec<LimitJson>,
}

/// Lists the limits on signing in and on what is asked then, and how often each turned somebody away at this node.
#[utoipa::path(get, path = "/v1/limits", operation_id = "list_limits", tag = "sign-in", responses((status = 200, body = LimitsJson)))]
async fn list(State(shared): State<Shared>, view: View) -> Result<Response, Problem> {
    let turned_away = |limit: Limit| Some(shared.pace.count(limit));
    let limits = vec![
        LimitJson {
            name: Limit::Requests.name(),
            what: "requests to sign in, from one address or known device",
            allows: of_allowance(REQUESTS),
            counted_by: "node",
            turned_away: turned_away(Limit::Requests),
        },
        LimitJson {
            name: Limit::Starts.name(),
            what: "sign-ins begun for one account, from one address or known device",
            allows: of_allowance(STARTS),
            counted_by: "node",
            turned_away: turned_away(Limit::Starts),
        },
        LimitJson {
            name: Limit::Passwords.name(),
            what: "passwords of one account; on a device that was signed in before, its own",
            allows: of_tries(&PASSWORD_TRIES),
            counted_by: "cluster",
            turned_away: turned_away(Limit::Passwords),
        },
        LimitJson {
            name: Limit::Codes.name(),
            what: "one-time, printed and texted codes of one account",
            allows: of_tries(&CODE_TRIES),
            counted_by: "cluster",
            turned_away: turned_away(Limit::Codes),
        },
        LimitJson {
            name: Limit::Texts.name(),
            what: "codes and invitations texted to one account",
            allows: format!("{}, and {}", of_texts(&TEXTS), of_texts(&TEXTS_OF_DAY)),
            counted_by: "cluster",
            turned_away: turned_away(Limit::Texts),
        },
        LimitJson {
            name: "texts-of-a-node",
            what: "codes and invitations texted at one node's asking, but to people called to an open alert",
            allows: of_texts(&TEXTS_OF_NODE),
            counted_by: "cluster",
            turned_away: None,
        },
        LimitJson {
            name: "codes-of-a-sign-in",
            what: "codes in one sign-in",
            allows: format!("{TRIES_OF_ATTEMPT}, then it is begun anew"),
            counted_by: "cluster",
            turned_away: None,
        },
        LimitJson {
            name: Limit::Passkeys.name(),
            what: "answers by passkeys of one account",
            allows: of_allowance(PASSKEYS),
            counted_by: "node",
            turned_away: turned_away(Limit::Passkeys),
        },
        LimitJson {
            name: Limit::Changes.name(),
            what: "changes from one device that is signed in, but for what alerts need",
            allows: of_allowance(CHANGES),
            counted_by: "node",
            turned_away: turned_away(Limit::Changes),
        },
        LimitJson {
            name: Limit::Raises.name(),
            what: "alerts raised by one key; critical ones are counted by themselves",
            allows: of_allowance(shared.pace.raises),
            counted_by: "node",
            turned_away: turned_away(Limit::Raises),
        },
        LimitJson {
            name: Limit::Exports.name(),
            what: "exports of one account or key",
            allows: format!("{EXPORTS_MAX} at the same time"),
            counted_by: "node",
            turned_away: turned_away(Limit::Exports),
        },
        LimitJson {
            name: Limit::GuestFiles.name(),
            what: "files one guest puts into their room",
            allows: of_allowance(GUEST_FILES),
            counted_by: "node",
            turned_away: turned_away(Limit::GuestFiles),
        },
    ];
    Ok(view.answer(&LimitsJson { limits }))
}

fn of_allowance(allowance: Allowance) -> String {
    let each = span(allowance.one_more_each);
    format!("{} at once, then one more each {each}", allowance.at_once)
}

fn of_tries(limit: &TryLimit) -> String {
    let (window, closed) = (span(limit.window), span(limit.closed));
    format!("{} in {window}, then none for {closed}", limit.max)
}

fn of_texts(limit: &TryLimit) -> String {
    format!("{} in {}", limit.max, span(limit.window))
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
