//! The identity vault: a shop's customer identifiers go in, random [`SubjectId`]s come out.
//!
//! A row is found by a keyed hash of the identifier (BLAKE3 under the key of a version), so the
//! table alone tells nobody who is in it, and cannot be searched by guessing without the key. The
//! identifier itself is sealed in the row (XChaCha20-Poly1305), so that rotating the key can
//! compute the hashes anew: rotation rewrites this table and nothing else, because events carry
//! the random id. Using the keyed hash itself as the id would tie every event to one key for ever.

use std::borrow::Cow;
use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rustc_hash::FxHashMap;
use youhui_commerce::SubjectId;

use crate::sealing::SealingKeys;

/// The secrets of a store. They live in a file of their own, outside the tables.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityKeys {
    /// Version of `lookup`, counted from 1.
    pub version: u32,
    /// Key of the look-up hash; rotates.
    pub lookup: [u8; 32],
    /// Keys that seal identifiers in their rows, one a customer.
    pub sealing: SealingKeys,
    /// Key of event ids: never rotates, or an old file imported again would count twice.
    pub event: [u8; 32],
}

impl IdentityKeys {
    /// Version 1, from 32 random bytes a key.
    pub fn generate(mut random: impl FnMut() -> [u8; 32]) -> Self {
        Self { version: 1, lookup: random(), sealing: SealingKeys::new(random()), event: random() }
    }
}

impl fmt::Debug for IdentityKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKeys {{ version: {}, .. }}", self.version)
    }
}

/// One row of the identity table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRow {
    /// Version of the key that made `lookup`.
    pub key_version: u32,
    /// Keyed hash of the identifier.
    pub lookup: [u8; 32],
    /// Whose.
    pub subject: SubjectId,
    /// The identifier under the subject's sealing key.
    pub sealed: Vec<u8>,
}

/// What can be wrong with an identity table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A row was made with another version of the key.
    #[error(
        "the identity table was made with key version {row}, the key file has version {keys}: restore the key file that belongs to this store"
    )]
    Version {
        /// The row's.
        row: u32,
        /// The key file's.
        keys: u32,
    },
    /// A sealed identifier doesn't open.
    #[error("an identity row does not open with this sealing key: restore the key file that belongs to this store")]
    Sealed,
    /// The customer was erased, and the key with them.
    #[error("the key of this identity row was destroyed when its customer was erased: the row is of an old backup")]
    KeyDestroyed,
}

/// Identifier → subject.
#[derive(Debug)]
pub struct IdentityVault {
    keys: IdentityKeys,
    by_lookup: FxHashMap<[u8; 32], SubjectId>,
    rows: Vec<IdentityRow>,
    stored: usize,
}

impl IdentityVault {
    /// A vault with the rows of a table.
    ///
    /// # Errors
    /// `Version` where the rows belong to another key.
    pub fn new(keys: IdentityKeys, rows: Vec<IdentityRow>) -> Result<Self, IdentityError> {
        if let Some(row) = rows.iter().find(|row| row.key_version != keys.version) {
            return Err(IdentityError::Version { row: row.key_version, keys: keys.version });
        }
        let by_lookup = rows.iter().map(|row| (row.lookup, row.subject)).collect();
        Ok(Self { keys, by_lookup, stored: rows.len(), rows })
    }

    /// The subject of an identifier; a new one gets 16 bytes of `random`: the operating system's
    /// in a shop, a seeded stream in the demo.
    pub fn resolve(&mut self, external: &str, random: impl FnOnce() -> [u8; 16]) -> SubjectId {
        let external = normalised(external);
        let lookup = lookup(&self.keys, &external);
        if let Some(&subject) = self.by_lookup.get(&lookup) {
            return subject;
        }
        let subject = SubjectId::from_bytes(random());
        self.by_lookup.insert(lookup, subject);
        self.rows.push(IdentityRow { key_version: self.keys.version, lookup, subject, sealed: seal(&self.keys, subject, &external) });
        subject
    }

