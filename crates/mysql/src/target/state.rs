//! Wherry's own tables in the target: their definitions and every statement on them.
//!
//! Owns the persisted format. Builds text only; who runs it stands in `store` and `transaction`.
//! Values are written as hexadecimal literals, so that no name can leave its place.

mod choice;
mod database;
mod lane;
mod left;
mod phases;
mod rules;
mod skipped;

use super::definition_change::LegProgress;
use super::transaction::Guard;
use crate::literal::push_hex;
use wherry_engine::state::Chunk;
use wherry_model::{Row, TableName, name::quote};

/// Raised when the meaning of a stored field changes; a newer one is refused.
pub(super) const FORMAT_VERSION: u32 = 1;

/// Text columns compare byte by byte; names are at most 64 characters.
const NAME: &str = "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
const LONG_NAME: &str = "VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
const TEXT: &str = "MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
const LONG_TEXT: &str = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/// Names of the state tables of one task, and the statements on them.
#[derive(Debug, Clone)]
pub(super) struct State {
    database: String,
    task: String,
    view: View,
}

/// Whose cursor the statements move and whose tables they list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Stream,
    Lane,
}

impl State {
    pub(super) fn new(database: &str, task: &str) -> State {
        State {
            database: database.to_owned(),
            task: task.to_owned(),
            view: View::Stream,
        }
    }

    /// The same task as its lane sees it.
    pub(super) fn of_lane(&self) -> State {
        State {
            view: View::Lane,
            ..self.clone()
        }
    }

    pub(super) fn of_stream(&self) -> State {
        State {
            view: View::Stream,
            ..self.clone()
        }
    }

    pub(super) fn view(&self) -> View {
        self.view
    }

