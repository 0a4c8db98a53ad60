"""`python -m tests.chaos.probe URL`: ask a URL every 10 ms until stdin closes, then print each answer's seconds."""

import json
import sys
from threading import Thread
from time import perf_counter, sleep

import httpx

EVERY = 0.01


def main() -> None:
    """Over a new connection each time, as a kubelet asks; in a process of its own, which no busy client can hold up."""
    times = []
    stdin = Thread(target=sys.stdin.read)
    stdin.start()
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False) as client:
        while stdin.is_alive():
            began = perf_counter()
            client.get(sys.argv[1]).raise_for_status()
            times.append(perf_counter() - began)
            sleep(EVERY)
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
