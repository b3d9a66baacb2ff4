//! People with their roles, links that sign in once, sessions and tokens. Of every secret its digest alone is kept.

use ambit_domain::{
    access::{Role, Token, User, UserName},
    spec::ProjectName,
};
use rusqlite::{OptionalExtension, Row, params};

use crate::{Store, StoreError};

/// The schema of this part.
pub(crate) const MIGRATION: &str = "
    CREATE TABLE user (name TEXT PRIMARY KEY, role TEXT NOT NULL, added INTEGER NOT NULL) STRICT;
    CREATE TABLE sign_in_link (digest TEXT PRIMARY KEY, user TEXT NOT NULL, until INTEGER NOT NULL) STRICT;
    CREATE TABLE session (
        digest TEXT PRIMARY KEY, user TEXT NOT NULL, began INTEGER NOT NULL, seen INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE token (
        label TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, user TEXT NOT NULL, role TEXT NOT NULL, project TEXT,
        made INTEGER NOT NULL, until INTEGER NOT NULL, used INTEGER
    ) STRICT;
";

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user: User,
    /// When it began, in milliseconds since the Unix epoch.
    pub began: i64,
    /// When it was last used.
    pub seen: i64,
}

const USER: &str = "name, role, added";
const TOKEN: &str = "label, token.user, token.role, project, made, until, used";

impl Store {
    /// Adds a person, or gives the one of that name another role.
    pub fn put_user(&self, user: &User) -> Result<(), StoreError> {
        let put = "INSERT INTO user VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET role = excluded.role";
        self.connection()
            .execute(put, params![user.name.as_str(), user.role.name(), user.added])
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Everybody, by name.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare(&format!("SELECT {USER} FROM user ORDER BY name")).map_err(|e| self.sqlite(e))?;
        let rows: Vec<_> = statement.query_map([], user).and_then(Iterator::collect).map_err(|e| self.sqlite(e))?;
        rows.into_iter().map(|row| row.ok_or_else(|| self.damaged("a user"))).collect()
    }

