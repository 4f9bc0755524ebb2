//! People with what is known of them, groups of them, and how files may change them.
//!
//! Invariants: keys name people and groups for ever; a removed person stays as a row, because alerts name them. Groups
//! never contain themselves. What an import would do to more than a few people, to a duty number or by removing somebody
//! happens only once a person approved it.

mod apply;
mod command;
mod marks;
mod query;
mod rules;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use self::apply::{apply, note_answered, note_delivered, place};
pub use self::command::{
    Barred, Command, ContactMethod, Criterion, Details, Found, Group, Import, Join, Member, Person,
    PersonKind, Rule, Verify, Window, Wishes,
};
pub use self::marks::NumberMark;
pub(crate) use self::marks::mark_number;
pub use self::query::{
    Freeze, GroupRow, ImportRow, ImportState, Membership, Named, Occupancy, PersonRow,
    Verification, allowed_prefixes, by_address, by_ids, by_keys, count, freeze, group, groups,
    import, imports, keys, languages, occupancy, people, person, prefixes, resolve, waiting,
    weight,
};
pub(crate) use self::query::{first_unknown_person, of_whom, people_by_site};
pub use self::rules::{
    Change, Prefixes, Weight, changed_fields, check_barred, check_group, check_import, check_key,
    check_person, check_prefix, check_prefixes, check_reason, check_verify, parse_hours,
    write_hours,
};
