//! Defects of woven cloth, as inspectors name them. Their points come from their length (ASTM D5430), not from their kind.

use super::{Kind, Term, term};

/// Defects of woven cloth.
#[rustfmt::skip]
pub const DEFECTS: &[Term] = &[
    term(Kind::Defect, "broken_end", "断经", "broken end"),
    term(Kind::Defect, "missing_end", "缺经", "missing end"),
    term(Kind::Defect, "slack_end", "松经", "slack end"),
    term(Kind::Defect, "tight_end", "紧经", "tight end"),
    term(Kind::Defect, "double_end", "双经", "double end"),
    term(Kind::Defect, "wrong_draw", "穿错", "wrong draw"),
    term(Kind::Defect, "reed_mark", "筘路", "reed mark"),
    term(Kind::Defect, "broken_pick", "断纬", "broken pick"),
    term(Kind::Defect, "missing_pick", "缺纬", "missing pick"),
    term(Kind::Defect, "double_pick", "双纬", "double pick"),
    term(Kind::Defect, "weft_bar", "纬档", "weft bar"),
    term(Kind::Defect, "weft_loop", "纬缩", "weft loop"),
    term(Kind::Defect, "slack_weft", "松纬", "slack weft"),
    term(Kind::Defect, "lashing_in", "带纬", "lashing-in"),
    term(Kind::Defect, "start_mark", "开车痕", "starting mark"),
    term(Kind::Defect, "thick_thin_place", "稀密路", "thick and thin place"),
    term(Kind::Defect, "thick_place", "密路", "thick place"),
    term(Kind::Defect, "thin_place", "稀路", "thin place"),
    term(Kind::Defect, "float", "跳花", "float"),
    term(Kind::Defect, "stitch", "跳纱", "stitch"),
    term(Kind::Defect, "bad_selvedge", "烂边", "bad selvedge"),
    term(Kind::Defect, "slack_selvedge", "松边", "slack selvedge"),
    term(Kind::Defect, "slub", "竹节", "slub"),
    term(Kind::Defect, "thick_yarn", "粗经粗纬", "thick yarn"),
    term(Kind::Defect, "knot", "结头", "knot"),
    term(Kind::Defect, "neps", "棉结", "neps"),
    term(Kind::Defect, "foreign_fibre", "异性纤维", "foreign fibre"),
    term(Kind::Defect, "oil_stain", "油污", "oil stain"),
    term(Kind::Defect, "dirt", "污渍", "dirt"),
    term(Kind::Defect, "hole", "破洞", "hole"),
    term(Kind::Defect, "tear", "撕裂", "tear"),
    term(Kind::Defect, "temple_mark", "边撑疵", "temple mark"),
    term(Kind::Defect, "crease", "折痕", "crease"),
    term(Kind::Defect, "size_spot", "浆斑", "size spot"),
    term(Kind::Defect, "wrong_pattern", "错花", "wrong pattern"),
    term(Kind::Defect, "wrong_width", "幅宽不符", "wrong width"),
];
