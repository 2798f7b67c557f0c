//! Statements that make views, routines, triggers and events, as servers print them.
//!
//! Owns where in such a statement definer, name, table, state and body stand, and their
//! replacement; the rest stays byte by byte. A statement is given as one character for each byte,
//! since its body may be in any character set.

use super::cursor::Cursor;
use super::edit::{Edit, replace};
use super::lexer::{Lexed, lex};
use super::statement::{Context, Dialect, NameKind, Role};
use std::ops::Range;
use wherry_model::ObjectKind;

/// The session variable that every writing session of Wherry sets, and none of an application.
pub const SESSION_MARK: &str = "@wherry_session";

/// As servers print it for a routine; the other one is not printed.
const INVOKER_LINE: &str = "    SQL SECURITY INVOKER\n";

/// On a line of its own, because a body may end in a comment.
const GUARD_TAIL: &str = "\n; END IF";

/// What of a statement becomes another.
#[derive(Debug, Clone)]
pub struct ObjectEdit<'a> {
    /// As SQL has it, quoted; `None` leaves it.
    pub definer: Option<&'a str>,
    /// A view gets `SQL SECURITY INVOKER`; routines get it by a statement of their own.
    pub invoker: bool,
    /// The qualified and quoted name.
    pub name: &'a str,
    /// The qualified and quoted table of a trigger.
    pub table: Option<&'a str>,
    /// A trigger's body is not run in sessions of Wherry.
    pub guarded: bool,
}

/// Where the parts of a statement stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Parts {
    /// Behind `CREATE`.
    verb_end: usize,
    definer: Option<Range<usize>>,
    /// The word behind `SQL SECURITY` in the head of a view.
    security: Option<Range<usize>>,
    name: Range<usize>,
    table: Option<Range<usize>>,
    /// `FOLLOWS` or `PRECEDES` with its name.
    place: Option<Range<usize>>,
    /// `ENABLE`, `DISABLE` or `DISABLE ON REPLICA` of an event.
    state: Option<Range<usize>>,
    /// A trigger's body.
    body: Option<Range<usize>>,
}

/// How a printed statement is to be read: servers print bodies under the mode they were made in.
pub fn object_context(sql_mode: &str, dialect: Dialect) -> Context<'static> {
    let has = |mode: &str| {
        sql_mode
            .split(',')
            .any(|word| word.eq_ignore_ascii_case(mode))
    };
    Context {
        ansi_quotes: has("ANSI_QUOTES"),
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        ..Context::new("", dialect)
    }
}

/// The statement with these parts replaced; `None` where it is not one of this kind.
///
/// An event is always made disabled.
pub fn edit_object(
    sql: &str,
    kind: ObjectKind,
    context: &Context<'_>,
    edit: &ObjectEdit<'_>,
) -> Option<String> {
    let parts = find_parts(sql, kind, context)?;
    let mut edits: Vec<Edit> = vec![(parts.name.clone(), edit.name.to_owned())];
    match (&parts.definer, edit.definer) {
        (Some(span), Some(definer)) => edits.push((span.clone(), definer.to_owned())),
        (None, Some(definer)) => {
            let at = parts.verb_end;
            edits.push((at..at, format!(" DEFINER={definer}")));
        }
        (_, None) => {}
    }
    if let (Some(span), true) = (&parts.security, edit.invoker) {
        edits.push((span.clone(), "INVOKER".to_owned()));
    }
    if let (Some(span), Some(table)) = (&parts.table, edit.table) {
        edits.push((span.clone(), table.to_owned()));
    }
    if let Some(span) = &parts.place {
        edits.push((span.clone(), String::new()));
    }
    if let Some(span) = &parts.state {
        edits.push((span.clone(), "DISABLE".to_owned()));
    }
    if let (Some(body), true) = (&parts.body, edit.guarded) {
        edits.push((body.start..body.start, guard_head()));
        edits.push((body.end..sql.len(), GUARD_TAIL.to_owned()));
    }
    replace(sql, edits).ok()
}

