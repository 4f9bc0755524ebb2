//! What a person or group must look like to be taken. Used by apply, and by whoever wants to say so earlier.

mod changes;
mod hours;
mod nesting;

pub(super) use self::changes::weigh;
pub use self::changes::{Change, Weight, changed_fields};
pub use self::hours::{parse_hours, write_hours};
pub(super) use self::nesting::{NESTING_MAX, nesting_problem};
use super::{
    Barred, ContactMethod, Criterion, Details, Group, Import, Member, Person, Rule, Verify,
};
use crate::codec;
use crate::phone::{MailAddress, PhoneNumber};

const KEY_LEN_MAX: usize = 64;
const NAME_LEN_MAX: usize = 120;
const METHODS_MAX: usize = 8;
const LANGUAGES_MAX: usize = 8;
const ZONE_LEN_MAX: usize = 64;
/// Tags, skills or sites of one person.
const LABELS_MAX: usize = 30;
const LABEL_LEN_MAX: usize = 40;
const WINDOWS_MAX: usize = 50;
const ANSWER_MINUTES_MAX: u16 = 240;
const NOTE_LEN_MAX: usize = 500;
const MEMBERS_MAX: usize = 100_000;
/// Groups named by one group.
const INNER_GROUPS_MAX: usize = 100;
const CRITERIA_MAX: usize = 20;
const HOW_LEN_MAX: usize = 80;
const SOURCE_LEN_MAX: usize = 80;
/// The largest import, encoded: some 20,000 people. A file may be larger if most of it is known already.
const IMPORT_BYTES_MAX: usize = 4 << 20;
const REASON_LEN_MAX: usize = 200;
const PREFIXES_MAX: usize = 250;

/// Says what is wrong with a person, in words for the one who wrote it.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_person(person: &Person) -> Result<(), String> {
    check_key(&person.key)?;
    check_name(&person.name)?;
    check_language(&person.language)?;
    if person.methods.is_empty() {
        return Err(format!(
            "{} has no contact method; add a phone number or a mail address",
            person.key
        ));
    }
    if person.methods.len() > METHODS_MAX {
        return Err(format!(
            "{} has more than {METHODS_MAX} contact methods",
            person.key
        ));
    }
    for (place, method) in person.methods.iter().enumerate() {
        check_method(method)?;
        if person.methods[..place].contains(method) {
            return Err(format!(
                "{} is named twice; name each contact method once",
                method.address()
            ));
        }
    }
    check_details(&person.key, &person.details)
}

/// Says what is wrong with a group by itself. Whom it names is looked up when it is put.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_group(group: &Group) -> Result<(), String> {
    check_key(&group.key)?;
    check_name(&group.name)?;
    if group.members.len() > MEMBERS_MAX {
        return Err(format!(
            "group {} has more than {MEMBERS_MAX} members",
            group.key
        ));
    }
    let inner = group.members.iter().filter(|member| match member {
        Member::Group(_) => true,
        Member::Person(_) => false,
    });
    if inner.count() > INNER_GROUPS_MAX {
        return Err(format!(
            "group {} names more than {INNER_GROUPS_MAX} groups; use a rule instead",
            group.key
        ));
    }
    check_rule(&group.rule)
}

/// Says what is wrong with a note about a contact method.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_verify(verify: &Verify) -> Result<(), String> {
    check_method(&verify.method)?;
    check_line("how it was found out", &verify.how, HOW_LEN_MAX)
}

/// Says what is wrong with an import by itself.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_import(import: &Import) -> Result<(), String> {
    check_line("the source", &import.source, SOURCE_LEN_MAX)?;
    if import.source.is_empty() {
        return Err("say what the source is called".to_owned());
    }
    import.people.iter().try_for_each(check_person)?;
    for join in &import.joins {
        check_key(&join.group)?;
        if join.people.len() > MEMBERS_MAX {
            return Err(format!(
                "group {} would have more than {MEMBERS_MAX} members",
                join.group
            ));
        }
    }
    let bytes = codec::encode(import).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > IMPORT_BYTES_MAX {
        return Err(format!(
            "the import changes {} people, more than fits into one; split the file",
            import.people.len().max(import.absent.len())
        ));
    }
    Ok(())
}

/// Says what is wrong with the reason of a freeze.
///
/// # Errors
/// What is wrong with it.
pub fn check_reason(reason: &str) -> Result<(), String> {
    if reason.trim().is_empty() {
        return Err("say why, so that others know when to thaw it".to_owned());
    }
    check_line("the reason", reason, REASON_LEN_MAX)
}

