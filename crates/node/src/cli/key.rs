//! `holdfast key`: keys for programs.

use domain::CivilTime;
use domain::ports::Clock as _;
use hyper::Method;
use serde_json::json;

use super::Context;
use super::args::KeyCommand;
use crate::client::segment;
use crate::output::{Done, cell, each};
use crate::run::clock::SystemClock;

pub(super) async fn key(context: &Context, command: KeyCommand) -> Done {
    let client = context.client()?;
    match command {
        KeyCommand::Create {
            name,
            scope,
            expires_in,
        } => {
            let mut body = json!({ "name": name, "scopes": scope });
            if let Some(time) = expires_in {
                body["expires_at"] = json!(CivilTime((SystemClock.wall() + time).0).to_rfc3339());
            }
            let answer = client.change(Method::POST, "/v1/keys", Some(&body)).await?;
            context.output.data(&answer, || cell(&answer["key"]));
            context
                .output
                .note("this is shown once; keep it in a file of mode 0600");
        }
        KeyCommand::List => {
            let answer = client.get("/v1/keys").await?;
            let fields = [
                "id",
                "name",
                "scopes",
                "live",
                "created_at",
                "expires_at",
                "revoked_at",
            ];
            let rows: Vec<_> = each(&answer["keys"])
                .map(|k| fields.map(|f| cell(&k[f])).to_vec())
                .collect();
            let header = ["id", "name", "may", "live", "created", "expires", "revoked"];
            context
                .output
                .data(&answer, || context.output.table(&header, &rows));
        }
        KeyCommand::Revoke { id } => {
            context.confirm(&format!("End key {id} at once?"))?;
            let answer = client
                .change(Method::DELETE, &format!("/v1/keys/{}", segment(&id)), None)
                .await?;
            context.output.data(&answer, || format!("key {id}: done"));
        }
    }
    Ok(())
}
