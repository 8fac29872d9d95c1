use expect_test::expect;
use proptest::prelude::*;

use super::Policy;

fn check(policy: Policy, urls: &[&str]) -> String {
    let line = |url: &&str| match policy.check(url) {
        Ok(_) => format!("{url:?}\n"),
        Err(error) => format!("{url:?}\n  ! {error}\n"),
    };
    urls.iter().map(line).collect()
}

#[test]
fn what_is_an_address_and_what_is_not() {
    expect![[r#"
        "https://line-control.mill.example/hooks?line=3"
        "http://10.1.2.3:9000/hook"
        "http://127.0.0.1:5000/"
        "http://[::1]:5000/"
        "http://织造.example/"
        ""
          ! Invalid webhook URL '': it is empty
        "  "
          ! Invalid webhook URL '  ': it is empty
        "hooks/models"
          ! Invalid webhook URL 'hooks/models': relative URL without a base
        "ftp://mill.example/"
          ! Invalid webhook URL scheme: 'ftp'. Allowed schemes are: http, https.
        "file:///etc/passwd"
          ! Invalid webhook URL scheme: 'file'. Allowed schemes are: http, https.
        "javascript:alert(1)"
          ! Invalid webhook URL scheme: 'javascript'. Allowed schemes are: http, https.
        "http://"
          ! Invalid webhook URL 'http://': empty host
        "http://user@mill.example/"
          ! Webhook URL must not hold a user name or password: it is kept in a log that forgets nothing. Use the secret, which signs each message.
        "http://user:secret@mill.example/"
          ! Webhook URL must not hold a user name or password: it is kept in a log that forgets nothing. Use the secret, which signs each message.
        "http://169.254.169.254/latest/meta-data/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 169.254.169.254. A server allows it with `allow_link_local` in [webhooks].
        "http://[fe80::1]/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: fe80::1. A server allows it with `allow_link_local` in [webhooks].
        "http://[fd00:ec2::254]/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: fd00:ec2::254. A server allows it with `allow_link_local` in [webhooks].
        "http://[::ffff:169.254.169.254]/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: ::ffff:169.254.169.254. A server allows it with `allow_link_local` in [webhooks].
        "http://[::169.254.169.254]/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: ::a9fe:a9fe. A server allows it with `allow_link_local` in [webhooks].
        "http://[64:ff9b::a9fe:a9fe]/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 64:ff9b::a9fe:a9fe. A server allows it with `allow_link_local` in [webhooks].
        "http://2852039166/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 169.254.169.254. A server allows it with `allow_link_local` in [webhooks].
        "http://0xa9.0xfe.0xa9.0xfe/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 169.254.169.254. A server allows it with `allow_link_local` in [webhooks].
        "http://100.100.100.200/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 100.100.100.200. A server allows it with `allow_link_local` in [webhooks].
        "http://0.0.0.0/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 0.0.0.0. A server allows it with `allow_link_local` in [webhooks].
        "http://[::]/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: ::. A server allows it with `allow_link_local` in [webhooks].
        "http://224.0.0.1/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 224.0.0.1. A server allows it with `allow_link_local` in [webhooks].
        "http://255.255.255.255/"
          ! Webhook URL must not resolve to a link-local, metadata, multicast or unspecified address: 255.255.255.255. A server allows it with `allow_link_local` in [webhooks].
    "#]].assert_eq(&check(
        Policy::default(),
        &[
            "https://line-control.mill.example/hooks?line=3",
            "http://10.1.2.3:9000/hook",
            "http://127.0.0.1:5000/",
            "http://[::1]:5000/",
            "http://织造.example/",
            "",
            "  ",
            "hooks/models",
            "ftp://mill.example/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://",
            "http://user@mill.example/",
            "http://user:secret@mill.example/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://2852039166/",
            "http://0xa9.0xfe.0xa9.0xfe/",
            "http://100.100.100.200/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
        ],
    ));
}

#[test]
fn link_local_addresses_can_be_allowed_and_nowhere_cannot() {
    let policy = Policy { allow_link_local: true };
    assert!(policy.check("http://169.254.1.2/").is_ok());
    assert!(policy.check("http://[fe80::1]/").is_ok());
    assert!(policy.check("http://0.0.0.0/").is_err());
    assert!(policy.check("http://[ff02::1]/").is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(http://)?\\PC{0,80}") {
        let _ = Policy::default().check(&text);
    }

    #[test]
    fn no_spelling_of_a_link_local_address_gets_through(third in any::<u8>(), fourth in any::<u8>(), form in 0_u8..4) {
        let number = u32::from_be_bytes([169, 254, third, fourth]);
        let host = match form {
            0 => format!("169.254.{third}.{fourth}"),
            1 => number.to_string(),
            2 => format!("{number:#x}"),
            _ => format!("[::ffff:{:x}:{:x}]", number >> 16, number & 0xffff),
        };
        let refused = Policy::default().check(&format!("http://{host}/")).is_err();
        prop_assert!(refused);
    }
}
