//! Passkeys: keys on people's own devices that sign them in. Somebody who is signed in adds them; people themselves are made by
//! `ambit user` alone.

use ambit_domain::{
    Actor, Failure, FailureKind,
    access::{Passkey, UserName},
};

use super::{
    about, digest, secret,
    webauthn::{Ceremony, Made, Refused, Used, check_made, check_used},
};
use crate::ambit::{Ambit, now, store_failure};

/// Nobody has more.
const MOST: usize = 20;
/// No name is longer, in characters.
const LONGEST: usize = 60;

impl Ambit {
    /// Adds a passkey of somebody who is signed in.
    pub fn add_passkey(
        &self,
        user: &UserName,
        name: &str,
        made: &Made,
        ceremony: &Ceremony<'_>,
        actor: &Actor,
    ) -> Result<Passkey, Failure> {
        let name: String = name.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        if name.is_empty() {
            return Err(Failure::new(FailureKind::User, "the passkey has no name")
                .hint("name it after the device that it is on"));
        }
        if self.passkeys(user)?.len() >= MOST {
            return Err(Failure::new(
                FailureKind::User,
                format!("{user} has {MOST} passkeys already; remove one first"),
            ));
        }
        let key = check_made(made, ceremony).map_err(|why| refused(&why))?;
        let passkey = Passkey {
            id: made.id.clone(),
            user: user.clone(),
            name,
            host: ceremony.host.to_owned(),
            added: now(),
            used: None,
        };
        if !self.store.add_passkey(&passkey, &key).map_err(|e| store_failure(&e))? {
            return Err(Failure::new(FailureKind::User, "this passkey is known already"));
        }
        self.note(about(actor, "passkey.added", user).about("name", passkey.name.as_str()))?;
        Ok(passkey)
    }

    /// Somebody's passkeys, the newest first.
    pub fn passkeys(&self, user: &UserName) -> Result<Vec<Passkey>, Failure> {
        self.store.passkeys(user).map_err(|e| store_failure(&e))
    }

    /// Removes a passkey of somebody.
    pub fn remove_passkey(&self, user: &UserName, id: &str, actor: &Actor) -> Result<(), Failure> {
        if !self.store.remove_passkey(user, id).map_err(|e| store_failure(&e))? {
            return Err(Failure::new(FailureKind::NotFound, "there is no such passkey"));
        }
        self.note(about(actor, "passkey.removed", user)).map(drop)
    }

    /// Signs in whose passkey it is; returns the secret of the session.
    pub fn sign_in_by_passkey(&self, used: &Used, ceremony: &Ceremony<'_>) -> Result<String, Failure> {
        let unknown = || Failure::new(FailureKind::User, "this passkey is not known here");
        let found = self.store.passkey(&used.id).map_err(|e| store_failure(&e))?;
        let (passkey, key, known) = found.filter(|(passkey, ..)| passkey.host == ceremony.host).ok_or_else(unknown)?;
        let count = check_used(used, &key, ceremony).map_err(|why| refused(&why))?;
        let (session, now) = (secret(), now());
        // Devices that count do so upwards: otherwise there are two of them.
        if !self.store.use_passkey(&passkey.id, known, count, &digest(&session), now).map_err(|e| store_failure(&e))? {
            let actor = Actor::new(passkey.user.as_str(), "dashboard");
            self.note(about(&actor, "passkey.copied", &passkey.user).about("name", passkey.name.as_str()))?;
            return Err(Failure::new(FailureKind::User, "this passkey was used by another device since")
                .hint("sign in by a link of ambit login and remove it"));
        }
        if let Some(caller) = self.session(&session)? {
            let note = about(&caller.actor(), "user.signed-in", &caller.user.name);
            self.note(note.about("passkey", passkey.name.as_str()))?;
        }
        Ok(session)
    }
}

fn refused(why: &Refused) -> Failure {
    Failure::new(FailureKind::User, "the passkey is not taken").because(why.to_string())
}

#[cfg(test)]
mod tests {
    use ambit_domain::access::Role;

    use super::{super::webauthn::device::Device, *};
    use crate::{RemoveUser, SetUser, access::opened};

    const HERE: Ceremony<'_> =
        Ceremony { challenge: "abc", origin: "http://ambit.localhost:1", host: "ambit.localhost" };

    #[test]
    fn a_passkey_signs_in_its_person_until_it_or_they_are_removed() {
        let (_folder, ambit) = opened();
        let actor = Actor::cli("lead", 0);
        let ana: UserName = "ana".parse().unwrap();
        let add = SetUser { name: "ana".into(), role: Role::Qa, known: false, actor: actor.clone() };
        ambit.set_user(&add).unwrap();
        let mut device = Device::new(b"one");
        assert!(ambit.sign_in_by_passkey(&device.sign(&HERE), &HERE).is_err(), "nobody knows it");
        assert!(ambit.add_passkey(&ana, " \n", &device.make(&HERE), &HERE, &actor).is_err());
        let passkey = ambit.add_passkey(&ana, "phone", &device.make(&HERE), &HERE, &actor).unwrap();
        assert!(ambit.add_passkey(&ana, "again", &device.make(&HERE), &HERE, &actor).is_err());
        let session = ambit.sign_in_by_passkey(&device.sign(&HERE), &HERE).unwrap();
        assert_eq!(ambit.session(&session).unwrap().unwrap().user.role, Role::Qa);
        assert!(ambit.passkeys(&ana).unwrap()[0].used.is_some());

        assert!(ambit.sign_in_by_passkey(&device.sign(&HERE), &HERE).is_err(), "a copy counts from where it was");
        device.count = 2;
        assert!(ambit.sign_in_by_passkey(&device.sign(&HERE), &HERE).is_ok());
        let elsewhere = Ceremony { host: "ambit.kaia.ai", ..HERE };
        assert!(ambit.sign_in_by_passkey(&device.sign(&elsewhere), &elsewhere).is_err());

        let eva: UserName = "eva".parse().unwrap();
        assert!(ambit.remove_passkey(&eva, &passkey.id, &actor).is_err(), "it is not hers");
        ambit.remove_passkey(&ana, &passkey.id, &actor).unwrap();
        device.count = 3;
        assert!(ambit.sign_in_by_passkey(&device.sign(&HERE), &HERE).is_err());
        ambit.add_passkey(&ana, "phone", &device.make(&HERE), &HERE, &actor).unwrap();
        ambit.remove_user(&RemoveUser { name: "ana".into(), actor: actor.clone() }).unwrap();
        device.count = 4;
        assert!(ambit.sign_in_by_passkey(&device.sign(&HERE), &HERE).is_err());
        ambit.set_user(&add).unwrap();
        assert!(ambit.passkeys(&ana).unwrap().is_empty(), "who is added again has none of before");
    }

    #[test]
    fn a_device_that_does_not_count_is_taken_as_it_is() {
        let (_folder, ambit) = opened();
        let actor = Actor::cli("lead", 0);
        let ana: UserName = "ana".parse().unwrap();
        ambit
            .set_user(&SetUser { name: "ana".into(), role: Role::Viewer, known: false, actor: actor.clone() })
            .unwrap();
        let mut device = Device::new(b"one");
        device.count = 0;
        ambit.add_passkey(&ana, "phone", &device.make(&HERE), &HERE, &actor).unwrap();
        for _ in 0..2 {
            ambit.sign_in_by_passkey(&device.sign(&HERE), &HERE).unwrap();
        }
    }
}
