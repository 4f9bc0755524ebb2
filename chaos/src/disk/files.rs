//! The store as the kernel asks for it.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::store::{Kind, PAGE, Refusal, TOP};
use super::{State, Store};

/// The kernel may remember names and sizes: nobody else changes them.
const REMEMBER: Duration = Duration::from_secs(60);

const GENERATION: Generation = Generation(0);

/// A mounted store.
pub(super) struct Files {
    state: Arc<Mutex<State>>,
}

impl Files {
    pub(super) fn new(state: Arc<Mutex<State>>) -> Self {
        Self { state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self, inode: INodeNo, reply: ReplyEmpty) {
        let takes = self.lock().sync_takes;
        if !takes.is_zero() {
            std::thread::sleep(takes); // one thread serves the disk, so everything on it waits
        }
        empty(self.lock().store.sync(inode.0), reply);
    }
}

fn errno(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::NotFound => Errno::ENOENT,
        Refusal::Exists => Errno::EEXIST,
        Refusal::NotDirectory => Errno::ENOTDIR,
        Refusal::IsDirectory => Errno::EISDIR,
        Refusal::NotEmpty => Errno::ENOTEMPTY,
        Refusal::Full => Errno::ENOSPC,
    }
}

fn empty(done: Result<(), Refusal>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(errno(refusal)),
    }
}

fn attributes(store: &Store, inode: u64) -> Result<FileAttr, Refusal> {
    let found = store.get(inode)?;
    let (kind, size, links) = match &found.kind {
        Kind::File(file) => (FileType::RegularFile, file.size, 1),
        Kind::Directory(_) => (FileType::Directory, PAGE, 2),
    };
    Ok(FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: found.mode,
        nlink: links,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: PAGE as u32,
        flags: 0,
    })
}

fn entry(store: &Store, inode: Result<u64, Refusal>, reply: ReplyEntry) {
    match inode.and_then(|inode| attributes(store, inode)) {
        Ok(found) => reply.entry(&REMEMBER, &found, GENERATION),
        Err(refusal) => reply.error(errno(refusal)),
    }
}

impl Filesystem for Files {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.lock();
        entry(&state.store, state.store.find(parent.0, name), reply);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(&self.lock().store, inode.0) {
            Ok(found) => reply.attr(&REMEMBER, &found),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let store = &mut self.lock().store;
        let mut done = Ok(());
        if let Some(size) = size {
            done = store.resize(inode.0, size);
        }
        if let (Some(mode), Ok(found)) = (mode, store.get_mut(inode.0)) {
            found.mode = (mode & 0o7777) as u16;
        }
        match done.and_then(|()| attributes(store, inode.0)) {
            Ok(found) => reply.attr(&REMEMBER, &found),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let store = &mut self.lock().store;
        let made = store.make(parent.0, name, (mode & !umask & 0o7777) as u16, true);
        entry(store, made, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.lock().store.remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.lock().store.remove(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new: &OsStr,
        _flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        empty(self.lock().store.rename(parent.0, name, to.0, new), reply);
    }

    fn open(&self, _: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.lock().store.open(inode.0) {
            Ok(()) => reply.opened(FileHandle(inode.0), FopenFlags::empty()),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let store = &mut self.lock().store;
        let mode = (mode & !umask & 0o7777) as u16;
        let made = store.make(parent.0, name, mode, false).and_then(|inode| {
            store.open(inode)?;
            attributes(store, inode)
        });
        match made {
            Ok(found) => {
                let handle = FileHandle(found.ino.0);
                reply.created(&REMEMBER, &found, GENERATION, handle, FopenFlags::empty());
            }
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.lock().store.read(inode.0, offset, u64::from(size)) {
            Ok(bytes) => reply.data(&bytes),
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.lock().store.write(inode.0, offset, data) {
            Ok(()) => reply.written(data.len() as u32), // the kernel sends 16 MiB at most
            Err(refusal) => reply.error(errno(refusal)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok(); // closing a file promises nothing
    }

    fn release(
        &self,
        _: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.lock().store.close(inode.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, reply);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, reply);
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let state = self.lock();
        let names = match state.store.directory(inode.0) {
            Ok(directory) => &directory.names,
            Err(refusal) => return reply.error(errno(refusal)),
        };
        let dots = [(OsStr::new("."), inode.0), (OsStr::new(".."), TOP)];
        let all = dots
            .into_iter()
            .chain(names.iter().map(|(name, n)| (name.as_os_str(), *n)));
        for (place, (name, inode)) in (1..).zip(all).skip(offset as usize) {
            let is_file = matches!(state.store.get(inode).map(|i| &i.kind), Ok(Kind::File(_)));
            let kind = if is_file {
                FileType::RegularFile
            } else {
                FileType::Directory
            };
            if reply.add(INodeNo(inode), place, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        empty(self.lock().store.reserve(inode.0, offset, length), reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let state = self.lock();
        let (all, used) = (state.store.capacity / PAGE, state.store.used / PAGE);
        let free = all.saturating_sub(used);
        reply.statfs(
            all,
            free,
            free,
            1 << 20,
            1 << 20,
            PAGE as u32,
            255,
            PAGE as u32,
        );
    }
}