    /// The identifier of a row.
    ///
    /// # Errors
    /// `KeyDestroyed` where its customer was erased, `Sealed` where the keys are of another shop.
    pub fn reveal(&self, row: &IdentityRow) -> Result<String, IdentityError> {
        open(&self.keys, row)
    }

    /// Takes in a row that another server has written. Where both had given the identifier a subject, the row's counts, and the one that does not any
    /// more is returned.
    pub fn adopt(&mut self, row: IdentityRow) -> Option<SubjectId> {
        let before = self.by_lookup.insert(row.lookup, row.subject);
        if before == Some(row.subject) {
            return None;
        }
        self.rows.push(row);
        before
    }

    /// Forgets subjects for good: their rows, and the keys that they were sealed with.
    pub fn erase(&mut self, is_gone: impl Fn(SubjectId) -> bool) {
        self.by_lookup.retain(|_, known| !is_gone(*known));
        let before = self.rows.len();
        let keys = &mut self.keys;
        self.rows.retain(|row| {
            let gone = is_gone(row.subject);
            if gone {
                keys.sealing.destroy(row.subject);
            }
            !gone
        });
        self.stored -= (before - self.rows.len()).min(self.stored);
    }

    /// The keys as they are by now.
    pub const fn keys(&self) -> &IdentityKeys {
        &self.keys
    }

    /// The subject of an identifier, if it is known.
    pub fn find(&self, external: &str) -> Option<SubjectId> {
        self.by_lookup.get(&lookup(&self.keys, &normalised(external))).copied()
    }

    /// Customers with two subjects, one of an import and one of a server that met them first: each earlier one with the one that is found.
    pub fn twice(&self) -> Vec<(SubjectId, SubjectId)> {
        let found = |row: &IdentityRow| self.by_lookup.get(&row.lookup).copied().unwrap_or(row.subject);
        self.rows.iter().map(|row| (row.subject, found(row))).filter(|(own, found)| own != found).collect()
    }

    /// The whole table, old rows first.
    pub fn rows(&self) -> &[IdentityRow] {
        &self.rows
    }

    /// Whether rows were added since the table was read.
    pub fn has_grown(&self) -> bool {
        self.rows.len() > self.stored
    }

    /// Moves every row to a new look-up key of the next version. Subjects, and so all events, stay
    /// as they are.
    ///
    /// # Errors
    /// `Sealed` where a row doesn't open; the vault is then as it was.
    pub fn rotate(&mut self, lookup_key: [u8; 32]) -> Result<&IdentityKeys, IdentityError> {
        let keys = IdentityKeys { version: self.keys.version + 1, lookup: lookup_key, ..self.keys.clone() };
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let external = open(&self.keys, row)?;
            rows.push(IdentityRow {
                key_version: keys.version,
                lookup: lookup(&keys, &external),
                subject: row.subject,
                sealed: row.sealed.clone(),
            });
        }
        self.by_lookup = rows.iter().map(|row| (row.lookup, row.subject)).collect();
        (self.rows, self.keys) = (rows, keys);
        Ok(&self.keys)
    }
}

/// 123, " 123 " and 123.0 (from a column of floats) are one customer.
pub(crate) fn normalised(external: &str) -> Cow<'_, str> {
    let trimmed = external.trim();
    match trimmed.split_once('.') {
        Some((whole, zeros))
            if !whole.is_empty()
                && !zeros.is_empty()
                && whole.bytes().all(|byte| byte.is_ascii_digit())
                && zeros.bytes().all(|byte| byte == b'0') =>
        {
            Cow::Borrowed(whole)
        }
        _ => Cow::Borrowed(trimmed),
    }
}

fn lookup(keys: &IdentityKeys, external: &str) -> [u8; 32] {
    *blake3::keyed_hash(&keys.lookup, external.as_bytes()).as_bytes()
}

