use proptest::prelude::*;

use super::super::super::bytes::Reader;
use super::super::words::Range;
use super::Form;

fn check(values: &[f64], expected: Form) {
    let mut words = Vec::new();
    let form = Form::of(values, &mut words);
    assert_eq!(form, expected, "{values:?}");
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let restored: Vec<f64> = words.iter().map(|word| form.value(*word)).collect();
    assert_eq!(bits(&restored), bits(values));
    assert_eq!(Form::new(form.number()).unwrap(), form);
    let range = Range::of(&words);
    let mut bytes = Vec::new();
    form.put_range(&mut bytes, range);
    assert_eq!(form.read_range(&mut Reader::new(&bytes)).unwrap(), range);
}

#[test]
fn the_form_fits_the_values() {
    check(&[1.0, -7.0, 4_000.0], Form::Single { power: 0 });
    check(&[23.45, 0.5, -19.0], Form::Decimal { power: 2 });
    check(&[0.000_000_001], Form::Decimal { power: 9 });
    check(&[f64::from(23.45_f32), f64::from(-0.1_f32)], Form::Single { power: 2 });
    check(&[f64::from(std::f32::consts::PI)], Form::Single { power: 7 });
    check(&[f64::from(f32::MIN_POSITIVE)], Form::Bits { cut: 52 });
    check(&[std::f64::consts::PI, 1.0], Form::Bits { cut: 3 });
    check(&[-0.0], Form::Bits { cut: 63 });
    check(&[0.0, -0.0], Form::Bits { cut: 63 });
    check(&[f64::INFINITY, -1.5], Form::Bits { cut: 51 });
    check(&[1.0, f64::NAN], Form::WithNan { cut: 51 });
    check(&[1e300, -1e300, 5e-324], Form::Bits { cut: 0 });
}

#[test]
fn a_power_is_raised_by_any_value() {
    for place in 0..200 {
        let mut values = vec![1.1; 200];
        values[place] = 2.375;
        check(&values, Form::Decimal { power: 3 });
        values[place] = 0.1 + 0.2;
        let mut words = Vec::new();
        assert!(matches!(Form::of(&values, &mut words), Form::Bits { .. }));
    }
}

proptest! {
    #[test]
    fn every_double_comes_back(bits in prop::collection::vec(any::<u64>(), 1..40), cut in 0_u32..64) {
        let values: Vec<f64> = bits.into_iter().map(|bits| f64::from_bits(bits >> cut << cut)).collect();
        let mut words = Vec::new();
        let form = Form::of(&values, &mut words);
        let restored: Vec<f64> = words.iter().map(|word| form.value(*word)).collect();
        prop_assert_eq!(
            values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
            restored.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        );
        for (value, word) in values.iter().zip(&words) {
            prop_assert_eq!(form.value(*word).to_bits(), value.to_bits());
        }
        let ordered = |one: usize, two: usize| values[one].total_cmp(&values[two]);
        for next in 1..values.len() {
            prop_assert_eq!(ordered(next - 1, next), words[next - 1].cmp(&words[next]));
        }
    }

    #[test]
    fn every_decimal_is_found(wholes in prop::collection::vec(-1_000_000_i32..1_000_000, 1..80), power in 0_u8..7, through_single in any::<bool>()) {
        let values: Vec<f64> = wholes.iter().map(|whole| {
            let value = f64::from(*whole) / 10_f64.powi(i32::from(power));
            if through_single { f64::from(value as f32) } else { value }
        }).collect();
        let found = Form::of(&values, &mut Vec::new());
        prop_assert!(
            matches!(found, Form::Decimal { power: found } | Form::Single { power: found } if found <= power),
            "{found:?}"
        );
    }
}
