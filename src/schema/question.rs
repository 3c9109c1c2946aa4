//! A question about a setting: what a person is asked, and what may be answered.

use crate::appsettings::document::NewValue;
use url::Url;

/// One property of a schema, as a question.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingQuestion {
    /// As settings files have it: `BrokerConfiguration:Port`.
    pub key: String,
    /// The titles on the way to the property, its own last.
    pub titles: Vec<String>,
    pub description: String,
    pub kind: AnswerKind,
    /// What the application takes where nothing is set.
    pub default: Option<String>,
    pub examples: Vec<String>,
    /// The schema's own words for what is allowed.
    pub allowed: Option<String>,
    pub secret: bool,
}

/// What an answer looks like.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerKind {
    /// One of the usual values; of others too where the schema has more to say.
    Choice {
        choices: Vec<OfferedValue>,
        others: OtherValues,
    },
    YesNo,
    Integer {
        minimum: Option<i64>,
        maximum: Option<i64>,
    },
    Number,
    Uri,
    Text,
    /// Items that are asked for one by one, each by these questions.
    List(Vec<SettingQuestion>),
    /// Named values that are asked for one by one, each by these questions.
    Map(Vec<SettingQuestion>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherValues {
    Allowed,
    Refused,
}

/// A value that is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedValue {
    pub label: String,
    pub value: NewValue,
}

/// Stands in the key of an item's question where its name or index will be.
pub const ITEM: &str = "*";

impl SettingQuestion {
    /// The property's own title.
    pub fn title(&self) -> &str {
        self.titles.last().map_or(&self.key, String::as_str)
    }

    /// The title of the group that the property is in.
    pub fn group(&self) -> &str {
        self.titles.first().map_or(&self.key, String::as_str)
    }

    /// The property's title with its group's, unless it says that itself.
    pub fn label(&self) -> String {
        if self.title().starts_with(self.group()) {
            self.title().to_owned()
        } else {
            format!("{}: {}", self.group(), self.title())
        }
    }

    /// This question, which is asked for each item below `holder`, for the item of a name.
    pub fn for_item(&self, holder: &str, name: &str) -> Self {
        let (any, own) = (format!("{holder}:{ITEM}"), format!("{holder}:{name}"));
        let renamed = |questions: &[Self]| -> Vec<Self> {
            questions
                .iter()
                .map(|question| question.for_item(holder, name))
                .collect()
        };
        let kind = match &self.kind {
            AnswerKind::List(items) => AnswerKind::List(renamed(items)),
            AnswerKind::Map(items) => AnswerKind::Map(renamed(items)),
            kind => kind.clone(),
        };
        SettingQuestion {
            key: self.key.replacen(&any, &own, 1),
            kind,
            ..self.clone()
        }
    }

    /// An answer as it was typed, in the type that the schema asks for.
    pub fn parse(&self, text: &str) -> Result<NewValue, String> {
        match &self.kind {
            AnswerKind::Choice { choices, others } => {
                let is_meant = |choice: &&OfferedValue| {
                    choice.label.eq_ignore_ascii_case(text)
                        || choice.value.as_read().eq_ignore_ascii_case(text)
                };
                match (choices.iter().find(is_meant), others) {
                    (Some(choice), _) => Ok(choice.value.clone()),
                    (None, OtherValues::Allowed) => Ok(NewValue::Text(text.to_owned())),
                    (None, OtherValues::Refused) => Err(self.expected("one of the choices")),
                }
            }
            AnswerKind::YesNo => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "y" => Ok(NewValue::Boolean(true)),
                "false" | "no" | "n" => Ok(NewValue::Boolean(false)),
                _ => Err(self.expected("yes or no")),
            },
            AnswerKind::Integer { minimum, maximum } => {
                let fits = |number: &i64| {
                    minimum.is_none_or(|minimum| *number >= minimum)
                        && maximum.is_none_or(|maximum| *number <= maximum)
                };
                let number = text.trim().parse().ok().filter(fits);
                number
                    .map(NewValue::Integer)
                    .ok_or_else(|| self.expected(&range(*minimum, *maximum)))
            }
            AnswerKind::Number => match serde_json::from_str::<serde_json::Number>(text.trim()) {
                Ok(number) => Ok(NewValue::of_number(&number, text.trim())),
                Err(_) => Err(self.expected("a number")),
            },
            AnswerKind::Uri => match Url::parse(text) {
                Ok(_) => Ok(NewValue::Text(text.to_owned())),
                Err(error) => Err(format!("{error}; {}", self.expected("an address"))),
            },
            AnswerKind::Text | AnswerKind::List(_) | AnswerKind::Map(_) => {
                Ok(NewValue::Text(text.to_owned()))
            }
        }
    }

    fn expected(&self, otherwise: &str) -> String {
        format!("expected {}", self.allowed.as_deref().unwrap_or(otherwise))
    }
}

fn range(minimum: Option<i64>, maximum: Option<i64>) -> String {
    match (minimum, maximum) {
        (Some(minimum), Some(maximum)) => format!("a whole number from {minimum} to {maximum}"),
        (Some(minimum), None) => format!("a whole number from {minimum} on"),
        (None, Some(maximum)) => format!("a whole number up to {maximum}"),
        (None, None) => "a whole number".to_owned(),
    }
}
