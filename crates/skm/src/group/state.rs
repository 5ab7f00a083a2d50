//! The state of a distribution, in a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{KeyBundle, SkId};

use super::content::{Content, with_properties};
use super::{Group, StateError};
use crate::seal::{KeyError, Place, RandomError, SealKey, open_private};

/// Where the value stands that the file holds, which is all that it holds.
const PLACE: Place<'static> = Place { table: "group distribution", row: &[], column: "state", version: 1 };

/// The octets that a file may have: enough for some millions of members.
const MAX_OCTETS: u64 = 256 * 1024 * 1024;

/// A distribution to a group, as it stands: the key with its SK-ID and RAND, and who has it.
///
/// It is kept in a file that is sealed, and its owner's alone; each change takes the place of the file as a whole. An
/// earlier copy of the file is as good as the file, but for those who got the key since, who get it once more. A file
/// beside it, with `.lock` behind its name, keeps two runs apart and stays there.
pub struct State {
    path: PathBuf,
    key: SealKey,
    group: Group,
    content: Option<Content>,
    /// Locked for as long as it is open.
    _lock: File,
}

impl State {
    /// Reads the state in a file; without a file a new distribution is to begin, and a new key is made.
    ///
    /// # Errors
    ///
    /// [`StateError::Locked`] if another run has it open; [`StateError::File`] if it cannot be read, or others than its
    /// owner can; [`StateError::Write`] if there can be none; [`StateError::Sealed`] if it does not open; others if the
    /// distribution is another one.
    pub fn open(path: impl Into<PathBuf>, key: SealKey, group: Group) -> Result<Self, StateError> {
        let path = path.into();
        let lock = lock(&path)?;
        let content = match read(&path)? {
            None => None,
            Some(sealed) => {
                let octets = key.open(PLACE, &sealed).ok();
                let content = octets.and_then(|octets| Content::decode(&octets));
                Some(content.ok_or_else(|| StateError::Sealed(path.clone()))?)
            }
        };
        if let Some(Content { group: found, .. }) = &content {
            if found.manager != group.manager {
                return Err(StateError::Manager(path, found.manager.clone()));
            }
            if found.uri != group.uri {
                return Err(StateError::Group(path, found.uri.clone()));
            }
            if found.purpose != group.purpose {
                return Err(StateError::Purpose(path, found.purpose));
            }
        }
        Ok(Self { path, key, group, content, _lock: lock })
    }

    /// The group.
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// The SK-ID of the key; none if the distribution has not begun.
    pub fn id(&self) -> Option<SkId> {
        self.content.as_ref().map(|content| content.bundle.id())
    }

    /// Whether a member has got the key.
    pub fn has(&self, member: &Uri) -> bool {
        self.content.as_ref().is_some_and(|content| content.done.contains(member))
    }

    /// The key to distribute to users of a KMS. A new one is in the file before anybody gets it.
    pub(super) fn begin(&mut self, kms: &Uri) -> Result<KeyBundle, StateError> {
        if let Some(content) = &self.content {
            return match content.kms == *kms {
                true => Ok(content.bundle.clone()),
                false => Err(StateError::Kms(self.path.clone(), content.kms.clone())),
            };
        }
        let bundle = KeyBundle::generate(self.group.profile(), &mut SysRng).map_err(|_| RandomError)?;
        let bundle = with_properties(bundle, &self.group);
        let (group, kms) = (self.group.clone(), kms.clone());
        let content = Content { group, kms, bundle: bundle.clone(), done: [].into() };
        self.save(&content)?;
        self.content = Some(content);
        Ok(bundle)
    }

    /// Notes who has got the key.
    pub(super) fn mark(&mut self, members: impl IntoIterator<Item = Uri>) -> Result<(), StateError> {
        let Some(mut content) = self.content.take() else { return Ok(()) };
        content.done.extend(members);
        let saved = self.save(&content);
        self.content = Some(content);
        saved
    }

    /// Writes the file in one piece.
    fn save(&self, content: &Content) -> Result<(), StateError> {
        let sealed = self.key.seal(PLACE, &content.encode())?;
        let draft = beside(&self.path, ".draft");
        replace(&self.path, &draft, &sealed).map_err(|error| StateError::Write(self.path.clone(), error))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, group, content, .. } = self;
        f.debug_struct("State")
            .field("path", path)
            .field("group", group)
            .field("content", content)
            .finish_non_exhaustive()
    }
}

/// Takes the lock of a state, or fails at once.
fn lock(path: &Path) -> Result<File, StateError> {
    let beside = beside(path, ".lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&beside).map_err(|error| StateError::Write(beside.clone(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(StateError::Write(beside, error)),
    }
}

/// The octets of a file, if it is there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    // The lock is beside the name, not the file, which a link would give another name.
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(KeyError::NotAFile(path.to_owned()).into());
    }
    let file = match open_private(path) {
        Err(KeyError::Io(_, error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut octets = Vec::new();
    let read = file.take(MAX_OCTETS).read_to_end(&mut octets);
    read.map_err(|error| KeyError::Io(path.to_owned(), error))?;
    Ok(Some(octets))
}

/// Puts octets in the place of a file, so that after a crash there is the old file or the new.
fn replace(path: &Path, draft: &Path, octets: &[u8]) -> io::Result<()> {
    // One that was left by a crash. Nobody else writes it, under the lock.
    match std::fs::remove_file(draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(octets)?;
    file.sync_all()?;
    std::fs::rename(draft, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// The same path with something behind the name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(ending);
    beside.into()
}
