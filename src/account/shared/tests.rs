//! What is said to the script and what its answers mean, word by word.

use std::time::Duration;

use redis::Cmd;

use super::words::{Act, Admit, Answer, Ask, answer, hello, post, take};
use super::*;
use crate::account::claim::{Claim, Scarce};
use crate::account::instance::{Instance, Kind, Owner};
use crate::account::period::Period;
use crate::account::quota::{Budget, Each, Quota, Scope};
use crate::units::{Day, MicroUsd, Tokens};

fn quota() -> Quota {
    let budget = |amount, per| Budget {
        amount: MicroUsd(amount),
        per,
    };
    Quota {
        name: "q".into(),
        scope: Scope::All,
        each: Each::Together,
        requests_per_minute: Some(60),
        tokens_per_minute: None,
        concurrent: Some(0),
        ceiling: None,
        budgets: [budget(5, Period::Day), budget(9, Period::Month)]
            .into_iter()
            .collect(),
    }
}

fn seat(quota: &Quota) -> Seat {
    let owner = Owner {
        kind: Kind::All,
        quota: "q".into(),
        instance: Instance::TOGETHER,
    };
    Seat::of("segue", &owner, quota)
}

/// The words of a command, with the count's key cut down to `KEY`.
fn said(cmd: &Cmd) -> String {
    let packed = String::from_utf8(cmd.get_packed_command()).unwrap();
    let lines: Vec<&str> = packed.split("\r\n").skip(1).collect();
    let words: Vec<&str> = lines
        .chunks(2)
        .filter_map(|pair| pair.get(1))
        .copied()
        .collect();
    words.join(" ").replace(&*seat(&quota()).key, "KEY")
}

#[test]
fn all_keys_share_one_hash_tag_and_none_names_a_user() {
    let key = seat(&quota()).key;
    assert_eq!(&*key, format!("{{segue}}all:q:{}", "0".repeat(32)));
    assert!(words::root("segue").starts_with("{segue}"));
}

#[test]
fn an_attempt_is_asked_for_with_all_that_bounds_it() {
    let quota = quota();
    let seat = seat(&quota);
    let ask = Ask {
        exchange: "n.0",
        id: "n.1",
        admit: Admit::Exchange,
        claim: Claim {
            tokens: Tokens(7),
            cost: MicroUsd(3),
        },
        counts: &[(&seat, &quota)],
    };
    assert_eq!(
        said(&take("sha", "{segue}", &ask)),
        "EVALSHA sha 2 {segue} KEY take n.1 45000 1 7 3 n.0 60 -1 0 2 d 5 m 9"
    );
    let more = Ask {
        admit: Admit::Attempt,
        ..ask
    };
    assert!(said(&take("sha", "{segue}", &more)).contains(" take n.1 45000 0 7 3 "));
    assert_eq!(
        said(&hello("sha", "{segue}", "name")),
        "EVALSHA sha 1 {segue} hello name"
    );
}

#[test]
fn what_happened_is_told_with_the_place_of_its_key() {
    let key = seat(&quota()).key;
    let other: Arc<str> = "~z".into();
    let acts = [
        (Arc::clone(&other), Act::Book(MicroUsd(4))),
        (
            Arc::clone(&key),
            Act::Restore(MicroUsd(5), Period::Week, Day(20)),
        ),
        (Arc::clone(&key), Act::Tokens(-6, 100)),
        (Arc::clone(&key), Act::End("n.1".into(), MicroUsd(3))),
        (Arc::clone(&other), Act::Leave("n.0".into())),
        (Arc::clone(&key), Act::Hold("n.2".into(), MicroUsd(1))),
        (key, Act::Stay("n.3".into())),
    ];
    assert_eq!(
        said(&post("sha", "{segue}", ("n", "born", 8), &acts)),
        "EVALSHA sha 3 {segue} KEY ~z post n born 8 45000 b 3 4  s 2 5 w20 t 2 -6 100 \
         l 2 n.1 3 r 3 n.0  L 2 n.2 1 R 2 n.3 "
    );
}

#[test]
fn an_answer_says_what_is_left_or_what_is_short() {
    let quota = quota();
    let seat = seat(&quota);
    let counts = [(&seat, &quota)];
    let Some(Answer::Taken(rests)) = answer(&[1, 59, 1_000_000, -1, 0, 20, 1, 2, 3], &counts)
    else {
        panic!("nothing was taken");
    };
    let requests = rests[0].requests.unwrap();
    assert_eq!((requests.limit, requests.remaining), (60, 59));
    assert_eq!(requests.reset, Duration::from_secs(1));
    assert_eq!((rests[0].tokens, rests[0].day), (None, Day(20)));
    assert_eq!(rests[0].spent, [1, 2, 3].map(MicroUsd));
    for (words, short) in [
        (
            [0, 1, 0, 5],
            (Scarce::Requests, Some(Duration::from_micros(5))),
        ),
        ([0, 1, 1, -1], (Scarce::Tokens, None)),
        ([0, 1, 2, 0], (Scarce::Concurrency, Some(Duration::ZERO))),
        ([0, 1, 3, -1], (Scarce::Budget, None)),
    ] {
        let expected = Answer::Short(0, short.0, short.1);
        assert_eq!(answer(&words, &counts), Some(expected), "{words:?}");
    }
    for strange in [
        &[][..],
        &[2],
        &[1],
        &[1, 2, 3],
        &[0, 0, 0, 0],
        &[0, 1, 9, 0],
        &[0, 1],
    ] {
        assert_eq!(answer(strange, &counts), None, "{strange:?}");
    }
}
