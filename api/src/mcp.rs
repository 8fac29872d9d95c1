//! Questions in words: the Model Context Protocol, so that an assistant asks what people ask, and cites the positions that the answers name.
//!
//! A tool is an endpoint of the native API. Its parameters, their types and their descriptions come from the OpenAPI document, and a call is a request to the very
//! handler, with the caller's own token: an assistant sees what its user may see, and there is no second way to an answer. No tool changes anything; a diagnosis that is given is noted
//! in the log, as for everybody.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::server::App;

/// The largest answer that is handed to an assistant, in bytes: what is longer would fill its memory and is refused with the advice to ask for less.
const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// The parameter that carries a request's body.
const BODY: &str = "body";

const INSTRUCTIONS: &str = "Millwright is the factory's memory: one append-only, provable log of readings and events, and knowledge folded from it. \
    Every answer names log positions as evidence: cite them (the tool `proof` proves one). Counts (n) and bounds come with every statistic: say how sure it is. \
    `as_of` asks what was known at a position or time; `at` asks what was so then. Text may be Chinese or English. \
    回答请注明日志位置（position）作为依据，并说明样本数 n 与置信界。";

/// A tool: its name, the endpoint behind it, and its title in both languages.
struct Entry {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    title: &'static str,
    /// Whether the answer is noted in the log, so that it can be asked later what was answered.
    noted: bool,
}

const fn get(name: &'static str, path: &'static str, title: &'static str) -> Entry {
    Entry { name, method: "get", path, title, noted: false }
}

const TOOLS: [Entry; 42] = [
    get("search", "/api/v1/knowledge/search", "Search the knowledge bases 检索知识库"),
    Entry {
        name: "diagnose",
        method: "post",
        path: "/api/v1/knowledge/diagnose",
        title: "Diagnose symptoms or alarms 故障诊断",
        noted: true,
    },
    get("fault_modes", "/api/v1/knowledge/faults", "Failure modes with their symptoms 故障预警知识"),
    get("fault_mode", "/api/v1/knowledge/faults/modes/{mode}", "One failure mode 单个故障模式"),
    get("fault_episodes", "/api/v1/knowledge/faults/episodes", "Fault episodes 故障记录"),
    get("precursors", "/api/v1/fault-warning/precursors", "What came before faults of a mode 故障前兆"),
    get("detection_rules", "/api/v1/fault-warning/rules", "Detection rules and how good they are 预警规则"),
    get("warnings", "/api/v1/fault-warning/warnings", "Warnings and what became of them 故障预警"),
    get("maintenance", "/api/v1/knowledge/maintenance", "What was done and whether it helped 维修知识"),
    get("operating", "/api/v1/knowledge/operating", "Operating performance and KPIs 运行性能"),
    get("control", "/api/v1/knowledge/control", "Set-points and what followed 操控知识"),
    get("quality", "/api/v1/knowledge/quality", "Defects and capability 产品品质"),
    get("record", "/api/v1/knowledge/records/{id}", "One knowledge record with its versions 知识条目"),
    get("related", "/api/v1/knowledge/graph/{id}", "What a record is related to 关联图谱"),
    get("figures", "/api/v1/knowledge/operating/figures", "ISO 22400 figures by asset, product or shift 运行指标"),
    get("crews", "/api/v1/knowledge/operating/crews", "What crews do differently 班组差异"),
    get("alarms", "/api/v1/alarms", "Alarms and their life cycle 报警"),
    get("alarm_performance", "/api/v1/alarms/performance", "Alarm rates, floods, chattering 报警绩效"),
    get("shifts", "/api/v1/shifts", "Shifts 班次"),
    get("handover", "/api/v1/shifts/{shift}/handover", "What a shift hands over 交接班"),
    get("changes", "/api/v1/knowledge/control/changes", "Set-point changes and what followed 参数调整与效果"),
    get("best_window", "/api/v1/knowledge/control/best", "The best known settings 最佳工艺窗口"),
    get("actions", "/api/v1/knowledge/maintenance/actions", "Actions and how often they held 维修措施成功率"),
    get("reliability", "/api/v1/knowledge/maintenance/reliability", "MTBF and MTTR with censoring 可靠性"),
    get("due", "/api/v1/knowledge/maintenance/due", "Preventive work that is due 到期保养"),
    get("chart", "/api/v1/knowledge/quality/chart", "A control chart 控制图"),
    get("causes", "/api/v1/knowledge/quality/causes", "Ranked causes of defects 疵点原因"),
    get("articles", "/api/v1/articles", "Curated articles, procedures, rules, FMEA sheets 条目与规程"),
    get("article", "/api/v1/articles/{article}", "One curated piece with its revisions 单个条目"),
    get("trace", "/api/v1/trace/{kind}/{id}", "Where it came from, where it went 追溯"),
    get("state", "/api/v1/state/{kind}/{id}", "The state of a thing, now or then 对象状态"),
    get("assets", "/api/v1/assets", "The assets 设备清单"),
    get("asset_states", "/api/v1/assets/{asset}/states", "Machine states over time 设备状态"),
    get("signals", "/api/v1/signals", "What is measured 测点目录"),
    get("values", "/api/v1/values", "The newest values 最新值"),
    get("readings", "/api/v1/readings", "Readings of a signal 历史读数"),
    get("models", "/api/v1/models", "Registered models 模型清单"),
    get("model", "/api/v1/models/{model}", "One model with its versions 单个模型"),
    get("what_ran", "/api/v1/assets/{asset}/models", "Which models ran on an asset 设备上运行的模型"),
    get("deployments", "/api/v1/deployments", "Deployments 部署"),
    get("event", "/api/v1/log/{position}", "The event at a position 日志记录"),
    get("proof", "/api/v1/log/{position}/proof", "Proof that a record is in the log 存在证明"),
];

