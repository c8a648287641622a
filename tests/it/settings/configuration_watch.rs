//! The watcher of the example `resource_server`: which changes of the file replace the issuers.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use portcullis::ResourceServer;
use watch::Watch;

use crate::support::folder::Folder;

#[path = "../../../examples/configuration/file.rs"]
mod file;
// Tests look at the file themselves, in place of the loop.
#[allow(dead_code)]
#[path = "../../../examples/configuration/watch.rs"]
mod watch;

/// A configuration that is as long for each client of one letter.
fn text(client: &str) -> String {
    let keys = portcullis::test_util::MockIssuer::new().key_set();
    let issuer = format!(
        "[[issuer]]\noidc = \"https://id.example.com\"\nclient_id = \"{client}\"\nkey_set = '{keys}'\n"
    );
    format!("resource = \"https://api.example.com\"\n{issuer}")
}

fn server(path: &Path) -> ResourceServer {
    let read = file::read(path).expect("a configuration");
    let builder = read.into_builder().expect("sound");
    builder.build().expect("sound")
}

/// The revision after each of these looks at the file.
fn revisions(watch: &mut Watch, server: &ResourceServer, looks: usize) -> Vec<u64> {
    let mut look = || {
        watch.look(server, false);
        server.revision()
    };
    (0..looks).map(|_| look()).collect()
}

#[tokio::test]
async fn configuration_watch_takes_a_change_of_the_time_in_which_the_program_started() {
    let folder = Folder::new();
    let path = folder.write("api.toml", text("a"));
    let mut watch = Watch::of(path.clone());
    let server = server(&path);
    // As long as `connect()` waits for issuers, for one.
    folder.write("api.toml", text("another"));
    // The first look may find a file that is being written.
    assert_eq!(revisions(&mut watch, &server, 3), [1, 2, 2]);
}

#[tokio::test]
async fn configuration_watch_reads_the_file_at_once_on_a_signal() {
    let folder = Folder::new();
    let path = folder.write("api.toml", text("a"));
    let mut watch = Watch::of(path.clone());
    let server = server(&path);
    folder.write("api.toml", text("another"));
    watch.look(&server, true);
    assert_eq!(server.revision(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn configuration_watch_takes_another_file_of_the_same_size_and_time() {
    let folder = Folder::new();
    let base = text("a");
    let link = folder.path().join("api.toml");
    let write = |name: &str, text: &str| {
        let path = folder.write(name, text);
        // As stores of packages and images set it.
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let file = File::options().write(true).open(&path).expect("a file");
        file.set_modified(time).expect("a time");
        path
    };
    let (one, two) = (
        write("one.toml", &base),
        write("two.toml", &base.replace("\"a\"", "\"b\"")),
    );
    std::os::unix::fs::symlink(&one, &link).expect("a link");
    let mut watch = Watch::of(link.clone());
    let server = server(&link);
    let other = folder.path().join("other");
    let point_to = |target: &Path| {
        std::os::unix::fs::symlink(target, &other).expect("a link");
        fs::rename(&other, &link).expect("renamed");
    };
    point_to(&two);
    assert_eq!(revisions(&mut watch, &server, 3), [1, 2, 2]);
    // What is gone, a folder and what has a mistake change nothing; a whole file is taken again.
    for target in ["missing.toml", "."] {
        point_to(&folder.path().join(target));
        assert_eq!(revisions(&mut watch, &server, 3), [2, 2, 2], "{target}");
    }
    point_to(&write("cut.toml", &base[..base.len() - 20]));
    assert_eq!(revisions(&mut watch, &server, 3), [2, 2, 2], "it is cut");
    point_to(&one);
    assert_eq!(revisions(&mut watch, &server, 3), [2, 3, 3]);
}
