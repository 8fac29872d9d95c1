//! The loom: its subunits, its failure modes with the words that people use for their symptoms, and why it stands.
//!
//! ISO 14224 has no class for weaving machines. The table follows its scheme: a failure mode belongs to a subunit, and says what that does not
//! do as it should. The symptoms are typical words, not a diagnosis: what a symptom means is learnt from the mill's own history.

use serde::Serialize;

use super::{Kind, Term, term};

/// The asset class that the table is for.
pub const LOOM_CLASS: &str = "air-jet-loom";

/// Subunits and maintainable items of a loom.
#[rustfmt::skip]
pub const LOOM_ITEMS: &[Term] = &[
    term(Kind::Item, "shedding", "开口机构", "shedding"),
    term(Kind::Item, "weft_insertion", "引纬机构", "weft insertion"),
    term(Kind::Item, "beat_up", "打纬机构", "beat-up"),
    term(Kind::Item, "let_off", "送经机构", "let-off"),
    term(Kind::Item, "take_up", "卷取机构", "take-up"),
    term(Kind::Item, "accumulator", "储纬器", "weft accumulator"),
    term(Kind::Item, "main_nozzle", "主喷嘴", "main nozzle"),
    term(Kind::Item, "relay_nozzle", "辅助喷嘴", "relay nozzle"),
    term(Kind::Item, "air_supply", "气源", "air supply"),
    term(Kind::Item, "heald_frame", "综框", "heald frame"),
    term(Kind::Item, "reed", "钢筘", "reed"),
    term(Kind::Item, "warp_stop_motion", "经停装置", "warp stop motion"),
    term(Kind::Item, "weft_stop_motion", "纬停装置", "weft stop motion"),
    term(Kind::Item, "weft_cutter", "剪纬装置", "weft cutter"),
    term(Kind::Item, "selvedge_device", "绞边装置", "selvedge device"),
    term(Kind::Item, "temple", "边撑", "temple"),
    term(Kind::Item, "drive_bearing", "主传动轴承", "drive bearing"),
    term(Kind::Item, "main_motor", "主电机", "main motor"),
    term(Kind::Item, "brake", "制动器", "brake"),
    term(Kind::Item, "lubrication", "润滑系统", "lubrication"),
    term(Kind::Item, "electrical_control", "电气控制", "electrical control"),
];

/// Why a loom stands.
#[rustfmt::skip]
pub const STOP_REASONS: &[Term] = &[
    term(Kind::StopReason, "warp_break", "经停", "warp stop"),
    term(Kind::StopReason, "weft_break", "纬停", "weft stop"),
    term(Kind::StopReason, "selvedge_break", "边停", "selvedge stop"),
    term(Kind::StopReason, "doffing", "落布", "doffing"),
    term(Kind::StopReason, "beam_change", "换轴", "beam change"),
    term(Kind::StopReason, "style_change", "翻改品种", "style change"),
    term(Kind::StopReason, "cleaning", "清扫", "cleaning"),
    term(Kind::StopReason, "mechanical_fault", "机械故障", "mechanical fault"),
    term(Kind::StopReason, "electrical_fault", "电气故障", "electrical fault"),
    term(Kind::StopReason, "air_shortage", "供气不足", "shortage of air"),
    term(Kind::StopReason, "no_order", "无订单", "no order"),
    term(Kind::StopReason, "no_yarn", "缺纱", "no yarn"),
    term(Kind::StopReason, "no_operator", "无人看台", "no operator"),
];

/// A failure mode of a loom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LoomFailureMode {
    /// The code and its names.
    pub term: Term,
    /// The item that fails, a code of [`LOOM_ITEMS`].
    pub item: &'static str,
    /// Words for what is noticed, in Chinese.
    pub symptoms_zh: &'static [&'static str],
    /// Words for what is noticed, in English.
    pub symptoms_en: &'static [&'static str],
}

/// The failure mode of a loom with this code.
pub fn loom_failure_mode(code: &str) -> Option<&'static LoomFailureMode> {
    LOOM_FAILURE_MODES.iter().find(|mode| mode.term.code.eq_ignore_ascii_case(code))
}

macro_rules! modes {
    ($($code:literal $item:literal $zh:literal $en:literal [$($symptom_zh:literal),*] [$($symptom_en:literal),*];)*) => {
        &[$(LoomFailureMode {
            term: term(Kind::FailureMode, $code, $zh, $en),
            item: $item,
            symptoms_zh: &[$($symptom_zh),*],
            symptoms_en: &[$($symptom_en),*],
        }),*]
    };
}