    /// The table that holds this view's cursor.
    fn cursor(&self) -> String {
        self.table(match self.view {
            View::Stream => "checkpoint",
            View::Lane => "lane",
        })
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    pub(super) fn task_name(&self) -> &str {
        &self.task
    }

    pub(super) fn table(&self, name: &str) -> String {
        format!("{}.{}", quote(&self.database), quote(name))
    }

    /// `task = '..'`, the condition that every statement has.
    pub(super) fn mine(&self) -> String {
        format!("task={}", text(&self.task))
    }

    pub(super) fn mine_and(&self, table: &TableName) -> String {
        format!(
            "task={} AND database_name={} AND table_name={}",
            text(&self.task),
            text(&table.database),
            text(&table.table)
        )
    }

    pub(super) fn triple(&self, table: &TableName) -> String {
        format!(
            "{},{},{}",
            text(&self.task),
            text(&table.database),
            text(&table.table)
        )
    }

    /// The name of the lock under which definitions are changed. Servers take 64 characters.
    pub(super) fn ddl_lock(&self) -> String {
        // The lane has its own, so that the stream's DDL does not wait for its indexes.
        let suffix = match self.view {
            View::Stream => "ddl",
            View::Lane => "lane",
        };
        let name = format!("wherry/{}/{suffix}", self.task);
        if name.chars().count() <= 64 {
            return name;
        }
        let hash = xxhash_rust::xxh3::xxh3_128(self.task.as_bytes());
        format!("wherry/{hash:032x}/{suffix}")
    }

    /// The read that every transaction begins with. Hits one row where the guard holds.
    ///
    /// `INTO` makes the server answer with the number of rows instead of a result set, so that it
    /// can stand in a packet of several statements.
    pub(super) fn read_epoch(&self, guard: Guard) -> String {
        let condition = match guard {
            Guard::Epoch(epoch) => format!("epoch={epoch}"),
            Guard::AfterFence => "epoch IS NULL".to_owned(),
        };
        format!(
            "SELECT task INTO @wherry_epoch FROM {} WHERE {} AND {condition} LOCK IN SHARE MODE",
            self.table("epoch"),
            self.mine()
        )
    }

    /// Creates what is missing, in order.
    pub(super) fn create(&self) -> Vec<String> {
        definitions()
            .into_iter()
            .map(|(name, body)| {
                format!(
                    "CREATE TABLE IF NOT EXISTS {} ({body}) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",
                    self.table(name)
                )
            })
            .collect()
    }

    /// The database and the table that says which format the others have.
    pub(super) fn create_format(&self) -> [String; 3] {
        let format = self.table("format");
        [
            format!(
                "CREATE DATABASE IF NOT EXISTS {} DEFAULT CHARACTER SET utf8mb4",
                quote(&self.database)
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {format} (id TINYINT NOT NULL, version INT UNSIGNED NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB"
            ),
            format!("INSERT IGNORE INTO {format} (id, version) VALUES (1, {FORMAT_VERSION})"),
        ]
    }

    pub(super) fn select_format(&self) -> String {
        format!("SELECT version FROM {} WHERE id=1", self.table("format"))
    }

    pub(super) fn add_epoch(&self) -> String {
        format!(
            "INSERT IGNORE INTO {} (task, epoch) VALUES ({}, 0)",
            self.table("epoch"),
            text(&self.task)
        )
    }

    /// Hits no row after the fence; the new epoch is the insert id of the answer.
    pub(super) fn raise_epoch(&self) -> String {
        format!(
            "UPDATE {} SET epoch=LAST_INSERT_ID(epoch+1) WHERE {} AND epoch IS NOT NULL",
            self.table("epoch"),
            self.mine()
        )
    }

    pub(super) fn select_epoch(&self) -> String {
        format!(
            "SELECT epoch FROM {} WHERE {}",
            self.table("epoch"),
            self.mine()
        )
    }

    pub(super) fn bury_epoch(&self) -> String {
        format!(
            "UPDATE {} SET epoch=NULL WHERE {}",
            self.table("epoch"),
            self.mine()
        )
    }

    pub(super) fn select_task(&self) -> String {
        format!(
            "SELECT phase, source_id, end_position FROM {} WHERE {}",
            self.table("task"),
            self.mine()
        )
    }

    pub(super) fn add_task(&self, source_id: &str, phase: &str) -> String {
        format!(
            "INSERT INTO {} (task, phase, source_id, format, created_at) VALUES ({}, {}, {}, {FORMAT_VERSION}, UNIX_TIMESTAMP())",
            self.table("task"),
            text(&self.task),
            text(phase),
            text(source_id)
        )
    }

    pub(super) fn set_phase(&self, from: &str, to: &str) -> String {
        format!(
            "UPDATE {} SET phase={} WHERE {} AND phase IN ({}, {})",
            self.table("task"),
            text(to),
            self.mine(),
            text(from),
            text(to)
        )
    }

    pub(super) fn set_end(&self, position: &str) -> String {
        let holder = match self.view {
            View::Stream => "task",
            View::Lane => "lane",
        };
        format!(
            "UPDATE {} SET end_position={} WHERE {}",
            self.table(holder),
            text(position),
            self.mine()
        )
    }

    pub(super) fn select_checkpoint(&self) -> String {
        format!(
            "SELECT read_from, applied_to FROM {} WHERE {}",
            self.cursor(),
            self.mine()
        )
    }

    /// Takes the checkpoint's row; hits one row where there is one.
    pub(super) fn lock_checkpoint(&self) -> String {
        format!(
            "SELECT task INTO @wherry_checkpoint FROM {} WHERE {} FOR UPDATE",
            self.cursor(),
            self.mine()
        )
    }

    pub(super) fn put_checkpoint(&self, read_from: &str, applied_to: &str) -> String {
        format!(
            "INSERT INTO {} (task, read_from, applied_to) VALUES ({}, {read}, {applied}) \
             ON DUPLICATE KEY UPDATE read_from={read}, applied_to={applied}",
            self.cursor(),
            text(&self.task),
            read = text(read_from),
            applied = text(applied_to)
        )
    }

    /// The compare-and-set of the checkpoint. Where the stored one is not `before`, it sets NULL
    /// in a column that takes none and fails, so a COMMIT in the same packet is not reached.
    pub(super) fn move_checkpoint(&self, before: [&str; 2], after: [&str; 2]) -> String {
        format!(
            "UPDATE {} SET applied_to=IF(applied_to={} AND read_from={}, {}, NULL), read_from={} WHERE {}",
            self.cursor(),
            text(before[1]),
            text(before[0]),
            text(after[1]),
            text(after[0]),
            self.mine()
        )
    }

    /// `definition`, `start_position`, `stage`, `stopped`, `mark` of every table.
    pub(super) fn select_tables(&self) -> String {
        format!(
            "SELECT definition, start_position, stage, stopped, mark FROM {} LEFT JOIN {} USING (task, database_name, table_name) WHERE {} ORDER BY database_name, table_name",
            self.table("table_state"),
            self.table("lane_table"),
            self.mine()
        )
    }

    /// As `select_tables`, of a state that an older program wrote.
    pub(super) fn select_tables_without_lanes(&self) -> String {
        format!(
            "SELECT definition, start_position, stage, stopped, NULL FROM {} WHERE {} ORDER BY database_name, table_name",
            self.table("table_state"),
            self.mine()
        )
    }

    /// `definition`, `dialect`, `start_position`, `stage`, `stopped`, `made`, `mark` of one table.
    pub(super) fn select_table(&self, table: &TableName) -> String {
        format!(
            "SELECT definition, dialect, start_position, stage, stopped, made, mark FROM {} LEFT JOIN {} USING (task, database_name, table_name) WHERE {}",
            self.table("table_state"),
            self.table("lane_table"),
            self.mine_and(table)
        )
    }

    pub(super) fn put_table(&self, table: &TableName, row: &TableRow) -> String {
        let values = format!(
            "definition={}, dialect={}, start_position={}, stage={}, stopped={}",
            text(row.definition),
            text(row.dialect),
            text(row.start),
            text(row.stage),
            row.stopped.map_or_else(|| "NULL".to_owned(), text)
        );
        format!(
            "INSERT INTO {} SET task={}, database_name={}, table_name={}, {values} ON DUPLICATE KEY UPDATE {values}",
            self.table("table_state"),
            text(&self.task),
            text(&table.database),
            text(&table.table)
        )
    }

    /// Records whether the table in the target is one that this task made.
    pub(super) fn set_made(&self, table: &TableName, made: bool) -> String {
        format!(
            "UPDATE {} SET made={} WHERE {}",
            self.table("table_state"),
            u8::from(made),
            self.mine_and(table)
        )
    }

    pub(super) fn set_stage(&self, table: &TableName, stage: &str) -> String {
        format!(
            "UPDATE {} SET stage={} WHERE {}",
            self.table("table_state"),
            text(stage),
            self.mine_and(table)
        )
    }

    pub(super) fn set_stopped(&self, table: &TableName, stopped: &str) -> String {
        format!(
            "UPDATE {} SET stopped={} WHERE {}",
            self.table("table_state"),
            text(stopped),
            self.mine_and(table)
        )
    }

    pub(super) fn rename_table(&self, old: &TableName, new: &TableName) -> Vec<String> {
        ["table_state", "chunk", "owed", "lane_table", "rule_change"]
            .into_iter()
            .map(|name| {
                format!(
                    "UPDATE {} SET database_name={}, table_name={} WHERE {}",
                    self.table(name),
                    text(&new.database),
                    text(&new.table),
                    self.mine_and(old)
                )
            })
            .collect()
    }

    pub(super) fn forget_table(&self, table: &TableName) -> Vec<String> {
        let mut statements = self.forget_rows(table);
        statements.push(self.unmark_lane(table));
        statements.push(format!(
            "DELETE FROM {} WHERE {}",
            self.table("table_state"),
            self.mine_and(table)
        ));
        statements
    }

    /// Forgets chunks, owed keys, and what rules changed.
    pub(super) fn forget_rows(&self, table: &TableName) -> Vec<String> {
        ["chunk", "owed", "rule_change"]
            .into_iter()
            .map(|name| {
                format!(
                    "DELETE FROM {} WHERE {}",
                    self.table(name),
                    self.mine_and(table)
                )
            })
            .collect()
    }

    pub(super) fn select_chunks(&self, table: &TableName) -> String {
        format!(
            "SELECT number, lower_key, upper_key, done, row_count, byte_count FROM {} WHERE {} ORDER BY number",
            self.table("chunk"),
            self.mine_and(table)
        )
    }

    /// `done`, `row_count`, `byte_count`, `left_out` of one chunk, and takes its row.
    pub(super) fn lock_chunk(&self, table: &TableName, number: u64) -> String {
        format!(
            "SELECT done, row_count, byte_count, left_out FROM {} WHERE {} AND number={number} FOR UPDATE",
            self.table("chunk"),
            self.mine_and(table)
        )
    }

    pub(super) fn add_chunk(&self, table: &TableName, chunk: &Chunk) -> String {
        let key = |key: &Option<Row>| {
            key.as_ref()
                .map_or_else(|| "NULL".to_owned(), |key| bytes(key.encoded()))
        };
        format!(
            "INSERT INTO {} (task, database_name, table_name, number, lower_key, upper_key, done, row_count, byte_count, left_out) \
             VALUES ({}, {}, {lower}, {upper}, 0, 0, 0, 0) ON DUPLICATE KEY UPDATE lower_key={lower}, upper_key={upper}",
            self.table("chunk"),
            self.triple(table),
            chunk.number,
            lower = key(&chunk.range.lower),
            upper = key(&chunk.range.upper)
        )
    }

    pub(super) fn finish_chunk(&self, table: &TableName, number: u64, counts: [u64; 3]) -> String {
        let [row_count, byte_count, left_out] = counts;
        format!(
            "UPDATE {} SET done=1, row_count={row_count}, byte_count={byte_count}, left_out={left_out} WHERE {} AND number={number}",
            self.table("chunk"),
            self.mine_and(table)
        )
    }

    pub(super) fn select_owed(&self) -> String {
        format!(
            "SELECT database_name, table_name, key_values, mark FROM {} LEFT JOIN {} USING (task, database_name, table_name) WHERE {}",
            self.table("owed"),
            self.table("lane_table"),
            self.mine()
        )
    }

    pub(super) fn select_any_owed(&self) -> String {
        format!(
            "SELECT 1 FROM {} WHERE {} LIMIT 1",
            self.table("owed"),
            self.mine()
        )
    }

    pub(super) fn add_owed(&self, table: &TableName, keys: &[Row]) -> String {
        let triple = self.triple(table);
        let values: Vec<String> = keys
            .iter()
            .map(|key| format!("({triple},{},{})", key_hash(key), bytes(key.encoded())))
            .collect();
        format!(
            "INSERT IGNORE INTO {} (task, database_name, table_name, key_hash, key_values) VALUES {}",
            self.table("owed"),
            values.join(",")
        )
    }

    pub(super) fn pay_owed(&self, table: &TableName, keys: &[Row]) -> String {
        let hashes: Vec<String> = keys.iter().map(key_hash).collect();
        format!(
            "DELETE FROM {} WHERE {} AND key_hash IN ({})",
            self.table("owed"),
            self.mine_and(table),
            hashes.join(",")
        )
    }

    pub(super) fn put_progress(&self, progress: &str) -> String {
        let progress = text(progress);
        format!(
            "INSERT INTO {} (task, progress, written_at) VALUES ({}, {progress}, UNIX_TIMESTAMP()) \
             ON DUPLICATE KEY UPDATE progress={progress}, written_at=UNIX_TIMESTAMP()",
            self.table("progress"),
            text(&self.task)
        )
    }

    pub(super) fn select_progress(&self) -> String {
        format!(
            "SELECT GREATEST(UNIX_TIMESTAMP()-written_at, 0), progress FROM {} WHERE {}",
            self.table("progress"),
            self.mine()
        )
    }

    pub(super) fn add_divergence(
        &self,
        table: &TableName,
        kind: &str,
        key: Option<&Row>,
        position: &str,
    ) -> String {
        format!(
            "INSERT INTO {} (task, database_name, table_name, kind, key_values, position, recorded_at) VALUES ({}, {}, {}, {}, UNIX_TIMESTAMP())",
            self.table("divergence"),
            self.triple(table),
            text(kind),
            key.map_or_else(|| "NULL".to_owned(), |key| bytes(key.encoded())),
            text(position)
        )
    }

    pub(super) fn add_loss(
        &self,
        table: &TableName,
        code: &str,
        reason: &str,
        position: &str,
    ) -> String {
        format!(
            "INSERT INTO {} (task, database_name, table_name, code, reason, position, recorded_at) VALUES ({}, {}, {}, {}, UNIX_TIMESTAMP())",
            self.table("loss_ledger"),
            self.triple(table),
            text(code),
            text(reason),
            text(position)
        )
    }

    /// `database_name`, `table_name`, `code`, `reason`, `position` of every entry.
    pub(super) fn select_losses(&self) -> String {
        format!(
            "SELECT database_name, table_name, code, reason, position FROM {} WHERE {} ORDER BY id",
            self.table("loss_ledger"),
            self.mine()
        )
    }

    /// `before_fingerprint`, `done` of the legs of the statement that begins at `position`.
    pub(super) fn select_intents(&self, position: &str) -> String {
        format!(
            "SELECT before_fingerprint, done FROM {} WHERE {} AND begin_position={} ORDER BY leg",
            self.table("ddl_intent"),
            self.mine(),
            text(&self.intent_key(position))
        )
    }

    pub(super) fn add_intent(
        &self,
        position: &str,
        leg: usize,
        statement: &str,
        fingerprint: &str,
    ) -> String {
        format!(
            "INSERT INTO {} (task, begin_position, leg, statement, before_fingerprint) VALUES ({}, {}, {leg}, {}, {})",
            self.table("ddl_intent"),
            text(&self.task),
            text(&self.intent_key(position)),
            text(statement),
            text(fingerprint)
        )
    }

    pub(super) fn mark_leg(&self, position: &str, leg: usize, progress: LegProgress) -> String {
        format!(
            "UPDATE {} SET done={} WHERE {} AND begin_position={} AND leg={leg}",
            self.table("ddl_intent"),
            progress as u8,
            self.mine(),
            text(&self.intent_key(position))
        )
    }

    pub(super) fn clear_intents(&self) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.table("ddl_intent"),
            self.own_intents()
        )
    }