/// Says what is wrong with a list of allowed beginnings of numbers.
///
/// # Errors
/// The first that is wrong, and how to write one.
pub fn check_prefixes(prefixes: &[String]) -> Result<(), String> {
    if prefixes.len() > PREFIXES_MAX {
        return Err(format!("at most {PREFIXES_MAX} prefixes are kept"));
    }
    for prefix in prefixes {
        let digits = prefix.strip_prefix('+').unwrap_or_default();
        let fits = (1..=10).contains(&digits.len()) && !digits.starts_with('0');
        if !fits || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!(
                "{:?} is not the beginning of a number; write +358 or +35840",
                prefix.chars().take(20).collect::<String>()
            ));
        }
    }
    Ok(())
}

/// Which numbers texts may go to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prefixes {
    /// Beginnings that are allowed; none: all.
    pub allowed: Vec<String>,
    /// Beginnings that are not, whatever is allowed. By prefix.
    pub barred: Vec<Barred>,
}

/// Says what is wrong with a list of barred beginnings of numbers.
///
/// # Errors
/// The first that is wrong, and how to write one.
pub fn check_barred(barred: &[Barred]) -> Result<(), String> {
    let prefixes: Vec<String> = barred.iter().map(|bar| bar.prefix.clone()).collect();
    check_prefixes(&prefixes)?;
    for (place, bar) in barred.iter().enumerate() {
        check_label("word for such numbers", &bar.what)?;
        if barred[..place]
            .iter()
            .any(|other| other.prefix == bar.prefix)
        {
            return Err(format!("{} is named twice", bar.prefix));
        }
    }
    Ok(())
}

/// Says why a contact method is not used: its number begins like one of the barred, unless a longer beginning of it is
/// allowed, or has none of the allowed beginnings. No list allows every number.
///
/// # Errors
/// The reason, without the number, because it stands beside it wherever it is shown.
pub fn check_prefix(prefixes: &Prefixes, method: &ContactMethod) -> Result<(), String> {
    let number = match method {
        ContactMethod::Sms(number) => number,
        ContactMethod::Email(_) => return Ok(()),
    };
    let is_of = |prefix: &str| number.starts_with(prefix);
    let allowed = prefixes.allowed.iter().filter(|prefix| is_of(prefix));
    let allowed = allowed.map(String::len).max();
    let barred = prefixes.barred.iter().filter(|bar| is_of(&bar.prefix));
    if let Some(bar) = barred.max_by_key(|bar| bar.prefix.len())
        && allowed.is_none_or(|len| len <= bar.prefix.len())
    {
        return Err(format!(
            "no text goes to {} numbers ({}); see `holdfast directory barred`",
            bar.what, bar.prefix
        ));
    }
    if allowed.is_some() || prefixes.allowed.is_empty() {
        return Ok(());
    }
    Err(
        "no text may go to numbers that begin like this; see `holdfast directory prefixes`"
            .to_owned(),
    )
}

fn check_details(key: &str, details: &Details) -> Result<(), String> {
    if details.more_languages.len() > LANGUAGES_MAX {
        return Err(format!("{key} has more than {LANGUAGES_MAX} languages"));
    }
    details
        .more_languages
        .iter()
        .try_for_each(|l| check_language(l))?;
    check_zone(&details.zone)?;
    for (what, labels) in [
        ("tag", &details.tags),
        ("skill", &details.skills),
        ("site", &details.sites),
    ] {
        if labels.len() > LABELS_MAX {
            return Err(format!("{key} has more than {LABELS_MAX} {what}s"));
        }
        for (place, label) in labels.iter().enumerate() {
            check_label(what, label)?;
            if labels[..place].contains(label) {
                return Err(format!("{key} has the {what} {label:?} twice"));
            }
        }
    }
    if details.hours.len() > WINDOWS_MAX {
        return Err(format!(
            "{key} has more than {WINDOWS_MAX} windows of hours"
        ));
    }
    if !details.hours.iter().all(hours::is_window)
        || details.hours.windows(2).any(|pair| pair[0] >= pair[1])
    {
        return Err(format!(
            "the hours of {key} are not windows of the week in order, each once"
        ));
    }
    if let Some(waker) = &details.wishes.wake_by {
        check_key(waker)?;
        if waker == key {
            return Err(format!(
                "{key} cannot be woken by {key}; name somebody else"
            ));
        }
    }
    if let Some(minutes) = details.wishes.answer_minutes
        && !(1..=ANSWER_MINUTES_MAX).contains(&minutes)
    {
        return Err(format!(
            "{minutes} minutes to answer: write 1 to {ANSWER_MINUTES_MAX}, or leave it out"
        ));
    }
    check_line("the note", &details.note, NOTE_LEN_MAX)
}

