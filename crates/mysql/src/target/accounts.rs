//! Accounts of the source in the target: made where they are missing, with what they may do there.
//!
//! Never changes an account that this task did not make, and never makes one without its password.
//! What a server says about a statement that holds a hash is not shown: it may quote it.

use super::Inner;
use super::road::Road;
use super::transaction::Guard;
use crate::accounts::{quoted, read_accounts};
use crate::ddl::{Grant, grant};
use crate::session::{SessionError, SessionKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wherry_engine::accounts::{AccountReport, AccountStep};
use wherry_model::{Account, Fault, NameMap};

/// Server errors that mean that the account may not make or grant this.
const DENIED: [u16; 6] = [1044, 1045, 1142, 1227, 1370, 1410];

const THERE: &str = "the target has it already and keeps its own";

/// What of the target decides about accounts.
struct Seen {
    names: Arc<NameMap>,
    there: BTreeMap<String, Account>,
    plugins: BTreeSet<String>,
    /// Names of those that this task made.
    own: BTreeSet<String>,
}

/// An account to be made, with its grants without the name: what stands before and behind it.
struct Plan<'a> {
    account: &'a Account,
    grants: Vec<(String, String)>,
    /// This task made it, and it is locked.
    is_made: bool,
}

impl Inner {
    pub(super) async fn sync_accounts(
        &self,
        accounts: &[Account],
        step: AccountStep,
    ) -> Result<AccountReport, Fault> {
        let mut report = AccountReport::default();
        let seen = self.see_accounts(accounts).await?;
        let mut plans = Vec::new();
        for account in accounts {
            if account.user == self.pool.endpoint().user {
                left(
                    &mut report,
                    account,
                    "it is the task's own account in the target",
                );
            } else {
                plans.extend(self.plan_account(account, &seen, &mut report));
            }
        }
        match step {
            AccountStep::Plan => {
                report.missing.extend(plans.iter().map(Plan::shown));
            }
            AccountStep::Make => self.make_accounts(&plans, &mut report).await?,
        }
        Ok(report)
    }

    /// Behind the fence: those that the last sync made may log in, unless the source locks them.
    pub(super) async fn release_accounts(&self) -> Result<(), Fault> {
        let accounts = self.own_accounts().await?;
        let mut road = self.open_road_under(Guard::AfterFence).await?;
        for account in accounts.iter().filter(|account| !account.locked) {
            let sql = format!("ALTER USER IF EXISTS {} ACCOUNT UNLOCK", quoted(account));
            if let Some(code) = run(&mut road, account, &sql).await? {
                return Err(Fault::operator(
                    "TGT-163",
                    format!("the fence is set, and the target refused to unlock account {} with server error {code}", account.name()),
                )
                .hint("GRANT CREATE USER ON *.* to the account of the target, then run `wherry cutover` again: it goes on with what is missing."));
            }
        }
        road.close().await
    }

    async fn see_accounts(&self, accounts: &[Account]) -> Result<Seen, Fault> {
        let version = self.version().await?;
        if !version.has_hashes_as_hex() {
            return Err(Fault::operator(
                "TGT-160",
                format!("a server of version {} cannot take accounts", version.text),
            )
            .hint("Leave schema.accounts out and make the accounts by hand; it needs MySQL 8.0.17 or later."));
        }
        let wanted: BTreeSet<String> = accounts.iter().map(Account::name).collect();
        let mut session = self.own_session(SessionKind::Read).await?;
        let is_wanted = |account: &Account| wanted.contains(&account.name());
        let there = read_accounts(&mut session, self.dialect().await?, &is_wanted);
        let there = there.await.map_err(unreadable)?;
        let rows = session
            .query(
                "SELECT PLUGIN_NAME FROM information_schema.PLUGINS \
                 WHERE PLUGIN_TYPE='AUTHENTICATION' AND PLUGIN_STATUS='ACTIVE'",
            )
            .await?;
        session.close().await;
        let plugins = (0..rows.rows.len()).filter_map(|row| rows.text(row, 0));
        Ok(Seen {
            names: self.names.map().await?,
            there: there
                .into_iter()
                .map(|account| (account.name(), account))
                .collect(),
            plugins: plugins.map(str::to_owned).collect(),
            own: self.own_account_names().await?,
        })
    }