    pub(super) fn count_intents(&self) -> String {
        format!(
            "SELECT COUNT(*) FROM {} WHERE {}",
            self.table("ddl_intent"),
            self.own_intents()
        )
    }

    /// Stream and lane may each have a statement under way.
    fn own_intents(&self) -> String {
        let condition = match self.view {
            View::Stream => "NOT LIKE",
            View::Lane => "LIKE",
        };
        let lane = text(&format!("{LANE_INTENT}%"));
        format!("{} AND begin_position {condition} {lane}", self.mine())
    }

    fn intent_key(&self, position: &str) -> String {
        match self.view {
            View::Stream => position.to_owned(),
            View::Lane => format!("{LANE_INTENT}{position}"),
        }
    }
}

/// Stands before the positions of the lane's intents; no binlog file begins so.
const LANE_INTENT: &str = "lane ";

/// The persisted format: each table with its columns and key.
/// Those of the modules below this one.
fn definitions_beside() -> Vec<(&'static str, String)> {
    let mut all = [lane::definitions(), choice::definitions()].concat();
    all.extend(database::definitions());
    all.extend([
        rules::definition(),
        account_definition(),
        left::definition(),
        skipped::definition(),
        phases::definition(),
    ]);
    all
}

fn definitions() -> Vec<(&'static str, String)> {
    const TASK: &str = "PRIMARY KEY (task)";
    const TABLE: &str = "task, database_name, table_name";
    let names = format!("task {NAME}, database_name {NAME}, table_name {NAME}");
    let logged =
        format!("position {TEXT}, recorded_at BIGINT NOT NULL, PRIMARY KEY (id), KEY task (task)");
    let id = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT";
    let mut all = definitions_beside();
    all.extend([
        (
            "task",
            format!(
                "task {NAME}, phase {NAME}, source_id {TEXT} NOT NULL, format INT UNSIGNED NOT NULL, end_position {TEXT}, created_at BIGINT NOT NULL, {TASK}"
            ),
        ),
        (
            "epoch",
            format!("task {NAME}, epoch BIGINT UNSIGNED, {TASK}"),
        ),
        (
            "checkpoint",
            format!("task {NAME}, read_from {TEXT} NOT NULL, applied_to {TEXT} NOT NULL, {TASK}"),
        ),
        (
            "table_state",
            format!(
                "{names}, definition {LONG_TEXT} NOT NULL, dialect {NAME}, start_position {TEXT} NOT NULL, stage {NAME}, stopped {TEXT}, made TINYINT NOT NULL DEFAULT 0, PRIMARY KEY ({TABLE})"
            ),
        ),
        (
            "chunk",
            format!(
                "{names}, number BIGINT UNSIGNED NOT NULL, lower_key LONGBLOB, upper_key LONGBLOB, done TINYINT NOT NULL, row_count BIGINT UNSIGNED NOT NULL, byte_count BIGINT UNSIGNED NOT NULL, left_out BIGINT UNSIGNED NOT NULL, PRIMARY KEY ({TABLE}, number)"
            ),
        ),
        (
            "ddl_intent",
            format!(
                "task {NAME}, begin_position {LONG_NAME}, leg INT UNSIGNED NOT NULL, statement {LONG_TEXT} NOT NULL, before_fingerprint {NAME}, done TINYINT NOT NULL DEFAULT 0, PRIMARY KEY (task, begin_position, leg)"
            ),
        ),
        (
            "owed",
            format!(
                "{names}, key_hash BINARY(16) NOT NULL, key_values LONGBLOB NOT NULL, PRIMARY KEY ({TABLE}, key_hash)"
            ),
        ),
        (
            "object",
            format!(
                "task {NAME}, kind {NAME}, database_name {NAME}, object_name {NAME}, wanted {LONG_TEXT} NOT NULL, printed {LONG_TEXT}, made TINYINT NOT NULL DEFAULT 0, trouble {TEXT}, PRIMARY KEY (task, kind, database_name, object_name)"
            ),
        ),
        (
            "progress",
            format!("task {NAME}, progress {TEXT} NOT NULL, written_at BIGINT NOT NULL, {TASK}"),
        ),
        (
            "divergence",
            format!("{id}, {names}, kind {NAME}, key_values LONGBLOB, {logged}"),
        ),
        (
            "loss_ledger",
            format!("{id}, {names}, code {NAME}, reason {TEXT} NOT NULL, {logged}"),
        ),
    ]);
    all
}

