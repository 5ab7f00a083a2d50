//! Where access tokens come from.

use std::error::Error;
use std::fmt::Debug;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;

use async_trait::async_trait;
use mikey_sakke::secret::Secret;
use zeroize::Zeroizing;

/// The octets that a token may have.
const MAX_TOKEN_OCTETS: usize = 16 * 1024;

/// Why there is no access token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The source failed.
    #[error("there is no access token: {0}")]
    Source(Box<dyn Error + Send + Sync>),
    /// What the source gave is not a bearer token of RFC 6750, section 2.1, or longer than 16 KiB.
    #[error("what was given as an access token is none")]
    Form,
}

impl TokenError {
    /// The failure of a source. Its text is shown to people: it must not contain the token.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Source(error.into())
    }
}

/// Gives the access token for each request: to be renewed where it has expired.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The token.
    ///
    /// # Errors
    ///
    /// [`TokenError::Source`].
    async fn token(&self) -> Result<Secret<String>, TokenError>;
}

/// Always the same token.
#[derive(Clone, Debug)]
pub struct FixedToken(Secret<String>);

impl FixedToken {
    /// Takes the token.
    pub const fn new(token: Secret<String>) -> Self {
        Self(token)
    }
}

#[async_trait]
impl TokenSource for FixedToken {
    async fn token(&self) -> Result<Secret<String>, TokenError> {
        Ok(self.0.clone())
    }
}

/// The token in a file, which is read for each request: another program renews it. White space around it does not
/// count.
#[derive(Clone, Debug)]
pub struct FileToken(PathBuf);

impl FileToken {
    /// The token in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn read(&self) -> std::io::Result<Secret<String>> {
        // One octet more than a token may have, so that a longer one is noticed; and room for the read that finds the
        // end.
        let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN_OCTETS + 64));
        File::open(&self.0)?.take(MAX_TOKEN_OCTETS as u64 + 1).read_to_string(&mut text)?;
        if text.trim().is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Secret::new(text.trim().to_owned()))
    }
}

#[async_trait]
impl TokenSource for FileToken {
    async fn token(&self) -> Result<Secret<String>, TokenError> {
        self.read().map_err(|error| TokenError::new(format!("{}: {error}", self.0.display())))
    }
}

/// The value of the Authorization header field (RFC 6750, section 2.1).
pub(super) fn authorization(token: &Secret<String>) -> Result<Zeroizing<String>, TokenError> {
    const PREFIX: &str = "Bearer ";
    let token = token.expose();
    let unpadded = token.trim_end_matches('=');
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
    if token.len() > MAX_TOKEN_OCTETS || unpadded.is_empty() || !unpadded.bytes().all(is_token) {
        return Err(TokenError::Form);
    }
    let mut value = Zeroizing::new(String::with_capacity(PREFIX.len() + token.len()));
    value.push_str(PREFIX);
    value.push_str(token);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(token: &str) -> Result<String, TokenError> {
        authorization(&Secret::new(token.to_owned())).map(|value| value.to_string())
    }

    #[test]
    fn a_token_goes_into_its_header_field() {
        for token in ["a", "eyJ0.eyJpc3M.c2ln", "abc==", "-._~+/"] {
            assert_eq!(header(token).unwrap(), format!("Bearer {token}"));
        }
        let long = "a".repeat(MAX_TOKEN_OCTETS + 1);
        for token in ["", "=", "a b", "a\r\nHost: b", "a=b", "\u{e9}", "a\0", "a,b", long.as_str()] {
            assert!(matches!(header(token), Err(TokenError::Form)), "{token:?}");
        }
    }

    #[test]
    fn a_file_is_read_again_and_trimmed() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("token");
        let source = FileToken::new(&path);
        assert_eq!(source.read().unwrap_err().kind(), ErrorKind::NotFound);
        for (text, token) in [("one\n", "one"), (" two\r\n", "two")] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(source.read().unwrap().expose(), token);
        }
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(source.read().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        std::fs::write(&path, "a".repeat(MAX_TOKEN_OCTETS + 9)).unwrap();
        assert!(matches!(authorization(&source.read().unwrap()), Err(TokenError::Form)));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(source.read().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
