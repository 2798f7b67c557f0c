//! Writing the rows of the load: a chunk with its record in one transaction, exact tables whole.
//!
//! Owns that no row is lost or changed on the way: `LOAD DATA LOCAL` turns errors into warnings,
//! so its counts are checked, and a chunk that is not clean is written again by strict inserts.

use super::Inner;
use super::exact::clash;
use super::fault;
use super::feed::RowFeed;
use super::statement::{insert_head, insert_rows, key_of, push_row};
use super::store::Dialect;
use super::transaction::{CommitFault, Transaction};
use super::writer::row_too_large;
use crate::member::travels_by_number;
use crate::session::{Outcome, PooledSession, SessionError};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use wherry_engine::pipe::RowReceiver;
use wherry_engine::ports::LoadOutcome;
use wherry_engine::state::{Chunk, TableStage, TableState};
use wherry_model::name::quote;
use wherry_model::{ColumnKind, Fault, Row, RowBatch, Skipped, Table, TableName};

/// An exact table is written in transactions of about this size.
const EXACT_BYTES: u64 = 16 << 20;
const EXACT_ROWS: u64 = 50_000;

/// Rows that one DELETE of an emptying takes.
const EMPTY_ROWS: u64 = 20_000;

impl Inner {
    pub(super) async fn load_chunk(
        &self,
        table: &Table,
        chunk: &Chunk,
        mut rows: RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        let mut transaction = self.begin().await?;
        if let Some(done) = self
            .chunk_done(&mut transaction, &table.name, chunk)
            .await?
        {
            return Ok(done);
        }
        let outcome = if table.adopted.is_some() {
            self.insert_kept(transaction.session(), table, &mut rows)
                .await?
        } else if self.local_infile_off.load(Ordering::Relaxed) {
            self.insert_chunk(&mut transaction, table, &mut rows)
                .await?
        } else {
            match self.load_data(&mut transaction, table, &mut rows).await? {
                Loaded::Clean(outcome) => outcome,
                Loaded::Unclean => {
                    transaction.rollback().await;
                    return Ok(LoadOutcome {
                        needs_care: true,
                        ..LoadOutcome::default()
                    });
                }
                Loaded::Refused => {
                    tracing::warn!(
                        "the target refuses LOAD DATA LOCAL; rows are written by INSERT"
                    );
                    self.local_infile_off.store(true, Ordering::Relaxed);
                    self.insert_chunk(&mut transaction, table, &mut rows)
                        .await?
                }
            }
        };
        let skipped = rows.take_skipped();
        self.finish_chunk(transaction, table, chunk, (outcome, skipped))
            .await
    }

    pub(super) async fn load_chunk_careful(
        &self,
        table: &Table,
        chunk: &Chunk,
        mut rows: RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        let mut transaction = self.begin().await?;
        if let Some(done) = self
            .chunk_done(&mut transaction, &table.name, chunk)
            .await?
        {
            return Ok(done);
        }
        let outcome = self
            .insert_chunk(&mut transaction, table, &mut rows)
            .await?;
        let skipped = rows.take_skipped();
        self.finish_chunk(transaction, table, chunk, (outcome, skipped))
            .await
    }

    /// Takes the chunk's record; its counts where an earlier try did commit.
    async fn chunk_done(
        &self,
        transaction: &mut Transaction,
        table: &TableName,
        chunk: &Chunk,
    ) -> Result<Option<LoadOutcome>, Fault> {
        let rows = transaction
            .session()
            .query(self.state.lock_chunk(table, chunk.number))
            .await
            .map_err(|error| self.state_fault(error))?;
        let number = |column| {
            rows.text(0, column)
                .and_then(|text| text.parse::<u64>().ok())
        };
        match (number(0), number(1), number(2), number(3)) {
            (Some(0), ..) => Ok(None),
            (Some(1), Some(row_count), Some(byte_count), Some(left_out)) => Ok(Some(LoadOutcome {
                row_count,
                byte_count,
                left_out,
                needs_care: false,
            })),
            _ => Err(fault::state_moved("the chunk is not planned").table(table)),
        }
    }

