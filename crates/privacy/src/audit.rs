//! The audit log: who changed what, when and why, in a chain that shows whatever was done to it afterwards.
//!
//! Each row carries a keyed hash (BLAKE3) of itself and of the row before. Without the key, which is kept apart from the rows,
//! nobody makes a row that fits; a row that is changed, left out, put in or moved is found, and the first one is named. Rows cut off
//! at the end leave a chain that is whole: they show by the [`Head`], which is kept apart as well.

use serde::{Deserialize, Serialize};
use youhui_commerce::Micros;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub time: Micros,
    /// Who: an account of the shop's, never a customer.
    pub actor: String,
    /// What was done, such as `campaign.approve`.
    pub action: String,
    /// To what, such as the campaign's identifier.
    pub object: String,
    /// What it was before; nothing, where it is new.
    pub before: Option<String>,
    /// What it is now; nothing, where it is gone.
    pub after: Option<String>,
    /// Why, in the actor's words.
    pub reason: String,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// From 1, without gaps.
    pub number: u64,
    /// What was done.
    pub change: Change,
    /// The chain up to and with this row.
    pub hash: [u8; 32],
}

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last row's; 0 of an empty log.
    pub number: u64,
    /// The last row's.
    pub hash: [u8; 32],
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A row is missing here, or there is one too many.
    #[error("row {expected} is missing or out of place: row {found} stands there")]
    Number {
        /// What should come.
        expected: u64,
        /// What comes.
        found: u64,
    },
    /// A row is not what was written.
    #[error("row {0} is not what was written, or the one before it is not")]
    Row(u64),
    /// Rows were cut off at the end.
    #[error("the log ends with row {found}, and had {expected}: rows were cut off")]
    End {
        /// The head's.
        expected: u64,
        /// The log's.
        found: u64,
    },
}

/// Writes and checks a log.
#[derive(Clone)]
pub struct Chain {
    key: [u8; 32],
    head: Head,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain {{ head: {}, .. }}", self.head.number)
    }
}

impl Chain {
    /// A log without rows.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key, head: Head { number: 0, hash: [0; 32] } }
    }

    /// A log that goes on after its last row.
    pub const fn after(key: [u8; 32], head: Head) -> Self {
        Self { key, head }
    }

    /// Where it ends.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The row of a change; the next one follows it.
    pub fn append(&mut self, change: Change) -> Row {
        let number = self.head.number + 1;
        let hash = self.hash(number, &change);
        self.head = Head { number, hash };
        Row { number, change, hash }
    }

    /// Checks the next row of a log that is read from its start.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn follow(&mut self, row: &Row) -> Result<(), Broken> {
        let expected = self.head.number + 1;
        if row.number != expected {
            return Err(Broken::Number { expected, found: row.number });
        }
        let hash = blake3::Hash::from_bytes(self.hash(row.number, &row.change));
        // Compared in constant time.
        if hash != blake3::Hash::from_bytes(row.hash) {
            return Err(Broken::Row(row.number));
        }
        self.head = Head { number: row.number, hash: row.hash };
        Ok(())
    }

    /// Every part after its length, so that no two changes have the same bytes.
    fn hash(&self, number: u64, change: &Change) -> [u8; 32] {
        let Change { time, actor, action, object, before, after, reason } = change;
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&self.head.hash).update(&number.to_le_bytes()).update(&time.to_le_bytes());
        for part in [Some(actor), Some(action), Some(object), before.as_ref(), after.as_ref(), Some(reason)] {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hasher.update(&length.to_le_bytes()).update(part.map_or(&[], |part| part.as_bytes()));
        }
        *hasher.finalize().as_bytes()
    }
}

