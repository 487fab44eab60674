//! What customers ask of their data: to be forgotten, and not to be profiled.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use rustc_hash::FxHashSet;
use serde::Deserialize;
use serde_json::{Value, json};
use youhui_commerce::{Micros, SubjectId};
use youhui_privacy::{IdentityKeys, IdentityRow, Standing, SuppressionList};
use youhui_storage::{ErasedRows, Live as Database, LiveError, keep_identity_keys, keep_suppression, lock_keys, shop_keys};

use super::access::{Right, needs};
use super::audit::Said;
use super::decisions::{Customer, Record, external_id, written};
use super::problem::{Body, Code, Problem, object as read_object};
use super::state::{Entry, Shop, lines, read_batch};
use crate::cli::{CliError, now};

/// What is to be sent.
const ASK: &str = "Send {\"customer\": {\"user_id\": \"…\"}}";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    customer: Customer,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Objection {
    customer: Customer,
    #[serde(default = "yes")]
    objects: bool,
}

const fn yes() -> bool {
    true
}

impl Shop {
    /// Whether whoever has that identifier was erased.
    pub(super) fn standing(&self, identifier: &str) -> Standing {
        self.erased.read().unwrap_or_else(PoisonError::into_inner).standing(identifier)
    }

    /// Whoever was erased and signs up again with consent is known from then on, as somebody new; whether that is so.
    pub(super) fn sign_up_again(&self, identifier: &str, happened: Micros, now: Micros) -> bool {
        // Files are touched for what can succeed only: anybody may send such a message.
        if !self.erased.read().unwrap_or_else(PoisonError::into_inner).may_sign_up(identifier, happened, now) {
            return false;
        }
        // The lock of the files before that of the list, as an erasure takes them.
        let (Ok(_lock), Ok(keys)) = (lock_keys(&self.folder, KEYS), shop_keys(&self.folder)) else { return false };
        let mut erased = self.erased.write().unwrap_or_else(PoisonError::into_inner);
        // Where it can't be read or kept, the next start would not know of it.
        let Ok(list) = youhui_storage::suppression(&self.folder, &keys) else { return false };
        *erased = list;
        erased.sign_up(identifier, happened, now) && keep_suppression(&self.folder, &erased).is_ok()
    }
}

/// The lock of the files of keys; and that of an erasure, which takes longer.
const KEYS: &str = "lock";
const ERASING: &str = "erasing.lock";
/// Says in the database that an erasure is under way.
const UNDER_WAY: &str = "erasing";

/// `POST /v1/privacy/erasures`: when it is answered, nothing is left of the customer but that they were erased.
pub(super) async fn erase(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    let actor = needs(&shop, &headers, Right::Privacy)?;
    let ask: Ask = read_object(&body, ASK)?;
    let external = external_id(&ask.customer).ok_or_else(|| Problem::at("/customer", "give a user_id or an anonymous_id"))?;
    // It goes on to its end though whoever asked hangs up.
    let work = tokio::spawn(erase_now(Arc::clone(&shop), external, actor.0, ask.reason));
    let done = work.await.map_err(|_| Problem::new(Code::Overloaded, "the server is shutting down"))??;
    Ok(axum::Json(done).into_response())
}

/// Who is gone.
struct Gone {
    /// Of this person; of those who were erased before, the list tells.
    subjects: FxHashSet<SubjectId>,
    lookups: FxHashSet<[u8; 32]>,
    identifiers: Vec<String>,
    erased: SuppressionList,
}

impl Gone {
    fn has(&self, subject: SubjectId) -> bool {
        self.subjects.contains(&subject) || self.erased.has(subject)
    }
}

async fn locked(folder: &Path, what: &'static str) -> Result<std::fs::File, CliError> {
    let folder = folder.to_owned();
    let lock = tokio::task::spawn_blocking(move || lock_keys(&folder, what)).await;
    Ok(lock.map_err(|_| CliError::usage("the server is shutting down"))??)
}

async fn erase_now(shop: Arc<Shop>, external: String, actor: String, reason: String) -> Result<Value, Problem> {
    let failed = |error: CliError| Problem::new(Code::StoreFailed, error.message);
    // One erasure at a time, of all servers: each rewrites what the others do.
    let _one = locked(&shop.folder, ERASING).await.map_err(failed)?;
    let time = now();
    shop.database.keep_setting(UNDER_WAY, &written(time)).await?;
    let gone = {
        let keys = locked(&shop.folder, KEYS).await.map_err(failed)?;
        let _still = shop.still().await?;
        let gone = tokio::task::block_in_place(|| forget(&shop, &external, time)).map_err(failed)?;
        drop(keys);
        gone
    };
    // Whoever was erased before is erased again: an erasure that was cut off is gone on with.
    if gone.subjects.is_empty() && shop.standing(&external) == Standing::Known {
        shop.database.keep_setting(UNDER_WAY, "").await?;
        return Err(Problem::new(Code::NotFound, "nobody of that identifier is known"));
    }
    let (subjects, identifiers) = (gone.subjects.len(), gone.identifiers.len());
    // Nothing that tells who it was.
    let told = json!({"subjects": subjects, "identifiers": identifiers}).to_string();
    let object = "customer".to_owned();
    let said = Said { actor, action: "privacy.erase".to_owned(), object, after: Some(told), reason, ..Said::default() };
    let change = youhui_storage::Change::Setting { name: "erased", content: &written(time) };
    shop.audit.change(change, said).await.map_err(failed)?;
    // Other servers look at the list when something has changed, and what is under way comes to its end.
    tokio::time::sleep(SETTLE).await;
    let rows = take_out(&shop.folder, &shop.database, &gone).await.map_err(failed)?;
    shop.database.keep_setting(UNDER_WAY, "").await?;
    Ok(json!({
        "erased": written(time),
        "subjects": subjects,
        "identifiers": identifiers,
        "rows": rows,
        "left": ["that somebody of these identifiers was erased, as keyed hashes", "sums over customers, such as what was learnt of promotions",
            "what was written elsewhere: exports, models and backups; in backups identifiers are sealed with keys that are destroyed"],
    }))
}

