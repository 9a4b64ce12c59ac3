"""The same estimator on continuous states: ensembles, generative policies, simulated control."""
