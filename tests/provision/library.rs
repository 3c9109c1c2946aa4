//! Provisioning as a library: no terminal, no command line, a listener of the program's own.

use crate::harness::{Folder, free_port};
use harmony::checkout::Checkout;
use harmony::containers::whereabouts::Surroundings;
use harmony::instance::Instance;
use harmony::project::Scope;
use harmony::provision::progress::{Activity, ActivityOutcome, Progress};
use harmony::provision::report::ServiceState;
use harmony::provision::request::{Data, HubChoice, Installation, Request, ServerChoice};
use harmony::provision::{self, error::Error};
use std::sync::Mutex;

/// Writes down what it is told.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Listener {
    fn heard(&self) -> Vec<String> {
        self.0.lock().expect("lines").clone()
    }
}

impl Progress for Listener {
    fn started(&self, activity: &Activity) {
        self.0
            .lock()
            .expect("lines")
            .push(format!("{activity}: started"));
    }

    fn ended(&self, activity: &Activity, outcome: ActivityOutcome) {
        let line = format!("{activity}: {outcome:?}");
        self.0.lock().expect("lines").push(line);
    }
}

fn installation(folder: &Folder) -> Installation {
    Installation {
        instance: Instance::new("library", &folder.path().join("states")).expect("an instance"),
        docker: Surroundings {
            host: Some("unix:///nonexistent/docker.sock".into()),
            ..Surroundings::default()
        },
        home: None,
        certificates: folder.path().join("https"),
        variables: Vec::new(),
    }
}

fn request(folder: &Folder) -> Request {
    let checkout = Checkout::made(&folder.path().join("harmony"));
    Request::new(installation(folder), checkout, Scope::of("Production"))
}

#[tokio::test]
async fn a_program_brings_settings_up_and_takes_everything_down() {
    harmony::tls::install_provider();
    let (folder, listener) = (Folder::new(), Listener::default());
    let mut request = request(&folder);
    request.wanted.redis = Some(ServerChoice::Without);
    request.wanted.rabbitmq = Some(ServerChoice::Without);
    // The hub is this very executable, which a test is not.
    request.wanted.hub = Some(HubChoice::None);
    let url = format!("http://localhost:{}", free_port());
    request.wanted.hub_url = url.parse().ok();
    let report = provision::up(&request, &listener).await.expect("a report");
    assert_eq!(report.redis.state, ServiceState::Embedded);
    assert_eq!(report.changes, 2, "{report:?}");
    assert!(
        folder
            .read("harmony/Harmony.Client/wwwroot/appsettings.json")
            .contains(&url)
    );
    request.checkout.exists = true;
    let again = provision::up(&request, &()).await.expect("a report");
    assert_eq!(again.changes, 0);
    let heard = listener.heard();
    let looking = [
        "looking at what is there: started",
        "looking at what is there: Finished",
    ];
    assert_eq!(heard, looking);
    let installation = installation(&folder);
    let down = provision::down(&installation, Data::Kept, &listener).await;
    assert_eq!(down.expect("a report").changes, 0);
}

#[tokio::test]
async fn an_error_is_a_type_and_ends_the_activity_as_failed() {
    let (folder, listener) = (Folder::new(), Listener::default());
    let failed = provision::up(&request(&folder), &listener).await;
    let error = failed.expect_err("an error");
    assert!(matches!(error, Error::Docker(_)), "{error:?}");
    assert_eq!(
        listener.heard().last().map(String::as_str),
        Some("looking at what is there: Failed")
    );
    assert!(!folder.path().join("harmony").exists());
}

#[tokio::test]
async fn what_is_not_agreed_to_is_not_done() {
    let folder = Folder::new();
    let mut request = request(&folder);
    request.wanted.redis = Some(ServerChoice::Without);
    request.wanted.rabbitmq = Some(ServerChoice::Without);
    request.wanted.hub = Some(HubChoice::None);
    let refused = provision::up_if(&request, &(), async |_| Err(Error::Interrupted)).await;
    assert!(matches!(refused, Err(Error::Interrupted)));
    assert!(!folder.path().join("harmony").exists());
}