/// Where the questions go.
#[derive(Clone)]
enum Backend {
    /// The handlers of this process.
    Here(Router),
    /// A server elsewhere, with the token to ask it with.
    There { client: reqwest::Client, server: reqwest::Url, token: Option<String> },
}

/// The tools over the native API.
#[derive(Clone)]
pub struct Assistant {
    tools: Arc<[Ready]>,
    backend: Backend,
}

/// A tool as it is offered, with what a call needs.
struct Ready {
    tool: Tool,
    entry: &'static Entry,
    in_path: Vec<String>,
    in_query: Vec<String>,
    has_body: bool,
}

impl Assistant {
    /// Tools that ask the handlers of this process.
    pub fn here(app: App) -> Self {
        let (router, document) = crate::routes::all();
        Self { tools: ready(&document), backend: Backend::Here(router.with_state(app)) }
    }

    /// Tools that ask a server elsewhere.
    pub fn there(client: reqwest::Client, server: reqwest::Url, token: Option<String>) -> Self {
        let (_, document) = crate::routes::all();
        Self { tools: ready(&document), backend: Backend::There { client, server, token } }
    }

    async fn ask(
        &self,
        ready: &Ready,
        mut given: JsonObject,
        parts: Option<&Parts>,
    ) -> Result<CallToolResult, ErrorData> {
        let body = given.remove(BODY);
        let mut path = ready.entry.path.to_owned();
        for name in &ready.in_path {
            let value = given.remove(name).and_then(text_of).ok_or_else(|| missing(name))?;
            path = path.replace(&format!("{{{name}}}"), &utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string());
        }
        let mut pairs = Vec::new();
        for (name, value) in given {
            if !ready.in_query.contains(&name) {
                let known = ready.in_path.iter().chain(&ready.in_query).map(String::as_str).collect::<Vec<_>>();
                return Err(ErrorData::invalid_params(
                    format!("{name} is not a parameter; there are {}", known.join(", ")),
                    None,
                ));
            }
            if let Some(value) = text_of(value) {
                pairs.push(format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)));
            }
        }
        let address = if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) };
        let body = match (ready.has_body, body) {
            (true, Some(body)) => Some(body.to_string()),
            (true, None) => return Err(missing(BODY)),
            (false, _) => None,
        };
        let (status, bytes) = match &self.backend {
            Backend::Here(router) => ask_here(router.clone(), ready.entry.method, &address, body, parts).await?,
            Backend::There { client, server, token } => {
                ask_there(client, server, token.as_deref(), ready.entry.method, &address, body).await?
            }
        };
        Ok(told(status, &bytes))
    }
}