/// Where the text begins that an object has behind its name; behind its head for a trigger.
pub(super) fn behind_name(sql: &str, kind: ObjectKind, context: &Context<'_>) -> Option<usize> {
    let parts = find_parts(sql, kind, context)?;
    Some(parts.body.map_or(parts.name.end, |body| body.start))
}

/// A trigger's statement without the guard that `edit_object` put around its body.
pub fn unguarded(sql: &str) -> String {
    let head = guard_head();
    let guarded = sql.split_once(&head).and_then(|(before, behind)| {
        let body = behind.strip_suffix(GUARD_TAIL)?;
        Some(format!("{before}{body}"))
    });
    guarded.unwrap_or_else(|| sql.to_owned())
}

fn guard_head() -> String {
    format!("IF {SESSION_MARK} IS NULL THEN ")
}

/// The statement without what a policy decides: two that are equal in this form mean the same
/// under the same settings.
pub fn comparable(sql: &str, kind: ObjectKind, context: &Context<'_>) -> Option<String> {
    let parts = find_parts(sql, kind, context)?;
    let mut edits: Vec<Edit> = vec![(parts.name, "?".to_owned())];
    let holes = [parts.definer, parts.security, parts.table, parts.state];
    edits.extend(
        holes
            .into_iter()
            .flatten()
            .map(|span| (span, "?".to_owned())),
    );
    edits.extend(parts.place.map(|span| (span, String::new())));
    let mut text = replace(sql, edits).ok()?;
    if matches!(kind, ObjectKind::Procedure | ObjectKind::Function) {
        // Servers print the characteristics before the body, each on a line of its own.
        text = text.replacen(INVOKER_LINE, "", 1);
    }
    Some(
        text.trim_end_matches([' ', '\t', '\n', '\r', ';'])
            .to_owned(),
    )
}

fn find_parts(sql: &str, kind: ObjectKind, context: &Context<'_>) -> Option<Parts> {
    let Lexed { tokens, .. } = lex(sql, context);
    let mut cursor = Cursor::new(sql, &tokens, context);
    let mut parts = Parts::default();
    cursor.eat(&["CREATE"]).then_some(())?;
    parts.verb_end = tokens[0].end;
    head(&mut cursor, kind, &mut parts)?;
    if !cursor.eat(&["IF", "NOT", "EXISTS"]) {
        cursor.eat(&["IF", "EXISTS"]);
    }
    parts.name = cursor.qualified(NameKind::Other, Role::Subject)?.span;
    match kind {
        ObjectKind::Trigger => trigger(&mut cursor, &mut parts)?,
        ObjectKind::Event => event(&mut cursor, &mut parts)?,
        _ => {}
    }
    Some(parts)
}

/// Everything between `CREATE` and the name.
fn head(cursor: &mut Cursor<'_>, kind: ObjectKind, parts: &mut Parts) -> Option<()> {
    loop {
        let word = cursor.word();
        match word.as_str() {
            "OR" => cursor.eat(&["REPLACE"]).then_some(())?,
            "ALGORITHM" => {
                cursor.eat_symbol(b'=');
                cursor.at += 1;
            }
            "DEFINER" => {
                cursor.eat_symbol(b'=').then_some(())?;
                parts.definer = Some(account(cursor)?);
            }
            "SQL" => {
                cursor.eat(&["SECURITY"]).then_some(())?;
                let token = cursor.peek(0)?;
                parts.security = Some(token.start..token.end);
                cursor.at += 1;
            }
            "AGGREGATE" => {}
            word => return word.eq_ignore_ascii_case(kind.as_str()).then_some(()),
        }
    }
}

fn account(cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
    let start = cursor.peek(0)?.start;
    cursor.at += 1;
    if cursor.at_symbol(b'(') {
        cursor.skip();
    }
    if cursor.eat_symbol(b'@') {
        cursor.at += 1;
    }
    Some(start..cursor.tokens[cursor.at - 1].end)
}

