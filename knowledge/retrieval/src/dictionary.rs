//! Words that jieba must not tear apart, words that mean the same, and abbreviations: curated by hand, versioned with the code.

use std::sync::LazyLock;

use crate::terms;

/// The version of this dictionary. An index that was made with another one is built anew.
pub const VERSION: u32 = 1;

/// The frequency that a word is given in jieba: high enough to win over the words within it.
pub const WORD_WEIGHT: usize = 20_000;

/// Words of weaving and of maintenance that the general dictionary lacks.
#[rustfmt::skip]
pub const WORDS_ZH: &[&str] = &[
    // The loom and its parts.
    "开口", "开口机构", "开口凸轮", "开口臂", "平综", "梭口", "梭道", "踏综杆", "提综", "多臂", "多臂机", "提花机", "综框", "综丝", "综眼", "综片", "吊综", "钢筘", "异形筘", "筘座", "筘齿",
    "筘槽", "筘片", "筘路", "筘痕", "引纬", "投纬", "主喷嘴", "主喷", "辅喷嘴", "辅喷", "副喷嘴", "辅助喷嘴", "串联喷嘴", "拉伸喷嘴", "电磁阀", "打纬", "打纬凸轮", "共轭凸轮", "摇轴", "曲轴", "织口",
    "送经", "送经电机", "经轴", "织轴", "盘头", "后梁", "卷取", "卷取辊", "压布辊", "刺毛辊", "糙面带", "卷布", "储纬器", "储纬", "挡纱针", "挡纱销", "磁针", "储纬销", "定长", "探纬器", "探纬头", "探头",
    "停经", "停经片", "停经架", "停经条", "停经杆", "经停", "纬停", "边停", "绞边", "绞边器", "绞边纱", "绞边盘", "废边", "假边", "锁边", "边撑", "边撑针", "刺环", "刺辊", "剪刀", "剪纬", "边剪", "主轴",
    "主电机", "主马达", "伺服", "驱动器", "变频器", "编码器", "接近开关", "主板", "触摸屏", "面板", "刹车", "制动", "制动盘", "制动片", "离合器", "皮带", "蜗轮", "蜗杆", "减速箱", "减速机", "变换齿轮",
    "空压机", "储气罐", "气压", "气源", "调压阀", "快插", "接头", "润滑泵", "油位", "油压", "油路", "油窗", "集中润滑", "黄油", "轴承", "轴套", "连杆", "转子", "凸轮",
    // Yarn and cloth.
    "经纱", "纬纱", "绞纱", "边纱", "纱头", "飞花", "浆皮", "浆料", "断经", "断纬", "断头", "缺纬", "双纬", "空纬", "短纬", "长纬", "纬缩", "松纬", "带纬", "稀密路", "密路", "稀路", "稀弄", "横档", "云织",
    "跳花", "跳纱", "星跳", "百脚", "烂边", "松边", "毛边", "豁边", "边撑疵", "开车痕", "开车档", "停车痕", "筘痕", "经缩", "吊经", "错经", "双经", "缺经", "跑经", "断疵", "油经", "油纬", "纬密", "经密", "布幅",
    "布面", "布边", "条影", "到达角", "车速", "停台", "误停", "空关", "落布", "了机", "上轴", "穿综", "穿筘", "结经",
    // What happens to machines.
    "异响", "发热", "发烫", "烫手", "温升", "漏气", "漏油", "缺油", "打滑", "磨损", "松动", "卡死", "卡住", "堵塞", "跳闸", "过载", "过流", "死机", "黑屏", "报警", "误报警", "抖动", "晃动", "窜动", "间隙", "松旷", "旷动", "打齿",
    "缺齿", "开裂", "断裂", "短路", "断线", "接触不良",
];