/// Until other servers have looked what changed, and decisions that were made before are in the log.
const SETTLE: std::time::Duration = std::time::Duration::from_millis(600);

/// Forgets whoever that is and every device that turned out to be theirs, in memory and in the files of keys, whose lock the caller holds. First of all it
/// is kept that they were erased, so that what is interrupted is known at the next start.
fn forget(shop: &Shop, external: &str, time: Micros) -> Result<Gone, CliError> {
    let mut keys = shop_keys(&shop.folder)?;
    // Another server may have erased somebody since: what stands on disk counts, and not what this one knows.
    let list = youhui_storage::suppression(&shop.folder, &keys)?;
    let mut gone = Gone { subjects: FxHashSet::default(), lookups: FxHashSet::default(), identifiers: vec![], erased: list };
    let mut identities = shop.identities.write().unwrap_or_else(PoisonError::into_inner);
    let Some(vault) = &identities.vault else { return Ok(gone) };
    if let Some(first) = vault.find(external) {
        let person = identities.by_name(first);
        gone.subjects.extend([first, person]);
        gone.subjects.extend(identities.named.keys().copied().filter(|device| identities.by_name(*device) == person));
    }
    // An identifier that was imported and seen by the server has two rows: whoever has a row of one of these is the same person.
    loop {
        let of_subject = vault.rows().iter().filter(|row| gone.subjects.contains(&row.subject));
        gone.lookups.extend(of_subject.map(|row| row.lookup));
        let before = gone.subjects.len();
        let of_lookup = vault.rows().iter().filter(|row| gone.lookups.contains(&row.lookup));
        gone.subjects.extend(of_lookup.map(|row| row.subject));
        if gone.subjects.len() == before {
            break;
        }
    }
    for row in vault.rows().iter().filter(|row| gone.subjects.contains(&row.subject)) {
        // A row that doesn't open is of a customer who was erased before.
        let identifier = vault.reveal(row).ok();
        gone.erased.erase(row.subject, identifier.as_slice(), time);
        gone.identifiers.extend(identifier);
    }
    gone.subjects.iter().for_each(|subject| gone.erased.erase(*subject, &[], time));
    keep_suppression(&shop.folder, &gone.erased)?;
    gone.subjects.iter().for_each(|subject| keys.sealing.destroy(*subject));
    keep_identity_keys(&shop.folder, &keys)?;
    *shop.erased.write().unwrap_or_else(PoisonError::into_inner) = gone.erased.clone();
    identities.forget(|subject| gone.has(subject));
    drop(identities);
    gone.subjects.iter().for_each(|subject| shop.forget(*subject));
    Ok(gone)
}

/// Forgets whom another server has erased: that it has stands in the folder of keys, which they share.
pub(super) fn forget_others(shop: &Shop) {
    // A list that can't be read is read when something changes next.
    let Ok(list) = shop_keys(&shop.folder).map_err(drop).and_then(|keys| youhui_storage::suppression(&shop.folder, &keys).map_err(drop))
    else {
        return;
    };
    // Every customer is looked at, where there is somebody new on the list only.
    if shop.forgotten.load(Ordering::Relaxed) == list.count() {
        return;
    }
    let mut identities = shop.identities.write().unwrap_or_else(PoisonError::into_inner);
    let Some(vault) = &identities.vault else { return };
    shop.forgotten.store(list.count(), Ordering::Relaxed);
    let gone: FxHashSet<SubjectId> = vault.rows().iter().map(|row| row.subject).filter(|subject| list.has(*subject)).collect();
    *shop.erased.write().unwrap_or_else(PoisonError::into_inner) = list;
    identities.forget(|subject| gone.contains(&subject));
    drop(identities);
    gone.iter().for_each(|subject| shop.forget(*subject));
}

