//! The numbers people say aloud: `118` from the cluster, `B-7` from node B's island. Each is its alert's for ever.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

/// A number given by an island.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Label {
    /// The node whose island gave it.
    pub origin: NodeId,
    /// Counts up over all islands of that node.
    pub counter: u64,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.origin.letters(), self.counter)
    }
}

/// An alert's number as somebody wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Name {
    /// `118`
    Cluster(u64),
    /// `B-7`, in upper case.
    Island(String),
}

impl Name {
    /// Reads `118`, `B-7`, `b-7` and `B7`; nothing else is a number of an alert.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (letters, digits) = text.split_at(letters);
        let digits = if letters.is_empty() {
            digits
        } else {
            digits.strip_prefix('-').unwrap_or(digits)
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || letters.len() > 4 {
            return None;
        }
        let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
        Some(if letters.is_empty() {
            Self::Cluster(number)
        } else {
            Self::Island(format!("{}-{number}", letters.to_ascii_uppercase()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_as_people_write_them() {
        let island = |text: &str| Some(Name::Island(text.to_owned()));
        for (text, name) in [
            ("118", Some(Name::Cluster(118))),
            (" B-7 ", island("B-7")),
            ("b-07", island("B-7")),
            ("aa12", island("AA-12")),
            ("-7", None),
            ("0", None),
            ("B-", None),
            ("B--7", None),
            ("", None),
            ("7B", None),
            ("ä-7", None),
        ] {
            assert_eq!(Name::parse(text), name, "{text:?}");
        }
    }

    #[test]
    fn letters_count_like_columns_of_a_sheet() {
        for (node, letters) in [(1, "A"), (2, "B"), (26, "Z"), (27, "AA"), (53, "BA")] {
            assert_eq!(NodeId(node).letters(), letters);
        }
    }
}
