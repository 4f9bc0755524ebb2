//! Commands about what is texted to let people in.

use serde::{Deserialize, Serialize};

use crate::access::accounts::{Device, NewSession};
use crate::ids::AlertId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Texts a code that ends a sign-in whose password was right, to whoever signs in.
    SendCode {
        /// SHA-256 of the attempt's id.
        attempt: [u8; 32],
    },
    /// Texts an invitation to the person an account belongs to, in place of earlier ones.
    SendInvitation { name: String },
    /// Lets somebody from outside into the room of an open alert, and texts them the code that opens it.
    AddGuest(AddGuest),
    /// Lets a guest in no more.
    EndGuest { account: String },
    /// Asks for another number of a person; somebody else has to vouch for it.
    AskNumber(AskNumber),
    /// Vouches for the number that waits for a person, and changes it.
    VouchNumber {
        /// Key of the person.
        person: String,
        /// Who vouches, as people should read it.
        by: String,
    },
    /// Makes a break-glass card, which opens nothing before somebody else confirms it.
    MakeCard {
        /// Public id, printed on the card.
        card: String,
        /// Where its envelope lies.
        site: String,
        /// SHA-256 of the code.
        code_hash: [u8; 32],
    },
    /// A second person confirms a card; it takes the place of its site's earlier one.
    ConfirmCard { card: String },
    /// A card opens nothing any more, and what it opened ends.
    EndCard { card: String },
    /// Somebody broke the glass.
    OpenByCard(OpenByCard),
}

/// Whoever holds a break-glass card lets their device in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct OpenByCard {
    /// SHA-256 of the code.
    pub code_hash: [u8; 32],
    pub session: NewSession,
    pub device: Device,
}

/// A change of somebody's number.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AskNumber {
    /// Key of the person.
    pub person: String,
    /// The number to be replaced; may be left out of a person who has one, or none.
    pub from: Option<String>,
    pub to: String,
    /// Who asks, as people should read it.
    pub by: String,
}

/// Somebody from outside.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AddGuest {
    /// The account it makes: `guest-`, then letters and digits.
    pub account: String,
    pub alert: AlertId,
    /// As people should read it, without the word that says it is a guest.
    pub name: String,
    /// In E.164.
    pub number: String,
    /// From now, milliseconds.
    pub valid_ms: u64,
}
