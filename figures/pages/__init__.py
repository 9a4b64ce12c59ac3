"""Pages made of finished runs: the report, the explorer, and the generated parts of the documentation."""
