//! DDL of the source as a barrier: intent, shadow, statement, states, checkpoint.
//!
//! Owns what a statement means for the tables that it names and how it survives a crash at any
//! instruction: the intent tells what was under way, the definition in the target tells whether
//! it ran, and states and checkpoint move in one transaction at the end.

use super::Inner;
use super::ddl_plan::cannot_carry;
use super::ddl_refused::RefusedLeg;
use super::fault;
use super::road::Road;
use super::shadow::prepare_road;
use super::state::View;
use super::store::{StoredTable, checkpoint_texts};
use super::transaction::CommitError;
use crate::ddl::{Context, Settled, Statement, classify, converts_nothing, settle};
use crate::session::SessionError;
use std::collections::BTreeMap;
use std::sync::Arc;
use wherry_engine::ports::DdlEffect;
use wherry_engine::state::Checkpoint;
use wherry_model::change::DdlSession;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, Fault, NameMap, Table, TableName};

/// Under which definitions mean what a server printed.
pub(super) const NEUTRAL_MODE: &str = "SET SESSION sql_mode=''";

/// One statement in the target. A list of tables or renames has one leg for each.
pub(super) struct Leg {
    pub(super) sql: String,
    /// The table that stops when the statement is refused.
    pub(super) table: TableName,
    /// Its name in the target.
    pub(super) there: TableName,
    pub(super) test: Test,
    /// The text is Wherry's own, to be read without the source's `sql_mode`.
    pub(super) own: bool,
}

/// How to tell after a crash whether a leg ran. Names are those of the target.
pub(super) enum Test {
    /// It did when the table exists.
    Made(TableName),
    /// It did when the old name is free and the new one is not.
    Renamed(TableName, TableName),
    /// It did when the definition is not what it was.
    Changed(TableName),
    /// It did when none of these names of keys and constraints is left.
    Left(TableName, Vec<String>),
    /// It may run again at the barrier.
    Repeatable,
    /// As `Repeatable`, and a refusal of the server is recorded and stops nothing.
    Tolerant,
}

/// What is to be done for one statement.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) legs: Vec<Leg>,
    /// Statements on Wherry's own tables, for the last transaction.
    pub(super) states: Vec<String>,
    pub(super) effects: Vec<DdlEffect>,
    /// The session that the legs were written for, where it is not that of the statement.
    pub(super) session: Option<DdlSession>,
}

impl Plan {
    /// The first table that is defined behind the statement.
    pub(super) fn defined(&self) -> Option<&Table> {
        self.effects.iter().find_map(|effect| match effect {
            DdlEffect::Defined(table, _) => Some(table),
            _ => None,
        })
    }
}

/// A leg as the journal has it.
struct Intent {
    /// Of the definition before the leg; `-` where none is needed.
    before: String,
    progress: LegProgress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LegProgress {
    Open = 0,
    Done = 1,
    /// It was refused, and the statement's tables are being dropped to be loaded anew.
    GivenUp = 2,
}

/// Everything a planner needs to know.
pub(super) struct Request<'a> {
    pub(super) ddl: &'a Ddl,
    pub(super) statement: Statement,
    pub(super) selection: &'a SelectSpec,
    /// Tables named by the statement that are stored, by name.
    pub(super) stored: BTreeMap<TableName, StoredTable>,
    /// An earlier try got as far as its intent.
    pub(super) resumed: bool,
    pub(super) names: Arc<NameMap>,
    /// The place before it, for a table that stops here and may go on.
    pub(super) before: Option<Checkpoint>,
    /// The lane carries it, in its own reading.
    pub(super) in_lane: bool,
    /// How the statement is to be read.
    pub(super) context: Context<'a>,
}

/// Everything before the statement is in. While XA transactions are parked, reading begins further
/// back than it ends.
fn place_before(ddl: &Ddl, after: &Checkpoint) -> Checkpoint {
    let parked = after.read_from != after.applied_to;
    let read_from = if parked { &after.read_from } else { &ddl.begin };
    Checkpoint {
        read_from: read_from.clone(),
        applied_to: ddl.begin.clone(),
    }
}

