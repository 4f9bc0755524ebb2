//! Collecting what is wrong with a request body, field by field, so that one answer names every mistake.

use crate::problem::{FieldError, Kind, Problem};

/// The most mistakes named in one answer.
const ERRORS_MAX: usize = 50;

/// Mistakes found so far.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// Notes a mistake at a JSON pointer such as `/to/people/0` (RFC 6901).
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(FieldError {
                pointer: format!("#{}", pointer.into()),
                detail: detail.into(),
            });
        }
    }

    /// Notes the mistake of a failed parse and goes on with nothing.
    pub(crate) fn take<T, E: ToString>(
        &mut self,
        pointer: impl Into<String>,
        parsed: Result<T, E>,
    ) -> Option<T> {
        parsed
            .map_err(|error| self.add(pointer, error.to_string()))
            .ok()
    }

    /// Notes a word that is none of `known` and goes on with nothing.
    pub(crate) fn one_of<T>(
        &mut self,
        pointer: &str,
        word: &str,
        parse: impl Fn(&str) -> Option<T>,
        known: &[&str],
    ) -> Option<T> {
        let parsed = parse(word);
        if parsed.is_none() {
            let detail = format!("{word:?} is not known; write one of {}", known.join(", "));
            self.add(pointer, detail);
        }
        parsed
    }

    /// Notes text that is longer than `max` characters.
    pub(crate) fn at_most(&mut self, pointer: impl Into<String>, text: &str, max: usize) {
        let found = text.chars().count();
        if found > max {
            self.add(
                pointer,
                format!("has {found} characters; at most {max} are taken"),
            );
        }
    }

    /// The problem that names every mistake, if there was one.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(self.into_problem())
        }
    }

    /// The problem for mistakes known to be there.
    pub(crate) fn into_problem(self) -> Problem {
        let detail = match self.errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields are not as expected; see errors", many.len()),
        };
        Problem::new(Kind::InvalidInput, detail).with_errors(self.errors)
    }
}
