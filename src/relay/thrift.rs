//! `on_budget: cheapest`: once the first target of a plan is too dear for what the caller has left, the
//! cheapest is asked first.

use crate::account::OnBudget;
use crate::relay::job::Job;
use crate::route::Plan;

/// Puts the cheapest first, where the config wants it so and the first is too dear. Last resorts stay
/// behind; targets without a price come after those that have one.
pub(super) fn thrifty(plan: &mut Plan, job: &Job<'_>) {
    if job.purse.on_budget() == OnBudget::Stop || !job.purse.is_bounded() {
        return;
    }
    let target = |place: usize| job.live.lane(place).map(|lane| &lane.target);
    let Some(first) = plan.places.first().and_then(|place| target(place.target)) else {
        return;
    };
    if job.purse.affords(job.claim(first).cost) {
        return;
    }
    plan.places.sort_by_key(|place| {
        let price = target(place.target).and_then(|target| target.price);
        (
            place.resort,
            price.map_or(u128::MAX, |price| price.typical()),
        )
    });
}
