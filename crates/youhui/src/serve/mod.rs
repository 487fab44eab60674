//! The server: events in, decisions out.
//!
//! `segment` (a message as an event) → `collect` (kept in the log, then counted) → `customers` (what is known, and whether it
//! may be) → `decisions` and `ofrep` (what to show) → the log of decisions, from which each can be made again.

mod access;
mod audit;
mod campaigns;
mod collect;
mod connections;
mod customers;
mod decisions;
mod dry_run;
mod erasure;
mod follow;
mod guard;
mod learn;
mod metrics;
pub(crate) mod offers;
mod ofrep;
mod outcomes;
mod pacing;
mod predictions;
mod problem;
mod reservations;
mod segment;
mod signal;
mod state;
mod tls;
mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tower_http::decompression::RequestDecompressionLayer;
use youhui_commerce::Currency;
use youhui_privacy::{ConsentLedger, IdentityKeys, IdentityRow, IdentityVault};
use youhui_storage::{DecisionLog, EventLog, Live as Database, LiveError, Others};

use crate::cli::{CliError, Console};
use learn::Learning;
use offers::{Live, Part, Settings};
use problem::{Code, Problem};
use state::Shop;

pub(crate) use access::{Keys, Role};
pub(crate) use audit::{Audit, Said};
pub(crate) use customers::Customers;
pub(crate) use decisions::{Explained, Record, Snapshots, find, snapshot_of};
pub(crate) use guard::Guard;
pub(crate) use outcomes::{Bought, Outcomes, Shown, Unit, Windows, outcomes};
pub(crate) use predictions::{ID as PREDICTION_ID, Predictions};
pub(crate) use tls::tls;
pub(crate) use webhooks::Webhooks;

/// Largest body, unpacked.
const MOST_BODY: usize = 8 << 20;
/// A request that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server starts from.
pub(crate) struct Start {
    pub(crate) folder: PathBuf,
    /// What it goes by, and offers beside its campaigns.
    pub(crate) settings: Settings,
    pub(crate) base: Part,
    pub(crate) database: Database,
    pub(crate) identity_keys: IdentityKeys,
    pub(crate) identities: Vec<IdentityRow>,
    pub(crate) consent: ConsentLedger,
    pub(crate) predictions: Predictions,
    pub(crate) keys: Keys,
    pub(crate) audit: Audit,
    pub(crate) guard: Guard,
    pub(crate) webhooks: Option<Webhooks>,
}

/// Everything that answers, and what has to end after it.
pub(crate) struct Server {
    shop: Arc<Shop>,
    events: tokio::task::JoinHandle<()>,
    decisions: tokio::task::JoinHandle<()>,
    learning: Learning,
    base: Part,
    /// Changes that count already.
    changed: i64,
    /// Where the logs were read to.
    ends: Others,
    webhooks: Option<Webhooks>,
    console: Console,
}

