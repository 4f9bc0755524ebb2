//! How an alert before it is raised, and texts before they leave, are shown.

use std::collections::BTreeMap;

use domain::alerts;
use domain::alerts::{Cost, Estimate, PageWords, Preview, Raise, StepEstimate, Warning};
use domain::deliveries::Queued;
use domain::escalation::{Among, Quota};
use domain::recipients::PersonRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::NameJson;
use crate::templates::sentences;
use crate::text_policy::amount;

/// What raising an alert would come to now. Nothing was changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Preview)]
pub(crate) struct PreviewJson {
    severity: &'static str,
    status: &'static str,
    /// The template and its version that would be used; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_version: Option<u32>,
    /// People in all steps.
    people: u64,
    /// How many of them have no contact method, and the first of those.
    unreachable: u64,
    unreachable_people: Vec<NameJson>,
    steps: Vec<StepJson>,
    /// Of the first round.
    sms: u64,
    sms_parts: u64,
    mails: u64,
    /// If nobody answers in any round.
    sms_parts_max: u64,
    /// Null without a price.
    cost: Option<CostJson>,
    /// What waits already and leaves before.
    queued: QueuedJson,
    /// What all channels that are up send in a minute.
    sms_parts_per_min: u64,
    mails_per_min: u64,
    /// Seconds until everyone has been sent a text, if nobody answers before; null when some have no channel to leave by.
    reached_after_s: Option<u64>,
    /// Phones that are rung twice to wake people, while they stay silent.
    phones_rung: u64,
    /// Seconds until all of them were rung, after the texts; null when none is, or no modem is up.
    rung_after_s: Option<u64>,
    warnings: Vec<String>,
    /// Why it would wait for a second person; empty: it would not.
    second_person: Vec<String>,
    /// Why a budget would refuse it; null: none would.
    over_budget: Option<String>,
    texts: Vec<WordsJson>,
    /// What would follow from answers by itself: each as a sentence by language.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    automations: Vec<BTreeMap<&'static str, String>>,
}

/// One step of a preview.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewStep)]
struct StepJson {
    /// Counted from 1.
    step: usize,
    after_s: u64,
    people: u64,
    unreachable: u64,
    sms: u64,
    sms_parts: u64,
    mails: u64,
    /// Counted from the raise.
    reached_after_s: Option<u64>,
    /// What must be answered before no further step is called; empty: so many "coming" in all.
    enough: Vec<PreviewQuotaJson>,
}

/// A condition of a step, with whom it means by now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewQuota)]
struct PreviewQuotaJson {
    what: String,
    /// How many are wanted.
    count: u32,
    /// How many called could answer it; null: anyone, or the step's own people.
    of: Option<usize>,
}

/// What SMS parts cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cost)]
struct CostJson {
    /// The first round.
    #[schema(example = "1.35")]
    amount: String,
    /// If nobody answers in any round.
    amount_max: String,
    currency: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queued)]
struct QueuedJson {
    sms_parts: u64,
    mails: u64,
}

/// A text as it would reach people.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenderedText)]
pub(crate) struct WordsJson {
    language: &'static str,
    /// `sms` or `email`.
    channel: &'static str,
    /// Of a mail.
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    text: String,
    /// `gsm7` or `ucs2`; absent for mail, as what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    alphabet: Option<&'static str>,
    /// SMS parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u16>,
    /// Characters that still fit without another part.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u16>,
    /// Characters that have no place in GSM 7-bit, each once: without them the text would be shorter by half.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forcing_ucs2: Vec<String>,
    /// The alert's own words were cut to fit.
    cut: bool,
}

