//! The objects inside notifications, field by field (contract.md, "Shapes").

use super::FieldShape;
use super::FieldType::{
    Boolean, Date, FullName, Guid, Int16, Int32, ListOf, ObjectOf, OptionalBoolean, OptionalDate,
    OptionalGuid, OptionalInt16, OptionalInt32, Text,
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
