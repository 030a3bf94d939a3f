//! The simulated disk: what programs see, what has reached the platter, and what is on its way.
//!
//! # How it works
//! Every file has two images: *volatile* (what reads see) and *durable* (what a crash surely leaves), and the list of changes
//! that lead from the second to the first. A sync replays that list onto the durable image. Names work the same way: a
//! volatile and a durable map of path to file, and a list of name changes that `sync_dir` replays. A crash
//! (`crash.rs`) lets any part of the lists come through.
//!
//! Space is counted in blocks that were written: extending a file costs nothing until the new part is written, as on any
//! file system with sparse files, so a full disk may show itself at a write inside the file.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::env::OpenMode;
use crate::env::sim::faults::{Faults, IoKind};
use crate::env::sim::random::SimRandom;

/// The unit in which the disk gives out space.
pub(super) const BLOCK_BYTES: u64 = 4096;

/// Larger files are refused: they would come from a bug (or a test's garbage), and would eat the test machine's memory.
const FILE_BYTES_MAX: u64 = 1 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InodeId(u64);

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(InodeId),
    Directory,
}

pub(super) type Names = BTreeMap<PathBuf, Node>;

/// A change of a file's content that no sync has covered.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: u64, data: Vec<u8> },
    SetLen(u64),
}

/// A change of names: all of it or nothing.
#[derive(Clone, Debug)]
pub(super) struct NameChange {
    pub sets: Vec<(PathBuf, Option<Node>)>,
}

impl NameChange {
    pub fn apply(&self, names: &mut Names) {
        for (path, node) in &self.sets {
            match node {
                Some(node) => names.insert(path.clone(), *node),
                None => names.remove(path),
            };
        }
    }

    fn touches_directory(&self, dir: &Path) -> bool {
        self.sets.iter().any(|(path, _)| path.parent() == Some(dir))
    }
}

/// A file without its name.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub durable: Vec<u8>,
    pub volatile: Vec<u8>,
    pub pending: Vec<Change>,
    /// Blocks with space of their own.
    allocated: BTreeSet<u64>,
    /// The name it was opened under last, for the trace.
    path: Arc<Path>,
    handles: usize,
    locked_by: Option<u64>,
}

impl Inode {
    /// A file that has been on disk for ever.
    pub fn settled(path: &Path, content: Vec<u8>) -> Inode {
        let allocated = (0..(content.len() as u64).div_ceil(BLOCK_BYTES)).collect();
        Inode {
            durable: content.clone(),
            volatile: content,
            pending: Vec::new(),
            allocated,
            path: Arc::from(path),
            handles: 0,
            locked_by: None,
        }
    }

    /// Moves everything pending to the durable image.
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What Linux does when writing back fails: some pages reached the disk, the others are marked clean all the same,
    /// so that the next sync succeeds without them; whether reads still see them depends on memory pressure.
    fn fail_sync(&mut self, random: &mut SimRandom) {
        for change in std::mem::take(&mut self.pending) {
            if random.one_in(2) {
                change.apply(&mut self.durable);
            }
        }
        if random.one_in(2) {
            self.volatile.clone_from(&self.durable);
        }
    }
}

impl Change {
    pub fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Change::SetLen(len) => image.resize(*len as usize, 0),
            Change::Write { offset, data } => write_image(image, *offset, data),
        }
    }
}

/// Writes into an image, extending it with zeros.
pub(super) fn write_image(image: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (from, to) = (offset as usize, offset as usize + data.len());
    if image.len() < to {
        image.resize(to, 0);
    }
    if let Some(target) = image.get_mut(from..to) {
        target.copy_from_slice(data);
    }
}

/// The whole disk.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub inodes: BTreeMap<InodeId, Inode>,
    pub names: Names,
    pub durable_names: Names,
    pub pending_names: Vec<NameChange>,
    pub faults: Faults,
    pub random: SimRandom,
    next_id: u64,
}

impl Disk {
    /// A disk with these files and directories, all durable.
    pub fn new(random: SimRandom, names: Names, inodes: BTreeMap<InodeId, Inode>) -> Disk {
        let next_id = inodes.last_key_value().map_or(0, |(id, _)| id.0 + 1);
        let faults = Faults::default();
        let durable_names = names.clone();
        Disk {
            inodes,
            names,
            durable_names,
            pending_names: Vec::new(),
            faults,
            random,
            next_id,
        }
    }

    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn node(&self, path: &Path) -> Option<Node> {
        if path.as_os_str().is_empty() || path == Path::new("/") {
            return Some(Node::Directory);
        }
        self.names.get(path).copied()
    }

