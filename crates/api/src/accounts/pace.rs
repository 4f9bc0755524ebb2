//! How often somebody may come to the door of this node, by where they come from; how much whoever is signed in, or holds a
//! key, may change, raise and take away at once (SECURITY §2.4); and how often these limits turned somebody away here. What is
//! tried against one account is counted by all nodes together, in `domain::access::accounts`; this keeps one place from
//! filling the log with tries.
//!
//! A device that was signed in before shows that it is that device, by a proof as sessions send it, without a token. It has
//! an allowance of its own: whoever floods the door from its network, or guesses at its owner's password elsewhere, does
//! not keep it out (SECURITY T-14).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// What one session changes; what alerts need is not counted.
pub(crate) const CHANGES: Allowance = Allowance {
    at_once: 30,
    one_more_each: Duration::from_millis(500),
};

/// Answers by the passkeys of one account.
pub(crate) const PASSKEYS: Allowance = Allowance {
    at_once: 30,
    one_more_each: Duration::from_secs(10),
};

/// Files one guest puts into their room.
pub(crate) const GUEST_FILES: Allowance = Allowance {
    at_once: 20,
    one_more_each: Duration::from_secs(180),
};

/// What one account, or one key, takes away at the same time.
pub(crate) const EXPORTS_MAX: u32 = 2;

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
    Passkeys,
    Changes,
    Raises,
    Exports,
    GuestFiles,
}

impl Limit {
    pub(crate) const ALL: [Self; 10] = [
        Self::Starts,
        Self::Requests,
        Self::Passwords,
        Self::Codes,
        Self::Texts,
        Self::Passkeys,
        Self::Changes,
        Self::Raises,
        Self::Exports,
        Self::GuestFiles,
    ];

    /// The name in lists and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starts => "sign-in-starts",
            Self::Requests => "sign-in-requests",
            Self::Passwords => "passwords",
            Self::Codes => "codes",
            Self::Texts => "texts",
            Self::Passkeys => "passkeys",
            Self::Changes => "changes",
            Self::Raises => "raises",
            Self::Exports => "exports",
            Self::GuestFiles => "guest-files",
        }
    }
}

/// What this node remembers of those who came to its door.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Alerts one key raises; critical ones are counted by themselves, so that no storm of others keeps them out.
    pub(crate) raises: Allowance,
    /// When each would have its whole allowance again, on this machine's clock.
    whole_at: Mutex<BTreeMap<[u8; 16], Duration>>,
    /// Exports under way, by whoever asked.
    exports: Mutex<BTreeMap<String, u32>>,
    turned_away: [AtomicU64; Limit::ALL.len()],
}

impl Pace {
    /// `raises_per_min`: alerts of one key, as many at once.
    pub(crate) fn new(raises_per_min: u32) -> Self {
        let at_once = raises_per_min.max(1);
        Self {
            raises: Allowance {
                at_once,
                one_more_each: Duration::from_secs(60) / at_once,
            },
            whole_at: Mutex::default(),
            exports: Mutex::default(),
            turned_away: Default::default(),
        }
    }

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

    /// Takes one change of a session's allowance.
    pub(crate) fn change(&self, session: &str, now: Duration) -> Result<(), Problem> {
        let taken = self.take((Limit::Changes, CHANGES), &[session.as_bytes()], now);
        taken.map_err(|wait| {
            self.too_many(
                Limit::Changes,
                session,
                wait,
                "changes from this device at once",
            )
        })
    }

    /// Takes one alert of a key's allowance.
    pub(crate) fn raise(&self, key: &str, critical: bool, now: Duration) -> Result<(), Problem> {
        let whose = [key.as_bytes(), &[u8::from(critical)]];
        let taken = self.take((Limit::Raises, self.raises), &whose, now);
        let what = "alerts by this key at once; put what belongs together under one `dedup_key`";
        taken.map_err(|wait| self.too_many(Limit::Raises, key, wait, what))
    }

    /// Takes one answer by a passkey of an account.
    pub(super) fn passkey(&self, account: &str, now: Duration) -> Result<(), Problem> {
        let taken = self.take((Limit::Passkeys, PASSKEYS), &[account.as_bytes()], now);
        let what = "tries by passkey at this account";
        taken.map_err(|wait| self.too_many(Limit::Passkeys, account, wait, what))
    }

