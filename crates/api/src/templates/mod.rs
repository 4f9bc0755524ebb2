//! Prepared alerts over HTTP: put, look at, take out of use, and see how their texts come out.

mod automations;
mod body;
mod view;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::alerts::Answer;
use domain::automations::{Rehearsed, rehearse};
use domain::ports::{Freshness, ReadView};
use domain::templates::{self, Command, Mistake, Template, Version};
use domain::texts::Language;
use domain::{Command as DomainCommand, alerts, nodes, recipients};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::automations::sentences;
use self::automations::{TriedJson, TryBody};
pub(crate) use self::body::{AttachmentBody, DocumentBody, GatherBody, ItemBody, TemplateBody};
use self::view::{RenderedJson, TemplateJson, TemplatesJson, VersionsJson};
use crate::alerts::WordsJson;
use crate::fields::Fields;
use crate::input::{Bare, Input, Order, Params, Segment};
use crate::problem::{FieldError, NamedIn, Problem, of_query, of_refusal};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Done, Stored, submit};

/// Answers one trial takes.
const TRIED_MAX: usize = 500;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, put))
        .routes(routes!(versions))
        .routes(routes!(render))
        .routes(routes!(try_out))
        .routes(routes!(archive))
        .routes(routes!(restore))
        .routes(routes!(check))
        .routes(routes!(starter))
}

/// The version of a template that is the newest now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutTemplate {
    #[serde(flatten)]
    stored: Stored,
    version: u32,
    /// What is allowed and yet may not be meant.
    warnings: Vec<FieldError>,
}

/// Where a template stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedTemplate {
    #[serde(flatten)]
    stored: Stored,
    /// The newest.
    version: u32,
}

