//! Cells that spreadsheets would take for formulas.
//!
//! A spreadsheet runs a CSV cell that begins with `=`, `+`, `-` or `@` (OWASP, "CSV Injection"). An apostrophe in front
//! makes it text. It is taken off again when a file is read, so a value that has one of its own gets another.

const STARTS: [char; 4] = ['=', '+', '-', '@'];

/// A value as it may stand in a CSV cell.
pub(crate) fn guarded(value: &str) -> String {
    if value.starts_with(STARTS) {
        return format!("'{value}");
    }
    apostrophe(value)
}

/// A value as it may stand where cells have types and text is never a formula.
pub(crate) fn apostrophe(value: &str) -> String {
    if is_guarded(value) {
        return format!("'{value}");
    }
    value.to_owned()
}

/// The value of a cell.
pub(crate) fn unguarded(cell: &str) -> &str {
    if is_guarded(cell) { &cell[1..] } else { cell }
}

fn is_guarded(cell: &str) -> bool {
    let after = cell.strip_prefix('\'');
    after.is_some_and(|after| after.starts_with(STARTS) || after.starts_with('\''))
}
