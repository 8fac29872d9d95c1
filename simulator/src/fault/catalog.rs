//! What each kind of fault is: its codes, its words, its alarms, and what is done about it.

use super::FaultKind;

/// Something that fixers do about a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    /// The activity's code (ISO 14224 B.5).
    pub(crate) activity: &'static str,
    /// In Chinese, as the fixer writes it.
    pub(crate) zh: &'static str,
    /// In English, as the fixer writes it.
    pub(crate) en: &'static str,
    /// The part that it takes, and how many; none when nothing is replaced.
    pub(crate) part: Option<(&'static str, u32)>,
    /// Usual hours of work.
    pub(crate) hours: f64,
    /// Cost of the part, in yuan.
    pub(crate) part_cost: f64,
}

/// What a kind of fault is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    /// The failure mode.
    pub(crate) mode: &'static str,
    /// The failure mechanism.
    pub(crate) mechanism: &'static str,
    /// The failure cause.
    pub(crate) cause: &'static str,
    /// The item that fails.
    pub(crate) item: &'static str,
    /// Why it begins.
    pub(crate) why: &'static [&'static str],
    /// Median time from the beginning to the failure, in hours.
    pub(crate) growth_hours: f64,
    /// How it grows: 1 evenly, 2 slowly first.
    pub(crate) growth_shape: f64,
    /// Whether the loom stops when it fails.
    pub(crate) critical: bool,
    /// How often it comes, relative to the others.
    pub(crate) weight: f64,
    /// The alarm's code, Chinese text, English text and severity; none where the loom has no alarm for it.
    pub(crate) alarm: Option<(&'static str, &'static str, &'static str, u16)>,
    /// How weavers write it in Chinese.
    pub(crate) zh: &'static [&'static str],
    /// How weavers write it in English.
    pub(crate) en: &'static [&'static str],
    /// What takes the cause away.
    pub(crate) right: Action,
    /// What is tried, and does not.
    pub(crate) wrong: Action,
    /// What it is mistaken for.
    pub(crate) mistaken: FaultKind,
    /// The inspection defect that it leaves; none where it leaves none of its own.
    pub(crate) defect: Option<&'static str>,
}

const fn act(
    activity: &'static str,
    words: (&'static str, &'static str),
    part: Option<(&'static str, u32)>,
    hours: f64,
    part_cost: f64,
) -> Action {
    Action { activity, zh: words.0, en: words.1, part, hours, part_cost }
}

/// What this kind of fault is.
pub(crate) fn spec(kind: FaultKind) -> &'static Spec {
    match kind {
        FaultKind::BearingWear => &BEARING_WEAR,
        FaultKind::NozzleClogging => &NOZZLE_CLOGGING,
        FaultKind::LetOffDrift => &LET_OFF_DRIFT,
        FaultKind::AirLeak => &AIR_LEAK,
        FaultKind::ReedDamage => &REED_DAMAGE,
        FaultKind::TakeUpSlip => &TAKE_UP_SLIP,
        FaultKind::StopMotionFailure => &STOP_MOTION_FAILURE,
        FaultKind::ElectricalControl => &ELECTRICAL_CONTROL,
        FaultKind::AccumulatorSensor => &ACCUMULATOR_SENSOR,
        FaultKind::BrakeWear => &BRAKE_WEAR,
    }
}

static BEARING_WEAR: Spec = Spec {
    mode: "BEA-WEA",
    mechanism: "2.4",
    cause: "maintenance_error",
    item: "drive_bearing",
    why: &[
        "the grease was washed out and the raceway pitted",
        "a seal let fly into the bearing",
        "the bearing ran past its life",
    ],
    growth_hours: 130.0,
    growth_shape: 1.6,
    critical: true,
    weight: 1.2,
    alarm: Some(("A-0412", "主轴承温度高", "main bearing temperature high", 800)),
    zh: &["主轴响，烫手", "轴承声音大，温度高", "机头异响，震动大", "主轴承发热冒烟味", "右侧轴承嗡嗡响，烫"],
    en: &[
        "main brg noisy and hot",
        "grinding noise drive side, hot",
        "bearing temp high, vibrating",
        "loom shaking, hot bearing",
    ],
    right: act(
        "replace",
        ("更换主轴承，加油脂", "replaced main bearing, greased"),
        Some(("BRG-6210-2RS", 2)),
        5.5,
        860.0,
    ),
    wrong: act("lubricate", ("加黄油", "greased bearing"), Some(("GREASE-EP2", 1)), 0.6, 35.0),
    mistaken: FaultKind::BrakeWear,
    defect: None,
};

