//! A setting's key: `BrokerConfiguration:Host`; arrays by index.

use std::fmt;
use unicode_general_category::{GeneralCategory, get_general_category};

/// The names on the way to a value. Compared without regard to case, written as given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// Splits at `:`, the only separator that files know; `__` is one in the names of variables.
    pub fn new(key: &str) -> Self {
        KeyPath(key.split(':').map(str::to_owned).collect())
    }

    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(":"))
    }
}

/// .NET's ordinal comparison without regard to case.
pub fn same(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    folded(left).eq(folded(right))
}

/// Whether a key is another one, or a section that holds it.
pub fn holds(section: &str, key: &str) -> bool {
    let mut rest = folded(key);
    let begins = folded(section).all(|letter| rest.next() == Some(letter));
    begins && matches!(rest.next(), None | Some(':'))
}

/// A key's form for maps: equal for keys that .NET takes for one.
pub fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_uppercase();
    }
    folded(key).collect()
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().map(upper)
}

/// The capital that .NET's ordinal comparison takes a letter for: Unicode's simple mapping, by
/// which one letter stays one letter.
fn upper(letter: char) -> char {
    match letter {
        // Their capitals are ASCII letters: .NET keeps them apart.
        'ı' | 'ſ' => letter,
        // Rust maps these to two letters each.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(u32::from(letter) + 8).unwrap_or(letter)
        }
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => {
            char::from_u32(u32::from(letter) + 9).unwrap_or(letter)
        }
        _ => {
            let mut upper = letter.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(single), None) if is_known(single) => single,
                _ => letter,
            }
        }
    }
}

/// Whether .NET's Unicode (16.0) has the letter already: Rust's may be newer.
fn is_known(letter: char) -> bool {
    get_general_category(letter) != GeneralCategory::Unassigned
}
