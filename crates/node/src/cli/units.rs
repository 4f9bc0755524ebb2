//! `holdfast unit`: parts of the organisation, and who belongs to them.

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use super::Context;
use crate::client::segment;
use crate::output::{Done, cell, each};

#[derive(Debug, Subcommand)]
pub(crate) enum UnitCommand {
    /// List units
    List,
    /// Add a unit, or change its name and what it is part of
    Put {
        /// 2 to 40 small letters, digits and hyphens
        key: String,
        name: String,
        /// The unit it is part of
        #[arg(long, value_name = "KEY")]
        part_of: Option<String>,
    },
    /// Remove a unit that nobody belongs to, no account is limited to and no other is part of
    Remove { key: String },
    /// List who belong to a unit
    People { key: String },
    /// Say that people belong to a unit, and to no other
    Place {
        key: String,
        /// Keys of people
        #[arg(required = true, value_name = "PERSON")]
        people: Vec<String>,
    },
    /// Say that somebody belongs to a unit no more
    TakeOut { key: String, person: String },
}

pub(super) async fn unit(context: &Context, command: UnitCommand) -> Done {
    let client = context.client()?;
    let output = &context.output;
    let at = |key: &str, what: &str| format!("/v1/units/{}{what}", segment(key));
    match command {
        UnitCommand::List => {
            let answer = client.get("/v1/units").await?;
            let fields = ["key", "name", "part_of", "people", "accounts"];
            let rows: Vec<_> = each(&answer["units"])
                .map(|unit| fields.map(|field| cell(&unit[field])).to_vec())
                .collect();
            let header = ["key", "name", "part of", "people", "accounts"];
            output.data(&answer, || output.table(&header, &rows));
        }
        UnitCommand::Put { key, name, part_of } => {
            let body = json!({ "name": name, "part_of": part_of });
            let answer = client
                .change(Method::PUT, &at(&key, ""), Some(&body))
                .await?;
            output.data(&answer, || format!("unit {key} is there"));
        }
        UnitCommand::Remove { key } => {
            let answer = client.change(Method::DELETE, &at(&key, ""), None).await?;
            output.data(&answer, || format!("unit {key} is gone"));
        }
        UnitCommand::People { key } => {
            let path = at(&key, "/people?limit=1000");
            let mut rows = Vec::new();
            let mut all = client.get(&path).await?;
            loop {
                let page = each(&all["people"]);
                rows.extend(page.map(|one| vec![cell(&one["key"]), cell(&one["name"])]));
                let Some(next) = all["next"].as_str() else {
                    break;
                };
                all = client
                    .get(&format!("{path}&after={}", segment(next)))
                    .await?;
            }
            let people: Vec<_> = rows
                .iter()
                .map(|row| json!({ "key": row[0], "name": row[1] }))
                .collect();
            let answer = json!({ "people": people });
            output.data(&answer, || output.table(&["key", "name"], &rows));
        }
        UnitCommand::Place { key, people } => {
            let body = json!({ "people": people });
            let answer = client
                .change(Method::POST, &at(&key, "/people"), Some(&body))
                .await?;
            output.data(&answer, || format!("{} came to {key}", answer["count"]));
        }
        UnitCommand::TakeOut { key, person } => {
            let path = at(&key, &format!("/people/{}", segment(&person)));
            let answer = client.change(Method::DELETE, &path, None).await?;
            output.data(&answer, || format!("{person} belongs to {key} no more"));
        }
    }
    Ok(())
}
