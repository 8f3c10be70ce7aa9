"""Serve a model: `python -m tools.model_endpoint --packages FOLDER --model FILE.gguf --name NAME`.

`python -m tools.model_lane serve` calls it with what the lane has installed. It says its address on one
line of standard output and serves until its standard input ends, so it never outlives the one who started
it; Ctrl-C and signals end it too.
"""

import argparse
import os
import sys
import threading
from pathlib import Path

from tools.model_endpoint.engine import Engine
from tools.model_endpoint.ollama_api import OllamaApi


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.model_endpoint", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--packages", type=Path, required=True, help="the folder that xllamacpp lies in")
    parser.add_argument("--model", type=Path, required=True, help="the model's weights, a GGUF file")
    parser.add_argument("--name", required=True, help="what the model is called, such as smollm2:135m")
    given = parser.parse_args()
    server = OllamaApi(Engine(given.packages, given.model), given.name)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.url, flush=True)
    try:
        while os.read(sys.stdin.fileno(), 4096):
            pass
    except KeyboardInterrupt:
        pass
    # llama.cpp's threads may be in the middle of an answer that nobody waits for any more.
    os._exit(0)


if __name__ == "__main__":
    main()