impl Request<'_> {
    pub(super) fn is_selected(&self, table: &TableName) -> bool {
        self.selection.includes(table)
    }

    pub(super) fn is_kept(&self, table: &TableName) -> bool {
        self.stored
            .get(table)
            .is_some_and(|stored| stored.state.table.is_kept())
    }

    /// The stored state of a table that follows this reading at this place.
    pub(super) fn tracked(&self, table: &TableName) -> Option<&StoredTable> {
        self.begun(table)
            .filter(|stored| self.in_lane || stored.state.lane.is_none())
    }

    /// The stored state of a table that follows the lane at this place of the stream.
    pub(super) fn beside(&self, table: &TableName) -> Option<&StoredTable> {
        self.begun(table)
            .filter(|stored| !self.in_lane && stored.state.lane.is_some())
    }

    /// The lane meets it, but what it changes is not the lane's: a table of the lane is its model, or
    /// what a foreign key points to. The stream carries it.
    pub(super) fn is_of_the_stream(&self) -> bool {
        let mut subjects = self.statement.subjects().peekable();
        self.in_lane
            && subjects.peek().is_some()
            && !subjects.any(|name| self.stored.contains_key(&name))
    }

    /// The table was loaded, or is being loaded, as it became behind this place.
    pub(super) fn is_behind(&self, table: &TableName) -> bool {
        self.stored
            .get(table)
            .is_some_and(|stored| stored.state.start.reaches(&self.ddl.end))
    }

    fn begun(&self, table: &TableName) -> Option<&StoredTable> {
        self.stored
            .get(table)
            .filter(|stored| !stored.state.start.reaches(&self.ddl.end))
    }
}

impl Inner {
    pub(super) async fn run_ddl(
        &self,
        ddl: &Ddl,
        before: &Checkpoint,
        after: &Checkpoint,
        selection: &SelectSpec,
    ) -> Result<Vec<DdlEffect>, Fault> {
        let mut road = self.open_road().await?;
        let position = ddl.begin.to_string();
        let intents = self.intents(&position).await?;
        let stored = self.stored_tables(ddl).await?;
        let Some((ddl, statement, refused)) = self.settled(ddl, &stored).await? else {
            // Its conditions leave nothing of it to be done.
            self.commit_ddl(&Plan::default(), before, after).await?;
            road.close().await?;
            return Ok(Vec::new());
        };
        let request = Request {
            ddl: &ddl,
            statement,
            selection,
            stored,
            resumed: !intents.is_empty(),
            names: self.names.map().await?,
            before: Some(place_before(&ddl, after)),
            in_lane: self.state.view() == View::Lane,
            context: self.context_of(&ddl.default_database, &ddl.session),
        };
        let mut plan = if let Some(plan) = self.plan_merged(&request).await? {
            plan
        } else if let Some(refusal) = refused {
            let subject = request.statement.subjects().next();
            let subject = subject.unwrap_or_else(|| TableName::new("", ""));
            self.plan_refused(&request, &subject, &refusal)?
        } else {
            self.plan(&request).await?
        };
        let intents = if request.resumed {
            intents
        } else {
            self.write_intents(&position, &plan).await?
        };
        self.run_legs(&mut road, &request, &mut plan, &intents)
            .await?;
        self.follow_parents(&request, &mut plan).await?;
        self.commit_ddl(&plan, before, after).await?;
        road.close().await?;
        Ok(plan.effects)
    }

    /// The statement with the table's own facts said in it, or why they cannot be; `None` where
    /// nothing remains.
    async fn settled(
        &self,
        ddl: &Ddl,
        stored: &BTreeMap<TableName, StoredTable>,
    ) -> Result<Option<(Ddl, Statement, Option<Fault>)>, Fault> {
        let context = self.context_of(&ddl.default_database, &ddl.session);
        let read = |text: &str| classify(text, &context);
        let statement = read(&ddl.statement);
        let subject = statement.subjects().next();
        let before = match subject.and_then(|subject| stored.get(&subject)) {
            Some(stored) => self.stored_definition(stored).await?,
            None => None,
        };
        if let Some((definition, dialect)) = &before
            && converts_nothing(&ddl.statement, &statement, definition, *dialect)
        {
            return Ok(None);
        }
        let before = before.map(|(definition, _)| definition);
        Ok(match settle(&ddl.statement, &statement, before.as_ref()) {
            Settled::Same => Some((ddl.clone(), statement, None)),
            Settled::Refused(refusal) => Some((ddl.clone(), statement, Some(refusal.into()))),
            Settled::Nothing => None,
            Settled::Text(text) => {
                let statement = read(&text);
                let statement_settled = Ddl {
                    statement: text,
                    ..ddl.clone()
                };
                Some((statement_settled, statement, None))
            }
        })
    }

