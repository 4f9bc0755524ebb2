//! What a person or group must look like to be taken. Used by apply, and by whoever wants to say so earlier.

use super::{ContactMethod, Group, Person};
use crate::phone::{MailAddress, PhoneNumber};

const KEY_LEN_MAX: usize = 64;
const NAME_LEN_MAX: usize = 120;
const METHODS_MAX: usize = 8;
const MEMBERS_MAX: usize = 100_000;

/// Says what is wrong with a person, in words for the one who wrote it.
pub fn check_person(person: &Person) -> Result<(), String> {
    check_key(&person.key)?;
    check_name(&person.name)?;
    let language = person.language.as_str();
    if !(2..=3).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(format!(
            "{language:?} is not a language; write fi, sv or en"
        ));
    }
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
    for method in &person.methods {
        match method {
            // The stored form must be the one inbound numbers are compared with.
            ContactMethod::Sms(number) => match PhoneNumber::parse(number) {
                Ok(parsed) if parsed.as_str() == number => {}
                Ok(parsed) => return Err(format!("write {number:?} as {parsed}")),
                Err(error) => return Err(error.to_string()),
            },
            ContactMethod::Email(address) => {
                MailAddress::parse(address).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(())
}

/// Says what is wrong with a group.
pub fn check_group(group: &Group) -> Result<(), String> {
    check_key(&group.key)?;
    check_name(&group.name)?;
    if group.members.len() > MEMBERS_MAX {
        return Err(format!(
            "group {} has more than {MEMBERS_MAX} members",
            group.key
        ));
    }
    Ok(())
}

pub(crate) fn check_key(key: &str) -> Result<(), String> {
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
    Ok(())
}
