//! A template as it is written and shown: one form for both, so that what is exported can be put again unchanged.

use std::collections::BTreeMap;

use domain::alerts::{AlertKind, Conduct, Severity, Status};
use domain::alerts::{Answer, DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS};
use domain::templates::{Attachment, Document, Gather, Item, Placeholder, Step, Template};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::automations::AutomationBody;
use crate::alerts::{FollowUpBody, KINDS, QuotaBody};
use crate::fields::Fields;
use crate::problem::Problem;

/// A prepared alert without its key, which stands in the path.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Template)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateBody {
    /// The scenario, as people search for it.
    #[schema(example = "Mail down")]
    name: String,
    /// Language whose words serve every language that lacks its own.
    #[serde(default = "english")]
    #[schema(default = "en")]
    fallback: String,
    /// `critical`, `high`, `normal` or `low`.
    #[schema(example = "high")]
    severity: String,
    /// `actual`, `exercise` or `test`.
    #[serde(default = "actual")]
    #[schema(default = "actual")]
    status: String,
    /// How many "coming" answers stop the next steps.
    #[serde(default = "one")]
    #[schema(default = 1)]
    needed: u16,
    /// Rounds after the last step.
    #[serde(default = "repeats")]
    repeats: u16,
    /// Seconds between rounds.
    #[serde(default = "repeat_every")]
    repeat_every_s: u64,
    /// Seconds one text may wait or travel before it is worthless.
    #[serde(default = "validity")]
    validity_s: u64,
    /// Kinds of contact method to call by, `sms` and `email`; empty: as each person prefers. Whoever has none of them is
    /// called by what they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    channels: Vec<String>,
    /// `alert` or `safety_check`.
    #[serde(default = "alert", skip_serializing_if = "is_alert")]
    #[schema(default = "alert")]
    kind: String,
    /// Nobody is called on every path when all rounds are over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    quiet: bool,
    /// What is asked again of those called.
    #[serde(default, skip_serializing_if = "FollowUpBody::is_empty")]
    follow_up: FollowUpBody,
    /// Names of those who are told at once how a safety check goes; empty: those on duty for sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lead: Vec<String>,
    /// The answers people are offered: `coming`, `cannot`, `received`, `need_help`; empty: all of its kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<String>,
    /// For whoever raises an alert from it; nobody is sent this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    notes: String,
    /// What happened, by language, with placeholders in braces. `{{` and `}}` are braces.
    #[schema(example = json!({"en": "{what} is down", "fi": "{what} ei toimi"}))]
    texts: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    placeholders: Vec<PlaceholderBody>,
    /// Whom to call, in order; empty: each raise says whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<TemplateStepBody>,
    /// Where to gather, by language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    gather: BTreeMap<String, GatherBody>,
    /// What has to be done, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checklist: Vec<ItemBody>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    documents: Vec<DocumentBody>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentBody>,
    /// What follows from answers by itself, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    automations: Vec<AutomationBody>,
}

/// A hole in the words, to be filled when an alert is raised.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Placeholder)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceholderBody {
    /// `what` for `{what}`.
    #[schema(example = "what")]
    name: String,
    /// Whether a raise must say it.
    #[serde(default)]
    required: bool,
    /// What somebody may write, by language.
    #[schema(example = json!({"en": "Mail"}))]
    example: BTreeMap<String, String>,
    /// What stands there when a raise says nothing, by language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    default: BTreeMap<String, String>,
}

/// Whom to call after a delay.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = TemplateStep)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateStepBody {
    /// Seconds after the raise.
    #[serde(default)]
    after_s: u64,
    /// Names, looked up at each raise.
    #[schema(example = json!(["group:duty", "person:anna"]))]
    to: Vec<String>,
    /// What must be answered before no further step is called, all of it; without: `needed` of anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    enough: Vec<QuotaBody>,
}