impl Server {
    /// Reads what was left and gets ready.
    pub(crate) async fn start(start: Start, imported: impl FnOnce(&Customers), console: Console) -> Result<Self, CliError> {
        let Start {
            folder,
            settings,
            base,
            database,
            mut identity_keys,
            mut identities,
            consent,
            predictions,
            keys,
            audit,
            guard,
            webhooks,
        } = start;
        // What comes after this is read when the server follows the others.
        let mut ends = database.ends().await?;
        // The longest part of a start: it goes on while the log of events is read.
        let own = database.clone();
        let known = tokio::spawn(async move { own.identities().await });
        let message_key = identity_keys.event;
        let mut learning = Learning::open(&database).await?;
        let (event_log, events) = EventLog::start(database.clone());
        let lost = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&lost);
        let failed = move |error: &youhui_storage::LiveError| {
            count.fetch_add(1, Ordering::Relaxed);
            console.say(&format!("decisions were not written down: {error}"));
        };
        let (decision_log, decisions) = DecisionLog::start(database.clone(), failed);
        let customers = Customers::new(consent);
        imported(&customers);
        let mut metrics = metrics::Metrics::default();
        metrics.lost = lost;
        let last = last_version(&database).await?;
        let live = Live::new(settings, last);
        let erased = youhui_storage::suppression(&folder, &identity_keys)?;
        let parts = state::Parts {
            live,
            message_key,
            customers,
            predictions,
            database,
            events: event_log,
            decisions: decision_log,
            keys,
            audit,
            folder,
            metrics,
            erased,
            guard,
            base: base.campaign_id.clone(),
        };
        let shop = Shop::new(parts);
        keep_currency(&shop.database, shop.currency).await?;
        let changed = shop.database.changed().await?;
        offer(&shop, &mut learning, &base, console).await?;
        let (entries, brought_back, last) = shop.recover().await?;
        ends.events = last;
        identities.extend(known.await.map_err(|error| CliError::usage(error.to_string()))??);
        let erased = shop.erased.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let (identities, back) =
            erasure::again(&shop.folder, &shop.database, &mut identity_keys, &erased, identities, brought_back > 0).await?;
        back.iter().for_each(|subject| shop.forget(*subject));
        if !back.is_empty() || brought_back > 0 {
            let back = back.len();
            console.say(&format!("{back} customers who were erased had come back with a backup: erased again"));
        }
        shop.know(IdentityVault::new(identity_keys, identities).map_err(|error| CliError::usage(error.to_string()))?);
        console.say(&format!("{} customers known, {entries} entries of the event log read", shop.customers.len()));
        let shop = Arc::new(shop);
        predictions::look(&shop, console).await;
        Ok(Self { shop, events, decisions, learning, base, changed, ends, webhooks, console })
    }

    /// Answers until told to stop, then writes down what there is.
    pub(crate) async fn run(
        self,
        listener: tokio::net::TcpListener,
        tls: Option<tokio_rustls::TlsAcceptor>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), CliError> {
        let Self { shop, events, decisions, learning, base, changed, ends, webhooks, console } = self;
        let mut tasks = vec![
            tokio::spawn(watch_limits(Arc::clone(&shop))),
            tokio::spawn(learn(Arc::clone(&shop), learning, base, changed, console)),
            tokio::spawn(predictions::follow(Arc::clone(&shop), console)),
            tokio::spawn(pacing::pace(Arc::clone(&shop), console)),
        ];
        if shop.database.is_shared() {
            tasks.push(tokio::spawn(follow::follow(Arc::clone(&shop), ends, console)));
        }
        if let Some(webhooks) = webhooks {
            tasks.push(tokio::spawn(webhooks::tell(Arc::clone(&shop), webhooks, console)));
        }
        connections::serve(listener, tls, router(Arc::clone(&shop)), stop, PATIENCE).await;
        for task in tasks {
            task.abort();
            task.await.ok();
        }
        shop.decisions.stop();
        // The last handle of the event log goes with the shop.
        drop(shop);
        let ended = tokio::time::timeout(PATIENCE, async {
            decisions.await.ok();
            events.await.ok();
        });
        if ended.await.is_err() {
            return Err(CliError::usage("the logs could not be closed in ten seconds: what was acknowledged is on disk all the same"));
        }
        Ok(())
    }
}

/// The setting that says in which currencies the shop was served, one after the other.
const CURRENCIES: &str = "currencies";

/// Orders are kept without a currency: whoever reads them later has to know in which they were.
async fn keep_currency(database: &youhui_storage::Live, currency: Currency) -> Result<(), LiveError> {
    let mut known = currencies(database).await?;
    if known.contains(&currency) {
        return Ok(());
    }
    known.push(currency);
    let codes: Vec<&str> = known.iter().map(Currency::code).collect();
    database.keep_setting(CURRENCIES, &codes.join(" ")).await
}

/// In which currencies the shop was served; none, if only before that was kept.
async fn currencies(database: &youhui_storage::Live) -> Result<Vec<Currency>, LiveError> {
    let kept = database.setting(CURRENCIES).await?.unwrap_or_default();
    Ok(kept.split(' ').filter_map(|code| code.parse().ok()).collect())
}

