//! Bytes of what is said of documents.

use crate::conversations::Speaker;
use crate::documents::{Command as Documents, Put};
use crate::{Command, FileId};

pub(super) fn samples() -> Vec<(&'static str, Command)> {
    let by = || Speaker {
        name: "Anna".to_owned(),
        person: None,
    };
    let key = || "fire-plan".to_owned();
    let put = Put {
        key: key(),
        title: "Fire plan".to_owned(),
        file: FileId([9; 16]),
        owner: "anna".to_owned(),
        review_by: Some(20_500),
        templates: vec!["fire".to_owned()],
        kit: true,
        by: by(),
    };
    vec![
        ("documents.put", Command::Documents(Documents::Put(put))),
        (
            "documents.remove",
            Command::Documents(Documents::Remove {
                key: key(),
                by: by(),
            }),
        ),
    ]
}
