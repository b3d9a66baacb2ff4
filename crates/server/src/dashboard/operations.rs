//! The operations as they are asked for over HTTP: one table, from which the routes of the API, its OpenAPI document and
//! the forms of the pages are made. Which role each needs is said in `ambit_domain::access`.

mod changing;
mod looking;

use ambit_domain::access::Operation;

use super::endpoint::{Endpoint, Field};

const PROJECT: Field = Field::text("project", "The project.").needed();
const ENVIRONMENT: Field = Field::text("environment", "The environment.").needed();
const NUMBER: Field = Field::number("number", "The number of the deployment.").needed();
const NAME: Field = Field::text("name", "The name of the copy.").needed();
const OF_ENVIRONMENT: Field = Field::text("environment", "Of this environment alone.");
const LIMIT: Field = Field::number("limit", "The newest so many; 50 where nothing is said, at most 1000.");
const REASON: Field = Field::text("reason", "Why; it stays in the record.");
const GATE: Field = Field::text("gate", "The name of the gate.").needed();
const TO: Field = Field::text(
    "to",
    "A version, a commit, a release or the number of a deployment; the one before where nothing is said.",
);

/// How an operation is asked for.
pub(crate) fn endpoint(operation: Operation) -> Endpoint {
    let known = looking::endpoint(operation).or_else(|| changing::endpoint(operation));
    known.expect("each operation has an endpoint; a test asks for all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_an_address_of_its_own_whose_fields_are_described() {
        let mut seen = std::collections::HashSet::new();
        for operation in Operation::ALL {
            let endpoint = endpoint(*operation);
            assert!(seen.insert((endpoint.method.clone(), endpoint.path)), "{}", endpoint.path);
            for part in endpoint.path.split('/').filter_map(|p| p.strip_prefix('{')) {
                let named = part.trim_end_matches('}');
                let field = endpoint.fields.iter().find(|f| f.name == named);
                assert!(field.is_some_and(|f| f.required), "{}: {named}", endpoint.path);
            }
            assert_eq!(Operation::named(operation.name()), Some(*operation));
        }
    }
}
