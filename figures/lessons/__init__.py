"""Short lessons: notebooks in the percent format that also run as scripts."""
