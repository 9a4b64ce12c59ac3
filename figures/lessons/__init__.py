"""Short lessons: notebooks in the percent format, which also run as scripts."""
