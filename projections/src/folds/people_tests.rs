use domain::Text;
use domain::events::{CustomerRegistered, PersonRegistered};
use domain::ids::{CustomerId, PersonId};
use domain::personal::DataSubject;

use super::People;
use crate::testing::{entries, erased};
use crate::{AsOf, Fold};

fn person(id: &str, zh: &str, en: &str) -> domain::Event {
    let contact = Some(format!("phone {id}"));
    PersonRegistered { person: PersonId::new(id).unwrap(), name: Text::new(zh, en), contact, note: None }.into()
}

fn customer(id: &str, en: &str) -> domain::Event {
    CustomerRegistered { customer: CustomerId::new(id).unwrap(), name: Text::guessed(en), contact: None, note: None }
        .into()
}

fn folded(events: Vec<domain::Event>) -> People {
    let mut people = People::default();
    entries(events).iter().for_each(|entry| people.apply(entry));
    people
}

fn found(people: &People, words: &str) -> Vec<String> {
    people.find(words, AsOf::LATEST).map(|(subject, _)| subject.to_string()).collect()
}

#[test]
fn people_are_found_by_name_id_and_contact() {
    let people = folded(vec![
        person("P-17", "张伟", "Zhang Wei"),
        person("P-18", "李娜", "Li Na"),
        customer("C-4", "Sea Blue Garments"),
        person("P-18", "李娜娜", "Li Nana"),
    ]);
    for (words, expected) in [
        ("zhang", vec!["person:P-17"]),
        ("张伟", vec!["person:P-17"]),
        ("NANA li", vec!["person:P-18"]),
        ("phone p-18", vec!["person:P-18"]),
        ("blue", vec!["customer:C-4"]),
        ("zhang na", vec![]),
        ("", vec!["person:P-17", "person:P-18", "customer:C-4"]),
    ] {
        assert_eq!(found(&people, words), expected, "{words:?}");
    }
    let before = people.party(&DataSubject::parse("person:P-18").unwrap(), AsOf::through(eventlog::Position::new(2)));
    assert_eq!(before.unwrap().value.name.any(), "Li Na");
}

#[test]
fn an_erasure_leaves_nothing_at_any_position() {
    let people = folded(vec![
        person("P-17", "张伟", "Zhang Wei"),
        customer("C-4", "Sea Blue Garments"),
        erased("person:P-17"),
        erased("customer:C-5"),
    ]);
    assert_eq!(found(&people, ""), ["customer:C-4"]);
    let subject = DataSubject::parse("person:P-17").unwrap();
    for position in 0..4 {
        assert!(people.party(&subject, AsOf::through(eventlog::Position::new(position))).is_none());
    }
}
