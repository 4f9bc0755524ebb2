//! What is on a disk, and what of it would still be there after a power cut. Pure: no IO, no clock.
//!
//! A write is kept apart from what was synced before it until the file is synced; a name is kept apart from what its
//! directory said when that was last synced. A cut goes back to what was synced, or to any mix of old and new pages,
//! as a real disk may that wrote some of its cache in any order.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;

pub(super) const PAGE: u64 = 4_096;

/// Inode of the top directory.
pub(super) const TOP: u64 = 1;

type Page = Arc<[u8]>;

/// Why something cannot be done, as errno names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    NotFound,
    Exists,
    NotDirectory,
    IsDirectory,
    NotEmpty,
    Full,
}

/// How a cut leaves what was not synced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Loss {
    /// All of it is gone, names too.
    Everything,
    /// Names are as a journal keeps them; each unsynced page is gone or not.
    Torn,
}

/// All files of a disk.
#[derive(Debug)]
pub(super) struct Store {
    inodes: BTreeMap<u64, Inode>,
    next: u64,
    /// Bytes it holds at most, and holds.
    pub(super) capacity: u64,
    pub(super) used: u64,
}

/// A file or directory.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) mode: u16,
    pub(super) kind: Kind,
    opens: u32,
}

#[derive(Debug)]
pub(super) enum Kind {
    File(File),
    Directory(Directory),
}

#[derive(Debug, Default)]
pub(super) struct File {
    pages: BTreeMap<u64, Page>,
    pub(super) size: u64,
    /// Pages as they were when the file was last synced; `None` where there was none.
    before: BTreeMap<u64, Option<Page>>,
    synced_size: u64,
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) names: BTreeMap<OsString, u64>,
    synced: BTreeMap<OsString, u64>,
}

impl Store {
    pub(super) fn new(capacity: u64) -> Self {
        let top = Inode {
            mode: 0o700,
            kind: Kind::Directory(Directory::default()),
            opens: 0,
        };
        Self {
            inodes: BTreeMap::from([(TOP, top)]),
            next: TOP + 1,
            capacity,
            used: 0,
        }
    }

    pub(super) fn get(&self, inode: u64) -> Result<&Inode, Refusal> {
        self.inodes.get(&inode).ok_or(Refusal::NotFound)
    }

    pub(super) fn get_mut(&mut self, inode: u64) -> Result<&mut Inode, Refusal> {
        self.inodes.get_mut(&inode).ok_or(Refusal::NotFound)
    }

    pub(super) fn directory(&self, inode: u64) -> Result<&Directory, Refusal> {
        match &self.get(inode)?.kind {
            Kind::Directory(directory) => Ok(directory),
            Kind::File(_) => Err(Refusal::NotDirectory),
        }
    }

    fn directory_mut(&mut self, inode: u64) -> Result<&mut Directory, Refusal> {
        match &mut self.get_mut(inode)?.kind {
            Kind::Directory(directory) => Ok(directory),
            Kind::File(_) => Err(Refusal::NotDirectory),
        }
    }

