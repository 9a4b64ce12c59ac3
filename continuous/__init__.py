"""PostBC on continuous states and actions: ensembles, generative policies, simulated control."""