    /// Somebody by name.
    pub fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        let found = self
            .connection()
            .query_row(&format!("SELECT {USER} FROM user WHERE name = ?1"), [name.as_str()], user)
            .optional()
            .map_err(|e| self.sqlite(e))?;
        found.map(|row| row.ok_or_else(|| self.damaged("a user"))).transpose()
    }

    /// Removes somebody with everything that they could come in by; `false` where nobody was called so.
    pub fn remove_user(&self, name: &UserName) -> Result<bool, StoreError> {
        let mut connection = self.connection();
        let remove = |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            for table in ["sign_in_link", "session", "token", "passkey"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE user = ?1"), [name.as_str()])?;
            }
            let removed = transaction.execute("DELETE FROM user WHERE name = ?1", [name.as_str()])?;
            transaction.commit()?;
            Ok(removed > 0)
        };
        remove(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// Keeps a link, and forgets those that are out of date.
    pub fn add_sign_in_link(&self, digest: &str, user: &UserName, until: i64, now: i64) -> Result<(), StoreError> {
        let connection = self.connection();
        let add = || {
            connection.execute("DELETE FROM sign_in_link WHERE until <= ?1", [now])?;
            connection.execute("INSERT INTO sign_in_link VALUES (?1, ?2, ?3)", params![digest, user.as_str(), until])
        };
        add().map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Whose a link is that still holds.
    pub fn sign_in_link(&self, digest: &str, now: i64) -> Result<Option<User>, StoreError> {
        let sql = "SELECT user.name, user.role, user.added FROM sign_in_link JOIN user ON user.name = sign_in_link.user
                   WHERE digest = ?1 AND until > ?2";
        let found =
            self.connection().query_row(sql, params![digest, now], user).optional().map_err(|e| self.sqlite(e))?;
        found.map(|row| row.ok_or_else(|| self.damaged("a user"))).transpose()
    }

    /// Turns a link into a session: of several who try at once, one gets it.
    pub fn use_sign_in_link(&self, link: &str, session: &str, now: i64) -> Result<bool, StoreError> {
        let mut connection = self.connection();
        let exchange = |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let taken: Option<String> = transaction
                .query_row(
                    "DELETE FROM sign_in_link WHERE digest = ?1 AND until > ?2 RETURNING user",
                    params![link, now],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(user) = &taken {
                transaction.execute("INSERT INTO session VALUES (?1, ?2, ?3, ?3)", params![session, user, now])?;
            }
            transaction.commit()?;
            Ok(taken.is_some())
        };
        exchange(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// A session with its person.
    pub fn session(&self, digest: &str) -> Result<Option<Session>, StoreError> {
        let sql = "SELECT user.name, user.role, user.added, began, seen
                   FROM session JOIN user ON user.name = session.user WHERE digest = ?1";
        let read = |row: &Row<'_>| Ok((user(row)?, row.get(3)?, row.get(4)?));
        let found = self.connection().query_row(sql, [digest], read).optional().map_err(|e| self.sqlite(e))?;
        found
            .map(|(user, began, seen)| Ok(Session { user: user.ok_or_else(|| self.damaged("a user"))?, began, seen }))
            .transpose()
    }

    /// Notes that a session was used.
    pub fn touch_session(&self, digest: &str, now: i64) -> Result<(), StoreError> {
        self.connection()
            .execute("UPDATE session SET seen = ?2 WHERE digest = ?1", params![digest, now])
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Ends a session.
    pub fn end_session(&self, digest: &str) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM session WHERE digest = ?1", [digest]).map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Forgets sessions that began or were last used too long ago.
    pub fn drop_sessions(&self, began_before: i64, seen_before: i64) -> Result<(), StoreError> {
        self.connection()
            .execute("DELETE FROM session WHERE began < ?1 OR seen < ?2", [began_before, seen_before])
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Keeps a token; `false` where another is called the same.
    pub fn add_token(&self, token: &Token, digest: &str) -> Result<bool, StoreError> {
        let added = self
            .connection()
            .execute(
                "INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL) ON CONFLICT (label) DO NOTHING",
                params![
                    token.label,
                    digest,
                    token.user.as_str(),
                    token.role.name(),
                    token.project.as_ref().map(ProjectName::as_str),
                    token.made,
                    token.until,
                ],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(added > 0)
    }

    /// Every token, by its label.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare(&format!("SELECT {TOKEN} FROM token ORDER BY label")).map_err(|e| self.sqlite(e))?;
        let rows: Vec<_> = statement.query_map([], token).and_then(Iterator::collect).map_err(|e| self.sqlite(e))?;
        rows.into_iter().map(|row| row.ok_or_else(|| self.damaged("a token"))).collect()
    }

    /// The token of a digest, with its person.
    pub fn token(&self, digest: &str) -> Result<Option<(Token, User)>, StoreError> {
        let sql = format!(
            "SELECT {TOKEN}, user.name, user.role, user.added
             FROM token JOIN user ON user.name = token.user WHERE digest = ?1"
        );
        let read = |row: &Row<'_>| {
            let person = parse_user(row.get(7)?, &row.get::<_, String>(8)?, row.get(9)?);
            Ok(token(row)?.zip(person))
        };
        let found = self.connection().query_row(&sql, [digest], read).optional().map_err(|e| self.sqlite(e))?;
        found.map(|row| row.ok_or_else(|| self.damaged("a token"))).transpose()
    }

    /// Notes that a token was used.
    pub fn touch_token(&self, label: &str, now: i64) -> Result<(), StoreError> {
        self.connection()
            .execute("UPDATE token SET used = ?2 WHERE label = ?1", params![label, now])
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Ends a token; `false` where none is called so.
    pub fn remove_token(&self, label: &str) -> Result<bool, StoreError> {
        let removed =
            self.connection().execute("DELETE FROM token WHERE label = ?1", [label]).map_err(|e| self.sqlite(e))?;
        Ok(removed > 0)
    }
}

/// `None` where the row holds what this program does not write.
fn user(row: &Row<'_>) -> Result<Option<User>, rusqlite::Error> {
    Ok(parse_user(row.get(0)?, &row.get::<_, String>(1)?, row.get(2)?))
}

fn parse_user(name: String, role: &str, added: i64) -> Option<User> {
    Some(User { name: UserName::try_from(name).ok()?, role: role.parse::<Role>().ok()?, added })
}

fn token(row: &Row<'_>) -> Result<Option<Token>, rusqlite::Error> {
    let (label, user, role): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (project, made): (Option<String>, i64) = (row.get(3)?, row.get(4)?);
    let (until, used) = (row.get(5)?, row.get(6)?);
    let parse = || {
        let project = project.map(|name| name.parse::<ProjectName>()).transpose().ok()?;
        Some(Token { label, user: user.parse().ok()?, role: role.parse().ok()?, project, made, until, used })
    };
    Ok(parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        (folder, store)
    }

    fn ana(role: Role) -> User {
        User { name: "ana".parse().unwrap(), role, added: 1 }
    }

    #[test]
    fn a_link_signs_in_once_and_only_in_time() {
        let (_folder, store) = store();
        let ana = ana(Role::Viewer);
        store.put_user(&ana).unwrap();
        store.add_sign_in_link("link", &ana.name, 100, 1).unwrap();
        assert_eq!(store.sign_in_link("link", 99).unwrap(), Some(ana.clone()));
        assert_eq!(store.sign_in_link("link", 100).unwrap(), None);
        assert!(!store.use_sign_in_link("link", "late", 100).unwrap());
        assert!(store.use_sign_in_link("link", "session", 99).unwrap());
        assert!(!store.use_sign_in_link("link", "again", 99).unwrap());
        assert_eq!(store.session("session").unwrap(), Some(Session { user: ana, began: 99, seen: 99 }));
        assert_eq!(store.session("again").unwrap(), None);
    }

    #[test]
    fn whoever_is_removed_is_out_and_another_role_holds_at_once() {
        let (_folder, store) = store();
        store.put_user(&ana(Role::Viewer)).unwrap();
        store.add_sign_in_link("link", &ana(Role::Viewer).name, 100, 1).unwrap();
        store.use_sign_in_link("link", "session", 2).unwrap();
        let token = Token {
            label: "ci".into(),
            user: "ana".parse().unwrap(),
            role: Role::Viewer,
            project: Some("kaia".parse().unwrap()),
            made: 1,
            until: 100,
            used: None,
        };
        assert!(store.add_token(&token, "digest").unwrap());
        assert!(!store.add_token(&token, "another").unwrap());
        store.put_user(&ana(Role::Admin)).unwrap();
        assert_eq!(store.session("session").unwrap().unwrap().user.role, Role::Admin);
        store.touch_token("ci", 7).unwrap();
        let (found, user) = store.token("digest").unwrap().unwrap();
        assert_eq!((found, user.role), (Token { used: Some(7), ..token }, Role::Admin));
        assert!(store.remove_user(&"ana".parse().unwrap()).unwrap());
        assert!(!store.remove_user(&"ana".parse().unwrap()).unwrap());
        assert_eq!((store.session("session").unwrap(), store.token("digest").unwrap()), (None, None));
        assert!(store.tokens().unwrap().is_empty() && store.users().unwrap().is_empty());
    }

    #[test]
    fn old_sessions_are_forgotten() {
        let (_folder, store) = store();
        store.put_user(&ana(Role::Viewer)).unwrap();
        for (link, at) in [("one", 10), ("two", 20), ("three", 30)] {
            store.add_sign_in_link(link, &ana(Role::Viewer).name, 100, 1).unwrap();
            store.use_sign_in_link(link, link, at).unwrap();
        }
        store.touch_session("one", 30).unwrap();
        store.drop_sessions(15, 25).unwrap();
        let there: Vec<&str> =
            ["one", "two", "three"].into_iter().filter(|s| store.session(s).unwrap().is_some()).collect();
        assert_eq!(there, ["three"]);
    }
}
