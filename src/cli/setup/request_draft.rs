//! How Redis, RabbitMQ and the hub run, as a form made from the schema of answers files.

use super::found::Findings;
use crate::appsettings::SettingsFile;
use crate::appsettings::document::NewValue;
use crate::cli::arguments::Answers;
use crate::form::draft::{Draft, ValueInForce, json_of, objection};
use crate::schema;
use crate::schema::interview::questions;
use crate::schema::question::{AnswerKind, SettingQuestion};
use crate::secret::{MASK, Secret};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// What the short way asks for, and what has a form of its own.
const ELSEWHERE: [&str; 6] = ["redis", "rabbitmq", "hub", "hubUrl", "logLevel", "settings"];
const REDIS_PASSWORD: &str = "redisPassword";
const RABBITMQ_PASSWORD: &str = "rabbitmqPassword";

pub struct RequestDraft {
    answers: Answers,
    schema: Value,
    /// What is in force where nothing was answered.
    present: BTreeMap<&'static str, String>,
    edited: Vec<String>,
}

impl RequestDraft {
    pub fn new(answers: Answers, found: &Findings) -> Self {
        RequestDraft {
            answers,
            schema: schema::answers(),
            present: found.present(),
            edited: Vec::new(),
        }
    }

    pub fn into_answers(self) -> Answers {
        self.answers
    }

    /// The properties of the schema, and the passwords, which no answers file holds.
    pub fn questions(&self) -> Vec<SettingQuestion> {
        let mut all = questions(&self.schema);
        all.retain(|question| !ELSEWHERE.contains(&question.key.as_str()));
        all.extend([
            password(REDIS_PASSWORD, "Redis password"),
            password(RABBITMQ_PASSWORD, "RabbitMQ password"),
        ]);
        all
    }

    /// What was answered beside the short way, for the review.
    pub fn summary(&self) -> Vec<String> {
        let answered = |question: &SettingQuestion| {
            let value = self.answered(&question.key)?;
            Some(format!("{} {value}", question.title()))
        };
        self.questions().iter().filter_map(answered).collect()
    }

    /// What was answered, as it may be shown.
    fn answered(&self, key: &str) -> Option<String> {
        let is_typed = match key {
            REDIS_PASSWORD => self.answers.redis_password.is_some(),
            RABBITMQ_PASSWORD => self.answers.rabbitmq_password.is_some(),
            _ => false,
        };
        if is_typed {
            return Some(MASK.to_owned());
        }
        Some(match self.json().remove(key)? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    fn json(&self) -> Map<String, Value> {
        match serde_json::to_value(&self.answers) {
            Ok(Value::Object(answers)) => answers,
            _ => Map::new(),
        }
    }

    fn secret(&mut self, key: &str) -> Option<&mut Option<Secret>> {
        match key {
            REDIS_PASSWORD => Some(&mut self.answers.redis_password),
            RABBITMQ_PASSWORD => Some(&mut self.answers.rabbitmq_password),
            _ => None,
        }
    }

    /// Takes answers over where the schema allows them and they can be read.
    fn replace(&mut self, key: &str, answers: Map<String, Value>) -> Result<(), String> {
        let text = Value::Object(answers.clone()).to_string();
        let file = SettingsFile::planned(Path::new("answers.json"), &text)
            .map_err(|error| error.to_string())?;
        if let Some(objection) = objection(&self.schema, &file, key) {
            return Err(objection);
        }
        let read: Answers =
            serde_json::from_value(Value::Object(answers)).map_err(|error| error.to_string())?;
        self.answers = Answers {
            adopt: self.answers.adopt,
            rotate_credentials: self.answers.rotate_credentials,
            diff: self.answers.diff,
            passwords_from_file: self.answers.passwords_from_file.clone(),
            redis_password: self.answers.redis_password.take(),
            rabbitmq_password: self.answers.rabbitmq_password.take(),
            ..read
        };
        self.note_edit(key);
        Ok(())
    }

    fn note_edit(&mut self, key: &str) {
        if !self.edited.iter().any(|known| known == key) {
            self.edited.push(key.to_owned());
        }
    }
}

fn password(key: &str, title: &str) -> SettingQuestion {
    SettingQuestion {
        key: key.to_owned(),
        titles: vec![title.to_owned()],
        description: "Of the container or the server. Containers get a generated one otherwise."
            .to_owned(),
        kind: AnswerKind::Text,
        default: None,
        examples: Vec::new(),
        allowed: None,
        secret: true,
    }
}

impl Draft for RequestDraft {
    fn application(&self) -> &str {
        "How Redis, RabbitMQ and the hub run"
    }

    fn schema(&self) -> &Value {
        &self.schema
    }

    fn in_force(&self, key: &str) -> Option<ValueInForce> {
        if let Some(answered) = self.answered(key) {
            return Some(ValueInForce::edited(Some(&answered)));
        }
        let value = self.present.get(key)?.clone();
        let origin = "as before".to_owned();
        Some(ValueInForce { value, origin })
    }

    fn names_below(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn set(&mut self, key: &str, value: &NewValue) -> Result<(), String> {
        if let Some(secret) = self.secret(key) {
            *secret = Some(Secret::new(value.as_read()));
            self.note_edit(key);
            return Ok(());
        }
        let mut answers = self.json();
        answers.insert(key.to_owned(), json_of(value));
        self.replace(key, answers)
    }

    fn unset(&mut self, key: &str) -> Result<(), String> {
        let mut answers = self.json();
        answers.remove(key);
        self.replace(key, answers)
    }

    fn edited(&self) -> &[String] {
        &self.edited
    }
}
