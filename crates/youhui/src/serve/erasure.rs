//! What customers ask of their data: to be forgotten, and not to be profiled.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use rustc_hash::FxHashSet;
use serde::Deserialize;
use serde_json::{Value, json};
use youhui_commerce::{Micros, SubjectId};
use youhui_privacy::{IdentityKeys, IdentityRow, IdentityVault, Standing, SuppressionList};
use youhui_storage::{ErasedRows, Live as Database, keep_identity_keys, keep_suppression, lock_keys, shop_keys};

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
        let (Ok(_lock), Ok(keys)) = (lock_keys(&self.folder), shop_keys(&self.folder)) else { return false };
        let mut erased = self.erased.write().unwrap_or_else(PoisonError::into_inner);
        // Where it can't be read or kept, the next start would not know of it.
        let Ok(list) = youhui_storage::suppression(&self.folder, &keys) else { return false };
        *erased = list;
        erased.sign_up(identifier, happened, now) && keep_suppression(&self.folder, &erased).is_ok()
    }
}

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

async fn erase_now(shop: Arc<Shop>, external: String, actor: String, reason: String) -> Result<Value, Problem> {
    let failed = |error: CliError| Problem::new(Code::StoreFailed, error.message);
    let time = now();
    let (subjects, identifiers) = {
        let _still = shop.still().await?;
        let found = forget(&shop, &external, time).map_err(failed)?;
        found.ok_or_else(|| Problem::new(Code::NotFound, "nobody of that identifier is known"))?
    };
    let (folder, database) = (shop.folder.clone(), shop.database.clone());
    let rows = take_out(&folder, Some(&database), &subjects, &identifiers).await.map_err(failed)?;
    let told = json!({"subjects": subjects.len(), "identifiers": identifiers.len(), "rows": rows});
    // Nothing that tells who it was.
    let said = Said {
        actor,
        action: "privacy.erase".to_owned(),
        object: "customer".to_owned(),
        after: Some(told.to_string()),
        reason,
        ..Said::default()
    };
    // Other servers look at the list when something has changed.
    let change = youhui_storage::Change::Setting { name: "erased", content: &written(time) };
    shop.audit.change(change, said).await.map_err(failed)?;
    Ok(json!({
        "erased": written(time),
        "subjects": subjects.len(),
        "identifiers": identifiers.len(),
        "rows": rows,
        "left": ["that somebody of these identifiers was erased, as keyed hashes", "sums over customers, such as what was learnt of promotions",
            "what was written elsewhere: exports, models and backups; in backups identifiers are sealed with keys that are destroyed"],
    }))
}

/// Somebody's subjects and identifiers.
type Person = (FxHashSet<SubjectId>, Vec<String>);

/// Forgets whoever that is and every device that turned out to be theirs, in memory and in the files of keys; their subjects and identifiers.
fn forget(shop: &Shop, external: &str, time: Micros) -> Result<Option<Person>, CliError> {
    let mut identities = shop.identities.write().unwrap_or_else(PoisonError::into_inner);
    let Some(first) = identities.vault.as_ref().and_then(|vault| vault.find(external)) else { return Ok(None) };
    let person = identities.by_name(first);
    let mut subjects: FxHashSet<SubjectId> = [first, person].into_iter().collect();
    subjects.extend(identities.named.keys().copied().filter(|device| identities.by_name(*device) == person));
    let Some(vault) = &mut identities.vault else { return Ok(None) };
    let mut erased = shop.erased.write().unwrap_or_else(PoisonError::into_inner);
    let identifiers = destroy(&shop.folder, vault, &mut erased, &subjects, time)?;
    drop(erased);
    identities.unsaved.retain(|row| !subjects.contains(&row.subject));
    identities.named.retain(|device, named| !subjects.contains(device) && !subjects.contains(named));
    drop(identities);
    subjects.iter().for_each(|subject| shop.customers.forget(*subject));
    Ok(Some((subjects, identifiers)))
}

