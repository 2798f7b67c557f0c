//! Accounts and grants: what of the source's the target lacks, gets, or cannot have.
//!
//! Off unless the task asks for it. They hold no rows, so nothing waits for what cannot be
//! carried: that is told. They are made locked before the writes are stopped, since whoever stops
//! them may do so by the accounts, and unlocked behind the fence, so that none writes to the target
//! before.

use crate::objects::ObjectSync;
use crate::ports::SchemaDifference;
use wherry_model::{Account, AccountChoice, CheckItem, Class, Fault, TableName};

const ID: &str = "target-accounts";

/// How far a sync of accounts goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStep {
    /// Nothing is changed.
    Plan,
    /// Accounts are made, locked, with their grants.
    Make,
}

/// What a sync of accounts did or would do. Holds nothing that proves an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountReport {
    /// Accounts that the target lacks, each with its grants there.
    pub missing: Vec<(String, Vec<String>)>,
    /// Accounts, each with what of them stays behind and why.
    pub left: Vec<(String, String)>,
}

impl AccountReport {
    fn item(&self) -> CheckItem {
        let mut evidence = match self.missing.is_empty() {
            true => "no account is made".to_owned(),
            false => "the cutover makes".to_owned(),
        };
        for (index, (account, grants)) in self.missing.iter().enumerate() {
            let comma = if index == 0 { "" } else { ";" };
            evidence.push_str(&format!("{comma} {account} ({})", grants.join(", ")));
        }
        if self.left.is_empty() {
            return CheckItem::pass(ID, evidence);
        }
        let left = self.left.iter();
        let left: Vec<String> = left
            .map(|(account, why)| format!("{account}: {why}"))
            .collect();
        CheckItem::warn(
            ID,
            format!("{evidence}; stays behind: {}", left.join("; ")),
            "make in the target by hand what is needed there",
        )
    }

    fn differences(&self) -> Vec<SchemaDifference> {
        let difference = |account: &str, description: String, rule| SchemaDifference {
            table: TableName::new("account", account),
            foreign_key: false,
            description,
            rule: Some(rule),
        };
        let missing = self.missing.iter().map(|(account, _)| {
            let description = "is not in the target; the cutover makes it".to_owned();
            difference(account, description, "account-at-cutover")
        });
        let left = self
            .left
            .iter()
            .map(|(account, why)| difference(account, why.clone(), "account-left-out"));
        missing.chain(left).collect()
    }

    fn show(&self) {
        for (account, why) in &self.left {
            tracing::warn!(account, "of an account: {why}");
        }
        for (account, grants) in &self.missing {
            let grants = grants.join(", ");
            tracing::info!(account, %grants, "an account was made, locked until the fence");
        }
    }
}

impl ObjectSync {
    /// What the target lacks, as an item of the precheck; `None` where the task asks for nothing.
    ///
    /// Errors: those that the operator cannot mend.
    pub async fn account_item(&self) -> Result<Option<CheckItem>, Fault> {
        match self.sync_accounts(AccountStep::Plan).await {
            Ok(report) => Ok(report.map(|report| report.item())),
            Err(fault) if fault.class == Class::Operator => {
                let evidence = format!("{}: {fault}", fault.code);
                Ok(Some(CheckItem::fail(ID, evidence, fault.hint.clone())))
            }
            Err(fault) => Err(fault),
        }
    }

    pub(crate) async fn account_diff(&self) -> Result<Vec<SchemaDifference>, Fault> {
        let report = self.sync_accounts(AccountStep::Plan).await?;
        Ok(report.map_or_else(Vec::new, |report| report.differences()))
    }

    /// Makes the accounts, locked. Safe to repeat.
    pub(crate) async fn make_accounts(&self) -> Result<(), Fault> {
        if let Some(report) = self.sync_accounts(AccountStep::Make).await? {
            report.show();
        }
        Ok(())
    }

    async fn sync_accounts(&self, step: AccountStep) -> Result<Option<AccountReport>, Fault> {
        let choice = &self.schema.accounts;
        if *choice == AccountChoice::None {
            return Ok(None);
        }
        let accounts = self.source.accounts(choice).await?;
        let mut report = self.target.sync_accounts(&accounts, step).await?;
        if let AccountChoice::Listed(names) = choice {
            report.left.extend(absent(names, &accounts));
        }
        Ok(Some(report))
    }
}

fn absent(names: &[String], accounts: &[Account]) -> Vec<(String, String)> {
    let known = |name: &str| accounts.iter().any(|account| account.name() == name);
    let absent = names.iter().filter(|name| !known(name));
    let why = "the source has no such account, or it is one of the system or the task's own";
    absent.map(|name| (name.clone(), why.to_owned())).collect()
}
