"""An S3 server for tests: moto's, in a process of its own, that can be told to fail.

``python -m tests.storage PORT`` serves. A test tells it by ``POST /_faults`` which requests go
wrong: a JSON list of objects with ``method`` and ``path`` (regular expressions), ``after`` (so many
such requests are answered first), ``times`` (then so many fail) and ``do``: a status, ``reset`` for
a connection that breaks, or ``body`` for one that ends in the middle. ``GET /_log`` gives the
requests since the last such list.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager

from tests.conftest import ROOT

BUCKET = "asmr"
KEY, SECRET = "AKIAWHISPERINGRAIN", "very/secret+crinkling"
LINGER = struct.pack("ii", 1, 0)
"""Makes a closed connection a reset one."""


class Faulty:
    """A WSGI application before another, which fails as it is told."""

    def __init__(self, app):
        self.app = app
        self.faults = []
        self.log = []

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/_faults":
            length = int(environ["CONTENT_LENGTH"])
            self.faults, self.log = json.loads(environ["wsgi.input"].read(length)), []
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        if path == "/_log":
            body = json.dumps(self.log).encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        self.log.append([method, path, environ.get("HTTP_RANGE", "")])
        for fault in self.faults:
            if re.fullmatch(fault["method"], method) and re.fullmatch(fault["path"], path):
                if fault["after"] > 0:
                    fault["after"] -= 1
                elif fault["times"] > 0:
                    fault["times"] -= 1
                    return self.fail(fault["do"], environ, start_response)
        part = read_part(environ)
        if part is None:
            return self.app(environ, start_response)
        body, headers = part
        start_response("206 Partial Content", headers)
        return [body]

    @staticmethod
    def fail(do, environ, start_response):
        if do == "reset":
            connection = environ["werkzeug.socket"]
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            connection.shutdown(socket.SHUT_RDWR)
            return []
        codes = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}
        body = b""
        if environ["REQUEST_METHOD"] != "HEAD":
            body = f"<Error><Code>{codes[do]}</Code><Message>so told</Message></Error>".encode()
        start_response(f"{do} So Told", [("Content-Length", str(len(body)))])
        return [body]


def read_part(environ):
    """Read a part of an object, with its headers; None where moto is to answer.

    Moto copies an object whole for each part of it that is asked for: a hundred megabytes for four.
    """
    from moto.s3.models import s3_backends

    bucket, _, name = environ["PATH_INFO"].lstrip("/").partition("/")
    asked = re.fullmatch(r"bytes=(\d+)-(\d+)", environ.get("HTTP_RANGE", ""))
    buckets = s3_backends["123456789012"]["aws"].buckets
    if environ["REQUEST_METHOD"] != "GET" or not asked or bucket not in buckets:
        return None
    key = buckets[bucket].keys.get(name)
    start, end = int(asked[1]), int(asked[2]) + 1
    if key is None or environ.get("HTTP_IF_MATCH", key.etag) != key.etag or start >= key.size:
        return None
    with key.lock:
        key._value_buffer.seek(start)
        body = key._value_buffer.read(end - start)
    return body, [
        ("Content-Length", str(len(body))),
        ("Content-Range", f"bytes {start}-{start + len(body) - 1}/{key.size}"),
        ("ETag", key.etag),
        ("Last-Modified", key.last_modified_RFC1123),
    ]


def serve(port):
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay, as those of S3 do

    app = Faulty(DomainDispatcherApplication(create_backend_app))
    make_server("127.0.0.1", port, app, threaded=True, request_handler=Handler).serve_forever()


class Storage:
    """A running server, seen from a test."""

    def __init__(self, url):
        self.url = url

    @property
    def environment(self):
        """What makes a program use it, as people tell programs of theirs."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",  # of botocore; s3fs tries again by itself
        }

    def put(self, name, data):
        """Write an object, past all faults."""
        import fsspec

        system = fsspec.filesystem(
            "s3", key=KEY, secret=SECRET, endpoint_url=self.url, use_listings_cache=False
        )
        if not system.exists(BUCKET):
            system.mkdir(BUCKET)
        system.pipe_file(f"{BUCKET}/{name}", data, chunksize=1 << 30)  # at once: parts take longer

    def sign(self, name, **more):
        """Give an address of the web for an object, as people do who share one."""
        import boto3

        client = boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET
        )
        return client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": name, **more})

    def fail(self, *, do, path=".*", method="GET", after=0, times=1000):
        """Let requests fail from now on; earlier faults and the log are forgotten."""
        fault = {"do": do, "path": path, "method": method, "after": after, "times": times}
        self._post([fault])

    def recover(self):
        """Let no request fail any more, and forget the log."""
        self._post([])

    def log(self):
        """Give method, path and range of each request since then."""
        with urllib.request.urlopen(f"{self.url}/_log") as answer:  # noqa: S310
            return json.load(answer)

    def _post(self, faults):
        data = json.dumps(faults).encode()
        with urllib.request.urlopen(f"{self.url}/_faults", data):  # noqa: S310
            pass


@contextmanager
def running():
    """Run a server, and end it."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.storage", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        storage = Storage(f"http://127.0.0.1:{port}")
        try:
            for _ in range(600):
                try:
                    storage.recover()
                    break
                except OSError:
                    time.sleep(0.1)
            yield storage
        finally:
            process.kill()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
