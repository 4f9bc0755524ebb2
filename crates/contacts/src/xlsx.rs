//! Spreadsheets (ECMA-376, SpreadsheetML), as far as a table of people needs them: the text of the first sheet's cells.
//!
//! What a file claims about itself (sizes, counts, dimensions) is never believed: every part is inflated under one
//! budget, and rows grow cell by cell. Entities of a document type are never expanded.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::column::Column;
use crate::guard::apostrophe;
use crate::table::Row;
use crate::{Exported, FileError, LINES_MAX};

/// All parts that are read, inflated.
const INFLATED_MAX: u64 = 64 << 20;
/// Columns beyond this are not looked at; a table of people has fewer.
const COLUMNS_MAX: usize = 64;
const STRINGS_MAX: usize = 2_000_000;

/// The rows of the first sheet.
pub(crate) fn rows(bytes: &[u8]) -> Result<Vec<Row>, FileError> {
    let mut book = Book {
        archive: ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(&e))?,
        left: INFLATED_MAX,
    };
    let sheet = book.first_sheet()?;
    let strings = match book.part("xl/sharedStrings.xml")? {
        Some(xml) => shared_strings(&xml)?,
        None => Vec::new(),
    };
    let xml = book
        .part(&sheet)?
        .ok_or_else(|| FileError::Spreadsheet(format!("it has no {sheet}")))?;
    cells(&xml, &strings)
}

struct Book<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// What may still be inflated.
    left: u64,
}

impl Book<'_> {
    /// A part as text, if there is one by this name.
    fn part(&mut self, name: &str) -> Result<Option<String>, FileError> {
        let file = match self.archive.by_name(name) {
            Ok(file) => file,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(bad(&error)),
        };
        let mut text = String::new();
        let read = file
            .take(self.left + 1)
            .read_to_string(&mut text)
            .map_err(|e| bad(&e))?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            FileError::Spreadsheet(format!("it unpacks to more than {} MB", INFLATED_MAX >> 20))
        })?;
        Ok(Some(text))
    }

    /// The name of the first sheet's part: the workbook names a relation, the relation a part.
    fn first_sheet(&mut self) -> Result<String, FileError> {
        let missing = |what: &str| FileError::Spreadsheet(format!("it has no {what}"));
        let workbook = self
            .part("xl/workbook.xml")?
            .ok_or_else(|| missing("workbook"))?;
        let relations = self
            .part("xl/_rels/workbook.xml.rels")?
            .ok_or_else(|| missing("list of sheets"))?;
        let mut sheet = None;
        elements(&workbook, "sheet", |element| {
            if sheet.is_none() {
                sheet = attribute(element, "r:id");
            }
        })?;
        let wanted = sheet.ok_or_else(|| missing("sheet"))?;
        let mut target = None;
        elements(&relations, "Relationship", |element| {
            if attribute(element, "Id").as_deref() == Some(&wanted) {
                target = attribute(element, "Target");
            }
        })?;
        let target = target.ok_or_else(|| missing("first sheet"))?;
        Ok(match target.strip_prefix('/') {
            Some(absolute) => absolute.to_owned(),
            None => format!("xl/{target}"),
        })
    }
}

