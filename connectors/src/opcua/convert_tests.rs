use super::*;

fn show(data: &DataValue) -> String {
    match reading_of(&"L.t".into(), data) {
        Ok(reading) => format!("{} {:?} {}", reading.time, reading.value, reading.status),
        Err(fault) => format!("{}: {}", fault.field, fault.reason),
    }
}

fn at(value: Option<Variant>, status: u32) -> DataValue {
    let time: Timestamp = "2026-03-01T07:00:00.1234567Z".parse().unwrap();
    let mut data = data_value_of(Value::Boolean(true), StatusCode::new(status), time);
    data.value = value;
    data
}

#[test]
fn values_times_and_statuses_are_kept() {
    for (variant, expected) in [
        (Variant::Boolean(true), "Boolean(true)"),
        (Variant::SByte(-3), "Integer(-3)"),
        (Variant::UInt32(u32::MAX), "Integer(4294967295)"),
        (Variant::Int64(i64::MIN), "Integer(-9223372036854775808)"),
        (Variant::Float(0.5), "Float(0.5)"),
        (Variant::Double(-0.0), "Float(-0.0)"),
        (Variant::from("运行"), "Text(\"运行\")"),
    ] {
        assert_eq!(
            show(&at(Some(variant), 0x4080_0000)),
            format!("2026-03-01T07:00:00.1234567Z {expected} 0x40800000")
        );
    }
}

#[test]
fn a_bad_value_without_content_is_nan_and_anything_else_without_content_is_refused() {
    assert_eq!(show(&at(None, 0x8031_0000)), "2026-03-01T07:00:00.1234567Z Float(NaN) 0x80310000");
    assert_eq!(show(&at(Some(Variant::Empty), 0x8031_0000)), "2026-03-01T07:00:00.1234567Z Float(NaN) 0x80310000");
    assert_eq!(show(&at(None, 0)), "value: there is no value");
    assert_eq!(
        show(&at(Some(Variant::UInt64(u64::MAX)), 0)),
        "value: 18446744073709551615 is larger than a signed number of 64 bits"
    );
    let mut timeless = at(Some(Variant::Boolean(true)), 0);
    timeless.source_timestamp = None;
    timeless.server_timestamp = None;
    assert_eq!(show(&timeless), "time: neither the source nor the server gave a time");
}

#[test]
fn what_the_server_writes_the_source_reads() {
    let time: Timestamp = "1999-12-31T23:59:59.9999999Z".parse().unwrap();
    for value in [Value::Boolean(false), Value::Integer(-1), Value::Float(1e300), Value::Text("a".into())] {
        let data = data_value_of(value.clone(), StatusCode::new(0x8000_0000), time);
        let reading = reading_of(&"L.t".into(), &data).unwrap();
        assert_eq!((reading.value, reading.time, reading.status.get()), (value, time, 0x8000_0000));
    }
}
