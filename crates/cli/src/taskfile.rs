//! Task files: YAML in, a specification out, or one report that points at line and column.
//!
//! The only module that knows the YAML library. Reports never show a password: what may be one
//! is masked in the lines they print.

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Location, Spanned};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use wherry_model::Fault;
use wherry_model::task::TaskSpec;

/// A task file that was read and understood.
#[derive(Debug)]
pub struct TaskFile {
    pub path: PathBuf,
    pub spec: TaskSpec,
    text: String,
    tree: Node,
}

/// What is wrong in a task file, and where.
#[derive(Debug)]
pub struct TaskFileError {
    pub code: &'static str,
    /// A lowercase fragment without a final point.
    pub message: String,
    /// A full sentence with the next action.
    pub hint: String,
    pub file: String,
    /// Both count from 1; 0 where the place is not known.
    pub line: u64,
    pub column: u64,
    span: Option<SourceSpan>,
    source: NamedSource<String>,
}

impl TaskFile {
    /// Reads and parses the file at `path`.
    ///
    /// Errors: a [`Fault`] where the file cannot be read, a [`TaskFileError`] in everything else.
    pub fn read(path: &Path) -> Result<TaskFile, ReadError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ReadError::File(
                Fault::input(
                    "CLI-001",
                    format!("could not read task file `{}`", path.display()),
                )
                .hint("Check the path and its permissions; the file must be UTF-8 text.")
                .cause(error),
            )
        })?;
        TaskFile::parse(path, text).map_err(ReadError::Content)
    }

    /// Parses `text`; `path` only names it.
    pub fn parse(path: &Path, text: String) -> Result<TaskFile, Box<TaskFileError>> {
        let spec = serde_saphyr::from_str_with_options::<TaskSpec>(&text, options())
            .map_err(|error| Box::new(explain(path, &text, &error)))?;
        let tree = serde_saphyr::from_str_with_options::<Node>(&text, options())
            .map_err(|error| Box::new(explain(path, &text, &error)))?;
        Ok(TaskFile {
            path: path.to_owned(),
            spec,
            text,
            tree,
        })
    }

    /// The folder that relative paths in the file start from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// An error at the value of `key`, like `select.databases.1`; at its nearest parent where the
    /// file does not have the key itself.
    pub fn error_at(
        &self,
        key: &str,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> TaskFileError {
        error(
            &self.path,
            &self.text,
            self.tree.locate(key),
            code,
            message.into(),
            hint.into(),
        )
    }
}

impl TaskFileError {
    /// An error at these bytes of a script, which holds no secrets.
    pub fn in_script(
        path: &Path,
        text: &str,
        place: Range<usize>,
        code: &'static str,
        message: String,
        hint: &str,
    ) -> TaskFileError {
        let file = path.display().to_string();
        let start = place.start.min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line_begin = before.rfind('\n').map_or(0, |at| at + 1);
        let line_rest = text[line_begin..].split('\n').next().map_or(0, str::len);
        // Never past the end of its line, so that the report stays small.
        let end = place.end.clamp(start, (line_begin + line_rest).max(start));
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        TaskFileError {
            code,
            message,
            hint: hint.to_owned(),
            source: NamedSource::new(&file, text.to_owned()),
            file,
            line: count(before.matches('\n').count() + 1),
            column: count(before[line_begin..].chars().count() + 1),
            span: Some(SourceSpan::from((start, (end - start).max(1)))),
        }
    }
}

/// Either the file or its content is at fault.
#[derive(Debug)]
pub enum ReadError {
    File(Fault),
    Content(Box<TaskFileError>),
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false }
}

fn error(
    path: &Path,
    text: &str,
    location: Option<Location>,
    code: &'static str,
    message: String,
    hint: String,
) -> TaskFileError {
    let file = path.display().to_string();
    let span = location.and_then(|location| source_span(text, &location));
    TaskFileError {
        code,
        message,
        hint,
        source: NamedSource::new(&file, mask_secrets(text)),
        file,
        line: location.map_or(0, |location| location.line()),
        column: location.map_or(0, |location| location.column()),
        span,
    }
}

