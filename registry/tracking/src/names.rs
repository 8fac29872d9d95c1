//! Names for what nobody named.

use uuid::Uuid;

const ADJECTIVES: [&str; 48] = [
    "amber", "ample", "brisk", "calm", "clear", "crisp", "dense", "dry", "eager", "even", "exact", "fair", "fine",
    "firm", "fleet", "fresh", "gentle", "glad", "grand", "keen", "level", "light", "lively", "lucid", "mellow", "mild",
    "neat", "nimble", "pale", "plain", "proud", "pure", "quick", "quiet", "ready", "robust", "round", "sharp",
    "silent", "smooth", "sober", "solid", "steady", "still", "sunny", "swift", "taut", "warm",
];

const NOUNS: [&str; 48] = [
    "beam", "bobbin", "braid", "canvas", "cone", "cotton", "crepe", "damask", "denim", "drum", "fabric", "felt",
    "fiber", "flax", "fleece", "frame", "gauze", "harness", "heald", "hemp", "jute", "knot", "lace", "linen", "loom",
    "nozzle", "pick", "pirn", "plaid", "poplin", "ramie", "reed", "roller", "satin", "selvedge", "serge", "shed",
    "shuttle", "silk", "skein", "spindle", "spool", "thread", "twill", "velvet", "warp", "weft", "yarn",
];

/// A name like `brisk-shuttle-417`.
pub(crate) fn generated() -> String {
    // The last eight bytes of a version 7 UUID are random but for two bits at their start.
    let [.., a, b, c, d] = *Uuid::now_v7().as_bytes();
    let word =
        |list: &[&'static str; 48], byte: u8| list.get(usize::from(byte) % list.len()).copied().unwrap_or("plain");
    format!("{}-{}-{}", word(&ADJECTIVES, a), word(&NOUNS, b), u16::from_be_bytes([c, d]) % 1000)
}

/// 32 hexadecimal digits that nobody else has.
pub(crate) fn hexadecimal_id() -> String {
    Uuid::now_v7().simple().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn names_have_three_parts_and_differ() {
        let names: HashSet<String> = (0..200).map(|_| super::generated()).collect();
        assert!(names.len() > 150, "{} of 200 names differ", names.len());
        for name in &names {
            let parts: Vec<&str> = name.split('-').collect();
            assert_eq!(parts.len(), 3, "{name}");
            assert!(parts[2].parse::<u16>().unwrap() < 1000);
        }
    }

    #[test]
    fn ids_are_32_lower_hexadecimal_digits() {
        let id = super::hexadecimal_id();
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{id}");
    }
}
