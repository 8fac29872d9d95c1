//! The plant: hierarchy, machines, signals, styles and people.

use domain::Event;
use domain::events::{
    AssetMapped, AssetRegistered, EquipmentDefined, EquipmentLevel, QualificationGranted, SignalDefined,
};
use domain::values::Text;
use jiff::Timestamp;

use crate::names;

/// How many looms there are.
pub const LOOMS: usize = 24;
/// The class of the looms.
pub const LOOM_CLASS: &str = "air-jet-loom";
/// The warper 整经机.
pub const WARPER: &str = "WARPER-01";
/// The sizing machine 浆纱机.
pub const SIZER: &str = "SIZER-01";
/// The compressor 空压机 that feeds all looms.
pub const COMPRESSOR: &str = "COMP-01";
/// The looms that speak OPC UA; all others speak MQTT.
pub const OPC_UA_LOOMS: [&str; 4] = ["LOOM-21", "LOOM-22", "LOOM-23", "LOOM-24"];
/// Stands for an asset in the MQTT topic of events that concern none.
pub const MILL_TOPIC: &str = "MILL";

/// A loom's name: `LOOM-01` for the first, index 0.
pub fn loom_name(index: usize) -> String {
    format!("LOOM-{:02}", index + 1)
}

/// The id of a signal: `LOOM-07.warp_tension`.
pub fn signal_name(asset: &str, quantity: &str) -> String {
    format!("{asset}.{quantity}")
}

/// The quantity in a signal's id: `warp_tension` in `LOOM-07.warp_tension`.
pub fn quantity_of(signal: &str) -> &str {
    signal.split_once('.').map_or(signal, |(_, quantity)| quantity)
}

/// The instant of a whole second, clamped to what a calendar can say.
pub(crate) fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(if second < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// A quantity that is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalSpec {
    /// Its short name.
    pub quantity: &'static str,
    /// Its Chinese name.
    pub zh: &'static str,
    /// Its English name.
    pub en: &'static str,
    /// Its unit (UCUM).
    pub unit: &'static str,
    /// The least value that makes sense.
    pub low: f64,
    /// The greatest value that makes sense.
    pub high: f64,
}

const fn spec(
    quantity: &'static str,
    zh: &'static str,
    en: &'static str,
    unit: &'static str,
    range: (f64, f64),
) -> SignalSpec {
    SignalSpec { quantity, zh, en, unit, low: range.0, high: range.1 }
}

/// What is measured at each loom.
pub const LOOM_SIGNALS: [SignalSpec; 12] = [
    spec("warp_tension", "经纱平均张力", "mean warp tension per end", "cN", (0.0, 150.0)),
    spec("warp_tension_peak", "经纱峰值张力", "peak warp tension per end within a pick", "cN", (0.0, 250.0)),
    spec("loom_speed", "织机车速", "loom speed", "{pick}/min", (0.0, 1200.0)),
    spec("weft_arrival_angle", "纬纱到达角", "weft arrival angle", "deg", (180.0, 330.0)),
    spec("motor_current", "主电机电流", "main motor current", "A", (0.0, 25.0)),
    spec("bearing_vibration", "主轴承振动", "main bearing vibration velocity, RMS", "mm/s", (0.0, 30.0)),
    spec("bearing_temperature", "主轴承温度", "main bearing temperature", "Cel", (0.0, 130.0)),
    spec("humidity", "相对湿度", "relative humidity at the loom", "%", (20.0, 100.0)),
    spec("air_pressure", "主喷气压", "main nozzle air pressure", "bar", (0.0, 8.0)),
    spec("air_flow", "耗气量", "air consumption", "m3/h", (0.0, 200.0)),
    spec("power", "电功率", "electrical power", "kW", (0.0, 15.0)),
    spec("picks", "纬数计数", "pick counter", "{pick}", (0.0, 1e12)),
];

/// What is measured at the compressor.
pub const COMPRESSOR_SIGNALS: [SignalSpec; 3] = [
    spec("air_pressure", "管网压力", "network pressure", "bar", (0.0, 10.0)),
    spec("air_flow", "总供气量", "total air delivered", "m3/h", (0.0, 4000.0)),
    spec("power", "电功率", "electrical power", "kW", (0.0, 600.0)),
];

/// A style: what a fabric is and how it is woven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Its id as a product.
    pub id: &'static str,
    /// The id of its warp yarn as a material.
    pub warp_yarn: &'static str,
    /// The id of its weft yarn as a material.
    pub weft_yarn: &'static str,
    /// Its Chinese name.
    pub zh: &'static str,
    /// Its English name.
    pub en: &'static str,
    /// Linear density of the warp, in tex (g/km).
    pub warp_tex: f64,
    /// Linear density of the weft, in tex (g/km).
    pub weft_tex: f64,
    /// Ends in the warp.
    pub ends: u32,
    /// Picks per centimetre of cloth.
    pub picks_per_cm: f64,
    /// Width in the reed, in centimetres.
    pub reed_width_cm: f64,
    /// Width of the grey cloth, in centimetres.
    pub cloth_width_cm: f64,
    /// Crimp of the warp 织缩率: cloth length = warp length × (1 − crimp).
    pub crimp: f64,
    /// Speed, in picks per minute.
    pub speed: f64,
    /// Mean warp tension per end, in cN.
    pub tension: f64,
    /// Main nozzle pressure, in bar.
    pub pressure: f64,
}