fn account_definition() -> (&'static str, String) {
    let columns =
        format!("task {NAME}, user_name {NAME}, host {LONG_NAME}, stays_locked TINYINT NOT NULL");
    let key = "PRIMARY KEY (task, user_name, host)";
    ("account", format!("{columns}, {key}"))
}

/// What `table_state` holds of a table, as text.
pub(super) struct TableRow<'a> {
    /// JSON of `wherry_model::Table`.
    pub(super) definition: &'a str,
    /// `source` or `target`: whose SQL the definition inside is written in.
    pub(super) dialect: &'a str,
    pub(super) start: &'a str,
    pub(super) stage: &'a str,
    pub(super) stopped: Option<&'a str>,
}

/// A text literal that no byte of `value` can leave.
pub(super) fn text(value: &str) -> String {
    let mut out = b"_utf8mb4 ".to_vec();
    push_hex(&mut out, value.as_bytes());
    String::from_utf8(out).expect("hexadecimal digits are ASCII")
}

/// A binary literal.
pub(super) fn bytes(value: &[u8]) -> String {
    let mut out = Vec::new();
    push_hex(&mut out, value);
    String::from_utf8(out).expect("hexadecimal digits are ASCII")
}

fn key_hash(key: &Row) -> String {
    bytes(&xxhash_rust::xxh3::xxh3_128(key.encoded()).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_values() {
        let state = State::new("a`b", "x' OR 1=1; --");
        let sql = state.select_task();
        assert!(sql.contains("`a``b`.`task`"));
        assert!(!sql.contains("OR 1=1"));
    }

    #[test]
    fn lock_names_fit() {
        assert_eq!(State::new("wherry", "shop").ddl_lock(), "wherry/shop/ddl");
        let long = State::new("wherry", &"x".repeat(60)).ddl_lock();
        assert!(long.chars().count() <= 64);
    }
}
