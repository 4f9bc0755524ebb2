//! What one line says of a person, before it is known what was said before.

use domain::recipients::{Details, Person, check_person};

use crate::column::{Column, parts};

/// One line's cells. What a line says nothing about stays as it is known.
#[derive(Clone, Debug)]
pub struct Entry {
    key: String,
    /// In the order of the columns, so that numbers come before mail addresses unless the file says otherwise.
    cells: Vec<(Column, String)>,
}

impl Entry {
    pub(crate) fn new(key: String, mut cells: Vec<(Column, String)>) -> Self {
        cells.sort_by_key(|(column, _)| *column);
        Self { key, cells }
    }

    /// Whom it is about.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Keys of groups the person is to be in.
    pub fn groups(&self) -> Vec<String> {
        let cell = self
            .cells
            .iter()
            .find(|(column, _)| *column == Column::Groups);
        cell.map_or_else(Vec::new, |(_, cell)| parts(&cell.replace(' ', ";")))
    }

    /// The person as the line wants it, given the person as known.
    ///
    /// # Errors
    /// What is wrong with the line, in words for whoever wrote it.
    pub fn onto(&self, before: Option<&Person>) -> Result<Person, String> {
        let mut person = before.cloned().unwrap_or_else(|| Person {
            key: self.key.clone(),
            name: String::new(),
            language: "en".to_owned(),
            methods: Vec::new(),
            details: Details::default(),
        });
        if self.cells.iter().any(|(column, _)| column.is_method()) {
            person.methods.clear();
        }
        for (column, cell) in &self.cells {
            let read = column.read(cell, &mut person);
            read.map_err(|problem| format!("{}: {problem}", column.name()))?;
        }
        check_person(&person)?;
        Ok(person)
    }
}
