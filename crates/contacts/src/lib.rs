//! People as files write them: CSV, XLSX and vCard. Bytes in, people out, and back.
//!
//! Files come from anywhere, so nothing in one can make the reader fail as a whole, allocate without bound or pass over
//! a line in silence: a line is an [`Entry`] or the reason why it is none. This crate opens no file and no socket.

mod column;
mod entry;
mod guard;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod vcard;
mod xlsx;

use domain::recipients::Person;

pub use self::entry::Entry;

/// The largest file read, in bytes.
pub const FILE_BYTES_MAX: usize = 10 << 20;
/// Lines of people in one file.
pub const LINES_MAX: usize = 100_000;

/// What a file says of people.
#[derive(Clone, Debug)]
pub struct Reading {
    pub format: Format,
    /// What is odd about the file as a whole.
    pub warnings: Vec<String>,
    /// In the order of the file.
    pub lines: Vec<Line>,
}

/// One person's place in a file.
#[derive(Clone, Debug)]
pub struct Line {
    /// Line or row counted from 1, the header included; of a vCard, the line it begins on.
    pub line: u64,
    /// As far as it can be told; else empty.
    pub key: String,
    /// What it says, or why it cannot be taken.
    pub entry: Result<Entry, String>,
    /// What was passed over.
    pub warnings: Vec<String>,
}

/// How a file writes people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Csv,
    Xlsx,
    Vcard,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Csv, Self::Xlsx, Self::Vcard];

    /// The word in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Vcard => "vcard",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// As HTTP names it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Vcard => "text/vcard; charset=utf-8",
        }
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("the file is empty")]
    Empty,
    #[error("the file has more than {} MB; split it", FILE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the file has more than {LINES_MAX} lines; split it")]
    TooLong,
    #[error("line 1: unknown column {column:?}; known are {known}")]
    UnknownColumn { column: String, known: String },
    #[error("line 1: the column {0:?} stands twice")]
    TwiceTheColumn(String),
    #[error("line 1: the column {column:?} is missing; the first line names the columns: {known}")]
    MissingColumn { column: &'static str, known: String },
    #[error("the file cannot be read as CSV")]
    Csv(#[source] csv::Error),
    #[error("the file cannot be read as a spreadsheet: {0}; save it again as XLSX, or as CSV")]
    Spreadsheet(String),
    #[error("the file cannot be written")]
    Write(#[source] std::io::Error),
}

/// A person with the groups that name them, to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exported {
    pub person: Person,
    pub groups: Vec<String>,
}

/// What a table would say of a person in the column of this name; empty when there is no such column.
pub fn cell(column: &str, exported: &Exported) -> String {
    column::Column::parse(column).map_or_else(String::new, |column| column.cell(exported))
}

/// Reads a file of any of the formats; the first bytes say which.
///
/// # Errors
/// When the file as a whole is not a list of people. What is wrong with a line stands in the line.
pub fn read(bytes: &[u8]) -> Result<Reading, FileError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(FileError::TooLarge);
    }
    if bytes.starts_with(b"PK") {
        return Ok(Reading {
            format: Format::Xlsx,
            warnings: Vec::new(),
            lines: table::lines(xlsx::rows(bytes)?)?,
        });
    }
    let (text, warnings) = text::decode(bytes);
    let (format, lines) = if vcard::is_vcard(&text) {
        (Format::Vcard, vcard::lines(&text)?)
    } else {
        (Format::Csv, table::lines(table::csv_rows(&text)?)?)
    };
    Ok(Reading {
        format,
        warnings,
        lines,
    })
}

/// Writes people in a format so that [`read`] gives them back unchanged.
///
/// # Errors
/// Only when there is no memory to write to.
pub fn write(format: Format, people: &[Exported]) -> Result<Vec<u8>, FileError> {
    match format {
        Format::Csv => table::write_csv(people),
        Format::Xlsx => xlsx::write(people),
        Format::Vcard => Ok(vcard::write(people).into_bytes()),
    }
}
