//! From what a hub, gateway or proxy answered to what is wrong with it, and how to mend that.

use crate::hub_client::http::Response;
use crate::hub_client::{ClientError, ClientTransport};
use std::io::ErrorKind;
use std::time::Duration;

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    pub what: String,
    pub fix: String,
}

fn advice(what: impl Into<String>, fix: impl Into<String>) -> Advice {
    Advice {
        what: what.into(),
        fix: fix.into(),
    }
}

const ROUTE: &str = "forward /signalRHub and everything below it to the hub, all methods:\n\
nginx: location /signalRHub { proxy_pass http://HUB; }\n\
Ocelot: a route with UpstreamPathTemplate /signalRHub/{everything} and UpstreamHttpMethod \
GET, POST, DELETE, OPTIONS\n\
YARP: a route with Match.Path /signalRHub/{**rest}";
const UPGRADE: &str = "let the proxy pass WebSocket upgrades on:\n\
nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
proxy_set_header Connection \"upgrade\";\n\
Apache: ProxyPass /signalRHub http://HUB/signalRHub upgrade=websocket\n\
Ocelot: DownstreamScheme ws or wss, and app.UseWebSockets() before app.UseOcelot()\n\
YARP and haproxy pass them unless a rule removes the headers Connection and Upgrade";
const STICKY: &str = "send every request of a client to the same hub (sticky sessions), or connect \
by WebSocket without negotiation, as Harmony.Client does:\n\
nginx: ip_hash; in the upstream\n\
haproxy: cookie HUB insert indirect nocache in the backend\n\
Ocelot: LoadBalancerOptions.Type CookieStickySessions\n\
YARP: SessionAffinity.Enabled true in the cluster";
const BUFFERING: &str = "let the proxy pass responses on as they come:\n\
nginx: proxy_buffering off; and gzip off; for /signalRHub\n\
haproxy: no compression and no http-buffer-request for /signalRHub\n\
Ocelot reads whole responses: use WebSockets behind it";
const TIMEOUT: &str = "let the proxy keep silent connections for longer than the hub's 15 seconds \
between pings:\n\
nginx: proxy_read_timeout 100s; proxy_send_timeout 100s;\n\
haproxy: timeout tunnel 1h, timeout client and timeout server 100s\n\
YARP: HttpRequest.ActivityTimeout 00:02:00";
const UPSTREAM: &str = "start the hub, and correct the address, port and scheme (http or https) \
that the proxy forwards to:\n\
nginx: proxy_pass; haproxy: server; Ocelot: DownstreamHostAndPorts and DownstreamScheme; \
YARP: Destinations";

/// What an error means for a transport; `None` is a WebSocket without negotiation.
pub fn of(transport: Option<ClientTransport>, error: &ClientError) -> Advice {
    let what = error.to_string();
    match error {
        ClientError::Unreachable { error, .. } => advice(what, unreachable(error)),
        ClientError::Tls { error, .. } => advice(what, tls(error)),
        ClientError::Refused { response, .. } => refused(transport, response, what),
        ClientError::Silent { .. } => match transport {
            Some(ClientTransport::ServerSentEvents | ClientTransport::LongPolling) => {
                advice(format!("{what}: responses seem to be held back"), BUFFERING)
            }
            _ => advice(
                what,
                "check that the hub is well ('harmony doctor') and what stands between",
            ),
        },
        ClientError::Ended(_) => advice(
            format!("{what} before anything was received"),
            "'harmony logs hub' may say why; a proxy that cuts connections logs it too",
        ),
        ClientError::NotOffered(_) => advice(
            what,
            "allow the transport in the hub's settings, or use another",
        ),
        ClientError::Url(_) => advice(what, "write it as https://HOST:PORT"),
        ClientError::Protocol(_) => advice(what, "check that the URL is that of a SignalR hub"),
    }
}

fn unreachable(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            "nothing listens there: start the hub ('harmony up') or correct the URL"
        }
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "check the address, the network and the firewall"
        }
        _ => "check the host name",
    }
}

fn tls(error: &std::io::Error) -> &'static str {
    let text = error.to_string();
    if text.contains("UnknownIssuer") || text.contains("certificate") {
        "install a certificate that this machine trusts, for that host name and in date"
    } else {
        "check the scheme: the port may speak plain HTTP (http://)"
    }
}

fn refused(transport: Option<ClientTransport>, response: &Response, what: String) -> Advice {
    let is_html = response.header("content-type").starts_with("text/html");
    let body = response.body.as_str();
    let no_connection = body.contains("No Connection with that ID");
    match response.status {
        301 | 302 | 303 | 307 | 308 => {
            let target = response.header("location");
            advice(
                format!("{what}: a redirect to {target}"),
                "browsers do not follow redirects of WebSockets: use that URL",
            )
        }
        401 | 403 => advice(
            what,
            "the hub or the proxy wants to know who asks: check its authentication \
             (Authentication:Jwt:Secret) and AllowedHosts",
        ),
        404 if no_connection => advice(
            format!("{what}: another hub than the one that negotiated was asked"),
            STICKY,
        ),
        404 => advice(format!("{what}: /signalRHub is not forwarded"), ROUTE),
        405 => advice(format!("{what}: the method is not forwarded"), ROUTE),
        502..=504 => advice(format!("{what}: the proxy cannot reach the hub"), UPSTREAM),
        200 if is_html => advice(
            format!("{what}: a web page responds instead of the hub"),
            ROUTE,
        ),
        _ if is_web_socket(transport) => advice(
            format!("{what}: the proxy does not pass the headers Upgrade and Connection on"),
            UPGRADE,
        ),
        200 => advice(what, ROUTE),
        _ => advice(what, "look at the logs of the proxy and of the hub"),
    }
}

fn is_web_socket(transport: Option<ClientTransport>) -> bool {
    matches!(transport, None | Some(ClientTransport::WebSockets))
}

/// Connected and joined, and the notification did not come.
pub fn not_delivered(limit: Duration) -> Advice {
    advice(
        format!("the client joined the board, and nothing came within {limit:?}"),
        "check that the hub behind the URL uses this RabbitMQ, or shares Redis with one that does: \
         'harmony doctor', 'harmony logs hub'",
    )
}

/// The connection did not last.
pub fn cut(after: Duration, error: &ClientError) -> Advice {
    let seconds = after.as_secs_f64();
    advice(
        format!("{error}: it was cut after {seconds:.1} s of silence"),
        TIMEOUT,
    )
}

/// A browser page of another origin is refused.
pub fn cors(origin: &str, response: &Response) -> Advice {
    advice(
        format!(
            "a page of {origin} may not connect: the preflight request is answered with {} and \
             Access-Control-Allow-Origin '{}', Access-Control-Allow-Credentials '{}'",
            response.status,
            response.header("access-control-allow-origin"),
            response.header("access-control-allow-credentials"),
        ),
        "let the proxy pass OPTIONS and the headers Access-Control-* on, and name the page's \
         origin in the hub's Cors:Origins; behind the gateway set its CORS policy",
    )
}
