//! Plans and instructions over HTTP ([decision 36](../../../docs/decisions/0036-documents.md)): managed by whoever writes
//! templates, shown with every alert raised from a template they are pinned to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::documents::{self, Command, DocumentRow, Put};
use domain::ports::Freshness;
use domain::{Command as DomainCommand, FileId, alerts as alerts_domain, files, recipients, texts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alerts;
use crate::conversations::{FileJson, give, shown_files, speaker};
use crate::fields::Fields;
use crate::input::{Bare, Input, Params, Segment, Segments};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::time::parse_rfc3339;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(put, remove))
        .routes(routes!(bytes))
        .routes(routes!(of_alert))
        .routes(routes!(bytes_of_alert))
}

/// A plan or an instruction.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoredDocument)]
pub(crate) struct DocumentJson {
    key: String,
    title: String,
    /// Who answers for it; null: nobody does yet.
    owner: Option<OwnerJson>,
    /// The day by which somebody has to look at it again, `2027-03-01`; null: none was set.
    review_by: Option<String>,
    /// That day is over.
    overdue: bool,
    /// Keys of the templates of its scenarios.
    templates: Vec<String>,
    /// Phones keep it for when no node answers.
    kit: bool,
    /// Counts the files it has been.
    version: u64,
    set_at: String,
    set_by: String,
    file: Option<FileJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentOwner)]
struct OwnerJson {
    key: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoredDocuments)]
pub(crate) struct DocumentsJson {
    /// By key.
    documents: Vec<DocumentJson>,
    /// How many of them nobody has looked at again in time.
    overdue: usize,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutDocument)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentBody {
    /// 1 to 100 characters.
    title: String,
    /// Id of a file that was put into a room.
    file: String,
    /// Key of the person who answers for it.
    owner: Option<String>,
    /// The day by which somebody has to look at it again, `2027-03-01`.
    review_by: Option<String>,
    /// Keys of the templates of its scenarios.
    #[serde(default)]
    templates: Vec<String>,
    /// Phones keep it for when no node answers.
    #[serde(default)]
    kit: bool,
    author: Option<String>,
}

/// A document as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutDocumentDone {
    #[serde(flatten)]
    stored: Stored,
    /// Counts the files it has been; null when nothing changed.
    version: Option<u64>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only those pinned to this template.
    template: Option<String>,
}

/// Lists plans and instructions, by key.
#[utoipa::path(get, path = "/v1/documents", tag = "documents", params(ListParams), responses((status = 200, body = DocumentsJson)))]
async fn list(
    State(shared): State<Shared>,
    Params(params): Params<ListParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let template = params.template.as_deref();
    let body = shown(&shared, &mut view, template).await?;
    Ok(view.answer(&body))
}

/// Puts a document, or changes everything about it.
#[utoipa::path(put, path = "/v1/documents/{key}", tag = "documents", params(("key" = String, Path, description = "2 to 40 small letters, digits and hyphens")), request_body = DocumentBody, responses((status = 200, body = PutDocumentDone)))]
async fn put(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<DocumentBody>,
) -> Result<Json<PutDocumentDone>, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    let file = fields.take("/file", FileId::parse(&body.file));
    let review_by = match &body.review_by {
        Some(day) => fields.take("/review_by", parse_day(day)).map(Some),
        None => Some(None),
    };
    let (Some(file), Some(review_by)) = (file, review_by) else {
        return Err(fields.into_problem());
    };
    let by = speaker(&shared, &input.order, body.author, None).await?;
    let command = Command::Put(Put {
        key,
        title: body.title,
        file,
        owner: body.owner.unwrap_or_default(),
        review_by,
        templates: body.templates,
        kit: body.kit,
        by,
    });
    let command = DomainCommand::Documents(command);
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(PutDocumentDone {
        version: done.receipt.number(),
        stored: done.stored,
    }))
}

