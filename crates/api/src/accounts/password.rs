//! Passwords: what may be one, and their Argon2id hashes (SECURITY D-7).
//!
//! A hash takes 64 MiB and a third of a second. At most two run at once, and never on more than half of the processors:
//! consensus is not to wait for passwords. Sixteen more wait; whoever comes then is asked to come back.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64_NOPAD as BASE64;
use rand::{CryptoRng, RngExt as _};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::error;

use crate::problem::{Kind, Problem};

/// Memory in KiB, passes and lanes of new hashes.
const POLICY: (u32, u32, u32) = (64 * 1024, 3, 1);
/// The most a stored hash may ask of this node: a row is not to choose how much memory is taken.
const MOST: (u32, u32, u32) = (256 * 1024, 10, 4);
const SALT_LEN: usize = 16;
const HASH_LEN: usize = 32;

/// Hashes at once where there are processors for them, and how many more wait.
const RUNNING_MAX: usize = 2;
const WAITING: usize = 16;
/// How long one may wait for its turn.
const TURN_TIME: Duration = Duration::from_secs(15);

const LEN_MIN: usize = 12;
const LEN_MAX: usize = 128;
/// Letters that must be left when names and words everybody tries first are taken out.
const OWN_LEN_MIN: usize = 8;
const OWN_LETTERS_MIN: usize = 5;

/// What attackers try first, in the languages of our texts.
const WORDS: &[&str] = &[
    "password",
    "passw0rd",
    "salasana",
    "lösenord",
    "motdepasse",
    "passwort",
    "holdfast",
    "welcome",
    "tervetuloa",
    "välkommen",
    "bienvenue",
    "letmein",
    "qwertyuiop",
    "qwerty",
    "azerty",
    "asdfghjkl",
    "asdfgh",
    "1234567890",
    "0987654321",
    "123456",
    "654321",
    "abcdefgh",
    "abc123",
    "admin",
    "iloveyou",
    "dragon",
    "monkey",
    "football",
    "summer",
    "winter",
    "spring",
    "autumn",
    "kesä",
    "talvi",
    "2024",
    "2025",
    "2026",
    "2027",
];

/// The one place on a node where passwords are hashed.
#[derive(Debug)]
pub(crate) struct Hasher {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        // Priorities of threads would do as well, but a service may be forbidden to change them, and is killed if it tries.
        // Where nobody says how many there are, one hash at a time is what any machine bears.
        let processors = available_parallelism().map_or(1, NonZero::get);
        let running = (processors / 2).clamp(1, RUNNING_MAX);
        Self {
            places: Arc::new(Semaphore::new(running + WAITING)),
            running: Arc::new(Semaphore::new(running)),
        }
    }
}

/// What came of looking at a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    pub(super) right: bool,
    /// The stored hash is weaker than new ones.
    pub(super) outdated: bool,
}

impl Hasher {
    /// The PHC string of a new hash.
    pub(super) async fn hash(
        &self,
        password: String,
        rng: &mut impl CryptoRng,
    ) -> Result<String, Problem> {
        let salt: [u8; SALT_LEN] = rng.random();
        let hash = self
            .work(move || raw_hash(&password, &salt, POLICY))
            .await?;
        let (memory, passes, lanes) = POLICY;
        Ok(format!(
            "$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}",
            BASE64.encode(&salt),
            BASE64.encode(&hash.ok_or_else(failed)?)
        ))
    }

    /// Looks at a password. Without a stored hash it takes as long, and is wrong (SECURITY T-15).
    pub(super) async fn verify(
        &self,
        password: String,
        phc: Option<String>,
    ) -> Result<Verdict, Problem> {
        let stored = phc.as_deref().and_then(Stored::parse);
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| Stored {
            cost: POLICY,
            salt: vec![0; SALT_LEN],
            hash: vec![0; HASH_LEN],
        });
        let outdated = stored.cost != POLICY;
        let (cost, salt) = (stored.cost, stored.salt);
        let found = self.work(move || raw_hash(&password, &salt, cost)).await?;
        let same: bool = found
            .ok_or_else(failed)?
            .ct_eq(stored.hash.as_slice())
            .into();
        Ok(Verdict {
            right: same && known,
            outdated,
        })
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let busy = || {
            let text = "too many people sign in at this node right now; try again shortly, or at another node";
            Problem::new(Kind::Overloaded, text)
        };
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| busy())?;
        let turn = timeout(TURN_TIME, Arc::clone(&self.running).acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        // Whoever hangs up does not free the place before the work is done.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, turn));
            done
        });
        done.await.map_err(|_| failed())
    }
}

fn failed() -> Problem {
    error!("a password could not be hashed");
    Problem::new(
        Kind::Internal,
        "this node cannot look at passwords; ask another node and see this node's log",
    )
}

fn raw_hash(
    password: &str,
    salt: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
) -> Option<[u8; HASH_LEN]> {
    let params = Params::new(memory, passes, lanes, Some(HASH_LEN)).ok()?;
    let mut blocks = vec![Block::default(); params.block_count()];
    let mut hash = [0; HASH_LEN];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut blocks)
        .ok()?;
    Some(hash)
}