    fn file_mut(&mut self, inode: u64) -> Result<&mut File, Refusal> {
        match &mut self.get_mut(inode)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Directory(_) => Err(Refusal::IsDirectory),
        }
    }

    pub(super) fn find(&self, parent: u64, name: &OsStr) -> Result<u64, Refusal> {
        let directory = self.directory(parent)?;
        directory.names.get(name).copied().ok_or(Refusal::NotFound)
    }

    /// Makes a file or directory.
    pub(super) fn make(
        &mut self,
        parent: u64,
        name: &OsStr,
        mode: u16,
        is_directory: bool,
    ) -> Result<u64, Refusal> {
        if self.find(parent, name).is_ok() {
            return Err(Refusal::Exists);
        }
        let inode = self.next;
        let kind = if is_directory {
            Kind::Directory(Directory::default())
        } else {
            Kind::File(File::default())
        };
        self.directory_mut(parent)?
            .names
            .insert(name.to_owned(), inode);
        self.next += 1;
        let opens = 0;
        self.inodes.insert(inode, Inode { mode, kind, opens });
        Ok(inode)
    }

    /// Takes a name away; a directory only when empty.
    pub(super) fn remove(&mut self, parent: u64, name: &OsStr) -> Result<(), Refusal> {
        let inode = self.find(parent, name)?;
        if let Kind::Directory(directory) = &self.get(inode)?.kind
            && !directory.names.is_empty()
        {
            return Err(Refusal::NotEmpty);
        }
        self.directory_mut(parent)?.names.remove(name);
        self.sweep();
        Ok(())
    }

    /// Gives a file another name, in place of whatever had it.
    pub(super) fn rename(
        &mut self,
        parent: u64,
        name: &OsStr,
        to: u64,
        new: &OsStr,
    ) -> Result<(), Refusal> {
        let inode = self.find(parent, name)?;
        self.directory(to)?;
        self.directory_mut(parent)?.names.remove(name);
        self.directory_mut(to)?.names.insert(new.to_owned(), inode);
        self.sweep();
        Ok(())
    }

    pub(super) fn open(&mut self, inode: u64) -> Result<(), Refusal> {
        self.get_mut(inode)?.opens += 1;
        Ok(())
    }

    pub(super) fn close(&mut self, inode: u64) {
        if let Ok(found) = self.get_mut(inode) {
            found.opens = found.opens.saturating_sub(1);
        }
        self.sweep();
    }

    pub(super) fn read(&mut self, inode: u64, offset: u64, len: u64) -> Result<Vec<u8>, Refusal> {
        let file = self.file_mut(inode)?;
        let end = file.size.min(offset.saturating_add(len));
        let mut bytes = Vec::new();
        let mut at = offset;
        while at < end {
            let (page, from) = (at / PAGE, at % PAGE);
            let take = (PAGE - from).min(end - at);
            match file.pages.get(&page) {
                Some(page) => bytes.extend_from_slice(&page[from as usize..(from + take) as usize]),
                None => bytes.resize(bytes.len() + take as usize, 0),
            }
            at += take;
        }
        Ok(bytes)
    }

    pub(super) fn write(&mut self, inode: u64, offset: u64, data: &[u8]) -> Result<(), Refusal> {
        let end = offset + data.len() as u64;
        let room = self.capacity.saturating_sub(self.used);
        let file = self.file_mut(inode)?;
        let touched = offset / PAGE..end.div_ceil(PAGE);
        let fresh = touched
            .filter(|page| !file.pages.contains_key(page))
            .count() as u64
            * PAGE;
        if fresh > room {
            return Err(Refusal::Full);
        }
        let mut at = offset;
        while at < end {
            let (page, from) = (at / PAGE, (at % PAGE) as usize);
            let take = (PAGE as usize - from).min((end - at) as usize);
            let source = (at - offset) as usize;
            let mut bytes = match file.pages.get(&page) {
                Some(old) => old.to_vec(),
                None => vec![0; PAGE as usize],
            };
            bytes[from..from + take].copy_from_slice(&data[source..source + take]);
            file.put(page, Some(bytes.into()));
            at += take as u64;
        }
        file.size = file.size.max(end);
        self.used += fresh;
        Ok(())
    }

    /// Makes a file longer or shorter.
    pub(super) fn resize(&mut self, inode: u64, size: u64) -> Result<(), Refusal> {
        let file = self.file_mut(inode)?;
        let mut freed = 0;
        if size < file.size {
            let gone: Vec<u64> = file
                .pages
                .range(size.div_ceil(PAGE)..)
                .map(|(n, _)| *n)
                .collect();
            for page in gone {
                file.put(page, None);
                freed += PAGE;
            }
            // What a shorter file had behind its end must read as zeros when it grows again.
            let (last, rest) = (size / PAGE, (size % PAGE) as usize);
            if rest > 0
                && let Some(page) = file.pages.get(&last)
            {
                let mut bytes = page.to_vec();
                bytes[rest..].fill(0);
                file.put(last, Some(bytes.into()));
            }
        }
        file.size = size;
        self.used = self.used.saturating_sub(freed);
        Ok(())
    }

    /// Takes room for a file's bytes up to `end`.
    pub(super) fn reserve(&mut self, inode: u64, offset: u64, len: u64) -> Result<(), Refusal> {
        let size = self.file_mut(inode)?.size;
        let end = offset + len;
        let have = self.read(inode, offset, len)?;
        self.write(inode, offset, &have)?;
        let zeros = vec![0; usize::try_from(end.saturating_sub(size.max(offset))).unwrap_or(0)];
        self.write(inode, size.max(offset), &zeros)
    }

    /// From now on a cut keeps what the file or directory holds.
    pub(super) fn sync(&mut self, inode: u64) -> Result<(), Refusal> {
        match &mut self.get_mut(inode)?.kind {
            Kind::File(file) => {
                file.before.clear();
                file.synced_size = file.size;
            }
            Kind::Directory(directory) => directory.synced = directory.names.clone(),
        }
        self.sweep();
        Ok(())
    }

    /// The power goes. Gives how many pages and names were lost.
    pub(super) fn cut(&mut self, loss: Loss, chance: &mut StdRng) -> usize {
        let mut lost = 0;
        for inode in self.inodes.values_mut() {
            inode.opens = 0;
            match &mut inode.kind {
                Kind::File(file) => lost += file.cut(loss, chance),
                Kind::Directory(directory) if loss == Loss::Everything => {
                    lost += usize::from(directory.names != directory.synced);
                    directory.names = directory.synced.clone();
                }
                Kind::Directory(directory) => directory.synced = directory.names.clone(),
            }
        }
        self.sweep();
        lost
    }

    /// Turns one bit of a file whose name ends so; gives the path of the file and the place of the bit.
    pub(super) fn flip(&mut self, ends: &str, chance: &mut StdRng) -> Option<(String, u64)> {
        let mut files = Vec::new();
        self.walk(TOP, String::new(), &mut files);
        let fits = |(path, inode): &&(String, u64)| {
            path.ends_with(ends)
                && matches!(&self.inodes[inode].kind, Kind::File(file) if !file.pages.is_empty())
        };
        let fitting: Vec<&(String, u64)> = files.iter().filter(fits).collect();
        let (path, inode) = (*fitting.get(chance.random_range(0..fitting.len().max(1)))?).clone();
        let file = self.file_mut(inode).ok()?;
        let pages: Vec<u64> = file.pages.keys().copied().collect();
        let page = pages[chance.random_range(0..pages.len())];
        let len = (file.size - page * PAGE).clamp(1, PAGE);
        let at = chance.random_range(0..len);
        let mut bytes = file.pages[&page].to_vec();
        bytes[at as usize] ^= 1 << chance.random_range(0..8);
        file.pages.insert(page, bytes.into());
        Some((path, page * PAGE + at))
    }

    fn walk(&self, directory: u64, path: String, files: &mut Vec<(String, u64)>) {
        let Ok(found) = self.directory(directory) else {
            return;
        };
        for (name, inode) in &found.names {
            let path = format!("{path}/{}", name.to_string_lossy());
            match self.get(*inode).map(|inode| &inode.kind) {
                Ok(Kind::Directory(_)) => self.walk(*inode, path, files),
                Ok(Kind::File(_)) => files.push((path, *inode)),
                Err(_) => {}
            }
        }
    }

    /// Forgets files that no name, opened or synced, leads to.
    fn sweep(&mut self) {
        let mut reached = vec![TOP];
        let mut seen = std::collections::BTreeSet::new();
        reached.extend(
            self.inodes
                .iter()
                .filter(|(_, i)| i.opens > 0)
                .map(|(n, _)| *n),
        );
        while let Some(inode) = reached.pop() {
            if !seen.insert(inode) {
                continue;
            }
            if let Ok(directory) = self.directory(inode) {
                reached.extend(directory.names.values().chain(directory.synced.values()));
            }
        }
        self.inodes.retain(|inode, _| seen.contains(inode));
        let pages = |inode: &Inode| match &inode.kind {
            Kind::File(file) => file.pages.len() as u64,
            Kind::Directory(_) => 0,
        };
        self.used = self.inodes.values().map(pages).sum::<u64>() * PAGE;
    }
}

