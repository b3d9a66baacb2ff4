//! Passkeys of people: public keys, and how often each device says that it used its own.

use ambit_domain::access::{Passkey, UserName};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::{Store, StoreError};

/// The schema of this part.
pub(crate) const MIGRATION: &str = "
    CREATE TABLE passkey (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, host TEXT NOT NULL, key BLOB NOT NULL, count INTEGER NOT NULL,
        added INTEGER NOT NULL, used INTEGER
    ) STRICT;
";

const PASSKEY: &str = "id, user, name, host, added, used";

impl Store {
    /// Keeps a passkey; `false` where its id is known already.
    pub fn add_passkey(&self, passkey: &Passkey, key: &[u8]) -> Result<bool, StoreError> {
        let added = self
            .connection()
            .execute(
                "INSERT INTO passkey VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, NULL) ON CONFLICT (id) DO NOTHING",
                params![passkey.id, passkey.user.as_str(), passkey.name, passkey.host, key, passkey.added],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(added > 0)
    }

    /// Somebody's passkeys, the newest first.
    pub fn passkeys(&self, user: &UserName) -> Result<Vec<Passkey>, StoreError> {
        let rows: Vec<_> = {
            let connection = self.connection();
            let read = || -> rusqlite::Result<Vec<_>> {
                connection
                    .prepare(&format!("SELECT {PASSKEY} FROM passkey WHERE user = ?1 ORDER BY added DESC, id"))?
                    .query_map([user.as_str()], passkey)?
                    .collect()
            };
            read().map_err(|e| self.sqlite(e))?
        };
        rows.into_iter().map(|row| row.ok_or_else(|| self.damaged("a passkey"))).collect()
    }

    /// The passkey of an id, with its public key and the last count.
    pub fn passkey(&self, id: &str) -> Result<Option<(Passkey, Vec<u8>, u32)>, StoreError> {
        let sql = format!("SELECT {PASSKEY}, key, count FROM passkey WHERE id = ?1");
        let read = |row: &Row<'_>| Ok((passkey(row)?, row.get(6)?, row.get(7)?));
        let found = self.connection().query_row(&sql, [id], read).optional().map_err(|e| self.sqlite(e))?;
        found
            .map(|(passkey, key, count)| Ok((passkey.ok_or_else(|| self.damaged("a passkey"))?, key, count)))
            .transpose()
    }

    /// Begins a session by a passkey that counted on from what was known; `false` where it did not, or is gone. A device that does not
    /// count says zero.
    pub fn use_passkey(&self, id: &str, known: u32, count: u32, session: &str, now: i64) -> Result<bool, StoreError> {
        let mut connection = self.connection();
        let exchange = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let user: Option<String> = transaction
                .query_row(
                    "UPDATE passkey SET count = ?3, used = ?4
                     WHERE id = ?1 AND count = ?2 AND (?3 > ?2 OR (?3 = 0 AND ?2 = 0)) RETURNING user",
                    params![id, known, count, now],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(user) = &user {
                transaction.execute("INSERT INTO session VALUES (?1, ?2, ?3, ?3)", params![session, user, now])?;
            }
            transaction.commit()?;
            Ok(user.is_some())
        };
        exchange(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// Forgets a passkey of somebody; `false` where they have none of that id.
    pub fn remove_passkey(&self, user: &UserName, id: &str) -> Result<bool, StoreError> {
        let removed = self
            .connection()
            .execute("DELETE FROM passkey WHERE user = ?1 AND id = ?2", [user.as_str(), id])
            .map_err(|e| self.sqlite(e))?;
        Ok(removed > 0)
    }
}

/// `None` where the row holds what this program does not write.
fn passkey(row: &Row<'_>) -> Result<Option<Passkey>, rusqlite::Error> {
    let user: String = row.get(1)?;
    let (id, name, host, added, used) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
    Ok(user.parse().ok().map(|user| Passkey { id, user, name, host, added, used }))
}
