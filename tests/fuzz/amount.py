"""How much the tests of this folder try: little with every build, more when asked."""

import os

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20"))
"""Examples of each property, runs of the state machine, requests of each kind to each route."""
