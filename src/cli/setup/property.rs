//! A property of a schema, as the short way asks about it: its title and its description.

use crate::schema::{self, Application};
use crate::terminal::prompt::Question;

/// A property of an application's schema, as a question.
pub fn question(application: &str, key: &str) -> Question {
    let schema = Application::named(application).map(Application::schema);
    let property = schema.as_ref().and_then(|all| schema::property(all, key));
    let text = |word: &str| property.and_then(|property| property[word].as_str());
    Question::new(
        text("title").unwrap_or(key),
        text("description").unwrap_or_default(),
    )
}
