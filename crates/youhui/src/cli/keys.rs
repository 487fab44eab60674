//! `youhui keys`.

use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;
use youhui_storage::{ApiKey, Change};

use super::{CliError, Console, now};
use crate::serve::{Audit, Role, Said};

/// Keys of those who ask the server: each has a name and a role. Servers that run take changes up within a second.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    shop: super::Served,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key and print it: it is kept nowhere.
    Add {
        /// Whose: stands in the audit log.
        #[arg(long)]
        name: String,
        /// What it is for.
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Print every key's name and role as a line of JSON.
    List,
    /// Have a key be worth nothing from now on.
    Revoke {
        /// Whose.
        #[arg(long)]
        name: String,
    },
}

pub(crate) fn run(args: &Args, console: Console) -> Result<(), CliError> {
    super::serve::runtime()?.block_on(change(args, console))
}

async fn change(args: &Args, console: Console) -> Result<(), CliError> {
    std::fs::create_dir_all(&args.shop.store)
        .map_err(|error| CliError::usage(format!("--store {}: {error}", args.shop.store.display())))?;
    let database = args.shop.open().await?;
    let audit = Audit::open(&args.shop.store, database.clone()).await?;
    let said = |action: &str, object: &str, after: Option<String>| Said {
        actor: "command line".to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        after,
        ..Said::default()
    };
    match &args.what {
        What::Add { name, role } => {
            let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
            if name.is_empty() || name.len() > 64 || !name.bytes().all(is_fit) {
                return Err(CliError::usage("--name: give 1 to 64 letters, digits or -_.@"));
            }
            let secret = new_key()?;
            let hash = blake3::hash(secret.as_bytes()).as_bytes().to_vec();
            let key = ApiKey { name: name.clone(), role: role.name().to_owned(), hash, made: now(), revoked: None };
            if !audit.change(Change::NewKey(&key), said("key.add", name, Some(role.name().to_owned()))).await? {
                return Err(CliError::usage(format!("--name {name}: there is or was such a key: choose another name")));
            }
            console.print(&json!({"name": name, "role": role.name(), "key": secret}).to_string())
        }
        What::List => {
            for ApiKey { name, role, made, revoked, .. } in database.api_keys().await? {
                console.print(&json!({"name": name, "role": role, "made": made, "revoked": revoked}).to_string())?;
            }
            Ok(())
        }
        What::Revoke { name } => {
            if !audit.change(Change::Revoke { name, time: now() }, said("key.revoke", name, None)).await? {
                return Err(CliError::usage(format!("--name {name}: there is no such key that is still good: see youhui keys list")));
            }
            Ok(())
        }
    }
}

/// 256 bits that nobody guesses.
fn new_key() -> Result<String, CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| CliError::usage(format!("no random bytes: {error}")))?;
    Ok(format!("yh_{}", blake3::Hash::from_bytes(bytes).to_hex()))
}
