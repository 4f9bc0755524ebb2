//! `holdfast account glass`: sealed cards that let somebody in when every other way is gone.

use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::GlassCommand;
use crate::client::segment;
use crate::output::{Done, cell, each};

pub(super) async fn glass(context: &Context, command: GlassCommand) -> Done {
    let client = context.client()?;
    let at = |card: &str, what: &str| format!("/v1/glass-cards/{}{what}", segment(card));
    match command {
        GlassCommand::List => {
            let answer = client.get("/v1/glass-cards").await?;
            context.output.data(&answer, || table(context, &answer));
        }
        GlassCommand::Make { site } => {
            let body = json!({ "site": site });
            let answer = client
                .change(Method::POST, "/v1/glass-cards", Some(&body))
                .await?;
            let card = cell(&answer["card"]["card"]);
            context.output.data(&answer, || printed(&answer));
            context.output.note(format!(
                "print it now, it is shown once; seal it, and let somebody else confirm it: holdfast account glass confirm \
                 {card}"
            ));
        }
        GlassCommand::Confirm { card } => {
            let answer = client
                .change(Method::POST, &at(&card, "/confirm"), None)
                .await?;
            context.output.data(&answer, || {
                format!("card {card} opens the door, once; keep it sealed")
            });
        }
        GlassCommand::Revoke { card } => {
            context.confirm(&format!(
                "Let nobody in by card {card}, and sign out whoever is in by it?"
            ))?;
            let answer = client.change(Method::DELETE, &at(&card, ""), None).await?;
            context
                .output
                .data(&answer, || format!("card {card} opens nothing any more"));
        }
    }
    Ok(())
}

/// What goes into the envelope.
fn printed(answer: &Value) -> String {
    let (site, card) = (cell(&answer["card"]["site"]), cell(&answer["card"]["card"]));
    let (code, made) = (cell(&answer["code"]), cell(&answer["card"]["made_at"]));
    format!(
        "BREAK-GLASS CARD   site {site}   card {card}   made {made}\n\n    {code}\n\n\
         Only when nobody can sign in any other way. Open the app, choose \"Sealed card\", type the code.\n\
         It works once, on one device, for 2 hours, with an administrator's rights; everybody who answers\n\
         for the system is told at once. Let an administrator in again, then have a new card made."
    )
}

fn table(context: &Context, answer: &Value) -> String {
    let fields = [
        "card",
        "site",
        "state",
        "made_at",
        "made_by",
        "confirmed_by",
        "used_at",
        "used_on",
        "ended_by",
    ];
    let rows: Vec<_> = each(&answer["cards"])
        .map(|card| fields.map(|field| cell(&card[field])).to_vec())
        .collect();
    let header = [
        "card",
        "site",
        "state",
        "made",
        "made by",
        "confirmed by",
        "used",
        "used on",
        "ended by",
    ];
    context.output.table(&header, &rows)
}
