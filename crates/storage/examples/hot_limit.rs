//! How many reservations a second one limit gives to several servers on one PostgreSQL, taken from slices or from its one row.
//!
//! `cargo run --release -p youhui-storage --example hot_limit -- postgres://USER@HOST/DATABASE [SERVERS] [CLIENTS]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement: fails loudly, and prints")]

use std::time::Instant;

use youhui_storage::{Hold, Live, Outcome, Part, State};

const SECONDS: u64 = 5;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the first argument is a database");
    let mut number = |default: usize| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (servers, clients) = (number(3), number(8));
    let mut replicas = vec![];
    for _ in 0..servers {
        replicas.push(Live::open(&url).await.unwrap());
    }
    // A code of one's own is never sliced: the same limit by that name is the one row.
    for (what, name) in [
        ("one row", "code:hot-limit"),
        ("slices", "promotion:hot-limit:money"),
        ("one row", "code:again"),
        ("slices", "promotion:again:money"),
    ] {
        replicas[0].set_limit(name, i64::MAX / 2).await.unwrap();
        let begun = Instant::now();
        let mut tasks = vec![];
        for client in 0..servers * clients {
            let live = replicas[client % servers].clone();
            tasks.push(tokio::spawn(async move {
                let mut done = 0_u64;
                while begun.elapsed().as_secs() < SECONDS {
                    let id = format!("{name} {client} {done} {:?}", begun);
                    let parts = [Part { name: name.to_owned(), amount: 10 }];
                    let hold = Hold { request: b"", amount: 10, parts: &parts, fresh: &[], now: 1, expires: 2 };
                    assert_eq!(live.reserve(&id, hold).await.unwrap(), Outcome::Done(State::Reserved));
                    done += 1;
                }
                done
            }));
        }
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        println!(
            "{what}: {:.0} reservations a second, {servers} servers with {clients} clients each",
            sum as f64 / begun.elapsed().as_secs_f64()
        );
    }
}
