use signed_note::StandardSigner;

use super::*;
use crate::transparency::cosignature::tests::TestWitness;
use crate::transparency::{Checkpoint, Origin};

fn checkpoint() -> SignedCheckpoint {
    let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let says = Checkpoint { origin: Origin::new("PeterNeumann").unwrap(), size: 8, root: Digest::of(b"root") };
    SignedCheckpoint::sign(says, &StandardSigner::new(secret).unwrap()).unwrap()
}

#[test]
fn a_request_is_as_the_specification_writes_it() {
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let checkpoint = checkpoint();
    let expected = format!("old 3\n{}\n{}\n\n{}", base64(one.as_bytes()), base64(two.as_bytes()), checkpoint.note());
    assert_eq!(add_checkpoint(3, &[one, two], &checkpoint).unwrap(), expected);
    assert_eq!(add_checkpoint(0, &[], &checkpoint).unwrap(), format!("old 0\n\n{}", checkpoint.note()));
    assert_eq!(add_checkpoint(3, &[one; 64], &checkpoint), None);
}

#[test]
fn every_answer_means_something() {
    let (checkpoint, witness) = (checkpoint(), TestWitness::new("witness.example/w1", 1));
    let key = CosignatureKey::parse(&witness.vkey()).unwrap();
    let line = witness.line(7, &checkpoint.checkpoint().body());
    let read = |status, kind: Option<&str>, body: &str| read_answer((status, kind, body.as_bytes()), &checkpoint, &key);
    let size = Some("text/x.tlog.size");
    match read(200, None, &line) {
        Ok(Answer::Cosigned(cosigned)) => assert!(cosigned.is_cosigned_by(&key)),
        other => panic!("{other:?}"),
    }
    assert_eq!(read(409, size, "5\n"), Ok(Answer::Knows(5)));
    assert_eq!(read(409, Some("text/x.tlog.size; charset=utf-8"), "8\n"), Ok(Answer::Knows(8)));
    let refusals = [
        (200, None, "", Refused::Signature),
        (200, None, "— witness.example/w1 AAAA\n", Refused::Signature),
        (409, size, "9\n", Refused::Ahead { witness: 9, ours: 8 }),
        (409, None, "5\n", Refused::Status { status: 409 }),
        (409, size, "5", Refused::Status { status: 409 }),
        (409, size, "many\n", Refused::Status { status: 409 }),
        (422, None, "", Refused::Inconsistent),
        (404, None, "", Refused::UnknownLog),
        (403, None, "", Refused::Key),
        (500, None, "", Refused::Status { status: 500 }),
        (302, None, &line, Refused::Status { status: 302 }),
    ];
    for (status, kind, body, refused) in refusals {
        assert_eq!(read(status, kind, body), Err(refused), "{status} {body:?}");
    }
    // A signature that does not fit is none, also with the status of a good one.
    let other = TestWitness::new("witness.example/w1", 2).line(7, &checkpoint.checkpoint().body());
    assert_eq!(read(200, None, &other), Err(Refused::Signature));
}
