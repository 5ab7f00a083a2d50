//! Clients that store records and ask for them, and what they were told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::fleet::{Fleet, Link, client_request};
use crate::http::Answer;
use crate::site::PATIENCE;

/// What servers have acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    stored: Vec<Stored>,
    granted: Vec<Granted>,
}

/// A record that was stored, for a VAL client.
#[derive(Debug)]
struct Stored {
    client: String,
    payload: String,
    request_id: String,
}

/// A request that was granted.
#[derive(Debug)]
struct Granted {
    token: String,
    request: Value,
    request_id: String,
}

/// Why a client was not served.
#[derive(Debug)]
pub(crate) enum Unserved {
    Network(reqwest::Error),
    Refused(Box<Answer>),
}

impl From<reqwest::Error> for Unserved {
    fn from(error: reqwest::Error) -> Self {
        Self::Network(error)
    }
}

fn served(answer: Answer) -> Result<Answer, Unserved> {
    if matches!(answer.status, 200 | 201 | 204) { Ok(answer) } else { Err(Unserved::Refused(answer.into())) }
}

fn request_id(answer: &Answer) -> String {
    answer.header("x-request-id").unwrap().to_owned()
}

impl Journal {
    /// Stores the record of a VAL client, and asks for it.
    pub(crate) async fn serve(&mut self, fleet: &Fleet, link: &Link, client: &str) -> Result<(), Unserved> {
        let payload = format!("keys of {client}");
        let answer = served(link.put(client, &payload).await?)?;
        self.stored.push(Stored { client: client.to_owned(), payload, request_id: request_id(&answer) });
        let (token, request) = (token(fleet, client), client_request(client));
        let answer = served(link.ask(&token, &request).await?)?;
        self.granted.push(Granted { token, request, request_id: request_id(&answer) });
        Ok(())
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.stored.extend(other.stored);
        self.granted.extend(other.granted);
    }

    /// Checks that a server gives out what was stored, and grants nothing that was granted.
    pub(crate) async fn check(&self, fleet: &Fleet, link: &Link) {
        for Stored { client, payload, .. } in &self.stored {
            let answer = link.ask(&token(fleet, client), &client_request(client)).await.unwrap();
            assert_eq!(answer.assert_km(200, None)["Payload"], payload.as_str(), "{client}");
        }
        for Granted { token, request, .. } in &self.granted {
            link.ask(token, request).await.unwrap().assert_km(403, Some("04"));
        }
    }

    /// Checks that it stands in the audit logs of servers.
    pub(crate) fn check_audit(&self, fleet: &Fleet, names: &[&str]) {
        let entries = names.iter().flat_map(|name| fleet.audit(name)).filter(|entry| entry["outcome"] == "done");
        let logged: BTreeSet<String> = entries.map(|entry| entry["request_id"].as_str().unwrap().to_owned()).collect();
        let stored = self.stored.iter().map(|stored| &stored.request_id);
        for id in stored.chain(self.granted.iter().map(|granted| &granted.request_id)) {
            assert!(logged.contains(id), "{id} is in no audit log");
        }
    }
}

fn token(fleet: &Fleet, client: &str) -> String {
    fleet.site.token(client, "seal:key-management")
}

/// Clients at work, each with records of its own, until they are told to stop or one of them is not served.
pub(crate) struct Traffic {
    clients: Vec<JoinHandle<(Journal, Option<Unserved>)>>,
    served: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Traffic {
    /// Starts clients, each with a connection of its own.
    pub(crate) fn start(fleet: &Arc<Fleet>, name: &str, links: impl IntoIterator<Item = Link>) -> Self {
        let (served, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let client = |(index, link): (usize, Link)| {
            let (fleet, served, stop) = (Arc::clone(fleet), Arc::clone(&served), Arc::clone(&stop));
            let name = format!("{name}-{index}");
            tokio::spawn(async move {
                let mut journal = Journal::default();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    match journal.serve(&fleet, &link, &format!("{name}-{number}")).await {
                        Ok(()) => served.fetch_add(1, Ordering::Relaxed),
                        Err(unserved) => return (journal, Some(unserved)),
                    };
                }
                (journal, None)
            })
        };
        let clients = links.into_iter().enumerate().map(client).collect();
        Self { clients, served, stop }
    }

    /// Waits until so many more were served.
    pub(crate) async fn flow(&self, more: usize) {
        let (enough, end) = (self.served.load(Ordering::Relaxed) + more, Instant::now() + PATIENCE);
        while self.served.load(Ordering::Relaxed) < enough {
            assert!(Instant::now() < end && !self.clients.iter().all(JoinHandle::is_finished), "nobody is served");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Tells the clients to stop: what they were told, and what some of them were not served by.
    pub(crate) async fn stop(self) -> (Journal, Vec<Unserved>) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut all, mut unserved) = (Journal::default(), Vec::new());
        for client in self.clients {
            let (journal, end) = client.await.unwrap();
            all.extend(journal);
            unserved.extend(end);
        }
        (all, unserved)
    }
}
