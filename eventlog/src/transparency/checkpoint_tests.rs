use proptest::prelude::*;
use signed_note::StandardSigner;

use super::*;
use crate::transparency::cosignature::tests::TestWitness;

/// Of Go's sumdb/note: its tests publish the key.
const GO_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: Origin::new("PeterNeumann").unwrap(), size: 8, root: Digest::of(b"root") }
}

fn signed() -> SignedCheckpoint {
    SignedCheckpoint::sign(checkpoint(), &StandardSigner::new(GO_SECRET).unwrap()).unwrap()
}

#[test]
fn the_vector_of_the_signed_note_specification() {
    let key = VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
    let vector = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let note = parse(vector.as_bytes()).unwrap();
    assert_eq!(verified(&note, Box::new(key.verifier())).unwrap().len(), 1);
    // It is a good note, and no checkpoint.
    assert!(matches!(SignedCheckpoint::open(vector.as_bytes(), &key), Err(CheckpointError::Body(_))));
    let changed = vector.replace("example message", "example massage");
    assert!(matches!(SignedCheckpoint::open(changed.as_bytes(), &key), Err(CheckpointError::Signature { .. })));
}

#[test]
fn a_signed_checkpoint_is_read_back_and_a_changed_one_is_not() {
    let (signed, key) = (signed(), VerifierKey::parse(GO_KEY).unwrap());
    assert_eq!(signed.note().lines().take(2).collect::<Vec<_>>(), ["PeterNeumann", "8"]);
    assert_eq!(SignedCheckpoint::open(signed.note().as_bytes(), &key).unwrap(), signed);
    let bytes = signed.note().as_bytes();
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        assert!(SignedCheckpoint::open(&changed, &key).is_err(), "byte {at}");
        refused += 1;
    }
    assert!(refused > 100);
}

#[test]
fn the_body_is_taken_only_as_the_specification_writes_it() {
    let root = base64(Digest::of(b"root").as_bytes());
    let good = format!("example.com/log\n8\n{root}\n");
    assert_eq!(Checkpoint::parse(&good).unwrap().body(), good);
    // Extension lines are somebody else's; they are read over.
    assert_eq!(Checkpoint::parse(&format!("{good}more\n")).unwrap().size, 8);
    let wrong = [
        String::new(),
        "\n".to_owned(),
        format!("example.com/log\n8\n{root}"),
        format!("\n8\n{root}\n"),
        format!("a b\n8\n{root}\n"),
        format!("a\n08\n{root}\n"),
        format!("a\n-1\n{root}\n"),
        format!("a\n+8\n{root}\n"),
        format!("a\n18446744073709551616\n{root}\n"),
        format!("a\n8\n{}\n", &root[1..]),
        format!("a\n8\n{root}=\n"),
        "a\n8\n".to_owned(),
        format!("{good}\n"),
        format!("{good}\nmore\n"),
    ];
    for body in wrong {
        assert!(Checkpoint::parse(&body).is_err(), "{body:?}");
    }
}

#[test]
fn a_key_of_another_name_does_not_speak_for_the_log() {
    // A good signature of a key over a checkpoint that names another log.
    let other = Checkpoint { origin: Origin::new("example.com/other").unwrap(), ..checkpoint() };
    let note = SignedCheckpoint::sign(other, &StandardSigner::new(GO_SECRET).unwrap()).unwrap();
    let refused = SignedCheckpoint::open(note.note().as_bytes(), &VerifierKey::parse(GO_KEY).unwrap());
    assert!(matches!(refused, Err(CheckpointError::Origin { .. })));
}

#[test]
fn cosignatures_are_added_when_they_are_good_and_only_then() {
    let (signed, witness, other) =
        (signed(), TestWitness::new("witness.example/w1", 1), TestWitness::new("witness.example/w2", 2));
    let key = CosignatureKey::parse(&witness.vkey()).unwrap();
    let other_key = CosignatureKey::parse(&other.vkey()).unwrap();
    let body = signed.checkpoint().body();
    let line = witness.line(1_700_000_000, &body);
    let cosigned = signed.cosigned(&line, &key).unwrap();
    assert!(cosigned.is_cosigned_by(&key) && !signed.is_cosigned_by(&key));
    assert_eq!(cosigned.note(), format!("{}{line}", signed.note()));
    // The log's own signature still holds, and lines of others are left out.
    assert_eq!(
        SignedCheckpoint::open(cosigned.note().as_bytes(), &VerifierKey::parse(GO_KEY).unwrap()).unwrap(),
        cosigned
    );
    let both = signed.cosigned(&format!("{}{line}", other.line(5, &body)), &key).unwrap();
    assert_eq!(both, cosigned);
    assert_eq!(cosigned.cosigned(&line, &key).unwrap(), cosigned, "the same line is not added twice");
    assert!(cosigned.cosigned(&other.line(5, &body), &other_key).unwrap().is_cosigned_by(&key));
    let bad = [
        String::new(),
        "nonsense\n".to_owned(),
        line.trim_end().to_owned(),
        witness.line(0, &body),
        witness.line(1, "PeterNeumann\n9\n"),
        other.line(1, &body),
        other.line(1, &body).replace("w2", "w1"),
        format!("\n{line}"),
        format!("{line}\n{line}"),
    ];
    for lines in bad {
        assert_eq!(signed.cosigned(&lines, &key), None, "{lines:?}");
    }
}

#[test]
fn an_origin_is_short_and_plain() {
    for good in ["millwright/0197", "example.com/log", "日志"] {
        assert_eq!(Origin::new(good).unwrap().as_str(), good);
    }
    for bad in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{7f}", &"x".repeat(256)] {
        assert!(Origin::new(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[—a-z0-9+/=\n ]{0,200}") {
        let key = VerifierKey::parse(GO_KEY).unwrap();
        prop_assert!(SignedCheckpoint::open(&bytes, &key).is_err());
        prop_assert!(SignedCheckpoint::open(text.as_bytes(), &key).is_err());
        let _ = Checkpoint::parse(&text);
    }
}
