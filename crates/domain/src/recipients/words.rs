//! The one way in which the slice's words are written, in rows, requests and files alike.

use std::fmt;

use super::{ContactMethod, Criterion, Found, Member, PersonKind, Rule};
use crate::phone::{MailAddress, PhoneNumber};

/// What stands before the key of a group among members.
const GROUP_MARK: &str = "group:";

impl PersonKind {
    pub const ALL: [Self; 3] = [Self::Internal, Self::Supplier, Self::Authority];

    /// The word in rows, requests and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Supplier => "supplier",
            Self::Authority => "authority",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Found {
    pub const ALL: [Self; 3] = [Self::Unverified, Self::Verified, Self::Failed];

    /// The word in rows and requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Verified => "verified",
            Self::Failed => "failed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.name() == name)
    }
}

impl ContactMethod {
    /// By which network it goes: `sms` or `email`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sms(_) => "sms",
            Self::Email(_) => "email",
        }
    }

    /// The number or mailbox.
    pub fn address(&self) -> &str {
        match self {
            Self::Sms(address) | Self::Email(address) => address,
        }
    }

    /// Reads `sms:+358401234567`, `email:anna@example.org`, or the address alone.
    ///
    /// # Errors
    /// What is wrong with the address, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, address) = match text.split_once(':') {
            Some((kind, address)) => (kind.trim(), address.trim()),
            None if text.contains('@') => ("email", text.trim()),
            None => ("sms", text.trim()),
        };
        match kind {
            "sms" => PhoneNumber::parse(address)
                .map(|number| Self::Sms(number.as_str().to_owned()))
                .map_err(|error| error.to_string()),
            "email" => MailAddress::parse(address)
                .map(|address| Self::Email(address.as_str().to_owned()))
                .map_err(|error| error.to_string()),
            other => Err(format!(
                "{:?} is not a kind of contact method; write sms or email",
                other.chars().take(20).collect::<String>()
            )),
        }
    }
}

impl fmt::Display for ContactMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.address())
    }
}

impl Member {
    /// Reads a person's key, or `group:` and a group's key. Whether there is one by that key is another question.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix(GROUP_MARK) {
            Some(key) => Self::Group(key.to_owned()),
            None => Self::Person(text.to_owned()),
        }
    }
}

impl From<&str> for Member {
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(key) => f.write_str(key),
            Self::Group(key) => write!(f, "{GROUP_MARK}{key}"),
        }
    }
}

impl Criterion {
    /// Its kind as rows have it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Tag(_) => "tag",
            Self::Skill(_) => "skill",
            Self::Site(_) => "site",
            Self::Kind(_) => "kind",
        }
    }

    /// What must be so, without its kind.
    pub(super) fn value(&self) -> &str {
        match self {
            Self::Tag(value) | Self::Skill(value) | Self::Site(value) => value,
            Self::Kind(kind) => kind.name(),
        }
    }

    /// Reads `tag:night`, `skill:network`, `site:Turku` or `kind:supplier`.
    ///
    /// # Errors
    /// How to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "{:?} is not a criterion; write tag:…, skill:…, site:… or kind:internal, kind:supplier, kind:authority",
                text.chars().take(60).collect::<String>()
            )
        };
        let (kind, value) = text.split_once(':').ok_or_else(bad)?;
        match kind {
            "tag" => Ok(Self::Tag(value.to_owned())),
            "skill" => Ok(Self::Skill(value.to_owned())),
            "site" => Ok(Self::Site(value.to_owned())),
            "kind" => PersonKind::parse(value).map(Self::Kind).ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.value())
    }
}

impl Rule {
    /// Whether it finds nobody.
    pub fn is_empty(&self) -> bool {
        self.all_of.is_empty() && self.any_of.is_empty()
    }
}
