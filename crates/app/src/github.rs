//! The repository at GitHub, for everything that asks it something or tells it something.

use ambit_cloud::github::{BASE, Github};
use ambit_domain::Failure;

use crate::{declaration::Declaration, outside::Tokens};

impl Declaration {
    /// The project's repository; `None` where none is declared.
    pub(crate) fn github(&self, tokens: &Tokens) -> Result<Option<Github>, Failure> {
        let Some(declared) = &self.project.providers.github else { return Ok(None) };
        let door = self.door(("github", "GitHub"), &declared.access, BASE, tokens)?;
        Github::new(&door.base, &door.token, &declared.repository).map(Some)
    }

    /// The same by a secret of the project, for work that nobody waits for; `None` also where there is no such secret.
    pub(crate) fn github_by_secret(&self) -> Option<Github> {
        self.github(&Tokens::default()).ok().flatten()
    }
}
