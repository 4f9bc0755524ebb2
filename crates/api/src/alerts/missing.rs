//! Who is missing: the list of a safety check, as JSON, as a table for machines and on paper.

use axum::extract::State as Extract;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::alerts::{self, AlertKind, AlertRow, Answer};
use domain::escalation::{self, OnRoll, RollCount};
use domain::{Civil, nodes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::input::{Params, Segment};
use crate::problem::{Kind, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;

/// People in one answer.
const PEOPLE_DEFAULT: u32 = 1_000;
const PEOPLE_MAX: u32 = 10_000;

/// Where people are listed who belong to no site.
const NO_SITE: &str = "(no site)";

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MissingParams {
    /// `json`, `text` to be printed, or `csv`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Everyone asked, not only those missing or in need of help.
    #[serde(default)]
    all: bool,
    /// Leave out this many people.
    #[serde(default)]
    skip: u32,
    /// At most this many people, up to 10,000.
    #[serde(default = "people_default")]
    #[param(default = 1000, maximum = 10000)]
    limit: u32,
}

/// How the list is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Json,
    Text,
    Csv,
}

fn people_default() -> u32 {
    PEOPLE_DEFAULT
}

/// The people of a safety check by site and name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Missing)]
pub(crate) struct MissingJson {
    /// The alert's number.
    number: String,
    text: String,
    /// `open`, `resolved`, `called_off` or `joined`.
    state: &'static str,
    /// Nothing later than this is in it.
    as_of: String,
    /// Set while the node that answers is cut off: the others may know more.
    island: Option<String>,
    asked: u64,
    /// Neither answered nor seen.
    missing: u64,
    need_help: u64,
    safe: u64,
    not_on_site: u64,
    /// In order of name; people of no site last.
    sites: Vec<SiteJson>,
    /// There are more: ask with `skip`.
    more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MissingSite)]
struct SiteJson {
    /// Empty: people who belong to none.
    site: String,
    people: Vec<OnRollJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OnRoll)]
struct OnRollJson {
    /// Empty when the person is not known any more.
    key: String,
    name: String,
    /// All sites they belong to.
    sites: Vec<String>,
    /// `safe`, `need_help` or `not_on_site`: their own last word, else the last mark; null: missing.
    status: Option<&'static str>,
    /// Their own last answer.
    answer: Option<&'static str>,
    answered_at: Option<String>,
    /// The number or key it came from; empty without one.
    answered_from: String,
    /// What others say, the last first.
    marks: Vec<MarkJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SafetyMark)]
struct MarkJson {
    /// Who saw them.
    by: String,
    mark: &'static str,
    at: String,
    /// The key or operator that sent it.
    via: String,
}

/// Shows who of a safety check is missing or needs help, by site and name: to read, to print or as a table.
#[utoipa::path(get, path = "/v1/alerts/{alert}/missing", tag = "alerts", params(("alert" = String, Path, description = "Id or number"), MissingParams), responses((status = 200, body = MissingJson)))]
pub(super) async fn missing(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    Params(params): Params<MissingParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let id = super::find(&shared, &alert).await?;
    let row = alerts::find(&mut view.0, id).await.map_err(of_query)?;
    let row = row.ok_or_else(super::unknown)?;
    if row.kind != AlertKind::SafetyCheck {
        return Err(Problem::new(
            Kind::Conflict,
            format!(
                "alert {} is no safety check; see who answered with GET /v1/alerts/{}",
                row.label, row.label
            ),
        ));
    }
    let limit = params.limit.clamp(1, PEOPLE_MAX);
    let (all, skip) = (params.all, params.skip);
    let mut people = escalation::roll(&mut view.0, id, all, skip, limit + 1)
        .await
        .map_err(of_query)?;
    let more = people.len() > limit as usize;
    people.truncate(limit as usize);
    let count = escalation::roll_count(&mut view.0, id)
        .await
        .map_err(of_query)?;
    let fork = nodes::fork(&mut view.0).await.map_err(of_query)?;
    let organisation = nodes::organisation(&mut view.0).await.map_err(of_query)?;
    let as_of = view.1.rfc3339(view.0.as_of);
    let list = list(
        &row,
        people,
        count,
        &view.1,
        more,
        as_of,
        fork.map(|fork| fork.site),
    );
    Ok(match params.format {
        Format::Json => view.answer(&list),
        Format::Text => plain("text/plain; charset=utf-8", paper(&organisation, &list)),
        Format::Csv => plain("text/csv; charset=utf-8", table(&list)),
    })
}

