//! Quotes of CSV text, watched while it is read. A quote that is never closed, or closed rows later
//! by the next one, would hide all rows between in one cell: nobody would miss them.

use std::io::{self, Read};

/// Longest row, in bytes: a file without line breaks must not fill the memory.
pub(crate) const LONGEST_ROW: usize = 64 << 20;

/// Passes CSV text on, up to the first quote that hides rows; there it fails.
pub(crate) struct Watched<R> {
    input: R,
    delimiter: u8,
    place: Place,
    /// The text under the open quote has gone on after a line break.
    hides: bool,
    broke: bool,
    /// Bytes since the last row's end.
    length: usize,
    ended: bool,
    problem: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where a field starts: only here is a quote a quote.
    Start,
    Plain,
    Quoted,
    /// After a quote under a quote: its end, or the first of two.
    Closing,
}

const HIDDEN: &str = "has a quote that is not closed before the row ends, which would hide the rows after it: \
                      write quotes inside of cells twice, or export the file again";
const TOO_LONG: &str = "is longer than 64 MB: look for a quote that is not closed, or export the file again";

impl<R: Read> Watched<R> {
    pub(crate) const fn new(input: R, delimiter: u8) -> Self {
        Self { input, delimiter, place: Place::Start, hides: false, broke: false, length: 0, ended: false, problem: None }
    }

    /// Whether the text has ended under a quote.
    pub(crate) fn is_cut(&self) -> bool {
        self.ended && self.place == Place::Quoted
    }

    /// What is wrong with the row after those that were read.
    pub(crate) const fn problem(&self) -> Option<&'static str> {
        self.problem
    }

    /// How many of `bytes` come before a row that can't be told from the next.
    fn watch(&mut self, bytes: &[u8]) -> usize {
        let is_end = |byte: u8| matches!(byte, b'\n' | b'\r');
        let mut row = 0;
        let mut unquoted = self.place != Place::Quoted && self.place != Place::Closing;
        unquoted &= !bytes.contains(&b'"');
        if unquoted {
            // Most text: nothing to look at but the last row's end.
            if let Some(end) = bytes.iter().rposition(|&byte| is_end(byte)) {
                (self.length, row) = (0, end + 1);
            }
            if let Some(&last) = bytes.last() {
                self.place = if is_end(last) || last == self.delimiter { Place::Start } else { Place::Plain };
            }
        } else {
            for (index, &byte) in bytes.iter().enumerate() {
                let ends_row = is_end(byte);
                self.place = match (self.place, byte) {
                    (Place::Quoted, b'"') => {
                        self.hides |= self.broke;
                        Place::Closing
                    }
                    (Place::Quoted, _) => {
                        self.hides |= self.broke && !ends_row;
                        self.broke |= ends_row;
                        continue;
                    }
                    (Place::Closing, b'"') => Place::Quoted,
                    (Place::Start, b'"') => {
                        (self.hides, self.broke) = (false, false);
                        Place::Quoted
                    }
                    (_, byte) if ends_row || byte == self.delimiter => Place::Start,
                    (Place::Closing, _) if self.hides => {
                        self.problem = Some(HIDDEN);
                        return row;
                    }
                    _ => Place::Plain,
                };
                if ends_row {
                    (self.length, row) = (0, index + 1);
                }
            }
        }
        self.length += bytes.len() - row;
        if self.length > LONGEST_ROW {
            self.problem = Some(TOO_LONG);
            return row;
        }
        bytes.len()
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(problem) = self.problem {
            return Err(io::Error::other(problem));
        }
        let got = self.input.read(buffer)?;
        self.ended = got == 0;
        if self.is_cut() && self.hides {
            self.problem = Some(HIDDEN);
        }
        let clear = self.watch(&buffer[..got]);
        match self.problem {
            // 0 would mean the end.
            Some(problem) if clear == 0 => Err(io::Error::other(problem)),
            _ => Ok(clear),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::Watched;

    /// Reads `text` in steps of `step` bytes: what passed, and the problem.
    fn watched(text: &str, step: usize) -> (String, Option<&'static str>) {
        let mut watched = Watched::new(text.as_bytes(), b',');
        let (mut passed, mut buffer) = (String::new(), vec![0; step]);
        while let Ok(got @ 1..) = watched.read(&mut buffer) {
            passed.push_str(std::str::from_utf8(&buffer[..got]).unwrap());
        }
        (passed, watched.problem())
    }

    #[test]
    fn only_quotes_that_hide_rows_stop_it() {
        let fine = [
            "a,b\n1,\"x\"\n",
            "a\n\"x\ny\"\nz\n",
            "a\n\"5\" pipe\",\n",
            "a\n1\" x\n2\" y\n",
            "a\n\"say \"\"x\n\"\"\"\n",
            "a\n\"cut",
            "a\n\"cut\n",
        ];
        let hides = ["a\n\"x\nb\n", "a\n\"x\nb\n\"y\"\n", "a\n1,\"x\n2,\"y\n", "\"a\nb"];
        for step in [1, 2, 3, 100] {
            fine.iter().for_each(|text| assert_eq!(watched(text, step), ((*text).to_owned(), None), "{text:?} by {step}"));
            hides.iter().for_each(|text| assert!(watched(text, step).1.is_some(), "{text:?} by {step}"));
        }
        // What comes before the row is passed on, so that the reader can say which row it is.
        assert_eq!(watched("a\n1\n\"x\nb\n\"y\"\n", 100).0, "a\n1\n");
    }

    proptest! {
        /// Where the text is cut into reads changes nothing.
        #[test]
        fn steps_do_not_matter(text in "[a,\"\n]{0,40}", step in 1_usize..7) {
            prop_assert_eq!(watched(&text, step).1, watched(&text, 1000).1);
        }
    }
}
