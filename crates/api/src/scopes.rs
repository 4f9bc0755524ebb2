//! Which scope each operation needs: one table, read by the guard and by the OpenAPI document. An operation without a
//! row cannot be called, and a test fails for it.

mod of_units;
mod table;

use axum::http::Method;
use domain::access::Scope;

pub(crate) use self::of_units::is_for_units;
pub(crate) use self::table::TABLE;

/// What a source may do with its own token, and nothing else may.
pub(crate) const OF_SOURCES: &[(Method, &str)] = &[
    (Method::POST, "/v1/sources/{key}/in"),
    (Method::POST, "/v1/sources/{key}/{token}/in"),
    (Method::GET, "/v1/sources/{key}/beat"),
    (Method::POST, "/v1/sources/{key}/beat"),
    (Method::GET, "/v1/sources/{key}/{token}/beat"),
    (Method::POST, "/v1/sources/{key}/{token}/beat"),
];

/// What everybody may who has shown who they are, by key or session, whatever they may besides.
pub(crate) const OF_KNOWN: &[(Method, &str)] = &[
    // Names what changed, as far as the caller may know, and carries none of it. Whoever may nothing else still hears at
    // once that their session is over.
    (Method::GET, "/v1/events"),
];

/// How people who have shown nothing yet show who they are; their handlers look at it.
pub(crate) const OF_STRANGERS: &[(Method, &str)] = &[
    (Method::POST, "/v1/sign-in"),
    (Method::POST, "/v1/sign-in/{attempt}"),
    (Method::GET, "/v1/sign-in/passkey"),
    (Method::POST, "/v1/sign-in/passkey"),
    (Method::POST, "/v1/sign-in/glass"),
    (Method::POST, "/v1/sign-in/{attempt}/text"),
    (Method::POST, "/v1/invitations/accept"),
];

/// What everybody who is signed in may do with their own session, devices and factors, whatever their roles.
pub(crate) const OF_SESSIONS: &[(Method, &str)] = &[
    (Method::GET, "/v1/session"),
    (Method::DELETE, "/v1/session"),
    (Method::GET, "/v1/session/proof"),
    (Method::POST, "/v1/session/proof"),
    (Method::GET, "/v1/sessions"),
    (Method::DELETE, "/v1/sessions/{id}"),
    (Method::PUT, "/v1/session/password"),
    (Method::POST, "/v1/session/totp"),
    (Method::POST, "/v1/session/totp/confirm"),
    (Method::POST, "/v1/session/recovery-codes"),
    (Method::GET, "/v1/session/passkeys"),
    (Method::POST, "/v1/session/passkeys"),
    (Method::DELETE, "/v1/session/passkeys/{id}"),
];

/// Operations that can be allowed for one's own matters only: their handlers, or the guard, keep to those.
pub(crate) const OWN: &[(Method, &str)] = &[
    (Method::GET, "/v1/alerts"),
    (Method::GET, "/v1/alerts/{alert}"),
    (Method::POST, "/v1/alerts/{alert}/answer"),
    (Method::GET, "/v1/alerts/{alert}/documents"),
    (Method::GET, "/v1/alerts/{alert}/documents/{document}/bytes"),
    (Method::GET, "/v1/people/{key}/alerts"),
    (Method::GET, "/v1/rooms"),
    (Method::GET, "/v1/rooms/{room}"),
    (Method::PUT, "/v1/rooms/{room}/followers/{key}"),
    (Method::DELETE, "/v1/rooms/{room}/followers/{key}"),
    (Method::POST, "/v1/rooms/{room}/read"),
    (Method::GET, "/v1/rooms/{room}/messages"),
    (Method::POST, "/v1/rooms/{room}/messages"),
    (Method::POST, "/v1/rooms/{room}/messages/{message}/edit"),
    (Method::GET, "/v1/rooms/{room}/files"),
    (Method::POST, "/v1/rooms/{room}/files"),
    (Method::GET, "/v1/rooms/{room}/files/{file}"),
    (Method::DELETE, "/v1/rooms/{room}/files/{file}"),
    (Method::GET, "/v1/rooms/{room}/files/{file}/bytes"),
    (Method::PUT, "/v1/rooms/{room}/files/{file}/bytes"),
    (Method::GET, "/v1/on-call"),
    // Our own numbers: where to text when no node answers.
    (Method::GET, "/v1/number-card"),
];

/// What somebody from outside may do, in their one room. The rest of [`OWN`] is for people who were called.
pub(crate) const OF_GUESTS: &[(Method, &str)] = &[
    (Method::GET, "/v1/rooms"),
    (Method::GET, "/v1/rooms/{room}"),
    (Method::GET, "/v1/rooms/{room}/messages"),
    (Method::POST, "/v1/rooms/{room}/messages"),
    (Method::GET, "/v1/rooms/{room}/files"),
    (Method::POST, "/v1/rooms/{room}/files"),
    (Method::GET, "/v1/rooms/{room}/files/{file}"),
    (Method::GET, "/v1/rooms/{room}/files/{file}/bytes"),
    (Method::PUT, "/v1/rooms/{room}/files/{file}/bytes"),
];

/// Whether somebody from outside may do it in their room.
pub(crate) fn is_for_guests(method: &Method, path: &str) -> bool {
    OF_GUESTS
        .iter()
        .any(|(row_method, row_path)| row_method == method && *row_path == path)
}

/// Whether an operation can be allowed for one's own matters only.
pub(crate) fn has_own(method: &Method, path: &str) -> bool {
    OWN.iter()
        .any(|(own_method, own_path)| own_method == method && *own_path == path)
}

/// What the table says about a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    Open,
    Scope(Scope),
    /// Anybody, who is then to show who they are.
    Stranger,
    /// Whoever is signed in.
    Session,
    /// Whoever has shown who they are.
    Known,
    /// Only with the token of the source in the path; its handler looks at it.
    SourceToken,
    /// The path exists, but not with this method; these are the ones it has.
    NoSuchMethod(String),
}

/// The rule for a method on a route's path.
pub(crate) fn rule(method: &Method, path: &str) -> Rule {
    let mut allowed = Vec::new();
    let apart = [
        (OF_SOURCES, Rule::SourceToken),
        (OF_STRANGERS, Rule::Stranger),
        (OF_SESSIONS, Rule::Session),
        (OF_KNOWN, Rule::Known),
    ];
    for (table, rule) in apart {
        for (row_method, row_path) in table {
            if *row_path == path {
                if row_method == method {
                    return rule;
                }
                allowed.push(row_method.as_str());
            }
        }
    }
    for (row_method, row_path, scope) in TABLE {
        if *row_path != path {
            continue;
        }
        if row_method == method {
            return scope.map_or(Rule::Open, Rule::Scope);
        }
        allowed.push(row_method.as_str());
    }
    Rule::NoSuchMethod(allowed.join(", "))
}

#[cfg(test)]
mod tests;