/// What a text speaks of, in whatever words: the first phrase of each group of [`SAME`] of which it has one.
pub fn concepts(text: &str) -> Vec<&'static str> {
    let stems: Vec<String> = terms::en(text).into_iter().map(|token| token.text).collect();
    let latin = format!(" {} ", stems.join(" "));
    let has_han = text.chars().any(terms::is_han);
    let speaks = |group: &&(&'static str, Vec<String>, &'static [&'static str])| {
        let (_, keys, phrases) = group;
        keys.iter().any(|key| latin.contains(key)) || (has_han && phrases.iter().any(|phrase| text.contains(phrase)))
    };
    GROUPS.iter().filter(speaks).map(|(name, ..)| *name).collect()
}

/// A group: its name, its English phrases stemmed, with a blank on each side, and all of its phrases.
type Group = (&'static str, Vec<String>, &'static [&'static str]);

static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let key = |phrase: &&&str| -> Option<String> {
        let stems: Vec<String> = terms::en(phrase).into_iter().map(|token| token.text).collect();
        (!phrase.chars().any(terms::is_han)).then(|| format!(" {} ", stems.join(" ")))
    };
    let group = |phrases: &'static &'static [&'static str]| {
        let name = phrases.first().copied()?;
        Some((name, phrases.iter().filter_map(|phrase| key(&phrase)).collect(), *phrases))
    };
    SAME.iter().filter_map(group).collect()
});

/// Groups of words that mean the same to whoever repairs machines; a question with one of them also finds the others, at a lower weight. Latin
/// words are stemmed before they are compared. Most join the languages, the others a workshop's word with the manual's.
#[rustfmt::skip]
pub const SAME: &[&[&str]] = &[
    &["主喷嘴", "主喷", "main nozzle"],
    &["辅喷嘴", "辅喷", "辅助喷嘴", "副喷嘴", "relay nozzle"],
    &["喷嘴", "nozzle"],
    &["钢筘", "筘齿", "筘", "reed"],
    &["筘座", "sley"],
    &["综框", "heald frame", "harness"],
    &["综丝", "综眼", "heald", "heddle"],
    &["开口", "shed", "shedding"],
    &["引纬", "投纬", "weft insertion", "picking"],
    &["打纬", "beat-up"],
    &["送经", "let-off"],
    &["卷取", "take-up"],
    &["经轴", "织轴", "盘头", "beam"],
    &["储纬器", "储纬", "accumulator", "feeder"],
    &["挡纱针", "磁针", "储纬销", "pin"],
    &["经停", "warp stop"],
    &["纬停", "weft stop"],
    &["停经片", "drop wire"],
    &["探纬器", "探纬头", "探头", "weft feeler", "weft detector"],
    &["绞边", "绞边器", "selvedge", "leno"],
    &["边撑", "temple"],
    &["剪刀", "剪纬", "边剪", "cutter", "scissors"],
    &["主轴", "main shaft"],
    &["轴承", "bearing"],
    &["电机", "马达", "motor"],
    &["刹车", "制动", "brake"],
    &["离合器", "clutch"],
    &["皮带", "belt"],
    &["齿轮", "牙", "gear"],
    &["蜗轮", "蜗杆", "worm"],
    &["减速箱", "减速机", "牙箱", "gearbox"],
    &["凸轮", "cam"],
    &["连杆", "linkage", "lever"],
    &["气压", "风压", "air pressure"],
    &["漏气", "漏风", "air leak", "hissing"],
    &["空压机", "compressor"],
    &["电磁阀", "solenoid valve"],
    &["传感器", "感应器", "sensor"],
    &["编码器", "encoder"],
    &["触摸屏", "屏幕", "面板", "panel", "screen"],
    &["死机", "hang", "freeze"],
    &["通讯", "communication"],
    &["经纱", "warp"],
    &["纬纱", "weft"],
    &["张力", "tension"],
    &["断经", "broken end", "warp break"],
    &["断纬", "broken pick", "weft break"],
    &["缺纬", "百脚", "missing pick"],
    &["双纬", "double pick"],
    &["稀密路", "横档", "thick and thin place"],
    &["跳花", "跳纱", "float"],
    &["烂边", "豁边", "bad selvedge"],
    &["纬缩", "weft loop"],
    &["开车痕", "开车档", "停车痕", "starting mark"],
    &["筘路", "筘痕", "reed mark"],
    &["带纬", "lashing-in"],
    &["异响", "响声", "noise", "noisy"],
    &["振动", "震动", "抖动", "vibration"],
    &["发热", "发烫", "烫手", "温升", "hot", "overheat"],
    &["打滑", "slip"],
    &["磨损", "worn", "wear"],
    &["堵塞", "堵", "clogged", "blocked", "plugged"],
    &["断裂", "开裂", "crack", "broken"],
    &["松动", "松", "loose"],
    &["漏油", "oil leak"],
    &["缺油", "油位低", "low oil"],
    &["过载", "跳闸", "过流", "overload", "trip"],
    &["报警", "alarm"],
    &["停车", "stop"],
    // English only.
    &["leak", "weep", "drip"],
    &["crack", "fracture"],
    &["replace", "change out", "swap", "renew"],
    &["repair", "fix", "rectify"],
    &["hose", "line"],
    &["fasten", "bolt"],
];

