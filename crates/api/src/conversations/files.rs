//! Files in rooms ([decision 35](../../../../docs/decisions/0035-files.md)): announced, sent in pieces that go on where they
//! stopped, looked at, shown by a message, given to those who may read the room.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::files::{self, Announce, CAPTION_LEN_MAX, Command, FileDigest, FileRow};
use domain::nodes::{self, Disk};
use domain::ports::{FileError, Freshness};
use domain::{Command as DomainCommand, FileId, MessageId, NodeId, texts};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::error;
use utoipa::ToSchema;

use super::{find, speaker};
use crate::fields::Fields;
use crate::input::{Bare, Input, Order, Params, Piece, Segment, Segments};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// Where an upload goes on.
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// Whoever opens a file by its address runs nothing of it, on no site (SECURITY V5.2.2).
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// Files of a room shown in one list.
const LISTED_MAX: u32 = 200;

/// Files looked at, and given out, at the same time.
const INSPECTING_MAX: usize = 2;
const GIVING_MAX: usize = 32;

/// How long somebody waits for their turn, and how long one file may take to leave.
const TURN_TIME: Duration = Duration::from_secs(10);
const GIVING_TIME: Duration = Duration::from_secs(600);

/// Bytes read from disk at once.
const READ_BYTES: usize = 64 * 1024;

/// Bounds on work with files.
#[derive(Debug)]
pub(crate) struct FileDesk {
    inspecting: Semaphore,
    giving: Arc<Semaphore>,
}