impl PreviewJson {
    pub(super) fn new(raise: &Raise, preview: Preview, unreachable: Vec<PersonRow>) -> Self {
        let Estimate {
            people,
            unreachable: unreachable_count,
            steps,
            sms,
            sms_parts,
            mails,
            sms_parts_max,
            cost,
            queued:
                Queued {
                    sms_parts: queued_parts,
                    mails: queued_mails,
                },
            sms_parts_per_min,
            mails_per_min,
            reached_after_ms,
            phones_rung,
            rung_after_ms,
            warnings,
        } = preview.estimate;
        Self {
            severity: raise.severity.name(),
            status: raise.status.name(),
            template: raise.template.as_ref().map(|from| from.key.clone()),
            template_version: raise.template.as_ref().map(|from| from.version),
            people,
            unreachable: unreachable_count,
            unreachable_people: unreachable.into_iter().map(NameJson::from).collect(),
            steps: steps
                .into_iter()
                .enumerate()
                .map(|(place, step)| StepJson::new(place, step, alerts::quotas_of(raise, place)))
                .collect(),
            sms,
            sms_parts,
            mails,
            sms_parts_max,
            cost: cost.map(CostJson::from),
            queued: QueuedJson {
                sms_parts: queued_parts,
                mails: queued_mails,
            },
            sms_parts_per_min,
            mails_per_min,
            reached_after_s: reached_after_ms.map(seconds),
            phones_rung,
            rung_after_s: rung_after_ms.map(seconds),
            warnings: warnings.iter().map(Warning::to_string).collect(),
            second_person: preview.second_person,
            over_budget: preview.over_budget,
            texts: preview.words.into_iter().map(WordsJson::from).collect(),
            automations: raise
                .template
                .iter()
                .flat_map(|from| &from.automations)
                .map(sentences)
                .collect(),
        }
    }
}

impl StepJson {
    fn new(index: usize, step: StepEstimate, enough: Vec<Quota>) -> Self {
        Self {
            step: index + 1,
            after_s: step.delay_ms / 1_000,
            people: step.people,
            unreachable: step.unreachable,
            sms: step.sms,
            sms_parts: step.sms_parts,
            mails: step.mails,
            reached_after_s: step.reached_after_ms.map(seconds),
            enough: enough.into_iter().map(PreviewQuotaJson::from).collect(),
        }
    }
}

impl From<Quota> for PreviewQuotaJson {
    fn from(quota: Quota) -> Self {
        Self {
            what: quota.what,
            count: quota.count,
            of: match quota.among {
                Among::Anyone | Among::Step => None,
                Among::Listed(people) => Some(people.len()),
            },
        }
    }
}

impl From<Cost> for CostJson {
    fn from(cost: Cost) -> Self {
        Self {
            amount: amount(cost.micros),
            amount_max: amount(cost.micros_max),
            currency: cost.currency,
        }
    }
}

impl From<PageWords> for WordsJson {
    fn from(words: PageWords) -> Self {
        let measure = words.measure;
        Self {
            language: words.language.tag(),
            channel: words.kind,
            subject: words.subject,
            text: words.body,
            alphabet: measure
                .as_ref()
                .map(|m| if m.gsm7 { "gsm7" } else { "ucs2" }),
            parts: measure.as_ref().map(|m| m.parts),
            left: measure.as_ref().map(|m| m.left),
            forcing_ucs2: measure
                .map(|m| m.forcing.iter().map(char::to_string).collect())
                .unwrap_or_default(),
            cut: words.cut,
        }
    }
}

impl WordsJson {
    pub(crate) fn language(&self) -> &'static str {
        self.language
    }

    /// What makes it longer or worse than it looks, if anything does.
    pub(crate) fn hint(&self) -> Option<String> {
        let parts = self.parts?;
        if self.cut {
            return Some(format!("is cut: {parts} SMS parts is all a text gets"));
        }
        if !self.forcing_ucs2.is_empty() {
            return Some(format!(
                "takes {parts} SMS parts as UCS-2, because of {}",
                self.forcing_ucs2.join(" ")
            ));
        }
        (parts > 1).then(|| format!("takes {parts} SMS parts; one is sooner sent and read"))
    }
}

/// Whole seconds; a part of one counts.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1_000)
}