async fn ask_here(
    router: Router,
    method: &str,
    address: &str,
    body: Option<String>,
    parts: Option<&Parts>,
) -> Result<(u16, Vec<u8>), ErrorData> {
    let mut request = Request::builder().method(method_of(method)).uri(address);
    // The token of whoever asks the assistant decides what it may see.
    if let Some(token) = parts.and_then(|parts| parts.headers.get(AUTHORIZATION)) {
        request = request.header(AUTHORIZATION, token.clone());
    }
    if body.is_some() {
        request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let request = request.body(body.map_or_else(Body::empty, Body::from)).map_err(internal)?;
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), MAX_ANSWER_BYTES).await.map_err(|_| too_long())?;
    Ok((status, bytes.to_vec()))
}

async fn ask_there(
    client: &reqwest::Client,
    server: &reqwest::Url,
    token: Option<&str>,
    method: &str,
    address: &str,
    body: Option<String>,
) -> Result<(u16, Vec<u8>), ErrorData> {
    let url = server.join(address).map_err(internal)?;
    let mut request = client.request(method_of(method), url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header(CONTENT_TYPE, "application/json").body(body);
    }
    let mut response = request.send().await.map_err(internal)?;
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(internal)? {
        if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(too_long());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((status, bytes))
}

/// What the assistant is told: the answer as it is, or the problem as something that it can act on.
fn told(status: u16, bytes: &[u8]) -> CallToolResult {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value @ Value::Object(_)) if status < 300 => CallToolResult::structured(value),
        Ok(value) if status < 300 => CallToolResult::structured(json!({"answer": value})),
        Ok(value) => CallToolResult::structured_error(value),
        Err(_) => {
            let text = ContentBlock::text(String::from_utf8_lossy(bytes).into_owned());
            if status < 300 { CallToolResult::success(vec![text]) } else { CallToolResult::error(vec![text]) }
        }
    }
}

fn method_of(method: &str) -> Method {
    if method == "post" { Method::POST } else { Method::GET }
}

/// A parameter as it stands in an address; null means that it is not given.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn missing(name: &str) -> ErrorData {
    ErrorData::invalid_params(format!("{name} is missing"), None)
}

fn too_long() -> ErrorData {
    ErrorData::invalid_params(
        format!("the answer is longer than {} KiB: ask for less (limit, from, to)", MAX_ANSWER_BYTES / 1024),
        None,
    )
}

fn internal(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

impl ServerHandler for Assistant {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("millwright", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.iter().map(|ready| ready.tool.clone()).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(ready) = self.tools.iter().find(|ready| ready.tool.name == request.name) else {
            let known = TOOLS.map(|entry| entry.name).join(", ");
            return Err(ErrorData::invalid_params(
                format!("there is no tool {}; there are {known}", request.name),
                None,
            ));
        };
        let parts = context.extensions.get::<Parts>();
        Ok(self.ask(ready, request.arguments.unwrap_or_default(), parts).await?.into())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|ready| ready.tool.name == name).map(|ready| ready.tool.clone())
    }
}

/// The tools whose endpoints are in the document: all of them, as a test asserts.
fn ready(document: &utoipa::openapi::OpenApi) -> Arc<[Ready]> {
    let document = serde_json::to_value(document).unwrap_or_default();
    TOOLS.iter().filter_map(|entry| Ready::new(entry, &document)).collect()
}

