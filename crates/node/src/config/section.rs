//! One section being read: every key is asked for once by type, and what was not asked for is an error.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::tree::{Node, Origin, Problem, Table, Value};

/// A setting as it took effect, for `config show`.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) key: String,
    /// Written as TOML.
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// What reading leaves behind besides the settings.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) problems: Vec<Problem>,
    pub(super) shown: Vec<Shown>,
}

/// The keys of one section, taken one by one.
pub(super) struct Section<'n> {
    path: String,
    origin: Origin,
    left: Table,
    origins: BTreeMap<String, Origin>,
    known: Vec<&'static str>,
    notes: &'n mut Notes,
}

impl<'n> Section<'n> {
    pub(super) fn new(path: &str, origin: Origin, table: Table, notes: &'n mut Notes) -> Self {
        let origins = table
            .iter()
            .map(|(key, value)| (key.clone(), value.origin.clone()))
            .collect();
        Self {
            path: path.to_owned(),
            origin,
            left: table,
            origins,
            known: Vec::new(),
            notes,
        }
    }

    /// A text, if given.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        let Node::Text(text) = value.node else {
            self.problem(
                key,
                format!("expected a text in quotes, found {}", value.node.kind()),
            );
            return None;
        };
        self.show(key, toml::Value::from(text.as_str()));
        Some(text)
    }

    /// A text, or what stands for it when it is not given.
    pub(super) fn text_or(&mut self, key: &'static str, default: &str) -> String {
        if self.origins.contains_key(key) {
            return self.text(key).unwrap_or_else(|| default.to_owned());
        }
        self.known.push(key);
        self.show(key, toml::Value::from(default));
        default.to_owned()
    }

    /// A text that must be given.
    pub(super) fn required(&mut self, key: &'static str, hint: &str) -> String {
        if !self.origins.contains_key(key) {
            self.known.push(key);
            let origin = self.origin.clone();
            self.problem_at(origin, key, format!("missing; {hint}"));
            return String::new();
        }
        self.text(key).unwrap_or_default()
    }

    /// A whole number within `range`.
    pub(super) fn number_or(
        &mut self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> u32 {
        let Some(value) = self.take(key) else {
            self.show(key, toml::Value::from(i64::from(default)));
            return default;
        };
        let Node::Number(number) = value.node else {
            self.problem(
                key,
                format!("expected a whole number, found {}", value.node.kind()),
            );
            return default;
        };
        match u32::try_from(number).ok().filter(|n| range.contains(n)) {
            Some(number) => {
                self.show(key, toml::Value::from(i64::from(number)));
                number
            }
            None => {
                self.problem(
                    key,
                    format!(
                        "{number} is out of range; use {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
                default
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let Node::List(list) = value.node else {
            self.problem(
                key,
                format!("expected a list of texts, found {}", value.node.kind()),
            );
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in list {
            if let Node::Text(text) = item.node {
                texts.push(text);
            } else {
                self.problem_at(
                    item.origin,
                    key,
                    format!("expected a text in quotes, found {}", item.node.kind()),
                );
            }
        }
        self.show(key, toml::Value::from(texts.clone()));
        texts
    }

    /// One of a closed set of words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        let Some(text) = self.text(key) else {
            return default;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.problem(key, format!("{text:?} is not one of {}", all.join(", ")));
        default
    }

    /// Sections of a list, such as every `[[modem]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Value> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let Node::List(list) = value.node else {
            self.problem(key, format!("write it with two brackets, [[{key}]]"));
            return Vec::new();
        };
        list
    }

    /// A subsection; empty when it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> (Origin, Table) {
        let Some(value) = self.take(key) else {
            return (Origin::Default, Table::new());
        };
        let Node::Table(table) = value.node else {
            self.problem(key, format!("write it as a section, [{key}]"));
            return (Origin::Default, Table::new());
        };
        (value.origin, table)
    }

    /// Notes what is wrong with a key.
    pub(super) fn problem(&mut self, key: &str, text: String) {
        let origin = self.origins.get(key).unwrap_or(&self.origin).clone();
        self.problem_at(origin, key, text);
    }

    /// Whatever was not asked for is unknown here.
    pub(super) fn finish(self) {
        for (key, value) in &self.left {
            let near = self
                .known
                .iter()
                .map(|k| (distance(k, key), *k))
                .min()
                .filter(|(d, k)| *d <= 1 + k.len() / 3);
            let hint = match near {
                Some((_, known)) => format!("did you mean {known}?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            let key = dotted(&self.path, key);
            self.notes.problems.push(Problem {
                origin: value.origin.clone(),
                key,
                text: format!("unknown key; {hint}"),
            });
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.left.remove(key)
    }

    fn problem_at(&mut self, origin: Origin, key: &str, text: String) {
        self.notes.problems.push(Problem {
            origin,
            key: dotted(&self.path, key),
            text,
        });
    }

    fn show(&mut self, key: &str, value: toml::Value) {
        let origin = self.origins.get(key).cloned().unwrap_or(Origin::Default);
        self.notes.shown.push(Shown {
            key: dotted(&self.path, key),
            value: value.to_string(),
            origin,
        });
    }
}

fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Edits (insert, drop, replace, swap neighbours) that turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn a_slip_of_the_finger_is_one_edit() {
        for (a, b, edits) in [
            ("listen", "listen", 0),
            ("listen", "lsiten", 1),
            ("https", "http", 1),
            ("name", "nmae", 1),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }
}
