//! What a filter means, where every server says the same of it.
//!
//! Numbers are integers and decimals that no operator can carry over the servers' ranges, which is
//! proved from the ranges of the columns. Moments compare with moments of their kind, texts with
//! constants and with texts of their collation. Nothing is converted silently.

use super::exact::{
    Exact, Sort, compare_exact, compute, constant, in_range, literal, number_column,
};
use super::node::{Condition, Number};
use super::parse::{Kind, Tree};
use super::text::{Comparison, Operand, TestKind, TextTest};
use super::{COLUMN_TYPE, Filter, FilterError, Truth, UNKNOWN_COLUMN, moment};
use crate::member::travels_by_number;
use std::collections::BTreeSet;
use wherry_model::name::quote;
use wherry_model::{ColumnKind, Table};

pub(super) type Checked<T> = Result<T, FilterError>;

pub(super) fn check(tree: &Tree, table: &Table) -> Checked<Filter> {
    let mut checker = Checker {
        table,
        tests: Vec::new(),
        columns: BTreeSet::new(),
    };
    let (condition, sql) = checker.condition(tree)?;
    Ok(Filter {
        condition,
        tests: checker.tests,
        columns: checker.columns,
        sql: format!("({sql})"),
    })
}

#[derive(Debug, Clone)]
enum Value {
    Exact(Exact),
    TextColumn {
        index: usize,
        comparison: Comparison,
        label: bool,
    },
    Text(String),
    Bytes(Vec<u8>),
    Moment(&'static str, String),
    Null,
    Condition(Condition, String),
}

struct Checker<'t> {
    table: &'t Table,
    tests: Vec<TextTest>,
    columns: BTreeSet<usize>,
}

pub(super) type Judged = (Condition, String);

