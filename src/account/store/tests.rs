//! What the store promises, on real files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{IntCounter, IntGauge};
use proptest::prelude::*;
use rusqlite::Connection;
use smallvec::smallvec;
use tempfile::TempDir;

use super::file::{Check, File};
use super::prune::{self, Rest};
use super::*;
use crate::account::{Fate, Instance, Kind, Owner, Period, Spent};
use crate::exchange::{Bill, Measure, Pseudonym, Usage};
use crate::units::{Day, MicroUsd, Tokens};

/// 2026-11-22, noon.
const NOON: i64 = 20_779 * 86_400_000 + 43_200_000;

fn at(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap())
}

fn bill(input: u64, output: u64, cost: Option<u64>, measure: Measure) -> Bill {
    let usage = Usage {
        input: Tokens(input),
        output: Tokens(output),
        ..Usage::default()
    };
    Bill {
        usage,
        measure,
        cost: cost.map(MicroUsd),
    }
}

fn attempt(target: &str, bill: Option<Bill>, fate: Fate) -> AttemptEntry {
    AttemptEntry {
        target: target.into(),
        kind: "first",
        status: Some(200),
        error: None,
        verdict: None,
        bill,
        fate,
        first_byte: Some(Duration::from_millis(3)),
        first_token: None,
        total: Duration::from_millis(1_500),
    }
}

/// An exchange that was rescued: one attempt for nothing, one delivered.
fn rescued(began: i64) -> Entry {
    let wasted = bill(100, 7, Some(170), Measure::Estimated);
    let delivered = bill(100, 20, Some(30), Measure::Reported);
    Entry {
        request_id: "req-1".to_owned(),
        key: Some("app".into()),
        route: Some("support".into()),
        session: Some(Pseudonym::of("s")),
        format: "openai",
        endpoint: "chat_completions",
        delivery: Some("stream"),
        status: 200,
        outcome: "served",
        fallback_reason: Some("stall"),
        target: Some("b/cheap".into()),
        held: Some(Duration::from_micros(12_900)),
        total: Duration::from_secs(2),
        attempts: smallvec![
            attempt("a/dear", Some(wasted), Fate::Wasted),
            attempt("b/cheap", Some(delivered), Fate::Delivered),
        ],
        spent: vec![Spent {
            owner: Owner {
                kind: Kind::Key,
                quota: "app".into(),
                instance: Instance::TOGETHER,
            },
            per: Period::Day,
            start: Day(20_779),
            amount: MicroUsd(30),
        }],
        ..Entry::at(at(began))
    }
}

struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.db");
        Self { folder, path }
    }

    fn settings(&self) -> StoreSettings {
        StoreSettings {
            path: self.path.clone(),
            retention: Duration::from_hours(24 * 3_650),
            on_failure: OnFailure::Continue,
        }
    }

    fn start(&self) -> (Store, Meters) {
        let meters = meters();
        (
            Store::start(self.settings(), 100, meters.clone()).unwrap(),
            meters,
        )
    }

    fn query(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(&self.path).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let cell = |at| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            };
            all.push((0..columns).map(cell).collect::<Vec<_>>().join(" "));
        }
        all
    }

    fn aside(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".corrupt-")).collect()
    }
}

fn meters() -> Meters {
    Meters {
        failing: IntGauge::new("failing", "f").unwrap(),
        written: IntCounter::new("written", "w").unwrap(),
        lost: IntCounter::new("lost", "l").unwrap(),
    }
}

/// Whole days, which the daily sums answer for.
fn days(from: i64, until: i64) -> Span {
    Span {
        from,
        until,
        is_days: true,
    }
}

/// The same time, for which single exchanges are read.
fn rows(from: i64, until: i64) -> Span {
    Span {
        is_days: false,
        ..days(from, until)
    }
}

