//! The database of a served shop. Every test runs on SQLite, and on PostgreSQL where `YOUHUI_TEST_POSTGRES` says where one is:
//! `cargo xtask test --slow` starts one.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use youhui_commerce::SubjectId;
use youhui_privacy::IdentityRow;
use youhui_storage::{ApiKey, Change, DecisionLog, EventBatch, EventLog, Hold, Live, Outcome, Part, State, Written};

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
    #[allow(clippy::disallowed_methods, reason = "where the tests' stream is")]
    let Ok(nats) = std::env::var("YOUHUI_TEST_NATS") else {
        eprintln!("not run on NATS: YOUHUI_TEST_NATS is not set");
        return;
    };
    // The same with events in a stream, which belongs to one database.
    let name = format!("youhui_live_{number}_{}", std::process::id());
    let made = std::process::Command::new("psql").args([&url, "-qc", &format!("CREATE DATABASE {name}")]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let url = format!("{}/{name}", url.rsplit_once('/').unwrap().0);
    runtime.block_on(async {
        let mut replicas = vec![];
        for _ in 0..3 {
            replicas.push(Live::open(&url).await.unwrap().with_events(Some(&format!("{nats}/{name}")), None).await.unwrap());
        }
        test(replicas, format!("t{number}-")).await;
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

#[test]
fn a_change_and_its_row_of_the_audit_log_are_written_together() {
    on_both(|replicas, run| async move {
        // Numbers of this run's own: tests share the server, and the log.
        let first = u64::from(std::process::id()) * 1_000_000 + u64::from(blake3::hash(run.as_bytes()).as_bytes()[0]) * 1000;
        let live = &replicas[0];
        let id = format!("{run}winter");
        let campaign = |after, document: &'static [u8]| Change::Campaign { id: &id, after, document };
        let before = live.changed().await.unwrap();
        assert_eq!(live.change(campaign(0, b"one"), (first, b"row")).await.unwrap(), Written::Done);
        assert_eq!(live.change(campaign(0, b"two"), (first + 1, b"row")).await.unwrap(), Written::Stale, "there is one");
        assert_eq!(live.change(campaign(1, b"two"), (first, b"row")).await.unwrap(), Written::Taken, "of the log");
        assert_eq!(live.campaign(&id).await.unwrap(), Some((1, b"one".to_vec())), "neither of them wrote anything");
        // Three who change it at once: one of them does.
        let tries = (0..9).map(|number| {
            let (live, id) = (replicas[number % replicas.len()].clone(), id.clone());
            tokio::spawn(async move {
                let change = Change::Campaign { id: &id, after: 1, document: b"three" };
                live.change(change, (first + 10 + number as u64, b"row")).await.unwrap()
            })
        });
        let mut done = 0;
        for one in tries.collect::<Vec<_>>() {
            done += usize::from(one.await.unwrap() == Written::Done);
        }
        assert_eq!(done, 1);
        assert!(live.changed().await.unwrap() >= before + 2);
        let key = ApiKey { name: format!("{run}ana"), role: "marketer".to_owned(), hash: vec![1; 32], made: 5, revoked: None };
        assert_eq!(live.change(Change::NewKey(&key), (first + 100, b"row")).await.unwrap(), Written::Done);
        assert_eq!(live.change(Change::NewKey(&key), (first + 101, b"row")).await.unwrap(), Written::Stale);
        assert_eq!(live.change(Change::Revoke { name: &key.name, time: 9 }, (first + 102, b"row")).await.unwrap(), Written::Done);
        assert_eq!(live.change(Change::Revoke { name: &key.name, time: 9 }, (first + 103, b"row")).await.unwrap(), Written::Stale);
        let found = live.api_keys().await.unwrap().into_iter().find(|found| found.name == key.name);
        assert_eq!(found, Some(ApiKey { revoked: Some(9), ..key }));
    });
}

#[test]
fn erasure_takes_out_one_customer_and_leaves_the_others() {
    on_both(|replicas, run| async move {
        let live = &replicas[0];
        let subject = |number: u8| SubjectId::from_bytes([number ^ blake3::hash(run.as_bytes()).as_bytes()[number as usize]; 16]);
        let (anna, bob) = (subject(1), subject(2));
        let (log, writer) = EventLog::start(live.clone());
        let row = |subject: SubjectId, name: &str| IdentityRow {
            key_version: 1,
            lookup: *blake3::hash(format!("{run}{name}").as_bytes()).as_bytes(),
            subject,
            sealed: vec![1],
        };
        let payload = format!("{anna} one\n{bob} two\n{anna} three\n").into_bytes();
        let identities = vec![row(anna, "anna"), row(bob, "bob")];
        log.append(EventBatch { received: 1, events: 3, payload, identities, rejected: vec![(run.clone(), "words".to_owned())] })
            .await
            .unwrap();
        let limit = |subject: SubjectId| format!("promotion:{run}:customer:{subject}:uses");
        let holds = [limit(anna), limit(bob)];
        for (number, limit) in holds.iter().enumerate() {
            let fresh = [part(limit, 1)];
            let done = live.reserve(&format!("{run}r{number}"), hold(b"a", &[part(limit, 1)], &fresh, 1, i64::MAX)).await.unwrap();
            assert_eq!(done, Outcome::Done(State::Reserved));
        }
        let of_anna = anna.to_string();
        let rewrite = |payload: &[u8]| {
            let text = String::from_utf8_lossy(payload).into_owned();
            text.contains(&of_anna).then(|| {
                text.lines().filter(|line| !line.contains(&of_anna)).map(|line| format!("{line}\n")).collect::<String>().into_bytes()
            })
        };
        // Twice: an erasure that was interrupted is done again.
        for _ in 0..2 {
            live.erase(&[anna], &rewrite, &|_| true).await.unwrap();
        }
        let known: Vec<SubjectId> =
            live.identities().await.unwrap().into_iter().map(|row| row.subject).filter(|one| [anna, bob].contains(one)).collect();
        assert_eq!(known, [bob]);
        let (mut after, mut all) = (0, String::new());
        while let Some((last, _)) = live.events_after(after).await.unwrap().last() {
            let batches = live.events_after(after).await.unwrap();
            all.extend(batches.iter().map(|(_, payload)| String::from_utf8_lossy(payload).into_owned()));
            after = *last;
        }
        assert!(!all.contains(&of_anna) && all.contains(&format!("{bob} two")), "{all}");
        assert_eq!(live.used(&holds[0]).await.unwrap(), None);
        assert!(live.used(&holds[1]).await.unwrap().is_some());
        drop(log);
        writer.await.unwrap();
    });
}

/// A limit that many take from at once, with one of the servers gone in the middle: what it had leased is used by the others, to the last unit.
#[test]
fn a_limit_in_slices_is_used_to_the_last_unit() {
    on_both(|replicas, run| async move {
        const MOST: i64 = 100_000;
        const LATER: i64 = 3_600_000_000;
        let budget = format!("{run}slices");
        assert!(replicas[0].set_limit(&budget, MOST).await.unwrap());
        let mut tasks = vec![];
        for number in 0..300_i64 {
            let (live, budget) = (replicas[usize::try_from(number).unwrap() % replicas.len()].clone(), budget.clone());
            let id = format!("{run}s{number}");
            tasks.push(tokio::spawn(async move {
                let parts = [part(&budget, 90 + number % 20)];
                let done = live.reserve(&id, hold(b"", &parts, &[], 1, LATER)).await.unwrap();
                assert_eq!(done, Outcome::Done(State::Reserved));
                match number % 3 {
                    0 => assert_eq!(live.commit(&id, &[part(&budget, 80)], 2).await.unwrap(), Outcome::Done(State::Committed)),
                    1 => assert_eq!(live.release(&id).await.unwrap(), Outcome::Done(State::Released)),
                    _ => {}
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let used = || async { replicas[0].used(&budget).await.unwrap().unwrap() };
        let held: i64 = (0..300).filter(|number| number % 3 == 2).map(|number| 90 + number % 20).sum();
        assert_eq!((used().await.reserved, used().await.committed), (held, 8_000));
        assert!(!replicas[0].set_limit(&budget, held + 7_999).await.unwrap(), "what is used can't be taken back");
        // The last server answers no more, and has slices.
        let last = &replicas[0];
        let mut left = MOST - held - 8_000;
        for number in 0.. {
            let amount = left.min(997);
            if amount == 0 {
                break;
            }
            let id = format!("{run}t{number}");
            let parts = [part(&budget, amount)];
            assert_eq!(last.reserve(&id, hold(b"", &parts, &[], 3, LATER)).await.unwrap(), Outcome::Done(State::Reserved), "{left} left");
            left -= amount;
        }
        let none = last.reserve(&format!("{run}u"), hold(b"", &[part(&budget, 1)], &[], 3, LATER)).await.unwrap();
        assert_eq!(none, Outcome::Full(budget.clone()));
        // Leases end, reservations end: what was used stays used, and all else is there again.
        last.expire(LATER - 1).await.unwrap();
        assert_eq!((used().await.reserved, used().await.committed), (MOST - 8_000, 8_000));
        while used().await.reserved > 0 {
            last.expire(LATER).await.unwrap();
        }
        last.expire(2 * LATER).await.unwrap();
        assert_eq!((used().await.reserved, used().await.committed), (0, 8_000));
        assert!(last.set_limit(&budget, 8_000).await.unwrap());
        let none = last.reserve(&format!("{run}v"), hold(b"", &[part(&budget, 1)], &[], 3, LATER)).await.unwrap();
        assert_eq!(none, Outcome::Full(budget.clone()));
    });
}
