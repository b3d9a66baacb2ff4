//! Whether an app lets in the pages that ask it: a browser asks first (Fetch standard, CORS-preflight fetch), and so is asked here. Only of
//! apps that declare which origins they let in; what others mean to do nobody can know.

use std::net::SocketAddr;

use ambit_domain::{
    Failure,
    diagnosis::{Check, Trouble},
    spec::{Form, Kind, Service, Url},
};
use ambit_spec::Resolved;

use super::{Examined, ask, processes::reachable, told};
use crate::{address::Address, components::given_to, variables::View};

/// Where Expo's development server shows an app in a browser.
const EXPO_WEB: &str = "http://localhost:8081";

impl Examined<'_> {
    pub(super) async fn cross_origin(&self) -> Result<Vec<Check>, Failure> {
        let (Some(declared), Some(declaration)) = (self.declared, self.seen.declaration) else { return Ok(Vec::new()) };
        let variables = match self.seen.ambit.resolve(declaration, &self.id.environment, View::Here) {
            Ok(variables) => variables,
            Err(failure) => {
                let trouble = told(&failure, "the variables were resolved");
                let id = self.name("variables");
                let what = format!("the variables of {} have values", self.id.environment);
                return Ok(vec![Check::new(id, what, Err(trouble)).needs(["secrets", "key"])]);
            }
        };
        let listen = self.seen.ambit.listen()?;
        let address = self.seen.ambit.address()?;
        let mut checks = Vec::new();
        for app in declared.services.values().filter(|s| matches!(s.form, Form::App(_))) {
            let given = given_to(app, &variables);
            let Some(list) = given.iter().find(|v| lists_origins(&v.name)) else { continue };
            let Some(url) = app.urls.first() else { continue };
            for (origin, who) in self.origins(app, list, &variables, address) {
                let found = self.lets_in(app, url, listen, &origin, &who, list).await;
                let id = self.name(&format!("{}/origin/{origin}", app.name));
                let what = format!("{} of {} lets {origin} in", app.name, self.id.environment);
                let route = self.name(&format!("{}/route", app.name));
                checks.push(Check::new(id, what, found).needs([route, self.name(app.name.as_str())]));
            }
        }
        Ok(checks)
    }

    /// The origins that ask an app: the sites whose pages read its address, Expo's page in development, and what is declared.
    fn origins(
        &self,
        app: &Service,
        list: &Resolved,
        variables: &[Resolved],
        address: Address,
    ) -> Vec<(String, String)> {
        let Some(declared) = self.declared else { return Vec::new() };
        let own: Vec<String> = app.urls.iter().map(|url| address.url(url)).collect();
        let reads_it = |names: &[String]| variables.iter().any(|v| names.contains(&v.name) && own.contains(&v.value));
        let mut all: Vec<(String, String)> = Vec::new();
        for service in declared.services.values() {
            if let (Form::Site(site), Some(url)) = (&service.form, service.urls.first())
                && reads_it(&site.expose)
            {
                let reference = format!("${{{}.url}}", service.name);
                all.push((origin_of(&address.url(url)), reference));
            }
        }
        if declared.kind == Kind::Development && declared.mobile.is_some() {
            all.push((EXPO_WEB.to_owned(), EXPO_WEB.to_owned()));
        }
        let listed = list.value.split(',').map(str::trim).filter(|word| word.starts_with("http"));
        all.extend(listed.map(|origin| (origin_of(origin), origin.to_owned())));
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|(origin, _)| !own.iter().any(|own| origin_of(own) == *origin) && seen.insert(origin.clone()));
        all
    }

    async fn lets_in(
        &self,
        app: &Service,
        url: &Url,
        listen: SocketAddr,
        origin: &str,
        who: &str,
        list: &Resolved,
    ) -> Result<(), Trouble> {
        let environment = &self.id.environment;
        let host = Address::Here(listen).host(url);
        let path = format!("{}/", url.path.trim_end_matches('/'));
        let from = vec![format!("Origin: {origin}")];
        let preflight = [from.clone(), vec!["Access-Control-Request-Method: GET".to_owned()]].concat();
        let mut said = String::new();
        for (method, headers) in [("OPTIONS", preflight), ("GET", from)] {
            match ask::ask(reachable(listen), method, &host, &path, &headers).await {
                Ok(answer) => match answer.header("access-control-allow-origin") {
                    Some(allowed) if allowed == "*" || allowed == origin => return Ok(()),
                    allowed => {
                        said = format!("{method} with that Origin answered {} and {}", answer.status, allow(allowed))
                    }
                },
                Err(why) => said = why,
            }
        }
        let wrong =
            format!("{} of {environment} does not let {origin} in: browsers refuse its answers there", app.name);
        let lists = list.value.split(',').any(|word| origin_of(word.trim()) == origin);
        Err(if lists {
            Trouble::new(wrong, format!("{said}, though {} lists it", list.name), self.up())
                .and(format!("ambit logs {} -e {environment}   # does it read {}?", app.name, list.name))
        } else {
            let mend = format!("add {who} to {} in ambit.toml, then {}", list.name, self.up());
            Trouble::new(wrong, format!("{said}; {} is {}", list.name, list.value), mend)
        })
    }
}

fn allow(allowed: Option<&str>) -> String {
    allowed.map_or_else(|| "no Access-Control-Allow-Origin".to_owned(), |allowed| format!("allows {allowed}"))
}

/// Whether a variable's name says that it lists origins: `CORS_ORIGIN`, `CORS_ALLOWED_ORIGINS`, `ALLOWED_ORIGINS`.
fn lists_origins(name: &str) -> bool {
    name.contains("ORIGIN") && (name.contains("CORS") || name.contains("ALLOWED"))
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}")
}
