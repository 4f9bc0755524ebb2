//! `holdfast template`: prepared alerts as files, and how their texts come out.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::{Context, automations};
use crate::client::{Client, segment};
use crate::output::{Done, Exit, Failure, cell, each};

/// The longest file read.
const FILE_LEN_MAX: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// Add a template from a TOML file (or .json), or a new version of the one with its key; "-" reads standard input
    Put {
        file: PathBuf,
        /// Check it, show its texts, and keep nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List templates
    List {
        /// Also those out of use
        #[arg(long)]
        archived: bool,
    },
    /// Show a template with its checklist and documents
    Show {
        key: String,
        /// Instead of the newest
        #[arg(long)]
        version: Option<u32>,
    },
    /// Show its texts as they would leave, with its examples filled in
    Render {
        key: String,
        /// Instead of the newest
        #[arg(long)]
        version: Option<u32>,
        /// Only in this language
        #[arg(long)]
        language: Option<String>,
    },
    /// Say what its automations would do if people answered so; nothing is raised, called or written
    Try {
        key: String,
        /// Instead of the newest
        #[arg(long)]
        version: Option<u32>,
        /// An answer somebody would give, and when: 90s=anna:coming; repeatable
        #[arg(long, value_name = "AFTER=PERSON:ANSWER", value_parser = automations::tried)]
        answer: Vec<automations::Tried>,
    },
    /// List its versions, newest first
    Versions { key: String },
    /// Take it out of use; nothing is lost
    Archive { key: String },
    /// Take it back into use, or make an earlier version the newest again
    Restore {
        key: String,
        #[arg(long)]
        version: Option<u32>,
    },
    /// Add ten templates for common emergencies; what somebody edited stays as it is
    Starter {
        /// fi, sv or en; repeatable [default: all]
        #[arg(long)]
        language: Vec<String>,
    },
    /// Write it as TOML (with --json: as JSON), for `put`
    Export {
        key: String,
        /// Instead of the newest
        #[arg(long)]
        version: Option<u32>,
    },
}

pub(super) async fn template(context: &Context, command: TemplateCommand) -> Done {
    let client = context.client()?;
    match command {
        TemplateCommand::Put { file, dry_run } => put(context, &client, &file, dry_run).await,
        TemplateCommand::List { archived } => list(context, &client, archived).await,
        TemplateCommand::Show { key, version } => show(context, &client, &key, version).await,
        TemplateCommand::Render {
            key,
            version,
            language,
        } => {
            let path = versioned(&format!("{}/render", path(&key)), version);
            let answer = client.get(&path).await?;
            let shown = of_language(answer, language.as_deref());
            context.output.data(&shown, || rendered(&shown));
            warn(context, &shown);
            Ok(())
        }
        TemplateCommand::Try {
            key,
            version,
            answer,
        } => {
            let path = versioned(&format!("{}/try", path(&key)), version);
            automations::try_out(context, &client, &path, &answer).await
        }
        TemplateCommand::Versions { key } => versions(context, &client, &key).await,
        TemplateCommand::Archive { key } => change(context, &client, &key, "archive", None).await,
        TemplateCommand::Restore { key, version } => {
            let body = match version {
                Some(version) => json!({ "version": version }),
                None => json!({}),
            };
            change(context, &client, &key, "restore", Some(&body)).await
        }
        TemplateCommand::Starter { language } => {
            let body = json!({ "languages": language });
            let answer = client
                .change(Method::POST, "/v1/templates/starter", Some(&body))
                .await?;
            context.output.data(&answer, || {
                format!("{} templates added or renewed", cell(&answer["installed"]))
            });
            Ok(())
        }
        TemplateCommand::Export { key, version } => {
            let answer = client.get(&versioned(&path(&key), version)).await?;
            let file = file_of(&answer);
            let text = to_toml(&file)?;
            context.output.data(&file, || text);
            Ok(())
        }
    }
}

async fn put(context: &Context, client: &Client, file: &Path, dry_run: bool) -> Done {
    let (key, template) = read(file)?;
    if dry_run {
        let body = json!({ "key": key, "template": template });
        let answer = client
            .change(Method::POST, "/v1/templates/check", Some(&body))
            .await?;
        context.output.data(&answer, || rendered(&answer));
        warn(context, &answer);
        return Ok(());
    }
    let answer = client
        .change(Method::PUT, &path(&key), Some(&template))
        .await?;
    context.output.data(&answer, || stands(&key, &answer));
    warn(context, &answer);
    Ok(())
}

async fn list(context: &Context, client: &Client, archived: bool) -> Done {
    let answer = client
        .get(&format!("/v1/templates?archived={archived}"))
        .await?;
    context.output.data(&answer, || {
        let row = |template: &Value| {
            [
                "key",
                "name",
                "severity",
                "languages",
                "placeholders",
                "version",
                "put_at",
                "author",
                "archived_at",
            ]
            .map(|field| cell(&template[field]))
            .to_vec()
        };
        let rows: Vec<_> = each(&answer["templates"]).map(row).collect();
        let header = [
            "key",
            "name",
            "severity",
            "languages",
            "to say",
            "version",
            "put",
            "by",
            "archived",
        ];
        context.output.table(&header, &rows)
    });
    Ok(())
}

