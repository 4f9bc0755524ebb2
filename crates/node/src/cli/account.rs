//! `holdfast account`: who may sign in, and what they may do.

use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::AccountCommand;
use super::glass::glass;
use super::permits::permit;
use crate::client::segment;
use crate::output::{Done, cell, each};

pub(super) async fn account(context: &Context, command: AccountCommand) -> Done {
    if let AccountCommand::Glass(command) = command {
        return glass(context, command).await;
    }
    if let AccountCommand::Permit(command) = command {
        return permit(context, command).await;
    }
    let client = context.client()?;
    let at = |name: &str, what: &str| format!("/v1/accounts/{}{what}", segment(name));
    match command {
        AccountCommand::List => {
            let answer = client.get("/v1/accounts").await?;
            context.output.data(&answer, || table(context, &answer));
        }
        AccountCommand::Add {
            name,
            person,
            shown,
            role,
        } => {
            let body = json!({ "name": shown, "person": person });
            let added = client
                .change(Method::PUT, &at(&name, ""), Some(&body))
                .await?;
            if !role.is_empty() {
                let body = json!({ "roles": role });
                client
                    .change(Method::PUT, &at(&name, "/roles"), Some(&body))
                    .await?;
            }
            context
                .output
                .data(&added, || format!("account {name} is there"));
            context.output.note(format!(
                "let its owner in with: holdfast account invite {name}"
            ));
        }
        AccountCommand::Invite { name, text: true } => {
            let body = json!({ "send": "text" });
            let answer = client
                .change(Method::POST, &at(&name, "/invitation"), Some(&body))
                .await?;
            context.output.data(&answer, || {
                format!(
                    "invitation for {name} texted to {}",
                    cell(&answer["sent_to"])
                )
            });
        }
        AccountCommand::Invite { name, text: false } => {
            let answer = client
                .change(Method::POST, &at(&name, "/invitation"), None)
                .await?;
            context.output.data(&answer, || cell(&answer["code"]));
            context.output.note(
                "good for one device and for 24 hours; print it or read it aloud, it is shown once",
            );
        }
        AccountCommand::Guest {
            room,
            name,
            number,
            hours,
        } => {
            let body = json!({ "name": name, "number": number, "hours": hours });
            let path = format!("/v1/rooms/{}/guests", segment(&room));
            let answer = client.change(Method::POST, &path, Some(&body)).await?;
            context.output.data(&answer, || {
                let guest = &answer["guest"];
                let (account, until) = (cell(&guest["account"]), cell(&guest["expires_at"]));
                format!("{account}: {} until {until}", cell(&guest["name"]))
            });
        }
        AccountCommand::Guests { room } => {
            let path = format!("/v1/rooms/{}/guests", segment(&room));
            let answer = client.get(&path).await?;
            let fields = [
                "account",
                "name",
                "number",
                "added_by",
                "expires_at",
                "ended_at",
                "sessions",
            ];
            let rows: Vec<_> = each(&answer["guests"])
                .map(|guest| fields.map(|field| cell(&guest[field])).to_vec())
                .collect();
            let header = [
                "account", "name", "number", "added by", "until", "ended", "devices",
            ];
            context
                .output
                .data(&answer, || context.output.table(&header, &rows));
        }
        AccountCommand::EndGuest { room, account } => {
            let path = format!("/v1/rooms/{}/guests/{}", segment(&room), segment(&account));
            let answer = client.change(Method::DELETE, &path, None).await?;
            context
                .output
                .data(&answer, || format!("{account} is shown out"));
        }
        AccountCommand::Roles { name, role } => {
            let body = json!({ "roles": role });
            let answer = client
                .change(Method::PUT, &at(&name, "/roles"), Some(&body))
                .await?;
            let roles = if role.is_empty() {
                "none".to_owned()
            } else {
                role.join(", ")
            };
            context
                .output
                .data(&answer, || format!("roles of {name}: {roles}"));
        }
        AccountCommand::EndSessions { name } => {
            context.confirm(&format!("Sign {name} out on every device?"))?;
            let answer = client
                .change(Method::DELETE, &at(&name, "/sessions"), None)
                .await?;
            context
                .output
                .data(&answer, || format!("{name} is signed out everywhere"));
        }
        AccountCommand::Sessions { name } => {
            let answer = client.get(&at(&name, "/sessions")).await?;
            let fields = [
                "id",
                "device",
                "factors",
                "opened_at",
                "seen_at",
                "expires_at",
                "ended_at",
                "ended_by",
            ];
            let rows: Vec<_> = each(&answer["sessions"])
                .map(|session| fields.map(|field| cell(&session[field])).to_vec())
                .collect();
            let header = [
                "id",
                "device",
                "opened by",
                "opened",
                "used",
                "ends",
                "ended",
                "by",
            ];
            context
                .output
                .data(&answer, || context.output.table(&header, &rows));
        }
        AccountCommand::Limit { name, unit } => {
            let body = json!({ "unit": unit });
            let answer = client
                .change(Method::PUT, &at(&name, "/unit"), Some(&body))
                .await?;
            context.output.data(&answer, || match &unit {
                Some(unit) => format!("{name} is limited to {unit}"),
                None => format!("{name} is limited to no unit"),
            });
        }
        AccountCommand::Disable { name } => {
            context.confirm(&format!(
                "Let nobody in as {name} and sign the account out everywhere?"
            ))?;
            let body = json!({ "disabled": true });
            let answer = client
                .change(Method::PUT, &at(&name, "/disabled"), Some(&body))
                .await?;
            context
                .output
                .data(&answer, || format!("{name} is disabled"));
        }
        AccountCommand::Enable { name } => {
            let body = json!({ "disabled": false });
            let answer = client
                .change(Method::PUT, &at(&name, "/disabled"), Some(&body))
                .await?;
            context
                .output
                .data(&answer, || format!("{name} is enabled"));
        }
        // Above.
        AccountCommand::Glass(_) | AccountCommand::Permit(_) => {}
    }
    Ok(())
}

fn table(context: &Context, answer: &Value) -> String {
    let rows: Vec<_> = each(&answer["accounts"])
        .map(|account| {
            let factors = [("password", "password"), ("totp", "app")];
            let mut has: Vec<&str> = factors
                .iter()
                .filter(|(field, _)| account["factors"][field] == true)
                .map(|(_, word)| *word)
                .collect();
            if account["factors"]["recovery_codes"] != 0 {
                has.push("recovery codes");
            }
            vec![
                cell(&account["account"]),
                cell(&account["name"]),
                cell(&account["person"]),
                cell(&account["roles"]),
                cell(&account["unit"]),
                has.join(", "),
                cell(&account["sessions"]),
                cell(&account["disabled_at"]),
            ]
        })
        .collect();
    let header = [
        "account", "name", "person", "roles", "unit", "factors", "devices", "disabled",
    ];
    context.output.table(&header, &rows)
}