/// The bytes that a location covers: at least one, so that a caret appears, and never past the
/// end of its line, so that the report stays small.
fn source_span(text: &str, location: &Location) -> Option<SourceSpan> {
    let line_index = usize::try_from(location.line().checked_sub(1)?).ok()?;
    let column_index = usize::try_from(location.column().checked_sub(1)?).ok()?;
    let line_begin: usize = text
        .split_inclusive('\n')
        .take(line_index)
        .map(str::len)
        .sum();
    let line = text.get(line_begin..)?.lines().next().unwrap_or("");
    let begin = line
        .char_indices()
        .nth(column_index)
        .map_or(line.len(), |(index, _)| index);
    let length_wanted = usize::try_from(location.span().len()).unwrap_or(1).max(1);
    let length = line[begin..]
        .chars()
        .take(length_wanted)
        .map(char::len_utf8)
        .sum::<usize>();
    Some(SourceSpan::from((line_begin + begin, length)))
}

/// Turns an error of the YAML library into ours, in our words.
fn explain(path: &Path, text: &str, cause: &Error) -> TaskFileError {
    let cause = cause.without_snippet();
    let (code, message, hint) = describe(cause);
    let mut error = error(path, text, cause.location(), code, message, hint);
    if is_about_secret(cause)
        && let Some(span) = error.span
    {
        // Whatever begins here may be the password, on this line or on the next ones.
        let mut shown = mask_secrets(text);
        let hidden = mask_all(&shown[span.offset()..]);
        shown.replace_range(span.offset().., &hidden);
        error.source = NamedSource::new(&error.file, shown);
    }
    error
}

fn is_about_secret(cause: &Error) -> bool {
    matches!(cause, Error::SerdeUnknownVariant { expected, .. } if expected.contains(&"env"))
}

fn describe(cause: &Error) -> (&'static str, String, String) {
    match cause {
        Error::SerdeUnknownField {
            field, expected, ..
        } => (
            "CLI-003",
            format!("unknown key `{field}`"),
            one_of(expected),
        ),
        // What stands there may be the password itself, so it is not repeated.
        _ if is_about_secret(cause) => (
            "CLI-004",
            "a password must be a reference".to_owned(),
            "Write `{env: NAME}`, `{file: PATH}` or `{command: SHELL COMMAND}`.".to_owned(),
        ),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            "CLI-004",
            format!("unknown value `{variant}`"),
            one_of(expected),
        ),
        Error::SerdeMissingField { field, .. } => (
            "CLI-005",
            format!("missing key `{field}`"),
            format!("Add `{field}`; docs/task-file.md describes every key."),
        ),
        Error::DuplicateMappingKey { key, .. } => (
            "CLI-006",
            format!("key `{}` stands there twice", key.as_deref().unwrap_or("?")),
            "Keep one of the two.".to_owned(),
        ),
        Error::InvalidScalar { ty, .. } => (
            "CLI-004",
            format!("this is not {}", type_name(ty)),
            format!("Write {} here.", type_name(ty)),
        ),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => (
            "CLI-004",
            format!("wrong type, expected {expected}"),
            "Compare with docs/task-file.md or the output of `wherry task-schema`.".to_owned(),
        ),
        Error::Message { msg, .. } if is_secret_free(msg) => (
            "CLI-004",
            msg.clone(),
            "Compare with docs/task-file.md or the output of `wherry task-schema`.".to_owned(),
        ),
        Error::Eof { .. } => (
            "CLI-002",
            "the file is empty or ends too early".to_owned(),
            "Write at least `source`, `target` and `select`; README.md has an example.".to_owned(),
        ),
        other => describe_form(other),
    }
}

