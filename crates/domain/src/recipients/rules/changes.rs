//! What an import would change, and whether that is too much for nobody to look at.

use std::collections::{BTreeMap, BTreeSet};

use crate::recipients::{Import, Person};

/// One of this many people may change at once without a person's approval: 5 %.
const CHANGED_ONE_OF: u64 = 20;

/// What would become of one person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// As known now; absent: not known.
    pub before: Option<Person>,
    /// As the import wants it; absent: removed.
    pub after: Option<Person>,
    /// Groups the person would be added to.
    pub groups: Vec<String>,
}

/// What an import would come to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Weight {
    /// In order of key; those that would not change are absent.
    pub changes: Vec<Change>,
    /// Why people must not change before a person has looked; none: they may.
    pub waits: Vec<String>,
}

impl Change {
    /// Whom it is about.
    pub fn key(&self) -> &str {
        let person = self.after.as_ref().or(self.before.as_ref());
        person.map_or("", |person| &person.key)
    }

    /// What would differ, by the names files and requests use.
    pub fn fields(&self) -> Vec<&'static str> {
        let mut fields = match (&self.before, &self.after) {
            (Some(before), Some(after)) => changed_fields(before, after),
            (None, _) | (_, None) => Vec::new(),
        };
        if !self.groups.is_empty() {
            fields.push("groups");
        }
        fields
    }

    fn touches_duty(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                (before.details.duty || after.details.duty)
                    && (before.details.duty != after.details.duty
                        || before.methods != after.methods)
            }
            (None, Some(only)) | (Some(only), None) => only.details.duty,
            (None, None) => false,
        }
    }
}

/// The names of what differs between two forms of a person, as files and requests use them.
pub fn changed_fields(before: &Person, after: &Person) -> Vec<&'static str> {
    let (b, a) = (&before.details, &after.details);
    [
        ("name", before.name != after.name),
        ("kind", b.kind != a.kind),
        ("duty", b.duty != a.duty),
        (
            "languages",
            before.language != after.language || b.more_languages != a.more_languages,
        ),
        ("methods", before.methods != after.methods),
        ("zone", b.zone != a.zone),
        ("tags", b.tags != a.tags),
        ("skills", b.skills != a.skills),
        ("sites", b.sites != a.sites),
        ("hours", b.hours != a.hours),
        ("never_voice", b.wishes.never_voice != a.wishes.never_voice),
        ("wake_by", b.wishes.wake_by != a.wishes.wake_by),
        (
            "answer_minutes",
            b.wishes.answer_minutes != a.wishes.answer_minutes,
        ),
        ("note", b.note != a.note),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

/// Weighs the people of an import against those known; removals are no part of it, they always wait.
///
/// `known` holds whom the import names, `members` the group members it names, `count` is how many people there are.
/// Those it adds do not count: they take nothing from anybody.
pub(in crate::recipients) fn weigh(
    import: &Import,
    known: &BTreeMap<String, Person>,
    members: &BTreeSet<(String, String)>,
    count: u64,
) -> Weight {
    let mut joined: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for join in &import.joins {
        for person in &join.people {
            if !members.contains(&(join.group.clone(), person.clone())) {
                joined.entry(person).or_default().push(join.group.clone());
            }
        }
    }
    let mut wanted: BTreeMap<&str, Option<&Person>> =
        joined.keys().map(|key| (*key, None)).collect();
    wanted.extend(import.people.iter().map(|p| (p.key.as_str(), Some(p))));
    let changes: Vec<Change> = wanted
        .into_iter()
        .map(|(key, after)| Change {
            before: known.get(key).cloned(),
            after: after.or_else(|| known.get(key)).cloned(),
            groups: joined.remove(key).unwrap_or_default(),
        })
        .filter(|change| change.before != change.after || !change.groups.is_empty())
        .collect();
    let changed = changes.iter().filter(|c| c.before.is_some()).count() as u64;
    let mut waits = Vec::new();
    if changed * CHANGED_ONE_OF > count {
        waits.push(format!(
            "it changes {changed} of {count} people, more than {} %",
            100 / CHANGED_ONE_OF
        ));
    }
    let duty: Vec<&str> = changes
        .iter()
        .filter(|change| change.touches_duty())
        .map(Change::key)
        .collect();
    if let Some(first) = duty.first() {
        let others = match duty.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        waits.push(format!("it changes the duty number of {first}{others}"));
    }
    Weight { changes, waits }
}