/// Where to gather. Every part may be absent.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Gather)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatherBody {
    #[serde(skip_serializing_if = "String::is_empty")]
    place: String,
    /// Where to go when the place cannot be used.
    #[serde(skip_serializing_if = "String::is_empty")]
    alternate: String,
    /// Number of a telephone conference.
    #[serde(skip_serializing_if = "String::is_empty")]
    bridge: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pin: String,
}

/// Something to do.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ChecklistItem)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemBody {
    /// Role of whoever does it, by language.
    #[schema(example = json!({"en": "IT on duty"}))]
    owner: BTreeMap<String, String>,
    /// What, by language; may hold placeholders.
    #[schema(example = json!({"en": "Call the provider"}))]
    text: BTreeMap<String, String>,
}

/// A document to read, at a host that the text policy allows.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Document)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentBody {
    /// By language.
    label: BTreeMap<String, String>,
    url: String,
}

/// A file that belongs to the scenario, by what identifies it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Attachment)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttachmentBody {
    #[schema(example = "network-plan.pdf")]
    name: String,
    bytes: u64,
    /// 64 lower-case hexadecimal digits.
    sha256: String,
}

fn english() -> String {
    "en".to_owned()
}

fn actual() -> String {
    Status::Actual.name().to_owned()
}

fn alert() -> String {
    AlertKind::Alert.name().to_owned()
}

fn is_alert(kind: &String) -> bool {
    kind == AlertKind::Alert.name()
}

fn one() -> u16 {
    1
}

fn repeats() -> u16 {
    DEFAULT_REPEATS
}

fn repeat_every() -> u64 {
    DEFAULT_REPEAT_EVERY_MS / 1_000
}

fn validity() -> u64 {
    DEFAULT_VALIDITY_MS / 1_000
}

impl TemplateBody {
    /// The template under a key, or every word in it that is not known. Its rules are the domain's to check.
    pub(super) fn parse(self, key: String) -> Result<Template, Problem> {
        let mut fields = Fields::default();
        let severity = fields.one_of(
            "/severity",
            &self.severity,
            Severity::parse,
            &Severity::ALL.map(Severity::name),
        );
        let status = fields.one_of(
            "/status",
            &self.status,
            Status::parse,
            &Status::ALL.map(Status::name),
        );
        let answers = self.answers.iter().enumerate().filter_map(|(index, word)| {
            let at = format!("/answers/{index}");
            fields.one_of(&at, word, Answer::parse, &Answer::ALL.map(Answer::name))
        });
        let answers = answers.collect();
        let automations = self.automations.into_iter().enumerate();
        let automations = automations
            .filter_map(|(index, body)| body.parse(&mut fields, &format!("/automations/{index}")))
            .collect();
        let kind = fields.one_of("/kind", &self.kind, AlertKind::parse, &KINDS);
        let mut conduct = Conduct {
            kind: kind.unwrap_or_default(),
            quiet: self.quiet,
            ..Conduct::default()
        };
        self.follow_up.apply(&mut conduct);
        let mut steps = Vec::with_capacity(self.steps.len());
        for (index, step) in self.steps.into_iter().enumerate() {
            steps.push(step.parse(&mut fields, index));
        }
        let (Some(severity), Some(status)) = (severity, status) else {
            return Err(fields.into_problem());
        };
        fields.finish()?;
        Ok(Template {
            key,
            name: self.name,
            fallback: self.fallback,
            texts: self.texts,
            placeholders: self.placeholders.into_iter().map(Into::into).collect(),
            severity,
            status,
            steps,
            needed: self.needed,
            repeats: self.repeats,
            repeat_every_ms: self.repeat_every_s.saturating_mul(1_000),
            validity_ms: self.validity_s.saturating_mul(1_000),
            channels: self.channels,
            answers,
            conduct,
            lead: self.lead,
            gather: self
                .gather
                .into_iter()
                .map(|(language, gather)| (language, gather.into()))
                .collect(),
            checklist: self.checklist.into_iter().map(Into::into).collect(),
            documents: self.documents.into_iter().map(Into::into).collect(),
            attachments: self.attachments.into_iter().map(Into::into).collect(),
            notes: self.notes,
            automations,
        })
    }
}