/// The failure modes of a loom.
#[rustfmt::skip]
pub const LOOM_FAILURE_MODES: &[LoomFailureMode] = modes![
    "SHD-TIM" "shedding" "开口时间失调" "shedding out of time" ["开口不清", "跳花", "纬纱碰经"] ["unclear shed", "floats", "weft hits the warp"];
    "SHD-CAM" "shedding" "开口凸轮或连杆磨损" "shedding cam or lever worn" ["综框抖动", "异响", "振动大"] ["heald frames shake", "knocking", "vibration"];
    "HLD-WIR" "heald_frame" "综丝断裂或磨损" "heald broken or worn" ["同一处断经", "经停频繁", "跳纱"] ["warp breaks at one place", "many warp stops", "stitches"];
    "HLD-FRM" "heald_frame" "综框开裂或松动" "heald frame cracked or loose" ["综框异响", "开口不匀"] ["heald frame rattles", "uneven shed"];
    "REE-DAM" "reed" "钢筘损伤" "reed damaged" ["筘路", "同一处断经", "经纱起毛"] ["reed marks", "warp breaks at one place", "hairy warp"];
    "WIN-LAT" "weft_insertion" "纬纱到达过晚" "weft arrives late" ["到达角变大", "纬停频繁", "短纬"] ["arrival angle grows", "many weft stops", "short picks"];
    "WIN-BLO" "weft_insertion" "引纬失败" "weft insertion failure" ["纬停频繁", "缺纬", "吹断纬纱"] ["many weft stops", "missing picks", "weft blown apart"];
    "WIN-CUT" "weft_cutter" "剪纬不良" "weft cutter cuts badly" ["纬尾过长", "剪不断", "带纬"] ["long weft tails", "weft is not cut", "lashing-in"];
    "NOZ-MAI" "main_nozzle" "主喷嘴堵塞或磨损" "main nozzle clogged or worn" ["到达角变大", "气压正常但纬纱慢", "纬停"] ["arrival angle grows", "weft slow at normal pressure", "weft stops"];
    "NOZ-REL" "relay_nozzle" "辅助喷嘴堵塞" "relay nozzle clogged" ["到达角波动", "纬缩", "耗气量变化"] ["arrival angle scatters", "weft loops", "air flow changes"];
    "AIR-LOW" "air_supply" "供气压力过低" "air pressure too low" ["气压低", "多台纬停", "到达角变大"] ["low air pressure", "weft stops on many looms", "arrival angle grows"];
    "AIR-LEA" "air_supply" "漏气" "air leak" ["漏气声", "耗气量增大", "气压下降"] ["hissing", "air flow grows", "pressure falls"];
    "BTU-WEA" "beat_up" "打纬机构磨损" "beat-up worn" ["稀密路", "筘座晃动", "振动大"] ["thick and thin places", "sley is loose", "vibration"];
    "LET-TEN" "let_off" "送经张力失控" "let-off tension out of control" ["经纱张力波动", "经纱张力高", "断经", "稀密路"] ["warp tension swings", "warp tension high", "warp breaks", "thick and thin places"];
    "LET-DRV" "let_off" "送经传动磨损" "let-off drive worn" ["送经不匀", "张力周期性波动", "横档"] ["uneven let-off", "tension swings with a period", "bars"];
    "TAK-SLP" "take_up" "卷取打滑" "take-up slips" ["纬密不匀", "稀路", "布面松弛"] ["uneven pick density", "thin places", "slack cloth"];
    "TAK-GEA" "take_up" "卷取齿轮磨损" "take-up gear worn" ["周期性稀密路", "卷取异响"] ["thick and thin places with a period", "take-up is noisy"];
    "ACC-FEE" "accumulator" "储纬器供纱故障" "accumulator does not feed" ["储纬圈数不足", "纬停", "断纬"] ["too few windings", "weft stops", "broken picks"];
    "ACC-PIN" "accumulator" "储纬挡纱针故障" "accumulator pin sticks" ["双纬", "缺纬", "长短纬"] ["double picks", "missing picks", "long and short picks"];
    "WRP-STP" "warp_stop_motion" "经停装置失灵" "warp stop motion fails" ["断经不停", "误停", "经停无断头"] ["no stop at a warp break", "false stops", "warp stop without a break"];
    "WFT-STP" "weft_stop_motion" "纬停装置失灵" "weft stop motion fails" ["缺纬不停", "误停", "探纬器脏"] ["no stop at a missing pick", "false stops", "weft feeler dirty"];
    "SEL-DEV" "selvedge_device" "绞边装置故障" "selvedge device fails" ["烂边", "松边", "边纱断"] ["bad selvedge", "slack selvedge", "selvedge yarn breaks"];
    "TEM-DAM" "temple" "边撑损坏" "temple damaged" ["边撑疵", "边部破洞"] ["temple marks", "holes near the selvedge"];
    "BEA-WEA" "drive_bearing" "主传动轴承磨损" "drive bearing worn" ["振动大", "轴承温度高", "异响", "电流增大"] ["vibration", "bearing hot", "noise", "motor current grows"];
    "BEA-LUB" "drive_bearing" "主传动轴承润滑不良" "drive bearing badly lubricated" ["轴承温度高", "干磨声", "电流增大"] ["bearing hot", "dry noise", "motor current grows"];
    "MOT-OVL" "main_motor" "主电机过载" "main motor overloaded" ["电流大", "电机发热", "跳闸"] ["high current", "motor hot", "breaker trips"];
    "BRK-SLP" "brake" "制动打滑" "brake slips" ["停车角度不准", "开车痕", "停车过冲"] ["stops at a wrong angle", "starting marks", "overruns at a stop"];
    "LUB-LOW" "lubrication" "润滑油不足" "oil low" ["油位低", "油压报警"] ["oil level low", "oil pressure alarm"];
    "ELC-CTL" "electrical_control" "电控故障" "electrical control fails" ["死机", "无法启动", "通讯中断", "误报警"] ["controller hangs", "does not start", "communication lost", "false alarms"];
    "ELC-SEN" "electrical_control" "传感器故障" "sensor fails" ["信号丢失", "读数不变", "读数跳动"] ["signal lost", "reading does not change", "reading jumps"];
];
