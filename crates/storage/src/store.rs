//! A store: a folder, its lock, its keys and its manifest.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use youhui_commerce::Draw;
use youhui_commerce::schema::Table;
use youhui_privacy::audit::Head;
use youhui_privacy::{IdentityKeys, IdentityRow, SealingKeys, Subtree};

use crate::error::StoreError;
use crate::manifest::Manifest;
use crate::parquet_io::write_atomic;

/// A store that exists.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) root: PathBuf,
    pub(crate) manifest: Manifest,
}

impl Store {
    /// Opens the store in `root` for reading.
    ///
    /// # Errors
    /// `NotAStore` where there is none, or a damaged or newer one.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        Ok(Self { root: root.to_owned(), manifest: Manifest::read(root)? })
    }

    /// Its keys, and who its customers are.
    ///
    /// # Errors
    /// `Io` or `Format`: without the keys nobody can be told apart.
    pub fn load_identities(&self) -> Result<(IdentityKeys, Vec<IdentityRow>), StoreError> {
        let keys = keys(&self.root, &mut Chance::System, false, false)?;
        Ok((keys, crate::load::identity_rows(&self.root, &self.manifest)?))
    }

    /// What belongs to it.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// The right to write into a store; given back when dropped.
#[derive(Debug)]
pub(crate) struct WriteLock {
    _file: File,
}

impl WriteLock {
    /// Takes it, and waits until whoever has it is done.
    pub(crate) fn wait(root: &Path) -> Result<Self, StoreError> {
        let path = root.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(StoreError::io(&path))?;
        file.lock().map_err(StoreError::io(&path))?;
        Ok(Self { _file: file })
    }

    pub(crate) fn take(root: &Path) -> Result<Self, StoreError> {
        if root.is_file() {
            return Err(StoreError::NotAStore {
                path: root.to_owned(),
                message: "is a file: a store is a folder, name another".to_owned(),
            });
        }
        std::fs::create_dir_all(root).map_err(StoreError::io(root))?;
        let path = root.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(StoreError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: root.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
        }
    }
}

/// Where random bytes come from: the operating system, or a seed for demos and tests, whose
/// identifiers can then be foretold.
#[derive(Debug)]
pub(crate) enum Chance {
    System,
    Seeded(Draw),
}

impl Chance {
    pub(crate) fn bytes16(&mut self) -> [u8; 16] {
        match self {
            Self::Seeded(draw) => draw.bytes16(),
            Self::System => {
                let mut bytes = [0; 16];
                fill(&mut bytes);
                bytes
            }
        }
    }

    fn bytes32(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.bytes16());
        bytes[16..].copy_from_slice(&self.bytes16());
        bytes
    }
}

