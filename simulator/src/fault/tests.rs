use domain::taxonomy::{Kind, lookup_kind};

use super::{ActiveFault, Effects, FaultKind, spec};
use crate::random::Random;

#[test]
fn every_code_is_a_term_of_the_taxonomy() {
    for kind in FaultKind::ALL {
        let known = spec(kind);
        let codes = [
            (Kind::FailureMode, Some(known.mode)),
            (Kind::Mechanism, Some(known.mechanism)),
            (Kind::Cause, Some(known.cause)),
            (Kind::Item, Some(known.item)),
            (Kind::Activity, Some(known.right.activity)),
            (Kind::Activity, Some(known.wrong.activity)),
            (Kind::Defect, known.defect),
        ];
        for (what, code) in codes.into_iter().filter_map(|(what, code)| Some((what, code?))) {
            assert!(lookup_kind(what, code).is_some(), "{what:?} {code} of {kind:?}");
        }
    }
}

#[test]
fn every_kind_has_words_in_both_languages_and_two_different_repairs() {
    for kind in FaultKind::ALL {
        let known = spec(kind);
        assert!(known.zh.len() >= 4 && known.en.len() >= 4 && !known.why.is_empty(), "{kind:?}");
        assert_ne!(known.right.en, known.wrong.en, "{kind:?}");
        assert_ne!(known.mistaken, kind, "{kind:?}");
    }
}

#[test]
fn severity_grows_from_nothing_to_failure_and_a_wrong_repair_only_soothes() {
    let mut random = Random::new(1, 1);
    for kind in FaultKind::ALL {
        let mut fault = ActiveFault::begin(kind, 0, 1000.0, &mut random);
        let path: Vec<f64> = (0..200).map(|step| fault.severity(1000.0 + f64::from(step) * 14_400.0)).collect();
        assert!(path[0].abs() < 1e-12, "{kind:?}");
        assert!(path.windows(2).all(|pair| pair[0] <= pair[1]), "{kind:?}");
        assert!(path[199] >= 1.0 && fault.noticed_at <= 1.0 && fault.alarm_at < fault.noticed_at, "{kind:?}");
        fault.soothe(3_000_000.0, &mut random);
        let after = fault.severity(3_000_000.0);
        assert!((0.3..=0.5).contains(&after), "{kind:?} {after}");
        assert!(fault.severity(3_000_000.0 + 61.0 * 3600.0) >= 1.0, "{kind:?} comes back");
    }
}

#[test]
fn a_sound_loom_has_no_effects_and_every_failed_one_has_some() {
    for kind in FaultKind::ALL {
        let (sound, failed) = (Effects::of(kind, 0.0), Effects::of(kind, 1.0));
        assert_eq!(format!("{sound:?}").replace("-0.0", "0.0"), format!("{:?}", Effects::NONE), "{kind:?}");
        assert_ne!(format!("{failed:?}"), format!("{:?}", Effects::NONE), "{kind:?}");
    }
}