/// Shows every element of a name.
fn elements(xml: &str, name: &str, mut show: impl FnMut(&BytesStart<'_>)) -> Result<(), FileError> {
    let mut reader = Reader::from_str(xml);
    loop {
        let event = reader.read_event().map_err(|e| bad(&e))?;
        if let Event::Start(element) | Event::Empty(element) = &event
            && element.local_name().as_ref() == name
        {
            show(element);
        }
        if matches!(event, Event::Eof) {
            return Ok(());
        }
    }
}

/// The text of every string item, formatting and readings left out.
fn shared_strings(xml: &str) -> Result<Vec<String>, FileError> {
    let mut reader = Reader::from_str(xml);
    let mut strings = Vec::new();
    let (mut item, mut in_text, mut in_reading) = (None, false, false);
    loop {
        let event = reader.read_event().map_err(|e| bad(&e))?;
        if let Some(text) = text_of(&event) {
            if in_text && !in_reading {
                item.get_or_insert_with(String::new).push_str(&text);
            }
            continue;
        }
        match mark(&event) {
            Mark::Open("si") => item = Some(String::new()),
            Mark::Open("t") => in_text = true,
            Mark::Open("rPh") => in_reading = true,
            Mark::Close("t") => in_text = false,
            Mark::Close("rPh") => in_reading = false,
            Mark::Close("si") => strings.push(item.take().unwrap_or_default()),
            Mark::Lone("si") => strings.push(String::new()),
            Mark::End => return Ok(strings),
            Mark::Open(_) | Mark::Close(_) | Mark::Lone(_) | Mark::Other => {}
        }
        if strings.len() > STRINGS_MAX {
            return Err(FileError::TooLong);
        }
    }
}

/// The cell being read.
#[derive(Default)]
struct Cell {
    column: usize,
    kind: String,
    text: String,
}

fn cells(xml: &str, strings: &[String]) -> Result<Vec<Row>, FileError> {
    let mut reader = Reader::from_str(xml);
    let mut rows: Vec<Row> = Vec::new();
    let (mut cell, mut in_value): (Option<Cell>, bool) = (None, false);
    loop {
        let event = reader.read_event().map_err(|e| bad(&e))?;
        if let Some(text) = text_of(&event) {
            if in_value && let Some(cell) = &mut cell {
                cell.text.push_str(&text);
            }
            continue;
        }
        if let Event::Start(element) | Event::Empty(element) = &event {
            match element.local_name().as_ref() {
                "row" => rows.push(row(element, rows.last())),
                "c" => {
                    let next = rows.last().map_or(0, |row| row.cells.len());
                    let place = attribute(element, "r").as_deref().and_then(column_of);
                    cell = Some(Cell {
                        column: place.unwrap_or(next),
                        kind: attribute(element, "t").unwrap_or_default(),
                        text: String::new(),
                    });
                }
                _ => {}
            }
        }
        match mark(&event) {
            Mark::Open("v" | "t") => in_value = true,
            Mark::Close("v" | "t") => in_value = false,
            Mark::Close("c") => {
                if let (Some(cell), Some(row)) = (cell.take(), rows.last_mut()) {
                    put(row, cell, strings)?;
                }
            }
            Mark::End => break,
            Mark::Open(_) | Mark::Close(_) | Mark::Lone(_) | Mark::Other => {}
        }
        if rows.len() > LINES_MAX + 1 {
            return Err(FileError::TooLong);
        }
    }
    // Cells that are empty at the end of a row are left out.
    let width = rows.first().map_or(0, |header| header.cells.len());
    for row in &mut rows {
        row.cells.resize(row.cells.len().max(width), String::new());
    }
    Ok(rows)
}

fn row(element: &BytesStart<'_>, before: Option<&Row>) -> Row {
    let next = before.map_or(1, |row| row.line + 1);
    // A row whose number is missing or unreadable is the one after the last, as spreadsheet programs take it.
    let given = attribute(element, "r").and_then(|r| r.parse().ok());
    Row {
        line: given.unwrap_or(next),
        cells: Vec::new(),
    }
}

fn put(row: &mut Row, cell: Cell, strings: &[String]) -> Result<(), FileError> {
    if cell.column >= COLUMNS_MAX {
        return Ok(());
    }
    let text = match cell.kind.as_str() {
        "s" => {
            let at: Option<usize> = cell.text.trim().parse().ok();
            let text = at.and_then(|at| strings.get(at));
            text.ok_or_else(|| {
                FileError::Spreadsheet(format!("row {} names a string that is not there", row.line))
            })?
        }
        _ => &cell.text,
    };
    if row.cells.len() <= cell.column {
        row.cells.resize(cell.column + 1, String::new());
    }
    text.trim().clone_into(&mut row.cells[cell.column]);
    Ok(())
}

/// The column of a reference such as `AB12`, counted from 0.
fn column_of(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_uppercase);
    let column = letters.take(4).fold(0, |column, letter| {
        column * 26 + usize::from(letter - b'A') + 1
    });
    column.checked_sub(1)
}

