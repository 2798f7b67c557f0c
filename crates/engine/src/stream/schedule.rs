//! Spreads the changes of a group over workers so that every order that matters is kept.
//!
//! Two changes that share a hashed identity (a key or a unique value, before or after) must keep
//! their order. Changes tied that way, directly or through others, form a component; a component
//! goes to one worker as a whole, in source order. Exact changes go into the group's last
//! transaction, together with the checkpoint.

use super::Stream;
use super::group::Group;
use crate::ports::{ApplyMode, ApplyOutcome, GroupCommit};
use futures_util::future::try_join_all;
use std::collections::HashMap;
use wherry_model::{Change, Fault};

/// A group of at most this many changes is committed with its checkpoint in one transaction:
/// one commit instead of two keeps the lag low.
const SINGLE_TRANSACTION_CHANGE_COUNT_MAX: usize = 64;

/// Applies the group's changes and leaves its last transaction in `open`.
pub(super) async fn apply(
    stream: &Stream,
    open: &mut Option<Box<dyn GroupCommit>>,
    group: &Group,
    mode: ApplyMode,
) -> Result<ApplyOutcome, Fault> {
    let small = group.changes.len() <= SINGLE_TRANSACTION_CHANGE_COUNT_MAX
        && group.checkpoint.is_some()
        && open.is_none();
    if small {
        let commit = open.insert(stream.target.open_commit(mode).await?);
        return commit.add(&group.changes).await;
    }
    let (exact, keyed): (Vec<&Change>, Vec<&Change>) = group
        .changes
        .iter()
        .partition(|change| change.table.is_applied_once());
    let parts = spread(&keyed, stream.worker_count);
    let applied = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(worker, part)| stream.target.apply(worker, part, mode));
    let mut total = ApplyOutcome::default();
    for outcome in try_join_all(applied).await? {
        add(&mut total, &outcome);
    }
    if open.is_none() && (group.checkpoint.is_some() || !exact.is_empty()) {
        *open = Some(stream.target.open_commit(mode).await?);
    }
    if let Some(commit) = open
        && !exact.is_empty()
    {
        let exact: Vec<Change> = exact.into_iter().cloned().collect();
        add(&mut total, &commit.add(&exact).await?);
    }
    Ok(total)
}

fn add(total: &mut ApplyOutcome, more: &ApplyOutcome) {
    total.row_count += more.row_count;
    total.removed += more.removed;
    total.divergences += more.divergences;
}

/// Cuts the changes into at most `worker_count` lists; changes that share an identity stay
/// together and in order.
fn spread(changes: &[&Change], worker_count: usize) -> Vec<Vec<Change>> {
    let mut components = Components::new(changes.len());
    let mut seen: HashMap<u64, usize> = HashMap::with_capacity(changes.len() * 2);
    for (index, change) in changes.iter().enumerate() {
        for identity in &change.identities {
            match seen.entry(*identity) {
                std::collections::hash_map::Entry::Occupied(first) => {
                    components.join(*first.get(), index)
                }
                std::collections::hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(index);
                }
            }
        }
    }
    let mut weights: HashMap<usize, usize> = HashMap::new();
    for (index, change) in changes.iter().enumerate() {
        *weights.entry(components.root(index)).or_default() += change.byte_count() + ROW_COST_BYTES;
    }
    let workers = assign(&weights, worker_count);
    let mut parts = vec![Vec::new(); worker_count];
    for (index, change) in changes.iter().enumerate() {
        parts[workers[&components.root(index)]].push((*change).clone());
    }
    parts
}

/// What a change costs beside its bytes, so that many small ones weigh too.
const ROW_COST_BYTES: usize = 128;

/// Gives each component to the worker with the least to do, heaviest first.
fn assign(weights: &HashMap<usize, usize>, worker_count: usize) -> HashMap<usize, usize> {
    let mut roots: Vec<(usize, usize)> = weights
        .iter()
        .map(|(root, weight)| (*root, *weight))
        .collect();
    roots.sort_unstable_by_key(|(root, weight)| (std::cmp::Reverse(*weight), *root));
    let mut loads = vec![0usize; worker_count];
    roots
        .into_iter()
        .map(|(root, weight)| {
            let worker = (0..worker_count)
                .min_by_key(|worker| loads[*worker])
                .unwrap_or(0);
            loads[worker] += weight;
            (root, worker)
        })
        .collect()
}

/// Disjoint sets over change indices.
struct Components {
    parents: Vec<usize>,
}

impl Components {
    fn new(count: usize) -> Components {
        Components {
            parents: (0..count).collect(),
        }
    }

    fn root(&mut self, index: usize) -> usize {
        let mut at = index;
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.parents[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use wherry_model::{ChangeKind, Exactness, Row, Table, TableName};

    fn change(table: &Arc<Table>, identities: &[u64]) -> Change {
        Change {
            table: Arc::clone(table),
            kind: ChangeKind::Insert {
                after: Row::from_values([Some(b"1".as_slice())]),
            },
            identities: identities.to_vec(),
            unchecked: false,
        }
    }

    fn table() -> Arc<Table> {
        Arc::new(Table {
            name: TableName::new("shop", "a"),
            engine: "innodb".to_owned(),
            columns: Vec::new(),
            keys: Vec::new(),
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        })
    }

    #[test]
    fn tied_changes_stay_together_in_order() {
        let table = table();
        // 1-2 and 2-3 tie the first, second and fourth change; the third stands alone.
        let changes: Vec<Change> = [&[1u64, 2][..], &[2, 3], &[9], &[3]]
            .iter()
            .map(|ids| change(&table, ids))
            .collect();
        let parts = spread(&changes.iter().collect::<Vec<_>>(), 2);
        let lists: Vec<Vec<Vec<u64>>> = parts
            .iter()
            .map(|part| {
                part.iter()
                    .map(|change| change.identities.clone())
                    .collect()
            })
            .collect();
        assert!(lists.contains(&vec![vec![1, 2], vec![2, 3], vec![3]]));
        assert!(lists.contains(&vec![vec![9]]));
    }

    #[test]
    fn every_change_is_given_out_once() {
        let table = table();
        let changes: Vec<Change> = (0..1000).map(|id| change(&table, &[id % 97])).collect();
        let parts = spread(&changes.iter().collect::<Vec<_>>(), 4);
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 1000);
        assert!(parts.iter().all(|part| !part.is_empty()));
    }
}