/// nonce ‖ ciphertext. The nonce is a keyed hash of the identifier: equal identifiers have equal
/// rows anyway, and different ones have different nonces.
fn seal(keys: &IdentityKeys, subject: SubjectId, external: &str) -> Vec<u8> {
    // Only a subject of somebody who was erased has no key, and nobody gets such a subject again.
    let key = keys.sealing.of(subject).unwrap_or_default();
    let mut nonce = [0_u8; 24];
    nonce.copy_from_slice(&blake3::keyed_hash(&key, external.as_bytes()).as_bytes()[..24]);
    // Encryption of a short text in memory has no way to fail; an empty seal would fail to open.
    let sealed = XChaCha20Poly1305::new(&Key::from(key)).encrypt(&XNonce::from(nonce), external.as_bytes()).unwrap_or_default();
    [nonce.as_slice(), &sealed].concat()
}

fn open(keys: &IdentityKeys, row: &IdentityRow) -> Result<String, IdentityError> {
    let key = keys.sealing.of(row.subject).ok_or(IdentityError::KeyDestroyed)?;
    let (nonce, text) = row.sealed.split_first_chunk::<24>().ok_or(IdentityError::Sealed)?;
    let plain = XChaCha20Poly1305::new(&Key::from(key)).decrypt(&XNonce::from(*nonce), text).map_err(|_| IdentityError::Sealed)?;
    String::from_utf8(plain).map_err(|_| IdentityError::Sealed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use youhui_commerce::Draw;

    use super::*;

    fn keys(seed: u64) -> IdentityKeys {
        let mut draw = Draw::seeded(seed);
        IdentityKeys::generate(|| {
            let mut key = [0; 32];
            key[..16].copy_from_slice(&draw.bytes16());
            key[16..].copy_from_slice(&draw.bytes16());
            key
        })
    }

    #[test]
    fn whoever_has_two_subjects_is_one_customer() {
        let mut imported = IdentityVault::new(IdentityKeys::generate(|| [7; 32]), vec![]).unwrap();
        let (first, other) = (imported.resolve("anna", || [1; 16]), imported.resolve("bob", || [2; 16]));
        let mut served = IdentityVault::new(IdentityKeys::generate(|| [7; 32]), vec![]).unwrap();
        let second = served.resolve("anna", || [3; 16]);
        let rows = [imported.rows(), served.rows()].concat();
        let vault = IdentityVault::new(IdentityKeys::generate(|| [7; 32]), rows).unwrap();
        assert_eq!((vault.find("anna"), vault.find("bob")), (Some(second), Some(other)));
        assert_eq!(vault.twice(), [(first, second)]);
        assert_eq!(imported.twice(), []);
    }

    #[test]
    fn one_identifier_is_one_subject() {
        let mut vault = IdentityVault::new(keys(1), vec![]).unwrap();
        let mut draw = Draw::seeded(2);
        let subject = vault.resolve("1038", || draw.bytes16());
        for same in [" 1038 ", "1038.0", "1038.00"] {
            assert_eq!(vault.resolve(same, || draw.bytes16()), subject, "{same}");
        }
        for other in ["01038", "1038.5", "1038.", "a.0"] {
            assert_ne!(vault.resolve(other, || draw.bytes16()), subject, "{other}");
        }
        assert_eq!(vault.find("1038"), Some(subject));
        assert_eq!(vault.find("nobody"), None);
    }

    #[test]
    fn rotation_keeps_every_subject_and_changes_every_lookup() {
        let mut vault = IdentityVault::new(keys(1), vec![]).unwrap();
        let mut draw = Draw::seeded(2);
        let before: Vec<SubjectId> = (0..50).map(|id| vault.resolve(&format!("customer-{id}"), || draw.bytes16())).collect();
        let old = vault.rows().to_vec();
        vault.rotate([9; 32]).unwrap();
        let after: Vec<SubjectId> = (0..50).filter_map(|id| vault.find(&format!("customer-{id}"))).collect();
        assert_eq!(before, after);
        assert!(vault.rows().iter().zip(&old).all(|(new, old)| new.lookup != old.lookup && new.key_version == 2));
        // The old table is refused under the new keys instead of growing twins of everybody.
        let new_keys = IdentityKeys { version: 2, lookup: [9; 32], ..keys(1) };
        assert!(matches!(IdentityVault::new(new_keys, old), Err(IdentityError::Version { row: 1, keys: 2 })));
    }

    #[test]
    fn nothing_in_a_row_shows_the_identifier() {
        let mut vault = IdentityVault::new(keys(1), vec![]).unwrap();
        vault.resolve("alice@example.com", || [7; 16]);
        let row = &vault.rows()[0];
        assert!(!String::from_utf8_lossy(&row.sealed).contains("alice"));
        assert!(!format!("{vault:?}").contains("alice"));
        let wrong = IdentityKeys { sealing: SealingKeys::new([0; 32]), ..keys(1) };
        let mut stolen = IdentityVault::new(wrong, vault.rows().to_vec()).unwrap();
        assert_eq!(stolen.rotate([1; 32]), Err(IdentityError::Sealed));
    }

    proptest! {
        /// P44: an identifier has one subject before, between and after rotations, whatever comes when, with the old keys gone.
        #[test]
        fn one_subject_through_any_rotations(steps in prop::collection::vec(prop::option::of(0..6_u8), 1..40)) {
            let mut vault = IdentityVault::new(keys(1), vec![]).unwrap();
            let mut draw = Draw::seeded(3);
            let mut known = FxHashMap::default();
            for step in steps {
                match step {
                    Some(id) => {
                        let subject = vault.resolve(&format!("customer-{id}"), || draw.bytes16());
                        prop_assert_eq!(*known.entry(id).or_insert(subject), subject);
                    }
                    None => {
                        let mut key = [0; 32];
                        key[..16].copy_from_slice(&draw.bytes16());
                        let keys = vault.rotate(key).unwrap().clone();
                        // What is on disk is all that is left of it.
                        vault = IdentityVault::new(keys, vault.rows().to_vec()).unwrap();
                    }
                }
                for (id, subject) in &known {
                    prop_assert_eq!(vault.find(&format!("customer-{id}")), Some(*subject));
                }
            }
        }
    }

    /// P44: a dictionary of every likely identifier finds nobody in a table without the key; in one of plain hashes it finds everybody.
    #[test]
    fn a_dictionary_finds_nobody() {
        let mut vault = IdentityVault::new(keys(1), vec![]).unwrap();
        let mut draw = Draw::seeded(4);
        let email = |number: u32| format!("customer.{number}@example.com");
        (0..1000).for_each(|number| {
            vault.resolve(&email(number * 997), || draw.bytes16());
        });
        let keyed: rustc_hash::FxHashSet<[u8; 32]> = vault.rows().iter().map(|row| row.lookup).collect();
        let plain: rustc_hash::FxHashSet<[u8; 32]> =
            (0..1000).map(|number| *blake3::hash(email(number * 997).as_bytes()).as_bytes()).collect();
        let found = |table: &rustc_hash::FxHashSet<[u8; 32]>| {
            (0..1_000_000).filter(|&number| table.contains(blake3::hash(email(number).as_bytes()).as_bytes())).count()
        };
        assert_eq!((found(&keyed), found(&plain)), (0, 1000));
    }

    /// P12: who was erased stays so in a backup of the table, once the keys are those of after.
    #[test]
    fn a_row_of_an_old_backup_does_not_open() {
        let mut vault = IdentityVault::new(keys(1), vec![]).unwrap();
        let mut draw = Draw::seeded(5);
        let anna = vault.resolve("anna", || draw.bytes16());
        vault.resolve("bob", || draw.bytes16());
        let backup = vault.rows().to_vec();
        assert_eq!(vault.reveal(&backup[0]), Ok("anna".to_owned()));
        vault.erase(|subject| subject == anna);
        assert_eq!((vault.find("anna"), vault.rows().len()), (None, 1));
        let restored = IdentityVault::new(vault.keys().clone(), backup.clone()).unwrap();
        assert_eq!(restored.reveal(&backup[0]), Err(IdentityError::KeyDestroyed));
        assert_eq!(restored.reveal(&backup[1]), Ok("bob".to_owned()));
    }
}
