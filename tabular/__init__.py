"""Finite Markov decision processes, demonstrations, policies cloned from them, and their coverage."""