impl Checker<'_> {
    fn condition(&mut self, tree: &Tree) -> Checked<Judged> {
        match self.value(tree)? {
            Value::Condition(condition, sql) => Ok((condition, sql)),
            Value::Exact(number) if number.sort == Sort::Number && number.whole => {
                let sql = format!("{} <> 0", number.sql);
                Ok((Condition::NonZero(number.node), sql))
            }
            _ => Err(FilterError::types(tree.at, "a condition should stand here")),
        }
    }

    fn value(&mut self, tree: &Tree) -> Checked<Value> {
        let at = tree.at;
        Ok(match &tree.kind {
            Kind::Null => Value::Null,
            Kind::Boolean(value) => Value::Exact(constant(i128::from(*value), 0)),
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Kind::Moment(kind, text) => Value::Moment(kind, text.clone()),
            Kind::Integer(digits) | Kind::Decimal(digits) => Value::Exact(literal(digits, at)?),
            Kind::Float => {
                let reason = "numbers with an exponent are not exact; write them as decimals";
                return Err(FilterError::unsupported(at, reason));
            }
            Kind::Column(name) => self.column(name, at)?,
            Kind::Negative(inner) => Value::Exact(self.negative(inner, at)?),
            Kind::Arithmetic(operator, left, right) => {
                Value::Exact(self.arithmetic(operator, left, right, at)?)
            }
            Kind::Call(name, arguments) => self.call(name, arguments, at)?,
            _ => {
                let (condition, sql) = self.logic(tree)?;
                Value::Condition(condition, format!("({sql})"))
            }
        })
    }

    fn logic(&mut self, tree: &Tree) -> Checked<Judged> {
        let at = tree.at;
        match &tree.kind {
            Kind::And(left, right) => self.both("AND", Condition::And, left, right),
            Kind::Or(left, right) => self.both("OR", Condition::Or, left, right),
            Kind::Xor(left, right) => self.both("XOR", Condition::Xor, left, right),
            Kind::Not(inner) => {
                let (condition, sql) = self.condition(inner)?;
                Ok((Condition::Not(Box::new(condition)), format!("NOT ({sql})")))
            }
            Kind::Is(inner, wanted) => {
                let (condition, sql) = self.condition(inner)?;
                let (truth, word) = match wanted {
                    Some(true) => (Truth::True, "TRUE"),
                    Some(false) => (Truth::False, "FALSE"),
                    None => (Truth::Unknown, "UNKNOWN"),
                };
                Ok((
                    Condition::Is(Box::new(condition), truth),
                    format!("({sql}) IS {word}"),
                ))
            }
            Kind::IsNull(inner) => self.is_null(inner, at),
            Kind::Compare(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.compare(operator, left, right, at)
            }
            Kind::Between(inner, low, high) => {
                let value = self.value(inner)?;
                let (low, high) = (self.value(low)?, self.value(high)?);
                check_members(&value, &[&low, &high], at)?;
                let (above, first) = self.compare(">=", value.clone(), low, at)?;
                let (below, second) = self.compare("<=", value, high, at)?;
                let condition = Condition::And(Box::new(above), Box::new(below));
                Ok((condition, format!("{first} AND {second}")))
            }
            Kind::In(inner, members) => self.list(inner, members, at),
            Kind::Like(inner, pattern, escape) => self.like(inner, pattern, escape.as_deref(), at),
            _ => Err(FilterError::types(at, "a condition should stand here")),
        }
    }

    fn both(
        &mut self,
        word: &str,
        make: fn(Box<Condition>, Box<Condition>) -> Condition,
        left: &Tree,
        right: &Tree,
    ) -> Checked<Judged> {
        let (left, first) = self.condition(left)?;
        let (right, second) = self.condition(right)?;
        let sql = format!("({first}) {word} ({second})");
        Ok((make(Box::new(left), Box::new(right)), sql))
    }

    fn is_null(&mut self, inner: &Tree, at: usize) -> Checked<Judged> {
        if let Kind::Column(name) = &inner.kind {
            let index = self.index(name, inner.at)?;
            let column = &self.table.columns[index];
            let is_day = matches!(
                column.kind,
                ColumnKind::Date | ColumnKind::Datetime { .. } | ColumnKind::Timestamp { .. }
            );
            if is_day && !column.nullable {
                let reason = "for a column that is NOT NULL this means a zero date";
                return Err(FilterError::unsupported(at, reason));
            }
            let sql = format!("{} IS NULL", quote(&column.name));
            return Ok((Condition::NullColumn(index), sql));
        }
        match self.value(inner)? {
            Value::Exact(number) => {
                let sql = format!("{} IS NULL", number.sql);
                Ok((Condition::NullNumber(number.node), sql))
            }
            Value::Condition(condition, sql) => {
                let condition = Condition::Is(Box::new(condition), Truth::Unknown);
                Ok((condition, format!("{sql} IS NULL")))
            }
            _ => Err(FilterError::types(
                at,
                "a column or a condition should stand before IS NULL",
            )),
        }
    }

    fn compare(
        &mut self,
        operator: &'static str,
        left: Value,
        right: Value,
        at: usize,
    ) -> Checked<Judged> {
        match (left, right) {
            (Value::Exact(left), Value::Exact(right)) => compare_exact(operator, left, right, at),
            (Value::Exact(left), right) => {
                let right = like_sort(&left, right, at)?;
                compare_exact(operator, left, right, at)
            }
            (left, Value::Exact(right)) => {
                let left = like_sort(&right, left, at)?;
                compare_exact(operator, left, right, at)
            }
            (left, right) => self.compare_texts(operator, left, right, at),
        }
    }

    fn compare_texts(
        &mut self,
        operator: &'static str,
        left: Value,
        right: Value,
        at: usize,
    ) -> Checked<Judged> {
        let of = |value: &Value| match value {
            Value::TextColumn {
                comparison, label, ..
            } => Some((comparison.clone(), *label)),
            _ => None,
        };
        let (comparison, label) = match (of(&left), of(&right)) {
            (Some((one, false)), Some((other, false))) if one == other => (one, false),
            (Some(_), Some(_)) => {
                let reason = "these two columns are not texts of one collation";
                return Err(FilterError::types(at, reason));
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                return Err(FilterError::types(
                    at,
                    "one side should be a column or a number",
                ));
            }
        };
        if label && !matches!(operator, "=" | "<>") {
            let reason = "labels of an ENUM are only equal or not";
            return Err(FilterError::types(at, reason));
        }
        let operand = |value: Value| match value {
            Value::TextColumn { index, .. } => Ok(Operand::Column(index)),
            value => text_constant(&comparison, value, at).map(Operand::Constant),
        };
        let kind = TestKind::Compare(operator, operand(left)?, operand(right)?);
        Ok(self.test(kind, comparison, false))
    }

    fn test(&mut self, kind: TestKind, comparison: Comparison, null_in_list: bool) -> Judged {
        let test = TextTest {
            kind,
            comparison,
            null_in_list,
        };
        let sql = test.sql_of_columns(&self.table.columns);
        self.tests.push(test);
        (Condition::Text(self.tests.len() - 1), sql)
    }

    fn list(&mut self, inner: &Tree, members: &[Tree], at: usize) -> Checked<Judged> {
        let value = self.value(inner)?;
        if let Value::TextColumn {
            index, comparison, ..
        } = value
        {
            let mut texts = Vec::new();
            let mut null_in_list = false;
            for member in members {
                match self.value(member)? {
                    Value::Null => null_in_list = true,
                    value => texts.push(text_constant(&comparison, value, member.at)?),
                }
            }
            if texts.is_empty() {
                return Err(FilterError::types(
                    at,
                    "a list of NULL alone selects nothing",
                ));
            }
            return Ok(self.test(TestKind::In(index, texts), comparison, null_in_list));
        }
        let mut conditions = Vec::new();
        let mut texts = Vec::new();
        let mut found_members = Vec::new();
        for member in members {
            match self.value(member)? {
                Value::Null => {
                    conditions.push(Condition::Constant(Truth::Unknown));
                    texts.push("NULL".to_owned());
                }
                found => {
                    check_members(&value, &[&found], member.at)?;
                    found_members.push(found.clone());
                    let (condition, sql) = self.compare("=", value.clone(), found, member.at)?;
                    conditions.push(condition);
                    texts.push(sql);
                }
            }
        }
        let found_members: Vec<&Value> = found_members.iter().collect();
        check_members(&value, &found_members, at)?;
        Ok((Condition::Any(conditions), texts.join(" OR ")))
    }

    /// A column of text or bytes; labels are none.
    fn text_column(
        &mut self,
        inner: &Tree,
        wanted: impl Into<String>,
    ) -> Checked<(usize, Comparison)> {
        match self.value(inner)? {
            Value::TextColumn {
                index,
                comparison,
                label: false,
            } => Ok((index, comparison)),
            _ => Err(FilterError::types(inner.at, wanted)),
        }
    }

    fn like(
        &mut self,
        inner: &Tree,
        pattern: &Tree,
        escape: Option<&Tree>,
        at: usize,
    ) -> Checked<Judged> {
        let (index, comparison) =
            self.text_column(inner, "LIKE compares a column of text or bytes")?;
        let found = self.value(pattern)?;
        let pattern = text_constant(&comparison, found, pattern.at)?;
        let escape = match escape.map(|tree| (&tree.kind, tree.at)) {
            None => b'\\',
            Some((Kind::Text(text), _)) if text.len() == 1 && text.is_ascii() => text.as_bytes()[0],
            Some((_, at)) => {
                return Err(FilterError::types(at, "ESCAPE takes one ASCII character"));
            }
        };
        if escape.is_ascii_alphanumeric() || matches!(escape, b'%' | b'_') {
            let reason = "letters, digits, `%` and `_` are no escape that all servers read alike";
            return Err(FilterError::unsupported(at, reason));
        }
        Ok(self.test(TestKind::Like(index, pattern, escape), comparison, false))
    }

    fn index(&mut self, name: &str, at: usize) -> Checked<usize> {
        let mut columns = self.table.source_columns().iter();
        let found = columns.position(|column| column.name.to_lowercase() == name.to_lowercase());
        let Some(index) = found else {
            let message = format!("the table has no column `{name}`");
            return Err(FilterError::new(UNKNOWN_COLUMN, at, message));
        };
        if self.table.columns[index].generated {
            let reason = "a generated column may not be in the binlog as the table has it";
            return Err(FilterError::new(COLUMN_TYPE, at, reason));
        }
        self.columns.insert(index);
        Ok(index)
    }

    fn column(&mut self, name: &str, at: usize) -> Checked<Value> {
        let index = self.index(name, at)?;
        let column = &self.table.columns[index];
        let refused = || {
            let message = format!(
                "columns of type {} cannot be filtered by",
                column.column_type
            );
            FilterError::new(COLUMN_TYPE, at, message)
        };
        let of_text = |comparison: Option<Comparison>, label| {
            let comparison = comparison.ok_or_else(refused)?;
            Ok(Value::TextColumn {
                index,
                comparison,
                label,
            })
        };
        let long =
            column.column_type.starts_with("medium") || column.column_type.starts_with("long");
        match &column.kind {
            ColumnKind::Text | ColumnKind::Blob if long => Err(refused()),
            ColumnKind::Char { .. } | ColumnKind::Varchar { .. } | ColumnKind::Text => {
                of_text(Comparison::of(column), false)
            }
            ColumnKind::Binary { .. } | ColumnKind::Varbinary { .. } | ColumnKind::Blob => {
                of_text(Some(Comparison::bytes()), false)
            }
            ColumnKind::Enum { labels } => {
                let ascii = labels.iter().all(|label| label.is_ascii());
                let plain = ascii && !travels_by_number(column);
                of_text(Comparison::of(column).filter(|_| plain), true)
            }
            _ => number_column(column, index)
                .map(Value::Exact)
                .ok_or_else(refused),
        }
    }

    fn number(&mut self, tree: &Tree) -> Checked<Exact> {
        match self.value(tree)? {
            Value::Exact(number) if number.sort == Sort::Number && !number.sealed => Ok(number),
            _ => Err(FilterError::types(
                tree.at,
                "only integers and decimals are computed with",
            )),
        }
    }

    fn negative(&mut self, inner: &Tree, at: usize) -> Checked<Exact> {
        let number = self.number(inner)?;
        let sql = format!("(-{})", number.sql);
        let negative = Exact {
            node: Number::Negative(Box::new(number.node)),
            low: -number.high,
            high: -number.low,
            unsigned: false,
            sql,
            ..number
        };
        in_range(negative, at)
    }

    fn arithmetic(
        &mut self,
        operator: &'static str,
        left: &Tree,
        right: &Tree,
        at: usize,
    ) -> Checked<Exact> {
        if operator == "/" {
            let reason = "the decimals of a quotient depend on a variable; use DIV, or multiply";
            return Err(FilterError::unsupported(at, reason));
        }
        let (left, right) = (self.number(left)?, self.number(right)?);
        compute(operator, left, right, at)
    }

    fn call(&mut self, name: &str, arguments: &[Tree], at: usize) -> Checked<Value> {
        let wrong = |count: &str| FilterError::types(at, format!("{name} takes {count}"));
        match (name, arguments) {
            ("ABS", [inner]) => {
                let number = self.number(inner)?;
                let both = [number.low.abs(), number.high.abs()];
                let spans_zero = number.low <= 0 && number.high >= 0;
                let absolute = Exact {
                    sql: format!("ABS({})", number.sql),
                    node: Number::Absolute(Box::new(number.node)),
                    low: if spans_zero { 0 } else { both[0].min(both[1]) },
                    high: both[0].max(both[1]),
                    ..number
                };
                in_range(absolute, at).map(Value::Exact)
            }
            ("MOD", [left, right]) => self.arithmetic("%", left, right, at).map(Value::Exact),
            ("COALESCE" | "IFNULL", [first, others @ ..]) if !others.is_empty() => {
                self.first(first, others, at).map(Value::Exact)
            }
            ("LENGTH" | "OCTET_LENGTH" | "CHAR_LENGTH" | "CHARACTER_LENGTH", [inner]) => {
                self.length(name, inner).map(Value::Exact)
            }
            ("YEAR" | "MONTH" | "DAY" | "DAYOFMONTH", [inner]) => {
                self.part(name, inner).map(Value::Exact)
            }
            ("ABS" | "LENGTH" | "CHAR_LENGTH" | "YEAR" | "MONTH" | "DAY", _) => {
                Err(wrong("one value"))
            }
            ("MOD", _) => Err(wrong("two values")),
            ("COALESCE" | "IFNULL", _) => Err(wrong("at least two values")),
            _ => {
                let message = format!("the function {name} is not taken");
                Err(FilterError::unsupported(at, message))
            }
        }
    }

    fn first(&mut self, first: &Tree, others: &[Tree], at: usize) -> Checked<Exact> {
        let mut all = self.number(first)?;
        let mut nodes = vec![all.node.clone()];
        let mut texts = vec![all.sql.clone()];
        for tree in others {
            let number = self.number(tree)?;
            let alike = number.whole && all.whole && number.unsigned == all.unsigned;
            let fits = number.constant && number.whole && all.whole && number.low >= 0;
            if !alike && !fits {
                return Err(FilterError::types(
                    at,
                    "all values should be integers of one sign",
                ));
            }
            all.low = all.low.min(number.low);
            all.high = all.high.max(number.high);
            nodes.push(number.node);
            texts.push(number.sql);
        }
        Ok(Exact {
            node: Number::First(nodes),
            sealed: true,
            constant: false,
            sql: format!("COALESCE({})", texts.join(",")),
            ..all
        })
    }

    fn length(&mut self, name: &str, inner: &Tree) -> Checked<Exact> {
        let wanted = format!("{name} takes a column of text or bytes");
        let (index, comparison) = self.text_column(inner, wanted)?;
        let by_bytes = matches!(name, "LENGTH" | "OCTET_LENGTH")
            || matches!(comparison.charset.as_str(), "binary" | "ascii" | "latin1");
        let node = match comparison.charset.as_str() {
            _ if by_bytes => Number::Length(index),
            "utf8" | "utf8mb3" | "utf8mb4" => Number::Characters(index),
            _ => {
                let message = "characters of this set are not counted".to_owned();
                return Err(FilterError::unsupported(inner.at, message));
            }
        };
        Ok(self.sealed(name, index, node, i128::from(u32::MAX)))
    }

    fn part(&mut self, name: &str, inner: &Tree) -> Checked<Exact> {
        let wrong = || FilterError::types(inner.at, format!("{name} takes a column of days"));
        let Kind::Column(column) = &inner.kind else {
            return Err(wrong());
        };
        let index = self.index(column, inner.at)?;
        let kind = &self.table.columns[index].kind;
        if !matches!(
            kind,
            ColumnKind::Date | ColumnKind::Datetime { .. } | ColumnKind::Timestamp { .. }
        ) {
            return Err(wrong());
        }
        let node = match name {
            "YEAR" => Number::Year(index),
            "MONTH" => Number::Month(index),
            _ => Number::Day(index),
        };
        Ok(self.sealed(name, index, node, 9999))
    }

    fn sealed(&self, name: &str, index: usize, node: Number, high: i128) -> Exact {
        Exact {
            node,
            sort: Sort::Number,
            scale: 0,
            low: 0,
            high,
            whole: true,
            unsigned: false,
            sealed: true,
            constant: false,
            year: false,
            sql: format!("{name}({})", quote(&self.table.columns[index].name)),
        }
    }
}