/// What the mill weaves.
pub static STYLES: [Style; 5] = [
    Style {
        id: "PLAIN-C19.4",
        warp_yarn: "YARN-C19.4-WARP",
        weft_yarn: "YARN-C19.4-WEFT",
        zh: "纯棉平布",
        en: "cotton sheeting",
        warp_tex: 19.4,
        weft_tex: 19.4,
        ends: 4304,
        picks_per_cm: 25.0,
        reed_width_cm: 172.0,
        cloth_width_cm: 160.0,
        crimp: 0.075,
        speed: 600.0,
        tension: 27.0,
        pressure: 4.2,
    },
    Style {
        id: "POPLIN-C14.6",
        warp_yarn: "YARN-C14.6-WARP",
        weft_yarn: "YARN-C14.6-WEFT",
        zh: "纯棉府绸",
        en: "cotton poplin",
        warp_tex: 14.6,
        weft_tex: 14.6,
        ends: 6208,
        picks_per_cm: 28.0,
        reed_width_cm: 170.0,
        cloth_width_cm: 159.0,
        crimp: 0.095,
        speed: 640.0,
        tension: 21.0,
        pressure: 3.9,
    },
    Style {
        id: "TWILL-C28",
        warp_yarn: "YARN-C28-WARP",
        weft_yarn: "YARN-C28-WEFT",
        zh: "纯棉斜纹",
        en: "cotton twill",
        warp_tex: 28.0,
        weft_tex: 28.0,
        ends: 5040,
        picks_per_cm: 22.0,
        reed_width_cm: 166.0,
        cloth_width_cm: 152.0,
        crimp: 0.07,
        speed: 610.0,
        tension: 36.0,
        pressure: 4.6,
    },
    Style {
        id: "SATEEN-TC13",
        warp_yarn: "YARN-TC13-WARP",
        weft_yarn: "YARN-TC13-WEFT",
        zh: "涤棉缎纹",
        en: "polyester cotton sateen",
        warp_tex: 13.1,
        weft_tex: 13.1,
        ends: 7904,
        picks_per_cm: 36.0,
        reed_width_cm: 173.0,
        cloth_width_cm: 162.0,
        crimp: 0.05,
        speed: 660.0,
        tension: 19.0,
        pressure: 3.8,
    },
    Style {
        id: "CANVAS-C36",
        warp_yarn: "YARN-C36-WARP",
        weft_yarn: "YARN-C36-WEFT",
        zh: "纯棉帆布",
        en: "cotton canvas",
        warp_tex: 36.4,
        weft_tex: 36.4,
        ends: 3200,
        picks_per_cm: 17.0,
        reed_width_cm: 168.0,
        cloth_width_cm: 150.0,
        crimp: 0.10,
        speed: 560.0,
        tension: 47.0,
        pressure: 5.0,
    },
];

/// Crews of weavers, one a shift in turn 四班三运转.
pub(crate) const CREWS: usize = 4;
/// Weavers in a crew; each tends six looms.
pub(crate) const WEAVERS_PER_CREW: usize = 4;
/// Looms that one weaver tends.
pub(crate) const LOOMS_PER_WEAVER: usize = LOOMS / WEAVERS_PER_CREW;
/// Loom fixers 保全工.
pub(crate) const FIXERS: [&str; 6] = ["F-01", "F-02", "F-03", "F-04", "F-05", "F-06"];
/// Cloth inspectors 验布工.
pub(crate) const INSPECTORS: [&str; 3] = ["Q-01", "Q-02", "Q-03"];
/// Warp preparation operators.
pub(crate) const PREPARERS: [&str; 2] = ["P-01", "P-02"];
/// The weaving engineer who decides on cloth and codes faults.
pub(crate) const ENGINEER: &str = "E-01";

/// The weaver `place` of a crew.
pub(crate) fn weaver(crew: usize, place: usize) -> String {
    format!("W-{}{:02}", crew + 1, place + 1)
}

/// Where a signal comes from: an MQTT topic and field, or an OPC UA node.
fn address(asset: &str, quantity: &str) -> String {
    if OPC_UA_LOOMS.contains(&asset) {
        format!("opcua:ns=2;s={asset}.{quantity}")
    } else {
        format!("mqtt:millwright/v1/{asset}/readings#{quantity}")
    }
}

