//! The task specification: what the user writes in a task file or gives by flags.
//!
//! Unknown keys are refused. Secrets stand here only as references or, from a URL, as a value
//! that no `Debug` or `Serialize` shows.

use crate::account::AccountChoice;
use crate::name::TableName;
use crate::object::{ObjectKind, ObjectName};
use crate::online::OnlineDdlSpec;
use crate::operation::Operation;
pub use crate::phases::{Begin, Phases, StreamFrom};
use crate::select::SelectFile;
pub use crate::select::{
    Capitalization, ConflictPolicy, DatabaseRule, Mapping, MappingSpec, SelectSpec, TableRule,
};
pub use crate::shape::{EtlErrors, EtlSpec, FilterUpdates};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// A whole task file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Name of the task; derived from source and target where it is left out.
    #[serde(default)]
    pub task: Option<String>,
    /// The database to move from.
    pub source: EndpointSpec,
    /// The database to move to.
    pub target: EndpointSpec,
    /// What moves.
    #[schemars(with = "SelectFile")]
    pub select: SelectSpec,
    /// What the task does; all of it where this is left out.
    #[serde(default)]
    pub phases: Phases,
    #[serde(default)]
    pub load: LoadSpec,
    #[serde(default)]
    pub stream: StreamSpec,
    #[serde(default)]
    pub schema: SchemaSpec,
    #[serde(default)]
    pub cutover: CutoverSpec,
    #[serde(default)]
    pub limits: LimitSpec,
    #[serde(default)]
    pub state: StateSpec,
}

/// One end of the task.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    /// `mysql://user@host:3306`; a password inside is accepted, a reference is better.
    pub url: SecretUrl,
    /// Where the password comes from; it wins over one in the URL.
    #[serde(default)]
    pub password: Option<SecretSpec>,
    #[serde(default)]
    pub tls: TlsSpec,
    /// Of the source alone: a row that Wherry writes there while the task streams, so that the lag is
    /// known where nothing else is written. Without it Wherry writes nothing to the source.
    #[serde(default)]
    pub heartbeat: Option<HeartbeatSpec>,
}

/// A table of Wherry's own at the source, with one row for each task.
#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct HeartbeatSpec {
    /// Database of the table; made where it is missing, and never moved.
    pub database: String,
    /// Seconds from one write to the next.
    #[schemars(range(min = 1, max = 3600))]
    pub interval_seconds: u32,
}

impl Default for HeartbeatSpec {
    fn default() -> HeartbeatSpec {
        HeartbeatSpec {
            database: "wherry_heartbeat".to_owned(),
            interval_seconds: 10,
        }
    }
}

/// A URL that may hold a password; `Debug` hides it.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(transparent)]
pub struct SecretUrl(pub String);

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after_at = self
            .0
            .rsplit_once('@')
            .map_or(self.0.as_str(), |(_, rest)| rest);
        write!(f, "SecretUrl(..@{after_at})")
    }
}

/// Where a secret is read from.
#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSpec {
    /// Name of an environment variable.
    Env(String),
    /// Path of a file; one trailing line end is cut off.
    File(String),
    /// A shell command that prints the secret on standard output.
    Command(String),
}

/// How the connection is protected.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSpec {
    pub mode: TlsMode,
    /// PEM file with the certificates to trust; the system's are used where it is left out.
    pub ca: Option<String>,
    /// PEM file with the client certificate.
    pub certificate: Option<String>,
    /// PEM file with the key of the client certificate.
    pub key: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    Off,
    /// TLS where the server offers it, unchecked.
    #[default]
    Preferred,
    /// TLS or nothing, the certificate unchecked.
    Required,
    /// TLS with a certificate signed by the CA.
    VerifyCa,
    /// As `verify-ca`, and the certificate names the host.
    VerifyIdentity,
}

/// The engine of the tables that Wherry makes in the target.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EngineRule {
    /// Tables of MyISAM, Aria and MEMORY become InnoDB; others keep their engine.
    #[default]
    Innodb,
    /// Tables become X-Engine, PolarDB's engine for data that is seldom read.
    XEngine,
    /// Every table keeps its engine; one without transactions is refused.
    Keep,
}

#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSpec {
    /// Connections that read chunks at the source.
    #[schemars(range(min = 1, max = 64))]
    pub readers: usize,
    /// Connections that write chunks in the target.
    #[schemars(range(min = 1, max = 64))]
    pub writers: usize,
    /// Add non-unique indexes after the rows of a table are in.
    pub defer_indexes: bool,
}

