//! `youhui serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use youhui_commerce::EventTable;
use youhui_privacy::{ConsentLedger, Status};
use youhui_profile::live::LiveProfile;
use youhui_storage::{Live as Database, LiveError, Store};

use super::{CliError, Console};
use crate::serve::offers::{Part, Settings, Shelves, read};
use crate::serve::{Audit, Guard, Keys, Predictions, Role, Said, Server, Start, Webhooks, database_of, tls};

/// Serve a shop: take its events (Segment's wire), decide what each customer sees (`/v1/decisions`, OFREP), learn from neither
/// what a person did not allow.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The shop's folder: a store that `youhui import` made, or a new one.
    #[arg(long, value_name = "DIR", default_value = "youhui-shop")]
    store: PathBuf,
    /// What is offered: a file of offers, or what `youhui design --format json` printed.
    #[arg(long, value_name = "FILE")]
    offers: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787", env = "YOUHUI_LISTEN")]
    listen: SocketAddr,
    /// `postgres://…`, or `sqlite:PATH`; a file in the shop's folder if absent.
    #[arg(long, value_name = "URL", env = "YOUHUI_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Where events go: `nats://HOST:PORT/STREAM` for NATS JetStream; to the database if absent.
    #[arg(long, value_name = "URL", env = "YOUHUI_EVENTS", hide_env_values = true)]
    events: Option<String>,
    /// A file of credentials for it (`.creds`).
    #[arg(long, value_name = "FILE", requires = "events", env = "YOUHUI_EVENTS_CREDENTIALS")]
    events_credentials: Option<PathBuf>,
    /// What the response model says of each customer: a table that `youhui response predict --id` wrote, read again when it changes. Its
    /// treatments are promotions by their promotion_id.
    #[arg(long, value_name = "FILE", env = "YOUHUI_PREDICTIONS")]
    predictions: Option<PathBuf>,
    /// Minor units that one unit of its outcome is worth: 100 where it is a profit in euros, a mean order's profit where it is a conversion.
    #[arg(long, value_name = "N", default_value_t = 1.0, env = "YOUHUI_PREDICTION_VALUE")]
    prediction_value: f64,
    /// Who sends events gives one of these keys.
    #[arg(long = "write-key", value_name = "KEY", env = "YOUHUI_WRITE_KEY", hide_env_values = true, value_delimiter = ',')]
    write_keys: Vec<String>,
    /// Who asks for decisions gives one of these keys.
    #[arg(long = "secret-key", value_name = "KEY", env = "YOUHUI_SECRET_KEY", hide_env_values = true, value_delimiter = ',')]
    secret_keys: Vec<String>,
    /// A chain of certificates, as PEM: the server speaks TLS then, and nothing else.
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "YOUHUI_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "YOUHUI_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Requests a second of one key; 0: as many as go.
    #[arg(long, value_name = "N", default_value_t = 0, env = "YOUHUI_RATE_LIMIT")]
    rate_limit: u32,
    /// Requests at once; more are turned away at once.
    #[arg(long, value_name = "N", default_value_t = 2048, env = "YOUHUI_MOST_REQUESTS")]
    most_requests: usize,
    /// Whom to tell what is written to the audit log; may be given several times.
    #[arg(long = "webhook", value_name = "URL", env = "YOUHUI_WEBHOOK", hide_env_values = true, value_delimiter = ',')]
    webhooks: Vec<String>,
    /// What webhooks are signed with: `whsec_` and 24 to 64 bytes in base64.
    #[arg(long, value_name = "SECRET", env = "YOUHUI_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    /// How the server says what it does, on stderr.
    #[arg(long, value_enum, default_value = "text", env = "YOUHUI_LOG")]
    log: LogFormat,
    /// Write down every request, by its route and without identifiers; otherwise those that fail by the server's fault.
    #[arg(long, env = "YOUHUI_LOG_REQUESTS")]
    log_requests: bool,
    /// Whether customers who said nothing are personalised; a store has its own default.
    #[arg(long, value_enum, default_value = "denied")]
    consent_default: ConsentDefault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ConsentDefault {
    Granted,
    Denied,
}

impl From<LiveError> for CliError {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Unreachable(_) | LiveError::NoStream(_) => Self::unreachable(error.to_string()),
            other => Self::usage(other.to_string()),
        }
    }
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let console = Console { as_json: args.log == LogFormat::Json, ..console };
    let runtime = runtime()?;
    runtime.block_on(serve(args, console))
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| CliError::usage(format!("threads: {error}")))
}

