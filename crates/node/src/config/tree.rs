//! Settings as a tree in which every value remembers where it was written. Layers are laid over each other here; what a
//! key means is decided in [`super::read`].

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a value was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// Nobody wrote it.
    Default,
    File {
        path: Arc<Path>,
        line: usize,
    },
    Environment {
        variable: Arc<str>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment {variable}"),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) origin: Origin,
    pub(super) node: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Number(i64),
    List(Vec<Value>),
    Table(Table),
    /// A kind no setting has, by its TOML name.
    Other(&'static str),
}

/// The keys of one section.
pub(super) type Table = BTreeMap<String, Value>;

impl Node {
    /// What to call it in an error.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Table(_) => "a section",
            Self::Other(kind) => kind,
        }
    }
}

/// What is wrong with one setting, where, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    pub(crate) origin: Origin,
    /// Dotted path of the key; empty when the file as a whole is meant.
    pub(crate) key: String,
    pub(crate) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// Reads one TOML file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Table, Problem> {
    let lines = Lines {
        path: path.into(),
        text,
    };
    match DeTable::parse(text) {
        Ok(table) => Ok(lines.table(table.into_inner())),
        Err(error) => Err(Problem {
            origin: lines.origin(error.span().unwrap_or(0..0)),
            key: String::new(),
            text: format!("not TOML: {}", error.message()),
        }),
    }
}

/// Lays `upper` over `lower`: sections merge key by key, lists of named sections (`[[modem]]`) merge by `name`, and
/// everything else is replaced.
pub(super) fn overlay(lower: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (lower.get_mut(&key), value) {
            (
                Some(Value {
                    node: Node::Table(below),
                    ..
                }),
                Value {
                    node: Node::Table(above),
                    ..
                },
            ) => overlay(below, above),
            (
                Some(Value {
                    node: Node::List(below),
                    ..
                }),
                Value {
                    node: Node::List(above),
                    ..
                },
            ) if is_named(&above) => {
                overlay_named(below, above);
            }
            (_, value) => {
                lower.insert(key, value);
            }
        }
    }
}

/// Settings given as `HOLDFAST__SECTION__KEY=value`. The value is TOML if it reads as such, otherwise plain text.
pub(super) fn from_environment(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Table, Problem> {
    let mut root = Table::new();
    for (variable, text) in variables {
        let Some(rest) = variable.strip_prefix("HOLDFAST__") else {
            continue;
        };
        let origin = Origin::Environment {
            variable: variable.as_str().into(),
        };
        let Some((section, key)) = rest
            .split_once("__")
            .filter(|(s, k)| !s.is_empty() && !k.is_empty() && !k.contains("__"))
        else {
            return Err(Problem {
                origin,
                key: String::new(),
                text: "name it HOLDFAST__SECTION__KEY".to_owned(),
            });
        };
        let node = match DeValue::parse(&text) {
            Ok(value) => environment_node(&origin, value.into_inner()),
            Err(_) => Node::Text(text),
        };
        let table = root.entry(section.to_lowercase()).or_insert_with(|| Value {
            origin: origin.clone(),
            node: Node::Table(Table::new()),
        });
        if let Node::Table(table) = &mut table.node {
            table.insert(key.to_lowercase(), Value { origin, node });
        }
    }
    Ok(root)
}

fn is_named(list: &[Value]) -> bool {
    list.iter().any(|value| name_of(value).is_some())
}

fn name_of(value: &Value) -> Option<&str> {
    let Node::Table(table) = &value.node else {
        return None;
    };
    let Some(Value {
        node: Node::Text(name),
        ..
    }) = table.get("name")
    else {
        return None;
    };
    Some(name)
}

fn overlay_named(below: &mut Vec<Value>, above: Vec<Value>) {
    for value in above {
        let same =
            name_of(&value).and_then(|name| below.iter().position(|b| name_of(b) == Some(name)));
        match (same.map(|at| &mut below[at].node), value) {
            (
                Some(Node::Table(lower)),
                Value {
                    node: Node::Table(upper),
                    ..
                },
            ) => overlay(lower, upper),
            (_, value) => below.push(value),
        }
    }
}

struct Lines<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl Lines<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self
            .text
            .as_bytes()
            .get(..span.start)
            .unwrap_or(self.text.as_bytes());
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        Origin::File {
            path: Arc::clone(&self.path),
            line,
        }
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        let value = |(key, value): (Spanned<toml::de::DeString<'_>>, Spanned<DeValue<'_>>)| {
            let origin = self.origin(key.span());
            (
                key.into_inner().into_owned(),
                Value {
                    node: self.node(value.into_inner()),
                    origin,
                },
            )
        };
        table.into_iter().map(value).collect()
    }

    fn node(&self, value: DeValue<'_>) -> Node {
        node(value, &|span| self.origin(span), &|table| self.table(table))
    }
}

fn environment_node(origin: &Origin, value: DeValue<'_>) -> Node {
    node(value, &|_| origin.clone(), &|_| Table::new())
}

fn node(
    value: DeValue<'_>,
    origin: &dyn Fn(Range<usize>) -> Origin,
    table: &dyn Fn(DeTable<'_>) -> Table,
) -> Node {
    match value {
        DeValue::String(text) => Node::Text(text.into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                .map_or(Node::Other("a number too large"), Node::Number)
        }
        DeValue::Boolean(_) => Node::Other("true or false"),
        DeValue::Array(list) => Node::List(
            list.into_iter()
                .map(|item| Value {
                    origin: origin(item.span()),
                    node: node(item.into_inner(), origin, table),
                })
                .collect(),
        ),
        DeValue::Table(inner) => Node::Table(table(inner)),
        DeValue::Float(_) => Node::Other("a fraction"),
        DeValue::Datetime(_) => Node::Other("a date"),
    }
}
