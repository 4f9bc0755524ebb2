//! `holdfast room files|send|fetch|take-away`: files in rooms.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Context;
use crate::client::{Client, segment};
use crate::output::{Done, Exit, Failure, cell, each};

/// Bytes sent at once, at most; a node may take less.
const PIECE: usize = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum FileCommand {
    /// List the files of a room, and on how many nodes each is
    Files {
        /// Number of the alert, key of an everyday room, or "inbox"
        room: String,
    },
    /// Put a file into a room
    Send {
        room: String,
        /// JPEG, PNG, WebP, PDF, text, CSV, or a document of Word, Excel or PowerPoint
        file: PathBuf,
        /// What is said with it
        #[arg(long, default_value = "")]
        caption: String,
        /// Its name and what is said with it never leave by SMS or mail
        #[arg(long)]
        restricted: bool,
        /// Key of the person who puts it in
        #[arg(long = "as", value_name = "KEY")]
        person: Option<String>,
    },
    /// Save a file of a room; "-" writes to standard output
    Fetch {
        room: String,
        /// Its id, as `files` lists it
        id: String,
        /// Where it goes
        file: PathBuf,
    },
    /// Take a file away from every node; what was said stays
    TakeAway {
        room: String,
        /// Its id, as `files` lists it
        id: String,
    },
}

pub(super) async fn files(context: &Context, command: FileCommand) -> Done {
    let client = context.client()?;
    match command {
        FileCommand::Files { room } => list(context, &client, &room).await,
        FileCommand::Send {
            room,
            file,
            caption,
            restricted,
            person,
        } => {
            let said = json!({ "caption": caption, "restricted": restricted, "person": person });
            send(context, &client, &room, &file, said).await
        }
        FileCommand::Fetch { room, id, file } => {
            let path = format!("{}/bytes", path(&room, &id));
            let bytes = client.download(&path).await?;
            save(context, &bytes, &file)
        }
        FileCommand::TakeAway { room, id } => {
            let path = path(&room, &id);
            let answer = client.change(Method::DELETE, &path, None).await?;
            context
                .output
                .data(&answer, || match answer["changed"] == true {
                    true => "taken away".to_owned(),
                    false => "nothing changed: it was so already".to_owned(),
                });
            Ok(())
        }
    }
}

fn path(room: &str, id: &str) -> String {
    format!("/v1/rooms/{}/files/{}", segment(room), segment(id))
}

fn cannot(what: &str, file: &Path, error: &std::io::Error) -> Failure {
    let text = format!("cannot {what} {}: {error}", file.display());
    Failure::new(Exit::Failure, text)
}

async fn list(context: &Context, client: &Client, room: &str) -> Done {
    let answer = client
        .get(&format!("/v1/rooms/{}/files", segment(room)))
        .await?;
    let fields = ["id", "name", "size", "at", "author", "stored"];
    context.output.data(&answer, || {
        let rows: Vec<_> = each(&answer["files"])
            .map(|file| {
                let mut row = fields.map(|field| cell(&file[field])).to_vec();
                if let Some(last) = row.last_mut() {
                    *last = standing(file);
                }
                row
            })
            .collect();
        context.output.table(&fields, &rows)
    });
    Ok(())
}

/// Where a file is, in words.
fn standing(file: &Value) -> String {
    match file["removed_at"].is_null() {
        true => format!("{} of {}", each(&file["stored_on"]).count(), file["nodes"]),
        false => "taken away".to_owned(),
    }
}

async fn send(context: &Context, client: &Client, room: &str, file: &Path, said: Value) -> Done {
    let id = deliver(client, room, file, said).await?;
    let object = json!({ "ok": true, "file": id });
    context
        .output
        .data(&object, || format!("in the room as file {id}"));
    Ok(())
}

/// Writes what was fetched where it is to go.
pub(super) fn save(context: &Context, bytes: &[u8], file: &Path) -> Done {
    if file == Path::new("-") {
        return context.output.bytes(bytes);
    }
    std::fs::write(file, bytes).map_err(|e| cannot("write", file, &e))?;
    let shown = file.display().to_string();
    let object = json!({ "ok": true, "file": shown, "bytes": bytes.len() });
    context.output.data(&object, || format!("{shown} written"));
    Ok(())
}

/// Puts a file into a room, with what is said with it; its id.
pub(super) async fn deliver(
    client: &Client,
    room: &str,
    file: &Path,
    mut said: Value,
) -> Result<String, Failure> {
    let bytes = std::fs::read(file).map_err(|e| cannot("read", file, &e))?;
    let name = file.file_name().map(|name| name.to_string_lossy());
    said["name"] = json!(name);
    said["size"] = json!(bytes.len());
    said["sha256"] = json!(data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes)));
    let announced = client
        .change(
            Method::POST,
            &format!("/v1/rooms/{}/files", segment(room)),
            Some(&said),
        )
        .await?;
    let id = cell(&announced["file"]);
    let path = path(room, &id);
    let mut answer = client.get(&path).await?;
    while answer["complete"] != true {
        let at = answer["received"].as_u64().unwrap_or(0);
        let from = usize::try_from(at).unwrap_or(0).min(bytes.len());
        let piece = &bytes[from..bytes.len().min(from + PIECE)];
        answer = client
            .put_bytes(&format!("{path}/bytes?offset={at}"), piece.to_vec())
            .await?;
    }
    Ok(id)
}
