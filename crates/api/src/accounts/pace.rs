//! How often somebody may come to the door of this node, by where they come from (SECURITY §2.4), and how often the limits
//! of signing in turned somebody away here. What is tried against one account is counted by all nodes together, in
//! `domain::access::accounts`; this keeps one place from filling the log with tries.
//!
//! A device that was signed in before shows that it is that device, by a proof as sessions send it, without a token. It has
//! an allowance of its own: whoever floods the door from its network, or guesses at its owner's password elsewhere, does
//! not keep it out (SECURITY T-14).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use domain::access::accounts;
use domain::nodes;
use domain::ports::Freshness;
use sha2::{Digest as _, Sha256};
use tracing::info;

use super::proof::{self, About};
use crate::connection::Peer;
use crate::problem::{Kind, Problem, of_query};
use crate::reading;
use crate::state::Shared;

/// So many at once, then one more each so often.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Allowance {
    pub(crate) at_once: u32,
    pub(crate) one_more_each: Duration,
}

/// Sign-ins begun for one account from one address, or from one known device.
pub(crate) const STARTS: Allowance = Allowance {
    at_once: 10,
    one_more_each: Duration::from_secs(30),
};

/// Requests of people who have not shown who they are, from one address or known device: an office behind one address
/// gets in, a flood does not.
pub(crate) const REQUESTS: Allowance = Allowance {
    at_once: 100,
    one_more_each: Duration::from_secs(1),
};

/// Addresses, devices and pairs remembered at once. Beyond that all are forgotten: the node goes on, the counts in the log
/// stay.
const REMEMBERED_MAX: usize = 20_000;

/// A limit that people meet on their way in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Starts,
    Requests,
    Passwords,
    Codes,
    Texts,
}

impl Limit {
    pub(crate) const ALL: [Self; 5] = [
        Self::Starts,
        Self::Requests,
        Self::Passwords,
        Self::Codes,
        Self::Texts,
    ];

    /// The name in lists and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starts => "sign-in-starts",
            Self::Requests => "sign-in-requests",
            Self::Passwords => "passwords",
            Self::Codes => "codes",
            Self::Texts => "texts",
        }
    }
}

/// What this node remembers of those who came to its door.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When each would have its whole allowance again, on this machine's clock.
    whole_at: Mutex<BTreeMap<[u8; 16], Duration>>,
    turned_away: [AtomicU64; Limit::ALL.len()],
}