fn router(shop: Arc<Shop>) -> Router {
    // Segment's libraries send their batches packed; a layer that nobody else needs costs every decision its share.
    let events = Router::new()
        .route("/v1/batch", post(collect::batch))
        .route("/v1/import", post(collect::batch))
        .route("/v1/track", post(collect::track))
        .route("/v1/identify", post(collect::identify))
        .route("/v1/page", post(collect::page))
        .route("/v1/screen", post(collect::screen))
        .route("/v1/group", post(collect::group))
        .route("/v1/alias", post(collect::alias))
        .layer(RequestDecompressionLayer::new());
    Router::new()
        .merge(events)
        .route("/v1/decisions", post(decisions::ask))
        .route("/v1/decisions/{id}", get(decisions::explain))
        .route("/v1/reservations", post(reservations::reserve))
        .route("/v1/reservations/{id}", get(reservations::show))
        .route("/v1/reservations/{id}/commit", post(reservations::commit))
        .route("/v1/reservations/{id}/release", post(reservations::release))
        .route("/v1/codes", post(reservations::codes))
        .route("/v1/campaigns", get(campaigns::list).post(campaigns::create))
        .route("/v1/campaigns/{id}", get(campaigns::show).put(campaigns::edit))
        .route("/v1/campaigns/{id}/{action}", post(campaigns::step))
        .route("/v1/stop", get(campaigns::stopped).post(campaigns::stop).delete(campaigns::go_on))
        .route("/v1/audit", get(campaigns::audit))
        .route("/v1/privacy/erasures", post(erasure::erase))
        .route("/v1/privacy/objections", post(erasure::object))
        .route("/v1/privacy/consent", post(erasure::consent))
        .route("/ofrep/v1/evaluate/flags", post(ofrep::all))
        .route("/ofrep/v1/evaluate/flags/{key}", post(ofrep::one))
        .route("/.well-known/gpc.json", get(|| async { Json(json!({"gpc": true, "lastUpdate": "2026-11-28"})) }))
        .route_layer(axum::middleware::from_fn_with_state(Arc::clone(&shop), guard::pass))
        // Outside of the guard: whoever watches the server wants to know how it is when it is busiest.
        .route("/health", get(|| async { Json(json!({"status": "up"})) }))
        .route("/ready", get(ready))
        .route("/metrics", get(measured))
        .route("/openapi.json", get(described))
        .fallback(|| async { Problem::new(Code::NotFound, "there is no such path") })
        .method_not_allowed_fallback(|| async { Problem::new(Code::Method, "see docs/serving.md for what each path takes") })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .with_state(shop)
}

/// Gives back what was held for too long, and stops showing what nothing is left of.
async fn watch_limits(shop: Arc<Shop>) {
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tick.tick().await;
        // A database that fails here is tried again; whoever reserves is told.
        shop.database.expire(crate::cli::now()).await.ok();
        let live = shop.live.load_full();
        for ready in &live.offered.ready {
            if let Ok(exhausted) = reservations::is_exhausted(&shop.database, ready.promotion()).await {
                ready.exhausted.store(exhausted, Ordering::Relaxed);
            }
        }
    }
}

/// Has the shop offer what it was started with and what its campaigns say by now. Limits are there before anything is shown.
async fn offer(shop: &Shop, learning: &mut Learning, base: &Part, console: Console) -> Result<(), LiveError> {
    // Again, where somebody paused something here while it was read.
    let (parts, generation) = loop {
        let generation = shop.generation.load(Ordering::SeqCst);
        let parts = campaigns::reload(shop, &shop.live.load().offered.settings, base, console).await?;
        if shop.generation.load(Ordering::SeqCst) == generation {
            break (parts, generation);
        }
    };
    for ready in parts.iter().map(|part| &part.ready) {
        for refused in reservations::make_limits(&shop.database, ready).await? {
            console.say(&refused);
        }
    }
    let next = shop.live.load().with(&parts);
    let next = learning.take_up(&shop.database, next).await?;
    let ready = next.offered.ready.clone();
    shop.live.store(Arc::new(next));
    if shop.generation.load(Ordering::SeqCst) != generation {
        // At the last moment: nothing of a campaign is shown until it is read again, which is at once.
        let base: Vec<*const offers::Ready> = base.ready.iter().map(Arc::as_ptr).collect();
        ready.iter().filter(|ready| !base.contains(&Arc::as_ptr(ready))).for_each(|ready| ready.withdrawn.store(true, Ordering::Relaxed));
        return Err(LiveError::Refused("a campaign was changed meanwhile".to_owned()));
    }
    Ok(())
}

