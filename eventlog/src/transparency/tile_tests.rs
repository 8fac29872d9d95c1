use super::*;

#[test]
fn addresses_are_those_of_the_specification() {
    let cases = [
        (0, None, "000"),
        (67, None, "067"),
        (999, Some(1), "999.p/1"),
        (1000, None, "x001/000"),
        (1_234_067, None, "x001/x234/067"),
        (1_234_067, Some(112), "x001/x234/067.p/112"),
        (u64::MAX, Some(255), "x018/x446/x744/x073/x709/x551/615.p/255"),
    ];
    for (index, width, text) in cases {
        let tile = TileIndex { index, width };
        assert_eq!(tile.to_string(), text);
        assert_eq!(TileIndex::parse(text), Some(tile));
    }
}

#[test]
fn no_other_spelling_is_an_address() {
    let wrong = [
        "",
        "0",
        "00",
        "0000",
        "x000/001",
        "001/002",
        "x001",
        "x001/",
        "/001",
        "001/",
        "abc",
        "00a",
        "+01",
        "-01",
        "001.p",
        "001.p/",
        "001.p/0",
        "001.p/01",
        "001.p/256",
        "001.p/1/2",
        "001.p/+1",
        "x018/x446/x744/x073/x709/x551/616",
        "..",
        "001/..",
        "０01",
    ];
    for text in wrong {
        assert_eq!(TileIndex::parse(text), None, "{text:?}");
    }
}

#[test]
fn widths_are_those_of_the_specification() {
    // "A tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of width 112, one full level 1 tile,
    // one partial level 1 tile of width 17, and one partial level 2 tile of width 1."
    let width = |level, index| TileId { level, index }.width_in(70_000);
    assert_eq!([width(0, 272), width(0, 273), width(0, 274)], [256, 112, 0]);
    assert_eq!([width(1, 0), width(1, 1), width(1, 2)], [256, 17, 0]);
    assert_eq!([width(2, 0), width(2, 1), width(3, 0), width(63, 0)], [1, 0, 0, 0]);
    // "A tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1."
    assert_eq!(TileId { level: 0, index: 0 }.width_in(256), 256);
    assert_eq!(TileId { level: 1, index: 0 }.width_in(256), 1);
    assert_eq!(TileId { level: 255, index: u64::MAX }.width_in(u64::MAX), 0);
}

#[test]
fn a_tile_is_256_hashes_and_nothing_else() {
    let hashes: Vec<Digest> = (0..=255_u8).map(|byte| Digest::of(&[byte])).collect();
    let tile = FullTile::new(hashes.clone()).unwrap();
    let bytes = tile_bytes(tile.hashes());
    assert_eq!(bytes.len(), 8192);
    assert_eq!(FullTile::from_bytes(&bytes), Some(tile));
    for wrong in [&bytes[..8191], &bytes[..8160], &[], &[bytes.clone(), bytes.clone()].concat()] {
        assert_eq!(FullTile::from_bytes(wrong), None);
    }
    let mut tree = crate::Tree::new();
    for hash in hashes {
        tree.push(hash);
    }
    assert_eq!(FullTile::from_bytes(&bytes).unwrap().root(), Some(tree.root()));
}
