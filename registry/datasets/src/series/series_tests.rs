use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_ipc::reader::StreamReader;
use eventlog::frames::{StatusCode, Value};
use eventlog::{Position, ReadingAddress, SignalReading};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_780_000_000 + second, 0).unwrap()
}

fn reading(second: i64, value: Value, status: u32) -> SignalReading {
    let address = ReadingAddress { position: Position::new(7), row: u32::try_from(second).unwrap() };
    SignalReading { address, time: at(second), sequence: Some(3), value, status: StatusCode::new(status) }
}

#[test]
fn buckets_hold_what_their_stretch_of_time_holds() {
    let mut buckets = Buckets::new(at(0), at(100), 3).unwrap();
    // Out of order, and one that lies behind the last even bound.
    for (second, value) in [(32, 5.0), (10, 2.0), (0, 4.0), (99, 8.0)] {
        buckets.add(&reading(second, Value::Float(value), 0));
    }
    buckets.add(&reading(20, Value::Float(900.0), 0x8000_0000));
    buckets.add(&reading(50, Value::Text("open".into()), 0));
    let shown: Vec<_> =
        buckets.finish().into_iter().map(|one| (one.count, one.min, one.max, one.last, one.left_out)).collect();
    assert_eq!(shown[0], (3, 2.0, 5.0, 5.0, 1));
    assert_eq!((shown[1].0, shown[1].4), (0, 1));
    assert!(shown[1].1.is_nan());
    assert_eq!(shown[2], (1, 8.0, 8.0, 8.0, 0));
    assert_eq!(shown.len(), 3);
    assert_eq!(Buckets::new(at(0), at(100), 0).unwrap_err(), BucketsError::Count(0));
    assert!(Buckets::new(at(5), at(5), 1).is_err());
}

#[test]
fn tables_are_csv() {
    let mut encoder = Encoder::new(Format::Csv, Table::Raw).unwrap();
    let rows = [reading(1, Value::Float(2.5), 0), reading(2, Value::Text("a \"b\", c".into()), 0x4000_0000)];
    let mut csv = encoder.raw("L1,x", &rows).unwrap();
    csv.extend(encoder.raw("L2", &[reading(3, Value::Integer(7), 0)]).unwrap());
    csv.extend(encoder.finish().unwrap());
    assert_eq!(
        String::from_utf8(csv).unwrap(),
        "signal,time,value,text,status,sequence,position,row\r\n\
         \"L1,x\",2026-05-28T20:26:41Z,2.5,,0,3,7,1\r\n\
         \"L1,x\",2026-05-28T20:26:42Z,,\"a \"\"b\"\", c\",1073741824,3,7,2\r\n\
         L2,2026-05-28T20:26:43Z,7,,0,3,7,3\r\n"
    );
    let empty = Encoder::new(Format::Csv, Table::Points).unwrap().finish().unwrap();
    assert_eq!(String::from_utf8(empty).unwrap(), "signal,time,value,status\r\n");
}

/// The stream is read back by Arrow's own reader.
#[test]
fn tables_are_arrow_streams() {
    let mut encoder = Encoder::new(Format::Arrow, Table::Buckets).unwrap();
    let mut buckets = Buckets::new(at(0), at(100), 2).unwrap();
    buckets.add(&reading(1, Value::Float(1.0), 0));
    buckets.add(&reading(2, Value::Float(2.0), 0));
    buckets.add(&reading(60, Value::Float(9.0), 0x8000_0000));
    let mut bytes = encoder.buckets("L1", &buckets.finish()).unwrap();
    bytes.extend(encoder.finish().unwrap());
    let batches: Vec<_> = StreamReader::try_new(bytes.as_slice(), None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1);
    let batch = &batches[0];
    let mean = batch.column_by_name("mean").unwrap().as_primitive::<arrow_array::types::Float64Type>();
    assert_eq!((mean.value(0), mean.is_null(1), batch.num_rows()), (1.5, true, 2));
    let points = Encoder::new(Format::Arrow, Table::Points).unwrap();
    let empty = points.finish().unwrap();
    assert_eq!(StreamReader::try_new(empty.as_slice(), None).unwrap().count(), 0);
}

proptest! {
    /// The choice has as many points as asked for, with both ends, in order; and a single spike is always among them.
    #[test]
    fn largest_triangles_keep_what_shows(total in 0_usize..400, count in 0_usize..60, spike in any::<prop::sample::Index>()) {
        let spike = spike.index(total.max(1));
        let points: Vec<(i64, f64)> =
            (0_i64..).take(total).map(|index| (index * 1_000_000_000, if index == i64::try_from(spike).unwrap() { 1e6 } else { 0.0 })).collect();
        let kept = largest_triangles(&points, count);
        prop_assert_eq!(kept.len(), count.min(total));
        prop_assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
        if count >= 2 && total > 0 {
            prop_assert_eq!((kept[0], *kept.last().unwrap()), (0, total - 1));
        }
        if count >= 3 && total > 0 {
            prop_assert!(kept.contains(&spike), "{} is not in {:?}", spike, kept);
        }
    }
}
