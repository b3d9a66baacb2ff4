//! Sessions of the dashboard, and the links that they begin with.

use ambit_domain::{
    Actor, Failure, FailureKind,
    access::{Caller, Entrance, Role, User, UserName},
};
use ambit_store::Session;
use serde::{Deserialize, Serialize};

use super::{about, digest, secret, user_name};
use crate::ambit::{Ambit, now, store_failure};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// How long a link holds.
const LINK: i64 = 10 * MINUTE;
/// After so long without a request a session is over.
const IDLE: i64 = 8 * HOUR;
/// After so long it is over whatever happens.
const LONGEST: i64 = 7 * 24 * HOUR;

/// Somebody who wants to sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// Who; the one who asks where nobody is named.
    pub user: Option<String>,
    /// Who asks.
    pub actor: Actor,
}

/// What signs somebody in once.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignInLink {
    /// Whom.
    pub user: User,
    /// The secret of the link.
    pub code: String,
    /// Until when, in milliseconds since the Unix epoch.
    pub until: i64,
}

impl Ambit {
    /// Makes a link that signs somebody in once. The first who ever asks becomes an admin.
    pub fn sign_in_link(&self, request: &SignIn) -> Result<SignInLink, Failure> {
        let name = user_name(request.user.as_deref().unwrap_or(&request.actor.who))?;
        let user = if request.user.is_none() && self.users()?.is_empty() {
            self.first_user(name, &request.actor)?
        } else {
            self.known_user(&name)?
        };
        let (code, now) = (secret(), now());
        let until = now + LINK;
        self.store.add_sign_in_link(&digest(&code), &user.name, until, now).map_err(|e| store_failure(&e))?;
        self.note(about(&request.actor, "user.link", &user.name))?;
        Ok(SignInLink { user, code, until })
    }

    fn first_user(&self, name: UserName, actor: &Actor) -> Result<User, Failure> {
        let user = User { name, role: Role::Admin, added: now() };
        self.store.put_user(&user).map_err(|e| store_failure(&e))?;
        self.note(about(actor, "user.added", &user.name).about("role", user.role.name()))?;
        Ok(user)
    }

    /// Whom a link would sign in, while it holds. Reads only: what merely looks at a link does not use it up.
    pub fn signs_in(&self, code: &str) -> Result<Option<User>, Failure> {
        self.store.sign_in_link(&digest(code), now()).map_err(|e| store_failure(&e))
    }

    /// Uses a link; returns the secret of the session.
    pub fn sign_in(&self, code: &str) -> Result<String, Failure> {
        let (session, now) = (secret(), now());
        self.store.drop_sessions(now - LONGEST, now - IDLE).map_err(|e| store_failure(&e))?;
        if !self.store.use_sign_in_link(&digest(code), &digest(&session), now).map_err(|e| store_failure(&e))? {
            return Err(Failure::new(FailureKind::User, "this link was used already, or is out of date")
                .hint("ambit login makes another"));
        }
        if let Some(caller) = self.session(&session)? {
            self.note(about(&caller.actor(), "user.signed-in", &caller.user.name))?;
        }
        Ok(session)
    }

    /// Whose a session is, while it lasts. Using it makes it last.
    pub fn session(&self, secret: &str) -> Result<Option<Caller>, Failure> {
        let now = now();
        let found = self.lasting(secret, now)?;
        if let Some(session) = &found
            && now - session.seen > MINUTE
        {
            self.store.touch_session(&digest(secret), now).map_err(|e| store_failure(&e))?;
        }
        Ok(found.map(caller))
    }

    /// The same for a page that is only left open: that is no use of it.
    pub fn watching_session(&self, secret: &str) -> Result<Option<Caller>, Failure> {
        Ok(self.lasting(secret, now())?.map(caller))
    }

