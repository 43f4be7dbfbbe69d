//! What `segue usage` prints, to the letter.

use super::*;
use crate::account::store::{Part, Span};
use crate::units::{MicroUsd, Tokens};

fn part(attempts: u64, input: u64, output: u64, cost: u64) -> Part {
    let mut part = Part {
        attempts,
        cost: MicroUsd(cost),
        ..Part::default()
    };
    (part.usage.input, part.usage.output) = (Tokens(input), Tokens(output));
    part
}

fn sum(names: &[&str], exchanges: u64, delivered: Part, wasted: Part) -> Sum {
    Sum {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        exchanges,
        delivered,
        wasted,
        ..Sum::default()
    }
}

fn usage(by: &[By], sums: Vec<Sum>) -> Usage {
    Usage {
        asked: Asked {
            span: Span {
                from: 0,
                until: 86_400_000,
                is_days: true,
            },
            words: "2026-11-16 to 2026-11-22".to_owned(),
        },
        by: by.to_vec(),
        sums,
    }
}

fn week() -> Usage {
    let cached = |mut part: Part| {
        part.usage.cached = Tokens(900_000);
        part
    };
    let estimated = |mut part: Part| {
        part.estimated = 1;
        part
    };
    let unpriced = |mut part: Part| {
        part.unpriced = 40;
        part
    };
    let mut support = sum(
        &["support-app", "support"],
        12_345,
        cached(part(12_345, 4_123_456, 987_654, 1_234_567_890)),
        estimated(part(31, 9_000, 800, 4_210)),
    );
    (support.fell_back, support.failed) = (31, 2);
    usage(
        &[By::Key, By::Route],
        vec![
            support,
            sum(
                &["support-app", "draft"],
                700,
                part(700, 90_000, 40_000, 300_000_000),
                Part::default(),
            ),
            sum(
                &["", "a-route-whose-name-is-long"],
                40,
                unpriced(part(40, 4_000, 400, 0)),
                Part::default(),
            ),
        ],
    )
}

fn table(usage: &Usage, width: usize) -> String {
    let mut out = Vec::new();
    table::print(usage, width, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_for_a_wide_terminal_has_bars() {
    insta::assert_snapshot!(table(&week(), 160));
}

#[test]
fn a_table_for_a_usual_terminal_leaves_out_what_matters_least() {
    insta::assert_snapshot!(table(&week(), 100));
}

#[test]
fn a_table_for_a_narrow_terminal_cuts_names_and_no_number() {
    insta::assert_snapshot!(table(&week(), 60));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 51..200 {
        for line in table(&week(), width).lines().skip(2).take(5) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn without_prices_bars_are_of_tokens() {
    let sums = vec![
        sum(
            &["2026-11-21"],
            10,
            part(10, 3_000, 1_000, 0),
            Part::default(),
        ),
        sum(&["2026-11-22"], 1, part(1, 300, 250, 0), Part::default()),
    ];
    insta::assert_snapshot!(table(&usage(&[By::Day], sums), 100));
}

#[test]
fn nothing_is_said_to_be_nothing() {
    insta::assert_snapshot!(table(&usage(&[By::Route], Vec::new()), 100));
}

#[test]
fn json_and_csv_have_every_number_in_full() {
    let (mut json, mut csv) = (Vec::new(), Vec::new());
    let mut week = week();
    week.sums[2].names[1] = "=cmd,\"x\"".to_owned();
    export::json(&week, &mut json).unwrap();
    export::csv(&week, &mut csv).unwrap();
    insta::assert_snapshot!("json", String::from_utf8(json).unwrap());
    insta::assert_snapshot!("csv", String::from_utf8(csv).unwrap());
}
