//! Waking people whose phones are silent, and showing that it works: modems that text each other once a day, a card with
//! every number people should know, and phones whose owners said that a test woke them (PRODUCT L-5, L-28, L-29, W-4).
//!
//! Invariants: a node with a modem has a time at which it texts the next one; a trip that did not arrive by its time is
//! found by the watchers; a card's version rises with each change of a number; a phone counts as proven only by its
//! owner's word, and not for ever.
//!
//! On an island nothing here changes: a trip between nodes that hear each other only by SMS proves nothing of the cluster,
//! and what people say of a test waits for nobody.

mod apply;
mod card;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::{answer, apply, arrived};
pub use self::card::{Card, vcard};
pub use self::command::{Command, Due, Test};
pub(crate) use self::query::{CARD_IS_OLD, NEXT_DUE, UNPLANNED};
pub use self::query::{ProofRow, TestRow, Trip, TripRow, card, due, proofs, tests, trips};
pub(crate) use self::rules::token_in;
pub use self::rules::{
    PEOPLE_MAX, PROOF_VALID_MS, Phone, SPARES_MAX, TEST_AHEAD_MS_MAX, TripState, check_spares,
};