/// `BEFORE INSERT ON table FOR EACH ROW [FOLLOWS other] body`.
fn trigger(cursor: &mut Cursor<'_>, parts: &mut Parts) -> Option<()> {
    cursor.skip_to(&["ON"]).then_some(())?;
    cursor.at += 1;
    parts.table = Some(cursor.qualified(NameKind::Table, Role::Other)?.span);
    cursor.eat(&["FOR", "EACH", "ROW"]).then_some(())?;
    let start = cursor.peek(0)?.start;
    // A label may have these names; then a colon follows.
    let is_place = cursor.at_any(&["FOLLOWS", "PRECEDES"])
        && !cursor.peek(1).is_some_and(|token| token.is_symbol(b':'));
    if is_place {
        cursor.at += 1;
        let span = cursor.qualified(NameKind::Other, Role::Other)?.span;
        parts.place = Some(start..span.end);
    }
    let begin = cursor.peek(0)?.start;
    let last = cursor.tokens.iter().rfind(|token| !token.is_symbol(b';'))?;
    // A comment behind the last token belongs to the body.
    let end = match cursor.tokens.last()?.is_symbol(b';') {
        true => last.end,
        false => cursor.sql.len(),
    };
    parts.body = Some(begin..end);
    Some(())
}

/// `... ON COMPLETION [NOT] PRESERVE ENABLE ...`.
fn event(cursor: &mut Cursor<'_>, parts: &mut Parts) -> Option<()> {
    cursor.skip_to(&["PRESERVE", "DO"]).then_some(())?;
    cursor.eat(&["PRESERVE"]).then_some(())?;
    let start = cursor.peek(0)?.start;
    cursor.eat_any(&["ENABLE", "DISABLE"]).then_some(())?;
    if cursor.eat(&["ON"]) {
        cursor.at += 1;
    }
    parts.state = Some(start..cursor.tokens[cursor.at - 1].end);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(sql: &str, kind: ObjectKind, guarded: bool) -> Option<String> {
        let context = object_context("", Dialect::mysql(90_704));
        let edit = ObjectEdit {
            definer: Some("`a`@`%`"),
            invoker: true,
            name: "`d`.`n`",
            table: Some("`d`.`t`"),
            guarded,
        };
        edit_object(sql, kind, &context, &edit)
    }

    #[test]
    fn views_get_definer_security_and_name() {
        assert_eq!(
            edited(
                "CREATE ALGORITHM=MERGE DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `s`.`v` (`a`) AS select 1 AS `DEFINER=`",
                ObjectKind::View,
                false
            )
            .as_deref(),
            Some("CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW `d`.`n` (`a`) AS select 1 AS `DEFINER=`")
        );
    }

    #[test]
    fn routines_keep_their_text() {
        let body = "(x int)\n    SQL SECURITY DEFINER\nBEGIN SELECT 'DEFINER=`x`@`y`'; END";
        let sql = format!("CREATE DEFINER=`r``t`@`%` PROCEDURE `p`{body}");
        assert_eq!(
            edited(&sql, ObjectKind::Procedure, false),
            Some(format!("CREATE DEFINER=`a`@`%` PROCEDURE `d`.`n`{body}"))
        );
        assert_eq!(edited(&sql, ObjectKind::Function, false), None);
    }

    #[test]
    fn triggers_are_guarded_whatever_their_body_is() {
        let check = |body: &str, expected: &str| {
            let sql = format!(
                "CREATE DEFINER=`r`@`%` TRIGGER trg BEFORE INSERT ON tab FOR EACH ROW {body}"
            );
            assert_eq!(
                edited(&sql, ObjectKind::Trigger, true),
                Some(format!(
                    "CREATE DEFINER=`a`@`%` TRIGGER `d`.`n` BEFORE INSERT ON `d`.`t` FOR EACH ROW {expected}"
                ))
            );
        };
        let sql =
            "CREATE DEFINER=`r`@`%` TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1 -- x";
        let guarded = edited(sql, ObjectKind::Trigger, true).expect("a trigger");
        assert_eq!(
            Some(unguarded(&guarded)),
            edited(sql, ObjectKind::Trigger, false)
        );
        check(
            "SET NEW.a = 1",
            "IF @wherry_session IS NULL THEN SET NEW.a = 1\n; END IF",
        );
        check(
            "SET NEW.a = 1; ",
            "IF @wherry_session IS NULL THEN SET NEW.a = 1\n; END IF",
        );
        check(
            "l: BEGIN LEAVE l; END l -- the end",
            "IF @wherry_session IS NULL THEN l: BEGIN LEAVE l; END l -- the end\n; END IF",
        );
        check(
            "FOLLOWS `other` BEGIN END",
            " IF @wherry_session IS NULL THEN BEGIN END\n; END IF",
        );
        check(
            "follows: BEGIN END",
            "IF @wherry_session IS NULL THEN follows: BEGIN END\n; END IF",
        );
    }

    #[test]
    fn a_trigger_without_a_definer_gets_one() {
        assert_eq!(
            edited(
                "CREATE TRIGGER g AFTER DELETE ON `x`.`t` FOR EACH ROW DO 1",
                ObjectKind::Trigger,
                false
            )
            .as_deref(),
            Some(
                "CREATE DEFINER=`a`@`%` TRIGGER `d`.`n` AFTER DELETE ON `d`.`t` FOR EACH ROW DO 1"
            )
        );
    }

    #[test]
    fn events_are_made_disabled() {
        let check = |state: &str| {
            let sql = format!(
                "CREATE DEFINER=`r`@`%` EVENT `e` ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 00:00:00' ON COMPLETION NOT PRESERVE {state} COMMENT 'ENABLE' DO DELETE FROM t"
            );
            assert_eq!(
                edited(&sql, ObjectKind::Event, false).as_deref(),
                Some(
                    "CREATE DEFINER=`a`@`%` EVENT `d`.`n` ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 00:00:00' ON COMPLETION NOT PRESERVE DISABLE COMMENT 'ENABLE' DO DELETE FROM t"
                )
            );
        };
        check("ENABLE");
        check("DISABLE");
        check("DISABLE ON SLAVE");
        check("DISABLE ON REPLICA");
    }

    #[test]
    fn what_the_policy_decides_is_not_compared() {
        let context = object_context("", Dialect::mysql(90_704));
        let form = |sql: &str| comparable(sql, ObjectKind::View, &context);
        assert_eq!(
            form(
                "CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`b` SQL SECURITY DEFINER VIEW `d`.`v` AS select 1"
            ),
            form(
                "CREATE ALGORITHM=UNDEFINED DEFINER=`c`@`d` SQL SECURITY INVOKER VIEW `d`.`v` AS select 1 "
            )
        );
    }

    #[test]
    fn the_line_of_a_routine_is_not_compared() {
        let context = object_context("", Dialect::mysql(90_704));
        let form = |sql: &str| comparable(sql, ObjectKind::Function, &context);
        let text = |line: &str| {
            format!("CREATE DEFINER=`a`@`b` FUNCTION `f`() RETURNS int\n    NO SQL\n{line}RETURN 1")
        };
        assert_eq!(form(&text("")), form(&text("    SQL SECURITY INVOKER\n")));
        assert_ne!(form(&text("")), form(&text("    COMMENT 'x'\n")));
    }

    #[test]
    fn quotes_are_read_under_the_mode_of_the_object() {
        let context = object_context("ANSI_QUOTES,NO_BACKSLASH_ESCAPES", Dialect::mysql(90_704));
        let edit = ObjectEdit {
            definer: None,
            invoker: false,
            name: "`d`.`n`",
            table: None,
            guarded: false,
        };
        let sql = "CREATE DEFINER=\"r\"@\"%\" PROCEDURE \"p q\"() SELECT \"x\", '\\'";
        assert_eq!(
            edit_object(sql, ObjectKind::Procedure, &context, &edit).as_deref(),
            Some("CREATE DEFINER=\"r\"@\"%\" PROCEDURE `d`.`n`() SELECT \"x\", '\\'")
        );
    }
}
