//! A `redis-server` process of a test.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A `redis-server` process, with a folder of its own for what it writes.
pub(super) struct Redis {
    pub(super) port: u16,
    folder: PathBuf,
    settings: Vec<String>,
    process: Child,
}

impl Redis {
    pub(super) fn start(settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        loop {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port();
            drop(listener);
            // Another test may have taken the port meanwhile.
            let folder = std::env::temp_dir().join(format!("portcullis-proofs-{port}"));
            std::fs::create_dir_all(&folder).expect("a folder");
            if let Some(process) = Self::run(port, &folder, &settings) {
                return Self {
                    port,
                    folder,
                    settings,
                    process,
                };
            }
        }
    }

    /// `None` where the process ends, since the port is taken.
    fn run(port: u16, folder: &Path, settings: &[String]) -> Option<Child> {
        let named = std::env::var("PORTCULLIS_REDIS").ok();
        let named = named.filter(|name| name != "required");
        let process = Command::new(named.as_deref().unwrap_or("redis-server"))
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--port", &port.to_string()])
            .arg("--dir")
            .arg(folder)
            .args(settings)
            .stdout(Stdio::null())
            .spawn();
        let mut process = process.expect("this test needs redis-server");
        let own = format!("process_id:{}\r\n", process.id());
        // A server that loads its file answers `INFO`, and refuses `PING`.
        while !say(port, "INFO server").contains(&own) || !say(port, "PING").starts_with("+PONG") {
            if process.try_wait().expect("a process").is_some() {
                return None;
            }
            std::thread::yield_now();
        }
        Some(process)
    }

    pub(super) fn restart(&mut self) {
        self.kill();
        self.process = loop {
            if let Some(process) = Self::run(self.port, &self.folder, &self.settings) {
                break process;
            }
        };
    }

    pub(super) fn kill(&mut self) {
        self.process.kill().expect("a process");
        self.process.wait().expect("a process");
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The reply to an inline command; empty where there is no server.
pub(super) fn say(port: u16, command: &str) -> String {
    let talk = || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream
            .write_all(format!("{command}\r\nQUIT\r\n").as_bytes())
            .ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        Some(reply)
    };
    talk().unwrap_or_default()
}
