//! Forms made from schemas: a list of settings to choose from, and a question for each of them.

pub mod answer;
pub mod draft;
pub mod items;
pub mod picker;

use crate::schema::question::SettingQuestion;
use crate::terminal::prompt::Reply;
use draft::Draft;
use items::ask;
use picker::{Picked, pick};

/// Lets settings be chosen and edited until that is enough.
pub async fn edit(questions: &[SettingQuestion], draft: &mut dyn Draft) -> Reply<()> {
    let mut at = 0;
    loop {
        match pick(questions, draft, at).await {
            Reply::Given(Picked::Question(place)) => {
                at = place;
                if ask(&questions[place], draft).await == Reply::Left {
                    return Reply::Left;
                }
            }
            Reply::Given(Picked::Finished) => return Reply::Given(()),
            Reply::Back => return Reply::Back,
            Reply::Left => return Reply::Left,
        }
    }
}
