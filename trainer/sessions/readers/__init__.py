"""Public data sets as sessions: one row an action, in Parquet files or JSON lines."""
