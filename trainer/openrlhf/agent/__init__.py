"""Our agent executor: what runs inside OpenRLHF's rollout engines."""
