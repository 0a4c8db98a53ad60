"""The paper's reward as pure functions on plain data: no I/O, no clock, no settings, no HTTP."""