    /// A request as if the source had logged `ddl` at the place of another statement.
    pub(super) async fn request_of<'a>(
        &self,
        ddl: &'a Ddl,
        context: Context<'a>,
        before: Option<Checkpoint>,
        request: &Request<'a>,
    ) -> Result<Request<'a>, Fault> {
        Ok(Request {
            statement: classify(&ddl.statement, &context),
            context,
            selection: request.selection,
            stored: self.stored_tables(ddl).await?,
            resumed: request.resumed,
            names: request.names.clone(),
            in_lane: request.in_lane,
            before,
            ddl,
        })
    }

    pub(super) async fn stored_tables(
        &self,
        ddl: &Ddl,
    ) -> Result<BTreeMap<TableName, StoredTable>, Fault> {
        let mut stored = BTreeMap::new();
        for table in &ddl.tables {
            let Some(found) = self.stored_table(table).await? else {
                continue;
            };
            let is_mine = found.state.lane.as_ref().is_some_and(|mark| mark.open);
            if self.state.view() == View::Stream || is_mine {
                stored.insert(table.clone(), found);
            }
        }
        Ok(stored)
    }

    /// The legs of an earlier try.
    async fn intents(&self, position: &str) -> Result<Vec<Intent>, Fault> {
        let rows = self
            .read_state(&self.state.select_intents(position))
            .await?;
        (0..rows.rows.len())
            .map(|row| {
                let before = rows.text(row, 0).map(str::to_owned);
                Ok(Intent {
                    before: before.ok_or_else(|| fault::unreadable_state("an intent"))?,
                    progress: match rows.text(row, 1) {
                        Some("0") => LegProgress::Open,
                        Some("1") => LegProgress::Done,
                        Some("2") => LegProgress::GivenUp,
                        _ => return Err(fault::unreadable_state("an intent")),
                    },
                })
            })
            .collect()
    }

    pub(super) async fn is_changing_definitions(&self) -> Result<bool, Fault> {
        let rows = self.read_state(&self.state.count_intents()).await?;
        Ok(rows.text(0, 0) != Some("0"))
    }

    async fn write_intents(&self, position: &str, plan: &Plan) -> Result<Vec<Intent>, Fault> {
        let mut intents = Vec::new();
        // Intents of an older statement are of no use: the checkpoint has passed it.
        let mut statements = vec![self.state.clear_intents()];
        for (index, leg) in plan.legs.iter().enumerate() {
            let fingerprint = match &leg.test {
                Test::Changed(table) => self.fingerprint(table).await?,
                _ => "-".to_owned(),
            };
            statements.push(
                self.state
                    .add_intent(position, index, &leg.sql, &fingerprint),
            );
            intents.push(Intent {
                before: fingerprint,
                progress: LegProgress::Open,
            });
        }
        if !plan.legs.is_empty() {
            self.write_state(&statements).await?;
        }
        Ok(intents)
    }

    /// Runs what has not run yet. Legs run in order and each is marked before the next begins,
    /// so after a crash only the first unmarked one is in doubt: its test decides. The names of a
    /// swap alone would not tell, since after it every name is there again.
    async fn run_legs(
        &self,
        road: &mut Road<'_>,
        request: &Request<'_>,
        plan: &mut Plan,
        intents: &[Intent],
    ) -> Result<(), Fault> {
        let legs = std::mem::take(&mut plan.legs);
        let position = request.ddl.begin.to_string();
        let session = plan
            .session
            .as_ref()
            .unwrap_or(&request.ddl.session)
            .clone();
        let mut in_doubt = request.resumed;
        for (index, leg) in legs.iter().enumerate() {
            let Some(intent) = intents.get(index) else {
                return Err(fault::state_moved("a statement has another number of legs"));
            };
            if intent.progress == LegProgress::Done {
                continue;
            }
            if intent.progress == LegProgress::GivenUp {
                let refused = RefusedLeg {
                    leg,
                    refusal: cannot_carry(&leg.table, "the target refused it"),
                    done: &legs[..index],
                    given_up: true,
                };
                return self.give_up(road, request, plan, &refused).await;
            }
            let ran = in_doubt && self.leg_ran(leg, &intent.before).await?;
            in_doubt = false;
            if !ran && let Err(refusal) = self.run_leg(road, &session, leg).await? {
                if !matches!(leg.test, Test::Tolerant) {
                    let refused = RefusedLeg {
                        leg,
                        refusal,
                        done: &legs[..index],
                        given_up: false,
                    };
                    return self.give_up(road, request, plan, &refused).await;
                }
                let refused = self
                    .state
                    .add_refused_database(&leg.table, &refusal, &position);
                plan.states.push(refused);
            }
            if legs.len() > 1 {
                let done = self.state.mark_leg(&position, index, LegProgress::Done);
                self.write_state(&[done]).await?;
            }
        }
        Ok(())
    }

    /// The inner error is the server's refusal.
    pub(super) async fn run_leg(
        &self,
        road: &mut Road<'_>,
        session: &DdlSession,
        leg: &Leg,
    ) -> Result<Result<(), Fault>, Fault> {
        prepare_road(road, session, &leg.there.database, &self.source_version).await?;
        if leg.own {
            road.session()
                .execute(NEUTRAL_MODE)
                .await
                .map_err(SessionError::into_fault)?;
        }
        let label = format!("carry a definition of {}", leg.table);
        let Err(error) = road.run(&label, &leg.sql).await else {
            return Ok(Ok(()));
        };
        if !fault::is_answered(&error) || fault::is_retry(&error) {
            return Err(error.into_fault());
        }
        Ok(Err(fault::ddl_fault(error, &leg.table)))
    }

    async fn leg_ran(&self, leg: &Leg, before: &str) -> Result<bool, Fault> {
        Ok(match &leg.test {
            Test::Made(table) => self.fingerprint(table).await? != "absent",
            Test::Renamed(old, new) => {
                self.fingerprint(old).await? == "absent" && self.fingerprint(new).await? != "absent"
            }
            Test::Changed(table) => self.fingerprint(table).await? != before,
            Test::Left(table, wrong) => {
                let definition = self.definition_in_target(&leg.table, table).await?;
                !definition
                    .names_of_parts()
                    .any(|name| wrong.iter().any(|wrong| wrong == name))
            }
            Test::Repeatable | Test::Tolerant => false,
        })
    }

    /// States and checkpoint in one transaction; the intents are done with.
    async fn commit_ddl(
        &self,
        plan: &Plan,
        before: &Checkpoint,
        after: &Checkpoint,
    ) -> Result<(), Fault> {
        let extra = format!(";{}", self.state.lock_checkpoint());
        let transaction = self.begin_with(self.guard()?, &extra).await?;
        let (from, to) = (checkpoint_texts(before)?, checkpoint_texts(after)?);
        let mut statements = plan.states.clone();
        statements.push(self.state.clear_intents());
        statements.push(
            self.state
                .move_checkpoint([&from[0], &from[1]], [&to[0], &to[1]]),
        );
        statements.push("COMMIT".to_owned());
        match transaction.commit_with(&statements.join(";")).await {
            Ok(_) => {}
            Err(CommitError::Refused(error))
                if error.server_code() == Some(fault::NULL_NOT_ALLOWED) =>
            {
                return Err(fault::state_moved(
                    "the checkpoint was moved by someone else",
                ));
            }
            Err(CommitError::Refused(error)) => return Err(self.state_fault(error)),
            Err(CommitError::Lost(lost)) => self.resolve_commit(lost, before, after).await?,
        }
        self.note_checkpoint(after);
        Ok(())
    }
}
