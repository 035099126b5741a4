"""What the DuckDB store asks of its file, one idea per module: schema, fold, reads, recluster."""
