//! Questions made from schemas: every kind of property, and every property of the shipped schemas.

use harmony::appsettings::document::NewValue;
use harmony::schema::APPLICATIONS;
use harmony::schema::interview::questions;
use harmony::schema::question::{AnswerKind, OtherValues, SettingQuestion};
use serde_json::{Value, json};

/// The question of a property whose schema is given.
fn question(property: Value) -> SettingQuestion {
    let schema = json!({ "properties": { "Key": property } });
    let mut all = questions(&schema);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn labels(question: &SettingQuestion) -> (Vec<&str>, OtherValues) {
    match &question.kind {
        AnswerKind::Choice { choices, others } => (
            choices.iter().map(|choice| choice.label.as_str()).collect(),
            *others,
        ),
        other => panic!("{other:?} is no choice"),
    }
}

#[test]
fn each_kind_of_property_is_asked_in_its_own_way() {
    let kinds = [
        (json!({ "type": "boolean" }), AnswerKind::YesNo),
        (
            json!({ "type": ["boolean", "string", "null"], "pattern": "^x$" }),
            AnswerKind::YesNo,
        ),
        (
            json!({ "enum": [true, false, "true", "False", null] }),
            AnswerKind::YesNo,
        ),
        (
            json!({ "anyOf": [{ "type": "boolean" }, { "type": "null" }] }),
            AnswerKind::YesNo,
        ),
        (
            json!({ "type": "integer", "minimum": 1, "maximum": 9 }),
            AnswerKind::Integer {
                minimum: Some(1),
                maximum: Some(9),
            },
        ),
        (
            json!({ "type": ["integer", "string"], "exclusiveMinimum": 0, "exclusiveMaximum": 5 }),
            AnswerKind::Integer {
                minimum: Some(1),
                maximum: Some(4),
            },
        ),
        (
            json!({ "anyOf": [{ "type": "integer", "minimum": 2 }, { "pattern": "^[0-9]+$" }] }),
            AnswerKind::Integer {
                minimum: Some(2),
                maximum: None,
            },
        ),
        (json!({ "type": "number" }), AnswerKind::Number),
        (
            json!({ "type": "string", "format": "uri" }),
            AnswerKind::Uri,
        ),
        (json!({ "type": "string" }), AnswerKind::Text),
        (json!({}), AnswerKind::Text),
    ];
    for (property, kind) in kinds {
        assert_eq!(question(property.clone()).kind, kind, "{property}");
    }
}

#[test]
fn choices_come_from_enum_const_and_any_of() {
    let closed = question(json!({ "enum": ["Low", "High", 3, null, "low"] }));
    assert_eq!(
        labels(&closed),
        (vec!["Low", "High", "3"], OtherValues::Refused)
    );
    assert_eq!(closed.parse("high"), Ok(NewValue::Text("High".into())));
    assert_eq!(closed.parse("3"), Ok(NewValue::Integer(3)));
    assert!(closed.parse("Medium").is_err());
    let open = question(json!({
        "anyOf": [
            { "const": "Low", "title": "as little as possible" },
            { "const": "High" },
            { "type": "string", "pattern": "^[a-z]+$" },
        ],
    }));
    assert_eq!(
        labels(&open),
        (
            vec!["Low: as little as possible", "High"],
            OtherValues::Allowed
        )
    );
    assert_eq!(open.parse("medium"), Ok(NewValue::Text("medium".into())));
    let spelled = question(json!({
        "anyOf": [{ "enum": ["Verbose", "Debug"] }, { "type": "null" }],
    }));
    assert_eq!(
        labels(&spelled),
        (vec!["Verbose", "Debug"], OtherValues::Refused)
    );
}

#[test]
fn bounds_are_kept_and_said() {
    let port = question(json!({ "type": "integer", "minimum": 1, "maximum": 65535 }));
    assert_eq!(port.parse(" 5672 "), Ok(NewValue::Integer(5672)));
    assert_eq!(
        port.parse("65536"),
        Err("expected a whole number from 1 to 65535".into())
    );
    assert!(port.parse("5672x").is_err());
    let said = question(json!({ "type": "integer", "x-allowed": "a port" }));
    assert_eq!(said.parse("x"), Err("expected a port".into()));
    let address = question(json!({ "type": "string", "format": "uri" }));
    assert!(address.parse("http://h:1/").is_ok());
    assert!(address.parse("nowhere").is_err());
}

#[test]
fn sections_lists_and_maps_are_asked_item_by_item() {
    let schema = json!({
        "properties": {
            "Plain": { "type": "string", "title": "A text", "default": "x", "examples": ["y", "z"] },
            "Section": {
                "title": "Group",
                "properties": {
                    "Inner": { "properties": { "Deep": { "type": "integer", "writeOnly": true } } },
                    "Hosts": { "type": "array", "items": { "type": "string", "format": "uri" } },
                },
                "additionalProperties": {
                    "properties": { "Url": { "type": "string", "title": "Address" } },
                },
            },
        },
    });
    let all = questions(&schema);
    let keys: Vec<_> = all.iter().map(|question| question.key.as_str()).collect();
    assert_eq!(
        keys,
        ["Plain", "Section:Inner:Deep", "Section:Hosts", "Section"]
    );
    assert_eq!(all[0].default.as_deref(), Some("x"));
    assert_eq!(all[0].examples, ["y", "z"]);
    assert!(all[1].secret && !all[0].secret);
    assert_eq!(all[1].label(), "Group: Deep");
    let AnswerKind::List(hosts) = &all[2].kind else {
        panic!("{:?}", all[2]);
    };
    assert_eq!(hosts[0].kind, AnswerKind::Uri);
    assert_eq!(
        hosts[0].for_item("Section:Hosts", "1").key,
        "Section:Hosts:1"
    );
    let AnswerKind::Map(others) = &all[3].kind else {
        panic!("{:?}", all[3]);
    };
    assert_eq!(others[0].for_item("Section", "web").key, "Section:web:Url");
    assert_eq!(others[0].title(), "Address");
}

#[test]
fn references_and_all_of_are_followed_and_circles_end() {
    let schema = json!({
        "$defs": {
            "port": { "type": "integer", "minimum": 1, "title": "Port" },
            "tree": { "properties": { "Next": { "$ref": "#/$defs/tree" } } },
        },
        "properties": {
            "Port": { "$ref": "#/$defs/port", "description": "Where it listens." },
            "Name": { "allOf": [{ "type": "string" }, { "writeOnly": true, "title": "Name" }] },
        },
    });
    let all = questions(&schema);
    assert_eq!(
        all[0].kind,
        AnswerKind::Integer {
            minimum: Some(1),
            maximum: None
        }
    );
    assert_eq!(
        (all[0].title(), all[0].description.as_str()),
        ("Port", "Where it listens.")
    );
    assert_eq!(all[1].kind, AnswerKind::Text);
    let circle =
        json!({ "$defs": schema["$defs"], "properties": { "A": { "$ref": "#/$defs/tree" } } });
    assert!(questions(&circle).len() <= 1);
}

#[test]
fn every_leaf_of_the_shipped_schemas_is_asked_for() {
    fn leaves(key: &str, property: &Value, found: &mut Vec<String>) {
        let Some(children) = property["properties"].as_object() else {
            return found.push(key.to_owned());
        };
        for (name, child) in children {
            let key = if key.is_empty() {
                name.clone()
            } else {
                format!("{key}:{name}")
            };
            leaves(&key, child, found);
        }
    }
    for application in &APPLICATIONS {
        let schema = application.schema();
        let mut wanted = Vec::new();
        leaves("", &schema, &mut wanted);
        let all = questions(&schema);
        for key in wanted {
            let question = all.iter().find(|question| question.key == key);
            let question =
                question.unwrap_or_else(|| panic!("{}: {key} is not asked", application.name));
            assert!(
                !question.title().is_empty() && !question.description.is_empty(),
                "{key}"
            );
        }
    }
}

#[test]
fn numbers_keep_their_fractions() {
    let number = question(json!({ "type": "number" }));
    for (text, value) in [
        ("3", NewValue::Integer(3)),
        ("0.5", NewValue::Number("0.5".into())),
        (" 1e3 ", NewValue::Number("1e3".into())),
        ("-2.50", NewValue::Number("-2.50".into())),
        (
            "18446744073709551615",
            NewValue::Number("18446744073709551615".into()),
        ),
    ] {
        assert_eq!(number.parse(text), Ok(value), "{text}");
    }
    for text in ["", "0,5", "one", "1 2"] {
        assert!(number.parse(text).is_err(), "{text}");
    }
    let choice = question(json!({ "enum": [0.5, 1] }));
    assert_eq!(choice.parse("0.5"), Ok(NewValue::Number("0.5".into())));
}

#[test]
fn objects_of_any_names_are_maps_and_what_is_read_only_is_not_asked() {
    for schema in [
        json!({ "type": "object" }),
        json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        json!({ "type": "object", "patternProperties": { "^x": { "type": "string" } } }),
    ] {
        let map = question(schema.clone());
        assert!(matches!(map.kind, AnswerKind::Map(_)), "{schema}");
    }
    let schema = json!({ "properties": { "A": { "readOnly": true }, "B": {} } });
    let keys: Vec<_> = questions(&schema).into_iter().map(|one| one.key).collect();
    assert_eq!(keys, ["B"]);
}
