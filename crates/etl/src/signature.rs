//! The functions by name: how many arguments each takes, and which of them have names.

use crate::fault::{Mistake, ScriptError, Span};
use crate::syntax::Call;

#[derive(Debug, PartialEq)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) named: &'static [&'static str],
}

/// Every function of the language. The first group acts on a record and has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    If,
    IfElse,
    Switch,
    Compose,
    Drop,
    Keep,
    Set,
    TailReplace,

    Sum,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Round,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    And,
    Or,
    Not,
    In,
    IsNull,
    IsNotNull,
    Image,

    Concatenate,
    Format,
    Replace,
    Strip,
    Lower,
    Upper,
    TextToLong,
    LongToText,
    Count,
    Find,
    Contains,
    IsAlphabetic,
    IsDigits,
    RegexMatch,
    Mask,
    After,
    Before,
    Between,
    IsText,
    JsonArray,

    Datetime,
    Now,
    NowMillis,
    FromSeconds,
    FromMillis,
    ToSeconds,
    ToMillis,
    PrintTime,
    ReadTime,
    AddTime,
}

const MANY: usize = 1000;
const DELTAS: &[&str] = &["years", "months", "days", "hours", "minutes", "seconds"];

const SIGNATURES: [Signature; 56] = [
    action("e_if", Function::If, 2, MANY),
    action("e_if_else", Function::IfElse, 3, 3),
    named("e_switch", Function::Switch, 2, MANY, &["default"]),
    action("e_compose", Function::Compose, 1, MANY),
    action("e_drop", Function::Drop, 0, 0),
    action("e_keep", Function::Keep, 1, 1),
    action("e_set", Function::Set, 2, 3),
    named(
        "tail_replace_string_field",
        Function::TailReplace,
        2,
        3,
        &["all"],
    ),
    value("op_sum", Function::Sum, 2),
    value("op_sub", Function::Subtract, 2),
    value("op_mul", Function::Multiply, 2),
    value("op_div_true", Function::Divide, 2),
    value("op_mod", Function::Modulo, 2),
    value("op_round", Function::Round, 2),
    value("op_eq", Function::Equal, 2),
    value("op_ne", Function::NotEqual, 2),
    value("op_gt", Function::Greater, 2),
    value("op_lt", Function::Less, 2),
    value("op_ge", Function::GreaterOrEqual, 2),
    value("op_le", Function::LessOrEqual, 2),
    value("op_and", Function::And, 2),
    value("op_or", Function::Or, 2),
    value("op_not", Function::Not, 1),
    value("op_in", Function::In, 2),
    value("op_is_null", Function::IsNull, 1),
    value("op_is_not_null", Function::IsNotNull, 1),
    value("v", Function::Image, 2),
    action("op_add", Function::Concatenate, 2, MANY),
    action("str_format", Function::Format, 1, MANY),
    action("str_replace", Function::Replace, 3, 4),
    value("str_strip", Function::Strip, 2),
    value("str_lower", Function::Lower, 1),
    value("str_upper", Function::Upper, 1),
    value("cast_string_to_long", Function::TextToLong, 1),
    value("cast_long_to_string", Function::LongToText, 1),
    value("str_count", Function::Count, 2),
    value("str_find", Function::Find, 2),
    value("str_contains", Function::Contains, 2),
    value("str_isalpha", Function::IsAlphabetic, 1),
    value("str_isdigit", Function::IsDigits, 1),
    named("regex_match", Function::RegexMatch, 2, 2, &["full"]),
    value("str_mask", Function::Mask, 4),
    value("substring_after", Function::After, 2),
    value("substring_before", Function::Before, 2),
    value("substring_between", Function::Between, 3),
    value("is_string_value", Function::IsText, 1),
    value("json_array", Function::JsonArray, 1),
    value("DATETIME", Function::Datetime, 1),
    value("dt_now", Function::Now, 0),
    value("dt_now_millis", Function::NowMillis, 0),
    action("dt_fromtimestamp", Function::FromSeconds, 1, 2),
    action("dt_fromtimestamp_millis", Function::FromMillis, 1, 2),
    action("dt_parsetimestamp", Function::ToSeconds, 1, 2),
    action("dt_parsetimestamp_millis", Function::ToMillis, 1, 2),
    value("dt_str", Function::PrintTime, 2),
    value("dt_strptime", Function::ReadTime, 2),
];