/// Takes out again what was written of those who were erased by a server that did not know of it yet.
pub(super) async fn sweep(shop: &Shop) -> Result<(), LiveError> {
    let wrong = |error: CliError| LiveError::Refused(error.message);
    let _one = locked(&shop.folder, ERASING).await.map_err(wrong)?;
    let erased = shop.erased.read().unwrap_or_else(PoisonError::into_inner).clone();
    let gone = Gone { subjects: FxHashSet::default(), lookups: FxHashSet::default(), identifiers: vec![], erased };
    take_out(&shop.folder, &shop.database, &gone).await.map_err(wrong)?;
    Ok(())
}

/// Takes everything of those who are gone out of the tables.
async fn take_out(folder: &Path, database: &Database, gone: &Gone) -> Result<ErasedRows, CliError> {
    let all: Vec<SubjectId> = gone.subjects.iter().copied().collect();
    let rewrite = |payload: &[u8]| without(payload, gone);
    // What can't be read is of nobody that could be found.
    let keep = |record: &[u8]| {
        let subject = postcard::from_bytes::<Record>(record).ok().and_then(|record| record.facts.subject());
        subject.is_none_or(|subject| !gone.has(subject))
    };
    database.erase(&all, &rewrite, &keep).await?;
    let is_gone = |subject| gone.has(subject);
    Ok(tokio::task::block_in_place(|| youhui_storage::erase(folder, &is_gone, &gone.lookups, &gone.identifiers))?)
}

/// A batch of events without those of who is gone: their messages are still remembered, so that they don't come again.
fn without(payload: &[u8], gone: &Gone) -> Option<Vec<u8>> {
    let mut entries = read_batch(0, payload).ok()?;
    let mut changed = false;
    for entry in &mut entries {
        if entry.subjects().any(|subject| gone.has(subject)) {
            (*entry, changed) = (Entry::Empty { message: entry.message() }, true);
        }
    }
    changed.then(|| lines(&entries))
}

/// Erases again whoever an old backup has brought back, and goes on with what was cut off, before anybody is served; the rows that are left, and who
/// came back.
pub(crate) async fn again(
    folder: &Path,
    database: &Database,
    keys: &mut IdentityKeys,
    erased: &SuppressionList,
    rows: Vec<IdentityRow>,
    more: bool,
) -> Result<(Vec<IdentityRow>, FxHashSet<SubjectId>), CliError> {
    let (back, rest): (Vec<IdentityRow>, Vec<IdentityRow>) = rows.into_iter().partition(|row| erased.has(row.subject));
    let subjects: FxHashSet<SubjectId> = back.iter().map(|row| row.subject).collect();
    let is_under_way = database.setting(UNDER_WAY).await?.is_some_and(|content| !content.is_empty());
    if subjects.is_empty() && !more && !is_under_way {
        return Ok((rest, subjects));
    }
    let _one = locked(folder, ERASING).await?;
    let lock = locked(folder, KEYS).await?;
    *keys = shop_keys(folder)?;
    subjects.iter().for_each(|subject| keys.sealing.destroy(*subject));
    keep_identity_keys(folder, keys)?;
    drop(lock);
    let gone = Gone { lookups: back.iter().map(|row| row.lookup).collect(), subjects, identifiers: vec![], erased: erased.clone() };
    take_out(folder, database, &gone).await?;
    database.keep_setting(UNDER_WAY, "").await?;
    Ok((rest, gone.subjects))
}

/// `POST /v1/privacy/objections`: a customer objects to being profiled, or takes that back (`"objects": false`).
pub(super) async fn object(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    needs(&shop, &headers, Right::Object)?;
    let ask: Objection = read_object(&body, ASK)?;
    let external = external_id(&ask.customer).ok_or_else(|| Problem::at("/customer", "give a user_id or an anonymous_id"))?;
    // Whoever objects before anything is known of them is heard too.
    let subject = {
        let mut identities = shop.identities.write().unwrap_or_else(PoisonError::into_inner);
        // Looked at under this lock: an erasure that is under way has it.
        match shop.standing(&external) {
            Standing::Erased => return Err(Problem::new(Code::NotFound, "nobody of that identifier is known")),
            _ => identities.resolve(&external),
        }
    };
    let subject = shop.by_name(subject);
    shop.say_objection(subject, now(), ask.objects).await?;
    Ok(axum::Json(json!({"objects": shop.customers.objects(subject)})).into_response())
}

/// `POST /v1/privacy/consent`: what holds for a customer, and since which word.
pub(super) async fn consent(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    needs(&shop, &headers, Right::Object)?;
    let ask: Ask = read_object(&body, ASK)?;
    let subject = external_id(&ask.customer).and_then(|external| shop.find(&external));
    let subject = subject.ok_or_else(|| Problem::new(Code::NotFound, "nobody of that identifier is known"))?;
    let line = |(purpose, status, said): (youhui_privacy::Purpose, youhui_privacy::Status, Option<youhui_privacy::Said>)| {
        let (time, notice) = said.map_or((None, None), |said| (Some(written(said.time)), said.notice));
        json!({"purpose": purpose, "status": status, "since": time, "notice": notice})
    };
    let purposes: Vec<Value> = shop.customers.consent_of(subject).into_iter().map(line).collect();
    Ok(axum::Json(json!({"objects": shop.customers.objects(subject), "purposes": purposes})).into_response())
}
