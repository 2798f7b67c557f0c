//! What can go wrong with the types in a document, with codes and remedies.

use super::FormError;
use crate::flavour::ServerVersion;
use wherry_model::{ColumnKind, Fault, Table};

/// A server that cannot be asked for the types in the documents of this table.
pub(crate) fn unreadable(table: &Table, version: &ServerVersion) -> Option<Fault> {
    let mut columns = table.columns.iter();
    let column = columns.find(|column| column.kind == ColumnKind::Json)?;
    if version.has_json_table() {
        return None;
    }
    let fault = Fault::operator(
        "SRC-051",
        format!(
            "column `{}` of table {} is JSON, and server version {} cannot tell the types in a document",
            column.name, table.name, version.text
        ),
    )
    .hint("Use MySQL 8.0.4 or later at both ends, change the column to LONGTEXT, or leave its database out of the selection.")
    .table(&table.name);
    Some(fault)
}

/// A document of a table that has no canonical form.
pub(crate) fn unwritable(table: &Table, column: usize, error: FormError) -> Fault {
    let name = &table.name;
    let column = &table.columns[column].name;
    let fault = match error {
        FormError::Opaque(_) => Fault::operator(
            "SRC-050",
            format!("column `{column}` of table {name} holds JSON that cannot be written again"),
        )
        .hint("Write these documents anew at the source with values that JSON has, like strings in place of binary ones, then load the table again."),
        FormError::Unnamed => Fault::operator(
            "SRC-052",
            format!("the server could not name the types in column `{column}` of table {name}"),
        )
        .hint("Raise max_allowed_packet at that server: the list of types in one document is longer."),
        FormError::Damaged => Fault::bug(
            "SRC-053",
            format!("text and types in column `{column}` of table {name} do not fit each other"),
        ),
    };
    fault.table(name).cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{Column, Exactness, TableName};

    fn table(kind: ColumnKind) -> Table {
        Table {
            name: TableName::new("d", "t"),
            engine: String::new(),
            columns: vec![Column {
                name: "j".to_owned(),
                kind,
                column_type: String::new(),
                nullable: true,
                charset: None,
                collation: None,
                generated: false,
                auto_increment: false,
                in_target: None,
            }],
            keys: Vec::new(),
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        }
    }

    #[test]
    fn servers_that_cannot_name_types_are_refused() {
        let code = |kind, version| {
            let version = ServerVersion::parse(version).expect("a version");
            unreadable(&table(kind), &version).map(|fault| fault.code)
        };
        assert_eq!(code(ColumnKind::Json, "9.7.4"), None);
        assert_eq!(code(ColumnKind::Json, "8.0.4"), None);
        assert_eq!(code(ColumnKind::Json, "5.7.44-log"), Some("SRC-051"));
        assert_eq!(code(ColumnKind::Json, "10.11.19-MariaDB"), Some("SRC-051"));
        assert_eq!(code(ColumnKind::Text, "5.7.44-log"), None);
    }

    #[test]
    fn a_document_without_a_form_names_its_column() {
        let table = table(ColumnKind::Json);
        for (error, code) in [
            (FormError::Opaque(253), "SRC-050"),
            (FormError::Unnamed, "SRC-052"),
            (FormError::Damaged, "SRC-053"),
        ] {
            let fault = unwritable(&table, 0, error);
            assert_eq!(fault.code, code);
            assert!(fault.message.contains("`j`"), "{}", fault.message);
        }
    }
}
