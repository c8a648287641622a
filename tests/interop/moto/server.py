"""moto's server on loopback.

1. `python server.py PORT`, by the interpreter where the packages are installed; port 0 takes a
   free one. The first line on standard output is `ready URL`.
2. It ends with its standard input, so that it cannot outlive the test that started it.
"""

import logging
import os
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server(
    "127.0.0.1",
    int(sys.argv[1]) if len(sys.argv) > 1 else 0,
    DomainDispatcherApplication(create_backend_app),
    threaded=True,
    request_handler=MotoRequestHandler,
)
threading.Thread(target=end_with_standard_input, daemon=True).start()
print(f"ready http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
