use super::super::mapping::Contents;
use super::*;

#[test]
fn a_short_configuration_has_sensible_defaults() {
    let config: MqttConfig = toml::from_str("name = 'shed-1'\nhost = 'broker'").unwrap();
    assert_eq!(config, MqttConfig::new("shed-1", "broker", 1_883));
    assert!(!config.clean_start, "a persistent session is the default");
    let mapping = config.check().unwrap();
    assert_eq!(mapping.filters(), ["millwright/v1/+/readings", "millwright/v1/+/events"]);
}

#[test]
fn every_field_can_be_written() {
    let text = "
        name = 'shed-1'
        host = 'broker'
        port = 8883
        client_id = 'reader'
        protocol = '5'
        username = 'u'
        password = 'p'
        keep_alive_s = 10
        clean_start = true
        session_expiry_s = 60
        max_in_flight = 5
        max_payload_bytes = 1000
        [[subscriptions]]
        topic = 'mill/{asset}/{quantity}'
        filter = 'mill/#'
        contents = 'readings'
        signal = '{asset}.{quantity}'
        time_format = 'ms'
        numbers = 'float'
        missing_time = 'arrival'
        unit = 'N'
        quantities = { T1 = 'warp_tension' }
        fields = { value = '/data/v', time = 'ts' }
    ";
    let config: MqttConfig = toml::from_str(text).unwrap();
    assert_eq!(config.protocol, Protocol::V5);
    assert_eq!(config.subscriptions[0].contents, Contents::Readings);
    assert_eq!(config.check().unwrap().filters(), ["mill/#"]);
    let again: MqttConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
}

#[test]
fn mistakes_are_named() {
    let check = |change: &dyn Fn(&mut MqttConfig), expected: &str| {
        let mut config = MqttConfig::new("shed", "broker", 1_883);
        change(&mut config);
        let error = config.check().unwrap_err();
        assert_eq!(error.field, expected, "{error}");
    };
    check(&|config| config.name.clear(), "name");
    check(&|config| config.host.clear(), "host");
    check(&|config| config.port = 0, "port");
    check(&|config| config.keep_alive_s = 1, "keep_alive_s");
    check(&|config| config.max_in_flight = 0, "max_in_flight");
    check(&|config| config.max_payload_bytes = usize::MAX, "max_payload_bytes");
    check(&|config| config.password = Some("p".to_owned()), "username");
    check(&|config| config.subscriptions.clear(), "subscriptions");
    check(&|config| config.subscriptions[1].topic = "mill/+/x".to_owned(), "subscriptions[1].topic");
    check(&|config| config.subscriptions[0].filter = Some("a/#/b".to_owned()), "subscriptions[0].filter");
    check(&|config| config.subscriptions[0].signal = "{asset".to_owned(), "subscriptions[0].signal");
    check(&|config| config.subscriptions[0].fields.value = Some("a/b".to_owned()), "subscriptions[0].fields.value");
    assert!(toml::from_str::<MqttConfig>("name = 'a'\nhost = 'b'\nhots = 'c'").is_err());
}