static NOZZLE_CLOGGING: Spec = Spec {
    mode: "NOZ-MAI",
    mechanism: "5.1",
    cause: "off_design_service",
    item: "main_nozzle",
    why: &["size dust and fly settled in the nozzle tube", "oil from the air line glued fly in the nozzle"],
    growth_hours: 40.0,
    growth_shape: 1.2,
    critical: false,
    weight: 1.6,
    alarm: Some(("A-0207", "到达角超限", "weft arrival angle out of limit", 500)),
    zh: &["纬停多，到达角偏大", "老是断纬，喷不过去", "纬纱到不了头", "引纬慢，停台多", "主喷堵了，缩纬"],
    en: &[
        "many weft stops, late arrival",
        "weft short at right side",
        "weft not reaching, nozzle weak",
        "arrival angle drifting up",
    ],
    right: act("clean", ("拆洗主喷嘴", "took out and cleaned main nozzle"), None, 0.9, 0.0),
    wrong: act("adjust", ("加大主喷气压", "raised main nozzle pressure"), None, 0.2, 0.0),
    mistaken: FaultKind::AccumulatorSensor,
    defect: Some("missing_pick"),
};

static LET_OFF_DRIFT: Spec = Spec {
    mode: "LET-TEN",
    mechanism: "3.4",
    cause: "installation_error",
    item: "let_off",
    why: &["the let-off servo's encoder coupling worked loose", "the tension sensor's spring is fatigued"],
    growth_hours: 60.0,
    growth_shape: 1.3,
    critical: false,
    weight: 1.0,
    alarm: Some(("A-0118", "经纱张力异常", "warp tension abnormal", 600)),
    zh: &["张力忽大忽小", "送经不匀，布面有横档", "经轴一顿一顿的", "张力跳，断经多", "送经打摆"],
    en: &["tension swinging", "let-off hunting, bars in cloth", "beam jerking, tension up and down", "uneven let off"],
    right: act(
        "adjust",
        ("紧固送经编码器联轴节，重新整定", "tightened let-off encoder coupling, retuned"),
        Some(("CPL-ENC-08", 1)),
        1.8,
        190.0,
    ),
    wrong: act("adjust", ("张力重新设定", "reset tension set-point"), None, 0.2, 0.0),
    mistaken: FaultKind::TakeUpSlip,
    defect: Some("weft_bar"),
};

static AIR_LEAK: Spec = Spec {
    mode: "AIR-LEA",
    mechanism: "1.1",
    cause: "expected_wear",
    item: "air_supply",
    why: &["a relay nozzle hose cracked at its clamp", "the solenoid valve's seat is worn"],
    growth_hours: 50.0,
    growth_shape: 1.0,
    critical: false,
    weight: 1.1,
    alarm: Some(("A-0203", "气压低", "air pressure low", 550)),
    zh: &["漏气，嘶嘶响", "气压上不去", "辅喷管子漏气", "气管裂了，气压低", "电磁阀漏气"],
    en: &["air leak, hissing", "pressure low at loom", "hose leaking at relay nozzles", "leaking valve, weft stops"],
    right: act("replace", ("更换辅喷气管", "replaced relay nozzle hose"), Some(("HOSE-PU-8", 2)), 0.8, 42.0),
    wrong: act("tighten", ("紧一下管箍", "tightened hose clamp"), None, 0.2, 0.0),
    mistaken: FaultKind::NozzleClogging,
    defect: None,
};

static REED_DAMAGE: Spec = Spec {
    mode: "REE-DAM",
    mechanism: "1.4",
    cause: "operating_error",
    item: "reed",
    why: &["a dropped tool bent the dents", "dents were bent when the warp was drawn in"],
    growth_hours: 26.0,
    growth_shape: 0.7,
    critical: false,
    weight: 0.9,
    alarm: None,
    zh: &["筘痕，一条路", "断经老在同一个地方", "布面有筘路", "筘齿弯了，断经多", "左边筘痕明显"],
    en: &[
        "reed mark in cloth",
        "ends break at same place",
        "bent dents, streak along warp",
        "reed streaks, warp stops",
    ],
    right: act("replace", ("换筘", "replaced reed"), Some(("REED-190", 1)), 2.6, 1250.0),
    wrong: act("repair", ("修筘齿，磨光", "straightened and polished dents"), None, 0.7, 0.0),
    mistaken: FaultKind::StopMotionFailure,
    defect: Some("reed_mark"),
};

static TAKE_UP_SLIP: Spec = Spec {
    mode: "TAK-SLP",
    mechanism: "2.4",
    cause: "expected_wear",
    item: "take_up",
    why: &["the take-up roller's covering is polished smooth", "the press roller lost pressure"],
    growth_hours: 72.0,
    growth_shape: 1.1,
    critical: false,
    weight: 0.9,
    alarm: None,
    zh: &["稀密路", "纬密不匀，有稀路", "卷取打滑", "布面稀密档", "密度不对，卷取辊滑"],
    en: &[
        "thick and thin places",
        "take-up slipping, density off",
        "pick density uneven",
        "thin bars, take-up roller smooth",
    ],
    right: act(
        "replace",
        ("更换卷取辊糙面皮", "replaced take-up roller covering"),
        Some(("COVER-TU-190", 1)),
        2.2,
        310.0,
    ),
    wrong: act("adjust", ("调纬密设定", "adjusted density setting"), None, 0.3, 0.0),
    mistaken: FaultKind::LetOffDrift,
    defect: Some("thick_thin_place"),
};