fn check_rule(rule: &Rule) -> Result<(), String> {
    for (what, criteria) in [("all_of", &rule.all_of), ("any_of", &rule.any_of)] {
        if criteria.len() > CRITERIA_MAX {
            return Err(format!("{what} has more than {CRITERIA_MAX} criteria"));
        }
        for (place, criterion) in criteria.iter().enumerate() {
            match criterion {
                Criterion::Tag(value) | Criterion::Skill(value) | Criterion::Site(value) => {
                    check_label(criterion.kind(), value)?;
                }
                Criterion::Kind(_) => {}
            }
            if criteria[..place].contains(criterion) {
                return Err(format!("{what} names {criterion} twice"));
            }
        }
    }
    Ok(())
}

fn check_method(method: &ContactMethod) -> Result<(), String> {
    match method {
        // The stored form must be the one inbound numbers are compared with.
        ContactMethod::Sms(number) => match PhoneNumber::parse(number) {
            Ok(parsed) if parsed.as_str() == number => Ok(()),
            Ok(parsed) => Err(format!("write {number:?} as {parsed}")),
            Err(error) => Err(error.to_string()),
        },
        ContactMethod::Email(address) => match MailAddress::parse(address) {
            Ok(parsed) if parsed.as_str() == address => Ok(()),
            Ok(parsed) => Err(format!("write {address:?} as {}", parsed.as_str())),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// Says what is wrong with the key of a person or a group.
///
/// # Errors
/// How to write one.
pub fn check_key(key: &str) -> Result<(), String> {
    let fits = (1..=KEY_LEN_MAX).contains(&key.len());
    if fits
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    {
        return Ok(());
    }
    let shown: String = key.chars().take(KEY_LEN_MAX).collect();
    Err(format!(
        "{shown:?} is not a key; use 1 to {KEY_LEN_MAX} of a-z, A-Z, 0-9, dot, dash and underscore"
    ))
}

fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.chars().count() > NAME_LEN_MAX || name.chars().any(char::is_control) {
        return Err(format!(
            "a name has at most {NAME_LEN_MAX} characters and no line breaks"
        ));
    }
    if name.trim() != name {
        return Err(format!(
            "write the name without blanks around it: {:?}",
            name.trim()
        ));
    }
    Ok(())
}

fn check_language(language: &str) -> Result<(), String> {
    if (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(format!(
        "{:?} is not a language; write en, fi, sv, fr or ja",
        language.chars().take(40).collect::<String>()
    ))
}

/// The form of a name in the IANA time zone database (`theory.html`, "Names of timezones"), or nothing.
fn check_zone(zone: &str) -> Result<(), String> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    if zone.is_empty() || (zone.len() <= ZONE_LEN_MAX && zone.split('/').all(part)) {
        return Ok(());
    }
    Err(format!(
        "{:?} is not a time zone; write its IANA name, such as Europe/Helsinki",
        zone.chars().take(ZONE_LEN_MAX).collect::<String>()
    ))
}

fn check_label(what: &str, label: &str) -> Result<(), String> {
    let fits = (1..=LABEL_LEN_MAX).contains(&label.chars().count()) && label.trim() == label;
    let plain = |c: char| !c.is_control() && !matches!(c, ',' | ';' | ':');
    if fits && label.chars().all(plain) {
        return Ok(());
    }
    Err(format!(
        "{:?} is not a {what}; use 1 to {LABEL_LEN_MAX} characters without comma, semicolon and colon",
        label.chars().take(LABEL_LEN_MAX).collect::<String>()
    ))
}

fn check_line(what: &str, text: &str, len_max: usize) -> Result<(), String> {
    if text.chars().count() > len_max || text.chars().any(char::is_control) {
        return Err(format!(
            "{what} has at most {len_max} characters and no line breaks"
        ));
    }
    if text.trim() != text {
        return Err(format!("write {what} without blanks around it"));
    }
    Ok(())
}
