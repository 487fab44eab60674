//! Single-use codes: unguessable, and typos are found without asking anybody.
//!
//! Fifteen symbols of Crockford's base 32 (no I, L, O, U) carry 75 random bits; a sixteenth, by Luhn's algorithm modulo 32,
//! makes any one wrong symbol and any two swapped neighbours show (but for one pair, 0 and Z). Nobody guesses one of a million
//! codes in less than 2⁵⁵ tries.

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Symbols of a code, the last of which checks the others.
const LENGTH: usize = 16;

/// What is wrong with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// Too short or too long.
    #[error("a code has {LENGTH} letters and digits")]
    Length,
    /// A symbol that no code has.
    #[error("{0:?} is in no code: codes have digits and letters without I, L, O and U")]
    Symbol(char),
    /// The check symbol is another: something was mistyped.
    #[error("a letter or digit is wrong, or two are swapped")]
    Typo,
}

/// A code of random bytes, in four groups.
pub fn mint(random: [u8; 10]) -> String {
    let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut digits: Vec<u8> = (0..LENGTH - 1).map(|place| u8::try_from(bits >> (5 * place) & 31).unwrap_or(0)).collect();
    digits.push(check_digit(&digits));
    written(&digits)
}

/// The code as it is stored: in capitals, in four groups, with look-alikes read as what was meant.
///
/// # Errors
/// What is wrong with it, found without looking it up.
pub fn normalise(code: &str) -> Result<String, NotACode> {
    let mut digits = Vec::with_capacity(LENGTH);
    for symbol in code.chars().filter(|symbol| *symbol != '-' && !symbol.is_whitespace()) {
        let read = match symbol.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let digit = SYMBOLS.iter().position(|one| char::from(*one) == read).ok_or(NotACode::Symbol(symbol))?;
        digits.push(u8::try_from(digit).unwrap_or(0));
        if digits.len() > LENGTH {
            return Err(NotACode::Length);
        }
    }
    match digits.split_last() {
        Some((check, rest)) if digits.len() == LENGTH => {
            if check_digit(rest) == *check {
                Ok(written(&digits))
            } else {
                Err(NotACode::Typo)
            }
        }
        _ => Err(NotACode::Length),
    }
}

/// Luhn's algorithm modulo 32: from the right every second digit is doubled, and the digits of that are added.
fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let weighted = u32::from(*digit) * if place % 2 == 0 { 2 } else { 1 };
            weighted / 32 + weighted % 32
        })
        .sum();
    u8::try_from((32 - sum % 32) % 32).unwrap_or(0)
}

fn written(digits: &[u8]) -> String {
    let mut code = String::with_capacity(LENGTH + 3);
    for (place, digit) in digits.iter().enumerate() {
        if place > 0 && place % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(SYMBOLS[usize::from(*digit)]));
    }
    code
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_is_read_back_however_it_is_typed(random: [u8; 10]) {
            let code = mint(random);
            prop_assert_eq!(normalise(&code), Ok(code.clone()));
            let typed = code.replace('-', " ").to_lowercase().replace('0', "o").replace('1', "l");
            prop_assert_eq!(normalise(&typed), Ok(code));
        }

        #[test]
        fn a_wrong_symbol_shows(random: [u8; 10], place in 0..16_usize, other in 0..32_usize) {
            let mut symbols: Vec<char> = mint(random).replace('-', "").chars().collect();
            let wrong = char::from(SYMBOLS[other]);
            prop_assume!(symbols[place] != wrong);
            symbols[place] = wrong;
            prop_assert_eq!(normalise(&symbols.iter().collect::<String>()), Err(NotACode::Typo));
        }

        #[test]
        fn swapped_neighbours_show(random: [u8; 10], place in 0..15_usize) {
            let mut symbols: Vec<char> = mint(random).replace('-', "").chars().collect();
            let pair = [symbols[place], symbols[place + 1]];
            prop_assume!(pair[0] != pair[1] && !(pair.contains(&'0') && pair.contains(&'Z')));
            symbols.swap(place, place + 1);
            prop_assert_eq!(normalise(&symbols.iter().collect::<String>()), Err(NotACode::Typo));
        }
    }

    #[test]
    fn what_is_no_code_is_told_why() {
        assert_eq!(normalise(""), Err(NotACode::Length));
        assert_eq!(normalise("ABCD"), Err(NotACode::Length));
        assert_eq!(normalise(&"0".repeat(1_000_000)), Err(NotACode::Length));
        assert_eq!(normalise("ABCD-EFGH-JKMN-PQR!"), Err(NotACode::Symbol('!')));
        assert_eq!(normalise("ABCD-EFGH-JKMN-PQR优"), Err(NotACode::Symbol('优')));
    }
}
