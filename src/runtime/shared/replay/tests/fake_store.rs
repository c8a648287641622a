//! A store in this process that can be silent, refuse and hang up.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the fake store does with `SET`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Answers,
    Silent,
    Refuses,
    Nonsense,
    HangsUp,
}

/// A store that knows `SET NX PX`, and says OK to everything else.
pub(super) struct FakeStore {
    pub(super) port: u16,
    mode: watch::Sender<Mode>,
    pub(super) held: Arc<Mutex<HashSet<String>>>,
    /// The arguments of each `SET`.
    commands: Arc<Mutex<Vec<Vec<String>>>>,
}

impl FakeStore {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let store = Self {
            port,
            mode: watch::Sender::new(Mode::Answers),
            held: Arc::default(),
            commands: Arc::default(),
        };
        let mode = store.mode.subscribe();
        let (held, commands) = (Arc::clone(&store.held), Arc::clone(&store.commands));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (held, commands) = (Arc::clone(&held), Arc::clone(&commands));
                tokio::spawn(serve(stream, mode.clone(), held, commands));
            }
        });
        store
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(super) fn sets(&self) -> Vec<Vec<String>> {
        self.commands.lock().expect("no panic").clone()
    }
}

async fn serve(
    stream: TcpStream,
    mode: watch::Receiver<Mode>,
    held: Arc<Mutex<HashSet<String>>>,
    commands: Arc<Mutex<Vec<Vec<String>>>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(command) = next_command(&mut stream).await {
        let mut reply = "+OK\r\n";
        if command.first().is_some_and(|name| name == "SET") {
            commands
                .lock()
                .expect("no panic")
                .push(command[1..].to_vec());
            let mode = *mode.borrow();
            reply = match mode {
                Mode::Answers if held.lock().expect("no panic").insert(command[1].clone()) => reply,
                Mode::Answers => "$-1\r\n",
                Mode::Refuses => "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
                Mode::Nonsense => ":1\r\n",
                Mode::Silent => continue,
                Mode::HangsUp => return,
            };
        }
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn next_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = number(stream).await?;
    let mut command = Vec::new();
    for _ in 0..count {
        let mut text = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut text).await.ok()?;
        let text = String::from_utf8(text).ok()?;
        command.push(text.trim_end().to_owned());
    }
    Some(command)
}

async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim_end().parse().ok()
}
