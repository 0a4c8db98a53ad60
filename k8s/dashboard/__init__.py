"""Writes the Grafana dashboard, `k8s/chart/files/dashboard.json`: `python -m k8s.dashboard`."""