impl File {
    fn put(&mut self, page: u64, bytes: Option<Page>) {
        let old = match bytes {
            Some(bytes) => self.pages.insert(page, bytes),
            None => self.pages.remove(&page),
        };
        self.before.entry(page).or_insert(old);
    }

    fn cut(&mut self, loss: Loss, chance: &mut StdRng) -> usize {
        let mut lost = 0;
        for (page, old) in std::mem::take(&mut self.before) {
            if loss == Loss::Torn && chance.random_range(0..2) == 0 {
                continue;
            }
            lost += 1;
            match old {
                Some(old) => drop(self.pages.insert(page, old)),
                None => drop(self.pages.remove(&page)),
            }
        }
        if loss == Loss::Everything || chance.random_range(0..2) == 0 {
            lost += usize::from(self.size != self.synced_size);
            self.size = self.synced_size;
            drop(self.pages.split_off(&self.size.div_ceil(PAGE)));
        }
        self.synced_size = self.size;
        lost
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn store() -> (Store, u64) {
        let mut store = Store::new(1 << 20);
        let file = store.make(TOP, OsStr::new("a"), 0o600, false).unwrap();
        store.sync(TOP).unwrap();
        (store, file)
    }

    fn cut(store: &mut Store, loss: Loss) {
        store.cut(loss, &mut StdRng::seed_from_u64(1));
    }

    #[test]
    fn a_cut_forgets_what_was_written_after_the_last_sync() {
        let (mut store, file) = store();
        store.write(file, 0, b"old").unwrap();
        store.sync(file).unwrap();
        store.write(file, 1, b"EW and longer").unwrap();
        assert_eq!(store.read(file, 0, 99).unwrap(), b"oEW and longer");
        cut(&mut store, Loss::Everything);
        assert_eq!(store.read(file, 0, 99).unwrap(), b"old");
    }

    #[test]
    fn a_name_lasts_once_its_directory_is_synced() {
        let (mut store, file) = store();
        store
            .rename(TOP, OsStr::new("a"), TOP, OsStr::new("b"))
            .unwrap();
        cut(&mut store, Loss::Everything);
        assert_eq!(store.find(TOP, OsStr::new("a")), Ok(file));
        store
            .rename(TOP, OsStr::new("a"), TOP, OsStr::new("b"))
            .unwrap();
        store.sync(TOP).unwrap();
        cut(&mut store, Loss::Everything);
        assert_eq!(store.find(TOP, OsStr::new("b")), Ok(file));
        assert_eq!(store.find(TOP, OsStr::new("a")), Err(Refusal::NotFound));
    }

    #[test]
    fn a_removed_file_comes_back_when_the_removal_was_not_synced() {
        let (mut store, file) = store();
        store.write(file, 0, b"here").unwrap();
        store.sync(file).unwrap();
        store.remove(TOP, OsStr::new("a")).unwrap();
        cut(&mut store, Loss::Everything);
        assert_eq!(store.read(file, 0, 9).unwrap(), b"here");
    }

    #[test]
    fn a_torn_cut_keeps_some_pages_and_never_harms_synced_ones() {
        let (mut store, file) = store();
        store.write(file, 0, &[1; 40 * PAGE as usize]).unwrap();
        store.sync(file).unwrap();
        store
            .write(file, 4 * PAGE, &[2; 36 * PAGE as usize])
            .unwrap();
        cut(&mut store, Loss::Torn);
        let bytes = store.read(file, 0, 40 * PAGE).unwrap();
        assert!(bytes[..4 * PAGE as usize].iter().all(|b| *b == 1));
        let rest = &bytes[4 * PAGE as usize..];
        assert!(rest.contains(&1) && rest.contains(&2));
    }

    #[test]
    fn a_full_disk_refuses_and_takes_again_once_there_is_room() {
        let (mut store, file) = store();
        store.capacity = 2 * PAGE;
        assert_eq!(
            store.write(file, 0, &[1; 3 * PAGE as usize]),
            Err(Refusal::Full)
        );
        store.write(file, 0, &[1; 2 * PAGE as usize]).unwrap();
        assert_eq!(store.write(file, 2 * PAGE, &[1]), Err(Refusal::Full));
        store.write(file, 5, &[2]).unwrap();
        store.resize(file, 10).unwrap();
        store.write(file, PAGE, &[1]).unwrap();
        assert_eq!(store.used, 2 * PAGE);
    }

    #[test]
    fn a_shortened_file_grows_with_zeros() {
        let (mut store, file) = store();
        store.write(file, 0, &[7; 100]).unwrap();
        store.resize(file, 10).unwrap();
        store.resize(file, 20).unwrap();
        assert_eq!(store.read(file, 8, 9).unwrap(), [7, 7, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_flipped_bit_is_one_bit_of_one_fitting_file() {
        let (mut store, file) = store();
        store.write(file, 0, &[0; 50]).unwrap();
        let mut chance = StdRng::seed_from_u64(3);
        assert_eq!(store.flip("raft.db", &mut chance), None);
        let (path, at) = store.flip("a", &mut chance).unwrap();
        let bytes = store.read(file, 0, 50).unwrap();
        assert_eq!((path.as_str(), bytes[at as usize].count_ones()), ("/a", 1));
        assert_eq!(bytes.iter().map(|b| b.count_ones()).sum::<u32>(), 1);
    }
}
