//! The words that a database's own names are made of. Where somebody's address is `event@…` or `cross@…`, that word in a record of
//! migrations or in a setting says nothing about anybody.

use std::{collections::HashSet, sync::Arc};

use ambit_domain::Failure;

use super::{
    Words,
    fingerprint::{Fingerprint, plain_words},
};
use crate::{
    copy::{Carriage, reading},
    database::failed,
};

/// Names that the team's developers gave, and PostgreSQL's own key words. Values, comments and bodies of functions are not names.
const NAMES: &str = "SELECT nspname::text FROM pg_namespace n WHERE nspname !~ '^pg_'
    UNION SELECT relname FROM pg_class WHERE relnamespace >= 16384 OR relnamespace = 'public'::regnamespace
    UNION SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
      WHERE attnum > 0 AND NOT attisdropped AND (relnamespace >= 16384 OR relnamespace = 'public'::regnamespace)
    UNION SELECT conname FROM pg_constraint
    UNION SELECT proname FROM pg_proc WHERE pronamespace >= 16384 OR pronamespace = 'public'::regnamespace
    UNION SELECT typname FROM pg_type WHERE typnamespace >= 16384 OR typnamespace = 'public'::regnamespace
    UNION SELECT enumlabel FROM pg_enum
    UNION SELECT word FROM pg_get_keywords()";

/// Each by what it would be known as if it were somebody's local part.
pub(super) async fn vocabulary(carriage: &Arc<Carriage>) -> Result<HashSet<Fingerprint>, Failure> {
    let client = reading(&carriage.source, &carriage.snapshot).await?;
    let names = client.query(NAMES, &[]).await.map_err(|e| failed(&e))?;
    let (mut words, mut all) = (Words::default(), HashSet::new());
    for name in names {
        plain_words(&mut words, name.get(0), |word| {
            all.insert(word);
        });
    }
    Ok(all)
}
