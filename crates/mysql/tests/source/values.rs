//! Values read as canonical bytes and written as literals come back as the same bytes.

use super::{FLAVOURS, control, endpoint, read_range, source, start};
use wherry_engine::state::KeyRange;
use wherry_model::{Row, Table, TableName};
use wherry_mysql::catalog::read_table;
use wherry_mysql::literal::push_value_literal;
use wherry_mysql::session::{Session, SessionKind};
use wherry_testkit::Flavour;

const COLUMNS: &str = "id INT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED ZEROFILL, n DECIMAL(65,30), \
    f FLOAT, f2 FLOAT(7,3), d DOUBLE, d2 DOUBLE(12,2), b BIT(17), y YEAR, da DATE, ti TIME(6), \
    dt DATETIME(6), ts TIMESTAMP(6) NULL, c CHAR(20) CHARACTER SET gbk, l VARCHAR(20) CHARACTER SET latin1, \
    w VARCHAR(20) CHARACTER SET utf16, tx LONGTEXT CHARACTER SET utf8mb4, bi BINARY(6), vb VARBINARY(300), \
    bl LONGBLOB, e ENUM('a','é','2','1') CHARACTER SET latin1, s SET('x','y','it''s') CHARACTER SET utf8mb4, \
    g GEOMETRY, j {json}";

const ROWS: &str = "
    (1, -9223372036854775808, 18446744073709551615, -12345678901234567890123456789012345.123456789012345678901234567890,
     -3.4028234e38, 1.1, -1.7976931348623157e308, -0.01, b'10000000000000001', 2155, '9999-12-31', '-838:59:59',
     '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', '表\\\\', 'é''\\n', '日😀', '😀''\\\\\\0\\Z\"\\r\\n', X'00FF5C27', X'0001275C22',
     X'00', 'é', 'x,it''s', ST_GeomFromText('POINT(1 -2.5)', 4326), '{\"a\": [1, -2.5, null, true, \"\\\\\"q\\\\\\\\\"], \"é\": \"😀\"}'),
    (2, 0, 0, 0, 1e-38, 0.1, 5e-324, 123456789.10, b'0', 0, '0000-00-00', '00:00:00.000001', '0000-00-00', '0000-00-00',
     '', '', '', '', '', '', '', '2', '', NULL, '[]'),
    (3, 7, 7, 0.000000000000000000000000000001, 16777216, -1234.567, 0.1, 0, b'1', 1901, '2024-02-30', '12:34:56', '2024-01-00 00:00:00',
     '1970-01-01 00:00:01', 'a b', 'c ', '1', REPEAT('long', 70000), X'61', REPEAT(X'FF', 300), REPEAT(X'0027', 90000), '1', 'x,y,it''s',
     ST_GeomFromText('GEOMETRYCOLLECTION(POINT(0 0),LINESTRING(0 0,1 1))'), 'null'),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 1, 1, 1, -0.0, -0.0, -0.0, 1.5, b'1', 1970, '2024-01-01', '00:00:00', '2024-01-01', '2024-01-01', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'a', 'x', NULL, '1.5')";

fn insert(table: &Table, target: &str, rows: &[Row]) -> Vec<u8> {
    let mut sql = format!("INSERT INTO {target} VALUES ").into_bytes();
    for (index, row) in rows.iter().enumerate() {
        sql.extend_from_slice(if index == 0 { b"(" } else { b",(" });
        for (column, (definition, value)) in table.columns.iter().zip(row.values()).enumerate() {
            if column > 0 {
                sql.push(b',');
            }
            push_value_literal(&mut sql, definition, value);
        }
        sql.push(b')');
    }
    sql
}

#[tokio::test]
async fn literals_carry_every_value_unchanged() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        let json = if flavour == Flavour::MySql56 {
            "LONGTEXT CHARACTER SET utf8mb4"
        } else {
            "JSON"
        };
        let columns = COLUMNS.replace("{json}", json);
        // 5.6 and MariaDB have no order of axes to check.
        server
            .sql(&format!(
                "SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'; CREATE DATABASE zoo; USE zoo; \
                 CREATE TABLE a ({columns}) ENGINE=InnoDB; CREATE TABLE b ({columns}) ENGINE=InnoDB; INSERT INTO a VALUES {ROWS}"
            ))
            .await
            .expect("values");
        let mut session = control(&server).await;
        let read = |name: &'static str| TableName::new("zoo", name);
        let a = read_table(&mut session, &read("a"))
            .await
            .expect("a catalog")
            .expect("a table");
        let b = read_table(&mut session, &read("b"))
            .await
            .expect("a catalog")
            .expect("a table");
        let source = source(&server);
        let rows = read_range(&source, &a, &KeyRange::all()).await;
        assert_eq!(rows.len(), 5);
        let mut writer = Session::connect(&endpoint(&server), SessionKind::Write)
            .await
            .expect("a writer");
        let outcome = writer
            .execute(insert(&a, "zoo.b", &rows))
            .await
            .expect("an insert");
        assert_eq!(outcome.affected_rows, 5);
        let back = read_range(&source, &b, &KeyRange::all()).await;
        for (row, back) in rows.iter().zip(&back) {
            for (column, values) in a.columns.iter().zip(row.values().zip(back.values())) {
                assert_eq!(values.0, values.1, "{flavour:?} column {}", column.name);
            }
        }
        // The server compares the stored values too: text could hide a lost bit.
        for column in ["f", "f2", "d", "d2", "n", "g"] {
            let sql = format!(
                "SELECT COUNT(*) FROM zoo.a JOIN zoo.b USING (id) WHERE NOT (HEX(a.{column}) <=> HEX(b.{column})) OR NOT (a.{column} <=> b.{column})"
            );
            assert_eq!(
                server.value(&sql).await.expect("a count").as_deref(),
                Some("0"),
                "{flavour:?} {column}"
            );
        }
    }
}
