//! Connections by their token: negotiated, bound to a transport, over.

use crate::secret::{RandomError, RandomSource, random};
use crate::signalr::budget::{Account, MemoryBudget};
use crate::signalr::connection::WayBack;
use crate::signalr::transport::http::HttpTransport;
use crate::signalr::transport::websocket::Handover;
use crate::signalr::transport_type::TransportType;
use base64::Engine;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes that may be sent before a connection is opened: to one, and to all.
const MAXIMUM_EARLY: usize = 64 << 10;
const MAXIMUM_EARLY_IN_ALL: usize = 64 << 20;
/// What a connection costs that waits to be opened.
const WAITING: usize = 512;
/// A table that is full is not swept more often than this.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Where a connection is.
#[derive(Clone)]
pub enum Session {
    /// Negotiated.
    Negotiated(Negotiated),
    WebSocket,
    /// Over a WebSocket, and open to others after it while its client may come back.
    Resumable {
        sockets: mpsc::Sender<Handover>,
        way_back: Arc<WayBack>,
    },
    Http {
        transport: TransportType,
        http: Arc<HttpTransport>,
    },
}

/// A connection that nobody opened yet.
#[derive(Debug, Clone)]
pub struct Negotiated {
    pub id: Arc<str>,
    born: Instant,
    /// What was sent before it was opened.
    pub early: Vec<u8>,
    /// Its client asked to be let come back.
    pub resumable: bool,
}

/// All connections that have a token.
pub struct Sessions {
    table: Mutex<Table>,
}

struct Table {
    sessions: HashMap<Box<str>, Session>,
    /// Those of them that wait to be opened, and the bytes that were sent to them.
    waiting: usize,
    early: usize,
    /// Both, counted with what all clients make the server hold.
    account: Account,
    /// How many there may be before the table is swept again, and when it was last.
    sweep_at: usize,
    swept: Option<Instant>,
}

impl Table {
    fn sweep(&mut self, lifetime: Duration) {
        let alive = |session: &Session| match session {
            Session::Negotiated(negotiated) => negotiated.born.elapsed() < lifetime,
            Session::WebSocket | Session::Resumable { .. } => true,
            Session::Http { http, .. } => !http.is_over() && !http.is_gone(),
        };
        let dead: Vec<_> = self
            .sessions
            .extract_if(|_, session| !alive(session))
            .collect();
        dead.iter()
            .for_each(|(_, session)| self.waits_no_more(session));
        // Swept again when it has doubled, so that the cost per connection stays constant.
        self.sweep_at = (self.sessions.len() * 2).max(1024);
        self.swept = Some(Instant::now());
    }

    fn waits_no_more(&mut self, session: &Session) {
        if let Session::Negotiated(negotiated) = session {
            self.waiting -= 1;
            self.early -= negotiated.early.len();
            self.count();
        }
    }

    /// Counts those that wait, and what was sent to them; false if that is too much.
    fn count(&mut self) -> bool {
        self.account.set(self.waiting * WAITING + self.early)
    }

    fn remove(&mut self, token: &str) {
        if let Some(session) = self.sessions.remove(token) {
            self.waits_no_more(&session);
        }
    }
}

impl Sessions {
    pub fn new(budget: Arc<MemoryBudget>) -> Self {
        let table = Table {
            sessions: HashMap::new(),
            waiting: 0,
            early: 0,
            account: Account::new(budget),
            sweep_at: 0,
            swept: None,
        };
        Sessions {
            table: Mutex::new(table),
        }
    }

    /// Remembers a negotiated connection, of which so many may wait to be opened; false where there
    /// are too many.
    pub fn negotiated(
        &self,
        token: &str,
        id: Arc<str>,
        resumable: bool,
        lifetime: Duration,
        most: usize,
    ) -> bool {
        let mut table = self.lock();
        let full = table.waiting >= most
            && table
                .swept
                .is_none_or(|swept| swept.elapsed() > SWEEP_EVERY);
        // What nobody opens is not kept for much longer than it is good.
        let stale = table.waiting > 0 && table.swept.is_none_or(|swept| swept.elapsed() > lifetime);
        if full || stale || table.sessions.len() >= table.sweep_at {
            table.sweep(lifetime);
        }
        if table.waiting >= most {
            return false;
        }
        table.waiting += 1;
        table.count();
        table.sessions.insert(
            token.into(),
            Session::Negotiated(Negotiated {
                id,
                born: Instant::now(),
                early: Vec::new(),
                resumable,
            }),
        );
        true
    }

    /// The session of a token, unless it waited too long or is over.
    pub fn find(&self, token: &str, lifetime: Duration) -> Option<Session> {
        let mut table = self.lock();
        let session = table.sessions.get(token)?;
        let is_gone = match session {
            Session::Negotiated(negotiated) => negotiated.born.elapsed() >= lifetime,
            Session::Http { http, .. } => http.is_gone(),
            Session::WebSocket | Session::Resumable { .. } => false,
        };
        if is_gone {
            table.remove(token);
            return None;
        }
        Some(session.clone())
    }

    /// Binds a waiting connection; `None` where somebody else did first.
    pub fn bind(&self, token: &str, open: impl FnOnce(Negotiated) -> Session) -> Option<Session> {
        let mut table = self.lock();
        let Session::Negotiated(negotiated) = table.sessions.get(token)? else {
            return None;
        };
        let opened = open(negotiated.clone());
        let waiting = table.sessions.insert(token.into(), opened.clone())?;
        table.waits_no_more(&waiting);
        Some(opened)
    }

    /// Keeps what is sent to a connection before it is opened; false where that is too much.
    pub fn keep_early(&self, token: &str, bytes: &[u8]) -> bool {
        let mut table = self.lock();
        let room = table.early + bytes.len() <= MAXIMUM_EARLY_IN_ALL;
        match table.sessions.get_mut(token) {
            Some(Session::Negotiated(negotiated))
                if room && negotiated.early.len() + bytes.len() <= MAXIMUM_EARLY =>
            {
                negotiated.early.extend_from_slice(bytes);
                table.early += bytes.len();
                table.count()
            }
            _ => false,
        }
    }

    /// A token that another server negotiated is opened here; false where somebody did first.
    pub fn adopt(&self, token: &str) -> bool {
        let mut table = self.lock();
        let new = !table.sessions.contains_key(token);
        if new {
            table.sessions.insert(token.into(), Session::WebSocket);
        }
        new
    }

    pub fn remove(&self, token: &str) {
        self.lock().remove(token);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An unguessable id: 128 random bits in 22 characters.
pub fn new_id(source: RandomSource) -> Result<String, RandomError> {
    let id = random::<16>(source)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id))
}