/// Errors of YAML itself, or a container where a scalar should stand.
fn describe_form(cause: &Error) -> (&'static str, String, String) {
    let text = cause.render_with_options(plain());
    let first = text.lines().next().unwrap_or("unreadable").trim();
    // The location follows in the report, so the library's own mention of it is cut off.
    let first = first.split(" at line ").next().unwrap_or(first);
    (
        "CLI-002",
        format!("not valid here: {first}"),
        "Check indentation, colons, quotes and brackets around this place.".to_owned(),
    )
}

fn plain() -> serde_saphyr::RenderOptions<'static> {
    serde_saphyr::render_options! { snippets: serde_saphyr::SnippetMode::Off }
}

/// Messages of our own conversions quote what they could not read only for sizes.
fn is_secret_free(message: &str) -> bool {
    !message.contains("://")
}

fn type_name(ty: &str) -> &str {
    match ty {
        "bool" | "boolean" => "true or false",
        "usize" | "u32" | "u64" | "unsigned integer" | "integer" => "a whole number, zero or more",
        other => other,
    }
}

fn one_of(expected: &[&'static str]) -> String {
    let quoted: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "Remove it; nothing is expected here.".to_owned(),
        [only] => format!("Use {only}."),
        [first @ .., last] => format!("Use one of {} or {last}.", first.join(", ")),
    }
}

/// Replaces what may be a secret by stars, byte for byte, so that places stay right.
fn mask_secrets(text: &str) -> String {
    text.split_inclusive('\n').map(mask_line).collect()
}

fn mask_all(text: &str) -> String {
    let mask = |c: char| match c {
        '\n' | '\r' => c.to_string(),
        _ => "*".repeat(c.len_utf8()),
    };
    text.chars().map(mask).collect()
}

fn mask_line(line: &str) -> String {
    let mut bytes = line.as_bytes().to_vec();
    if let Some(scheme) = line.find("://") {
        let begin = scheme + "://".len();
        if let (Some(colon), Some(at)) = (line[begin..].find(':'), line[begin..].rfind('@'))
            && colon < at
        {
            bytes[begin + colon + 1..begin + at].fill(b'*');
        }
    }
    let lower = line.to_ascii_lowercase();
    for word in ["pas", "pwd", "secret", "token"] {
        for (index, _) in lower.match_indices(word) {
            mask_value(line, index, &mut bytes);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| "*".repeat(line.len()))
}

/// Masks the value after the key that holds byte `index`, unless it is a reference in braces.
fn mask_value(line: &str, index: usize, bytes: &mut [u8]) {
    let Some(colon) = line[index..].find(": ") else {
        return;
    };
    let key_rest = &line[index..index + colon];
    if !key_rest
        .chars()
        .all(|c| c.is_alphanumeric() || "_-\"'".contains(c))
    {
        return;
    }
    let begin = index + colon + 2;
    let value = line[begin..].trim_start();
    if value.is_empty() || value.starts_with('{') {
        return;
    }
    let end = line.trim_end().len();
    bytes[begin..end].fill(b'*');
}

impl fmt::Display for TaskFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TaskFileError {}

impl Diagnostic for TaskFileError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("error [{}]", self.code)))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.hint))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            Some("here".to_owned()),
            span,
        ))))
    }
}

/// The file's shape with the place of every value, for errors found after parsing.
#[derive(Debug)]
enum Node {
    Map(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

impl Node {
    /// The place of the value at a dotted path, or of its nearest parent that exists.
    fn locate(&self, path: &str) -> Option<Location> {
        let mut node = self;
        let mut place = None;
        for step in path.split('.') {
            let next = match node {
                Node::Map(entries) => entries
                    .iter()
                    .find(|(key, _)| key == step)
                    .map(|(_, value)| value),
                Node::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                Node::Scalar => None,
            };
            let Some(next) = next else { break };
            place = Some(next.referenced);
            node = &next.value;
        }
        place
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Node::Scalar)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
}
