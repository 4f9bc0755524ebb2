//! `holdfast person` and `holdfast group`.

use domain::phone::{MailAddress, PhoneNumber};
use domain::recipients::ContactMethod;
use hyper::Method;
use serde_json::{Value, json};

use super::args::{GroupCommand, KindWord, PersonCommand, PutPerson, StateWord};
use super::{Context, directory, import};
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
        PersonCommand::Show { key } => {
            let path = format!("/v1/people/{}", segment(&key));
            let answer = context.client()?.get(&path).await?;
            context.output.data(&answer, || shown(context, &answer));
            Ok(())
        }
        PersonCommand::Put(put) => {
            let body = person_body(&put)?;
            change(context, Method::PUT, "people", &put.key, Some(&body)).await
        }
        PersonCommand::Remove { key } => {
            context.confirm(&format!("Remove person {key}?"))?;
            change(context, Method::DELETE, "people", &key, None).await
        }
        PersonCommand::Verify {
            key,
            address,
            state,
            how,
        } => {
            let method =
                ContactMethod::parse(&address).map_err(|e| Failure::new(Exit::Usage, e))?;
            let state = match state {
                StateWord::Unverified => "unverified",
                StateWord::Verified => "verified",
                StateWord::Failed => "failed",
            };
            let method = json!({ "kind": method.kind(), "address": method.address() });
            let body = json!({ "method": method, "state": state, "how": how });
            let path = format!("/v1/people/{}/verification", segment(&key));
            let answer = context
                .client()?
                .change(Method::POST, &path, Some(&body))
                .await?;
            context.output.data(&answer, || format!("{key}: {state}"));
            Ok(())
        }
        PersonCommand::ChangeNumber { key, to, from, by } => {
            let body = json!({ "from": from, "to": to, "by": by });
            let path = format!("/v1/people/{}/number-change", segment(&key));
            let answer = context
                .client()?
                .change(Method::POST, &path, Some(&body))
                .await?;
            context.output.data(&answer, || {
                format!("{key}: waits for an hour until somebody else vouches for the number")
            });
            Ok(())
        }
        PersonCommand::VouchNumber { key, by } => {
            let body = json!({ "by": by });
            let path = format!("/v1/people/{}/number-change/vouch", segment(&key));
            let answer = context
                .client()?
                .change(Method::POST, &path, Some(&body))
                .await?;
            context.output.data(&answer, || {
                format!("{key}: number changed; the old one is told")
            });
            Ok(())
        }
        PersonCommand::Import(wanted) => directory::import_people(context, &wanted).await,
        PersonCommand::Export { file, format } => directory::export(context, &file, format).await,
    }
}

fn person_body(put: &PutPerson) -> Result<Value, Failure> {
    let mut methods = Vec::new();
    for text in &put.sms {
        let number = PhoneNumber::parse(text).map_err(|e| Failure::new(Exit::Usage, e))?;
        methods.push(json!({ "kind": "sms", "address": number.as_str() }));
    }
    for text in &put.email {
        let address = MailAddress::parse(text).map_err(|e| Failure::new(Exit::Usage, e))?;
        methods.push(json!({ "kind": "email", "address": address.as_str() }));
    }
    let kind = match put.kind {
        KindWord::Internal => "internal",
        KindWord::Supplier => "supplier",
        KindWord::Authority => "authority",
    };
    Ok(json!({
        "name": put.name, "languages": put.language, "methods": methods, "kind": kind, "duty": put.duty,
        "zone": put.zone, "tags": put.tag, "skills": put.skill, "sites": put.site, "hours": put.hours,
        "wishes": {
            "never_voice": put.never_voice, "wake_by": put.wake_by, "answer_minutes": put.answer_minutes,
        },
        "note": put.note,
    }))
}

/// All that is known of a person, a line each; what is empty is left out.
fn shown(context: &Context, person: &Value) -> String {
    let mut rows = Vec::new();
    let mut row = |what: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![what.to_owned(), value]);
        }
    };
    for field in ["key", "name", "kind", "languages"] {
        row(field, cell(&person[field]));
    }
    for method in each(&person["methods"]) {
        let parts = ["address", "state", "how", "at"].map(|part| cell(&method[part]));
        row(&cell(&method["kind"]), parts.join(" ").trim().to_owned());
    }
    if person["duty"] == true {
        row("duty", "no import changes these by itself".to_owned());
    }
    for field in ["zone", "hours", "tags", "skills", "sites"] {
        row(field, cell(&person[field]));
    }
    let wishes = &person["wishes"];
    if wishes["never_voice"] == true {
        row("never", "by voice".to_owned());
    }
    row("woken by", cell(&wishes["wake_by"]));
    row("minutes to answer", cell(&wishes["answer_minutes"]));
    row("note", cell(&person["note"]));
    row("groups", cell(&person["groups"]));
    context
        .output
        .table(&["", ""], &rows)
        .trim_start()
        .to_owned()
}

pub(super) async fn group(context: &Context, command: GroupCommand) -> Done {
    match command {
        GroupCommand::List => {
            let answer = context.client()?.get("/v1/groups").await?;
            let row = |g: &Value| {
                let rule = &g["rule"];
                let parts = [
                    &g["key"],
                    &g["name"],
                    &g["members"],
                    &rule["all_of"],
                    &rule["any_of"],
                ];
                parts.map(cell).to_vec()
            };
            let header = ["key", "name", "members", "all of", "any of"];
            list(context, &answer, "groups", &header, row);
            Ok(())
        }
        GroupCommand::Members { key } => members(context, &key).await,
        GroupCommand::Put(put) => {
            let body = json!({
                "name": put.name, "members": put.member,
                "rule": { "all_of": put.all_of, "any_of": put.any_of },
            });
            change(context, Method::PUT, "groups", &put.key, Some(&body)).await
        }
        GroupCommand::Remove { key } => {
            context.confirm(&format!("Remove group {key}?"))?;
            change(context, Method::DELETE, "groups", &key, None).await
        }
        GroupCommand::Import(file) => import::groups(context, &file).await,
    }
}

/// Who is in a group now, page by page, each with every reason.
async fn members(context: &Context, key: &str) -> Done {
    let client = context.client()?;
    let (mut all, mut skip) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/groups/{}/members?limit=1000&skip={skip}", segment(key));
        let answer = client.get(&path).await?;
        all.extend(each(&answer["members"]).cloned());
        match answer["next"].as_u64() {
            Some(next) => skip = next,
            None => break,
        }
    }
    let object = json!({ "count": all.len(), "members": all });
    context.output.data(&object, || {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                let why: Vec<String> = each(&one["why"]).map(reason).collect();
                vec![cell(&one["key"]), cell(&one["name"]), why.join("; ")]
            })
            .collect();
        context.output.table(&["key", "name", "why"], &rows)
    });
    Ok(())
}

fn reason(why: &Value) -> String {
    let through: Vec<String> = each(&why["through"]).map(cell).collect();
    let matches: Vec<String> = each(&why["matches"]).map(cell).collect();
    let how = if matches.is_empty() {
        "named".to_owned()
    } else {
        matches.join(" ")
    };
    if through.is_empty() {
        how
    } else {
        format!("{how} in {}", through.join(" > "))
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
    for warning in each(&answer["warnings"]) {
        context.output.note(format!("warning: {}", cell(warning)));
    }
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
