//! A person as JSON, both ways.

use domain::phone::{MailAddress, PhoneNumber};
use domain::recipients::{
    self, ContactMethod, Details, Found, NumberMark, Person, PersonKind, PersonRow, Verification,
    Wishes, parse_hours, write_hours,
};
use domain::{Civil, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::Fields;

/// By which network a contact method goes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MethodKind {
    Sms,
    Email,
}

/// One way to reach a person.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MethodBody {
    kind: MethodKind,
    /// Phone number with country code, or mail address.
    #[schema(example = "+358401234567")]
    address: String,
}

/// To whom a person belongs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KindWord {
    #[default]
    Internal,
    Supplier,
    Authority,
}

/// What a person asked for that matters at night.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WishesJson {
    /// Never call by voice.
    never_voice: bool,
    /// Key of somebody who wakes them.
    wake_by: Option<String>,
    /// Minutes they need to answer, if more than others: 1 to 240.
    answer_minutes: Option<u16>,
}

/// A person. What is left out is empty.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonBody {
    /// Short stable name such as a staff number: 1 to 64 letters, digits, dots, dashes and underscores. One of many needs
    /// it; where it stands in the path, it may be left out.
    #[schema(example = "anna")]
    pub(super) key: Option<String>,
    /// As people know them.
    #[schema(example = "Anna Virtanen")]
    name: String,
    /// Language code; texts exist in `en`, `fi`, `sv`, `fr` and `ja`, others get English.
    #[schema(example = "fi", default = "en")]
    language: Option<String>,
    /// All languages, best first, instead of `language`.
    languages: Option<Vec<String>>,
    #[serde(default)]
    #[schema(inline)]
    kind: KindWord,
    /// Their contact methods are duty numbers: an import may not change one by itself.
    #[serde(default)]
    duty: bool,
    /// In the order in which they are tried.
    methods: Vec<MethodBody>,
    /// IANA time zone. Checked for form only.
    #[serde(default)]
    #[schema(example = "Europe/Helsinki")]
    zone: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    skills: Vec<String>,
    #[serde(default)]
    sites: Vec<String>,
    /// When they can be asked, in their own wall time; empty: always.
    #[serde(default)]
    #[schema(example = "Mon-Fri 08:00-16:00, Sat 22:00-06:00")]
    hours: String,
    #[serde(default)]
    wishes: WishesJson,
    /// For people to read: at most 500 characters.
    #[serde(default)]
    note: String,
}

/// What a try at a contact method showed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FoundWord {
    Unverified,
    Verified,
    Failed,
}

