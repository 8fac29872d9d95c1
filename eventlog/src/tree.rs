//! The Merkle tree of RFC 6962 over the leaf digests, as far as appending and its root need it.

use sha2::Digest as _;

use crate::Digest;

/// The right edge of the tree: one root for each complete subtree, the largest first. It grows by one leaf in constant time on average.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    edge: Vec<Digest>,
}

impl Tree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of `size` leaves with this right edge, when their number fits: one subtree for each set bit of the size.
    pub fn from_edge(size: u64, edge: Vec<Digest>) -> Option<Self> {
        (edge.len() == size.count_ones() as usize).then_some(Self { size, edge })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, the largest first.
    pub fn edge(&self) -> &[Digest] {
        &self.edge
    }

    /// Adds a leaf by its digest ([`crate::Record::leaf_digest`]).
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.edge.pop() {
                node = parent(&left, &node);
            }
            size >>= 1;
        }
        self.edge.push(node);
        self.size += 1;
    }

    /// The root hash; that of no leaves is SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        let right_to_left = self.edge.iter().rev().copied();
        right_to_left.reduce(|right, left| parent(&left, &right)).unwrap_or_else(|| Digest::of(&[]))
    }
}

/// The hash of an inner node: SHA-256 of a one byte and both children.
pub(crate) fn parent(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = sha2::Sha256::new();
    hasher.update([1_u8]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    Digest::new(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962, section 2.1, word for word.
    fn root_of(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                parent(&root_of(&leaves[..split]), &root_of(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition() {
        let leaves: Vec<Digest> = (0..130_u8).map(|index| Digest::of(&[index])).collect();
        let mut tree = Tree::new();
        for size in 0..leaves.len() {
            assert_eq!(tree.root(), root_of(&leaves[..size]), "size {size}");
            let copy = Tree::from_edge(size as u64, tree.edge().to_vec()).unwrap();
            assert_eq!(copy, tree);
            tree.push(leaves[size]);
        }
    }

    #[test]
    fn a_known_root() {
        // Test vector of the certificate transparency project: leaves "", 00, 10, 2021, 3031, 40414243, 5051…57, 6061…6f.
        let inputs: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let mut tree = Tree::new();
        for input in inputs {
            tree.push(Digest::of(&[&[0_u8], input].concat()));
        }
        assert_eq!(tree.root().to_string(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }
}
