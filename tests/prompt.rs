//! Questions: the line editor by its keys alone, and on a real pseudo-terminal.

use crate::harness::terminal::{CONTROL_C, DOWN, ENTER, ESCAPE, Shape, Terminal, is_on_terminal};
use console::Key;
use harmony::terminal::prompt::field::{Echo, InputField};
use harmony::terminal::prompt::keys::KeyDecoder;
use harmony::terminal::prompt::line::{Line, LineState, Press};
use harmony::terminal::prompt::{self, Question};
use proptest::prelude::*;

/// Feeds keys; the presses that they make.
fn presses(keys: &[Key]) -> Vec<Press> {
    let mut decoder = KeyDecoder::default();
    keys.iter()
        .filter_map(|key| decoder.feed(key.clone()))
        .collect()
}

fn letters(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

/// A sequence as `console` hands it on: what it knows as one key, the rest in pieces.
fn sequence(head: &str, rest: &str) -> Vec<Key> {
    let mut keys = vec![Key::UnknownEscSeq(head.chars().collect())];
    keys.extend(letters(rest));
    keys
}

fn typed(keys: &[Key]) -> Line {
    let mut line = Line::default();
    for press in presses(keys) {
        assert_eq!(line.press(press), LineState::Editing);
    }
    line
}

#[test]
fn a_paste_is_text_and_its_newlines_answer_nothing() {
    let mut keys = sequence("[20", "0~");
    keys.extend(letters("amqp"));
    keys.extend([Key::Enter, Key::CtrlC, Key::Escape]);
    keys.extend(letters("://~A"));
    keys.extend(sequence("[31", "mred"));
    keys.push(Key::Enter);
    keys.extend(sequence("[20", "1~"));
    assert_eq!(presses(&keys), [Press::Insert("amqp://~Ared".into())]);
}

#[test]
fn long_and_broken_sequences_leave_no_letters_behind() {
    let cases: [(Vec<Key>, Option<Press>); 8] = [
        (sequence("[1;", "5D"), Some(Press::WordLeft)),
        (sequence("[1;", "5C"), Some(Press::WordRight)),
        (sequence("[15", "~"), None),
        (sequence("[", "C"), Some(Press::Right)),
        (sequence("O", "H"), Some(Press::Home)),
        (sequence("O", "P"), None),
        (sequence("[<0", ";33;12M"), None),
        (vec![Key::UnknownEscSeq(vec!['x'])], None),
    ];
    for (mut keys, expected) in cases {
        let shown = format!("{keys:?}");
        keys.push(Key::Char('z'));
        let mut wanted: Vec<_> = expected.into_iter().collect();
        wanted.push(Press::Insert("z".into()));
        assert_eq!(presses(&keys), wanted, "{shown}");
    }
}

#[test]
fn an_escape_sequence_in_two_pieces_is_one_key() {
    let mut decoder = KeyDecoder::default();
    assert!(decoder.feed_after_escape(&Key::Char('[')));
    assert_eq!(decoder.feed(Key::Char('D')), Some(Press::Left));
    assert!(!decoder.feed_after_escape(&Key::Char('x')));
}

#[test]
fn letters_keep_their_marks() {
    let mut keys = letters("ae\u{301}o");
    keys.extend([Key::ArrowLeft, Key::Backspace]);
    assert_eq!(typed(&keys).text(), "ao");
    let mut keys = letters("e\u{301}o");
    keys.extend([Key::Home, Key::Del]);
    assert_eq!(typed(&keys).text(), "o");
}

#[test]
fn control_d_leaves_an_empty_line_and_erases_in_another() {
    assert_eq!(
        Line::default().press(presses(&[Key::Char('\x04')])[0].clone()),
        LineState::Left
    );
    let mut keys = letters("ab");
    keys.extend([Key::Home, Key::Char('\x04')]);
    assert_eq!(typed(&keys).text(), "b");
}

/// The same editor, written again as two strings around the cursor, for letters of one column.
#[derive(Default)]
struct Model {
    before: String,
    after: String,
}

impl Model {
    fn press(&mut self, press: &Press) {
        match press {
            Press::Insert(text) => self.before.push_str(text),
            Press::Left => {
                if let Some(letter) = self.before.pop() {
                    self.after.insert(0, letter);
                }
            }
            Press::Right if !self.after.is_empty() => self.before.push(self.after.remove(0)),
            Press::Home => self.after.insert_str(0, &std::mem::take(&mut self.before)),
            Press::End => self.before.push_str(&std::mem::take(&mut self.after)),
            Press::Backspace => drop(self.before.pop()),
            Press::Delete if !self.after.is_empty() => drop(self.after.remove(0)),
            Press::EraseToStart => self.before.clear(),
            Press::EraseToEnd => self.after.clear(),
            Press::EraseWord => {
                let kept = self.before.trim_end();
                let start = kept.rfind(' ').map_or(0, |blank| blank + 1);
                self.before.truncate(start);
            }
            Press::WordLeft => {
                let kept = self.before.trim_end();
                let start = kept.rfind(' ').map_or(0, |blank| blank + 1);
                self.after.insert_str(0, &self.before.split_off(start));
            }
            Press::WordRight => {
                let blanks = self.after.len() - self.after.trim_start().len();
                let end = self.after[blanks..]
                    .find(' ')
                    .map_or(self.after.len(), |word| blanks + word);
                let rest = self.after.split_off(end);
                self.before.push_str(&self.after);
                self.after = rest;
            }
            _ => {}
        }
    }
}

fn any_press() -> impl Strategy<Value = Press> {
    prop_oneof![
        4 => "[ -~]{1,4}".prop_map(Press::Insert),
        1 => prop::sample::select(vec![
            Press::Left, Press::Right, Press::WordLeft, Press::WordRight, Press::Home, Press::End,
            Press::Backspace, Press::Delete, Press::EraseToStart, Press::EraseToEnd,
            Press::EraseWord, Press::Tab,
        ]),
    ]
}

fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_whitespace())
        .collect()
}

