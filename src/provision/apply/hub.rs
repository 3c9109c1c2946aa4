//! The hub as a process: stopped, launched, or both.

use super::{Run, locked};
use crate::containers::Service;
use crate::hub_process::{self, Launch, Running};
use crate::provision::error::Error;
use crate::provision::plan::{Action, Step};
use crate::provision::progress::{Activity, Notice};
use crate::provision::undo::Undo;
use crate::tls;
use std::time::{Duration, Instant};
use url::Url;

const STOP_WITHIN: Duration = Duration::from_secs(15);
/// The hub gets this long to respond even where others used the time up.
const HUB_WITHIN: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// The hub as a process: stopped, started or both.
    pub(super) async fn run_hub(&self, step: &Step) -> Result<(), Error> {
        let instance = &self.work.request.installation.instance;
        if let Some(running) = &self.work.world.hub {
            let going = self.going(Activity::Stopping(Service::Hub));
            let stopped = hub_process::stop(instance, running, STOP_WITHIN).await;
            if let Some(launch) = self.launch_again(running) {
                self.undo(Undo::RelaunchHub(Box::new(launch)));
            }
            going.end(stopped)?;
        }
        let launch = self.work.decision.hub.launch();
        let running = match launch.filter(|_| step.action != Action::Stop) {
            None => None,
            Some(launch) => Some(self.launch(launch).await?),
        };
        locked(&self.done).running = running;
        Ok(())
    }

    async fn launch(&self, launch: &Launch) -> Result<Running, Error> {
        let installation = &self.work.request.installation;
        if launch.url.scheme() == "https" {
            let home = installation.home.as_deref();
            let made = tls::development_certificate(home, &installation.certificates)?;
            self.work.progress.notice(&Notice::DevelopmentCertificate {
                path: made.source.path,
                by_dotnet: made.by_dotnet,
            });
        }
        let going = self.going(Activity::WaitingForHub(launch.url.clone()));
        let left = self.deadline.saturating_duration_since(Instant::now());
        let within = left.max(HUB_WITHIN);
        let launched = self.wait(async {
            let instance = &installation.instance;
            Ok(hub_process::launch(instance, launch, within).await?)
        });
        let running = going.end(launched.await)?;
        self.undo(Undo::StopHub(running.clone()));
        Ok(running)
    }

    /// How a hub that ran would be started again; unknown for one of an old version.
    fn launch_again(&self, running: &Running) -> Option<Launch> {
        let url = Url::parse(&self.work.world.known.hub_url).ok()?;
        (!running.arguments.is_empty()).then(|| Launch {
            url,
            admin_url: running.admin_url.clone(),
            fingerprint: running.fingerprint.clone(),
            arguments: running.arguments.clone(),
            hidden_variables: self.work.world.overriding_variables.clone(),
        })
    }
}
