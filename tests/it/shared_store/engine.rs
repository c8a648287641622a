//! A `redis-server` of the test's own, a wire to it that can be cut, and what lies in it.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough for a busy machine; nothing passes because of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server on loopback, which keeps nothing when it ends.
pub(crate) struct Engine {
    binary: PathBuf,
    settings: Vec<String>,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl Engine {
    /// One with these settings. Tests that start one are marked `#[ignore]`: this panics where
    /// there is no `redis-server`.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let named = env::var_os("PORTCULLIS_REDIS").filter(|name| name != "required");
        let binary = match named {
            Some(path) => Some(PathBuf::from(path)),
            None => ["redis-server", "valkey-server"].iter().find_map(found),
        };
        let mut engine = Self {
            binary: binary.expect(
                "this test needs redis-server or valkey-server: install one, or name its file \
                 with PORTCULLIS_REDIS",
            ),
            settings: settings.iter().map(ToString::to_string).collect(),
            port: free_port().await,
            process: None,
        };
        // Somebody may have taken the port that was free.
        while !engine.begins().await {
            engine.port = free_port().await;
        }
        engine
    }

    /// A Sentinel that watches nothing.
    pub(crate) async fn sentinel() -> Self {
        let mut engine = Self::start(&[]).await;
        engine.kill().await;
        let name = format!("portcullis-sentinel-{}", engine.port);
        let file = env::temp_dir().join(name);
        std::fs::write(&file, format!("port {}\n", engine.port)).expect("a file");
        let child = Command::new(&engine.binary)
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        engine.process = Some(child.expect("a process"));
        let answers = async {
            while TcpStream::connect(("127.0.0.1", engine.port))
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, answers)
            .await
            .expect("a sentinel that starts");
        std::fs::remove_file(&file).expect("a file");
        engine
    }

    /// Where it writes.
    fn folder(&self) -> PathBuf {
        env::temp_dir().join(format!("portcullis-store-{}", self.port))
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts the process again, and waits until it answers.
    pub(crate) async fn run(&mut self) {
        let begins = async { while !self.begins().await {} };
        timeout(PATIENCE, begins)
            .await
            .expect("a store that starts");
    }

    /// Whether it starts; it does not where the port is taken.
    async fn begins(&mut self) -> bool {
        let folder = self.folder();
        std::fs::create_dir_all(&folder).expect("a folder");
        let child = Command::new(&self.binary)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.port.to_string()])
            // A replica writes what it gets of its primary.
            .arg("--dir")
            .arg(&folder)
            .args(&self.settings)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.expect("a process");
        let mut told = BufReader::new(child.stdout.take().expect("its output")).lines();
        let ready = async {
            while let Some(line) = told.next_line().await.expect("a line") {
                if line.contains("Ready to accept connections") {
                    return true;
                }
            }
            false
        };
        let is_ready = timeout(PATIENCE, ready).await.expect("a store that starts");
        // Whoever closes the pipe ends the process.
        tokio::spawn(async move { while let Ok(Some(_)) = told.next_line().await {} });
        self.process = Some(child);
        is_ready
    }

    /// Ends the process. What it held is gone.
    pub(crate) async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().await.expect("it ends");
    }

    /// Runs a command, and gives its answer as lines.
    pub(crate) async fn run_command(&self, words: &[&[u8]]) -> Vec<Vec<u8>> {
        let address = ("127.0.0.1", self.port);
        let mut wire = BufReader::new(TcpStream::connect(address).await.expect("the store"));
        let mut sent = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            sent.extend(format!("${}\r\n", word.len()).into_bytes());
            sent.extend_from_slice(word);
            sent.extend(b"\r\n");
        }
        wire.write_all(&sent).await.expect("sent");
        let mut values = Vec::new();
        let mut left = 1;
        while left > 0 {
            left -= 1;
            let mut line = Vec::new();
            wire.read_until(b'\n', &mut line).await.expect("a line");
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (form, rest) = text.split_at(1);
            match (form, rest) {
                ("*", count) => left += count.parse::<usize>().expect("a count"),
                ("$", "-1") => {}
                ("$", bytes) => {
                    let mut value = vec![0; bytes.parse::<usize>().expect("bytes") + 2];
                    wire.read_exact(&mut value).await.expect("a value");
                    value.truncate(value.len() - 2);
                    values.push(value);
                }
                ("-", error) => panic!("{error}"),
                (_, value) => values.push(value.as_bytes().to_vec()),
            }
        }
        values
    }

    /// The same, with words and lines of text.
    pub(crate) async fn say(&self, command: &str) -> Vec<String> {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        let lines = self.run_command(&words).await;
        let text = |line: Vec<u8>| String::from_utf8_lossy(&line).into_owned();
        lines.into_iter().map(text).collect()
    }

    /// The name of the only key that ends like this.
    pub(crate) async fn key(&self, end: &str) -> String {
        let keys = self.say(&format!("KEYS *{end}")).await;
        assert_eq!(keys.len(), 1, "{keys:?}");
        keys[0].clone()
    }

    /// What lies in the only stream, with the places.
    pub(crate) async fn stream(&self) -> Vec<(String, Vec<u8>)> {
        let key = self.key(":revocations").await;
        let words: [&[u8]; 4] = [b"XRANGE", key.as_bytes(), b"-", b"+"];
        let parts = self.run_command(&words).await;
        let entries = parts.chunks(3);
        entries
            .map(|entry| {
                (
                    String::from_utf8_lossy(&entry[0]).into_owned(),
                    entry[2].clone(),
                )
            })
            .collect()
    }

    /// Everything that it holds: names and values.
    pub(crate) async fn everything(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for key in self.say("KEYS *").await {
            all.extend_from_slice(key.as_bytes());
            let kind = self.say(&format!("TYPE {key}")).await;
            let parts = match kind[0].as_str() {
                "stream" => {
                    self.run_command(&[b"XRANGE", key.as_bytes(), b"-", b"+"])
                        .await
                }
                _ => self.run_command(&[b"GET", key.as_bytes()]).await,
            };
            all.extend(parts.concat());
        }
        all
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The process is killed with its handle.
        self.process = None;
        let _ = std::fs::remove_dir_all(self.folder());
    }
}

fn found(name: &&str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let places = env::split_paths(&path).map(|folder| folder.join(name));
    places.into_iter().find(|file| file.is_file())
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A wire to a store that can be cut and mended.
pub(crate) struct Wire {
    pub(crate) port: u16,
    whole: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    pub(crate) async fn to(engine: &Engine) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let whole = Arc::new(watch::Sender::new(true));
        let (state, store) = (Arc::clone(&whole), engine.port);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut state = state.subscribe();
                tokio::spawn(async move {
                    let carried = async {
                        let mut server = TcpStream::connect(("127.0.0.1", store)).await?;
                        tokio::io::copy_bidirectional(&mut client, &mut server).await
                    };
                    // Who is cut off sees an end, now or at once.
                    tokio::select! {
                        _ = carried => {}
                        _ = state.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Self { port, whole, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}
