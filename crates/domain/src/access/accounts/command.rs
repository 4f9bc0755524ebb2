//! Commands about accounts and sessions. Secrets are hashed or sealed before they are proposed (SECURITY D-3).

use serde::{Deserialize, Serialize};

use crate::ids::DeliveryId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds an account, or changes whom it stands for. Roles and factors stay.
    Put {
        name: String,
        /// As people should read it.
        shown: String,
        /// Key of the person it belongs to.
        person: Option<String>,
    },
    /// Sets the roles of an account, by name of [`crate::access::Role`].
    SetRoles { name: String, roles: Vec<String> },
    /// Lets nobody in by this account, and ends its sessions; or lets people in again.
    SetDisabled { name: String, disabled: bool },
    /// A code that lets one device in, once. Replaces the account's earlier ones.
    Invite {
        name: String,
        /// SHA-256 of the code.
        code_hash: [u8; 32],
    },
    /// Uses an invitation.
    Accept(Accept),
    /// One more try of this account's password, counted before it is looked at.
    TryPassword {
        /// [`super::subject`] of the name as it was typed; there need not be such an account.
        subject: [u8; 32],
    },
    /// The password was right: a second factor is awaited.
    BeginAttempt {
        /// SHA-256 of the attempt's id, which only the device knows.
        attempt: [u8; 32],
        name: String,
        device: Device,
        /// A hash by today's policy, when the stored one is by an older one.
        rehashed: Option<String>,
    },
    /// One more try of a code in a sign-in, counted before it is looked at.
    TryCode { attempt: [u8; 32] },
    /// The second factor was right.
    Open {
        attempt: [u8; 32],
        proof: Proof,
        session: NewSession,
    },
    /// A session was used.
    Touch { session: String },
    /// Ends a session.
    End { session: String },
    /// Ends every session of an account, but one.
    EndAll { name: String, but: Option<String> },
    /// Sets a password: a PHC string of its Argon2id hash. Ends the account's other sessions.
    SetPassword {
        name: String,
        phc: String,
        but: Option<String>,
    },
    /// A seed for one-time codes, sealed; counts once confirmed.
    SetTotp { name: String, sealed: Vec<u8> },
    /// The app shows the right code: from now on it is a factor.
    ConfirmTotp { name: String, step: u64 },
    /// The same seed, sealed under the newest key of the cluster.
    ResealTotp { name: String, sealed: Vec<u8> },
    /// SHA-256 of new recovery codes; the old ones open nothing any more.
    SetRecoveryCodes {
        name: String,
        code_hashes: Vec<[u8; 32]>,
    },
    /// A passkey its owner's device made: from now on it is a factor, and lets in alone.
    AddPasskey { name: String, passkey: NewPasskey },
    /// A passkey opens nothing any more.
    RemovePasskey { name: String, id: Vec<u8> },
    /// A passkey signed a challenge of this cluster.
    OpenByPasskey(ByPasskey),
    /// One more try at a code in a session of this account, counted before it is looked at.
    TryProof { name: String },
    /// The owner of a session showed again that it is them.
    Prove { session: String, by: Shown },
    /// A session looked at what asks for its owner after a pause.
    Look { session: String },
}

/// What somebody showed who is signed in already.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Shown {
    Password,
    /// A one-time code of this time step.
    Totp {
        step: u64,
    },
    /// A passkey signed a challenge.
    Passkey {
        id: Vec<u8>,
        /// As the authenticator counts now.
        count: u32,
        /// SHA-256 of the challenge.
        challenge: [u8; 32],
    },
}

/// Whoever holds an invitation lets their device in, and sets a password if they want one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Accept {
    pub code_hash: [u8; 32],
    /// PHC string of the Argon2id hash.
    pub password: Option<String>,
    pub session: NewSession,
    pub device: Device,
}

/// A key pair of an authenticator, of which we know the public half (Web Authentication Level 2, §5.1).
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NewPasskey {
    /// The credential id: 1 to 1,023 bytes.
    pub id: Vec<u8>,
    /// The point on P-256, uncompressed: 4, then x and y, 65 bytes.
    pub key: Vec<u8>,
    /// As its owner calls it.
    pub label: String,
    /// How often it was used, as the authenticator counts; 0: it does not count.
    pub count: u32,
}

/// Whoever holds a passkey lets their device in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ByPasskey {
    pub id: Vec<u8>,
    /// As the authenticator counts now.
    pub count: u32,
    /// SHA-256 of the challenge that was signed.
    pub challenge: [u8; 32],
    pub session: NewSession,
    pub device: Device,
}

/// A device as its owner calls it, and the key only it can sign with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub name: String,
    /// The point on P-256, uncompressed: 4, then x and y, 65 bytes.
    pub key: Vec<u8>,
}

/// A session about to be opened.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NewSession {
    /// Public id, shown in lists.
    pub id: String,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
}

/// What showed, beside the password, that it is them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Proof {
    /// A one-time code of this time step.
    Totp { step: u64 },
    /// One of the printed codes, by its SHA-256.
    Recovery { code_hash: [u8; 32] },
    /// The code that this delivery carried.
    Text { delivery: DeliveryId },
}
