//! Commands about what is texted to let people in.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Texts a code that ends a sign-in whose password was right, to whoever signs in.
    SendCode {
        /// SHA-256 of the attempt's id.
        attempt: [u8; 32],
    },
    /// Texts an invitation to the person an account belongs to, in place of earlier ones.
    SendInvitation { name: String },
}
