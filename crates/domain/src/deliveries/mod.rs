//! What is owed to whom over which contact method, every try at it, and how it ended.
//!
//! Invariants: a delivery's id says what it is for, so creating it twice creates it once; attempts are numbered under it;
//! a result is recorded for the attempt it belongs to, whoever owns the delivery by then; an ended delivery has a time
//! and, unless all went well, a reason.

mod acts;
mod apply;
mod budget;
mod command;
mod create;
mod facts;
mod merge;
mod outbox;
mod query;
mod reply_address;
mod rules;
mod secret_codes;
#[cfg(test)]
mod tests;
mod trials;

pub(crate) use self::acts::{leave_out, weigh};
pub(crate) use self::apply::{apply, cancel_open, settle, settle_all};
pub use self::command::{
    Assignment, AttemptRef, AttemptReport, AttemptResult, Command, Report, SendOutcome, Summary,
};
pub(crate) use self::create::{
    FrozenText, NewPage, Notice, Paged, Update, Waking, call_off, create_pages, digest,
    freeze_texts, has_texts, notice, purposes_without_text, remind, update,
};
pub use self::facts::{AttemptEnd, AttemptFact, DeliveryFact, Owed, Standing};
pub(crate) use self::facts::{WATCH, changed, changed_attempts};
pub(crate) use self::merge::{
    HOLD_CRITICAL_MS, HOLD_MS, alerts_of, hold_others, mend, merge, merge_attempt, not_called_off,
};
pub use self::outbox::{Queued, Waiting, queued, waiting};
pub use self::query::{
    Assigned, AttemptRow, ChannelLoad, DeliveryRow, Due, Told, Untold, Work, assigned, awaited_at,
    counts, due, expired, failed_predecessor, known_attempts, load, many_untold, of_alert,
    stranded, superseded, told, under_way, under_way_on, untold,
};
pub(crate) use self::query::{NEXT_DUE, NEXT_EXPIRY, STANDBY_SINCE, UNDER_WAY, UNTOLD_SINCE};
pub(crate) use self::query::{answers_to, digest_of_alert, told_recipients};
pub(crate) use self::reply_address::HAS_REPLY_SECRET;
pub use self::reply_address::{ReplySecret, ReplyTo, reply_secret};
pub use self::rules::{Lane, Purpose, RING, State, carrier};
pub(crate) use self::rules::{RING_MS, RINGS, RUNG_MAX, ways};
pub(crate) use self::trials::{Trial, end_trials, owe_trial, trial_id, trial_state};

/// The address in rows about nobody in particular: no alert, no known person.
pub(crate) const NONE: [u8; 16] = [0; 16];
