"""Figures of simulated control: pretraining, finetuning, and the recorded tables of the full grid."""
