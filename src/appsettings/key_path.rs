//! A setting's key: `BrokerConfiguration:Host`, also `BrokerConfiguration__Host`; arrays by index.

use std::fmt;

/// The names on the way to a value. Compared without regard to case, written as given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// Splits at `:` and at `__`.
    pub fn new(key: &str) -> Self {
        KeyPath(
            key.replace("__", ":")
                .split(':')
                .map(str::to_owned)
                .collect(),
        )
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

/// A key's form for maps: equal for keys that .NET takes for one.
pub fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_uppercase();
    }
    folded(key).collect()
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    // Simple upper-casing only: a character that would become several stays itself, as in .NET.
    text.chars().map(|letter| {
        let mut upper = letter.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(single), None) => single,
            _ => letter,
        }
    })
}
