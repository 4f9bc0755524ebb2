//! Which operations ask for a factor beside the roles of whoever is signed in: one table, read by the guard and by the page of
//! permissions.

use axum::http::Method;
use domain::access::Scope;

use crate::scopes::{self, Rule};

/// What an operation asks of whoever is signed in, beside their roles ([`crate::accounts::fresh`]).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asks {
    /// Nothing: whoever has the device may. So it is with everything about alerts: what is to be answered at three in the
    /// morning, and raised.
    Nothing,
    /// A factor, when a device that stays signed in for long was not used for reading for a while.
    AfterPause,
    /// A factor shown just now.
    Fresh,
}

impl Asks {
    /// The word on the page of permissions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "–",
            Self::AfterPause => "after a pause",
            Self::Fresh => "just now",
        }
    }
}

/// Below these lies what people said and how to reach them.
const CONTENT: &[&str] = &[
    "/v1/audit",
    "/v1/directory",
    "/v1/inbound",
    "/v1/people",
    "/v1/reports",
    "/v1/rooms",
];

/// What lies there and asks nothing all the same: one's own alerts, telling of something and deciding about it, and asking
/// everybody whether they can be reached.
const AT_ONCE: &[(Method, &str)] = &[
    (Method::POST, "/v1/directory/checks"),
    (Method::GET, "/v1/people/{key}/alerts"),
    (Method::POST, "/v1/reports"),
    (Method::POST, "/v1/reports/{number}/decide"),
];

/// Ways in that are added in a session.
const WAYS_IN: &[(Method, &str)] = &[
    (Method::PUT, "/v1/session/password"),
    (Method::POST, "/v1/session/totp"),
    (Method::POST, "/v1/session/recovery-codes"),
    (Method::POST, "/v1/session/passkeys"),
    (Method::DELETE, "/v1/session/passkeys/{id}"),
];

/// What an operation asks. Changes by those who run the system, and to ways in, ask for a factor shown just now.
pub(crate) fn asks(method: &Method, path: &str) -> Asks {
    // axum answers HEAD with the GET handler.
    let method = match *method == Method::HEAD {
        true => Method::GET,
        false => method.clone(),
    };
    let is = |table: &[(Method, &str)]| {
        table
            .iter()
            .any(|(row_method, row_path)| *row_method == method && *row_path == path)
    };
    if is(WAYS_IN) {
        return Asks::Fresh;
    }
    if method != Method::GET
        && let Rule::Scope(Scope::AccountsAdmin | Scope::KeysAdmin | Scope::ClusterAdmin) =
            scopes::rule(&method, path)
    {
        return Asks::Fresh;
    }
    let below = |top: &&str| {
        path.strip_prefix(*top)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match CONTENT.iter().any(below) && !is(AT_ONCE) {
        true => Asks::AfterPause,
        false => Asks::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scopes::TABLE;

    #[test]
    fn no_answer_and_no_alert_waits_for_a_factor() {
        for (method, path, scope) in TABLE {
            let of_alerts = path.starts_with("/v1/alerts")
                || matches!(
                    scope,
                    Some(Scope::AlertAnswer | Scope::AlertCreate | Scope::OutboxPause)
                );
            if of_alerts {
                assert_eq!(asks(method, path), Asks::Nothing, "{method} {path}");
            }
        }
        let own = "/v1/people/{key}/alerts";
        assert_eq!(asks(&Method::GET, own), Asks::Nothing);
        assert_eq!(asks(&Method::HEAD, "/v1/people/{key}"), Asks::AfterPause);
        let said = "/v1/rooms/{room}/messages";
        assert_eq!(asks(&Method::GET, said), Asks::AfterPause);
        assert_eq!(asks(&Method::POST, said), Asks::AfterPause);
        assert_eq!(asks(&Method::POST, "/v1/keys"), Asks::Fresh);
        assert_eq!(asks(&Method::GET, "/v1/keys"), Asks::Nothing);
        assert_eq!(asks(&Method::GET, "/v1/peoples"), Asks::Nothing);
    }
}
