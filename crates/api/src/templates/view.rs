//! How templates are shown.

use std::collections::BTreeMap;

use domain::Civil;
use domain::templates::{Listed, Version};
use serde::Serialize;
use utoipa::ToSchema;

use super::{TemplateBody, sentences};
use crate::alerts::WordsJson;
use crate::problem::FieldError;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Templates)]
pub(crate) struct TemplatesJson {
    templates: Vec<ListedJson>,
}

/// A template in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedTemplate)]
struct ListedJson {
    key: String,
    name: String,
    severity: &'static str,
    status: &'static str,
    languages: Vec<String>,
    /// Names of its placeholders; those that must be said come first.
    placeholders: Vec<String>,
    required: usize,
    /// The newest.
    version: u32,
    /// How many can still be read.
    versions: u64,
    author: String,
    put_at: String,
    /// It is as the starter pack has it.
    starter: bool,
    archived_at: Option<String>,
}

/// One version of a template.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateVersion)]
pub(crate) struct TemplateJson {
    key: String,
    version: u32,
    author: String,
    put_at: String,
    starter: bool,
    /// An alert was raised from it.
    used: bool,
    /// When the template was taken out of use, if it was.
    archived_at: Option<String>,
    template: TemplateBody,
    /// What follows from answers by itself: each as a sentence by language.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    automations: Vec<BTreeMap<&'static str, String>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateVersions)]
pub(crate) struct VersionsJson {
    versions: Vec<VersionJson>,
}

/// A version in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedVersion)]
struct VersionJson {
    version: u32,
    name: String,
    author: String,
    put_at: String,
    starter: bool,
    used: bool,
}

/// Texts as they would leave.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenderedTemplate)]
pub(crate) struct RenderedJson {
    pub(super) texts: Vec<WordsJson>,
    /// What follows from answers by itself: each as a sentence by language.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) automations: Vec<BTreeMap<&'static str, String>>,
    /// What is allowed and yet may not be meant.
    pub(super) warnings: Vec<FieldError>,
}

impl TemplatesJson {
    pub(super) fn new(listed: Vec<Listed>, civil: &Civil) -> Self {
        let templates = listed.into_iter().map(|row| ListedJson::new(row, civil));
        Self {
            templates: templates.collect(),
        }
    }
}

impl ListedJson {
    fn new(row: Listed, civil: &Civil) -> Self {
        let Version {
            mut template,
            version,
            author,
            put_at,
            starter,
            used: _,
            archived_at,
        } = row.newest;
        template.placeholders.sort_by_key(|p| !p.required);
        Self {
            required: template.placeholders.iter().filter(|p| p.required).count(),
            placeholders: template.placeholders.into_iter().map(|p| p.name).collect(),
            key: template.key,
            name: template.name,
            severity: template.severity.name(),
            status: template.status.name(),
            languages: template.texts.into_keys().collect(),
            version,
            versions: row.versions,
            author,
            put_at: civil.rfc3339(put_at),
            starter,
            archived_at: archived_at.map(|at| civil.rfc3339(at)),
        }
    }
}

impl TemplateJson {
    pub(super) fn new(version: Version, civil: &Civil) -> Self {
        Self {
            key: version.template.key.clone(),
            version: version.version,
            author: version.author,
            put_at: civil.rfc3339(version.put_at),
            starter: version.starter,
            used: version.used,
            archived_at: version.archived_at.map(|at| civil.rfc3339(at)),
            automations: version.template.automations.iter().map(sentences).collect(),
            template: version.template.into(),
        }
    }
}

impl VersionsJson {
    pub(super) fn new(versions: Vec<Version>, civil: &Civil) -> Self {
        let one = |version: Version| VersionJson {
            version: version.version,
            name: version.template.name,
            author: version.author,
            put_at: civil.rfc3339(version.put_at),
            starter: version.starter,
            used: version.used,
        };
        Self {
            versions: versions.into_iter().map(one).collect(),
        }
    }
}