impl Pace {
    /// Takes one of an allowance, or says how long to wait.
    fn take(
        &self,
        (limit, allowance): (Limit, Allowance),
        whose: &[&[u8]],
        now: Duration,
    ) -> Result<(), Duration> {
        let mut hash = Sha256::new().chain_update(limit.name());
        for part in whose {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        let mut all = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX && !all.contains_key(&key) {
            all.retain(|_, whole_at| now < *whole_at);
            if all.len() >= REMEMBERED_MAX {
                all.clear();
            }
        }
        let whole_at = all.entry(key).or_default();
        let next = (*whole_at).max(now) + allowance.one_more_each;
        let ahead = next - now;
        let most = allowance.one_more_each * allowance.at_once;
        match ahead.checked_sub(most) {
            Some(wait) if !wait.is_zero() => Err(wait),
            Some(_) | None => {
                *whole_at = next;
                Ok(())
            }
        }
    }

    /// Notes that a limit turned somebody away.
    pub(crate) fn turned_away(&self, limit: Limit) {
        self.turned_away[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often a limit turned somebody away here since this node started.
    pub(crate) fn count(&self, limit: Limit) -> u64 {
        self.turned_away[limit as usize].load(Ordering::Relaxed)
    }
}

/// Somebody at the door who has not shown who they are.
pub(super) struct Visitor {
    /// The device's key, or the address; empty at the node's own socket.
    whose: Vec<u8>,
    /// Set when it is a device that was signed in before.
    device: Option<KnownDevice>,
}

struct KnownDevice {
    key: Vec<u8>,
    /// Accounts it is or was signed in to.
    accounts: Vec<String>,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let device = shown_device(shared, parts).await?;
        let address = parts.extensions.get::<Peer>();
        let whose = match (&device, address) {
            (Some(device), _) => device.key.clone(),
            (None, Some(peer)) => peer.0.to_string().into_bytes(),
            (None, None) => Vec::new(),
        };
        let visitor = Self { whose, device };
        visitor.take(shared, (Limit::Requests, REQUESTS), &[])?;
        Ok(visitor)
    }
}

impl Visitor {
    /// Takes one start of a sign-in to an account.
    pub(super) fn starts(&self, shared: &Shared, account: &str) -> Result<(), Problem> {
        self.take(shared, (Limit::Starts, STARTS), &[account.as_bytes()])
    }

    /// What this visitor's tries at an account's password are counted under.
    pub(super) fn subject(&self, account: &str) -> [u8; 32] {
        match &self.device {
            Some(device) if device.accounts.iter().any(|known| known == account) => {
                accounts::subject_on(account, &device.key)
            }
            Some(_) | None => accounts::subject(account),
        }
    }

    fn take(
        &self,
        shared: &Shared,
        limit: (Limit, Allowance),
        about: &[&[u8]],
    ) -> Result<(), Problem> {
        if self.whose.is_empty() {
            return Ok(());
        }
        let whose: Vec<&[u8]> = std::iter::once(self.whose.as_slice())
            .chain(about.iter().copied())
            .collect();
        let wait = match shared.pace.take(limit, &whose, shared.clock.boot()) {
            Ok(()) => return Ok(()),
            Err(wait) => wait.as_millis().div_ceil(1_000),
        };
        shared.pace.turned_away(limit.0);
        info!(limit = limit.0.name(), "request refused: too many");
        let from = match self.device {
            Some(_) => "from this device",
            None => "from this address",
        };
        let what = match limit.0 {
            Limit::Starts => "to sign in to this account",
            Limit::Requests | Limit::Passwords | Limit::Codes | Limit::Texts => "to sign in",
        };
        let text = format!(
            "too many tries {what} {from}; wait for {wait} s, or use a device that was signed in before"
        );
        Err(Problem::new(Kind::TooMany, text).with_header(header::RETRY_AFTER, wait.to_string()))
    }
}

/// The device a request shows to come from, if that one was signed in before. What does not show it is no mistake: the
/// request then counts for its address.
async fn shown_device(shared: &Shared, parts: &Parts) -> Result<Option<KnownDevice>, Problem> {
    let text = |name: HeaderName| {
        let value = parts.headers.get(name);
        value.and_then(|value| value.to_str().ok())
    };
    let Some(proof) = text(HeaderName::from_static("dpop")) else {
        return Ok(None);
    };
    let Some(key) = proof::key_of(proof) else {
        return Ok(None);
    };
    let mut view = reading::open(shared, Freshness::Local).await?;
    let accounts = accounts::accounts_of_device(&mut view, &key).await;
    let accounts = accounts.map_err(of_query)?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    drop(view);
    if accounts.is_empty() {
        return Ok(None);
    }
    let about = About {
        method: parts.method.as_str(),
        host: text(header::HOST).unwrap_or_default(),
        path: parts.uri.path(),
        token: "",
        key: &key,
        now: civil.at(shared.replica.now()),
    };
    let Ok(id) = proof::check(proof, &about) else {
        return Ok(None);
    };
    let name = data_encoding::HEXLOWER.encode(&key);
    let fresh = shared.sessions.takes(&name, &id, shared.clock.boot());
    Ok(fresh.then_some(KnownDevice { key, accounts }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: (Limit, Allowance) = (
        Limit::Starts,
        Allowance {
            at_once: 3,
            one_more_each: Duration::from_secs(30),
        },
    );

    #[test]
    fn an_allowance_is_used_up_comes_back_one_by_one_and_is_nobody_elses() {
        let pace = Pace::default();
        let at = |s: u64| Duration::from_secs(3_600 + s);
        let ana: &[&[u8]] = &[b"192.0.2.1", b"ana"];
        for _ in 0..3 {
            assert_eq!(pace.take(FEW, ana, at(0)), Ok(()));
        }
        assert_eq!(pace.take(FEW, ana, at(0)), Err(Duration::from_secs(30)));
        assert_eq!(pace.take(FEW, ana, at(20)), Err(Duration::from_secs(10)));
        assert_eq!(pace.take(FEW, ana, at(30)), Ok(()));
        assert_eq!(pace.take(FEW, ana, at(31)), Err(Duration::from_secs(29)));
        for other in [[b"192.0.2.2".as_slice(), b"ana"], [b"192.0.2.1", b"bela"]] {
            assert_eq!(pace.take(FEW, &other, at(31)), Ok(()));
        }
        // What is not used is not saved up.
        for _ in 0..3 {
            assert_eq!(pace.take(FEW, ana, at(9_000)), Ok(()));
        }
        assert!(pace.take(FEW, ana, at(9_000)).is_err());
    }

    #[test]
    fn a_crowd_of_addresses_takes_bounded_room() {
        let pace = Pace::default();
        for number in 0..(REMEMBERED_MAX as u32 + 10) {
            _ = pace.take(FEW, &[&number.to_be_bytes()], Duration::ZERO);
        }
        assert!(pace.whole_at.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
