//! Keys rotate under load, and no good token is refused.

use std::net::SocketAddr;

use portcullis::ResourceServer;
use portcullis::test_util::MockIssuer;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Fault;
use crate::callers::{Call, READ};
use crate::client;
use crate::table::Table;

/// How many ask at the same time, each one request after the other.
const CALLERS: usize = 3;

/// How many answers each of them gets between two steps.
const ANSWERS: u32 = 20;

pub(crate) async fn show(
    table: &mut Table,
    pool: &MockIssuer,
    server: &ResourceServer,
) -> Result<(), Fault> {
    let old = pool.aworld_user().sign();
    let mut crowd = Crowd::start(table.address(), &old);
    crowd.goes_on().await?;

    pool.rotate();
    let new = pool.aworld_user().sign();
    // Nobody has told the resource server: this request finds the key, in one fetch.
    let first = Call::new("user, key never seen yet", READ, [new.clone()], "200");
    table.ask(&first).await?;
    let still = Call::new("user, key still published", READ, [old.clone()], "200");
    table.ask(&still).await?;
    crowd.takes(&new).await?;

    pool.retire_old_keys();
    server.refresh_now().await?; // stands in for the schedule, which does so every 10 minutes
    let retired = Call::new("user, key retired", READ, [old], "401 invalid_token");
    table.ask(&retired).await?;
    crowd.goes_on().await?;

    let Tally { asked, refused } = crowd.disperse().await?;
    table.line(
        &format!("{CALLERS} users in the meantime"),
        &format!("{asked} requests with good tokens"),
        &format!("{refused} refused"),
        "0 refused",
    )?;
    Ok(())
}

/// Callers who ask without pause, always with the token that was handed out last.
struct Crowd {
    token: watch::Sender<Handout>,
    callers: Vec<(watch::Receiver<Progress>, JoinHandle<Tally>)>,
}

#[derive(Clone)]
struct Handout {
    number: u32,
    token: String,
}

/// How many answers a caller has got since this handout.
#[derive(Clone, Copy)]
struct Progress {
    handout: u32,
    answers: u32,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    asked: usize,
    refused: usize,
}

impl Crowd {
    fn start(address: SocketAddr, token: &str) -> Self {
        let (sender, token) = watch::channel(Handout {
            number: 0,
            token: token.to_owned(),
        });
        let callers = (0..CALLERS).map(|_| {
            let (report, progress) = watch::channel(Progress {
                handout: 0,
                answers: 0,
            });
            let asking = keep_asking(address, token.clone(), report);
            (progress, tokio::spawn(asking))
        });
        Self {
            callers: callers.collect(),
            token: sender,
        }
    }

    /// Hands this token out. Afterwards no request with an earlier one is under way.
    async fn takes(&mut self, token: &str) -> Result<(), Fault> {
        self.token.send_modify(|handout| {
            handout.number += 1;
            token.clone_into(&mut handout.token);
        });
        self.goes_on().await
    }

    /// Ends when every caller has got some more answers to requests with the present token.
    async fn goes_on(&mut self) -> Result<(), Fault> {
        let number = self.token.borrow().number;
        for (progress, _) in &mut self.callers {
            let now = *progress.borrow_and_update();
            let so_far = if now.handout == number {
                now.answers
            } else {
                0
            };
            progress
                .wait_for(|then| then.handout == number && then.answers >= so_far + ANSWERS)
                .await?;
        }
        Ok(())
    }

    async fn disperse(self) -> Result<Tally, Fault> {
        drop(self.token);
        let mut all = Tally::default();
        for (_, caller) in self.callers {
            let one = caller.await?;
            all.asked += one.asked;
            all.refused += one.refused;
        }
        Ok(all)
    }
}

/// Sends requests until no more tokens are handed out. An answer that does not come is a refusal.
async fn keep_asking(
    address: SocketAddr,
    token: watch::Receiver<Handout>,
    report: watch::Sender<Progress>,
) -> Tally {
    let mut tally = Tally::default();
    while token.has_changed().is_ok() {
        let Handout { number, token } = token.borrow().clone();
        let answer = client::send(address, READ, &[token], &[]).await;
        tally.asked += 1;
        if !answer.is_ok_and(|answer| answer.is_success()) {
            tally.refused += 1;
        }
        report.send_modify(|progress| {
            if progress.handout != number {
                progress.handout = number;
                progress.answers = 0;
            }
            progress.answers += 1;
        });
    }
    tally
}