/// Abbreviations of maintenance texts with what they stand for. Both sides are in lower case; the left one is one word as [`crate::terms::latin`] cuts
/// it.
#[rustfmt::skip]
pub const ABBREVIATIONS: &[(&str, &str)] = &[
    ("acc", "accumulator"), ("accum", "accumulator"), ("adj", "adjust"), ("alt", "alternator"), ("assy", "assembly"), ("aux", "auxiliary"), ("batt", "battery"), ("brg", "bearing"),
    ("brgs", "bearings"), ("brk", "broken"), ("btm", "bottom"), ("chk", "check"), ("cmp", "compressor"), ("comp", "compressor"), ("cond", "condition"), ("conn", "connection"), ("conv", "conveyor"),
    ("cyl", "cylinder"), ("cyls", "cylinders"), ("diff", "differential"), ("dmg", "damaged"), ("elec", "electrical"), ("eng", "engine"), ("exh", "exhaust"), ("extng", "extinguisher"), ("flt", "fault"),
    ("fnt", "front"), ("frt", "front"), ("gen", "generator"), ("grbx", "gearbox"), ("hd", "head"), ("hyd", "hydraulic"), ("hyds", "hydraulics"), ("hydr", "hydraulic"), ("ign", "ignition"), ("insp", "inspect"), ("instr", "instrument"), ("leakin", "leaking"),
    ("lh", "left hand"), ("lhs", "left hand side"), ("lhf", "left hand front"), ("lhr", "left hand rear"), ("lub", "lubrication"), ("lube", "lubrication"), ("maint", "maintenance"), ("mtr", "motor"), ("mtg", "mounting"), ("noz", "nozzle"), ("o", "out"), ("oper", "operator"), ("pos", "position"), ("press", "pressure"),
    ("pmp", "pump"), ("qty", "quantity"), ("rad", "radiator"), ("rad", "radiator"), ("rep", "repair"), ("repl", "replace"), ("rplc", "replace"), ("rev", "reverse"), ("rh", "right hand"), ("rhs", "right hand side"), ("rhf", "right hand front"), ("rhr", "right hand rear"), ("sens", "sensor"), ("solen", "solenoid"), ("sw", "switch"), ("susp", "suspension"),
    ("sys", "system"), ("temp", "temperature"), ("tk", "tank"), ("trans", "transmission"), ("tx", "transmitter"), ("u", "unserviceable"), ("us", "unserviceable"), ("vlv", "valve"), ("volt", "voltage"), ("w", "with"), ("wshld", "windscreen"), ("xmsn", "transmission"),
];
