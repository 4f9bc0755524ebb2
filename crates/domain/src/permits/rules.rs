//! Decisions about what takes two, without SQL.

use sha2::{Digest as _, Sha256};

use super::Ask;
use crate::texts;

/// What waits at once.
pub(super) const WAITING_MAX: i64 = 50;

const BODY_LEN_MAX: usize = 4_000;
const REASON_LEN_MAX: usize = 500;
const NAME_LEN_MAX: usize = 100;

/// What takes two, as people call it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Whom an administrator's account belongs to.
    Account,
    /// Making an administrator, or taking that away.
    Roles,
    /// Switching an administrator on again.
    Enable,
    /// A way in for an administrator.
    Invitation,
    /// What an administrator is limited to.
    Limit,
    /// What may be spent on SMS.
    Budget,
    /// When a second person must agree.
    SecondPerson,
    /// Letting a node join.
    NodeInvitation,
    NodeRemoval,
    NodeEviction,
}

impl Kind {
    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Roles => "roles",
            Self::Enable => "enable",
            Self::Invitation => "invitation",
            Self::Limit => "limit",
            Self::Budget => "budget",
            Self::SecondPerson => "second-person",
            Self::NodeInvitation => "node-invitation",
            Self::NodeRemoval => "node-removal",
            Self::NodeEviction => "node-eviction",
        }
    }

    /// What a request is, of what can take two; and what it is about, as paths name it.
    pub fn of<'a>(method: &str, path: &'a str) -> Option<(Self, &'a str)> {
        let below = |top: &str, end: &str| -> Option<&'a str> {
            let name = path.strip_prefix(top)?.strip_suffix(end)?;
            (!name.is_empty() && !name.contains('/')).then_some(name)
        };
        let accounts = |end| below("/v1/accounts/", end);
        match method {
            "PUT" => {
                let of_accounts = [
                    (Self::Roles, "/roles"),
                    (Self::Enable, "/disabled"),
                    (Self::Limit, "/unit"),
                    (Self::Account, ""),
                ];
                let found = of_accounts
                    .into_iter()
                    .find_map(|(kind, end)| Some((kind, accounts(end)?)));
                found
                    .or_else(|| Some((Self::Budget, below("/v1/budgets/", "")?)))
                    .or((path == "/v1/second-person").then_some((Self::SecondPerson, "")))
            }
            "POST" => match path {
                "/v1/cluster/invitations" => Some((Self::NodeInvitation, "")),
                "/v1/cluster/remove" => Some((Self::NodeRemoval, "")),
                "/v1/cluster/evict" => Some((Self::NodeEviction, "")),
                _ => Some((Self::Invitation, accounts("/invitation")?)),
            },
            "DELETE" => match path {
                "/v1/second-person" => Some((Self::SecondPerson, "")),
                _ => Some((Self::Budget, below("/v1/budgets/", "")?)),
            },
            _ => None,
        }
    }
}

/// What a request is known by: the same method, path and body give the same, nothing else does.
pub fn request_digest(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Name and reason as they are kept, if everything about the request is as it may be.
pub(super) fn check(ask: &Ask) -> Result<(String, String), String> {
    if Kind::of(&ask.method, &ask.path).is_none() {
        return Err(format!(
            "{} {} does not take two; just do it",
            ask.method, ask.path
        ));
    }
    if ask.body.len() > BODY_LEN_MAX {
        return Err(format!(
            "what takes two has at most {BODY_LEN_MAX} bytes, so that somebody reads all of it"
        ));
    }
    if texts::neutral(&ask.body) != ask.body {
        let text = "somebody else has to read it: no control characters, and none that turn the reading direction";
        return Err(text.to_owned());
    }
    let (name, reason) = (texts::clean(&ask.name), texts::clean(&ask.reason));
    if name.is_empty() || name.chars().count() > NAME_LEN_MAX {
        return Err(format!("a name has 1 to {NAME_LEN_MAX} characters"));
    }
    match reason.chars().count() > REASON_LEN_MAX {
        true => Err(format!("a reason has at most {REASON_LEN_MAX} characters")),
        false => Ok((name, reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_two_is_known_by_its_path() {
        for (method, path, found) in [
            ("PUT", "/v1/accounts/anna", Some((Kind::Account, "anna"))),
            (
                "PUT",
                "/v1/accounts/anna/roles",
                Some((Kind::Roles, "anna")),
            ),
            (
                "PUT",
                "/v1/accounts/anna/disabled",
                Some((Kind::Enable, "anna")),
            ),
            ("PUT", "/v1/accounts/anna/unit", Some((Kind::Limit, "anna"))),
            (
                "POST",
                "/v1/accounts/anna/invitation",
                Some((Kind::Invitation, "anna")),
            ),
            ("PUT", "/v1/budgets/key:1", Some((Kind::Budget, "key:1"))),
            (
                "DELETE",
                "/v1/budgets/cluster",
                Some((Kind::Budget, "cluster")),
            ),
            ("PUT", "/v1/second-person", Some((Kind::SecondPerson, ""))),
            ("POST", "/v1/cluster/evict", Some((Kind::NodeEviction, ""))),
            ("POST", "/v1/alerts", None),
            ("GET", "/v1/accounts/anna", None),
            ("PUT", "/v1/accounts/anna/roles/more", None),
            ("PUT", "/v1/accounts/", None),
        ] {
            assert_eq!(Kind::of(method, path), found, "{method} {path}");
        }
    }

    #[test]
    fn another_word_is_another_request() {
        let one = request_digest("PUT", "/v1/a", b"x");
        assert_eq!(one, request_digest("PUT", "/v1/a", b"x"));
        for (method, path, body) in [
            ("POST", "/v1/a", b"x".as_slice()),
            ("PUT", "/v1/ax", b""),
            ("PUT", "/v1/a", b"xy"),
            ("PUT/", "v1/a", b"x"),
        ] {
            assert_ne!(one, request_digest(method, path, body));
        }
    }
}