    /// Takes one file of a guest's allowance.
    pub(crate) fn guest_file(&self, guest: &str, now: Duration) -> Result<(), Problem> {
        let taken = self.take((Limit::GuestFiles, GUEST_FILES), &[guest.as_bytes()], now);
        let what = "files by one guest; put several pictures into one, or let somebody of the room put them in";
        taken.map_err(|wait| self.too_many(Limit::GuestFiles, guest, wait, what))
    }

    fn too_many(&self, limit: Limit, whose: &str, wait: Duration, what: &str) -> Problem {
        self.turned_away(limit);
        let wait = wait.as_millis().div_ceil(1_000);
        info!(limit = limit.name(), whose, "request refused: too many");
        let text = format!("too many {what}; wait for {wait} s");
        Problem::new(Kind::TooMany, text).with_header(header::RETRY_AFTER, wait.to_string())
    }

    /// Room for one more export, for as long as what is given back is kept.
    pub(crate) fn export(self: &Arc<Self>, whose: &str) -> Result<Export, Problem> {
        let mut all = self.exports.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(whose.to_owned()).or_default();
        if *count >= EXPORTS_MAX {
            drop(all);
            self.turned_away(Limit::Exports);
            info!(whose, "request refused: too many exports");
            let text =
                format!("{EXPORTS_MAX} exports of yours are under way; wait until one is done");
            return Err(Problem::new(Kind::TooMany, text).with_header(header::RETRY_AFTER, "5"));
        }
        *count += 1;
        Ok(Export {
            pace: Arc::clone(self),
            whose: whose.to_owned(),
        })
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

/// An export under way.
#[derive(Debug)]
pub(crate) struct Export {
    pace: Arc<Pace>,
    whose: String,
}

impl Drop for Export {
    fn drop(&mut self) {
        let mut all = self
            .pace
            .exports
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = all.get(&self.whose).map_or(0, |count| count - 1);
        match left {
            0 => _ = all.remove(&self.whose),
            left => _ = all.insert(self.whose.clone(), left),
        }
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
            Limit::Requests
            | Limit::Passwords
            | Limit::Codes
            | Limit::Texts
            | Limit::Passkeys
            | Limit::Changes
            | Limit::Raises
            | Limit::Exports
            | Limit::GuestFiles => "to sign in",
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
        let pace = Pace::new(60);
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
    fn two_exports_at_once_are_enough_for_one() {
        let pace = Arc::new(Pace::new(60));
        let first = pace.export("account:ana").unwrap();
        let _second = pace.export("account:ana").unwrap();
        assert!(pace.export("account:ana").is_err());
        let other = pace.export("account:bela").unwrap();
        drop((first, other));
        let _again = pace.export("account:ana").unwrap();
        assert!(pace.export("account:ana").is_err());
        assert_eq!(pace.count(Limit::Exports), 2);
        assert_eq!(pace.exports.lock().unwrap().len(), 1);
    }

    #[test]
    fn no_storm_of_a_keys_alerts_keeps_its_critical_ones_out() {
        let pace = Pace::new(60);
        for _ in 0..60 {
            pace.raise("k1", false, Duration::ZERO).unwrap();
        }
        assert!(pace.raise("k1", false, Duration::ZERO).is_err());
        pace.raise("k1", true, Duration::ZERO).unwrap();
        pace.raise("k2", false, Duration::ZERO).unwrap();
        pace.raise("k1", false, Duration::from_secs(1)).unwrap();
        assert_eq!(pace.count(Limit::Raises), 1);
    }

    #[test]
    fn passkeys_and_files_of_guests_are_counted_for_each_account_by_itself() {
        let pace = Pace::new(60);
        for _ in 0..30 {
            pace.passkey("anna", Duration::ZERO).unwrap();
        }
        assert!(pace.passkey("anna", Duration::ZERO).is_err());
        pace.passkey("bela", Duration::ZERO).unwrap();
        pace.passkey("anna", Duration::from_secs(10)).unwrap();
        for _ in 0..20 {
            pace.guest_file("account:kai", Duration::ZERO).unwrap();
        }
        assert!(pace.guest_file("account:kai", Duration::ZERO).is_err());
        assert!(
            pace.guest_file("account:kai", Duration::from_secs(179))
                .is_err()
        );
        pace.guest_file("account:kai", Duration::from_secs(180))
            .unwrap();
    }

    #[test]
    fn a_crowd_of_addresses_takes_bounded_room() {
        let pace = Pace::new(60);
        for number in 0..(REMEMBERED_MAX as u32 + 10) {
            _ = pace.take(FEW, &[&number.to_be_bytes()], Duration::ZERO);
        }
        assert!(pace.whole_at.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
