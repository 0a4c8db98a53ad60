"""`python -m k8s.dashboard`."""

from pathlib import Path

from k8s.dashboard.page import text

(Path(__file__).parents[1] / "chart" / "files" / "dashboard.json").write_text(text(), encoding="utf-8")
