//! Commands about people, groups, and how files may change them.

use serde::{Deserialize, Serialize};

use crate::ids::ImportId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds people or replaces them by key. All or nothing.
    PutPeople {
        people: Vec<Person>,
    },
    /// Removes a person; running alerts keep what was frozen.
    RemovePerson {
        key: String,
    },
    /// Adds groups or replaces them by key. All or nothing.
    PutGroups {
        groups: Vec<Group>,
    },
    /// Removes a group that no other group names.
    RemoveGroup {
        key: String,
    },
    /// Notes whether a contact method was found to reach its person.
    Verify(Verify),
    /// Changes people from a file or a directory service; what is too much for that waits for a person.
    Import(Import),
    /// Says what becomes of an import that waits.
    DecideImport {
        import: ImportId,
        approve: bool,
    },
    /// Refuses every import until it is thawed; people edited by hand are not touched by it.
    FreezeImports {
        /// Why, as people should read it.
        reason: String,
    },
    ThawImports,
    /// The beginnings of phone numbers that texts may go to; none: all.
    AllowPrefixes {
        prefixes: Vec<String>,
    },
    /// The beginnings of phone numbers that no text goes to, in place of those before.
    BarPrefixes {
        barred: Vec<Barred>,
    },
}

/// Numbers that no text goes to: satellite phones, premium rates, whatever costs more than it should.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Barred {
    /// How they begin: `+881`.
    pub prefix: String,
    /// What they are, as people read it: `satellite`.
    pub what: String,
}

/// A person who can be told something.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// Short stable name chosen by the organisation, such as a staff number: 1 to 64 characters.
    pub key: String,
    pub name: String,
    /// BCP 47 primary language: `en`, `fi`, `sv`, `fr`, `ja`. Others get English texts.
    pub language: String,
    /// In the order in which they are tried.
    pub methods: Vec<ContactMethod>,
    pub details: Details,
}

/// What is known of a person beyond how to reach them. All of it may be left out.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Details {
    pub kind: PersonKind,
    /// Their contact methods are duty numbers: an import may not change one by itself.
    pub duty: bool,
    /// Further languages, best first, in the form of [`Person::language`].
    pub more_languages: Vec<String>,
    /// IANA time zone such as `Europe/Helsinki`; empty: not known. Checked for form only.
    pub zone: String,
    pub tags: Vec<String>,
    pub skills: Vec<String>,
    pub sites: Vec<String>,
    /// When they can be asked, in their own wall time; none: always.
    pub hours: Vec<Window>,
    pub wishes: Wishes,
    /// For people to read: at most 500 characters.
    pub note: String,
}

/// To whom a person belongs.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub enum PersonKind {
    /// One of the organisation's own.
    #[default]
    Internal,
    Supplier,
    Authority,
}

/// What a person asked for that matters at night.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Wishes {
    /// Never call by voice.
    pub never_voice: bool,
    /// Key of somebody who wakes them: a partner, a neighbour, a colleague in the same camp.
    pub wake_by: Option<String>,
    /// Minutes they need to answer, if more than others: 1 to 240.
    pub answer_minutes: Option<u16>,
}

/// A time of the week: from a minute of one day until a minute of that day or, if not later, of the next.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Window {
    /// 0 is Monday, 6 is Sunday.
    pub day: u8,
    /// Minute of the day, 0 to 1439.
    pub from: u16,
    /// Minute of the day, 1 to 1440.
    pub until: u16,
}

/// One way to reach a person.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum ContactMethod {
    /// E.164 number: `+358401234567`.
    Sms(String),
    /// RFC 5321 mailbox.
    Email(String),
}

/// A named, ordered set of people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Short stable name: 1 to 64 characters.
    pub key: String,
    pub name: String,
    /// In calling order. Those the rule finds come after them, by key.
    pub members: Vec<Member>,
    pub rule: Rule,
}

/// Somebody, or everybody of another group.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Member {
    Person(String),
    Group(String),
}

/// Whom a group finds by what is known of people: those who meet all of `all_of` and, if there is any, one of `any_of`.
/// Nobody when both are empty.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub all_of: Vec<Criterion>,
    pub any_of: Vec<Criterion>,
}

/// Something that is known of a person or not.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Criterion {
    Tag(String),
    Skill(String),
    Site(String),
    Kind(PersonKind),
}

/// What a try at a contact method showed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    pub person: String,
    pub method: ContactMethod,
    pub found: Found,
    /// By which path it was found out: `answered by sms`, `told by phone`. At most 80 characters.
    pub how: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Found {
    /// Nothing; what was known is forgotten.
    Unverified,
    Verified,
    Failed,
}

/// What a file or a directory service says of people, with what would not change left out.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// As people call it: a file's name, a directory service. What waits gives way to a newer import of the same source.
    pub source: String,
    /// Those to add, and those to replace by key.
    pub people: Vec<Person>,
    pub joins: Vec<Join>,
    /// Keys of people whom a complete source does not name any more. Never removed without a person's approval.
    pub absent: Vec<String>,
}

/// People to add at the end of a group, which is made if there is none.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Join {
    pub group: String,
    pub people: Vec<String>,
}
