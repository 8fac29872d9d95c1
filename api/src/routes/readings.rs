//! Ranges of readings, straight from the log: raw, in buckets of time, or thinned out; as JSON, CSV or Arrow.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use datasets::series::{
    Buckets, BucketsError, EncodeError, Encoder, Format, MAX_BUCKETS, MAX_LTTB_POINTS, Point, Table, largest_triangles,
};
use domain::ids::SignalId;
use eventlog::{EventLog, MAX_PAGE, Position, ReadingAddress, ReadingsQuery, SignalReading, Touched};
use futures::stream;
use jiff::Timestamp;
use projections::AsOf;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::common::{Asked, page_size, parse_optional_time};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// The most signals of one question.
const MAX_SIGNALS: usize = 100;

/// The points that a downsampled range has when the caller names no number.
const DEFAULT_POINTS: usize = 500;

/// The most readings that one downsampled range looks at.
const MAX_SCANNED: u64 = 50_000_000;

/// Which readings.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReadingsParameters {
    /// The signal's id, or several with commas between them.
    pub signal: String,
    /// The earliest source time (RFC 3339), itself included.
    pub from: Option<String>,
    /// The source time before which readings end.
    pub to: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// How many readings: as JSON up to 1000; as CSV or Arrow any number, and all of them when absent.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
    /// `json`, `csv` or `arrow`; what the header `Accept` asks for, when absent.
    pub format: Option<String>,
    /// `buckets`: least, greatest, mean, newest and number of the readings in equal stretches of time (needs `from` and `to`). `lttb`: the readings that a line through them needs to look the
    /// same. Readings of bad status, and what is no number, are left out.
    pub downsample: Option<String>,
    /// How many buckets or readings of each signal, up to 10,000; 500 when absent.
    pub points: Option<usize>,
}

/// Readings in the order in which the log learnt of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadingsAnswer {
    /// Readings, each with signal, position and row of its frame, time, sequence, value and status; or buckets; or chosen readings.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<Value>,
    /// Pass it as `cursor` for the next page; null at the end of the list.
    pub next_cursor: Option<String>,
    /// What was read of the log to answer: segments, frames, chunks and bytes.
    #[schema(value_type = Object)]
    pub touched: Touched,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Json,
    As(Format),
}

impl Written {
    fn asked(format: Option<&str>, headers: &HeaderMap) -> Result<Self, Problem> {
        match format {
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::As(Format::Csv)),
            Some("arrow") => Ok(Self::As(Format::Arrow)),
            Some(other) => Err(Problem::invalid("format", format!("{other:?} is not json, csv or arrow"))),
            None => Ok(Self::accepted(headers)),
        }
    }

    /// The first of our media types that the caller names; JSON, when it names none of the others.
    fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut named =
            accept.split(',').filter_map(|range| match range.split(';').next().unwrap_or_default().trim() {
                "application/json" => Some(Self::Json),
                "text/csv" => Some(Self::As(Format::Csv)),
                "application/vnd.apache.arrow.stream" => Some(Self::As(Format::Arrow)),
                _ => None,
            });
        named.next().unwrap_or(Self::Json)
    }
}

/// How a range is made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Downsampling {
    Buckets(usize),
    Lttb(usize),
}

impl Downsampling {
    fn asked(parameters: &ReadingsParameters) -> Result<Option<Self>, Problem> {
        let points = parameters.points.unwrap_or(DEFAULT_POINTS);
        if !(1..=MAX_BUCKETS).contains(&points) {
            return Err(Problem::invalid("points", format!("{points} is not from 1 to {MAX_BUCKETS}")));
        }
        match parameters.downsample.as_deref() {
            None if parameters.points.is_some() => {
                Err(Problem::invalid("points", "it says how far to downsample: name `downsample`, or use `limit`"))
            }
            None => Ok(None),
            Some("buckets") => Ok(Some(Self::Buckets(points))),
            Some("lttb") => Ok(Some(Self::Lttb(points))),
            Some(other) => Err(Problem::invalid("downsample", format!("{other:?} is not buckets or lttb"))),
        }
    }
}

