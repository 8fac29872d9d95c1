//! Records in the wording of workshops, as many as wanted and none of them a copy: work orders by chains of two words over the public data sets, loom
//! episodes by clauses of different episodes. The same seed gives the same records.

use std::collections::HashMap;
use std::path::PathBuf;

/// A small generator of numbers that never changes (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One record: a text with the failure mode that somebody coded it with, and the asset.
pub struct Record {
    pub text: String,
    pub mode: String,
    pub asset: String,
}

/// Words that follow a word, each as often as it was seen.
type Chain = HashMap<String, Vec<String>>;

const END: &str = "";

/// Makes records.
pub struct Wording {
    /// By failure mode; the whole language under the empty name.
    chains: HashMap<String, Chain>,
    modes: Vec<String>,
    clauses: Vec<(String, String)>,
    numbers: Numbers,
}

fn folder() -> PathBuf {
    std::env::var_os("MILLWRIGHT_DATA_SETS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from)
}

/// The texts of excavators' work orders with their failure modes.
pub fn excavators() -> Vec<(String, String)> {
    let path = folder().join("excavator_mwo/case_study_pdl.csv");
    let mut reader = csv::Reader::from_path(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.records().map(|row| row.unwrap()).map(|row| (row[3].to_owned(), row[11].to_owned())).collect()
}

fn sentences() -> Vec<String> {
    let mut sentences = Vec::new();
    for company in ["company_a", "company_b"] {
        let path = folder().join(format!("maintnorm/{company}/train.norm"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut words: Vec<&str> = Vec::new();
        for line in text.lines().chain([""]) {
            match line.split_once('\t') {
                Some((token, _)) => words.push(token),
                None => sentences.push(std::mem::take(&mut words).join(" ")),
            }
        }
    }
    sentences
}

/// Loom episodes: failure mode and text.
pub fn looms(parts: &[&str]) -> Vec<(String, String)> {
    let lines = include_str!("../../../eval/data/looms.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.splitn(3, '\t').collect::<Vec<_>>())
        .filter(|cells| parts.contains(&cells[0]))
        .map(|cells| (cells[1].to_owned(), cells[2].to_owned()))
        .collect()
}

fn learn(chain: &mut Chain, text: &str) {
    let mut before = END.to_owned();
    for word in text.split_whitespace().chain([END]) {
        chain.entry(before).or_default().push(word.to_owned());
        before = word.to_owned();
    }
}

impl Wording {
    pub fn new(seed: u64) -> Self {
        let mut chains: HashMap<String, Chain> = HashMap::new();
        let mut modes = Vec::new();
        for (text, mode) in excavators() {
            learn(chains.entry(String::new()).or_default(), &text);
            if !mode.is_empty() {
                learn(chains.entry(mode.clone()).or_default(), &text);
                modes.push(mode);
            }
        }
        for text in sentences() {
            learn(chains.entry(String::new()).or_default(), &text);
        }
        let clauses = looms(&["history"])
            .into_iter()
            .flat_map(|(mode, text)| {
                text.split('，').map(|clause| (mode.clone(), clause.to_owned())).collect::<Vec<_>>()
            })
            .collect();
        Self { chains, modes, clauses, numbers: Numbers(seed) }
    }

    /// The next record: three of five in English, the others in Chinese.
    pub fn record(&mut self) -> Record {
        if self.numbers.below(5) < 3 { self.english() } else { self.chinese() }
    }

    fn english(&mut self) -> Record {
        let mode = self.numbers.pick(&self.modes).clone();
        let mut words: Vec<String> = Vec::new();
        let mut before = END.to_owned();
        while words.len() < 14 {
            // Mostly as it is said of this mode, and at times as it is said of anything.
            let said = if self.numbers.below(4) == 0 { "" } else { mode.as_str() };
            let known = self.chains[said].get(&before).or_else(|| self.chains[""].get(&before));
            let next = known.map_or_else(String::new, |next| self.numbers.pick(next).clone());
            if next.is_empty() && words.len() > 1 {
                break;
            }
            if !next.is_empty() {
                words.push(next.clone());
            }
            before = next;
        }
        let unit = self.numbers.below(40);
        if self.numbers.below(4) == 0 {
            words.push(format!("WO{}", 4_000_000 + self.numbers.below(3_000_000)));
        }
        Record { text: words.join(" "), mode, asset: format!("EX{unit:02}") }
    }

    fn chinese(&mut self) -> Record {
        let (mode, first) = self.numbers.pick(&self.clauses).clone();
        let loom = 1 + self.numbers.below(400);
        let mut parts = vec![format!("{loom}号车{first}")];
        for _ in 0..1 + self.numbers.below(3) {
            parts.push(self.numbers.pick(&self.clauses).1.clone());
        }
        if self.numbers.below(4) == 0 {
            parts.push(format!("报警A-{}", 100 + self.numbers.below(800)));
        }
        Record { text: parts.join("，"), mode, asset: format!("L{loom:03}") }
    }
}

/// Questions as people ask them: whole texts that were not among what records are made of, two and three words of them, codes, and slips.
pub fn questions(count: usize, seed: u64) -> Vec<String> {
    let mut numbers = Numbers(seed);
    let english: Vec<String> = excavators().into_iter().map(|(text, _)| text).collect();
    let chinese: Vec<String> = looms(&["dev"]).into_iter().map(|(_, text)| text).collect();
    (0..count)
        .map(|number| match number % 8 {
            0 | 1 => numbers.pick(&english).clone(),
            2 | 3 => {
                let words: Vec<&str> = numbers.pick(&english).split_whitespace().collect();
                let from = numbers.below(words.len().saturating_sub(2).max(1));
                words[from..words.len().min(from + 3)].join(" ")
            }
            4 => {
                let text = numbers.pick(&english).clone();
                let mut letters: Vec<char> = text.chars().collect();
                let at = numbers.below(letters.len().saturating_sub(1).max(1));
                letters.remove(at);
                letters.into_iter().collect()
            }
            5 | 6 => numbers.pick(&chinese).clone(),
            _ => format!("A-{}", 100 + numbers.below(800)),
        })
        .collect()
}

/// What the process holds in memory now, in MiB (Linux).
pub fn resident_mib() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4096.0 / 1024.0 / 1024.0
}

/// Prints percentiles of times in milliseconds.
pub fn percentiles(name: &str, mut taken: Vec<f64>) {
    taken.sort_by(f64::total_cmp);
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share).round() as usize];
    println!("{name}: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, worst {:.2} ms", at(0.5), at(0.9), at(0.99), at(1.0));
}
