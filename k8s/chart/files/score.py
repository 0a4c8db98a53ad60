"""What `helm test` runs: scores one rollout through a version's Service and checks the number, without any package."""

import json
import os
import sys
import time
from typing import Any
from urllib.request import Request, urlopen

LABEL = {"type": "click", "name": "add_to_cart.buy_now"}
COMPLETION = {"rationale": "I want it.", "action": {"type": "click", "name": "add_to_cart.buy"}}

# Four words of the label's five: ROUGE-L = 2·4 / (4 + 5), so 0.5 format + 0.3 type + 0.2 attribute + DARS 1000 · 8/9.
REWARD = 0.5 + 0.3 + 0.2 + 1000 * 8 / 9


def ask(path: str, body: object = None) -> Any:
    """The server's answer, as JSON."""
    key = os.environ.get("REWARD_API_KEYS", "").split(",")[0].strip()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(os.environ["SERVER"] + path, data, headers), timeout=60) as answer:
        return json.load(answer)


def wait() -> None:
    """Return once the server is ready. Raises OSError where it is not in time."""
    deadline = time.monotonic() + float(os.environ.get("WAIT_SECONDS", "120"))
    while True:
        try:
            ask("/readyz")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


wait()
version = ask("/version")
if version["certainty"]["source"] != os.environ["SOURCE"]:
    sys.exit(f"the certainty is from {version['certainty']['source']}, not {os.environ['SOURCE']}")
rollout = {"completion": json.dumps(COMPLETION), "label": LABEL}
(reward,) = ask(f"/score?spec={os.environ['SPEC']}", {"rollouts": [rollout]})["rewards"]
if abs(reward - REWARD) > 1e-9:
    sys.exit(f"the reward is {reward}, not {REWARD}")
print(f"{os.environ['SERVER']}: version {version['server_version']}, reward {reward}")