/// Forgets whom another server has erased: that it has stands in the folder of keys, which they share.
pub(super) fn forget_others(shop: &Shop) {
    let mut identities = shop.identities.write().unwrap_or_else(PoisonError::into_inner);
    let Some(vault) = &mut identities.vault else { return };
    // A list that can't be read is read when something changes next.
    let Ok(list) = youhui_storage::suppression(&shop.folder, vault.keys()) else { return };
    let mut erased = shop.erased.write().unwrap_or_else(PoisonError::into_inner);
    if list.subjects().len() == erased.subjects().len() && list.erased() == erased.erased() {
        return;
    }
    *erased = list;
    let gone: FxHashSet<SubjectId> = vault.rows().iter().map(|row| row.subject).filter(|subject| erased.has(*subject)).collect();
    drop(erased);
    gone.iter().for_each(|subject| vault.erase(*subject));
    identities.unsaved.retain(|row| !gone.contains(&row.subject));
    identities.named.retain(|device, named| !gone.contains(device) && !gone.contains(named));
    drop(identities);
    gone.iter().for_each(|subject| shop.customers.forget(*subject));
}

/// Destroys the keys of these subjects; first of all it is kept that they were erased, so that what is interrupted is done at the next start.
fn destroy(
    folder: &Path,
    vault: &mut IdentityVault,
    erased: &mut SuppressionList,
    subjects: &FxHashSet<SubjectId>,
    time: Micros,
) -> Result<Vec<String>, CliError> {
    // Another server may have erased somebody since: what stands on disk counts, and not what this one knows.
    let _lock = lock_keys(folder)?;
    let mut keys = shop_keys(folder)?;
    *erased = youhui_storage::suppression(folder, &keys)?;
    let mut all = vec![];
    for subject in subjects {
        let rows = vault.rows().iter().filter(|row| row.subject == *subject);
        // A row that doesn't open is of a customer who was erased before.
        let identifiers: Vec<String> = rows.filter_map(|row| vault.reveal(row).ok()).collect();
        erased.erase(*subject, &identifiers, time);
        all.extend(identifiers);
    }
    keep_suppression(folder, erased)?;
    for subject in subjects {
        vault.erase(*subject);
        keys.sealing.destroy(*subject);
    }
    keep_identity_keys(folder, &keys)?;
    Ok(all)
}

/// Takes everything of these subjects out of the tables.
async fn take_out(
    folder: &Path,
    database: Option<&Database>,
    subjects: &FxHashSet<SubjectId>,
    identifiers: &[String],
) -> Result<ErasedRows, CliError> {
    if let Some(database) = database {
        let all: Vec<SubjectId> = subjects.iter().copied().collect();
        let rewrite = |payload: &[u8]| without(payload, subjects);
        // What can't be read is of nobody that could be found.
        let keep = |record: &[u8]| {
            let subject = postcard::from_bytes::<Record>(record).ok().and_then(|record| record.facts.subject());
            subject.is_none_or(|subject| !subjects.contains(&subject))
        };
        database.erase(&all, &rewrite, &keep).await?;
    }
    Ok(tokio::task::block_in_place(|| youhui_storage::erase(folder, subjects, identifiers))?)
}

/// A batch of events without those of the subjects: their messages are still remembered, so that they don't come again.
fn without(payload: &[u8], subjects: &FxHashSet<SubjectId>) -> Option<Vec<u8>> {
    let mut entries = read_batch(0, payload).ok()?;
    let mut changed = false;
    for entry in &mut entries {
        if entry.subjects().any(|subject| subjects.contains(&subject)) {
            (*entry, changed) = (Entry::Empty { message: entry.message() }, true);
        }
    }
    changed.then(|| lines(&entries))
}

/// Erases again whoever an old backup has brought back, before anybody is served; the rows that are left.
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
    if subjects.is_empty() && !more {
        return Ok((rest, subjects));
    }
    let lock = lock_keys(folder)?;
    *keys = shop_keys(folder)?;
    subjects.iter().for_each(|subject| keys.sealing.destroy(*subject));
    keep_identity_keys(folder, keys)?;
    drop(lock);
    take_out(folder, Some(database), &subjects, &[]).await?;
    Ok((rest, subjects))
}

/// `POST /v1/privacy/objections`: a customer objects to being profiled, or takes that back (`"objects": false`).
pub(super) async fn object(State(shop): State<Arc<Shop>>, headers: HeaderMap, Body(body): Body) -> Result<Response, Problem> {
    needs(&shop, &headers, Right::Object)?;
    let ask: Objection = read_object(&body, ASK)?;
    let external = external_id(&ask.customer).ok_or_else(|| Problem::at("/customer", "give a user_id or an anonymous_id"))?;
    // Whoever objects before anything is known of them is heard too.
    let subject = {
        match shop.standing(&external) {
            Standing::Erased => return Err(Problem::new(Code::NotFound, "nobody of that identifier is known")),
            _ => shop.identities.write().unwrap_or_else(PoisonError::into_inner).resolve(&external),
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
