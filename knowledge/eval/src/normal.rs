//! Normal forms of the tokens of maintenance texts (MaintNorm): learnt from the training part, scored on the validation part.

use retrieval::normal::Normaliser;

use crate::data::{self, Sentences};
use crate::table::{Way, print, skipped};

pub fn run() {
    let companies = ["company_a", "company_b"];
    let read = |part: &str| -> Result<Vec<Sentences>, String> {
        companies.iter().map(|company| data::normalised(company, part)).collect()
    };
    let (train, validation) = match (read("train"), read("val")) {
        (Ok(train), Ok(validation)) => (train, validation),
        (Err(reason), _) | (_, Err(reason)) => return skipped("Normalisation: MaintNorm", &reason),
    };
    let mut ways = vec![
        Way {
            name: "baseline: the most frequent replacement of the token in lower case".to_owned(),
            scores: vec![Vec::new()],
        },
        Way { name: "baseline: as it is".to_owned(), scores: vec![Vec::new()] },
        Way { name: "ours".to_owned(), scores: vec![Vec::new()] },
    ];
    for (train, validation) in train.iter().zip(&validation) {
        let ours = Normaliser::learn(train);
        let plain = Normaliser::frequent(train);
        for sentence in validation {
            let tokens: Vec<&str> = sentence.iter().map(|(token, _)| token.as_str()).collect();
            let (ours, plain) = (ours.normal(&tokens), plain.normal(&tokens));
            for (at, (token, truth)) in sentence.iter().enumerate() {
                let right = |given: &str| f64::from(u8::from(given == truth));
                ways[0].scores[0].push(right(&plain[at]));
                ways[1].scores[0].push(right(token));
                ways[2].scores[0].push(right(&ours[at]));
            }
        }
    }
    print("Normalisation: tokens of MaintNorm, two companies", &["token accuracy"], &ways);
}
