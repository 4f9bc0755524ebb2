//! Tables of people: a row of column names, then a row a person. CSV reading and writing.

use std::collections::BTreeMap;

use crate::column::Column;
use crate::guard::{guarded, unguarded};
use crate::{Entry, Exported, FileError, LINES_MAX, Line};

/// A row of a table with its place in the file.
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) cells: Vec<String>,
}

/// Splits CSV into rows (RFC 4180), whichever of comma, semicolon and tab it uses.
pub(crate) fn csv_rows(text: &str) -> Result<Vec<Row>, FileError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator(text))
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut place = Place { at: 0, line: 1 };
    for record in reader.records() {
        let record = record.map_err(FileError::Csv)?;
        if rows.len() > LINES_MAX {
            return Err(FileError::TooLong);
        }
        rows.push(Row {
            line: place.line_of(text, record.position()),
            cells: record.iter().map(str::to_owned).collect(),
        });
    }
    Ok(rows)
}

/// How far lines were counted. The reader's own count is behind after `\r\n` and after empty lines.
struct Place {
    at: usize,
    line: u64,
}

impl Place {
    /// The line on which a record begins that lies after those asked about before.
    fn line_of(&mut self, text: &str, position: Option<&csv::Position>) -> u64 {
        let start = position.and_then(|p| usize::try_from(p.byte()).ok());
        let bytes = text.as_bytes();
        let mut end = start.unwrap_or(self.at).clamp(self.at, bytes.len());
        while matches!(bytes.get(end), Some(b'\r' | b'\n')) {
            end += 1;
        }
        let ends = bytes[self.at..end].iter().filter(|b| **b == b'\n').count();
        self.line += ends as u64;
        self.at = end;
        self.line
    }
}

/// What the rows say of people.
pub(crate) fn lines(rows: Vec<Row>) -> Result<Vec<Line>, FileError> {
    let mut rows = rows.into_iter();
    let header = columns(&rows.next().ok_or(FileError::Empty)?.cells)?;
    let mut first_lines = BTreeMap::new();
    let mut lines = Vec::new();
    for row in rows {
        if row.cells.iter().all(String::is_empty) {
            continue;
        }
        lines.push(line(&header, row, &mut first_lines));
    }
    Ok(lines)
}

fn line(header: &[Column], mut row: Row, first_lines: &mut BTreeMap<String, u64>) -> Line {
    // Spreadsheets leave out what is empty at the end of a row.
    let said = row.cells.iter().rposition(|cell| !cell.is_empty());
    let given = row.cells.len();
    row.cells
        .truncate(said.map_or(0, |last| last + 1).max(header.len().min(given)));
    let mut cells: Vec<(Column, String)> = Vec::with_capacity(header.len());
    for (column, cell) in header.iter().zip(&row.cells) {
        cells.push((*column, unguarded(cell).to_owned()));
    }
    let key = cells
        .iter()
        .find(|(column, _)| *column == Column::Key)
        .map_or_else(String::new, |(_, key)| key.clone());
    let refusal = if row.cells.len() != header.len() {
        Some(format!(
            "{} fields where the first line has {}",
            row.cells.len(),
            header.len()
        ))
    } else {
        let first = first_lines.get(&key);
        first.map(|first| format!("the key is already on line {first}"))
    };
    let entry = match refusal {
        Some(reason) => Err(reason),
        None => {
            first_lines.insert(key.clone(), row.line);
            Ok(Entry::new(key.clone(), cells))
        }
    };
    Line {
        line: row.line,
        key,
        entry,
        warnings: Vec::new(),
    }
}

fn columns(names: &[String]) -> Result<Vec<Column>, FileError> {
    let mut columns = Vec::with_capacity(names.len());
    let said = names.iter().rposition(|name| !name.is_empty());
    for name in &names[..said.map_or(0, |last| last + 1)] {
        let column = Column::parse(name).ok_or_else(|| FileError::UnknownColumn {
            column: name.chars().take(40).collect(),
            known: Column::names(),
        })?;
        if columns.contains(&column) {
            return Err(FileError::TwiceTheColumn(name.clone()));
        }
        columns.push(column);
    }
    if !columns.contains(&Column::Key) {
        return Err(FileError::MissingColumn {
            column: Column::Key.name(),
            known: Column::names(),
        });
    }
    Ok(columns)
}

/// Writes people as CSV, with a byte order mark, because spreadsheets take what has none for another encoding.
pub(crate) fn write_csv(people: &[Exported]) -> Result<Vec<u8>, FileError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    writer
        .write_record(Column::EXPORTED.map(Column::name))
        .map_err(FileError::Csv)?;
    for exported in people {
        let cells = Column::EXPORTED.map(|column| guarded(&column.cell(exported)));
        writer.write_record(cells).map_err(FileError::Csv)?;
    }
    writer
        .into_inner()
        .map_err(|error| FileError::Write(error.into_error()))
}

/// The separator the first line has most of. Spreadsheets in much of Europe write semicolons.
fn separator(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |byte: &u8| first.bytes().filter(|b| b == byte).count();
    let mut best = b',';
    for other in [b';', b'\t'] {
        if count(&other) > count(&best) {
            best = other;
        }
    }
    best
}
