//! The table on the terminal, 100 columns wide while all is well.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::SocketAddr;

use crate::callers::Call;
use crate::client;

pub(crate) struct Table {
    address: SocketAddr,
    lines: usize,
    unexpected: usize,
}

impl Table {
    /// Prints the head. Requests go to this address.
    pub(crate) fn start(address: SocketAddr) -> io::Result<Self> {
        print("caller", "request", "answer", "expected")?;
        rule()?;
        Ok(Self {
            address,
            lines: 0,
            unexpected: 0,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a call and prints its line.
    pub(crate) async fn ask(&mut self, call: &Call) -> io::Result<()> {
        let answer = client::send(self.address, call.request, &call.tokens, &call.users).await?;
        self.line(
            call.caller,
            call.request,
            &answer.to_string(),
            call.expected,
        )
    }

    pub(crate) fn line(
        &mut self,
        caller: &str,
        request: &str,
        answer: &str,
        expected: &str,
    ) -> io::Result<()> {
        self.lines += 1;
        if answer == expected {
            return print(caller, request, answer, "ok");
        }
        self.unexpected += 1;
        print(caller, request, answer, format_args!("NOT ({expected})"))
    }

    /// Prints how it went. Returns how many answers were not the expected ones.
    pub(crate) fn end(self) -> io::Result<usize> {
        let expected = self.lines - self.unexpected;
        rule()?;
        writeln!(
            io::stdout(),
            "{expected} of {} lines as expected",
            self.lines
        )?;
        Ok(self.unexpected)
    }
}

/// Prints a title between two parts of the table.
pub(crate) fn title(text: &str) -> io::Result<()> {
    rule()?;
    writeln!(io::stdout(), "{text}")?;
    rule()
}

fn print(caller: &str, request: &str, answer: &str, verdict: impl Display) -> io::Result<()> {
    writeln!(
        io::stdout(),
        "{caller:<25}  {request:<39}  {answer:<22}  {verdict}"
    )
}

fn rule() -> io::Result<()> {
    writeln!(io::stdout(), "{:-<100}", "")
}