impl Ready {
    fn new(entry: &'static Entry, document: &Value) -> Option<Self> {
        let operation = document.get("paths")?.get(entry.path)?.get(entry.method)?;
        let (mut in_path, mut in_query) = (Vec::new(), Vec::new());
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let name = parameter.get("name")?.as_str()?.to_owned();
            let mut schema = parameter.get("schema").cloned().unwrap_or_else(|| json!({}));
            if let (Some(schema), Some(text)) = (schema.as_object_mut(), parameter.get("description")) {
                schema.insert("description".to_owned(), text.clone());
            }
            if parameter.get("required") == Some(&Value::Bool(true)) {
                required.push(name.clone());
            }
            match parameter.get("in")?.as_str()? {
                "path" => in_path.push(name.clone()),
                _ => in_query.push(name.clone()),
            }
            properties.insert(name, schema);
        }
        let body = operation.pointer("/requestBody/content/application~1json/schema");
        if let Some(schema) = body {
            properties.insert(BODY.to_owned(), resolved(schema, document, 0));
            required.push(BODY.to_owned());
        }
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("required".to_owned(), json!(required));
        schema.insert("additionalProperties".to_owned(), json!(false));
        let summary = operation.get("summary").and_then(Value::as_str).unwrap_or(entry.title);
        let mut tool = Tool::new(entry.name, Cow::Owned(summary.to_owned()), schema);
        tool.title = Some(entry.title.to_owned());
        tool.annotations =
            Some(ToolAnnotations::with_title(entry.title).read_only(!entry.noted).destructive(false).open_world(false));
        Some(Self { tool, entry, in_path, in_query, has_body: body.is_some() })
    }
}

/// A schema with what it refers to in place of the references, since a tool's schema stands alone.
fn resolved(schema: &Value, document: &Value, depth: usize) -> Value {
    const MAX_DEPTH: usize = 16;
    match schema {
        Value::Object(fields) => {
            if let Some(pointer) = fields.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'))
                && depth < MAX_DEPTH
                && let Some(target) = document.pointer(pointer)
            {
                return resolved(target, document, depth + 1);
            }
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), resolved(value, document, depth))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| resolved(item, document, depth)).collect()),
        other => other.clone(),
    }
}

/// The service at `/mcp` (streamable HTTP, without sessions). Hosts and origins are checked by the server's own rule.
pub fn service(app: App) -> StreamableHttpService<Assistant, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_cancellation_token(app.stopping.child_token())
        .disable_allowed_hosts();
    let assistant = Assistant::here(app);
    StreamableHttpService::new(move || Ok(assistant.clone()), Arc::default(), config)
}

/// Serves one assistant on standard input and output, over a server elsewhere, until it hangs up.
///
/// # Errors
/// When the server's address is none, or the assistant speaks another protocol.
pub async fn serve_stdio(server: &str, token: Option<String>) -> anyhow::Result<()> {
    let server = reqwest::Url::parse(server)?;
    let assistant = Assistant::there(reqwest::Client::new(), server, token);
    let running = rmcp::ServiceExt::serve(assistant, rmcp::transport::stdio()).await?;
    running.waiting().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

    use super::*;

    #[test]
    fn every_tool_has_its_endpoint_and_says_what_it_takes() {
        let (_, document) = crate::routes::all();
        let tools = ready(&document);
        let names: Vec<&str> = tools.iter().map(|ready| ready.entry.name).collect();
        assert_eq!(names, TOOLS.map(|entry| entry.name), "each endpoint must be in the document");
        for ready in tools.iter() {
            let schema = serde_json::to_string(&ready.tool.input_schema).unwrap();
            assert!(!schema.contains("$ref"), "{}: {schema}", ready.entry.name);
            assert!(ready.in_path.iter().all(|name| ready.entry.path.contains(&format!("{{{name}}}"))));
            assert!(ready.tool.description.as_ref().is_some_and(|text| !text.is_empty()));
        }
        let trace = tools.iter().find(|ready| ready.entry.name == "trace").unwrap();
        assert_eq!(trace.tool.input_schema["required"], json!(["kind", "id"]));
        assert!(trace.in_query.contains(&"as_of".to_owned()));
        let diagnose = tools.iter().find(|ready| ready.entry.name == "diagnose").unwrap();
        assert!(diagnose.has_body);
        assert!(diagnose.tool.input_schema["properties"][BODY]["properties"].is_object());
    }

    #[test]
    fn answers_problems_and_other_texts_are_told_apart() {
        let good = told(200, br#"{"items": []}"#);
        assert_eq!((good.is_error, good.structured_content.unwrap()), (Some(false), json!({"items": []})));
        assert_eq!(told(200, b"[1]").structured_content.unwrap(), json!({"answer": [1]}));
        let problem = told(404, br#"{"detail": "asset L99 is not known"}"#);
        assert_eq!(problem.is_error, Some(true));
        assert_eq!(told(200, b"note\n").is_error, Some(false));
        assert_eq!(told(500, b"oops").is_error, Some(true));
    }
}
