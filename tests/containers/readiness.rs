//! What RabbitMQ says when it cannot be used, told apart, and what to do about each.

use crate::harness::parts::{Part, has};
use crate::harness::services::RabbitMq;
use crate::harness::unique;
use harmony::connection_string::Endpoint;
use harmony::connection_string::amqp::BrokerAddress;
use harmony::containers::readiness::{NotReady, ask_rabbitmq};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

/// A user of the test's own, with these rights on its virtual host.
struct User<'r>(&'r RabbitMq, String);

impl<'r> User<'r> {
    fn new(rabbitmq: &'r RabbitMq, rights: Option<&str>) -> Self {
        let name = unique("user");
        let body = "{\"password\":\"secret\",\"tags\":\"\"}";
        let made = rabbitmq.ask("PUT", &format!("/api/users/{name}"), body);
        assert!(matches!(made.status, 201 | 204), "{}", made.status);
        if let Some(rights) = rights {
            let path = format!("/api/permissions/{}/{name}", rabbitmq.virtual_host);
            let given = rabbitmq.ask("PUT", &path, rights);
            assert!(matches!(given.status, 201 | 204), "{}", given.status);
        }
        User(rabbitmq, name)
    }

    fn address(&self) -> BrokerAddress {
        let endpoint = Endpoint::new("127.0.0.1", self.0.port);
        BrokerAddress::new(endpoint, &self.1, "secret", &self.0.virtual_host)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.0.ask("DELETE", &format!("/api/users/{}", self.1), "");
    }
}

async fn refusal(address: &BrokerAddress) -> (NotReady, String) {
    let error = ask_rabbitmq(address, WITHIN).await.expect_err("a refusal");
    let advice = error.rabbitmq_advice(address).expect("advice");
    (error, advice)
}

#[tokio::test]
async fn a_user_without_rights_is_not_told_that_its_password_is_wrong() {
    const TEST: &str = "a_user_without_rights_is_not_told_that_its_password_is_wrong";
    if !has(TEST, &[Part::RabbitMq]) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let nothing = "{\"configure\":\"^$\",\"write\":\".*\",\"read\":\".*\"}";
    let user = User::new(&rabbitmq, Some(nothing));
    let (error, advice) = refusal(&user.address()).await;
    assert!(
        matches!(&error, NotReady::Denied(why) if why.contains("harmony_notifications")),
        "{error}"
    );
    assert!(advice.contains("rabbitmqctl set_permissions"), "{advice}");

    let stranger = User::new(&rabbitmq, None);
    let (error, advice) = refusal(&stranger.address()).await;
    assert!(
        matches!(&error, NotReady::VirtualHost(why) if why.contains(&stranger.1)),
        "{error}"
    );
    assert!(advice.contains(&rabbitmq.virtual_host), "{advice}");

    let mut wrong = user.address();
    wrong.password = harmony::secret::Secret::new("wrong");
    let (error, advice) = refusal(&wrong).await;
    assert_eq!(error, NotReady::Refused);
    assert!(advice.contains("BrokerConfiguration:Password") || advice.contains(":Password"));
}

#[tokio::test]
async fn a_virtual_host_as_in_a_url_is_pointed_out() {
    if !has(
        "a_virtual_host_as_in_a_url_is_pointed_out",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let mut address = rabbitmq.address();
    address.virtual_host = "%2F".to_owned();
    let (error, advice) = refusal(&address).await;
    assert!(matches!(error, NotReady::VirtualHost(_)), "{error}");
    assert!(advice.ends_with(": /"), "{advice}");
}

#[tokio::test]
async fn a_queue_with_other_properties_is_named_with_both() {
    if !has(
        "a_queue_with_other_properties_is_named_with_both",
        &[Part::RabbitMq],
    ) {
        return;
    }
    let rabbitmq = RabbitMq::start();
    let path = format!(
        "/api/queues/{}/notifications.signalr",
        rabbitmq.virtual_host
    );
    let other = "{\"durable\":true,\"auto_delete\":true}";
    let made = rabbitmq.ask("PUT", &path, other);
    assert!(matches!(made.status, 201 | 204), "{}", made.status);
    let (error, advice) = refusal(&rabbitmq.address()).await;
    let said = error.to_string();
    for part in ["notifications.signalr", "auto_delete", "'false'", "'true'"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(advice.contains("delete the named queue"), "{advice}");
}

#[test]
fn guest_from_another_machine_is_told_of_the_loopback_rule() {
    let address = |host: &str| BrokerAddress::new(Endpoint::new(host, 5672), "", "", "");
    let advice = |host: &str| {
        NotReady::Refused
            .rabbitmq_advice(&address(host))
            .expect("advice")
    };
    assert!(advice("10.0.0.5").contains("from its own machine only"));
    assert!(!advice("127.0.0.1").contains("from its own machine only"));
}