/// One way to reach a person, and what is known of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ContactMethod)]
pub(crate) struct MethodJson {
    kind: MethodKind,
    address: String,
    state: FoundWord,
    /// By which path the state was found out; empty when unverified.
    how: String,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Set for 24 hours after it was changed with a voucher: texts from it command nothing, and no code is sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
pub(crate) struct PersonJson {
    key: String,
    name: String,
    /// The first of `languages`.
    language: String,
    languages: Vec<String>,
    #[schema(inline)]
    kind: KindWord,
    duty: bool,
    methods: Vec<MethodJson>,
    zone: String,
    tags: Vec<String>,
    skills: Vec<String>,
    sites: Vec<String>,
    hours: String,
    wishes: WishesJson,
    note: String,
    /// Keys of the groups that name the person; rules may bring them into others.
    groups: Vec<String>,
    /// Set for 24 hours after a number was changed with a voucher: texts from it command nothing.
    number_changed_at: Option<String>,
    /// Who vouched for it.
    vouched_by: Option<String>,
    /// Key of the unit they belong to.
    unit: Option<String>,
}

/// Reads a person, noting every mistake at its place under `at`.
pub(super) fn parse_person(
    fields: &mut Fields,
    at: &str,
    key: String,
    body: PersonBody,
) -> Option<Person> {
    let mut methods = Vec::with_capacity(body.methods.len());
    for (index, method) in body.methods.iter().enumerate() {
        let pointer = format!("{at}/methods/{index}/address");
        methods.push(fields.take(pointer, parse_method(method))?);
    }
    let mut languages = body.languages.unwrap_or_default().into_iter();
    let first = languages.next();
    if let (Some(first), Some(language)) = (&first, &body.language)
        && first != language
    {
        fields.add(
            format!("{at}/languages"),
            format!("the first is not {language:?}; leave `language` out"),
        );
        return None;
    }
    let hours = fields.take(format!("{at}/hours"), parse_hours(&body.hours))?;
    let person = Person {
        key,
        name: body.name.trim().to_owned(),
        language: first.or(body.language).unwrap_or_else(|| "en".to_owned()),
        methods,
        details: Details {
            kind: body.kind.into(),
            duty: body.duty,
            more_languages: languages.collect(),
            zone: body.zone,
            tags: body.tags,
            skills: body.skills,
            sites: body.sites,
            hours,
            wishes: Wishes {
                never_voice: body.wishes.never_voice,
                wake_by: body.wishes.wake_by,
                answer_minutes: body.wishes.answer_minutes,
            },
            note: body.note.trim().to_owned(),
        },
    };
    fields.take(at, recipients::check_person(&person))?;
    Some(person)
}

/// Reads a contact method in any of the forms people write numbers in.
pub(super) fn parse_method(method: &MethodBody) -> Result<ContactMethod, String> {
    match method.kind {
        MethodKind::Sms => PhoneNumber::parse(&method.address)
            .map(|number| ContactMethod::Sms(number.as_str().to_owned()))
            .map_err(|error| error.to_string()),
        MethodKind::Email => MailAddress::parse(&method.address)
            .map(|address| ContactMethod::Email(address.as_str().to_owned()))
            .map_err(|error| error.to_string()),
    }
}

pub(super) fn person_json(row: PersonRow, civil: &Civil, now: Timestamp) -> PersonJson {
    let methods = row.methods.into_iter().zip(row.verification);
    let known = row.details;
    let mark = row.number_mark.filter(|mark| now < mark.until);
    let mut languages = vec![row.language.clone()];
    languages.extend(known.more_languages);
    PersonJson {
        key: row.key,
        name: row.name,
        language: row.language,
        languages,
        kind: known.kind.into(),
        duty: known.duty,
        methods: methods
            .map(|(method, found)| method_json(method, found, mark.as_ref(), civil))
            .collect(),
        zone: known.zone,
        tags: known.tags,
        skills: known.skills,
        sites: known.sites,
        hours: write_hours(&known.hours),
        wishes: WishesJson {
            never_voice: known.wishes.never_voice,
            wake_by: known.wishes.wake_by,
            answer_minutes: known.wishes.answer_minutes,
        },
        note: known.note,
        groups: row.groups,
        number_changed_at: mark.as_ref().map(|mark| civil.rfc3339(mark.changed_at)),
        vouched_by: mark.map(|mark| mark.vouched_by),
        unit: row.unit,
    }
}

fn method_json(
    method: ContactMethod,
    found: Verification,
    mark: Option<&NumberMark>,
    civil: &Civil,
) -> MethodJson {
    let (kind, address) = match method {
        ContactMethod::Sms(address) => (MethodKind::Sms, address),
        ContactMethod::Email(address) => (MethodKind::Email, address),
    };
    let mark = mark.filter(|mark| mark.number == address);
    MethodJson {
        kind,
        changed_at: mark.map(|mark| civil.rfc3339(mark.changed_at)),
        address,
        state: match found.found {
            Found::Unverified => FoundWord::Unverified,
            Found::Verified => FoundWord::Verified,
            Found::Failed => FoundWord::Failed,
        },
        how: found.how,
        at: found.at.map(|at| civil.rfc3339(at)),
    }
}

impl From<FoundWord> for Found {
    fn from(word: FoundWord) -> Self {
        match word {
            FoundWord::Unverified => Self::Unverified,
            FoundWord::Verified => Self::Verified,
            FoundWord::Failed => Self::Failed,
        }
    }
}

impl From<KindWord> for PersonKind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Internal => Self::Internal,
            KindWord::Supplier => Self::Supplier,
            KindWord::Authority => Self::Authority,
        }
    }
}

impl From<PersonKind> for KindWord {
    fn from(kind: PersonKind) -> Self {
        match kind {
            PersonKind::Internal => Self::Internal,
            PersonKind::Supplier => Self::Supplier,
            PersonKind::Authority => Self::Authority,
        }
    }
}
