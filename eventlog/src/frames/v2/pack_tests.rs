use proptest::prelude::*;

use super::super::super::bytes::Reader;
use super::{packed_bytes, put_packed, read_packed, read_width, width_of};

proptest! {
    #[test]
    fn what_was_packed_comes_back(width in 0_u32..=64, numbers in prop::collection::vec(any::<u64>(), 0..100), tail in 0_usize..20) {
        let width = width_of(if width == 0 { 0 } else { u64::MAX >> (64 - width) });
        let limit = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
        let numbers: Vec<u64> = numbers.into_iter().map(|number| number & limit).collect();
        let mut bytes = Vec::new();
        put_packed(&mut bytes, width, numbers.iter().copied());
        prop_assert_eq!(bytes.len(), packed_bytes(width, numbers.len()));
        bytes.resize(bytes.len() + tail, 0xff);
        let mut reader = Reader::new(&bytes);
        let mut found = vec![7; numbers.len()];
        read_packed(&mut reader, width, &mut found).unwrap();
        prop_assert_eq!(found, numbers);
        prop_assert_eq!(reader.rest().len(), tail);
    }
}

#[test]
fn widths_that_no_load_holds_are_refused() {
    for width in 0..=255_u8 {
        let read = read_width(&mut Reader::new(&[width])).ok();
        assert_eq!(read, (width <= 56 || width == 64).then_some(u32::from(width)));
    }
}
