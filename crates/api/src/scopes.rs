//! Which scope each operation needs: one table, read by the guard and by the OpenAPI document. An operation without a
//! row cannot be called, and a test fails for it.

use axum::http::Method;
use domain::access::Scope;

/// One row per operation: method, path, scope; no scope means open to everyone.
pub(crate) const TABLE: &[(Method, &str, Option<Scope>)] = &[
    (Method::GET, "/healthz", None),
    (Method::GET, "/readyz", None),
    // Known before anybody signs in: whose cluster it is, and where its nodes are.
    (Method::GET, "/v1/about", None),
    (
        Method::GET,
        "/v1/people/{key}/alerts",
        Some(Scope::AlertRead),
    ),
    (Method::POST, "/v1/alerts", Some(Scope::AlertCreate)),
    (Method::POST, "/v1/alerts/preview", Some(Scope::AlertCreate)),
    (Method::GET, "/v1/alerts", Some(Scope::AlertRead)),
    (Method::GET, "/v1/alerts/{alert}", Some(Scope::AlertRead)),
    (
        Method::GET,
        "/v1/alerts/{alert}/cap",
        Some(Scope::AlertRead),
    ),
    (
        Method::POST,
        "/v1/alerts/{alert}/acknowledge",
        Some(Scope::AlertAnswer),
    ),
    (
        Method::POST,
        "/v1/alerts/{alert}/answer",
        Some(Scope::AlertAnswer),
    ),
    (
        Method::POST,
        "/v1/alerts/{alert}/mark",
        Some(Scope::AlertAnswer),
    ),
    (
        Method::GET,
        "/v1/alerts/{alert}/missing",
        Some(Scope::AlertRead),
    ),
    (
        Method::POST,
        "/v1/alerts/{alert}/resolve",
        Some(Scope::AlertCreate),
    ),
    (
        Method::POST,
        "/v1/alerts/{alert}/call-off",
        Some(Scope::AlertCreate),
    ),
    (
        Method::POST,
        "/v1/alerts/{alert}/join",
        Some(Scope::AlertCreate),
    ),
    (Method::GET, "/v1/held-alerts", Some(Scope::AlertRead)),
    (
        Method::GET,
        "/v1/held-alerts/{number}",
        Some(Scope::AlertRead),
    ),
    (
        Method::POST,
        "/v1/held-alerts/{number}/decide",
        Some(Scope::AlertCreate),
    ),
    (
        Method::POST,
        "/v1/held-alerts/{number}/review",
        Some(Scope::AlertCreate),
    ),
    (Method::GET, "/v1/readiness", Some(Scope::PeopleRead)),
    (Method::GET, "/v1/budgets", Some(Scope::ClusterRead)),
    (
        Method::PUT,
        "/v1/budgets/{account}",
        Some(Scope::ClusterAdmin),
    ),
    (
        Method::DELETE,
        "/v1/budgets/{account}",
        Some(Scope::ClusterAdmin),
    ),
    (
        Method::PUT,
        "/v1/directory/barred",
        Some(Scope::ClusterAdmin),
    ),
    (Method::GET, "/v1/limits", Some(Scope::ClusterRead)),
    (Method::GET, "/v1/second-person", Some(Scope::ClusterRead)),
    (Method::PUT, "/v1/second-person", Some(Scope::ClusterAdmin)),
    (
        Method::DELETE,
        "/v1/second-person",
        Some(Scope::ClusterAdmin),
    ),
    (
        Method::POST,
        "/v1/alerts/{alert}/acts",
        Some(Scope::AlertCreate),
    ),
    (Method::GET, "/v1/people", Some(Scope::PeopleRead)),
    (Method::PUT, "/v1/people", Some(Scope::PeopleWrite)),
    (Method::GET, "/v1/people/{key}", Some(Scope::PeopleRead)),
    (Method::PUT, "/v1/people/{key}", Some(Scope::PeopleWrite)),
    (Method::DELETE, "/v1/people/{key}", Some(Scope::PeopleWrite)),
    (
        Method::POST,
        "/v1/people/{key}/verification",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::GET,
        "/v1/people/{key}/number-change",
        Some(Scope::PeopleRead),
    ),
    (
        Method::POST,
        "/v1/people/{key}/number-change",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::POST,
        "/v1/people/{key}/number-change/vouch",
        Some(Scope::PeopleWrite),
    ),
    (Method::GET, "/v1/groups", Some(Scope::PeopleRead)),
    (Method::PUT, "/v1/groups", Some(Scope::PeopleWrite)),
    (Method::GET, "/v1/groups/{key}", Some(Scope::PeopleRead)),
    (Method::PUT, "/v1/groups/{key}", Some(Scope::PeopleWrite)),
    (Method::DELETE, "/v1/groups/{key}", Some(Scope::PeopleWrite)),
    // The token in the path is the key: calendar programs send no header.
    (Method::GET, "/v1/calendars/{feed}", None),
    (Method::GET, "/v1/schedules", Some(Scope::PeopleRead)),
    (Method::GET, "/v1/schedules/{key}", Some(Scope::PeopleRead)),
    (Method::PUT, "/v1/schedules/{key}", Some(Scope::PeopleWrite)),
    (
        Method::DELETE,
        "/v1/schedules/{key}",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::GET,
        "/v1/schedules/{key}/on-call",
        Some(Scope::PeopleRead),
    ),
    (
        Method::GET,
        "/v1/schedules/{key}/shifts",
        Some(Scope::PeopleRead),
    ),
    (
        Method::GET,
        "/v1/schedules/{key}/warnings",
        Some(Scope::PeopleRead),
    ),
    (
        Method::GET,
        "/v1/schedules/{key}/calendar",
        Some(Scope::PeopleRead),
    ),
    (
        Method::POST,
        "/v1/schedules/{key}/import",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::GET,
        "/v1/schedules/{key}/overrides",
        Some(Scope::PeopleRead),
    ),
    (
        Method::POST,
        "/v1/schedules/{key}/overrides",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::DELETE,
        "/v1/schedules/{key}/overrides/{number}",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::PUT,
        "/v1/schedules/{key}/redirect",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::DELETE,
        "/v1/schedules/{key}/redirect",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::GET,
        "/v1/schedules/{key}/swaps",
        Some(Scope::PeopleRead),
    ),
    (
        Method::POST,
        "/v1/schedules/{key}/swaps",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::POST,
        "/v1/schedules/{key}/swaps/{number}/consent",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::POST,
        "/v1/schedules/{key}/swaps/{number}/decline",
        Some(Scope::PeopleWrite),
    ),
    (Method::GET, "/v1/on-call", Some(Scope::PeopleRead)),
    (Method::GET, "/v1/feeds", Some(Scope::PeopleWrite)),
    (Method::POST, "/v1/feeds", Some(Scope::PeopleWrite)),
    (Method::DELETE, "/v1/feeds/{id}", Some(Scope::PeopleWrite)),
    (Method::GET, "/v1/zones", Some(Scope::ClusterRead)),
    (Method::PUT, "/v1/zones", Some(Scope::ClusterAdmin)),
    (Method::GET, "/v1/templates", Some(Scope::TemplateRead)),
    (
        Method::POST,
        "/v1/templates/check",
        Some(Scope::TemplateWrite),
    ),
    (
        Method::POST,
        "/v1/templates/starter",
        Some(Scope::TemplateWrite),
    ),
    (
        Method::GET,
        "/v1/templates/{key}",
        Some(Scope::TemplateRead),
    ),
    (
        Method::PUT,
        "/v1/templates/{key}",
        Some(Scope::TemplateWrite),
    ),
    (
        Method::GET,
        "/v1/templates/{key}/versions",
        Some(Scope::TemplateRead),
    ),
    (
        Method::GET,
        "/v1/templates/{key}/render",
        Some(Scope::TemplateRead),
    ),
    (
        Method::POST,
        "/v1/templates/{key}/try",
        Some(Scope::TemplateWrite),
    ),
    (
        Method::POST,
        "/v1/templates/{key}/archive",
        Some(Scope::TemplateWrite),
    ),
    (
        Method::POST,
        "/v1/templates/{key}/restore",
        Some(Scope::TemplateWrite),
    ),
    (Method::GET, "/v1/documents", Some(Scope::TemplateRead)),
    (
        Method::PUT,
        "/v1/documents/{key}",
        Some(Scope::TemplateWrite),
    ),
    (
        Method::DELETE,
        "/v1/documents/{key}",
        Some(Scope::TemplateWrite),
    ),
    (
        Method::GET,
        "/v1/documents/{key}/bytes",
        Some(Scope::TemplateRead),
    ),
    (
        Method::GET,
        "/v1/alerts/{alert}/documents",
        Some(Scope::AlertRead),
    ),
    (
        Method::GET,
        "/v1/alerts/{alert}/documents/{document}/bytes",
        Some(Scope::AlertRead),
    ),
    (Method::GET, "/v1/cluster/texts", Some(Scope::ClusterRead)),
    (Method::PUT, "/v1/cluster/texts", Some(Scope::ClusterAdmin)),
    (
        Method::GET,
        "/v1/groups/{key}/members",
        Some(Scope::PeopleRead),
    ),
    (Method::GET, "/v1/directory", Some(Scope::PeopleRead)),
    (
        Method::POST,
        "/v1/directory/freeze",
        Some(Scope::PeopleWrite),
    ),
    (Method::POST, "/v1/directory/thaw", Some(Scope::PeopleWrite)),
    (
        Method::PUT,
        "/v1/directory/prefixes",
        Some(Scope::ClusterAdmin),
    ),
    (Method::GET, "/v1/directory/export", Some(Scope::PeopleRead)),
    (
        Method::GET,
        "/v1/directory/imports",
        Some(Scope::PeopleRead),
    ),
    (
        Method::POST,
        "/v1/directory/imports",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::GET,
        "/v1/directory/imports/{id}",
        Some(Scope::PeopleRead),
    ),
    (
        Method::POST,
        "/v1/directory/imports/{id}/approve",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::POST,
        "/v1/directory/imports/{id}/reject",
        Some(Scope::PeopleWrite),
    ),
    (
        Method::POST,
        "/v1/directory/checks",
        Some(Scope::AlertCreate),
    ),
    (
        Method::GET,
        "/v1/directory/checks/{alert}",
        Some(Scope::PeopleRead),
    ),
    (Method::GET, "/v1/rooms", Some(Scope::RoomRead)),
    (Method::GET, "/v1/rooms/{room}", Some(Scope::RoomRead)),
    (Method::PUT, "/v1/rooms/{room}", Some(Scope::RoomWrite)),
    (
        Method::PUT,
        "/v1/rooms/{room}/members/{person}",
        Some(Scope::RoomWrite),
    ),
    (
        Method::DELETE,
        "/v1/rooms/{room}/members/{person}",
        Some(Scope::RoomWrite),
    ),
    (
        Method::PUT,
        "/v1/rooms/{room}/followers/{key}",
        Some(Scope::RoomWrite),
    ),
    (
        Method::DELETE,
        "/v1/rooms/{room}/followers/{key}",
        Some(Scope::RoomWrite),
    ),
    (
        Method::POST,
        "/v1/rooms/{room}/read",
        Some(Scope::RoomWrite),
    ),
    (
        Method::GET,
        "/v1/rooms/{room}/messages",
        Some(Scope::RoomRead),
    ),
    (
        Method::POST,
        "/v1/rooms/{room}/messages",
        Some(Scope::RoomWrite),
    ),
    (
        Method::POST,
        "/v1/rooms/{room}/messages/{message}/edit",
        Some(Scope::RoomWrite),
    ),
    (
        Method::POST,
        "/v1/rooms/{room}/messages/{message}/mark",
        Some(Scope::RoomWrite),
    ),
    (
        Method::POST,
        "/v1/rooms/{room}/messages/{message}/pin",
        Some(Scope::RoomWrite),
    ),
    (Method::GET, "/v1/rooms/{room}/files", Some(Scope::RoomRead)),
    (
        Method::POST,
        "/v1/rooms/{room}/files",
        Some(Scope::RoomWrite),
    ),
    (
        Method::GET,
        "/v1/rooms/{room}/files/{file}",
        Some(Scope::RoomRead),
    ),
    (
        Method::DELETE,
        "/v1/rooms/{room}/files/{file}",
        Some(Scope::RoomWrite),
    ),
    (
        Method::GET,
        "/v1/rooms/{room}/files/{file}/bytes",
        Some(Scope::RoomRead),
    ),
    (
        Method::PUT,
        "/v1/rooms/{room}/files/{file}/bytes",
        Some(Scope::RoomWrite),
    ),
    (Method::GET, "/v1/rooms/{room}/chain", Some(Scope::RoomRead)),
    (
        Method::GET,
        "/v1/rooms/{room}/verify",
        Some(Scope::RoomRead),
    ),
    (
        Method::GET,
        "/v1/rooms/{room}/guests",
        Some(Scope::RoomRead),
    ),
    (
        Method::POST,
        "/v1/rooms/{room}/guests",
        Some(Scope::GuestWrite),
    ),
    (
        Method::DELETE,
        "/v1/rooms/{room}/guests/{account}",
        Some(Scope::GuestWrite),
    ),
    (Method::GET, "/v1/inbound", Some(Scope::AlertRead)),
    (Method::GET, "/v1/inbound/orders", Some(Scope::AlertRead)),
    (
        Method::PUT,
        "/v1/inbound/commanders",
        Some(Scope::ClusterAdmin),
    ),
    (Method::GET, "/v1/nodes", Some(Scope::ClusterRead)),
    (Method::GET, "/v1/cluster", Some(Scope::ClusterRead)),
    (Method::GET, "/v1/cluster/joins", Some(Scope::ClusterRead)),
    (Method::GET, "/v1/cluster/time", Some(Scope::ClusterRead)),
    (Method::POST, "/v1/cluster/time", Some(Scope::ClusterAdmin)),
    (
        Method::POST,
        "/v1/cluster/invitations",
        Some(Scope::ClusterAdmin),
    ),
    (
        Method::POST,
        "/v1/cluster/promote",
        Some(Scope::ClusterAdmin),
    ),
    (
        Method::POST,
        "/v1/cluster/remove",
        Some(Scope::ClusterAdmin),
    ),
    (Method::POST, "/v1/cluster/evict", Some(Scope::ClusterAdmin)),
    (Method::GET, "/v1/audit", Some(Scope::AuditRead)),
    (Method::GET, "/v1/audit/export", Some(Scope::AuditRead)),
    (
        Method::GET,
        "/v1/audit/export/checkpoints",
        Some(Scope::AuditRead),
    ),
    (
        Method::GET,
        "/v1/audit/export/nodes",
        Some(Scope::AuditRead),
    ),
    (
        Method::POST,
        "/v1/audit/{seq}/erase",
        Some(Scope::ClusterAdmin),
    ),
    (Method::GET, "/v1/outbox", Some(Scope::ClusterRead)),
    (Method::POST, "/v1/outbox/pause", Some(Scope::OutboxPause)),
    (
        Method::POST,
        "/v1/outbox/release",
        Some(Scope::ClusterAdmin),
    ),
    (
        Method::POST,
        "/v1/cluster/transfer",
        Some(Scope::ClusterAdmin),
    ),
    (Method::GET, "/v1/island", Some(Scope::ClusterRead)),
    (Method::POST, "/v1/island/export", Some(Scope::ClusterAdmin)),
    (Method::POST, "/v1/island/import", Some(Scope::ClusterAdmin)),
    (
        Method::POST,
        "/v1/cluster/rotate-key",
        Some(Scope::ClusterAdmin),
    ),
    (
        Method::POST,
        "/v1/cluster/rotate-ca",
        Some(Scope::ClusterAdmin),
    ),
    (Method::GET, "/v1/keys", Some(Scope::KeysAdmin)),
    (Method::POST, "/v1/keys", Some(Scope::KeysAdmin)),
    (Method::DELETE, "/v1/keys/{id}", Some(Scope::KeysAdmin)),
    (Method::GET, "/v1/accounts", Some(Scope::AccountsAdmin)),
    (
        Method::GET,
        "/v1/accounts/{name}",
        Some(Scope::AccountsAdmin),
    ),
    (
        Method::PUT,
        "/v1/accounts/{name}",
        Some(Scope::AccountsAdmin),
    ),
    (
        Method::PUT,
        "/v1/accounts/{name}/roles",
        Some(Scope::AccountsAdmin),
    ),
    (
        Method::PUT,
        "/v1/accounts/{name}/disabled",
        Some(Scope::AccountsAdmin),
    ),
    (
        Method::POST,
        "/v1/accounts/{name}/invitation",
        Some(Scope::AccountsAdmin),
    ),
    (
        Method::GET,
        "/v1/accounts/{name}/sessions",
        Some(Scope::AccountsAdmin),
    ),
    (
        Method::DELETE,
        "/v1/accounts/{name}/sessions",
        Some(Scope::AccountsAdmin),
    ),
    (Method::GET, "/v1/glass-cards", Some(Scope::AccountsAdmin)),
    (Method::POST, "/v1/glass-cards", Some(Scope::AccountsAdmin)),
    (
        Method::POST,
        "/v1/glass-cards/{card}/confirm",
        Some(Scope::AccountsAdmin),
    ),
    (
        Method::DELETE,
        "/v1/glass-cards/{card}",
        Some(Scope::AccountsAdmin),
    ),
    (Method::GET, "/v1/watch", Some(Scope::ClusterRead)),
    (Method::GET, "/v1/metrics", Some(Scope::MetricsRead)),
    (Method::GET, "/v1/sources", Some(Scope::SourceRead)),
    (Method::GET, "/v1/sources/{key}", Some(Scope::SourceRead)),
    (Method::PUT, "/v1/sources/{key}", Some(Scope::SourceWrite)),
    (
        Method::DELETE,
        "/v1/sources/{key}",
        Some(Scope::SourceWrite),
    ),
    (
        Method::POST,
        "/v1/sources/{key}/token",
        Some(Scope::SourceWrite),
    ),
    (
        Method::GET,
        "/v1/sources/{key}/signals",
        Some(Scope::SourceRead),
    ),
    (
        Method::POST,
        "/v1/sources/{key}/try",
        Some(Scope::SourceWrite),
    ),
    (
        Method::POST,
        "/v1/sources/{key}/trigger",
        Some(Scope::AlertCreate),
    ),
    (
        Method::PUT,
        "/v1/sources/{key}/redirect",
        Some(Scope::SourceWrite),
    ),
    (
        Method::DELETE,
        "/v1/sources/{key}/redirect",
        Some(Scope::SourceWrite),
    ),
    (Method::GET, "/v1/source-settings", Some(Scope::SourceRead)),
    (Method::PUT, "/v1/source-settings", Some(Scope::SourceWrite)),
    (Method::GET, "/v1/source-stop", Some(Scope::SourceRead)),
    (Method::POST, "/v1/source-stop", Some(Scope::AlertCreate)),
    (Method::DELETE, "/v1/source-stop", Some(Scope::AlertCreate)),
    (Method::GET, "/v1/silences", Some(Scope::SourceRead)),
    (Method::GET, "/v1/vcard", Some(Scope::PeopleRead)),
    (Method::GET, "/v1/number-card", Some(Scope::PeopleRead)),
    (Method::PUT, "/v1/number-card", Some(Scope::ClusterAdmin)),
    (Method::GET, "/v1/wake-proofs", Some(Scope::PeopleRead)),
    (Method::GET, "/v1/wake-tests", Some(Scope::PeopleRead)),
    (Method::POST, "/v1/wake-tests", Some(Scope::PeopleWrite)),
    (
        Method::DELETE,
        "/v1/wake-tests/{number}",
        Some(Scope::PeopleWrite),
    ),
    (Method::GET, "/v1/round-trips", Some(Scope::ClusterRead)),
    (Method::POST, "/v1/round-trips", Some(Scope::ClusterAdmin)),
    (Method::GET, "/v1/reports", Some(Scope::AlertRead)),
    (Method::POST, "/v1/reports", Some(Scope::ReportCreate)),
    (Method::GET, "/v1/reports/{number}", Some(Scope::AlertRead)),
    (
        Method::POST,
        "/v1/reports/{number}/decide",
        Some(Scope::AlertCreate),
    ),
    (Method::POST, "/v1/silences", Some(Scope::SourceWrite)),
    (
        Method::DELETE,
        "/v1/silences/{id}",
        Some(Scope::SourceWrite),
    ),
];

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
