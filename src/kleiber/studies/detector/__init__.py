"""The crossover detector against a known truth, by simulation."""