async fn show(context: &Context, client: &Client, key: &str, version: Option<u32>) -> Done {
    let answer = client.get(&versioned(&path(key), version)).await?;
    context.output.data(&answer, || summary(&answer));
    Ok(())
}

async fn versions(context: &Context, client: &Client, key: &str) -> Done {
    let answer = client.get(&format!("{}/versions", path(key))).await?;
    context.output.data(&answer, || {
        let fields = ["version", "put_at", "author", "name", "used", "starter"];
        let row = |version: &Value| fields.map(|field| cell(&version[field])).to_vec();
        let rows: Vec<_> = each(&answer["versions"]).map(row).collect();
        let header = ["version", "put", "by", "name", "used", "starter"];
        context.output.table(&header, &rows)
    });
    Ok(())
}

async fn change(
    context: &Context,
    client: &Client,
    key: &str,
    verb: &str,
    body: Option<&Value>,
) -> Done {
    let answer = client
        .change(Method::POST, &format!("{}/{verb}", path(key)), body)
        .await?;
    context.output.data(&answer, || stands(key, &answer));
    Ok(())
}

fn stands(key: &str, answer: &Value) -> String {
    let version = cell(&answer["version"]);
    if answer["changed"] == false {
        format!("{key}: nothing to change, version {version}")
    } else {
        format!("{key}: version {version}")
    }
}

fn path(key: &str) -> String {
    format!("/v1/templates/{}", segment(key))
}

fn versioned(path: &str, version: Option<u32>) -> String {
    match version {
        Some(version) => format!("{path}?version={version}"),
        None => path.to_owned(),
    }
}

/// A rendered answer with the texts of one language.
fn of_language(mut answer: Value, language: Option<&str>) -> Value {
    if let (Some(language), Some(texts)) = (language, answer["texts"].as_array_mut()) {
        texts.retain(|text| text["language"] == language);
    }
    answer
}

/// Texts as they would leave, each under a line on how it looks to a modem.
pub(super) fn rendered(answer: &Value) -> String {
    let one = |text: &Value| {
        let mut head = format!("{} {}", cell(&text["language"]), cell(&text["channel"]));
        if !text["parts"].is_null() {
            let alphabet = match text["alphabet"].as_str() {
                Some("ucs2") => "UCS-2",
                Some(_) | None => "GSM 7-bit",
            };
            head.push_str(&format!(
                ": {alphabet}, {} SMS, {} characters left",
                cell(&text["parts"]),
                cell(&text["left"])
            ));
        }
        let subject = match text["subject"].as_str() {
            Some(subject) => format!("{subject}\n"),
            None => String::new(),
        };
        format!("{head}\n{subject}{}\n", cell(&text["text"]).trim_end())
    };
    let texts: Vec<String> = each(&answer["texts"]).map(one).collect();
    match automations::listed(answer) {
        none if none.is_empty() => texts.join("\n"),
        listed => format!("{}\n{listed}", texts.join("\n")),
    }
}

fn warn(context: &Context, answer: &Value) {
    for warning in each(&answer["warnings"]) {
        let (place, detail) = (cell(&warning["pointer"]), cell(&warning["detail"]));
        let place = place
            .trim_start_matches("#/template")
            .trim_start_matches('#');
        context.output.note(format!("{place}: {detail}"));
    }
}

/// The file that a version was, or could have been, put from.
fn file_of(answer: &Value) -> Value {
    let mut file = Map::new();
    file.insert("key".to_owned(), answer["key"].clone());
    if let Value::Object(template) = &answer["template"] {
        file.extend(template.clone());
    }
    Value::Object(file)
}

fn to_toml(file: &Value) -> Result<String, Failure> {
    let table = toml::Table::try_from(file);
    let text = table.and_then(|table| toml::to_string_pretty(&table));
    text.map_err(|e| Failure::new(Exit::Failure, format!("cannot write it as TOML: {e}")))
}

/// Key and template from a file.
fn read(file: &Path) -> Result<(String, Value), Failure> {
    let text = text_of(file)?;
    let shown = file.display();
    let parsed: Result<Value, String> = match file.extension().and_then(|e| e.to_str()) {
        Some("json") => serde_json::from_str(&text).map_err(|e| e.to_string()),
        Some(_) | None => toml::from_str(&text).map_err(|e| e.to_string()),
    };
    let parsed = parsed.map_err(|e| Failure::new(Exit::Usage, format!("{shown}: {e}")))?;
    let Value::Object(mut template) = parsed else {
        return Err(Failure::new(Exit::Usage, format!("{shown}: is no table")));
    };
    let Some(Value::String(key)) = template.remove("key") else {
        let problem = format!("{shown}: has no key; begin it with: key = \"…\"");
        return Err(Failure::new(Exit::Usage, problem));
    };
    Ok((key, Value::Object(template)))
}

