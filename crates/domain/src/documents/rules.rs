//! Decisions about documents without SQL.

use super::Put;
use crate::texts;
use crate::time::CivilTime;

/// Documents there can be.
pub(super) const DOCUMENTS_MAX: i64 = 1_000;

/// Scenarios one document can be pinned to.
const TEMPLATES_MAX: usize = 50;

const TITLE_LEN_MAX: usize = 100;

/// The title as it is kept, if everything about the document is as it may be.
pub(super) fn check(put: &Put) -> Result<String, String> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(2..=40).contains(&put.key.len()) || !put.key.chars().all(known) {
        return Err("a document's key has 2 to 40 small letters, digits and hyphens".to_owned());
    }
    if put.templates.len() > TEMPLATES_MAX {
        return Err(format!(
            "a document belongs to at most {TEMPLATES_MAX} scenarios"
        ));
    }
    let title = texts::clean(&put.title);
    match title.is_empty() || title.chars().count() > TITLE_LEN_MAX {
        true => Err(format!(
            "a document's title has 1 to {TITLE_LEN_MAX} characters"
        )),
        false => Ok(title),
    }
}

/// Whether the day by which somebody had to look at it again is over.
pub fn is_overdue(review_by: Option<i64>, now: CivilTime) -> bool {
    review_by.is_some_and(|day| now.day() > day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_overdue_from_the_day_after() {
        let day = |day: i64| CivilTime(day * 86_400_000 + 3_600_000);
        assert!(!is_overdue(None, day(20_000)));
        assert!(!is_overdue(Some(20_000), day(20_000)));
        assert!(is_overdue(Some(20_000), day(20_001)));
    }
}