/// The range that is asked for.
#[derive(Clone, Debug)]
struct Asking {
    signals: Vec<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    below: Position,
}

impl Asking {
    fn query(&self, signal: &str, start: ReadingAddress, limit: usize) -> ReadingsQuery {
        ReadingsQuery {
            signal: signal.to_owned(),
            from: self.from.unwrap_or(Timestamp::MIN),
            to: self.to.unwrap_or(Timestamp::MAX),
            below: self.below,
            start,
            limit,
        }
    }
}

/// The signals of a list. An id may have a comma in it: what is a signal as a whole is one.
fn signals(app: &App, text: &str) -> Result<Vec<String>, Problem> {
    let is_known = SignalId::new(text)
        .is_ok_and(|id| app.engine.catalog.read(|catalog, _| catalog.signal(&id, AsOf::LATEST).is_some()));
    if is_known || !text.contains(',') {
        return Ok(vec![text.to_owned()]);
    }
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name.is_empty() {
            return Err(Problem::invalid("signal", "one of the signals has no name"));
        }
        if !names.iter().any(|one| one == name) {
            names.push(name.to_owned());
        }
    }
    if names.len() > MAX_SIGNALS {
        return Err(Problem::invalid("signal", format!("{} signals are named, and {MAX_SIGNALS} may be", names.len())));
    }
    Ok(names)
}

/// Where a list of readings goes on: the signal, by its place in the question, and the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    signal: usize,
    start: ReadingAddress,
}

impl Cursor {
    const START: Self = Self { signal: 0, start: ReadingAddress::START };

    fn parse(text: &str) -> Option<Self> {
        let (signal, address) = text.split_once(':').unwrap_or(("0", text));
        let (position, row) = address.split_once('-')?;
        let start = ReadingAddress { position: Position::new(position.parse().ok()?), row: row.parse().ok()? };
        Some(Self { signal: signal.parse().ok()?, start })
    }

    fn text(self) -> String {
        let ReadingAddress { position, row } = self.start;
        match self.signal {
            0 => format!("{position}-{row}"),
            signal => format!("{signal}:{position}-{row}"),
        }
    }
}

/// Readings of signals within a span of source times, signal by signal, by position and row: the order in which the log learnt of them, which is that of their times but for late
/// ones. Pages never change. With `downsample` each signal's readings become a few, in the order of time.
#[utoipa::path(get, path = "/api/v1/readings", tag = "log", params(ReadingsParameters),
    responses((status = 200, content((ReadingsAnswer = "application/json"), (String = "text/csv"), (String = "application/vnd.apache.arrow.stream"))), (status = "4XX", body = Problem)))]
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ReadingsParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let written = Written::asked(parameters.format.as_deref(), &headers)?;
    let downsampling = Downsampling::asked(&parameters)?;
    let cursor = match &parameters.cursor {
        Some(text) => {
            Cursor::parse(text).ok_or_else(|| Problem::invalid("cursor", format!("{text:?} is no cursor")))?
        }
        None => Cursor::START,
    };
    let asked = Asked { as_of: parameters.as_of.clone(), min_position: None };
    let known = asked.position(&app).await?;
    let asking = Asking {
        signals: signals(&app, &parameters.signal)?,
        from: parse_optional_time("from", parameters.from.as_ref())?,
        to: parse_optional_time("to", parameters.to.as_ref())?,
        below: known.map_or(Position::START, Position::next),
    };
    match (downsampling, written) {
        (None, Written::Json) => page(&app, &asking, cursor, page_size(parameters.limit)?).await,
        (None, Written::As(format)) => stream_of(app, asking, cursor, parameters.limit, format),
        (Some(downsampling), written) => {
            if parameters.cursor.is_some() || parameters.limit.is_some() {
                return Err(Problem::invalid("limit", "a downsampled range has no pages: use `points`"));
            }
            downsampled(&app, &asking, downsampling, written).await
        }
    }
}

