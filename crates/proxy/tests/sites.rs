//! Static sites: what is published, how, and what never is.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{fs, os::unix::fs::symlink, path::Path};

use support::{Proxy, site};

fn files(root: &Path) {
    for (name, text) in [
        ("index.html", "<h1>home</h1>"),
        ("app.js", "console.log(1)"),
        ("docs/index.html", "docs"),
        ("empty/keep.txt", "x"),
        (".env", "SECRET=1"),
        (".git/config", "[core]"),
        ("docs/.hidden", "x"),
        (".well-known/assetlinks.json", "[]"),
        ("big.bin", "0123456789"),
        ("style.css", "plain"),
        ("style.css.gz", "gzipped"),
        ("style.css.br", "brotli"),
    ] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_with_what_browsers_need() {
    let root = tempfile::tempdir().unwrap();
    files(root.path());
    let proxy = Proxy::start(vec![site("s.localhost", "/", root.path(), false)]);
    let home = proxy.get("s.localhost", "/").await;
    assert_eq!((home.status.as_u16(), home.body.as_str()), (200, "<h1>home</h1>"));
    assert_eq!(home.header("content-type"), Some("text/html"));
    assert_eq!(home.header("x-content-type-options"), Some("nosniff"));
    let etag = home.header("etag").expect("something to ask again with").to_owned();

    let again = proxy.send("GET", "s.localhost", "/", &format!("If-None-Match: {etag}\r\n"), "").await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
    let part = proxy.send("GET", "s.localhost", "/big.bin", "Range: bytes=2-4\r\n", "").await;
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(proxy.send("GET", "s.localhost", "/big.bin", "Range: bytes=20-\r\n", "").await.status, 416);
    let head = proxy.send("HEAD", "s.localhost", "/big.bin", "", "").await;
    assert_eq!((head.header("content-length"), head.body.as_str()), (Some("10"), ""));
    let br = proxy.send("GET", "s.localhost", "/style.css", "Accept-Encoding: gzip, br\r\n", "").await;
    assert_eq!((br.header("content-encoding"), br.body.as_str()), (Some("br"), "brotli"));
    assert_eq!(proxy.get("s.localhost", "/style.css").await.body, "plain");
    assert_eq!(proxy.get("s.localhost", "/.well-known/assetlinks.json").await.status, 200);
    let post = proxy.send("POST", "s.localhost", "/", "", "x").await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, Some("get, head")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_meant_to_be_published_is_not_there() {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("site");
    fs::create_dir(&root).unwrap();
    files(&root);
    fs::write(outside.path().join("secret.txt"), "top secret").unwrap();
    fs::create_dir(outside.path().join("more")).unwrap();
    fs::write(outside.path().join("more/secret.txt"), "top secret").unwrap();
    symlink("../secret.txt", root.join("relative.txt")).unwrap();
    symlink(outside.path().join("secret.txt"), root.join("absolute.txt")).unwrap();
    symlink("../more", root.join("folder")).unwrap();
    symlink("/proc/self/environ", root.join("environ")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("big.bin", root.join("inside.bin")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let proxy = Proxy::start(vec![site("s.localhost", "/", &root, false), site("p.localhost", "/p", &root, false)]);
    for path in [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/..\\secret.txt",
        "/relative.txt",
        "/absolute.txt",
        "/folder/secret.txt",
        "/environ",
        "/loop",
        "/pipe",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/docs/.hidden",
        "/empty/",
        "/index.html%00.txt",
        "/big.bin/",
        "/big.bin/x",
    ] {
        for (host, prefix) in [("s.localhost", ""), ("p.localhost", "/p")] {
            let told = proxy.get(host, &format!("{prefix}{path}")).await;
            assert!(
                told.status.is_client_error() || (path == "/big.bin/" && told.status.is_success()),
                "{path}: {} {}",
                told.status,
                told.body
            );
            assert!(!told.body.contains("secret") && !told.body.contains("root:"), "{path}");
        }
    }
    assert_eq!(proxy.get("s.localhost", "/inside.bin").await.body, "0123456789", "links within the site are fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_below_a_path_has_its_own_root_there() {
    let (home, downloads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    files(home.path());
    files(downloads.path());
    fs::write(downloads.path().join("index.html"), "downloads").unwrap();
    let proxy = Proxy::start(vec![
        site("s.localhost", "/", home.path(), false),
        site("s.localhost", "/downloads", downloads.path(), false),
    ]);
    let bare = proxy.get("s.localhost", "/downloads?v=1").await;
    assert_eq!((bare.status.as_u16(), bare.header("location")), (308, Some("/downloads/?v=1")));
    assert_eq!(proxy.get("s.localhost", "/downloads/").await.body, "downloads");
    assert_eq!(proxy.get("s.localhost", "/downloads/docs/").await.body, "docs");
    let folder = proxy.get("s.localhost", "/downloads/docs").await;
    assert_eq!((folder.status.as_u16(), folder.header("location")), (307, Some("/downloads/docs/")));
    let other = proxy.get("s.localhost", "//evil.example/docs/..").await;
    assert!(!other.status.is_redirection(), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_there_is_the_sites_own_page_or_its_app() {
    let root = tempfile::tempdir().unwrap();
    files(root.path());
    let proxy = Proxy::start(vec![
        site("plain.localhost", "/", root.path(), false),
        site("spa.localhost", "/", root.path(), true),
    ]);
    assert_eq!(proxy.get("plain.localhost", "/nothing").await.body, "404 Not Found\n");
    let page = proxy.get("spa.localhost", "/settings/profile").await;
    assert_eq!((page.status.as_u16(), page.body.as_str()), (200, "<h1>home</h1>"));
    assert_eq!(proxy.get("spa.localhost", "/missing.js").await.status, 404);
    assert_eq!(proxy.get("spa.localhost", "/.git/config").await.status, 404);

    fs::write(root.path().join("404.html"), "our own page").unwrap();
    let told = proxy.send("GET", "plain.localhost", "/nothing", "Range: bytes=0-1\r\n", "").await;
    assert_eq!((told.status.as_u16(), told.body.as_str(), told.header("etag")), (404, "our own page", None));
}
