//! What the access tokens of a CAPIF core function say (3GPP TS 33.122, annex C; TS 29.222, AccessTokenClaims).

use std::time::Duration;

/// What the access tokens of a CAPIF core function have to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapifTokenSettings {
    /// `iss`, octet for octet.
    pub issuer: String,
    /// The value that `aud` is or holds. Without one a token needs no `aud`, and if it has one it names `aef_id`.
    pub audience: Option<String>,
    /// The API exposing function that this server is.
    pub aef_id: String,
    /// How far the clock of the core function may be off, in whole seconds.
    pub leeway: Duration,
    /// The time from `iat`, or from now, to `exp`, at most.
    pub max_life: Duration,
}

/// The service APIs that a token is for, by their API exposing functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServiceApis(Vec<(String, Vec<String>)>);

impl ServiceApis {
    /// Reads the one of the values of `scope` that is CAPIF's, `3gpp#aefId:apiName,apiName;aefId:apiName`; without it
    /// the token is for nothing. None if it is malformed or there are two.
    pub(super) fn of_scopes(scopes: &[String]) -> Option<Self> {
        let mut lists = scopes.iter().filter_map(|scope| scope.strip_prefix("3gpp#"));
        let Some(list) = lists.next() else { return Some(Self::default()) };
        if lists.next().is_some() {
            return None;
        }
        list.split(';').map(one_function).collect::<Option<_>>().map(Self)
    }

    /// Whether it has this API of this function.
    pub(super) fn include(&self, aef_id: &str, api_name: &str) -> bool {
        self.0.iter().any(|(function, apis)| function == aef_id && apis.iter().any(|api| api == api_name))
    }
}

/// The id of a function, which may have colons itself, and its APIs.
fn one_function(text: &str) -> Option<(String, Vec<String>)> {
    let (function, apis) = text.rsplit_once(':')?;
    let apis: Vec<String> = apis.split(',').map(str::to_owned).collect();
    let is_whole = !function.is_empty() && apis.iter().all(|api| !api.is_empty());
    is_whole.then(|| (function.to_owned(), apis))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn read(scope: &str) -> Option<ServiceApis> {
        ServiceApis::of_scopes(&scope.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn functions_and_their_apis() {
        let apis = read("other 3gpp#aef-1:ss-kir,ss-gm;urn:aef:2:ss-im;aef-1:more").unwrap();
        let included = [("aef-1", "ss-kir"), ("aef-1", "ss-gm"), ("urn:aef:2", "ss-im"), ("aef-1", "more")];
        for (function, api) in included {
            assert!(apis.include(function, api), "{function} {api}");
        }
        let others = [
            ("aef-1", "ss-im"),
            ("urn:aef:2", "ss-kir"),
            ("aef-2", "ss-kir"),
            ("AEF-1", "ss-kir"),
            ("aef-1", "ss-ki"),
            ("aef-1", "SS-KIR"),
            ("aef-1", ""),
            ("aef-1", "ss-kir,ss-gm"),
            ("3gpp#aef-1", "ss-kir"),
        ];
        for (function, api) in others {
            assert!(!apis.include(function, api), "{function} {api}");
        }
    }

    #[test]
    fn scopes_of_others_are_for_nothing() {
        for scope in ["seal:key-management", "3GPP#aef-1:ss-kir", "aef-1:ss-kir", "3gpp:aef-1:ss-kir"] {
            assert_eq!(read(scope), Some(ServiceApis::default()), "{scope}");
        }
    }

    #[test]
    fn malformed_scopes() {
        for scope in [
            "3gpp#",
            "3gpp#aef-1",
            "3gpp#aef-1:",
            "3gpp#:ss-kir",
            "3gpp#aef-1:ss-kir;",
            "3gpp#;aef-1:ss-kir",
            "3gpp#aef-1:ss-kir,",
            "3gpp#aef-1:,ss-kir",
            "3gpp#aef-1:ss-kir;aef-2",
            "3gpp#aef-1:ss-kir 3gpp#aef-2:ss-kir",
        ] {
            assert_eq!(read(scope), None, "{scope}");
        }
    }
}
