//! The witness client against a witness of our own that answers as badly as it is told to. A witness that others wrote is in the end-to-end tests.

use std::collections::VecDeque;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use ed25519_dalek::{Signer as _, SigningKey};
use eventlog::memory::MemoryLog;
use eventlog::transparency::{LeafSource, Options};
use eventlog::{AppendCondition, EventId, EventLog, EventType, NewEvent, StreamId};

use super::*;

const NAME: &str = "witness.example/w1";

/// What the witness does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// As the specification says.
    Good,
    /// It signs with a key that nobody knows.
    WrongKey,
    /// It answers with this status.
    Status(u16),
    /// It claims to know a tree of this size.
    Claims(u64),
    /// It never ends its answer.
    Endless,
}

#[derive(Default)]
struct Book {
    manners: VecDeque<Manner>,
    knows: u64,
    requests: Vec<String>,
}

type Shared = Arc<Mutex<Book>>;

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> Vec<u8> {
    [[4].as_slice(), key.verifying_key().as_bytes()].concat()
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn vkey() -> String {
    let key = signing_key(1);
    format!("{NAME}+{:08x}+{}", signed_note::key_id(NAME, &public(&key)), base64(&public(&key)))
}

async fn add_checkpoint_answer(State(book): State<Shared>, request: String) -> Response {
    let mut book = book.lock();
    book.requests.push(request.clone());
    let (head, note) = request.split_once("\n\n").unwrap();
    let old: u64 = head.lines().next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let known =
        |size: u64| (StatusCode::CONFLICT, [(CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response();
    let manner = book.manners.pop_front().unwrap_or(Manner::Good);
    let seed = match manner {
        Manner::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
        Manner::Claims(size) => return known(size),
        Manner::Endless => return vec![b'x'; MAX_ANSWER_BYTES + 1].into_response(),
        _ if old != book.knows => return known(book.knows),
        Manner::WrongKey => 2,
        Manner::Good => {
            book.knows = size;
            1
        }
    };
    let body = format!("{}\n", note.split_once("\n\n").unwrap().0);
    let key = signing_key(seed);
    let signature = key.sign(format!("cosignature/v1\ntime 1700000000\n{body}").as_bytes());
    let id = signed_note::key_id(NAME, &public(&signing_key(1))).to_be_bytes();
    let blob = [id.as_slice(), &1_700_000_000_u64.to_be_bytes(), &signature.to_bytes()].concat();
    format!("— {NAME} {}\n", base64(&blob)).into_response()
}

/// A log with its notary, and a witness with these manners.
struct Setting {
    _dir: tempfile::TempDir,
    log: Arc<MemoryLog>,
    notary: Notary,
    book: Shared,
    witness: Witness,
    http: reqwest::Client,
    states: Witnesses,
}

impl Setting {
    async fn new(manners: &[Manner], knows: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("log")).unwrap();
        let log = Arc::new(MemoryLog::new());
        append(&log, 10).await;
        let source = Arc::clone(&log) as Arc<dyn LeafSource>;
        let notary = Notary::open(source, log.log_id(), Options::in_data_folder(dir.path())).unwrap();
        let book: Shared =
            Arc::new(Mutex::new(Book { manners: manners.iter().copied().collect(), knows, requests: Vec::new() }));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/add-checkpoint", post(add_checkpoint_answer)).with_state(Arc::clone(&book));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let witness = Witness {
            name: "w1".to_owned(),
            address: format!("http://{address}/add-checkpoint"),
            key: CosignatureKey::parse(&vkey()).unwrap(),
            knows: 0,
            cosigned: None,
            pause: ROUND,
            not_before: Instant::now(),
        };
        let states = Witnesses(Arc::new(Mutex::new(vec![WitnessState {
            name: "w1".to_owned(),
            cosigned_size: None,
            failed: None,
        }])));
        Self { _dir: dir, log, notary, book, witness, http: reqwest::Client::new(), states }
    }

    async fn ask(&mut self) -> bool {
        let checkpoint = self.notary.checkpoint();
        let asked = self.witness.ask_and_remember(&self.notary, &self.http, &checkpoint, &self.states).await;
        let cosigned: Vec<_> = asked.into_iter().collect();
        let any = !cosigned.is_empty();
        keep(&self.notary, &checkpoint, cosigned).await;
        any
    }

    fn failed(&self) -> String {
        self.states.states()[0].failed.clone().unwrap_or_default()
    }
}

async fn append(log: &MemoryLog, count: usize) {
    let event = || {
        let (stream, kind) = (StreamId::new("lot-1").unwrap(), EventType::new("lot.made").unwrap());
        NewEvent::json(EventId::generate(), stream, kind, 1, "test", bytes::Bytes::from_static(b"{}"))
    };
    let events = (0..count).map(|_| event()).collect();
    let _ = log.append(AppendCondition::none(), events).await.unwrap();
}

#[tokio::test]
async fn a_witness_cosigns_what_grew_and_is_given_the_proof() {
    let mut setting = Setting::new(&[], 0).await;
    assert!(setting.ask().await);
    assert!(setting.notary.checkpoint().is_cosigned_by(&setting.witness.key));
    append(&setting.log, 5).await;
    setting.notary.sign().unwrap();
    assert!(setting.ask().await);
    let requests = setting.book.lock().requests.clone();
    assert!(requests[0].starts_with("old 0\n\nmillwright/"));
    assert!(requests[1].starts_with("old 10\n") && !requests[1].starts_with("old 10\n\n"));
    assert_eq!(setting.notary.witnessed().unwrap().checkpoint().size, 15);
    assert_eq!(setting.states.states()[0].cosigned_size, Some(15));
}

#[tokio::test]
async fn a_size_that_the_witness_knows_better_is_taken_from_it() {
    // It has cosigned seven records for an earlier life of this server.
    let mut setting = Setting::new(&[], 7).await;
    assert!(setting.ask().await);
    let requests = setting.book.lock().requests.clone();
    assert_eq!(requests.iter().map(|request| request.lines().next().unwrap()).collect::<Vec<_>>(), ["old 0", "old 7"]);
}

#[tokio::test]
async fn failures_are_named_and_leave_the_checkpoint_as_it_was() {
    let cases = [
        (Manner::Status(500), "500"),
        (Manner::Status(404), "does not know the log's origin"),
        (Manner::Status(403), "does not take the log's signature"),
        (Manner::Status(422), "does not extend"),
        (Manner::WrongKey, "no good cosignature"),
        (Manner::Claims(99), "history was lost"),
        (Manner::Endless, "larger than any answer"),
    ];
    for (manner, named) in cases {
        let mut setting = Setting::new(&[manner], 0).await;
        let before = setting.notary.checkpoint();
        assert!(!setting.ask().await, "{named}");
        assert!(setting.failed().contains(named), "{} does not name {named}", setting.failed());
        assert_eq!(setting.notary.checkpoint(), before);
        assert!(setting.witness.not_before > Instant::now() - ROUND && setting.witness.pause == ROUND * 2);
        // It is well again, and so is everything.
        assert!(setting.ask().await, "{named}");
        assert_eq!((setting.failed(), setting.witness.pause), (String::new(), ROUND));
    }
    let mut undecided = Setting::new(&[Manner::Claims(3), Manner::Claims(4)], 0).await;
    assert!(!undecided.ask().await);
    assert!(undecided.failed().contains("another size each time"));
    undecided.witness.address = "http://127.0.0.1:9/add-checkpoint".to_owned();
    assert!(!undecided.ask().await);
    assert!(undecided.failed().contains("cannot be reached"), "{}", undecided.failed());
}
