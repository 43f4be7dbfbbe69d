//! Any course of things, held against a naive reading of what the quotas say: whole histories, added
//! up anew for every question.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// The exchange of that number covers an attempt.
    Cover(usize, u64),
    /// One of the attempts under way ends.
    End(usize, End),
    /// The calendar goes on, or back, by hours.
    Pass(i64),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Billed(u64, Fate),
    Unknown,
    Dropped,
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![Just(Fate::Delivered), Just(Fate::Wasted)];
    let end = prop_oneof![
        4 => (0..60_u64, fate).prop_map(|(cost, fate)| End::Billed(cost, fate)),
        1 => Just(End::Unknown),
        1 => Just(End::Dropped),
    ];
    prop_oneof![
        4 => (0..4_usize, 0..50_u64).prop_map(|(who, cost)| Step::Cover(who, cost)),
        4 => (any::<usize>(), end).prop_map(|(which, end)| Step::End(which, end)),
        1 => (-30..60_i64).prop_map(Step::Pass),
    ]
}

/// Who the exchanges are of: two of one key, one of another, and one of none.
const KEYS: [Option<&str>; 4] = [Some("a"), Some("a"), Some("b"), None];

/// The quotas: whom they hold for, what they allow.
fn rules() -> [Quota; 4] {
    [
        Quota {
            budgets: SmallVec::from_iter([
                Budget {
                    amount: MicroUsd(100),
                    per: Period::Day,
                },
                Budget {
                    amount: MicroUsd(180),
                    per: Period::Week,
                },
            ]),
            ..quota("a", Scope::Key("a".into()))
        },
        Quota {
            budgets: budget(120, Period::Day),
            ceiling: Some(MicroUsd(150)),
            each: Each::Key,
            ..quota("each", Scope::All)
        },
        Quota {
            budgets: budget(600, Period::Month),
            ..quota("chat", Scope::Route("chat".into()))
        },
        Quota {
            ceiling: Some(MicroUsd(200)),
            ..quota("all", Scope::All)
        },
    ]
}

#[derive(Clone, Copy)]
struct Booked {
    who: usize,
    cost: u64,
    fate: Fate,
    /// The day on which it was booked, by a calendar that never goes back.
    day: i64,
}

#[derive(Default)]
struct Naive {
    booked: Vec<Booked>,
    open: Vec<(usize, u64)>,
}

impl Naive {
    /// Whether one exchange's attempts count under a quota for another's.
    fn counts(quota: &Quota, one: usize, other: usize) -> bool {
        match (&quota.scope, quota.each) {
            (Scope::Key(name), _) => KEYS[one] == Some(name) && KEYS[other] == Some(name),
            (_, Each::Key) => KEYS[one] == KEYS[other],
            _ => true,
        }
    }

    fn first_short(&self, who: usize, cost: u64, day: i64) -> Option<(String, Scarce)> {
        rules().iter().find_map(|quota| {
            if !Self::counts(quota, who, who) || cost == 0 {
                return None;
            }
            let callers = quota.is_callers();
            let open = self
                .open
                .iter()
                .filter(|(other, _)| Self::counts(quota, who, *other));
            let open: u64 = open.map(|(_, cost)| cost).sum();
            for budget in &quota.budgets {
                let start = budget.per.start(Day(day)).0;
                let spent = self.booked.iter().filter(|one| {
                    let paid = one.fate == Fate::Delivered || !callers;
                    paid && one.day >= start && Self::counts(quota, who, one.who)
                });
                let spent: u64 = spent.map(|one| one.cost).sum();
                if spent + open + cost > budget.amount.0 {
                    return Some((quota.name.to_string(), Scarce::Budget));
                }
            }
            let own = self.booked.iter().filter(|one| one.who == who);
            let own: u64 = own.map(|one| one.cost).sum();
            let open = self.open.iter().filter(|(other, _)| *other == who);
            let open: u64 = open.map(|(_, cost)| cost).sum();
            let ceiling = quota.ceiling?;
            (own + open + cost > ceiling.0).then(|| (quota.name.to_string(), Scarce::Ceiling))
        })
    }
}

/// A moment by hours since 1970; the steady clock stands still.
fn at(hours: i64) -> Now {
    Now {
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(3600 * hours.unsigned_abs()),
        ..noon()
    }
}

/// Every count sees every day that comes: one that sleeps through it would not know that the
/// calendar went back.
fn see(purses: &[Purse], now: Now) {
    for purse in purses {
        spend(purse, cost(0), Fate::Delivered, now).unwrap();
    }
}

proptest! {
    #[test]
    fn the_ledger_says_what_whole_histories_say(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let (ledger, quotas) = (Arc::<Ledger>::default(), quotas(rules()));
        let start = noon();
        let keys = KEYS.map(|name| name.map(key));
        let purses: Vec<Purse> = keys
            .iter()
            .map(|key| {
                let who = Caller { key: key.as_ref(), ..user("one") };
                ledger.admit(&quotas, &who, || start).unwrap()
            })
            .collect();
        let (mut naive, mut stakes) = (Naive::default(), Vec::new());
        let (mut hours, mut day) = (12 + 24 * 20_726_i64, 20_726);
        see(&purses, at(hours));
        for step in steps {
            let now = at(hours);
            match step {
                Step::Pass(time) => {
                    hours += time;
                    day = day.max(hours.div_euclid(24));
                    see(&purses, at(hours));
                }
                Step::Cover(who, claim) => {
                    let found = purses[who].cover_at(cost(claim), || now);
                    let expected = naive.first_short(who, claim, day);
                    match found {
                        Ok(stake) => {
                            prop_assert_eq!(expected, None);
                            stakes.push(stake);
                            naive.open.push((who, claim));
                        }
                        Err(short) => {
                            prop_assert_eq!(expected, Some((short.quota.to_string(), short.of)));
                        }
                    }
                }
                Step::End(_, _) if stakes.is_empty() => {}
                Step::End(which, end) => {
                    let which = which % stakes.len();
                    let stake = stakes.swap_remove(which);
                    let (who, _) = naive.open.swap_remove(which);
                    match end {
                        End::Billed(cost, fate) => {
                            stake.settle_at(Some(&bill(0, cost)), fate, || now);
                            naive.booked.push(Booked { who, cost, fate, day });
                        }
                        End::Unknown => stake.settle_at(None, Fate::Delivered, || now),
                        End::Dropped => drop(stake),
                    }
                }
            }
        }
        drop(stakes);
        let reserved = ledger.status(&quotas, start);
        let reserved = reserved.iter().flat_map(|one| &one.budgets).map(|one| one.reserved);
        prop_assert_eq!(reserved.sum::<MicroUsd>(), MicroUsd(0));
    }
}