    /// What is to be made of an account; nothing where it stays behind or is there.
    fn plan_account<'a>(
        &self,
        account: &'a Account,
        seen: &Seen,
        report: &mut AccountReport,
    ) -> Option<Plan<'a>> {
        let (mut grants, mut stay) = (Vec::new(), Vec::new());
        for line in &account.grants {
            match grant(line, self.source_dialect(), &seen.names) {
                Grant::Carried { before, behind } => grants.push((before, behind)),
                Grant::Left { what, why } => stay.push(format!("`{what}` {why}")),
                Grant::Nothing => {}
            }
        }
        if grants.is_empty() {
            left(
                report,
                account,
                "it has no grants on what is selected alone",
            );
            return None;
        }
        if let Some(reason) = &account.refused {
            left(report, account, reason);
            return None;
        }
        for why in &stay {
            left(report, account, why);
        }
        let there = seen.there.get(&account.name());
        let same =
            there.is_some_and(|there| there.plugin == account.plugin && there.hash == account.hash);
        let plan = Plan {
            account,
            grants,
            is_made: same
                && there.is_some_and(|there| there.locked)
                && seen.own.contains(&account.name()),
        };
        match there {
            Some(there) if !plan.is_made => {
                plan.compare(there, same, report);
                None
            }
            _ if !seen.plugins.contains(&account.plugin) => {
                let why = format!(
                    "its password is one of {}, which the target does not have",
                    account.plugin
                );
                left(report, account, &why);
                None
            }
            _ => Some(plan),
        }
    }

    async fn make_accounts(
        &self,
        plans: &[Plan<'_>],
        report: &mut AccountReport,
    ) -> Result<(), Fault> {
        let guard = self.guard()?;
        let mut road = self.open_road_under(guard).await?;
        let mut intents = vec![self.state.keep_accounts_locked()];
        intents.extend(
            plans
                .iter()
                .map(|plan| self.state.put_account(plan.account)),
        );
        self.write_state_guarded(guard, &intents).await?;
        for plan in plans {
            if !plan.make(&mut road, report).await? {
                let forget = [self.state.forget_account(plan.account)];
                self.write_state_guarded(guard, &forget).await?;
            }
        }
        road.close().await
    }
}

impl Plan<'_> {
    fn shown(&self) -> (String, Vec<String>) {
        let grants = self.grants.iter().map(|(before, _)| shown(before));
        (self.account.name(), grants.collect())
    }

    /// Tells how an account of the target differs that is not this task's to change.
    fn compare(&self, there: &Account, same: bool, report: &mut AccountReport) {
        if !same {
            left(
                report,
                self.account,
                &format!("{THERE} password, which is another"),
            );
        }
        let known: BTreeSet<_> = there
            .grants
            .iter()
            .filter_map(|line| meaning(line))
            .collect();
        for (before, behind) in &self.grants {
            let line = format!("{before}{}{behind}", quoted(self.account));
            if meaning(&line).is_none_or(|meaning| !known.contains(&meaning)) {
                let why = format!("{THERE} rights, without `{}`", shown(before));
                left(report, self.account, &why);
            }
        }
        if there.locked != self.account.locked {
            left(
                report,
                self.account,
                &format!("{THERE} state: only one of both is locked"),
            );
        }
    }

    /// False where the target did not take the account.
    async fn make(&self, road: &mut Road<'_>, report: &mut AccountReport) -> Result<bool, Fault> {
        let name = quoted(self.account);
        let sql = match self.is_made {
            // Rights that the source has taken back since must not stay.
            true => format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {name}"),
            false => format!("CREATE USER {name} {}", self.account.clauses),
        };
        if let Some(code) = run(road, self.account, &sql).await? {
            if DENIED.contains(&code) {
                return Err(denied(self.account, code));
            }
            let why = format!("the target refused it with server error {code}");
            left(report, self.account, &why);
            return Ok(false);
        }
        let mut granted = Vec::new();
        for (before, behind) in &self.grants {
            match run(road, self.account, &format!("{before}{name}{behind}")).await? {
                None => granted.push(shown(before)),
                Some(code) if DENIED.contains(&code) => return Err(denied(self.account, code)),
                Some(code) => {
                    let grant = shown(before);
                    let why = format!("the target refused `{grant}` with server error {code}");
                    left(report, self.account, &why);
                }
            }
        }
        report.missing.push((self.account.name(), granted));
        Ok(true)
    }
}

fn left(report: &mut AccountReport, account: &Account, why: &str) {
    report.left.push((account.name(), why.to_owned()));
}

/// A grant without the account.
fn shown(before: &str) -> String {
    before.trim_end_matches(" TO ").to_owned()
}

/// The code of the server's refusal; its text may quote a hash.
async fn run(road: &mut Road<'_>, account: &Account, sql: &str) -> Result<Option<u16>, Fault> {
    match road
        .run(&format!("make account {}", account.name()), sql)
        .await
    {
        Ok(_) => Ok(None),
        Err(error) => match error.server_code() {
            Some(code) if !error.is_transient() => Ok(Some(code)),
            _ => Err(error.into_fault()),
        },
    }
}

/// Privileges, scope and option of a grant, however they are ordered.
fn meaning(line: &str) -> Option<(BTreeSet<String>, String, bool)> {
    let (head, tail) = line.strip_prefix("GRANT ")?.rsplit_once(" TO ")?;
    let (privileges, scope) = head.split_once(" ON ")?;
    let privileges = privileges.split(", ").map(str::to_owned).collect();
    let scope = scope.strip_prefix("TABLE ").unwrap_or(scope);
    Some((privileges, scope.to_owned(), tail.contains("GRANT OPTION")))
}

fn denied(account: &Account, code: u16) -> Fault {
    Fault::operator(
        "TGT-162",
        format!(
            "the account of the target may not make account {}: server error {code}",
            account.name()
        ),
    )
    .hint("GRANT CREATE USER ON *.* and GRANT OPTION on the selected databases to it, or list other accounts under schema.accounts; nothing was switched.")
}

fn unreadable(error: SessionError) -> Fault {
    match error.server_code() {
        Some(code) if !error.is_transient() => Fault::operator(
            "TGT-161",
            format!("the account may not read the accounts of the target: server error {code}"),
        )
        .hint("GRANT SELECT ON mysql.* to the account of the target, as an administrator, or leave schema.accounts out."),
        _ => error.into_fault(),
    }
}
