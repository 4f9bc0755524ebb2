//! Several statements that go to SQLite together.
//!
//! A statement of its own costs two changes of thread, which under load is far more than what SQLite does with it. A
//! script hands over any number at once; they run in order, and the first that fails ends it.

use sqlx::encode::Encode;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection, Type};

/// Statements and the values of their `?`, in order. Numbered parameters do not work here.
///
/// The text is put together from constants only. Few different texts should come of it: each is prepared once and kept.
#[derive(Default)]
pub(crate) struct Script {
    sql: String,
    values: SqliteArguments,
    failed: Option<sqlx::Error>,
}

impl Script {
    /// Adds a statement without its semicolon; its values follow.
    pub(crate) fn add(&mut self, statement: &'static str) -> &mut Self {
        if !self.sql.is_empty() {
            self.sql.push_str("; ");
        }
        self.sql.push_str(statement);
        self
    }

    /// Adds an insert of `rows` rows, each of the form `row`; `tail` may hold a conflict clause.
    pub(crate) fn insert(
        &mut self,
        head: &'static str,
        row: &'static str,
        rows: usize,
        tail: &'static str,
    ) -> &mut Self {
        self.add(head);
        for nth in 0..rows {
            self.sql.push_str(if nth == 0 { " values " } else { ", " });
            self.sql.push_str(row);
        }
        self.sql.push_str(tail);
        self
    }

    /// Adds a select by a list of `count` keys: `head` ends before the brackets.
    pub(crate) fn select_in(
        &mut self,
        head: &'static str,
        count: usize,
        tail: &'static str,
    ) -> &mut Self {
        self.add(head);
        for nth in 0..count {
            self.sql.push_str(if nth == 0 { " (?" } else { ", ?" });
        }
        self.sql.push(')');
        self.sql.push_str(tail);
        self
    }

    /// The value of the next `?`.
    pub(crate) fn bind<'v, T>(&mut self, value: T) -> &mut Self
    where
        T: Encode<'v, Sqlite> + Type<Sqlite>,
    {
        if let Err(error) = self.values.add(value) {
            self.failed = Some(sqlx::Error::Encode(error));
        }
        self
    }

    /// Runs it; without statements, nothing happens.
    pub(crate) async fn execute(self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.sql.is_empty() {
            return Ok(());
        }
        sqlx::query_with(AssertSqlSafe(self.sql), self.values)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Runs it and returns the rows of all statements, in order.
    pub(crate) async fn fetch(
        self,
        conn: &mut SqliteConnection,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        sqlx::query_with(AssertSqlSafe(self.sql), self.values)
            .fetch_all(conn)
            .await
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Row as _};

    use super::*;

    #[tokio::test]
    async fn values_go_to_their_statements_in_order() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut script = Script::default();
        script.add("create table t (a integer, b text) strict");
        script.execute(&mut conn).await.unwrap();
        for _ in 0..2 {
            // Twice: prepared once, bound anew.
            let mut script = Script::default();
            script.add("delete from t where a = ?").bind(1_i64);
            script
                .insert("insert into t (a, b)", "(?, ?)", 2, "")
                .bind(1_i64)
                .bind("one")
                .bind(2_i64)
                .bind("two");
            script
                .add("update t set b = ? where a = ?")
                .bind("zwei")
                .bind(2_i64);
            script.execute(&mut conn).await.unwrap();
        }
        let mut script = Script::default();
        script
            .select_in("select b from t where a in", 2, " order by b limit ?")
            .bind(1_i64)
            .bind(2_i64)
            .bind(2_i64);
        script.add("select count(*) from t");
        let rows = script.fetch(&mut conn).await.unwrap();
        assert_eq!(rows[0].get::<&str, _>(0), "one");
        assert_eq!(rows[1].get::<&str, _>(0), "zwei");
        assert_eq!(rows[2].get::<i64, _>(0), 3);
    }

    #[tokio::test]
    async fn the_first_failure_ends_it() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut script = Script::default();
        script.add("create table t (a integer primary key) strict");
        script
            .insert("insert into t (a)", "(?)", 2, "")
            .bind(1_i64)
            .bind(1_i64);
        script.add("drop table t");
        assert!(script.execute(&mut conn).await.is_err());
        let count: i64 = sqlx::query_scalar("select count(*) from t")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(count, 0);
    }
}
