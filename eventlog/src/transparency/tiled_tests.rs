use std::collections::BTreeMap;
use std::path::PathBuf;

use ct_merkle::digest::Output;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::embedded::disk::LocalDisk;
use crate::transparency::test_log::{TestLog, hash, leaf};

fn open(log: &Arc<TestLog>, folder: &Path) -> Result<TiledTree, TreeError> {
    TiledTree::open(Arc::clone(log) as Arc<dyn LeafSource>, Arc::new(LocalDisk), folder)
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// The same, by the names within the folder.
fn named(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes)).collect()
}

fn root_of(size: u64) -> Digest {
    let mut tree = Tree::new();
    (0..size).for_each(|index| tree.push(hash(&leaf(index))));
    tree.root()
}

fn foreign_root(root: Digest, size: u64) -> RootHash<Sha256> {
    RootHash::new((*root.as_bytes()).into(), size)
}

fn foreign(path: &[Digest]) -> Vec<Output<Sha256>> {
    path.iter().map(|digest| (*digest.as_bytes()).into()).collect()
}

/// Proofs from the tiles, checked by `ct-merkle`.
fn check(tree: &TiledTree, index: u64, from: u64, size: u64) {
    let root = foreign_root(tree.root(size).unwrap(), size);
    let path = foreign(&tree.inclusion(index, size).unwrap());
    let proof = InclusionProof::<Sha256>::from_digests(path.iter());
    root.verify_inclusion(&leaf(index), index, &proof).unwrap();
    if from > 0 && from < size {
        let path = foreign(&tree.consistency(from, size).unwrap());
        let proof = ConsistencyProof::<Sha256>::from_digests(path.iter());
        root.verify_consistency(&foreign_root(tree.root(from).unwrap(), from), &proof).unwrap();
    }
}

#[test]
fn every_size_up_to_some_hundred() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Arc::new(TestLog::new(0)));
    let tree = open(&log, folder.path()).unwrap();
    for size in 1..=520 {
        log.grow(size);
        assert_eq!(tree.extend().unwrap().root(), root_of(size));
        assert_eq!((tree.size(), tree.root(size).unwrap()), (size, root_of(size)));
        for index in [0, size / 2, size - 1] {
            check(&tree, index, index + 1, size);
        }
        check(&tree, size / 3, 256.min(size), size);
    }
    assert!(matches!(tree.inclusion(520, 520), Err(TreeError::Beyond { .. })));
    assert!(matches!(tree.inclusion(0, 521), Err(TreeError::Beyond { .. })));
    assert!(matches!(tree.consistency(3, 2), Err(TreeError::Beyond { .. })));
    assert_eq!(named(folder.path()).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn however_it_grew_the_tiles_are_the_same(steps in prop::collection::vec(1_u64..9000, 1..6), reopened: bool, picks in prop::collection::vec(any::<prop::sample::Index>(), 12)) {
        let (folder, log) = (tempfile::tempdir().unwrap(), Arc::new(TestLog::new(0)));
        let mut tree = open(&log, folder.path()).unwrap();
        let mut size = 0;
        for step in steps {
            size += step;
            log.grow(size);
            if reopened {
                tree = open(&log, folder.path()).unwrap();
            } else {
                tree.extend().unwrap();
            }
        }
        // Made again from the leaves alone.
        let again = tempfile::tempdir().unwrap();
        let rebuilt = open(&log, again.path()).unwrap();
        prop_assert_eq!(named(folder.path()), named(again.path()));
        prop_assert_eq!(rebuilt.root(size).unwrap(), root_of(size));
        for pair in picks.as_chunks::<3>().0 {
            let smaller = pair[0].index(size as usize) as u64 + 1;
            check(&tree, pair[1].index(smaller as usize) as u64, pair[2].index(smaller as usize) as u64, smaller);
        }
    }

    #[test]
    fn whatever_happens_to_tiles_heals(picks in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4), 1..20), reopened: bool) {
        let size = 70_000;
        let (folder, log) = (tempfile::tempdir().unwrap(), Arc::new(TestLog::new(size)));
        let mut tree = open(&log, folder.path()).unwrap();
        let good = named(folder.path());
        prop_assert_eq!(good.len(), 274);
        let paths: Vec<PathBuf> = files(folder.path()).into_keys().collect();
        for (pick, kind) in &picks {
            let path = &paths[pick.index(paths.len())];
            match kind {
                0 => { let _gone_already = std::fs::remove_file(path); }
                1 => std::fs::write(path, [0; 8192]).unwrap(),
                2 => std::fs::write(path, [1; 100]).unwrap(),
                // A good tile in another's place.
                _ => std::fs::write(path, &good[Path::new("tiles/0/007")]).unwrap(),
            }
        }
        if reopened {
            tree = open(&log, folder.path()).unwrap();
        } else {
            log.grow(size + 1);
            tree.extend().unwrap();
            tree.cache.lock().tiles.clear();
        }
        for index in (0..size).step_by(1009) {
            check(&tree, index, index + 1, size);
        }
        for id in (0..273).map(|index| TileId { level: 0, index }).chain([TileId { level: 1, index: 0 }]) {
            prop_assert!(tree.hashes(id, 256).unwrap().is_some());
        }
        prop_assert_eq!(named(folder.path()), good.clone());
    }
}

#[test]
fn a_folder_of_tiles_that_goes_is_made_again() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Arc::new(TestLog::new(70_000)));
    let tree = open(&log, folder.path()).unwrap();
    let good = named(folder.path());
    std::fs::remove_dir_all(folder.path().join("tiles")).unwrap();
    check(&tree, 65_535, 512, 70_000);
    assert_eq!(named(folder.path()).len(), 257, "the level-1 tile and what it is made of");
    drop(open(&log, folder.path()).unwrap());
    assert_eq!(named(folder.path()), good);
}

#[test]
fn partial_tiles_are_the_front_of_full_ones() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Arc::new(TestLog::new(600)));
    let tree = open(&log, folder.path()).unwrap();
    let (full, last) = (TileId { level: 0, index: 1 }, TileId { level: 0, index: 2 });
    let all = tree.hashes(full, 256).unwrap().unwrap();
    assert_eq!(tree.hashes(full, 7).unwrap().unwrap(), all[..7]);
    assert_eq!(tree.hashes(last, 88).unwrap().unwrap().len(), 88);
    assert_eq!(tree.hashes(last, 88).unwrap().unwrap()[87], hash(&leaf(599)));
    for (id, width) in
        [(last, 89), (last, 0), (last, 256), (TileId { level: 0, index: 3 }, 1), (TileId { level: 9, index: 0 }, 1)]
    {
        assert_eq!(tree.hashes(id, width).unwrap(), None, "{id} {width}");
    }
    assert_eq!(tree.hashes(TileId { level: 1, index: 0 }, 2).unwrap().unwrap().len(), 2);
}

#[test]
fn leaves_that_change_under_a_tree_are_found() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Arc::new(TestLog::new(1000)));
    let tree = open(&log, folder.path()).unwrap();
    // A leaf below what the tree has: noticed when its tile has to be made again.
    log.change(300);
    std::fs::remove_file(folder.path().join("tiles/0/001")).unwrap();
    let error = tree.inclusion(300, 1000).unwrap_err();
    assert!(matches!(error, TreeError::Changed { first, last } if (first.get(), last.get()) == (256, 511)), "{error}");
    // And when the log names another tree than its leaves make.
    log.grow(1100);
    assert!(matches!(tree.extend(), Err(TreeError::Changed { .. })));
    assert_eq!(tree.size(), 1000);
}
