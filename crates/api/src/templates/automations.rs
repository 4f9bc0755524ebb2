//! Automations as they are written and shown, their sentences, and what they would do.

use std::collections::BTreeMap;

use domain::alerts::{Answer, Severity};
use domain::automations::Foreseen;
use domain::texts::{self, Language};
use domain::vocabulary::{Automation, Effect, When, Word};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::Fields;

/// What follows from answers by itself. It is done at most once for an alert.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Automation)]
#[serde(deny_unknown_fields)]
pub(crate) struct AutomationBody {
    when: WhenBody,
    /// Done in this order.
    then: Vec<EffectBody>,
}

/// What an automation waits for.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = AutomationCondition)]
#[serde(rename_all = "snake_case")]
enum WhenBody {
    Answered(AnsweredBody),
    Nobody(NobodyBody),
    /// As many are coming as the plan wants.
    Complete,
    Incomplete(IncompleteBody),
}

/// So many different people have given this answer as their last one.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Answered)]
#[serde(deny_unknown_fields)]
struct AnsweredBody {
    #[serde(default = "one")]
    #[schema(default = 1)]
    count: u16,
    /// `coming`, `cannot`, `received` or `need_help`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// `person:KEY`, `group:KEY`, `schedule:KEY`; empty: everyone called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    among: Vec<String>,
}

/// None of them has given it this long after the raise.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = NobodyAnswered)]
#[serde(deny_unknown_fields)]
struct NobodyBody {
    /// Seconds after the raise.
    after_s: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    among: Vec<String>,
}

/// Fewer are coming than the plan wants, this long after the raise.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = TeamIncomplete)]
#[serde(deny_unknown_fields)]
struct IncompleteBody {
    /// Seconds after the raise.
    after_s: u64,
}

/// What an automation does.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = AutomationEffect)]
#[serde(rename_all = "snake_case")]
enum EffectBody {
    Raise(RaiseEffectBody),
    Add(AddEffectBody),
    Post(PostEffectBody),
    /// `critical`, `high`, `normal` or `low`.
    Severity(String),
    /// Tells whoever asked for the alert: `complete` or `not_reached`.
    Tell(String),
    Close(CloseEffectBody),
}

/// Raises an alert from another template.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = RaiseEffect)]
#[serde(deny_unknown_fields)]
struct RaiseEffectBody {
    template: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    placeholders: BTreeMap<String, String>,
}

/// Calls more people, as they are when it happens.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = AddEffect)]
#[serde(deny_unknown_fields)]
struct AddEffectBody {
    /// `person:KEY`, `group:KEY`, `schedule:KEY`.
    to: Vec<String>,
}

/// Writes in the room.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = PostEffect)]
#[serde(deny_unknown_fields)]
struct PostEffectBody {
    text: String,
}

/// Resolves the alert. Nobody is texted.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = CloseEffect)]
#[serde(deny_unknown_fields)]
struct CloseEffectBody {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
}

fn one() -> u16 {
    1
}

impl AutomationBody {
    /// Reads it; words that are not known are noted with their place.
    pub(super) fn parse(self, fields: &mut Fields, at: &str) -> Option<Automation> {
        let when = self.when.parse(fields, &format!("{at}/when"))?;
        let effects = self.then.into_iter().enumerate();
        let then: Vec<Option<Effect>> = effects
            .map(|(place, body)| body.parse(fields, &format!("{at}/then/{place}")))
            .collect();
        let then = then.into_iter().collect::<Option<Vec<Effect>>>()?;
        Some(Automation { when, then })
    }
}

impl WhenBody {
    fn parse(self, fields: &mut Fields, at: &str) -> Option<When> {
        Some(match self {
            Self::Answered(body) => When::Answered {
                count: body.count,
                answer: answer(fields, &format!("{at}/answered/answer"), body.answer)?,
                among: body.among,
            },
            Self::Nobody(body) => When::Nobody {
                after_ms: body.after_s.saturating_mul(1_000),
                answer: answer(fields, &format!("{at}/nobody/answer"), body.answer)?,
                among: body.among,
            },
            Self::Complete => When::Complete,
            Self::Incomplete(body) => When::Incomplete {
                after_ms: body.after_s.saturating_mul(1_000),
            },
        })
    }
}

/// `Some(None)`: any answer; `None`: a word that is no answer.
fn answer(fields: &mut Fields, at: &str, word: Option<String>) -> Option<Option<Answer>> {
    let Some(word) = word else {
        return Some(None);
    };
    let known = &Answer::ALL.map(Answer::name);
    fields.one_of(at, &word, Answer::parse, known).map(Some)
}