    async fn finish_chunk(
        &self,
        mut transaction: Transaction,
        table: &Table,
        chunk: &Chunk,
        (outcome, skipped): (LoadOutcome, Skipped),
    ) -> Result<LoadOutcome, Fault> {
        self.add_skipped(transaction.session(), &table.name, &skipped)
            .await?;
        let counts = [outcome.row_count, outcome.byte_count, outcome.left_out];
        let sql = self.state.finish_chunk(&table.name, chunk.number, counts);
        transaction
            .session()
            .execute(sql)
            .await
            .map_err(|error| self.state_fault(error))?;
        match transaction.commit().await {
            Ok(()) => {}
            Err(CommitFault::RolledBack(fault)) => return Err(fault),
            Err(CommitFault::Unknown(lost)) => {
                let mut transaction = self.begin().await?;
                let done = self
                    .chunk_done(&mut transaction, &table.name, chunk)
                    .await?;
                transaction.rollback().await;
                if done.is_none() {
                    return Err(lost);
                }
            }
        }
        if outcome.left_out > 0 {
            self.owed.note();
        }
        Ok(outcome)
    }

    /// Writes the rows by LOAD DATA, and batches that it cannot carry by INSERT.
    async fn load_data(
        &self,
        transaction: &mut Transaction,
        table: &Table,
        rows: &mut RowReceiver,
    ) -> Result<Loaded, Fault> {
        let mut written = LoadOutcome::default();
        loop {
            let batch = match self
                .load_lines(transaction, table, rows, &mut written)
                .await?
            {
                Lines::All => return Ok(Loaded::Clean(written)),
                Lines::UpTo(batch) => batch,
                Lines::Unclean => return Ok(Loaded::Unclean),
                Lines::Refused if written.row_count == 0 => return Ok(Loaded::Refused),
                Lines::Refused => return Ok(Loaded::Unclean),
            };
            self.insert_counted(transaction.session(), table, &batch, &mut written)
                .await?;
        }
    }

    async fn load_lines(
        &self,
        transaction: &mut Transaction,
        table: &Table,
        rows: &mut RowReceiver,
        written: &mut LoadOutcome,
    ) -> Result<Lines, Fault> {
        let mut feed = RowFeed::new(table, rows);
        let session = transaction.session();
        session.set_label(format!("load {}", table.name));
        match session.load_data(load_statement(table), &mut feed).await {
            Ok(outcome) if is_clean(&outcome, feed.row_count) => {
                written.row_count += feed.row_count;
                written.byte_count += feed.byte_count;
                Ok(feed.held.map_or(Lines::All, Lines::UpTo))
            }
            Ok(outcome) => {
                tracing::info!(table = %table.name, answer = %outcome.info, sent = feed.row_count, "a chunk was not clean and is written again row by row");
                Ok(Lines::Unclean)
            }
            Err(SessionError::Feed(fault)) => Err(fault),
            Err(error) if fault::is_local_infile_off(&error) => Ok(Lines::Refused),
            Err(error) if fault::is_retry(&error) || !fault::is_answered(&error) => {
                Err(error.into_fault())
            }
            // A row that the server refuses outright; strict inserts tell which column.
            Err(_) => Ok(Lines::Unclean),
        }
    }

    /// Strict inserts; rows that meet a secondary unique key are left out and owed.
    async fn insert_chunk(
        &self,
        transaction: &mut Transaction,
        table: &Table,
        rows: &mut RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        let mut outcome = LoadOutcome::default();
        let session = transaction.session();
        session.set_label(format!("load {}", table.name));
        while let Some(batch) = rows.next().await? {
            self.insert_counted(session, table, &batch, &mut outcome)
                .await?;
        }
        Ok(outcome)
    }

    /// Inserts a batch, counts it, and owes the keys of rows that were left out.
    async fn insert_counted(
        &self,
        session: &mut PooledSession,
        table: &Table,
        batch: &RowBatch,
        outcome: &mut LoadOutcome,
    ) -> Result<(), Fault> {
        let left_out = self.insert_batch(session, table, batch).await?;
        outcome.row_count += (batch.row_count() - left_out.len()) as u64;
        outcome.byte_count += batch.byte_count() as u64;
        if left_out.is_empty() {
            return Ok(());
        }
        self.owed.note();
        outcome.left_out += left_out.len() as u64;
        session
            .execute(self.state.add_owed(&table.name, &left_out))
            .await
            .map_err(|error| self.state_fault(error))?;
        Ok(())
    }

