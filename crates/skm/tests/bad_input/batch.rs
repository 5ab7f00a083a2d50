//! Cases that do not depend on each other, several at a time.

use std::future::poll_fn;
use std::task::Poll;

use crate::http::{Answer, Client, KM};
use crate::world::{Expected, World};

/// Requests that are sent before the answer to the first is there.
const AT_ONCE: usize = 16;

/// A request, and what should answer it.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) client: &'a Client,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: Expected,
}

impl<'a> Case<'a> {
    /// A KM Request.
    pub(crate) fn km(name: &str, client: &'a Client, authorization: String, body: Vec<u8>, expected: Expected) -> Self {
        let headers = vec![("content-type", "application/json".into()), ("authorization", authorization)];
        Self { name: name.into(), client, method: "POST", path: KM.into(), headers, body, expected }
    }

    async fn answer(&self) -> Answer {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.client.send(self.method, &self.path, &headers, self.body.clone()).await
    }
}

impl World {
    /// Sends requests, and checks what answers them.
    pub(crate) async fn run<'a>(&self, cases: impl IntoIterator<Item = Case<'a>>) -> Vec<Answer> {
        let mut cases = cases.into_iter();
        let mut answers = Vec::new();
        loop {
            let batch: Vec<Case<'a>> = cases.by_ref().take(AT_ONCE).collect();
            if batch.is_empty() {
                return answers;
            }
            let answered = all(batch.iter().map(Case::answer).collect()).await;
            for (case, answer) in batch.iter().zip(&answered) {
                if case.path.starts_with(KM) {
                    self.check_km(&case.name, answer, case.expected);
                } else {
                    self.check(&case.name, answer, case.expected);
                }
            }
            answers.extend(answered);
        }
    }
}

/// What futures come to, all of which are under way at the same time.
pub(crate) async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut results: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results).filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                *result = Some(output);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}
