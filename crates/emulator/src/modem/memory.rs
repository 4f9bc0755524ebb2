//! The message memories of a modem and its SIM (3GPP TS 27.005 §3.2.2).

/// Where a message stands in a memory; the numbers are those of `+CMGL` in PDU mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    ReceivedUnread = 0,
    ReceivedRead = 1,
    StoredUnsent = 2,
    StoredSent = 3,
}

impl Status {
    pub(super) fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::ReceivedUnread,
            1 => Self::ReceivedRead,
            2 => Self::StoredUnsent,
            3 => Self::StoredSent,
            _ => return None,
        })
    }
}

/// One stored message.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) status: Status,
    /// Octets of the transport PDU, without the service centre address.
    pub(super) tpdu: Vec<u8>,
}

/// A memory of fixed size; places are numbered from 1.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// `SM`, `ME` or `SR`.
    pub(super) name: &'static str,
    places: Vec<Option<Stored>>,
}

impl Memory {
    pub(super) fn new(name: &'static str, size: u16) -> Self {
        Self {
            name,
            places: vec![None; usize::from(size)],
        }
    }

    /// Changes the number of places; messages beyond the new size are gone.
    pub(super) fn resize(&mut self, size: u16) {
        self.places.resize(usize::from(size), None);
    }

    pub(super) fn used(&self) -> usize {
        self.places.iter().flatten().count()
    }

    pub(super) fn total(&self) -> usize {
        self.places.len()
    }

    /// Stores in the first free place and returns its number, or `None` when full.
    pub(super) fn store(&mut self, stored: Stored) -> Option<usize> {
        let at = self.places.iter().position(Option::is_none)?;
        self.places[at] = Some(stored);
        Some(at + 1)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Stored> {
        self.places.get_mut(index.checked_sub(1)?)?.as_mut()
    }

    /// Frees one place. Freeing an empty place is no error; a place that does not exist is.
    pub(super) fn delete(&mut self, index: usize) -> bool {
        let place = index.checked_sub(1).and_then(|at| self.places.get_mut(at));
        place.map(|place| *place = None).is_some()
    }

    pub(super) fn delete_where(&mut self, gone: impl Fn(Status) -> bool) {
        for place in &mut self.places {
            if place.as_ref().is_some_and(|stored| gone(stored.status)) {
                *place = None;
            }
        }
    }

    /// The stored messages with their place numbers, lowest first.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Stored)> {
        self.places
            .iter_mut()
            .enumerate()
            .filter_map(|(at, place)| Some((at + 1, place.as_mut()?)))
    }
}
