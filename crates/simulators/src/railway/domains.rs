//! Hosts of the team's own.

use serde_json::{Value, json};

use super::{
    shown,
    world::{Domain, Done, Environment, World, not_authorized},
};
use crate::graphql::Refused;

/// What a server of names says of a host: its CNAME, or its TXT.
pub(super) type Names = dyn Fn(&str, &str) -> Option<String> + Send + Sync;

impl World {
    pub(super) fn is_free(&mut self, host: &str) -> bool {
        let taken = |e: &mut Environment| e.instances.values().flat_map(|i| &i.domains).any(|d| d.host == host);
        !self.environments().any(taken)
    }

    pub(super) fn create_domain(
        &mut self,
        environment: &str,
        service: &str,
        host: &str,
        port: Option<u64>,
    ) -> Done<Value> {
        let sound = host.split('.').count() > 1 && host.split('.').all(|l| !l.is_empty() && l.len() < 64);
        if !sound || host.ends_with(".up.railway.app") {
            return Err(Refused::new(format!("{host} is not a valid domain")));
        }
        if !self.is_free(host) {
            return Err(Refused::new(format!("{host} is already in use")));
        }
        let id = self.id();
        let project = self.project_of_environment(environment)?.id.clone();
        // Another one each time: whoever makes a domain anew has to change the record.
        let target = format!("{}.up.railway.app", id.replace('-', "").get(..16).unwrap_or_default());
        let token = format!("railway-verify={}", id.replace('-', ""));
        let domain = Domain { id, host: host.to_owned(), port, target, token, verified: false };
        let shown = shown::domain(&project, environment, service, &domain);
        self.instance(environment, service)?.domains.push(domain);
        Ok(shown)
    }

    pub(super) fn delete_domain_of(&mut self, environment: &str, service: &str, host: &str) -> Done<Value> {
        let domains = &mut self.instance(environment, service)?.domains;
        let place = domains.iter().position(|d| d.host == host).ok_or_else(not_authorized)?;
        domains.remove(place);
        Ok(json!(true))
    }

    pub(super) fn delete_domain(&mut self, id: &str) -> Done<Value> {
        let (environment, service, domain) = self.domain(id)?;
        self.delete_domain_of(&environment, &service, &domain.host)
    }

    pub(super) fn domain(&mut self, id: &str) -> Done<(String, String, Domain)> {
        let of = |e: &mut Environment| {
            e.instances.iter().find_map(|(service, instance)| {
                let found = instance.domains.iter().find(|d| d.id == id)?;
                Some((e.id.clone(), service.clone(), found.clone()))
            })
        };
        self.environments().find_map(of).ok_or_else(not_authorized)
    }

    /// Looks at what the world's servers of names say: a host is verified by both of its records, never by one.
    pub(super) fn verify(&mut self, names: &Names) {
        for domain in self.environments().flat_map(|e| e.instances.values_mut()).flat_map(|i| &mut i.domains) {
            let leads_here = names("CNAME", &domain.host).as_deref() == Some(&domain.target);
            let proved = names("TXT", &shown::proof(&domain.host)).as_deref() == Some(&domain.token);
            domain.verified |= leads_here && proved;
        }
    }
}
