//! Which settings each application has: JSON Schemas, and a document's violations of them.

mod application;
mod check;
mod facets;
mod formats;
pub mod interview;
mod lookup;
pub mod question;
mod secrets;
mod violation;

pub use application::{APPLICATIONS, Application, answers, schema_of};
pub use check::{all_violations, answers_violations, check, check_whole, violations};
pub use lookup::{ValueType, defaults, nearest, property, value_type};
pub use secrets::{is_secret, masked};
pub use violation::{Violation, Violations};
