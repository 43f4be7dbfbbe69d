//! The shipped file, entry by entry, and how models are found in it.

use std::collections::BTreeSet;

use super::entry::{Charge, Entry, File, Kind, Started};
use super::{SHIPPED, is_moving, model};
use crate::exchange::{Need, Needs, Prefill, Sampled, Thinking};
use crate::route::Family;
use crate::units::{MicroUsd, Tokens};

fn shipped() -> File {
    serde_json::from_str(SHIPPED).unwrap()
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let within = |text: &str, length: usize, range: std::ops::RangeInclusive<u32>| {
        text.len() == length && text.parse().is_ok_and(|number| range.contains(&number))
    };
    within(year, 4, 2024..=2030) && within(month, 2, 1..=12) && within(day, 2, 1..=31)
}

#[test]
fn every_model_and_price_names_its_source_and_date() {
    let file = shipped();
    assert_eq!((file.schema, file.currency.as_str()), (1, "USD"));
    assert_eq!(file.price_unit, "per 1,000,000 tokens");
    assert!(is_date(&file.as_of));
    for (name, source) in &file.sources {
        assert!(is_date(&source.date) && source.date <= file.as_of, "{name}");
        assert!(source.what.len() > 10, "{name}");
    }
    let mut used = BTreeSet::new();
    for entry in &file.models {
        let id = &entry.id;
        assert!(!entry.sources.is_empty(), "{id}");
        for source in &entry.sources {
            assert!(file.sources.contains_key(source), "{id}: {source}");
            used.insert(source.clone());
        }
        assert!(
            is_date(&entry.checked) && entry.checked <= file.as_of,
            "{id}"
        );
        for date in [&entry.price_until, &entry.retires].into_iter().flatten() {
            assert!(is_date(date), "{id}");
        }
    }
    assert!(used.iter().eq(file.sources.keys()), "an unused source");
}

#[test]
fn no_name_stands_for_two_models() {
    let mut names = BTreeSet::new();
    for entry in shipped().models {
        for name in entry.aliases.iter().chain([&entry.id]) {
            assert!(!name.is_empty() && name.is_ascii(), "{name}");
            assert!(names.insert((entry.family, name.clone())), "{name}");
        }
    }
    assert!(names.len() >= 80, "{}", names.len());
}

#[test]
fn the_numbers_make_sense() {
    for entry in shipped().models {
        let id = &entry.id;
        sizes(&entry);
        for charge in [&entry.price, &entry.price_above].into_iter().flatten() {
            charged(id, charge);
        }
        if let Some(above) = &entry.price_above {
            let below = entry.price.as_ref().unwrap();
            assert!(above.input >= below.input && above.output >= below.output);
            assert!(above.input_tokens.is_some_and(|it| it >= 100_000), "{id}");
        }
        let known: Vec<&str> = Need::ALL.iter().map(|need| need.name()).collect();
        let lacks = entry.lacks.iter();
        assert!(lacks.clone().all(|it| known.contains(&it.as_str())), "{id}");
        assert_eq!(
            lacks.collect::<BTreeSet<_>>().len(),
            entry.lacks.len(),
            "{id}"
        );
        let how = entry.prefill_how.is_some();
        let continues = entry.prefill == Some(Started::Continues);
        assert!(!how || continues, "{id}");
    }
}

fn sizes(entry: &Entry) {
    let id = &entry.id;
    let context = entry.context.unwrap_or(u64::MAX);
    for size in [entry.context, entry.max_input, entry.max_output]
        .into_iter()
        .flatten()
    {
        assert!((1_000..=10_000_000).contains(&size), "{id}: {size}");
        assert!(size <= context, "{id}: {size}");
    }
    assert!(
        entry.kind == Kind::Chat || entry.max_output.is_none(),
        "{id}"
    );
}

fn charged(id: &str, charge: &Charge) {
    let parts = [Some(charge.input), Some(charge.output)];
    for usd in parts
        .into_iter()
        .chain([charge.cache_read, charge.cache_write])
        .flatten()
    {
        assert!((0.0..=1000.0).contains(&usd), "{id}: {usd}");
        let micros = usd * 1e6;
        assert!((micros - micros.round()).abs() < 1e-6, "{id}: {usd}");
    }
    assert!(charge.output >= charge.input || charge.output == 0.0);
    assert!(charge.cache_read.is_none_or(|it| it <= charge.input));
    assert!(charge.cache_write.is_none_or(|it| it >= charge.input));
}

#[test]
fn a_model_is_found_by_its_name_and_by_dated_ones() {
    for (family, name, context) in [
        (Family::OpenAi, "gpt-4o", Some(128_000)),
        (Family::OpenAi, "gpt-4o-2024-11-20", Some(128_000)),
        (Family::OpenAi, "gpt-5.5-2026-04-23", Some(1_050_000)),
        (Family::OpenAi, "gpt-5.6", Some(1_050_000)),
        (Family::Anthropic, "claude-sonnet-4-5", Some(200_000)),
        (
            Family::Anthropic,
            "claude-sonnet-4-5-20250929",
            Some(200_000),
        ),
        (
            Family::Anthropic,
            "claude-haiku-4-5@20251001",
            Some(200_000),
        ),
        (Family::Anthropic, "claude-sonnet-4-5-latest", Some(200_000)),
        (Family::Google, "models/gemini-2.5-pro", Some(1_048_576)),
        (Family::Mistral, "magistral-medium-latest", Some(128_000)),
        (Family::OpenAi, "gpt-4o-2024-11-2", None),
        (Family::OpenAi, "gpt-4o-audio", None),
        (Family::OpenAi, "claude-sonnet-4-5", None),
        (Family::OpenAi, "", None),
        (Family::OpenAi, "-20250929", None),
        (Family::OpenAi, "é-2024-11-20", None),
    ] {
        let found = model(family, name).and_then(|it| it.abilities.context);
        assert_eq!(found, context.map(Tokens), "{name}");
    }
}

#[test]
fn what_a_model_can_do_follows_from_its_entry() {
    let o3 = model(Family::OpenAi, "o3").unwrap();
    assert!(o3.abilities.lacks.has(Need::Stop));
    assert_eq!(o3.abilities.sampling, Sampled::Fixed);
    assert_eq!(o3.retires.as_deref(), Some("2026-12-11"));
    let price = o3.price.unwrap();
    let rates = (price.input, price.cached, price.output);
    let expected = (
        MicroUsd(2_000_000),
        Some(MicroUsd(500_000)),
        MicroUsd(8_000_000),
    );
    assert_eq!(rates, expected);

    let haiku = &model(Family::Anthropic, "claude-haiku-4-5")
        .unwrap()
        .abilities;
    assert_eq!(
        (haiku.prefill, haiku.thinking),
        (Prefill::Continues, Thinking::Budget)
    );
    assert_eq!(haiku.lacks, Needs::NONE.with(Need::Embeddings));

    let vectors = &model(Family::OpenAi, "text-embedding-3-small")
        .unwrap()
        .abilities;
    assert!(vectors.lacks.has(Need::Chat) && !vectors.lacks.has(Need::Embeddings));
}

#[test]
fn an_alias_that_moves_is_known_by_its_end() {
    for (name, expected) in [
        ("claude-haiku-latest", true),
        ("llama3:latest", true),
        ("gpt-4o", false),
        ("latest", false),
    ] {
        assert_eq!(is_moving(name), expected, "{name}");
    }
}