/// A machine whose operating system has no random bytes must not hand out identifiers.
#[allow(clippy::expect_used, reason = "there is no safe way to go on")]
fn fill(bytes: &mut [u8; 16]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// The keys of a shop's folder that is not a store yet: made, and kept, where there are none.
///
/// # Errors
/// Where the folder can't be written or the keys can't be read.
pub fn shop_keys(root: &Path) -> Result<IdentityKeys, StoreError> {
    std::fs::create_dir_all(root).map_err(StoreError::io(root))?;
    keys(root, &mut Chance::System, true, true)
}

#[derive(Serialize, Deserialize)]
struct AuditFile {
    key: String,
    number: u64,
    hash: String,
}

/// The key of a shop's audit log and where the log ends: apart from its rows. Made, where there is none.
///
/// # Errors
/// Where the folder can't be written or the file can't be read.
pub fn audit_key(root: &Path) -> Result<([u8; 32], Head), StoreError> {
    let path = root.join("keys").join("audit.json");
    if !path.exists() {
        let (key, head) = (Chance::System.bytes32(), Head { number: 0, hash: [0; 32] });
        keep_audit_head(root, key, head)?;
        return Ok((key, head));
    }
    let _lock = crate::erase::lock_keys(root, "audit.lock")?;
    audit_file(root)
}

fn audit_file(root: &Path) -> Result<([u8; 32], Head), StoreError> {
    let path = root.join("keys").join("audit.json");
    let text = std::fs::read_to_string(&path).map_err(StoreError::io(&path))?;
    let damaged = || StoreError::format(&path, "the file of the audit log's key is damaged: restore it from a backup");
    let file: AuditFile = serde_json::from_str(&text).map_err(|_| damaged())?;
    let bytes = |text: &str| blake3::Hash::from_hex(text).map(|hash| *hash.as_bytes()).map_err(|_| damaged());
    Ok((bytes(&file.key)?, Head { number: file.number, hash: bytes(&file.hash)? }))
}

/// Keeps where the audit log ends.
///
/// # Errors
/// Where the folder can't be written.
pub fn keep_audit_head(root: &Path, key: [u8; 32], head: Head) -> Result<(), StoreError> {
    let folder = root.join("keys");
    std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
    owner_only(&folder)?;
    // Of several writers each may come late: the end only ever moves on.
    let _lock = crate::erase::lock_keys(root, "audit.lock")?;
    if folder.join("audit.json").exists() && audit_file(root)?.1.number > head.number {
        return Ok(());
    }
    let hex = |bytes: [u8; 32]| blake3::Hash::from_bytes(bytes).to_hex().to_string();
    let file = AuditFile { key: hex(key), number: head.number, hash: hex(head.hash) };
    write_atomic(&folder.join("audit.json"), serde_json::to_string_pretty(&file).unwrap_or_default().as_bytes())
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    version: u32,
    lookup: String,
    sealing: Sealing,
    event: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Sealing {
    /// Before anybody was erased.
    Whole(String),
    Parts(Vec<Part>),
}

/// A part of the keys that is left.
#[derive(Serialize, Deserialize)]
struct Part {
    first: String,
    level: u32,
    secret: String,
}

/// The keys of the store in `root`; of a `new` store, new ones. With `keep` they are written.
pub(crate) fn keys(root: &Path, chance: &mut Chance, new: bool, keep: bool) -> Result<IdentityKeys, StoreError> {
    let path = root.join("keys").join("identity.json");
    if path.exists() {
        return read_keys(&path);
    }
    if !new {
        let message = "the key file is gone: restore it from a backup. With new keys every customer and event would be taken for a new one";
        return Err(StoreError::format(&path, message));
    }
    let keys = IdentityKeys::generate(|| chance.bytes32());
    if keep {
        keep_identity_keys(root, &keys)?;
    }
    Ok(keys)
}

fn read_keys(path: &Path) -> Result<IdentityKeys, StoreError> {
    let text = std::fs::read_to_string(path).map_err(StoreError::io(path))?;
    let damaged =
        || StoreError::format(path, "the key file is damaged: restore it from a backup, or the store's customers can't be told apart");
    let file: KeyFile = serde_json::from_str(&text).map_err(|_| damaged())?;
    let key = |text: &str| blake3::Hash::from_hex(text).map(|hash| *hash.as_bytes()).map_err(|_| damaged());
    let part = |part: &Part| {
        let first = u64::from_str_radix(&part.first, 16).map_err(|_| damaged())?;
        Ok(Subtree { first, level: part.level, secret: key(&part.secret)? })
    };
    let sealing = match &file.sealing {
        Sealing::Whole(secret) => SealingKeys::new(key(secret)?),
        Sealing::Parts(parts) => SealingKeys::from_subtrees(parts.iter().map(part).collect::<Result<Vec<_>, StoreError>>()?),
    };
    Ok(IdentityKeys { version: file.version, lookup: key(&file.lookup)?, sealing, event: key(&file.event)? })
}

/// Writes the keys of a shop's folder.
///
/// # Errors
/// Where the folder can't be written.
pub fn keep_identity_keys(root: &Path, keys: &IdentityKeys) -> Result<(), StoreError> {
    let hex = |key: [u8; 32]| blake3::Hash::from_bytes(key).to_hex().to_string();
    let mut parts: Vec<Subtree> = keys.sealing.subtrees().collect();
    let sealing = match parts.as_slice() {
        [Subtree { level: 0, secret, .. }] => Sealing::Whole(hex(*secret)),
        _ => Sealing::Parts(
            parts
                .drain(..)
                .map(|part| Part { first: format!("{:016x}", part.first), level: part.level, secret: hex(part.secret) })
                .collect(),
        ),
    };
    let file = KeyFile { version: keys.version, lookup: hex(keys.lookup), sealing, event: hex(keys.event) };
    let folder = root.join("keys");
    std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
    owner_only(&folder)?;
    write_atomic(&folder.join("identity.json"), serde_json::to_string_pretty(&file).unwrap_or_default().as_bytes())
}

#[cfg(unix)]
fn owner_only(folder: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(StoreError::io(folder))
}

#[cfg(not(unix))]
fn owner_only(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Removes what no manifest names: remains of an import that was interrupted. Only names that an
/// import gives are touched: the folder may hold files of the shop's own.
pub(crate) fn clean(root: &Path, manifest: &Manifest) {
    let named: BTreeSet<&str> =
        manifest.events.iter().chain(manifest.tables.values()).chain(&manifest.identity).map(|segment| segment.name.as_str()).collect();
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = entry.path();
        if is_ours(name, path.is_dir()) && !named.contains(name) {
            // Best effort: what stays is not part of the store.
            if path.is_dir() {
                std::fs::remove_dir_all(path).ok()
            } else {
                std::fs::remove_file(path).ok()
            };
        }
    }
}

/// Whether an import gives this name: `events-000001` to a folder, `products-000001.parquet` to a
/// file, with six digits or more.
fn is_ours(name: &str, folder: bool) -> bool {
    let numbered = |name: &str, prefix: &str| {
        let number = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if folder {
        return numbered(name, Table::Events.name());
    }
    let file = name.strip_suffix(".parquet");
    name == "store.staged"
        || file.is_some_and(|file| numbered(file, "identity") || Table::ALL.iter().any(|table| numbered(file, table.name())))
}
