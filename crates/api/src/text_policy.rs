//! What holds for every text, over HTTP: where it may link to, and what an SMS part costs.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::Command as DomainCommand;
use domain::templates::{self, Command, Policy, Price};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::Input;
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// Digits behind the decimal point of an amount.
const DECIMALS_MAX: usize = 6;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show, set))
}

/// What holds for every text.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = TextPolicy)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyBody {
    /// Hosts that templates may link to; their subdomains are others.
    #[serde(default)]
    #[schema(example = json!(["plans.example.org"]))]
    link_hosts: Vec<String>,
    /// What one SMS part costs; without it, estimates name no cost.
    price_per_part: Option<PriceBody>,
}

/// A sum of money.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Price)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceBody {
    /// A decimal number as text, with at most six decimals.
    #[schema(example = "0.045")]
    amount: String,
    /// ISO 4217 code.
    #[schema(example = "EUR")]
    currency: String,
}

/// Shows what holds for every text.
#[utoipa::path(get, path = "/v1/cluster/texts", tag = "templates", responses((status = 200, body = PolicyBody)))]
async fn show(mut view: View) -> Result<Response, Problem> {
    let policy = templates::policy(&mut view.0).await.map_err(of_query)?;
    let body = PolicyBody {
        link_hosts: policy.link_hosts,
        price_per_part: policy.price.map(|price| PriceBody {
            amount: amount(price.micros),
            currency: price.currency,
        }),
    };
    Ok(view.answer(&body))
}

/// Says what holds for every text, in place of what held before.
#[utoipa::path(put, path = "/v1/cluster/texts", tag = "templates", request_body = PolicyBody, responses((status = 200, body = Stored)))]
async fn set(
    State(shared): State<Shared>,
    input: Input<PolicyBody>,
) -> Result<Json<Stored>, Problem> {
    let mut fields = Fields::default();
    let price = input.value.price_per_part.and_then(|price| {
        let micros = fields.take("/price_per_part/amount", micros(&price.amount))?;
        Some(Price {
            micros,
            currency: price.currency,
        })
    });
    let policy = Policy {
        link_hosts: input.value.link_hosts,
        price,
    };
    for mistake in templates::check_policy(&policy) {
        fields.add(mistake.at, mistake.problem);
    }
    fields.finish()?;
    let command = DomainCommand::Templates(Command::SetPolicy(policy));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Millionths as a decimal number: `0.045`.
pub(crate) fn amount(micros: u64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{whole}.{part:06}");
    let short = text.trim_end_matches('0');
    // Money has two decimals at least.
    let len = short.len().max(text.len() - DECIMALS_MAX + 2);
    text[..len].to_owned()
}

/// Reads such a number.
pub(crate) fn micros(amount: &str) -> Result<u64, String> {
    let bad = || "is not an amount; write it as 0.045".to_owned();
    let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() > 9 || part.len() > DECIMALS_MAX {
        return Err(bad());
    }
    format!("{whole}{part:0<DECIMALS_MAX$}")
        .parse()
        .map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back_as_they_were_written() {
        for (text, expected, shown) in [
            ("0.045", 45_000, "0.045"),
            ("12", 12_000_000, "12.00"),
            ("0.1", 100_000, "0.10"),
            ("0.000001", 1, "0.000001"),
            ("0", 0, "0.00"),
        ] {
            assert_eq!(micros(text), Ok(expected), "{text}");
            assert_eq!(amount(expected), shown);
        }
        for bad in [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "1,5",
            "1e3",
            "0.0000001",
            "9999999999",
            "١",
        ] {
            assert!(micros(bad).is_err(), "{bad}");
        }
    }
}