/// Checks a whole log, and that it reaches its head where that is known; how many rows there are.
///
/// # Errors
/// The first row that is wrong.
pub fn verify<'a>(key: [u8; 32], rows: impl IntoIterator<Item = &'a Row>, head: Option<Head>) -> Result<u64, Broken> {
    let mut chain = Chain::new(key);
    for row in rows {
        chain.follow(row)?;
    }
    let found = chain.head().number;
    match head {
        Some(head) if head.number > found => Err(Broken::End { expected: head.number, found }),
        // A log that is longer than its head, as after a crash between the two, still has to lead through it.
        Some(head) if head.number == found && head.hash != chain.head().hash => Err(Broken::Row(found)),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use youhui_commerce::Draw;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn log(rows: usize) -> (Vec<Row>, Head) {
        let mut chain = Chain::new(KEY);
        let change = |number: usize| Change {
            time: 1_000 + i64::try_from(number).unwrap(),
            actor: "anna".to_owned(),
            action: "campaign.edit".to_owned(),
            object: format!("c{}", number % 3),
            before: (number > 2).then(|| format!("{number} before")),
            after: Some(format!("{number} after")),
            reason: "优惠".to_owned(),
        };
        let rows = (0..rows).map(|number| chain.append(change(number))).collect();
        (rows, chain.head())
    }

    #[test]
    fn a_log_as_it_was_written_is_whole() {
        let (rows, head) = log(20);
        assert_eq!(verify(KEY, &rows, Some(head)), Ok(20));
        assert_eq!(verify(KEY, &[], None), Ok(0));
        // Appended to after it was read again.
        let mut more = rows.clone();
        more.push(Chain::after(KEY, head).append(rows[0].change.clone()));
        assert_eq!(verify(KEY, &more, Some(head)), Ok(21));
        assert_eq!(verify([8; 32], &rows, Some(head)), Err(Broken::Row(1)), "another key");
    }

    /// Every byte of every field of every row.
    #[test]
    fn a_change_of_any_byte_is_found_at_its_row() {
        let (rows, head) = log(5);
        for (place, row) in rows.iter().enumerate() {
            let change = &row.change;
            let mut forged: Vec<Row> = vec![];
            let mut with = |change: Change| forged.push(Row { change, ..row.clone() });
            for bit in 0..64 {
                with(Change { time: change.time ^ 1 << bit, ..change.clone() });
            }
            let texts = [&change.actor, &change.action, &change.object, &change.reason];
            for (field, text) in texts.into_iter().enumerate() {
                for (at, letter) in text.char_indices() {
                    let other = if letter == 'x' { 'y' } else { 'x' };
                    let text = format!("{}{other}{}", &text[..at], &text[at + letter.len_utf8()..]);
                    let mut changed = change.clone();
                    *[&mut changed.actor, &mut changed.action, &mut changed.object, &mut changed.reason][field] = text;
                    with(changed);
                }
            }
            with(Change { before: None, after: change.before.clone(), ..change.clone() });
            with(Change { before: Some(String::new()), ..change.clone() });
            with(Change { actor: format!("{}c", change.actor), action: change.action[1..].to_owned(), ..change.clone() });
            for byte in 0..32 {
                let mut hash = row.hash;
                hash[byte] ^= 1;
                forged.push(Row { hash, ..row.clone() });
            }
            for forgery in forged {
                let mut log = rows.clone();
                log[place] = forgery;
                let number = u64::try_from(place).unwrap() + 1;
                assert_eq!(verify(KEY, &log, Some(head)), Err(Broken::Row(number)), "{:?}", log[place]);
            }
        }
    }

    #[test]
    fn rows_that_are_missing_moved_or_cut_off_are_found() {
        let (rows, head) = log(12);
        let mut draw = Draw::seeded(1);
        for _ in 0..200 {
            let (one, two) = (draw.below(12), draw.below(12));
            let mut log = rows.clone();
            let gone = log.remove(one);
            let expected = if one == 11 {
                Broken::End { expected: 12, found: 11 }
            } else {
                Broken::Number { expected: gone.number, found: gone.number + 1 }
            };
            assert_eq!(verify(KEY, &log, Some(head)), Err(expected));
            if one != two {
                let mut log = rows.clone();
                log.swap(one, two);
                assert!(matches!(verify(KEY, &log, Some(head)), Err(Broken::Number { .. })));
                // Renumbered, so that nothing shows on the surface.
                for (number, row) in (1..).zip(&mut log) {
                    row.number = number;
                }
                assert_eq!(verify(KEY, &log, Some(head)), Err(Broken::Row(u64::try_from(one.min(two)).unwrap() + 1)));
            }
        }
        let mut twice = rows.clone();
        twice.insert(5, rows[4].clone());
        assert_eq!(verify(KEY, &twice, Some(head)), Err(Broken::Number { expected: 6, found: 5 }));
    }
}
