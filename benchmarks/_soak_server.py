"""The servers of the cluster that never rests (`_soak_world`), on one port: an API server and a history server."""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from _soak_world import PODS, Object, World


class _Answers(BaseHTTPRequestHandler):
    """One connection; `world` is set where the server is made."""

    world: World
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if "watch" in query:
            self._watch(url.path, int(query["resourceVersion"]), float(query.get("timeoutSeconds", 300)))
        elif url.path.startswith("/api/v1/query"):
            self._history(url.path, query)
        elif url.path == "/apis":
            self._say({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": []})
        elif url.path == "/version":
            self._say({"gitVersion": "v1.34.0"})
        elif url.path in self.world.kept:
            self._say(self.world.kept[url.path])
        elif "/namespaces/" in url.path:
            self._say({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}, 404)
        else:
            with self.world.lock:
                items = list(self.world.objects.get(url.path, {}).values())
                self._say({"kind": "List", "metadata": {"resourceVersion": str(self.world.version)}, "items": items})

    def do_POST(self) -> None:
        url, body = urlsplit(self.path), self._body()
        if url.path == "/turn":
            self.world.turn()
            self._say(list(self.world.objects[PODS]))
        elif url.path.startswith("/api/v1/query"):
            self._history(url.path, {key: values[-1] for key, values in parse_qs(body.decode()).items()})
        elif url.path.endswith("/eviction"):
            namespace, name = url.path.split("/")[4:7:2]
            found = self.world.evict(namespace, name, "dryRun" in url.query)
            self._say({"kind": "Status", "status": "Success" if found else "Failure"}, 201 if found else 404)
        elif url.path.endswith("reviews"):
            self._say({"status": {"allowed": True}}, 201)
        elif url.path.endswith("/events"):
            self._say({}, 201)
        else:
            made = json.loads(body)
            self._keep(f"{url.path}/{made['metadata']['name']}", made, 201)

    def do_PUT(self) -> None:
        self._keep(urlsplit(self.path).path, json.loads(self._body()), 200)

    def _keep(self, path: str, made: Object, code: int) -> None:
        with self.world.lock:
            self.world.version += 1
            made["metadata"]["resourceVersion"] = str(self.world.version)
            self.world.kept[path] = made
        self._say(made, code)

    def _watch(self, path: str, version: int, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        ends, cuts = time.monotonic() + seconds, self.world.cuts
        while self.world.cuts == cuts and time.monotonic() < ends:
            with self.world.lock:
                version, lines = self.world.since(path, version)
                if not lines:
                    self.world.lock.wait(2.0)
                    version, lines = self.world.since(path, version)
                    mark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}
                    lines = lines or [json.dumps(mark).encode() + b"\n"]
            chunk = b"".join(lines)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.close_connection = True  # without the last chunk: cut off

    def _history(self, path: str, query: dict[str, str]) -> None:
        text, ranged = query["query"], path.endswith("_range")
        found = [*self.world.usage(text)] if "soak_" in text else []
        if text.startswith("count"):
            found = [({}, float(len(found)))] if found else []
        if ranged:
            start, end, step = (float(query[key]) for key in ("start", "end", "step"))
            times = [start + i * step for i in range(int((end - start) / step) + 1)]
            result = [{"metric": labels, "values": [[at, f"{v:.6g}"] for at in times]} for labels, v in found]
        else:
            at = float(query.get("time", time.time()))
            result = [{"metric": labels, "value": [at, f"{v:.6g}"]} for labels, v in found]
        data = {"resultType": "matrix" if ranged else "vector", "result": result}
        self._say({"status": "success", "data": data})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _say(self, answer: object, code: int = 200) -> None:
        body = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def serve(pods: int) -> None:
    """Serve on a free port, which is printed as the first line of standard output."""
    answers = type("Answers", (_Answers,), {"world": World(pods)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
