//! What is written to the audit log, told to others: Standard Webhooks (standardwebhooks.com), signed.
//!
//! The audit log is the queue. Of each endpoint it is kept which row was told last, so that every row is told at least once, in order, and
//! across restarts; a row has the same `webhook-id` whenever it is told, so that whoever listens can leave out what comes twice.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use youhui_privacy::audit::Row;
use youhui_storage::LiveError;

use super::decisions::written;
use super::state::Shop;
use crate::cli::{CliError, Console, now};

/// Who is told, and with which secret it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Webhooks {
    urls: Vec<String>,
    secret: Vec<u8>,
}

/// How often it is looked for something to tell.
const LOOK: Duration = Duration::from_millis(500);
/// An endpoint that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a server that has gone away is waited for, in microseconds: longer than an endpoint may take.
const LEASE: i64 = 20_000_000;
/// The longest wait after failures.
const LONGEST: Duration = Duration::from_mins(5);

impl Webhooks {
    /// Nobody, where no URL is given.
    pub(crate) fn new(urls: &[String], secret: Option<&str>) -> Result<Option<Self>, CliError> {
        if urls.is_empty() {
            return Ok(None);
        }
        let wrong =
            || CliError::usage("--webhook-secret: give whsec_ and 24 to 64 bytes in base64, such as whsec_$(openssl rand -base64 32)");
        let text = secret.and_then(|secret| secret.strip_prefix("whsec_")).ok_or_else(wrong)?;
        let secret = STANDARD.decode(text).ok().filter(|bytes| (24..=64).contains(&bytes.len())).ok_or_else(wrong)?;
        if let Some(url) = urls.iter().find(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            return Err(CliError::usage(format!("--webhook {url}: give an address that begins with https:// or http://")));
        }
        Ok(Some(Self { urls: urls.to_vec(), secret }))
    }

    /// `v1,` and the signature of what is told, as the standard has it.
    fn sign(&self, id: &str, time: i64, body: &str) -> String {
        // Any length of key is one.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return String::new() };
        mac.update(format!("{id}.{time}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// Tells every endpoint what there is to tell, each at its own pace.
pub(super) async fn tell(shop: Arc<Shop>, webhooks: Webhooks, console: Console) {
    let tasks: Vec<_> =
        webhooks.urls.iter().map(|url| tokio::spawn(tell_one(Arc::clone(&shop), webhooks.clone(), url.clone(), console))).collect();
    let _stop_with_me = Stop(tasks);
    std::future::pending::<()>().await;
}

struct Stop(Vec<tokio::task::JoinHandle<()>>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn tell_one(shop: Arc<Shop>, webhooks: Webhooks, url: String, console: Console) {
    let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).build().new_agent();
    let mut failures = 0_u32;
    loop {
        match tell_next(&shop, &webhooks, &url, &agent).await {
            Ok(true) => failures = 0,
            Ok(false) => tokio::time::sleep(LOOK).await,
            Err(why) => {
                if failures == 0 {
                    console.say(&format!("webhook {url}: {why}: it is told again and again"));
                }
                failures += 1;
                shop.metrics.webhook_failed();
                tokio::time::sleep((LOOK * 2_u32.saturating_pow(failures.min(20))).min(LONGEST)).await;
            }
        }
    }
}

/// Tells the row after the last one that was told; whether there was one.
async fn tell_next(shop: &Shop, webhooks: &Webhooks, url: &str, agent: &ureq::Agent) -> Result<bool, String> {
    let told = |error: LiveError| error.to_string();
    // The URL may hold a secret.
    let name = format!("webhook:{}", &blake3::hash(url.as_bytes()).to_hex()[..32]);
    // Of several servers one tells, for so long as it goes on telling; when it is gone another does, a moment later.
    let is_teller =
        !shop.database.is_shared() || shop.database.lease(&format!("{name}:teller"), now(), now() + LEASE).await.map_err(told)?;
    if !is_teller {
        return Ok(false);
    }
    let last: i64 = shop.database.setting(&name).await.map_err(told)?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let rows = shop.database.audit_after(last).await.map_err(told)?;
    let Some((number, bytes)) = rows.into_iter().next() else { return Ok(false) };
    if let Ok(row) = postcard::from_bytes::<Row>(&bytes) {
        let id = format!("msg_{number}");
        let body = body(&row);
        let time = now() / 1_000_000;
        let signature = webhooks.sign(&id, time, &body);
        let (agent, url) = (agent.clone(), url.to_owned());
        let sent = tokio::task::spawn_blocking(move || {
            let request = agent.post(&url).header("content-type", "application/json").header("webhook-id", &id);
            request
                .header("webhook-timestamp", time.to_string())
                .header("webhook-signature", signature)
                .send(body)
                .map(|answer| answer.status())
        });
        match sent.await {
            Ok(Ok(status)) if status.is_success() => {}
            Ok(Ok(status)) => return Err(format!("it answered {status}")),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the server is shutting down".to_owned()),
        }
    }
    shop.database.keep_setting(&name, &number.to_string()).await.map_err(told)?;
    Ok(true)
}

fn body(row: &Row) -> String {
    let change = &row.change;
    let data = json!({
        "number": row.number, "actor": change.actor, "object": change.object, "before": change.before, "after": change.after,
        "reason": change.reason,
    });
    json!({"type": change.action, "timestamp": written(change.time), "data": data}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification (standardwebhooks.com, "verifying webhooks").
    #[test]
    fn signatures_are_those_of_the_standard() {
        let webhooks = Webhooks::new(&["https://a".to_owned()], Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap().unwrap();
        let signature = webhooks.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        for secret in [None, Some("abc"), Some("whsec_!!"), Some("whsec_c2hvcnQ=")] {
            assert!(Webhooks::new(&["https://a".to_owned()], secret).is_err(), "{secret:?}");
        }
        assert!(Webhooks::new(&["ftp://a".to_owned()], Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).is_err());
        assert!(Webhooks::new(&[], None).unwrap().is_none());
    }
}
