//! Questions made from a schema alone. Pure: a schema goes in, questions come out. A property that
//! is added to a schema is asked for without a line of Rust.

use super::facets::{Facets, plain};
use super::question::{AnswerKind, ITEM, SettingQuestion};
use serde_json::Value;

/// Every property of a schema as a question, in the schema's order.
pub fn questions(schema: &Value) -> Vec<SettingQuestion> {
    let mut found = Vec::new();
    let root = SchemaPlace {
        root: schema,
        key: String::new(),
        titles: Vec::new(),
        around: Vec::new(),
    };
    root.below(schema, &mut found);
    found
}

/// A place in a schema on the way down.
struct SchemaPlace<'s> {
    root: &'s Value,
    key: String,
    titles: Vec<String>,
    /// The sections around it: a schema may refer to one from inside.
    around: Vec<&'s Value>,
}

impl<'s> SchemaPlace<'s> {
    /// Asks for the properties of a section.
    fn below(&self, section: &'s Value, found: &mut Vec<SettingQuestion>) {
        for facet in Facets::of(self.root, section).0 {
            let properties = facet["properties"].as_object();
            for (name, property) in properties.into_iter().flatten() {
                self.child(section, name, property).ask(property, found);
            }
        }
    }

    fn child(&self, section: &'s Value, name: &str, property: &'s Value) -> Self {
        let title = Facets::of(self.root, property).text("title");
        self.at(section, name, title.unwrap_or_else(|| name.to_owned()))
    }

    /// What is asked for each item of a list or map.
    fn items(&self, holder: &'s Value, item: &'s Value) -> Vec<SettingQuestion> {
        let title = Facets::of(self.root, item).text("title");
        let title = title.or_else(|| self.titles.last().cloned());
        let mut questions = Vec::new();
        self.at(holder, ITEM, title.unwrap_or_default())
            .ask(item, &mut questions);
        questions
    }

    fn at(&self, section: &'s Value, name: &str, title: String) -> Self {
        let key = if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}:{name}", self.key)
        };
        SchemaPlace {
            root: self.root,
            key,
            titles: self.titles.iter().cloned().chain([title]).collect(),
            around: self.around.iter().copied().chain([section]).collect(),
        }
    }

    fn ask(&self, property: &'s Value, found: &mut Vec<SettingQuestion>) {
        if self
            .around
            .iter()
            .any(|section| std::ptr::eq(*section, property))
        {
            return;
        }
        let facets = Facets::of(self.root, property);
        if facets.first(|facet| facet["readOnly"].as_bool()) == Some(true) {
            return;
        }
        let section =
            |word| move |facet: &'s Value| facet.get(word).filter(|part| part.is_object());
        let is_section = facets.first(section("properties")).is_some();
        if is_section {
            self.below(property, found);
        }
        let named = facets.first(section("patternProperties"));
        let any = named.and_then(|patterns| patterns.as_object()?.values().next());
        let is_map = facets.types().first() == Some(&"object");
        let any = any.or(is_map.then_some(&Value::Null));
        let others = facets.first(section("additionalProperties"));
        // Beside named properties, others are only asked for where the schema names them so.
        if let Some(others) = others.or(any.filter(|_| !is_section)) {
            found.push(self.about(&facets, AnswerKind::Map(self.items(property, others))));
        } else if facets.types().contains(&"array") {
            let item = facets.first(section("items")).unwrap_or(&Value::Null);
            found.push(self.about(&facets, AnswerKind::List(self.items(property, item))));
        } else if !is_section {
            found.push(self.about(&facets, facets.kind()));
        }
    }

    fn about(&self, facets: &Facets<'_>, kind: AnswerKind) -> SettingQuestion {
        let examples = facets.first(|facet| facet["examples"].as_array());
        SettingQuestion {
            key: self.key.clone(),
            titles: self.titles.clone(),
            description: facets.text("description").unwrap_or_default(),
            default: facets.first(|facet| facet.get("default")).and_then(plain),
            examples: examples.into_iter().flatten().filter_map(plain).collect(),
            allowed: facets.text("x-allowed"),
            secret: super::is_secret(self.root, &self.key),
            kind,
        }
    }
}
