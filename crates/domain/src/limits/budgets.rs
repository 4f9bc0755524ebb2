//! What budgets mean, without SQL: whose they are, how much of one is open, and what is said when it is used up.

use std::fmt;

use super::{Amount, Budget};
use crate::time::CivilTime;

/// Whose everything counts for.
pub const CLUSTER: &str = "cluster";

/// For each key without a budget of its own.
const KEYS: &str = "keys";

/// For each source without a budget of its own.
const SOURCES: &str = "sources";

/// Budgets kept.
pub(super) const BUDGETS_MAX: i64 = 500;

const ACCOUNT_LEN_MAX: usize = 100;
const RESERVE_PERCENT_MAX: u8 = 90;
const AMOUNT_MAX: u64 = 1_000_000_000_000;

/// Percent of a budget at which people are told that it runs out.
const NEARLY_PERCENT: u64 = 80;

/// A civil period in UTC, with its number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Period {
    /// Days since 1970-01-01.
    Day(i64),
    /// Months since January of the year 0.
    Month(i64),
}

impl Period {
    /// The day and the month of a moment.
    pub fn of(at: CivilTime) -> [Self; 2] {
        [Self::Day(at.day()), Self::Month(at.month())]
    }

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day(_) => "day",
            Self::Month(_) => "month",
        }
    }

    pub(super) fn number(self) -> i64 {
        match self {
            Self::Day(number) | Self::Month(number) => number,
        }
    }

    fn amount(self, budget: &Budget) -> Amount {
        match self {
            Self::Day(_) => budget.day,
            Self::Month(_) => budget.month,
        }
    }
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Unit {
    Parts,
    /// Millionths of a currency.
    Micros,
}

/// What was spent in a period.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    pub parts: u64,
    pub micros: u64,
    /// How much of it this island spent by itself; none of it on the cluster's own state.
    pub alone: [u64; 2],
}

impl Spent {
    fn of(&self, unit: Unit) -> (u64, u64) {
        match unit {
            Unit::Parts => (self.parts, self.alone[0]),
            Unit::Micros => (self.micros, self.alone[1]),
        }
    }
}

/// Where one limit of an account stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    pub account: String,
    pub period: Period,
    pub unit: Unit,
    /// All of it.
    pub limit: u64,
    /// What alerts that are not critical may use of it here: without the reserve, on an island this node's share.
    pub open: u64,
    pub spent: u64,
}

impl Standing {
    /// Only critical alerts leave.
    pub fn is_used_up(&self) -> bool {
        self.spent >= self.open
    }

    /// It runs out soon.
    pub fn is_nearly_used_up(&self) -> bool {
        self.spent.saturating_mul(100) >= self.open.saturating_mul(NEARLY_PERCENT)
    }

    /// Whether this much more is within it.
    pub(super) fn has_room_for(&self, more: u64) -> bool {
        self.spent.saturating_add(more) <= self.open
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |micros: u64| format!("{}.{:02}", micros / 1_000_000, micros / 10_000 % 100);
        let (spent, open, what) = match self.unit {
            Unit::Parts => (self.spent.to_string(), self.open.to_string(), "SMS parts"),
            Unit::Micros => (amount(self.spent), amount(self.open), "SMS money"),
        };
        let period = self.period.name();
        write!(
            f,
            "the {period}'s {what} of {}: {spent} of {open} are used",
            self.account
        )?;
        if self.open < self.limit {
            write!(f, ", the rest is for critical alerts")?;
        }
        Ok(())
    }
}

/// The name of the account of a source.
pub(crate) fn account_of_source(key: &str) -> String {
    format!("source:{key}")
}

/// Whose account an alert is on, by who raised it and its key: where nothing else is known of it.
pub(crate) fn account_of(raised_by: &str, dedup_key: &str) -> String {
    let of_source = dedup_key
        .strip_prefix("source:")
        .filter(|_| raised_by == "loop");
    match of_source.and_then(|rest| rest.split(':').next()) {
        Some(key) => account_of_source(key),
        None => raised_by.to_owned(),
    }
}

/// Says what is wrong with a budget, in words for the one who wrote it.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_budget(budget: &Budget) -> Result<(), String> {
    let account = budget.account.as_str();
    let named = ["key:", "operator:", "phone:", "source:"]
        .iter()
        .any(|kind| {
            account
                .strip_prefix(kind)
                .is_some_and(|rest| !rest.is_empty())
        });
    let fits = account.chars().count() <= ACCOUNT_LEN_MAX && !account.chars().any(char::is_control);
    if !(fits && (named || [CLUSTER, KEYS, SOURCES].contains(&account))) {
        return Err(
            "nobody's budget; write cluster, keys, sources, key:ID, operator:NODE, phone:NUMBER or source:KEY".to_owned(),
        );
    }
    if budget.reserve_percent > RESERVE_PERCENT_MAX {
        return Err(format!(
            "at most {RESERVE_PERCENT_MAX} percent are kept for critical alerts"
        ));
    }
    let amounts = [budget.day, budget.month];
    let limits = amounts
        .iter()
        .flat_map(|amount| [amount.parts, amount.micros]);
    let limits: Vec<u64> = limits.flatten().collect();
    if limits.is_empty() {
        return Err(
            "it limits nothing; say how many SMS parts or what sum a day or a month".to_owned(),
        );
    }
    if limits.iter().any(|limit| *limit > AMOUNT_MAX) {
        return Err(format!("a budget is at most {AMOUNT_MAX}"));
    }
    Ok(())
}

/// The budget that holds for an account: its own, else the one for each of its kind.
pub(super) fn budget_for<'a>(budgets: &'a [Budget], account: &str) -> Option<&'a Budget> {
    let named = |name: &str| budgets.iter().find(|budget| budget.account == name);
    let each = match account.split_once(':') {
        Some(("key", _)) => Some(KEYS),
        Some(("source", _)) => Some(SOURCES),
        Some(_) | None => None,
    };
    named(account).or_else(|| each.and_then(named))
}

/// Where an account's limits of a period stand. `members` share what was left when an island began; `None`: no island.
pub(super) fn standings(
    budget: &Budget,
    account: &str,
    period: Period,
    spent: Spent,
    members: Option<u64>,
) -> Vec<Standing> {
    let amount = period.amount(budget);
    let limits = [(Unit::Parts, amount.parts), (Unit::Micros, amount.micros)];
    limits
        .into_iter()
        .filter_map(|(unit, limit)| {
            let limit = limit?;
            let (spent, alone) = spent.of(unit);
            // The reserve is rounded up: what is kept for critical alerts is never less than asked for.
            let kept = limit
                .saturating_mul(u64::from(budget.reserve_percent))
                .div_ceil(100);
            let open = share(
                limit.saturating_sub(kept),
                spent.saturating_sub(alone),
                members,
            );
            Some(Standing {
                account: account.to_owned(),
                period,
                unit,
                limit,
                open,
                spent,
            })
        })
        .collect()
}

/// What one of `members` may let an account come to, of which `before` was spent when they were parted.
fn share(open: u64, before: u64, members: Option<u64>) -> u64 {
    match members {
        None => open,
        Some(members) => {
            let before = before.min(open);
            before + (open - before) / members.max(1)
        }
    }
}
