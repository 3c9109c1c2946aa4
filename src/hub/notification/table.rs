//! The notifications, one a row (contract.md, "Notifications").

use crate::hub::shape::FieldType::{
    Boolean, Guid, Int16, Int32, ListOf, Map, ObjectOf, OptionalDate, OptionalGuid, OptionalInt16,
    Text,
};
use crate::hub::shape::{FieldShape, objects};

/// One row of the contract's table.
pub struct Notification {
    pub name: &'static str,
    pub(super) event: &'static str,
    pub(super) body: &'static [FieldShape],
    pub(super) group: GroupKey,
    /// Body fields that the argument renames, leaves out or is made of; see [`Argument`].
    pub(super) argument: Argument,
}

#[derive(Clone, Copy)]
pub(super) enum GroupKey {
    Board,
    SourceBoard,
    SerialKey,
}

/// How the argument is made from the body.
#[derive(Clone, Copy)]
pub(super) enum Argument {
    /// The named fields, in camelCase.
    Fields(&'static [&'static str]),
    Moved,
    /// All fields, wrapped as `message`; only active cards.
    Created,
    Branch,
    /// Nobody listens.
    None,
}

use Argument::{Branch, Created, Fields, Moved};
use GroupKey::{Board, SerialKey, SourceBoard};

const fn row(
    name: &'static str,
    event: &'static str,
    group: GroupKey,
    body: &'static [FieldShape],
    argument: Argument,
) -> Notification {
    Notification {
        name,
        event,
        body,
        group,
        argument,
    }
}

