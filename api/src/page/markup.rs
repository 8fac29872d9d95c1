//! The page as HTML.

use domain::events::MachineState;
use knowledge::search_index::SearchAnswer;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::folds::genealogy::Relation;
use projections::trace::TraceAnswer;

use super::view::{FaultRow, Overview, QUANTITIES, SourceRow};
use super::words::Language;
use super::{SCRIPT, STYLE};
use crate::problem::Problem;

/// The whole page. `content` is the overview where no token is needed, and empty otherwise.
pub fn document(language: Language, content: &Markup, example_lot: Option<&str>) -> Markup {
    let pick = |zh, en| language.pick(zh, en);
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Millwright " (pick("工厂的记忆", "the factory's memory")) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Millwright" }
                    p { (pick("工厂的记忆：所有读数和事件写入一个可证明的日志，由此得出知识与模型", "The factory's memory: every reading and event in one provable log, with knowledge and models folded from it")) }
                    a href={ "/?lang=" (language.other().code()) } { (language.other().pick("中文", "English")) }
                }
                main {
                    form #token-form hidden {
                        input type="text" name="token" autocomplete="off" placeholder=(pick("访问令牌", "Access token"));
                        button { (pick("使用", "Use")) }
                    }
                    div #overview { (content) }
                    section {
                        h2 { (pick("搜索知识", "Search the knowledge")) }
                        form data-into="search-results" data-fragment="/fragments/search" action="/fragments/search" {
                            input type="search" name="q" required placeholder=(pick("例如：轴承 振动 / warp break / A-0412", "for example: bearing vibration / 断经 / A-0412"));
                            button { (pick("搜索", "Search")) }
                        }
                        div #search-results {}
                    }
                    section {
                        h2 { (pick("追溯", "Trace")) }
                        form data-into="trace-results" data-fragment="/fragments/trace" action="/fragments/trace" {
                            select name="kind" {
                                option value="lot" { (pick("批次（布卷、织轴、纱线）", "Lot (roll, beam, yarn)")) }
                                option value="order" { (pick("订单", "Job order")) }
                                option value="asset" { (pick("设备", "Asset")) }
                            }
                            input type="text" name="id" required value=(example_lot.unwrap_or_default()) placeholder=(pick("编号", "Id"));
                            button { (pick("追溯", "Trace")) }
                        }
                        div #trace-results {}
                    }
                    section {
                        h2 { (pick("接口", "Interfaces")) }
                        ul.links {
                            li { a href="/docs" { (pick("接口说明", "API reference")) } }
                            li { a href="/openapi.json" { "OpenAPI 3.1" } }
                            li { a href="/api/v1/log?direction=backward&limit=20" { (pick("日志（最新）", "Log (newest)")) } }
                            li { a href="/api/v1/values" { (pick("实时值", "Live values")) } }
                            li { a href="/api/v1/knowledge/faults" { (pick("故障知识", "Fault knowledge")) } }
                            li { a href="/api/v1/knowledge/maintenance" { (pick("维修知识", "Maintenance knowledge")) } }
                            li { a href="/api/v1/knowledge/quality" { (pick("品质知识", "Quality knowledge")) } }
                            li { a href="/api/v1/models" { (pick("模型", "Models")) } }
                            li { a href="/readyz" { (pick("状态", "State")) } }
                            li { a href="/metrics" { (pick("指标", "Metrics")) } }
                        }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// What is connected, how the log grows, what the looms do, and which faults are open.
pub fn overview(language: Language, overview: &Overview) -> Markup {
    let pick = |zh, en| language.pick(zh, en);
    html! {
        section {
            div.tiles {
                div.tile { b { (overview.records) } span.soft { (pick("日志记录", "records in the log")) } }
                div.tile { b { (format!("{:.1}/s", overview.records_per_s)) } span.soft { (pick("新记录", "new records")) } }
                div.tile { b { (format!("{:.0}/s", overview.readings_per_s)) } span.soft { (pick("读数", "readings")) } }
                div.tile { b { (overview.lag) } span.soft { (pick("投影滞后（记录）", "projection lag, records")) } }
                div.tile { b { (overview.open_faults) } span.soft { (pick("未关闭故障", "open faults")) } }
            }
        }
        (sources(language, &overview.sources))
        @if !overview.assets.is_empty() {
            section {
                h2 { (pick("实时值", "Live values")) }
                table {
                    thead { tr {
                        th { (pick("设备", "Asset")) } th { (pick("状态", "State")) }
                        @for quantity in QUANTITIES { th.number { (quantity_name(language, quantity)) } }
                    } }
                    tbody { @for row in &overview.assets { tr {
                        td { a href={ "/api/v1/assets/" (encoded(&row.asset)) } title=(language.text(&row.name)) { (row.asset) } }
                        td { (state_name(language, row.state)) }
                        @for value in &row.values { td.number { @if let Some(value) = value { span.old[value.is_old] { (format!("{:.1}", value.number)) } " " span.soft { (unit_name(language, &value.unit)) } } } }
                    } } }
                }
            }
        }
        (faults(language, &overview.faults))
    }
}

const fn state_name(language: Language, state: Option<MachineState>) -> &'static str {
    match state {
        Some(MachineState::Running) => language.pick("运转", "running"),
        Some(MachineState::Stopped) => language.pick("停车", "stopped"),
        Some(MachineState::Setup) => language.pick("准备", "setup"),
        Some(MachineState::Idle) => language.pick("待机", "idle"),
        Some(MachineState::Down) => language.pick("故障停机", "down"),
        Some(MachineState::Maintenance) => language.pick("维修", "maintenance"),
        Some(MachineState::Off) => language.pick("关机", "off"),
        None => "",
    }
}

