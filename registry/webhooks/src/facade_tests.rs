use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::events::{WebhookAction, WebhookEntity, WebhookStatus};
use eventlog::{Direction, Filter, Position};
use expect_test::expect;
use jiff::Timestamp;

use super::{Change, NewWebhook, Options, Webhooks};
use crate::message::{DELIVERY_ID_HEADER, Message, POSITION_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use crate::state::DeliveryState;
use crate::testing::{Mill, PATIENCE, Request, Sink, alias_set, of_aliases, on, options};

/// Asks again until it holds. There is nothing to wait on: the state is what the API shows.
async fn until(
    webhooks: &Webhooks,
    id: &domain::ids::WebhookId,
    holds: impl Fn(&DeliveryState) -> bool,
) -> DeliveryState {
    let look = async {
        loop {
            if let Some(state) = webhooks.state(id).filter(&holds) {
                return state;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("the webhook never got there")
}

fn aliases(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.data()["alias"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_message_is_signed_and_says_where_the_log_has_it() {
    let (mill, sink) = (Mill::new(), Sink::new().await);
    let (webhooks, stop) = mill.start(options());
    let secret = Some("geheim".to_owned());
    let made = webhooks.create("tester", NewWebhook { secret, ..of_aliases(&sink.url) }).await.unwrap();
    let position = mill.append([alias_set("weave", "champion", 3)]).await;

    let request = sink.requests(1).await.remove(0);
    let header = |name: &str| request.headers[&name.to_ascii_lowercase()].clone();
    assert_eq!(request.path, "/hook");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header(POSITION_HEADER), position.to_string());
    let sent = Message { delivery_id: header(DELIVERY_ID_HEADER), body: request.body.clone(), position: None };
    let timestamp_s = header(TIMESTAMP_HEADER).parse().unwrap();
    assert_eq!(Some(header(SIGNATURE_HEADER)), sent.signature("geheim", timestamp_s));

    let state = until(&webhooks, &made.id, |state| state.delivered == 1).await;
    assert_eq!(state.position, position.next().get());
    assert_eq!(state.last.unwrap().delivery_id, sent.delivery_id);
    stop.cancel();
}

#[tokio::test]
async fn messages_come_in_order_and_only_those_that_were_asked_for() {
    let (mill, sink) = (Mill::new(), Sink::new().await);
    let (webhooks, stop) = mill.start(options());
    mill.append([alias_set("weave", "before", 1)]).await;
    webhooks.create("tester", of_aliases(&sink.url)).await.unwrap();
    for number in 0..20 {
        mill.append([alias_set("weave", &format!("a{number}"), 1)]).await;
        mill.append([crate::testing::event(
            "model.tag_set",
            serde_json::json!({ "model": "weave", "version": 1, "key": "k", "value": "v" }),
        )])
        .await;
    }
    let expected: Vec<String> = (0..20).map(|number| format!("a{number}")).collect();
    assert_eq!(aliases(&sink.requests(20).await), expected);
    stop.cancel();
}

#[tokio::test]
async fn a_receiver_that_refuses_gets_the_same_message_again_and_nothing_else_before() {
    let mill = Mill::new();
    let sink = Sink::answering(|number| match number {
        0 => (503, "retry-after: 0\r\n"),
        1 => (404, ""),
        2 => (302, "location: /elsewhere\r\n"),
        _ => (204, ""),
    })
    .await;
    let (webhooks, stop) = mill.start(options());
    let made = webhooks.create("tester", of_aliases(&sink.url)).await.unwrap();
    mill.append([alias_set("weave", "one", 1)]).await;
    mill.append([alias_set("weave", "two", 1)]).await;
    let requests = sink.requests(5).await;
    assert_eq!(aliases(&requests), ["one", "one", "one", "one", "two"]);
    assert!(requests.iter().all(|request| request.path == "/hook"), "no redirect is followed");
    let ids: BTreeSet<&String> =
        requests[..4].iter().map(|request| &request.headers[&DELIVERY_ID_HEADER.to_ascii_lowercase()]).collect();
    assert_eq!(ids.len(), 1);
    let state = until(&webhooks, &made.id, |state| state.delivered == 2).await;
    assert_eq!((state.given_up, state.failing), (0, None));
    stop.cancel();
}

#[tokio::test]
async fn a_dead_receiver_keeps_nobody_else_waiting_and_shows_why() {
    let (mill, sink) = (Mill::new(), Sink::new().await);
    let (webhooks, stop) = mill.start(options());
    // Nobody listens there: the port was given back.
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let broken = webhooks.create("tester", of_aliases(&format!("http://{dead}/"))).await.unwrap();
    webhooks.create("tester", of_aliases(&sink.url)).await.unwrap();
    let first = mill.append([alias_set("weave", "one", 1)]).await;
    mill.append([alias_set("weave", "two", 1)]).await;
    assert_eq!(aliases(&sink.requests(2).await), ["one", "two"]);
    let state =
        until(&webhooks, &broken.id, |state| state.failing.as_ref().is_some_and(|failing| failing.attempts >= 3)).await;
    let failing = state.failing.unwrap();
    assert_eq!((failing.position, state.delivered), (first.get(), 0));
    assert!(failing.reason.contains("it cannot be reached"), "{}", failing.reason);

    // A new address is tried at once, and gets what waits.
    let change = Change { url: Some(sink.url.clone()), ..Change::default() };
    webhooks.update("tester", broken.id.as_str(), change).await.unwrap();
    assert_eq!(aliases(&sink.requests(4).await)[2..], ["one", "two"]);
    stop.cancel();
}

#[tokio::test]
async fn after_a_restart_it_goes_on_where_it_was() {
    let mill = Mill::new();
    let open = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&open);
    let sink = Sink::answering(move |_| if answers.load(Ordering::SeqCst) { (200, "") } else { (500, "") }).await;
    let (webhooks, stop) = mill.start(options());
    let made = webhooks.create("tester", of_aliases(&sink.url)).await.unwrap();
    mill.append([alias_set("weave", "one", 1)]).await;
    until(&webhooks, &made.id, |state| state.delivered == 1).await;
    open.store(false, Ordering::SeqCst);
    mill.append([alias_set("weave", "two", 1)]).await;
    until(&webhooks, &made.id, |state| state.failing.is_some()).await;
    stop.cancel();
    mill.append([alias_set("weave", "three", 1)]).await;
    open.store(true, Ordering::SeqCst);

    let (webhooks, stop) = mill.start(options());
    let state = until(&webhooks, &made.id, |state| state.delivered == 3).await;
    assert_eq!(state.given_up, 0);
    let mut told = aliases(&sink.so_far());
    told.dedup();
    assert_eq!(told, ["one", "two", "three"]);
    stop.cancel();
}

#[tokio::test]
async fn what_happens_while_a_webhook_is_disabled_it_is_never_told() {
    let (mill, sink) = (Mill::new(), Sink::new().await);
    let (webhooks, stop) = mill.start(options());
    let made = webhooks.create("tester", of_aliases(&sink.url)).await.unwrap();
    let switch = |status| Change { status: Some(status), ..Change::default() };
    mill.append([alias_set("weave", "one", 1)]).await;
    until(&webhooks, &made.id, |state| state.delivered == 1).await;
    webhooks.update("tester", made.id.as_str(), switch(WebhookStatus::Disabled)).await.unwrap();
    mill.append([alias_set("weave", "two", 1)]).await;
    webhooks.update("tester", made.id.as_str(), switch(WebhookStatus::Active)).await.unwrap();
    mill.append([alias_set("weave", "three", 1)]).await;
    assert_eq!(aliases(&sink.requests(2).await), ["one", "three"]);
    stop.cancel();
}

#[tokio::test]
async fn what_is_too_old_is_sent_once_and_given_up() {
    let mill = Mill::new();
    let sink = Sink::answering(|number| if number < 2 { (500, "") } else { (200, "") }).await;
    let (webhooks, stop) = mill.start(Options { give_up_after: Duration::ZERO, ..options() });
    let made = webhooks.create("tester", of_aliases(&sink.url)).await.unwrap();
    for alias in ["one", "two", "three"] {
        mill.append([alias_set("weave", alias, 1)]).await;
    }
    let state = until(&webhooks, &made.id, |state| state.delivered == 1).await;
    assert_eq!(state.given_up, 2);
    assert_eq!(aliases(&sink.so_far()), ["one", "two", "three"]);
    stop.cancel();
}

#[tokio::test]
async fn a_secret_is_in_no_event_and_a_lost_one_stops_the_messages() {
    let (mill, sink) = (Mill::new(), Sink::new().await);
    let (webhooks, stop) = mill.start(options());
    let secret = |text: &str| Some(text.to_owned());
    let new = NewWebhook { secret: secret("Geheimnis 1"), ..of_aliases(&sink.url) };
    let made = webhooks.create("tester", new).await.unwrap();
    let files = || std::fs::read_dir(mill.folders().secrets).unwrap().count();
    assert_eq!(files(), 1);
    let change = Change { secret: secret("Geheimnis 2"), ..Change::default() };
    let changed = webhooks.update("tester", made.id.as_str(), change).await.unwrap();
    assert_ne!(changed.secret, made.secret);
    assert_eq!(files(), 1, "the old one is gone");
    let records = mill.log.read(Position::START, Direction::Forward, Filter::all(), 100).await.unwrap();
    assert!(records.into_iter().all(|record| !String::from_utf8_lossy(&record.payload).contains("Geheimnis")));

    for file in std::fs::read_dir(mill.folders().secrets).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    mill.append([alias_set("weave", "one", 1)]).await;
    let state = until(&webhooks, &made.id, |state| state.failing.is_some()).await;
    expect!["its secret cannot be used: it is not in the folder of keys; set it anew"]
        .assert_eq(&state.failing.unwrap().reason);
    assert!(sink.so_far().is_empty(), "nothing goes out unsigned");
    let change = Change { secret: secret("Geheimnis 3"), ..Change::default() };
    webhooks.update("tester", made.id.as_str(), change).await.unwrap();
    assert_eq!(aliases(&sink.requests(1).await), ["one"]);
    webhooks.delete("tester", made.id.as_str()).await.unwrap();
    assert_eq!(files(), 0);
    stop.cancel();
}

#[tokio::test]
async fn a_deleted_webhook_is_gone_with_everything_that_waits() {
    let (mill, sink) = (Mill::new(), Sink::answering(|_| (500, "")).await);
    let (webhooks, stop) = mill.start(options());
    let made = webhooks.create("tester", of_aliases(&sink.url)).await.unwrap();
    mill.append([alias_set("weave", "one", 1)]).await;
    sink.requests(1).await;
    webhooks.delete("tester", made.id.as_str()).await.unwrap();
    let gone = async {
        while webhooks.state(&made.id).is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert!(webhooks.list().is_empty());
    let error = webhooks.delete("tester", "no such webhook").await.unwrap_err();
    expect!["Webhook with ID no such webhook not found."].assert_eq(&error.to_string());
    stop.cancel();
}

#[tokio::test]
async fn a_test_says_what_the_receiver_answers() {
    let (mill, sink) = (Mill::new(), Sink::answering(|number| if number == 0 { (200, "") } else { (418, "") }).await);
    let (webhooks, stop) = mill.start(options());
    let new = NewWebhook { status: WebhookStatus::Disabled, ..of_aliases(&sink.url) };
    let made = webhooks.create("tester", new).await.unwrap();
    let good = webhooks.test(made.id.as_str(), None).await.unwrap();
    assert_eq!((good.success, good.response_status, good.response_body.as_deref()), (true, Some(200), Some("ok")));
    let other = on(WebhookEntity::RegisteredModel, WebhookAction::Created);
    let bad = webhooks.test(made.id.as_str(), Some(other)).await.unwrap();
    assert_eq!((bad.success, bad.response_status), (false, Some(418)));
    let requests = sink.so_far();
    assert_eq!(requests[0].data()["alias"], "example_alias");
    assert_eq!(requests[1].data()["name"], "example_model");
    let nonsense = on(WebhookEntity::RegisteredModel, WebhookAction::Set);
    let error = webhooks.test(made.id.as_str(), Some(nonsense)).await.unwrap_err();
    expect![[r#"Invalid action 'set' for entity 'registered_model'. Valid actions are: ["created"]"#]]
        .assert_eq(&error.to_string());
    stop.cancel();
}

#[tokio::test]
async fn what_is_wrong_with_a_webhook_is_named() {
    let mill = Mill::new();
    let (webhooks, stop) = mill.start(options());
    let good = || of_aliases("http://127.0.0.1:1/");
    let cases: Vec<NewWebhook> = vec![
        NewWebhook { name: String::new(), ..good() },
        NewWebhook { name: "Upper".to_owned(), ..good() },
        NewWebhook { name: "-dash".to_owned(), ..good() },
        NewWebhook { name: "a".repeat(64), ..good() },
        NewWebhook { name: "a\u{202e}b".to_owned(), ..good() },
        NewWebhook { url: "http://169.254.169.254/".to_owned(), ..good() },
        NewWebhook { url: "mailto:a@b".to_owned(), ..good() },
        NewWebhook { events: vec![], ..good() },
        NewWebhook { events: vec![on(WebhookEntity::PromptAlias, WebhookAction::Set)], ..good() },
        NewWebhook { description: Some("a".repeat(5_001)), ..good() },
        NewWebhook { secret: Some("a".repeat(1_001)), ..good() },
    ];
    let mut text = String::new();
    for case in cases {
        text.push_str(&format!("{}\n", webhooks.create("tester", case).await.unwrap_err()));
    }
    expect![[r#"
        Webhook name '' is invalid. It must start and end with a lower-case letter or digit, have at most 63 characters, and contain only lower-case letters, digits, dots (.), underscores (_), and hyphens (-).
        Webhook name 'Upper' is invalid. It must start and end with a lower-case letter or digit, have at most 63 characters, and contain only lower-case letters, digits, dots (.), underscores (_), and hyphens (-).
        Webhook name '-dash' is invalid. It must start and end with a lower-case letter or digit, have at most 63 characters, and contain only lower-case letters, digits, dots (.), underscores (_), and hyphens (-).
        Webhook name 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' is invalid. It must start and end with a lower-case letter or digit, have at most 63 characters, and contain only lower-case letters, digits, dots (.), underscores (_), and hyphens (-).
        Webhook name 'a\u{202e}b' is invalid. It must start and end with a lower-case letter or digit, have at most 63 characters, and contain only lower-case letters, digits, dots (.), underscores (_), and hyphens (-).
        Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 169.254.169.254. A server allows it with `allow_link_local` in [webhooks].
        Invalid webhook URL scheme: 'mailto'. Allowed schemes are: http, https.
        Webhook events must be a non-empty list of WebhookEvent objects: [].
        Invalid action 'set' for entity 'prompt_alias'. Valid actions are: ["created", "deleted"]
        Webhook description is 5001 bytes long, and at most 5000 are allowed.
        Webhook secret is longer than 1000 bytes.
    "#]].assert_eq(&text);
    assert_eq!(mill.log.tail(), Position::START, "nothing was appended");
    stop.cancel();
}

#[tokio::test]
async fn changes_at_the_same_time_all_count() {
    let mill = Mill::new();
    let (webhooks, stop) = mill.start(options());
    let made = webhooks.create("tester", of_aliases("http://127.0.0.1:1/")).await.unwrap();
    let rename = |number: u32| {
        let (webhooks, id) = (webhooks.clone(), made.id.clone());
        async move {
            let change = Change { name: Some(format!("name-{number}")), ..Change::default() };
            webhooks.update("tester", id.as_str(), change).await
        }
    };
    let done = futures::future::join_all((0..10).map(rename)).await;
    assert!(done.iter().all(Result::is_ok));
    assert_eq!(mill.log.tail(), Position::new(11));
    assert!(webhooks.get(made.id.as_str()).unwrap().updated <= Timestamp::now());
    stop.cancel();
}