/// What of an event the readers above care about.
enum Mark<'a> {
    Open(&'a str),
    Close(&'a str),
    /// An element without content.
    Lone(&'a str),
    End,
    Other,
}

fn mark<'a>(event: &'a Event<'_>) -> Mark<'a> {
    match event {
        Event::Start(element) => Mark::Open(element.local_name().into_inner()),
        Event::End(element) => Mark::Close(element.local_name().into_inner()),
        Event::Empty(element) => Mark::Lone(element.local_name().into_inner()),
        Event::Eof => Mark::End,
        Event::Text(_)
        | Event::CData(_)
        | Event::Comment(_)
        | Event::Decl(_)
        | Event::PI(_)
        | Event::DocType(_)
        | Event::GeneralRef(_) => Mark::Other,
    }
}

/// The text of an event, if it is text.
fn text_of(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Text(text) => Some(text.xml10_content().into_owned()),
        Event::CData(text) => Some(text.xml10_content().into_owned()),
        Event::GeneralRef(name) => Some(entity(name)),
        Event::Start(_)
        | Event::End(_)
        | Event::Empty(_)
        | Event::Comment(_)
        | Event::Decl(_)
        | Event::PI(_)
        | Event::DocType(_)
        | Event::Eof => None,
    }
}

/// A character reference or one of the five entities XML has by itself; others stand for nothing.
fn entity(name: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = name.resolve_char_ref() {
        return character.to_string();
    }
    match name.as_ref() {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => "",
    }
    .to_owned()
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.try_get_attribute(name).ok().flatten();
    found.map(|attribute| attribute.value.into_owned())
}

fn bad(error: &dyn std::error::Error) -> FileError {
    FileError::Spreadsheet(error.to_string())
}

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;
const PACKAGE: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const WORKBOOK: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const SHEETS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;
const SHEET_HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"#;
const SHEET_TAIL: &str = "</sheetData></worksheet>";

/// Writes people as one sheet of text cells: what is text is never a formula.
pub(crate) fn write(people: &[Exported]) -> Result<Vec<u8>, FileError> {
    let mut sheet = SHEET_HEAD.to_owned();
    add_row(
        &mut sheet,
        Column::EXPORTED.iter().map(|c| c.name().to_owned()),
    );
    for exported in people {
        let cells = Column::EXPORTED.iter().map(|column| column.cell(exported));
        add_row(&mut sheet, cells);
    }
    sheet.push_str(SHEET_TAIL);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let parts = BTreeMap::from([
        ("[Content_Types].xml", CONTENT_TYPES),
        ("_rels/.rels", PACKAGE),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", SHEETS),
        ("xl/worksheets/sheet1.xml", sheet.as_str()),
    ]);
    let failed = |error: zip::result::ZipError| FileError::Write(error.into());
    for (name, text) in parts {
        archive
            .start_file(name, SimpleFileOptions::default())
            .map_err(failed)?;
        archive
            .write_all(text.as_bytes())
            .map_err(FileError::Write)?;
    }
    Ok(archive.finish().map_err(failed)?.into_inner())
}

fn add_row(sheet: &mut String, cells: impl Iterator<Item = String>) {
    sheet.push_str("<row>");
    for cell in cells {
        sheet.push_str("<c t=\"inlineStr\"><is><t>");
        sheet.push_str(&escape(apostrophe(&cell)));
        sheet.push_str("</t></is></c>");
    }
    sheet.push_str("</row>");
}