#[test]
fn an_exchange_its_attempts_and_its_sums_are_written_together() {
    let place = Place::new();
    let (store, meters) = place.start();
    store.write(rescued(NOON));
    store.write(rescued(NOON + 1));
    assert!(store.flush());
    assert_eq!((meters.written.get(), meters.lost.get()), (2, 0));
    assert_eq!(
        place.query(
            "SELECT sequence, request_id, key, route, session, user, status, outcome, target, input,
                output, measure, cost_micro_usd, wasted_input, wasted_output, wasted_micro_usd, held_ms,
                first_token_ms, total_ms FROM exchanges WHERE sequence = 0"
        ),
        ["0 req-1 app support 043a718774c572bd - 200 served b/cheap 100 20 reported 30 100 7 170 12 - 2000"]
    );
    assert_eq!(
        place.query("SELECT sequence, number, target, fate, input, output, measure, cost_micro_usd FROM attempts"),
        [
            "0 0 a/dear wasted 100 7 estimated 170",
            "0 1 b/cheap delivered 100 20 reported 30",
            "1 0 a/dear wasted 100 7 estimated 170",
            "1 1 b/cheap delivered 100 20 reported 30",
        ]
    );
    assert_eq!(
        place.query(
            "SELECT day, key, route, target, fate, exchanges, fell_back, attempts, estimated, input,
                output, cost_micro_usd FROM days"
        ),
        [
            "20779 app support a/dear wasted 0 0 2 2 200 14 340",
            "20779 app support b/cheap delivered 2 2 2 0 200 40 60",
        ]
    );
    assert_eq!(
        place.query("SELECT * FROM spent"),
        ["key:app 00000000000000000000000000000000 day 20779 60"]
    );
    store.close(Duration::from_secs(20));
    let mode = fs::metadata(&place.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_batch_that_is_written_again_changes_nothing() {
    let place = Place::new();
    let mut file = File::open(&place.path, Check::Quick).unwrap();
    let batch: Vec<_> = (0..3)
        .map(|number| (number, Box::new(rescued(NOON))))
        .collect();
    write::batch(&mut file.connection, 7, &batch).unwrap();
    let tables = ["exchanges", "attempts", "days", "spent"];
    let all = || tables.map(|table| place.query(&format!("SELECT * FROM {table}")));
    let once = all();
    write::batch(&mut file.connection, 7, &batch).unwrap();
    assert_eq!(all(), once);
    write::batch(&mut file.connection, 8, &batch[..1]).unwrap();
    assert_eq!(place.query("SELECT count(*) FROM exchanges"), ["4"]);
}

#[test]
fn what_budgets_have_spent_is_there_at_the_next_start() {
    let place = Place::new();
    let (store, _) = place.start();
    let today = Day::of(SystemTime::now());
    let spent = |start: Day, cost| Spent {
        owner: Owner {
            kind: Kind::Route,
            quota: "support".into(),
            instance: Instance([7; 16]),
        },
        per: Period::Month,
        start: Day(start.0),
        amount: MicroUsd(cost),
    };
    for cost in [1, 2] {
        store.write(Entry {
            spent: vec![spent(today, cost), spent(today.before(60), cost)],
            ..rescued(NOON)
        });
    }
    store.close(Duration::from_secs(20));
    let (store, _) = place.start();
    let month: Vec<_> = store
        .spent()
        .iter()
        .filter(|one| one.per == Period::Month)
        .collect();
    assert_eq!(month, [&spent(today, 3)]);
}

#[test]
fn a_damaged_file_is_moved_aside_and_a_new_one_begun() {
    for damage in ["not a database at all, but a few words of text", ""] {
        let place = Place::new();
        let (store, _) = place.start();
        (0..50).for_each(|_| store.write(rescued(NOON)));
        store.close(Duration::from_secs(20));
        let mut bytes = fs::read(&place.path).unwrap();
        if damage.is_empty() {
            // The tables' own pages, behind the schema's.
            let from = bytes.len() / 4;
            bytes[from..].fill(0xa5);
        } else {
            bytes = damage.repeat(100).into_bytes();
        }
        fs::write(&place.path, bytes).unwrap();
        let (store, meters) = place.start();
        store.write(rescued(NOON));
        assert!(store.flush());
        assert_eq!(meters.written.get(), 1);
        assert_eq!(place.query("SELECT count(*) FROM exchanges"), ["1"]);
        assert_eq!(place.aside().len(), 1, "{:?}", place.aside());
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused_in_words_but_for_the_next_one() {
    let place = Place::new();
    drop(File::open(&place.path, Check::Quick).unwrap());
    let set = |version: i64| {
        let connection = Connection::open(&place.path).unwrap();
        connection
            .pragma_update(None, "user_version", version)
            .unwrap();
        connection
    };
    let next = set(VERSION + 1);
    next.execute_batch("ALTER TABLE exchanges ADD COLUMN region TEXT NOT NULL DEFAULT 'here'")
        .unwrap();
    drop(next);
    let (store, meters) = place.start();
    store.write(rescued(NOON));
    store.close(Duration::from_secs(20));
    assert_eq!(meters.written.get(), 1);
    assert_eq!(place.query("SELECT region FROM exchanges"), ["here"]);
    assert_eq!(
        place.query("PRAGMA user_version"),
        [(VERSION + 1).to_string()]
    );

    drop(set(VERSION + 2));
    let refused = Store::start(place.settings(), 10, meters.clone()).unwrap_err();
    let words = refused.to_string();
    assert!(words.contains("newer version of segue"), "{words}");
    assert!(Reader::open(&place.path).is_err());
    assert!(place.aside().is_empty());
}

#[test]
fn an_older_file_is_brought_forward_and_keeps_what_it_has() {
    let place = Place::new();
    let connection = Connection::open(&place.path).unwrap();
    let first = include_str!("../../../tests/fixtures/store/version-1.sql");
    connection.execute_batch(first).unwrap();
    drop(connection);
    let (store, _) = place.start();
    store.write(rescued(NOON));
    store.close(Duration::from_secs(20));
    assert_eq!(place.query("PRAGMA user_version"), [VERSION.to_string()]);
    assert_eq!(
        place.query("SELECT request_id, input FROM exchanges ORDER BY began"),
        ["req-old 11", "req-1 100"]
    );
    let sums = Reader::open(&place.path).unwrap();
    let sums = sums.sums(&days(0, NOON * 2), &[By::Route]).unwrap();
    assert_eq!(
        (sums[0].exchanges, sums[0].delivered.cost),
        (2, MicroUsd(63))
    );
}

#[test]
fn migrations_go_on_where_they_were_and_each_runs_once() {
    let mut connection = Connection::open_in_memory().unwrap();
    let steps = [
        "CREATE TABLE a (x)",
        "ALTER TABLE a ADD COLUMN y DEFAULT 2",
        "INSERT INTO a (x) VALUES (1)",
    ];
    for upto in [1, 1, 2, 3, 3] {
        schema::migrate(&mut connection, &steps[..upto]).unwrap();
    }
    schema::migrate(&mut connection, &steps[..1]).unwrap();
    assert_eq!(schema::version(&connection).unwrap(), 3);
    let row: (i64, i64, i64) = connection
        .query_row("SELECT count(*), x, y FROM a", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(row, (1, 1, 2));
    let broken = [steps[0], steps[1], steps[2], "CREATE TABLE b (x); NONSENSE"];
    assert!(schema::migrate(&mut connection, &broken).is_err());
    assert_eq!(
        schema::version(&connection).unwrap(),
        3,
        "a step goes in whole or not at all"
    );
}

#[test]
fn what_only_a_person_can_mend_is_told_at_the_start() {
    let place = Place::new();
    let start = |path: &Path| {
        let settings = StoreSettings {
            path: path.to_owned(),
            ..place.settings()
        };
        Store::start(settings, 10, meters())
    };
    let open = place.folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let foreign = place.folder.path().join("foreign.db");
    let connection = Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
    for (path, words) in [
        (place.folder.path().join("nowhere/usage.db"), "the folder"),
        (open.join("usage.db"), "written to by everybody"),
        (foreign, "another program"),
        (open.clone(), "cannot be used"),
    ] {
        let error = start(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{}: {error}", path.display());
    }
}

#[test]
fn a_store_that_is_locked_keeps_its_entries_and_writes_them_later() {
    let place = Place::new();
    let (store, meters) = place.start();
    let other = Connection::open(&place.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.write(rescued(NOON));
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while meters.failing.get() == 0 {
        assert!(std::time::Instant::now() < until, "it never failed");
        std::thread::yield_now();
    }
    assert!(store.is_failing());
    let (_, why) = store.state().failing.unwrap();
    assert!(why.contains("locked"), "{why}");
    (0..200).for_each(|_| store.write(rescued(NOON)));
    assert!(meters.lost.get() >= 100, "the queue holds a hundred");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.flush());
    assert_eq!((meters.failing.get(), store.state().failing), (0, None));
    assert_eq!(meters.written.get() + meters.lost.get(), 201);
    let written = place.query("SELECT count(*) FROM exchanges");
    assert_eq!(written, [meters.written.get().to_string()]);
}

#[test]
fn a_file_that_is_taken_away_is_begun_anew() {
    let place = Place::new();
    let (store, meters) = place.start();
    store.write(rescued(NOON));
    assert!(store.flush());
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{}{suffix}", place.path.display());
        fs::rename(&name, format!("{name}.taken")).unwrap();
    }
    store.write(rescued(NOON));
    assert!(store.flush());
    assert_eq!((meters.written.get(), meters.lost.get()), (2, 0));
    assert_eq!(place.query("SELECT count(*) FROM exchanges"), ["1"]);
}

#[test]
fn at_the_end_what_waits_is_written_and_a_disk_that_fails_is_not_waited_for_long() {
    let place = Place::new();
    let (store, meters) = place.start();
    (0..90).for_each(|_| store.write(rescued(NOON)));
    store.close(Duration::from_secs(20));
    assert_eq!(place.query("SELECT count(*) FROM exchanges"), ["90"]);
    store.write(rescued(NOON));
    assert_eq!(meters.lost.get(), 1, "after the end");

    let (store, meters) = place.start();
    let other = Connection::open(&place.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    (0..5).for_each(|_| store.write(rescued(NOON)));
    store.close(Duration::from_millis(100));
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while meters.lost.get() < 5 {
        assert!(std::time::Instant::now() < until, "it never gave up");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_too_old_goes_in_steps_and_its_sums_stay() {
    let place = Place::new();
    let mut file = File::open(&place.path, Check::Quick).unwrap();
    let day = 86_400_000;
    let old = NOON - 31 * day;
    let batch: Vec<_> = (0..2_500_u32)
        .map(|number| {
            let began = if number < 1_200 { old } else { NOON };
            (u64::from(number), Box::new(rescued(began)))
        })
        .collect();
    write::batch(&mut file.connection, 1, &batch).unwrap();
    let month = Duration::from_hours(30 * 24);
    let mut step = |now: i64| prune::step(&mut file.connection, month, at(now)).unwrap();
    assert_eq!(step(NOON), Rest::More);
    assert_eq!(step(NOON), Rest::Nothing);
    assert_eq!(place.query("SELECT count(*) FROM exchanges"), ["1300"]);
    assert_eq!(place.query("SELECT count(*) FROM attempts"), ["2600"]);
    assert_eq!(
        place.query("SELECT sum(exchanges), sum(attempts) FROM days"),
        ["2500 5000"]
    );
    assert_eq!(place.query("SELECT micro_usd FROM spent"), ["75000"]);
    assert_eq!(step(NOON + 380 * day), Rest::More);
    assert_eq!(place.query("SELECT sum(exchanges) FROM days"), ["1300"]);
    assert_eq!(step(NOON + 401 * day), Rest::Nothing);
    assert_eq!(place.query("SELECT count(*) FROM days"), ["0"]);
    assert_eq!(place.query("SELECT count(*) FROM spent"), ["0"]);
}

#[test]
fn absurd_counts_do_not_spoil_the_sums() {
    let place = Place::new();
    let (store, meters) = place.start();
    let absurd = bill(u64::MAX, u64::MAX, Some(u64::MAX), Measure::Reported);
    for _ in 0..20 {
        store.write(Entry {
            attempts: smallvec![attempt("a/m", Some(absurd), Fate::Delivered)],
            ..rescued(NOON)
        });
    }
    assert!(store.flush());
    assert_eq!((meters.written.get(), meters.lost.get()), (20, 0));
    let reader = Reader::open(&place.path).unwrap();
    let sums = reader.sums(&days(0, NOON * 2), &[]).unwrap();
    assert_eq!(sums[0].delivered.cost, MicroUsd(20_000_000_000_000_000));
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let bill = (
        0..5_000_u64,
        0..5_000_u64,
        prop::option::of(0..9_000_u64),
        any::<bool>(),
    )
        .prop_map(|(input, output, cost, is_reported)| {
            let measure = if is_reported {
                Measure::Reported
            } else {
                Measure::Estimated
            };
            bill(input, output, cost, measure)
        });
    let attempts = prop::collection::vec((0..3_usize, prop::option::of(bill), any::<bool>()), 0..4);
    (0..3_i64, 0..2_usize, 0..3_usize, attempts, 0..3_usize).prop_map(
        |(day, key, route, attempts, outcome)| {
            let name = |at: usize| ["a/x", "b/y", "c/z"][at];
            let last = attempts.last().map(|(target, ..)| name(*target));
            let entries = attempts.iter().map(|(target, bill, is_delivered)| {
                let fate = if *is_delivered {
                    Fate::Delivered
                } else {
                    Fate::Wasted
                };
                attempt(name(*target), *bill, fate)
            });
            Entry {
                key: [None, Some("app".into())][key].clone(),
                route: ["r", "s", "t"].get(route).map(|route| (*route).into()),
                outcome: ["served", "failed", "aborted"][outcome],
                target: last.filter(|_| outcome != 1).map(Into::into),
                attempts: entries.collect(),
                ..rescued(NOON + day * 86_400_000)
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The daily sums are those of the single exchanges, by whatever both know, and so is the truth.
    #[test]
    fn sums_agree_with_what_they_are_sums_of(entries in prop::collection::vec(any_entry(), 1..40)) {
        let place = Place::new();
        let (store, _) = place.start();
        for entry in &entries {
            store.write(entry.clone());
        }
        store.close(Duration::from_secs(20));
        let reader = Reader::open(&place.path).unwrap();
        let (from, until) = (20_779 * 86_400_000, 20_783 * 86_400_000);
        for by in [&[][..], &[By::Key], &[By::Route, By::Target], &[By::Day], &[By::Month, By::Key, By::Day]] {
            let summed = reader.sums(&days(from, until), by).unwrap();
            let single = reader.sums(&rows(from, until), by).unwrap();
            prop_assert_eq!(summed, single, "{:?}", by);
        }
        let total = reader.sums(&days(from, until), &[]).unwrap().remove(0);
        let bills = entries.iter().flat_map(|entry| &entry.attempts).filter_map(|one| one.bill);
        let cost: MicroUsd = bills.filter_map(|bill| bill.cost).sum();
        prop_assert_eq!(total.delivered.cost + total.wasted.cost, cost);
        prop_assert_eq!(total.exchanges, entries.len() as u64);
    }
}