    /// Inserts a batch; the keys of rows that were left out.
    async fn insert_batch(
        &self,
        session: &mut PooledSession,
        table: &Table,
        batch: &RowBatch,
    ) -> Result<Vec<Row>, Fault> {
        let mut left_out = Vec::new();
        let mut begin = 0;
        for (sql, count) in insert_rows(table, batch.iter()) {
            if sql.len() >= self.packet_bytes_max() {
                return Err(row_too_large(table, sql.len(), self.packet_bytes_max()));
            }
            match session.execute(sql).await {
                Ok(_) => {}
                Err(error) if error.server_code() == Some(fault::DUPLICATE_KEY) => {
                    for index in begin..begin + count {
                        let key = self
                            .insert_one(session, table, batch.encoded(index))
                            .await?;
                        left_out.extend(key);
                    }
                }
                Err(error) => return Err(fault::row_fault(error, &table.name)),
            }
            begin += count;
        }
        Ok(left_out)
    }

    /// Inserts one row; its key where another row holds one of its unique values.
    async fn insert_one(
        &self,
        session: &mut PooledSession,
        table: &Table,
        encoded: &[u8],
    ) -> Result<Option<Row>, Fault> {
        let mut sql = insert_head(table);
        push_row(&mut sql, table, encoded);
        match session.execute(sql).await {
            Ok(_) => return Ok(None),
            Err(error) if error.server_code() == Some(fault::DUPLICATE_KEY) => {}
            Err(error) => return Err(fault::row_fault(error, &table.name)),
        }
        let row = Row::from_encoded(Bytes::copy_from_slice(encoded));
        let Some(key) = key_of(table, &row) else {
            return Err(same_key(table));
        };
        let mut sql = format!("SELECT 1 FROM {} WHERE ", table.target_name()).into_bytes();
        crate::literal::push_key_condition(&mut sql, table, &key);
        sql.extend_from_slice(b" FOR UPDATE");
        let found = session
            .query(sql)
            .await
            .map_err(|error| fault::row_fault(error, &table.name))?;
        if found.is_empty() {
            Ok(Some(key))
        } else {
            Err(same_key(table))
        }
    }

    pub(super) async fn load_exact(
        &self,
        table: &Table,
        mut rows: RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        let mut outcome = LoadOutcome::default();
        // An earlier try may have counted.
        let mut forget = Some(self.state.forget_skipped(&table.name));
        loop {
            let mut transaction = self.begin().await?;
            let session = transaction.session();
            if let Some(sql) = forget.take() {
                let forgotten = session.execute(sql).await;
                forgotten.map_err(|error| self.state_fault(error))?;
            }
            let more = self
                .insert_exact_part(session, table, &mut rows, &mut outcome)
                .await?;
            let skipped = rows.take_skipped();
            self.add_skipped(session, &table.name, &skipped).await?;
            // A lost answer is a transient fault: the engine empties the table and starts again.
            transaction
                .commit()
                .await
                .map_err(CommitFault::into_fault)?;
            if !more {
                return Ok(outcome);
            }
        }
    }

    /// All states in one transaction: tables of one snapshot count as copied together.
    pub(super) async fn finish_exact(&self, states: &[TableState]) -> Result<(), Fault> {
        let statements = states
            .iter()
            .map(|state| self.put_table(state, Dialect::Source))
            .collect::<Result<Vec<Vec<String>>, Fault>>()?
            .concat();
        self.write_state(&statements).await.map(drop)
    }

    pub(super) async fn empty_tables(&self, tables: &[Table]) -> Result<(), Fault> {
        // A lost COMMIT of an earlier copy may come yet, and must not make this one whole.
        let stages = tables.iter().map(|table| {
            let stage = TableStage::Created;
            self.state.set_stage(&table.name, stage.as_str())
        });
        self.write_state(&stages.collect::<Vec<String>>()).await?;
        // Several of them may become one.
        let mut emptied = BTreeSet::new();
        for table in tables {
            if emptied.insert(table.target_name()) {
                self.empty_table(table).await?;
            }
        }
        Ok(())
    }