proptest! {
    #[test]
    fn every_run_of_presses_gives_what_two_strings_give(
        presses in prop::collection::vec(any_press(), 0..40)
    ) {
        let (mut line, mut model) = (Line::default(), Model::default());
        for press in presses {
            model.press(&press);
            line.press(press);
            prop_assert_eq!(line.before_cursor(), model.before.clone());
            prop_assert_eq!(line.text(), format!("{}{}", model.before, model.after));
        }
    }

    #[test]
    fn a_layout_cuts_nothing_and_fits_every_width(
        hint in "([a-zäß世]{1,12} ){0,20}",
        title in "[A-Za-z ]{1,30}",
        default in "[!-~é世]{0,120}",
        text in "[!-~é世]{0,200}",
        width in prop::sample::select(vec![20_usize, 59, 79, 139]),
    ) {
        let field = InputField {
            question: Question::new(title.trim(), hint.trim()),
            default: default.clone(),
            echo: Echo::Shown,
        };
        let mut line = Line::default();
        line.press(Press::Insert(text.clone()));
        let layout = field.layout(&line, width);
        for row in &layout.rows {
            prop_assert!(console::measure_text_width(row) <= width, "{row:?} in {width}");
        }
        let shown = if default.is_empty() { String::new() } else { format!("[{default}]") };
        prop_assert_eq!(
            squeezed(&layout.rows.concat()),
            squeezed(&format!("{hint}?{title}{shown}:{text}"))
        );
        prop_assert_eq!(layout.cursor.0, layout.rows.len() - 1);
    }
}

#[test]
fn words_wrap_at_spaces() {
    let field = InputField {
        question: Question::new(
            "Hub address",
            "Where browsers find the hub; it listens there and nowhere else.",
        ),
        default: "https://localhost:7262".into(),
        echo: Echo::Shown,
    };
    assert_eq!(
        field.layout(&Line::default(), 30).rows,
        [
            "Where browsers find the hub;",
            "it listens there and nowhere",
            "else.",
            "? Hub address",
            "[https://localhost:7262]: ",
        ]
    );
}

const FIELD: &str = "prompt::asks_on_the_terminal_of_another_test";

/// A program for the tests below: asks for a text, a password, another text and one of a list.
#[test]
#[ignore = "runs on the pseudo-terminal of another test"]
fn asks_on_the_terminal_of_another_test() {
    if !is_on_terminal() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let replies = runtime.block_on(async {
        let host = prompt::input(Question::new("Host", "A name."), "localhost").await;
        let password = prompt::password(Question::new("Password", "")).await;
        let user = prompt::input(Question::new("User", ""), "guest").await;
        let items = ["Port".to_owned(), "Password".into(), "Virtual host".into()];
        let key = prompt::search(Question::new("Setting", "Type to filter."), &items, 0).await;
        (host, password, user, key)
    });
    eprintln!("{replies:?}");
}

