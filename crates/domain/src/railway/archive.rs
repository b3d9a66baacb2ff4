//! Whether a PostgreSQL at Railway can be restored to any moment: its image archives the log to a bucket (pgBackRest) where a template of
//! Railway's, laid over the service, has given it these variables.

use super::{
    compare::Found,
    ops::{Op, Place},
    present::PresentService,
    settings::Setting,
};
use crate::{
    outside::{Change, Detail, Remark, Said},
    spec::EnvironmentName,
};

/// The code of the template.
pub const ARCHIVE_TEMPLATE: &str = "postgres-pitr";
/// The variable that says where the log is archived: where it stands, it is.
pub const ARCHIVE: &str = "WAL_ARCHIVE_BUCKET";
/// The image whose beginning archives the log.
const IMAGE: &str = "postgres-ssl";

impl PresentService {
    /// Whether the log of this PostgreSQL is archived.
    #[must_use]
    pub fn archives(&self) -> bool {
        self.variables.contains_key(ARCHIVE)
    }
}

pub(super) fn compare(
    found: &mut Found,
    of: &EnvironmentName,
    key: &str,
    there: &PresentService,
    at: &Place,
    wanted: bool,
) {
    match (wanted, there.archives()) {
        (false, false) => {}
        (true, true) => found.kept += 1,
        (false, true) => found.remarks.push(Remark::new(
            key,
            "its log is archived, which is not declared; that is left as it is (Railway's pages switch it off, and delete what was archived)",
        )),
        (true, false) => match hindrance(there) {
            Some(why) => found.remarks.push(Remark::new(key, format!("it cannot be restored to any moment: {why}"))),
            None => {
                let what = Said::text("its log is archived; it is deployed anew for it, and away for a moment");
                let change = Change::create(format!("{key} point-in-time"), vec![Detail::new("", None, Some(what))]);
                found.step(of, change, Op::Archive { at: at.clone(), environment: of.clone() });
            }
        },
    }
}

/// Why its log would not be archived whatever is set. Of what is not made yet nothing is known.
fn hindrance(there: &PresentService) -> Option<String> {
    let image = there.image.as_deref().filter(|_| !there.id.is_empty())?;
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    if !name.ends_with(IMAGE) {
        return Some(format!("its image {image} is none of Railway's own"));
    }
    if tag.starts_with(|c: char| c.is_ascii_digit()) && tag.contains('.') {
        return Some(format!("its image {image} is of one minor version; it has to be of a major one"));
    }
    there.settings.contains_key(&Setting::StartCommand).then(|| "it is started by a command of its own".to_owned())
}