    pub fn inode(&mut self, id: InodeId) -> io::Result<&mut Inode> {
        self.inodes
            .get_mut(&id)
            .ok_or_else(|| io::Error::other("simulated file vanished"))
    }

    fn change_names(&mut self, sets: Vec<(PathBuf, Option<Node>)>) {
        let change = NameChange { sets };
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn require_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent().map(|dir| self.node(dir)) {
            Some(Some(Node::Directory)) => Ok(()),
            Some(Some(Node::File(_))) => Err(io::ErrorKind::NotADirectory.into()),
            Some(None) | None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Opens a file; its inode and the number of the new handle.
    pub fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<(InodeId, u64)> {
        let path = &normalize(path);
        let shared: Arc<Path> = Arc::from(path.as_path());
        let id = match self.node(path) {
            Some(Node::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) if mode == OpenMode::CreateNew => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Some(Node::File(id)) => {
                self.faults.begin(IoKind::Open, &shared, 0, 0)?;
                id
            }
            None => {
                if matches!(mode, OpenMode::Read | OpenMode::ReadWrite) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                self.require_parent(path)?;
                self.faults.begin(IoKind::Create, &shared, 0, 0)?;
                let id = InodeId(self.next_id());
                self.inodes.insert(id, Inode::settled(path, Vec::new()));
                self.change_names(vec![(path.clone(), Some(Node::File(id)))]);
                id
            }
        };
        let handle = self.next_id();
        let inode = self.inode(id)?;
        inode.handles += 1;
        inode.path = shared;
        Ok((id, handle))
    }

    pub fn close(&mut self, id: InodeId, handle: u64) {
        if let Ok(inode) = self.inode(id) {
            inode.handles = inode.handles.saturating_sub(1);
            inode.locked_by = inode.locked_by.filter(|owner| *owner != handle);
        }
        self.forget_unreachable();
    }

    pub fn try_lock(&mut self, id: InodeId, handle: u64) -> io::Result<bool> {
        let owner = *self.inode(id)?.locked_by.get_or_insert(handle);
        Ok(owner == handle)
    }

    fn begin(&mut self, kind: IoKind, id: InodeId, offset: u64, len: usize) -> io::Result<()> {
        let path = Arc::clone(&self.inode(id)?.path);
        self.faults.begin(kind, &path, offset, len)
    }

    pub fn read(&mut self, id: InodeId, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.begin(IoKind::Read, id, offset, buf.len())?;
        let volatile = &self.inode(id)?.volatile;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match volatile.get(from..from.saturating_add(buf.len())) {
            Some(bytes) => buf.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    pub fn write(&mut self, id: InodeId, buf: &[u8], offset: u64) -> io::Result<()> {
        self.begin(IoKind::Write, id, offset, buf.len())?;
        let end = offset.saturating_add(buf.len() as u64);
        if end > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // Like write(2): what fits is written before the error.
        let fits = self.allocate(id, offset, end)?;
        let written = buf.get(..(fits - offset) as usize).unwrap_or(buf);
        if !written.is_empty() {
            let inode = self.inode(id)?;
            write_image(&mut inode.volatile, offset, written);
            inode.pending.push(Change::Write {
                offset,
                data: written.to_vec(),
            });
        }
        if fits < end { Err(disk_full()) } else { Ok(()) }
    }

    /// Gets space for the bytes `from..to`; the end of the part that got it.
    fn allocate(&mut self, id: InodeId, from: u64, to: u64) -> io::Result<u64> {
        let mut free = self
            .faults
            .capacity
            .map(|capacity| capacity.saturating_sub(self.used_bytes()) / BLOCK_BYTES);
        let inode = self.inode(id)?;
        for block in from / BLOCK_BYTES..to.div_ceil(BLOCK_BYTES) {
            if inode.allocated.contains(&block) {
                continue;
            }
            match &mut free {
                Some(0) => return Ok(from.max(block * BLOCK_BYTES)),
                Some(free) => *free -= 1,
                None => {}
            }
            inode.allocated.insert(block);
        }
        Ok(to)
    }

    /// Space in use, by open or named files.
    pub fn used_bytes(&self) -> u64 {
        self.inodes
            .values()
            .map(|inode| inode.allocated.len() as u64 * BLOCK_BYTES)
            .sum()
    }

    pub fn set_len(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        self.begin(IoKind::SetLen, id, len, 0)?;
        if len > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let inode = self.inode(id)?;
        let change = Change::SetLen(len);
        change.apply(&mut inode.volatile);
        inode.pending.push(change);
        inode.allocated.split_off(&len.div_ceil(BLOCK_BYTES));
        Ok(())
    }

    pub fn sync(&mut self, id: InodeId) -> io::Result<()> {
        let begun = self.begin(IoKind::Sync, id, 0, 0);
        // After the simulated crash nothing may move any more; the crash image decides what came through.
        if self.faults.crashed() {
            return begun;
        }
        let mut random = self.random.clone();
        let inode = self.inode(id)?;
        match &begun {
            Ok(()) => inode.sync(),
            Err(_) => {
                inode.fail_sync(&mut random);
                self.random = random;
            }
        }
        begun
    }

    pub fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let path = normalize(path);
        let missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|dir| self.node(dir) != Some(Node::Directory))
            .map(Path::to_path_buf)
            .collect();
        for dir in missing.into_iter().rev() {
            if self.node(&dir).is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            self.faults
                .begin(IoKind::CreateDir, &Arc::from(dir.as_path()), 0, 0)?;
            self.change_names(vec![(dir, Some(Node::Directory))]);
        }
        Ok(())
    }

    pub fn read_dir(&mut self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let path = normalize(path);
        self.faults
            .begin(IoKind::Read, &Arc::from(path.as_path()), 0, 0)?;
        match self.node(&path) {
            Some(Node::Directory) => {}
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        let inside = self.names.keys().filter(|name| name.parent() == Some(&path));
        Ok(inside
            .filter_map(|name| name.file_name())
            .map(PathBuf::from)
            .collect())
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (normalize(from), normalize(to));
        let Some(Node::File(id)) = self.node(&from) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        self.require_parent(&to)?;
        if self.node(&to) == Some(Node::Directory) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.faults
            .begin(IoKind::Rename, &Arc::from(to.as_path()), 0, 0)?;
        if from != to {
            self.change_names(vec![(from, None), (to, Some(Node::File(id)))]);
        }
        self.forget_unreachable();
        Ok(())
    }

    pub fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let path = normalize(path);
        match self.node(&path) {
            Some(Node::File(_)) => {}
            Some(Node::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        self.faults
            .begin(IoKind::Remove, &Arc::from(path.as_path()), 0, 0)?;
        self.change_names(vec![(path, None)]);
        self.forget_unreachable();
        Ok(())
    }

    pub fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let path = normalize(path);
        if self.node(&path) != Some(Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Children first: each removal is an operation of its own, after which the machine may stop.
        let doomed: Vec<PathBuf> = self
            .names
            .keys()
            .rev()
            .filter(|name| name.starts_with(&path))
            .cloned()
            .collect();
        for name in doomed {
            self.faults
                .begin(IoKind::Remove, &Arc::from(name.as_path()), 0, 0)?;
            self.change_names(vec![(name, None)]);
        }
        self.forget_unreachable();
        Ok(())
    }

    pub fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let path = normalize(path);
        if self.node(&path) != Some(Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.faults
            .begin(IoKind::SyncDir, &Arc::from(path.as_path()), 0, 0)?;
        let (done, pending) = std::mem::take(&mut self.pending_names)
            .into_iter()
            .partition(|change| change.touches_directory(&path));
        self.pending_names = pending;
        let done: Vec<NameChange> = done;
        for change in &done {
            change.apply(&mut self.durable_names);
        }
        self.forget_unreachable();
        Ok(())
    }

    /// Drops the files that neither a program nor a crash can bring back, and with them their space. (A file whose removal is
    /// not durable yet keeps its content, but no longer its space: file systems free that at once.)
    fn forget_unreachable(&mut self) {
        let mut named = BTreeSet::new();
        let mut collect = |node: &Node| {
            if let Node::File(id) = node {
                named.insert(*id);
            }
        };
        self.names.values().for_each(&mut collect);
        let visible = named.clone();
        let mut collect = |node: &Node| {
            if let Node::File(id) = node {
                named.insert(*id);
            }
        };
        self.durable_names.values().for_each(&mut collect);
        self.pending_names
            .iter()
            .flat_map(|c| &c.sets)
            .filter_map(|(_, n)| n.as_ref())
            .for_each(&mut collect);
        self.inodes
            .retain(|id, inode| named.contains(id) || inode.handles > 0);
        for (id, inode) in &mut self.inodes {
            if inode.handles == 0 && !visible.contains(id) {
                inode.allocated.clear();
            }
        }
    }
}

fn disk_full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "No space left on device (simulated)")
}

/// Makes one spelling of `/a/./b/../c`.
pub(super) fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
