"""A shop of one page: it shows what its configuration says."""

import html
import http.server
import json
import sys


def page(config):
    features = "".join(f"<li>{html.escape(name)}</li>" for name in config["features"])
    name, greeting = html.escape(config["name"]), html.escape(config["greeting"])
    return f"<!doctype html><title>{name}</title><h1>{name}</h1><p>{greeting}</p><ul>{features}</ul>\n"


class Shop(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    Shop.body = page(config).encode()
    http.server.ThreadingHTTPServer(("127.0.0.1", config["port"]), Shop).serve_forever()
