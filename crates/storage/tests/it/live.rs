//! The database of a served shop. Every test runs on SQLite, and on PostgreSQL where `YOUHUI_TEST_POSTGRES` says where one is:
//! `cargo xtask test --slow` starts one.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use youhui_storage::{DecisionLog, EventBatch, EventLog, Hold, Live, Outcome, Part, State};

/// Each test has names of its own: they share the server.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn part(name: &str, amount: i64) -> Part {
    Part { name: name.to_owned(), amount }
}

const fn hold<'a>(request: &'a [u8], parts: &'a [Part], fresh: &'a [Part], now: i64, expires: i64) -> Hold<'a> {
    Hold { request, amount: 7, parts, fresh, now, expires }
}

fn on_both<F: Future<Output = ()>>(test: impl Fn(Vec<Live>, String) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("live.db").display());
    runtime.block_on(async {
        test(vec![Live::open(&url).await.unwrap()], format!("t{number}-")).await;
    });
    #[allow(clippy::disallowed_methods, reason = "where the tests' database is")]
    let Ok(url) = std::env::var("YOUHUI_TEST_POSTGRES") else {
        eprintln!("not run on PostgreSQL: YOUHUI_TEST_POSTGRES is not set");
        return;
    };
    // Three servers that share one database.
    runtime.block_on(async {
        let mut replicas = vec![];
        for _ in 0..3 {
            replicas.push(Live::open(&url).await.unwrap());
        }
        let run = format!("t{number}-{}-", std::process::id());
        test(replicas, run).await;
    });
}

#[test]
fn a_reservation_is_made_once_and_settled_once() {
    on_both(|replicas, run| async move {
        let live = &replicas[0];
        let (budget, id) = (format!("{run}budget"), format!("{run}r1"));
        assert!(live.set_limit(&budget, 100).await.unwrap());
        let reserve = |id: String, request: &'static [u8], amount| {
            let (live, budget) = (live.clone(), budget.clone());
            async move { live.reserve(&id, hold(request, &[part(&budget, amount)], &[], 10, 20)).await.unwrap() }
        };
        assert_eq!(reserve(id.clone(), b"a", 60).await, Outcome::Done(State::Reserved));
        assert_eq!(reserve(id.clone(), b"a", 60).await, Outcome::Done(State::Reserved), "again");
        assert_eq!(reserve(id.clone(), b"b", 60).await, Outcome::Other);
        assert_eq!(reserve(format!("{run}r2"), b"a", 41).await, Outcome::Full(budget.clone()));
        assert_eq!(reserve(format!("{run}r2"), b"a", 40).await, Outcome::Done(State::Reserved), "what failed left nothing behind");
        let used = || async { live.used(&budget).await.unwrap().map(|used| (used.most, used.reserved, used.committed)) };
        assert_eq!(used().await, Some((100, 100, 0)));
        assert_eq!(live.commit(&id, &[part(&budget, 61)], 11).await.unwrap(), Outcome::TooMuch(budget.clone()));
        assert_eq!(live.commit(&id, &[part(&budget, 50)], 11).await.unwrap(), Outcome::Done(State::Committed));
        assert_eq!(live.commit(&id, &[part(&budget, 50)], 11).await.unwrap(), Outcome::Done(State::Committed), "again");
        assert_eq!(live.release(&id).await.unwrap(), Outcome::Settled(State::Committed));
        assert_eq!(used().await, Some((100, 40, 50)));
        assert!(!live.set_limit(&budget, 89).await.unwrap(), "what is used can't be taken back");
        // Its time runs out: it can't be committed, and is given back once.
        assert_eq!(live.commit(&format!("{run}r2"), &[], 20).await.unwrap(), Outcome::Settled(State::Released));
        live.expire(20).await.unwrap();
        live.expire(20).await.unwrap();
        assert_eq!(used().await, Some((100, 0, 50)));
        assert_eq!(live.release(&format!("{run}r2")).await.unwrap(), Outcome::Done(State::Released));
        assert_eq!(live.commit(&format!("{run}nobody"), &[], 1).await.unwrap(), Outcome::Unknown);
        let nothing =
            live.reserve(&format!("{run}r3"), hold(b"", &[part(&budget, 1), part(&format!("{run}none"), 1)], &[], 1, 2)).await.unwrap();
        assert_eq!(nothing, Outcome::NoLimit(format!("{run}none")));
        assert_eq!(used().await, Some((100, 0, 50)), "all or nothing");
    });
}

