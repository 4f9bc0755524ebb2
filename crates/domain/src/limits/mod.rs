//! How much may leave, and what needs more than one person: budgets of SMS, and when a second person must agree before
//! people are called.
//!
//! Only settings, counters and arithmetic: whoever is about to let something leave asks here. Without settings nothing is
//! limited. Critical alerts are never held back by a budget, and a part of each can be kept for them.
//!
//! Invariants: a counter is the sum of the SMS parts of all tries that left or may have left in its civil day or month, and
//! never negative; what is not critical never takes an account beyond its budget by more than what was given to channels
//! and not reported when it was used up. On an island a node spends its share of what was left when it was cut off.

mod apply;
mod budgets;
mod command;
mod query;
mod rules;
mod spend;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::budgets::{CLUSTER, Period, Spent, Standing, Unit, check_budget};
pub(crate) use self::budgets::{account_of, account_of_source};
pub use self::command::{Amount, Budget, Command, SecondPerson};
pub(crate) use self::query::loosens;
pub(crate) use self::query::{ANY, used_up};
pub use self::query::{budgets, refusal, second_person, spent, standings};
pub(crate) use self::rules::too_heavy;
pub use self::rules::{Weight, check_second_person};
pub(crate) use self::spend::{Left, pays, spend};
