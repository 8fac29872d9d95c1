//! Codes after ISO 14224: failure modes of its annex B, mechanisms (B.2), causes (B.3), detection methods (B.4) and activities (B.5). The three-letter
//! modes and the numbers of the mechanisms are those of the standard; causes, detection methods and activities have readable codes, since the standard numbers them
//! only.

use super::{Kind, Term, term};

/// Failure modes that are common to the standard's equipment classes.
#[rustfmt::skip]
pub const FAILURE_MODES: &[Term] = &[
    term(Kind::FailureMode, "AIR", "仪表读数异常", "abnormal instrument reading"),
    term(Kind::FailureMode, "BRD", "损坏", "breakdown"),
    term(Kind::FailureMode, "DOP", "动作延迟", "delayed operation"),
    term(Kind::FailureMode, "ELU", "外部泄漏（公用介质）", "external leakage of utility medium"),
    term(Kind::FailureMode, "ERO", "输出不稳", "erratic output"),
    term(Kind::FailureMode, "FCO", "连接失效", "failure to connect"),
    term(Kind::FailureMode, "FOF", "频率异常", "faulty output frequency"),
    term(Kind::FailureMode, "FOV", "电压异常", "faulty output voltage"),
    term(Kind::FailureMode, "FRO", "不能转动", "failure to rotate"),
    term(Kind::FailureMode, "FTC", "不能关闭", "failure to close on demand"),
    term(Kind::FailureMode, "FTF", "不能按要求动作", "failure to function on demand"),
    term(Kind::FailureMode, "FTI", "不能按预期工作", "failure to function as intended"),
    term(Kind::FailureMode, "FTO", "不能打开", "failure to open on demand"),
    term(Kind::FailureMode, "FTS", "不能启动", "failure to start on demand"),
    term(Kind::FailureMode, "HIO", "输出偏高", "high output"),
    term(Kind::FailureMode, "IHT", "换热不足", "insufficient heat transfer"),
    term(Kind::FailureMode, "INL", "内部泄漏", "internal leakage"),
    term(Kind::FailureMode, "LBP", "油压过低", "low oil supply pressure"),
    term(Kind::FailureMode, "LOA", "载荷坠落", "load drop"),
    term(Kind::FailureMode, "LOO", "输出偏低", "low output"),
    term(Kind::FailureMode, "LOR", "失去冗余", "loss of redundancy"),
    term(Kind::FailureMode, "NOI", "噪声", "noise"),
    term(Kind::FailureMode, "NOO", "无输出", "no output"),
    term(Kind::FailureMode, "OHE", "过热", "overheating"),
    term(Kind::FailureMode, "OTH", "其他", "other"),
    term(Kind::FailureMode, "PDE", "参数偏差", "parameter deviation"),
    term(Kind::FailureMode, "PLU", "堵塞", "plugged or choked"),
    term(Kind::FailureMode, "SER", "运行中的小问题", "minor in-service problem"),
    term(Kind::FailureMode, "STD", "结构缺陷", "structural deficiency"),
    term(Kind::FailureMode, "STP", "不能停止", "failure to stop on demand"),
    term(Kind::FailureMode, "UNK", "不明", "unknown"),
    term(Kind::FailureMode, "UST", "误停", "spurious stop"),
    term(Kind::FailureMode, "VIB", "振动", "vibration"),
];

/// Failure mechanisms (table B.2).
#[rustfmt::skip]
pub const MECHANISMS: &[Term] = &[
    term(Kind::Mechanism, "1", "机械故障", "mechanical failure"),
    term(Kind::Mechanism, "1.1", "泄漏", "leakage"),
    term(Kind::Mechanism, "1.2", "振动", "vibration"),
    term(Kind::Mechanism, "1.3", "间隙或对中不良", "clearance or alignment failure"),
    term(Kind::Mechanism, "1.4", "变形", "deformation"),
    term(Kind::Mechanism, "1.5", "松动", "looseness"),
    term(Kind::Mechanism, "1.6", "卡滞", "sticking"),
    term(Kind::Mechanism, "2", "材料故障", "material failure"),
    term(Kind::Mechanism, "2.1", "气蚀", "cavitation"),
    term(Kind::Mechanism, "2.2", "腐蚀", "corrosion"),
    term(Kind::Mechanism, "2.3", "冲蚀", "erosion"),
    term(Kind::Mechanism, "2.4", "磨损", "wear"),
    term(Kind::Mechanism, "2.5", "断裂", "breakage"),
    term(Kind::Mechanism, "2.6", "疲劳", "fatigue"),
    term(Kind::Mechanism, "2.7", "过热", "overheating"),
    term(Kind::Mechanism, "2.8", "爆裂", "burst"),
    term(Kind::Mechanism, "3", "仪表故障", "instrument failure"),
    term(Kind::Mechanism, "3.1", "控制失效", "control failure"),
    term(Kind::Mechanism, "3.2", "无信号", "no signal, indication or alarm"),
    term(Kind::Mechanism, "3.3", "信号错误", "faulty signal, indication or alarm"),
    term(Kind::Mechanism, "3.4", "失调", "out of adjustment"),
    term(Kind::Mechanism, "3.5", "软件错误", "software error"),
    term(Kind::Mechanism, "3.6", "共因失效", "common cause or common mode failure"),
    term(Kind::Mechanism, "4", "电气故障", "electrical failure"),
    term(Kind::Mechanism, "4.1", "短路", "short circuit"),
    term(Kind::Mechanism, "4.2", "断路", "open circuit"),
    term(Kind::Mechanism, "4.3", "无电源", "no power or voltage"),
    term(Kind::Mechanism, "4.4", "电源异常", "faulty power or voltage"),
    term(Kind::Mechanism, "4.5", "接地或绝缘故障", "earth or isolation fault"),
    term(Kind::Mechanism, "5", "外部影响", "external influence"),
    term(Kind::Mechanism, "5.1", "堵塞", "blockage"),
    term(Kind::Mechanism, "5.2", "污染", "contamination"),
    term(Kind::Mechanism, "5.3", "其他外部影响", "miscellaneous external influences"),
    term(Kind::Mechanism, "6", "杂项", "miscellaneous"),
    term(Kind::Mechanism, "6.1", "未发现原因", "no cause found"),
    term(Kind::Mechanism, "6.2", "多种原因", "combined causes"),
    term(Kind::Mechanism, "6.3", "其他", "other"),
    term(Kind::Mechanism, "6.4", "不明", "unknown"),
];