/// A thousand at once, on every server: for a hundred codes, each good once, and a budget that fits 37.
#[test]
fn whoever_is_too_late_gets_nothing_and_nobody_gets_too_much() {
    on_both(|replicas, run| async move {
        let replicas = Arc::new(replicas);
        let budget = format!("{run}money");
        replicas[0].set_limit(&budget, 37 * 500 + 499).await.unwrap();
        for code in 0..100 {
            replicas[0].set_limit(&format!("{run}code{code}"), 1).await.unwrap();
        }
        let race = |what: &'static str| {
            let (replicas, run, budget) = (Arc::clone(&replicas), run.clone(), budget.clone());
            async move {
                let mut tasks = vec![];
                for number in 0..1_000_usize {
                    let (replicas, run, budget) = (Arc::clone(&replicas), run.clone(), budget.clone());
                    tasks.push(tokio::spawn(async move {
                        let live = &replicas[number % replicas.len()];
                        let parts = if what == "codes" {
                            vec![part(&format!("{run}code{}", number % 100), 1)]
                        } else {
                            // A customer's own limit beside: made on the way.
                            vec![part(&budget, 500), part(&format!("{run}customer{number}"), 1)]
                        };
                        let fresh = vec![part(&format!("{run}customer{number}"), 1)];
                        let id = format!("{run}{what}{number}");
                        let done = live.reserve(&id, hold(b"", &parts, &fresh, 0, 1_000)).await.unwrap() == Outcome::Done(State::Reserved);
                        if done {
                            assert_eq!(live.commit(&id, &[], 1).await.unwrap(), Outcome::Done(State::Committed));
                        }
                        u64::from(done)
                    }));
                }
                let mut done = 0;
                for task in tasks {
                    done += task.await.unwrap();
                }
                done
            }
        };
        assert_eq!(race("codes").await, 100);
        assert_eq!(race("money").await, 37);
        let used = replicas[0].used(&budget).await.unwrap().unwrap();
        assert_eq!((used.reserved, used.committed), (0, 37 * 500));
    });
}

#[test]
fn what_is_appended_is_read_back_in_order() {
    on_both(|replicas, run| async move {
        let live = &replicas[0];
        let (log, writer) = EventLog::start(live.clone());
        let mark = format!("{run}batch");
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let (log, payload) = (log.clone(), format!("{mark}{number}").into_bytes());
                tokio::spawn(async move { log.append(EventBatch { received: number, events: 1, payload, ..EventBatch::default() }).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        drop(log);
        writer.await.unwrap();
        let (mut after, mut found) = (0, vec![]);
        loop {
            let batches = live.events_after(after).await.unwrap();
            let Some((last, _)) = batches.last() else { break };
            after = *last;
            found.extend(batches.into_iter().map(|(_, payload)| payload).filter(|payload| payload.starts_with(mark.as_bytes())));
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 50);
    });
}

#[test]
fn decisions_are_found_by_their_identifier() {
    on_both(|replicas, _| async move {
        let live = &replicas[0];
        let (log, writer) = DecisionLog::start(live.clone(), |error| panic!("{error}"));
        let id = |number: u8| {
            let mut id = [number; 16];
            id[0] = u8::try_from(std::process::id() % 251).unwrap();
            id
        };
        for number in 0..100 {
            assert!(log.record(id(number), &[number, 7]));
        }
        log.stop();
        writer.await.unwrap();
        assert!(live.decisions_near(id(42)).await.unwrap().contains(&vec![42, 7]));
        assert!(live.decisions_near([0xff; 16]).await.unwrap().is_empty());
        live.keep_snapshot(3, 0, b"three").await.unwrap();
        live.keep_snapshot(4, 0, b"four").await.unwrap();
        assert_eq!(live.snapshot(Some(3)).await.unwrap().as_deref(), Some(&b"three"[..]));
        assert_eq!(live.snapshot(None).await.unwrap().as_deref(), Some(&b"four"[..]));
        assert_eq!(live.snapshot(Some(5)).await.unwrap(), None);
    });
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("live.db").display());
    runtime.block_on(async {
        drop(Live::open(&url).await.unwrap());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::query("INSERT INTO schema_version (version) VALUES (99)").execute(&pool).await.unwrap();
        let refused = Live::open(&url).await.unwrap_err().to_string();
        assert!(refused.contains("schema 99"), "{refused}");
        let nowhere = Live::open("postgres://127.0.0.1:1/youhui").await.unwrap_err().to_string();
        assert!(nowhere.contains("can't be reached"), "{nowhere}");
    });
}
