//! `accounts`: the rules between all quotas.

use std::ops::RangeInclusive;

use super::cursor::Read;
use super::section::Section;
use crate::account::{OnBudget, Quotas, Waste};
use crate::units::Tokens;

/// Longer answers than any model gives are no assumption.
const OUTPUT: RangeInclusive<u32> = 1..=10_000_000;

const ON_BUDGET: [(&str, OnBudget); 2] =
    [("stop", OnBudget::Stop), ("cheapest", OnBudget::Cheapest)];

const WASTE: [(&str, Waste); 2] = [("route", Waste::Route), ("caller", Waste::Caller)];

/// Reads the rules; there are no quotas yet.
pub(super) fn read(section: &mut Section<'_>) -> Read<Quotas> {
    let shipped = Quotas::default();
    let on_budget = section.or("on_budget", shipped.on_budget, |at| at.choice(&ON_BUDGET));
    let waste = section.or("waste", shipped.waste, |at| at.choice(&WASTE));
    let assumed = section.or("assumed_output", shipped.assumed_output, |at| {
        at.number(&OUTPUT).map(|tokens| Tokens(u64::from(tokens)))
    });
    Ok(Quotas {
        on_budget: on_budget?,
        waste: waste?,
        assumed_output: assumed?,
        ..shipped
    })
}