static STOP_MOTION_FAILURE: Spec = Spec {
    mode: "WRP-STP",
    mechanism: "5.2",
    cause: "maintenance_error",
    item: "warp_stop_motion",
    why: &["fly packed between the drop wires and the contact bar", "the contact bar is corroded"],
    growth_hours: 34.0,
    growth_shape: 0.9,
    critical: false,
    weight: 1.0,
    alarm: None,
    zh: &["断经不停", "断经不停车，布面缺经", "经停失灵", "断了经不停台", "停经片不落，缺经"],
    en: &["no stop on warp break", "broken ends run on, missing ends", "warp stop motion dead", "drop wires stuck"],
    right: act(
        "clean",
        ("清扫停经架，换接触棒", "cleaned stop motion, replaced contact bar"),
        Some(("BAR-CONTACT-6", 1)),
        1.1,
        95.0,
    ),
    wrong: act("inspect", ("检查停经架，吹飞花", "checked stop motion, blew off fly"), None, 0.3, 0.0),
    mistaken: FaultKind::ReedDamage,
    defect: Some("missing_end"),
};

static ELECTRICAL_CONTROL: Spec = Spec {
    mode: "ELC-CTL",
    mechanism: "4.4",
    cause: "expected_wear",
    item: "electrical_control",
    why: &["the main contactor's contacts are burnt", "a connector on the control board oxidised"],
    growth_hours: 30.0,
    growth_shape: 1.5,
    critical: true,
    weight: 0.9,
    alarm: Some(("A-0901", "主控故障停车", "control fault stop", 850)),
    zh: &["无故停车", "自动跳停，屏幕报警", "开不起来，电器故障", "电箱跳闸", "停车没信号，重启又好"],
    en: &[
        "stops for no reason",
        "trips, control alarm",
        "won't start, electrical",
        "dead after restart, contactor clicking",
    ],
    right: act("replace", ("更换主接触器", "replaced main contactor"), Some(("CONTACTOR-LC1D32", 1)), 1.6, 420.0),
    wrong: act("other_activity", ("断电重启", "power cycled"), None, 0.2, 0.0),
    mistaken: FaultKind::AccumulatorSensor,
    defect: None,
};

static ACCUMULATOR_SENSOR: Spec = Spec {
    mode: "ACC-FEE",
    mechanism: "3.3",
    cause: "off_design_service",
    item: "accumulator",
    why: &["oil mist on the winding sensor", "the winding sensor's light source is ageing"],
    growth_hours: 30.0,
    growth_shape: 1.0,
    critical: false,
    weight: 1.2,
    alarm: Some(("A-0215", "储纬器信号异常", "accumulator signal abnormal", 450)),
    zh: &["储纬器乱放纱", "假纬停，纱没断", "储纬器圈数不对", "储纬器感应不灵", "误停多，看纱是好的"],
    en: &[
        "false weft stops, yarn ok",
        "accumulator miscounts windings",
        "feeder sensor bad",
        "accumulator releasing wrong length",
    ],
    right: act("replace", ("更换储纬器传感器", "replaced accumulator sensor"), Some(("SENS-ACC-02", 1)), 0.8, 260.0),
    wrong: act("clean", ("擦储纬器镜面", "wiped feeder sensor"), None, 0.2, 0.0),
    mistaken: FaultKind::NozzleClogging,
    defect: Some("double_pick"),
};

static BRAKE_WEAR: Spec = Spec {
    mode: "BRK-SLP",
    mechanism: "2.4",
    cause: "expected_wear",
    item: "brake",
    why: &["the brake lining is worn to the rivets", "oil got on the brake disc"],
    growth_hours: 90.0,
    growth_shape: 1.2,
    critical: false,
    weight: 0.8,
    alarm: Some(("A-0421", "停车角度超限", "stop angle out of limit", 400)),
    zh: &["刹车不灵，开车痕", "停车过头", "开车档多，刹车滑", "停车位置不对", "定位不准，有开车痕"],
    en: &["brake slipping, starting marks", "stops past angle", "start marks after each stop", "stop position wrong"],
    right: act(
        "replace",
        ("更换刹车片，调间隙", "replaced brake lining, set gap"),
        Some(("LINING-BRK-4", 1)),
        1.9,
        380.0,
    ),
    wrong: act("adjust", ("调刹车间隙", "adjusted brake gap"), None, 0.4, 0.0),
    mistaken: FaultKind::BearingWear,
    defect: Some("start_mark"),
};
