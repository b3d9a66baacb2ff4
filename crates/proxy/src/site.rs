//! Files of a site. `tower-http` knows how files are told over HTTP; here is what may be opened at all.

use std::{
    fs, io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::SystemTime,
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs::{Backend, DefaultServeDirFallback, File, Metadata, ServeDir};

use crate::{
    answer::{Answer, BoxError},
    page,
};

pub(crate) struct Site {
    files: ServeDir<DefaultServeDirFallback, Beneath>,
    single_page: bool,
}

impl Site {
    /// The files of `root`, answered below `prefix`.
    pub(crate) fn new(root: &Path, prefix: &str, single_page: bool) -> Self {
        let mut files = ServeDir::with_backend(root, Beneath { root: root.to_owned() })
            .precompressed_br()
            .precompressed_gzip()
            .with_buf_chunk_size(64 << 10);
        if !prefix.is_empty() {
            files = files.redirect_path_prefix(prefix);
        }
        Self { files, single_page }
    }

    pub(crate) async fn answer(&self, method: &Method, uri: Uri, headers: &HeaderMap) -> Response<Answer> {
        let mut response = if *method != Method::GET && *method != Method::HEAD {
            let mut response = page::page(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        } else {
            self.find(method, uri, headers).await
        };
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    async fn find(&self, method: &Method, uri: Uri, headers: &HeaderMap) -> Response<Answer> {
        // A path that begins with two slashes comes back as a redirect to another host.
        let servable = !uri.path().starts_with("//") && !is_hidden(uri.path());
        let is_page = !uri.path().rsplit('/').next().unwrap_or_default().contains('.');
        if servable && let Some(response) = self.file(method, uri, headers).await {
            return response;
        }
        if self.single_page && servable && is_page {
            if let Some(response) = self.file(method, Uri::from_static("/index.html"), headers).await {
                return response;
            }
        } else if let Some(mut response) = self.file(method, Uri::from_static("/404.html"), &accepts(headers)).await {
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.headers_mut().remove(header::ETAG);
            response.headers_mut().remove(header::LAST_MODIFIED);
            response.headers_mut().remove(header::ACCEPT_RANGES);
            return response;
        }
        page::page(StatusCode::NOT_FOUND)
    }

    /// The answer for one file, if it is there.
    async fn file(&self, method: &Method, uri: Uri, headers: &HeaderMap) -> Option<Response<Answer>> {
        let mut request = Request::new(Empty::<bytes::Bytes>::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers.clone();
        match self.files.clone().try_call(request).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => None,
            Ok(response) => Some(response.map(|body| Answer::file(body.map_err(BoxError::from).boxed_unsync()))),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::InvalidFilename => None,
                _ => {
                    tracing::warn!(%error, "a site's file cannot be read");
                    Some(page::page(StatusCode::INTERNAL_SERVER_ERROR))
                }
            },
        }
    }
}

/// For an answer that is not the one asked for: ranges and conditions would be about something else.
fn accepts(headers: &HeaderMap) -> HeaderMap {
    headers
        .get(header::ACCEPT_ENCODING)
        .map(|value| HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.clone())]))
        .unwrap_or_default()
}

/// Whether a path names something that is not meant to be published: any dotfile but `/.well-known/…`.
fn is_hidden(path: &str) -> bool {
    let decoded: Vec<u8> = percent_encoding::percent_decode(path.as_bytes()).collect();
    decoded
        .split(|b| matches!(b, b'/' | b'\\'))
        .filter(|segment| !segment.is_empty())
        .enumerate()
        .any(|(n, segment)| segment[0] == b'.' && !(n == 0 && segment == b".well-known"))
}

/// Opens regular files, and only those that lie beneath the root once all links are followed.
///
/// The kernel follows them (`openat2`), so there is no moment between looking and opening.
#[derive(Debug, Clone)]
struct Beneath {
    root: PathBuf,
}

impl Beneath {
    fn open(&self, path: &Path) -> io::Result<(fs::File, Facts)> {
        let relative = path.strip_prefix(&self.root).map_err(|_| io::ErrorKind::NotFound)?;
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let root = rustix::fs::open(&self.root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // Not blocking, or a named pipe would hold up the worker.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let file: fs::File = match rustix::fs::openat2(&root, relative, flags, Mode::empty(), resolve) {
            Ok(file) => file.into(),
            // Leaves the root, or turns in circles.
            Err(rustix::io::Errno::XDEV | rustix::io::Errno::LOOP) => return Err(io::ErrorKind::NotFound.into()),
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => self.open_checked(relative)?,
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((file, Facts { is_dir: metadata.is_dir(), modified: metadata.modified()?, len: metadata.len() }))
    }

    /// Where the kernel (before 5.6), or a sandbox, does not have `openat2`.
    fn open_checked(&self, relative: &Path) -> io::Result<fs::File> {
        let root = self.root.canonicalize()?;
        let path = root.join(relative).canonicalize()?;
        if !path.starts_with(&root) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
    }
}

impl Backend for Beneath {
    type File = SiteFile;
    type Metadata = Facts;
    type OpenFuture = std::future::Ready<io::Result<SiteFile>>;
    type MetadataFuture = std::future::Ready<io::Result<Facts>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        std::future::ready(Beneath::open(self, &path).and_then(|(file, facts)| {
            if facts.is_dir {
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(SiteFile { file: tokio::fs::File::from_std(file), facts })
        }))
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        std::future::ready(Beneath::open(self, &path).map(|(_, facts)| facts))
    }
}

#[derive(Debug, Clone, Copy)]
struct Facts {
    is_dir: bool,
    modified: SystemTime,
    len: u64,
}

impl Metadata for Facts {
    fn is_dir(&self) -> bool {
        self.is_dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.modified)
    }

    fn len(&self) -> u64 {
        self.len
    }
}

struct SiteFile {
    file: tokio::fs::File,
    facts: Facts,
}

impl File for SiteFile {
    type Metadata = Facts;
    type MetadataFuture<'a> = std::future::Ready<io::Result<Facts>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        std::future::ready(Ok(self.facts))
    }
}

impl AsyncRead for SiteFile {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(cx, buf)
    }
}

impl AsyncSeek for SiteFile {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.file).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.file).poll_complete(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::is_hidden;

    #[test]
    fn dotfiles_are_hidden_except_well_known() {
        for path in ["/.env", "/a/.git/config", "/%2eenv", "/a/%2Egit", "/a/.well-known/x", "/..", "/a%2f.env"] {
            assert!(is_hidden(path), "{path}");
        }
        for path in ["/", "/a.b", "/.well-known/acme", "/a/b.html", "//a"] {
            assert!(!is_hidden(path), "{path}");
        }
    }
}
