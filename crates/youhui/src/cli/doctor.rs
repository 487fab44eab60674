//! `youhui doctor`.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde_json::json;
use youhui_storage::{Live as Database, Store, audit_key, suppression};

use super::serve::runtime;
use super::{CliError, Console};
use crate::serve::database_of;
use crate::serve::offers::{Shelves, read};

/// Check an installation: every line says what was looked at, whether it is right, and what to do where it is not.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The shop's folder.
    #[arg(long, value_name = "DIR", default_value = "youhui-shop")]
    store: PathBuf,
    /// What is to be offered.
    #[arg(long, value_name = "FILE")]
    offers: Option<PathBuf>,
    /// Where the server is to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787", env = "YOUHUI_LISTEN")]
    listen: SocketAddr,
    /// `postgres://…`, or `sqlite:PATH`; a file in the shop's folder if absent.
    #[arg(long, value_name = "URL", env = "YOUHUI_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Where events are to go: `nats://HOST:PORT/STREAM`; to the database if absent.
    #[arg(long, value_name = "URL", env = "YOUHUI_EVENTS", hide_env_values = true)]
    events: Option<String>,
    /// A file of credentials for it (`.creds`).
    #[arg(long, value_name = "FILE", requires = "events", env = "YOUHUI_EVENTS_CREDENTIALS")]
    events_credentials: Option<PathBuf>,
    /// A chain of certificates, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// What was looked at, and what is wrong with it.
type Finding = (&'static str, Result<String, String>);

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    let findings = runtime()?.block_on(look(args));
    let mut wrong = 0;
    for (what, found) in findings {
        let (is_right, told) = match &found {
            Ok(told) => (true, told),
            Err(told) => (false, told),
        };
        wrong += usize::from(!is_right);
        console.print(&json!({"check": what, "ok": is_right, "found": told}).to_string())?;
    }
    if wrong == 0 { Ok(()) } else { Err(CliError { code: 1, message: format!("{wrong} of these have to be put right") }) }
}

async fn look(args: &Args) -> Vec<Finding> {
    let folder = args.store.as_path();
    let mut findings = vec![("folder", writable(folder)), ("keys", keys(folder)), ("store", store(folder)), ("erased", erased(folder))];
    findings.extend(database(args, folder).await);
    if let Some(url) = &args.events {
        let found = Database::look_at_events(url, args.events_credentials.as_deref()).await;
        let told = |found: Option<(u64, u64)>| match found {
            Some((first, last)) => format!(
                "messages {first} to {last}. That NATS syncs before it acknowledges (sync_interval: always) can't be seen from here"
            ),
            None => "no such stream yet: the server makes it".to_owned(),
        };
        findings.push(("events", found.map(told).map_err(|error| error.to_string())));
    }
    findings.push(("address", address(args.listen)));
    if let Some(path) = &args.offers {
        findings.push(("offers", offers(path, folder)));
    }
    if let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let read = crate::serve::tls(cert, key).map(|_| "the certificate and its key fit".to_owned());
        findings.push(("tls", read.map_err(|error| error.message)));
    }
    findings
}

fn writable(folder: &Path) -> Result<String, String> {
    let what = |error: std::io::Error| format!("{}: {error}: give this user the right to write there", folder.display());
    if !folder.exists() {
        return Ok(format!("{} is not there yet: the server makes it", folder.display()));
    }
    let probe = tempfile::NamedTempFile::new_in(folder).map_err(what)?;
    probe.as_file().sync_all().map_err(what)?;
    Ok(format!("{} can be written", folder.display()))
}

fn keys(folder: &Path) -> Result<String, String> {
    let keys = folder.join("keys");
    if !keys.exists() {
        return Ok("none yet: the server makes them".to_owned());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&keys).map_err(|error| error.to_string())?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!("{}: others can look into it (mode {mode:o}): chmod 700", keys.display()));
        }
    }
    if keys.join("audit.json").exists() {
        audit_key(folder).map_err(|error| error.to_string())?;
    }
    Ok("only their owner can read them. Keep them apart from the backup of the tables".to_owned())
}

fn store(folder: &Path) -> Result<String, String> {
    if !folder.join("store.json").exists() {
        return Ok("nothing was imported".to_owned());
    }
    let store = Store::open(folder).map_err(|error| error.to_string())?;
    let (_, identities) = store.load_identities().map_err(|error| error.to_string())?;
    Ok(format!("{} events, {} identities", store.manifest().event_rows(), identities.len()))
}

fn erased(folder: &Path) -> Result<String, String> {
    if !folder.join("keys").join("identity.json").exists() {
        return Ok("nobody".to_owned());
    }
    let keys = youhui_storage::shop_keys(folder).map_err(|error| error.to_string())?;
    let list = suppression(folder, &keys).map_err(|error| error.to_string())?;
    Ok(format!("{} identifiers", list.erased().len()))
}

async fn database(args: &Args, folder: &Path) -> Vec<Finding> {
    let url = args.database.clone().unwrap_or_else(|| database_of(folder));
    if args.database.is_none() && !folder.join("live.db").exists() {
        return vec![("database", Ok("none yet: the server makes it".to_owned()))];
    }
    let database = match Database::open(&url).await {
        Ok(database) => database,
        Err(error) => return vec![("database", Err(error.to_string()))],
    };
    let audit = super::audit::verified(folder, &database).await;
    let audit = audit.map(|rows| format!("{rows} rows, whole")).map_err(|error| error.message);
    let open = match database.api_keys().await {
        Ok(keys) if keys.iter().any(|key| key.revoked.is_none()) => Ok(format!("{} keys", keys.len())),
        Ok(_) => Ok("no keys: whoever reaches the server may do everything, so it listens to this machine only".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    vec![("database", Ok("it answers".to_owned())), ("audit", audit), ("access", open)]
}

fn address(listen: SocketAddr) -> Result<String, String> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) => Err(format!("{listen}: {error}: a server runs there, or choose another with --listen")),
    }
}

fn offers(path: &Path, folder: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (_, part) = read(&text, &Shelves::of(folder))?;
    Ok(format!("{} promotions, all cleared", part.offers.len()))
}
