//! Budgets of SMS over HTTP: what each account may spend, and what it has spent.

use axum::Json;
use axum::extract::State as Extract;
use axum::response::Response;
use domain::limits::{self, Amount, Budget, CLUSTER, Command, Spent, Standing, Unit};
use domain::{Command as DomainCommand, templates};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::{Bare, Input, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::text_policy::{amount, micros};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(set, remove))
}

/// What an account may spend on SMS. Civil days and months in UTC.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Budget)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetBody {
    /// SMS parts.
    day_parts: Option<u64>,
    month_parts: Option<u64>,
    /// Sums of money as decimal numbers, in the currency of the price per part; they count only while there is a price.
    #[schema(example = "25.00")]
    day_cost: Option<String>,
    month_cost: Option<String>,
    /// Percent of all of it that only critical alerts may use: 0 to 90.
    #[serde(default)]
    reserve_percent: u8,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NamedBudget)]
pub(crate) struct NamedBudgetJson {
    /// `cluster`, `key:ID`, `operator:NODE`, `phone:NUMBER` or `source:KEY`; `keys` and `sources` are for each key and
    /// each source without one of its own.
    account: String,
    #[serde(flatten)]
    budget: BudgetBody,
}

/// Where one limit stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BudgetStanding)]
pub(crate) struct StandingJson {
    account: String,
    /// `day` or `month`.
    period: &'static str,
    /// `parts` or `cost`.
    unit: &'static str,
    limit: String,
    /// What alerts that are not critical may use of it.
    open: String,
    used: String,
    /// Only critical alerts leave.
    used_up: bool,
    /// In words.
    said: String,
}

/// What everyone together has spent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Spent)]
pub(crate) struct SpentJson {
    parts: u64,
    /// Null without a price.
    cost: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budgets)]
pub(crate) struct BudgetsJson {
    /// By account.
    budgets: Vec<NamedBudgetJson>,
    /// Of every account with a budget of its own, and of those that have spent something this month.
    standings: Vec<StandingJson>,
    today: SpentJson,
    this_month: SpentJson,
    currency: Option<String>,
}

/// Shows what may be spent on SMS, and what has been.
#[utoipa::path(get, path = "/v1/budgets", operation_id = "list_budgets", tag = "alerts", responses((status = 200, body = BudgetsJson)))]
async fn list(mut view: View) -> Result<Response, Problem> {
    let now = view.0.as_of;
    let budgets = limits::budgets(&mut view.0).await.map_err(of_query)?;
    let standings = limits::standings(&mut view.0, now)
        .await
        .map_err(of_query)?;
    let [today, this_month] = limits::spent(&mut view.0, now, CLUSTER)
        .await
        .map_err(of_query)?;
    let policy = templates::policy(&mut view.0).await.map_err(of_query)?;
    let currency = policy.price.map(|price| price.currency);
    let spent = |spent: Spent| SpentJson {
        parts: spent.parts,
        cost: currency.is_some().then(|| amount(spent.micros)),
    };
    let body = BudgetsJson {
        budgets: budgets.into_iter().map(NamedBudgetJson::of).collect(),
        standings: standings.into_iter().map(StandingJson::of).collect(),
        today: spent(today),
        this_month: spent(this_month),
        currency,
    };
    Ok(view.answer(&body))
}

/// Says what an account may spend on SMS, in place of what held before.
#[utoipa::path(put, path = "/v1/budgets/{account}", operation_id = "set_budget", tag = "alerts", params(("account" = String, Path)), request_body = BudgetBody, responses((status = 200, body = Stored)))]
async fn set(
    Extract(shared): Extract<Shared>,
    Segment(account): Segment,
    input: Input<BudgetBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    let mut cost = |pointer: &str, cost: Option<String>| {
        cost.and_then(|cost| fields.take(pointer, micros(&cost)))
    };
    let (day_micros, month_micros) = (
        cost("/day_cost", body.day_cost),
        cost("/month_cost", body.month_cost),
    );
    let budget = Budget {
        account,
        day: Amount {
            parts: body.day_parts,
            micros: day_micros,
        },
        month: Amount {
            parts: body.month_parts,
            micros: month_micros,
        },
        reserve_percent: body.reserve_percent,
    };
    fields.take("", limits::check_budget(&budget));
    fields.finish()?;
    let command = DomainCommand::Limits(Command::SetBudget(budget));
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Removes an account's own budget.
#[utoipa::path(delete, path = "/v1/budgets/{account}", operation_id = "remove_budget", tag = "alerts", params(("account" = String, Path)), responses((status = 200, body = Stored)))]
async fn remove(
    Extract(shared): Extract<Shared>,
    Segment(account): Segment,
    input: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = DomainCommand::Limits(Command::RemoveBudget { account });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

impl NamedBudgetJson {
    fn of(budget: Budget) -> Self {
        Self {
            account: budget.account,
            budget: BudgetBody {
                day_parts: budget.day.parts,
                month_parts: budget.month.parts,
                day_cost: budget.day.micros.map(amount),
                month_cost: budget.month.micros.map(amount),
                reserve_percent: budget.reserve_percent,
            },
        }
    }
}

impl StandingJson {
    fn of(standing: Standing) -> Self {
        let (used_up, said) = (standing.is_used_up(), standing.to_string());
        let (unit, write): (_, fn(u64) -> String) = match standing.unit {
            Unit::Parts => ("parts", |parts| parts.to_string()),
            Unit::Micros => ("cost", amount),
        };
        Self {
            account: standing.account,
            period: standing.period.name(),
            unit,
            limit: write(standing.limit),
            open: write(standing.open),
            used: write(standing.spent),
            used_up,
            said,
        }
    }
}
