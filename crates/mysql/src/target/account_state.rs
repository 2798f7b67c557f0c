//! What a task remembers of accounts: which ones it made. Never a hash.

use super::Inner;
use super::fault;
use super::state::{State, text};
use std::collections::BTreeSet;
use wherry_model::{Account, Fault};

impl State {
    /// Written before the account is made.
    pub(super) fn put_account(&self, account: &Account) -> String {
        let stays = u8::from(account.locked);
        format!(
            "INSERT INTO {} SET task={}, user_name={}, host={}, stays_locked={stays} ON DUPLICATE KEY UPDATE stays_locked={stays}",
            self.table("account"),
            text(self.task_name()),
            text(&account.user),
            text(&account.host)
        )
    }

    /// Before a sync: what it does not put again is not unlocked.
    pub(super) fn keep_accounts_locked(&self) -> String {
        format!(
            "UPDATE {} SET stays_locked=1 WHERE {}",
            self.table("account"),
            self.mine()
        )
    }

    pub(super) fn forget_account(&self, account: &Account) -> String {
        format!(
            "DELETE FROM {} WHERE {} AND user_name={} AND host={}",
            self.table("account"),
            self.mine(),
            text(&account.user),
            text(&account.host)
        )
    }

    fn select_accounts(&self) -> String {
        format!(
            "SELECT user_name, host, stays_locked FROM {} WHERE {}",
            self.table("account"),
            self.mine()
        )
    }
}

impl Inner {
    /// The accounts that this task made or was about to make, each with its later lock; nothing
    /// where Wherry's tables are older than this.
    pub(super) async fn own_accounts(&self) -> Result<Vec<Account>, Fault> {
        let Some(rows) = self.read_if_there(&self.state.select_accounts()).await? else {
            return Ok(Vec::new());
        };
        let unreadable = || fault::unreadable_state("an account");
        let account = |row| {
            Ok(Account {
                user: rows.text(row, 0).ok_or_else(unreadable)?.to_owned(),
                host: rows.text(row, 1).ok_or_else(unreadable)?.to_owned(),
                locked: rows.text(row, 2) != Some("0"),
                ..Account::default()
            })
        };
        (0..rows.rows.len()).map(account).collect()
    }

    pub(super) async fn own_account_names(&self) -> Result<BTreeSet<String>, Fault> {
        let accounts = self.own_accounts().await?;
        Ok(accounts.iter().map(Account::name).collect())
    }
}
