//! The OpenAPI document. Operations describe themselves beside their handlers; what all share is added here, from the
//! same tables that the guard uses.

use std::collections::BTreeMap;

use axum::http::Method;
use utoipa::PartialSchema as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, Object, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, ResponseBuilder, Schema, Type,
};

use crate::problem::{FieldError, ProblemBody};
use crate::router;
use crate::scopes::{self, Rule};

const SECURITY_SCHEME: &str = "api_key";
const SOURCE_SCHEME: &str = "source_token";
const SESSION_SCHEME: &str = "session";

/// The document as pretty JSON, as checked in under `docs/openapi.json`.
pub fn openapi() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

/// The document of the public router.
pub(crate) fn document() -> OpenApi {
    let mut document = router::operations().into_openapi();
    let head = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Holdfast")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Any node answers. Errors are problem details (RFC 9457). Changes take an `Idempotency-Key`: \
                     repeating a request with the same key applies it once. Reads say in `Holdfast-Applied` and \
                     `Holdfast-As-Of` how current they are.",
                ))
                .build(),
        )
        .build();
    document.info = head.info;
    document.servers = None;
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .insert("Problem".to_owned(), ProblemBody::schema());
    components
        .schemas
        .insert("FieldError".to_owned(), FieldError::schema());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("hf_<id>_<secret>_<crc>")
        .description(Some("An API key. Over the local socket none is needed."))
        .build();
    components.add_security_scheme(SECURITY_SCHEME, SecurityScheme::Http(bearer));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("hfs_<secret>")
        .description(Some(
            "The token of the one source in the path. Senders that cannot set a header put it into the path.",
        ))
        .build();
    components.add_security_scheme(SOURCE_SCHEME, SecurityScheme::Http(token));
    let session = ApiKeyValue::with_description(
        "Authorization",
        "`DPoP <token>` of a session, with a proof signed by the device's key in the header `DPoP` (RFC 9449): ES256, \
         claims htm, htu, iat within 60 s, jti, ath.",
    );
    components.add_security_scheme(
        SESSION_SCHEME,
        SecurityScheme::ApiKey(ApiKey::Header(session)),
    );
    open_parts(&mut components.schemas);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_of(item) {
            complete(&method, path, operation);
        }
    }
    document
}

/// Bodies refuse fields they do not know. Where one is part of an answer that says more, it stands without that rule, or no
/// answer would be as its schema says.
fn open_parts(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let closed: BTreeMap<String, Object> = schemas
        .iter()
        .filter_map(|(name, schema)| {
            let RefOr::T(Schema::Object(object)) = schema else {
                return None;
            };
            let more = object.additional_properties.as_deref();
            let closed = matches!(more, Some(AdditionalProperties::FreeForm(false)));
            closed.then(|| (Ref::from_schema_name(name).ref_location, object.clone()))
        })
        .collect();
    for schema in schemas.values_mut() {
        let RefOr::T(Schema::AllOf(whole)) = schema else {
            continue;
        };
        for part in &mut whole.items {
            if let RefOr::Ref(named) = part
                && let Some(object) = closed.get(&named.ref_location)
            {
                let mut open = object.clone();
                open.additional_properties = None;
                *part = RefOr::T(Schema::Object(open));
            }
        }
    }
}

/// Method and path of every operation.
#[cfg(test)]
pub(crate) fn operations(document: &OpenApi) -> Vec<(String, String)> {
    let mut document = document.clone();
    let mut found = Vec::new();
    for (path, item) in &mut document.paths.paths {
        found.extend(operations_of(item).map(|(method, _)| (method.to_string(), path.clone())));
    }
    found
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, item.get.as_mut()),
        (Method::PUT, item.put.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

/// Adds what every operation of its kind has: scope, parameters, the error answer.
fn complete(method: &Method, path: &str, operation: &mut Operation) {
    let requirements = match scopes::rule(method, path) {
        Rule::Scope(scope) => vec![
            SecurityRequirement::new(SECURITY_SCHEME, [scope.name()]),
            SecurityRequirement::new(SESSION_SCHEME, [scope.name()]),
        ],
        Rule::Session => vec![SecurityRequirement::new(SESSION_SCHEME, ["session"])],
        Rule::Known => vec![
            SecurityRequirement::new(SECURITY_SCHEME, ["any"]),
            SecurityRequirement::new(SESSION_SCHEME, ["session"]),
        ],
        Rule::SourceToken => vec![SecurityRequirement::new(SOURCE_SCHEME, ["source"])],
        // Needs no key and says so: its address, or what is in the body, is the secret.
        Rule::Stranger => vec![SecurityRequirement::default()],
        Rule::Open if path.starts_with("/v1/") => vec![SecurityRequirement::default()],
        Rule::Open | Rule::NoSuchMethod(_) => return,
    };
    operation.security = Some(requirements);
    // Handlers of different domains share names; the path makes them unique.
    operation.operation_id = Some(operation_id(method, path));
    let problem = ResponseBuilder::new()
        .description("What went wrong and what to do about it")
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build(),
        )
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(problem));
    let parameters = operation.parameters.get_or_insert_default();
    let stranger = scopes::rule(method, path) == Rule::Stranger;
    let changes_nothing = stranger || matches!(path, "/v1/alerts/preview" | "/v1/templates/check");
    if path.ends_with("/in") || path.ends_with("/beat") || path.ends_with("/try") {
        // What a source says twice is counted twice and told once; a trial changes nothing.
    } else if method != Method::GET && !changes_nothing {
        parameters.push(RefOr::T(idempotency_key()));
    } else if method == Method::GET
        && !matches!(
            path,
            "/v1/cluster" | "/v1/cluster/joins" | "/v1/metrics" | "/v1/events"
        )
    {
        parameters.push(RefOr::T(consistency()));
    }
}

/// `POST /v1/alerts/{alert}/call-off` → `post_alerts_alert_call_off`.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path
        .trim_start_matches("/v1/")
        .split(['/', '-'])
        .map(|word| word.trim_matches(['{', '}']));
    std::iter::once(method.as_str().to_ascii_lowercase().as_str())
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("1 to 255 printable ASCII characters. A repeat with the same key and content applies once; other content under the same key is a conflict."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255))))
        .build()
}

fn consistency() -> Parameter {
    ParameterBuilder::new()
        .name("consistency")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("`local`: what this node knows, also without a majority. `linearizable`: everything committed before the question."))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(["local", "linearizable"]))
                .default(Some("local".into())),
        ))
        .build()
}
