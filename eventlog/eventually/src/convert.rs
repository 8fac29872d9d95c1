//! Versions and sequence numbers of 32 bits, revisions and positions of 64: no conversion wraps.

use eventlog::{Expected, Position, Revision};

/// The version of the event with this revision: revisions start at 0, versions at 1.
pub(crate) fn version(revision: Revision) -> Option<u32> {
    u32::try_from(revision.next().get()).ok()
}

/// The version of a source whose last event has this revision.
pub(crate) fn current_version(last: Option<Revision>) -> Option<u32> {
    last.map_or(Some(0), version)
}

/// The revision of the event with this version. Version 0 is before the first event, and a read from there begins with the first.
pub(crate) fn revision(version: u32) -> Revision {
    Revision::new(u64::from(version.saturating_sub(1)))
}

/// What the log must expect for a source to have this version.
pub(crate) fn expected(version: u32) -> Expected {
    match version {
        0 => Expected::NoStream,
        version => Expected::Exactly(revision(version)),
    }
}

/// The sequence number of the record at this position.
pub(crate) fn sequence_number(position: Position) -> Option<u32> {
    u32::try_from(position.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_and_sequence_numbers_from_zero() {
        assert_eq!(version(Revision::START), Some(1));
        assert_eq!(current_version(None), Some(0));
        assert_eq!(current_version(Some(Revision::new(6))), Some(7));
        assert_eq!(sequence_number(Position::START), Some(0));
        assert_eq!(expected(0), Expected::NoStream);
        assert_eq!(expected(1), Expected::Exactly(Revision::START));
        for number in [1, 2, 1_000, u32::MAX] {
            assert_eq!(version(revision(number)), Some(number));
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let most = u64::from(u32::MAX);
        assert_eq!(version(Revision::new(most - 1)), Some(u32::MAX));
        assert_eq!(version(Revision::new(most)), None);
        assert_eq!(version(Revision::new(u64::MAX)), None);
        assert_eq!(current_version(Some(Revision::new(most))), None);
        assert_eq!(sequence_number(Position::new(most)), Some(u32::MAX));
        assert_eq!(sequence_number(Position::new(most + 1)), None);
    }
}
