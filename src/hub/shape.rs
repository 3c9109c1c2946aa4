//! The shapes that notifications are made of, read as .NET reads them and written as .NET writes them.
//!
//! Fields are matched by their exact name, unknown ones are passed over, missing ones take the
//! type's default, the last of two wins (contract.md, "RabbitMQ" and "Shapes").

use crate::hub::date;
use crate::json::{JsonError, JsonKind, Reader, write_string};
use indexmap::IndexMap;

/// A field's name in the body, and what it holds.
pub type FieldShape = (&'static str, FieldType);

/// What a field holds. References may be null; values only where they are optional.
#[derive(Clone, Copy)]
pub enum FieldType {
    Text,
    Guid,
    OptionalGuid,
    Boolean,
    OptionalBoolean,
    Int16,
    OptionalInt16,
    Int32,
    OptionalInt32,
    Date,
    OptionalDate,
    /// A map from list id to position.
    Map,
    ObjectOf(&'static &'static [FieldShape]),
    ListOf(&'static FieldType),
    /// First and last name with a space between; never read.
    FullName,
}

use FieldType::{
    Boolean, Date, FullName, Guid, Int16, Int32, ListOf, Map, ObjectOf, OptionalBoolean,
    OptionalDate, OptionalGuid, OptionalInt16, OptionalInt32, Text,
};

pub static CARD: &[FieldShape] = &[
    ("Id", Guid),
    ("Title", Text),
    ("Description", Text),
    ("BoardKey", Text),
    ("BoardListId", Guid),
    ("BoardList", Text),
    ("Completed", OptionalBoolean),
    ("Position", Int16),
    ("TotalItems", Int32),
    ("TotalItemsCompleted", Int32),
    ("TotalAttachments", Int32),
    ("Labels", ListOf(&ObjectOf(&LABEL))),
    ("StartDate", OptionalDate),
    ("DueDate", OptionalDate),
    ("DueDateReminderType", OptionalInt32),
    ("ReminderDate", OptionalDate),
    ("Members", ListOf(&ObjectOf(&CARD_MEMBER))),
    ("SerialNumber", Int32),
    ("Status", Int32),
    ("IssueType", ObjectOf(&ISSUE_TYPE)),
    ("Sprint", ObjectOf(&SPRINT)),
    ("IsUpdating", Boolean),
    ("TotalComments", Int32),
    ("TotalChildren", Int32),
    ("ParentCardId", OptionalGuid),
    ("StoryPoints", OptionalInt16),
    ("Links", ListOf(&ObjectOf(&LINK_DETAILS))),
    ("Hidden", Boolean),
];
pub static BOARD_LIST: &[FieldShape] = &[
    ("Id", Guid),
    ("Title", Text),
    ("Position", Int16),
    ("Cards", ListOf(&ObjectOf(&CARD))),
    ("Status", Int32),
    ("TitleEditing", Boolean),
    ("CardStatus", OptionalInt32),
];
pub static BOARD: &[FieldShape] = &[
    ("Id", Guid),
    ("Title", Text),
    ("Description", Text),
    ("UserId", Text),
    ("WorkspaceId", Guid),
    ("Visibility", Int32),
    ("Type", Int32),
    ("Key", Text),
    ("Lists", ListOf(&ObjectOf(&BOARD_LIST))),
];
pub static LABEL: &[FieldShape] = &[
    ("Id", Guid),
    ("Title", Text),
    ("Colour", Text),
    ("IsChecked", Boolean),
];
pub static CARD_MEMBER: &[FieldShape] = &[
    ("Id", Text),
    ("FirstName", Text),
    ("LastName", Text),
    ("UserName", Text),
    ("ProfilePicture", Text),
    ("FullName", FullName),
];
pub static ATTACHMENT: &[FieldShape] = &[
    ("Id", Guid),
    ("FileName", Text),
    ("OriginalFileName", Text),
    ("Type", Int32),
    ("Url", Text),
    ("DateCreated", Date),
];
pub static ISSUE_TYPE: &[FieldShape] = &[("Id", Guid), ("Summary", Text)];
pub static LIST_POSITION: &[FieldShape] = &[("Id", Guid), ("Position", Int16)];
static SPRINT: &[FieldShape] = &[
    ("Id", Guid),
    ("Name", Text),
    ("Goal", Text),
    ("Board", ObjectOf(&BOARD)),
    ("StartDate", OptionalDate),
    ("EndDate", OptionalDate),
    ("Status", Int32),
    ("Retrospective", ObjectOf(&RETROSPECTIVE)),
];
static RETROSPECTIVE: &[FieldShape] = &[
    ("Id", Guid),
    ("Name", Text),
    ("BoardId", Guid),
    ("ParentBoardId", Guid),
];
static LINK_DETAILS: &[FieldShape] = &[
    ("Id", Guid),
    ("SourceCardBoard", ObjectOf(&BOARD)),
    ("SourceCardId", Guid),
    ("SourceCardTitle", Text),
    ("SourceCardSerialKey", Text),
    ("TargetCardBoard", ObjectOf(&BOARD)),
    ("TargetCardId", Guid),
    ("TargetCardTitle", Text),
    ("TargetCardSerialKey", Text),
    ("UserId", Text),
    ("Type", Int32),
    ("DateCreated", Date),
];
pub static REPOSITORY_USER: &[FieldShape] =
    &[("Login", Text), ("AvatarUrl", Text), ("HtmlUrl", Text)];
pub static COMMIT: &[FieldShape] = &[
    ("Id", Text),
    ("Message", Text),
    ("Timestamp", Date),
    ("Url", Text),
    ("Author", ObjectOf(&AUTHOR)),
    ("Added", ListOf(&Text)),
    ("Removed", ListOf(&Text)),
    ("Modified", ListOf(&Text)),
];
static AUTHOR: &[FieldShape] = &[("Name", Text), ("Email", Text), ("Username", Text)];
pub static PULL_REQUEST: &[FieldShape] = &[
    ("Id", Text),
    ("HtmlUrl", Text),
    ("DiffUrl", Text),
    ("State", Int32),
    ("Title", Text),
    ("Number", Int32),
    ("CreatedAt", OptionalDate),
    ("UpdatedAt", OptionalDate),
    ("ClosedAt", OptionalDate),
    ("MergedAt", OptionalDate),
    ("SourceBranch", Text),
    ("TargetBranch", Text),
    ("MergeCommitSha", Text),
    ("Assignees", ListOf(&ObjectOf(&REPOSITORY_USER))),
    ("Reviewers", ListOf(&ObjectOf(&REPOSITORY_USER))),
];

/// Why a body does not have its type's shape.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error("{0}")]
    Json(#[from] JsonError),
    #[error(transparent)]
    Excess(#[from] Excess),
    #[error("{field}: {expected} is expected")]
    Mismatch {
        field: &'static str,
        expected: &'static str,
    },
}

/// A body that would cost too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    #[error("it has more than {0} objects and list items")]
    Elements(usize),
    #[error("clients would get more than {0} bytes")]
    Output(usize),
}

/// What reading a body may still cost.
#[derive(Debug)]
pub struct Budget {
    elements: usize,
    output: usize,
    limits: (usize, usize),
}

impl Budget {
    /// So many objects and list items, and so many bytes written.
    pub fn new(elements: usize, output: usize) -> Self {
        Budget {
            elements,
            output,
            limits: (elements, output),
        }
    }

    fn element(&mut self) -> Result<(), Excess> {
        self.elements = self
            .elements
            .checked_sub(1)
            .ok_or(Excess::Elements(self.limits.0))?;
        Ok(())
    }

    fn output(&mut self, bytes: usize) -> Result<(), Excess> {
        self.output = self
            .output
            .checked_sub(bytes)
            .ok_or(Excess::Output(self.limits.1))?;
        Ok(())
    }

    /// Refuses text that has grown over the limit, as escapes make it grow.
    pub fn check(&self, written: &[u8]) -> Result<(), Excess> {
        if written.len() > self.limits.1 {
            return Err(Excess::Output(self.limits.1));
        }
        Ok(())
    }
}

/// A field's value: JSON text ready to be written, or an object whose fields are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    Null,
    Text(String),
    /// Numbers, booleans, lists and maps, as JSON.
    Json(Vec<u8>),
    Record(Record),
}

/// An object as read: every field of its shape, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record(Vec<(&'static str, FieldValue)>);

static NULL: FieldValue = FieldValue::Null;

impl Record {
    /// The field's value; null where the shape has no such field.
    pub fn get(&self, name: &str) -> &FieldValue {
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map_or(&NULL, |(_, value)| value)
    }
}

impl FieldValue {
    pub fn is_null(&self) -> bool {
        *self == FieldValue::Null
    }

    pub fn as_text(&self) -> Option<String> {
        if let FieldValue::Text(text) = self {
            Some(text.clone())
        } else {
            None
        }
    }

    pub fn as_json(&self) -> &[u8] {
        if let FieldValue::Json(json) = self {
            json
        } else {
            b"null"
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            FieldValue::Null => out.extend_from_slice(b"null"),
            FieldValue::Text(text) => write_string(out, text),
            FieldValue::Json(json) => out.extend_from_slice(json),
            FieldValue::Record(Record(fields)) => {
                out.push(b'{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_member(out, name, value);
                }
                out.push(b'}');
            }
        }
    }
}

/// Appends `"camelCase":value`. Every name of the contract is camelCased by its first letter alone.
pub fn write_member(out: &mut Vec<u8>, name: &str, value: &FieldValue) {
    out.push(b'"');
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    out[start].make_ascii_lowercase();
    out.extend_from_slice(b"\":");
    value.write(out);
}

/// Reads a whole body; `None` where it is `null`.
pub fn read_document(
    fields: &'static [FieldShape],
    body: &[u8],
    budget: &mut Budget,
) -> Result<Option<Record>, ShapeError> {
    let mut reader = Reader::new(body);
    let record = read_object(&mut reader, fields, "the body", budget)?;
    reader.end()?;
    Ok(record)
}

fn read_object(
    reader: &mut Reader<'_>,
    fields: &'static [FieldShape],
    field: &'static str,
    budget: &mut Budget,
) -> Result<Option<Record>, ShapeError> {
    if reader.null()? {
        return Ok(None);
    }
    budget.element()?;
    budget.output(fields.iter().map(least_size).sum())?;
    if reader.peek()? != JsonKind::Object {
        return Err(ShapeError::Mismatch {
            field,
            expected: "an object",
        });
    }
    let mut values: Vec<_> = fields
        .iter()
        .map(|(name, kind)| (*name, kind.default()))
        .collect();
    reader.object(|reader, name| {
        match fields.iter().position(|(field, _)| *field == name) {
            Some(place) if !matches!(fields[place].1, FullName) => {
                values[place].1 = read_value(reader, fields[place], budget)?;
            }
            _ => drop(reader.skip()?),
        }
        Ok::<_, ShapeError>(())
    })?;
    let mut record = Record(values);
    if let Some(place) = fields.iter().position(|(_, kind)| matches!(kind, FullName)) {
        let part = |name| record.get(name).as_text().unwrap_or_default();
        record.0[place].1 = FieldValue::Text(format!("{} {}", part("FirstName"), part("LastName")));
    }
    Ok(Some(record))
}

/// The bytes that a field takes with its default.
fn least_size((name, kind): &FieldShape) -> usize {
    let punctuation = "\"\":,".len();
    let value = match kind {
        Guid => 38,
        Date => 21,
        Int16 | Int32 => 1,
        Boolean => 5,
        _ => 4,
    };
    name.len() + punctuation + value
}

fn read_value(
    reader: &mut Reader<'_>,
    (field, kind): FieldShape,
    budget: &mut Budget,
) -> Result<FieldValue, ShapeError> {
    let token = reader.peek()?;
    if token == JsonKind::Null && kind.may_be_null() {
        reader.literal("null")?;
        return Ok(FieldValue::Null);
    }
    let mismatch = |expected| ShapeError::Mismatch { field, expected };
    Ok(match kind {
        Text if token == JsonKind::String => {
            let text = reader.string()?;
            budget.output(text.len())?;
            FieldValue::Text(text.into_owned())
        }
        Text => return Err(mismatch("a string")),
        Guid | OptionalGuid if token == JsonKind::String => FieldValue::Text(
            guid(&reader.string()?).ok_or(mismatch("a GUID as 32 digits with hyphens"))?,
        ),
        Guid | OptionalGuid => return Err(mismatch("a GUID")),
        Boolean | OptionalBoolean if matches!(token, JsonKind::True | JsonKind::False) => {
            FieldValue::Json(if reader.boolean()? {
                b"true".to_vec()
            } else {
                b"false".to_vec()
            })
        }
        Boolean | OptionalBoolean => return Err(mismatch("true or false")),
        Int16 | OptionalInt16 if token == JsonKind::Number => FieldValue::Json(
            integer::<i16>(reader.number()?).ok_or(mismatch("a whole number of 16 bits"))?,
        ),
        Int16 | OptionalInt16 => return Err(mismatch("a whole number of 16 bits")),
        Int32 | OptionalInt32 if token == JsonKind::Number => FieldValue::Json(
            integer::<i32>(reader.number()?).ok_or(mismatch("a whole number of 32 bits"))?,
        ),
        Int32 | OptionalInt32 => return Err(mismatch("a whole number of 32 bits")),
        Date | OptionalDate if token == JsonKind::String => FieldValue::Text(
            date::normalize(&reader.string()?).ok_or(mismatch("a date by ISO 8601"))?,
        ),
        Date | OptionalDate => return Err(mismatch("a date")),
        ObjectOf(fields) => {
            read_object(reader, fields, field, budget)?.map_or(FieldValue::Null, FieldValue::Record)
        }
        ListOf(_) if token != JsonKind::Array => return Err(mismatch("a list")),
        ListOf(item) => {
            let mut list = vec![b'['];
            reader.array(|reader| {
                if list.len() > 1 {
                    list.push(b',');
                }
                budget.element()?;
                read_value(reader, (field, *item), budget)?.write(&mut list);
                Ok::<_, ShapeError>(budget.check(&list)?)
            })?;
            list.push(b']');
            FieldValue::Json(list)
        }
        Map if token != JsonKind::Object => return Err(mismatch("a map")),
        Map => {
            // The last of two equal keys wins, in the place of the first, as in .NET's dictionary.
            let mut positions = IndexMap::new();
            reader.object(|reader, key| {
                let key = guid(&key).ok_or(mismatch("GUIDs as keys"))?;
                budget.element()?;
                budget.output(key.len())?;
                positions.insert(key, read_value(reader, (field, Int16), budget)?);
                Ok::<_, ShapeError>(())
            })?;
            let mut map = vec![b'{'];
            for (index, (key, position)) in positions.iter().enumerate() {
                if index > 0 {
                    map.push(b',');
                }
                write_string(&mut map, key);
                map.push(b':');
                position.write(&mut map);
            }
            map.push(b'}');
            FieldValue::Json(map)
        }
        FullName => {
            reader.skip()?;
            FieldValue::Null
        }
    })
}

impl FieldType {
    fn may_be_null(self) -> bool {
        !matches!(self, Guid | Boolean | Int16 | Int32 | Date)
    }

    fn default(self) -> FieldValue {
        match self {
            Guid => FieldValue::Text("00000000-0000-0000-0000-000000000000".into()),
            Boolean => FieldValue::Json(b"false".to_vec()),
            Int16 | Int32 => FieldValue::Json(b"0".to_vec()),
            Date => FieldValue::Text("0001-01-01T00:00:00".into()),
            _ => FieldValue::Null,
        }
    }
}

/// .NET's "D" form only: 8-4-4-4-12 hexadecimal digits; in lower case.
fn guid(text: &str) -> Option<String> {
    let hyphens = [8, 13, 18, 23];
    let valid = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if hyphens.contains(&at) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    valid.then(|| text.to_ascii_lowercase())
}

/// A whole number in plain digits; `1.0` and `1e0` are refused, `-0` is 0.
fn integer<T: std::str::FromStr + std::fmt::Display>(text: &str) -> Option<Vec<u8>> {
    text.parse::<T>()
        .ok()
        .map(|number| number.to_string().into_bytes())
}