impl From<Template> for TemplateBody {
    fn from(template: Template) -> Self {
        Self {
            name: template.name,
            fallback: template.fallback,
            severity: template.severity.name().to_owned(),
            status: template.status.name().to_owned(),
            needed: template.needed,
            repeats: template.repeats,
            repeat_every_s: template.repeat_every_ms / 1_000,
            validity_s: template.validity_ms / 1_000,
            channels: template.channels,
            kind: template.conduct.kind.name().to_owned(),
            quiet: template.conduct.quiet,
            follow_up: FollowUpBody::from(&template.conduct),
            lead: template.lead,
            answers: template
                .answers
                .into_iter()
                .map(|answer| answer.name().to_owned())
                .collect(),
            notes: template.notes,
            texts: template.texts,
            placeholders: template.placeholders.into_iter().map(Into::into).collect(),
            steps: template.steps.into_iter().map(Into::into).collect(),
            gather: template
                .gather
                .into_iter()
                .map(|(language, gather)| (language, gather.into()))
                .collect(),
            checklist: template.checklist.into_iter().map(Into::into).collect(),
            documents: template.documents.into_iter().map(Into::into).collect(),
            attachments: template.attachments.into_iter().map(Into::into).collect(),
            automations: template.automations.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<PlaceholderBody> for Placeholder {
    fn from(body: PlaceholderBody) -> Self {
        Self {
            name: body.name,
            required: body.required,
            example: body.example,
            default: body.default,
        }
    }
}

impl From<Placeholder> for PlaceholderBody {
    fn from(placeholder: Placeholder) -> Self {
        Self {
            name: placeholder.name,
            required: placeholder.required,
            example: placeholder.example,
            default: placeholder.default,
        }
    }
}

impl TemplateStepBody {
    fn parse(self, fields: &mut Fields, index: usize) -> Step {
        let quotas = self.enough.into_iter().enumerate();
        let enough = quotas.filter_map(|(place, body)| {
            fields.take(format!("/steps/{index}/enough/{place}"), body.parse())
        });
        Step {
            delay_ms: self.after_s.saturating_mul(1_000),
            to: self.to,
            enough: enough.collect(),
        }
    }
}

impl From<Step> for TemplateStepBody {
    fn from(step: Step) -> Self {
        Self {
            after_s: step.delay_ms / 1_000,
            to: step.to,
            enough: step.enough.into_iter().map(QuotaBody::from).collect(),
        }
    }
}

impl From<GatherBody> for Gather {
    fn from(body: GatherBody) -> Self {
        Self {
            place: body.place,
            alternate: body.alternate,
            bridge: body.bridge,
            pin: body.pin,
        }
    }
}

impl From<Gather> for GatherBody {
    fn from(gather: Gather) -> Self {
        Self {
            place: gather.place,
            alternate: gather.alternate,
            bridge: gather.bridge,
            pin: gather.pin,
        }
    }
}

impl From<ItemBody> for Item {
    fn from(body: ItemBody) -> Self {
        Self {
            owner: body.owner,
            text: body.text,
        }
    }
}

impl From<Item> for ItemBody {
    fn from(item: Item) -> Self {
        Self {
            owner: item.owner,
            text: item.text,
        }
    }
}

impl From<DocumentBody> for Document {
    fn from(body: DocumentBody) -> Self {
        Self {
            label: body.label,
            url: body.url,
        }
    }
}

impl From<Document> for DocumentBody {
    fn from(document: Document) -> Self {
        Self {
            label: document.label,
            url: document.url,
        }
    }
}

impl From<AttachmentBody> for Attachment {
    fn from(body: AttachmentBody) -> Self {
        Self {
            name: body.name,
            bytes: body.bytes,
            sha256: body.sha256,
        }
    }
}

impl From<Attachment> for AttachmentBody {
    fn from(attachment: Attachment) -> Self {
        Self {
            name: attachment.name,
            bytes: attachment.bytes,
            sha256: attachment.sha256,
        }
    }
}
