//! Rules for databases: their character set, collation and comment.

use super::charset::{charset_name, collation_at, collation_name, says_utf8mb3};
use super::{AppliedRule, Flavours, Rules};
use crate::ddl::refusal::{Refusal, UNKNOWN_COLLATION};
use wherry_engine::ports::DatabaseDefinition;

/// The database as the target is to have it. The error names the collation that the target lacks.
pub fn database(
    database: &DatabaseDefinition,
    flavours: Flavours,
) -> Result<(DatabaseDefinition, Vec<AppliedRule>), Refusal> {
    let mut rules = Rules::new(flavours);
    let Some(collation) = collation_at(&database.collation, flavours.from, flavours.to) else {
        return Err(Refusal {
            code: UNKNOWN_COLLATION,
            message: format!(
                "the target has no collation that sorts like {}, the default of database `{}`",
                database.collation, database.name
            ),
            hint: "Run ALTER DATABASE ... COLLATE ... at the source with a collation that the target has.",
        });
    };
    if collation != database.collation {
        let utf8mb3 = says_utf8mb3(flavours.to);
        let rule = if collation_name(&database.collation, utf8mb3) == collation {
            "utf8mb3-name"
        } else {
            "collation-name"
        };
        rules.note(rule, &database.collation, &collation);
    }
    if !database.comment.is_empty() && !flavours.to.mariadb {
        rules.note("database-comment", &database.comment, "");
    }
    let carried = DatabaseDefinition {
        name: database.name.clone(),
        charset: charset_name(&database.charset, says_utf8mb3(flavours.to)),
        collation,
        comment: database.comment.clone(),
    };
    Ok((carried, rules.applied))
}
