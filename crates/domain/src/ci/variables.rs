//! What tests find in their environment: the declared variables, servers of their own, and made-up secrets. It is the same
//! that they find where Ambit runs them, so that a test passes in both places or in neither.

use ambit_spec::{Environment, Inputs, Reference, ServerPart, UrlPart, Value};

/// Name, user and password of the test servers; nobody but the job reaches them.
pub(super) const TESTS: &str = "tests";
pub(super) const POSTGRES_PORT: u16 = 5432;
pub(super) const REDIS_PORT: u16 = 6379;

/// The variables of a test run.
pub(super) fn variables(environment: &Environment) -> Vec<(String, String)> {
    // What cannot be made up is left out: the tests themselves say what they miss.
    let declared = ambit_spec::resolve(environment, &TestInputs(environment)).unwrap_or_default();
    let mut all: Vec<(String, String)> = declared.into_iter().map(|v| (v.name, v.value)).collect();
    let mut set = |name: &str, value: String| {
        all.retain(|(n, _)| n != name);
        all.push((name.to_owned(), value));
    };
    if environment.postgres.is_some() {
        set("DATABASE_URL", postgres(&ServerPart::Url));
    }
    if environment.redis.is_some() {
        set("REDIS_URL", redis(&ServerPart::Url));
    }
    set("NODE_ENV", "test".to_owned());
    all
}

fn postgres(part: &ServerPart) -> String {
    match part {
        ServerPart::Url => format!("postgresql://{TESTS}:{TESTS}@127.0.0.1:{POSTGRES_PORT}/{TESTS}"),
        ServerPart::Host => "127.0.0.1".to_owned(),
        ServerPart::Port => POSTGRES_PORT.to_string(),
        ServerPart::User | ServerPart::Password | ServerPart::Database => TESTS.to_owned(),
    }
}

fn redis(part: &ServerPart) -> String {
    match part {
        ServerPart::Url => format!("redis://127.0.0.1:{REDIS_PORT}/0"),
        ServerPart::Host => "127.0.0.1".to_owned(),
        ServerPart::Port => REDIS_PORT.to_string(),
        ServerPart::User => "default".to_owned(),
        ServerPart::Password => String::new(),
        ServerPart::Database => "0".to_owned(),
    }
}

struct TestInputs<'a>(&'a Environment);

impl Inputs for TestInputs<'_> {
    fn reference(&self, reference: &Reference) -> Option<String> {
        match reference {
            Reference::Postgres(part) => self.0.postgres.as_ref().map(|_| postgres(part)),
            Reference::Redis(part) => self.0.redis.as_ref().map(|_| redis(part)),
            Reference::Service(name, UrlPart::Url) => Some(format!("http://{name}.test.localhost")),
            Reference::Service(name, UrlPart::Host) => Some(format!("{name}.test.localhost")),
            Reference::EnvironmentName => Some("test".to_owned()),
            Reference::EnvironmentKind => Some("development".to_owned()),
            Reference::Variable(_) => None,
        }
    }

    fn secret(&self, name: &str) -> Option<String> {
        let rules = &self.0.variables.get(name)?.rules;
        if let Some(first) = rules.one_of.first() {
            return Some(first.clone());
        }
        let made_up = made_up(name, rules.min_length.unwrap_or(0));
        Some(if rules.url { format!("https://{}.test.localhost/{made_up}", TESTS) } else { made_up })
    }

    fn generated(&self, name: &str) -> Option<String> {
        match self.0.variables.get(name)?.value {
            Value::Generated(length) => Some(made_up(name, length).chars().take(length).collect()),
            _ => None,
        }
    }
}

/// A text that anybody sees to be no secret, another one for each name, long enough and the same every time.
fn made_up(name: &str, length: usize) -> String {
    let word = format!("made-up-{}-", name.to_lowercase().replace('_', "-"));
    word.chars().cycle().take(length.max(40)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_find_servers_declared_values_and_secrets_that_are_none() {
        let toml = "project = \"shop\"\n[environments.prod]\nbranch = \"main\"\n[services.postgres]\n[services.redis]\n\
            [variables]\nLEVEL = { prod = \"warn\" }\nDB = \"${postgres.host}\"\nURL = \"x-${TOKEN}\"\nCODE = { generate = 12 }\n\
            [secrets]\nTOKEN = { min-length = 64 }\nMODE = { one-of = [\"a\", \"b\"] }\nHOOK = { url = true }\n";
        let project = ambit_spec::parse(toml).project.unwrap();
        let all = variables(&project.environments[0]);
        let get = |name: &str| all.iter().find(|(n, _)| n == name).unwrap().1.as_str();
        assert_eq!((get("LEVEL"), get("DB"), get("MODE"), get("NODE_ENV")), ("warn", "127.0.0.1", "a", "test"));
        assert_eq!(get("TOKEN").len(), 64);
        assert!(get("TOKEN").starts_with("made-up-token-") && get("URL").starts_with("x-made-up"));
        assert_eq!(get("CODE").len(), 12);
        assert!(get("HOOK").starts_with("https://tests.test.localhost/made-up-hook-"));
        assert_eq!(get("DATABASE_URL"), "postgresql://tests:tests@127.0.0.1:5432/tests");
    }
}
