//! `holdfast document`: plans and instructions, where they are found when it happens.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::room_files::{deliver, save};
use crate::client::{Client, segment};
use crate::output::{Done, cell, each};

/// The everyday room that files of documents are put into.
const ROOM: &str = "documents";

#[derive(Debug, Subcommand)]
pub(crate) enum DocumentCommand {
    /// List documents, who answers for each, and which nobody has looked at again in time
    List {
        /// Only those pinned to this template
        #[arg(long, value_name = "KEY")]
        template: Option<String>,
    },
    /// Put a document, or change everything about it
    Put(PutArgs),
    /// Save a document; "-" writes to standard output
    Fetch {
        key: String,
        /// Where it goes
        file: PathBuf,
    },
    /// Take a document out; its file stays in its room
    Remove { key: String },
}

#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    /// 2 to 40 small letters, digits and hyphens
    key: String,
    title: String,
    /// The file; without it, the document keeps the one it has
    #[arg(long)]
    file: Option<PathBuf>,
    /// Key of the person who answers for it
    #[arg(long, value_name = "KEY")]
    owner: Option<String>,
    /// The day by which somebody has to look at it again: 2027-03-01
    #[arg(long, value_name = "DAY")]
    review_by: Option<String>,
    /// A template it is pinned to; may be given again
    #[arg(long = "template", value_name = "KEY")]
    templates: Vec<String>,
    /// Phones keep it for when no node answers
    #[arg(long)]
    kit: bool,
}

pub(super) async fn document(context: &Context, command: DocumentCommand) -> Done {
    let client = context.client()?;
    match command {
        DocumentCommand::List { template } => list(context, &client, template).await,
        DocumentCommand::Put(args) => put(context, &client, args).await,
        DocumentCommand::Fetch { key, file } => {
            let bytes = client.download(&format!("{}/bytes", path(&key))).await?;
            save(context, &bytes, &file)
        }
        DocumentCommand::Remove { key } => {
            let answer = client.change(Method::DELETE, &path(&key), None).await?;
            context.output.data(&answer, || "taken out".to_owned());
            Ok(())
        }
    }
}

fn path(key: &str) -> String {
    format!("/v1/documents/{}", segment(key))
}

async fn list(context: &Context, client: &Client, template: Option<String>) -> Done {
    let query = template.map_or_else(String::new, |key| format!("?template={}", segment(&key)));
    let answer = client.get(&format!("/v1/documents{query}")).await?;
    let header = ["key", "title", "owner", "review by", "scenarios", "stored"];
    context.output.data(&answer, || {
        let rows: Vec<_> = each(&answer["documents"]).map(row).collect();
        context.output.table(&header, &rows)
    });
    Ok(())
}

fn row(document: &Value) -> Vec<String> {
    let overdue = if document["overdue"] == true {
        " (overdue)"
    } else {
        ""
    };
    let file = &document["file"];
    let scenarios: Vec<String> = each(&document["templates"]).map(cell).collect();
    vec![
        cell(&document["key"]),
        cell(&document["title"]),
        cell(&document["owner"]["key"]),
        format!("{}{overdue}", cell(&document["review_by"])),
        scenarios.join(", "),
        format!("{} of {}", each(&file["stored_on"]).count(), file["nodes"]),
    ]
}

async fn put(context: &Context, client: &Client, args: PutArgs) -> Done {
    let file = match &args.file {
        Some(file) => upload(client, file, &args.title).await?,
        None => current(client, &args.key).await?,
    };
    let body = json!({
        "title": args.title, "file": file, "owner": args.owner, "review_by": args.review_by,
        "templates": args.templates, "kit": args.kit,
    });
    let path = path(&args.key);
    let answer = client.change(Method::PUT, &path, Some(&body)).await?;
    context
        .output
        .data(&answer, || match answer["changed"] == true {
            true => format!("put as version {}", answer["version"]),
            false => "nothing changed: it was so already".to_owned(),
        });
    Ok(())
}

/// Puts the file into the room of documents, which is opened for it.
async fn upload(
    client: &Client,
    file: &Path,
    title: &str,
) -> Result<String, crate::output::Failure> {
    let room = json!({ "name": "Documents", "restricted": true });
    let path = format!("/v1/rooms/{ROOM}");
    let _ = client.change(Method::PUT, &path, Some(&room)).await?;
    deliver(client, ROOM, file, json!({ "caption": title })).await
}

/// The file a document is now.
async fn current(client: &Client, key: &str) -> Result<String, crate::output::Failure> {
    let answer = client.get("/v1/documents").await?;
    let found = each(&answer["documents"]).find(|document| document["key"] == key);
    // Without one the node says that a file is missing.
    Ok(found.map_or_else(String::new, |document| cell(&document["file"]["id"])))
}