/// The last version that a snapshot has.
async fn last_version(database: &Database) -> Result<u64, LiveError> {
    let last = database.snapshot(None).await?;
    let last: Option<youhui_decision::Snapshot> = last.and_then(|bytes| postcard::from_bytes(&bytes).ok());
    Ok(last.map_or(0, |snapshot| snapshot.version))
}

/// How often it is looked for what another server has changed.
const LOOK: Duration = Duration::from_millis(250);

/// Makes what decisions are made with: from what people change, at once, and from what is over, a thousand times a window, for
/// beliefs don't change faster, and each change is kept. Nothing else does, so that neither undoes the other.
async fn learn(shop: Arc<Shop>, mut learning: Learning, base: Part, mut seen: i64, console: Console) {
    let window = Duration::from_micros(u64::try_from(shop.live.load().offered.settings.window).unwrap_or(0));
    let mut tick = tokio::time::interval((window / 1000).clamp(Duration::from_secs(1), Duration::from_secs(1800)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    if let Err(error) = learn::stand_again(&shop).await {
        console.say(&format!("decisions of before the start don't stand: {error}"));
    }
    loop {
        tokio::select! {
            _ = tick.tick() => match learning.update(&shop, console).await {
                Ok(outcomes) => shop.metrics.learnt(outcomes),
                // Tried again: nothing is lost by learning later.
                Err(error) => console.say(&format!("nothing was learnt: {error}")),
            },
            _ = look.tick() => {}
            () = shop.changes.notified() => {}
        }
        // A database that fails here is asked again.
        let Ok(changed) = shop.database.changed().await else { continue };
        if seen != changed {
            match offer(&shop, &mut learning, &base, console).await {
                Ok(()) => seen = changed,
                Err(error) => console.say(&format!("what was changed does not count yet: {error}")),
            }
        }
    }
}

/// Whether the database answers. A stream that does not keeps nobody from decisions: it is said, and no reason to send requests elsewhere.
async fn ready(State(shop): State<Arc<Shop>>) -> Result<Json<serde_json::Value>, Problem> {
    shop.database.ping().await?;
    let events = if shop.database.event_stream().await.is_ok() { "taken" } else { "refused" };
    Ok(Json(json!({"status": "ready", "snapshot": shop.live.load().snapshot.version, "events": events})))
}

/// What there is to ask, as OpenAPI 3.1.
async fn described() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

async fn measured(State(shop): State<Arc<Shop>>) -> Response {
    let gauges = [
        ("youhui_customers", "Customers with a profile.", shop.customers.len() as u64),
        ("youhui_profile_reads", "Times a profile was read for a decision.", shop.customers.reads()),
        ("youhui_objections_unsaved", "Customers whose objection is in effect and not on disk yet.", shop.unsaved()),
        ("youhui_predicted_customers", "Customers of whom the response model has said something.", shop.predictions.count()),
        ("youhui_requests_under_way", "Requests that are being answered.", shop.under_way.count() as u64),
        ("youhui_snapshot_version", "What decisions are made with.", shop.live.load().snapshot.version),
    ];
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shop.metrics.text(&gauges)).into_response()
}

/// The database of a folder, where no other is named.
pub(crate) fn database_of(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("live.db").display())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    /// Every path that is answered is described, and no other.
    #[test]
    fn the_description_has_every_path() {
        let described: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let described: BTreeSet<&str> = described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let source = include_str!("mod.rs").split("mod tests").next().unwrap();
        let answered: BTreeSet<&str> = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(answered, described);
    }
}