async fn serve(args: &Args, console: Console) -> Result<(), CliError> {
    let shop = ShopFolder::open(args)?;
    let database = Database::open(&args.database.clone().unwrap_or_else(|| database_of(&args.store))).await?;
    let (settings, base) = offers_of(args)?;
    if args.write_keys.iter().chain(&args.secret_keys).any(|key| key.trim().is_empty()) {
        return Err(CliError::usage(
            "--write-key, --secret-key: one of them is empty, and would let everybody in: leave it out, or give a key",
        ));
    }
    if !(args.prediction_value.is_finite() && args.prediction_value > 0.0) {
        return Err(CliError::usage("--prediction-value: give a number above 0"));
    }
    let mut keys = Keys::paced(args.rate_limit);
    args.write_keys.iter().for_each(|key| keys.add("write key", Role::Collect, key));
    args.secret_keys.iter().for_each(|key| keys.add("secret key", Role::Checkout, key));
    let ShopFolder { identity_keys, identities, consent, tables } = shop;
    let has_keys = !args.write_keys.is_empty() && !args.secret_keys.is_empty();
    if !args.listen.ip().is_loopback() && !has_keys && database.api_keys().await?.iter().all(|key| key.revoked.is_some()) {
        return Err(CliError::usage(format!(
            "--listen {}: others can reach this address: make keys with youhui keys add, give --write-key and --secret-key, or listen to 127.0.0.1",
            args.listen
        )));
    }
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| {
        CliError::unreachable(format!("--listen {}: {error}. Is another server running? Choose another port", args.listen))
    })?;
    // Nothing that is wrong with the flags moves a shop to a stream.
    let database = database.with_events(args.events.as_deref(), args.events_credentials.as_deref()).await?;
    let audit = Audit::open(&args.store, database.clone()).await?;
    let offers = std::fs::read(&args.offers).map(|bytes| blake3::hash(&bytes).to_hex().to_string()).unwrap_or_default();
    let said = Said {
        actor: "command line".to_owned(),
        action: "offers.serve".to_owned(),
        object: base.campaign_id.clone(),
        after: Some(format!("offers file with BLAKE3 {offers}")),
        ..Said::default()
    };
    audit.record(said).await?;
    let guard = Guard { most: args.most_requests.max(1), log_all: args.log_requests, console };
    let predictions = Predictions::new(args.predictions.clone(), args.prediction_value);
    let webhooks = Webhooks::new(&args.webhooks, args.webhook_secret.as_deref())?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificates), Some(key)) => Some(tls(certificates, key)?),
        _ => None,
    };
    let start = Start {
        folder: args.store.clone(),
        settings,
        base,
        database,
        identity_keys,
        identities,
        consent,
        predictions,
        keys,
        audit,
        guard,
        webhooks,
    };
    let imported = |customers: &crate::serve::Customers| {
        for table in &tables {
            for customer in table.customers() {
                customers.update(customer.subject, |profile| see_all(profile, table, customer.rows.clone()));
            }
        }
    };
    let server = Server::start(start, imported, console).await?;
    let address = listener.local_addr().map_err(|error| CliError::unreachable(error.to_string()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    // Asked to stop as soon as it says that it listens, it ends as politely as later.
    let stopped = stopped();
    console.say(&format!("listening on {scheme}://{address}"));
    server.run(listener, tls, stopped).await
}

fn offers_of(args: &Args) -> Result<(Settings, Part), CliError> {
    let path = args.offers.display();
    let text =
        std::fs::read_to_string(&args.offers).map_err(|error| CliError::usage(format!("--offers {path}: {error}. Check the path")))?;
    read(&text, &Shelves::of(&args.store)).map_err(|wrong| CliError::usage(format!("--offers {path}: {wrong}")))
}

/// What the shop's folder holds.
struct ShopFolder {
    identity_keys: youhui_privacy::IdentityKeys,
    identities: Vec<youhui_privacy::IdentityRow>,
    consent: ConsentLedger,
    tables: Vec<EventTable>,
}

impl ShopFolder {
    fn open(args: &Args) -> Result<Self, CliError> {
        if !args.store.join("store.json").exists() {
            let status = if args.consent_default == ConsentDefault::Granted { Status::Granted } else { Status::Denied };
            let identity_keys = youhui_storage::shop_keys(&args.store)?;
            let consent = ConsentLedger::new(status, "--consent-default");
            return Ok(Self { identity_keys, identities: vec![], consent, tables: vec![] });
        }
        let store = Store::open(&args.store)?;
        let catalogue = store.load_catalogue()?;
        let (identity_keys, identities) = store.load_identities()?;
        Ok(Self { identity_keys, identities, consent: store.load_consent()?, tables: store.load_events(&catalogue)? })
    }
}

/// A customer's imported events, as if they had come one by one.
fn see_all(profile: &mut LiveProfile, table: &EventTable, rows: std::ops::Range<usize>) {
    let mut orders: Vec<u32> = Vec::new();
    for row in rows {
        let order = table.order[row];
        let begins = order == EventTable::NO_ORDER || !orders.contains(&order);
        if order != EventTable::NO_ORDER && begins {
            orders.push(order);
        }
        profile.see(table.kind[row], table.time[row], table.amount[row], begins);
    }
}

/// Ctrl-C, or what a service manager sends, from this call on.
#[cfg(unix)]
fn stopped() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupted, terminated) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        match (interrupted, terminated) {
            (Ok(mut interrupted), Ok(mut terminated)) => tokio::select! { _ = interrupted.recv() => (), _ = terminated.recv() => () },
            // Without handlers the system's own way to end a program is left.
            _ => std::future::pending().await,
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
async fn stopped() {
    tokio::signal::ctrl_c().await.ok();
}