/// Takes a document out; its file stays in its room.
#[utoipa::path(delete, path = "/v1/documents/{key}", tag = "documents", params(("key" = String, Path)), responses((status = 200, body = Stored)))]
async fn remove(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let by = speaker(&shared, &bare.order, None, None).await?;
    let command = DomainCommand::Documents(Command::Remove { key, by });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Gives the bytes of a document.
#[utoipa::path(get, path = "/v1/documents/{key}/bytes", tag = "documents", params(("key" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = String)))]
async fn bytes(
    State(shared): State<Shared>,
    Segment(key): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let row = documents::find(&mut view.0, &key).await.map_err(of_query)?;
    of_row(&shared, view, row).await
}

/// Lists the documents pinned to the template an alert was raised from.
#[utoipa::path(get, path = "/v1/alerts/{alert}/documents", tag = "alerts", params(("alert" = String, Path)), responses((status = 200, body = DocumentsJson)))]
async fn of_alert(
    State(shared): State<Shared>,
    Segment(alert): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let body = match scenario(&shared, &alert).await? {
        Some(template) => shown(&shared, &mut view, Some(&template)).await?,
        None => DocumentsJson {
            documents: Vec::new(),
            overdue: 0,
        },
    };
    Ok(view.answer(&body))
}

/// Gives the bytes of a document that is pinned to the template an alert was raised from.
#[utoipa::path(get, path = "/v1/alerts/{alert}/documents/{document}/bytes", tag = "alerts", params(("alert" = String, Path), ("document" = String, Path, description = "Its key")), responses((status = 200, content_type = "application/octet-stream", body = String)))]
async fn bytes_of_alert(
    State(shared): State<Shared>,
    Segments(alert, document): Segments,
    mut view: View,
) -> Result<Response, Problem> {
    let scenario = scenario(&shared, &alert).await?;
    let row = documents::find(&mut view.0, &document)
        .await
        .map_err(of_query)?;
    let pinned =
        |row: &DocumentRow| scenario.is_some_and(|template| row.templates.contains(&template));
    of_row(&shared, view, row.filter(pinned)).await
}

/// The template an alert was raised from.
async fn scenario(shared: &Shared, alert: &str) -> Result<Option<String>, Problem> {
    let alert = alerts::find(shared, alert).await?;
    let mut view = reading::open(shared, Freshness::Local).await?;
    let template = alerts_domain::template_of(&mut view, alert).await;
    Ok(template.map_err(of_query)?.map(|template| template.key))
}

async fn of_row(
    shared: &Shared,
    mut view: View,
    row: Option<DocumentRow>,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("there is no such document");
    let row = row.ok_or_else(unknown)?;
    let file = files::find(&mut view.0, row.file).await.map_err(of_query)?;
    give(shared, view, &file.ok_or_else(unknown)?).await
}

/// Documents as they are answered.
async fn shown(
    shared: &Shared,
    view: &mut View,
    template: Option<&str>,
) -> Result<DocumentsJson, Problem> {
    let rows = documents::list(&mut view.0, template)
        .await
        .map_err(of_query)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.extend(files::find(&mut view.0, row.file).await.map_err(of_query)?);
    }
    let ids: Vec<FileId> = found.iter().map(|file| file.id).collect();
    let answered = shown_files(view, found).await?;
    let mut files: BTreeMap<FileId, FileJson> = ids.into_iter().zip(answered).collect();
    let today = view.1.at(shared.replica.now());
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        let owner = recipients::person(&mut view.0, &row.owner)
            .await
            .map_err(of_query)?;
        documents.push(DocumentJson {
            title: texts::clean(&row.title),
            owner: owner.map(|person| OwnerJson {
                key: person.key,
                name: texts::clean(&person.name),
            }),
            review_by: row.review_by.map(written),
            overdue: documents::is_overdue(row.review_by, today),
            templates: row.templates,
            kit: row.kit,
            version: row.version,
            set_at: view.1.rfc3339(row.set_at),
            set_by: texts::clean(&row.set_by),
            file: files.remove(&row.file),
            key: row.key,
        });
    }
    Ok(DocumentsJson {
        overdue: documents.iter().filter(|one| one.overdue).count(),
        documents,
    })
}

/// A day as days since 1970-01-01.
fn parse_day(text: &str) -> Result<i64, String> {
    match parse_rfc3339(&format!("{text}T00:00:00Z")) {
        Ok(moment) if text.len() == 10 => Ok(moment.day()),
        Ok(_) | Err(_) => {
            let shown: String = text.chars().take(40).collect();
            Err(format!("{shown:?} is not a day; write it as 2027-03-01"))
        }
    }
}

/// A day as people write it.
fn written(day: i64) -> String {
    let moment = domain::CivilTime(day.saturating_mul(86_400_000));
    moment.to_rfc3339().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::{parse_day, written};

    #[test]
    fn days_come_back_as_they_were_written() {
        for day in ["2027-03-01", "1970-01-01", "2028-02-29"] {
            assert_eq!(written(parse_day(day).unwrap()), day);
        }
        for bad in ["2027-02-29", "1.3.2027", "2027-03-01T10:00:00Z", ""] {
            assert!(parse_day(bad).is_err(), "{bad}");
        }
    }
}
