//! How a move ends: forward, once the target serves, or back.

use ambit_domain::{
    Failure, FailureKind, Placement,
    relocation::{Phase, Relocation},
};

use super::{Moved, Moving, left, lives, other, place, under_way, word};

impl Moving<'_> {
    /// The target serves: names lead there, the source stays as it is, and everything is written down. May be done again.
    pub(super) async fn finish(&mut self) -> Result<Moved, Failure> {
        // Nobody takes it back any more.
        self.progress = self.progress.beyond_recall();
        let to = self.relocation.to;
        let on = |failure: Failure| {
            let again = format!("ambit move -e {} --to {}", self.id.environment, word(to));
            failure.because(format!("it serves at {} already, and goes on to there", place(to))).hint(again)
        };
        // From here on what is deployed goes there.
        self.ambit.remember(&lives(self.id), &Some(to))?;
        let mut left_to_do = self.switch_names().await.map_err(on)?;
        crate::fault::point("names of a move lead to the target");
        if to == Placement::Railway {
            self.ambit.stop_but_sites(self.id).await.map_err(on)?;
        }
        self.close_again().await.map_err(on)?;
        self.ambit.remember(&left(self.id, other(to)), &true)?;
        self.ambit.remember(&left(self.id, to), &false)?;
        left_to_do.push(match to {
            Placement::Railway => {
                let with = if self.has_sites() { " (its sites on this machine go with it)" } else { "" };
                format!(
                    "what was on this machine is stopped and kept; once nobody needs it: ambit destroy {}{with}",
                    self.id.environment
                )
            }
            Placement::Host => format!(
                "what was at Railway is stopped and kept; once nobody needs it: delete the project {} in Railway's pages",
                self.environment.declared_railway_project().unwrap_or_default()
            ),
        });
        if self.relocation.left {
            let kept = match to {
                Placement::Host => "on this machine",
                Placement::Railway => "at Railway",
            };
            left_to_do
                .push(format!("the database that was {kept} before is kept beside it: its name ends in -before-move"));
        }
        self.ambit.note_done(self.note("environment.moved"), &self.progress);
        self.ambit.remember(&under_way(self.id), &None::<Relocation>)?;
        Ok(Moved { environment: self.id.environment.clone(), to, carried: self.relocation.carried.clone(), left_to_do })
    }

    /// The source starts again; tells why.
    pub(super) async fn take_back(&mut self, why: Failure) -> Failure {
        let from = place(other(self.relocation.to));
        let undone = async {
            self.enter(Phase::Undoing)?;
            self.undo().await
        };
        match undone.await {
            Ok(()) => why.because(format!("it was taken back: {} serves at {from} as before", self.id.environment)),
            Err(failure) => failure
                .causes
                .iter()
                .fold(why.because(format!("it could not be taken back: {}", failure.message)), |told, cause| {
                    told.because(cause.clone())
                })
                .hint(format!(
                    "ambit move -e {} --to {} tries that again",
                    self.id.environment,
                    word(self.relocation.to)
                )),
        }
    }

    /// May be done again.
    pub(super) async fn undo(&mut self) -> Result<(), Failure> {
        self.progress = self.progress.beyond_recall();
        let progress = self.progress.clone();
        let work = async {
            // What runs there would do work twice. Where it cannot be stopped now, the source serves all the same: names lead to it.
            let stopped = self.stop_target().await;
            self.start_source().await?;
            crate::fault::point("a move is taken back");
            stopped?;
            self.close_again().await?;
            Ok(((), format!("it serves at {} again", place(other(self.relocation.to))), true))
        };
        progress.step("back", work).await?;
        if self.left_ours().await? {
            self.ambit.remember(&left(self.id, self.relocation.to), &true)?;
        }
        self.ambit.note_done(self.note("environment.move-undone"), &self.progress);
        self.ambit.remember(&under_way(self.id), &None::<Relocation>)
    }

    /// Whether what lies at the target came there by this move, so that the next try may write over it.
    async fn left_ours(&self) -> Result<bool, Failure> {
        // On this machine nothing was there when it began, or what was left.
        if self.relocation.touched || self.relocation.left || self.relocation.to == Placement::Host {
            return Ok(true);
        }
        let hosted = self.hosted()?;
        Ok(hosted.declared().is_subset(&self.relocation.fresh))
    }

    /// What was reached from outside only for the move is not any more.
    async fn close_again(&self) -> Result<(), Failure> {
        if self.relocation.opened.is_empty() {
            return Ok(());
        }
        let hosted = self.hosted()?;
        match hosted.close(&self.relocation.opened).await {
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(()),
            closed => closed,
        }
    }
}