fn quantity_name(language: Language, quantity: &'static str) -> &'static str {
    match quantity {
        "loom_speed" => language.pick("车速", "Speed"),
        "warp_tension" => language.pick("经纱张力", "Warp tension"),
        "weft_arrival_angle" => language.pick("纬纱到达角", "Weft arrival"),
        "bearing_vibration" => language.pick("轴承振动", "Bearing vibration"),
        "bearing_temperature" => language.pick("轴承温度", "Bearing temperature"),
        "power" => language.pick("功率", "Power"),
        other => other,
    }
}

/// The unit as people in a mill write it.
fn unit_name(language: Language, unit: &str) -> &str {
    match unit {
        "{pick}/min" => language.pick("纬/分", "picks/min"),
        "Cel" => "°C",
        "deg" => "°",
        other => other,
    }
}

fn sources(language: Language, sources: &[SourceRow]) -> Markup {
    let pick = |zh, en| language.pick(zh, en);
    html! {
        section {
            h2 { (pick("连接", "Connections")) }
            @if sources.is_empty() {
                p.soft { (pick("没有配置数据源；也可用 HTTP 或文件导入。", "No source is configured; HTTP and file import work all the same.")) }
            } @else {
                table {
                    thead { tr { th { (pick("名称", "Name")) } th { (pick("协议", "Protocol")) } th { (pick("地址", "Address")) } th { (pick("状态", "State")) } th.number { (pick("收到", "Received")) } } }
                    tbody { @for source in sources { tr {
                        td { (source.name) } td { (source.kind) } td { (source.address) }
                        td {
                            @if source.connected { span.good { "● " (pick("已连接", "connected")) } }
                            @else { span.bad title=(source.last_error.as_deref().unwrap_or("")) { "○ " (pick("未连接", "not connected")) } }
                        }
                        td.number { (source.received) }
                    } } }
                }
            }
        }
    }
}

fn faults(language: Language, faults: &[FaultRow]) -> Markup {
    let pick = |zh, en| language.pick(zh, en);
    html! {
        section {
            h2 { (pick("未关闭故障", "Open faults")) }
            @if faults.is_empty() { p.soft { (pick("没有未关闭的故障。", "No fault is open.")) } }
            @else {
                table {
                    thead { tr { th { (pick("故障", "Fault")) } th { (pick("设备", "Asset")) } th { (pick("现象", "Symptoms")) } th { (pick("模式", "Mode")) } th { (pick("开始", "Since")) } th.number { (pick("位置", "Position")) } } }
                    tbody { @for fault in faults { tr {
                        td { (fault.fault) }
                        td { a href="#" data-trace={ "kind=asset&id=" (encoded(&fault.asset)) } { (fault.asset) } }
                        td.text { (language.text(&fault.symptoms)) }
                        td { (fault.mode.as_deref().unwrap_or("")) }
                        td { (fault.since.map(|since| since.strftime("%m-%d %H:%M").to_string()).unwrap_or_default()) }
                        td.number { @if let Some(position) = fault.position { (evidence(position.get())) } }
                    } } }
                }
            }
        }
    }
}

fn evidence(position: u64) -> Markup {
    html! { a href={ "/api/v1/log/" (position) } { (position) } }
}

/// What a search found.
pub fn search_results(language: Language, answer: &SearchAnswer) -> Markup {
    let pick = |zh, en| language.pick(zh, en);
    html! {
        p.soft { (answer.total) " " (pick("条结果", "found")) }
        table { tbody { @for hit in &answer.items { tr {
            td { (hit.record.id.to_string()) }
            td { @if let Some(asset) = &hit.record.asset { a href="#" data-trace={ "kind=asset&id=" (encoded(asset)) } { (asset) } } }
            td.text { b { (language.text(&hit.record.title)) } br; (language.text(&hit.record.text)) }
            td { (hit.record.event_time.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()) }
            td.number { @for position in hit.record.evidence.iter().take(3) { (evidence(position.get())) " " } }
        } } } }
    }
}

/// What a trace found.
pub fn trace_results(language: Language, answer: &TraceAnswer) -> Markup {
    let pick = |zh, en| language.pick(zh, en);
    html! {
        p.soft { (answer.nodes.len()) " " (pick("个节点", "nodes")) ", " (answer.edges.len()) " " (pick("条关系", "relations")) @if answer.truncated { " " (pick("（已截断）", "(cut off)")) } }
        table {
            thead { tr { th { (pick("从", "From")) } th { (pick("关系", "Relation")) } th { (pick("到", "To")) } th { (pick("区间", "Stretch")) } th.number { (pick("位置", "Position")) } } }
            tbody { @for edge in answer.edges.iter().take(200) { tr {
                td { (node(edge.from.kind.as_str(), &edge.from.id)) }
                td { (relation_name(language, edge.relation)) }
                td { (node(edge.to.kind.as_str(), &edge.to.id)) }
                td { @if let Some(interval) = &edge.interval { (format!("{:.1}–{:.1} m", interval.start_m, interval.end_m)) } }
                td.number { (evidence(edge.position.get())) }
            } } }
        }
    }
}

#[rustfmt::skip]
const fn relation_name(language: Language, relation: Relation) -> &'static str {
    match relation {
        Relation::ConsumedBy => language.pick("消耗于", "consumed by"),
        Relation::Produced => language.pick("产出", "produced"),
        Relation::WentInto => language.pick("用于", "went into"),
        Relation::SplitInto => language.pick("分为", "split into"),
        Relation::MergedInto => language.pick("并入", "merged into"),
        Relation::WarpedOnto => language.pick("整经为", "warped onto"),
        Relation::SizedOnto => language.pick("浆纱为", "sized onto"),
        Relation::WovenInto => language.pick("织成", "woven into"),
        Relation::WeftOf => language.pick("作纬纱于", "weft of"),
        Relation::ShippedWith => language.pick("随单发运", "shipped with"),
        Relation::HasVersion => language.pick("版本", "has version"),
        Relation::DeployedAs => language.pick("部署为", "deployed as"),
        Relation::Predicted => language.pick("预测", "predicted"),
        Relation::InputOf => language.pick("输入于", "input of"),
        Relation::UsedBy => language.pick("用于订单", "used by"),
        Relation::OrderOf => language.pick("订单", "order of"),
        Relation::MadeOn => language.pick("制造设备", "made on"),
        Relation::MadeBy => language.pick("制造人", "made by"),
        Relation::MountedOn => language.pick("上轴于", "mounted on"),
        Relation::FedTo => language.pick("供纬于", "fed to"),
        Relation::TiedTo => language.pick("接经于", "tied to"),
        Relation::HasPart => language.pick("子订单", "has part"),
        Relation::HasOperation => language.pick("工序", "has operation"),
        Relation::PerformedAt => language.pick("执行设备", "performed at"),
        Relation::PerformedBy => language.pick("执行人", "performed by"),
        Relation::ProductOf => language.pick("产品", "product of"),
        Relation::InspectedIn => language.pick("检验", "inspected in"),
        Relation::InspectedBy => language.pick("检验人", "inspected by"),
        Relation::FoundIn => language.pick("发现于", "found in"),
        Relation::RunsOn => language.pick("运行于", "runs on"),
        Relation::MadeByDeployment => language.pick("由部署产生", "made by deployment"),
        Relation::About => language.pick("关于", "about"),
    }
}

fn node(kind: &str, id: &str) -> Markup {
    html! { span.soft { (kind) } " " a href="#" data-trace={ "kind=" (kind) "&id=" (encoded(id)) } { (id) } }
}

/// An id as a part of an address.
fn encoded(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

/// A problem, where results would be.
pub fn problem(problem: &Problem) -> Markup {
    html! { p.problem { (problem.title) ": " (problem.detail) } }
}
