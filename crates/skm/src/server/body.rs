//! Bodies of requests, within their bounds.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use http_body_util::BodyExt as _;
use zeroize::Zeroizing;

use crate::service::BodyFault;

/// Octets of a body that is too long which are read and dropped, so that a client that writes before it reads gets to
/// see the answer.
const MAX_DROPPED_OCTETS: u64 = 1024 * 1024;

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Its octets.
    pub(super) octets: usize,
    /// How long it may take.
    pub(super) time: Duration,
}

/// Reads a body. What it says may be secret.
pub(super) async fn read(body: Body, bounds: Bounds) -> Result<Zeroizing<Vec<u8>>, BodyFault> {
    match tokio::time::timeout(bounds.time, read_all(body, bounds.octets)).await {
        Ok(result) => result,
        Err(_) => Err(BodyFault::Incomplete),
    }
}

async fn read_all(mut body: Body, limit: usize) -> Result<Zeroizing<Vec<u8>>, BodyFault> {
    let announced = body.size_hint();
    if announced.lower() > MAX_DROPPED_OCTETS {
        return Err(BodyFault::TooLarge);
    }
    // Room from the start where the length is announced: a buffer that grows leaves copies behind.
    let room = announced.exact().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut octets = Zeroizing::new(Vec::with_capacity(room.min(limit)));
    let mut length = 0_u64;
    while let Some(frame) = body.frame().await {
        // Trailers say nothing here.
        let Ok(data) = frame.map_err(|_| BodyFault::Incomplete)?.into_data() else { continue };
        length = length.saturating_add(data.len() as u64);
        if length > MAX_DROPPED_OCTETS {
            return Err(BodyFault::TooLarge);
        }
        if length <= limit as u64 {
            octets.extend_from_slice(&data);
        }
    }
    if length > limit as u64 { Err(BodyFault::TooLarge) } else { Ok(octets) }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::body::Bytes;
    use axum::http::HeaderMap;
    use hyper::body::Frame;

    use super::*;

    const BOUNDS: Bounds = Bounds { octets: 5, time: Duration::from_secs(3600) };

    /// A body of unknown length: these frames, and then an end, an error, or nothing for ever.
    struct Frames(Vec<Frame<Bytes>>, Option<Result<(), std::io::Error>>);

    impl axum::body::HttpBody for Frames {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            if !self.0.is_empty() {
                return Poll::Ready(Some(Ok(self.0.remove(0))));
            }
            match self.1.take() {
                Some(result) => Poll::Ready(result.err().map(Err)),
                None => Poll::Pending,
            }
        }
    }

    fn data(octets: &'static [u8]) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(octets))
    }

    async fn read_frames(frames: Vec<Frame<Bytes>>) -> Result<Vec<u8>, BodyFault> {
        read(Body::new(Frames(frames, Some(Ok(())))), BOUNDS).await.map(|octets| octets.to_vec())
    }

    #[tokio::test]
    async fn a_body_comes_together() {
        assert_eq!(read_frames(vec![]).await, Ok(vec![]));
        assert_eq!(read_frames(vec![data(b"ab"), data(b""), data(b"cde")]).await, Ok(b"abcde".to_vec()));
        assert_eq!(read_frames(vec![data(b"ab"), Frame::trailers(HeaderMap::new())]).await, Ok(b"ab".to_vec()));
        assert_eq!(read(Body::from("abcde"), BOUNDS).await.map(|octets| octets.to_vec()), Ok(b"abcde".to_vec()));
    }

    #[tokio::test]
    async fn a_body_may_not_be_too_long() {
        assert_eq!(read_frames(vec![data(b"abc"), data(b"def")]).await, Err(BodyFault::TooLarge));
        assert_eq!(read(Body::from("abcdef"), BOUNDS).await.map(drop), Err(BodyFault::TooLarge));
    }

    #[tokio::test]
    async fn a_body_far_too_long_is_not_read_to_its_end() {
        let endless = Frames((0..17).map(|_| data(&[b'x'; 64 * 1024])).collect(), None);
        assert_eq!(read(Body::new(endless), BOUNDS).await.map(drop), Err(BodyFault::TooLarge));
        let announced = Body::from(vec![b'x'; 1024 * 1024 + 1]);
        assert_eq!(read(announced, BOUNDS).await.map(drop), Err(BodyFault::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_or_stops_is_incomplete() {
        let broken = Frames(vec![data(b"ab")], Some(Err(std::io::ErrorKind::UnexpectedEof.into())));
        assert_eq!(read(Body::new(broken), BOUNDS).await.map(drop), Err(BodyFault::Incomplete));
        let stopped = Frames(vec![data(b"ab")], None);
        let bounds = Bounds { time: Duration::from_millis(1), ..BOUNDS };
        assert_eq!(read(Body::new(stopped), bounds).await.map(drop), Err(BodyFault::Incomplete));
    }
}