/// Failure causes (after table B.3).
#[rustfmt::skip]
pub const CAUSES: &[Term] = &[
    term(Kind::Cause, "improper_capacity", "设计能力不足", "improper capacity (design)"),
    term(Kind::Cause, "improper_material", "选材不当", "improper material (design)"),
    term(Kind::Cause, "fabrication_error", "制造缺陷", "fabrication failure"),
    term(Kind::Cause, "installation_error", "安装缺陷", "installation failure"),
    term(Kind::Cause, "off_design_service", "超设计条件运行", "off-design service"),
    term(Kind::Cause, "operating_error", "操作失误", "operating error"),
    term(Kind::Cause, "maintenance_error", "维护失误", "maintenance error"),
    term(Kind::Cause, "expected_wear", "正常磨损", "expected wear and tear"),
    term(Kind::Cause, "documentation_error", "文件错误", "documentation error"),
    term(Kind::Cause, "management_error", "管理失误", "management error"),
    term(Kind::Cause, "common_cause", "共同原因", "common cause"),
    term(Kind::Cause, "other_cause", "其他原因", "other cause"),
    term(Kind::Cause, "unknown_cause", "原因不明", "unknown cause"),
];

/// How a failure was found (after table B.4).
#[rustfmt::skip]
pub const DETECTION_METHODS: &[Term] = &[
    term(Kind::DetectionMethod, "periodic_maintenance", "定期维护", "periodic maintenance"),
    term(Kind::DetectionMethod, "functional_testing", "功能试验", "functional testing"),
    term(Kind::DetectionMethod, "visual_inspection", "检查", "inspection"),
    term(Kind::DetectionMethod, "periodic_monitoring", "定期状态监测", "periodic condition monitoring"),
    term(Kind::DetectionMethod, "pressure_testing", "压力试验", "pressure testing"),
    term(Kind::DetectionMethod, "continuous_monitoring", "连续状态监测", "continuous condition monitoring"),
    term(Kind::DetectionMethod, "production_interference", "影响生产", "production interference"),
    term(Kind::DetectionMethod, "casual_observation", "偶然发现", "casual observation"),
    term(Kind::DetectionMethod, "corrective_maintenance", "修理中发现", "corrective maintenance"),
    term(Kind::DetectionMethod, "on_demand", "要求动作时", "on demand"),
    term(Kind::DetectionMethod, "other_detection", "其他方法", "other detection method"),
];

/// Maintenance activities (after table B.5).
#[rustfmt::skip]
pub const ACTIVITIES: &[Term] = &[
    term(Kind::Activity, "replace", "更换", "replace"),
    term(Kind::Activity, "repair", "修理", "repair"),
    term(Kind::Activity, "modify", "改装", "modify"),
    term(Kind::Activity, "adjust", "调整", "adjust"),
    term(Kind::Activity, "refit", "整修", "refit"),
    term(Kind::Activity, "check", "检查原因", "check"),
    term(Kind::Activity, "service", "保养", "service"),
    term(Kind::Activity, "clean", "清洁", "clean"),
    term(Kind::Activity, "lubricate", "润滑", "lubricate"),
    term(Kind::Activity, "tighten", "紧固", "tighten"),
    term(Kind::Activity, "test", "试验", "test"),
    term(Kind::Activity, "inspect", "点检", "inspect"),
    term(Kind::Activity, "overhaul", "大修", "overhaul"),
    term(Kind::Activity, "combination", "综合作业", "combination"),
    term(Kind::Activity, "other_activity", "其他作业", "other activity"),
];