impl EffectBody {
    fn parse(self, fields: &mut Fields, at: &str) -> Option<Effect> {
        Some(match self {
            Self::Raise(body) => Effect::Raise {
                template: body.template,
                values: body.placeholders,
            },
            Self::Add(body) => Effect::Add { to: body.to },
            Self::Post(body) => Effect::Post { text: body.text },
            Self::Severity(word) => {
                let known = &Severity::ALL.map(Severity::name);
                let at = format!("{at}/severity");
                let severity = fields.one_of(&at, &word, Severity::parse, known)?;
                Effect::Severity { severity }
            }
            Self::Tell(word) => {
                let known = &Word::ALL.map(Word::name);
                let news = fields.one_of(&format!("{at}/tell"), &word, Word::parse, known)?;
                Effect::Tell { news }
            }
            Self::Close(body) => Effect::Close { note: body.note },
        })
    }
}

impl From<Automation> for AutomationBody {
    fn from(automation: Automation) -> Self {
        Self {
            when: automation.when.into(),
            then: automation.then.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<When> for WhenBody {
    fn from(when: When) -> Self {
        let word = |answer: Option<Answer>| answer.map(|answer| answer.name().to_owned());
        match when {
            When::Answered {
                count,
                answer,
                among,
            } => Self::Answered(AnsweredBody {
                count,
                answer: word(answer),
                among,
            }),
            When::Nobody {
                after_ms,
                answer,
                among,
            } => Self::Nobody(NobodyBody {
                after_s: after_ms / 1_000,
                answer: word(answer),
                among,
            }),
            When::Complete => Self::Complete,
            When::Incomplete { after_ms } => Self::Incomplete(IncompleteBody {
                after_s: after_ms / 1_000,
            }),
        }
    }
}

impl From<Effect> for EffectBody {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Raise { template, values } => Self::Raise(RaiseEffectBody {
                template,
                placeholders: values,
            }),
            Effect::Add { to } => Self::Add(AddEffectBody { to }),
            Effect::Post { text } => Self::Post(PostEffectBody { text }),
            Effect::Severity { severity } => Self::Severity(severity.name().to_owned()),
            Effect::Tell { news } => Self::Tell(news.name().to_owned()),
            Effect::Close { note } => Self::Close(CloseEffectBody { note }),
        }
    }
}

/// One automation as a sentence, by language.
pub(crate) fn sentences(automation: &Automation) -> BTreeMap<&'static str, String> {
    let one = |language: &Language| (language.tag(), texts::automation(*language, automation));
    Language::all().iter().map(one).collect()
}

/// Answers to try a template's automations with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryBody {
    /// Up to 500, in any order.
    #[serde(default)]
    pub(super) answers: Vec<TriedAnswer>,
}

/// An answer somebody would give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriedAnswer {
    /// Seconds after the raise.
    pub(super) after_s: u64,
    /// Key of the person.
    pub(super) person: String,
    /// `coming`, `cannot`, `received` or `need_help`.
    pub(super) answer: String,
}

/// What would happen, in order. Nothing was raised, called or written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TriedTemplate)]
pub(crate) struct TriedJson {
    version: u32,
    fires: Vec<ForeseenJson>,
    /// Automations that would not fire, by their place in the template.
    silent: Vec<u16>,
    /// Names that mean nobody now.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ForeseenAutomation)]
struct ForeseenJson {
    /// Seconds after the raise.
    after_s: u64,
    /// Place in the template, from 1.
    number: u16,
    /// Why.
    cause: String,
    /// The whole of it, by language.
    sentences: BTreeMap<&'static str, String>,
}

impl TriedJson {
    pub(super) fn new(
        version: u32,
        automations: &[Automation],
        foreseen: Vec<Foreseen>,
        warnings: Vec<String>,
    ) -> Self {
        let fired: Vec<u16> = foreseen.iter().map(|one| one.number).collect();
        let numbered = || (1_u16..).zip(automations);
        let fires = foreseen.into_iter().map(|one| ForeseenJson {
            after_s: one.after_ms / 1_000,
            number: one.number,
            cause: one.cause,
            sentences: numbered()
                .find(|(number, _)| *number == one.number)
                .map(|(_, automation)| sentences(automation))
                .unwrap_or_default(),
        });
        Self {
            version,
            fires: fires.collect(),
            silent: numbered()
                .map(|(number, _)| number)
                .filter(|number| !fired.contains(number))
                .collect(),
            warnings,
        }
    }
}