/// How many templates of the starter pack were added or renewed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstalledStarter {
    #[serde(flatten)]
    stored: Stored,
    installed: u64,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Also those that are out of use.
    #[serde(default)]
    archived: bool,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionParams {
    /// This version instead of the newest.
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreBody {
    /// The version to make the newest again; without it, the newest as it is.
    version: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckBody {
    /// The key it would be put under.
    #[schema(example = "mail")]
    key: String,
    template: TemplateBody,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StarterBody {
    /// In these of `fi`, `sv` and `en`; without them, in all.
    #[serde(default)]
    languages: Vec<String>,
}

/// Lists templates by key.
#[utoipa::path(get, path = "/v1/templates", tag = "templates", params(ListParams), responses((status = 200, body = TemplatesJson)))]
async fn list(Params(params): Params<ListParams>, mut view: View) -> Result<Response, Problem> {
    let listed = templates::list(&mut view.0, params.archived)
        .await
        .map_err(of_query)?;
    let body = TemplatesJson::new(listed, &view.1);
    Ok(view.answer(&body))
}

/// Shows a template, or an earlier version of it.
#[utoipa::path(get, path = "/v1/templates/{key}", tag = "templates", params(("key" = String, Path), VersionParams), responses((status = 200, body = TemplateJson)))]
async fn show(
    Segment(key): Segment,
    Params(params): Params<VersionParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let found = find(&mut view.0, &key, params.version).await?;
    let body = TemplateJson::new(found, &view.1);
    Ok(view.answer(&body))
}

/// Adds a template, or a new version of the one with this key. What it says is checked first, in every language.
#[utoipa::path(put, path = "/v1/templates/{key}", tag = "templates", params(("key" = String, Path)), request_body = TemplateBody, responses((status = 200, body = PutTemplate)))]
async fn put(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<TemplateBody>,
) -> Result<Json<PutTemplate>, Problem> {
    let template = input.value.parse(key)?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let warnings = sound(&mut view, &template, "").await?.1;
    drop(view);
    let key = template.key.clone();
    let command = Command::Put(Box::new(template));
    let done = change(&shared, input.order, command).await?;
    Ok(Json(PutTemplate {
        version: version_after(&shared, &key, &done).await?,
        stored: done.stored,
        warnings,
    }))
}

/// Lists the versions of a template that can still be read, newest first.
#[utoipa::path(get, path = "/v1/templates/{key}/versions", tag = "templates", params(("key" = String, Path)), responses((status = 200, body = VersionsJson)))]
async fn versions(Segment(key): Segment, mut view: View) -> Result<Response, Problem> {
    let found = templates::versions(&mut view.0, &key)
        .await
        .map_err(of_query)?;
    if found.is_empty() {
        return Err(unknown());
    }
    let body = VersionsJson::new(found, &view.1);
    Ok(view.answer(&body))
}

/// Shows the texts of a template as they would leave, with its examples filled in, for every language and kind of channel.
#[utoipa::path(get, path = "/v1/templates/{key}/render", tag = "templates", params(("key" = String, Path), VersionParams), responses((status = 200, body = RenderedJson)))]
async fn render(
    Segment(key): Segment,
    Params(params): Params<VersionParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let found = find(&mut view.0, &key, params.version).await?;
    let texts = words(&mut view.0, &found).await?;
    let mut warnings = hints(&mut view.0, &found.template).await?;
    warnings.extend(of_words(&texts));
    let body = RenderedJson {
        texts,
        automations: found.template.automations.iter().map(sentences).collect(),
        warnings: pointers("", warnings),
    };
    Ok(view.answer(&body))
}

/// Says what a template's automations would do if people answered so: by the rules that hold for real alerts, and nothing
/// is raised, called or written.
#[utoipa::path(post, path = "/v1/templates/{key}/try", tag = "templates", params(("key" = String, Path), VersionParams), request_body = TryBody, responses((status = 200, body = TriedJson)))]
async fn try_out(
    State(shared): State<Shared>,
    Segment(key): Segment,
    Params(params): Params<VersionParams>,
    input: Input<TryBody>,
) -> Result<Json<TriedJson>, Problem> {
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let found = find(&mut view, &key, params.version).await?;
    let answers = rehearsed(&mut view, input.value).await?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    let now = civil.at(shared.replica.now());
    let (foreseen, notes) = rehearse(&mut view, &found.template, &answers, now)
        .await
        .map_err(of_query)?;
    let all = &found.template.automations;
    Ok(Json(TriedJson::new(found.version, all, foreseen, notes)))
}

/// Answers of people who are known.
async fn rehearsed(view: &mut ReadView, body: TryBody) -> Result<Vec<Rehearsed>, Problem> {
    let mut fields = Fields::default();
    if body.answers.len() > TRIED_MAX {
        let count = body.answers.len();
        fields.add(
            "/answers",
            format!("has {count} entries; at most {TRIED_MAX} are taken"),
        );
        return Err(fields.into_problem());
    }
    let known = &Answer::ALL.map(Answer::name);
    let mut answers = Vec::with_capacity(body.answers.len());
    for (index, tried) in body.answers.into_iter().enumerate() {
        let at = format!("/answers/{index}");
        let person = recipients::person(view, &tried.person)
            .await
            .map_err(of_query)?;
        if person.is_none() {
            let shown: String = tried.person.chars().take(64).collect();
            let problem = format!("{shown:?} is nobody known; write the key of a person");
            fields.add(format!("{at}/person"), problem);
        }
        let answer = fields.one_of(&format!("{at}/answer"), &tried.answer, Answer::parse, known);
        if let (Some(person), Some(answer)) = (person, answer) {
            answers.push(Rehearsed {
                after_ms: tried.after_s.saturating_mul(1_000),
                person: person.id,
                answer,
            });
        }
    }
    fields.finish().map(|()| answers)
}

/// Takes a template out of use. Alerts raised from it and its versions stay as they are.
#[utoipa::path(post, path = "/v1/templates/{key}/archive", tag = "templates", params(("key" = String, Path)), responses((status = 200, body = ChangedTemplate)))]
async fn archive(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Json<ChangedTemplate>, Problem> {
    let command = Command::Archive { key: key.clone() };
    changed(&shared, bare.order, &key, command).await
}

/// Takes a template back into use, or makes an earlier version the newest again.
#[utoipa::path(post, path = "/v1/templates/{key}/restore", tag = "templates", params(("key" = String, Path)), request_body = RestoreBody, responses((status = 200, body = ChangedTemplate)))]
async fn restore(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<RestoreBody>,
) -> Result<Json<ChangedTemplate>, Problem> {
    let command = Command::Restore {
        key: key.clone(),
        version: input.value.version,
    };
    changed(&shared, input.order, &key, command).await
}

/// Checks a template without keeping it, and shows how its texts would leave.
#[utoipa::path(post, path = "/v1/templates/check", tag = "templates", request_body = CheckBody, responses((status = 200, body = RenderedJson)))]
async fn check(
    State(shared): State<Shared>,
    input: Input<CheckBody>,
) -> Result<Json<RenderedJson>, Problem> {
    let template = input.value.template.parse(input.value.key)?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let (texts, warnings) = sound(&mut view, &template, "/template").await?;
    Ok(Json(RenderedJson {
        texts,
        automations: template.automations.iter().map(sentences).collect(),
        warnings,
    }))
}

/// Adds the starter pack, ten common emergencies. Whatever somebody edited or took out of use stays as it is.
#[utoipa::path(post, path = "/v1/templates/starter", tag = "templates", request_body = StarterBody, responses((status = 200, body = InstalledStarter)))]
async fn starter(
    State(shared): State<Shared>,
    input: Input<StarterBody>,
) -> Result<Json<InstalledStarter>, Problem> {
    let languages = languages(&input.value.languages)?;
    let templates = templates::pack(&languages);
    let command = Command::InstallStarter { templates };
    let done = change(&shared, input.order, command).await?;
    let installed = done.receipt.count().unwrap_or(0);
    Ok(Json(InstalledStarter {
        stored: done.stored,
        installed,
    }))
}

fn languages(tags: &[String]) -> Result<Vec<Language>, Problem> {
    if tags.is_empty() {
        return Ok(templates::starter_languages().to_vec());
    }
    let mut fields = Fields::default();
    let mut languages = Vec::new();
    for (index, tag) in tags.iter().enumerate() {
        let mut known = templates::starter_languages().into_iter();
        match known.find(|known| known.tag() == tag) {
            Some(language) if !languages.contains(&language) => languages.push(language),
            Some(_) => {}
            None => fields.add(
                format!("/languages/{index}"),
                "is not in the starter pack; write fi, sv or en",
            ),
        }
    }
    fields.finish().map(|()| languages)
}

/// The texts of a sound template and what may not be meant in it, or a problem that names every mistake.
async fn sound(
    view: &mut ReadView,
    template: &Template,
    at: &str,
) -> Result<(Vec<WordsJson>, Vec<FieldError>), Problem> {
    let policy = templates::policy(view).await.map_err(of_query)?;
    let mut fields = Fields::default();
    for mistake in templates::check(template, &policy) {
        fields.add(format!("{at}{}", mistake.at), mistake.problem);
    }
    let unknown = templates::unknown_in_automations(view, template).await;
    for mistake in unknown.map_err(of_query)? {
        fields.add(format!("{at}{}", mistake.at), mistake.problem);
    }
    fields.finish()?;
    let unsaved = Version {
        template: template.clone(),
        version: 0,
        author: String::new(),
        put_at: domain::Timestamp(0),
        starter: false,
        used: false,
        archived_at: None,
    };
    let texts = words(view, &unsaved).await?;
    let mut warnings = hints(view, template).await?;
    warnings.extend(of_words(&texts));
    Ok((texts, pointers(at, warnings)))
}

async fn words(view: &mut ReadView, version: &Version) -> Result<Vec<WordsJson>, Problem> {
    let organisation = nodes::organisation(view).await.map_err(of_query)?;
    let number = alerts::next_number(view).await.map_err(of_query)?;
    let example = alerts::example_of(version);
    let mut words = alerts::page_words(&example, &number.to_string(), &organisation);
    // Nobody looks for mistakes in a language that nobody reads.
    let read = recipients::languages(view).await.map_err(of_query)?;
    words.retain(|words| {
        let own = version.template.texts.contains_key(words.language.tag());
        own || read.contains(&words.language)
    });
    Ok(words.into_iter().map(WordsJson::from).collect())
}

async fn hints(view: &mut ReadView, template: &Template) -> Result<Vec<Mistake>, Problem> {
    let read = recipients::languages(view).await.map_err(of_query)?;
    let mut hints = templates::hints(template, &read);
    let unknown = templates::unknown_recipients(view, template).await;
    hints.extend(unknown.map_err(of_query)?);
    Ok(hints)
}

/// What makes texts longer or worse than they look.
fn of_words(texts: &[WordsJson]) -> Vec<Mistake> {
    let hint = |text: &WordsJson| {
        text.hint().map(|problem| Mistake {
            at: format!("/texts/{}", text.language()),
            problem,
        })
    };
    texts.iter().filter_map(hint).collect()
}

fn pointers(at: &str, mistakes: Vec<Mistake>) -> Vec<FieldError> {
    let pointer = |mistake: Mistake| FieldError {
        pointer: format!("#{at}{}", mistake.at),
        detail: mistake.problem,
    };
    mistakes.into_iter().map(pointer).collect()
}

async fn find(view: &mut ReadView, key: &str, version: Option<u32>) -> Result<Version, Problem> {
    let found = match version {
        Some(version) => templates::version(view, key, version).await,
        None => templates::find(view, key).await,
    };
    found.map_err(of_query)?.ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("there is no such template, or no such version of it; list templates")
}

async fn change(shared: &Shared, order: Order, command: Command) -> Result<Done, Problem> {
    let command = DomainCommand::Templates(command);
    submit(shared, order, command, NamedIn::Path).await
}

async fn changed(
    shared: &Shared,
    order: Order,
    key: &str,
    command: Command,
) -> Result<Json<ChangedTemplate>, Problem> {
    let done = change(shared, order, command).await?;
    Ok(Json(ChangedTemplate {
        version: version_after(shared, key, &done).await?,
        stored: done.stored,
    }))
}

/// The newest version after a change; one that changed nothing does not name it.
async fn version_after(shared: &Shared, key: &str, done: &Done) -> Result<u32, Problem> {
    if let Some(version) = done
        .receipt
        .number()
        .and_then(|version| u32::try_from(version).ok())
    {
        return Ok(version);
    }
    let mut view = reading::open(shared, Freshness::Local).await?;
    find(&mut view, key, None).await.map(|found| found.version)
}

/// The template a raise names, for use now.
pub(crate) async fn in_use(view: &mut ReadView, key: &str) -> Result<Version, Problem> {
    use domain::Refusal;
    let found = templates::find(view, key).await.map_err(of_query)?;
    let refusal = match found {
        Some(found) if found.archived_at.is_none() => return Ok(found),
        Some(_) => Refusal::TemplateArchived(key.to_owned()),
        None => Refusal::UnknownTemplate(key.chars().take(64).collect()),
    };
    Err(of_refusal(&refusal, NamedIn::Body))
}