fn plain(media_type: &'static str, body: String) -> Response {
    let content_type = HeaderValue::from_static(media_type);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn list(
    row: &AlertRow,
    people: Vec<OnRoll>,
    count: RollCount,
    civil: &Civil,
    more: bool,
    as_of: String,
    island: Option<String>,
) -> MissingJson {
    let mut sites: Vec<SiteJson> = Vec::new();
    for person in people {
        let site = person.sites.first().cloned().unwrap_or_default();
        let shown = on_roll(person, civil);
        match sites.last_mut().filter(|last| last.site == site) {
            Some(last) => last.people.push(shown),
            None => sites.push(SiteJson {
                site,
                people: vec![shown],
            }),
        }
    }
    MissingJson {
        number: row.label.clone(),
        text: row
            .texts
            .first()
            .map(|(_, text)| text.clone())
            .unwrap_or_default(),
        state: row.state.name(),
        as_of,
        island,
        asked: count.asked,
        missing: count.missing,
        need_help: count.need_help,
        safe: count.safe,
        not_on_site: count.not_on_site,
        sites,
        more,
    }
}

fn on_roll(person: OnRoll, civil: &Civil) -> OnRollJson {
    let (answer, answered_at, answered_from) = match person.own {
        Some((answer, at, from)) => (Some(answer.name()), Some(civil.rfc3339(at)), from),
        None => (None, None, String::new()),
    };
    OnRollJson {
        key: person.key,
        name: person.name,
        sites: person.sites,
        status: person.status.map(Answer::name),
        answer,
        answered_at,
        answered_from,
        marks: person
            .marks
            .into_iter()
            .map(|(by, mark)| MarkJson {
                by,
                mark: mark.answer.name(),
                at: civil.rfc3339(mark.at),
                via: mark.via,
            })
            .collect(),
    }
}

/// The list on paper: a box to tick before every name, sites apart, and when it was true.
fn paper(organisation: &str, list: &MissingJson) -> String {
    let mut text = format!(
        "SAFETY CHECK {} {organisation}\n{}\n",
        list.number,
        line(&list.text)
    );
    text.push_str(&format!("As of {}", list.as_of));
    if let Some(site) = &list.island {
        text.push_str(&format!(
            " (site {} alone; others may know more)",
            line(site)
        ));
    }
    text.push_str(&format!(
        "\n{} asked: {} missing, {} need help, {} safe, {} not on site\n",
        list.asked, list.missing, list.need_help, list.safe, list.not_on_site
    ));
    if list.state != "open" {
        text.push_str(&format!(
            "The alert is over: {}.\n",
            list.state.replace('_', " ")
        ));
    }
    if list.sites.is_empty() {
        text.push_str("\nNobody is on this list.\n");
    }
    for site in &list.sites {
        let name = if site.site.is_empty() {
            NO_SITE
        } else {
            &site.site
        };
        text.push_str(&format!("\n{} ({})\n", line(name), site.people.len()));
        for person in &site.people {
            let mut said = Vec::new();
            if let (Some(answer), Some(at)) = (person.answer, &person.answered_at) {
                said.push(format!("says {} {at}", spoken(answer)));
            }
            for mark in &person.marks {
                said.push(format!(
                    "{}: {} {}",
                    line(&mark.by),
                    spoken(mark.mark),
                    mark.at
                ));
            }
            let status = person
                .status
                .map_or_else(|| "MISSING".to_owned(), |s| spoken(s).to_uppercase());
            let name = line(&person.name);
            text.push_str(format!("[ ] {name:<30} {status:<12} {}", said.join("; ")).trim_end());
            text.push('\n');
        }
    }
    if list.more {
        text.push_str("\nTHERE ARE MORE PEOPLE THAN ARE ON THIS LIST.\n");
    }
    text
}

fn table(list: &MissingJson) -> String {
    let mut text =
        "site,name,key,status,answer,answered_at,marked,marked_by,marked_at,as_of\r\n".to_owned();
    for site in &list.sites {
        for person in &site.people {
            let last = person.marks.first();
            let cells = [
                site.site.as_str(),
                &person.name,
                &person.key,
                person.status.unwrap_or("missing"),
                person.answer.unwrap_or_default(),
                person.answered_at.as_deref().unwrap_or_default(),
                last.map_or("", |mark| mark.mark),
                last.map_or("", |mark| mark.by.as_str()),
                last.map_or("", |mark| mark.at.as_str()),
                &list.as_of,
            ];
            text.push_str(&cells.map(cell).join(","));
            text.push_str("\r\n");
        }
    }
    text
}

/// One cell, quoted (RFC 4180), and never a formula to whoever opens it in a spreadsheet.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// Words that cannot break the line they stand in.
fn line(text: &str) -> String {
    domain::texts::clean(text)
}

fn spoken(answer: &str) -> String {
    answer.replace('_', " ")
}
