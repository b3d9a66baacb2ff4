//! What an alert is called, in the languages of notifications.

use super::check::{Check, What};
use crate::spec::Language;

/// What is wrong, on one line.
#[must_use]
pub fn headline(check: &Check, language: Language) -> String {
    let Check { what, service, target } = check;
    let place = if target.is_empty() { service.clone() } else { format!("{service} ({target})") };
    match language {
        Language::English => match what {
            What::Proxy => "the proxy does not answer".to_owned(),
            What::Http => format!("{place} does not answer as it should"),
            What::Tcp => format!("{place} takes no connections"),
            What::Process => format!("{place} does not stay up"),
            What::Postgres => "PostgreSQL does not answer".to_owned(),
            What::Redis => "Redis does not answer".to_owned(),
            What::Latency => format!("{place} answers slowly"),
            What::Connections => "PostgreSQL runs out of connections".to_owned(),
            What::Archive => "the log of PostgreSQL is not archived".to_owned(),
            What::Bloat => "a table consists largely of dead rows".to_owned(),
            What::SlowQueries => "a query takes too long".to_owned(),
            What::RedisMemory => "Redis runs out of memory".to_owned(),
            What::RedisConnections => "Redis runs out of connections".to_owned(),
            What::Queue => "deployments are stuck".to_owned(),
            What::Disk => "the disk is nearly full".to_owned(),
            What::Backup => "there is no backup that is young enough".to_owned(),
            What::Certificate => format!("the certificate of {target} is in trouble"),
            What::Dns => format!("{target} cannot be found"),
        },
        Language::Spanish => match what {
            What::Proxy => "el proxy no responde".to_owned(),
            What::Http => format!("{place} no responde como debería"),
            What::Tcp => format!("{place} no acepta conexiones"),
            What::Process => format!("{place} no se mantiene en marcha"),
            What::Postgres => "PostgreSQL no responde".to_owned(),
            What::Redis => "Redis no responde".to_owned(),
            What::Latency => format!("{place} responde con lentitud"),
            What::Connections => "a PostgreSQL se le acaban las conexiones".to_owned(),
            What::Archive => "el registro de PostgreSQL no se archiva".to_owned(),
            What::Bloat => "una tabla consiste en gran parte en filas muertas".to_owned(),
            What::SlowQueries => "una consulta tarda demasiado".to_owned(),
            What::RedisMemory => "a Redis se le acaba la memoria".to_owned(),
            What::RedisConnections => "a Redis se le acaban las conexiones".to_owned(),
            What::Queue => "los despliegues están atascados".to_owned(),
            What::Disk => "el disco está casi lleno".to_owned(),
            What::Backup => "no hay una copia de seguridad lo bastante reciente".to_owned(),
            What::Certificate => format!("el certificado de {target} tiene problemas"),
            What::Dns => format!("no se encuentra {target}"),
        },
    }
}

/// For how long it was so, as people read it.
#[must_use]
pub fn over(millis: i64, language: Language) -> String {
    let seconds = millis.max(0) / 1000;
    let span = match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    };
    match language {
        Language::English => format!("it lasted {span}"),
        Language::Spanish => format!("duró {span}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_headline_of_its_own_in_each_language() {
        let all = |language| What::ALL.map(|what| headline(&Check::at(what, "backend", "api.kaia.ai"), language));
        let (english, spanish) = (all(Language::English), all(Language::Spanish));
        for (n, text) in english.iter().enumerate() {
            assert_ne!(text, &spanish[n]);
            assert_eq!(english.iter().filter(|other| *other == text).count(), 1, "{text}");
        }
    }
}