fn replies(terminal: Terminal) -> String {
    let ended = terminal.end();
    assert!(ended.echo, "{}", ended.screen);
    assert!(
        ended.bytes.rfind("\x1b[?2004l") >= ended.bytes.rfind("\x1b[?2004h"),
        "pastes are still marked: {:?}",
        ended.bytes
    );
    let start = ended.bytes.rfind("(Given(").or(ended.bytes.rfind("(Left"));
    let replies = &ended.bytes[start.unwrap_or_else(|| panic!("{}", ended.bytes))..];
    replies.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn text_passwords_and_filters_on_a_real_terminal() {
    let mut terminal = Terminal::start_test(FIELD, &[], Shape::columns(80));
    // Typed, corrected in the middle, and a paste with newlines that answers no question.
    terminal.answer("? Host [localhost]:", "hst\x1b[D\x1b[Do\x1b[F.");
    terminal.press("\x1b[200~example\norg\n\x1b[201~");
    terminal.answer("host.exampleorg", ENTER);
    terminal.answer("? Password:", "<");
    terminal.answer("? Password: *", "ö,x ");
    terminal.answer("? Password: *****", ENTER);
    // A paste that the terminal does not mark: its first newline is followed by more.
    terminal.answer("? User [guest]:", "one\ntwo");
    terminal.answer("onetwo", ENTER);
    terminal.answer("Virtual host", "virt");
    terminal.sees("Virtual host");
    terminal.press(ENTER);
    let replies = replies(terminal);
    assert_eq!(
        replies,
        r#"(Given("host.exampleorg"), Given("<ö,x "), Given("onetwo"), Given(2))"#
    );
}

#[test]
fn defaults_are_taken_and_escape_goes_back_from_every_question() {
    let mut terminal = Terminal::start_test(FIELD, &[], Shape::columns(60));
    terminal.answer("? Host [localhost]:", ENTER);
    terminal.answer("? Password:", &format!("x{ESCAPE}"));
    terminal.answer("? User [guest]:", ESCAPE);
    terminal.answer("Virtual host", DOWN);
    terminal.press(ESCAPE);
    assert_eq!(
        replies(terminal),
        r#"(Given("localhost"), Back, Back, Back)"#
    );
}

#[test]
fn nothing_of_a_password_is_shown() {
    let mut terminal = Terminal::start_test(FIELD, &[], Shape::columns(80));
    terminal.answer("? Host [localhost]:", ENTER);
    terminal.answer("? Password:", "\x1b[200~hunter2\n\x1b[201~");
    terminal.answer("? Password: *******", ENTER);
    terminal.answer("? User [guest]:", ENTER);
    terminal.answer("Virtual host", ENTER);
    let ended = terminal.end();
    let before = ended.bytes.split("(Given(").next().expect("the questions");
    assert!(!before.contains("hunter2"), "{before}");
    assert!(before.contains("Password: (hidden)"), "{before}");
}

#[test]
fn control_c_in_a_field_leaves() {
    let mut terminal = Terminal::start_test(FIELD, &[], Shape::columns(80));
    terminal.answer("? Host [localhost]:", &format!("abc{CONTROL_C}"));
    terminal.answer("? Password:", CONTROL_C);
    terminal.answer("? User [guest]:", CONTROL_C);
    terminal.answer("Virtual host", ESCAPE);
    let ended = terminal.end();
    assert!(
        ended.bytes.contains("(Left, Left, Left, Back)"),
        "{}",
        ended.bytes
    );
    assert!(ended.echo);
}

#[test]
fn a_poor_terminal_asks_line_by_line() {
    let shape = Shape {
        term: "dumb",
        columns: 80,
        rows: 24,
    };
    let mut terminal = Terminal::start_test(FIELD, &[], shape);
    terminal.answer("Host [localhost] ", "\n");
    terminal.answer("Password ", "<\n");
    terminal.answer("User [guest] ", "<\n");
    terminal.answer("Number [1] ", "3\n");
    let ended = terminal.end();
    assert!(
        ended
            .bytes
            .contains(r#"(Given("localhost"), Given("<"), Back, Given(2))"#),
        "{}",
        ended.bytes
    );
}