/// Beside the others, because its names are its own.
const ADD_TIME: Signature = named("dt_add", Function::AddTime, 1, 1, DELTAS);

/// Functions of DTS that this version leaves out, with what to do instead.
const NOT_HERE: [&str; 2] = ["bson_value", "e_expand_bson_value"];

const fn named(
    name: &'static str,
    function: Function,
    least: usize,
    most: usize,
    named: &'static [&'static str],
) -> Signature {
    Signature {
        name,
        function,
        least,
        most,
        named,
    }
}

const fn action(name: &'static str, function: Function, least: usize, most: usize) -> Signature {
    named(name, function, least, most, &[])
}

const fn value(name: &'static str, function: Function, count: usize) -> Signature {
    named(name, function, count, count, &[])
}

pub(crate) fn exists(name: &str) -> bool {
    all().any(|signature| signature.name == name)
}

/// The names of all functions, for completion and for tests that look whether each is told of.
pub(crate) fn all() -> impl Iterator<Item = &'static Signature> {
    SIGNATURES.iter().chain([&ADD_TIME])
}

pub(crate) fn find(name: &str, span: Span) -> Result<&'static Signature, ScriptError> {
    if NOT_HERE.contains(&name) {
        return Err(Mistake::NotHere.at(
            span,
            format!("function '{name}' is for MongoDB"),
            "Leave it out: MySQL has no BSON.",
        ));
    }
    all()
        .find(|signature| signature.name == name)
        .ok_or_else(|| {
            let hint = match nearest(name) {
                Some(near) => format!("Did you mean '{near}'?"),
                None => "See docs/etl.md for the functions; letter case counts.".to_owned(),
            };
            Mistake::UnknownFunction.at(span, format!("no function is called '{name}'"), hint)
        })
}

/// A function whose name differs by one or two letters, or by case.
fn nearest(name: &str) -> Option<&'static str> {
    const DISTANCE_MAX: usize = 2;
    all()
        .map(|signature| (distance(name, signature.name), signature.name))
        .filter(|(distance, _)| *distance <= DISTANCE_MAX)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed; case does not count.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, against) in other.bytes().enumerate() {
            let same = usize::from(!letter.eq_ignore_ascii_case(&against));
            let best = (diagonal + same)
                .min(row[column] + 1)
                .min(row[column + 1] + 1);
            diagonal = std::mem::replace(&mut row[column + 1], best);
        }
    }
    row[other.len()]
}

impl Signature {
    /// The name of an argument, as one of this function's.
    pub(crate) fn named(&self, name: &str, span: Span) -> Result<&'static str, ScriptError> {
        let found = self.named.iter().find(|known| **known == name);
        found.copied().ok_or_else(|| {
            let hint = match self.named {
                [] => format!("Give the arguments of '{}' without names.", self.name),
                names => format!("'{}' knows {}.", self.name, names.join(", ")),
            };
            Mistake::Arguments.at(
                span,
                format!("'{}' has no argument '{name}'", self.name),
                hint,
            )
        })
    }

    pub(crate) fn check(&self, call: &Call, span: Span) -> Result<(), ScriptError> {
        let count = call.arguments.len();
        let pairs = matches!(self.function, Function::If | Function::Switch);
        if count < self.least || count > self.most || (pairs && !count.is_multiple_of(2)) {
            return Err(Mistake::Arguments.at(
                span,
                format!("'{}' got {count} arguments", self.name),
                format!("Give it {}.", self.wanted(pairs)),
            ));
        }
        if self.function == Function::AddTime && call.named.is_empty() {
            return Err(Mistake::Arguments.at(
                span,
                "'dt_add' got nothing to add",
                "Give it one or more of years=, months=, days=, hours=, minutes=, seconds=.",
            ));
        }
        Ok(())
    }

    fn wanted(&self, pairs: bool) -> String {
        if pairs {
            return "pairs of a condition and an action".to_owned();
        }
        match (self.least, self.most) {
            (least, most) if least == most => format!("{least}"),
            (least, MANY) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        }
    }
}
