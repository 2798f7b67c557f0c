//! Clauses of `ALTER TABLE` on partitions; each stands alone in its statement.

use super::alter::Clause;
use super::picture::{Scene, Table, one};
use crate::flavour::Flavour;
use crate::random::Random;

pub(super) const CLAUSES: [(&str, Clause); 8] = [
    ("partition by", partition_by),
    ("partition by", partition_by),
    ("remove partitioning", remove),
    ("add partition", add),
    ("drop partition", drop_one),
    ("truncate partition", truncate),
    ("reorganize partition", reorganize),
    ("partition upkeep", upkeep),
];

fn key_of(table: &Table) -> Option<&str> {
    let [column] = table.primary.as_slice() else {
        return None;
    };
    let numbers = |name: &str| {
        let found = table.columns.iter().find(|column| column.name == name);
        found.is_some_and(|column| column.is_number())
    };
    numbers(column).then_some(column)
}

/// MariaDB partitions tables with full-text keys, which MySQL 8.0 refuses, and both it and 5.6 take
/// `KEY ()` beside a key on a part of a column.
fn partition_by(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    if scene.flavour == Flavour::MariaDb && table.has_fulltext {
        return None;
    }
    let key = key_of(table)?;
    Some(match random.below(5) {
        0 => format!("PARTITION BY HASH (`{key}`) PARTITIONS 3"),
        1 if scene.flavour == Flavour::MySql97 => "PARTITION BY KEY () PARTITIONS 4".to_owned(),
        1 => format!("PARTITION BY KEY (`{key}`) PARTITIONS 4"),
        2 => format!("PARTITION BY LINEAR HASH (`{key}`) PARTITIONS 2"),
        _ => format!(
            "PARTITION BY RANGE (`{key}`) (PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN (60), PARTITION p3 VALUES LESS THAN (2000000))"
        ),
    })
}

fn remove(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    (!table.method.is_empty() && random.one_in(2)).then(|| "REMOVE PARTITIONING".to_owned())
}

fn add(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    match table.method.as_str() {
        "" => None,
        "RANGE" => {
            let from = 2_000_000 + random.below(1000) * 1000;
            Some(format!(
                "ADD PARTITION (PARTITION p{} VALUES LESS THAN ({from}))",
                random.below(1000)
            ))
        }
        _ => Some("ADD PARTITION PARTITIONS 2".to_owned()),
    }
}

fn drop_one(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let partition = one(&table.partitions, random)?;
    match table.method.as_str() {
        "RANGE" => Some(format!("DROP PARTITION {partition}")),
        _ => Some("COALESCE PARTITION 1".to_owned()),
    }
}

fn truncate(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let partition = one(&table.partitions, random)?;
    let all = random.one_in(4);
    Some(format!(
        "TRUNCATE PARTITION {}",
        if all { "ALL" } else { partition }
    ))
}

fn reorganize(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let range = table.method == "RANGE" && table.partitions.iter().any(|name| name == "p1");
    let limit = 1 + random.below(18);
    range.then(|| {
        format!(
            "REORGANIZE PARTITION p1 INTO (PARTITION p0 VALUES LESS THAN ({limit}), PARTITION p1 VALUES LESS THAN (20))"
        )
    })
}

fn upkeep(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let verb = random.pick(&["ANALYZE", "REBUILD", "CHECK", "OPTIMIZE"]);
    (!table.method.is_empty()).then(|| format!("{verb} PARTITION ALL"))
}
