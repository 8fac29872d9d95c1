use std::net::SocketAddr;

use super::Config;

fn load(toml: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = toml.map(|text| {
        let path = dir.path().join("millwright.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(path.as_deref(), environment).map_err(|error| error.to_string())
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "data_dir = \"/srv/mill\"\n[limits]\nbody_bytes = 1000\nconcurrency = 7\n";
    let config = load(Some(file), &[("MILLWRIGHT_LIMITS__BODY_BYTES", "2000"), ("PATH", "/bin")]).unwrap();
    assert_eq!(config.data_dir.to_str(), Some("/srv/mill"));
    assert_eq!((config.limits.body_bytes, config.limits.concurrency), (2000, 7));
    assert_eq!(config.limits.wait_ms, Config::default().limits.wait_ms);
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        (Some("data_dri = \"x\""), vec![], "data_dri"),
        (Some("[limits]\nbody = 3"), vec![], "body"),
        (None, vec![("MILLWRIGHT_LISTEN", "nowhere")], "MILLWRIGHT_LISTEN"),
        (None, vec![("MILLWRIGHT_LOG__SEGMENT_MIB", "0")], "segment_mib"),
        (None, vec![("MILLWRIGHT_LOG__SEAL_MIB_PER_S", "0")], "seal_mib_per_s"),
        (None, vec![("MILLWRIGHT_LOG__SEAL", "perhaps")], "MILLWRIGHT_LOG__SEAL"),
        (None, vec![("MILLWRIGHT_LISTEN__PORT", "1")], "MILLWRIGHT_LISTEN__PORT"),
        (Some("[transparency]\norigin = \"a log\""), vec![], "transparency.origin"),
        (
            Some("[[witnesses]]\nname = \"w\"\nurl = \"http://127.0.0.1:1\"\nvkey = \"w+00000000+AAAA\""),
            vec![],
            "witnesses.vkey",
        ),
        (None, vec![("MILLWRIGHT_TRANSPARENCY__ORIGIN", "a+b")], "transparency.origin"),
        (Some("[[tokens]]\nname = \"a\"\nrole = \"king\"\nsha256 = \"00\""), vec![], "role"),
    ];
    for (file, environment, expected) in cases {
        let error = load(file, &environment).unwrap_err();
        assert!(error.contains(expected), "{error:?} does not name {expected:?}");
    }
}

#[test]
fn the_token_of_an_import_is_no_configuration() {
    assert!(load(None, &[("MILLWRIGHT_TOKEN", "secret")]).unwrap().tokens.is_empty());
}

#[test]
fn digits_in_the_environment_are_a_text_where_a_text_is_expected() {
    let environment = [("MILLWRIGHT_SURREAL__PASSWORD", "12345"), ("MILLWRIGHT_DATA_DIR", "2026")];
    let config = load(None, &environment).unwrap();
    assert_eq!((config.surreal.password.as_deref(), config.data_dir.to_str()), (Some("12345"), Some("2026")));
}

#[test]
fn the_passwords_of_notices_can_stay_out_of_the_file() {
    let file = "[notice_email]\nhost = \"mail.example\"\nfrom = \"m@mill.example\"\nusername = \"mill\"\n[notice_mqtt]\nhost = \"broker.example\"\n";
    let environment = [("MILLWRIGHT_NOTICE_EMAIL__PASSWORD", "12345"), ("MILLWRIGHT_NOTICE_MQTT__PASSWORD", "678")];
    let config = load(Some(file), &environment).unwrap();
    let (email, mqtt) = (config.notice_email.unwrap(), config.notice_mqtt.unwrap());
    assert_eq!((email.password.as_deref(), email.port, email.tls), (Some("12345"), 587, notices::Tls::Starttls));
    assert_eq!((mqtt.password.as_deref(), mqtt.port, mqtt.prefix.as_str()), (Some("678"), 1883, "millwright/notices"));
    assert!(load(Some(file), &[]).unwrap_err().contains("notice_email.password"));
}

#[test]
fn without_tokens_only_loopback_is_served() {
    let mut config = Config::default();
    assert!(config.check_exposure().is_ok());
    config.listen = SocketAddr::from(([0, 0, 0, 0], 8080));
    assert!(config.check_exposure().unwrap_err().to_string().contains("0.0.0.0:8080"));
}
