//! Puts right checksums over arbitrary bytes, where a checksum would stand. What is too short is left as it is.

/// The log id of the fixtures.
pub const LOG_ID: u128 = 0x4d69_6c6c;

/// The bytes of a segment's header.
pub const HEADER: usize = 4096;

/// What every checksum of a segment's batches and records starts from.
pub fn seed(segment: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&LOG_ID.to_be_bytes()), &segment.to_le_bytes())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes) as usize)
}

fn put(bytes: &mut [u8], at: usize, checksum: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// The header of a segment.
pub fn header(bytes: &mut [u8]) {
    if let Some(covered) = bytes.get(..HEADER - 4) {
        let checksum = crc32c::crc32c(covered);
        put(bytes, HEADER - 4, checksum);
    }
}

/// Every batch and record of a segment, from `start` on, where the lengths allow it.
pub fn batches(bytes: &mut [u8], start: usize, seed: u32) {
    let mut at = start;
    while at + 40 <= bytes.len() {
        let length = number(bytes, at + 4).unwrap_or(0);
        let end = at + 40 + length;
        if !bytes[at..].starts_with(b"MWB1") || end > bytes.len() {
            at += 16;
            continue;
        }
        records(&mut bytes[at + 40..end], seed);
        let checksum = crc32c::crc32c_append(seed, &bytes[at + 4..at + 8]);
        let checksum = crc32c::crc32c_append(checksum, &bytes[at + 12..end]);
        put(bytes, at + 8, checksum);
        at = end.next_multiple_of(16);
    }
}

fn records(bytes: &mut [u8], seed: u32) {
    let mut at = 0;
    while let Some(length) = number(bytes, at) {
        let Some(body) = bytes.get(at + 8..).and_then(|rest| rest.get(..length)) else { return };
        let checksum = crc32c::crc32c_append(seed, body);
        put(bytes, at + 4, checksum);
        at += 8 + length;
    }
}

/// Both slots of a durable mark.
pub fn mark(bytes: &mut [u8]) {
    for at in [0, 4096] {
        if let Some(slot) = bytes.get(at..at + 24) {
            let checksum = crc32c::crc32c_append(seed(u64::MAX), slot);
            put(bytes, at + 24, checksum);
        }
    }
}

/// The header and the table of checksums of an index, and the length that it says that it has.
pub fn index(bytes: &mut [u8]) {
    if bytes.len() < 96 {
        return;
    }
    let length = bytes.len() as u64;
    bytes[48..56].copy_from_slice(&length.to_le_bytes());
    let bloom = number(bytes, 68).unwrap_or(0);
    let body_at = 96_usize.saturating_add(bloom);
    let Some(body_and_table) = bytes.len().checked_sub(body_at) else { return };
    let body_ends = bytes.len() - body_and_table.div_ceil(4100) * 4;
    let Some(body) = bytes.get(body_at..body_ends) else { return };
    let table: Vec<u8> = body.chunks(4096).flat_map(|block| crc32c::crc32c(block).to_le_bytes()).collect();
    if table.len() != bytes.len() - body_ends {
        return;
    }
    bytes[body_ends..].copy_from_slice(&table);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..72]), &bytes[96..body_at]);
    put(bytes, 72, crc32c::crc32c_append(checksum, &table));
}

/// The columns of a frame.
pub fn frame(bytes: &mut [u8]) {
    if bytes.get(3) == Some(&2) {
        frame_2(bytes);
        return;
    }
    let mut at = 4;
    let Some(columns) = varint(bytes, &mut at) else { return };
    for _ in 0..columns.min(10_000) {
        let start = at;
        let mut above = || {
            let signal = varint(bytes, &mut at)?;
            at = at.checked_add(signal)?.checked_add(1)?;
            varint(bytes, &mut at)?;
            at = at.checked_add(32)?;
            varint(bytes, &mut at)
        };
        let Some(body) = above() else { return };
        let (Some(head), Some(rest)) = (bytes.get(start..at), bytes.get(at..).and_then(|rest| rest.get(4..))) else {
            return;
        };
        let Some(body) = rest.get(..body) else { return };
        let (checksum, end) = (crc32c::crc32c_append(crc32c::crc32c(head), body), at + 4 + body.len());
        put(bytes, at, checksum);
        at = end;
    }
}

/// The directory and the body of a frame of version 2.
fn frame_2(bytes: &mut [u8]) {
    let Some(end) = number(bytes, 4).and_then(|directory| directory.checked_add(12)) else { return };
    let Some(last) = bytes.len().checked_sub(4) else { return };
    let (Some(directory), Some(body)) = (bytes.get(12..end), bytes.get(end..last)) else { return };
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), directory);
    let whole = crc32c::crc32c_append(checksum, body);
    put(bytes, 8, checksum);
    put(bytes, last, whole);
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_u64;
    for place in 0..10 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte < 0x80 {
            return usize::try_from(value).ok();
        }
    }
    None
}
