//! A target of a route: `provider/model`, or a map with its own bounds, weight and price.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::allotment::some;
use super::capabilities::Capabilities;
use super::cursor::{Cursor, Read, Reported};
use super::hint::hint;
use super::path::quoted;
use super::price;
use super::profile;
use super::section::Section;
use super::timeouts::Bounds;
use crate::dialect::Profile;
use crate::exchange::{Abilities, Dialect, Need};
use crate::route::{self, Family, StreamUse, Target, TargetLimits, Timeouts};
use crate::units::Tokens;

/// The longest model name of a provider; deployments and fine-tunes have long ones.
const LONGEST_MODEL: usize = 256;

/// A target that gets less than a thousandth of its tier is better left out.
const WEIGHT_RANGE: RangeInclusive<u32> = 1..=1_000;
const WEIGHT: u32 = 1;

/// What a provider may be asked for in a minute.
const REQUESTS: RangeInclusive<u32> = 1..=10_000_000;
const TOKENS: RangeInclusive<u32> = 1..=4_000_000_000;

const STREAMS: [(&str, StreamUse); 3] = [
    ("as_asked", StreamUse::AsAsked),
    ("always", StreamUse::Always),
    ("never", StreamUse::Never),
];

/// The providers that targets may name; `None` for one with mistakes of its own.
pub(super) type Providers<'a> = BTreeMap<&'a str, Option<Vendor>>;

/// What targets need to know of their provider.
#[derive(Clone)]
pub(super) struct Vendor {
    pub(super) dialect: Dialect,
    pub(super) profile: Arc<Profile>,
    /// Whose models it serves.
    pub(super) family: Option<Family>,
}

/// The targets of a route so far, and where they are written.
pub(super) type Taken<'a> = BTreeMap<&'a str, Cursor<'a>>;

/// A target that waits for the bounds of its route.
pub(super) struct OpenTarget<'a> {
    target: Target,
    bounds: Bounds<'a>,
}

impl<'a> OpenTarget<'a> {
    /// Reads `provider/model`, or a map with `target`.
    pub(super) fn read(
        cursor: &Cursor<'a>,
        providers: &Providers<'_>,
        taken: &mut Taken<'a>,
    ) -> Read<Self> {
        if cursor.is_text() {
            let target = named(cursor, providers, taken)?;
            let bounds = Bounds::default();
            return Ok(Self { target, bounds });
        }
        let mut section = Section::open_or(cursor, "provider/model or a map")?;
        let target = section
            .required("target")
            .and_then(|cursor| named(&cursor, providers, taken));
        let weight = section.or("weight", WEIGHT, |cursor| cursor.number(&WEIGHT_RANGE));
        let price = section.maybe("price", price::read);
        let capabilities = section.maybe("capabilities", Capabilities::read);
        let stream = section.maybe("upstream_stream", |cursor| cursor.choice(&STREAMS));
        let bounds = section.maybe("timeouts", Bounds::read);
        let limits = section.or("limits", TargetLimits::default(), limits);
        let (base, dialect) = match &target {
            Ok(target) => (Arc::clone(&target.profile), target.dialect),
            Err(Reported) => (Arc::default(), Dialect::OpenAi),
        };
        let profile = section.maybe("profile", |cursor| {
            if dialect != Dialect::OpenAi {
                return cursor.fail_at_key("only providers of dialect `openai` have one");
            }
            profile::read(cursor, &base)
        });
        section.close();
        let (price, stream, target) = (price?, stream?, target?);
        let target = Target {
            weight: weight?,
            price: price.or(target.price),
            limits: limits?,
            profile: profile?.map_or(base, Arc::new),
            abilities: match capabilities? {
                Some(own) => Arc::new(own.over(&target.abilities)),
                None => Arc::clone(&target.abilities),
            },
            ..target
        };
        let target = Target {
            stream: stream.unwrap_or_else(|| usual(&target.abilities)),
            ..target
        };
        let bounds = bounds?.unwrap_or_default();
        Ok(Self { target, bounds })
    }

    /// The target with its own bounds before those of its route, which are not yet cut to fit.
    pub(super) fn fit(self, route: &Timeouts, deadline: Duration) -> Read<Target> {
        let timeouts = self.bounds.fit(&self.bounds.over(route), deadline)?;
        Ok(Target {
            timeouts,
            ..self.target
        })
    }
}

/// Splits `provider/model` at the first slash: a model's name may hold more of them.
fn named<'a>(
    cursor: &Cursor<'a>,
    providers: &Providers<'_>,
    taken: &mut Taken<'a>,
) -> Read<Target> {
    let text = cursor.text()?;
    let Some((provider, model)) = text.split_once('/') else {
        return cursor.fail(format_args!(
            "{} is not a target: provider/model",
            quoted(text)
        ));
    };
    let vendor = known_provider(cursor, provider, providers);
    let visible = model.bytes().all(|byte| byte.is_ascii_graphic());
    if model.is_empty() || model.len() > LONGEST_MODEL || !visible {
        return cursor.fail(format_args!(
            "{} is not a model's name: 1 to {LONGEST_MODEL} visible ASCII characters",
            quoted(model)
        ));
    }
    if let Some(first) = taken.get(text) {
        return cursor.fail(format_args!("the same target as {}", first.path()));
    }
    taken.insert(text, cursor.clone());
    let vendor = vendor?;
    let known = vendor.family.and_then(|family| route::model(family, model));
    let abilities = known.map_or_else(Arc::default, |known| Arc::clone(&known.abilities));
    Ok(Target {
        name: text.into(),
        provider: provider.into(),
        model: model.into(),
        dialect: vendor.dialect,
        weight: WEIGHT,
        price: known.and_then(|known| known.price),
        limits: TargetLimits::default(),
        timeouts: Timeouts::default(),
        profile: vendor.profile,
        stream: usual(&abilities),
        abilities,
    })
}

/// What the provider takes of us in a minute, so that load moves away before it says so.
fn limits(cursor: &Cursor<'_>) -> Read<TargetLimits> {
    let mut section = Section::open(cursor)?;
    let rpm = section.maybe("rpm", |at| at.number(&REQUESTS));
    let tpm = section.maybe("tpm", |at| at.number(&TOKENS));
    section.close();
    let limits = TargetLimits {
        rpm: rpm?,
        tpm: tpm?.map(|tokens| Tokens(u64::from(tokens))),
    };
    some(cursor)?;
    Ok(limits)
}

/// How a model is asked where nothing is said: one that cannot stream, never for a stream.
fn usual(abilities: &Abilities) -> StreamUse {
    if abilities.lacks.has(Need::Streaming) {
        StreamUse::Never
    } else {
        StreamUse::AsAsked
    }
}

/// What is known of a provider that must be in the file.
pub(super) fn known_provider(
    cursor: &Cursor<'_>,
    name: &str,
    providers: &Providers<'_>,
) -> Read<Vendor> {
    let Some(vendor) = providers.get(name) else {
        let known: Vec<&str> = providers.keys().copied().collect();
        let hint = hint(name, &known);
        return cursor.fail(format_args!(
            "there is no provider {}; {hint}",
            quoted(name)
        ));
    };
    vendor.clone().ok_or(Reported)
}
