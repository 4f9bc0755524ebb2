//! What people are handed so that they can come in: by text codes that end a sign-in, invitations, and the codes of guests;
//! on paper break-glass cards (SECURITY §2.5).
//!
//! Invariants: nothing is texted to a person's number that is not known to reach them, nor to those whose roles ask for a
//! stronger factor; no code is in a row or in the log; what is texted is bounded for a person and for a node, waits behind
//! everything about alerts, and ends soon if it cannot leave; while an alert is open, no number of a known person changes
//! without somebody else's word, and one that did proves nothing for a day; a card is made by two, opens one session, and its
//! use is told.

mod apply;
mod command;
mod glass;
mod guests;
mod numbers;
mod query;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use self::apply::apply;
pub use self::command::{AddGuest, AskNumber, Command, OpenByCard};
pub use self::glass::{
    CARD_WAIT, CARDS_MAX, CardRow, CardState, OpenGlass, SITE_LEN_MAX, card, cards, glass_account,
    is_card_code, open_glass,
};
pub use self::guests::{GUEST_MARK, GUEST_TIME, GUEST_TIME_MAX, GUESTS_MAX};
pub(crate) use self::numbers::change_people;
pub use self::numbers::{MARK_TIME, NumberChange, number_change};
pub use self::query::{Addressee, GuestCode, addressee, guest_code};

/// How long an invitation waits for a modem.
const INVITATION_VALID: Duration = Duration::from_secs(15 * 60);