impl Default for FileDesk {
    fn default() -> Self {
        Self {
            inspecting: Semaphore::new(INSPECTING_MAX),
            giving: Arc::new(Semaphore::new(GIVING_MAX)),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewFile)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnnounceBody {
    /// As people call it. Its ending says what it is: jpg, png, webp, pdf, txt, log, csv, docx, xlsx or pptx.
    name: String,
    /// In bytes.
    size: u64,
    /// SHA-256 of all bytes: 64 hexadecimal digits.
    sha256: String,
    /// What is said with it, up to 3,500 characters.
    #[serde(default)]
    caption: String,
    /// Its name and what is said with it never leave by SMS or mail.
    #[serde(default)]
    restricted: bool,
    author: Option<String>,
    /// Key of the person who puts it in.
    person: Option<String>,
}

/// A file that may be sent now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AnnouncedFile)]
pub(crate) struct AnnouncedJson {
    #[serde(flatten)]
    stored: Stored,
    /// Its id, for the path its bytes are put to.
    file: String,
    /// The most bytes of one piece.
    piece_max: usize,
}

/// How far an upload is on the node that answers. Another node knows nothing of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileUpload)]
pub(crate) struct UploadJson {
    /// Bytes here; the next piece goes there.
    received: u64,
    size: u64,
    /// It is whole and shown in the room.
    complete: bool,
}

/// A file in a room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomFile)]
pub(crate) struct FileJson {
    id: String,
    name: String,
    /// As a browser is told.
    media_type: &'static str,
    /// An image that may be shown where it stands.
    image: bool,
    /// In bytes.
    size: u64,
    sha256: String,
    /// What was said with it.
    caption: String,
    /// The line that stands for it in the message's text.
    line: String,
    author: String,
    at: String,
    /// Members that hold it, by name.
    stored_on: Vec<String>,
    /// Members there are.
    nodes: usize,
    /// When it was taken away; its bytes are gone then.
    removed_at: Option<String>,
    removed_by: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomFiles)]
pub(crate) struct FilesJson {
    /// Newest first, at most 200.
    files: Vec<FileJson>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PieceParams {
    /// Where these bytes stand in the file.
    #[serde(default)]
    #[param(default = 0)]
    offset: u64,
}

/// Says that a file is on its way into a room. Its bytes are put in pieces; the message that shows it is posted once it is
/// whole and is what its name says.
#[utoipa::path(post, path = "/v1/rooms/{room}/files", tag = "rooms", params(("room" = String, Path)), request_body = AnnounceBody, responses((status = 201, body = AnnouncedJson)))]
pub(super) async fn announce(
    State(shared): State<Shared>,
    Segment(room): Segment,
    input: Input<AnnounceBody>,
) -> Result<Response, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    fields.at_most("/caption", &body.caption, CAPTION_LEN_MAX);
    let sha256 = FileDigest::parse(&body.sha256).ok_or("64 hexadecimal digits are expected");
    let Some(sha256) = fields.take("/sha256", sha256) else {
        return Err(fields.into_problem());
    };
    fields.finish()?;
    check_room(&shared, body.size).await?;
    if input.order.guest {
        let guest = input.order.actor.label();
        shared.pace.guest_file(&guest, shared.clock.boot())?;
    }
    let command = Command::Announce(Announce {
        room: find(&shared, &room).await?,
        by: speaker(&shared, &input.order, body.author, body.person.as_deref()).await?,
        name: body.name,
        sha256,
        size: body.size,
        caption: body.caption,
        restricted: body.restricted,
    });
    let file = FileId::of_request(input.order.request);
    let done = submit(
        &shared,
        input.order,
        DomainCommand::Files(command),
        NamedIn::Path,
    )
    .await?;
    let announced = AnnouncedJson {
        stored: done.stored,
        file: file.to_string(),
        piece_max: crate::input::PIECE_BYTES_MAX,
    };
    Ok((StatusCode::CREATED, Json(announced)).into_response())
}

/// What this node takes by its settings and its disk.
async fn check_room(shared: &Shared, size: u64) -> Result<(), Problem> {
    let limits = shared.files.limits();
    if size > limits.size_max {
        let detail = format!(
            "a file has at most {} MB here; send a smaller one",
            limits.size_max / 1_000_000
        );
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let room = shared.machine.disk();
    if matches!(room.disk, Disk::CriticalOnly | Disk::ResultsOnly) {
        let detail = format!(
            "this node has {} MB of disk left and takes no files; make room there, or ask another node",
            room.free_bytes >> 20
        );
        return Err(Problem::new(Kind::DiskFull, detail));
    }
    let mut view = reading::open(shared, Freshness::Local).await?;
    let used = files::used_bytes(&mut view).await.map_err(of_query)?;
    if used.saturating_add(size) > limits.total_max {
        let detail = format!(
            "files take up {} of the {} MB a node keeps of them; somebody has to take files away that nobody needs",
            used / 1_000_000,
            limits.total_max / 1_000_000
        );
        return Err(Problem::new(Kind::DiskFull, detail));
    }
    Ok(())
}

/// Takes the next bytes of a file, at most 1 MiB, from whoever announced it. With the last of them it is looked at; what is
/// not what its name says is not taken. A piece that does not go on where the upload stands on this node is a conflict, and
/// `Upload-Offset` says where it does.
#[utoipa::path(put, path = "/v1/rooms/{room}/files/{file}/bytes", tag = "rooms", params(("room" = String, Path), ("file" = String, Path), PieceParams), request_body(content = String, content_type = "application/octet-stream", description = "The bytes; none to try again what came last"), responses((status = 200, body = UploadJson)))]
pub(super) async fn put(
    State(shared): State<Shared>,
    Segments(room, file): Segments,
    Params(params): Params<PieceParams>,
    piece: Piece,
) -> Result<Json<UploadJson>, Problem> {
    let row = known(&shared, &room, &file).await?;
    let Piece { order, bytes } = piece;
    if row.actor != order.actor.label() {
        let text = "only whoever announced a file sends its bytes";
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    if row.message.is_some() {
        return Ok(Json(UploadJson {
            received: row.size,
            size: row.size,
            complete: true,
        }));
    }
    if params.offset.saturating_add(bytes.len() as u64) > row.size {
        let text = "these bytes go beyond the end that was announced";
        return Err(Problem::new(Kind::InvalidInput, text));
    }
    let received = match bytes.is_empty() {
        true => shared.files.received(row.id).await,
        false => shared.files.receive(row.id, params.offset, bytes).await,
    };
    let received = received.map_err(of_file)?;
    let complete = received == row.size;
    if complete {
        finish(&shared, order, &row).await?;
    }
    Ok(Json(UploadJson {
        received,
        size: row.size,
        complete,
    }))
}

/// Looks at a whole upload, keeps it, and lets the room know.
async fn finish(shared: &Shared, order: Order, row: &FileRow) -> Result<(), Problem> {
    let turn = timeout(TURN_TIME, shared.file_desk.inspecting.acquire());
    let Ok(Ok(_turn)) = turn.await else {
        return Err(Problem::new(Kind::Overloaded, BUSY));
    };
    let bytes = shared.files.upload(row.id).await.map_err(of_file)?;
    let kind = row.kind;
    let looked = spawn_blocking(move || match kind {
        Some(kind) => files::inspect(kind, &bytes),
        None => Err("only a newer version knows files of this kind".to_owned()),
    });
    let looked = looked.await.map_err(|_| {
        let text = "this node broke off while it looked at the file; report this defect";
        Problem::new(Kind::Internal, text)
    })?;
    if let Err(why) = looked {
        shared.files.forget(row.id).await.map_err(of_file)?;
        drop_announcement(shared, order, row).await?;
        return Err(Problem::new(Kind::InvalidInput, why));
    }
    shared
        .files
        .keep(row.id, row.sha256)
        .await
        .map_err(of_file)?;
    let command = DomainCommand::Files(Command::Arrive {
        file: row.id,
        node: shared.replica.node(),
    });
    submit(shared, order, command, NamedIn::Path).await?;
    // What is left of the upload goes with the next sweep, if not now.
    if let Err(failure) = shared.files.forget(row.id).await {
        error!(%failure, "cannot clear an upload that is over");
    }
    Ok(())
}

/// What will never come does not count as under way.
async fn drop_announcement(shared: &Shared, order: Order, row: &FileRow) -> Result<(), Problem> {
    let command = Command::Remove {
        file: row.id,
        by: speaker(shared, &order, None, None).await?,
    };
    submit(shared, order, DomainCommand::Files(command), NamedIn::Path).await?;
    Ok(())
}

/// Lists the files of a room, newest first, and on which nodes each is.
#[utoipa::path(get, path = "/v1/rooms/{room}/files", tag = "rooms", params(("room" = String, Path)), responses((status = 200, body = FilesJson)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Segment(room): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let room = find(&shared, &room).await?;
    let rows = files::in_room(&mut view.0, room, LISTED_MAX)
        .await
        .map_err(of_query)?;
    let files = shown(&mut view, rows).await?;
    Ok(view.answer(&FilesJson { files }))
}

/// Says how far an upload is on this node.
#[utoipa::path(get, path = "/v1/rooms/{room}/files/{file}", tag = "rooms", params(("room" = String, Path), ("file" = String, Path)), responses((status = 200, body = UploadJson)))]
pub(super) async fn show(
    State(shared): State<Shared>,
    Segments(room, file): Segments,
    view: View,
) -> Result<Response, Problem> {
    let row = known(&shared, &room, &file).await?;
    let complete = row.message.is_some();
    let received = match complete {
        true => row.size,
        false => shared.files.received(row.id).await.map_err(of_file)?,
    };
    let size = row.size;
    let mut response = view.answer(&UploadJson {
        received,
        size,
        complete,
    });
    let offset = HeaderValue::from(received);
    response.headers_mut().insert(UPLOAD_OFFSET, offset);
    Ok(response)
}

/// Gives the bytes of a file. A node that does not have them says which nodes do, and fetches them meanwhile.
#[utoipa::path(get, path = "/v1/rooms/{room}/files/{file}/bytes", tag = "rooms", params(("room" = String, Path), ("file" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = String)))]
pub(super) async fn bytes(
    State(shared): State<Shared>,
    Segments(room, file): Segments,
    view: View,
) -> Result<Response, Problem> {
    let row = known(&shared, &room, &file).await?;
    give(&shared, view, &row).await
}

/// The answer with the bytes of a file, whichever way it was found.
pub(crate) async fn give(
    shared: &Shared,
    mut view: View,
    row: &FileRow,
) -> Result<Response, Problem> {
    if row.removed.is_some() {
        return Err(Problem::not_found("this file was taken away"));
    }
    let Some(kind) = row.kind.filter(|_| row.message.is_some()) else {
        return Err(Problem::not_found("this file has not come yet"));
    };
    let turn = Arc::clone(&shared.file_desk.giving).acquire_owned();
    let Ok(Ok(turn)) = timeout(TURN_TIME, turn).await else {
        return Err(Problem::new(Kind::Overloaded, BUSY));
    };
    let found = shared.files.open(row.sha256).await.map_err(of_file)?;
    let Some(file) = found else {
        return Err(elsewhere(&mut view, row).await?);
    };
    drop(view);
    let mut headers = HeaderMap::new();
    let disposition = disposition(kind.is_image(), &row.name);
    for (name, value) in [
        (header::CONTENT_TYPE, kind.media_type()),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CONTENT_DISPOSITION, &*disposition),
        (header::CONTENT_LENGTH, &*row.size.to_string()),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    Ok((headers, body_of(file, turn)).into_response())
}

/// Takes a file away: its bytes go from every node, what was said stays.
#[utoipa::path(delete, path = "/v1/rooms/{room}/files/{file}", tag = "rooms", params(("room" = String, Path), ("file" = String, Path)), responses((status = 200, body = Stored)))]
pub(super) async fn remove(
    State(shared): State<Shared>,
    Segments(room, file): Segments,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let row = known(&shared, &room, &file).await?;
    let order = bare.order;
    if order.own.is_some() && row.actor != order.actor.label() {
        let text = "this file is somebody else's; ask whoever leads to take it away";
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    let by = speaker(&shared, &order, None, None).await?;
    let command = DomainCommand::Files(Command::Remove { file: row.id, by });
    let done = submit(&shared, order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

const BUSY: &str = "too many files are under way on this node; try again shortly";

/// The file meant by a path, in the room meant by it.
async fn known(shared: &Shared, room: &str, file: &str) -> Result<FileRow, Problem> {
    let unknown = || Problem::not_found("there is no such file in this room");
    let id = FileId::parse(file).map_err(|_| unknown())?;
    let room = find(shared, room).await?;
    // It may have been announced at another node a moment ago.
    for freshness in [Freshness::Local, Freshness::Linearizable] {
        let mut view = reading::open(shared, freshness).await?;
        let found = files::find(&mut view, id).await.map_err(of_query)?;
        if let Some(row) = found.filter(|row| row.room == room) {
            return Ok(row);
        }
    }
    Err(unknown())
}

/// Where bytes are that are not here.
async fn elsewhere(view: &mut View, row: &FileRow) -> Result<Problem, Problem> {
    let copies = files::copies(&mut view.0, &[row.sha256])
        .await
        .map_err(of_query)?;
    let holders = copies.get(&row.sha256).cloned().unwrap_or_default();
    let names = names(view).await?;
    let names: Vec<&str> = holders
        .iter()
        .filter_map(|node| names.get(node).map(String::as_str))
        .collect();
    let detail = match names.is_empty() {
        true => "no node holds this file now; it comes back when one does that did".to_owned(),
        false => format!(
            "this file is on {}; this node is fetching it: ask again shortly, or ask there",
            names.join(", ")
        ),
    };
    Ok(Problem::new(Kind::Unavailable, detail))
}

/// Names of all members.
async fn names(view: &mut View) -> Result<BTreeMap<NodeId, String>, Problem> {
    let rows = nodes::nodes(&mut view.0).await.map_err(of_query)?;
    let members = rows.into_iter().filter(|row| row.removed_at.is_none());
    Ok(members
        .map(|row| (row.node, texts::clean(&row.name)))
        .collect())
}

/// The files that messages show, by message.
pub(super) async fn of_messages(
    view: &mut View,
    messages: &[MessageId],
) -> Result<BTreeMap<MessageId, FileJson>, Problem> {
    let found = files::of_messages(&mut view.0, messages)
        .await
        .map_err(of_query)?;
    let (ids, rows): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    Ok(ids.into_iter().zip(shown(view, rows).await?).collect())
}

/// Files as they are answered, in the order given.
pub(crate) async fn shown(view: &mut View, rows: Vec<FileRow>) -> Result<Vec<FileJson>, Problem> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let digests: Vec<_> = rows.iter().map(|row| row.sha256).collect();
    let copies = files::copies(&mut view.0, &digests)
        .await
        .map_err(of_query)?;
    let names = names(view).await?;
    let civil = &view.1;
    let json = |row: FileRow| {
        let holders = copies.get(&row.sha256).into_iter().flatten();
        let stored_on = holders.filter_map(|node| names.get(node).cloned());
        let (removed_at, removed_by) = row.removed.unzip();
        FileJson {
            id: row.id.to_string(),
            line: files::line(&row.name, row.size),
            name: texts::clean(&row.name),
            media_type: row
                .kind
                .map_or("application/octet-stream", |kind| kind.media_type()),
            image: row.kind.is_some_and(|kind| kind.is_image()),
            size: row.size,
            sha256: row.sha256.to_string(),
            caption: texts::neutral(&row.caption),
            author: texts::clean(&row.author),
            at: civil.rfc3339(row.announced_at),
            stored_on: stored_on.collect(),
            nodes: names.len(),
            removed_at: removed_at.map(|at| civil.rfc3339(at)),
            removed_by: removed_by.map(|by| texts::clean(&by)),
        }
    };
    Ok(rows.into_iter().map(json).collect())
}

/// How a file is to be saved, in any script (RFC 6266, RFC 8187).
fn disposition(image: bool, name: &str) -> String {
    let how = if image { "inline" } else { "attachment" };
    let mut coded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            coded.push(char::from(byte));
        } else {
            coded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{how}; filename*=UTF-8''{coded}")
}

/// The bytes of an open file, for as long as somebody takes them and no longer than they may.
fn body_of(file: File, turn: OwnedSemaphorePermit) -> Body {
    let until = Instant::now() + GIVING_TIME;
    let state = (tokio::fs::File::from_std(file), turn);
    Body::from_stream(stream::try_unfold(
        state,
        move |(mut file, turn)| async move {
            if Instant::now() > until {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            let mut bytes = vec![0; READ_BYTES];
            let read = file.read(&mut bytes).await?;
            bytes.truncate(read);
            Ok((read > 0).then(|| (Bytes::from(bytes), (file, turn))))
        },
    ))
}

fn of_file(failure: FileError) -> Problem {
    let words = failure.to_string();
    match failure {
        FileError::Offset(offset) => {
            Problem::new(Kind::Conflict, words).with_header(UPLOAD_OFFSET, offset.to_string())
        }
        FileError::Damaged => Problem::new(Kind::InvalidInput, words),
        FileError::Full { .. } => Problem::new(Kind::DiskFull, words),
        FileError::Absent(_) => Problem::new(Kind::Unavailable, words),
        FileError::Io(source) => {
            error!(error = %source, "cannot use the folder for files");
            let text = "this node cannot use its folder for files; ask another node and see this node's log";
            Problem::new(Kind::Internal, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn names_in_every_script_survive_a_header() {
        assert_eq!(
            disposition(false, "lähtö \"4\".pdf"),
            "attachment; filename*=UTF-8''l%C3%A4ht%C3%B6%20%224%22.pdf"
        );
        assert_eq!(disposition(true, "a.jpg"), "inline; filename*=UTF-8''a.jpg");
    }
}
