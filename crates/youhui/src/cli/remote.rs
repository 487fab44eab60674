//! `youhui campaign` and `youhui privacy`: what is asked of a server that runs.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Map, Value, json};

use super::{CliError, Console};

/// Which server, and as whom.
#[derive(Debug, ClapArgs)]
pub(crate) struct To {
    /// Where it listens.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787", env = "YOUHUI_SERVER", global = true)]
    server: String,
    /// Whose key: see youhui keys.
    #[arg(long, value_name = "KEY", env = "YOUHUI_KEY", hide_env_values = true, global = true)]
    key: Option<String>,
}

/// Write, check, approve, schedule and stop campaigns of a server that runs.
#[derive(Debug, ClapArgs)]
pub(crate) struct CampaignArgs {
    #[command(subcommand)]
    what: Campaign,
    #[command(flatten)]
    to: To,
}

#[derive(Debug, Subcommand)]
enum Campaign {
    /// Campaigns and where they are.
    List,
    /// One campaign, with what is pending; its ETag is what approve asks for.
    Show { campaign_id: String },
    /// A new one, as a draft.
    Create { file: PathBuf },
    /// Another document; pending, where one counts already.
    Edit { campaign_id: String, file: PathBuf },
    /// Whether it keeps every rule.
    Check(Step),
    /// What would have become of it, on recorded decisions.
    DryRun(Step),
    /// Ask for approval.
    Submit(Step),
    /// Have it count: what was shown under this ETag, and nothing that was written since.
    Approve {
        #[command(flatten)]
        step: Step,
        /// As `show` printed it.
        #[arg(long)]
        etag: String,
    },
    /// Send it back.
    Reject(Step),
    /// Drop what is pending.
    Discard(Step),
    /// From when until when it is live; from now on, if nothing is said.
    Schedule {
        #[command(flatten)]
        step: Step,
        /// Such as 2026-12-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        starts: Option<String>,
        /// Such as 2026-12-27T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        ends: Option<String>,
    },
    /// Stop it for now.
    Pause(Step),
    /// Go on.
    Resume(Step),
    /// End it for good.
    End(Step),
    /// Stop everything: nothing is offered, and nothing can be reserved.
    Stop {
        /// Why, for the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Go on with everything.
    GoOn {
        /// Why, for the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, ClapArgs)]
struct Step {
    campaign_id: String,
    /// Why, for the audit log.
    #[arg(long, default_value = "")]
    reason: String,
}

/// What customers ask of their data, of a server that runs.
#[derive(Debug, ClapArgs)]
pub(crate) struct PrivacyArgs {
    #[command(subcommand)]
    what: Privacy,
    #[command(flatten)]
    to: To,
}

#[derive(Debug, Subcommand)]
enum Privacy {
    /// What a customer allows.
    Consent(Who),
    /// They object to being profiled.
    Object(Who),
    /// They take that back.
    Unobject(Who),
    /// Forget them, to the last byte.
    Erase {
        #[command(flatten)]
        who: Who,
        /// Why, for the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
struct Who {
    /// The shop's own identifier.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Of a device.
    #[arg(long, value_name = "ID")]
    anonymous: Option<String>,
}

impl Who {
    fn json(&self) -> Value {
        json!({"user_id": self.user, "anonymous_id": self.anonymous})
    }
}

pub(crate) fn campaign(args: &CampaignArgs, console: Console) -> Result<(), CliError> {
    let to = &args.to;
    let step = |name: &str, step: &Step, more: Value, etag: Option<&str>| {
        let mut body = Map::from_iter([("reason".to_owned(), json!(step.reason))]);
        body.extend(more.as_object().cloned().unwrap_or_default());
        to.ask("POST", &format!("/v1/campaigns/{}/{name}", step.campaign_id), Some(&Value::Object(body)), etag)
    };
    let plain = |name: &str, one: &Step| step(name, one, json!({}), None);
    let answer = match &args.what {
        Campaign::List => to.ask("GET", "/v1/campaigns?limit=200", None, None),
        Campaign::Show { campaign_id } => to.ask("GET", &format!("/v1/campaigns/{campaign_id}"), None, None),
        Campaign::Create { file } => to.ask("POST", "/v1/campaigns", Some(&read(file)?), None),
        Campaign::Edit { campaign_id, file } => to.ask("PUT", &format!("/v1/campaigns/{campaign_id}"), Some(&read(file)?), None),
        Campaign::Check(one) => plain("check", one),
        Campaign::DryRun(one) => plain("dry-run", one),
        Campaign::Submit(one) => plain("submit", one),
        Campaign::Approve { step: one, etag } => step("approve", one, json!({}), Some(etag)),
        Campaign::Reject(one) => plain("reject", one),
        Campaign::Discard(one) => plain("discard", one),
        Campaign::Schedule { step: one, starts, ends } => step("schedule", one, json!({"starts": starts, "ends": ends}), None),
        Campaign::Pause(one) => plain("pause", one),
        Campaign::Resume(one) => plain("resume", one),
        Campaign::End(one) => plain("end", one),
        Campaign::Stop { reason } => to.ask("POST", "/v1/stop", Some(&json!({"reason": reason})), None),
        Campaign::GoOn { reason } => to.ask("DELETE", "/v1/stop", Some(&json!({"reason": reason})), None),
    };
    console.print(&answer?.to_string())
}

pub(crate) fn privacy(args: &PrivacyArgs, console: Console) -> Result<(), CliError> {
    let to = &args.to;
    let answer = match &args.what {
        Privacy::Consent(who) => to.ask("POST", "/v1/privacy/consent", Some(&json!({"customer": who.json()})), None),
        Privacy::Object(who) => to.ask("POST", "/v1/privacy/objections", Some(&json!({"customer": who.json(), "objects": true})), None),
        Privacy::Unobject(who) => to.ask("POST", "/v1/privacy/objections", Some(&json!({"customer": who.json(), "objects": false})), None),
        Privacy::Erase { who, reason } => {
            to.ask("POST", "/v1/privacy/erasures", Some(&json!({"customer": who.json(), "reason": reason})), None)
        }
    };
    console.print(&answer?.to_string())
}

fn read(file: &PathBuf) -> Result<Value, CliError> {
    let wrong = |error: String| CliError::usage(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(format!("not JSON: {error}")))
}

impl To {
    /// Asks, and answers with what the server said; its ETag as `etag`.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>, etag: Option<&str>) -> Result<Value, CliError> {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().new_agent();
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let unreachable = |error: String| CliError::unreachable(format!("--server {}: {error}. Does the server run there?", self.server));
        let mut request = ureq::http::Request::builder().method(method).uri(&url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(etag) = etag {
            // A shell may have eaten the quotes.
            request = request.header("if-match", format!("\"{}\"", etag.trim_matches('"')));
        }
        let body = body.map_or_else(String::new, Value::to_string);
        let request = request.body(body).map_err(|error| CliError::usage(format!("--server {}: {error}", self.server)))?;
        let mut answer = agent.run(request).map_err(|error| unreachable(error.to_string()))?;
        let etag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(|tag| tag.trim_matches('"').to_owned());
        let text = answer.body_mut().read_to_string().map_err(|error| unreachable(error.to_string()))?;
        let mut value: Value =
            serde_json::from_str(&text).map_err(|_| unreachable(format!("it answered {} and no JSON", answer.status())))?;
        if !answer.status().is_success() {
            let detail = value["detail"].as_str().unwrap_or(&text);
            return Err(CliError { code: 1, message: format!("{}: {detail}", value["title"].as_str().unwrap_or("refused")) });
        }
        if let (Some(etag), Some(map)) = (etag, value.as_object_mut()) {
            map.insert("etag".to_owned(), json!(etag));
        }
        Ok(value)
    }
}
