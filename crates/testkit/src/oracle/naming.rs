//! Other names in the target, as a test says them itself.

use super::{Column, Definition};

/// Takes database and table of the source; an empty table stands for the database itself.
pub type NameTable = dyn Fn(&str, &str) -> (String, String) + Send + Sync;
/// Takes database, table and column of the source.
pub type NameColumn = dyn Fn(&str, &str, &str) -> String + Send + Sync;

/// Database and table, and one of its columns, under the names of the target.
pub struct Naming {
    pub table: Box<NameTable>,
    pub column: Box<NameColumn>,
}

impl Naming {
    /// Every name stays.
    pub fn same() -> Naming {
        Naming {
            table: Box::new(|database, table| (database.to_owned(), table.to_owned())),
            column: Box::new(|_, _, column| column.to_owned()),
        }
    }
}

impl Definition {
    /// What the target is to have. Foreign keys point inside their own database.
    pub(super) fn named(&self, database: &str, table: &str, naming: &Naming) -> Definition {
        let column = |name: &str| (naming.column)(database, table, name);
        let columns = self.columns.iter().map(|old| Column {
            name: column(&old.name),
            kind: old.kind.clone(),
            nullable: old.nullable,
        });
        let indexes = self.indexes.iter().map(|line| {
            parts(line, |part| match part.split_once(':') {
                Some((name, length)) => format!("{}:{length}", column(name)),
                None => column(part),
            })
        });
        let foreign_keys = self.foreign_keys.iter().map(|line| {
            let Some((head, rest)) = line.split_once(" to ") else {
                return line.clone();
            };
            let referenced = rest.split(" (").next().unwrap_or(rest);
            let to = (naming.table)(database, referenced).1;
            // A name that a server made of the table's follows it.
            let head = match head.strip_prefix(&format!("{table}_ibfk_")) {
                Some(number) => format!("{}_ibfk_{number}", (naming.table)(database, table).1),
                None => head.to_owned(),
            };
            let line = format!("{head} to {to}{}", &rest[referenced.len()..]);
            parts(&line, |part| match part.split_once('=') {
                Some((own, other)) => {
                    let other = (naming.column)(database, referenced, other);
                    format!("{}={other}", column(own))
                }
                None => part.to_owned(),
            })
        });
        Definition {
            columns: columns.collect(),
            indexes: indexes.collect(),
            primary: self.primary.iter().map(|name| column(name)).collect(),
            foreign_keys: foreign_keys.collect(),
        }
    }
}

/// The line with each part of its last list in parentheses changed.
fn parts(line: &str, change: impl Fn(&str) -> String) -> String {
    let Some((head, list)) = line.rsplit_once('(') else {
        return line.to_owned();
    };
    let list = list.trim_end_matches(')');
    let changed: Vec<String> = list.split(',').map(change).collect();
    format!("{head}({})", changed.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_the_names_of_the_target() {
        let naming = Naming {
            table: Box::new(|database, table| (database.to_owned(), format!("{table}2"))),
            column: Box::new(|_, table, column| format!("{table}_{column}")),
        };
        let definition = Definition {
            columns: Vec::new(),
            indexes: vec!["k unique (a:10,b)".to_owned()],
            primary: vec!["a".to_owned()],
            foreign_keys: vec![
                "f to p (a=id,b=x)".to_owned(),
                "t_ibfk_1 to p (a=id)".to_owned(),
            ],
        };
        let named = definition.named("d", "t", &naming);
        assert_eq!(named.indexes, ["k unique (t_a:10,t_b)"]);
        assert_eq!(named.primary, ["t_a"]);
        assert_eq!(
            named.foreign_keys,
            ["f to p2 (t_a=p_id,t_b=p_x)", "t2_ibfk_1 to p2 (t_a=p_id)"]
        );
    }
}