fn text_of(file: &Path) -> Result<String, Failure> {
    let fail = |error: std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!("cannot read {}: {error}", file.display()),
        )
    };
    let mut text = String::new();
    if file == Path::new("-") {
        let mut input = std::io::stdin().take(FILE_LEN_MAX);
        input.read_to_string(&mut text).map_err(fail)?;
        return Ok(text);
    }
    let opened = std::fs::File::open(file).map_err(fail)?;
    let mut input = opened.take(FILE_LEN_MAX);
    input.read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

/// A version for people: what it says, whom it calls, what is to be done.
fn summary(answer: &Value) -> String {
    let template = &answer["template"];
    let mut text = format!(
        "{} version {}: {}\n{} {}, put {} by {}\n",
        cell(&answer["key"]),
        cell(&answer["version"]),
        cell(&template["name"]),
        cell(&template["severity"]),
        cell(&template["status"]),
        cell(&answer["put_at"]),
        cell(&answer["author"]),
    );
    if !answer["archived_at"].is_null() {
        text.push_str(&format!(
            "out of use since {}\n",
            cell(&answer["archived_at"])
        ));
    }
    for (language, words) in template["texts"].as_object().into_iter().flatten() {
        text.push_str(&format!("{language}: {}\n", cell(words)));
    }
    let fallback = cell(&template["fallback"]);
    for placeholder in each(&template["placeholders"]) {
        let needed = match placeholder["required"].as_bool() {
            Some(true) => "must be said",
            Some(false) | None => "may be said",
        };
        text.push_str(&format!(
            "{{{}}} {needed}, such as {:?}\n",
            cell(&placeholder["name"]),
            cell(&placeholder["example"][&fallback])
        ));
    }
    for step in each(&template["steps"]) {
        text.push_str(&format!(
            "after {} s: {}\n",
            cell(&step["after_s"]),
            cell(&step["to"])
        ));
        for quota in each(&step["enough"]) {
            text.push_str(&format!("  until {}\n", enough(quota)));
        }
    }
    text.push_str(&automations::listed(answer));
    text.push_str(&checklist(template, &fallback));
    for document in each(&template["documents"]) {
        let label = cell(&document["label"][&fallback]);
        text.push_str(&format!("{label}: {}\n", cell(&document["url"])));
    }
    let notes = cell(&template["notes"]);
    if !notes.is_empty() {
        text.push_str(&format!("\n{notes}\n"));
    }
    text
}

/// What has to be done, numbered, in one language.
pub(super) fn checklist(holder: &Value, language: &str) -> String {
    let line = |(number, item): (usize, &Value)| {
        let said = |words: &Value| cell(words.get(language).unwrap_or(&Value::Null));
        format!(
            "{:>2}. {}: {}\n",
            number + 1,
            said(&item["owner"]),
            said(&item["text"])
        )
    };
    each(&holder["checklist"]).enumerate().map(line).collect()
}

/// `2 of skill first-aid are coming`.
pub(super) fn enough(quota: &Value) -> String {
    let how_many = match quota["all"].as_bool() {
        Some(true) => "all".to_owned(),
        Some(false) | None => cell(&quota["count"]),
    };
    let of = ["what", "skill", "site", "people", "groups", "schedules"]
        .map(|field| (field, cell(&quota[field])))
        .into_iter()
        .find(|(_, said)| !said.is_empty());
    match (quota["each_site"].as_bool(), of) {
        (Some(true), _) => format!("{how_many} at each site"),
        (Some(false) | None, Some((field, said))) => format!("{how_many} of {field} {said}"),
        (Some(false) | None, None) => format!("{how_many} of those called"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_toml_reads_back_the_same() {
        let file = json!({
            "key": "mail", "name": "Mail \"down\"", "severity": "high", "needed": 1,
            "notes": "two\nlines", "texts": { "en": "{what} is down", "fi": "{what} ei toimi – nyt" },
            "placeholders": [{ "name": "what", "required": true, "example": { "en": "Mail" } }],
            "steps": [{ "after_s": 0, "to": ["group:duty"] }, { "after_s": 600, "to": [] }],
            "gather": { "en": { "place": "Gate 3" } },
        });
        let text = to_toml(&file).unwrap();
        let back: Value = toml::from_str(&text).unwrap();
        assert_eq!(back, file, "{text}");
    }

    #[test]
    fn a_file_without_a_key_or_of_another_kind_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text, word) in [
            ("a.toml", "name = \"x\"", "has no key"),
            ("b.toml", "name = ", "b.toml"),
            ("c.json", "[]", "is no table"),
            ("d.json", "{", "d.json"),
        ] {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let failure = read(&file).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            let said = format!("{:#}", failure.error);
            assert!(said.contains(word), "{said}");
        }
    }
}
