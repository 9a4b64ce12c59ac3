"""Speed, as ratios against a peer or a limit of the machine, measured side by side in one run."""