async fn page(app: &App, asking: &Asking, mut cursor: Cursor, limit: usize) -> Result<Response, Problem> {
    let mut answer = ReadingsAnswer { items: Vec::new(), next_cursor: None, touched: Touched::default() };
    while let Some(signal) = asking.signals.get(cursor.signal) {
        let room = limit - answer.items.len();
        if room == 0 {
            answer.next_cursor = Some(cursor.text());
            break;
        }
        let page = app.engine.log.readings(asking.query(signal, cursor.start, room)).await?;
        answer.items.extend(page.readings.iter().map(|reading| show(signal, reading)));
        add(&mut answer.touched, page.touched);
        cursor = match page.next {
            Some(start) => Cursor { start, ..cursor },
            None => Cursor { signal: cursor.signal + 1, start: ReadingAddress::START },
        };
    }
    Ok(axum::Json(answer).into_response())
}

fn show(signal: &str, reading: &SignalReading) -> Value {
    let ReadingAddress { position, row } = reading.address;
    json!({"signal": signal, "position": position, "row": row, "time": reading.time, "sequence": reading.sequence, "value": reading.value, "status": reading.status})
}

fn add(sum: &mut Touched, more: Touched) {
    sum.segments += more.segments;
    sum.frames += more.frames;
    sum.chunks += more.chunks;
    sum.bytes += more.bytes;
}

/// Why a stream of readings ends before its end. The client sees a broken answer; the log has the reason.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error("the log could not be read")]
    Log(#[from] eventlog::ReadError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl From<EncodeError> for Problem {
    fn from(error: EncodeError) -> Self {
        Self::internal(&error)
    }
}

/// Everything from a cursor on, page by page, as the client takes it.
struct Streaming {
    app: App,
    asking: Asking,
    cursor: Cursor,
    left: Option<usize>,
    /// Taken when the table was ended.
    encoder: Option<Encoder>,
}

impl Streaming {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StreamError> {
        let Some(mut encoder) = self.encoder.take() else { return Ok(None) };
        let room = self.left.unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let signal = self.asking.signals.get(self.cursor.signal).filter(|_| room > 0);
        let Some(signal) = signal else {
            let end = encoder.finish()?;
            return Ok(Some((end.into(), self)));
        };
        let page = self.app.engine.log.readings(self.asking.query(signal, self.cursor.start, room)).await?;
        let bytes = encoder.raw(signal, &page.readings)?;
        self.left = self.left.map(|left| left - page.readings.len());
        self.cursor = match page.next {
            Some(start) => Cursor { start, ..self.cursor },
            None => Cursor { signal: self.cursor.signal + 1, start: ReadingAddress::START },
        };
        self.encoder = Some(encoder);
        Ok(Some((bytes.into(), self)))
    }
}

fn stream_of(
    app: App,
    asking: Asking,
    cursor: Cursor,
    limit: Option<usize>,
    format: Format,
) -> Result<Response, Problem> {
    let encoder = Some(Encoder::new(format, Table::Raw)?);
    let streaming = Streaming { app, asking, cursor, left: limit, encoder };
    let content = stream::try_unfold(streaming, |streaming| async {
        streaming.next().await.inspect_err(|error| tracing::error!(%error, "a stream of readings broke off"))
    });
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()))], Body::from_stream(content))
        .into_response())
}

/// What becomes of one signal.
enum Made {
    Buckets(Vec<datasets::series::Bucket>),
    Points(Vec<Point>),
}