    fn lasting(&self, secret: &str, now: i64) -> Result<Option<Session>, Failure> {
        let digest = digest(secret);
        let Some(session) = self.store.session(&digest).map_err(|e| store_failure(&e))? else { return Ok(None) };
        if now - session.began > LONGEST || now - session.seen > IDLE {
            self.store.end_session(&digest).map_err(|e| store_failure(&e))?;
            return Ok(None);
        }
        Ok(Some(session))
    }

    /// Ends a session.
    pub fn sign_out(&self, secret: &str) -> Result<(), Failure> {
        if let Some(caller) = self.session(secret)? {
            self.store.end_session(&digest(secret)).map_err(|e| store_failure(&e))?;
            self.note(about(&caller.actor(), "user.signed-out", &caller.user.name))?;
        }
        Ok(())
    }
}

fn caller(session: Session) -> Caller {
    Caller { user: session.user, entrance: Entrance::Dashboard }
}

#[cfg(test)]
mod tests {
    use ambit_domain::access::Operation;

    use super::*;
    use crate::access::{RemoveUser, SetUser, opened};

    fn ask(user: Option<&str>) -> SignIn {
        SignIn { user: user.map(str::to_owned), actor: Actor::cli("Lead@Kaia.ai", 0) }
    }

    #[test]
    fn the_first_is_an_admin_and_everybody_else_has_to_be_added() {
        let (_folder, ambit) = opened();
        let first = ambit.sign_in_link(&ask(None)).unwrap();
        assert_eq!((first.user.name.as_str(), first.user.role), ("lead@kaia.ai", Role::Admin));
        assert!(ambit.sign_in_link(&ask(Some("ana"))).is_err());
        let add = SetUser { name: "ana".into(), role: Role::Qa, known: false, actor: ask(None).actor };
        ambit.set_user(&add).unwrap();
        assert!(ambit.set_user(&add).is_err());
        assert_eq!(ambit.sign_in_link(&ask(Some("ana"))).unwrap().user.role, Role::Qa);
    }

    #[test]
    fn a_link_makes_one_session_that_ends_by_signing_out_and_with_its_person() {
        let (_folder, ambit) = opened();
        let link = ambit.sign_in_link(&ask(None)).unwrap();
        assert_eq!(ambit.signs_in(&link.code).unwrap(), Some(link.user.clone()));
        let session = ambit.sign_in(&link.code).unwrap();
        assert!(ambit.sign_in(&link.code).is_err());
        assert_eq!(ambit.signs_in(&link.code).unwrap(), None);
        let caller = ambit.session(&session).unwrap().unwrap();
        assert!(caller.may(Operation::Restore, None));
        assert_eq!(caller.actor(), Actor { who: "lead@kaia.ai".into(), from: "dashboard".into() });
        for forged in ["", "x", &link.code, &digest(&session)] {
            assert_eq!(ambit.session(forged).unwrap(), None, "{forged}");
        }
        ambit.sign_out(&session).unwrap();
        assert_eq!(ambit.session(&session).unwrap(), None);

        let session = ambit.sign_in(&ambit.sign_in_link(&ask(None)).unwrap().code).unwrap();
        ambit.remove_user(&RemoveUser { name: "lead@kaia.ai".into(), actor: ask(None).actor }).unwrap();
        assert_eq!(ambit.session(&session).unwrap(), None);
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_when_it_is_old() {
        let (_folder, ambit) = opened();
        let link = ambit.sign_in_link(&ask(None)).unwrap();
        for (began, seen, lives) in
            [(IDLE, MINUTE, true), (IDLE + MINUTE, IDLE + MINUTE, false), (LONGEST + MINUTE, 0, false)]
        {
            let code = digest(&format!("{began} {seen}"));
            ambit.store.add_sign_in_link(&code, &link.user.name, now() + LINK, 0).unwrap();
            ambit.store.use_sign_in_link(&code, &digest(&code), now() - began).unwrap();
            ambit.store.touch_session(&digest(&code), now() - seen).unwrap();
            assert_eq!(ambit.session(&code).unwrap().is_some(), lives, "{began} {seen}");
        }
    }
}
