//! One realistic example of each event, from a day in a weaving mill: for the API's documentation, for tests and as fixtures.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::Event;

/// Where the examples come from: type and payload, in the order in which they can happen. Only strings and numbers of this file go in, and a test decodes
/// all of them.
#[expect(clippy::too_many_lines, reason = "a table: one entry for each event type")]
fn written() -> Vec<(&'static str, Value)> {
    vec![
        (
            "equipment.defined",
            json!({"equipment": "shed-1/loom-07", "name": {"zh": "一车间 7 号织机位", "en": "Shed 1, loom place 7"}, "level": "work_unit", "parent": "shed-1"}),
        ),
        (
            "asset.registered",
            json!({"asset": "L07", "name": {"zh": "7 号喷气织机", "en": "Air-jet loom 7"}, "class": "air-jet-loom", "maker": "Example Looms", "model": "AJ-190", "serial": "190-2217"}),
        ),
        ("equipment.asset_mapped", json!({"asset": "L07", "equipment": "shed-1/loom-07"})),
        (
            "signal.defined",
            json!({"signal": "L07.warp_tension", "asset": "L07", "quantity": "warp_tension", "name": {"zh": "经纱张力", "en": "Warp tension"}, "unit": "kN", "low": 0.0, "high": 6.0, "period_ms": 1000, "deadband": 0.005, "address": "mill/shed-1/L07/process#warp_tension"}),
        ),
        (
            "signal.calibrated",
            json!({"signal": "L07.warp_tension", "reference": 2.0, "as_found": 2.06, "as_left": 2.001, "unit": "kN", "tolerance": 0.02, "person": "P-31"}),
        ),
        (
            "person.registered",
            json!({"person": "P-12", "name": {"zh": "张伟", "en": "Zhang Wei"}, "contact": "+86 532 5550 0112", "note": {"zh": "早班班长", "en": "leads the early shift"}}),
        ),
        (
            "customer.registered",
            json!({"customer": "C-4", "name": {"zh": "海蓝服装", "en": "Sea Blue Garments"}, "contact": "purchasing, Ms Lin"}),
        ),
        ("person.qualified", json!({"person": "P-12", "skill": "weaving", "until": "2027-03-31T16:00:00Z"})),
        ("person.logged_in", json!({"person": "P-12", "asset": "L07"})),
        (
            "order.created",
            json!({"order": "JO-2041", "product": "poplin-133x72", "quantity": {"value": 5000.0, "unit": "m"}, "customer": "Customer 4", "due": "2026-03-20T08:00:00Z", "note": {"zh": "白坯", "en": "grey cloth"}}),
        ),
        ("order.started", json!({"order": "JO-2041", "asset": "W01", "person": "P-08"})),
        (
            "lot.created",
            json!({"lot": "Y-550", "material": "cotton-Ne32", "kind": "yarn", "quantity": {"value": 600.0, "unit": "kg"}, "supplier": "Spinner 2"}),
        ),
        (
            "lot.consumed",
            json!({"lot": "Y-550", "order": "JO-2041", "quantity": {"value": 112.0, "unit": "kg"}, "asset": "W01", "into": "WB-310"}),
        ),
        (
            "weaving.warped",
            json!({"order": "JO-2041", "asset": "W01", "beam": "WB-310", "from": [{"lot": "Y-550", "quantity": {"value": 112.0, "unit": "kg"}}], "ends": 600, "length_m": 10000.0, "tex": 18.45}),
        ),
        (
            "weaving.sized",
            json!({"order": "JO-2041", "asset": "S01", "beam": "B-118", "from": [{"lot": "WB-310", "interval": {"start_m": 0.0, "end_m": 2000.0}}], "ends": 6000, "length_m": 2000.0, "size_percent": 11.5}),
        ),
        (
            "weaving.beam_mounted",
            json!({"asset": "L07", "beam": "B-118", "order": "JO-2041", "product": "poplin-133x72", "joining": "drawn_in", "person": "P-15"}),
        ),
        ("weaving.weft_lot_changed", json!({"asset": "L07", "order": "JO-2041", "lot": "Y-550", "at_pick": 0})),
        ("asset.state_changed", json!({"asset": "L07", "state": "stopped", "reason": "weft_break"})),
        (
            "asset.set_point_changed",
            json!({"asset": "L07", "parameter": "warp_tension", "from": 2.0, "to": 2.1, "unit": "kN", "person": "P-12", "product": "poplin-133x72", "reason": {"zh": "断经减少", "en": "fewer warp breaks"}}),
        ),
        (
            "order.operation_reported",
            json!({"order": "JO-2041", "operation": "weaving", "asset": "L07", "person": "P-12", "started": "2026-03-02T00:00:00Z", "ended": "2026-03-02T08:00:00Z", "completed": 108.0, "rejected": 0.0, "rework": false}),
        ),
        (
            "weaving.cloth_doffed",
            json!({"asset": "L07", "roll": "R-7001", "order": "JO-2041", "product": "poplin-133x72", "picks": 300000, "length_m": 120.0, "beams": [{"lot": "B-118", "interval": {"start_m": 0.0, "end_m": 127.7}}], "wefts": ["Y-550"], "person": "P-12"}),
        ),
        ("weaving.warp_tied", json!({"asset": "L07", "old_beam": "B-118", "new_beam": "B-131", "repaired_knots": 4})),
        ("weaving.beam_finished", json!({"asset": "L07", "beam": "B-118", "remaining_m": 3.5})),
        (
            "lot.produced",
            json!({"lot": "SW-9", "order": "JO-2041", "quantity": {"value": 14.0, "unit": "kg"}, "asset": "L07", "person": "P-12", "from": [{"lot": "B-118"}]}),
        ),
        ("lot.completed", json!({"lot": "R-7001", "quantity": {"value": 119.6, "unit": "m"}})),
        (
            "inspection.recorded",
            json!({"inspection": "I-901", "lot": "R-7001", "order": "JO-2041", "asset": "L07", "product": "poplin-133x72", "measurements": [{"characteristic": "width", "value": 1.602, "unit": "m", "lower_limit": 1.59, "upper_limit": 1.62}], "defects": [{"code": "double_pick", "points": 4, "at_m": 33.2}, {"code": "broken_end", "points": 2, "at_m": 80.5, "count": 2}], "verdict": "fail", "person": "P-22"}),
        ),
        (
            "nonconformance.raised",
            json!({"nonconformance": "NC-55", "inspection": "I-901", "lot": "R-7001", "order": "JO-2041", "asset": "L07", "code": "double_pick", "description": {"zh": "双纬", "en": "double pick over the full width"}}),
        ),
        (
            "nonconformance.decided",
            json!({"nonconformance": "NC-55", "lot": "R-7001", "disposition": "downgrade", "person": "P-40"}),
        ),
        (
            "lot.split",
            json!({"lot": "R-7001", "into": [{"lot": "R-7001-A", "interval": {"start_m": 0.0, "end_m": 33.0}}, {"lot": "R-7001-B", "interval": {"start_m": 34.0, "end_m": 119.6}}]}),
        ),
        (
            "lot.merged",
            json!({"lot": "PK-1", "from": [{"lot": "R-7001-A"}, {"lot": "R-7001-B"}], "quantity": {"value": 118.6, "unit": "m"}}),
        ),
        ("lot.scrapped", json!({"lot": "SW-9", "quantity": {"value": 14.0, "unit": "kg"}, "reason": "waste"})),
        ("lot.held", json!({"lot": "PK-1", "reason": {"zh": "待复检", "en": "waits for a second inspection"}})),
        ("lot.released", json!({"lot": "PK-1", "person": "P-40"})),
        ("lot.shipped", json!({"lot": "PK-1", "shipment": "SH-88", "customer": "Customer 4"})),
        ("order.completed", json!({"order": "JO-2041", "quantity": {"value": 4987.0, "unit": "m"}})),
        (
            "alarm.raised",
            json!({"alarm": "L07-20260302-1", "asset": "L07", "code": "E231", "text": {"zh": "主轴承温度高", "en": "drive bearing temperature high"}, "severity": 700}),
        ),
        ("alarm.acknowledged", json!({"alarm": "L07-20260302-1", "asset": "L07", "person": "P-12"})),
        ("alarm.cleared", json!({"alarm": "L07-20260302-1", "asset": "L07"})),
        (
            "alarm.shelved",
            json!({"asset": "L07", "code": "E118", "until": "2026-03-02T14:00:00Z", "person": "P-12", "reason": {"zh": "等待更换传感器", "en": "waits for a new sensor"}}),
        ),
        ("alarm.unshelved", json!({"asset": "L07", "code": "E118", "person": "P-12"})),
        (
            "alarm.suppressed",
            json!({"asset": "L07", "code": "E118", "how": "out_of_service", "person": "P-31", "reason": {"zh": "传感器损坏", "en": "the sensor is broken"}}),
        ),
        ("alarm.unsuppressed", json!({"asset": "L07", "code": "E118", "how": "out_of_service", "person": "P-31"})),
        (
            "fault.observed",
            json!({"fault": "F-310", "asset": "L07", "symptoms": {"zh": "振动大，轴承温度高", "en": "vibration, bearing hot"}, "alarms": ["E231"], "detection": "continuous_monitoring", "impact": "degraded", "product": "poplin-133x72", "person": "P-12"}),
        ),
        (
            "warning.raised",
            json!({"warning": "0195590c-7c00-8000-8000-0000000000e1", "rule": "KB-20", "revision": 1, "asset": "L07", "mode": "BEA-WEA", "horizon_s": 172800, "probability": {"low": 0.44, "value": 0.73, "high": 0.9}, "n": 11, "evidence": {"signal": "L07.vibration", "value": 6.2, "threshold": 5.0, "from": "2026-03-02T04:10:00Z", "to": "2026-03-02T05:10:00Z", "since": "2026-03-02T04:40:00Z", "positions": [18240, 18252, 18266]}}),
        ),
        (
            "warning.cleared",
            json!({"warning": "0195590c-7c00-8000-8000-0000000000e1", "rule": "KB-20", "asset": "L07", "by": "calm"}),
        ),
        (
            "diagnosis.given",
            json!({"diagnosis": "0195590c-7c00-7000-8000-0000000000d1", "asset": "L07", "fault": "F-310", "symptoms": "纬停多，到达角变大", "alarms": ["A-301"], "as_of": 18300, "verdict": "match", "reason": {"zh": "最像 NOZ-MAI：12 个历史故障中有 7 个相似。", "en": "NOZ-MAI fits best: 7 of its 12 past episodes are alike."}, "n": 240, "candidates": [{"mode": "NOZ-MAI", "probability": 0.71, "n": 12, "actions": [{"activity": "clean", "item": "main_nozzle", "success_rate": 0.83, "low": 0.62, "attempts": 10}]}], "checks": ["飞花"], "evidence": [17204, 18011], "code": "0.1.0", "dictionary": 1, "experience": 18102}),
        ),
        (
            "work_order.opened",
            json!({"work_order": "WO-812", "asset": "L07", "fault": "F-310", "category": "corrective", "description": {"zh": "检查主传动轴承", "en": "check the drive bearing"}, "item": "drive_bearing", "priority": 2}),
        ),
        (
            "work_order.progressed",
            json!({"work_order": "WO-812", "asset": "L07", "milestone": "technician_arrive", "person": "P-31"}),
        ),
        (
            "work_order.work_done",
            json!({"work_order": "WO-812", "asset": "L07", "fault": "F-310", "activity": "replace", "item": "drive_bearing", "text": {"zh": "更换轴承", "en": "replaced the bearing"}, "parts": [{"part": "6205-2RS", "count": 1.0}], "hours": 1.5, "cost": 320.0, "person": "P-31"}),
        ),
        (
            "fault.examined",
            json!({"fault": "F-310", "asset": "L07", "at": "2026-03-02T06:10:00Z", "readings": [{"quantity": "bearing_vibration", "is": "high", "signal": "L07.bearing_vibration", "statistic": "level", "value": 7.4, "window_s": 7200, "baseline_s": 259200, "until": "2026-03-02T06:00:00Z", "positions": [18252, 18266]}], "alarms": ["A-412"], "evidence": [18270]}),
        ),
        (
            "fault.coded",
            json!({"fault": "F-310", "asset": "L07", "mode": "BEA-WEA", "mechanism": "2.4", "cause": "expected_wear", "item": "drive_bearing", "person": "P-31"}),
        ),
        ("fault.closed", json!({"fault": "F-310", "asset": "L07", "restored": "2026-03-02T11:40:00Z"})),
        (
            "work_order.closed",
            json!({"work_order": "WO-812", "asset": "L07", "outcome": "solved", "hours": 1.5, "cost": 320.0, "machine_up": "2026-03-02T11:40:00Z"}),
        ),
        (
            "maintenance_plan.defined",
            json!({"plan": "PM-7", "name": {"zh": "主轴承润滑", "en": "grease the drive bearing"}, "class": "air-jet-loom", "activity": "service", "item": "drive_bearing", "every": {"running_hours": 500.0, "picks": 20000000.0, "condition": {"quantity": "bearing_temperature", "above": 75.0, "unit": "Cel"}}, "parts": [{"part": "GREASE-2", "count": 0.1}], "hours": 0.5}),
        ),
        ("maintenance_plan.retired", json!({"plan": "PM-7"})),
        (
            "part.defined",
            json!({"part": "6205-2RS", "name": {"zh": "深沟球轴承", "en": "deep groove ball bearing"}, "substitutes": ["6205-ZZ"], "lead_time_days": 9.0, "minimum": 2.0}),
        ),
        ("part.ordered", json!({"part": "6205-2RS", "count": 4.0, "expected": "2026-03-11T00:00:00Z"})),
        ("part.received", json!({"part": "6205-2RS", "count": 4.0})),
        ("part.counted", json!({"part": "6205-2RS", "count": 5.0})),
        (
            "shift.pattern_defined",
            json!({"pattern": "three-shifts", "name": {"zh": "四班三运转", "en": "four crews, three shifts"}, "equipment": "shed-1", "time_zone": "Asia/Shanghai", "first_day": "2026-03-01", "cycle_days": 8, "shifts": [{"day": 0, "name": "early", "crew": "A", "start": "08:00:00", "minutes": 480, "break_minutes": 30}, {"day": 0, "name": "night", "crew": "C", "start": "22:00:00", "minutes": 600, "break_minutes": 45}]}),
        ),
        (
            "shift.started",
            json!({"shift": "S-20260302-early", "pattern": "three-shifts", "equipment": "shed-1", "name": "early", "crew": "A", "planned_start": "2026-03-02T00:00:00Z", "planned_end": "2026-03-02T08:00:00Z", "person": "P-12"}),
        ),
        (
            "shift.handed_over",
            json!({"shift": "S-20260302-early", "person": "P-12", "content": {"as_of": 18400, "open_faults": [{"fault": "F-311", "asset": "L03", "symptoms": {"zh": "纬停频繁", "en": "many weft stops"}, "since": "2026-03-02T06:10:00Z"}], "shelved_alarms": [{"asset": "L07", "code": "E118", "until": "2026-03-02T14:00:00Z", "person": "P-12"}], "suppressed_alarms": [{"asset": "L09", "code": "E120", "how": "by_design", "since": "2026-03-01T02:00:00Z"}], "changed_set_points": [{"asset": "L07", "parameter": "warp_tension", "from": 2.0, "to": 2.1, "unit": "kN", "since": "2026-03-02T02:15:00Z"}], "held_lots": [{"lot": "PK-1", "reason": {"zh": "待复检", "en": "waits for a second inspection"}, "since": "2026-03-02T07:00:00Z"}], "open_work": [{"work_order": "WO-813", "asset": "L03", "description": {"zh": "检查储纬器", "en": "check the accumulator"}, "priority": 2, "since": "2026-03-02T06:30:00Z"}]}, "remarks": {"zh": "三号机多看", "en": "watch loom 3"}}),
        ),
        ("shift.taken_over", json!({"shift": "S-20260302-early", "next": "S-20260302-late", "person": "P-15"})),
        (
            "control_limits.frozen",
            json!({"characteristic": "width", "product": "poplin-133x72", "limits": {"kind": "variables", "spread": "moving_range", "center": 1.602, "sigma": 0.004, "subgroups": 30, "values": 30}, "from": "2026-01-05T00:00:00Z", "to": "2026-02-20T00:00:00Z", "as_of": 18400, "person": "P-40"}),
        ),
        ("person.logged_out", json!({"person": "P-12", "asset": "L07"})),
        (
            "model.registered",
            json!({"model": "weft-arrival", "kind": "mechanism", "description": {"zh": "纬纱到达角机理模型", "en": "arrival angle of the weft from air pressure and speed"}}),
        ),
        (
            "model.version_created",
            json!({"model": "weft-arrival", "version": 1, "runtime": "mechanism", "inputs": [{"name": "air_pressure", "unit": "bar", "low": 3.0, "high": 7.0}, {"name": "loom_speed", "unit": "{pick}/min"}], "outputs": [{"name": "arrival_angle", "unit": "deg"}], "artifacts": [{"name": "model.json", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "bytes": 1423}], "trained_on": {"first_position": 0, "last_position": 18250, "samples": 7200, "seed": 7}, "metrics": {"mae_deg": 1.4}, "note": {"zh": "首个版本", "en": "first version"}}),
        ),
        ("model.renamed", json!({"model": "weft-arrival", "name": "weft arrival angle"})),
        ("model.described", json!({"model": "weft-arrival", "version": 1, "description": "fitted on shed 1"})),
        ("model.tag_set", json!({"model": "weft-arrival", "version": 1, "key": "plant", "value": "shed-1"})),
        ("model.tag_removed", json!({"model": "weft-arrival", "version": 1, "key": "plant"})),
        (
            "model.version_evaluated",
            json!({"model": "weft-arrival", "version": 1, "dataset": "shed-1-2026-q1", "dataset_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "metrics": {"mae_deg": 1.4}, "samples": 7200, "person": "P-50"}),
        ),
        (
            "model.version_approved",
            json!({"model": "weft-arrival", "version": 1, "person": "P-40", "note": {"zh": "已对照停机记录", "en": "compared with the stop records"}}),
        ),
        (
            "gate.defined",
            json!({"gate": "production", "model": "weft-arrival", "guards": [{"alias": "champion"}, {"stage": "production"}, "deployment"], "approvals": 1, "requires": [{"dataset": "shed-1-2026-q1", "metric": "mae_deg", "better": "lower", "threshold": 2.0, "beats_champion_by": 0.0}], "champion": "champion"}),
        ),
        (
            "model.stage_set",
            json!({"model": "weft-arrival", "version": 1, "stage": "production", "checked": {"position": 18260, "gates": ["production"], "approved_by": ["P-40"], "evaluations": [18255]}}),
        ),
        ("model.alias_set", json!({"model": "weft-arrival", "alias": "champion", "version": 1})),
        (
            "deployment.deployed",
            json!({"deployment": "weft-arrival@looms", "model": "weft-arrival", "version": 1, "target": {"class": "air-jet-loom"}, "period_s": 10, "person": "P-50", "reason": {"zh": "试运行", "en": "trial"}}),
        ),
        (
            "prediction.made",
            json!({"deployment": "weft-arrival@looms", "model": "weft-arrival", "version": 1, "asset": "L07", "inputs": [{"name": "air_pressure", "signal": "L07.air_pressure", "position": 18301, "row": 12, "value": 5.1}], "outputs": {"arrival_angle": 226.4}}),
        ),
        (
            "deployment.retired",
            json!({"deployment": "weft-arrival@looms", "reason": {"zh": "试运行结束", "en": "the trial is over"}}),
        ),
        ("model.alias_removed", json!({"model": "weft-arrival", "alias": "champion"})),
        (
            "model.approval_withdrawn",
            json!({"model": "weft-arrival", "version": 1, "person": "P-40", "reason": {"zh": "数据有误", "en": "the data were wrong"}}),
        ),
        ("gate.removed", json!({"gate": "production", "reason": {"zh": "试运行结束", "en": "the trial is over"}})),
        (
            "model.version_deleted",
            json!({"model": "weft-arrival", "version": 1, "reason": {"zh": "不再使用", "en": "no longer used"}}),
        ),
        ("model.deleted", json!({"model": "weft-arrival"})),
        (
            "dataset.built",
            json!({"dataset": "DS-0001", "name": "shed-1-2026-q1", "spec": {"assets": ["L07"]}, "as_of": 18250, "builder": 1, "rows": 7200, "columns": [{"name": "time", "kind": "timestamp"}, {"name": "air_pressure.mean", "kind": "float64", "unit": "bar"}], "file": {"name": "data.parquet", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "bytes": 90211}, "first_position": 3, "last_position": 18250, "signals": ["L07.air_pressure"], "label_positions": [18001], "projections": {"episodes": 1}}),
        ),
        (
            "experiment.created",
            json!({"experiment": "1", "name": "weft arrival", "artifact_location": "mlflow-artifacts:/1", "tags": [{"key": "plant", "value": "shed-1"}]}),
        ),
        ("experiment.renamed", json!({"experiment": "1", "name": "weft arrival 2026"})),
        ("experiment.tag_set", json!({"experiment": "1", "key": "owner", "value": "process engineering"})),
        ("experiment.tag_removed", json!({"experiment": "1", "key": "owner"})),
        (
            "run.created",
            json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b", "experiment": "1", "name": "ridge", "user": "lin", "started_ms": 1772409600000_i64, "artifact_uri": "mlflow-artifacts:/1/c375fbfb43a04b09b09cca83ad72ad0b/artifacts", "tags": [{"key": "mlflow.user", "value": "lin"}]}),
        ),
        (
            "run.logged",
            json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b", "metrics": [{"key": "rmse", "value": 0.45, "at_ms": 1772409601000_i64, "step": 1, "logged_model": "m-b1a0ceda14274cfe822aee0e57467b20"}, {"key": "loss", "value": "NaN", "at_ms": 1772409601000_i64, "step": 1}], "params": [{"key": "alpha", "value": "0.1"}], "tags": [{"key": "note", "value": "first try"}]}),
        ),
        ("run.tag_removed", json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b", "key": "note"})),
        (
            "run.inputs_logged",
            json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b", "datasets": [{"name": "shed-1-2026-q1", "digest": "df32b07a", "source_type": "http", "source": "{\"url\": \"http://mill.example/data\"}", "schema": "{}", "profile": "{}", "tags": [{"key": "mlflow.data.context", "value": "train"}]}], "models": ["m-b1a0ceda14274cfe822aee0e57467b20"]}),
        ),
        (
            "logged_model.created",
            json!({"logged_model": "m-b1a0ceda14274cfe822aee0e57467b20", "experiment": "1", "name": "model", "run": "c375fbfb43a04b09b09cca83ad72ad0b", "model_type": "regressor", "artifact_uri": "mlflow-artifacts:/1/models/m-b1a0ceda14274cfe822aee0e57467b20/artifacts", "params": [{"key": "alpha", "value": "0.1"}], "tags": [{"key": "mlflow.user", "value": "lin"}]}),
        ),
        ("logged_model.finalized", json!({"logged_model": "m-b1a0ceda14274cfe822aee0e57467b20", "status": "ready"})),
        (
            "logged_model.params_logged",
            json!({"logged_model": "m-b1a0ceda14274cfe822aee0e57467b20", "params": [{"key": "solver", "value": "svd"}]}),
        ),
        (
            "logged_model.tags_set",
            json!({"logged_model": "m-b1a0ceda14274cfe822aee0e57467b20", "tags": [{"key": "plant", "value": "shed-1"}]}),
        ),
        ("logged_model.tag_removed", json!({"logged_model": "m-b1a0ceda14274cfe822aee0e57467b20", "key": "plant"})),
        (
            "run.outputs_logged",
            json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b", "models": [{"logged_model": "m-b1a0ceda14274cfe822aee0e57467b20", "step": 1}]}),
        ),
        (
            "artifact.stored",
            json!({"root": "1/c375fbfb43a04b09b09cca83ad72ad0b", "path": "artifacts/plots/residuals.png", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "bytes": 48113}),
        ),
        (
            "webhook.created",
            json!({"webhook": "0195590c-7c00-7000-8000-000000000004", "name": "line-control", "description": "tells the line what to run", "url": "https://line-control.mill.example/hooks/models", "events": [{"entity": "model_version_alias", "action": "created"}, {"entity": "model_version", "action": "created"}], "status": "active", "secret": "0195590c-7c00-7000-8000-000000000005"}),
        ),
        (
            "webhook.updated",
            json!({"webhook": "0195590c-7c00-7000-8000-000000000004", "url": "https://line-control-2.mill.example/hooks/models", "status": "disabled"}),
        ),
        ("webhook.deleted", json!({"webhook": "0195590c-7c00-7000-8000-000000000004"})),
        ("artifact.removed", json!({"root": "1/c375fbfb43a04b09b09cca83ad72ad0b", "path": "artifacts/plots"})),
        (
            "run.updated",
            json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b", "status": "finished", "ended_ms": 1772409607000_i64, "name": "ridge, alpha 0.1"}),
        ),
        ("run.deleted", json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b"})),
        ("run.restored", json!({"run": "c375fbfb43a04b09b09cca83ad72ad0b"})),
        ("logged_model.deleted", json!({"logged_model": "m-b1a0ceda14274cfe822aee0e57467b20"})),
        ("experiment.deleted", json!({"experiment": "1"})),
        ("experiment.restored", json!({"experiment": "1"})),
        (
            "article.drafted",
            json!({"article": "KB-12", "revision": 1, "kind": "procedure", "title": {"zh": "左侧引纬停台的处理", "en": "Weft stops on the left side"}, "body": {"zh": "1. 检查储纬器气压……", "en": "1. Check the air pressure at the accumulator …"}, "codes": ["weft_break"], "classes": ["air-jet-loom"], "attachments": [{"file": {"name": "accumulator.jpg", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "bytes": 81233}, "media_type": "image/jpeg", "caption": {"en": "where the gauge is"}}], "evidence": [4711, 4720], "author": "P-31"}),
        ),
        (
            "article.reviewed",
            json!({"article": "KB-12", "revision": 1, "person": "P-40", "approved": true, "note": {"en": "tried on L07"}}),
        ),
        (
            "dictionary.entry_defined",
            json!({"entry": "heald-frame", "meaning": {"kind": "same", "phrases": ["综框", "综架", "heald frame"]}, "person": "P-40", "note": {"zh": "二车间的叫法", "en": "what shed 2 says"}}),
        ),
        (
            "dictionary.entry_removed",
            json!({"entry": "heald-frame", "person": "P-40", "reason": {"zh": "并入词库", "en": "part of the program's own now"}}),
        ),
        (
            "notice_policy.set",
            json!({"policy": "weaving", "applies": {"classes": ["air-jet-loom"], "severity_at_least": 500}, "group_by": "line", "window_s": 300, "steps": [{"after_s": 0, "to": [{"channel": "email", "person": "P-31"}, {"channel": "mqtt", "topic": "shed-1"}]}, {"after_s": 600, "to": [{"channel": "webhook", "webhook": "shift-lead"}]}], "person": "P-40", "note": {"zh": "夜班无人时升级", "en": "the next one, where nobody answers at night"}}),
        ),
        (
            "notice_policy.removed",
            json!({"policy": "weaving", "person": "P-40", "reason": {"zh": "改用新规程", "en": "replaced"}}),
        ),
        (
            "notice.sent",
            json!({"group": "0195590c-7c00-8000-8000-0000000000f1", "notice": {"step": 1, "to": {"channel": "email", "person": "P-31"}, "policy": "weaving", "policy_at": 4711, "asset": "L07", "due": "2026-03-02T03:00:00Z", "alarms": 4, "positions": [4720, 4721, 4722, 4725], "attempts": 1}}),
        ),
        (
            "notice.failed",
            json!({"group": "0195590c-7c00-8000-8000-0000000000f1", "notice": {"step": 2, "to": {"channel": "webhook", "webhook": "shift-lead"}, "policy": "weaving", "policy_at": 4711, "asset": "L07", "due": "2026-03-02T03:10:00Z", "alarms": 4, "positions": [4720, 4721, 4722, 4725], "attempts": 1}, "reason": "there is no webhook of this name"}),
        ),
        (
            "notice.acknowledged",
            json!({"group": "0195590c-7c00-8000-8000-0000000000f1", "person": "P-31", "note": {"zh": "已到现场", "en": "on my way"}}),
        ),
        (
            "package.imported",
            json!({"package": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "log": "mill-2.example/log", "key": "mill-2.example/log+a1b2c3d4+AXq2", "articles": [{"article": "KB-77", "revision": 1}], "person": "P-31"}),
        ),
        (
            "file.attached",
            json!({"kind": "fault", "id": "F-310", "attachment": {"file": {"name": "bearing.ogg", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "bytes": 120345}, "media_type": "audio/ogg", "text": "knocks once a turn"}, "person": "P-31"}),
        ),
        (
            "article.superseded",
            json!({"article": "KB-12", "by": "KB-14", "person": "P-40", "reason": {"zh": "并入新规程", "en": "part of the new procedure"}}),
        ),
        ("equipment.asset_unmapped", json!({"asset": "L07", "equipment": "shed-1/loom-07"})),
        (
            "input.quarantined",
            json!({"source": "mqtt:shed-1", "address": "mill/shed-1/L09/process", "field": "warp_tension", "reason": "\"n/a\" is not a number", "text": "{\"ts\": 1772409600000, \"warp_tension\": \"n/a\"}"}),
        ),
        (
            "input.released",
            json!({"source": "mqtt:shed-1", "quarantined": "0195590c-7c00-7000-8000-000000000001", "person": "P-50"}),
        ),
        (
            "discrepancy.resolved",
            json!({"event": "0195590c-7c00-7000-8000-000000000002", "person": "P-40", "resolution": {"zh": "重复录入，以第一次为准", "en": "keyed twice; the first one counts"}}),
        ),
        (
            "legal_hold.placed",
            json!({"hold": "H-2026-3", "scope": {"subjects": ["customer:C-4"], "streams": ["lot-R-7001"], "tags": ["asset:L07"], "from": "2026-01-01T00:00:00Z", "to": "2026-07-01T00:00:00Z"}, "reason": {"zh": "质量索赔", "en": "claim about quality"}, "person": "P-40"}),
        ),
        (
            "subject.erased",
            json!({"subject": "person:P-12", "reason": {"zh": "离职", "en": "left the company"}, "basis": "GDPR Art. 17(1)(a)", "requested_by": "DSR-88", "data_key": "0195590c-7c00-8000-8000-000000000003"}),
        ),
        (
            "retention.applied",
            json!({"class": "telemetry", "before": "2026-01-01T00:00:00Z", "ranges": [{"first": 120, "last": 4711}], "records": 4592, "frames": 4592, "readings": 9184000, "carried": [{"signal": "L07.warp_tension", "readings": 4592, "newest": [{"time_ns": 1767225599000000000_i64, "position": 4711, "row": 12, "value": {"float": 2.02}, "status": 0}]}]}),
        ),
        (
            "legal_hold.released",
            json!({"hold": "H-2026-3", "reason": {"zh": "索赔已结案", "en": "the claim is settled"}, "person": "P-40"}),
        ),
    ]
}

/// One realistic example of each event type, in the order of [`Event::TYPES`].
pub fn examples() -> Vec<Event> {
    let mut written: IndexMap<&'static str, Value> = written().into_iter().collect();
    Event::TYPES
        .iter()
        .filter_map(|(event_type, version)| {
            Event::from_value(event_type, *version, written.swap_remove(event_type)?).ok()
        })
        .collect()
}

/// The same examples as one story: in the order in which they can happen in a mill.
pub fn story() -> Vec<Event> {
    written().into_iter().filter_map(|(event_type, value)| Event::from_value(event_type, 1, value).ok()).collect()
}
