//! `holdfast person` and `holdfast group`.

use domain::phone::{MailAddress, PhoneNumber};
use hyper::Method;
use serde_json::{Value, json};

use super::args::{GroupCommand, PersonCommand};
use super::{Context, import};
use crate::client::segment;
use crate::output::{Done, Exit, Failure, cell, each};

pub(super) async fn person(context: &Context, command: PersonCommand) -> Done {
    match command {
        PersonCommand::List => {
            let answer = context.client()?.get("/v1/people?limit=1000").await?;
            let row = |p: &Value| {
                let addresses: Vec<_> = each(&p["methods"]).map(|m| cell(&m["address"])).collect();
                vec![
                    cell(&p["key"]),
                    cell(&p["name"]),
                    cell(&p["language"]),
                    addresses.join(" "),
                ]
            };
            list(
                context,
                &answer,
                "people",
                &["key", "name", "language", "reached by"],
                row,
            );
            Ok(())
        }
        PersonCommand::Put {
            key,
            name,
            language,
            sms,
            email,
        } => {
            let mut methods = Vec::new();
            for text in sms {
                let number = PhoneNumber::parse(&text).map_err(|e| Failure::new(Exit::Usage, e))?;
                methods.push(json!({ "kind": "sms", "address": number.as_str() }));
            }
            for text in email {
                let address =
                    MailAddress::parse(&text).map_err(|e| Failure::new(Exit::Usage, e))?;
                methods.push(json!({ "kind": "email", "address": address.as_str() }));
            }
            let body = json!({ "name": name, "language": language, "methods": methods });
            change(context, Method::PUT, "people", &key, Some(&body)).await
        }
        PersonCommand::Remove { key } => {
            context.confirm(&format!("Remove person {key}?"))?;
            change(context, Method::DELETE, "people", &key, None).await
        }
        PersonCommand::Import(file) => import::people(context, &file).await,
    }
}

pub(super) async fn group(context: &Context, command: GroupCommand) -> Done {
    match command {
        GroupCommand::List => {
            let answer = context.client()?.get("/v1/groups").await?;
            let row = |g: &Value| vec![cell(&g["key"]), cell(&g["name"]), cell(&g["members"])];
            list(context, &answer, "groups", &["key", "name", "members"], row);
            Ok(())
        }
        GroupCommand::Put { key, name, member } => {
            change(
                context,
                Method::PUT,
                "groups",
                &key,
                Some(&json!({ "name": name, "members": member })),
            )
            .await
        }
        GroupCommand::Remove { key } => {
            context.confirm(&format!("Remove group {key}?"))?;
            change(context, Method::DELETE, "groups", &key, None).await
        }
        GroupCommand::Import(file) => import::groups(context, &file).await,
    }
}

async fn change(
    context: &Context,
    method: Method,
    what: &str,
    key: &str,
    body: Option<&Value>,
) -> Done {
    let answer = context
        .client()?
        .change(method, &format!("/v1/{what}/{}", segment(key)), body)
        .await?;
    context.output.data(&answer, || {
        if answer["changed"] == false {
            "nothing to change".to_owned()
        } else {
            format!("{key}: done")
        }
    });
    Ok(())
}

fn list(
    context: &Context,
    answer: &Value,
    what: &str,
    header: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
) {
    context.output.data(answer, || {
        let rows: Vec<_> = each(&answer[what]).map(row).collect();
        context.output.table(header, &rows)
    });
}
