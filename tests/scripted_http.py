"""An HTTP server on a real socket whose answers a test writes."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedServer:
    """Answers with what ``answer(request number, method, path, headers)`` returns."""

    def __init__(self):
        self.answer = lambda *request: (200, {"id": 1})
        self.requests = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def paths(self):
        return Counter(path for _, path, _ in self.requests)

    def respond(self, handler, method):
        length = int(handler.headers.get("Content-Length") or 0)
        handler.rfile.read(length)
        with self._lock:
            self.requests.append((method, handler.path, handler.headers))
            number = len(self.requests)
        status, content, *headers = self.answer(number, method, handler.path, handler.headers)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _handler(script):  # noqa: N805 - the handler's own self is another
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                script.respond(self, "GET")

            def do_POST(self):
                script.respond(self, "POST")

            def do_PUT(self):
                script.respond(self, "PUT")

            def log_message(self, *arguments):
                """Tests read the requests, not a log."""

        return Handler