/// What IN and BETWEEN compare otherwise than `=` and `<` do.
///
/// Servers take -1 for the largest unsigned number in a list (seen on 9.7) and behind BETWEEN (seen
/// on 5.6), and nowhere else.
fn check_members(value: &Value, members: &[&Value], at: usize) -> Checked<()> {
    let is_time = matches!(
        value,
        Value::Exact(Exact {
            sort: Sort::Time,
            ..
        })
    );
    if is_time
        && members
            .iter()
            .any(|member| matches!(member, Value::Text(_)))
    {
        let reason = "IN and BETWEEN may compare it as a text; write TIME before it";
        return Err(FilterError::types(at, reason));
    }
    let all = std::iter::once(value).chain(members.iter().copied());
    let signs = all.filter_map(|value| match value {
        Value::Exact(number) if !number.constant || number.low < 0 => Some(number.unsigned),
        _ => None,
    });
    let signs: BTreeSet<bool> = signs.collect();
    if signs.len() > 1 {
        let reason = "IN and BETWEEN do not tell signed from unsigned numbers; use =, <= and >=";
        return Err(FilterError::types(at, reason));
    }
    Ok(())
}

/// A constant of the kind of what it is compared with.
fn like_sort(other: &Exact, value: Value, at: usize) -> Checked<Exact> {
    let of = |node, sql| Exact {
        node,
        sort: other.sort,
        scale: other.scale,
        low: 0,
        high: 0,
        whole: true,
        unsigned: false,
        sealed: true,
        constant: true,
        year: false,
        sql,
    };
    let wrong = |wanted: &str| {
        Err(FilterError::types(
            at,
            format!("{wanted} should stand here"),
        ))
    };
    let (word, text) = match value {
        Value::Null => {
            let reason = "a comparison with NULL is never true; use IS NULL";
            return Err(FilterError::types(at, reason));
        }
        Value::Text(text) => ("", text),
        Value::Moment(word, text) => (word, text),
        _ if other.sort == Sort::Number => return wrong("a number"),
        _ => return wrong("a date or time"),
    };
    let taken = |node: Option<i128>, sql| match node {
        Some(value) => Ok(of(Number::Constant(value), sql)),
        None => Err(FilterError::types(at, "this is no date or time")),
    };
    match other.sort {
        Sort::Number => wrong("a number, and no text,"),
        Sort::Date if matches!(word, "" | "DATE") && moment::is_day(&text) => {
            taken(moment::date(text.as_bytes()), format!("DATE '{text}'"))
        }
        Sort::Date => wrong("a day like '2024-12-31'"),
        Sort::Moment if word != "TIME" && moment::is_datetime(&text) => {
            let clock = if text.contains(' ') { "" } else { " 00:00:00" };
            taken(
                moment::datetime(text.as_bytes()),
                format!("TIMESTAMP '{text}{clock}'"),
            )
        }
        Sort::Moment => wrong("a time like '2024-12-31 23:59:59'"),
        Sort::Time => {
            let digits = text.strip_prefix('-').unwrap_or(&text);
            if !matches!(word, "" | "TIME") || !moment::is_clock(digits, 838) {
                return wrong("a time like '23:59:59'");
            }
            taken(moment::time(text.as_bytes()), format!("TIME '{text}'"))
        }
    }
}

/// A constant that a column of text or bytes is compared with.
fn text_constant(comparison: &Comparison, value: Value, at: usize) -> Checked<Vec<u8>> {
    match value {
        Value::Text(text)
            if text.is_ascii() || comparison.charset == "utf8mb4" || comparison.is_bytes() =>
        {
            Ok(text.into_bytes())
        }
        Value::Text(_) => {
            let message = format!(
                "a column of character set {} is compared with ASCII texts only",
                comparison.charset
            );
            Err(FilterError::types(at, message))
        }
        Value::Bytes(bytes) if comparison.is_bytes() => Ok(bytes),
        Value::Null => {
            let reason = "a comparison with NULL is never true; use IS NULL";
            Err(FilterError::types(at, reason))
        }
        _ => Err(FilterError::types(at, "a text should stand here")),
    }
}
