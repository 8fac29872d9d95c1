//! Bytes as a frame.

use eventlog::frames::{self, Frame, FrameError};

use crate::mending;

/// Reads the bytes as a frame, as they are and with its checksums mended. What is a frame must come back from its readings with the same digest.
pub fn frame(data: &[u8]) {
    whole(data);
    let mut mended = data.to_vec();
    mending::frame(&mut mended);
    whole(&mended);
}

fn whole(bytes: &[u8]) {
    let summaries = frames::summaries(bytes);
    let Ok(decoded) = frames::decode(bytes) else { return };
    let summaries = summaries.expect("what can be decoded can be summed up");
    assert_eq!(summaries.iter().map(|summary| summary.rows).sum::<usize>(), decoded.len());
    let readings = decoded.readings().map(|(_, reading)| reading).collect();
    match frames::encode(readings) {
        Ok(again) => {
            assert_eq!(again.digest, frames::digest(&decoded));
            let second = frames::decode(&again.bytes).expect("what was encoded can be decoded");
            assert_eq!(bits(&second), bits(&decoded));
        }
        // Another encoding of the same readings may take more bytes than a payload has.
        Err(FrameError::TooLarge { .. }) => {}
        Err(error) => panic!("what was decoded cannot be encoded: {error}"),
    }
}

/// The frame as text, in which every NaN differs from others as its bits do.
fn bits(frame: &Frame) -> Vec<String> {
    let shown = |(row, reading): (u32, frames::Reading)| match reading.value {
        frames::Value::Float(value) => format!("{row} {:x} {reading:?}", value.to_bits()),
        _ => format!("{row} {reading:?}"),
    };
    frame.readings().map(shown).collect()
}
