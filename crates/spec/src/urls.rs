//! URLs as they are declared: `api.@`, `@/docs`, `docs.example.org`.

use crate::{model::Url, name::ProjectName};

/// Reads one; the error says what is wrong with it.
pub(crate) fn read(text: &str, domain: Option<&str>, project: &ProjectName) -> Result<Url, String> {
    if text.contains("://") {
        return Err("write it without https://; ambit decides on the scheme".into());
    }
    let (host, path) = match text.find('/') {
        Some(slash) => text.split_at(slash),
        None => (text, "/"),
    };
    if host.contains(':') {
        return Err("write it without a port".into());
    }
    let local_domain = format!("{project}.localhost");
    let public = host.replace('@', domain.unwrap_or(&local_domain)).to_ascii_lowercase();
    check_host(&public)?;
    let local = match domain {
        _ if host.contains('@') => host.replace('@', &local_domain),
        Some(domain) => match public.strip_suffix(domain).filter(|rest| rest.is_empty() || rest.ends_with('.')) {
            Some(rest) => format!("{rest}{local_domain}"),
            None => format!("{public}.localhost"),
        },
        None if public.ends_with(".localhost") => public.clone(),
        None => format!("{public}.localhost"),
    }
    .to_ascii_lowercase();
    check_host(&local)?;
    Ok(Url { host: public, local_host: local, path: check_path(path)? })
}

/// RFC 1123, 2.1, with the lengths of RFC 1035, 2.3.4.
pub(crate) fn check_host(host: &str) -> Result<(), String> {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        return Ok(());
    }
    Err(format!("`{}` is not a host name", crate::reader::shown(host)))
}

fn check_path(path: &str) -> Result<String, String> {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return Ok("/".into());
    }
    let segment = |s: &str| {
        !s.is_empty()
            && s != "."
            && s != ".."
            && s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
    };
    if trimmed.get(1..).unwrap_or_default().split('/').all(segment) {
        return Ok(trimmed.to_owned());
    }
    Err("its path may hold letters, digits and - _ . ~ between slashes".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<(String, String, String), String> {
        read(text, Some("kaia.ai"), &"kaia".parse().unwrap()).map(|u| (u.host, u.local_host, u.path))
    }

    #[test]
    fn the_domain_is_replaced_by_the_projects_own_on_this_machine() {
        assert_eq!(url("@").unwrap(), ("kaia.ai".into(), "kaia.localhost".into(), "/".into()));
        assert_eq!(url("dev.@/docs/").unwrap(), ("dev.kaia.ai".into(), "dev.kaia.localhost".into(), "/docs".into()));
        assert_eq!(url("API.kaia.ai").unwrap().1, "api.kaia.localhost");
        assert_eq!(url("kaia.org").unwrap().1, "kaia.org.localhost");
        assert_eq!(url("notkaia.ai").unwrap().1, "notkaia.ai.localhost");
    }

    #[test]
    fn what_is_no_host_or_path_is_refused() {
        for bad in ["", "https://@", "@:80", "a b.@", "-a.@", "@/..", "@//x", "@/a?b", "@/%2e", "a..@", "ñ.@"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