    /// Writes rows for one bounded transaction; false when no row is left.
    async fn insert_exact_part(
        &self,
        session: &mut PooledSession,
        table: &Table,
        rows: &mut RowReceiver,
        outcome: &mut LoadOutcome,
    ) -> Result<bool, Fault> {
        session.set_label(format!("load {}", table.name));
        let (first_row, first_byte) = (outcome.row_count, outcome.byte_count);
        while let Some(batch) = rows.next().await? {
            for (sql, _) in insert_rows(table, batch.iter()) {
                if sql.len() >= self.packet_bytes_max() {
                    return Err(row_too_large(table, sql.len(), self.packet_bytes_max()));
                }
                session.execute(sql).await.map_err(|error| {
                    match error.server_code() == Some(fault::DUPLICATE_KEY) && table.is_merged() {
                        true => clash(table),
                        false => fault::row_fault(error, &table.name),
                    }
                })?;
            }
            outcome.row_count += batch.row_count() as u64;
            outcome.byte_count += batch.byte_count() as u64;
            if outcome.byte_count - first_byte >= EXACT_BYTES
                || outcome.row_count - first_row >= EXACT_ROWS
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// By rows and not by TRUNCATE, so that every step reads the epoch.
    async fn empty_table(&self, table: &Table) -> Result<(), Fault> {
        loop {
            let mut transaction = self.begin().await?;
            let outcome = transaction
                .session()
                .execute(format!(
                    "DELETE FROM {} LIMIT {EMPTY_ROWS}",
                    table.target_name()
                ))
                .await
                .map_err(|error| fault::row_fault(error, &table.name))?;
            transaction
                .commit()
                .await
                .map_err(CommitFault::into_fault)?;
            if outcome.affected_rows < EMPTY_ROWS {
                return Ok(());
            }
        }
    }
}

enum Loaded {
    Clean(LoadOutcome),
    /// Rows were skipped or changed; the transaction must not be committed.
    Unclean,
    /// The server does not take `LOAD DATA LOCAL`; no row was asked for.
    Refused,
}

/// How one LOAD DATA ended.
enum Lines {
    All,
    /// The rows before this batch were written; lines cannot carry the batch.
    UpTo(RowBatch),
    /// As in `Loaded`.
    Unclean,
    Refused,
}

fn same_key(table: &Table) -> Fault {
    Fault::operator(
        "TGT-025",
        format!(
            "a row of table {} is already in the target under the same key",
            table.name
        ),
    )
    .hint("Empty the target table, then start the table again.")
    .table(&table.name)
}

/// The statement that takes tab-separated lines of the written columns.
fn load_statement(table: &Table) -> Vec<u8> {
    let mut columns = Vec::new();
    let mut set = Vec::new();
    for index in table.written_columns() {
        let column = &table.columns[index];
        let name = quote(column.target_name());
        // A binary string is refused as JSON.
        if column.kind == ColumnKind::Json {
            columns.push(format!("@v{index}"));
            set.push(format!("{name}=CONVERT(@v{index} USING utf8mb4)"));
        } else if travels_by_number(column) {
            // A text of digits could be the label of another value.
            columns.push(format!("@v{index}"));
            set.push(format!("{name}=CAST(@v{index} AS UNSIGNED)"));
        } else {
            columns.push(name);
        }
    }
    let set = if set.is_empty() {
        String::new()
    } else {
        format!(" SET {}", set.join(","))
    };
    format!(
        "LOAD DATA LOCAL INFILE 'wherry' INTO TABLE {} CHARACTER SET binary \
         FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({}){set}",
        table.target_name(),
        columns.join(",")
    )
    .into_bytes()
}

/// True where the server took every row as it was, by its own count.
fn is_clean(outcome: &Outcome, sent: u64) -> bool {
    let numbers: Vec<u64> = outcome
        .info
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    numbers == [sent, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(info: &str, sent: u64, expected: bool) {
        let outcome = Outcome {
            info: info.to_owned(),
            ..Outcome::default()
        };
        assert_eq!(is_clean(&outcome, sent), expected, "{info}");
    }

    #[test]
    fn any_warning_makes_a_chunk_unclean() {
        check("Records: 3  Deleted: 0  Skipped: 0  Warnings: 0", 3, true);
        check("Records: 3  Deleted: 0  Skipped: 1  Warnings: 1", 3, false);
        check("Records: 3  Deleted: 0  Skipped: 0  Warnings: 1", 3, false);
        check("Records: 2  Deleted: 0  Skipped: 0  Warnings: 0", 3, false);
        check("", 0, false);
    }
}