impl Default for LoadSpec {
    fn default() -> LoadSpec {
        LoadSpec {
            readers: 4,
            writers: 4,
            defer_indexes: true,
        }
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSpec {
    /// Connections that apply changes in the target.
    #[schemars(range(min = 1, max = 64))]
    pub workers: usize,
    /// Where the stream begins, in a task without a load.
    pub from: Option<StreamFrom>,
    /// What becomes of the tables of online-DDL tools.
    pub online_ddl: OnlineDdlSpec,
    /// What becomes of a table whose definition change the target refuses.
    pub refused_ddl: RefusedDdl,
}

/// What becomes of a table when the target refuses a definition change that the source made.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedDdl {
    /// The table stops before it and waits for a choice; everything else goes on.
    #[default]
    Pause,
    /// The table is loaded anew, as it is behind the statement.
    Reload,
}

impl Default for StreamSpec {
    fn default() -> StreamSpec {
        StreamSpec {
            workers: 4,
            from: None,
            online_ddl: OnlineDdlSpec::default(),
            refused_ddl: RefusedDdl::default(),
        }
    }
}

/// How definitions are made in the target.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct SchemaSpec {
    /// Whose rights views, routines, triggers and events have in the target.
    pub definer: DefinerPolicy,
    /// When triggers are made.
    pub triggers: TriggerPolicy,
    /// What becomes of events.
    pub events: EventPolicy,
    /// Views, routines, triggers and events that stay behind, as `database.name`.
    pub leave_out: Vec<String>,
    /// The engine of the tables that Wherry makes in the target.
    pub engine: EngineRule,
    /// Accounts of the source that the cutover makes in the target: `none`, `all`, or those listed.
    pub accounts: AccountChoice,
    /// What moves: `select.operations` may leave whole kinds out.
    #[serde(skip)]
    pub selection: SelectSpec,
}

impl SchemaSpec {
    /// Takes over what the selection says about views, routines, triggers and events.
    pub fn follow(&mut self, select: &SelectSpec) {
        self.selection = select.clone();
    }

    /// True where the user does not want this object in the target.
    pub fn leaves_out(&self, object: &ObjectName) -> bool {
        let skipped = object.kind == ObjectKind::Event && self.events == EventPolicy::Skip;
        let by_kind = Operation::of_object(object.kind)
            .is_some_and(|operation| !self.selection.carries_in(operation, &object.database));
        skipped
            || by_kind
            || !self.selection.phases.schema
            || self.leave_out.iter().any(|text| {
                TableName::parse(text).is_some_and(|name| {
                    name.database == object.database && name.table == object.name
                })
            })
    }
}

/// When triggers are made.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerPolicy {
    /// Behind the fence of the cutover.
    #[default]
    AtCutover,
    /// With the other objects, so that they do not fire in Wherry's own sessions; the cutover makes
    /// them anew without that.
    Guarded,
}

/// What becomes of events. They are always made disabled.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EventPolicy {
    /// Behind the fence those are enabled that the source has enabled.
    #[default]
    AtCutover,
    /// They stay disabled.
    Disabled,
    /// None is made.
    Skip,
}

/// Whose rights views, routines, triggers and events have in the target.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum DefinerPolicy {
    /// The caller's (`SQL SECURITY INVOKER`); the definer is the account of the target. Triggers
    /// and events know no caller and run with the rights of that account.
    #[default]
    Invoker,
    /// The definer's, and the definer is the one of the source.
    Keep,
    /// The definer's; those listed here, as `user@host`, become others, the rest stay.
    Map(BTreeMap<String, String>),
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct CutoverSpec {
    pub stop_writes: StopWrites,
    /// Seconds of lag below which a cutover may begin.
    pub lag_max_seconds: Option<u32>,
}

/// How writes to the source end at cutover.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum StopWrites {
    /// The user stops them; Wherry waits until the source is quiet.
    #[default]
    Wait,
    /// A shell command stops them; it must return when they have stopped.
    Command(String),
    /// Wherry sets `read_only` at the source.
    ReadOnly,
}

#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSpec {
    /// Memory of the whole process, like `512MiB`.
    pub memory: ByteSize,
}

impl Default for LimitSpec {
    fn default() -> LimitSpec {
        LimitSpec {
            memory: ByteSize(512 << 20),
        }
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct StateSpec {
    /// Database in the target that holds Wherry's own tables.
    pub database: String,
}

impl Default for StateSpec {
    fn default() -> StateSpec {
        StateSpec {
            database: "wherry".to_owned(),
        }
    }
}

/// A number of bytes, written like `64KiB`, `512MiB` or `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Deserialize)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct ByteSize(pub u64);

impl TryFrom<String> for ByteSize {
    type Error = String;

    fn try_from(text: String) -> Result<ByteSize, String> {
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim() {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            other => {
                return Err(format!(
                    "unknown unit `{other}`, expected B, KiB, MiB or GiB"
                ));
            }
        };
        let number: u64 = number
            .parse()
            .map_err(|_| format!("`{text}` is not a size like 512MiB"))?;
        number
            .checked_mul(1 << shift)
            .map(ByteSize)
            .ok_or_else(|| format!("`{text}` is too large"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        let parse = |text: &str| ByteSize::try_from(text.to_owned());
        assert_eq!(parse("512MiB"), Ok(ByteSize(512 << 20)));
        assert_eq!(parse("7"), Ok(ByteSize(7)));
        assert!(parse("12 MB").is_err());
        assert!(parse("99999999999GiB").is_err());
    }

    #[test]
    fn debug_hides_passwords() {
        let url = SecretUrl("mysql://mover:p@ss@host:3306".to_owned());
        assert!(!format!("{url:?}").contains("p@ss"));
        assert!(!format!("{url:?}").contains("mover:"));
    }
}