/// A stored hash, taken apart.
struct Stored {
    cost: (u32, u32, u32),
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Stored {
    /// Reads `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    fn parse(phc: &str) -> Option<Self> {
        let mut parts = phc.strip_prefix("$argon2id$v=19$")?.split('$');
        let (cost, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let mut numbers = cost.split(',');
        let mut number = |name: &str| {
            let value = numbers.next()?.strip_prefix(name)?;
            value.parse::<u32>().ok()
        };
        let cost = (number("m=")?, number("t=")?, number("p=")?);
        let bounded = cost.0 <= MOST.0 && cost.1 <= MOST.1 && cost.2 <= MOST.2;
        let hash = BASE64.decode(hash.as_bytes()).ok()?;
        (bounded && hash.len() == HASH_LEN).then_some(())?;
        Some(Self {
            cost,
            salt: BASE64.decode(salt.as_bytes()).ok()?,
            hash,
        })
    }
}

/// Why this is not to be a password; `about` are names everybody would try.
pub(super) fn check(password: &str, about: &[&str]) -> Result<(), String> {
    let len = password.chars().count();
    if !(LEN_MIN..=LEN_MAX).contains(&len) {
        return Err(format!(
            "has {len} characters; a password has {LEN_MIN} to {LEN_MAX}, such as four words that do not belong together"
        ));
    }
    let mut left = password.to_lowercase();
    let names = about
        .iter()
        .flat_map(|name| name.split([' ', '.', '-', '_', '@']));
    let names = names
        .map(str::to_lowercase)
        .filter(|name| name.chars().count() >= 4);
    for word in names.chain(WORDS.iter().map(|word| (*word).to_owned())) {
        left = left.replace(&word, "");
    }
    let letters: std::collections::BTreeSet<char> = left.chars().collect();
    if left.chars().count() < OWN_LEN_MIN || letters.len() < OWN_LETTERS_MIN {
        return Err(
            "is one of those that are tried first; take four words that do not belong together"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[tokio::test]
    async fn a_password_is_right_only_where_it_was_set() {
        let hasher = Hasher::default();
        let mut rng = StdRng::seed_from_u64(1);
        let phc = hasher
            .hash("tuuli kettu 9 lanka".to_owned(), &mut rng)
            .await
            .unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{phc}");
        let look = async |password: &str, phc: Option<&String>| {
            hasher
                .verify(password.to_owned(), phc.cloned())
                .await
                .unwrap()
        };
        let right = Verdict {
            right: true,
            outdated: false,
        };
        assert_eq!(look("tuuli kettu 9 lanka", Some(&phc)).await, right);
        assert!(!look("tuuli kettu 8 lanka", Some(&phc)).await.right);
        assert!(!look("tuuli kettu 9 lanka", None).await.right);
        // Set when the policy asked for less.
        let salt = BASE64.encode(&[5; SALT_LEN]);
        let hash = raw_hash("old", &[5; SALT_LEN], (19 * 1024, 2, 1)).unwrap();
        let old = format!(
            "$argon2id$v=19$m=19456,t=2,p=1${salt}${}",
            BASE64.encode(&hash)
        );
        assert_eq!(
            look("old", Some(&old)).await,
            Verdict {
                right: true,
                outdated: true
            }
        );
        // A row does not choose how much memory is taken.
        let greedy = old.replace("m=19456", "m=4000000000");
        assert!(!look("old", Some(&greedy)).await.right);
    }

    #[tokio::test]
    async fn a_crowd_is_asked_to_come_back() {
        let hasher = Hasher::default();
        let places = hasher.places.available_permits();
        let all = hasher
            .places
            .clone()
            .acquire_many_owned(places as u32)
            .await
            .unwrap();
        let refused = hasher
            .verify("whatever it is".to_owned(), None)
            .await
            .unwrap_err();
        assert!(
            refused.detail().contains("try again"),
            "{}",
            refused.detail()
        );
        drop(all);
        assert!(
            hasher
                .verify("whatever it is".to_owned(), None)
                .await
                .is_ok()
        );
    }

    #[test]
    fn passwords_everybody_tries_are_refused_and_words_taken() {
        let about = ["anna.virtanen", "Aurora Energy"];
        for good in [
            "tuuli kettu 9 lanka",
            "correct horse battery",
            "ääkkösiä on kolme",
            "x9$Kq!v2#LmZ",
        ] {
            assert_eq!(check(good, &about), Ok(()), "{good}");
        }
        for bad in [
            "short",
            "aaaaaaaaaaaaaaaa",
            "password1234567",
            "AnnaVirtanen2026!",
            "AuroraEnergy!12",
            "Holdfast-2026-!!",
            &"x".repeat(129),
        ] {
            assert!(check(bad, &about).is_err(), "{bad}");
        }
    }
}