/// Every notification; a row's place is the number that .NET's enumeration gives it.
pub static NOTIFICATIONS: [Notification; 30] = [
    row(
        "CardMoved",
        "OnCardItemPositionChanged",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("ParentCardId", OptionalGuid),
            ("FromPosition", Int16),
            ("ToPosition", OptionalInt16),
            ("MovedFromListId", OptionalGuid),
            ("MovedToListId", OptionalGuid),
            ("IsCompleted", Boolean),
            ("UpdateId", OptionalGuid),
        ],
        Moved,
    ),
    row(
        "CardCreated",
        "OnCardCreated",
        Board,
        &[
            ("BoardId", Guid),
            ("Card", ObjectOf(&objects::CARD)),
            ("UserId", Text),
        ],
        Created,
    ),
    row(
        "CardTitleChanged",
        "OnCardTitleChanged",
        Board,
        &[("BoardId", Guid), ("CardId", Guid), ("Title", Text)],
        Fields(&["CardId", "Title"]),
    ),
    row(
        "CardDescriptionChanged",
        "OnCardDescriptionChanged",
        Board,
        &[("BoardId", Guid), ("CardId", Guid), ("Description", Text)],
        Fields(&["CardId", "Description"]),
    ),
    row(
        "CardDatesChanged",
        "OnCardDatesChanged",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("StartDate", OptionalDate),
            ("DueDate", OptionalDate),
        ],
        Fields(&["CardId", "StartDate", "DueDate"]),
    ),
    row(
        "CardItemAdded",
        "OnCardItemAdded",
        Board,
        &[("BoardId", Guid), ("CardId", Guid)],
        Fields(&["CardId"]),
    ),
    row(
        "CardIssueTypeChanged",
        "OnCardIssueTypeChanged",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("IssueType", ObjectOf(&objects::ISSUE_TYPE)),
        ],
        Fields(&["CardId", "IssueType"]),
    ),
    row(
        "BoardListTitleChanged",
        "OnBoardListTitleChanged",
        Board,
        &[("BoardId", Guid), ("BoardListId", Guid), ("Title", Text)],
        Fields(&["BoardId", "BoardListId", "Title"]),
    ),
    row(
        "BoardListsPositionChanged",
        "OnBoardListsPositionsChanged",
        Board,
        &[("BoardId", Guid), ("ListPositions", Map)],
        Fields(&["BoardId", "ListPositions"]),
    ),
    row(
        "BoardListArchived",
        "OnBoardListArchived",
        Board,
        &[
            ("BoardId", Guid),
            ("ArchivedList", Guid),
            ("Positions", ListOf(&ObjectOf(&objects::LIST_POSITION))),
        ],
        Fields(&["BoardId", "ArchivedList", "Positions"]),
    ),
    row("SubTaskStoryPointsChanged", "", Board, &[], Argument::None),
    row(
        "BoardListCreated",
        "OnBoardListAdded",
        Board,
        &[
            ("BoardId", Guid),
            ("BoardList", ObjectOf(&objects::BOARD_LIST)),
        ],
        Fields(&["BoardList"]),
    ),
    row(
        "CardItemCheckedChanged",
        "OnCardItemChecked",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("CheckListItemId", Guid),
            ("IsChecked", Boolean),
        ],
        Fields(&["CardId", "CheckListItemId", "IsChecked"]),
    ),
    row(
        "CardLabelRemoved",
        "OnCardLabelRemoved",
        Board,
        &[("BoardId", Guid), ("CardLabelId", Guid)],
        Fields(&["CardLabelId"]),
    ),
    row(
        "CardLabelToggled",
        "OnCardLabelToggled",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("Label", ObjectOf(&objects::LABEL)),
        ],
        Fields(&["CardId", "Label"]),
    ),
    row(
        "CardStoryPointsChanged",
        "OnCardStoryPointsChanged",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("StoryPoints", OptionalInt16),
        ],
        Fields(&["CardId", "StoryPoints"]),
    ),
    row(
        "CardStatusChanged",
        "OnCardStatusChanged",
        Board,
        &[("BoardId", Guid), ("CardId", Guid), ("Status", Int32)],
        Fields(&["BoardId", "CardId", "Status"]),
    ),
    row(
        "CardAttachmentAdded",
        "OnCardAttachmentAdded",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("Attachment", ObjectOf(&objects::ATTACHMENT)),
        ],
        Fields(&["CardId", "Attachment"]),
    ),
    row(
        "CardAttachmentRemoved",
        "OnCardAttachmentRemoved",
        Board,
        &[("BoardId", Guid), ("CardId", Guid), ("AttachmentId", Guid)],
        Fields(&["CardId", "AttachmentId"]),
    ),
    row(
        "CardMemberRemoved",
        "OnCardMemberRemoved",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("Member", ObjectOf(&objects::CARD_MEMBER)),
        ],
        Fields(&["CardId", "Member"]),
    ),
    row(
        "CardMemberAdded",
        "OnCardMemberAdded",
        Board,
        &[
            ("BoardId", Guid),
            ("CardId", Guid),
            ("Member", ObjectOf(&objects::CARD_MEMBER)),
        ],
        Fields(&["CardId", "Member"]),
    ),
    row(
        "CheckListRemoved",
        "OnCheckListRemoved",
        Board,
        &[
            ("BoardId", Guid),
            ("CheckListId", Guid),
            ("CardId", Guid),
            ("TotalItems", Int32),
            ("TotalItemsCompleted", Int32),
        ],
        Fields(&["CheckListId", "CardId", "TotalItems", "TotalItemsCompleted"]),
    ),
    row(
        "CardCommentCreated",
        "OnCardCommentCreated",
        Board,
        &[("BoardId", Guid), ("CardId", Guid)],
        Fields(&["BoardId", "CardId"]),
    ),
    row(
        "CardCommentDeleted",
        "OnCardCommentDeleted",
        Board,
        &[("BoardId", Guid), ("CardId", Guid)],
        Fields(&["BoardId", "CardId"]),
    ),
    row(
        "CardLinkCreated",
        "OnCardLinkAdded",
        SourceBoard,
        &[
            ("Id", Guid),
            ("SourceCardBoard", ObjectOf(&objects::BOARD)),
            ("SourceCardId", Guid),
            ("SourceCardTitle", Text),
            ("SourceCardSerialKey", Text),
            ("TargetCardBoard", ObjectOf(&objects::BOARD)),
            ("TargetCardId", Guid),
            ("TargetCardTitle", Text),
            ("TargetCardSerialKey", Text),
            ("UserId", Text),
            ("Type", Int32),
        ],
        Fields(&[
            "Id",
            "SourceCardBoard",
            "SourceCardId",
            "SourceCardTitle",
            "SourceCardSerialKey",
            "TargetCardBoard",
            "TargetCardId",
            "TargetCardTitle",
            "TargetCardSerialKey",
            "UserId",
            "Type",
        ]),
    ),
    row(
        "CardLinkDeleted",
        "OnCardLinkDeleted",
        Board,
        &[("LinkId", Guid), ("BoardId", Guid)],
        Fields(&["LinkId", "BoardId"]),
    ),
    row(
        "BranchCreated",
        "OnBranchCreated",
        SerialKey,
        &[
            ("SerialKey", Text),
            ("Id", Text),
            ("Name", Text),
            ("Creator", ObjectOf(&objects::REPOSITORY_USER)),
            ("RepositoryUrl", Text),
            ("RepositoryName", Text),
            ("Provider", Int32),
        ],
        Branch,
    ),
    row(
        "BranchCommitsPushed",
        "OnBranchCommitsPushed",
        SerialKey,
        &[
            ("SerialKey", Text),
            ("Branch", Text),
            ("Commits", ListOf(&ObjectOf(&objects::COMMIT))),
            ("Sender", ObjectOf(&objects::REPOSITORY_USER)),
        ],
        Fields(&["SerialKey", "Branch", "Commits", "Sender"]),
    ),
    row(
        "BranchPullRequestCreated",
        "OnBranchPullRequestCreated",
        SerialKey,
        &[
            ("SerialKey", Text),
            ("PullRequest", ObjectOf(&objects::PULL_REQUEST)),
            ("Sender", ObjectOf(&objects::REPOSITORY_USER)),
        ],
        Fields(&["SerialKey", "PullRequest", "Sender"]),
    ),
    row(
        "TagPushed",
        "OnTagPushed",
        SerialKey,
        &[("SerialKey", Text), ("Branch", Text), ("Tag", Text)],
        Fields(&["SerialKey", "Branch", "Tag"]),
    ),
];

/// The type that a header's text names, by .NET's `Enum.TryParse`: a name, a number, or several
/// separated by commas, whose values are combined bit by bit.
pub(super) fn named(text: &[u8]) -> Option<&'static Notification> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim();
    if text.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '+') {
        return NOTIFICATIONS.get(usize::try_from(text.parse::<i32>().ok()?).ok()?);
    }
    let mut value = 0;
    for name in text.split(',') {
        value |= NOTIFICATIONS
            .iter()
            .position(|row| row.name == name.trim())?;
    }
    NOTIFICATIONS.get(value)
}