async fn downsampled(
    app: &App,
    asking: &Asking,
    downsampling: Downsampling,
    written: Written,
) -> Result<Response, Problem> {
    let mut touched = Touched::default();
    let mut scanned = 0;
    let mut made: Vec<(&str, Made)> = Vec::new();
    for signal in &asking.signals {
        let one = match downsampling {
            Downsampling::Buckets(count) => {
                let span = asking.from.zip(asking.to);
                let Some((from, to)) = span else {
                    return Err(Problem::invalid("from", "buckets need `from` and `to`"));
                };
                let mut buckets = Buckets::new(from, to, count).map_err(|error| match error {
                    BucketsError::Count(_) => Problem::invalid("points", error),
                    BucketsError::Span { .. } => Problem::invalid("to", error),
                })?;
                scan(&*app.engine.log, asking, signal, (&mut scanned, &mut touched), |reading| {
                    buckets.add(reading);
                    Ok(())
                })
                .await?;
                Made::Buckets(buckets.finish())
            }
            Downsampling::Lttb(count) => {
                let mut readings: Vec<Point> = Vec::new();
                scan(&*app.engine.log, asking, signal, (&mut scanned, &mut touched), |reading| {
                    if readings.len() >= MAX_LTTB_POINTS {
                        let most = format!(
                            "more than {MAX_LTTB_POINTS} readings of {signal}: ask for less time, or for buckets"
                        );
                        return Err(Problem::too_large(most));
                    }
                    let usable = reading.value.as_f64().filter(|value| value.is_finite() && !reading.status.is_bad());
                    readings.extend(usable.map(|value| Point {
                        time: reading.time,
                        value,
                        status: reading.status.get(),
                    }));
                    Ok(())
                })
                .await?;
                // A late reading stands at the end of what the log learnt, and not in time.
                readings.sort_by_key(|point| point.time);
                let line: Vec<(i64, f64)> =
                    readings.iter().map(|point| (nanoseconds(point.time), point.value)).collect();
                let kept = largest_triangles(&line, count);
                Made::Points(kept.into_iter().filter_map(|index| readings.get(index).copied()).collect())
            }
        };
        made.push((signal, one));
    }
    match written {
        Written::Json => {
            let items = made.iter().flat_map(|(signal, one)| shown(signal, one)).collect();
            Ok(axum::Json(ReadingsAnswer { items, next_cursor: None, touched }).into_response())
        }
        Written::As(format) => {
            let table = if matches!(downsampling, Downsampling::Buckets(_)) { Table::Buckets } else { Table::Points };
            let mut encoder = Encoder::new(format, table)?;
            let mut bytes = Vec::new();
            for (signal, one) in &made {
                bytes.extend(match one {
                    Made::Buckets(buckets) => encoder.buckets(signal, buckets)?,
                    Made::Points(points) => encoder.points(signal, points)?,
                });
            }
            bytes.extend(encoder.finish()?);
            Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()))], bytes).into_response())
        }
    }
}

/// Shows every reading of a signal in the range.
async fn scan(
    log: &dyn EventLog,
    asking: &Asking,
    signal: &str,
    (scanned, touched): (&mut u64, &mut Touched),
    mut look: impl FnMut(&SignalReading) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut start = ReadingAddress::START;
    loop {
        let page = log.readings(asking.query(signal, start, MAX_PAGE)).await?;
        add(touched, page.touched);
        *scanned += page.readings.len() as u64;
        if *scanned > MAX_SCANNED {
            return Err(Problem::too_large(format!(
                "more than {MAX_SCANNED} readings are in the range: ask for less time"
            )));
        }
        page.readings.iter().try_for_each(&mut look)?;
        match page.next {
            Some(next) => start = next,
            None => return Ok(()),
        }
    }
}

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

fn shown(signal: &str, made: &Made) -> Vec<Value> {
    match made {
        Made::Buckets(buckets) => buckets
            .iter()
            .map(|one| {
                json!({"signal": signal, "time": one.time, "count": one.count, "min": one.min, "max": one.max, "mean": one.mean, "last": one.last, "left_out": one.left_out})
            })
            .collect(),
        Made::Points(points) => points
            .iter()
            .map(|one| json!({"signal": signal, "time": one.time, "value": one.value, "status": one.status}))
            .collect(),
    }
}
