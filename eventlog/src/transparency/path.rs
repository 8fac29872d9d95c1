//! Audit paths of RFC 6962, section 2.1: made from nodes of the tree, and checked with nothing but the path and two roots.

use crate::Digest;
use crate::tree::parent;

/// Makes the inclusion proof of the leaf at `index` in the tree of `size` leaves: the sibling of the leaf first. `node` answers the root of the complete
/// subtree of 2^`height` leaves that begins at leaf `index` · 2^`height`. Empty when the leaf is not in the tree.
pub(super) fn inclusion<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(u8, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    let mut path = Vec::new();
    if index >= size {
        return Ok(path);
    }
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.extend(range_root(middle, high, &mut node)?);
            high = middle;
        } else {
            path.extend(range_root(low, middle, &mut node)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Makes the proof that the tree of `from` leaves is a prefix of the tree of `to` leaves. Empty when they are the same, when the first is empty, and when it is no prefix.
pub(super) fn consistency<E>(
    from: u64,
    to: u64,
    mut node: impl FnMut(u8, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    let mut path = Vec::new();
    if from == 0 || from >= to {
        return Ok(path);
    }
    let (mut low, mut high) = (0, to);
    while high != from {
        let middle = low + split(high - low);
        if from <= middle {
            path.extend(range_root(middle, high, &mut node)?);
            high = middle;
        } else {
            path.extend(range_root(low, middle, &mut node)?);
            low = middle;
        }
    }
    // The old root itself is known to whoever checks; a part of it is not.
    if low > 0 {
        path.extend(range_root(low, high, &mut node)?);
    }
    path.reverse();
    Ok(path)
}

/// The root of the tree of `size` leaves.
pub(super) fn root<E>(size: u64, mut node: impl FnMut(u8, u64) -> Result<Digest, E>) -> Result<Digest, E> {
    Ok(range_root(0, size, &mut node)?.unwrap_or_else(|| Digest::of(&[])))
}

/// The largest power of two below `count`, which is at least 2: where RFC 6962 splits a tree.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root over the leaves from `low` up to `high`, where `low` is a multiple of a power of two that is not smaller than their number.
fn range_root<E>(
    low: u64,
    high: u64,
    node: &mut impl FnMut(u8, u64) -> Result<Digest, E>,
) -> Result<Option<Digest>, E> {
    let mut roots = Vec::new();
    let mut at = low;
    while let Some(height) = high.saturating_sub(at).checked_ilog2() {
        roots.push(node(height as u8, at >> height)?);
        at += 1 << height;
    }
    Ok(roots.into_iter().rev().reduce(|right, left| parent(&left, &right)))
}

/// Why a proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The numbers do not fit together, or the path has another length than they ask for.
    #[error("the proof does not have the shape of a proof for these sizes")]
    Shape,
    /// The path leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Checks that the leaf with this digest is at `index` in the tree of `size` leaves with this root (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// [`ProofError`] when it is not proven.
pub fn check_inclusion(
    path: &[Digest],
    (index, leaf): (u64, Digest),
    (size, root): (u64, Digest),
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Shape);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Shape);
        }
        if at & 1 == 1 || at == last {
            hash = parent(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = parent(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Shape);
    }
    if hash == root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of the first size and root is a prefix of the tree of the second (RFC 9162, section 2.1.4.2).
///
/// # Errors
/// [`ProofError`] when it is not proven.
pub fn check_consistency(
    path: &[Digest],
    (from, from_root): (u64, Digest),
    (to, to_root): (u64, Digest),
) -> Result<(), ProofError> {
    if from > to {
        return Err(ProofError::Shape);
    }
    if from == to || from == 0 {
        let same = if from == to { from_root == to_root } else { from_root == Digest::of(&[]) };
        return match (path.is_empty(), same) {
            (false, _) => Err(ProofError::Shape),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    let (mut at, mut last) = (from - 1, to - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    // A power of two is a complete subtree: its root begins the path without being in it.
    let (first, rest) = if from.is_power_of_two() {
        (from_root, path)
    } else {
        let (first, rest) = path.split_first().ok_or(ProofError::Shape)?;
        (*first, rest)
    };
    let (mut old, mut new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Shape);
        }
        if at & 1 == 1 || at == last {
            old = parent(sibling, &old);
            new = parent(sibling, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = parent(&new, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Shape);
    }
    if old == from_root && new == to_root { Ok(()) } else { Err(ProofError::Root) }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
