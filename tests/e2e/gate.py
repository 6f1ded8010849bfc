"""A proxy that stops a program at an exact place, so that it can be killed there."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

LONGEST_WAIT_SECONDS = 90
OF_ARGILLA = ("X-Argilla-Api-Key", "Content-Type")


class Gate:
    """Passes requests on to Argilla, until one is held back: it is neither passed on nor answered.

    A context manager; ``url`` is its own address.
    """

    def __init__(self, target):
        self.target = target
        self._let_through = 0
        self._matches = None
        self._held = threading.Event()
        self._opened = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.open()
        self._server.shutdown()
        self._server.server_close()

    def hold(self, matches, after):
        """Let so many requests through that ``matches(method, path)``, and hold the next one."""
        self._held.clear()
        self._opened.clear()
        self._let_through, self._matches = after, matches

    def wait(self):
        """Until a request is held; whatever came before it has been answered."""
        assert self._held.wait(LONGEST_WAIT_SECONDS), "the request did not come"

    def open(self):
        """Let everything through again; what was held is dropped."""
        self._matches = None
        self._opened.set()

    def _is_held(self, method, path):
        with self._lock:
            if self._matches is None or not self._matches(method, path):
                return False
            self._let_through -= 1
            return self._let_through < 0

    def _handler(gate):  # noqa: N805 - the handler's own self is another
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if gate._is_held(self.command, self.path):
                    gate._held.set()
                    gate._opened.wait()
                    self.close_connection = True
                    return
                passed_on = {name: self.headers[name] for name in OF_ARGILLA if self.headers[name]}
                answer = requests.request(
                    self.command,
                    gate.target + self.path,
                    headers=passed_on,
                    data=body,
                    timeout=LONGEST_WAIT_SECONDS,
                    allow_redirects=False,
                )
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *arguments):
                """Tests look at what Argilla holds, not at a log."""

        return Handler
