//! Accounts of people: what they are called, which roles they have, how they show who they are, and where they are
//! signed in.
//!
//! Invariants: no secret of anybody is here in clear (passwords and codes are hashed, seeds sealed, before they are
//! proposed); a code, an invitation, a step of a TOTP and an answer to a challenge open at most one session; a session is bound to one device's
//! key; what was opened in another epoch opens nothing (SECURITY D-3, D-6, D-13).

mod apply;
mod command;
mod glass;
mod guest;
mod passkeys;
mod prove;
mod query;
mod sign_in;
#[cfg(test)]
mod tests;
mod text_code;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::ids::NodeId;

pub(super) use self::apply::apply;
pub(crate) use self::apply::{invite, limit, unknown};
pub use self::command::{Accept, ByPasskey, Command, Device, NewPasskey, NewSession, Proof, Shown};
pub(crate) use self::glass::{add_glass_account, end_glass, open_glass};
pub use self::guest::GuestRow;
pub(crate) use self::guest::{add_guest, end_guest};
pub use self::passkeys::{PASSKEY_LABEL_LEN_MAX, PASSKEYS_MAX, PasskeyRow, passkey, passkeys};
pub use self::query::{
    AccountRow, AttemptRow, SessionRow, account, accounts, accounts_of_device, attempt, guests,
    invitation_expires, invitation_of, invitation_used, is_recovery_code, recovery_codes_left,
    session, sessions, tries_closed_until,
};
pub(crate) use self::query::{is_signed_in, limit_of};

pub use self::text_code::{TextCodeRow, text_code};
pub(crate) use self::text_code::{count_one, note_text_code, wait_for};

/// How often something may be tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TryLimit {
    /// Name in rows and lists.
    pub kind: &'static str,
    /// So many tries,
    pub max: u32,
    /// counted from the first over this time,
    pub window: Duration,
    /// then none for this long.
    pub closed: Duration,
}

/// Tries of a password (SECURITY §2.4).
pub const PASSWORD_TRIES: TryLimit = TryLimit {
    kind: "password",
    max: 10,
    window: Duration::from_secs(15 * 60),
    closed: Duration::from_secs(15 * 60),
};

/// Tries of codes of one account over a day: one-time, recovery, by text.
pub const CODE_TRIES: TryLimit = TryLimit {
    kind: "code",
    max: 20,
    window: Duration::from_secs(24 * 3_600),
    closed: Duration::from_secs(3_600),
};

/// Codes and invitations texted to one account.
pub const TEXTS: TryLimit = TryLimit {
    kind: "text",
    max: 3,
    window: Duration::from_secs(10 * 60),
    closed: Duration::ZERO,
};

/// The same over a day.
pub const TEXTS_OF_DAY: TryLimit = TryLimit {
    kind: "text_day",
    max: 10,
    window: Duration::from_secs(24 * 3_600),
    closed: Duration::ZERO,
};

/// What all who ask one node have texted to them, but for people called to an open alert: those must get in.
pub const TEXTS_OF_NODE: TryLimit = TryLimit {
    kind: "text_node",
    max: 50,
    window: Duration::from_secs(3_600),
    closed: Duration::ZERO,
};

/// How long a texted code ends a sign-in.
pub const TEXT_CODE_TIME: Duration = Duration::from_secs(5 * 60);

/// Tries of a code in one sign-in.
pub const TRIES_OF_ATTEMPT: u32 = 5;

/// How long a sign-in waits for its second factor.
pub const ATTEMPT_TIME: Duration = Duration::from_secs(10 * 60);

/// How long a passkey may take to sign a challenge.
pub const CHALLENGE_TIME: Duration = Duration::from_secs(5 * 60);

/// How long an invitation opens the door.
pub const INVITATION_TIME: Duration = Duration::from_secs(24 * 3_600);

/// How many codes somebody gets to print.
pub const RECOVERY_CODES: usize = 10;

/// Sessions of one account at once; the one longest unused gives way.
pub const SESSIONS_MAX: i64 = 20;

/// How long an ended session stays in the list.
const ENDED_KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);

/// What tries are counted under: the same for names that exist and names that do not.
pub fn subject(name: &str) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(b"holdfast account")
        .chain_update(name);
    hash.finalize().into()
}

/// What tries are counted under on a device that was signed in to this account before and shows that it is that device:
/// whoever guesses elsewhere does not close this way in (SECURITY T-14).
pub fn subject_on(name: &str, device_key: &[u8]) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(b"holdfast account on")
        .chain_update(Sha256::digest(device_key))
        .chain_update(name);
    hash.finalize().into()
}

/// What rows hold of an invitation's code: SHA-256 of its letters without dashes.
pub(crate) fn invitation_hash(letters: &str) -> [u8; 32] {
    Sha256::digest(letters).into()
}

/// What is texted at a node's asking is counted under.
pub(crate) fn subject_of_node(node: NodeId) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(b"holdfast node")
        .chain_update(node.0.to_be_bytes());
    hash.finalize().into()
}

/// Whether a name may be an account's: 1 to 64 lower-case letters, digits, dots, dashes and underscores.
pub fn is_name(name: &str) -> bool {
    let plain =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}
