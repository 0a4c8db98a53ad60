"""The bridge to OpenRLHF: recipes become its commands, and its rollouts are scored by our server."""