/// Everything that defines the plant, in an order in which each thing comes after what it builds on.
pub fn definition(period_ms: u64) -> Vec<Event> {
    let mut events = hierarchy();
    for index in 0..LOOMS {
        let name = loom_name(index);
        machine(&mut events, &name, Kind::loom(index), if index < LOOMS / 2 { "WEAVE-A" } else { "WEAVE-B" });
        signals(&mut events, &name, &LOOM_SIGNALS, period_ms);
    }
    machine(&mut events, WARPER, Kind::new("整经机", "warper", "warper", "Karl Mayer", "ISOWARP"), "PREPARATION");
    machine(
        &mut events,
        SIZER,
        Kind::new("浆纱机", "sizing machine", "sizing-machine", "Karl Mayer", "ISOSIZE"),
        "PREPARATION",
    );
    machine(
        &mut events,
        COMPRESSOR,
        Kind::new("空压机", "compressor", "compressor", "Atlas Copco", "ZR 500"),
        "UTILITIES",
    );
    signals(&mut events, COMPRESSOR, &COMPRESSOR_SIGNALS, period_ms);
    events.extend(qualifications());
    events
}

fn hierarchy() -> Vec<Event> {
    use EquipmentLevel::{Area, Enterprise, Site, WorkCenter};
    let levels = [
        ("MILL-GROUP", "纺织集团", "textile group", Enterprise, None),
        ("MILL-SITE", "一厂", "mill one", Site, Some("MILL-GROUP")),
        ("WEAVING", "织造车间", "weaving shed", Area, Some("MILL-SITE")),
        ("WEAVE-A", "织机甲区", "looms, section A", WorkCenter, Some("WEAVING")),
        ("WEAVE-B", "织机乙区", "looms, section B", WorkCenter, Some("WEAVING")),
        ("PREPARATION", "准备区", "warp preparation", WorkCenter, Some("WEAVING")),
        ("UTILITIES", "动力站", "utilities", WorkCenter, Some("MILL-SITE")),
    ];
    levels
        .into_iter()
        .map(|(id, zh, en, level, parent)| {
            EquipmentDefined {
                equipment: names::equipment(id),
                name: Text::new(zh, en),
                level,
                parent: parent.map(names::equipment),
            }
            .into()
        })
        .collect()
}

struct Kind {
    zh: String,
    en: String,
    class: &'static str,
    maker: &'static str,
    model: &'static str,
}

impl Kind {
    fn new(zh: &str, en: &str, class: &'static str, maker: &'static str, model: &'static str) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned(), class, maker, model }
    }

    fn loom(index: usize) -> Self {
        let number = index + 1;
        Self::new(&format!("{number}号织机"), &format!("loom {number}"), LOOM_CLASS, "Toyota", "JAT810")
    }
}

fn machine(events: &mut Vec<Event>, name: &str, kind: Kind, parent: &str) {
    let place = names::equipment(&format!("PLACE-{name}"));
    events.push(
        EquipmentDefined {
            equipment: place.clone(),
            name: Text::new(&format!("{}机位", kind.zh), &format!("place of {}", kind.en)),
            level: EquipmentLevel::WorkUnit,
            parent: Some(names::equipment(parent)),
        }
        .into(),
    );
    events.push(
        AssetRegistered {
            asset: names::asset(name),
            name: Text::new(&kind.zh, &kind.en),
            class: names::class(kind.class),
            maker: Some(kind.maker.to_owned()),
            model: Some(kind.model.to_owned()),
            serial: Some(format!("SN-{name}")),
        }
        .into(),
    );
    events.push(AssetMapped { asset: names::asset(name), equipment: place }.into());
}

fn signals(events: &mut Vec<Event>, asset: &str, specs: &[SignalSpec], period_ms: u64) {
    events.extend(specs.iter().map(|spec| {
        Event::from(SignalDefined {
            signal: names::signal(&signal_name(asset, spec.quantity)),
            asset: names::asset(asset),
            quantity: names::code(spec.quantity),
            name: Text::new(spec.zh, spec.en),
            unit: names::unit(spec.unit),
            low: Some(spec.low),
            high: Some(spec.high),
            period_ms: Some(period_ms),
            deadband: None,
            address: Some(address(asset, spec.quantity)),
        })
    }));
}

fn qualifications() -> Vec<Event> {
    let weavers = (0..CREWS).flat_map(|crew| (0..WEAVERS_PER_CREW).map(move |place| (weaver(crew, place), "weaving")));
    let fixers =
        FIXERS.iter().flat_map(|fixer| ["loom_fixing", "beam_change"].map(|skill| ((*fixer).to_owned(), skill)));
    let inspectors = INSPECTORS.iter().map(|inspector| ((*inspector).to_owned(), "cloth_inspection"));
    let preparers =
        PREPARERS.iter().flat_map(|person| ["warping", "sizing"].map(|skill| ((*person).to_owned(), skill)));
    let engineer = ["process_engineering", "disposition"].map(|skill| (ENGINEER.to_owned(), skill));
    weavers
        .chain(fixers)
        .chain(inspectors)
        .chain(preparers)
        .chain(engineer)
        .map(|(person, skill)| {
            QualificationGranted { person: names::person(&person), skill: names::code(skill), until: None }.into()
        })
        .collect()
}

#[cfg(test)]
#[path = "mill_tests.rs"]
mod tests;
