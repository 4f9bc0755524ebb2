//! The table against the document.

use std::collections::BTreeSet;

use super::*;
use crate::openapi;

#[test]
fn every_operation_has_exactly_one_row_and_every_row_an_operation() {
    let documented: BTreeSet<(String, String)> = openapi::operations(&openapi::document())
        .into_iter()
        .collect();
    let apart = [OF_SOURCES, OF_STRANGERS, OF_SESSIONS, OF_KNOWN].concat();
    let rows: Vec<(String, String)> = TABLE
        .iter()
        .map(|(method, path, _)| (method, path))
        .chain(apart.iter().map(|(method, path)| (method, path)))
        .map(|(method, path)| (method.to_string(), (*path).to_owned()))
        .collect();
    let unique: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(unique.len(), rows.len(), "a row stands twice");
    assert_eq!(unique, documented);
}

#[test]
fn reading_scopes_never_cover_a_change() {
    for (method, path, scope) in TABLE {
        let reads = matches!(
            scope,
            Some(
                Scope::AlertRead
                    | Scope::PeopleRead
                    | Scope::TemplateRead
                    | Scope::ClusterRead
                    | Scope::MetricsRead
                    | Scope::SourceRead
                    | Scope::RoomRead
                    | Scope::AuditRead
            ) | None
        );
        assert!(
            !reads || method == Method::GET,
            "{method} {path} needs a scope that allows changes"
        );
    }
}

#[test]
fn what_is_for_units_is_an_operation_whose_scope_a_unit_can_hold() {
    for (method, path) in of_units::OF_UNITS {
        let row = TABLE
            .iter()
            .find(|(row_method, row_path, _)| row_method == method && row_path == path);
        let scope = row.and_then(|(_, _, scope)| *scope);
        assert!(
            scope.is_some_and(Scope::is_for_units),
            "{method} {path} can be held by no unit"
        );
    }
}
