//! How many values a second each masker masks, on one core.
//!
//! `cargo run --release -p ambit-data --example measure [MILLISECONDS]`: so long for each, 300 if nothing is said.
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::error::Error;
use std::time::{Duration, Instant};

use ambit_data::column::{ColumnFacts, ColumnName, Shape};
use ambit_data::masking::{Language, Mask, MaskKey, MaskingFile, Rule};

/// A rule, the shape of its column, and the value number so and so.
type Case = (&'static str, Shape, fn(usize) -> String);

const TEXT: Shape = Shape::Text { longest: None };

fn main() -> Result<(), Box<dyn Error>> {
    let time = Duration::from_millis(std::env::args().nth(1).map_or(Ok(300), |n| n.parse())?);
    let cases: &[Case] = &[
        ("null", TEXT, |i| format!("value {i}")),
        ("email", TEXT, |i| format!("somebody{i}@empresa.es")),
        ("name", TEXT, |i| format!("Ana López {i}")),
        ("first-name", TEXT, |i| format!("Ana{i}")),
        ("username", TEXT, |i| format!("ana{i}")),
        ("phone", TEXT, |i| format!("+34 6{:08}", i % 100_000_000)),
        ("token", TEXT, |i| format!("sk_live_4eC39HqLyjWDarjtT1zdp7dc{i:08}")),
        ("id", TEXT, |i| format!("ORD-2024-{i:06}")),
        ("id", Shape::Integer { bytes: 8 }, |i| format!("{}", 1_000_000 + i)),
        ("uuid", Shape::Uuid, |i| format!("018f3c2e-7b1a-7cde-8f00-{i:012x}")),
        ("digits", TEXT, |i| format!("ES91210004184502{i:08}")),
        ("text", TEXT, |i| format!("Llamó ayer por la tarde y volverá a llamar el martes {i}")),
        ("address", TEXT, |i| format!("Calle Mayor {i}, Madrid")),
        ("date-shift(180)", Shape::Date, |i| format!("19{:02}-0{}-1{}", i % 100, 1 + i % 9, i % 9)),
        ("ip", Shape::Network, |i| format!("83.44.{}.{}", i / 256 % 256, i % 256)),
        ("ip(prefix)", Shape::Network, |i| format!("83.44.{}.{}", i / 256 % 256, i % 256)),
        ("noise(10%)", Shape::Numeric { precision: Some(10), scale: Some(2) }, |i| format!("{i}.50")),
        ("json(email: email, name: name, theme: keep, *: text)", Shape::Json, |i| {
            format!(r#"{{"email": "a{i}@x.es", "name": "Ana López", "theme": "dark", "visits": {i}, "on": true}}"#)
        }),
        ("json", Shape::Json, |i| format!(r#"{{"email": "a{i}@x.es", "city": "Madrid", "since": "2024-05-06"}}"#)),
        ("email", Shape::Array(Box::new(TEXT)), |i| format!("{{a{i}@x.es,b{i}@x.es}}")),
    ];
    for (rule, shape, value) in cases {
        let mask = ready(rule, shape)?;
        let values: Vec<String> = (0..4096).map(value).collect();
        let mut out = String::new();
        let (mut done, start) = (0usize, Instant::now());
        while start.elapsed() < time {
            for value in &values {
                out.clear();
                mask.apply(value, None, &mut out)?;
            }
            done += values.len();
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("{:>12.0} values/s  {rule}", done as f64 / seconds);
    }
    Ok(())
}

fn ready(rule: &str, shape: &Shape) -> Result<Mask, Box<dyn Error>> {
    let file =
        MaskingFile::parse(&format!("[public.t]\nc = 'any -> {rule}'\n")).map_err(|p| format!("{rule}: {p:?}"))?;
    let Some(Rule::Mask(masker)) = file.entries().next().map(|e| &e.rule) else { return Err("no masker".into()) };
    let facts = ColumnFacts {
        name: ColumnName { schema: "public".into(), table: "t".into(), column: "c".into() },
        data_type: "any".into(),
        shape: shape.clone(),
        not_null: false,
        unique: false,
        generated: false,
        comment: None,
        references: None,
    };
    Ok(Mask::new(masker, &facts, Language::Spanish, &MaskKey::new([7; 32]))?)
}
