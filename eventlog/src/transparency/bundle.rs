//! Entry bundles: up to 256 leaves one after the other, each behind its length in two bytes, big-endian.

/// Why bytes are no bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry is longer than its length can say.
    #[error("an entry of {0} bytes does not fit into a bundle")]
    TooLong(usize),
    /// The bytes end within an entry.
    #[error("the bundle ends within an entry")]
    CutOff,
}

/// Writes the entries as a bundle.
///
/// # Errors
/// [`BundleError::TooLong`]; the log admits no such event.
pub fn bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BundleError> {
    let mut out = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong(entry.len()))?;
        out.extend(length.to_be_bytes());
        out.extend(entry);
    }
    Ok(out)
}

/// Reads the entries of a bundle.
///
/// # Errors
/// [`BundleError::CutOff`].
pub fn entries_of(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(BundleError::CutOff)?;
        let (entry, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(BundleError::CutOff)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let bytes = bundle(entries.iter().map(Vec::as_slice)).unwrap();
            prop_assert_eq!(entries_of(&bytes).unwrap(), entries);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(entries) = entries_of(&bytes) {
                prop_assert_eq!(bundle(entries).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn the_length_is_big_endian_and_bounded() {
        assert_eq!(bundle([b"ab".as_slice(), b""]).unwrap(), [0, 2, b'a', b'b', 0, 0]);
        assert_eq!(bundle([vec![7; 65_535].as_slice()]).unwrap()[..3], [255, 255, 7]);
        assert_eq!(bundle([vec![7; 65_536].as_slice()]), Err(BundleError::TooLong(65_536)));
        for cut_off in [&[0][..], &[0, 1], &[0, 2, 7]] {
            assert_eq!(entries_of(cut_off), Err(BundleError::CutOff));
        }
    }
}
