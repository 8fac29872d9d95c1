//! The proofs against `ct-merkle`, which somebody else wrote, and against the published vectors of certificate transparency.

use std::convert::Infallible;

use ct_merkle::digest::Output;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::transparency::edge::block_root;

/// A tree that answers every node from its leaves.
struct Leaves(Vec<Digest>);

impl Leaves {
    fn new(count: u64) -> Self {
        Self((0..count).map(|index| Digest::of(&[&[0_u8], index.to_string().as_bytes()].concat())).collect())
    }

    fn node(&self, height: u8, index: u64) -> Result<Digest, Infallible> {
        let first = (index << height) as usize;
        Ok(block_root(&self.0[first..first + (1 << height)]).unwrap())
    }

    fn root(&self, size: u64) -> Digest {
        root(size, |height, index| self.node(height, index)).unwrap()
    }
}

fn foreign(path: &[Digest]) -> Vec<Output<Sha256>> {
    path.iter().map(|digest| (*digest.as_bytes()).into()).collect()
}

fn foreign_root(root: Digest, size: u64) -> RootHash<Sha256> {
    RootHash::new((*root.as_bytes()).into(), size)
}

fn foreign_tree(size: u64) -> MemoryBackedTree<Sha256, String> {
    let mut tree = MemoryBackedTree::new();
    for index in 0..size {
        tree.push(index.to_string());
    }
    tree
}

fn same_inclusion(leaves: &Leaves, index: u64, size: u64) {
    let path = inclusion(index, size, |height, index| leaves.node(height, index)).unwrap();
    let root = leaves.root(size);
    let leaf = leaves.0[index as usize];
    assert_eq!(check_inclusion(&path, (index, leaf), (size, root)), Ok(()), "{index} in {size}");
    let hashes = foreign(&path);
    let proof = InclusionProof::<Sha256>::from_digests(hashes.iter());
    foreign_root(root, size).verify_inclusion(&index.to_string(), index, &proof).unwrap();
}

fn same_consistency(leaves: &Leaves, from: u64, to: u64) {
    let path = consistency(from, to, |height, index| leaves.node(height, index)).unwrap();
    let (old, new) = (leaves.root(from), leaves.root(to));
    assert_eq!(check_consistency(&path, (from, old), (to, new)), Ok(()), "{from} to {to}");
    if from > 0 && from < to {
        let hashes = foreign(&path);
        let proof = ConsistencyProof::<Sha256>::from_digests(hashes.iter());
        foreign_root(new, to).verify_consistency(&foreign_root(old, from), &proof).unwrap();
    }
}

#[test]
fn every_proof_of_every_small_tree_holds_for_both_verifiers() {
    let leaves = Leaves::new(130);
    for size in 1..=130 {
        assert_eq!(foreign_tree(size).root().as_bytes().as_slice(), leaves.root(size).as_bytes(), "size {size}");
        for index in 0..size {
            same_inclusion(&leaves, index, size);
        }
        for from in 0..=size {
            same_consistency(&leaves, from, size);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn proofs_of_larger_trees_hold_for_both_verifiers(size in 2_u64..1500, index: prop::sample::Index, from: prop::sample::Index) {
        let leaves = Leaves::new(size);
        same_inclusion(&leaves, index.index(size as usize) as u64, size);
        same_consistency(&leaves, from.index(size as usize + 1) as u64, size);
    }

    #[test]
    fn a_changed_proof_proves_nothing(size in 2_u64..600, index: prop::sample::Index, from: prop::sample::Index, bit in 0_usize..256, at: prop::sample::Index) {
        let leaves = Leaves::new(size);
        let index = index.index(size as usize) as u64;
        let path = inclusion(index, size, |height, index| leaves.node(height, index)).unwrap();
        let (leaf, root) = (leaves.0[index as usize], leaves.root(size));
        for changed in changes(&path, bit, at) {
            prop_assert!(check_inclusion(&changed, (index, leaf), (size, root)).is_err());
        }
        prop_assert!(check_inclusion(&path, (index, flipped(leaf, bit)), (size, root)).is_err());
        prop_assert!(check_inclusion(&path, (index, leaf), (size, flipped(root, bit))).is_err());
        prop_assert!(check_inclusion(&path, (size, leaf), (size, root)).is_err());
        prop_assert!(check_inclusion(&path, (index ^ 1, leaf), (size, root)).is_err());

        let from = from.index(size as usize - 1) as u64 + 1;
        let path = consistency(from, size, |height, index| leaves.node(height, index)).unwrap();
        let old = leaves.root(from);
        for changed in changes(&path, bit, at) {
            prop_assert!(check_consistency(&changed, (from, old), (size, root)).is_err());
        }
        prop_assert!(check_consistency(&path, (from, flipped(old, bit)), (size, root)).is_err());
        prop_assert!(check_consistency(&path, (from, old), (size, flipped(root, bit))).is_err());
        prop_assert!(check_consistency(&path, (size, root), (from, old)).is_err());
    }
}

fn flipped(digest: Digest, bit: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Digest::new(bytes)
}

/// The path with one bit flipped, with a hash more and with one less.
fn changes(path: &[Digest], bit: usize, at: prop::sample::Index) -> Vec<Vec<Digest>> {
    let mut longer = path.to_vec();
    longer.push(Digest::of(&[]));
    if path.is_empty() {
        return vec![longer];
    }
    let mut changed = path.to_vec();
    let place = at.index(path.len());
    changed[place] = flipped(changed[place], bit);
    vec![changed, longer, path[..path.len() - 1].to_vec()]
}

/// The leaves of the vectors of the certificate transparency project: "", 00, 10, 2021, 3031, 40414243, 50…57, 60…6f.
const VECTOR_LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

fn vector_leaves() -> Leaves {
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    Leaves(VECTOR_LEAVES.iter().map(|text| Digest::of(&[vec![0_u8], bytes(text)].concat())).collect())
}

#[test]
fn the_roots_of_certificate_transparency() {
    let leaves = vector_leaves();
    let expected = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, expected) in expected.iter().enumerate() {
        assert_eq!(leaves.root(size as u64).to_string(), *expected, "size {size}");
    }
}

#[test]
fn the_proofs_of_certificate_transparency() {
    let leaves = vector_leaves();
    let node = |height, index| leaves.node(height, index);
    let text = |path: Vec<Digest>| path.iter().map(Digest::to_string).collect::<Vec<_>>();
    // Leaf 5 of 8, counted from 0: its sibling, then the pair, then the other half.
    assert_eq!(
        text(inclusion(5, 8, node).unwrap()),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(
        text(consistency(6, 8, node).unwrap()),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}
