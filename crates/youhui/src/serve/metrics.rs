//! What `/metrics` shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use youhui_decision::Mode;

/// Upper ends of the decision histogram's buckets, in microseconds.
const ENDS: [u64; 12] = [25, 50, 100, 200, 300, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

#[derive(Debug, Default)]
pub(super) struct Metrics {
    accepted: AtomicU64,
    duplicates: AtomicU64,
    rejected: AtomicU64,
    turned_away: AtomicU64,
    webhook_failures: AtomicU64,
    modes: [AtomicU64; 4],
    unlogged: AtomicU64,
    outcomes: AtomicU64,
    buckets: [AtomicU64; ENDS.len()],
    decisions: AtomicU64,
    micros: AtomicU64,
    /// Decision logs that the database refused.
    pub(super) lost: Arc<AtomicU64>,
}

const MODES: [(Mode, &str); 4] =
    [(Mode::Personalised, "personalised"), (Mode::Twin, "twin"), (Mode::Fallback, "fallback"), (Mode::Holdout, "holdout")];

impl Metrics {
    pub(super) fn events(&self, accepted: usize, duplicates: usize, rejected: usize) {
        for (counter, count) in [(&self.accepted, accepted), (&self.duplicates, duplicates), (&self.rejected, rejected)] {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn webhook_failed(&self) {
        self.webhook_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn learnt(&self, outcomes: usize) {
        self.outcomes.fetch_add(outcomes as u64, Ordering::Relaxed);
    }

    /// One decision that took so long, with its places' modes.
    pub(super) fn decision(&self, micros: u64, modes: impl Iterator<Item = Mode>, logged: bool) {
        self.decisions.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(bucket) = ENDS.iter().position(|end| micros <= *end) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        for mode in modes {
            if let Some(place) = MODES.iter().position(|(one, _)| *one == mode) {
                self.modes[place].fetch_add(1, Ordering::Relaxed);
            }
        }
        self.unlogged.fetch_add(u64::from(!logged), Ordering::Relaxed);
    }

    /// In Prometheus's text format. `more` are gauges: name, help, value.
    pub(super) fn text(&self, more: &[(&str, &str, u64)]) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut text = String::new();
        let mut counter = |name: &str, help: &str, values: &[(String, u64)]| {
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} counter\n"));
            values.iter().for_each(|(labels, value)| text.push_str(&format!("{name}{labels} {value}\n")));
        };
        let label = |name: &str, value: &str| format!("{{{name}=\"{value}\"}}");
        counter(
            "youhui_events_total",
            "Messages by what became of them.",
            &[
                (label("result", "accepted"), of(&self.accepted)),
                (label("result", "duplicate"), of(&self.duplicates)),
                (label("result", "rejected"), of(&self.rejected)),
            ],
        );
        let modes: Vec<_> = MODES.iter().zip(&self.modes).map(|((_, name), count)| (label("mode", name), of(count))).collect();
        counter("youhui_places_total", "Places filled by mode.", &modes);
        counter("youhui_decisions_unlogged_total", "Decisions that no log had room for.", &[(String::new(), of(&self.unlogged))]);
        counter("youhui_outcomes_learnt_total", "Decisions whose outcome was learnt from.", &[(String::new(), of(&self.outcomes))]);
        counter(
            "youhui_decision_batches_lost_total",
            "Batches of decisions that the database refused.",
            &[(String::new(), of(&self.lost))],
        );
        counter(
            "youhui_requests_turned_away_total",
            "Requests that found too many others under way, or came too fast.",
            &[(String::new(), of(&self.turned_away))],
        );
        counter("youhui_webhook_failures_total", "Webhooks that were not taken.", &[(String::new(), of(&self.webhook_failures))]);
        let name = "youhui_decision_seconds";
        text.push_str(&format!("# HELP {name} From a request to its answer.\n# TYPE {name} histogram\n"));
        let mut sum = 0;
        for (end, bucket) in ENDS.iter().zip(&self.buckets) {
            sum += of(bucket);
            text.push_str(&format!("{name}_bucket{{le=\"{}\"}} {sum}\n", *end as f64 / 1e6));
        }
        let (count, micros) = (of(&self.decisions), of(&self.micros));
        text.push_str(&format!("{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {}\n{name}_count {count}\n", micros as f64 / 1e6));
        for (name, help, value) in more {
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"));
        }
        text
    }
}
