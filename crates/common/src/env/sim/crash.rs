//! What a power cut leaves of a simulated disk.
//!
//! # How it works
//! Everything synced is there. Each unsynced change of content is, by the dice, kept, lost or torn; later ones may come
//! through where earlier ones did not (that is what reordering by caches and drives amounts to; two writes to the same byte
//! do keep their order). Each crash first rolls how cruel it is, so that across seeds all of these happen often: nothing unsynced
//! survives, all of it does, a prefix does, whole writes come and go, sectors do, single bytes do. A lost write behind the
//! durable end may still have extended the file, which then reads as zeros.
//!
//! A name change is kept or lost as a whole, and lost if an earlier lost one was about the same name: directories are
//! journalled on every file system that matters, but unrelated changes may overtake each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::env::sim::disk::{Change, Disk, Inode, InodeId, Names, Node, write_image};
use crate::env::sim::random::SimRandom;

/// How a simulated power cut treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    /// By the dice.
    Random,
    /// All of it is lost: the least that callers may count on.
    LoseUnsynced,
    /// All of it survives, as after `kill -9`, which leaves the kernel's caches alone.
    KeepUnsynced,
}

/// The smallest piece that a drive writes as a whole, in its better moments.
const SECTOR_BYTES: u64 = 512;

/// How cruel this crash is to the content of a file.
#[derive(Clone, Copy, Debug)]
enum Cruelty {
    LoseAll,
    KeepAll,
    /// Up to some change, which is torn.
    Prefix(usize),
    /// Each change on its own, some torn into pieces of so many bytes.
    Pieces(u64),
}

impl Cruelty {
    fn roll(mode: CrashMode, changes: usize, random: &mut SimRandom) -> Cruelty {
        match mode {
            CrashMode::LoseUnsynced => Cruelty::LoseAll,
            CrashMode::KeepUnsynced => Cruelty::KeepAll,
            CrashMode::Random => match random.below(10) {
                0 => Cruelty::LoseAll,
                1 => Cruelty::KeepAll,
                2..4 => Cruelty::Prefix(random.index(changes + 1)),
                4..6 => Cruelty::Pieces(u64::MAX),
                6..9 => Cruelty::Pieces(SECTOR_BYTES),
                _ => Cruelty::Pieces(1 + random.below(64)),
            },
        }
    }
}

/// The disk that the machine finds when it starts again.
pub(super) fn crash_image(disk: &Disk, mode: CrashMode, random: &mut SimRandom) -> Disk {
    let names = surviving_names(disk, mode, random);
    let mut inodes: BTreeMap<InodeId, Inode> = BTreeMap::new();
    for (path, node) in &names {
        let Node::File(id) = node else { continue };
        if let Some(inode) = disk.inodes.get(id) {
            inodes.insert(*id, Inode::settled(path, surviving_content(inode, mode, random)));
        }
    }
    let names = names.into_iter().filter(|(_, node)| match node {
        Node::File(id) => inodes.contains_key(id),
        Node::Directory => true,
    });
    let names = names.collect();
    Disk::new(random.fork(), names, inodes)
}

fn surviving_names(disk: &Disk, mode: CrashMode, random: &mut SimRandom) -> Names {
    let mut names = disk.durable_names.clone();
    let mut lost: Vec<&PathBuf> = Vec::new();
    for change in &disk.pending_names {
        let follows_a_lost_one = change.sets.iter().any(|(path, _)| lost.contains(&path));
        let kept = match mode {
            CrashMode::Random => !follows_a_lost_one && random.one_in(2),
            CrashMode::LoseUnsynced => false,
            CrashMode::KeepUnsynced => true,
        };
        if kept {
            change.apply(&mut names);
        } else {
            lost.extend(change.sets.iter().map(|(path, _)| path));
        }
    }
    // What lies in a directory that did not survive did not either.
    let whole = |path: &Path| {
        path.ancestors().skip(1).all(|dir| {
            dir.as_os_str().is_empty() || dir == Path::new("/") || names.get(dir) == Some(&Node::Directory)
        })
    };
    names
        .iter()
        .filter(|(path, _)| whole(path))
        .map(|(path, node)| (path.clone(), *node))
        .collect()
}

fn surviving_content(inode: &Inode, mode: CrashMode, random: &mut SimRandom) -> Vec<u8> {
    let mut image = inode.durable.clone();
    let cruelty = Cruelty::roll(mode, inode.pending.len(), random);
    for (index, change) in inode.pending.iter().enumerate() {
        match cruelty {
            Cruelty::LoseAll => {}
            Cruelty::KeepAll => change.apply(&mut image),
            Cruelty::Prefix(kept) if index < kept => change.apply(&mut image),
            Cruelty::Prefix(kept) if index == kept => tear(change, SECTOR_BYTES, &mut image, random),
            Cruelty::Prefix(_) => {}
            Cruelty::Pieces(piece) => match random.below(3) {
                0 => change.apply(&mut image),
                1 => tear(change, piece, &mut image, random),
                _ => extend_perhaps(change, &mut image, random),
            },
        }
    }
    image
}

/// Lets some pieces of a write through, either a prefix or any.
fn tear(change: &Change, piece_bytes: u64, image: &mut Vec<u8>, random: &mut SimRandom) {
    let Change::Write { offset, data } = change else {
        // A length changes or does not.
        if random.one_in(2) {
            change.apply(image);
        }
        return;
    };
    extend_perhaps(change, image, random);
    let end = offset + data.len() as u64;
    let as_prefix = random.one_in(2);
    let mut at = *offset;
    while at < end {
        let next = (at / piece_bytes)
            .saturating_add(1)
            .saturating_mul(piece_bytes)
            .min(end);
        let kept = random.one_in(2);
        if !kept && as_prefix {
            return;
        }
        if let (true, Some(piece)) = (kept, data.get((at - offset) as usize..(next - offset) as usize)) {
            write_image(image, at, piece);
        }
        at = next;
    }
}

/// Sometimes lets only the new length of a write come through.
fn extend_perhaps(change: &Change, image: &mut Vec<u8>, random: &mut SimRandom) {
    if let Change::Write { offset, data } = change {
        let end = *offset as usize + data.len();
        if image.len() < end && random.one_in(2) {
            image.resize(end, 0);
        }
    }
}
