"""An S3 server of names alone: a folder of as many objects as are asked for, none of which is kept.

``python -m tests.names NUMBER`` serves, and prints its port first.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.conftest import ROOT

BUCKET, FOLDER = "names", "flat/"
PAGE = 1000
"""Names in an answer, as S3 has it."""

SIZE = 10_000_000
"""Of each object: more than what is fetched ahead, since there is nothing to be fetched."""

OBJECT = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
    '<ETag>"{number:032x}"</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass>'
    "</Contents>"
)
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "names",
    "AWS_SECRET_ACCESS_KEY": "names",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def key_of(number):
    return f"{FOLDER}{number:09d}.mp3"


class Names(BaseHTTPRequestHandler):
    """Answers what is in the folder; ``server.asked`` keeps where each answer began."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        after = query.get("start-after", [""])[0]
        first = int(after.removeprefix(FOLDER).removesuffix(".mp3")) + 1 if after else 0
        start = int(query.get("continuation-token", [first])[0])
        end = min(start + int(query.get("max-keys", [PAGE])[0]), self.server.number)
        if query.get("prefix", [""])[0] != FOLDER:
            end = start
        self.server.asked.append(start)
        more = end > start and end < self.server.number
        told = [f"<KeyCount>{end - start}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"]
        told += [f"<NextContinuationToken>{end}</NextContinuationToken>"] if more else []
        told += [OBJECT.format(key=key_of(k), number=k, size=SIZE) for k in range(start, end)]
        body = f"<ListBucketResult>{''.join(told)}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def make_server(number):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Names)
    server.number, server.asked, server.daemon_threads = number, [], True
    return server


def environment_of(port):
    """What makes a program use it."""
    return ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


@contextmanager
def running_apart(number):
    """Serve in a process of its own; gives what makes a program use it."""
    command = [sys.executable, "-m", "tests.names", str(number)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield environment_of(int(process.stdout.readline()))
        finally:
            process.kill()


@contextmanager
def running(number):
    """Serve in a thread."""
    server = make_server(number)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    it = make_server(int(sys.argv[1]))
    print(it.server_port, flush=True)  # noqa: T201
    it.serve_forever()
